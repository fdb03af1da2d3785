//! One consumer: a control thread that polls the group, and the data thread that it starts and outlives.

use crate::data_thread::{DataThread, DataThreadRequest, EngineContext};
use crate::dispatcher::{BlockedTopic, UncommittedAtEnd};
use crate::telemetry::summary::Summary;
use crate::telemetry::{Counters, ExpiryWatch, Heartbeat, Heartbeats, LagReporter, Lags, partitions};
use crate::topic_gate::blocked_topic;
use base::stop::Stop;
use kafka::OffsetReset;
use kafka::{Member, MemberError, OutOfRangePartition, PendingWork, UntilEnd};
use rdkafka::consumer::Consumer as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use thiserror::Error;
use tracing::{info, warn};

/// After this long without a record, the reason is logged.
const IDLE_AFTER: Duration = Duration::from_secs(10);
/// A data thread never waits; after this long without a turn it is stuck.
const DATA_SILENCE_MAX: Duration = Duration::from_secs(30);
/// A control thread waits up to a minute for a topic listing, and as long for a commit at a revocation.
const CONTROL_SILENCE_MAX: Duration = Duration::from_mins(3);
/// Time for the final commits at a stop, within the two seconds that the pipeline reserves for committing and leaving.
const LAST_COMMIT_MAX: Duration = Duration::from_millis(1_500);
/// Time for the final commits of a run until the end.
const FINAL_COMMIT_MAX: Duration = Duration::from_secs(30);
/// Drain time of the running consumers when another one can't start: their records are read again at the next start.
const FAILED_START_DRAIN_MAX: Duration = Duration::ZERO;
/// Drain time after a failure of Kafka.
const FAILED_DRAIN_MAX: Duration = Duration::from_secs(5);

/// The remedy where a thread can't be started.
pub const THREADS_REMEDY: &str = "raise the limit of threads (`ulimit -u`, `TasksMax` of systemd, the pids limit of a container), and start the bridge again";

/// Why a consumer can't start, or ended by itself.
#[derive(Debug, Error)]
pub enum ConsumerError {
    #[error("threads can't be started: {0}; {remedy}", remedy = THREADS_REMEDY)]
    Threads(#[from] io::Error),
    #[error(transparent)]
    Member(#[from] MemberError),
    #[error(
        "the end was not reached: the topic {topic} is blocked ({cause}: {why}). Its records from the committed offset on are read again by \
         the next run"
    )]
    Blocked { topic: String, cause: &'static str, why: String },
    #[error("a consumer's thread ended unexpectedly: this is a bug, please report it with the log")]
    Thread,
}

/// A running consumer.
pub struct RunningConsumer {
    /// Its control thread.
    pub thread: JoinHandle<Result<(), ConsumerError>>,
    /// Sends requests to its data thread.
    pub requests: Sender<DataThreadRequest>,
}

/// Starts `count` consumers. If one can't start, stops the running ones, and with them everything else that obeys `stop`: otherwise
/// nothing could end them.
pub fn start_all(
    count: usize,
    start: impl FnMut(usize) -> Result<RunningConsumer, ConsumerError>,
    stop: &Stop,
) -> Result<Vec<RunningConsumer>, ConsumerError> {
    let mut running = Vec::with_capacity(count);
    for started in (0..count).map(start) {
        match started {
            Ok(one) => running.push(one),
            Err(error) => {
                stop.request(FAILED_START_DRAIN_MAX);
                for RunningConsumer { thread, .. } in running {
                    // The reason why this consumer did not start matters more than how the others ended.
                    let _result = thread.join();
                }
                return Err(error);
            }
        }
    }
    Ok(running)
}

/// All consumers of this process.
pub struct Consumers {
    context: EngineContext,
    heartbeats: Arc<Heartbeats>,
    lags: Arc<Lags>,
    ends: Arc<Ends>,
    until_end: Option<Arc<UntilEnd>>,
}

impl Consumers {
    /// With `until_end`, the consumers stop by themselves at the end of their partitions.
    pub fn new(
        count: usize,
        context: EngineContext,
        heartbeats: Arc<Heartbeats>,
        lags: Arc<Lags>,
        until_end: bool,
    ) -> Self {
        let ends = Ends { written: AtomicUsize::new(0), committed: AtomicUsize::new(0), consumers: count };
        let until_end = until_end.then(|| Arc::new(UntilEnd::new(count)));
        Self { context, heartbeats, lags, ends: Arc::new(ends), until_end }
    }

