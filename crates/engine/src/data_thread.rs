//! The data thread: takes records from the lanes' queues, maps them into open batches, hands full ones to the writer
//! and settles what comes back.
//!
//! ```text
//! DataThread (thread, group events) -> Dispatcher: Stage (record to lines) -> Lane (open batch) -> Outlet (write) -> Done -> settle
//! ```

mod reload;
mod resume;

pub use reload::{Reload, Request, Switched};

use crate::batch::{Budget, Limits};
use crate::commit::Unsettled;
use crate::dispatcher::{Dispatcher, Reading, Setting, Settled};
use crate::lane_tasks::WritingLanes;
use crate::telemetry::{Counters, Heartbeat, UnsettledTimesWriter};
use crate::{LetterContext, ProbeDelays, Routing};
use ::mapping::RecordLimits;
use base::stop::Stop;
use influx::Writer;
use kafka::{
    FetchedRecords, GroupConsumer, GroupContext, GroupEvent, Queue, Queues, REVOKE_DRAIN_MAX, offsets_of,
};
use rdkafka::consumer::Consumer;
use reload::{Forwarding, Waiting, list_of, parts_of};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// How often settled offsets are stored, for librdkafka to commit.
const STORE_EVERY: Duration = Duration::from_millis(500);
/// A thousand partitions take some 50 us.
const TELL_TIMES_EVERY: Duration = Duration::from_secs(1);
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
    /// None: no dead letter is configured.
    pub letters: Option<Arc<LetterContext>>,
    pub runtime: tokio::runtime::Handle,
    pub counters: Arc<Counters>,
    pub stop: Stop,
    /// Of the lanes' jitter.
    pub seed: u64,
    /// When topics that the server blocks are tried again.
    pub probes: ProbeDelays,
}

/// One consumer's data thread.
pub struct DataThread {
    dispatcher: Dispatcher<FetchedRecords<GroupContext>, WritingLanes>,
    consumer: Arc<GroupConsumer>,
    events: Receiver<GroupEvent>,
    counters: Arc<Counters>,
    stop: Stop,
    next_store: Instant,
    heartbeat: Arc<Heartbeat>,
    /// Partitions held, as the counters know it.
    held: u64,
    times: UnsettledTimesWriter,
    next_times: Instant,
    requests: Receiver<Request>,
    /// The one that is under way.
    waiting: Option<Waiting>,
    next_resuming: Instant,
    forwarding: Forwarding,
}

impl DataThread {
    pub fn new(
        shared: Shared,
        consumer: Arc<GroupConsumer>,
        events: Receiver<GroupEvent>,
        requests: Receiver<Request>,
        heartbeat: Arc<Heartbeat>,
    ) -> Self {
        let Shared { counters, stop, .. } = &shared;
        let (counters, stop) = (Arc::clone(counters), stop.clone());
        let times = counters.unsettled_times.pen();
        let (setting, outlet) = parts_of(shared);
        Self {
            dispatcher: Dispatcher::new(setting, outlet),
            consumer,
            events,
            counters,
            stop,
            next_store: Instant::now(),
            heartbeat,
            held: 0,
            times,
            next_times: Instant::now(),
            requests,
            waiting: None,
            next_resuming: Instant::now(),
            forwarding: Forwarding::default(),
        }
    }

    /// Runs until a stop was asked for and everything open is settled.
    pub fn run(mut self) {
        loop {
            let now = Instant::now();
            self.heartbeat.record(now);
            self.handle_events(now);
            self.reload(now);
            let reading = self.reading();
            let stopping = reading == Reading::Off;
            let busy = self.dispatcher.turn(now, reading);
            self.read_failed_again();
            self.store_offsets(now, stopping);
            self.resume_topics(now, reading);
            self.tell_times(now);
            if stopping && self.is_finished(now) {
                self.dispatcher.summarize_all();
                return;
            }
            if !busy {
                let due = self.dispatcher.due().map_or(SLEEP_MAX, |due| due.saturating_duration_since(now));
                thread::park_timeout(due.min(SLEEP_MAX));
            }
        }
    }

