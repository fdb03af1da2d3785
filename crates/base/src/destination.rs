//! Destinations in InfluxDB, their APIs, and credentials.

use crate::secret::Secret;
use std::fmt;

/// The write endpoint of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `/write` of 1.x, also of 2.x through a DBRP mapping.
    V1,
    /// `/api/v2/write`.
    V2,
    /// `/api/v3/write_lp` of InfluxDB 3.
    V3,
}

/// A login for InfluxDB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    None,
    Token(Secret),
    Basic { username: String, password: Secret },
}

impl Credential {
    /// The credential with its secret read from the file again; `None` if the secret comes from no file.
    pub fn reread(&self) -> Option<Self> {
        match self {
            Self::None => None,
            Self::Token(token) => token.reread().map(Self::Token),
            Self::Basic { username, password } => {
                let username = username.clone();
                password.reread().map(|password| Self::Basic { username, password })
            }
        }
    }
}

/// Where the lines of a mapping are written. Each destination has its own batches.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    Bucket {
        org: String,
        bucket: String,
    },
    Database {
        database: String,
        retention_policy: Option<String>,
    },
    /// A database of InfluxDB 3, which has no retention policies.
    Database3 {
        database: String,
    },
}

impl Destination {
    /// The endpoint for the lines of this destination.
    #[must_use]
    pub fn api(&self) -> Api {
        match self {
            Self::Bucket { .. } => Api::V2,
            Self::Database { .. } => Api::V1,
            Self::Database3 { .. } => Api::V3,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket { org, bucket } => write!(f, "bucket {bucket:?} of org {org:?}"),
            Self::Database { database, retention_policy: None } | Self::Database3 { database } => {
                write!(f, "database {database:?}")
            }
            Self::Database { database, retention_policy: Some(policy) } => {
                write!(f, "database {database:?}, retention policy {policy:?}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rereads_only_secrets_from_files() {
        let file = std::env::temp_dir().join(format!("bridge-token-{}", std::process::id()));
        std::fs::write(&file, "old\n").unwrap();
        let token = Secret::from_file("old", file.clone());
        std::fs::write(&file, "new\n").unwrap();
        let reread = |credential: &Credential| match credential.reread() {
            Some(Credential::Token(secret) | Credential::Basic { password: secret, .. }) => {
                Some(secret.expose().to_owned())
            }
            _ => None,
        };
        let username = || "tower".to_owned();
        assert_eq!(reread(&Credential::Token(token.clone())).as_deref(), Some("new"));
        assert_eq!(
            reread(&Credential::Basic { username: username(), password: token }).as_deref(),
            Some("new")
        );
        assert_eq!(reread(&Credential::Token(Secret::new("fixed"))), None);
        assert_eq!(reread(&Credential::None), None);
        std::fs::remove_file(file).unwrap();
    }
}