    /// Starts a consumer. Its thread ends after a stop request, or with the error that stops it.
    pub fn start(&self, kafka: &kafka::Settings, number: usize) -> Result<RunningConsumer, ConsumerError> {
        let data_heartbeat = self.heartbeats.register(format!("data-{number}"), DATA_SILENCE_MAX);
        let monitor = self.monitor(kafka, number);
        let alarms = Arc::clone(self.context.writer.alarm_registry());
        let lanes = self.context.routing.lanes_per_consumer();
        let (mut member, events) = Member::new(kafka, number, lanes, self.until_end.clone(), alarms)?;
        // Subscribing may fail, so it comes before the threads start. Nothing is assigned before the first poll.
        member.subscribe()?;
        // Different seeds spread the retries of the consumers.
        let context =
            EngineContext { seed: self.context.seed.wrapping_add(number as u64), ..self.context.clone() };
        let (requests, receiver) = channel();
        let data_thread =
            DataThread::new(context, Arc::clone(member.consumer()), events, receiver, data_heartbeat);
        let data = thread::Builder::new().name(format!("data-{number}")).spawn(move || data_thread.run())?;
        member.consumer().context().set_data_thread(data.thread().clone());
        let (context, ends) = (self.context.clone(), Arc::clone(&self.ends));
        let control = move || run_control_thread(member, data, &context, &ends, monitor);
        let thread = thread::Builder::new().name(format!("control-{number}")).spawn(control)?;
        Ok(RunningConsumer { thread, requests })
    }

