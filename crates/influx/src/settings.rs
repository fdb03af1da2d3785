//! Settings of the connection to InfluxDB.

use base::{Api, Credential, TimePrecision};
use std::path::PathBuf;
use std::time::Duration;

/// Long enough for a busy server.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// Settings of the connection to InfluxDB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Addresses of one and the same database, without a trailing slash; the first that works is used.
    pub urls: Vec<reqwest::Url>,
    pub api: Api,
    pub credential: Credential,
    /// Create a missing 1.x database at the start and after a 404.
    pub create_database: bool,
    /// InfluxDB 3 answers before the lines are on its disk: a crash of the server loses stored lines.
    pub no_sync: bool,
    /// Precision with which the server stores times, according to the configuration.
    pub time_precision: TimePrecision,
    pub compression: Compression,
    /// Timeout of one request, from connecting to the last byte of the answer.
    pub timeout: Duration,
    pub tls: Tls,
}

impl Connection {
    /// Default settings for one address without a login.
    pub fn new(url: reqwest::Url) -> Self {
        Self {
            urls: vec![url],
            api: Api::V2,
            credential: Credential::None,
            create_database: false,
            no_sync: false,
            time_precision: TimePrecision::default(),
            compression: Compression::Auto,
            timeout: TIMEOUT_DEFAULT,
            tls: Tls { ca_file: None, cert_file: None, key_file: None, verify: true },
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// No compression to a loopback address, else gzip.
    #[default]
    Auto,
    Gzip,
    None,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Trusted certificates in addition to the system's.
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub verify: bool,
}
