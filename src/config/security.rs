//! `[kafka.tls]` and `[kafka.sasl]` as properties of librdkafka.

use super::schema;
use super::section::{Section, unknown_word};
use crate::secret::Secret;
use std::path::PathBuf;

type Properties = Vec<(String, Secret)>;

/// What this build of librdkafka can speak without more than a name and a password, or, for the last, without them.
const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];

/// The presence of the tables, even when they are empty, says which protocol is spoken.
pub fn properties(kafka: Section<'_>) -> Properties {
    let tls = kafka.table("tls", &schema::KAFKA_TLS);
    let sasl = kafka.table("sasl", &schema::KAFKA_SASL);
    let protocol = match (kafka.has("tls"), kafka.has("sasl")) {
        (false, false) => return Vec::new(),
        (true, false) => "ssl",
        (false, true) => "sasl_plaintext",
        (true, true) => "sasl_ssl",
    };
    let mut properties = vec![("security.protocol".to_owned(), Secret::new(protocol))];
    properties.extend(tls.map(tls_properties).unwrap_or_default());
    properties.extend(sasl.map(sasl_properties).unwrap_or_default());
    properties
}

fn tls_properties(section: Section<'_>) -> Properties {
    let mut properties = Vec::new();
    for (key, property) in [
        ("ca_file", "ssl.ca.location"),
        ("cert_file", "ssl.certificate.location"),
        ("key_file", "ssl.key.location"),
    ] {
        let path = section.file(key).map(|path| Secret::new(path.to_string_lossy()));
        properties.extend(path.map(|path| (property.to_owned(), path)));
    }
    let password = section.secret("key_password").map(|text| ("ssl.key.password".to_owned(), text.secret()));
    properties.extend(password);
    check_pair(section);
    if section.flag("verify") == Some(false) {
        section.context.warning(&section.span("verify"), UNVERIFIED);
        properties.push(("enable.ssl.certificate.verification".to_owned(), Secret::new("false")));
    }
    properties
}

pub const UNVERIFIED: &str = "with verify = false anybody on the way can read and change everything; ca_file makes a private certificate trusted";

/// A certificate is nothing without its key.
pub fn check_pair(section: Section<'_>) {
    for (key, other) in [("cert_file", "key_file"), ("key_file", "cert_file")] {
        if section.has(key) && !section.has(other) {
            section.error(key, format!("`{key}` wants its `{other}` beside it"));
        }
    }
}

fn sasl_properties(section: Section<'_>) -> Properties {
    let username = section.text("username").map(|text| ("sasl.username".to_owned(), text.secret()));
    let password = section.secret("password").map(|text| ("sasl.password".to_owned(), text.secret()));
    let Some(mechanism) =
        section.required_text("mechanism", "one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER")
    else {
        return Vec::new();
    };
    if !MECHANISMS.contains(&mechanism.value.as_str()) {
        let kerberos = if mechanism.value == "GSSAPI" { " (Kerberos is not built in)" } else { "" };
        section.refuse(&mechanism, unknown_word("mechanism", mechanism.shown(), &MECHANISMS) + kerberos);
    }
    let takes_login = mechanism.value != "OAUTHBEARER";
    for key in ["username", "password"] {
        if takes_login && !section.has(key) {
            section.missing(key, &format!("{} wants a username and a password", mechanism.shown()));
        }
        if !takes_login && section.has(key) {
            let message = format!(
                "OAUTHBEARER has no `{key}`: its settings are properties in [kafka.librdkafka], such as \"sasl.oauthbearer.config\""
            );
            section.error(key, message);
        }
    }
    let mut properties = vec![("sasl.mechanisms".to_owned(), mechanism.secret())];
    properties.extend(username.into_iter().chain(password));
    properties
}

/// `[influx.tls]` has the same files, for another client.
pub struct TlsFiles {
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub verify: bool,
}

pub fn tls_files(section: Section<'_>) -> TlsFiles {
    check_pair(section);
    let verify = section.flag("verify").unwrap_or(true);
    if !verify {
        section.context.warning(&section.span("verify"), UNVERIFIED);
    }
    TlsFiles {
        ca_file: section.file("ca_file"),
        cert_file: section.file("cert_file"),
        key_file: section.file("key_file"),
        verify,
    }
}
