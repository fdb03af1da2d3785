//! The state that the admin endpoint reports.

use super::History;
use super::history::{BUCKETS, Totals};
use base::Destination;
use configuration::{Config, ShowRecords};
use engine::batch::Budget;
use engine::telemetry::{Counters, Heartbeats, Lags};
use influx::Writer;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// State of the pipeline, shared with the threads that update it.
#[derive(Debug)]
pub struct Watched {
    pub counters: Arc<Counters>,
    pub writer: Arc<Writer>,
    pub budget: Budget,
    pub heartbeats: Arc<Heartbeats>,
    pub lags: Arc<Lags>,
    pub started: SystemTime,
    /// Replaced by a reload.
    pub about: RwLock<Arc<About>>,
    pub history: History,
}

impl Watched {
    pub fn about(&self) -> Arc<About> {
        Arc::clone(&self.about.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set_about(&self, about: About) {
        *self.about.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(about);
    }

    /// The present values of the counters.
    pub fn totals(&self) -> Totals {
        let (counters, writer) = (&self.counters, self.writer.counters());
        let failed = Counters::get(&writer.retried) + Counters::get(&writer.blocked);
        let answered = [&writer.stored, &writer.split, &writer.refused].into_iter().map(Counters::get);
        let mut latency = [0; BUCKETS];
        for (count, bucket) in latency.iter_mut().zip(&writer.latency.buckets) {
            *count = Counters::get(bucket);
        }
        Totals {
            records: Counters::get(&counters.records),
            record_bytes: Counters::get(&counters.record_bytes),
            lines_stored: Counters::get(&writer.lines_stored),
            bytes_sent: Counters::get(&writer.bytes_sent),
            requests: answered.sum::<u64>() + failed,
            requests_failed: failed,
            unread: self.lags.unread().and_then(|unread| u64::try_from(unread).ok()),
            latency,
        }
    }
}

/// Configuration that the status page shows.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub show_records: ShowRecords,
    pub destinations: Vec<Destination>,
    pub group_id: String,
    /// Where dead letters are written, if they are configured.
    pub dead_letters: Option<String>,
    /// `batch.age_max`.
    pub age_max: Duration,
}

impl About {
    pub fn new(config: &Config, destinations: Vec<Destination>) -> Self {
        Self {
            show_records: config.admin.shows_records(),
            destinations,
            group_id: config.kafka.group_id.clone(),
            dead_letters: config.dead_letter.as_ref().map(ToString::to_string),
            age_max: config.batch.age_max,
        }
    }
}
