//! Composition of the running service: consumers, writer, dead letters, watchdog and admin endpoint of one configuration.
//!
//! ```text
//! Kafka -> RecordQueue -> Mapper -> Batch -> LaneWriter -> InfluxDB
//!          kafka          mapping   engine   influx
//!                         OffsetTracker (engine) <- stored or refused
//! ```

mod lane_limits;
mod reload;

pub use reload::{ReloadError, ReloadOutcome, Reloaded};

use crate::admin::{PipelineState, Server, ShownConfig};
use crate::routing;
use base::Destination;
use base::stop::Stop;
use configuration::{Config, RecordsAudience};
use engine::batch::{BatchSize, Budget};
use engine::consumer::{self, ConsumerError, Consumers, RunningConsumer, THREADS_REMEDY};
use engine::dead_letter::{DeadLetterError, DeadLetters, Originals};
use engine::telemetry::Counters;
use engine::watchdog;
use engine::{DataThreadRequest, DeadLetterContext, EngineContext, ProbeDelays, Routing};
use influx::{Client, ClientError, ConnectOptions, Delays, Observer, Writer, WriterOptions};
use lane_limits::lane_limits;
use reload::Reloading;
use schema_registry::{Registry, RegistryError};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;
use tracing::{error, info};

/// Threads for requests and compression. Each consumer has a control and a data thread besides.
const WRITER_THREADS: usize = 2;

/// The longest retry delay is at least this times the number of lanes: all lanes together make some 30 attempts per second.
const RETRY_DELAY_OF_LANE: Duration = Duration::from_millis(60);

/// The part of `shutdown_max` that a stop reserves for committing and leaving the group.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// The error that keeps the service from starting, or that ended it.
#[derive(Debug, Error)]
pub enum PipelineError {
    #[error("threads can't be started: {0}; {remedy}", remedy = THREADS_REMEDY)]
    Threads(#[from] io::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
}

/// Options of a pipeline that do not come from the configuration file.
#[derive(Clone, Copy, Debug)]
pub struct PipelineOptions {
    /// Ends when all records that were in Kafka at the assignment of their partitions are settled and committed.
    pub until_end: bool,
    /// Retry delays of the lanes.
    pub delays: Delays,
    /// Seed of the retry jitter.
    pub seed: u64,
    /// Delays before a topic that the server blocks is probed.
    pub probes: ProbeDelays,
    /// Makes the connections to InfluxDB.
    pub connect_options: ConnectOptions,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            until_end: false,
            delays: Delays::default(),
            seed: fastrand::u64(..),
            probes: ProbeDelays::default(),
            connect_options: ConnectOptions::default(),
        }
    }
}

/// A running bridge.
pub struct Pipeline {
    admin: Option<Server>,
    consumers: Vec<JoinHandle<Result<(), ConsumerError>>>,
    /// Sends requests to the data threads.
    requests: Vec<Sender<DataThreadRequest>>,
    reloading: Option<Reloading>,
    /// The configuration that is applied, or about to be.
    config: Config,
    options: PipelineOptions,
    state: Arc<PipelineState>,
    context: EngineContext,
    destination_checks: DestinationChecks,
    /// Number of queues per consumer that the client's memory was divided by at the start.
    lanes_per_consumer_max: usize,
    runtime: Runtime,
}

/// Tasks that check whether destinations can be written. Dropping aborts them.
struct DestinationChecks(Vec<AbortHandle>);

impl DestinationChecks {
    fn start(writer: &Arc<Writer>, destinations: Vec<Destination>, runtime: &Handle, seed: u64) -> Self {
        let mut seeds = fastrand::Rng::with_seed(seed);
        let prepare = |destination| {
            runtime.spawn(Arc::clone(writer).prepare(destination, seeds.u64(..))).abort_handle()
        };
        Self(destinations.into_iter().map(prepare).collect())
    }
}

/// Aborts the tasks: checks of a replaced writer would keep its lanes blocked.
impl Drop for DestinationChecks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Pipeline {
    /// Starts all threads with default options.
    pub fn start(config: &Config, observer: Arc<dyn Observer>) -> Result<Self, PipelineError> {
        Self::start_with(config, observer, PipelineOptions::default())
    }

