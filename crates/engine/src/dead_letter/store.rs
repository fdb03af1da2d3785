//! The configured store of dead letters.

use std::fmt;
use std::path::PathBuf;

/// The store of dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadLetterStore {
    Topic(String),
    /// A file; relative paths start at the working directory. A full file is renamed, and a new one begun.
    File {
        path: PathBuf,
        bytes_max: u64,
    },
}

impl fmt::Display for DeadLetterStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(topic) => write!(f, "topic {topic}"),
            Self::File { path, .. } => write!(f, "file {}", path.display()),
        }
    }
}
