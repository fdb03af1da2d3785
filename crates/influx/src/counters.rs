//! What the writer counts of itself, for `/metrics` and the summary.

use super::sizes::Sizes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Totals since the start, over all lanes and destinations.
#[derive(Debug)]
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
    /// Of batches as they were closed.
    pub batch_lines: Sizes,
    pub batch_bytes: Sizes,
    /// Batches of which not all lines are stored or refused.
    pub batches_in_flight: InFlight,
    /// Requests without an answer.
    pub requests_in_flight: InFlight,
}

impl Default for Counters {
    fn default() -> Self {
        let zero = AtomicU64::default;
        Self {
            stored: zero(),
            retried: zero(),
            split: zero(),
            refused: zero(),
            held: zero(),
            lines_stored: zero(),
            lines_refused: zero(),
            bytes_plain: zero(),
            bytes_sent: zero(),
            address_changes: zero(),
            latency: Latency::default(),
            batch_lines: Sizes::of_lines(),
            batch_bytes: Sizes::of_bytes(),
            batches_in_flight: InFlight::default(),
            requests_in_flight: InFlight::default(),
        }
    }
}

/// How many of something are under way.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<AtomicU64>);

/// One that is under way until this is dropped: by its end, or with a future that is given up.
#[derive(Debug)]
pub struct UnderWay(Arc<AtomicU64>);

impl InFlight {
    pub fn begin(&self) -> UnderWay {
        self.0.fetch_add(1, Relaxed);
        UnderWay(Arc::clone(&self.0))
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
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
    fn knows_how_many_are_under_way() {
        let in_flight = InFlight::default();
        let (one, two) = (in_flight.begin(), in_flight.begin());
        assert_eq!(in_flight.get(), 2);
        drop(one);
        assert_eq!(in_flight.get(), 1);
        drop(two);
        assert_eq!(in_flight.get(), 0);
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