    /// Starts all threads with these options.
    pub fn start_with(
        config: &Config,
        observer: Arc<dyn Observer>,
        options: PipelineOptions,
    ) -> Result<Self, PipelineError> {
        let runtime = writer_runtime()?;
        let registry = registry(config, runtime.handle())?;
        let routing = Arc::new(routing::of_service(config, registry.as_ref()));
        let lanes_per_consumer_max = routing.lanes_per_consumer();
        let delays = delays_of(options.delays, lanes_of_all_consumers(config, &routing));
        let client = client(config, options.connect_options)?;
        let writer = Writer::new(client, &config.influx, writer_options(config, delays), observer);
        let mut seeds = fastrand::Rng::with_seed(options.seed);
        let destination_checks =
            DestinationChecks::start(&writer, routing.destinations(), runtime.handle(), seeds.u64(..));
        let shown_config = ShownConfig::new(config, Arc::clone(&routing));
        let counters = Arc::new(Counters::new(shown_config.show_records != RecordsAudience::Nobody));
        let seed_and_probes = (seeds.u64(..), options.probes);
        let context = engine_context(config, routing, writer, counters, runtime.handle(), seed_and_probes)?;
        let state = Arc::new(PipelineState::new(&context, shown_config, registry));
        let admin = start_admin(config, &state, &context.runtime);
        watchdog::start(state.watchdog_inputs(), context.stop.clone())?;
        let (consumers, requests) = match start_consumers(config, &context, &state, options.until_end) {
            Ok(running) => running.into_iter().map(|one| (one.thread, one.requests)).unzip(),
            Err(error) => {
                runtime.shutdown_background();
                return Err(error.into());
            }
        };
        Ok(Self {
            admin,
            consumers,
            requests,
            reloading: None,
            config: config.clone(),
            options,
            state,
            context,
            destination_checks,
            lanes_per_consumer_max,
            runtime,
        })
    }

