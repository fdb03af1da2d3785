//! Routes of the assigned partitions: the assignment, topic and lane of each.

use crate::offset_tracker::AssignmentId;
use crate::sampled_unit_check::SampledUnitCheck;
use crate::schema_wait::SchemaWait;
use crate::telemetry::TurnCounts;
use crate::topic_gate::{ProbeDelays, TopicGate};
use crate::topic_routing::{LaneKey, Routing};
use crate::topic_state::TopicState;
use base::TopicPartition;
use kafka::PartitionRef;
use mapping::{Drops, RecordLimits};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Topics without an assigned partition whose mapper and gate are kept, so that learned keys outlive a rebalance. Each costs up
/// to some MB: see the formula in docs/memory.md.
const UNASSIGNED_TOPICS_MAX: usize = 100;

/// The route of a partition's records.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub assignment: AssignmentId,
    pub topic: TopicIndex,
    pub lane: LaneKey,
}

/// Index of a topic, for [`Routes::topic_mut`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicIndex(usize);

/// The partitions assigned to one consumer, and their topics.
#[derive(Debug)]
pub struct Routes {
    routing: Arc<Routing>,
    limits: RecordLimits,
    /// Whether rejected records are dead-lettered.
    writes_dead_letters: bool,
    probes: ProbeDelays,
    /// Routes refer to topics by index. Entries of topics without an assigned partition are reused.
    topics: Vec<TopicState>,
    /// Number of assignments so far.
    assignments: u64,
    /// Topics that were blocked under the previous configuration.
    blocked_before: BTreeSet<Arc<str>>,
    assigned: HashMap<TopicPartition, Route>,
    partitions: HashMap<AssignmentId, Arc<TopicPartition>>,
    /// The result of the last [`Routes::find`], by topic handle and partition.
    last: Option<(usize, i32, Option<Route>)>,
}

impl Routes {
    pub fn new(
        routing: Arc<Routing>,
        limits: RecordLimits,
        writes_dead_letters: bool,
        probes: ProbeDelays,
    ) -> Self {
        Self {
            routing,
            limits,
            writes_dead_letters,
            probes,
            topics: Vec::new(),
            assignments: 0,
            blocked_before: BTreeSet::new(),
            assigned: HashMap::new(),
            partitions: HashMap::new(),
            last: None,
        }
    }

    /// Takes over the names of the topics that `previous` had blocked: they start open, and are blocked again sooner.
    pub fn follow(&mut self, previous: &Self) {
        let blocked = previous.topics.iter().filter(|topic| !topic.gate.is_open());
        self.blocked_before = blocked.map(|topic| Arc::clone(&topic.name)).collect();
    }

    /// Routes a partition from now on.
    pub fn add(&mut self, at: TopicPartition, assignment: AssignmentId) -> Route {
        let index = self.topic_index(&at.topic);
        self.assignments += 1;
        let assigned = self.assignments;
        let topic = self.topic_mut(index);
        topic.last_assigned = assigned;
        let destination = topic.destination.clone().unwrap_or(Routing::NOWHERE);
        // Topics with one partition each are spread over the lanes too.
        let slot = (index.0 + at.partition.unsigned_abs() as usize) % self.routing.lanes_per_destination;
        let route = Route { assignment, topic: index, lane: LaneKey { destination, slot } };
        self.partitions.insert(assignment, Arc::new(at.clone()));
        self.assigned.insert(at, route);
        self.last = None;
        route
    }

    /// Stops routing a partition. [`Routes::partition_of`] still finds it until [`Routes::forget`].
    pub fn remove(&mut self, at: &TopicPartition) -> Option<AssignmentId> {
        self.last = None;
        self.assigned.remove(at).map(|route| route.assignment)
    }

    /// Gives a partition a new assignment, which `begin` makes from the old one. Returns the old assignment.
    pub fn renew_assignment(
        &mut self,
        at: &TopicPartition,
        begin: impl FnOnce(AssignmentId) -> AssignmentId,
    ) -> Option<AssignmentId> {
        self.last = None;
        let route = self.assigned.get_mut(at)?;
        let before = route.assignment;
        route.assignment = begin(before);
        let partition = self.partitions.remove(&before).unwrap_or_else(|| Arc::new(at.clone()));
        self.partitions.insert(route.assignment, partition);
        Some(before)
    }

    /// The assigned partitions of a topic with their assignments, sorted so that runs are repeatable.
    pub fn assigned_of(&self, topic: TopicIndex) -> Vec<(TopicPartition, AssignmentId)> {
        let of_topic = self.assigned.iter().filter(|(_, route)| route.topic == topic);
        let mut assigned: Vec<_> = of_topic.map(|(at, route)| (at.clone(), route.assignment)).collect();
        assigned.sort();
        assigned
    }

    /// Indexes of the topics that are blocked or probed.
    pub fn not_open(&self) -> Vec<TopicIndex> {
        let topics = self.topics.iter().enumerate();
        topics.filter(|(_, topic)| !topic.is_open()).map(|(index, _)| TopicIndex(index)).collect()
    }

    /// Forgets the partition of an assignment.
    pub fn forget(&mut self, assignment: AssignmentId) {
        self.partitions.remove(&assignment);
    }

    /// The assigned partitions.
    pub fn assigned(&self) -> impl ExactSizeIterator<Item = &TopicPartition> {
        self.assigned.keys()
    }

