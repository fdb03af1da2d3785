//! The data thread: takes records from the lanes' queues, maps them into open batches, hands full ones to the writer
//! and settles what comes back.

mod lane;
mod report;
mod routes;
mod stage;

pub use routes::Routing;

use crate::admin::{Counters, Pulse};
use crate::batch::{Budget, Limits};
use crate::commit::{NextOffset, Tenure, Ticket};
use crate::influx::Writer;
use crate::kafka::{GroupConsumer, GroupEvent, Queue, REVOKE_DRAIN_MAX, TopicPartition, offsets_of};
use crate::map::RecordLimits;
use crate::stop::Stop;
use lane::{Done, Lane};
use rdkafka::consumer::Consumer;
use routes::{Route, Routes};
use stage::Stage;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Records taken at once: enough to make the call cheap, few enough that little is pinned while a lane has no room.
const RECORDS_PER_TURN: usize = 256;
/// How often settled offsets are stored, for librdkafka to commit.
const STORE_EVERY: Duration = Duration::from_millis(500);
/// The longest sleep. Queues and lanes wake the thread; this bounds what a lost wake-up costs.
const SLEEP_MAX: Duration = Duration::from_millis(50);

/// What all data threads share.
#[derive(Clone)]
pub struct Shared {
    pub routing: Arc<Routing>,
    pub limits: Limits,
    pub budget: Budget,
    pub record_limits: RecordLimits,
    pub writer: Arc<Writer>,
    pub runtime: tokio::runtime::Handle,
    pub counters: Arc<Counters>,
    pub stop: Stop,
}

/// One consumer's data thread.
pub struct Feed {
    shared: Shared,
    consumer: Arc<GroupConsumer>,
    events: Receiver<GroupEvent>,
    lanes: Vec<Lane>,
    done: (Sender<Done>, Receiver<Done>),
    next_ticket: Ticket,
    /// Revokes that wait for their partitions to be settled.
    drains: Vec<Drain>,
    next_store: Instant,
    pulse: Arc<Pulse>,
    /// Partitions held, as the counters know it.
    held: u64,
    stage: Stage,
}

struct Drain {
    partitions: Vec<(TopicPartition, Tenure)>,
    until: Instant,
    reply: Sender<Vec<(TopicPartition, NextOffset)>>,
}

impl Feed {
    pub fn new(
        shared: Shared,
        consumer: Arc<GroupConsumer>,
        events: Receiver<GroupEvent>,
        pulse: Arc<Pulse>,
    ) -> Self {
        let routes = Routes::new(Arc::clone(&shared.routing), shared.record_limits);
        let stage = Stage::new(routes, Arc::clone(&shared.counters));
        Self {
            shared,
            consumer,
            events,
            lanes: Vec::new(),
            done: channel(),
            next_ticket: Ticket::first(),
            drains: Vec::new(),
            next_store: Instant::now(),
            pulse,
            held: 0,
            stage,
        }
    }

    /// Runs until a stop was asked for and everything open is settled.
    pub fn run(mut self) {
        loop {
            let now = Instant::now();
            self.pulse.beat(now);
            let finishing = self.shared.stop.is_finishing();
            let all_read = || self.lanes.iter().all(|lane| lane.taken.is_empty());
            let stopping = self.shared.stop.is_asked() || (finishing && all_read());
            self.handle_events(now);
            self.settle_done();
            let mut busy = false;
            for lane in 0..self.lanes.len() {
                busy |= !stopping && self.serve(lane, now, finishing);
                self.flush_if_due(lane, now, stopping);
            }
            self.stage.tally.flush(&self.shared.counters);
            self.finish_drains(now);
            self.store_offsets(now, stopping);
            if stopping && self.is_finished(now) {
                return;
            }
            if !busy {
                thread::park_timeout(self.sleep(now));
            }
        }
    }

