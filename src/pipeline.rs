//! The whole path of a record, put together:
//!
//! ```text
//! Kafka -> RecordQueue -> Mapper -> Batch -> LaneWriter -> InfluxDB
//!          kafka/         map/      batch/   influx/
//!                 |__________ feed/ _________|
//!                      Tracker (commit/) <- stored or refused
//! ```

mod reload;

pub use reload::{Asked, ReloadError, Reloaded};

use crate::admin::{About, History, Server, Watched};
use base::Destination;
use base::stop::Stop;
use configuration::{Config, ShowRecords};
use engine::batch::{Budget, Limits};
use engine::consumer::{self, ConsumerError, Consumers};
use engine::dead_letter::{DeadLetterError, DeadLetters, Originals};
use engine::telemetry::{Counters, Heartbeats, Lags};
use engine::watchdog::{self, Signals};
use engine::{LetterContext, ProbeDelays, Request, Routing, Shared};
use influx::{Client, ClientError, Delays, Dialing, Observer, Writer, WriterOptions};
use reload::Reloading;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::sync::{Arc, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};
use thiserror::Error;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;
use tracing::{error, info};

/// Threads for requests and compression, beside a control and a data thread for each consumer.
const WRITER_THREADS: usize = 2;

/// The longest retry delay is at least this, times the lanes: some 30 attempts a second of all lanes together.
const RETRY_DELAY_OF_LANE: Duration = Duration::from_millis(60);

/// A batch is not made smaller than this for the sake of the others: requests would be many.
const BATCH_BYTES_MIN: usize = 1_000_000;

/// What a stop keeps of `shutdown_max` for committing and leaving the group.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// Why the service can't run, or stopped by itself.
#[derive(Debug, Error)]
pub enum PipelineError {
    #[error("threads can't be started: {0}")]
    Threads(#[from] io::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
}

/// How a pipeline runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// It ends by itself when everything is settled and committed that is in Kafka when its partitions are assigned.
    pub until_end: bool,
    /// How lanes wait before they try again.
    pub delays: Delays,
    /// Of the jitter of that.
    pub seed: u64,
    /// When topics that the server blocks are tried again.
    pub probes: ProbeDelays,
    /// How connections to InfluxDB are made.
    pub dialing: Dialing,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            until_end: false,
            delays: Delays::default(),
            seed: fastrand::u64(..),
            probes: ProbeDelays::default(),
            dialing: Dialing::default(),
        }
    }
}

/// A running bridge.
pub struct Pipeline {
    pub counters: Arc<Counters>,
    pub writer: Arc<Writer>,
    admin: Option<Server>,
    stop: Stop,
    shutdown_max: Duration,
    members: Vec<JoinHandle<Result<(), ConsumerError>>>,
    /// To the data threads.
    requests: Vec<Sender<Request>>,
    reloading: Option<Reloading>,
    /// What runs, or is about to.
    config: Config,
    watched: Arc<Watched>,
    shared: Shared,
    preparing: Preparing,
    until_end: bool,
    delays: Delays,
    dialing: Dialing,
    /// Queues of a consumer that its client's memory was shared out for.
    lanes_max: usize,
    runtime: Runtime,
}

/// Asks whether destinations may be written, until it is dropped.
struct Preparing(Vec<AbortHandle>);

impl Preparing {
    fn start(writer: &Arc<Writer>, destinations: Vec<Destination>, runtime: &Handle, seed: u64) -> Self {
        let mut seeds = fastrand::Rng::with_seed(seed);
        let prepare = |destination| {
            runtime.spawn(Arc::clone(writer).prepare(destination, seeds.u64(..))).abort_handle()
        };
        Self(destinations.into_iter().map(prepare).collect())
    }
}

/// Of a writer whose place another one takes, it would hold the others back.
impl Drop for Preparing {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Pipeline {
    /// Starts everything; records flow from now on.
    pub fn start(config: &Config, observer: Arc<dyn Observer>) -> Result<Self, PipelineError> {
        Self::start_with(config, observer, Options::default())
    }

