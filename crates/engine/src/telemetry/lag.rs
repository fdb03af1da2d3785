//! Lag of reading and settling, and the state of the clients, from librdkafka's statistics.

use super::UnsettledTimestamps;
use super::clients::ClientState;
use base::TopicPartition;
use base::locks::lock;
use kafka::Retentions;
use rdkafka::statistics::{Partition, Statistics};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

/// Lag and positions of a partition. None: librdkafka does not know the number yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionLag {
    /// Records that were not read yet.
    pub unread: Option<i64>,
    /// Records that are not committed yet.
    pub uncommitted: Option<i64>,
    /// Records that were read and are not settled yet.
    pub buffered: Option<i64>,
    /// Offset of the next record to read.
    pub read_offset: Option<i64>,
    /// Committed offset: reading would start here after a crash.
    pub committed_offset: Option<i64>,
    /// The last time at which all records were read, in nanoseconds since 1970.
    pub caught_up_ns: Option<i64>,
}

type Snapshot = BTreeMap<(String, i32), PartitionLag>;

/// The last report of one consumer.
#[derive(Debug, Default)]
struct ConsumerReport {
    partitions: Snapshot,
    retentions: Retentions,
    client: ClientState,
}

/// The newest report of each consumer, written by its control thread every few seconds.
#[derive(Debug, Default)]
pub struct Lags(Mutex<BTreeMap<usize, ConsumerReport>>);

impl Lags {
    /// The lag of all assigned partitions. A partition that moves between consumers may be in both reports for a moment.
    pub fn all(&self) -> Snapshot {
        let mut all = Snapshot::new();
        for report in lock(&self.0).values() {
            for (at, lag) in &report.partitions {
                let merged = all.entry(at.clone()).or_default();
                merged.unread = merged.unread.max(lag.unread);
                merged.uncommitted = merged.uncommitted.max(lag.uncommitted);
                merged.buffered = merged.buffered.max(lag.buffered);
                merged.read_offset = merged.read_offset.max(lag.read_offset);
                merged.committed_offset = merged.committed_offset.max(lag.committed_offset);
                merged.caught_up_ns = merged.caught_up_ns.max(lag.caught_up_ns);
            }
        }
        all
    }

    /// Number of records in Kafka that no consumer has read yet. None before the first statistics.
    pub fn unread(&self) -> Option<i64> {
        self.all().into_values().filter_map(|lag| lag.unread).reduce(|all, unread| all + unread)
    }

    /// Number of records that all consumers have read and not settled. Undecided records do not count, nor the records behind them: they
    /// wait for a record that becomes a point, and until then the partition has no batch. None before the first statistics.
    pub fn unsettled(&self, times: &UnsettledTimestamps) -> Option<i64> {
        let times = times.all();
        let is_undecided = |(topic, partition): (String, i32)| {
            times.get(&TopicPartition { topic, partition }).is_some_and(|times| times.undecided > 0)
        };
        let buffered = self.all().into_iter().filter_map(|(at, lag)| Some((at, lag.buffered?)));
        buffered.map(|(at, count)| if is_undecided(at) { 0 } else { count }).reduce(|all, count| all + count)
    }

    /// The known retentions of the assigned topics.
    pub fn retentions(&self) -> Retentions {
        lock(&self.0).values().flat_map(|report| report.retentions.clone()).collect()
    }

    /// The state of each consumer's client.
    pub fn clients(&self) -> Vec<(usize, ClientState)> {
        lock(&self.0).iter().map(|(consumer, report)| (*consumer, report.client.clone())).collect()
    }
}

/// Writes the reports of one consumer. Its report is removed when the reporter is dropped.
#[derive(Debug)]
pub struct LagReporter {
    lags: Arc<Lags>,
    consumer: usize,
    /// Whether a partition without a committed offset is read from its start.
    from_start: bool,
    /// Timestamp of the statistics that were reported last.
    reported: Option<i64>,
}

impl LagReporter {
    pub fn new(lags: Arc<Lags>, consumer: usize, from_start: bool) -> Self {
        Self { lags, consumer, from_start, reported: None }
    }

    /// The reports of all consumers.
    pub fn all(&self) -> &Lags {
        &self.lags
    }

    /// Reports statistics and the known retentions, unless these statistics were reported already.
    pub fn report(&mut self, statistics: Option<&Statistics>, retentions: &Retentions) {
        let Some(statistics) = statistics.filter(|statistics| self.reported != Some(statistics.ts)) else {
            return;
        };
        self.reported = Some(statistics.ts);
        let mut partitions = snapshot(statistics, self.from_start);
        let (client, retentions) = (ClientState::of(statistics), retentions.clone());
        let mut all = lock(&self.lags.0);
        let report = all.entry(self.consumer).or_default();
        let now = now_ns();
        for (at, lag) in &mut partitions {
            let before = || report.partitions.get(at).and_then(|before| before.caught_up_ns);
            lag.caught_up_ns = if lag.unread == Some(0) { Some(now) } else { before() };
        }
        *report = ConsumerReport { partitions, retentions, client };
    }
}

