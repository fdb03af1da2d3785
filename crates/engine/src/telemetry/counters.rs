//! What the bridge counts: nothing is dropped without one of these.

use super::{ByTopic, Rejections, UnsettledTimes};
use mapping::{Drop, Drops, Reason};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Why an open batch was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// It had as many lines or bytes as a batch may.
    Full,
    /// Its first line was as old as one may be.
    Age,
    /// All batches together had as much memory as they may.
    Memory,
    /// A revoke or a stop waited for it.
    End,
}

impl CloseReason {
    pub const ALL: [Self; 4] = [Self::Full, Self::Age, Self::Memory, Self::End];

    /// As it stands in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Age => "age",
            Self::Memory => "memory",
            Self::End => "end",
        }
    }
}

/// Counters of all consumers together. The data threads add to them once a turn, not once a record.
#[derive(Debug, Default)]
pub struct Counters {
    pub records: AtomicU64,
    pub record_bytes: AtomicU64,
    /// Lines that were mapped; how many of them were stored is the writer's to count.
    pub lines: AtomicU64,
    /// Elements that became no point because the configuration says so.
    pub filtered: AtomicU64,
    /// Records whose dead letter is written.
    pub dead_letters: AtomicU64,
    /// Points that overwrote those of other records in the same batch.
    pub collisions: AtomicU64,
    /// Offsets that Kafka had deleted before they were read.
    pub skipped: AtomicU64,
    /// Errors that came in the place of records.
    pub fetch_errors: AtomicU64,
    /// Partitions assigned now, by all consumers together.
    pub assigned_partitions: AtomicU64,
    pub rebalances: AtomicU64,
    pub by_topic: ByTopic,
    pub unsettled_times: UnsettledTimes,
    /// The last of the records that are counted as rejected or refused.
    pub rejections: Rejections,
    /// Reloads of the configuration, by what came of them.
    pub reloads: Reloads,
    rejected: [AtomicU64; Reason::ALL.len()],
    closed: [AtomicU64; CloseReason::ALL.len()],
    dropped: [AtomicU64; Drop::ALL.len()],
}

#[derive(Debug, Default)]
pub struct Reloads {
    pub applied: AtomicU64,
    pub unchanged: AtomicU64,
    /// The file has errors, or says what wants a restart.
    pub refused: AtomicU64,
    /// Whether the last one was refused.
    pub last_refused: AtomicBool,
}

impl Counters {
    /// `keeps_text`: whether the beginnings of rejected records are kept for the status page.
    pub fn new(keeps_text: bool) -> Self {
        Self { rejections: Rejections::new(keeps_text), ..Self::default() }
    }

    pub fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// Counts records of a topic, or elements of one, that are rejected.
    pub fn reject(&self, topic: &str, reason: Reason, count: u64) {
        if let Some(counter) = self.rejected.get(reason as usize) {
            Self::add(counter, count);
        }
        self.by_topic.reject(topic, reason, count);
    }

    /// Counts refused lines of a topic's records; how many there are in all is the writer's to count.
    pub fn refuse(&self, topic: &str, lines: u64) {
        self.by_topic.refuse(topic, lines);
    }

    pub fn close_batch(&self, why: CloseReason) {
        if let Some(counter) = self.closed.get(why as usize) {
            Self::add(counter, 1);
        }
    }

    pub fn batches(&self) -> impl Iterator<Item = (CloseReason, u64)> + '_ {
        CloseReason::ALL.into_iter().zip(self.closed.iter().map(Self::get))
    }

    /// A consumer that assigned `before` partitions holds `now`.
    pub fn change_assigned_partitions(&self, before: u64, now: u64) {
        self.assigned_partitions.fetch_add(now, Ordering::Relaxed);
        self.assigned_partitions.fetch_sub(before, Ordering::Relaxed);
    }

    pub fn drop_values(&self, drops: &Drops) {
        for (drop, count) in drops.iter() {
            if let Some(counter) = self.dropped.get(drop as usize) {
                Self::add(counter, count);
            }
        }
    }

    pub fn rejected(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().zip(self.rejected.iter().map(Self::get))
    }

    pub fn dropped(&self) -> impl Iterator<Item = (Drop, u64)> + '_ {
        Drop::ALL.into_iter().zip(self.dropped.iter().map(Self::get))
    }
}
