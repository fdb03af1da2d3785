//! Routes records to lanes, closes batches, and tracks what is settled. No I/O and no clock, so that the simulation can drive it.

mod resumption;
mod revocation;

pub use resumption::{BlockedTopic, ResumableTopic, UncommittedAtEnd};

use crate::batch::{Batch, BatchLimits, Budget, SizeController};
use crate::lane::{FinishedBatch, Lane, ReturnedBatch};
use crate::offset_tracker::{AssignmentId, BatchId, PartitionTimes, Unsettled};
use crate::partition_routes::{Route, Routes};
use crate::ports::{BatchWriter, LaneQueue};
use crate::record_handler::RecordHandler;
use crate::telemetry::{CloseReason, Counters};
use crate::topic_gate::ProbeDelays;
use crate::topic_routing::Routing;
use base::NextOffset;
use base::TopicPartition;
use base::alarm::AlarmRegistry;
use mapping::RecordLimits;
use revocation::PendingRevoke;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Records fetched at once: enough to make the call cheap, few enough to pin little of librdkafka's memory while a lane has no room.
const RECORDS_PER_TURN: usize = 256;
/// Interval of repeating the alarms of blocked topics to the registry, which decides when an alarm is logged again, and of summaries of
/// suppressed warnings.
const REPEAT_EVERY: Duration = Duration::from_secs(1);

/// Settings of a dispatcher, and what it shares with others.
pub struct DispatcherSettings {
    pub routing: Arc<Routing>,
    pub limits: BatchLimits,
    pub budget: Budget,
    pub record_limits: RecordLimits,
    pub counters: Arc<Counters>,
    pub alarms: Arc<AlarmRegistry>,
    /// Whether rejected records are dead-lettered.
    pub writes_dead_letters: bool,
    /// Delays before a topic that the server blocks is probed.
    pub probes: ProbeDelays,
}

/// The lanes of one consumer, and the handler of their records.
pub struct Dispatcher<Q, O> {
    settings: DispatcherSettings,
    batch_writer: O,
    lanes: Vec<Lane<Q>>,
    returned: (Sender<ReturnedBatch>, Receiver<ReturnedBatch>),
    next_batch_id: BatchId,
    /// Revocations that wait for their partitions to be settled.
    pending_revokes: Vec<PendingRevoke>,
    handler: RecordHandler,
    next_repeat: Option<Instant>,
}

/// Offsets that may be committed.
#[derive(Debug, Default)]
pub struct SettledOffsets {
    pub offsets: Vec<(TopicPartition, NextOffset)>,
    /// Partitions whose offset is smaller than the one before, which happens when a topic is recreated.
    pub went_back: Vec<(TopicPartition, NextOffset)>,
}

/// Which records a turn may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// Fetches from the queues and reads.
    Fetch,
    /// Reads the records that are fetched already, fetches no more, and closes batches at once.
    FetchedOnly,
    /// Reads nothing and closes batches at once.
    Nothing,
}

impl DispatcherSettings {
    fn routes(&self) -> Routes {
        let Self { routing, record_limits, writes_dead_letters, probes, .. } = self;
        Routes::new(Arc::clone(routing), *record_limits, *writes_dead_letters, *probes)
    }
}

impl<Q: LaneQueue, O: BatchWriter> Dispatcher<Q, O> {
    pub fn new(settings: DispatcherSettings, batch_writer: O) -> Self {
        let routes = settings.routes();
        let (counters, alarms) = (Arc::clone(&settings.counters), Arc::clone(&settings.alarms));
        let handler = RecordHandler::new(routes, counters, alarms, settings.writes_dead_letters);
        let (lanes, pending_revokes) = (Vec::new(), Vec::new());
        let (returned, next_batch_id) = (channel(), BatchId::first());
        Self {
            settings,
            batch_writer,
            lanes,
            returned,
            next_batch_id,
            pending_revokes,
            handler,
            next_repeat: None,
        }
    }

    /// Begins an assignment. Returns the queue of the partition's lane, which `make_queue` makes for a new lane. Records that were fetched
    /// between an earlier revocation and its end are released, because the new assignment begins at the committed offset.
    pub fn assign(&mut self, at: TopicPartition, make_queue: impl FnOnce() -> Q) -> Option<&Q> {
        self.release(&std::iter::once(&at));
        let assignment = self.handler.tracker.assign();
        self.enter(at, assignment, make_queue)
    }

    fn enter(
        &mut self,
        at: TopicPartition,
        assignment: AssignmentId,
        make_queue: impl FnOnce() -> Q,
    ) -> Option<&Q> {
        let route = self.handler.routes.add(at, assignment);
        let existing = self.lanes.iter().position(|lane| lane.key == route.lane);
        let lane = existing.unwrap_or_else(|| self.open_lane(route, make_queue()));
        self.lanes.get(lane).map(|lane| &lane.queue)
    }

