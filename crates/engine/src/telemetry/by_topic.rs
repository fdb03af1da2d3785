//! What was rejected and refused, by topic. Such records are few; those that are well are not counted here.

use mapping::Reason;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Topics that are told apart; what further ones have is counted together. A regular expression may match any number.
const TOPICS_MAX: usize = 1_000;
const OTHERS: &str = "(others)";

/// Counts of one topic.
#[derive(Clone, Copy, Debug, Default)]
pub struct TopicCounts {
    rejected: [u64; Reason::ALL.len()],
    pub lines_refused: u64,
}

impl TopicCounts {
    /// The reasons there were.
    pub fn rejected(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().zip(self.rejected).filter(|(_, count)| *count > 0)
    }
}

/// Only topics that had some.
#[derive(Debug, Default)]
pub struct ByTopic(Mutex<BTreeMap<Arc<str>, TopicCounts>>);

impl ByTopic {
    pub fn reject(&self, topic: &str, reason: Reason, count: u64) {
        self.of(topic, |of| {
            if let Some(counter) = of.rejected.get_mut(reason as usize) {
                *counter += count;
            }
        });
    }

    pub fn refuse(&self, topic: &str, lines: u64) {
        self.of(topic, |of| of.lines_refused += lines);
    }

    pub fn all(&self) -> BTreeMap<Arc<str>, TopicCounts> {
        self.lock().clone()
    }

    fn of<T>(&self, topic: &str, count: impl FnOnce(&mut TopicCounts) -> T) -> T {
        let mut topics = self.lock();
        if let Some(of) = topics.get_mut(topic) {
            return count(of);
        }
        let name = if topics.len() < TOPICS_MAX { topic } else { OTHERS };
        count(topics.entry(name.into()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, TopicCounts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_further_topics_together() {
        let counts = ByTopic::default();
        for number in 0..TOPICS_MAX + 5 {
            counts.reject(&format!("t{number}"), Reason::Time, 2);
        }
        counts.reject("t7", Reason::Empty, 1);
        counts.refuse("t7", 3);
        let all = counts.all();
        assert_eq!(all.len(), TOPICS_MAX + 1);
        assert_eq!(all[OTHERS].rejected().collect::<Vec<_>>(), [(Reason::Time, 10)]);
        let mut of_one: Vec<_> = all["t7"].rejected().collect();
        of_one.sort();
        let mut want = [(Reason::Time, 2), (Reason::Empty, 1)];
        want.sort();
        assert_eq!((of_one, all["t7"].lines_refused), (want.to_vec(), 3));
    }
}
