//! Errors of writing letters and reading originals. The bridge keeps the records and tries again.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why letters can't be written, or originals can't be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}: {}", self.why(), self.remedy())]
pub enum DeadLetterError {
    Client { why: String },
    TopicMissing { topic: String, brokers: String },
    TopicForbidden { topic: String, why: String },
    TopicTooSmall { topic: String },
    TopicRefuses { topic: String, why: String },
    Unreachable { topic: String, why: String, remedy: String },
    FileLocked { path: PathBuf },
    File { path: PathBuf, cause: FileCause, why: String },
    FileSlow { path: PathBuf, seconds: u64 },
    Unreadable { why: String, remedy: String },
}

/// The problem of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileCause {
    DiskFull,
    /// The largest file of this process or of the file system.
    SizeLimit,
    Forbidden,
    NoFolder,
    NoFile,
    Other,
}

impl FileCause {
    fn remedy(self) -> &'static str {
        match self {
            Self::DiskFull => {
                "free space on its disk: full files (file.1, file.2, ...) may be deleted once they are replayed"
            }
            Self::SizeLimit => {
                "raise the process's file size limit (`LimitFSIZE` of systemd, `ulimit -f`), or set dead_letter.file_bytes_max below it, and restart"
            }
            Self::Forbidden => "let the bridge's user write there, or set another `file` in [dead_letter]",
            Self::NoFolder => "create its folder, or set another `file` in [dead_letter]",
            Self::NoFile => "set `file` in [dead_letter] to a file, not a folder",
            Self::Other => "check its disk, or set another `file` in [dead_letter]",
        }
    }
}

impl DeadLetterError {
    pub(super) fn file(path: &Path, error: &io::Error) -> Self {
        let cause = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FileCause::DiskFull,
            io::ErrorKind::FileTooLarge => FileCause::SizeLimit,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => FileCause::Forbidden,
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileCause::NoFolder,
            io::ErrorKind::IsADirectory => FileCause::NoFile,
            _ => FileCause::Other,
        };
        Self::File { path: path.to_owned(), cause, why: error.to_string() }
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
            Self::File { cause: FileCause::SizeLimit, .. } => "dead_letter_file_size_limit",
            Self::File { .. } => "dead_letter_file_unwritable",
            Self::FileSlow { .. } => "dead_letter_file_slow",
            Self::Unreadable { .. } => "originals_unreadable",
        }
    }

    /// The failure, without its remedy.
    pub fn why(&self) -> String {
        match self {
            Self::Client { why } => format!("the Kafka client for dead letters can't be created ({why})"),
            Self::TopicMissing { topic, .. } => {
                format!("the dead-letter topic {topic} does not exist, and the brokers do not create it")
            }
            Self::TopicForbidden { topic, why } => {
                format!("this user may not write dead letters to the topic {topic} ({why})")
            }
            Self::TopicTooSmall { topic } => {
                format!("the dead-letter topic {topic} does not accept even the coordinates of a record")
            }
            Self::TopicRefuses { topic, why } => {
                format!("the dead-letter topic {topic} refuses a letter ({why})")
            }
            Self::Unreachable { topic, why, .. } => {
                format!("kafka does not accept dead letters for the topic {topic} ({why})")
            }
            Self::FileLocked { path } => {
                format!(
                    "dead letters can't be written to {}, because another process writes there",
                    path.display()
                )
            }
            Self::File { path, why, .. } => {
                format!("dead letters can't be written to {}: {why}", path.display())
            }
            Self::FileSlow { path, seconds } => {
                format!("dead letters were not written to {} within {seconds} s", path.display())
            }
            Self::Unreadable { why, .. } => {
                format!("the original records can't be read from kafka ({why})")
            }
        }
    }

    /// The remedy.
    pub fn remedy(&self) -> String {
        let remedy = match self {
            Self::Client { .. } => "correct [kafka.tls] and [kafka.librdkafka], and restart",
            Self::TopicMissing { topic, brokers } => {
                return format!(
                    "create it: `kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic}`"
                );
            }
            Self::TopicForbidden { .. } => {
                "grant WRITE and DESCRIBE on it, and CREATE if the bridge is to create it"
            }
            Self::TopicTooSmall { .. } => "raise its max.message.bytes",
            Self::TopicRefuses { .. } => {
                "it has to accept every record, with cleanup.policy=delete and any timestamp"
            }
            Self::Unreachable { remedy, .. } | Self::Unreadable { remedy, .. } => remedy,
            Self::FileLocked { .. } => "each bridge needs its own `file` in [dead_letter]",
            Self::File { cause, .. } => cause.remedy(),
            Self::FileSlow { .. } => "check its disk",
        };
        remedy.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One error of each variant, and one of each cause of a file.
    fn all() -> Vec<DeadLetterError> {
        let (topic, why, path) = ("dead".to_owned(), "because".to_owned(), PathBuf::from("dead.jsonl"));
        let remedy = "act".to_owned();
        let of_file = |cause| DeadLetterError::File { path: path.clone(), cause, why: why.clone() };
        let causes = [
            FileCause::DiskFull,
            FileCause::SizeLimit,
            FileCause::Forbidden,
            FileCause::NoFolder,
            FileCause::NoFile,
            FileCause::Other,
        ];
        let mut all: Vec<DeadLetterError> = causes.map(of_file).into();
        all.extend([
            DeadLetterError::Client { why: why.clone() },
            DeadLetterError::TopicMissing { topic: topic.clone(), brokers: "k:9092".to_owned() },
            DeadLetterError::TopicForbidden { topic: topic.clone(), why: why.clone() },
            DeadLetterError::TopicTooSmall { topic: topic.clone() },
            DeadLetterError::TopicRefuses { topic: topic.clone(), why: why.clone() },
            DeadLetterError::Unreachable { topic, why: why.clone(), remedy: remedy.clone() },
            DeadLetterError::FileLocked { path: path.clone() },
            DeadLetterError::FileSlow { path, seconds: 10 },
            DeadLetterError::Unreadable { why, remedy },
        ]);
        all
    }

    #[test]
    fn a_size_limit_is_no_full_disk() {
        let of_kind = |kind| DeadLetterError::file(Path::new("dead.jsonl"), &io::Error::from(kind));
        let limit = of_kind(io::ErrorKind::FileTooLarge);
        assert_eq!(limit.cause_name(), "dead_letter_file_size_limit");
        assert!(limit.remedy().contains("`ulimit -f`") && !limit.remedy().contains("free space"));
        for full in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            assert_eq!(of_kind(full).cause_name(), "dead_letter_disk_full");
        }
    }

    #[test]
    fn says_why_and_what_to_do_apart() {
        for error in all() {
            let (why, remedy) = (error.why(), error.remedy());
            assert!(!why.is_empty() && !remedy.is_empty() && !why.contains(&remedy), "{why} | {remedy}");
            assert_eq!(error.to_string(), format!("{why}: {remedy}"));
        }
        let missing =
            DeadLetterError::TopicMissing { topic: "dead".to_owned(), brokers: "k:9092".to_owned() };
        assert_eq!(
            missing.remedy(),
            "create it: `kafka-topics.sh --bootstrap-server k:9092 --create --topic dead`"
        );
    }
}
