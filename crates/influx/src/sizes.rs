//! A histogram of sizes, in whole numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One more than there are upper ends: the last is for what is larger.
const BUCKETS: usize = 10;

/// Sizes by upper ends of buckets.
#[derive(Debug)]
pub struct Sizes {
    ends: [u64; BUCKETS - 1],
    /// Not cumulative.
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Sizes {
    /// Up to the largest `batch.lines_max` that makes sense.
    pub fn of_lines() -> Self {
        Self::new([1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000, 50_000])
    }

    /// Up to the default of `batch.memory_max`.
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

    /// How many are in each bucket, by its upper end; none: without end.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        let ends = self.ends.iter().copied().map(Some).chain([None]);
        ends.zip(self.buckets.iter().map(|count| count.load(Relaxed)))
    }

    pub fn sum(&self) -> u64 {
        self.sum.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_sizes_into_buckets() {
        let sizes = Sizes::of_lines();
        for size in [1, 2, 10, 11, 50_000, 50_001, 9_000_000] {
            sizes.add(size);
        }
        let filled: Vec<_> = sizes.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(Some(1), 1), (Some(10), 2), (Some(100), 1), (Some(50_000), 1), (None, 2)]);
        assert_eq!(sizes.sum(), 9_100_025);
    }
}
