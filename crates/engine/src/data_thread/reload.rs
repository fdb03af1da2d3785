//! Reload: new rules, lanes and a writer replace the running ones between two records of each partition.
//!
//! 1. The data thread fetches no more. Fetched records are mapped, written and settled under the old rules.
//! 2. It waits until all lanes are settled or blocked, at most [`DRAIN_MAX`].
//! 3. Each partition gets a queue of the new lanes, and continues after its last settled record.
//!
//! librdkafka still has records in the old queues. Pausing a partition drops them. librdkafka then fetches again from its last fetch
//! position, or from the offset of a seek where fetched records were left unsettled. A partition whose seek fails stays paused until a later
//! attempt succeeds.

use super::{DataThread, DispatcherSettings, EngineContext};
use crate::lane_tasks::WritingLanes;
use crate::pending_seeks::SeekTarget;
use base::TopicPartition;
use kafka::{FetchedRecords, Forwarded, Queue, REVOKE_DRAIN_MAX, check_partitions, list_of};
use rdkafka::consumer::Consumer;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};
use tracing::error;

/// Time for settling under the old rules, the same as at a revocation: a restart would not wait longer either.
const DRAIN_MAX: Duration = REVOKE_DRAIN_MAX;

/// A new configuration for a data thread.
pub struct Reload {
    pub context: EngineContext,
    /// Receives the confirmation.
    pub done: Sender<ReloadApplied>,
}

/// A request to a running data thread.
pub enum DataThreadRequest {
    /// Apply a new configuration.
    Reload(Box<Reload>),
    /// Try blocked topics again; the configuration is unchanged.
    LiftBlocks,
}

/// Confirms that a data thread applied a reload.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReloadApplied {
    /// Number of offsets that were fetched and not settled, and are reread.
    pub reread: u64,
}

/// A reload that waits for open batches.
pub(super) struct PendingReload {
    reload: Reload,
    until: Instant,
}

/// Makes the settings and the batch writer of a dispatcher, on the thread that will run it.
pub(super) fn parts_of(context: EngineContext) -> (DispatcherSettings, WritingLanes) {
    let settings = DispatcherSettings {
        routing: context.routing,
        limits: context.limits,
        budget: context.budget,
        record_limits: context.record_limits,
        counters: context.counters,
        alarms: Arc::clone(context.writer.alarm_registry()),
        writes_dead_letters: context.dead_letters.is_some(),
        probes: context.probes,
    };
    (settings, WritingLanes::new(context.writer, context.dead_letters, context.runtime, context.seed))
}

/// Assignments whose partitions the control thread has not forwarded to the lanes' queues yet. A reload waits for them: forwarding
/// afterwards would undo the forwarding of the reload.
#[derive(Debug, Default)]
pub(super) struct Forwarding(Vec<Receiver<Forwarded>>);

impl Forwarding {
    /// Begins an assignment. The control thread sends when its partitions are forwarded.
    pub fn begin(&mut self) -> Sender<Forwarded> {
        // There may be many rebalances and never a reload.
        self.forget_done();
        let (acknowledge, forwarded) = channel();
        self.0.push(forwarded);
        acknowledge
    }

    /// Whether all partitions are forwarded. A dropped sender counts too: a control thread that gave up waiting for the queues forwards
    /// nothing.
    pub fn is_done(&mut self) -> bool {
        self.forget_done();
        self.0.is_empty()
    }

    fn forget_done(&mut self) {
        self.0.retain(|forwarded| forwarded.try_recv() == Err(TryRecvError::Empty));
    }
}

impl DataThread {
    /// Takes the next request. Applies a pending reload once all open batches are settled, or its time is up.
    pub(super) fn handle_requests(&mut self, now: Instant) {
        if self.reload.is_none()
            && let Ok(request) = self.requests.try_recv()
        {
            match request {
                DataThreadRequest::Reload(reload) => {
                    self.reload = Some(PendingReload { reload: *reload, until: now + DRAIN_MAX });
                }
                DataThreadRequest::LiftBlocks => {
                    self.dispatcher.lift_blocks();
                    self.next_resuming = now;
                }
            }
        }
        let Some(PendingReload { until, .. }) = &self.reload else { return };
        let is_due = (now >= *until || self.dispatcher.is_drained()) && self.forwarding.is_done();
        // A stop drains the old lanes; the reload is dropped.
        if is_due
            && !self.stop.is_requested()
            && let Some(PendingReload { reload, .. }) = self.reload.take()
        {
            self.apply(reload, now);
        }
    }

    fn apply(&mut self, Reload { context, done }: Reload, now: Instant) {
        self.dispatcher.take_returned(now);
        self.store_offsets();
        let (settings, batch_writer) = parts_of(context);
        let consumer = Arc::clone(&self.consumer);
        let assigned: Vec<TopicPartition> = self.dispatcher.assigned().cloned().collect();
        let all = list_of(assigned.iter());
        let (mut again, mut applied) = (BTreeMap::new(), ReloadApplied::default());
        // This fails only for partitions that librdkafka does not have, so no records of them are fetched.
        let paused = consumer.pause(&all).and_then(|()| check_partitions(&all));
        let make_queue =
            || FetchedRecords::new(Arc::new(Queue::new(Arc::clone(&consumer), thread::current())));
        self.dispatcher.renew(settings, batch_writer, make_queue, now, |at, fetched, unsettled| {
            fetched.queue().forward(&at.topic, at.partition);
            if let Some(unsettled) = unsettled {
                again.insert(at.clone(), SeekTarget::Unsettled(unsettled.from));
                applied.reread += unsettled.count();
            }
        });
        // Blocked topics were paused before; under the new rules they start open. The control thread may have resumed a partition since the
        // pause, because its start became known. Nobody else would resume the others.
        let unmoved = assigned.into_iter().filter(|at| !again.contains_key(at)).collect();
        self.pending_seeks.add(again, now);
        let resumed = self.resume(unmoved);
        self.seek_back(now);
        if let Err(error) = paused.and(resumed) {
            error!(%error, "a partition can't be read on by the new configuration: restart the bridge, and please report it with the log");
        }
        // The receiver may be gone.
        let _gone = done.send(applied);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_until_each_assignment_is_forwarded_or_dropped() {
        let mut forwarding = Forwarding::default();
        assert!(forwarding.is_done());
        let (one, two) = (forwarding.begin(), forwarding.begin());
        assert!(!forwarding.is_done());
        one.send(Forwarded).unwrap();
        assert!(!forwarding.is_done(), "the second is still with the control thread");
        drop(two);
        assert!(forwarding.is_done());
    }

    #[test]
    fn keeps_no_assignment_that_is_forwarded() {
        let mut forwarding = Forwarding::default();
        let waits = forwarding.begin();
        for _ in 0..100 {
            forwarding.begin().send(Forwarded).unwrap();
        }
        assert_eq!(forwarding.0.len(), 2, "the one that waits, and the last one");
        drop(waits);
        assert!(forwarding.is_done());
    }
}