    /// The assigned partitions with their assignments, sorted so that runs are repeatable.
    pub fn into_assigned(self) -> Vec<(TopicPartition, AssignmentId)> {
        let mut assigned: Vec<_> =
            self.assigned.into_iter().map(|(at, route)| (at, route.assignment)).collect();
        assigned.sort();
        assigned
    }

    /// The partition of an assignment that was not forgotten yet.
    pub fn partition_of(&self, assignment: AssignmentId) -> Option<&Arc<TopicPartition>> {
        self.partitions.get(&assignment)
    }

    /// The route of a record's partition, if it is assigned. Caches the last result, because records come in runs of one partition.
    pub fn find(&mut self, place: &PartitionRef<'_>) -> Option<Route> {
        if let Some((topic, partition, route)) = self.last
            && (topic, partition) == (place.topic_handle, place.partition)
        {
            return route;
        }
        let route = self.assigned.get(&place.to_owned()).copied();
        self.last = Some((place.topic_handle, place.partition, route));
        route
    }

    /// Clears the cache of [`Routes::find`]: a topic handle is valid only within one fetch.
    pub fn forget_last(&mut self) {
        self.last = None;
    }

    #[expect(clippy::indexing_slicing, reason = "indexes come from this list, which never shrinks")]
    pub fn topic_mut(&mut self, index: TopicIndex) -> &mut TopicState {
        &mut self.topics[index.0]
    }

    /// The topic of this index.
    pub fn topic(&self, index: TopicIndex) -> Option<&TopicState> {
        self.topics.get(index.0)
    }

    /// All topics, also those without an assigned partition.
    pub fn topics_mut(&mut self) -> impl Iterator<Item = &mut TopicState> {
        self.topics.iter_mut()
    }

    /// The topic of this name, if partitions of it were assigned.
    pub fn topic_named(&mut self, name: &str) -> Option<&mut TopicState> {
        self.topics.iter_mut().find(|topic| *topic.name == *name)
    }

    /// Whether a topic waits for a schema.
    pub fn waits_for_schema(&self) -> bool {
        self.topics.iter().any(|topic| topic.schema_wait.is_waiting())
    }

    /// Assigned partitions whose records are of no use now.
    pub fn blocked_partitions(&self) -> Vec<TopicPartition> {
        let is_blocked = |route: &Route| self.topic(route.topic).is_some_and(TopicState::is_blocked);
        self.assigned.iter().filter(|(_, route)| is_blocked(route)).map(|(at, _)| at.clone()).collect()
    }

    fn topic_index(&mut self, name: &str) -> TopicIndex {
        if let Some(index) = self.topics.iter().position(|topic| *topic.name == *name) {
            return TopicIndex(index);
        }
        let rules = self.routing.rules_of(name);
        let mapper = self.routing.mapper_of(name, self.limits);
        let destination = self.routing.destination_of(name);
        let gate = TopicGate::new(self.routing.reject_rate_max, self.writes_dead_letters, self.probes);
        let gate = if self.blocked_before.contains(name) { gate.after_block() } else { gate };
        let topic = TopicState {
            name: name.into(),
            mapper,
            destination,
            last_assigned: 0,
            first_line_logged: false,
            empty_query_logged: false,
            fieldless_logged: false,
            drops: Drops::default(),
            turn: TurnCounts::default(),
            counters: None,
            unit_check: SampledUnitCheck::new(rules.and_then(|rules| rules.time_rule())),
            gate,
            schema_wait: SchemaWait::new(self.routing.schemas().cloned()),
        };
        if let Some(index) = self.reusable_entry() {
            *self.topic_mut(index) = topic;
            return index;
        }
        self.topics.push(topic);
        TopicIndex(self.topics.len() - 1)
    }

    /// The entry of the topic that was assigned longest ago, if [`UNASSIGNED_TOPICS_MAX`] topics have no assigned partition.
    fn reusable_entry(&self) -> Option<TopicIndex> {
        let assigned: HashSet<TopicIndex> = self.assigned.values().map(|route| route.topic).collect();
        let all = self.topics.iter().enumerate().map(|(index, topic)| (TopicIndex(index), topic));
        let unassigned = all.filter(|(index, _)| !assigned.contains(index));
        if unassigned.clone().count() < UNASSIGNED_TOPICS_MAX {
            return None;
        }
        unassigned.min_by_key(|(_, topic)| topic.last_assigned).map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offset_tracker::OffsetTracker;
    use crate::topic_destination::MappingDestination;
    use crate::topic_routing::Mapping;
    use base::Destination;

    #[test]
    fn reuses_the_entries_of_topics_without_an_assigned_partition() {
        let destination = Destination::Database { database: "d".to_owned(), retention_policy: None };
        let destination = MappingDestination::Fixed(destination);
        let mapping = Mapping { topics: None, rules: Arc::default(), destination };
        let limits = RecordLimits { record_bytes_max: 1_000, lines_bytes_max: 1_000 };
        let mut routes =
            Routes::new(Arc::new(Routing::new(&[mapping], 0.1)), limits, false, ProbeDelays::default());
        let (mut tracker, at) =
            (OffsetTracker::default(), |topic: String| TopicPartition { topic, partition: 0 });
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
        assert_eq!(*routes.topic_mut(first.topic).name, *stays.topic, "an assigned topic keeps its entry");
        assert!(routes.topic_named("t999").is_some() && routes.topic_named("t900").is_some());
        assert!(routes.topic_named("t899").is_none(), "the newest topics are kept");
        assert_eq!((routes.assigned.len(), routes.partitions.len()), (1, 1));
    }
}
