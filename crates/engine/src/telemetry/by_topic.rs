//! Counts by topic. A data thread adds the counts of its records once per turn; rejected records and refused lines, which are few, are
//! counted at once.

use base::locks::lock;
use mapping::Reason;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Topics with counts of their own; further topics are counted together. A regular expression may match any number of topics. An entry
/// has about 250 bytes, and librdkafka keeps 35 kB for each topic.
const TOPICS_MAX: usize = 10_000;
const OTHERS: &str = "(others)";

/// Counts of records that one turn has mapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TurnCounts {
    pub records: u64,
    /// Bytes of the records' values.
    pub bytes: u64,
    /// Mapped lines.
    pub lines: u64,
    /// Elements that the configuration excludes from becoming points.
    pub filtered: u64,
}

impl TurnCounts {
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.filtered += other.filtered;
    }
}

/// Counters of one topic, shared by all consumers.
#[derive(Debug, Default)]
pub struct TopicCounters {
    records: AtomicU64,
    filtered_in_a_row: AtomicU64,
    lines_refused: AtomicU64,
    rejected: [AtomicU64; Reason::ALL.len()],
}

impl TopicCounters {
    /// Adds the counts of a turn.
    pub fn add(&self, turn: &TurnCounts) {
        self.records.fetch_add(turn.records, Ordering::Relaxed);
        if turn.lines > 0 {
            self.filtered_in_a_row.store(0, Ordering::Relaxed);
        } else {
            self.filtered_in_a_row.fetch_add(turn.filtered, Ordering::Relaxed);
        }
    }

    fn counts(&self) -> TopicCounts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TopicCounts {
            records: get(&self.records),
            filtered_in_a_row: get(&self.filtered_in_a_row),
            lines_refused: get(&self.lines_refused),
            rejected: self.rejected.each_ref().map(get),
        }
    }
}

/// Counts of one topic.
#[derive(Clone, Copy, Debug, Default)]
pub struct TopicCounts {
    /// Records that were read and not left unsettled.
    pub records: u64,
    /// Elements that were filtered since the topic's last point.
    pub filtered_in_a_row: u64,
    pub lines_refused: u64,
    rejected: [u64; Reason::ALL.len()],
}

impl TopicCounts {
    /// Counts of rejected records by reason, without zeros.
    pub fn rejected(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().zip(self.rejected).filter(|(_, count)| *count > 0)
    }
}

/// Counters of all topics that had records.
#[derive(Debug, Default)]
pub struct CountersByTopic(Mutex<BTreeMap<Arc<str>, Arc<TopicCounters>>>);

impl CountersByTopic {
    /// The counters of a topic. A caller that counts often keeps them.
    pub fn of(&self, topic: &str) -> Arc<TopicCounters> {
        let mut topics = lock(&self.0);
        if let Some(counters) = topics.get(topic) {
            return Arc::clone(counters);
        }
        let name = if topics.len() < TOPICS_MAX { topic } else { OTHERS };
        Arc::clone(topics.entry(name.into()).or_default())
    }

    pub fn reject(&self, topic: &str, reason: Reason, count: u64) {
        if let Some(counter) = self.of(topic).rejected.get(reason as usize) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub fn refuse(&self, topic: &str, lines: u64) {
        self.of(topic).lines_refused.fetch_add(lines, Ordering::Relaxed);
    }

    pub fn all(&self) -> BTreeMap<Arc<str>, TopicCounts> {
        lock(&self.0).iter().map(|(topic, counters)| (Arc::clone(topic), counters.counts())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_further_topics_together() {
        let counts = CountersByTopic::default();
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

    #[test]
    fn a_point_ends_a_row_of_filtered_records() {
        let counts = CountersByTopic::default();
        let turn = |lines, filtered| {
            counts.of("t").add(&TurnCounts { records: 10, lines, filtered, ..TurnCounts::default() });
            let of_topic = counts.all()["t"];
            (of_topic.records, of_topic.filtered_in_a_row)
        };
        assert_eq!(turn(0, 10), (10, 10));
        assert_eq!(turn(0, 9), (20, 19));
        assert_eq!(turn(1, 9), (30, 0));
        assert_eq!(turn(0, 10), (40, 10));
    }
}
