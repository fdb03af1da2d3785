//! Which topics a mapping is for, and where its lines go.

use base::Destination;
use kafka::Topics;
use mapping::Rules;
use std::sync::Arc;

/// Rules for the records of some topics.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// None: all topics.
    pub topics: Option<Topics>,
    /// Shared, because a mapping may have thousands of compiled globs, and configurations are copied.
    pub rules: Arc<Rules>,
    pub destination: Destination,
}

impl Mapping {
    #[must_use]
    pub fn is_match(&self, topic: &str) -> bool {
        self.topics.as_ref().is_none_or(|topics| topics.is_match(topic))
    }
}
