//! Detects that reading resumed at the beginning of a partition because Kafka no longer has the offset to read from: retention deleted
//! it, or the topic was recreated.
//!
//! librdkafka goes to the beginning by itself, because `auto.offset.reset` is always "earliest", and only its log shows this. As an
//! error, it would stop the partition in a state that no seek ends, and a new assignment outside of a rebalance would break the
//! group's state.

use super::partition_lists::summary;
use base::NextOffset;
use base::TopicPartition;
use std::time::{Duration, Instant};
use tracing::error;

/// Resets of all partitions of a topic come together; those within this time are logged in one line.
const GATHER: Duration = Duration::from_secs(1);
/// Time limit for the next fetch, which shows the earliest offset. Afterwards a reset is logged without numbers.
const WATERMARKS_MAX: Duration = Duration::from_secs(30);

/// Resets that are not logged yet.
#[derive(Debug, Default)]
pub struct OutOfRangeOffsets {
    open: Vec<OutOfRangeOffset>,
    /// Partitions that were reset since the last call of [`OutOfRangeOffsets::take_new`].
    new: Vec<TopicPartition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct OutOfRangeOffset {
    at: TopicPartition,
    /// The missing offset.
    from: i64,
    seen: Instant,
}

/// A partition that is read from its beginning, because Kafka no longer has the offset to read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfRangePartition {
    pub at: TopicPartition,
    /// The missing offset.
    pub from: i64,
    /// The earliest retained offset. None: the broker does not return it.
    earliest: Option<i64>,
}

impl OutOfRangePartition {
    /// Number of skipped offsets.
    pub fn skipped(&self) -> u64 {
        self.earliest.map_or(0, |earliest| u64::try_from(earliest - self.from).unwrap_or(0))
    }

    /// Whether reading went back: the partition ends before the offset to read from.
    pub fn went_back(&self) -> bool {
        self.earliest.is_some_and(|earliest| earliest < self.from)
    }

    /// The offset at which reading continues.
    pub fn beginning(&self) -> Option<(TopicPartition, NextOffset)> {
        Some((self.at.clone(), NextOffset::at(self.earliest?)))
    }

    /// Logs partitions that resumed together, one line for each topic.
    pub fn log(resumed: &[Self]) {
        let mut sorted: Vec<&Self> = resumed.iter().collect();
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
                     kafka lost its last records. Reading continues at the earliest retained record"
                );
            } else {
                error!(
                    %partitions, offset, earliest, skipped,
                    "kafka deleted records before they were read. These records are lost, and reading continues at the earliest retained one. \
                     Raise the topic's `retention.ms` (or `retention.bytes`) beyond the length of an outage"
                );
            }
        }
    }
}

impl OutOfRangeOffsets {
    /// Records a line of librdkafka's log, if it reports a reset.
    pub fn record(&mut self, facility: &str, text: &str, now: Instant) {
        let Some((at, from)) = parse(facility, text) else { return };
        self.new.push(at.clone());
        if !self.open.iter().any(|known| known.at == at && known.from == from) {
            self.open.push(OutOfRangeOffset { at, from, seen: now });
        }
    }

    /// The partitions that were reset since the last call.
    pub fn take_new(&mut self) -> Vec<TopicPartition> {
        std::mem::take(&mut self.new)
    }

    /// Partitions whose reset went back as far as is known now, each with its first offset.
    pub fn went_back(
        &self,
        earliest: impl Fn(&TopicPartition) -> Option<i64>,
    ) -> Vec<(TopicPartition, NextOffset)> {
        let resets = self.open.iter().map(|OutOfRangeOffset { at, from, .. }| OutOfRangePartition {
            at: at.clone(),
            from: *from,
            earliest: earliest(at),
        });
        resets.filter(OutOfRangePartition::went_back).filter_map(|reset| reset.beginning()).collect()
    }

    /// Removes revoked partitions, whose next owner logs their resets.
    pub fn forget(&mut self, revoked: &[TopicPartition]) {
        self.open.retain(|reset| !revoked.contains(&reset.at));
        self.new.retain(|at| !revoked.contains(at));
    }

    /// Resets whose earliest offset is known, once they are gathered.
    pub fn take(
        &mut self,
        now: Instant,
        earliest: impl Fn(&TopicPartition) -> Option<i64>,
    ) -> Vec<OutOfRangePartition> {
        if !self.open.iter().any(|reset| now.duration_since(reset.seen) >= GATHER) {
            return Vec::new();
        }
        let mut fetched = Vec::new();
        self.open.retain(|reset| {
            let earliest = earliest(&reset.at);
            if earliest.is_none() && now.duration_since(reset.seen) < WATERMARKS_MAX {
                return true;
            }
            fetched.push(OutOfRangePartition { at: reset.at.clone(), from: reset.from, earliest });
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
    // The thread's name may precede the topic, which has no spaces.
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

    /// Resets and controllers are recognized by the text of librdkafka's log. A test in `tests/hermetic/pipeline/offsets.rs` recognizes a
    /// real reset of the embedded Kafka: `records_deleted_by_retention_are_counted_and_reading_resumes_at_the_earliest`.
    #[test]
    fn the_recognized_log_text_belongs_to_the_bundled_librdkafka() {
        let (_, version) = rdkafka::util::get_rdkafka_version();
        assert_eq!(
            version, "2.12.1",
            "another librdkafka: compare rd_kafka_offset_reset in rdkafka_offset.c with `parse` and rd_kafka_metadata_refresh's log \
             in rdkafka_metadata.c with `is_controller`, run the test named above and the one of the controller's port, then \
             change the version here"
        );
    }

    #[test]
    fn parses_librdkafkas_log_line() {
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
    fn resets_that_come_together_are_returned_once_and_together() {
        let (mut resets, begin) = (OutOfRangeOffsets::default(), Instant::now());
        let text = |partition: i32| {
            format!("t [{partition}]: offset reset (at offset 10 (leader epoch 0), broker 1) to")
        };
        for partition in [0, 1, 1, 2, 3] {
            resets.record("OFFSET", &text(partition), begin);
        }
        resets.forget(&[at("t", 3)]);
        assert_eq!(resets.take_new(), [at("t", 0), at("t", 1), at("t", 1), at("t", 2)]);
        assert_eq!(resets.take_new(), []);
        let earliest =
            |at: &TopicPartition| [Some(15), Some(4), None].get(at.partition as usize).copied().flatten();
        assert_eq!(resets.take(begin, earliest), []);
        assert_eq!(resets.went_back(earliest), [(at("t", 1), NextOffset::at(4))]);
        let resumed = resets.take(begin + GATHER, earliest);
        let skipped: Vec<u64> = resumed.iter().map(OutOfRangePartition::skipped).collect();
        let went_back: Vec<bool> = resumed.iter().map(OutOfRangePartition::went_back).collect();
        assert_eq!((skipped, went_back), (vec![5, 0], vec![false, true]));
        assert_eq!(resets.take(begin + GATHER, earliest), []);
        let resumed = resets.take(begin + WATERMARKS_MAX, earliest);
        assert_eq!(resumed, [OutOfRangePartition { at: at("t", 2), from: 10, earliest: None }]);
        assert_eq!((resumed[0].skipped(), resumed[0].went_back()), (0, false));
    }
}
