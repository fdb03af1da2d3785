//! Everything that the admin endpoint looks at.

use super::{About, History};
use engine::batch::Budget;
use engine::telemetry::{Counters, Heartbeats, Lags};
use influx::Writer;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// Shared with the threads that keep it up to date.
#[derive(Debug)]
pub struct Watched {
    pub counters: Arc<Counters>,
    pub writer: Arc<Writer>,
    pub budget: Budget,
    pub heartbeats: Arc<Heartbeats>,
    pub lags: Arc<Lags>,
    pub started: SystemTime,
    /// A reload gives another one.
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
