//! Errors of writing letters and reading originals. The bridge keeps the records and tries again.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why letters can't be written, or originals can't be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DeadLetterError {
    #[error("the Kafka client for dead letters can't be created: {why}")]
    Client { why: String },
    #[error(
        "the dead-letter topic {topic} does not exist, and the brokers do not create it: kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic}"
    )]
    TopicMissing { topic: String, brokers: String },
    #[error(
        "this user may not write dead letters to the topic {topic} ({why}): grant WRITE and DESCRIBE on it, and CREATE if the bridge is to create it"
    )]
    TopicForbidden { topic: String, why: String },
    #[error(
        "the dead-letter topic {topic} does not accept even the coordinates of a record: raise its max.message.bytes"
    )]
    TopicTooSmall { topic: String },
    #[error(
        "the dead-letter topic {topic} refuses a letter ({why}): it has to accept every record, with cleanup.policy=delete and any timestamp"
    )]
    TopicRefuses { topic: String, why: String },
    #[error("kafka does not accept dead letters for the topic {topic} ({why}): {remedy}")]
    Unreachable { topic: String, why: String, remedy: String },
    #[error(
        "dead letters can't be written to {path}: another process writes there; each bridge needs its own file"
    )]
    FileLocked { path: Shown },
    #[error("dead letters can't be written to {path}: {why}: {remedy}")]
    File { path: Shown, cause: FileCause, why: String, remedy: &'static str },
    #[error("dead letters were not written to {path} within {seconds} s: check its disk")]
    FileSlow { path: Shown, seconds: u64 },
    #[error("the original records can't be read from kafka ({why}): {remedy}")]
    Unreadable { why: String, remedy: String },
}

/// The problem of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileCause {
    DiskFull,
    Forbidden,
    NoFolder,
    NoFile,
    Other,
}

/// A path for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(pub PathBuf);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl DeadLetterError {
    pub(super) fn file(path: &Path, error: &io::Error) -> Self {
        let (cause, remedy) = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => (
                FileCause::DiskFull,
                "free space on its disk: full files (file.1, file.2, ...) may be deleted once they are replayed",
            ),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
                FileCause::Forbidden,
                "let the bridge's user write there, or set another `file` in [dead_letter]",
            ),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                (FileCause::NoFolder, "create its folder, or set another `file` in [dead_letter]")
            }
            io::ErrorKind::IsADirectory => {
                (FileCause::NoFile, "set `file` in [dead_letter] to a file, not a folder")
            }
            _ => (FileCause::Other, "check its disk, or set another `file` in [dead_letter]"),
        };
        Self::File { path: Shown(path.to_owned()), cause, why: error.to_string(), remedy }
    }

    /// The cause in metrics and alarms.
    pub fn cause_name(&self) -> &'static str {
        match self {
            Self::Client { .. } => "dead_letter_client",
            Self::TopicMissing { .. } => "dead_letter_topic_missing",
            Self::TopicForbidden { .. } => "dead_letter_topic_forbidden",
            Self::TopicTooSmall { .. } | Self::TopicRefuses { .. } => "dead_letter_topic_refuses",
            Self::Unreachable { .. } => "dead_letter_topic_unreachable",
            Self::FileLocked { .. } => "dead_letter_file_locked",
            Self::File { cause: FileCause::DiskFull, .. } => "dead_letter_disk_full",
            Self::File { .. } => "dead_letter_file_unwritable",
            Self::FileSlow { .. } => "dead_letter_file_slow",
            Self::Unreadable { .. } => "originals_unreadable",
        }
    }
}
