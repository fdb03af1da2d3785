//! Blocked topics: which may resume, and which records they leave unsettled.

use super::Dispatcher;
use crate::offset_tracker::{AssignmentId, Unsettled};
use crate::partition_routes::TopicIndex;
use crate::ports::{BatchWriter, LaneQueue};
use crate::record_handler::RecordHandler;
use crate::topic_gate::Resumption;
use base::TopicPartition;
use std::sync::Arc;
use std::time::Instant;

/// A blocked topic that may resume once its partitions are sought back to their first unsettled records.
#[derive(Debug)]
pub struct ResumableTopic {
    topic: TopicIndex,
    how: Reopening,
    pub name: Arc<str>,
    /// The assigned partitions, each with the range of its fetched and unsettled records.
    pub partitions: Vec<(TopicPartition, Option<Unsettled>)>,
}

/// How a blocked topic opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reopening {
    Gate(Resumption),
    /// Its wait for a schema is over.
    Schema,
}

/// Records that are uncommitted when a data thread ends, although they were read.
#[derive(Debug, Default)]
pub struct UncommittedAtEnd {
    /// Number of undecided records.
    pub undecided: u64,
    /// A blocked topic with unsettled records.
    pub blocked: Option<BlockedTopic>,
}

/// A blocked topic, and why it is blocked.
#[derive(Debug, PartialEq, Eq)]
pub struct BlockedTopic {
    pub topic: String,
    pub cause: &'static str,
    pub why: String,
}

impl<Q: LaneQueue, O: BatchWriter> Dispatcher<Q, O> {
    /// Assigned partitions whose records are of no use now.
    pub fn blocked_partitions(&self) -> Vec<TopicPartition> {
        self.handler.routes.blocked_partitions()
    }

    /// Whether a topic waits for a schema.
    pub fn waits_for_schema(&self) -> bool {
        self.handler.routes.waits_for_schema()
    }

    /// Partitions of topics that begin to be read ahead now, to see the schema ids of later records.
    pub fn read_ahead(&mut self, now: Instant) -> Vec<TopicPartition> {
        let routes = &mut self.handler.routes;
        let mut ahead = Vec::new();
        for index in routes.not_open() {
            let topic = routes.topic_mut(index);
            if topic.schema_wait.begins_to_read_ahead(now) && !topic.is_blocked() {
                ahead.extend(routes.assigned_of(index).into_iter().map(|(at, _)| at));
            }
        }
        ahead
    }

    /// Lifts the blocks of all topics, which become resumable. Returns the number of topics.
    pub fn lift_blocks(&mut self) -> usize {
        let topics = self.handler.routes.not_open();
        for topic in &topics {
            let topic = self.handler.routes.topic_mut(*topic);
            topic.gate.lift();
            topic.schema_wait.lift();
        }
        topics.len()
    }

    /// Blocked topics that may resume now: the probe is due or has passed, the block was lifted, or a schema is there, and none of their
    /// records is open or in flight.
    pub fn resumable_topics(&mut self, now: Instant) -> Vec<ResumableTopic> {
        let Self { lanes, handler, .. } = self;
        let mut all = Vec::new();
        for topic in handler.routes.not_open() {
            let assigned = handler.routes.assigned_of(topic);
            if handler.routes.topic_mut(topic).schema_wait.is_waiting() {
                // A short wait for a schema must not last as long as a batch is open.
                for lane in lanes.iter_mut() {
                    lane.flush_early |= assigned.iter().any(|(_, assignment)| lane.carries(*assignment));
                }
            }
            let is_open = |assignment: AssignmentId| lanes.iter().any(|lane| lane.carries(assignment));
            if assigned.is_empty() || assigned.iter().any(|(_, assignment)| is_open(*assignment)) {
                continue;
            }
            let entry = handler.routes.topic_mut(topic);
            let how = if entry.schema_wait.is_waiting() {
                entry.schema_wait.is_over(now).then_some(Reopening::Schema)
            } else {
                entry.gate.end_failed_probe(now);
                entry.gate.resumption(now).map(Reopening::Gate)
            };
            let Some(how) = how else { continue };
            let name = Arc::clone(&entry.name);
            let unsettled = |(at, assignment): (TopicPartition, AssignmentId)| {
                (at, handler.tracker.unsettled(assignment))
            };
            all.push(ResumableTopic {
                topic,
                how,
                name,
                partitions: assigned.into_iter().map(unsettled).collect(),
            });
        }
        all
    }

    /// Resumes a topic whose partitions were sought back to their first unsettled records. Such a partition gets a new assignment, and its
    /// fetched records are released because they are fetched again. A partition without unsettled records was not sought, so its fetched
    /// records stay.
    pub fn resume(&mut self, resumable: &ResumableTopic, now: Instant) {
        let again =
            resumable.partitions.iter().filter(|(_, unsettled)| unsettled.is_some()).map(|(at, _)| at);
        for at in again.clone() {
            let RecordHandler { tracker, routes, .. } = &mut self.handler;
            routes.renew_assignment(at, |before| tracker.renew(before));
        }
        self.release(&again);
        let topic = self.handler.routes.topic_mut(resumable.topic);
        match resumable.how {
            Reopening::Gate(how) => topic.gate.resume(how, now),
            Reopening::Schema => {
                topic.schema_wait.end(now);
                topic.gate.reread(now);
            }
        }
    }

    /// Keeps a topic blocked for a while, because its partitions can't be sought back now.
    pub fn postpone(&mut self, resumable: &ResumableTopic, now: Instant) {
        let topic = self.handler.routes.topic_mut(resumable.topic);
        match resumable.how {
            Reopening::Gate(_) => topic.gate.postpone(now),
            Reopening::Schema => topic.schema_wait.postpone(now),
        }
    }

    /// The records that are read and not settled. Call this when nothing is open or in flight.
    pub fn uncommitted_at_end(&self) -> UncommittedAtEnd {
        let RecordHandler { tracker, routes, .. } = &self.handler;
        let blocked = routes.not_open().into_iter().find_map(|index| {
            let assigned = routes.assigned_of(index);
            assigned.iter().find(|(_, assignment)| tracker.unsettled(*assignment).is_some())?;
            let topic = routes.topic(index)?;
            let (cause, why) = topic.block_reason()?;
            Some(BlockedTopic { topic: topic.name.to_string(), cause, why })
        });
        UncommittedAtEnd { undecided: tracker.times().map(|(_, times)| times.undecided).sum(), blocked }
    }
}
