//! Routing by configuration: topic to mapping, mapping to destination, destination to lanes.

use base::Destination;
use kafka::Topics;
use mapping::Rules;
use std::sync::Arc;

/// Lanes of one destination, each with one request in flight. Two keep a loopback database busy; each costs queues of its own.
const LANES_PER_DESTINATION: usize = 2;
/// Up to this many destinations have [`LANES_PER_DESTINATION`] lanes each; more have one lane each, so that their queues stay few.
pub const DESTINATIONS_WITH_LANES: usize = 4;

/// Rules for the records of some topics, and the destination of their lines.
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

/// All mappings of a configuration, with their destinations and lanes.
#[derive(Debug)]
pub struct Routing {
    /// Each mapping with the index of its destination.
    mappings: Vec<(Mapping, usize)>,
    destinations: Vec<Arc<Destination>>,
    /// `reject.rate_max`.
    pub(crate) reject_rate_max: f64,
    pub(crate) lanes_per_destination: usize,
}

/// Identifies a lane: the index of its destination, and which of the destination's lanes it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneKey {
    pub destination: usize,
    pub slot: usize,
}

impl Routing {
    pub fn new(topic_mappings: &[Mapping], reject_rate_max: f64) -> Self {
        let mut destinations: Vec<Arc<Destination>> = Vec::new();
        let mut mappings = Vec::new();
        for mapping in topic_mappings {
            let known = destinations.iter().position(|known| **known == mapping.destination);
            let index = known.unwrap_or_else(|| {
                destinations.push(Arc::new(mapping.destination.clone()));
                destinations.len() - 1
            });
            mappings.push((mapping.clone(), index));
        }
        let is_many = destinations.len() > DESTINATIONS_WITH_LANES;
        let lanes_per_destination = if is_many { 1 } else { LANES_PER_DESTINATION };
        Self { mappings, destinations, reject_rate_max, lanes_per_destination }
    }

    /// Falls back to one lane per destination above `lanes_max`.
    #[must_use]
    pub fn within(mut self, lanes_max: usize) -> Self {
        if self.lanes() > lanes_max {
            self.lanes_per_destination = 1;
        }
        self
    }

    pub fn destinations(&self) -> Vec<Destination> {
        self.destinations.iter().map(|destination| Destination::clone(destination)).collect()
    }

    /// Number of lanes, and so of queues, that a consumer may have.
    pub fn lanes(&self) -> usize {
        self.destinations.len() * self.lanes_per_destination
    }

    /// Whether a mapping reads record headers.
    pub fn wants_headers(&self) -> bool {
        self.mappings.iter().any(|(mapping, _)| mapping.rules.wants_headers())
    }

    #[expect(clippy::indexing_slicing, reason = "indexes come from this list, which never changes")]
    pub fn destination(&self, index: usize) -> &Arc<Destination> {
        &self.destinations[index]
    }

    /// The rules of the first mapping that matches, and the index of its destination.
    pub fn mapping_of(&self, topic: &str) -> Option<(&Arc<Rules>, usize)> {
        let matching = self.mappings.iter().find(|(mapping, _)| mapping.is_match(topic));
        matching.map(|(mapping, destination)| (&mapping.rules, *destination))
    }
}
