//! Reads records again, by coordinates, with a consumer that joins no group and commits nothing.

use super::DeadLetterError;
use crate::config::Kafka;
use std::sync::Arc;

/// A record to read again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wanted {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
}

/// A record as Kafka still has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Original {
    pub timestamp_ms: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Reads records again. Its client is made when it is first needed, and dropped when it was idle for a minute.
#[derive(Debug)]
pub struct Originals {}

impl Originals {
    pub fn new(_kafka: &Kafka) -> Self {
        Self {}
    }

    /// Each wanted record, in order; None where it is gone by retention, compaction or deletion of its topic.
    #[expect(clippy::unused_async, reason = "a skeleton")]
    pub async fn read(&self, wanted: &[Wanted]) -> Result<Vec<Option<Original>>, DeadLetterError> {
        Ok(vec![None; wanted.len()])
    }
}
