//! The state of the pipeline that the endpoint reports.

use super::History;
use super::history::{BUCKETS, CounterTotals};
use base::Destination;
use base::locks;
use configuration::{Config, RecordsAudience};
use engine::batch::Budget;
use engine::telemetry::{Counters, Heartbeats, Lags};
use engine::watchdog::WatchdogInputs;
use engine::{EngineContext, Routing};
use influx::Writer;
use schema_registry::Registry;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

/// State of the pipeline, shared with the threads that update it.
#[derive(Debug)]
pub struct PipelineState {
    pub counters: Arc<Counters>,
    pub writer: Arc<Writer>,
    pub budget: Budget,
    pub heartbeats: Arc<Heartbeats>,
    pub lags: Arc<Lags>,
    pub started: SystemTime,
    /// Replaced by a reload.
    pub shown_config: RwLock<Arc<ShownConfig>>,
    /// Replaced by a reload that changes it.
    pub registry: RwLock<Option<Registry>>,
    pub history: History,
}

impl PipelineState {
    /// The state at the start.
    pub fn new(context: &EngineContext, shown_config: ShownConfig, registry: Option<Registry>) -> Self {
        Self {
            counters: Arc::clone(&context.counters),
            writer: Arc::clone(&context.writer),
            budget: context.budget.clone(),
            heartbeats: Arc::default(),
            lags: Arc::default(),
            started: SystemTime::now(),
            shown_config: RwLock::new(Arc::new(shown_config)),
            registry: RwLock::new(registry),
            history: History::default(),
        }
    }

    pub fn watchdog_inputs(&self) -> WatchdogInputs {
        WatchdogInputs {
            counters: Arc::clone(&self.counters),
            writer: Arc::clone(&self.writer),
            lags: Arc::clone(&self.lags),
            heartbeats: Arc::clone(&self.heartbeats),
        }
    }

    pub fn shown_config(&self) -> Arc<ShownConfig> {
        Arc::clone(&locks::read(&self.shown_config))
    }

    pub fn set_shown_config(&self, config: ShownConfig) {
        *locks::write(&self.shown_config) = Arc::new(config);
    }

    /// The schema registry, if one is configured.
    pub fn registry(&self) -> Option<Registry> {
        locks::read(&self.registry).clone()
    }

    pub fn set_registry(&self, registry: Option<Registry>) {
        *locks::write(&self.registry) = registry;
    }

    /// The present values of the counters.
    pub fn totals(&self) -> CounterTotals {
        let (counters, writer) = (&self.counters, self.writer.counters());
        let failed = Counters::get(&writer.retried) + Counters::get(&writer.blocked);
        let answered = [&writer.stored, &writer.split, &writer.refused].into_iter().map(Counters::get);
        let mut latency = [0; BUCKETS];
        for (count, bucket) in latency.iter_mut().zip(&writer.latency.buckets) {
            *count = Counters::get(bucket);
        }
        CounterTotals {
            records: Counters::get(&counters.records),
            record_bytes: Counters::get(&counters.record_bytes),
            lines_stored: Counters::get(&writer.lines_stored),
            bytes_sent: Counters::get(&writer.bytes_sent),
            requests: answered.sum::<u64>() + failed,
            requests_failed: failed,
            collisions: Counters::get(&counters.collisions),
            unread: self.lags.unread().and_then(|unread| u64::try_from(unread).ok()),
            latency,
        }
    }
}

/// Configuration that the status page shows.
#[derive(Clone, Debug, Default)]
pub struct ShownConfig {
    pub show_records: RecordsAudience,
    /// Destinations of topics come while the bridge runs.
    pub routing: Option<Arc<Routing>>,
    pub group_id: String,
    /// Where dead letters are written, if they are configured.
    pub dead_letters: Option<String>,
    /// `batch.age_max`.
    pub age_max: Duration,
}

impl ShownConfig {
    pub fn new(config: &Config, routing: Arc<Routing>) -> Self {
        Self {
            show_records: config.admin.records_audience(),
            routing: Some(routing),
            group_id: config.kafka.group_id.clone(),
            dead_letters: config.dead_letter.as_ref().map(ToString::to_string),
            age_max: config.batch.age_max,
        }
    }

    pub fn destinations(&self) -> Vec<Destination> {
        self.routing.as_ref().map(|routing| routing.destinations()).unwrap_or_default()
    }
}
