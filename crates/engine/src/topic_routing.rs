//! Routing by configuration: topic to mapping, mapping to destination, destination to lanes.

use crate::schema_wait::SchemaSource;
use crate::topic_destination::{MappingDestination, NoDestination};
use base::Destination;
use base::locks;
use kafka::Topics;
use mapping::{Mapper, RecordLimits, Rules};
use std::sync::{Arc, RwLock};

/// Lanes of one destination, each with one request in flight. Two keep a loopback database busy; each costs queues of its own.
const LANES_PER_DESTINATION: usize = 2;
/// Up to this many destinations have [`LANES_PER_DESTINATION`] lanes each; more have one lane each, so that their queues stay few. Up to this
/// many mappings have their own lanes to a destination that they share.
pub const DESTINATIONS_WITH_LANES: usize = 4;

/// The default of `influx.destinations_max`.
const DESTINATIONS_MAX: usize = 64;

/// Rules for the records of some topics, and the destination of their lines.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// None: all topics.
    pub topics: Option<Topics>,
    /// Shared, because a mapping may have thousands of compiled globs, and configurations are copied.
    pub rules: Arc<Rules>,
    pub destination: MappingDestination,
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
    mappings: Vec<Mapping>,
    /// A destination of a topic is added when the topic is first assigned.
    destinations: RwLock<Vec<MappedDestination>>,
    /// Whether each mapping has lanes of its own, so that its records do not wait for a backlog of another mapping.
    are_lanes_separate: bool,
    /// Most destinations, where some belong to topics.
    destinations_max: usize,
    /// The destination of lanes that no line goes to: those of topics without a destination.
    nowhere: Arc<Destination>,
    /// `reject.rate_max`.
    pub(crate) reject_rate_max: f64,
    pub(crate) lanes_per_destination: usize,
    /// None without a schema registry.
    schemas: Option<SchemaSource>,
}

/// A destination of one mapping, or of all mappings that share lanes.
#[derive(Clone, Debug)]
struct MappedDestination {
    /// Index of the mapping. None: the destination is that of all mappings that write to it.
    mapping: Option<usize>,
    destination: Arc<Destination>,
}

/// Identifies a lane: the index of its destination, and which of the destination's lanes it is. A destination has an index for each mapping
/// with lanes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneKey {
    pub destination: usize,
    pub slot: usize,
}

impl Routing {
    /// Index of the destination of lanes that no line goes to.
    pub const NOWHERE: usize = usize::MAX;

    pub fn new(topic_mappings: &[Mapping], reject_rate_max: f64) -> Self {
        let nowhere = topic_mappings.first().map(|mapping| mapping.destination.unfilled());
        let nowhere = nowhere.unwrap_or_else(|| Destination::Database3 { database: String::new() });
        let routing = Self {
            mappings: topic_mappings.to_vec(),
            destinations: RwLock::default(),
            are_lanes_separate: false,
            destinations_max: DESTINATIONS_MAX,
            nowhere: Arc::new(nowhere),
            reject_rate_max,
            lanes_per_destination: 1,
            schemas: None,
        };
        routing.with_destinations_max(DESTINATIONS_MAX)
    }

    /// Reads the schemas of records from this source.
    #[must_use]
    pub fn with_schemas(self, schemas: Option<SchemaSource>) -> Self {
        Self { schemas, ..self }
    }

    /// The source of schemas; none without a schema registry.
    pub fn schemas(&self) -> Option<&SchemaSource> {
        self.schemas.as_ref()
    }

    /// Sets the most destinations, where some belong to topics.
    #[must_use]
    pub fn with_destinations_max(mut self, destinations_max: usize) -> Self {
        self.destinations_max = destinations_max;
        let is_fixed = self.mappings.iter().all(|mapping| !mapping.destination.is_of_topic());
        self.list_fixed(is_fixed && self.mappings.len() <= DESTINATIONS_WITH_LANES);
        let is_many = self.places() > DESTINATIONS_WITH_LANES;
        self.lanes_per_destination = if is_many { 1 } else { LANES_PER_DESTINATION };
        self
    }

