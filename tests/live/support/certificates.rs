//! The test's own certificates, made with the system's `openssl`: an authority, servers, clients, and faulty ones.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Password of the encrypted key.
pub const KEY_PASSWORD: &str = "key-pass-word";
/// A name that no resolver knows, for servers behind a proxy.
pub const HIDDEN_HOST: &str = "influx.hidden.example";

/// A folder of PEM files: NAME.pem and NAME.key.
pub struct Certificates {
    folder: PathBuf,
}

const OPENSSL: &str = "[ca]\ndefault_ca = own\n[own]\ndatabase = ${ENV::FOLDER}/index\nnew_certs_dir = ${ENV::FOLDER}\n\
    rand_serial = yes\ndefault_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n\
    [req]\ndistinguished_name = name\n[name]\n\
    [authority]\nbasicConstraints = critical, CA:true\nkeyUsage = critical, keyCertSign\nsubjectKeyIdentifier = hash\n\
    [server]\nbasicConstraints = critical, CA:false\nextendedKeyUsage = serverAuth\nsubjectAltName = ${ENV::NAMES}\n\
    [client]\nbasicConstraints = critical, CA:false\nextendedKeyUsage = clientAuth\n";

impl Certificates {
    pub fn make(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("openssl.cnf"), OPENSSL).unwrap();
        let own = Self { folder: folder.to_owned() };
        own.authority("ca");
        own.authority("stranger");
        own.signed("server", "server");
        own.expired();
        own.signed("client", "client");
        let (key, to) = (own.key("client"), own.key("locked"));
        own.openssl(&[
            "pkcs8",
            "-topk8",
            "-in",
            &key,
            "-out",
            &to,
            "-passout",
            &format!("pass:{KEY_PASSWORD}"),
        ]);
        own.openssl(&["genrsa", "-out", &own.key("token"), "2048"]);
        own
    }

    pub fn pem(&self, name: &str) -> String {
        self.path(&format!("{name}.pem"))
    }

    pub fn key(&self, name: &str) -> String {
        self.path(&format!("{name}.key"))
    }

    /// Key and certificate in one file, the format of Kafka's key stores.
    pub fn store(&self, name: &str) -> String {
        let path = self.path(&format!("{name}.store"));
        let read = |path: String| fs::read_to_string(path).unwrap();
        fs::write(&path, read(self.key(name)) + &read(self.pem(name))).unwrap();
        path
    }

    /// The RS256 signature of a token.
    pub fn sign(&self, text: &str) -> Vec<u8> {
        let mut command = Command::new("openssl");
        command.args(["dgst", "-sha256", "-sign", &self.key("token")]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        output.stdout
    }

    /// The modulus of the token's key.
    pub fn modulus(&self) -> Vec<u8> {
        let text = self.openssl(&["rsa", "-in", &self.key("token"), "-noout", "-modulus"]);
        let digits = text.trim().trim_start_matches("Modulus=").as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn authority(&self, name: &str) {
        self.request(name, &["-x509", "-extensions", "authority", "-days", "2"]);
    }

    fn signed(&self, name: &str, extensions: &str) {
        let (ca, key) = (self.pem("ca"), self.key("ca"));
        self.request(name, &["-x509", "-extensions", extensions, "-days", "2", "-CA", &ca, "-CAkey", &key]);
    }

    /// Only `openssl ca` can make a certificate that has expired already.
    fn expired(&self) {
        self.request("expired", &[]);
        fs::write(self.path("index"), "").unwrap();
        let (pem, config, ca, key) =
            (self.pem("expired"), self.path("openssl.cnf"), self.pem("ca"), self.key("ca"));
        let what = ["ca", "-config", &config, "-batch", "-notext", "-cert", &ca, "-keyfile", &key];
        let when = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"];
        let files = ["-extensions", "server", "-in", &pem, "-out", &pem];
        self.openssl(&[&what[..], &when, &files].concat());
    }

    /// Makes a key, and a certificate or a certificate request for it.
    fn request(&self, name: &str, more: &[&str]) {
        let (pem, key, config, subject) =
            (self.pem(name), self.key(name), self.path("openssl.cnf"), format!("/CN=live-{name}"));
        let kind = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let own = ["-config", &config, "-subj", &subject, "-keyout", &key, "-out", &pem];
        self.openssl(&[&kind[..], &own, more].concat());
    }

    fn openssl(&self, arguments: &[&str]) -> String {
        let names = format!("IP:127.0.0.1,DNS:localhost,DNS:{HIDDEN_HOST}");
        let output =
            Command::new("openssl").args(arguments).env("NAMES", names).env("FOLDER", &self.folder).output();
        let output = output.unwrap_or_else(|error| panic!("openssl makes the certificates: {error}"));
        assert!(output.status.success(), "openssl {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}
