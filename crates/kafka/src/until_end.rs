//! `run --until-end`: what is left to read up to the ends that partitions had when they were assigned.
//!
//! A partition's last offsets may be no records (the marks of transactions, aborted records, what compaction took), so
//! it is not enough to wait for the last record: librdkafka's statistics tell how far fetching has come.

use base::NextOffset;
use base::TopicPartition;
use rdkafka::Statistics;
use rdkafka::statistics::Partition;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A partition that left and did not come back to this process within this time is somebody else's.
const MOVES_MAX: Duration = Duration::from_secs(15);
/// A member's first share is often empty, until others have given theirs up.
const EMPTY_SHARE_MAX: Duration = Duration::from_secs(5);

/// Of all consumers of this process, which end together.
#[derive(Debug)]
pub struct UntilEnd {
    consumers: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When each was last assigned something, or nothing.
    shares: BTreeMap<usize, (Instant, SystemTime)>,
    partitions: BTreeMap<TopicPartition, Progress>,
}

#[derive(Debug)]
struct Progress {
    /// None while the brokers have not said.
    end: Option<NextOffset>,
    is_reached: bool,
    holder: Result<usize, Left>,
}

/// When nobody here held it any more.
#[derive(Debug)]
struct Left(Instant);

impl UntilEnd {
    pub fn new(consumers: usize) -> Self {
        Self { consumers, state: Mutex::default() }
    }

    /// A consumer got these, and what it held before.
    pub fn assigned(&self, consumer: usize, partitions: &[TopicPartition]) {
        let mut state = self.lock();
        state.shares.insert(consumer, (Instant::now(), SystemTime::now()));
        for at in partitions {
            // The end stays what it was, or a busy topic had none.
            let end = state.partitions.get(at).and_then(|known| known.end);
            let progress = Progress { end, is_reached: false, holder: Ok(consumer) };
            state.partitions.insert(at.clone(), progress);
        }
    }

    pub fn revoked(&self, consumer: usize, partitions: &[TopicPartition]) {
        let mut state = self.lock();
        if let Some(share) = state.shares.get_mut(&consumer) {
            *share = (Instant::now(), SystemTime::now());
        }
        for at in partitions {
            if let Some(progress) = state.partitions.get_mut(at) {
                (progress.is_reached, progress.holder) = (false, Err(Left(Instant::now())));
            }
        }
    }

    /// A consumer reads these again from before where it was: their ends are not reached yet.
    pub fn goes_back<'a>(&self, consumer: usize, partitions: impl Iterator<Item = &'a TopicPartition>) {
        let mut state = self.lock();
        // Statistics made before show how far it was.
        state.shares.insert(consumer, (Instant::now(), SystemTime::now()));
        for at in partitions {
            if let Some(progress) = state.partitions.get_mut(at) {
                progress.is_reached = false;
            }
        }
    }

    /// Those of a consumer whose ends the brokers have still to say.
    pub fn without_end(&self, consumer: usize) -> Vec<TopicPartition> {
        let state = self.lock();
        let open = |(_, progress): &(_, &Progress)| {
            progress.end.is_none() && progress.holder.as_ref().is_ok_and(|holder| *holder == consumer)
        };
        state.partitions.iter().filter(open).map(|(at, _)| at.clone()).collect()
    }

    pub fn set_ends(&self, ends: impl IntoIterator<Item = (TopicPartition, Option<NextOffset>)>) {
        let mut state = self.lock();
        for (at, end) in ends {
            if let Some(progress) = state.partitions.get_mut(&at) {
                progress.end = progress.end.or(end);
            }
        }
    }

    /// Looks how far a consumer has come.
    pub fn look(&self, consumer: usize, statistics: &Statistics) {
        let mut state = self.lock();
        let Some((_, since)) = state.shares.get(&consumer) else { return };
        // While the group is rebalanced librdkafka throws away what it had fetched, and shows how far it was before.
        // Both times come from this machine's clock; before 1970 both count as 1970.
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if u64::try_from(statistics.time).unwrap_or(0) <= since + 1 {
            return;
        }
        for (at, progress) in &mut state.partitions {
            let shown = statistics.topics.get(&at.topic).and_then(|t| t.partitions.get(&at.partition));
            if let (Some(end), Some(shown), Ok(holder)) = (progress.end, shown, &progress.holder) {
                progress.is_reached |= *holder == consumer && reaches(shown, end.get());
            }
        }
    }

    /// Whether nothing is left to read.
    pub fn is_over(&self, now: Instant) -> bool {
        let state = self.lock();
        let holds = |consumer: &usize| {
            state.partitions.values().any(|p| p.holder.as_ref().is_ok_and(|holder| holder == consumer))
        };
        let has_share = |(consumer, (since, _)): (&usize, &(Instant, SystemTime))| {
            holds(consumer) || now.saturating_duration_since(*since) >= EMPTY_SHARE_MAX
        };
        let is_done = |progress: &Progress| match &progress.holder {
            Ok(_) => progress.is_reached,
            Err(Left(since)) => now.saturating_duration_since(*since) >= MOVES_MAX,
        };
        state.shares.len() == self.consumers
            && state.shares.iter().all(has_share)
            && state.partitions.values().all(is_done)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether everything before `end` was fetched from librdkafka, or is no record.
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

    /// As librdkafka shows partition 0, so many seconds from now.
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
    fn is_over_when_all_that_was_there_is_read() {
        let f = |statistics: Statistics, want: bool| {
            let until = UntilEnd::new(1);
            assert!(!until.is_over(Instant::now()), "nobody has joined");
            until.assigned(0, &[at(0)]);
            assert_eq!(until.without_end(0), [at(0)]);
            until.look(0, &statistics);
            assert!(!until.is_over(Instant::now()), "its end is not known");
            until.set_ends([(at(0), Some(NextOffset::at(10)))]);
            assert_eq!(until.without_end(0), []);
            until.look(0, &statistics);
            assert_eq!(until.is_over(Instant::now()), want, "{statistics:?}");
        };
        f(shows(5, 10, 10, 0), true);
        f(shows(5, 11, 20, 9), true);
        f(shows(5, 9, 10, 1), false);
        // The last is no record.
        f(shows(5, 9, 10, 0), true);
        f(shows(5, -1001, 10, 0), true);
        f(shows(5, -1001, -1001, 0), false);
        // From before it was assigned.
        f(shows(0, 10, 10, 0), false);
    }

    #[test]
    fn waits_for_partitions_that_move_and_for_shares() {
        let (until, now) = (UntilEnd::new(2), Instant::now());
        until.assigned(0, &[at(0)]);
        until.set_ends([(at(0), Some(NextOffset::at(10)))]);
        until.look(0, &shows(5, 10, 10, 0));
        assert!(!until.is_over(now), "the second has not joined");
        until.assigned(1, &[]);
        assert!(!until.is_over(now), "its share may still come");
        assert!(until.is_over(now + EMPTY_SHARE_MAX * 2));
        until.revoked(0, &[at(0)]);
        assert!(!until.is_over(now + EMPTY_SHARE_MAX * 2), "it is on its way to somebody");
        assert!(until.is_over(now + MOVES_MAX * 2), "it is somebody else's");
        until.assigned(1, &[at(0)]);
        assert!(!until.is_over(now + MOVES_MAX * 2));
        until.look(0, &shows(5, 10, 10, 0));
        assert!(!until.is_over(now + MOVES_MAX * 2), "the first does not hold it any more");
        until.look(1, &shows(5, 10, 10, 0));
        assert!(until.is_over(now + MOVES_MAX * 2));
    }
}
