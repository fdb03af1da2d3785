//! Detects topics that are deleted and created again while they are read.
//!
//! librdkafka continues at its old offset. In a shorter new topic that offset is out of range, and reading resumes at the beginning
//! (`out_of_range_offsets.rs`). A new topic that has already grown beyond the offset would lose its first records, so the topics' ids are
//! compared: every 5 s, and before offsets are committed at a revocation.

use super::ffi::{TopicId, TopicIds};
use crate::partition_lists::partition_of;
use base::TopicPartition;
use base::locks::lock;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Interval of requests, the same as of librdkafka's metadata. Offsets committed meanwhile are corrected afterwards.
const REQUEST_EVERY: Duration = Duration::from_secs(5);
/// Interval of checks for an assignment, while there is none: a topic that is recreated before its id is known is not recognized.
const ASSIGNED_EVERY: Duration = Duration::from_millis(100);

/// Time limit of a request for ids at a revocation, for which the other members and a stop wait.
const REVOKED_MAX: Duration = Duration::from_millis(500);

/// The ids of the topics that are read.
pub struct RecreatedTopics {
    ids: TopicIds,
    next_request: Instant,
}

impl RecreatedTopics {
    pub fn new<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Self {
        Self { ids: TopicIds::new(consumer), next_request: Instant::now() }
    }

    /// Assigned partitions of topics that were recreated since the last call. Never blocks.
    pub fn poll<C: ConsumerContext>(
        &mut self,
        consumer: &BaseConsumer<C>,
        known: &Mutex<LastTopicIds>,
    ) -> Vec<TopicPartition> {
        // Without a response there is no change.
        let changed = self.ids.response(Duration::ZERO).map(|ids| lock(known).learn(ids)).unwrap_or_default();
        let now = Instant::now();
        if changed.is_empty() && now < self.next_request {
            return Vec::new();
        }
        let Ok(assigned) = consumer.assignment() else { return Vec::new() };
        let assigned: Vec<TopicPartition> = assigned.elements().iter().map(partition_of).collect();
        if now >= self.next_request {
            let topics: BTreeSet<&str> = assigned.iter().map(|at| at.topic.as_str()).collect();
            lock(known).keep(&topics);
            self.next_request = now + if topics.is_empty() { ASSIGNED_EVERY } else { REQUEST_EVERY };
            if !topics.is_empty() {
                self.ids.request(consumer, &topics.into_iter().collect::<Vec<_>>());
            }
        }
        assigned.into_iter().filter(|at| changed.contains(&at.topic)).collect()
    }
}

/// Whether a topic is still the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicIdentity {
    Same,
    Recreated,
    /// The topic does not exist, or the brokers do not respond.
    Unknown,
}

/// Compares the ids of these topics with the ones known before. A topic whose id was never learned counts as the same.
pub fn identities<'a, C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    known: &Mutex<LastTopicIds>,
    topics: &BTreeSet<&'a str>,
) -> BTreeMap<&'a str, TopicIdentity> {
    let of_known = lock(known).known_of(topics);
    let response = (!of_known.is_empty()).then(|| {
        let ids = TopicIds::new(consumer);
        ids.request(consumer, &of_known);
        ids.response(REVOKED_MAX).unwrap_or_default()
    });
    lock(known).identities(topics, &response.unwrap_or_default())
}

/// The id of each topic at its last response.
#[derive(Debug, Default)]
pub struct LastTopicIds(BTreeMap<String, TopicId>);

impl LastTopicIds {
    /// Stores the ids. Returns the topics whose ids have changed.
    fn learn(&mut self, ids: Vec<(String, TopicId)>) -> Vec<String> {
        let mut changed = Vec::new();
        for (topic, id) in ids {
            if self.0.insert(topic.clone(), id).is_some_and(|before| before != id) {
                changed.push(topic);
            }
        }
        changed
    }

    /// The topics whose ids are known.
    fn known_of<'a>(&self, topics: &BTreeSet<&'a str>) -> Vec<&'a str> {
        topics.iter().copied().filter(|topic| self.0.contains_key(*topic)).collect()
    }

    /// Compares a response with the known ids.
    fn identities<'a>(
        &self,
        topics: &BTreeSet<&'a str>,
        response: &[(String, TopicId)],
    ) -> BTreeMap<&'a str, TopicIdentity> {
        let identity = |topic: &str| {
            let Some(before) = self.0.get(topic) else { return TopicIdentity::Same };
            match response.iter().find(|(name, _)| name == topic) {
                Some((_, id)) if id == before => TopicIdentity::Same,
                Some(_) => TopicIdentity::Recreated,
                None => TopicIdentity::Unknown,
            }
        };
        topics.iter().map(|topic| (*topic, identity(topic))).collect()
    }

    /// Removes all other topics: a later assignment reads the topic that exists then.
    fn keep(&mut self, topics: &BTreeSet<&str>) {
        self.0.retain(|topic, _| topics.contains(topic.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_shows_that_a_topic_was_recreated() {
        let mut known = LastTopicIds::default();
        let mut learn = |topics: &[(&str, i64)]| {
            known.learn(topics.iter().map(|(topic, id)| ((*topic).to_owned(), (0, *id))).collect())
        };
        assert_eq!(learn(&[("a", 1), ("b", 2)]), [""; 0]);
        assert_eq!(learn(&[("a", 1), ("b", 3), ("c", 4)]), ["b"]);
        // A response does not name deleted topics.
        assert_eq!(learn(&[("a", 1)]), [""; 0]);
        assert_eq!(learn(&[("b", 3), ("c", 5)]), ["c"]);
        let identities = known.identities(
            &BTreeSet::from(["a", "b", "c", "d"]),
            &[("a".to_owned(), (0, 1)), ("b".to_owned(), (0, 4))],
        );
        let want =
            [TopicIdentity::Same, TopicIdentity::Recreated, TopicIdentity::Unknown, TopicIdentity::Same];
        assert_eq!(identities.into_values().collect::<Vec<_>>(), want);
        known.keep(&BTreeSet::from(["a"]));
        assert_eq!(known.learn(vec![("a".to_owned(), (0, 1)), ("c".to_owned(), (0, 6))]), [""; 0]);
    }
}
