//! Counters of the data path. Nothing is dropped without one of them.

use super::{CountersByTopic, NewestRejections, TurnCounts, UnsettledTimestamps};
use mapping::{DropReason, Drops, Reason};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Why an open batch was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// It reached its size, which `batch.lines_max` and `batch.bytes_max` bound.
    Full,
    /// Its first line reached `batch.age_max`.
    Age,
    /// All batches together reached `batch.memory_max`.
    Memory,
    /// A revocation, a reload or a stop waited for it.
    End,
}

impl CloseReason {
    pub const ALL: [Self; 4] = [Self::Full, Self::Age, Self::Memory, Self::End];

    /// Its label value in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Age => "age",
            Self::Memory => "memory",
            Self::End => "end",
        }
    }
}

/// Counters of all consumers together. The data threads add to them once per turn, not once per record.
#[derive(Debug, Default)]
pub struct Counters {
    pub records: AtomicU64,
    pub record_bytes: AtomicU64,
    /// Mapped lines. The writer counts stored lines.
    pub lines: AtomicU64,
    /// Records and elements of records without a point that are no failure: `where` or `query` leaves them out, they have no field, or
    /// they are tombstones.
    pub filtered: AtomicU64,
    /// Records whose dead letters were written.
    pub dead_letters: AtomicU64,
    /// Points that overwrote earlier points of the same batch.
    pub collisions: AtomicU64,
    /// Sampled points whose time agrees with Kafka's timestamp only in another unit.
    pub wrong_time_units: AtomicU64,
    /// Offsets that Kafka deleted before they were read.
    pub skipped: AtomicU64,
    /// Undecided records that a run until the end left uncommitted.
    pub left_undecided: AtomicU64,
    /// Errors that librdkafka delivered instead of records.
    pub fetch_errors: AtomicU64,
    /// Partitions assigned now to all consumers together.
    pub assigned_partitions: AtomicU64,
    pub rebalances: AtomicU64,
    pub by_topic: CountersByTopic,
    pub unsettled_timestamps: UnsettledTimestamps,
    /// The newest rejected and refused records.
    pub rejections: NewestRejections,
    /// Reloads of the configuration, by result.
    pub reloads: Reloads,
    rejected: [AtomicU64; Reason::ALL.len()],
    closed: [AtomicU64; CloseReason::ALL.len()],
    dropped: [AtomicU64; DropReason::ALL.len()],
}

/// Counts of reloads by result.
#[derive(Debug, Default)]
pub struct Reloads {
    pub applied: AtomicU64,
    pub unchanged: AtomicU64,
    /// The file has errors, or changes a key that needs a restart.
    pub refused: AtomicU64,
    /// Whether the last one was refused.
    pub last_refused: AtomicBool,
}

impl Counters {
    /// `keeps_text`: whether the status page may show the beginnings of rejected records.
    pub fn new(keeps_text: bool) -> Self {
        Self { rejections: NewestRejections::new(keeps_text), ..Self::default() }
    }

    pub fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// Adds the counts of all topics of a turn.
    pub fn add_turn(&self, turn: &TurnCounts) {
        if turn.records > 0 {
            Self::add(&self.records, turn.records);
            Self::add(&self.record_bytes, turn.bytes);
            Self::add(&self.lines, turn.lines);
            Self::add(&self.filtered, turn.filtered);
        }
    }

    /// Counts rejected records of a topic, or rejected elements of a record.
    pub fn reject(&self, topic: &str, reason: Reason, count: u64) {
        if let Some(counter) = self.rejected.get(reason as usize) {
            Self::add(counter, count);
        }
        self.by_topic.reject(topic, reason, count);
    }

    /// Counts refused lines of a topic. The writer counts their total.
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

    /// Changes the number of a consumer's assigned partitions from `before` to `now`.
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

    pub fn dropped(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.into_iter().zip(self.dropped.iter().map(Self::get))
    }
}
