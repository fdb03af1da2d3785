//! The whole path of a record, put together:
//!
//! ```text
//! Kafka -> RecordQueue -> Mapper -> Batch -> influx::Lane -> InfluxDB
//!          kafka/         map/      batch/   influx/
//!                 |__________ feed/ _________|
//!                      Tracker (commit/) <- stored or refused
//! ```

use crate::admin::{Counters, LagReporter, Lags, Pulse, Pulses, Server, Watched};
use crate::batch::{Budget, Limits};
use crate::config::{Config, OffsetReset};
use crate::feed::{Feed, Routing, Shared};
use crate::influx::{Client, ClientError, Delays, Observer, Writer, WriterOptions};
use crate::kafka::{Member, MemberError};
use crate::map::RecordLimits;
use crate::stop::Stop;
use crate::summary::Summary;
use rdkafka::consumer::Consumer as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tracing::{error, info};

/// Threads for requests and compression, beside a control and a data thread for each consumer.
const WRITER_THREADS: usize = 2;
/// After this long without a record the reason is looked for.
const IDLE_AFTER: Duration = Duration::from_secs(10);
/// A data thread waits for nothing; after this long without a turn it is stuck.
const DATA_SILENCE_MAX: Duration = Duration::from_secs(30);
/// A control thread waits for brokers: for a listing of topics, or for a commit at a revoke, up to a minute each.
const CONTROL_SILENCE_MAX: Duration = Duration::from_mins(3);

/// What a stop keeps of `shutdown_max` for committing and leaving the group.
const LEAVE_MAX: Duration = Duration::from_secs(2);
/// The part of it that the last commits may take.
const LAST_COMMIT_MAX: Duration = Duration::from_millis(1_500);
/// How long the rest is written after a failure of Kafka's.
const FAILED_DRAIN_MAX: Duration = Duration::from_secs(5);

