//! Timestamps of the oldest unsettled records, as the data threads report them.

use crate::offset_tracker::PartitionTimes;
use base::TopicPartition;
use base::locks::lock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

type ByWriter = BTreeMap<u64, Vec<(Arc<TopicPartition>, PartitionTimes)>>;

/// The last report of each data thread.
#[derive(Clone, Debug, Default)]
pub struct UnsettledTimestamps(Arc<Mutex<(u64, ByWriter)>>);

/// Writes the reports of one data thread. Its report is removed when the writer is dropped.
#[derive(Debug)]
pub struct UnsettledTimestampsWriter {
    all: UnsettledTimestamps,
    number: u64,
}

impl UnsettledTimestamps {
    /// Registers a data thread.
    pub fn writer(&self) -> UnsettledTimestampsWriter {
        self.with(|(writers, _)| *writers += 1);
        UnsettledTimestampsWriter { all: self.clone(), number: self.with(|(writers, _)| *writers) }
    }

    /// The times of all assigned partitions. If two consumers report a partition that moves, the older time counts.
    pub fn all(&self) -> BTreeMap<Arc<TopicPartition>, PartitionTimes> {
        let older = |a: Option<i64>, b: Option<i64>| a.into_iter().chain(b).min();
        let mut all = BTreeMap::<Arc<TopicPartition>, PartitionTimes>::new();
        self.with(|(_, reports)| {
            for (at, times) in reports.values().flatten() {
                let merged = all.entry(Arc::clone(at)).or_default();
                merged.open_ns = older(merged.open_ns, times.open_ns);
                merged.settled_ns = merged.settled_ns.max(times.settled_ns);
                merged.undecided = merged.undecided.max(times.undecided);
            }
        });
        all
    }

    /// Number of undecided records, which stay uncommitted until their topic gives its first point.
    pub fn undecided(&self) -> u64 {
        self.all().values().map(|times| times.undecided).sum()
    }

    fn with<T>(&self, read: impl FnOnce(&mut (u64, ByWriter)) -> T) -> T {
        read(&mut lock(&self.0))
    }
}

impl UnsettledTimestampsWriter {
    /// Replaces the report of this data thread.
    pub fn write(&self, times: Vec<(Arc<TopicPartition>, PartitionTimes)>) {
        self.all.with(|(_, reports)| reports.insert(self.number, times));
    }
}

impl Drop for UnsettledTimestampsWriter {
    fn drop(&mut self) {
        self.all.with(|(_, reports)| reports.remove(&self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_older_time_if_two_threads_report_a_partition() {
        let all = UnsettledTimestamps::default();
        let (one, two) = (all.writer(), all.writer());
        let at = |partition| Arc::new(TopicPartition { topic: "t".to_owned(), partition });
        let times = |open_ns, settled_ns| PartitionTimes { open_ns, settled_ns, undecided: 0 };
        one.write(vec![(at(0), times(Some(5), Some(1))), (at(1), times(None, None))]);
        two.write(vec![(at(0), times(Some(7), Some(2)))]);
        let times_of = all.all();
        assert_eq!(times_of[&at(0)], times(Some(5), Some(2)));
        assert_eq!(times_of[&at(1)], times(None, None));
        drop(one);
        assert_eq!(all.all().into_iter().collect::<Vec<_>>(), [(at(0), times(Some(7), Some(2)))]);
    }
}
