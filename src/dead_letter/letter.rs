//! What is kept of a record that could not be stored.

use crate::map::REJECTED_ELEMENTS_MAX;
use std::sync::Arc;

/// The reason of a letter that InfluxDB caused; the mapping's are [`crate::map::Reason::name`].
pub const REFUSED: &str = "refused";

/// Characters of `why`; further findings about the same record only count.
const WHY_BYTES_MAX: usize = 4_000;

/// One record, with what was found out about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// Kafka's.
    pub timestamp_ms: Option<i64>,
    pub key: Option<Vec<u8>>,
    /// None: a tombstone, or the original is gone (then there are `lines`).
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    pub stage: Stage,
    /// [`crate::map::Reason::name`], or [`REFUSED`].
    pub reason: &'static str,
    /// The rejection's text or InfluxDB's words, printable.
    pub why: String,
    pub elements: Elements,
    /// The refused lines, only where the original is gone.
    pub lines: Option<Vec<u8>>,
}

/// Who did not take the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The mapping rejected it.
    Map,
    /// InfluxDB refused a line of it.
    Write,
    /// Some of its elements were rejected, lines of others refused.
    Both,
}

/// Which of a record's elements are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elements {
    /// In rising order, at most [`REJECTED_ELEMENTS_MAX`]. Empty: the record as a whole.
    pub listed: Vec<usize>,
    pub count: u64,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Write => "write",
            Self::Both => "both",
        }
    }
}

impl Letter {
    /// Memory that it holds.
    pub fn bytes(&self) -> usize {
        let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::capacity);
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.capacity() + of(value) + size_of::<(String, Option<Vec<u8>>)>())
            .sum();
        size_of::<Self>()
            + of(&self.key)
            + of(&self.value)
            + of(&self.lines)
            + headers
            + self.why.capacity()
            + self.elements.listed.capacity() * size_of::<usize>()
    }

    /// Adds a second finding about the same record.
    pub fn merge(&mut self, other: Self) {
        if self.stage != other.stage {
            self.stage = Stage::Both;
        }
        if self.why != other.why && self.why.len() + other.why.len() < WHY_BYTES_MAX {
            self.why = format!("{}; {}", self.why, other.why);
        }
        self.elements.merge(other.elements);
        match (self.lines.is_some(), other.lines) {
            // What the lines would stand for is there.
            (false, _) => {}
            (true, None) => {
                (self.key, self.value, self.headers) = (other.key, other.value, other.headers);
                self.timestamp_ms = other.timestamp_ms;
                self.lines = None;
            }
            (true, Some(more)) => {
                if let Some(lines) = &mut self.lines {
                    lines.extend_from_slice(&more);
                }
            }
        }
    }
}

impl Elements {
    fn merge(&mut self, other: Self) {
        self.listed.extend(other.listed);
        self.listed.sort_unstable();
        self.listed.dedup();
        self.listed.truncate(REJECTED_ELEMENTS_MAX);
        self.count += other.count;
    }
}