impl Drop for LagReporter {
    fn drop(&mut self) {
        lock(&self.lags.0).remove(&self.consumer);
    }
}

/// The time of this machine's clock, with which record timestamps are compared.
pub fn now_ns() -> i64 {
    // A clock before 1970 counts as 1970: ages of records are zero then, no time of a record is plausible, and settling depends on neither.
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
}

fn snapshot(statistics: &Statistics, from_start: bool) -> Snapshot {
    let partitions = statistics
        .topics
        .iter()
        .flat_map(|(topic, of_topic)| of_topic.partitions.values().map(move |p| (topic, p)));
    // Partition -1 is internal to librdkafka, and partitions that are not `desired` belong to other members.
    let assigned = partitions.filter(|(_, p)| p.partition >= 0 && p.desired);
    assigned.map(|(topic, p)| ((topic.clone(), p.partition), lag(p, from_start))).collect()
}

fn lag(partition: &Partition, from_start: bool) -> PartitionLag {
    let known = |offset: i64| (offset >= 0).then_some(offset);
    // Records after the last stable offset belong to open transactions and can't be read yet.
    let end = known(partition.ls_offset).or(known(partition.hi_offset));
    let (stored, committed) = (known(partition.stored_offset), known(partition.committed_offset));
    // Until the first record is read, the position is the end of the settled records.
    let next = known(partition.app_offset).or(stored.max(committed));
    let unread = end.zip(next).map(|(end, next)| (end - next).max(0));
    // Without a committed offset, all retained records are uncommitted, or those since the start: at least the unread ones.
    let retained = end.zip(known(partition.lo_offset)).map(|(end, first)| (end - first).max(0));
    let whole = if from_start { retained.or(unread) } else { unread };
    let uncommitted = known(partition.consumer_lag).or(whole);
    // Kafka may have deleted records after the settled ones, and a new group has settled nothing.
    let begin = known(partition.lo_offset).filter(|_| from_start || stored.max(committed).is_some());
    let settled = stored.max(committed).max(begin);
    PartitionLag {
        unread,
        uncommitted,
        buffered: next.zip(settled).map(|(next, settled)| (next - settled).max(0)),
        read_offset: next,
        committed_offset: committed,
        caught_up_ns: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offset_tracker::PartitionTimes;
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
            stored_offset: 70,
            committed_offset: 60,
            consumer_lag,
            ..Partition::default()
        }
    }

    fn statistics(ts: i64, partitions: Vec<Partition>) -> Statistics {
        let partitions = partitions.into_iter().map(|p| (p.partition, p)).collect();
        let topic = Topic { topic: "t".to_owned(), partitions, ..Topic::default() };
        Statistics { ts, topics: [("t".to_owned(), topic)].into(), ..Statistics::default() }
    }

    fn reports(lags: &Arc<Lags>, consumer: usize, ts: i64, partitions: Vec<Partition>) -> LagReporter {
        let mut reporter = LagReporter::new(Arc::clone(lags), consumer, true);
        reporter.report(Some(&statistics(ts, partitions)), &Retentions::new());
        reporter
    }

    #[test]
    fn sums_up_unread_records_of_all_consumers() {
        let lags = Arc::new(Lags::default());
        assert_eq!(lags.unread(), None);
        let _reporters =
            [0, 1].map(|consumer| reports(&lags, consumer as usize, 1, vec![partition(consumer, 90, 10)]));
        let each = lags.all().into_values().map(|lag| lag.unread.unwrap());
        assert_eq!(lags.unread(), Some(each.sum()));
        assert_eq!(lags.unread(), Some(20));
    }

    #[test]
    fn computes_unread_and_uncommitted_records() {
        let f = |partition: Partition, unread: Option<i64>, uncommitted: Option<i64>| {
            let lag = lag(&partition, false);
            assert_eq!((lag.unread, lag.uncommitted), (unread, uncommitted));
        };
        let fresh = |app_offset| Partition {
            stored_offset: -1001,
            committed_offset: -1001,
            ..partition(0, app_offset, -1)
        };
        f(partition(0, 90, 30), Some(10), Some(30));
        f(partition(0, 90, -1), Some(10), Some(10));
        f(fresh(-1001), None, None);
        f(fresh(90), Some(10), Some(10));
        // Nothing was read since the start: the position is the end of the settled records.
        f(partition(0, -1001, 40), Some(30), Some(40));
        f(partition(0, 101, 0), Some(0), Some(0));
        f(Partition { ls_offset: -1001, ..partition(0, 90, -1) }, Some(30), Some(30));
        let of_all = |partition: Partition| lag(&partition, true).uncommitted;
        assert_eq!(of_all(partition(0, 90, -1)), Some(60));
        assert_eq!(of_all(partition(0, 90, 30)), Some(30));
        assert_eq!(of_all(Partition { lo_offset: -1001, ..partition(0, 90, -1) }), Some(10));
    }

    #[test]
    fn undecided_records_are_not_waited_for() {
        let lags = Arc::new(Lags::default());
        let _reporter = reports(&lags, 0, 1, vec![partition(0, 90, 10), partition(1, 75, 10)]);
        let times = UnsettledTimestamps::default();
        assert_eq!(lags.unsettled(&times), Some(20 + 5));
        let at = Arc::new(TopicPartition { topic: "t".to_owned(), partition: 0 });
        let writer = times.writer();
        writer.write(vec![(at, PartitionTimes { undecided: 3, ..PartitionTimes::default() })]);
        assert_eq!((lags.unsettled(&times), times.undecided()), (Some(5), 3));
    }

    #[test]
    fn computes_read_and_unsettled_records() {
        let f = |partition: Partition, from_start: bool, want: (Option<i64>, Option<i64>, Option<i64>)| {
            let PartitionLag { buffered, read_offset, committed_offset, .. } = lag(&partition, from_start);
            assert_eq!((buffered, read_offset, committed_offset), want);
        };
        let fresh = Partition { stored_offset: -1001, committed_offset: -1001, ..partition(0, 90, -1) };
        f(partition(0, 90, 40), false, (Some(20), Some(90), Some(60)));
        f(Partition { stored_offset: -1001, ..partition(0, 90, 40) }, false, (Some(30), Some(90), Some(60)));
        // A new group read from the beginning.
        f(fresh.clone(), true, (Some(50), Some(90), None));
        f(fresh.clone(), false, (None, Some(90), None));
        f(Partition { app_offset: -1001, ..fresh }, true, (None, None, None));
        // Kafka deleted unread records: they do not count as buffered.
        f(Partition { lo_offset: 85, ..partition(0, 90, 40) }, false, (Some(5), Some(90), Some(60)));
        f(partition(0, 65, 40), false, (Some(0), Some(65), Some(60)));
    }

    #[test]
    fn keeps_the_time_at_which_all_was_read() {
        let lags = Arc::<Lags>::default();
        let caught_up = || lags.all().into_values().next().and_then(|lag| lag.caught_up_ns);
        let mut reporter = reports(&lags, 0, 1, vec![partition(0, 90, 10)]);
        assert_eq!(caught_up(), None);
        let mut at = |ts, app_offset| {
            let statistics = statistics(ts, vec![partition(0, app_offset, 10)]);
            reporter.report(Some(&statistics), &Retentions::new());
            caught_up().unwrap()
        };
        let first = at(2, 100);
        assert!((0..60_000_000_000).contains(&(now_ns() - first)));
        assert_eq!(at(3, 99), first);
        assert!(at(4, 100) > first);
    }

    #[test]
    fn keeps_the_newest_report_of_each_consumer() {
        let lags = Arc::<Lags>::default();
        let mut first = LagReporter::new(lags.clone(), 0, true);
        first.report(None, &Retentions::new());
        assert!(lags.all().is_empty());
        let partitions = vec![partition(0, 90, 30), partition(-1, 0, 0), partition(9, 0, 5)];
        first.report(Some(&statistics(1, partitions)), &Retentions::new());
        let second = reports(&lags, 1, 1, vec![partition(0, 80, 10), partition(1, 100, 7)]);
        let at = |number| ("t".to_owned(), number);
        let lag_of = |all: &Snapshot, number| all.get(&at(number)).map(|lag| (lag.unread, lag.uncommitted));
        let all = lags.all();
        assert_eq!(all.keys().cloned().collect::<Vec<_>>(), [at(0), at(1)]);
        assert_eq!(lag_of(&all, 0), Some((Some(20), Some(30))));
        // A revoked partition is gone with the next statistics.
        first.report(Some(&statistics(2, vec![])), &Retentions::new());
        assert_eq!(lag_of(&lags.all(), 0), Some((Some(20), Some(10))));
        // The report of a consumer is removed with its reporter.
        drop(second);
        assert!(lags.all().is_empty());
    }
}
