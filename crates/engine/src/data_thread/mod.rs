//! The data thread: its event loop drives a [`Dispatcher`] with the clock, group events and requests, and stores settled offsets.
//!
//! ```text
//! DataThread -> Dispatcher: RecordHandler (record to lines) -> Lane (open batch) -> BatchWriter (write) -> FinishedBatch -> settle
//! ```

mod reload;
mod resume;
mod seek;

pub use reload::{DataThreadRequest, Reload, ReloadApplied};

use crate::batch::{BatchLimits, Budget};
use crate::dispatcher::{Dispatcher, DispatcherSettings, ReadMode, SettledOffsets, UncommittedAtEnd};
use crate::lane_dead_letters::DeadLetterContext;
use crate::lane_tasks::WritingLanes;
use crate::offset_tracker::Unsettled;
use crate::pending_seeks::{PendingSeeks, SeekTarget};
use crate::telemetry::{Counters, Heartbeat, UnsettledTimestampsWriter};
use crate::topic_gate::ProbeDelays;
use crate::topic_routing::Routing;
use base::stop::Stop;
use influx::Writer;
use kafka::{
    FetchedRecords, GroupConsumer, GroupContext, GroupEvent, Queue, Queues, REVOKE_DRAIN_MAX, list_of,
    offsets_of,
};
use mapping::RecordLimits;
use rdkafka::consumer::Consumer;
use reload::{Forwarding, PendingReload, parts_of};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Interval of storing settled offsets, which librdkafka commits, and of pausing blocked topics.
const STORE_EVERY: Duration = Duration::from_millis(500);
/// Interval of reporting the timestamps of the oldest unsettled records. A report of a thousand partitions takes some 50 us.
const REPORT_TIMESTAMPS_EVERY: Duration = Duration::from_secs(1);
/// The longest sleep. Queues and lanes wake the thread; this bounds the cost of a lost wake-up.
const SLEEP_MAX: Duration = Duration::from_millis(50);

/// Settings and shared objects of all data threads.
#[derive(Clone)]
pub struct EngineContext {
    pub routing: Arc<Routing>,
    pub limits: BatchLimits,
    pub budget: Budget,
    pub record_limits: RecordLimits,
    pub writer: Arc<Writer>,
    /// None: no dead letter is configured.
    pub dead_letters: Option<Arc<DeadLetterContext>>,
    pub runtime: tokio::runtime::Handle,
    pub counters: Arc<Counters>,
    pub stop: Stop,
    /// Seed of the lanes' retry jitter.
    pub seed: u64,
    /// Delays before a topic that the server blocks is probed.
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
    /// The number of assigned partitions that was counted last.
    assigned: u64,
    unsettled_timestamps: UnsettledTimestampsWriter,
    next_unsettled_timestamps: Instant,
    requests: Receiver<DataThreadRequest>,
    /// The reload under way.
    reload: Option<PendingReload>,
    next_resuming: Instant,
    /// Whether records were reread, so that partitions may be before an end that was seen.
    rereads: bool,
    forwarding: Forwarding,
    pending_seeks: PendingSeeks,
}

impl DataThread {
    pub fn new(
        context: EngineContext,
        consumer: Arc<GroupConsumer>,
        events: Receiver<GroupEvent>,
        requests: Receiver<DataThreadRequest>,
        heartbeat: Arc<Heartbeat>,
    ) -> Self {
        let EngineContext { counters, stop, .. } = &context;
        let (counters, stop) = (Arc::clone(counters), stop.clone());
        let unsettled_timestamps = counters.unsettled_timestamps.writer();
        let (settings, batch_writer) = parts_of(context);
        Self {
            dispatcher: Dispatcher::new(settings, batch_writer),
            consumer,
            events,
            counters,
            stop,
            next_store: Instant::now(),
            heartbeat,
            assigned: 0,
            unsettled_timestamps,
            next_unsettled_timestamps: Instant::now(),
            requests,
            reload: None,
            next_resuming: Instant::now(),
            rereads: false,
            forwarding: Forwarding::default(),
            pending_seeks: PendingSeeks::default(),
        }
    }

    /// Runs until a stop is requested and all open batches are settled. Returns what is left unsettled.
    pub fn run(mut self) -> UncommittedAtEnd {
        loop {
            let now = Instant::now();
            self.heartbeat.record(now);
            self.handle_events(now);
            self.seek_back(now);
            self.handle_requests(now);
            let read_mode = self.read_mode();
            let stopping = read_mode == ReadMode::Nothing;
            let busy = self.dispatcher.turn(now, read_mode);
            self.report_denied(now);
            self.reread_failed(now);
            if stopping || now >= self.next_store {
                self.next_store = now + STORE_EVERY;
                self.pause_blocked_topics();
                self.store_offsets();
            }
            self.resume_topics(now, read_mode);
            self.report_unsettled_timestamps(now);
            if stopping && self.is_finished(now) {
                self.dispatcher.summarize_all(now);
                return self.dispatcher.uncommitted_at_end();
            }
            if !busy {
                let due = self.dispatcher.due().map_or(SLEEP_MAX, |due| due.saturating_duration_since(now));
                thread::park_timeout(due.min(SLEEP_MAX));
            }
        }
    }