    fn open_lane(&mut self, route: Route, queue: Q) -> usize {
        let number = self.lanes.len();
        let destination = self.settings.routing.destination(route.lane.destination);
        let closed = self.batch_writer.open(number, &destination, &self.returned.0);
        let batch_id = self.take_batch_id();
        let batch = || Batch::new(batch_id, &self.settings.budget);
        let sizes = SizeController::new(self.settings.limits.sizes);
        self.lanes.push(Lane::new(route.lane, destination, queue, (batch(), batch()), sizes, closed));
        number
    }

    fn take_batch_id(&mut self) -> BatchId {
        let batch_id = self.next_batch_id;
        self.next_batch_id = batch_id.next();
        batch_id
    }

    /// Applies a new configuration, with new lanes, from the next record on. Unsettled records are left unsettled; batches that have come
    /// back settle first. `moved` is called for each assigned partition with its new queue and the range of records to read again.
    pub fn renew(
        &mut self,
        settings: DispatcherSettings,
        batch_writer: O,
        make_queue: impl Fn() -> Q,
        now: Instant,
        mut moved: impl FnMut(&TopicPartition, &Q, Option<Unsettled>),
    ) {
        // Otherwise records of finished batches would be stored again under the new rules.
        self.take_returned(now);
        self.leave_fetched_unsettled();
        // Batches of the old lanes that come back late are ignored. The old queues are freed when nothing is sent to them any more.
        self.returned = channel();
        let _old_lanes = std::mem::take(&mut self.lanes);
        (self.settings, self.batch_writer) = (settings, batch_writer);
        // Only now the old lanes write nothing any more.
        for pending in std::mem::take(&mut self.pending_revokes) {
            self.acknowledge(pending);
        }
        let routes = self.settings.routes();
        let assigned = self.handler.renew(routes, self.settings.writes_dead_letters);
        for (at, before) in assigned {
            let unsettled = self.handler.tracker.unsettled(before);
            let assignment = self.handler.tracker.renew(before);
            if let Some(queue) = self.enter(at.clone(), assignment, &make_queue) {
                moved(&at, queue, unsettled);
            }
        }
    }

    fn leave_fetched_unsettled(&mut self) {
        let Self { lanes, handler, .. } = self;
        handler.routes.forget_last();
        for lane in lanes {
            while lane.queue.next(false, |delivery| handler.leave_delivery_unsettled(&delivery)) {}
        }
    }

    /// Whether all fetched records are settled, except those in blocked lanes.
    pub fn is_drained(&self) -> bool {
        let is_done = |(number, lane): (usize, &Lane<Q>)| {
            (lane.is_idle() && lane.queue.is_empty())
                || self.batch_writer.is_blocked(number, &lane.destination)
        };
        self.lanes.iter().enumerate().all(is_done)
    }

    /// The assigned partitions.
    pub fn assigned(&self) -> impl ExactSizeIterator<Item = &TopicPartition> {
        self.handler.routes.assigned()
    }

    /// Runs one turn over all lanes. Returns whether there may be more to read.
    pub fn turn(&mut self, now: Instant, read_mode: ReadMode) -> bool {
        let stopping = read_mode == ReadMode::Nothing;
        self.take_returned(now);
        // Before batches are closed: lines of lost partitions are not sent any more.
        self.finish_revokes(now);
        if self.next_repeat.is_none_or(|next| next <= now) {
            self.next_repeat = Some(now + REPEAT_EVERY);
            self.handler.repeat_alarms(now);
            self.handler.log_undecided(now);
            self.handler.report_wrong_units(now);
            self.handler.log.summarize(now);
        }
        let mut busy = false;
        for lane in 0..self.lanes.len() {
            busy |= !stopping && self.read_lane(lane, now, read_mode);
            self.flush_if_due(lane, now, read_mode != ReadMode::Fetch);
        }
        self.handler.end_turn();
        busy
    }

