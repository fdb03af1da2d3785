//! Settings of the connection to a schema registry.

use base::Credential;
use base::certificates::{CertificateError, CertificateFiles};
use std::time::Duration;
use thiserror::Error;

/// Default of [`Settings::unknown_id_max`].
const UNKNOWN_ID_MAX: Duration = Duration::from_mins(10);
/// Time limit of one request. A schema has some kB.
const REQUEST_MAX: Duration = Duration::from_secs(10);

/// Settings of the connection to a schema registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Addresses of one registry; the first that answers is used.
    pub urls: Vec<reqwest::Url>,
    pub credential: Credential,
    pub certificates: CertificateFiles,
    /// How long a topic waits for an id that the registry does not know.
    pub unknown_id_max: Duration,
    /// Time limit of one request.
    pub timeout: Duration,
}

impl Settings {
    /// Default settings for one address without a login.
    #[must_use]
    pub fn new(url: reqwest::Url) -> Self {
        Self {
            urls: vec![url],
            credential: Credential::None,
            certificates: CertificateFiles::default(),
            unknown_id_max: UNKNOWN_ID_MAX,
            timeout: REQUEST_MAX,
        }
    }

    /// The addresses, for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        self.urls.iter().map(reqwest::Url::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// Why `[schema_registry]` gives no client.
#[derive(Debug, Error)]
pub enum RegistryError {
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    #[error(
        "cannot prepare connections to the schema registry: {0}; check the certificates of [schema_registry] and of the system"
    )]
    Build(String),
}
