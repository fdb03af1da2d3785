//! How far reading and settling are behind, from librdkafka's statistics.

use rdkafka::statistics::{Partition, Statistics};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Records of a partition that are still to be done; none where librdkafka does not know yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionLag {
    /// Not read yet.
    pub unread: Option<i64>,
    /// Not settled and committed yet.
    pub uncommitted: Option<i64>,
}

type Snapshot = BTreeMap<(String, i32), PartitionLag>;

/// The newest snapshot of each consumer, written by its control thread every few seconds.
#[derive(Debug, Default)]
pub struct Lags(Mutex<BTreeMap<usize, Snapshot>>);

impl Lags {
    /// Of all partitions held. One that moves between two consumers may be in both their snapshots for a moment.
    pub fn all(&self) -> Snapshot {
        let mut all = Snapshot::new();
        for snapshot in self.0.lock().unwrap_or_else(PoisonError::into_inner).values() {
            for (at, lag) in snapshot {
                let merged = all.entry(at.clone()).or_default();
                merged.unread = merged.unread.max(lag.unread);
                merged.uncommitted = merged.uncommitted.max(lag.uncommitted);
            }
        }
        all
    }

    /// Records in Kafka that no consumer has read yet; none while nothing is known.
    pub fn unread(&self) -> Option<i64> {
        self.all().into_values().filter_map(|lag| lag.unread).reduce(|all, unread| all + unread)
    }

    fn set(&self, consumer: usize, snapshot: Snapshot) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(consumer, snapshot);
    }
}

/// One consumer's pen.
#[derive(Debug)]
pub struct LagReporter {
    lags: Arc<Lags>,
    consumer: usize,
    /// Whether a partition without a committed offset is read from its start.
    from_start: bool,
    /// The statistics that were reported last.
    reported: Option<i64>,
}

impl LagReporter {
    pub fn new(lags: Arc<Lags>, consumer: usize, from_start: bool) -> Self {
        Self { lags, consumer, from_start, reported: None }
    }

    /// Reports statistics unless they are known already.
    pub fn report(&mut self, statistics: Option<&Statistics>) {
        let Some(statistics) = statistics.filter(|statistics| self.reported != Some(statistics.ts)) else {
            return;
        };
        self.reported = Some(statistics.ts);
        self.lags.set(self.consumer, snapshot(statistics, self.from_start));
    }
}

fn snapshot(statistics: &Statistics, from_start: bool) -> Snapshot {
    let partitions = statistics
        .topics
        .iter()
        .flat_map(|(topic, of_topic)| of_topic.partitions.values().map(move |p| (topic, p)));
    // Number -1 is librdkafka's own, and those that are not wanted belong to somebody else.
    let held = partitions.filter(|(_, p)| p.partition >= 0 && p.desired);
    held.map(|(topic, p)| ((topic.clone(), p.partition), lag(p, from_start))).collect()
}

fn lag(partition: &Partition, from_start: bool) -> PartitionLag {
    let known = |offset: i64| (offset >= 0).then_some(offset);
    // Records behind the last stable offset are of open transactions: nobody may read them yet.
    let end = known(partition.ls_offset).or(known(partition.hi_offset));
    let unread = end.zip(known(partition.app_offset)).map(|(end, next)| (end - next).max(0));
    // While nothing is committed, all that is there is to be settled, or what came since the start: at least the unread.
    let retained = end.zip(known(partition.lo_offset)).map(|(end, first)| (end - first).max(0));
    let whole = if from_start { retained.or(unread) } else { unread };
    PartitionLag { unread, uncommitted: known(partition.consumer_lag).or(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::statistics::Topic;

    fn partition(number: i32, app_offset: i64, consumer_lag: i64) -> Partition {
        let desired = number != 9;
        Partition {
            partition: number,
            desired,
            lo_offset: 40,
            ls_offset: 100,
            hi_offset: 120,
            app_offset,
            consumer_lag,
            ..Partition::default()
        }
    }

    fn statistics(ts: i64, partitions: Vec<Partition>) -> Statistics {
        let partitions = partitions.into_iter().map(|p| (p.partition, p)).collect();
        let topic = Topic { topic: "t".to_owned(), partitions, ..Topic::default() };
        Statistics { ts, topics: [("t".to_owned(), topic)].into(), ..Statistics::default() }
    }

    #[test]
    fn sums_up_what_no_consumer_has_read() {
        let lags = Arc::new(Lags::default());
        assert_eq!(lags.unread(), None);
        for consumer in 0..2 {
            let statistics = statistics(1, vec![partition(consumer, 90, 10)]);
            LagReporter::new(Arc::clone(&lags), consumer as usize, false).report(Some(&statistics));
        }
        let of_each = lags.all().into_values().map(|lag| lag.unread.unwrap());
        assert_eq!(lags.unread(), Some(of_each.sum()));
        assert_eq!(lags.unread(), Some(20));
    }

    #[test]
    fn tells_what_is_unread_and_what_is_uncommitted() {
        let f = |partition: Partition, unread: Option<i64>, uncommitted: Option<i64>| {
            assert_eq!(lag(&partition, false), PartitionLag { unread, uncommitted });
        };
        f(partition(0, 90, 30), Some(10), Some(30));
        f(partition(0, 90, -1), Some(10), Some(10));
        f(partition(0, -1001, -1), None, None);
        f(partition(0, 101, 0), Some(0), Some(0));
        f(Partition { ls_offset: -1001, ..partition(0, 90, -1) }, Some(30), Some(30));
        let of_all = |partition: Partition| lag(&partition, true).uncommitted;
        assert_eq!(of_all(partition(0, 90, -1)), Some(60));
        assert_eq!(of_all(partition(0, 90, 30)), Some(30));
        assert_eq!(of_all(Partition { lo_offset: -1001, ..partition(0, 90, -1) }), Some(10));
    }

    #[test]
    fn keeps_the_newest_snapshot_of_each_consumer() {
        let lags = Arc::<Lags>::default();
        let (mut first, mut second) =
            (LagReporter::new(lags.clone(), 0, true), LagReporter::new(lags.clone(), 1, true));
        first.report(None);
        assert!(lags.all().is_empty());
        first.report(Some(&statistics(
            1,
            vec![partition(0, 90, 30), partition(-1, 0, 0), partition(9, 0, 5)],
        )));
        second.report(Some(&statistics(1, vec![partition(0, 80, 10), partition(1, 100, 7)])));
        let at = |number| ("t".to_owned(), number);
        let all = lags.all();
        assert_eq!(all.keys().cloned().collect::<Vec<_>>(), [at(0), at(1)]);
        assert_eq!(all[&at(0)], PartitionLag { unread: Some(20), uncommitted: Some(30) });
        // A partition that was revoked leaves with the next statistics.
        first.report(Some(&statistics(2, vec![])));
        assert_eq!(lags.all()[&at(0)], PartitionLag { unread: Some(20), uncommitted: Some(10) });
    }
}
