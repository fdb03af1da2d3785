//! `run --until-end`: tracks which partitions are read to the end offset that they had at their assignment.
//!
//! A partition's last offsets may have no records (transaction markers, aborted or compacted records), so waiting for the last record
//! is not enough. librdkafka's statistics show how far it has fetched.

use base::NextOffset;
use base::TopicPartition;
use base::locks::lock;
use rdkafka::Statistics;
use rdkafka::statistics::Partition;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A revoked partition that does not return to this process within this time belongs to another process.
const MOVES_MAX: Duration = Duration::from_secs(15);
/// An empty assignment is final after this time. A member's first assignment is often empty, until the others have given partitions up.
const EMPTY_SHARE_MAX: Duration = Duration::from_secs(5);

/// The progress of all consumers of this process, which end together.
#[derive(Debug)]
pub struct UntilEnd {
    consumers: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Time of the last assignment or revocation, by consumer.
    assignments: BTreeMap<usize, (Instant, SystemTime)>,
    partitions: BTreeMap<TopicPartition, Progress>,
}

#[derive(Debug)]
struct Progress {
    /// None until the brokers return it.
    end: Option<NextOffset>,
    is_reached: bool,
    /// The consumer that the partition is assigned to.
    consumer: Result<usize, Revoked>,
}

/// Time of the revocation, while no consumer of this process has the partition.
#[derive(Debug)]
struct Revoked(Instant);

impl UntilEnd {
    pub fn new(consumers: usize) -> Self {
        Self { consumers, state: Mutex::default() }
    }

    /// Records an assignment, which adds to the consumer's partitions.
    pub fn assigned(&self, consumer: usize, partitions: &[TopicPartition]) {
        let mut state = lock(&self.state);
        state.assignments.insert(consumer, (Instant::now(), SystemTime::now()));
        for at in partitions {
            // The first end stays: a busy topic would never reach a newer one.
            let end = state.partitions.get(at).and_then(|known| known.end);
            let progress = Progress { end, is_reached: false, consumer: Ok(consumer) };
            state.partitions.insert(at.clone(), progress);
        }
    }

    pub fn revoked(&self, consumer: usize, partitions: &[TopicPartition]) {
        let mut state = lock(&self.state);
        if let Some(assignment) = state.assignments.get_mut(&consumer) {
            *assignment = (Instant::now(), SystemTime::now());
        }
        for at in partitions {
            if let Some(progress) = state.partitions.get_mut(at) {
                (progress.is_reached, progress.consumer) = (false, Err(Revoked(Instant::now())));
            }
        }
    }

    /// Records that a consumer reads these partitions again from an earlier offset, so that their ends are not reached.
    pub fn reopen<'a>(&self, consumer: usize, partitions: impl Iterator<Item = &'a TopicPartition>) {
        let mut state = lock(&self.state);
        // Earlier statistics show the old position, so they must not count.
        state.assignments.insert(consumer, (Instant::now(), SystemTime::now()));
        for at in partitions {
            if let Some(progress) = state.partitions.get_mut(at) {
                progress.is_reached = false;
            }
        }
    }

    /// The consumer's partitions with an unknown end.
    pub fn without_end(&self, consumer: usize) -> Vec<TopicPartition> {
        let state = lock(&self.state);
        let is_unknown = |(_, progress): &(_, &Progress)| {
            progress.end.is_none() && progress.consumer.as_ref().is_ok_and(|own| *own == consumer)
        };
        state.partitions.iter().filter(is_unknown).map(|(at, _)| at.clone()).collect()
    }

    pub fn set_ends(&self, ends: impl IntoIterator<Item = (TopicPartition, Option<NextOffset>)>) {
        let mut state = lock(&self.state);
        for (at, end) in ends {
            if let Some(progress) = state.partitions.get_mut(&at) {
                progress.end = progress.end.or(end);
            }
        }
    }

    /// Updates the progress of a consumer.
    pub fn update(&self, consumer: usize, statistics: &Statistics) {
        let mut state = lock(&self.state);
        let Some((_, since)) = state.assignments.get(&consumer) else { return };
        // During a rebalance, librdkafka discards fetched records and still shows the old position, so older statistics do not count.
        // Both times come from this machine's clock; a clock before 1970 counts as 1970.
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if u64::try_from(statistics.time).unwrap_or(0) <= since + 1 {
            return;
        }
        for (at, progress) in &mut state.partitions {
            let shown = statistics.topics.get(&at.topic).and_then(|t| t.partitions.get(&at.partition));
            if let (Some(end), Some(shown), Ok(own)) = (progress.end, shown, &progress.consumer) {
                progress.is_reached |= *own == consumer && reaches(shown, end.get());
            }
        }
    }

    /// Whether every partition of a consumer is read to its end.
    pub fn is_at_end(&self, consumer: usize) -> bool {
        let state = lock(&self.state);
        let is_open = |progress: &&Progress| {
            !progress.is_reached && progress.consumer.as_ref().is_ok_and(|own| *own == consumer)
        };
        state.partitions.values().find(is_open).is_none()
    }

    /// Whether every partition is read to its end.
    pub fn is_over(&self, now: Instant) -> bool {
        let state = lock(&self.state);
        let has_partitions = |consumer: &usize| {
            state.partitions.values().any(|p| p.consumer.as_ref().is_ok_and(|own| own == consumer))
        };
        let is_assigned = |(consumer, (since, _)): (&usize, &(Instant, SystemTime))| {
            has_partitions(consumer) || now.saturating_duration_since(*since) >= EMPTY_SHARE_MAX
        };
        let is_done = |progress: &Progress| match &progress.consumer {
            Ok(_) => progress.is_reached,
            Err(Revoked(since)) => now.saturating_duration_since(*since) >= MOVES_MAX,
        };
        state.assignments.len() == self.consumers
            && state.assignments.iter().all(is_assigned)
            && state.partitions.values().all(is_done)
    }
}