    /// The reports of a control thread.
    fn monitor(&self, kafka: &kafka::Settings, number: usize) -> Monitor {
        let from_start = kafka.offset_reset == OffsetReset::Earliest;
        let lags = || Arc::clone(&self.lags);
        let summary = || {
            let context = &self.context;
            Summary::new(Arc::clone(&context.counters), Arc::clone(&context.writer), lags())
        };
        Monitor {
            heartbeat: self.heartbeats.register(format!("control-{number}"), CONTROL_SILENCE_MAX),
            lags: LagReporter::new(lags(), number, from_start),
            summary: (number == 0).then(summary),
            expiry: (number == 0).then(|| (ExpiryWatch::new(Instant::now()), lags())),
            idle: Idle::new(),
            until_end: self.until_end.clone(),
        }
    }
}

/// Controls a consumer until it stops, then commits its offsets and leaves the group.
fn run_control_thread(
    mut member: Member,
    data: JoinHandle<UncommittedAtEnd>,
    context: &EngineContext,
    ends: &Ends,
    mut monitor: Monitor,
) -> Result<(), ConsumerError> {
    let mut result = control(&mut member, &data, context, &mut monitor);
    if result.is_err() || !context.stop.is_finishing() {
        // The other consumers end too.
        context.stop.request(FAILED_DRAIN_MAX);
    }
    data.thread().unpark();
    poll_while(&mut member, || !data.is_finished());
    let left = data.join().map_err(|_| ConsumerError::Thread);
    if result.is_err() || left.is_err() {
        context.stop.request(FAILED_DRAIN_MAX);
    }
    // The other consumers still reach their ends, so a blocked topic does not stop them.
    result = result.and(left.and_then(|left| at_end(left, context)));
    if matches!(result, Err(ConsumerError::Member(MemberError::CoordinatorMoved(_)))) {
        ends.skip();
        member.abandon();
    } else {
        result = ends.commit(&mut member, &context.stop, result);
        member.leave();
    }
    result
}

/// Polls the group while `condition` is true.
fn poll_while(member: &mut Member, condition: impl Fn() -> bool) {
    while condition() {
        if member.poll().is_err() {
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Counts the consumers that have reached their end. A leaving consumer starts a rebalance, during which the others could not commit.
/// So all commit first.
#[derive(Debug)]
struct Ends {
    written: AtomicUsize,
    committed: AtomicUsize,
    /// Number of all consumers.
    consumers: usize,
}

impl Ends {
    /// Counts a consumer that can't commit because it reaches no coordinator, so that the others need not wait for it.
    fn skip(&self) {
        self.written.fetch_add(1, Ordering::Relaxed);
        self.committed.fetch_add(1, Ordering::Relaxed);
    }

    /// Commits the settled offsets of a consumer, and waits for the commits of the others.
    fn commit(
        &self,
        member: &mut Member,
        stop: &Stop,
        result: Result<(), ConsumerError>,
    ) -> Result<(), ConsumerError> {
        self.written.fetch_add(1, Ordering::Relaxed);
        let all_in_time = stop.is_finishing();
        if all_in_time {
            poll_while(member, || {
                self.written.load(Ordering::Relaxed) < self.consumers && !stop.is_requested()
            });
        }
        let until = Instant::now() + if all_in_time { FINAL_COMMIT_MAX } else { LAST_COMMIT_MAX };
        let committed = member.commit(until);
        self.committed.fetch_add(1, Ordering::Relaxed);
        while self.committed.load(Ordering::Relaxed) < self.consumers && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        match committed {
            // A run until the end promises that everything is committed.
            Err(error) if all_in_time => result.and(Err(error.into())),
            Err(error) => {
                warn!("{error}");
                result
            }
            Ok(()) => result,
        }
    }
}

/// Polls the group and reports on its consumer until a stop is requested.
fn control(
    member: &mut Member,
    data: &JoinHandle<UncommittedAtEnd>,
    context: &EngineContext,
    monitor: &mut Monitor,
) -> Result<(), ConsumerError> {
    while !context.stop.is_requested() && !data.is_finished() {
        member.poll()?;
        monitor.heartbeat.record(Instant::now());
        monitor.lags.report(member.statistics(), member.retentions());
        // In this order: a topic that resumes between the two questions is seen as blocked, or its partitions as not read to the end.
        if let Some(until_end) = &monitor.until_end
            && !context.stop.is_finishing()
            && !is_a_topic_blocked(context)
            && until_end.is_over(Instant::now())
        {
            info!("read to the end: writing what is open");
            context.stop.finish();
        }
        if let Some(summary) = &mut monitor.summary {
            summary.log_if_due();
        }
        if let Some((expiry, lags)) = &mut monitor.expiry {
            expiry.check(Instant::now(), || partitions(lags, &context.counters));
        }
        let resumed = member.take_resumed();
        OutOfRangePartition::log(&resumed);
        Counters::add(&context.counters.skipped, resumed.iter().map(OutOfRangePartition::skipped).sum());
        // An active alarm says more, and is repeated.
        let lags = monitor.lags.all();
        let why_idle = || if member.has_alarm() { None } else { member.why_idle(waiting(context, lags)) };
        if let Some(why) =
            monitor.idle.check(Instant::now(), Counters::get(&context.counters.records), why_idle)
        {
            info!("no records for {} s: {why}", IDLE_AFTER.as_secs());
        }
    }
    Ok(())
}

/// Evaluates what is left unsettled at the end of a run until the end. The last batches may have blocked a topic since the end was seen.
fn at_end(
    UncommittedAtEnd { undecided, blocked }: UncommittedAtEnd,
    context: &EngineContext,
) -> Result<(), ConsumerError> {
    if !context.stop.is_finishing() || context.stop.is_requested() {
        return Ok(());
    }
    Counters::add(&context.counters.left_undecided, undecided);
    match blocked {
        Some(BlockedTopic { topic, cause, why }) => Err(ConsumerError::Blocked { topic, cause, why }),
        None => Ok(()),
    }
}

/// Whether a topic is blocked: then fetched records are unsettled, and a run until the end has not reached the end.
fn is_a_topic_blocked(context: &EngineContext) -> bool {
    // A wait for a schema may be too short for an alarm.
    let waits = context.routing.schemas().is_some_and(|schemas| schemas.waiting_topics() > 0);
    waits || context.writer.alarms().iter().any(|alarm| blocked_topic(alarm).is_some())
}

/// Reason why the bridge itself waits.
fn waiting(context: &EngineContext, lags: &Lags) -> PendingWork {
    let (counters, writer) = (&context.counters, context.writer.counters());
    let has_alarm = !context.writer.alarms().is_empty();
    let settled = Counters::get(&writer.lines_stored) + Counters::get(&writer.lines_refused);
    let times = &counters.unsettled_timestamps;
    PendingWork {
        stops_reading: has_alarm || Counters::get(&counters.lines) > settled,
        has_unsettled: has_alarm || lags.unsettled(times).unwrap_or(0) > 0,
        undecided: times.undecided(),
    }
}

/// Reports of a control thread on its consumer.
struct Monitor {
    heartbeat: Arc<Heartbeat>,
    lags: LagReporter,
    /// Only the first consumer logs the summary of all.
    summary: Option<Summary>,
    /// Only the first consumer warns of records that Kafka deletes soon.
    expiry: Option<(ExpiryWatch, Arc<Lags>)>,
    idle: Idle,
    until_end: Option<Arc<UntilEnd>>,
}

/// Finds the reason why no records arrive, once per reason.
struct Idle {
    records: u64,
    since: Instant,
    /// Whether the reason was determined since the last record.
    is_checked: bool,
    last_reason: String,
}

impl Idle {
    fn new() -> Self {
        Self { records: 0, since: Instant::now(), is_checked: false, last_reason: String::new() }
    }

    /// Returns a reason that has to be logged. `why` returns none while an alarm explains the silence.
    fn check(&mut self, now: Instant, records: u64, why: impl FnOnce() -> Option<String>) -> Option<String> {
        if records != self.records {
            (self.records, self.since, self.is_checked) = (records, now, false);
        }
        if self.is_checked || now.saturating_duration_since(self.since) < IDLE_AFTER {
            return None;
        }
        let Some(why) = why() else {
            // Check again after the same time.
            self.since = now;
            return None;
        };
        self.is_checked = true;
        if why == self.last_reason {
            return None;
        }
        self.last_reason.clone_from(&why);
        Some(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::RecvTimeoutError;

    #[test]
    fn stops_running_consumers_when_another_one_cannot_start() {
        let stop = Stop::default();
        let (alive, ended) = channel::<()>();
        let start = |number| {
            if number == 2 {
                return Err(ConsumerError::Threads(io::Error::other("no more threads")));
            }
            let (stop, alive) = (stop.clone(), alive.clone());
            let thread = thread::spawn(move || {
                let _alive = alive;
                while !stop.is_requested() {
                    thread::sleep(Duration::from_millis(1));
                }
                Ok(())
            });
            Ok(RunningConsumer { thread, requests: channel().0 })
        };
        let Err(error) = start_all(4, start, &stop) else { panic!("the third can't start") };
        assert!(error.to_string().contains("no more threads"), "{error}");
        drop(alive);
        assert_eq!(
            ended.recv_timeout(Duration::ZERO),
            Err(RecvTimeoutError::Disconnected),
            "a thread is still running"
        );
    }

    #[test]
    fn reports_each_idle_reason_once_and_none_while_an_alarm_explains_it() {
        let (mut idle, begin) = (Idle::new(), Instant::now());
        let mut f = |seconds: u64, records: u64, why: Option<&str>, want: Option<&str>| {
            let reason = idle.check(begin + Duration::from_secs(seconds), records, || why.map(str::to_owned));
            assert_eq!(reason.as_deref(), want, "after {seconds} s");
        };
        f(9, 0, Some("no topic"), None);
        f(11, 0, Some("no topic"), Some("no topic"));
        f(30, 0, Some("other"), None);
        // Records arrive, then InfluxDB is unreachable.
        f(31, 5, None, None);
        f(42, 5, None, None);
        // InfluxDB is back, and the next records need a moment.
        f(43, 5, Some("look at the brokers"), None);
        f(44, 9, Some("look at the brokers"), None);
        f(54, 9, Some("read to their end"), Some("read to their end"));
        f(60, 10, None, None);
        f(75, 10, Some("read to their end"), None);
    }
}
