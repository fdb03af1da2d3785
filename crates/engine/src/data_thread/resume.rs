//! Blocked topics go on.
//!
//! While a topic is blocked its partitions are paused, and what was fetched of them is left unsettled. It goes on in this order, each
//! step done before the next one:
//!
//! 1. pause: librdkafka drops what it has fetched, also from the lane's queue;
//! 2. seek to the first unsettled record, and wait until librdkafka has fetched that up;
//! 3. a new assignment for each partition: what the old one left unsettled comes again in the new one;
//! 4. resume.
//!
//! Where 1 or 2 fails, the topic stays blocked as it is, and is tried again later.

use super::{DataThread, Unsettled};
use crate::data_thread::reload::{all_well, list_of, seek};
use crate::dispatcher::{ReadMode, ResumableTopic};
use base::TopicPartition;
use rdkafka::consumer::Consumer;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// How often blocked topics are looked at.
const CHECK_EVERY: Duration = Duration::from_millis(100);

impl DataThread {
    pub(super) fn resume_topics(&mut self, now: Instant, read_mode: ReadMode) {
        // A reload reads everything again by itself, and after a stop nothing is read any more.
        if read_mode != ReadMode::Fetch || now < self.next_resuming {
            return;
        }
        self.next_resuming = now + CHECK_EVERY;
        for resumable in self.dispatcher.resumable_topics(now) {
            self.resume_topic(&resumable, now);
        }
    }

    fn resume_topic(&mut self, resumable: &ResumableTopic, now: Instant) {
        let ResumableTopic { name, partitions, .. } = resumable;
        let list = list_of(partitions.iter().map(|(at, _)| at));
        let from =
            |(at, unsettled): &(TopicPartition, Option<Unsettled>)| Some((at.clone(), (*unsettled)?.from));
        let again: Vec<_> = partitions.iter().filter_map(from).collect();
        let paused = self.consumer.pause(&list).and_then(|()| all_well(&list));
        if let Err(error) = paused.and_then(|()| seek(&self.consumer, &again)) {
            self.dispatcher.postpone(resumable, now);
            warn!(topic = &**name, %error, "a blocked topic can't be read again yet: it stays blocked, and is tried again later");
            return;
        }
        // Before the alarm ends: a run until the end must not end in between.
        self.consumer.context().goes_back(again.iter().map(|(at, _)| at));
        self.dispatcher.resume(resumable, now);
        if let Err(error) = self.consumer.resume(&list).and_then(|()| all_well(&list)) {
            error!(topic = &**name, %error, "a blocked topic can't be read on: restart the bridge, and please report it with the log");
        }
        let records: u64 =
            partitions.iter().filter_map(|(_, unsettled)| *unsettled).map(Unsettled::count).sum();
        info!(topic = &**name, records, "reading the blocked topic again from its first unsettled record");
    }
}
