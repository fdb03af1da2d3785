//! Rejected records and refused lines by topic. They are few, so each is counted at once; stored records are not counted here.

use mapping::Reason;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Topics with counts of their own; further topics are counted together. A regular expression may match any number of topics.
const TOPICS_MAX: usize = 1_000;
const OTHERS: &str = "(others)";

/// Counts of one topic.
#[derive(Clone, Copy, Debug, Default)]
pub struct TopicCounts {
    rejected: [u64; Reason::ALL.len()],
    pub lines_refused: u64,
}

impl TopicCounts {
    /// Counts of rejected records by reason, without zeros.
    pub fn rejected(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().zip(self.rejected).filter(|(_, count)| *count > 0)
    }
}

/// Counts of the topics with rejected records or refused lines.
#[derive(Debug, Default)]
pub struct ByTopic(Mutex<BTreeMap<Arc<str>, TopicCounts>>);

impl ByTopic {
    pub fn reject(&self, topic: &str, reason: Reason, count: u64) {
        self.count(topic, |counts| {
            if let Some(counter) = counts.rejected.get_mut(reason as usize) {
                *counter += count;
            }
        });
    }

    pub fn refuse(&self, topic: &str, lines: u64) {
        self.count(topic, |counts| counts.lines_refused += lines);
    }

    pub fn all(&self) -> BTreeMap<Arc<str>, TopicCounts> {
        self.lock().clone()
    }

    fn count(&self, topic: &str, count: impl FnOnce(&mut TopicCounts)) {
        let mut topics = self.lock();
        if let Some(counts) = topics.get_mut(topic) {
            return count(counts);
        }
        let name = if topics.len() < TOPICS_MAX { topic } else { OTHERS };
        count(topics.entry(name.into()).or_default());
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