    /// As [`Pipeline::start`], and otherwise where the options say so.
    pub fn start_with(
        config: &Config,
        observer: Arc<dyn Observer>,
        options: Options,
    ) -> Result<Self, PipelineError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WRITER_THREADS)
            .thread_name("writer")
            .enable_all()
            .build()?;
        let routing = Arc::new(config.routing());
        let lanes = routing.lanes() * config.kafka.consumers;
        let delays = delays_of(options.delays, lanes);
        let writer = Writer::new(
            client(config, options.dialing)?,
            &config.influx,
            writer_options(config, delays),
            observer,
        );
        let mut seeds = fastrand::Rng::with_seed(options.seed);
        let preparing = Preparing::start(&writer, routing.destinations(), runtime.handle(), seeds.u64(..));
        let lanes_max = routing.lanes();
        let about = About::new(config, routing.destinations());
        let counters = Arc::new(Counters::new(about.show_records != ShowRecords::Nobody));
        let letters = letter_context(config, None, &routing, &counters, &writer)?;
        let shared = Shared {
            letters,
            routing,
            limits: limits(config, lanes),
            budget: Budget::new(config.batch.memory_max),
            record_limits: config.record_limits(),
            writer: Arc::clone(&writer),
            runtime: runtime.handle().clone(),
            counters,
            stop: Stop::default(),
            seed: seeds.u64(..),
            probes: options.probes,
        };
        let (heartbeats, lags) = (Arc::<Heartbeats>::default(), Arc::<Lags>::default());
        let watched = Arc::new(Watched {
            counters: Arc::clone(&shared.counters),
            writer: Arc::clone(&shared.writer),
            budget: shared.budget.clone(),
            heartbeats: Arc::clone(&heartbeats),
            lags: Arc::clone(&lags),
            started: SystemTime::now(),
            about: RwLock::new(Arc::new(about)),
            history: History::default(),
        });
        let admin = start_admin(config, &watched, &shared.runtime);
        let signals = Signals {
            counters: Arc::clone(&shared.counters),
            writer: Arc::clone(&shared.writer),
            lags: Arc::clone(&lags),
            heartbeats: Arc::clone(&heartbeats),
        };
        watchdog::start(signals, shared.stop.clone())?;
        let consumers =
            Consumers::new(config.kafka.consumers, shared.clone(), heartbeats, lags, options.until_end);
        let start = |number| consumers.start(&config.kafka, number);
        let running = match consumer::start_all(config.kafka.consumers, start, &shared.stop) {
            Ok(running) => running,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error.into());
            }
        };
        let (members, requests) = running.into_iter().map(|one| (one.thread, one.requests)).unzip();
        Ok(Self {
            counters: Arc::clone(&shared.counters),
            writer,
            admin,
            stop: shared.stop.clone(),
            shutdown_max: config.shutdown_max,
            members,
            requests,
            reloading: None,
            config: config.clone(),
            watched,
            shared,
            preparing,
            until_end: options.until_end,
            delays: options.delays,
            dialing: options.dialing,
            lanes_max,
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
        self.stop.request(drain_max(self.shutdown_max));
    }

    /// How long a stop may take, by the configuration as it is now.
    pub fn shutdown_max(&self) -> Duration {
        self.shutdown_max
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
            self.members.into_iter().map(|member| member.join().unwrap_or(Err(ConsumerError::Thread)));
        let result = results.fold(Ok(()), Result::and).map_err(PipelineError::Consumer);
        // A request whose answer nobody waits for must not delay the end.
        self.runtime.shutdown_background();
        result
    }
}

/// The writing end by itself.
pub fn writer(config: &Config, observer: Arc<dyn Observer>) -> Result<Arc<Writer>, ClientError> {
    let options = writer_options(config, Delays::default());
    Ok(Writer::new(client(config, Dialing::default())?, &config.influx, options, observer))
}

