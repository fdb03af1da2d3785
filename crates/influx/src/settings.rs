//! Settings of the connection to InfluxDB.

use base::certificates::CertificateFiles;
use base::{Api, Credential, TimePrecision};
use std::time::Duration;

/// Long enough for a busy server.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// Settings of the connection to InfluxDB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
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

impl ConnectionSettings {
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
            tls: Tls::default(),
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

/// Certificates of `https://` addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub files: CertificateFiles,
    /// Whether the server's certificate is verified.
    pub verify: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self { files: CertificateFiles::default(), verify: true }
    }
}
