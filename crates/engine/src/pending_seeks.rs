//! Partitions that have to be sought back, and stay paused until librdkafka has taken their seek up.
//!
//! A partition that is resumed without its seek continues behind its unsettled records: the next commit would skip them. This list is
//! therefore the only place that decides which partitions may be resumed.

use base::{NextOffset, TopicPartition};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Interval between attempts.
pub const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Where a partition is sought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekTarget {
    /// The beginning of the partition, because its topic was recreated or lost its last records. The offset is the first one as far as
    /// is known; it is committed.
    Beginning(NextOffset),
    /// The first unsettled record.
    Unsettled(NextOffset),
}

/// The partitions that wait for a seek.
#[derive(Debug, Default)]
pub struct PendingSeeks {
    targets: BTreeMap<TopicPartition, SeekTarget>,
    /// Time of the next attempt.
    next: Option<Instant>,
}

impl SeekTarget {
    /// The target of a partition that waits for a seek already. What was unsettled of a recreated topic is gone with its old records.
    fn after(self, known: Self) -> Self {
        match (known, self) {
            (Self::Beginning(_), Self::Unsettled(_)) => known,
            (Self::Unsettled(known), Self::Unsettled(new)) => Self::Unsettled(known.min(new)),
            (_, Self::Beginning(_)) => self,
        }
    }
}

impl PendingSeeks {
    /// Adds partitions, which are sought at once.
    pub fn add(&mut self, seeks: impl IntoIterator<Item = (TopicPartition, SeekTarget)>, now: Instant) {
        for (at, target) in seeks {
            self.targets.entry(at).and_modify(|known| *known = target.after(*known)).or_insert(target);
            self.next = Some(now);
        }
    }

    /// Removes revoked partitions.
    pub fn forget(&mut self, revoked: &[TopicPartition]) {
        self.targets.retain(|at, _| !revoked.contains(at));
    }

    /// The partitions to seek now; empty until the next attempt is due.
    pub fn due(&self, now: Instant) -> Vec<(TopicPartition, SeekTarget)> {
        let is_due = self.next.is_some_and(|next| next <= now);
        let targets = self.targets.iter().filter(|_| is_due);
        targets.map(|(at, target)| (at.clone(), *target)).collect()
    }

    /// Ends an attempt: the sought partitions may be resumed, the others wait for the next attempt. Returns those that wait.
    pub fn attempted(
        &mut self,
        is_sought: impl Fn(&TopicPartition) -> bool,
        now: Instant,
    ) -> Vec<TopicPartition> {
        self.targets.retain(|at, _| !is_sought(at));
        self.next = (!self.is_empty()).then_some(now + RETRY_EVERY);
        self.targets.keys().cloned().collect()
    }

    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Whether one of these partitions waits for a seek.
    pub fn contains_any<'a>(&self, mut partitions: impl Iterator<Item = &'a TopicPartition>) -> bool {
        partitions.any(|at| self.targets.contains_key(at))
    }

    /// Removes the partitions that wait for a seek from these. The others may be resumed.
    pub fn excluded_from(&self, mut partitions: Vec<TopicPartition>) -> Vec<TopicPartition> {
        partitions.retain(|at| !self.targets.contains_key(at));
        partitions
    }
}

#[cfg(test)]
mod tests {
    use super::SeekTarget::{Beginning, Unsettled};
    use super::*;

    fn at(partition: i32) -> TopicPartition {
        TopicPartition { topic: "t".to_owned(), partition }
    }

    #[test]
    fn partitions_that_could_not_be_sought_are_not_resumed_and_tried_again_until_they_are_revoked() {
        let (mut seeks, now) = (PendingSeeks::default(), Instant::now());
        assert_eq!(seeks.due(now), []);
        let target = Unsettled(NextOffset::at(3));
        seeks.add((0..4).map(|partition| (at(partition), target)), now);
        assert_eq!(seeks.due(now).len(), 4);
        assert_eq!(seeks.attempted(|sought| sought.partition > 1, now), [at(0), at(1)]);
        assert_eq!(seeks.excluded_from((0..4).map(at).collect()), [at(2), at(3)]);
        assert_eq!(seeks.due(now), []);
        seeks.forget(&[at(1)]);
        assert_eq!(seeks.due(now + RETRY_EVERY), [(at(0), target)]);
        assert_eq!(seeks.attempted(|_| true, now + RETRY_EVERY), []);
        assert!(seeks.is_empty());
        assert_eq!(seeks.excluded_from(vec![at(0)]), [at(0)]);
    }

    #[test]
    fn a_second_seek_of_a_waiting_partition_skips_no_record() {
        let f = |first: SeekTarget, second: SeekTarget, want: SeekTarget| {
            let (mut seeks, now) = (PendingSeeks::default(), Instant::now());
            seeks.add([(at(0), first)], now);
            seeks.add([(at(0), second)], now);
            assert_eq!(seeks.due(now), [(at(0), want)], "{first:?}, then {second:?}");
        };
        let offset = NextOffset::at;
        f(Unsettled(offset(3)), Unsettled(offset(7)), Unsettled(offset(3)));
        f(Unsettled(offset(7)), Unsettled(offset(3)), Unsettled(offset(3)));
        f(Unsettled(offset(7)), Beginning(offset(9)), Beginning(offset(9)));
        f(Beginning(offset(2)), Unsettled(offset(7)), Beginning(offset(2)));
        f(Beginning(offset(2)), Beginning(offset(9)), Beginning(offset(9)));
    }
}
