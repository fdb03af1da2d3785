//! The test's own InfluxDB 1.

use super::own_server::{Launch, OwnServer, free_port};
use super::{Influx, Live};
use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// The program of the Debian package, which tests/stack uses, too.
const INFLUXD: &str = "/usr/bin/influxd";

/// A process with the configuration of tests/stack/influx1, without login.
pub struct OwnInflux1 {
    pub influx: Influx,
    server: OwnServer,
}

impl OwnInflux1 {
    /// Starts the process with these environment variables as settings; returns when it answers.
    ///
    /// `INFLUXDB_META_DIR`, `INFLUXDB_DATA_DIR` and `INFLUXDB_DATA_WAL_DIR` move one of its folders to another disk.
    pub fn start(live: &Live, settings: &[(&'static str, &Path)]) -> Self {
        let folder = live.path("influxd1");
        fs::create_dir_all(&folder).unwrap();
        let port = free_port();
        let stack = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/influx1/influxd.conf");
        let text = fs::read_to_string(stack).unwrap();
        let text = text.replace("@FOLDER@", folder.to_str().unwrap());
        let text = text.replace("@PORT@", &port.to_string()).replace("@AUTH@", "false");
        let file = folder.join("influxd.conf");
        fs::write(&file, text).unwrap();
        let launch = Launch {
            program: INFLUXD.into(),
            arguments: vec!["run".into(), "-config".into(), file.into()],
            variables: settings.iter().map(|(name, value)| (*name, OsString::from(value))).collect(),
        };
        let influx = Influx::new(&format!("http://127.0.0.1:{port}"), None);
        let mut own = Self { influx, server: OwnServer::start(&folder, launch) };
        own.wait_until_up();
        own
    }

    /// Changes a setting for the next restart.
    pub fn set(&mut self, setting: &'static str, value: &str) {
        let variables = &mut self.server.launch.variables;
        variables.retain(|(name, _)| *name != setting);
        variables.push((setting, value.into()));
    }

    /// Ends the process with this signal, and starts it again with its data.
    pub fn restart(&mut self, with: &str) {
        self.server.restart(with);
        self.wait_until_up();
    }

    fn wait_until_up(&mut self) {
        // Version 1.6 has no /health.
        self.server.wait_until(|| self.influx.try_query("", "SHOW DATABASES").is_ok());
    }
}
