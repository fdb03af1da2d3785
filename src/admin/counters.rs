//! What the bridge counts: nothing is dropped without one of these.

use crate::map::{Drop, Drops, Reason};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    /// Partitions held now, by all consumers together.
    pub assigned_partitions: AtomicU64,
    pub rebalances: AtomicU64,
    /// Reloads of the configuration, by what came of them.
    pub reloads: Reloads,
    rejected: [AtomicU64; Reason::ALL.len()],
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
    pub fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// Counts records, or elements of one, that are rejected.
    pub fn reject(&self, reason: Reason, count: u64) {
        if let Some(counter) = self.rejected.get(reason as usize) {
            Self::add(counter, count);
        }
    }

    /// A consumer that held `before` partitions holds `now`.
    pub fn hold_partitions(&self, before: u64, now: u64) {
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
