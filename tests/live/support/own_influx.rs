//! The test's own InfluxDB 2.

use super::live::variable;
use super::own_server::{Launch, OwnServer, free_port};
use super::{Influx, Live};
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;

/// A process of the server that tests/stack has built, with the stack's organization and token. Dropping this removes the process and its
/// data.
pub struct OwnInflux {
    pub influx: Influx,
    server: OwnServer,
}

impl OwnInflux {
    /// Starts influxd with further options; returns when it accepts writes.
    pub fn start(live: &Live, options: &[&str]) -> Self {
        let folder = live.path("influxd");
        Self::start_in(&folder, &folder.join("engine"), options)
    }

    /// Like [`OwnInflux::start`], with the data in a folder that this does not remove.
    pub fn start_in(folder: &Path, engine: &Path, options: &[&str]) -> Self {
        let port = free_port();
        let paths = [
            ("--bolt-path", folder.join("bolt")),
            ("--sqlite-path", folder.join("sqlite")),
            ("--engine-path", engine.to_owned()),
        ];
        let mut arguments: Vec<OsString> =
            ["--reporting-disabled", "--ui-disabled", "--log-level", "warn"].map(OsString::from).to_vec();
        arguments.extend(["--http-bind-address".into(), format!("127.0.0.1:{port}").into()]);
        arguments.extend(paths.into_iter().flat_map(|(option, path)| [option.into(), path.into_os_string()]));
        arguments.extend(options.iter().map(OsString::from));
        let token = variable("INFLUX2_TOKEN");
        let scheme = if options.contains(&"--tls-cert") { "https" } else { "http" };
        let influx = Influx::new(&format!("{scheme}://127.0.0.1:{port}"), Some(format!("Token {token}")));
        let program = variable("INFLUXD").into();
        let server = OwnServer::start(folder, Launch { program, arguments, variables: Vec::new() });
        let mut own = Self { influx, server };
        own.wait_until_up();
        let setup = json!({"username": "admin", "password": "admin-password", "org": variable("INFLUX2_ORG"),
            "bucket": "first", "token": token});
        own.influx.post("/api/v2/setup", &setup);
        own
    }

    fn wait_until_up(&mut self) {
        self.server.wait_until(|| self.influx.is_healthy());
    }

    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Ends the process with this signal, and starts it again with its data.
    pub fn restart(&mut self, with: &str) {
        self.server.restart(with);
        self.wait_until_up();
    }
}
