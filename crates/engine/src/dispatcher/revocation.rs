//! Revocation: the partitions are no longer routed, and their settled offsets are acknowledged once they are drained. Also partitions
//! whose offsets begin again: what was delivered before settles nothing any more.

use super::Dispatcher;
use crate::batch::Batch;
use crate::lane::Lane;
use crate::offset_tracker::AssignmentId;
use crate::ports::{BatchWriter, LaneQueue};
use crate::record_handler::RecordHandler;
use base::{NextOffset, TopicPartition};
use std::time::Instant;
use tracing::warn;

/// Receives the settled offsets of the revoked partitions.
type Acknowledge = Box<dyn FnOnce(Vec<(TopicPartition, NextOffset)>) + Send>;

pub(super) struct PendingRevoke {
    partitions: Vec<(TopicPartition, AssignmentId)>,
    until: Instant,
    /// Whether the time to settle is over: open lines are removed, and batches in flight are abandoned.
    is_abandoned: bool,
    acknowledge: Acknowledge,
}

impl PendingRevoke {
    fn has(&self, assignment: AssignmentId) -> bool {
        self.partitions.iter().any(|(_, revoked)| *revoked == assignment)
    }
}

impl<Q: LaneQueue, O: BatchWriter> Dispatcher<Q, O> {
    /// Stops routing the partitions. Their fetched and unread records are released, because the next owner reads them. `acknowledge` is
    /// called when the partitions are settled. If their lanes are blocked, or at `until`, it is called when the lanes write nothing of them
    /// any more: a line that is written later would replace a newer value of the next owner.
    pub fn revoke(&mut self, partitions: Vec<TopicPartition>, until: Instant, acknowledge: Acknowledge) {
        let revoked = partitions
            .into_iter()
            .filter_map(|at| self.handler.routes.remove(&at).map(|assignment| (at, assignment)));
        let revoked: Vec<_> = revoked.collect();
        self.release(&revoked.iter().map(|(at, _)| at));
        let is_abandoned = false;
        self.pending_revokes.push(PendingRevoke { partitions: revoked, until, is_abandoned, acknowledge });
    }

    /// Begins new assignments of partitions whose topic was recreated or lost its last records. Open batches are still written, also after a
    /// revocation, because nobody can read these records again, and settle nothing; fetched and unread records are released. The caller
    /// pauses the partitions before, and seeks to their beginning afterwards.
    pub fn restart_from_beginning(&mut self, partitions: &[TopicPartition]) {
        for at in partitions {
            let RecordHandler { tracker, routes, .. } = &mut self.handler;
            let mut undecided = 0;
            routes.renew_assignment(at, |before| {
                undecided = tracker.undecided(before);
                tracker.revoke(before);
                tracker.assign()
            });
            self.forget_undecided(at, undecided);
        }
        self.release(&partitions.iter());
    }

    /// Releases the fetched and unread records of partitions.
    pub(super) fn release<'a>(&mut self, partitions: &(impl Iterator<Item = &'a TopicPartition> + Clone)) {
        for lane in &mut self.lanes {
            lane.queue.release(|topic, partition| {
                partitions.clone().any(|at| at.partition == partition && at.topic == topic)
            });
        }
    }

    /// Removes the undecided records of a partition from its topic's count.
    fn forget_undecided(&mut self, at: &TopicPartition, undecided: u64) {
        if let Some(topic) = self.handler.routes.topic_named(&at.topic).filter(|_| undecided > 0) {
            topic.gate.forget_undecided(undecided);
        }
    }

    /// Acknowledges revocations whose partitions are settled. If their lanes are blocked or their time is up, their lines are removed from
    /// the lanes first.
    pub(super) fn finish_revokes(&mut self, now: Instant) {
        for mut pending in std::mem::take(&mut self.pending_revokes) {
            let is_open = pending.partitions.iter().any(|(_, assignment)| self.may_settle(*assignment));
            pending.is_abandoned |= now >= pending.until || !is_open;
            if !pending.is_abandoned || self.abandon(&pending) {
                self.pending_revokes.push(pending);
            } else {
                self.acknowledge(pending);
            }
        }
    }

    /// Removes the lines of revoked partitions from open batches, and abandons batches in flight. Returns whether a batch in flight is still
    /// to come back.
    fn abandon(&mut self, pending: &PendingRevoke) -> bool {
        let Self { lanes, batch_writer, .. } = self;
        let mut is_awaited = false;
        for (number, lane) in lanes.iter_mut().enumerate() {
            lane.open.remove(|assignment| pending.has(assignment));
            if let Some(batch) = lane.in_flight_of(|assignment| pending.has(assignment)) {
                is_awaited |= batch_writer.abandon(number, batch);
            }
        }
        is_awaited
    }

    /// Sends the records of an abandoned batch again whose partitions are kept.
    pub(super) fn send_rest(&mut self, lane: usize, batch: Batch) {
        let Self { lanes, pending_revokes, settings, .. } = self;
        let Some(lane) = lanes.get_mut(lane) else { return };
        let is_removed = |assignment| {
            pending_revokes.iter().any(|pending| pending.is_abandoned && pending.has(assignment))
        };
        lane.send_rest(batch, is_removed, &settings.limits, &settings.budget);
    }

    /// Whether records of this assignment may still settle: they are open or in flight in a lane that is not blocked. Lines that a limit
    /// of the server keeps out are in no lane any more.
    fn may_settle(&self, assignment: AssignmentId) -> bool {
        let may_settle = |(number, lane): (usize, &Lane<Q>)| {
            lane.carries(assignment) && !self.batch_writer.is_blocked(number, &lane.destination)
        };
        self.handler.tracker.waits_for_batch(assignment) && self.lanes.iter().enumerate().any(may_settle)
    }

    pub(super) fn acknowledge(&mut self, pending: PendingRevoke) {
        let tracker = &self.handler.tracker;
        let abandoned =
            pending.partitions.iter().filter(|(_, assignment)| tracker.waits_for_batch(*assignment)).count();
        if abandoned > 0 {
            warn!(
                partitions = abandoned,
                "partitions were revoked before all their records were stored: no record is lost, the next owner reads the rest again; \
                 if this repeats, look for an alarm of InfluxDB"
            );
        }
        let settled = pending.partitions.into_iter().filter_map(|(at, assignment)| {
            self.forget_undecided(&at, self.handler.tracker.undecided(assignment));
            self.handler.routes.forget(assignment);
            Some((at, self.handler.tracker.revoke(assignment)?))
        });
        (pending.acknowledge)(settled.collect());
    }
}
