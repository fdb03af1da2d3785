//! The one place where an offset becomes the offset after it.

/// Where to resume: what Kafka stores as committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NextOffset(i64);

impl NextOffset {
    /// Behind the record with this offset.
    pub fn after(offset: i64) -> Self {
        Self(offset.saturating_add(1))
    }

    /// Where reading begins or goes on: the record with this offset is the next.
    pub fn at(offset: i64) -> Self {
        Self(offset)
    }

    pub fn get(self) -> i64 {
        self.0
    }
}