    /// Lists the destinations that belong to no topic.
    fn list_fixed(&mut self, are_lanes_separate: bool) {
        self.are_lanes_separate = are_lanes_separate;
        let mut listed: Vec<MappedDestination> = Vec::new();
        for (index, mapping) in self.mappings.iter().enumerate() {
            let mapping_index = are_lanes_separate.then_some(index);
            if let MappingDestination::Fixed(destination) = &mapping.destination
                && listed.iter().all(|known| !known.is(mapping_index, destination))
            {
                let destination = Arc::new(destination.clone());
                listed.push(MappedDestination { mapping: mapping_index, destination });
            }
        }
        self.destinations = RwLock::new(listed);
    }

    /// Number of destinations that there are or may come.
    fn places(&self) -> usize {
        let known = self.read(Vec::len);
        let grows = self.mappings.iter().any(|mapping| mapping.destination.is_of_topic());
        if grows { known.max(self.destinations_max) } else { known }
    }

    fn read<T>(&self, read: impl FnOnce(&Vec<MappedDestination>) -> T) -> T {
        // Destinations are only appended, so a panic of another thread leaves them whole.
        read(&locks::read(&self.destinations))
    }

    /// Falls back to lanes that mappings share above `lanes_per_consumer_max`, and to one lane per destination.
    #[must_use]
    pub fn within(mut self, lanes_per_consumer_max: usize) -> Self {
        if self.lanes_per_consumer() > lanes_per_consumer_max {
            self.list_fixed(false);
        }
        if self.lanes_per_consumer() > lanes_per_consumer_max {
            self.lanes_per_destination = 1;
        }
        self
    }

    /// The destinations known so far.
    pub fn destinations(&self) -> Vec<Destination> {
        let mut destinations: Vec<Destination> = Vec::new();
        self.read(|known| {
            for MappedDestination { destination, .. } in known {
                if !destinations.contains(destination) {
                    destinations.push(Destination::clone(destination));
                }
            }
        });
        destinations
    }

    /// Number of lanes, and so of queues, that each consumer may have.
    pub fn lanes_per_consumer(&self) -> usize {
        self.places() * self.lanes_per_destination
    }

    /// Whether a mapping reads record headers.
    pub fn wants_headers(&self) -> bool {
        self.mappings.iter().any(|mapping| mapping.rules.wants_headers())
    }

    #[expect(clippy::indexing_slicing, reason = "indexes come from this list, which only grows")]
    pub fn destination(&self, index: usize) -> Arc<Destination> {
        if index == Self::NOWHERE {
            return Arc::clone(&self.nowhere);
        }
        self.read(|known| Arc::clone(&known[index].destination))
    }

    /// A mapper for the records of a topic; none if no mapping matches.
    pub fn mapper_of(&self, topic: &str, limits: RecordLimits) -> Option<Mapper> {
        let rules = self.rules_of(topic)?;
        let schemas = self.schemas.as_ref().map(SchemaSource::schemas);
        Some(Mapper::new(Arc::clone(rules), topic, limits).with_schemas(schemas))
    }

    /// The rules of the first mapping that matches.
    pub fn rules_of(&self, topic: &str) -> Option<&Arc<Rules>> {
        self.mappings.iter().find(|mapping| mapping.is_match(topic)).map(|mapping| &mapping.rules)
    }

    /// The index of a topic's destination.
    ///
    /// # Errors
    /// The topic's name does not give one, or there would be too many.
    pub fn destination_of(&self, topic: &str) -> Result<usize, NoDestination> {
        let mut mappings = self.mappings.iter().enumerate();
        let Some((index, mapping)) = mappings.find(|(_, mapping)| mapping.is_match(topic)) else {
            // Records without a mapping are rejected. Their partitions still need a lane.
            return Ok(if self.read(Vec::is_empty) { Self::NOWHERE } else { 0 });
        };
        let destination = mapping.destination.of(topic)?;
        let mapping = self.are_lanes_separate.then_some(index);
        let mut known = locks::write(&self.destinations);
        if let Some(index) = known.iter().position(|known| known.is(mapping, &destination)) {
            return Ok(index);
        }
        if known.len() >= self.destinations_max {
            return Err(NoDestination::TooMany { destination, max: self.destinations_max });
        }
        known.push(MappedDestination { mapping, destination: Arc::new(destination) });
        Ok(known.len() - 1)
    }
}