/// Whether all records before `end` were taken from librdkafka.
fn reaches(shown: &Partition, end: i64) -> bool {
    shown.app_offset >= end
        || (shown.next_offset >= end && shown.fetchq_cnt == 0 && shown.fetch_state == "active")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::statistics::Topic;

    fn at(partition: i32) -> TopicPartition {
        TopicPartition { topic: "t".to_owned(), partition }
    }

    /// librdkafka's statistics for partition 0, with a time so many seconds from now.
    fn shows(seconds: i64, app_offset: i64, next_offset: i64, fetchq_cnt: i64) -> Statistics {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let fetch_state = "active".to_owned();
        let partition =
            Partition { app_offset, next_offset, fetchq_cnt, fetch_state, ..Partition::default() };
        let topic = Topic { partitions: [(0, partition)].into(), ..Topic::default() };
        Statistics {
            time: now as i64 + seconds,
            topics: [("t".to_owned(), topic)].into(),
            ..Statistics::default()
        }
    }

    #[test]
    fn is_over_when_all_partitions_are_read_to_their_ends() {
        let f = |statistics: Statistics, want: bool| {
            let until = UntilEnd::new(1);
            assert!(!until.is_over(Instant::now()), "nobody has joined");
            until.assigned(0, &[at(0)]);
            assert_eq!(until.without_end(0), [at(0)]);
            until.update(0, &statistics);
            assert!(!until.is_over(Instant::now()), "its end is not known");
            until.set_ends([(at(0), Some(NextOffset::at(10)))]);
            assert_eq!(until.without_end(0), []);
            until.update(0, &statistics);
            assert_eq!(until.is_over(Instant::now()), want, "{statistics:?}");
        };
        f(shows(5, 10, 10, 0), true);
        f(shows(5, 11, 20, 9), true);
        f(shows(5, 9, 10, 1), false);
        // The last offset has no record.
        f(shows(5, 9, 10, 0), true);
        f(shows(5, -1001, 10, 0), true);
        f(shows(5, -1001, -1001, 0), false);
        // Statistics from before the assignment.
        f(shows(0, 10, 10, 0), false);
    }

    #[test]
    fn waits_for_moving_partitions_and_for_assignments() {
        let (until, now) = (UntilEnd::new(2), Instant::now());
        until.assigned(0, &[at(0)]);
        until.set_ends([(at(0), Some(NextOffset::at(10)))]);
        until.update(0, &shows(5, 10, 10, 0));
        assert!(!until.is_over(now), "the second has not joined");
        until.assigned(1, &[]);
        assert!(!until.is_over(now), "its assignment may still come");
        assert!(until.is_over(now + EMPTY_SHARE_MAX * 2));
        until.revoked(0, &[at(0)]);
        assert!(!until.is_over(now + EMPTY_SHARE_MAX * 2), "the partition may come back");
        assert!(until.is_over(now + MOVES_MAX * 2), "the partition belongs to another process");
        until.assigned(1, &[at(0)]);
        assert!(!until.is_over(now + MOVES_MAX * 2));
        until.update(0, &shows(5, 10, 10, 0));
        assert!(!until.is_over(now + MOVES_MAX * 2), "the partition is no longer assigned to the first");
        until.update(1, &shows(5, 10, 10, 0));
        assert!(until.is_over(now + MOVES_MAX * 2));
    }
}
