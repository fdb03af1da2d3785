//! One consumer: a control thread that serves the group, and the data thread that it starts and outlives.

use crate::telemetry::summary::Summary;
use crate::telemetry::{Counters, ExpiryWatch, Heartbeat, Heartbeats, LagReporter, Lags, partitions};
use crate::{DataThread, Request, Shared, blocked_topic};
use base::stop::Stop;
use kafka::OffsetReset;
use kafka::{Member, MemberError, Resumed, UntilEnd};
use rdkafka::consumer::Consumer as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use thiserror::Error;
use tracing::{info, warn};

/// After this long without a record the reason is looked for.
const IDLE_AFTER: Duration = Duration::from_secs(10);
/// A data thread waits for nothing; after this long without a turn it is stuck.
const DATA_SILENCE_MAX: Duration = Duration::from_secs(30);
/// A control thread waits for brokers: for a listing of topics, or for a commit at a revoke, up to a minute each.
const CONTROL_SILENCE_MAX: Duration = Duration::from_mins(3);
/// The part of it that the last commits may take.
const LAST_COMMIT_MAX: Duration = Duration::from_millis(1_500);
/// The same where the process ends because all is done.
const FINAL_COMMIT_MAX: Duration = Duration::from_secs(30);
/// How long consumers that run may write on when another one can't start: what they have read is read again at the next start.
const FAILED_START_DRAIN_MAX: Duration = Duration::ZERO;
/// How long the rest is written after a failure of Kafka's.
const FAILED_DRAIN_MAX: Duration = Duration::from_secs(5);

