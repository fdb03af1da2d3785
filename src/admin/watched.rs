//! Everything that the admin endpoint looks at.

use super::{About, Counters, History, Lags, Pulses};
use crate::batch::Budget;
use crate::influx::Writer;
use std::sync::Arc;
use std::time::SystemTime;

/// Shared with the threads that keep it up to date.
#[derive(Debug)]
pub struct Watched {
    pub counters: Arc<Counters>,
    pub writer: Arc<Writer>,
    pub budget: Budget,
    pub pulses: Arc<Pulses>,
    pub lags: Arc<Lags>,
    pub started: SystemTime,
    pub about: About,
    pub history: History,
}
