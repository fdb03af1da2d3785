//! Where dead letters go.

use std::fmt;
use std::path::PathBuf;

/// Where records go that could not be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    Topic(String),
    /// Relative to the working directory; a full one is renamed, and a new one begun.
    File {
        path: PathBuf,
        bytes_max: u64,
    },
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(topic) => write!(f, "topic {topic}"),
            Self::File { path, .. } => write!(f, "file {}", path.display()),
        }
    }
}
