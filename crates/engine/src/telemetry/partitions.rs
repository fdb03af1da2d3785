//! State of each assigned partition: lag, age of the oldest unsettled record, retention.

use super::lag::{PartitionLag, now_ns};
use super::{Counters, Lags};
use crate::offset_tracker::PartitionTimes;
use base::TopicPartition;
use kafka::Retention;
use std::time::Duration;

/// State of an assigned partition.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionState {
    pub topic: String,
    pub partition: i32,
    pub lag: PartitionLag,
    /// Age of the oldest unsettled record; zero: all are settled. None: not known yet.
    pub behind: Option<Duration>,
    /// Retention time of the topic. None: not known, or records are not deleted by age.
    pub retention: Option<Duration>,
}

impl PartitionState {
    /// Time for which Kafka keeps the oldest unsettled record at least. None: all are settled, or the retention has no limit or is unknown.
    pub fn retention_left(&self) -> Option<Duration> {
        let behind = self.behind.filter(|behind| !behind.is_zero())?;
        Some(self.retention?.saturating_sub(behind))
    }
}

/// The state of all assigned partitions, sorted.
pub fn partitions(lags: &Lags, counters: &Counters) -> Vec<PartitionState> {
    let (times, retentions, now) = (counters.unsettled_timestamps.all(), lags.retentions(), now_ns());
    let state = |((topic, partition), lag): ((String, i32), PartitionLag)| {
        let at = TopicPartition { topic, partition };
        // A partition without a read record has no times yet.
        let behind = behind(&lag, times.get(&at).copied().unwrap_or_default(), now);
        let retention = retentions.get(&at.topic).and_then(|&Retention { time, .. }| time);
        let TopicPartition { topic, partition } = at;
        PartitionState { topic, partition, lag, behind, retention }
    };
    lags.all().into_iter().map(state).collect()
}

/// The age of the oldest unsettled record. Unread records are at least younger than the last settled one, and than the time at which
/// all records were read.
fn behind(lag: &PartitionLag, times: PartitionTimes, now_ns: i64) -> Option<Duration> {
    let since = match (times.open_ns, lag.unread) {
        (Some(open), _) => open,
        (None, Some(0)) => return Some(Duration::ZERO),
        (None, Some(_)) => times.settled_ns.max(lag.caught_up_ns)?,
        (None, None) => return None,
    };
    // A timestamp in the future counts as now. An unsettled record is never zero behind.
    let age = u64::try_from(now_ns.saturating_sub(since)).unwrap_or(0);
    Some(Duration::from_nanos(age.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn computes_the_age_of_the_oldest_unsettled_record() {
        let f = |unread: Option<i64>, times: [Option<i64>; 3], want: Option<u64>| {
            let [open_ns, settled_ns, caught_up_ns] = times.map(|time| time.map(|seconds| seconds * SECOND));
            let lag = PartitionLag { unread, caught_up_ns, ..PartitionLag::default() };
            let age = behind(&lag, PartitionTimes { open_ns, settled_ns, undecided: 0 }, 1_000 * SECOND);
            assert_eq!(age.map(|age| age.as_secs()), want, "{unread:?} {times:?}");
        };
        f(None, [None, None, None], None);
        f(Some(0), [None, Some(10), None], Some(0));
        // The age of a read record is exact, also without statistics or with old ones.
        f(None, [Some(400), Some(10), None], Some(600));
        f(Some(0), [Some(400), Some(10), Some(999)], Some(600));
        // A backlog is as old as the last settled record.
        f(Some(5), [None, Some(900), None], Some(100));
        // A quiet topic gets a record.
        f(Some(1), [None, Some(10), Some(995)], Some(5));
        f(Some(5), [None, None, None], None);
        f(Some(5), [Some(2_000), None, None], Some(0));
    }

    #[test]
    fn computes_the_retention_left_for_unsettled_records() {
        let f = |behind: Option<u64>, retention: Option<u64>, want: Option<u64>| {
            let [behind, retention] = [behind, retention].map(|time| time.map(Duration::from_secs));
            let (topic, lag) = ("t".to_owned(), PartitionLag::default());
            let state = PartitionState { topic, partition: 0, lag, behind, retention };
            assert_eq!(state.retention_left(), want.map(Duration::from_secs));
        };
        f(Some(50), Some(60), Some(10));
        f(Some(90), Some(60), Some(0));
        f(Some(0), Some(60), None);
        f(None, Some(60), None);
        f(Some(50), None, None);
    }
}