    /// Whether nothing is left to write, or the time for it is over.
    fn is_finished(&self, now: Instant) -> bool {
        if self.lanes.iter().all(Lane::is_idle) {
            return true;
        }
        let is_over = self.shared.stop.is_over(now);
        if is_over {
            warn!(
                "stopping before everything was stored: what was not committed is read again at the next start"
            );
        }
        is_over
    }

    /// Reads from a lane's queue until its batch is full or the turn is over, or only what was taken from it before.
    /// Returns whether there may be more.
    fn serve(&mut self, lane: usize, now: Instant, only_taken: bool) -> bool {
        let Some(lane) = self.lanes.get_mut(lane) else { return false };
        let headers = self.shared.routing.wants_headers();
        if !lane.has_room(&self.shared.limits, &self.shared.budget) {
            return false;
        }
        let has_some = if only_taken { !lane.taken.is_empty() } else { lane.taken.fill(RECORDS_PER_TURN) };
        if !has_some {
            return false;
        }
        // Handles of topics are comparable only while their records are held.
        self.stage.routes.forget_last();
        while lane.has_room(&self.shared.limits, &self.shared.budget) {
            let (taken, open, stage) = (&mut lane.taken, &mut lane.open, &mut self.stage);
            if taken.next(headers, |delivery| stage.take(delivery, open, now)).is_none() {
                break;
            }
        }
        lane.open.account();
        self.read_failed_again();
        true
    }

    /// librdkafka takes an error for a record that was read, and would go on behind it after the next rebalance.
    fn read_failed_again(&mut self) {
        let failed = std::mem::take(&mut self.stage.failed);
        if failed.is_empty() {
            return;
        }
        if let Err(error) = self.consumer.seek_partitions(offsets_of(&failed), Duration::ZERO) {
            warn!(%error, "reading can't go back to where it failed");
        }
    }

    fn flush_if_due(&mut self, lane: usize, now: Instant, stopping: bool) {
        let draining = !self.drains.is_empty();
        let Some(lane) = self.lanes.get_mut(lane) else { return };
        let limits = &self.shared.limits;
        let due = lane.open.due(limits).is_some_and(|due| due <= now || stopping || draining);
        if (due || lane.open.is_full(limits) || !self.shared.budget.has_room())
            && lane.flush(self.next_ticket)
        {
            self.next_ticket = self.next_ticket.next();
        }
    }

    /// Takes back the batches that were delivered: all their lines are stored or refused.
    fn settle_done(&mut self) {
        while let Ok(done) = self.done.1.try_recv() {
            for &tenure in &done.batch.tenures {
                self.stage.tracker.settle(tenure, done.batch.ticket);
            }
            let Some(lane) = self.lanes.get_mut(done.lane) else { continue };
            let routes = &self.stage.routes;
            self.stage.reporter.delivered(&done, &lane.destination, |tenure| routes.place_of(tenure));
            // Memory that is kept for the next batch counts too: where it is scarce, it goes to those who write.
            let kept = if self.shared.budget.has_room() { self.shared.limits.bytes_max } else { 0 };
            lane.take_back(done.into_batch(), kept);
        }
    }

    fn handle_events(&mut self, now: Instant) {
        while let Ok(event) = self.events.try_recv() {
            Counters::add(&self.shared.counters.rebalances, 1);
            match event {
                GroupEvent::Assigned { partitions, reply } => {
                    let queues = partitions.into_iter().map(|at| self.assign(at)).collect();
                    // Nobody waits any more: the control thread gave up, and said so.
                    let _nobody = reply.send(queues);
                }
                GroupEvent::Revoked { partitions, reply } => {
                    let partitions = self.revoke(partitions);
                    self.drains.push(Drain { partitions, until: now + REVOKE_DRAIN_MAX, reply });
                }
            }
            let held = self.stage.routes.partitions() as u64;
            self.shared.counters.hold_partitions(std::mem::replace(&mut self.held, held), held);
        }
    }

