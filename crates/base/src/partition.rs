//! Partitions and the offsets to resume at.

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: String,
    pub partition: i32,
}

/// The offset at which reading resumes: what Kafka stores as the committed offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NextOffset(i64);

impl NextOffset {
    /// The offset after the record with this offset. The only place that computes `offset + 1`.
    pub fn after(offset: i64) -> Self {
        Self(offset.saturating_add(1))
    }

    /// An offset at which reading begins or continues: the record with this offset is the next.
    pub fn at(offset: i64) -> Self {
        Self(offset)
    }

    pub fn get(self) -> i64 {
        self.0
    }
}
