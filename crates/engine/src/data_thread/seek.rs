//! Seeks of partitions: back to their first unsettled records, or to the beginning because their topic was recreated or lost its last
//! records.
//!
//! 1. Pause: librdkafka drops the records that it fetched before.
//! 2. Recreated topics only: give each partition a new assignment, in which no earlier record settles, blocks or is reread. Store its first
//!    offset, then request its commit: librdkafka commits again whatever is stored beyond the committed offset.
//! 3. Seek, and wait until librdkafka has taken the seek up.
//! 4. Resume the partitions, except those of blocked topics.
//!
//! If 1 or 3 fails for a partition, it stays paused, and all of this is repeated for it.

use super::DataThread;
use crate::pending_seeks::SeekTarget;
use base::{NextOffset, TopicPartition};
use kafka::{GroupConsumer, list_of, offsets_of, partition_summary};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};
use tracing::{debug, error, warn};

/// Timeout of a seek. librdkafka's own thread answers within milliseconds, without a request to a broker.
const SEEK_MAX: Duration = Duration::from_secs(2);

impl DataThread {
    /// Seeks the partitions that have to be sought back, if an attempt is due.
    pub(super) fn seek_back(&mut self, now: Instant) {
        let due = self.pending_seeks.due(now);
        if due.is_empty() {
            return;
        }
        let partitions: Vec<_> = due.iter().map(|(at, _)| at.clone()).collect();
        let pausing = list_of(partitions.iter());
        let paused = self.consumer.pause(&pausing);
        let beginnings = |(at, target): &(TopicPartition, SeekTarget)| match target {
            SeekTarget::Beginning(first) => Some((at.clone(), *first)),
            SeekTarget::Unsettled(_) => None,
        };
        self.restart_from_beginning(&due.iter().filter_map(beginnings).collect::<Vec<_>>());
        self.reopen_ends(partitions.iter());
        let sought = paused.and_then(|()| seek(&self.consumer, &due));
        let is_sought = |at: &TopicPartition| {
            is_without_error(&pausing, at) && sought.as_ref().is_ok_and(|list| is_without_error(list, at))
        };
        let waiting = self.pending_seeks.attempted(is_sought, now);
        if !waiting.is_empty() {
            let error = sought.as_ref().err().map(tracing::field::display);
            warn!(
                partitions = %partition_summary(&waiting), error,
                "partitions can't be sought back to their unsettled records yet: they are not read, and tried again in a second"
            );
        }
        let blocked = self.dispatcher.blocked_partitions();
        let open = partitions.into_iter().filter(|at| !blocked.contains(at)).collect();
        if let Err(error) = self.resume(open) {
            error!(%error, "partitions can't be read on after a seek: restart the bridge, and please report it with the log");
        }
    }

    fn restart_from_beginning(&mut self, beginnings: &[(TopicPartition, NextOffset)]) {
        if beginnings.is_empty() {
            return;
        }
        let partitions: Vec<_> = beginnings.iter().map(|(at, _)| at.clone()).collect();
        self.dispatcher.restart_from_beginning(&partitions);
        // A partition that is being revoked stores nothing: its revocation commits the requested offset.
        if let Err(error) = self.consumer.store_offsets(&offsets_of(beginnings)) {
            debug!(%error, "the first offsets of partitions were not stored");
        }
        self.consumer.context().explicit_commits.request(beginnings.iter().cloned());
    }

    /// Records for a run until the end that these partitions are read again, although their ends may have been seen.
    pub(super) fn reopen_ends<'a>(&mut self, partitions: impl Iterator<Item = &'a TopicPartition>) {
        self.consumer.context().reopen_ends(partitions);
        self.rereads = true;
    }
}

/// Seeks partitions, and waits until librdkafka has taken each seek up. The result has the error of each partition.
pub(super) fn seek(
    consumer: &GroupConsumer,
    to: &[(TopicPartition, SeekTarget)],
) -> KafkaResult<TopicPartitionList> {
    let (mut list, mut unsettled) = (TopicPartitionList::with_capacity(to.len()), Vec::new());
    for (at, target) in to {
        let offset = match target {
            SeekTarget::Beginning(_) => Offset::Beginning,
            SeekTarget::Unsettled(from) => {
                unsettled.push((at.clone(), *from));
                Offset::Offset(from.get())
            }
        };
        // Infallible: tracked offsets are valid.
        let _infallible = list.add_partition_offset(&at.topic, at.partition, offset);
    }
    if to.is_empty() {
        // librdkafka refuses an empty list.
        return Ok(list);
    }
    consumer.context().unknown_starts().reread(&unsettled);
    consumer.seek_partitions(list, SEEK_MAX)
}

fn is_without_error(list: &TopicPartitionList, at: &TopicPartition) -> bool {
    list.find_partition(&at.topic, at.partition).is_some_and(|one| one.error().is_ok())
}