    /// Counters of the data path. A reload keeps them.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.context.counters
    }

    /// The writer. Its counters and alarms carry over to the writer after a reload.
    pub fn writer(&self) -> &Arc<Writer> {
        &self.context.writer
    }

    /// Address of the admin endpoint, if it listens.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Server::address)
    }

    /// The runtime, for further tasks of the program.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Requests a stop: the consumers stop reading, write open batches, commit, and leave the group.
    pub fn stop(&self) {
        self.context.stop.request(drain_max(self.shutdown_max()));
    }

    /// `shutdown_max` of the applied configuration.
    pub fn shutdown_max(&self) -> Duration {
        self.config.shutdown_max
    }

    /// Whether a run until the end has seen the end of all partitions, and only writes what it has read.
    pub fn is_finishing(&self) -> bool {
        self.context.stop.is_finishing()
    }

    /// Whether all consumers have left.
    pub fn is_finished(&self) -> bool {
        self.consumers.iter().all(JoinHandle::is_finished)
    }

    /// Stops, and waits until all consumers have left, at most `shutdown_max` or until `hurry`. Returns whether they have.
    pub fn stop_and_wait(&self, hurry: impl Fn() -> bool) -> bool {
        self.stop();
        let until = Instant::now() + self.shutdown_max();
        while !self.is_finished() {
            if Instant::now() >= until || hurry() {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Waits for the consumers to leave. Returns the error of a consumer that ended by itself.
    pub fn join(self) -> Result<(), PipelineError> {
        let results =
            self.consumers.into_iter().map(|consumer| consumer.join().unwrap_or(Err(ConsumerError::Thread)));
        let result = results.fold(Ok(()), Result::and).map_err(PipelineError::Consumer);
        // A request in flight must not delay the end.
        self.runtime.shutdown_background();
        result
    }
}

/// Makes a writer without consumers.
pub fn writer(config: &Config, observer: Arc<dyn Observer>) -> Result<Arc<Writer>, ClientError> {
    let options = writer_options(config, Delays::default());
    Ok(Writer::new(client(config, ConnectOptions::default())?, &config.influx, options, observer))
}

/// The runtime of the writer threads.
fn writer_runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(WRITER_THREADS).thread_name("writer").enable_all().build()
}

/// Settings and shared objects of the data threads at the start. A reload replaces some of them.
fn engine_context(
    config: &Config,
    routing: Arc<Routing>,
    writer: Arc<Writer>,
    counters: Arc<Counters>,
    runtime: &Handle,
    (seed, probes): (u64, ProbeDelays),
) -> Result<EngineContext, DeadLetterError> {
    Ok(EngineContext {
        dead_letters: dead_letter_context(config, None, &routing, &counters, &writer)?,
        limits: lane_limits(config, lanes_of_all_consumers(config, &routing)),
        routing,
        budget: Budget::new(config.batch.memory_max),
        record_limits: config.record_limits(),
        writer,
        runtime: runtime.clone(),
        counters,
        stop: Stop::default(),
        seed,
        probes,
    })
}

/// The schema registry of a configuration.
fn registry(config: &Config, runtime: &Handle) -> Result<Option<Registry>, RegistryError> {
    config.schema_registry.as_ref().map(|settings| Registry::new(settings, runtime.clone())).transpose()
}

/// Makes a client that reads a token or password file again when the server refuses the login.
fn client(config: &Config, connect_options: ConnectOptions) -> Result<Client, ClientError> {
    let credential = config.influx.credential.clone();
    Ok(Client::with_connect_options(&config.influx, connect_options)?
        .with_credential_source(Box::new(move || credential.reread())))
}

/// Opens the dead letters, or reuses the `open` ones. None: none are configured.
fn dead_letter_context(
    config: &Config,
    open: Option<Arc<DeadLetters>>,
    routing: &Arc<Routing>,
    counters: &Arc<Counters>,
    writer: &Writer,
) -> Result<Option<Arc<DeadLetterContext>>, DeadLetterError> {
    let dead_letters = match open {
        Some(dead_letters) => dead_letters,
        None => match DeadLetters::open(config.dead_letter.clone(), &config.kafka)? {
            Some(dead_letters) => Arc::new(dead_letters),
            None => return Ok(None),
        },
    };
    Ok(Some(Arc::new(DeadLetterContext {
        dead_letters,
        originals: Originals::new(&config.kafka),
        routing: Arc::clone(routing),
        record_limits: config.record_limits(),
        counters: Arc::clone(counters),
        alarms: Arc::clone(writer.alarm_registry()),
    })))
}

fn start_consumers(
    config: &Config,
    context: &EngineContext,
    state: &PipelineState,
    until_end: bool,
) -> Result<Vec<RunningConsumer>, ConsumerError> {
    let count = config.kafka.consumers;
    let (heartbeats, lags) = (Arc::clone(&state.heartbeats), Arc::clone(&state.lags));
    let consumers = Consumers::new(count, context.clone(), heartbeats, lags, until_end);
    consumer::start_all(count, |number| consumers.start(&config.kafka, number), &context.stop)
}

fn lanes_of_all_consumers(config: &Config, routing: &Routing) -> usize {
    routing.lanes_per_consumer() * config.kafka.consumers
}

/// Raises the longest retry delay with the number of lanes, so that the attempts of all lanes together stay few.
fn delays_of(delays: Delays, lanes: usize) -> Delays {
    let retry_max = delays.retry_max.max(RETRY_DELAY_OF_LANE * lanes as u32);
    Delays { retry_max, ..delays }
}

fn writer_options(config: &Config, delays: Delays) -> WriterOptions {
    let batch = config.batch;
    WriterOptions {
        lines_max: batch.lines_max.unwrap_or(BatchSize::AUTOMATIC_MAX.lines),
        bytes_max: batch.bytes_max,
        points_per_second_max: batch.points_per_second_max,
        delays,
        accepts_unproven: config.reject.rate_max >= 1.0,
    }
}

/// Starts the admin endpoint. A taken port is no error: a second bridge on the same machine must run without it.
fn start_admin(config: &Config, state: &Arc<PipelineState>, runtime: &Handle) -> Option<Server> {
    let listen = config.admin.listen?;
    match Server::start(listen, Arc::clone(state), runtime) {
        Ok(server) => {
            info!(address = %server.address(), "the status page, metrics, health and readiness are served");
            Some(server)
        }
        Err(error) => {
            error!(
                "the status page, metrics and health are missing, because nothing can listen at admin.listen = \"{listen}\": {error}. \
                 Records are processed nevertheless. If another bridge listens there, give this one another port; \"\" switches it off"
            );
            None
        }
    }
}

/// The time for which a stop may write open batches.
fn drain_max(shutdown_max: Duration) -> Duration {
    shutdown_max.saturating_sub(LEAVE_MAX).max(shutdown_max / 2)
}