    /// Whether there are fetched records that were not read.
    pub fn has_fetched(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.queue.is_empty())
    }

    /// Whether nothing is open or in flight.
    pub fn is_idle(&self) -> bool {
        self.lanes.iter().all(Lane::is_idle)
    }

    /// Logs what would be logged later, because the data thread ends: suppressed warnings, doubtful times, undecided records.
    pub fn summarize_all(&mut self, now: Instant) {
        self.handler.report_wrong_units(now);
        self.handler.log.summarize_all();
        self.handler.log_all_undecided();
    }

    /// The settled offsets that changed since the last call.
    pub fn take_settled(&mut self) -> SettledOffsets {
        let mut all = SettledOffsets::default();
        let routes = &self.handler.routes;
        self.handler.tracker.take_changed(|assignment, next, went_back| {
            let offset = routes.partition_of(assignment).map(|at| (TopicPartition::clone(at), next));
            if went_back {
                all.went_back.extend(offset.clone());
            }
            all.offsets.extend(offset);
        });
        all
    }

    /// The times of the oldest unsettled record and of the last settled one, for each assigned partition.
    pub fn times(&self) -> Vec<(Arc<TopicPartition>, PartitionTimes)> {
        let RecordHandler { tracker, routes, .. } = &self.handler;
        let of_partition = |(assignment, times)| Some((Arc::clone(routes.partition_of(assignment)?), times));
        tracker.times().filter_map(of_partition).collect()
    }

    /// Offsets at which reading failed since the last call: reading has to go back to them.
    pub fn take_failed(&mut self) -> Vec<(TopicPartition, NextOffset)> {
        std::mem::take(&mut self.handler.failed)
    }

    /// Topics whose fetch was denied since the last call, with librdkafka's message.
    pub fn take_denied(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.handler.denied)
    }

    /// The time at which the next open batch has to be closed, if there is one.
    pub fn due(&self) -> Option<Instant> {
        let limits = &self.settings.limits;
        self.lanes.iter().filter(|lane| lane.can_flush()).filter_map(|lane| lane.due(limits)).min()
    }

    /// Reads records from a lane's queue until its batch is full or all fetched records are read. Returns whether there may be more.
    fn read_lane(&mut self, lane: usize, now: Instant, read_mode: ReadMode) -> bool {
        let Some(lane) = self.lanes.get_mut(lane) else { return false };
        let DispatcherSettings { limits, budget, routing, .. } = &self.settings;
        let headers = routing.wants_headers();
        if !lane.may_read(limits, budget) {
            lane.note_no_room();
            return false;
        }
        let has_some = match read_mode {
            ReadMode::Fetch => lane.queue.fill(RECORDS_PER_TURN),
            ReadMode::FetchedOnly | ReadMode::Nothing => !lane.queue.is_empty(),
        };
        if !has_some {
            return false;
        }
        // Topic handles are comparable only within one fetch.
        self.handler.routes.forget_last();
        loop {
            if !lane.may_read(limits, budget) {
                lane.note_no_room();
                break;
            }
            lane.pack_if_large(limits);
            let (open, handler) = (&mut lane.open, &mut self.handler);
            if !lane.queue.next(headers, |delivery| handler.handle(delivery, open, now)) {
                break;
            }
        }
        // A lane without room must not pin records that were read.
        lane.queue.release_read();
        lane.open.update_reserved();
        true
    }

    fn flush_if_due(&mut self, lane: usize, now: Instant, at_once: bool) {
        let draining = !self.pending_revokes.is_empty();
        let Some(lane) = self.lanes.get_mut(lane) else { return };
        let limits = &self.settings.limits;
        if !lane.can_flush() {
            return;
        }
        let why = if lane.is_full(limits) {
            Some(CloseReason::Full)
        } else if lane.due(limits).is_some_and(|due| due <= now) {
            Some(CloseReason::Age)
        } else if at_once || draining || lane.flush_early {
            Some(CloseReason::End)
        } else {
            (!self.settings.budget.has_room()).then_some(CloseReason::Memory)
        };
        if let Some(why) = why {
            self.settings.counters.close_batch(why);
            let partition_of =
                |assignment: &AssignmentId| self.handler.routes.partition_of(*assignment).map(Arc::clone);
            lane.open.partitions = lane.open.assignments.iter().map(partition_of).collect();
            lane.flush(self.next_batch_id, limits);
            self.next_batch_id = self.next_batch_id.next();
        }
    }

    /// Settles the finished batches that came back, and sends the rest of abandoned ones.
    pub fn take_returned(&mut self, now: Instant) {
        while let Ok(returned) = self.returned.1.try_recv() {
            match returned {
                ReturnedBatch::Finished(finished) => self.settle_finished(finished, now),
                ReturnedBatch::Abandoned { lane, batch } => self.send_rest(lane, batch),
            }
        }
    }

    fn settle_finished(&mut self, finished: FinishedBatch, now: Instant) {
        let kept_out = finished.batch.first_kept_out(&finished.delivered.kept_out);
        for &assignment in
            finished.batch.assignments.iter().filter(|assignment| !kept_out.contains_key(assignment))
        {
            self.handler.tracker.settle(assignment, finished.batch.batch_id);
        }
        let Some(lane) = self.lanes.get_mut(finished.lane) else { return };
        self.handler.batch_finished(&finished, &lane.destination, now);
        lane.take_back(finished, &self.settings.limits, &self.settings.budget, now);
    }
}