impl MappedDestination {
    fn is(&self, mapping: Option<usize>, destination: &Destination) -> bool {
        self.mapping == mapping && *self.destination == *destination
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic_destination::TopicDestination;
    use base::Api;
    use mapping::{Template, TopicPatterns};

    fn mapping(topics: Option<Topics>, destination: MappingDestination) -> Mapping {
        Mapping { topics, rules: Arc::default(), destination }
    }

    #[test]
    fn destinations_of_topics_are_bounded() {
        let of_topic = MappingDestination::OfTopic(TopicDestination {
            api: Api::V3,
            org: String::new(),
            name: Template::topic(),
            retention_policy: None,
            patterns: TopicPatterns::default(),
        });
        let fixed = Destination::Database3 { database: "b".to_owned() };
        let topics = Topics { names: vec!["x".to_owned()], ..Topics::default() };
        let mappings =
            [mapping(Some(topics), MappingDestination::Fixed(fixed.clone())), mapping(None, of_topic)];
        let routing = Routing::new(&mappings, 0.1).with_destinations_max(3);
        assert_eq!((routing.destinations(), routing.lanes_per_consumer()), (vec![fixed.clone()], 6));
        let at = |topic: &str| routing.destination_of(topic);
        assert_eq!((at("x"), at("a"), at("b"), at("c"), at("a")), (Ok(0), Ok(1), Ok(0), Ok(2), Ok(1)));
        let destination = Destination::Database3 { database: "d".to_owned() };
        assert_eq!(at("d"), Err(NoDestination::TooMany { destination, max: 3 }));
        assert_eq!(*routing.destination(2), Destination::Database3 { database: "c".to_owned() });
        assert_eq!(routing.lanes_per_consumer(), 6, "the lanes were reserved");
        let many = Routing::new(&mappings, 0.1);
        assert_eq!(many.lanes_per_consumer(), DESTINATIONS_MAX, "many destinations have one lane each");
    }

    #[test]
    fn few_mappings_have_lanes_of_their_own_to_one_destination() {
        let to = |name: &str| Destination::Database3 { database: name.to_owned() };
        let of = |topic: &str, name: &str| {
            let topics = Topics { names: vec![topic.to_owned()], ..Topics::default() };
            mapping(Some(topics), MappingDestination::Fixed(to(name)))
        };
        let mut mappings = vec![of("a", "x"), of("b", "x"), of("c", "y"), of("d", "x")];
        let routing = Routing::new(&mappings, 0.1);
        let at = |routing: &Routing| ["a", "b", "c", "d"].map(|topic| routing.destination_of(topic).unwrap());
        assert_eq!((at(&routing), routing.lanes_per_consumer()), ([0, 1, 2, 3], 8));
        assert_eq!(routing.destinations(), [to("x"), to("y")]);
        assert_eq!(
            [1, 2, 3].map(|index| Destination::clone(&routing.destination(index))),
            [to("x"), to("y"), to("x")]
        );
        // A reload keeps the number of queues: mappings share lanes then.
        let shared = Routing::new(&mappings, 0.1).within(4);
        assert_eq!((at(&shared), shared.lanes_per_consumer()), ([0, 0, 1, 0], 4));
        assert_eq!(Routing::new(&mappings, 0.1).within(3).lanes_per_consumer(), 2);
        mappings.push(of("e", "x"));
        let many = Routing::new(&mappings, 0.1);
        assert_eq!((at(&many), many.lanes_per_consumer()), ([0, 0, 1, 0], 4));
    }

    #[test]
    fn topics_without_a_mapping_have_a_lane_although_there_is_no_destination() {
        let routing = Routing::new(&[], 0.1);
        assert_eq!(routing.destination_of("x"), Ok(Routing::NOWHERE));
        let _nowhere = routing.destination(Routing::NOWHERE);
    }
}