/// A token or password that comes from a file is read again when the server refuses it.
fn client(config: &Config, dialing: Dialing) -> Result<Client, ClientError> {
    let credential = config.influx.credential.clone();
    Ok(Client::with_dialing(&config.influx, dialing)?
        .with_credential_source(Box::new(move || credential.reread())))
}

/// None: no dead letter is configured. `open`: the topic or file is open already.
fn letter_context(
    config: &Config,
    open: Option<Arc<DeadLetters>>,
    routing: &Arc<Routing>,
    counters: &Arc<Counters>,
    writer: &Writer,
) -> Result<Option<Arc<LetterContext>>, DeadLetterError> {
    let letters = match open {
        Some(letters) => letters,
        None => match DeadLetters::open(config.dead_letter.clone(), &config.kafka)? {
            Some(letters) => Arc::new(letters),
            None => return Ok(None),
        },
    };
    Ok(Some(Arc::new(LetterContext {
        letters,
        originals: Originals::new(&config.kafka),
        routing: Arc::clone(routing),
        record_limits: config.record_limits(),
        counters: Arc::clone(counters),
        alarms: Arc::clone(writer.alarm_registry()),
    })))
}

/// Of one batch. Two of each lane, the open one and the one in flight, have to fit into what all may take, with the room
/// by which they grow; otherwise they would be closed half empty, and their memory made anew each time.
fn limits(config: &Config, lanes: usize) -> Limits {
    let batch = config.batch;
    let share = batch.memory_max / (2 * lanes.max(1)) / 8 * 7;
    // Of many lanes, few are full at once.
    let bytes_max = if share >= BATCH_BYTES_MIN { batch.bytes_max.min(share) } else { batch.bytes_max };
    Limits { lines_max: batch.lines_max, bytes_max, age_max: batch.age_max }
}

/// Of many lanes each asks less often: what all of them together do while nothing can be written has to stay small.
fn delays_of(delays: Delays, lanes: usize) -> Delays {
    let retry_max = delays.retry_max.max(RETRY_DELAY_OF_LANE * lanes as u32);
    Delays { retry_max, ..delays }
}

fn writer_options(config: &Config, delays: Delays) -> WriterOptions {
    let batch = config.batch;
    WriterOptions {
        lines_max: batch.lines_max,
        bytes_max: batch.bytes_max,
        points_per_second_max: batch.points_per_second_max,
        delays,
        accepts_unproven: config.reject.rate_max >= 1.0,
    }
}

/// Starts the admin endpoint. A second bridge on this machine finds the port taken, and must run all the same.
fn start_admin(config: &Config, watched: &Arc<Watched>, runtime: &Handle) -> Option<Server> {
    let listen = config.admin.listen?;
    match Server::start(listen, Arc::clone(watched), runtime) {
        Ok(server) => {
            info!(address = %server.address(), "the status page, metrics, health and readiness are served");
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

/// How long a stop may write.
fn drain_max(shutdown_max: Duration) -> Duration {
    shutdown_max.saturating_sub(LEAVE_MAX).max(shutdown_max / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_batches_of_few_lanes_fit_into_memory_together() {
        let text = "kafka.brokers = \"b:1\"\nkafka.topics = \"t\"\ninflux = { url = \"http://i:1\", org = \"o\", bucket = \"b\", token = \"t\" }\n";
        let parse = |more: &str| {
            configuration::parse(Path::new("f"), &format!("{text}{more}"), &|_| None).unwrap().config
        };
        let f = |more: &str, lanes: usize, want: usize| {
            assert_eq!(limits(&parse(more), lanes).bytes_max, want, "{more} {lanes}");
        };
        f("", 1, 4_000_000);
        f("", 2, 3_500_000);
        f("", 4, 1_750_000);
        f("", 100, 4_000_000);
        f("batch.memory_max = \"64MB\"", 2, 4_000_000);
        f("batch.bytes_max = \"1MB\"", 2, 1_000_000);
    }
}
