//! Offsets that are not in Kafka any more: what retention took before it was read, topics that were created again.
//!
//! librdkafka then goes to the beginning of the partition by itself, because `auto.offset.reset` is always "earliest", and says
//! so in its log: that is where this is known from. To have it report an error instead would stop the partition in a state
//! that no seek gets it out of, and to assign it again outside of a rebalance confuses the group's state.

use super::context::summary;
use base::NextOffset;
use base::TopicPartition;
use std::time::{Duration, Instant};
use tracing::error;

/// Resets come together for all partitions of a topic: they are told in one line.
const GATHER: Duration = Duration::from_secs(1);
/// How long the first fetch that follows may take; then it is told without numbers.
const WATERMARKS_MAX: Duration = Duration::from_secs(30);

/// Those that were seen and not told yet.
#[derive(Debug, Default)]
pub struct Resets {
    open: Vec<Reset>,
    /// Those that were just seen.
    new: Vec<TopicPartition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Reset {
    at: TopicPartition,
    /// The offset that was to be read.
    from: i64,
    seen: Instant,
}

/// A partition that is read from its beginning because the offset to read from was not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    pub at: TopicPartition,
    /// The offset that was to be read.
    pub from: i64,
    /// The earliest that is retained; none if the broker does not say.
    earliest: Option<i64>,
}

impl Resumed {
    /// How many offsets were passed over.
    pub fn skipped(&self) -> u64 {
        self.earliest.map_or(0, |earliest| u64::try_from(earliest - self.from).unwrap_or(0))
    }

    /// Whether reading went back: the partition ends before the offset to read from.
    pub fn went_back(&self) -> bool {
        self.earliest.is_some_and(|earliest| earliest < self.from)
    }

    /// Where reading goes on.
    pub fn beginning(&self) -> Option<(TopicPartition, NextOffset)> {
        Some((self.at.clone(), NextOffset::at(self.earliest?)))
    }

    /// Tells of those that resumed together, in a line for each topic.
    pub fn tell(together: &[Self]) {
        let mut sorted: Vec<&Self> = together.iter().collect();
        sorted.sort_by_key(|one| (one.went_back(), &one.at));
        for of_topic in sorted.chunk_by(|a, b| (a.went_back(), &a.at.topic) == (b.went_back(), &b.at.topic)) {
            let Some(first) = of_topic.first() else { continue };
            let partitions: Vec<_> = of_topic.iter().map(|one| one.at.clone()).collect();
            let partitions = summary(&partitions);
            let skipped: u64 = of_topic.iter().map(|one| one.skipped()).sum();
            let (offset, earliest) = (first.from, first.earliest);
            if first.went_back() {
                error!(
                    %partitions, offset, earliest,
                    "the offset to read from lies beyond the partition's end: the topic was deleted and created again, or \
                     kafka lost its last records. Reading goes on from the earliest one there is"
                );
            } else {
                error!(
                    %partitions, offset, earliest, skipped,
                    "kafka deleted records before they were read. Reading goes on from the earliest one left; give the topic \
                     a `retention.ms` (or `retention.bytes`) that outlasts an outage"
                );
            }
        }
    }
}

impl Resets {
    /// Takes note of what librdkafka logs, if it is of this.
    pub fn note(&mut self, facility: &str, text: &str, now: Instant) {
        let Some((at, from)) = parse(facility, text) else { return };
        self.new.push(at.clone());
        if !self.open.iter().any(|known| known.at == at && known.from == from) {
            self.open.push(Reset { at, from, seen: now });
        }
    }

    /// The partitions that were seen since the last time.
    pub fn take_new(&mut self) -> Vec<TopicPartition> {
        std::mem::take(&mut self.new)
    }

    /// Partitions that this member does not hold any more: their next owner tells.
    pub fn forget(&mut self, revoked: &[TopicPartition]) {
        self.open.retain(|reset| !revoked.contains(&reset.at));
        self.new.retain(|at| !revoked.contains(at));
    }

    /// Those whose first offset is known by now, all that came together.
    pub fn take(&mut self, now: Instant, earliest: impl Fn(&TopicPartition) -> Option<i64>) -> Vec<Resumed> {
        if !self.open.iter().any(|reset| now.duration_since(reset.seen) >= GATHER) {
            return Vec::new();
        }
        let mut fetched = Vec::new();
        self.open.retain(|reset| {
            let earliest = earliest(&reset.at);
            if earliest.is_none() && now.duration_since(reset.seen) < WATERMARKS_MAX {
                return true;
            }
            fetched.push(Resumed { at: reset.at.clone(), from: reset.from, earliest });
            false
        });
        fetched
    }
}

