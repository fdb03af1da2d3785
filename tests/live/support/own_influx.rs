//! An InfluxDB 2 of a test's own, for faults that would disturb others or want options of the server.

use super::live::variable;
use super::signals::signal;
use super::{Influx, Live, PATIENCE, wait_for};
use serde_json::json;
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

/// A process of the server that tests/stack has built. It knows the organization and the token of the stack's, and it is removed
/// with its data when this is dropped.
pub struct OwnInflux {
    pub influx: Influx,
    port: u16,
    folder: PathBuf,
    options: Vec<OsString>,
    child: Child,
}

impl OwnInflux {
    /// Starts with more options of influxd; returns when it may be written.
    pub fn start(live: &Live, options: &[&str]) -> Self {
        let folder = live.path("influxd");
        Self::start_in(&folder, &folder.join("engine"), options)
    }

    /// As [`OwnInflux::start`], with its points in a folder that is not its own to remove.
    pub fn start_in(folder: &Path, engine: &Path, options: &[&str]) -> Self {
        fs::create_dir_all(folder).unwrap();
        let port = free_port();
        let paths = [
            ("--bolt-path", folder.join("bolt")),
            ("--sqlite-path", folder.join("sqlite")),
            ("--engine-path", engine.to_owned()),
        ];
        let mut all: Vec<OsString> =
            ["--reporting-disabled", "--ui-disabled", "--log-level", "warn"].map(OsString::from).to_vec();
        all.extend(["--http-bind-address".into(), format!("127.0.0.1:{port}").into()]);
        all.extend(paths.into_iter().flat_map(|(option, path)| [option.into(), path.into_os_string()]));
        all.extend(options.iter().map(OsString::from));
        let token = variable("INFLUX2_TOKEN");
        let scheme = if options.contains(&"--tls-cert") { "https" } else { "http" };
        let influx = Influx::new(&format!("{scheme}://127.0.0.1:{port}"), Some(format!("Token {token}")));
        let child = spawn(folder, &all);
        let own = Self { influx, port, folder: folder.to_owned(), options: all, child };
        own.wait_until_up();
        let setup = json!({"username": "admin", "password": "admin-password", "org": variable("INFLUX2_ORG"),
            "bucket": "first", "token": token});
        own.influx.post("/api/v2/setup", &setup);
        own
    }

    fn wait_until_up(&self) {
        let health = || self.influx.is_healthy().then_some(());
        wait_for(&format!("InfluxDB on port {}", self.port), PATIENCE, health);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with this signal and starts it again with its data.
    pub fn restart(&mut self, with: &str) {
        signal(self.pid(), with);
        self.child.wait().unwrap();
        self.child = spawn(&self.folder, &self.options);
        self.wait_until_up();
    }
}

impl Drop for OwnInflux {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
        if thread::panicking() {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(20).collect();
            eprintln!("the last lines of InfluxDB's log, the newest first:\n{}", last.join("\n"));
        }
        let _in_use = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(folder: &Path, options: &[OsString]) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let mut command = Command::new(variable("INFLUXD"));
    command.args(options).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command.spawn().unwrap()
}

/// Below the ports that Linux gives to outgoing connections, one of which would take it between two starts.
pub fn free_port() -> u16 {
    let taken = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(20_000..32_000)).find(|port| !taken(port)).unwrap()
}
