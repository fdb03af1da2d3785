//! Resumption of blocked topics.
//!
//! The partitions of a blocked topic are paused, and their fetched records are left unsettled. The topic resumes in four steps:
//!
//! 1. Pause: librdkafka drops the fetched records, also those in the lane's queue.
//! 2. Seek to the first unsettled record, and wait until librdkafka has taken the seek up.
//! 3. Give each partition a new assignment: the records that the old one left unsettled are fetched again in the new one.
//! 4. Resume the partitions.
//!
//! If 1 or 2 fails, the topic stays blocked and is tried again later.
//!
//! A topic that waits for an unknown schema id is read ahead from time to time: its partitions are resumed where they are, and their records
//! are left unsettled until they are paused again.

use super::seek::seek;
use super::{DataThread, Unsettled};
use crate::dispatcher::{ReadMode, ResumableTopic};
use crate::pending_seeks::SeekTarget;
use base::TopicPartition;
use kafka::{check_partitions, list_of};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use std::time::{Duration, Instant};
use tracing::{debug, error, info, warn};

/// Interval of checking blocked topics.
const CHECK_EVERY: Duration = Duration::from_millis(100);

impl DataThread {
    pub(super) fn resume_topics(&mut self, now: Instant, read_mode: ReadMode) {
        // A reload reads unsettled records again by itself, and after a stop nothing is read.
        if read_mode != ReadMode::Fetch || now < self.next_resuming {
            return;
        }
        self.next_resuming = now + CHECK_EVERY;
        for resumable in self.dispatcher.resumable_topics(now) {
            // An earlier seek that still waits would end behind the records that are sought now.
            if !self.pending_seeks.contains_any(resumable.partitions.iter().map(|(at, _)| at)) {
                self.resume_topic(&resumable, now);
            }
        }
        let ahead = self.dispatcher.read_ahead(now);
        if !ahead.is_empty()
            && let Err(error) = self.resume(ahead)
        {
            debug!(%error, "a blocked topic can't be read ahead yet");
        }
    }

    /// Resumes partitions, except those that wait for a seek, and those whose start is unknown: the control thread resumes them.
    pub(super) fn resume(&self, partitions: Vec<TopicPartition>) -> KafkaResult<()> {
        let partitions = self.pending_seeks.excluded_from(partitions);
        let known = self.consumer.context().unknown_starts().excluded_from(partitions);
        let list = list_of(known.iter());
        self.consumer.resume(&list).and_then(|()| check_partitions(&list))
    }

    fn resume_topic(&mut self, resumable: &ResumableTopic, now: Instant) {
        let ResumableTopic { name, partitions, .. } = resumable;
        let list = list_of(partitions.iter().map(|(at, _)| at));
        let target = |(at, unsettled): &(TopicPartition, Option<Unsettled>)| {
            Some((at.clone(), SeekTarget::Unsettled((*unsettled)?.from)))
        };
        let again: Vec<_> = partitions.iter().filter_map(target).collect();
        let paused = self.consumer.pause(&list).and_then(|()| check_partitions(&list));
        let sought = paused.and_then(|()| seek(&self.consumer, &again));
        if let Err(error) = sought.and_then(|sought| check_partitions(&sought)) {
            self.dispatcher.postpone(resumable, now);
            warn!(topic = &**name, %error, "a blocked topic can't be read again yet: it stays blocked, and is tried again later");
            return;
        }
        // This comes before the alarm ends: otherwise a run until the end could end in between.
        self.reopen_ends(again.iter().map(|(at, _)| at));
        self.dispatcher.resume(resumable, now);
        if let Err(error) = self.resume(partitions.iter().map(|(at, _)| at.clone()).collect()) {
            error!(topic = &**name, %error, "a blocked topic can't be read on: restart the bridge, and please report it with the log");
        }
        let records: u64 =
            partitions.iter().filter_map(|(_, unsettled)| *unsettled).map(Unsettled::count).sum();
        info!(topic = &**name, records, "reading the blocked topic again from its first unsettled record");
    }
}
