//! Topics that are deleted and created again while they are read.
//!
//! librdkafka goes on at the offset it had. Where the new topic is shorter, that is out of range, and read from the beginning
//! (resets.rs); where it has grown beyond that offset already, nobody would notice. So the topics' ids are looked at.

use super::context::GroupConsumer;
use super::ffi::{TopicId, TopicIds};
use crate::context::partition_of;
use base::TopicPartition;
use rdkafka::consumer::Consumer;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// As often as librdkafka refreshes its metadata. What is committed meanwhile goes back afterwards.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// Until there is something to ask for.
const ASSIGNED_EVERY: Duration = Duration::from_millis(500);

/// The ids of the topics that are read.
pub struct Recreated {
    ids: TopicIds,
    known: Known,
    next_ask: Instant,
}

impl Recreated {
    pub fn new(consumer: &GroupConsumer) -> Self {
        Self { ids: TopicIds::new(consumer), known: Known::default(), next_ask: Instant::now() }
    }

    /// Partitions held of topics that are others than before. It waits for nothing.
    pub fn look(&mut self, consumer: &GroupConsumer) -> Vec<TopicPartition> {
        // Without an answer yet nothing has changed.
        let changed = self.ids.answer().map(|answer| self.known.learn(answer)).unwrap_or_default();
        let now = Instant::now();
        if changed.is_empty() && now < self.next_ask {
            return Vec::new();
        }
        let Ok(assigned) = consumer.assignment() else { return Vec::new() };
        let held: Vec<TopicPartition> = assigned.elements().iter().map(partition_of).collect();
        if now >= self.next_ask {
            let topics: BTreeSet<&str> = held.iter().map(|at| at.topic.as_str()).collect();
            self.known.keep(&topics);
            self.next_ask = now + if topics.is_empty() { ASSIGNED_EVERY } else { ASK_EVERY };
            if !topics.is_empty() {
                self.ids.ask(consumer, &topics.into_iter().collect::<Vec<_>>());
            }
        }
        held.into_iter().filter(|at| changed.contains(&at.topic)).collect()
    }
}

#[derive(Debug, Default)]
struct Known(BTreeMap<String, TopicId>);

impl Known {
    /// The topics whose ids are others than before.
    fn learn(&mut self, answer: Vec<(String, TopicId)>) -> Vec<String> {
        let mut changed = Vec::new();
        for (topic, id) in answer {
            if self.0.insert(topic.clone(), id).is_some_and(|before| before != id) {
                changed.push(topic);
            }
        }
        changed
    }

    /// Forgets all others: when they are assigned again, it is for the topic that there is then.
    fn keep(&mut self, topics: &BTreeSet<&str>) {
        self.0.retain(|topic, _| topics.contains(topic.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_topics_of_one_name_apart() {
        let mut known = Known::default();
        let mut learn = |topics: &[(&str, i64)]| {
            known.learn(topics.iter().map(|(topic, id)| ((*topic).to_owned(), (0, *id))).collect())
        };
        assert_eq!(learn(&[("a", 1), ("b", 2)]), [""; 0]);
        assert_eq!(learn(&[("a", 1), ("b", 3), ("c", 4)]), ["b"]);
        // While it is deleted it is not named.
        assert_eq!(learn(&[("a", 1)]), [""; 0]);
        assert_eq!(learn(&[("b", 3), ("c", 5)]), ["c"]);
        known.keep(&BTreeSet::from(["a"]));
        assert_eq!(known.learn(vec![("a".to_owned(), (0, 1)), ("c".to_owned(), (0, 6))]), [""; 0]);
    }
}