/// Why a consumer can't start, or ended by itself.
#[derive(Debug, Error)]
pub enum ConsumerError {
    #[error("threads can't be started: {0}")]
    Threads(#[from] io::Error),
    #[error(transparent)]
    Member(#[from] MemberError),
    #[error("a consumer's thread ended unexpectedly: this is a bug, please report it with the log")]
    Thread,
}

/// A consumer that runs.
pub struct Running {
    /// Its control thread.
    pub thread: JoinHandle<Result<(), ConsumerError>>,
    /// To its data thread.
    pub requests: Sender<Request>,
}

/// Starts as many consumers. If one can't start, those that run are stopped, and with them everything that ends with `stop`:
/// otherwise they would go on without anybody who could end them.
pub fn start_all(
    count: usize,
    start: impl FnMut(usize) -> Result<Running, ConsumerError>,
    stop: &Stop,
) -> Result<Vec<Running>, ConsumerError> {
    let mut running = Vec::with_capacity(count);
    for started in (0..count).map(start) {
        match started {
            Ok(one) => running.push(one),
            Err(error) => {
                stop.ask(FAILED_START_DRAIN_MAX);
                for Running { thread, .. } in running {
                    // Why the others ended matters less than why this one did not start.
                    let _its_own = thread.join();
                }
                return Err(error);
            }
        }
    }
    Ok(running)
}

/// All consumers of this process.
pub struct Consumers {
    shared: Shared,
    heartbeats: Arc<Heartbeats>,
    lags: Arc<Lags>,
    ends: Arc<Ends>,
    until_end: Option<Arc<UntilEnd>>,
}

impl Consumers {
    /// All of them end by themselves where `until_end` says so.
    pub fn new(
        all: usize,
        shared: Shared,
        heartbeats: Arc<Heartbeats>,
        lags: Arc<Lags>,
        until_end: bool,
    ) -> Self {
        let ends = Ends { written: AtomicUsize::new(0), committed: AtomicUsize::new(0), all };
        let until_end = until_end.then(|| Arc::new(UntilEnd::new(all)));
        Self { shared, heartbeats, lags, ends: Arc::new(ends), until_end }
    }

    /// Starts one; its thread ends after a stop was asked for, or with the reason why it can't go on.
    pub fn start(&self, kafka: &kafka::Settings, number: usize) -> Result<Running, ConsumerError> {
        let data_pulse = self.heartbeats.of(format!("data-{number}"), DATA_SILENCE_MAX);
        let from_start = kafka.offset_reset == OffsetReset::Earliest;
        let mut watch = Watch {
            heartbeat: self.heartbeats.of(format!("control-{number}"), CONTROL_SILENCE_MAX),
            lags: LagReporter::new(Arc::clone(&self.lags), number, from_start),
            summary: (number == 0).then(|| {
                let shared = &self.shared;
                Summary::new(Arc::clone(&shared.counters), Arc::clone(&shared.writer), Arc::clone(&self.lags))
            }),
            expiry: (number == 0).then(|| (ExpiryWatch::new(Instant::now()), Arc::clone(&self.lags))),
            idle: Idle::new(),
            until_end: self.until_end.clone(),
        };
        let alarms = Arc::clone(self.shared.writer.alarm_registry());
        let lanes = self.shared.routing.lanes();
        let (mut member, events) = Member::new(kafka, number, lanes, self.until_end.clone(), alarms)?;
        // Nothing is assigned before the first poll. What can fail comes before threads are started.
        member.subscribe()?;
        // Members of one process wait apart from each other.
        let shared = Shared { seed: self.shared.seed.wrapping_add(number as u64), ..self.shared.clone() };
        let (requests, receiver) = channel();
        let feed = DataThread::new(shared, Arc::clone(member.consumer()), events, receiver, data_pulse);
        let data = thread::Builder::new().name(format!("data-{number}")).spawn(move || feed.run())?;
        member.consumer().context().set_data_thread(data.thread().clone());
        let (shared, ends) = (self.shared.clone(), Arc::clone(&self.ends));
        let control = move || {
            let mut result = control(&mut member, &data, &shared, &mut watch);
            if result.is_err() || !shared.stop.is_finishing() {
                // Whatever ended it, the others end too.
                shared.stop.ask(FAILED_DRAIN_MAX);
            }
            data.thread().unpark();
            serve_while(&mut member, || !data.is_finished());
            result = result.and(data.join().map_err(|_| ConsumerError::Thread));
            if result.is_err() {
                shared.stop.ask(FAILED_DRAIN_MAX);
            }
            if matches!(result, Err(ConsumerError::Member(MemberError::CoordinatorMoved(_)))) {
                ends.pass();
                member.abandon();
            } else {
                result = ends.commit(&mut member, &shared.stop, result);
                member.leave();
            }
            result
        };
        let thread = thread::Builder::new().name(format!("control-{number}")).spawn(control)?;
        Ok(Running { thread, requests })
    }
}

/// Serves callbacks while something else goes on.
fn serve_while(member: &mut Member, goes_on: impl Fn() -> bool) {
    while goes_on() {
        if member.poll().is_err() {
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// How many consumers have come to their end, of all. Who leaves starts a rebalance, during which the others could not
/// commit: so all commit first.
#[derive(Debug)]
struct Ends {
    written: AtomicUsize,
    committed: AtomicUsize,
    all: usize,
}

impl Ends {
    /// Lets the others end without the commit of a consumer that reaches no coordinator.
    fn pass(&self) {
        self.written.fetch_add(1, Ordering::Relaxed);
        self.committed.fetch_add(1, Ordering::Relaxed);
    }

    /// Commits what a consumer has written, and waits for the others.
    fn commit(
        &self,
        member: &mut Member,
        stop: &Stop,
        result: Result<(), ConsumerError>,
    ) -> Result<(), ConsumerError> {
        self.written.fetch_add(1, Ordering::Relaxed);
        let all_in_time = stop.is_finishing();
        if all_in_time {
            serve_while(member, || self.written.load(Ordering::Relaxed) < self.all && !stop.is_asked());
        }
        let until = Instant::now() + if all_in_time { FINAL_COMMIT_MAX } else { LAST_COMMIT_MAX };
        let committed = member.commit(until);
        self.committed.fetch_add(1, Ordering::Relaxed);
        while self.committed.load(Ordering::Relaxed) < self.all && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        match committed {
            // Somebody relies on it that all is done.
            Err(error) if all_in_time => result.and(Err(error.into())),
            Err(error) => {
                warn!("{error}");
                result
            }
            Ok(()) => result,
        }
    }
}

/// Serves the group until a stop is asked for.
fn control(
    member: &mut Member,
    data: &JoinHandle<()>,
    shared: &Shared,
    watch: &mut Watch,
) -> Result<(), ConsumerError> {
    while !shared.stop.is_asked() && !data.is_finished() {
        member.poll()?;
        watch.heartbeat.record(Instant::now());
        watch.lags.report(member.statistics(), member.retentions());
        if watch.until_end.as_ref().is_some_and(|until_end| until_end.is_over(Instant::now()))
            && !shared.stop.is_finishing()
            && !is_a_topic_blocked(shared)
        {
            info!("read to the end: writing what is open");
            shared.stop.finish();
        }
        if let Some(summary) = &mut watch.summary {
            summary.tell_if_due();
        }
        if let Some((expiry, lags)) = &mut watch.expiry {
            expiry.look(Instant::now(), || partitions(lags, &shared.counters));
        }
        let resumed = member.take_resumed();
        Resumed::log(&resumed);
        Counters::add(&shared.counters.skipped, resumed.iter().map(Resumed::skipped).sum());
        // An alarm says more, and repeats it.
        let why_idle =
            || if member.has_alarm() { None } else { member.why_idle(influx_is_waited_for(shared)) };
        if let Some(why) = watch.idle.look(Instant::now(), Counters::get(&shared.counters.records), why_idle)
        {
            info!("no records for {} s: {why}", IDLE_AFTER.as_secs());
        }
    }
    Ok(())
}

/// Whether records that were fetched are left unsettled: then the end was not reached, wherever reading stands.
fn is_a_topic_blocked(shared: &Shared) -> bool {
    shared.writer.alarms().iter().any(|alarm| blocked_topic(alarm).is_some())
}

/// Whether lines can't be stored, which an alarm says, or are on their way: then records are left in Kafka.
fn influx_is_waited_for(shared: &Shared) -> bool {
    let (counters, writer) = (&shared.counters, shared.writer.counters());
    let settled = Counters::get(&writer.lines_stored) + Counters::get(&writer.lines_refused);
    !shared.writer.alarms().is_empty() || Counters::get(&counters.lines) > settled
}

/// What a control thread tells of its consumer.
struct Watch {
    heartbeat: Arc<Heartbeat>,
    lags: LagReporter,
    /// The first consumer's tells of all.
    summary: Option<Summary>,
    /// So it does of records that are deleted soon.
    expiry: Option<(ExpiryWatch, Arc<Lags>)>,
    idle: Idle,
    until_end: Option<Arc<UntilEnd>>,
}

/// Tells why no records come, once for each reason.
struct Idle {
    records: u64,
    since: Instant,
    looked: bool,
    told: String,
}

impl Idle {
    fn new() -> Self {
        Self { records: 0, since: Instant::now(), looked: false, told: String::new() }
    }

    /// The reason, where it has to be told; `why` has none to give while something else explains it.
    fn look(&mut self, now: Instant, records: u64, why: impl FnOnce() -> Option<String>) -> Option<String> {
        if records != self.records {
            (self.records, self.since, self.looked) = (records, now, false);
        }
        if self.looked || now.saturating_duration_since(self.since) < IDLE_AFTER {
            return None;
        }
        let Some(why) = why() else {
            // Asked again when as much time has gone by.
            self.since = now;
            return None;
        };
        self.looked = true;
        if why == self.told {
            return None;
        }
        self.told.clone_from(&why);
        Some(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::RecvTimeoutError;

    #[test]
    fn stops_the_consumers_that_run_when_another_one_can_not_start() {
        let stop = Stop::default();
        let (alive, ended) = channel::<()>();
        let start = |number| {
            if number == 2 {
                return Err(ConsumerError::Threads(io::Error::other("no more threads")));
            }
            let (stop, alive) = (stop.clone(), alive.clone());
            let thread = thread::spawn(move || {
                let _alive = alive;
                while !stop.is_asked() {
                    thread::sleep(Duration::from_millis(1));
                }
                Ok(())
            });
            Ok(Running { thread, requests: channel().0 })
        };
        let Err(error) = start_all(4, start, &stop) else { panic!("the third can't start") };
        assert!(error.to_string().contains("no more threads"), "{error}");
        drop(alive);
        assert_eq!(
            ended.recv_timeout(Duration::ZERO),
            Err(RecvTimeoutError::Disconnected),
            "a thread is left"
        );
    }

    #[test]
    fn tells_why_no_records_come_once_and_not_while_something_else_explains_it() {
        let (mut idle, begin) = (Idle::new(), Instant::now());
        let mut f = |seconds: u64, records: u64, why: Option<&str>, want: Option<&str>| {
            let told = idle.look(begin + Duration::from_secs(seconds), records, || why.map(str::to_owned));
            assert_eq!(told.as_deref(), want, "after {seconds} s");
        };
        f(9, 0, Some("no topic"), None);
        f(11, 0, Some("no topic"), Some("no topic"));
        f(30, 0, Some("other"), None);
        // Records come, then InfluxDB is away.
        f(31, 5, None, None);
        f(42, 5, None, None);
        // It is back, and the next records need a moment.
        f(43, 5, Some("look at the brokers"), None);
        f(44, 9, Some("look at the brokers"), None);
        f(54, 9, Some("read to their end"), Some("read to their end"));
        f(60, 10, None, None);
        f(75, 10, Some("read to their end"), None);
    }
}