/// Why the service can't run, or stopped by itself.
#[derive(Debug, Error)]
pub enum PipelineError {
    #[error("threads can't be started: {0}")]
    Threads(#[from] io::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Member(#[from] MemberError),
    #[error("the data thread ended unexpectedly: this is a bug, please report it with the log")]
    DataThread,
}

/// A running bridge.
pub struct Pipeline {
    pub counters: Arc<Counters>,
    pub writer: Arc<Writer>,
    admin: Option<Server>,
    stop: Stop,
    shutdown_max: Duration,
    members: Vec<JoinHandle<Result<(), PipelineError>>>,
    runtime: Runtime,
}

impl Pipeline {
    /// Starts everything; records flow from now on.
    pub fn start(config: &Config, observer: Arc<dyn Observer>) -> Result<Self, PipelineError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WRITER_THREADS)
            .thread_name("writer")
            .enable_all()
            .build()?;
        let routing = Arc::new(Routing::new(config));
        let writer = Writer::new(client(config)?, &config.influx, writer_options(config), observer);
        for destination in routing.destinations() {
            runtime.spawn(Arc::clone(&writer).prepare(destination, fastrand::u64(..)));
        }
        let shared = Shared {
            routing,
            limits: limits(config),
            budget: Budget::new(config.batch.memory_max),
            record_limits: record_limits(config),
            writer: Arc::clone(&writer),
            runtime: runtime.handle().clone(),
            counters: Arc::default(),
            stop: Stop::default(),
        };
        let (pulses, lags) = (Arc::default(), Arc::default());
        let admin = start_admin(config, &shared, &pulses, &lags);
        let commits = Arc::new(LastCommits { made: AtomicUsize::new(0), all: config.kafka.consumers });
        let members = (0..config.kafka.consumers)
            .map(|number| start_member(config, number, &shared, &pulses, &lags, &commits));
        Ok(Self {
            counters: Arc::clone(&shared.counters),
            writer,
            admin,
            stop: shared.stop.clone(),
            shutdown_max: config.shutdown_max,
            members: members.collect::<Result<_, _>>()?,
            runtime,
        })
    }

    /// Where the admin endpoint listens, if it does.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Server::address)
    }

    /// For tasks beside the pipeline's own.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Stop reading, write what is open, commit, leave the group.
    pub fn stop(&self) {
        self.stop.ask(drain_max(self.shutdown_max));
    }

    /// Whether all consumers have left.
    pub fn is_finished(&self) -> bool {
        self.members.iter().all(JoinHandle::is_finished)
    }

    /// Stops, and waits until all consumers have left, at most `shutdown_max` or until `hurry`. Returns whether they have.
    pub fn stop_and_wait(&self, hurry: impl Fn() -> bool) -> bool {
        self.stop();
        let until = Instant::now() + self.shutdown_max;
        while !self.is_finished() {
            if Instant::now() >= until || hurry() {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Waits for the consumers to leave, and says why one left by itself.
    pub fn join(self) -> Result<(), PipelineError> {
        let results =
            self.members.into_iter().map(|member| member.join().unwrap_or(Err(PipelineError::DataThread)));
        let result = results.fold(Ok(()), Result::and);
        // A request whose answer nobody waits for must not delay the end.
        self.runtime.shutdown_background();
        result
    }
}

/// A token or password that comes from a file is read again when the server refuses it.
fn client(config: &Config) -> Result<Client, ClientError> {
    let credential = config.influx.credential.clone();
    Ok(Client::new(&config.influx)?.with_reread(Box::new(move || credential.reread())))
}

fn limits(config: &Config) -> Limits {
    let batch = config.batch;
    Limits { lines_max: batch.lines_max, bytes_max: batch.bytes_max, age_max: batch.age_max }
}

/// What one record may be and become.
pub fn record_limits(config: &Config) -> RecordLimits {
    RecordLimits {
        record_bytes_max: config.kafka.record_bytes_max,
        // A record's lines beside those in flight must not pass the bound of all batches.
        lines_bytes_max: config.batch.memory_max / 2,
    }
}

fn writer_options(config: &Config) -> WriterOptions {
    let batch = config.batch;
    WriterOptions { lines_max: batch.lines_max, bytes_max: batch.bytes_max, delays: Delays::default() }
}

/// Starts the admin endpoint. A second bridge on this machine finds the port taken, and must run all the same.
fn start_admin(config: &Config, shared: &Shared, pulses: &Arc<Pulses>, lags: &Arc<Lags>) -> Option<Server> {
    let listen = config.admin.listen?;
    let watched = Watched {
        counters: Arc::clone(&shared.counters),
        writer: Arc::clone(&shared.writer),
        budget: shared.budget.clone(),
        pulses: Arc::clone(pulses),
        lags: Arc::clone(lags),
        started: SystemTime::now(),
    };
    match Server::start(listen, Arc::new(watched), &shared.runtime) {
        Ok(server) => {
            info!(address = %server.address(), "metrics, health and readiness are served");
            Some(server)
        }
        Err(error) => {
            error!(
                "going on without metrics and health: admin.listen is {listen}, and nothing can listen there: {error}. \
                 If another bridge does, give this one another port; \"\" switches it off"
            );
            None
        }
    }
}

/// Starts one consumer: its control thread, which starts and outlives its data thread.
fn start_member(
    config: &Config,
    number: usize,
    shared: &Shared,
    pulses: &Pulses,
    lags: &Arc<Lags>,
    commits: &Arc<LastCommits>,
) -> Result<JoinHandle<Result<(), PipelineError>>, PipelineError> {
    let data_pulse = pulses.of(format!("data-{number}"), DATA_SILENCE_MAX);
    let from_start = config.kafka.offset_reset == OffsetReset::Earliest;
    let mut watch = Watch {
        pulse: pulses.of(format!("control-{number}"), CONTROL_SILENCE_MAX),
        lags: LagReporter::new(Arc::clone(lags), number, from_start),
        summary: (number == 0)
            .then(|| Summary::new(Arc::clone(&shared.counters), Arc::clone(&shared.writer))),
        idle: Idle::new(),
    };
    let (mut member, events) = Member::new(&config.kafka, number, shared.routing.lanes())?;
    let feed = Feed::new(shared.clone(), Arc::clone(member.consumer()), events, data_pulse);
    let data = thread::Builder::new().name(format!("data-{number}")).spawn(move || feed.run())?;
    member.consumer().context().set_data_thread(data.thread().clone());
    member.subscribe()?;
    let (shared, commits) = (shared.clone(), Arc::clone(commits));
    let control = move || {
        let result = control(&mut member, &data, &shared, &mut watch);
        // Whatever ended it, the others end too.
        shared.stop.ask(FAILED_DRAIN_MAX);
        data.thread().unpark();
        while !data.is_finished() {
            // Callbacks are served while the rest is written.
            if member.poll().is_err() {
                thread::sleep(Duration::from_millis(100));
            }
        }
        let data = data.join().map_err(|_| PipelineError::DataThread);
        commit_before_leaving(&member, &commits);
        member.leave();
        result.and(data)
    };
    Ok(thread::Builder::new().name(format!("control-{number}")).spawn(control)?)
}

/// Consumers that have made their last commit, of all.
#[derive(Debug)]
struct LastCommits {
    made: AtomicUsize,
    all: usize,
}

/// Who leaves starts a rebalance, during which the others could not commit: so all commit first.
fn commit_before_leaving(member: &Member, commits: &LastCommits) {
    let until = Instant::now() + LAST_COMMIT_MAX;
    member.commit(until);
    commits.made.fetch_add(1, Ordering::Relaxed);
    while commits.made.load(Ordering::Relaxed) < commits.all && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Serves the group until a stop is asked for.
fn control(
    member: &mut Member,
    data: &JoinHandle<()>,
    shared: &Shared,
    watch: &mut Watch,
) -> Result<(), PipelineError> {
    while !shared.stop.is_asked() && !data.is_finished() {
        member.poll()?;
        watch.pulse.beat(Instant::now());
        watch.lags.report(member.statistics());
        if let Some(summary) = &mut watch.summary {
            summary.tell_if_due(member.statistics());
        }
        watch.idle.look(Counters::get(&shared.counters.records), || member.why_idle());
    }
    Ok(())
}

/// What a control thread tells of its consumer.
struct Watch {
    pulse: Arc<Pulse>,
    lags: LagReporter,
    /// The first consumer's tells of all.
    summary: Option<Summary>,
    idle: Idle,
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

    fn look(&mut self, records: u64, why: impl FnOnce() -> String) {
        if records != self.records {
            (self.records, self.since, self.looked) = (records, Instant::now(), false);
        }
        if self.looked || self.since.elapsed() < IDLE_AFTER {
            return;
        }
        self.looked = true;
        let why = why();
        if why != self.told {
            info!("no records for {} s: {why}", IDLE_AFTER.as_secs());
            self.told = why;
        }
    }
}

/// How long a stop may write.
fn drain_max(shutdown_max: Duration) -> Duration {
    shutdown_max.saturating_sub(LEAVE_MAX).max(shutdown_max / 2)
}
