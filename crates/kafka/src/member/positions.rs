//! The offsets at which a member begins to read its partitions, resumes them after a gap, and with `--until-end` ends.

use super::{LIST_TOPICS_EVERY, LIST_TOPICS_MAX, Member};
use crate::offset_requests;
use crate::out_of_range_offsets::OutOfRangePartition;
use crate::partition_lists::{check_partitions, list_of, offsets_of, summary};
use crate::start_offsets::FoundStarts;
use base::NextOffset;
use base::TopicPartition;
use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};
use tracing::{debug, error, warn};

/// Interval between requests for start and end offsets that the brokers did not return.
const OFFSETS_EVERY: Duration = Duration::from_secs(1);
/// Time limit of the request for committed offsets behind a gap. Without an answer the same gap may be reported again.
const COMMITTED_MAX: Duration = Duration::from_secs(3);
/// Time limit of a request for the starts of partitions.
const STARTS_MAX: Duration = Duration::from_secs(3);
/// Timeout of a seek, which librdkafka's own thread answers.
const SEEK_MAX: Duration = Duration::from_secs(2);

impl Member {
    /// Partitions that resumed at their beginning, because Kafka no longer has the offset to read from.
    pub fn take_resumed(&self) -> Vec<OutOfRangePartition> {
        let context = self.consumer.context();
        let resumed = context.take_resumed(&self.consumer);
        let (backward, forward): (Vec<_>, Vec<_>) = resumed.iter().partition(|one| one.went_back());
        // Otherwise a restart could skip unsettled records, once reading has passed the deleted offset again.
        context.restart_from_beginning(
            backward.into_iter().filter_map(OutOfRangePartition::beginning).collect(),
        );
        // Otherwise a partition without new records would report the same gap at each start.
        context.explicit_commits.request(self.committed_up_to(&forward));
        resumed
    }

    /// The new start of the partitions whose offsets are committed up to the gap.
    fn committed_up_to(&self, gaps: &[&OutOfRangePartition]) -> Vec<(TopicPartition, NextOffset)> {
        if gaps.is_empty() {
            return Vec::new();
        }
        let mut wanted = TopicPartitionList::with_capacity(gaps.len());
        for gap in gaps {
            wanted.add_partition(&gap.at.topic, gap.at.partition);
        }
        // Without a response no partition counts as committed, and no offset is committed here.
        let committed = self.consumer.committed_offsets(wanted, COMMITTED_MAX).unwrap_or_default();
        let is_there = |gap: &&&OutOfRangePartition| {
            let element = committed.find_partition(&gap.at.topic, gap.at.partition);
            element.is_some_and(|element| element.offset() == Offset::Offset(gap.from))
        };
        gaps.iter().filter(is_there).filter_map(|gap| gap.beginning()).collect()
    }

    /// With `--until-end`: requests the end offsets of assigned partitions.
    pub(super) fn request_ends(&mut self) {
        let Some((number, until_end)) = &self.until_end else { return };
        if Instant::now() < self.next_ends {
            return;
        }
        let unknown = until_end.without_end(*number);
        if !unknown.is_empty() {
            until_end.set_ends(offset_requests::ends(&self.consumer, &unknown));
            self.next_ends = Instant::now() + OFFSETS_EVERY;
        }
    }

    /// With `kafka.offset_reset` "latest" or "error": lists the topics until that has succeeded once, to know which partitions exist at
    /// the start.
    pub(super) fn list_at_start(&mut self) {
        let context = self.consumer.context();
        if Instant::now() < self.next_starts || !context.start_offsets().wants_listing() {
            return;
        }
        match self.consumer.fetch_metadata(None, LIST_TOPICS_MAX) {
            Ok(metadata) => context.start_offsets().listed(&metadata),
            Err(error) => {
                debug!(%error, "topics could not be listed");
                self.next_starts = Instant::now() + LIST_TOPICS_EVERY;
            }
        }
    }

    /// Requests the unknown starts of assigned partitions, and lets the partitions begin there.
    pub(super) fn request_starts(&mut self) {
        if Instant::now() < self.next_starts {
            return;
        }
        self.next_starts = Instant::now() + OFFSETS_EVERY;
        let context = self.consumer.context();
        let learned = context.start_offsets().learn(&self.consumer, STARTS_MAX);
        let known: Vec<_> = learned.begin.iter().chain(&learned.delivered).cloned().collect();
        if known.is_empty() {
            return;
        }
        // A partition whose seek failed stays paused, and is tried again.
        let begun = self.consumer.seek_partitions(offsets_of(&known), SEEK_MAX);
        match begun.and_then(|sought| check_partitions(&sought)) {
            Ok(()) => {
                let FoundStarts { begin, delivered } = context.start_offsets().begin(learned);
                context.commit_starts(&self.consumer, &begin);
                let list = list_of(begin.iter().chain(&delivered).map(|(at, _)| at));
                if let Err(error) = self.consumer.resume(&list).and_then(|()| check_partitions(&list)) {
                    error!(%error, "partitions can't be read from their start: restart the bridge, and please report it with the log");
                }
            }
            Err(error) => debug!(%error, "partitions could not be sought to their start"),
        }
    }

    /// Lets the data thread read recreated partitions from their beginning, and seeks reset partitions there. librdkafka goes back by itself
    /// after a reset, but would continue at the old position after the next rebalance; only a seek replaces that position.
    pub(super) fn seek_to_beginning(&mut self) {
        let reset = self.consumer.context().take_reset();
        let recreated = self.recreated.poll(&**self.consumer, &self.consumer.context().topic_ids);
        if !recreated.is_empty() {
            error!(
                partitions = %summary(&recreated),
                "a topic was deleted and created again while it was read: reading the new topic from its beginning"
            );
        }
        // An earlier offset than the retained ones is valid: reading continues at the first retained record.
        let beginning = |at| (at, NextOffset::at(0));
        self.consumer.context().restart_from_beginning(recreated.into_iter().map(beginning).collect());
        if reset.is_empty() {
            return;
        }
        let mut list = TopicPartitionList::with_capacity(reset.len());
        for at in &reset {
            let _infallible = list.add_partition_offset(&at.topic, at.partition, Offset::Beginning);
        }
        if let Err(error) = self.consumer.seek_partitions(list, Duration::ZERO) {
            warn!(%error, "the seek to the beginning failed: after the next rebalance, reading may skip records. If points are missing then, stop the bridge and set the group's offsets back with `kafka-consumer-groups.sh --reset-offsets`; please report this with the log");
        }
    }
}