    /// Whether nothing is left to write, or the time for it is over.
    fn is_finished(&self, now: Instant) -> bool {
        if self.dispatcher.is_idle() {
            return true;
        }
        let is_over = self.stop.is_over(now);
        if is_over {
            warn!(
                "stopping before everything was stored: what was not committed is read again at the next start"
            );
        }
        is_over
    }

    /// What may be read now. A run until the end still reads what was fetched when the last end was seen.
    fn reading(&self) -> Reading {
        if self.stop.is_asked() {
            return Reading::Off;
        }
        match (self.stop.is_finishing(), self.dispatcher.has_fetched()) {
            (false, _) if self.waiting.is_some() => Reading::FetchedRecords,
            (false, _) => Reading::On,
            (true, true) => Reading::FetchedRecords,
            (true, false) => Reading::Off,
        }
    }

    /// librdkafka takes an error for a record that was read, and would go on behind it after the next rebalance.
    fn read_failed_again(&mut self) {
        for (topic, text) in self.dispatcher.take_denied() {
            self.consumer.context().alarms().fetch_denied(&topic, &text, Instant::now());
        }
        let failed = self.dispatcher.take_failed();
        if failed.is_empty() {
            return;
        }
        if let Err(error) = self.consumer.seek_partitions(offsets_of(&failed), Duration::ZERO) {
            warn!(%error, "reading can't go back to where it failed");
        }
    }

    fn handle_events(&mut self, now: Instant) {
        while let Ok(event) = self.events.try_recv() {
            Counters::add(&self.counters.rebalances, 1);
            match event {
                GroupEvent::Assigned { partitions, reply } => {
                    let consumer = &self.consumer;
                    let make =
                        || FetchedRecords::new(Arc::new(Queue::new(Arc::clone(consumer), thread::current())));
                    let queues = partitions
                        .into_iter()
                        .filter_map(|at| Some(Arc::clone(self.dispatcher.assign(at, make)?.queue())))
                        .collect();
                    let acknowledge = self.forwarding.begin();
                    // Nobody waits any more: the control thread gave up, and said so.
                    let _nobody = reply.send(Queues { queues, acknowledge });
                }
                GroupEvent::Revoked { partitions, reply } => {
                    let acknowledge = Box::new(move |settled| {
                        let _nobody = reply.send(settled);
                    });
                    self.dispatcher.revoke(partitions, now + REVOKE_DRAIN_MAX, acknowledge);
                }
            }
            let held = self.dispatcher.partitions() as u64;
            self.counters.hold_partitions(std::mem::replace(&mut self.held, held), held);
        }
    }

    /// Keeps librdkafka from fetching what is only left unsettled. Pausing drops what was fetched, so it is for this alone; doing it
    /// again changes nothing, and covers partitions that were assigned since.
    fn pause_blocked_topics(&self) {
        let list = list_of(self.dispatcher.blocked_partitions().iter());
        if list.count() > 0
            && let Err(error) = self.consumer.pause(&list)
        {
            debug!(%error, "a blocked topic could not be paused");
        }
    }

    /// Tells `/metrics` how old the open records are.
    fn tell_times(&mut self, now: Instant) {
        if now >= self.next_times {
            self.next_times = now + TELL_TIMES_EVERY;
            self.times.write(self.dispatcher.times());
        }
    }

    /// Hands the settled prefixes to librdkafka, which commits them.
    fn store_offsets(&mut self, now: Instant, at_once: bool) {
        if now < self.next_store && !at_once {
            return;
        }
        self.next_store = now + STORE_EVERY;
        self.pause_blocked_topics();
        let Settled { settled, back } = self.dispatcher.take_settled();
        if settled.is_empty() {
            return;
        }
        self.consumer.context().explicit_commits.request(back);
        if let Err(error) = self.consumer.store_offsets(&offsets_of(&settled)) {
            // A partition that is being revoked: its revoke commits it.
            debug!(%error, "offsets were not stored");
        }
    }
}
