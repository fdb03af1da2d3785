//! Counters and histograms of the writer, for `/metrics` and the summary.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Totals since the start, over all lanes and destinations.
#[derive(Debug)]
pub struct WriteCounters {
    /// Requests by outcome.
    pub stored: AtomicU64,
    pub retried: AtomicU64,
    pub split: AtomicU64,
    pub refused: AtomicU64,
    pub blocked: AtomicU64,
    pub lines_stored: AtomicU64,
    pub lines_refused: AtomicU64,
    /// Bytes of request bodies before compression, over all attempts.
    pub bytes_plain: AtomicU64,
    /// Bytes of request bodies as sent.
    pub bytes_sent: AtomicU64,
    /// Changes between the addresses of `urls`.
    pub address_changes: AtomicU64,
    /// Time from sending a request to the end of its answer. Requests without an answer are not counted.
    pub latency: LatencyHistogram,
    /// Sizes of closed batches.
    pub batch_lines: SizeHistogram,
    pub batch_bytes: SizeHistogram,
    /// Batches with lines that are neither stored nor refused.
    pub batches_in_flight: InFlight,
    /// Requests without an answer.
    pub requests_in_flight: InFlight,
    /// Batches that wait because of `batch.points_per_second_max`.
    pub rate_waits: InFlight,
}

impl Default for WriteCounters {
    fn default() -> Self {
        let zero = AtomicU64::default;
        Self {
            stored: zero(),
            retried: zero(),
            split: zero(),
            refused: zero(),
            blocked: zero(),
            lines_stored: zero(),
            lines_refused: zero(),
            bytes_plain: zero(),
            bytes_sent: zero(),
            address_changes: zero(),
            latency: LatencyHistogram::default(),
            batch_lines: SizeHistogram::of_lines(),
            batch_bytes: SizeHistogram::of_bytes(),
            batches_in_flight: InFlight::default(),
            requests_in_flight: InFlight::default(),
            rate_waits: InFlight::default(),
        }
    }
}

/// A gauge of operations in flight.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<AtomicU64>);

/// One operation in flight, until this guard is dropped: at its end, or with an abandoned future.
#[derive(Debug)]
pub struct InFlightGuard(Arc<AtomicU64>);

impl InFlight {
    pub fn begin(&self) -> InFlightGuard {
        self.0.fetch_add(1, Relaxed);
        InFlightGuard(Arc::clone(&self.0))
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Upper bounds of the buckets of `LatencyHistogram`. One more bucket takes slower requests.
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

/// A histogram of latencies.
#[derive(Debug, Default)]
pub struct LatencyHistogram {
    /// One count for each of `LATENCY_BUCKETS`, not cumulative, and one for slower requests.
    pub buckets: [AtomicU64; LATENCY_BUCKETS.len() + 1],
    pub count: AtomicU64,
    pub sum_micros: AtomicU64,
    pub max_micros: AtomicU64,
}

impl LatencyHistogram {
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

/// Number of buckets: one for each upper bound, and one for larger sizes.
const BUCKETS: usize = 10;

/// A histogram of sizes.
#[derive(Debug)]
pub struct SizeHistogram {
    ends: [u64; BUCKETS - 1],
    /// Counts, not cumulative.
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl SizeHistogram {
    /// Buckets for lines of a batch, up to the largest reasonable `batch.lines_max`.
    pub fn of_lines() -> Self {
        Self::new([1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000, 50_000])
    }

    /// Buckets for bytes of a batch, up to sizes that servers refuse.
    pub fn of_bytes() -> Self {
        Self::new([1_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 2_000_000, 4_000_000, 16_000_000])
    }

    fn new(ends: [u64; BUCKETS - 1]) -> Self {
        Self { ends, buckets: Default::default(), sum: AtomicU64::new(0) }
    }

    pub fn add(&self, size: usize) {
        let size = size as u64;
        if let Some(bucket) = self.buckets.get(self.ends.partition_point(|end| *end < size)) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(size, Relaxed);
    }

    /// The upper bound and the count of each bucket; the last bucket has no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        let ends = self.ends.iter().copied().map(Some).chain([None]);
        ends.zip(self.buckets.iter().map(|count| count.load(Relaxed)))
    }

    pub fn sum(&self) -> u64 {
        self.sum.load(Relaxed)
    }
}

/// Adds to a counter.
pub(crate) fn count(total: &AtomicU64, more: usize) {
    total.fetch_add(more as u64, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_latencies_into_buckets() {
        let f = |micros: u64, bucket: usize| {
            let latency = LatencyHistogram::default();
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
    fn counts_operations_in_flight() {
        let in_flight = InFlight::default();
        let (one, two) = (in_flight.begin(), in_flight.begin());
        assert_eq!(in_flight.get(), 2);
        drop(one);
        assert_eq!(in_flight.get(), 1);
        drop(two);
        assert_eq!(in_flight.get(), 0);
    }

    #[test]
    fn counts_latencies_and_keeps_their_maximum() {
        let latency = LatencyHistogram::default();
        for micros in [5, 9, 3] {
            latency.add(Duration::from_micros(micros));
        }
        assert_eq!(latency.count.load(Relaxed), 3);
        assert_eq!(latency.sum_micros.load(Relaxed), 17);
        assert_eq!(latency.max_micros.load(Relaxed), 9);
    }

    #[test]
    fn puts_sizes_into_buckets() {
        let sizes = SizeHistogram::of_lines();
        for size in [1, 2, 10, 11, 50_000, 50_001, 9_000_000] {
            sizes.add(size);
        }
        let filled: Vec<_> = sizes.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(Some(1), 1), (Some(10), 2), (Some(100), 1), (Some(50_000), 1), (None, 2)]);
        assert_eq!(sizes.sum(), 9_100_025);
    }
}
