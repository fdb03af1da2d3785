//! The whole path of a record, put together:
//!
//! ```text
//! Kafka -> RecordQueue -> Mapper -> Batch -> LaneWriter -> InfluxDB
//!          kafka/         map/      batch/   influx/
//!                 |__________ feed/ _________|
//!                      Tracker (commit/) <- stored or refused
//! ```

use crate::admin::{Counters, Lags, Pulses, Server, Watched};
use crate::batch::{Budget, Limits};
use crate::config::Config;
use crate::consumer::{ConsumerError, Consumers};
use crate::feed::{Routing, Shared};
use crate::influx::{Client, ClientError, Delays, Observer, Writer, WriterOptions};
use crate::map::RecordLimits;
use crate::stop::Stop;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tracing::{error, info};

/// Threads for requests and compression, beside a control and a data thread for each consumer.
const WRITER_THREADS: usize = 2;

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
}

/// A running bridge.
pub struct Pipeline {
    pub counters: Arc<Counters>,
    pub writer: Arc<Writer>,
    admin: Option<Server>,
    stop: Stop,
    shutdown_max: Duration,
    members: Vec<JoinHandle<Result<(), ConsumerError>>>,
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
        let consumers = Consumers::new(config.kafka.consumers, shared.clone(), pulses, lags);
        let members = (0..config.kafka.consumers).map(|number| consumers.start(&config.kafka, number));
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
            self.members.into_iter().map(|member| member.join().unwrap_or(Err(ConsumerError::Thread)));
        let result = results.fold(Ok(()), Result::and).map_err(PipelineError::Consumer);
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
    WriterOptions {
        lines_max: batch.lines_max,
        bytes_max: batch.bytes_max,
        points_per_second_max: batch.points_per_second_max,
        delays: Delays::default(),
    }
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

/// How long a stop may write.
fn drain_max(shutdown_max: Duration) -> Duration {
    shutdown_max.saturating_sub(LEAVE_MAX).max(shutdown_max / 2)
}
