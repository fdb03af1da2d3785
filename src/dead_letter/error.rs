//! Why letters can't be written now.

use thiserror::Error;

/// What keeps letters from being written, or originals from being read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DeadLetterError {
    #[error(
        "kafka can't be asked for the original records now: {why}: is `kafka.brokers` right and Kafka up?"
    )]
    Unreadable { why: String },
}

impl DeadLetterError {
    /// As it stands in metrics and alarms.
    pub fn cause_name(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "originals_unreadable",
        }
    }
}