    /// Whether no batch is open or in flight, or the time for draining is over.
    fn is_finished(&self, now: Instant) -> bool {
        if self.dispatcher.is_idle() {
            return true;
        }
        let is_over = self.stop.has_expired(now);
        if is_over {
            warn!(
                "stopping before everything was stored: what was not committed is read again at the next start"
            );
        }
        is_over
    }

    /// The mode of the next turn. A run until the end still reads the records that were fetched when the last end was seen. If one of
    /// them waits for its schema or for a seek, it is read again then, and so are all behind it.
    fn read_mode(&self) -> ReadMode {
        if self.stop.is_requested() {
            return ReadMode::Nothing;
        }
        let is_before_end = || self.rereads && !self.consumer.context().is_at_end();
        let is_finishing = self.stop.is_finishing()
            && !self.dispatcher.waits_for_schema()
            && self.pending_seeks.is_empty()
            && !is_before_end();
        match (is_finishing, self.dispatcher.has_fetched()) {
            (false, _) if self.reload.is_some() => ReadMode::FetchedOnly,
            (false, _) => ReadMode::Fetch,
            (true, true) => ReadMode::FetchedOnly,
            (true, false) => ReadMode::Nothing,
        }
    }

    /// Reads records again that could not be fetched. librdkafka counts an error as a record that was read, and would continue behind it
    /// after the next rebalance.
    fn reread_failed(&mut self, now: Instant) {
        let failed = self.dispatcher.take_failed().into_iter();
        self.pending_seeks.add(failed.map(|(at, offset)| (at, SeekTarget::Unsettled(offset))), now);
    }

    fn report_denied(&mut self, now: Instant) {
        for (topic, text) in self.dispatcher.take_denied() {
            self.consumer.context().alarms().fetch_denied(&topic, &text, now);
        }
    }

    fn handle_events(&mut self, now: Instant) {
        while let Ok(event) = self.events.try_recv() {
            match event {
                GroupEvent::Recreated { beginnings } => {
                    let targets =
                        beginnings.into_iter().map(|(at, first)| (at, SeekTarget::Beginning(first)));
                    self.pending_seeks.add(targets, now);
                    // A revocation that follows must not find offsets from before.
                    self.seek_back(now);
                }
                GroupEvent::Assigned { partitions, reply } => {
                    let consumer = &self.consumer;
                    let make =
                        || FetchedRecords::new(Arc::new(Queue::new(Arc::clone(consumer), thread::current())));
                    let queues = partitions
                        .into_iter()
                        .filter_map(|at| Some(Arc::clone(self.dispatcher.assign(at, make)?.queue())))
                        .collect();
                    let acknowledge = self.forwarding.begin();
                    // The control thread gave up waiting, and logged that.
                    let _gave_up = reply.send(Queues { queues, acknowledge });
                    self.count_rebalance();
                }
                GroupEvent::Revoked { partitions, is_lost, reply } => {
                    self.pending_seeks.forget(&partitions);
                    let acknowledge = Box::new(move |settled| {
                        let _gave_up = reply.send(settled);
                    });
                    // Nothing can be committed for lost partitions, and others may write them already.
                    let drain_max = if is_lost { Duration::ZERO } else { REVOKE_DRAIN_MAX };
                    self.dispatcher.revoke(partitions, now + drain_max, acknowledge);
                    self.count_rebalance();
                }
            }
        }
    }

    fn count_rebalance(&mut self) {
        Counters::add(&self.counters.rebalances, 1);
        let assigned = self.dispatcher.assigned().len() as u64;
        self.counters.change_assigned_partitions(std::mem::replace(&mut self.assigned, assigned), assigned);
    }

    /// Pauses the partitions of blocked topics, so that librdkafka does not fetch records that would only be left unsettled. Repeated
    /// calls are harmless, and cover partitions that were assigned since.
    fn pause_blocked_topics(&self) {
        let list = list_of(self.dispatcher.blocked_partitions().iter());
        if list.count() > 0
            && let Err(error) = self.consumer.pause(&list)
        {
            debug!(%error, "a blocked topic could not be paused");
        }
    }

    /// Publishes the timestamps of the oldest unsettled records for `/metrics`.
    fn report_unsettled_timestamps(&mut self, now: Instant) {
        if now >= self.next_unsettled_timestamps {
            self.next_unsettled_timestamps = now + REPORT_TIMESTAMPS_EVERY;
            self.unsettled_timestamps.write(self.dispatcher.times());
        }
    }

    /// Stores the settled offsets in librdkafka, which commits them.
    fn store_offsets(&mut self) {
        let SettledOffsets { offsets, went_back } = self.dispatcher.take_settled();
        if offsets.is_empty() {
            return;
        }
        if let Err(error) = self.consumer.store_offsets(&offsets_of(&offsets)) {
            // A partition is being revoked: its revocation commits the offset.
            debug!(%error, "offsets were not stored");
        }
        // After storing: otherwise the automatic commit could write the larger stored offset again.
        self.consumer.context().explicit_commits.request(went_back);
    }
}
