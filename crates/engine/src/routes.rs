//! Which partitions are assigned, and where their records go: topic to mapping, mapping to destination, partition to lane.

use crate::commit::AssignmentId;
use crate::reject_limiter::{ProbeDelays, RejectLimiter};
use crate::topic_mapping::Mapping;
use base::Destination;
use base::TopicPartition;
use kafka::Place;
use mapping::{Mapper, RecordLimits, Rules};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Lanes of one destination: requests in flight at once. Two keep a loopback database busy; each costs queues of its own.
const LANES_PER_DESTINATION: usize = 2;
/// From this many destinations on each has one lane, so that their queues stay few.
pub const DESTINATIONS_WITH_LANES: usize = 4;

/// Topics without an assigned partition that stay known, so that what was learned of them outlives a rebalance. Each costs up to some
/// MB: see the formula of memory in ARCHITECTURE.md.
const UNASSIGNED_TOPICS_MAX: usize = 100;

/// What the configuration says of topics.
#[derive(Debug)]
pub struct Routing {
    mappings: Vec<(Mapping, usize)>,
    destinations: Vec<Arc<Destination>>,
    /// `reject.rate_max`.
    reject_rate_max: f64,
    lanes_per_destination: usize,
}

/// One lane among all: the destination's number, and which of its lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneKey {
    pub destination: usize,
    pub slot: usize,
}

/// Where a partition's records go.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub assignment: AssignmentId,
    /// The topic's number.
    pub topic: usize,
    pub lane: LaneKey,
}

/// A topic that partitions were assigned of, with what was learned of it.
#[derive(Debug)]
pub struct Topic {
    pub name: Arc<str>,
    /// None: no mapping matches.
    pub mapper: Option<Mapper>,
    pub destination: usize,
    /// When a partition was last assigned, as a number that grows with each assignment.
    last_assigned: u64,
    /// Whether its first line was shown.
    pub shown: bool,
    /// Whether to warn of the next record in which the mapping's query selects nothing.
    pub tells_empty_query: bool,
    pub limiter: RejectLimiter,
}

/// The partitions assigned to one consumer, and their topics.
#[derive(Debug)]
pub struct Routes {
    routing: Arc<Routing>,
    limits: RecordLimits,
    probes: ProbeDelays,
    /// A topic's number is its place here. Places of topics without an assigned partition are used again.
    topics: Vec<Topic>,
    assignments: u64,
    /// Topics that the configuration before had blocked.
    blocked_before: BTreeSet<Arc<str>>,
    assigned: HashMap<TopicPartition, Route>,
    partitions_by_assignment: HashMap<AssignmentId, Arc<TopicPartition>>,
    last: Option<(usize, i32, Option<Route>)>,
}

impl Routing {
    pub fn new(topic_mappings: &[Mapping], reject_rate_max: f64) -> Self {
        let mut destinations: Vec<Arc<Destination>> = Vec::new();
        let mut mappings = Vec::new();
        for mapping in topic_mappings {
            let known = destinations.iter().position(|known| **known == mapping.destination);
            let number = known.unwrap_or_else(|| {
                destinations.push(Arc::new(mapping.destination.clone()));
                destinations.len() - 1
            });
            mappings.push((mapping.clone(), number));
        }
        let is_many = destinations.len() > DESTINATIONS_WITH_LANES;
        let lanes_per_destination = if is_many { 1 } else { LANES_PER_DESTINATION };
        Self { mappings, destinations, reject_rate_max, lanes_per_destination }
    }

    /// With one lane a destination where more would be too many.
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

    /// How many queues a consumer may have.
    pub fn lanes(&self) -> usize {
        self.destinations.len() * self.lanes_per_destination
    }

    pub fn wants_headers(&self) -> bool {
        self.mappings.iter().any(|(mapping, _)| !mapping.rules.header_tags.is_empty())
    }

    #[expect(clippy::indexing_slicing, reason = "numbers come from this list, which never changes")]
    pub fn destination(&self, number: usize) -> &Arc<Destination> {
        &self.destinations[number]
    }

    /// The rules and the destination's number of the first mapping that matches.
    pub fn mapping_of(&self, topic: &str) -> Option<(&Arc<Rules>, usize)> {
        let matching = self.mappings.iter().find(|(mapping, _)| mapping.is_match(topic));
        matching.map(|(mapping, destination)| (&mapping.rules, *destination))
    }
}

