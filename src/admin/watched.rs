//! The state that the admin endpoint reports.

use super::History;
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
