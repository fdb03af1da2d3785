//! What the writer counts of itself, for `/metrics` and the summary.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Totals since the start, over all lanes and destinations.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests by what their answer meant.
    pub stored: AtomicU64,
    pub retried: AtomicU64,
    pub split: AtomicU64,
    pub refused: AtomicU64,
    pub held: AtomicU64,
    pub lines_stored: AtomicU64,
    pub lines_refused: AtomicU64,
    /// Of request bodies before compression, every attempt counted.
    pub bytes_plain: AtomicU64,
    /// Of request bodies as sent.
    pub bytes_sent: AtomicU64,
    /// Times that the next address of `urls` was taken.
    pub address_changes: AtomicU64,
    /// From sending a request to the end of its answer, of those that were answered.
    pub latency: Latency,
}

/// Upper ends of the buckets of `Latency`; what is slower falls into one more.
pub const LATENCY_BUCKETS: [Duration; 12] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
];

/// A histogram.
#[derive(Debug, Default)]
pub struct Latency {
    /// One for each of `LATENCY_BUCKETS`, not cumulative, and the last for what is slower.
    pub buckets: [AtomicU64; LATENCY_BUCKETS.len() + 1],
    pub count: AtomicU64,
    pub sum_micros: AtomicU64,
    pub max_micros: AtomicU64,
}

impl Latency {
    pub fn add(&self, latency: Duration) {
        let bucket = LATENCY_BUCKETS.partition_point(|end| *end < latency);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Relaxed);
        self.sum_micros.fetch_add(micros, Relaxed);
        self.max_micros.fetch_max(micros, Relaxed);
    }
}

/// Adds to a total.
pub(super) fn count(total: &AtomicU64, more: usize) {
    total.fetch_add(more as u64, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_latencies_into_buckets() {
        let f = |micros: u64, bucket: usize| {
            let latency = Latency::default();
            latency.add(Duration::from_micros(micros));
            let filled = latency.buckets.iter().position(|count| count.load(Relaxed) == 1);
            assert_eq!(filled, Some(bucket), "{micros}");
            assert_eq!(latency.sum_micros.load(Relaxed), micros);
        };
        f(0, 0);
        f(1_000, 0);
        f(1_001, 1);
        f(30_000_000, 11);
        f(30_000_001, 12);
    }

    #[test]
    fn keeps_count_and_maximum() {
        let latency = Latency::default();
        for micros in [5, 9, 3] {
            latency.add(Duration::from_micros(micros));
        }
        assert_eq!(latency.count.load(Relaxed), 3);
        assert_eq!(latency.sum_micros.load(Relaxed), 17);
        assert_eq!(latency.max_micros.load(Relaxed), 9);
    }
}