/// `topic [3]: offset reset (at offset 5 (leader epoch 0), broker 1) to offset BEGINNING (leader epoch -1): ...`
fn parse(facility: &str, text: &str) -> Option<(TopicPartition, i64)> {
    if facility != "OFFSET" {
        return None;
    }
    let (place, rest) = text.split_once("]: offset reset (at offset ")?;
    let (topic, partition) = place.rsplit_once(" [")?;
    // The thread's name stands before it, and topics have no spaces.
    let topic = topic.rsplit(' ').next()?;
    let from = rest.split([' ', ')', ',']).next()?.parse().ok()?;
    Some((TopicPartition { topic: topic.to_owned(), partition: partition.parse().ok()? }, from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.to_owned(), partition }
    }

    /// Resets and controllers are recognised by the text of librdkafka's log. A real reset of the embedded Kafka has to be
    /// recognised, too: `records_deleted_by_retention_are_counted_and_reading_resumes_at_the_earliest` in `tests/hermetic/pipeline/offsets.rs`.
    #[test]
    fn the_text_is_that_of_the_bundled_librdkafka() {
        let (_, version) = rdkafka::util::get_rdkafka_version();
        assert_eq!(
            version, "2.12.1",
            "another librdkafka: compare rd_kafka_offset_reset in rdkafka_offset.c with `parse` and rd_kafka_metadata_refresh's log \
             in rdkafka_metadata.c with `is_controller`, run the test named above and the one of the controller's port, then \
             change the version here"
        );
    }

    #[test]
    fn reads_librdkafkas_words() {
        let f = |facility: &str, text: &str, want: Option<(&str, i32, i64)>| {
            let want = want.map(|(topic, partition, from)| (at(topic, partition), from));
            assert_eq!(parse(facility, text), want, "{text}");
        };
        let why =
            "fetch failed due to requested offset not available on the broker: Broker: Offset out of range";
        let text = format!(
            "[thrd:main]: a.b-c_1 [12]: offset reset (at offset 1000 (leader epoch 3), broker 2) to offset BEGINNING (leader epoch -1): {why}"
        );
        f("OFFSET", &text, Some(("a.b-c_1", 12, 1000)));
        f("FETCH", &text, None);
        f("OFFSET", &text.replace("[thrd:main]: ", ""), Some(("a.b-c_1", 12, 1000)));
        f("OFFSET", &text.replace("offset 1000", "offset BEGINNING"), None);
        f("OFFSET", "[thrd:main]: t [0]: offset reset", None);
        f("OFFSET", "", None);
    }

    #[test]
    fn tells_once_of_all_that_came_together() {
        let (mut resets, begin) = (Resets::default(), Instant::now());
        let text = |partition: i32| {
            format!("t [{partition}]: offset reset (at offset 10 (leader epoch 0), broker 1) to")
        };
        for partition in [0, 1, 1, 2, 3] {
            resets.note("OFFSET", &text(partition), begin);
        }
        resets.forget(&[at("t", 3)]);
        assert_eq!(resets.take_new(), [at("t", 0), at("t", 1), at("t", 1), at("t", 2)]);
        assert_eq!(resets.take_new(), []);
        let earliest =
            |at: &TopicPartition| [Some(15), Some(4), None].get(at.partition as usize).copied().flatten();
        assert_eq!(resets.take(begin, earliest), []);
        let told = resets.take(begin + GATHER, earliest);
        let skipped: Vec<u64> = told.iter().map(Resumed::skipped).collect();
        let went_back: Vec<bool> = told.iter().map(Resumed::went_back).collect();
        assert_eq!((skipped, went_back), (vec![5, 0], vec![false, true]));
        assert_eq!(resets.take(begin + GATHER, earliest), []);
        let told = resets.take(begin + WATERMARKS_MAX, earliest);
        assert_eq!(told, [Resumed { at: at("t", 2), from: 10, earliest: None }]);
        assert_eq!((told[0].skipped(), told[0].went_back()), (0, false));
    }
}
