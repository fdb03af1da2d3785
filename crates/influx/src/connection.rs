//! How InfluxDB is reached.

use base::{Api, Credential};
use std::path::PathBuf;
use std::time::Duration;

/// As Telegraf and most clients have it, long enough for a busy server.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// How InfluxDB is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Addresses of one and the same database, without a trailing slash; the first that works is used.
    pub urls: Vec<reqwest::Url>,
    pub api: Api,
    pub credential: Credential,
    /// Create a missing 1.x database at the start and after a 404.
    pub create_database: bool,
    pub compression: Compression,
    /// Of one request, from connecting to the last byte of the answer.
    pub timeout: Duration,
    pub tls: Tls,
}

impl Connection {
    /// One address without a login, everything else as it is by default.
    pub fn new(url: reqwest::Url) -> Self {
        Self {
            urls: vec![url],
            api: Api::V2,
            credential: Credential::None,
            create_database: false,
            compression: Compression::Auto,
            timeout: TIMEOUT_DEFAULT,
            tls: Tls { ca_file: None, cert_file: None, key_file: None, verify: true },
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// None to a loopback address, else gzip.
    #[default]
    Auto,
    Gzip,
    None,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub verify: bool,
}