impl Routes {
    pub fn new(routing: Arc<Routing>, limits: RecordLimits, probes: ProbeDelays) -> Self {
        let (assigned, partitions_by_assignment, blocked_before) =
            (HashMap::new(), HashMap::new(), BTreeSet::new());
        Self {
            routing,
            limits,
            probes,
            topics: Vec::new(),
            assignments: 0,
            blocked_before,
            assigned,
            partitions_by_assignment,
            last: None,
        }
    }

    /// Takes over which topics were blocked by the configuration before: each flows again, and is blocked again sooner.
    pub fn follow(&mut self, before: &Self) {
        let blocked = before.topics.iter().filter(|topic| !topic.limiter.is_open());
        self.blocked_before = blocked.map(|topic| Arc::clone(&topic.name)).collect();
    }

    /// Routes a partition from now on.
    pub fn add(&mut self, at: TopicPartition, assignment: AssignmentId) -> Route {
        let topic = self.topic_number(&at.topic);
        self.assignments += 1;
        let assigned = self.assignments;
        let known = self.topic_mut(topic);
        known.last_assigned = assigned;
        let destination = known.destination;
        // Topics of one partition are spread too.
        let slot = (topic + at.partition.unsigned_abs() as usize) % self.routing.lanes_per_destination;
        let route = Route { assignment, topic, lane: LaneKey { destination, slot } };
        self.partitions_by_assignment.insert(assignment, Arc::new(at.clone()));
        self.assigned.insert(at, route);
        self.last = None;
        route
    }

    /// Stops routing a partition; its place stays known until [`Routes::forget`].
    pub fn remove(&mut self, at: &TopicPartition) -> Option<AssignmentId> {
        self.last = None;
        self.assigned.remove(at).map(|route| route.assignment)
    }

    /// Another assignment takes the place of the one in which this partition was assigned. Returns the old one.
    pub fn renew_assignment(
        &mut self,
        at: &TopicPartition,
        begin: impl FnOnce(AssignmentId) -> AssignmentId,
    ) -> Option<AssignmentId> {
        self.last = None;
        let route = self.assigned.get_mut(at)?;
        let before = route.assignment;
        route.assignment = begin(before);
        let place = self.partitions_by_assignment.remove(&before).unwrap_or_else(|| Arc::new(at.clone()));
        self.partitions_by_assignment.insert(route.assignment, place);
        Some(before)
    }

    /// The partitions of a topic that are assigned, with their assignments, in an order that does not change from run to run.
    pub fn assigned_of(&self, topic: usize) -> Vec<(TopicPartition, AssignmentId)> {
        let of_topic = self.assigned.iter().filter(|(_, route)| route.topic == topic);
        let mut assigned: Vec<_> = of_topic.map(|(at, route)| (at.clone(), route.assignment)).collect();
        assigned.sort();
        assigned
    }

    /// The numbers of topics that do not flow.
    pub fn not_open(&self) -> Vec<usize> {
        let topics = self.topics.iter().enumerate();
        topics.filter(|(_, topic)| !topic.limiter.is_open()).map(|(number, _)| number).collect()
    }

    /// Forgets where a assignment was.
    pub fn forget(&mut self, assignment: AssignmentId) {
        self.partitions_by_assignment.remove(&assignment);
    }

    pub fn partitions(&self) -> usize {
        self.assigned.len()
    }

    /// The partitions assigned.
    pub fn assigned(&self) -> impl Iterator<Item = &TopicPartition> {
        self.assigned.keys()
    }

    /// In an order that does not change from run to run.
    pub fn into_assigned(self) -> Vec<(TopicPartition, AssignmentId)> {
        let mut assigned: Vec<_> =
            self.assigned.into_iter().map(|(at, route)| (at, route.assignment)).collect();
        assigned.sort();
        assigned
    }

    pub fn partition_of(&self, assignment: AssignmentId) -> Option<&Arc<TopicPartition>> {
        self.partitions_by_assignment.get(&assignment)
    }

