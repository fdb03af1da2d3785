//! What the status page says of the configuration.

use base::Destination;
use configuration::{Config, ShowRecords};
use std::time::Duration;

/// Fixed until a reload.
#[derive(Clone, Debug, Default)]
pub struct About {
    pub show_records: ShowRecords,
    pub destinations: Vec<Destination>,
    pub group_id: String,
    /// Where dead letters go, if there are any.
    pub dead_letters: Option<String>,
    /// How long a record may wait for others in its batch.
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
