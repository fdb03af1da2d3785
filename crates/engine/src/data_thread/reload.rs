//! Other rules, lanes and a writer take the place of those that run, between two records of each partition.
//!
//! ```text
//! Reload -> nothing more is fetched from the queues; what was fetched is mapped, written and settled by the old rules
//!        -> all lanes are settled, hold, or took too long: then they are given up
//!        -> each partition gets a queue of the new lanes, and goes on behind what was settled
//! ```
//!
//! librdkafka still has records in the old queues. Pausing a partition makes it forget them, and it fetches them again from
//! where it was fetched from last; from where it is told to, where something fetched was given up.

use super::{DataThread, Setting, Shared};
use crate::lane_tasks::WritingLanes;
use base::NextOffset;
use base::TopicPartition;
use kafka::{FetchedRecords, Forwarded, GroupConsumer, Queue, REVOKE_DRAIN_MAX, offsets_of};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};
use tracing::error;

/// As long as a revoke: whoever waits for it should not wait longer for what a restart would give up too.
const DRAIN_MAX: Duration = REVOKE_DRAIN_MAX;
/// librdkafka's own thread answers a seek within milliseconds, and asks no broker first.
const SEEK_MAX: Duration = Duration::from_secs(2);

/// What a data thread is to go on with.
pub struct Reload {
    pub shared: Shared,
    /// Hears when it does.
    pub done: Sender<Switched>,
}

/// What a data thread is asked for while it runs.
pub enum Request {
    /// Another configuration.
    Reload(Reload),
    /// The configuration is the same; blocked topics are to be tried again.
    LiftBlocks,
}

/// A data thread goes on by other rules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Switched {
    /// Records, by their offsets, that were fetched and not settled: they are read again.
    pub read_again: u64,
}

/// A reload that waits for what is open.
pub(super) struct Waiting {
    reload: Reload,
    until: Instant,
}

/// The parts of a dispatcher, on the thread that will run it.
pub(super) fn parts_of(shared: Shared) -> (Setting, WritingLanes) {
    let setting = Setting {
        routing: shared.routing,
        limits: shared.limits,
        budget: shared.budget,
        record_limits: shared.record_limits,
        counters: shared.counters,
        alarms: Arc::clone(shared.writer.alarm_registry()),
        writes_letters: shared.letters.is_some(),
        probes: shared.probes,
    };
    (setting, WritingLanes::new(shared.writer, shared.letters, shared.runtime, shared.seed))
}

/// Assignments whose partitions the control thread is about to forward into the lanes' queues. It would undo what a reload forwards
/// elsewhere if it did so later.
#[derive(Debug, Default)]
pub(super) struct Forwarding(Vec<Receiver<Forwarded>>);

impl Forwarding {
    /// Begins one; the control thread says by the sender when it is done.
    pub fn begin(&mut self) -> Sender<Forwarded> {
        let (acknowledge, forwarded) = channel();
        self.0.push(forwarded);
        acknowledge
    }

    /// Whether all that began are done. A control thread that gave up waiting for the queues forwards nothing any more: its sender is
    /// gone.
    pub fn is_done(&mut self) -> bool {
        self.0.retain(|forwarded| forwarded.try_recv() == Err(TryRecvError::Empty));
        self.0.is_empty()
    }
}

impl DataThread {
    /// Takes up a request. A reload goes on once everything before is settled or given up.
    pub(super) fn reload(&mut self, now: Instant) {
        if self.waiting.is_none()
            && let Ok(request) = self.requests.try_recv()
        {
            match request {
                Request::Reload(reload) => self.waiting = Some(Waiting { reload, until: now + DRAIN_MAX }),
                Request::LiftBlocks => {
                    self.dispatcher.lift_blocks();
                    self.next_resuming = now;
                }
            }
        }
        let Some(Waiting { until, .. }) = &self.waiting else { return };
        let is_due = (now >= *until || self.dispatcher.is_drained()) && self.forwarding.is_done();
        // A stop ends it with the old ones.
        if is_due
            && !self.stop.is_requested()
            && let Some(Waiting { reload, .. }) = self.waiting.take()
        {
            self.go_on_with(reload, now);
        }
    }

    fn go_on_with(&mut self, Reload { shared, done }: Reload, now: Instant) {
        self.store_offsets(now, true);
        let (setting, outlet) = parts_of(shared);
        let consumer = Arc::clone(&self.consumer);
        let held = list_of(self.dispatcher.held());
        let (mut again, mut switched) = (Vec::new(), Switched::default());
        let paused = consumer.pause(&held).and_then(|()| all_well(&held));
        let make_queue =
            || FetchedRecords::new(Arc::new(Queue::new(Arc::clone(&consumer), thread::current())));
        self.dispatcher.renew(setting, outlet, make_queue, |at, fetched, unsettled| {
            fetched.queue().forward(&at.topic, at.partition);
            if let Some(unsettled) = unsettled {
                again.push((at.clone(), unsettled.from));
                switched.read_again += unsettled.count();
            }
        });
        // Topics that hold were paused before: by the new rules they may go on.
        let moved = [paused, seek(&consumer, &again), consumer.resume(&held)];
        if let Some(error) = moved.into_iter().find_map(Result::err) {
            error!(%error, "a partition can't be read on by the new configuration: restart the bridge, and please report it with the log");
        }
        // Nobody waits any more.
        let _nobody = done.send(switched);
    }
}

/// The list that librdkafka wants.
pub(super) fn list_of<'a>(partitions: impl Iterator<Item = &'a TopicPartition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for at in partitions {
        list.add_partition(&at.topic, at.partition);
    }
    list
}

/// The first error that librdkafka found in one of the partitions.
pub(super) fn all_well(partitions: &TopicPartitionList) -> KafkaResult<()> {
    partitions.elements().iter().try_for_each(TopicPartitionListElem::error)
}

/// Reads on from these offsets. It waits until librdkafka has fetched up each of them: a seek that is lost would pass over what is
/// not settled.
pub(super) fn seek(consumer: &GroupConsumer, to: &[(TopicPartition, NextOffset)]) -> KafkaResult<()> {
    if to.is_empty() {
        return Ok(());
    }
    consumer.seek_partitions(offsets_of(to), SEEK_MAX).and_then(|found| all_well(&found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_each_assignment_to_be_forwarded_or_given_up() {
        let mut forwarding = Forwarding::default();
        assert!(forwarding.is_done());
        let (one, two) = (forwarding.begin(), forwarding.begin());
        assert!(!forwarding.is_done());
        one.send(Forwarded).unwrap();
        assert!(!forwarding.is_done(), "the second is still with the control thread");
        drop(two);
        assert!(forwarding.is_done());
    }
}