    /// The route of a record's partition, if it is assigned. Records come in runs of one partition, so the last is tried first.
    pub fn find(&mut self, place: &Place<'_>) -> Option<Route> {
        if let Some((topic, partition, route)) = self.last
            && (topic, partition) == (place.topic_handle, place.partition)
        {
            return route;
        }
        let at = TopicPartition { topic: place.topic.to_owned(), partition: place.partition };
        let route = self.assigned.get(&at).copied();
        self.last = Some((place.topic_handle, place.partition, route));
        route
    }

    pub fn forget_last(&mut self) {
        self.last = None;
    }

    #[expect(clippy::indexing_slicing, reason = "numbers come from this list, which never shrinks")]
    pub fn topic_mut(&mut self, number: usize) -> &mut Topic {
        &mut self.topics[number]
    }

    /// The topic of this name, if partitions of it were assigned.
    pub fn topic_named(&mut self, name: &str) -> Option<&mut Topic> {
        self.topics.iter_mut().find(|topic| *topic.name == *name)
    }

    /// Assigned partitions whose records are left unsettled now.
    pub fn blocked_partitions(&self) -> Vec<TopicPartition> {
        let is_blocked =
            |route: &Route| self.topics.get(route.topic).is_some_and(|topic| topic.limiter.is_blocked());
        self.assigned.iter().filter(|(_, route)| is_blocked(route)).map(|(at, _)| at.clone()).collect()
    }

    fn topic_number(&mut self, name: &str) -> usize {
        if let Some(number) = self.topics.iter().position(|topic| *topic.name == *name) {
            return number;
        }
        let mapping = self.routing.mapping_of(name);
        let mapper = mapping.map(|(rules, _)| Mapper::new(Arc::clone(rules), name, self.limits));
        let destination = mapping.map_or(0, |(_, destination)| destination);
        let limiter = RejectLimiter::new(self.routing.reject_rate_max, self.probes);
        let limiter = if self.blocked_before.contains(name) { limiter.after_block() } else { limiter };
        let (shown, tells_empty_query) = (false, true);
        let topic = Topic {
            name: name.into(),
            mapper,
            destination,
            last_assigned: 0,
            shown,
            tells_empty_query,
            limiter,
        };
        if let Some(number) = self.place_to_use_again() {
            *self.topic_mut(number) = topic;
            return number;
        }
        self.topics.push(topic);
        self.topics.len() - 1
    }

    /// The topic that lost its last partition longest ago, where enough others without partitions stay known.
    fn place_to_use_again(&self) -> Option<usize> {
        let assigned: HashSet<usize> = self.assigned.values().map(|route| route.topic).collect();
        let unassigned = self.topics.iter().enumerate().filter(|(number, _)| !assigned.contains(number));
        if unassigned.clone().count() < UNASSIGNED_TOPICS_MAX {
            return None;
        }
        unassigned.min_by_key(|(_, topic)| topic.last_assigned).map(|(number, _)| number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::Tracker;

    #[test]
    fn topics_that_come_and_go_do_not_add_up() {
        let destination = Destination::Database { database: "d".to_owned(), retention_policy: None };
        let mapping = Mapping { topics: None, rules: Arc::default(), destination };
        let limits = RecordLimits { record_bytes_max: 1_000, lines_bytes_max: 1_000 };
        let mut routes = Routes::new(Arc::new(Routing::new(&[mapping], 0.1)), limits, ProbeDelays::default());
        let (mut tracker, at) = (Tracker::default(), |topic: String| TopicPartition { topic, partition: 0 });
        let stays = at("stays".to_owned());
        let first = routes.add(stays.clone(), tracker.assign());
        for number in 0..1_000 {
            let topic = at(format!("t{number}"));
            let route = routes.add(topic.clone(), tracker.assign());
            assert_eq!(*routes.topic_mut(route.topic).name, *topic.topic);
            let assignment = routes.remove(&topic).unwrap();
            routes.forget(assignment);
        }
        assert_eq!(routes.topics.len(), 1 + UNASSIGNED_TOPICS_MAX);
        assert_eq!(*routes.topic_mut(first.topic).name, *stays.topic, "an assigned topic keeps its place");
        assert!(routes.topic_named("t999").is_some() && routes.topic_named("t900").is_some());
        assert!(routes.topic_named("t899").is_none(), "the newest stay known");
        assert_eq!((routes.assigned.len(), routes.partitions_by_assignment.len()), (1, 1));
    }
}