    /// Begins a tenure; returns the queue of the partition's lane.
    fn assign(&mut self, at: TopicPartition) -> Arc<Queue> {
        let tenure = self.stage.tracker.assign();
        let route = self.stage.routes.add(at, tenure);
        let existing = self.lanes.iter().position(|lane| lane.place == route.lane);
        let lane = existing.unwrap_or_else(|| self.open_lane(route));
        self.lanes.get(lane).map_or_else(|| self.new_queue(), |lane| Arc::clone(lane.taken.queue()))
    }

    fn open_lane(&mut self, route: Route) -> usize {
        let number = self.lanes.len();
        let destination = Arc::clone(self.shared.routing.destination(route.lane.destination));
        let lane = Lane::open(
            number,
            route.lane,
            destination,
            self.new_queue(),
            &self.shared,
            self.next_ticket,
            &self.done.0,
        );
        self.next_ticket = self.next_ticket.next();
        self.lanes.push(lane);
        number
    }

    fn new_queue(&self) -> Arc<Queue> {
        Arc::new(Queue::new(Arc::clone(&self.consumer), thread::current()))
    }

    /// Stops routing the partitions. What of them was taken and not read is released: their next owner reads it.
    fn revoke(&mut self, partitions: Vec<TopicPartition>) -> Vec<(TopicPartition, Tenure)> {
        let revoked =
            partitions.into_iter().filter_map(|at| self.stage.routes.remove(&at).map(|tenure| (at, tenure)));
        let revoked: Vec<_> = revoked.collect();
        for lane in &mut self.lanes {
            lane.taken.release(|topic, partition| {
                revoked.iter().any(|(at, _)| at.partition == partition && at.topic == topic)
            });
        }
        revoked
    }

    /// Acknowledges revokes whose partitions are settled, whose lanes hold, or whose time is up.
    fn finish_drains(&mut self, now: Instant) {
        let (tracker, routes, lanes) = (&mut self.stage.tracker, &mut self.stage.routes, &self.lanes);
        let writer = &self.shared.writer;
        self.drains.retain(|drain| {
            let open = |tenure: &Tenure| {
                !tracker.is_settled(*tenure)
                    && !lanes.iter().any(|lane| lane.carries(*tenure) && lane.holds(writer))
            };
            if now < drain.until && drain.partitions.iter().any(|(_, tenure)| open(tenure)) {
                return true;
            }
            let abandoned =
                drain.partitions.iter().filter(|(_, tenure)| !tracker.is_settled(*tenure)).count();
            if abandoned > 0 {
                warn!(
                    partitions = abandoned,
                    "revoked before everything was stored: the next owner writes the rest again"
                );
            }
            let settled = drain.partitions.iter().filter_map(|(at, tenure)| {
                routes.forget(*tenure);
                Some((at.clone(), tracker.revoke(*tenure)?))
            });
            let _nobody = drain.reply.send(settled.collect());
            false
        });
    }

    /// Hands the settled prefixes to librdkafka, which commits them.
    fn store_offsets(&mut self, now: Instant, at_once: bool) {
        if now < self.next_store && !at_once {
            return;
        }
        self.next_store = now + STORE_EVERY;
        let (mut settled, mut back) = (Vec::new(), Vec::new());
        let routes = &self.stage.routes;
        self.stage.tracker.take_changed(|tenure, next, went_back| {
            let place = || routes.place_of(tenure).cloned().zip(Some(next));
            settled.extend(place());
            back.extend(place().filter(|_| went_back));
        });
        if settled.is_empty() {
            return;
        }
        self.consumer.context().apart.ask(back);
        if let Err(error) = self.consumer.store_offsets(&offsets_of(&settled)) {
            // A partition that is being revoked: its revoke commits it.
            debug!(%error, "offsets were not stored");
        }
    }

    fn sleep(&self, now: Instant) -> Duration {
        let limits = &self.shared.limits;
        let due =
            self.lanes.iter().filter(|lane| lane.can_flush()).filter_map(|lane| lane.open.due(limits)).min();
        due.map_or(SLEEP_MAX, |due| due.saturating_duration_since(now).min(SLEEP_MAX))
    }
}
