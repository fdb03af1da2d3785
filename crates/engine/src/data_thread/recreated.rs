//! Partitions whose offsets begin again, because their topic was recreated or lost its last records.
//!
//! 1. Pause: librdkafka drops the records that it fetched before.
//! 2. Give each partition a new assignment, in which no earlier record settles, blocks or is read again.
//! 3. Store the first offset, then request its commit. librdkafka commits again whatever is stored beyond the committed offset.
//! 4. Seek to the beginning, and wait until librdkafka has taken the seek up.
//! 5. Resume the partitions, except those of blocked topics.
//!
//! If 1 or 4 fails for a partition, all of this is repeated for it.

use super::DataThread;
use super::reload::SEEK_MAX;
use base::{NextOffset, TopicPartition};
use kafka::{list_of, offsets_of, partition_summary};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};
use tracing::{debug, error, warn};

/// Interval between attempts.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Partitions that have to go back to their first offsets.
#[derive(Debug, Default)]
pub(super) struct GoingBack {
    beginnings: Vec<(TopicPartition, NextOffset)>,
    /// Time of the next attempt.
    next: Option<Instant>,
}

impl GoingBack {
    /// Adds partitions, which go back at once.
    pub fn add(&mut self, beginnings: Vec<(TopicPartition, NextOffset)>, now: Instant) {
        self.beginnings.retain(|(known, _)| !beginnings.iter().any(|(at, _)| at == known));
        self.beginnings.extend(beginnings);
        self.next = Some(now);
    }

    /// Removes revoked partitions.
    pub fn forget(&mut self, revoked: &[TopicPartition]) {
        self.beginnings.retain(|(at, _)| !revoked.contains(at));
    }

    /// Takes the partitions, if an attempt is due.
    fn take_due(&mut self, now: Instant) -> Vec<(TopicPartition, NextOffset)> {
        let is_due = self.next.take_if(|next| *next <= now).is_some();
        if is_due { std::mem::take(&mut self.beginnings) } else { Vec::new() }
    }

    /// Keeps partitions for the next attempt.
    fn retry(&mut self, beginnings: Vec<(TopicPartition, NextOffset)>, now: Instant) {
        self.beginnings = beginnings;
        self.next = Some(now + RETRY_EVERY);
    }
}

impl DataThread {
    /// Lets partitions go back to their first offsets, if that is due.
    pub(super) fn go_back(&mut self, now: Instant) {
        let beginnings = self.going_back.take_due(now);
        if beginnings.is_empty() {
            return;
        }
        let partitions: Vec<_> = beginnings.iter().map(|(at, _)| at.clone()).collect();
        let paused = self.consumer.pause(&list_of(partitions.iter()));
        self.dispatcher.begin_again(&partitions);
        // A partition that is being revoked stores nothing: its revocation commits the requested offset.
        if let Err(error) = self.consumer.store_offsets(&offsets_of(&beginnings)) {
            debug!(%error, "the first offsets of partitions were not stored");
        }
        let context = self.consumer.context();
        context.explicit_commits.request(beginnings.iter().cloned());
        context.goes_back(partitions.iter());
        let sought = paused.and_then(|()| self.seek_to_beginning(&partitions));
        let is_sought = |(at, _): &(TopicPartition, NextOffset)| {
            let sought = sought.as_ref().ok().and_then(|list| list.find_partition(&at.topic, at.partition));
            sought.is_some_and(|one| one.error().is_ok())
        };
        let (sought, failed): (Vec<_>, Vec<_>) = beginnings.into_iter().partition(is_sought);
        if !failed.is_empty() {
            let partitions: Vec<_> = failed.iter().map(|(at, _)| at.clone()).collect();
            warn!(
                partitions = %partition_summary(&partitions),
                "partitions of a recreated topic can't be read from their beginning yet: they are not read, and tried again in a second"
            );
            self.going_back.retry(failed, now);
        }
        let blocked = self.dispatcher.blocked_partitions();
        let open = sought.into_iter().map(|(at, _)| at).filter(|at| !blocked.contains(at));
        if let Err(error) = self.resume(open.collect()) {
            error!(%error, "a recreated topic can't be read on: restart the bridge, and please report it with the log");
        }
    }

    fn seek_to_beginning(&self, partitions: &[TopicPartition]) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for at in partitions {
            let _infallible = list.add_partition_offset(&at.topic, at.partition, Offset::Beginning);
        }
        self.consumer.seek_partitions(list, SEEK_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_that_could_not_be_sought_are_tried_again_until_they_are_revoked() {
        let (mut going_back, now) = (GoingBack::default(), Instant::now());
        let one =
            |partition, offset| (TopicPartition { topic: "t".to_owned(), partition }, NextOffset::at(offset));
        assert_eq!(going_back.take_due(now), []);
        going_back.add(vec![one(0, 3), one(1, 0)], now);
        going_back.add(vec![one(0, 0), one(2, 0)], now);
        assert_eq!(going_back.take_due(now), [one(1, 0), one(0, 0), one(2, 0)]);
        assert_eq!(going_back.take_due(now), []);
        going_back.retry(vec![one(0, 0), one(2, 0)], now);
        assert_eq!(going_back.take_due(now), []);
        going_back.forget(&[one(2, 0).0]);
        assert_eq!(going_back.take_due(now + RETRY_EVERY), [one(0, 0)]);
    }
}
