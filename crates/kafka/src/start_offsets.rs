//! Chooses the first offset of partitions without a committed offset, by `kafka.offset_reset`.
//!
//! librdkafka's `auto.offset.reset` also applies to offsets that Kafka has deleted, where reading always resumes at the
//! earliest record. The bridge therefore sets it to "earliest" and implements "latest" and "error" here, before the first fetch.
//!
//! "latest" passes over records that were there when this member started, and over no others:
//! - A partition that existed when this member started begins at its end.
//! - A partition that appeared later begins at its beginning.
//! - The start is committed at once, so that it holds for later members of the group and after a restart.
//!
//! "error" ends the service for partitions that existed when this member started. A partition that appeared later has no records that could
//! be skipped, and begins as with "latest".

use super::MemberError;
use super::offset_requests::{CommittedPartitions, OFFSETS_MAX, committed_partitions, offsets};
use super::partition_lists::summary;
use crate::{OffsetReset, Topics};
use base::NextOffset;
use base::TopicPartition;
use base::locks::lock;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::{info, warn};

/// Time limit of a listing of topics during an assignment.
const LIST_MAX: Duration = Duration::from_secs(10);
/// The starts that this member chose, with "latest" and "error".
#[derive(Debug)]
pub struct StartOffsets {
    reset: OffsetReset,
    topics: Topics,
    /// Number of partitions of each topic when this member started. None until the topics are listed for the first time.
    at_start: Option<BTreeMap<String, i32>>,
    /// One entry for each partition that was assigned. Topics that are no longer subscribed are removed.
    starts: BTreeMap<TopicPartition, Start>,
    unknown: Arc<UnknownStarts>,
}

/// Assigned partitions whose start the brokers have not returned yet. They are paused. The data thread asks for them, and must not wait
/// for the control thread's requests meanwhile.
#[derive(Debug, Default)]
pub struct UnknownStarts(Mutex<BTreeMap<TopicPartition, UnknownStart>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct UnknownStart {
    end: PartitionEnd,
    /// The data thread reads records again from here, which librdkafka delivered before the pause. After its seek, librdkafka's position
    /// no longer shows that it delivered any.
    again: Option<NextOffset>,
}

impl UnknownStarts {
    /// Records from where the data thread reads partitions again. Must be called before the seek: otherwise the control thread could let
    /// the partition begin at its newer end.
    pub fn reread(&self, from: &[(TopicPartition, NextOffset)]) {
        let mut unknown = lock(&self.0);
        for (at, again) in from {
            if let Some(start) = unknown.get_mut(at) {
                start.again = Some(*again);
            }
        }
    }

    /// Removes the partitions with an unknown start from these.
    pub fn excluded_from(&self, mut partitions: Vec<TopicPartition>) -> Vec<TopicPartition> {
        let unknown = lock(&self.0);
        partitions.retain(|at| !unknown.contains_key(at));
        partitions
    }
}

/// The first offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// The start is not known to be committed, so a later assignment begins there again.
    Chosen(NextOffset),
    /// If the committed offset is gone later, the topic was deleted and created again, or the offset expired.
    Committed,
}

/// One of the two ends of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionEnd {
    First,
    Last,
}

impl PartitionEnd {
    fn offset(self) -> Offset {
        match self {
            Self::First => Offset::Beginning,
            Self::Last => Offset::End,
        }
    }
}

/// Where a partition without a committed offset begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Known(NextOffset),
    At(PartitionEnd),
}

/// The starts of newly assigned partitions without a committed offset.
#[derive(Debug, Default)]
pub struct NewStarts {
    /// Starts to commit: otherwise a restart before the first record would skip the records produced in between.
    pub known: Vec<(TopicPartition, NextOffset)>,
    /// Partitions to pause until their start is known.
    pub unknown: Vec<TopicPartition>,
}

/// Where partitions with an unknown start may be read now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FoundStarts {
    /// Their starts, to be committed.
    pub begin: Vec<(TopicPartition, NextOffset)>,
    /// The offsets after the records that librdkafka delivered between the assignment and the pause, or from which the data thread reads
    /// these records again. A start at a newer end would skip records.
    pub delivered: Vec<(TopicPartition, NextOffset)>,
}

impl StartOffsets {
    pub fn new(reset: OffsetReset, topics: Topics) -> Self {
        Self { reset, topics, at_start: None, starts: BTreeMap::new(), unknown: Arc::default() }
    }

    pub fn unknown_starts(&self) -> &Arc<UnknownStarts> {
        &self.unknown
    }

    /// Whether the topics have to be listed, to know which partitions exist at the start.
    pub fn wants_listing(&self) -> bool {
        self.reset != OffsetReset::Earliest && self.at_start.is_none()
    }

    /// Records the partitions that exist when this member starts. Later listings change nothing.
    pub fn listed(&mut self, metadata: &Metadata) {
        if self.wants_listing() {
            let wanted = metadata.topics().iter().filter(|topic| self.topics.is_match(topic.name()));
            let count = |partitions: usize| i32::try_from(partitions).unwrap_or(i32::MAX);
            let counts = wanted.map(|topic| (topic.name().to_owned(), count(topic.partitions().len())));
            self.at_start = Some(counts.collect());
        }
    }

    /// Sets the offsets of partitions in `assigned` that have none committed.
    pub fn choose<C: ConsumerContext>(
        &mut self,
        consumer: &BaseConsumer<C>,
        assigned: &mut TopicPartitionList,
    ) -> Result<NewStarts, MemberError> {
        if self.reset == OffsetReset::Earliest || assigned.count() == 0 {
            return Ok(NewStarts::default());
        }
        let CommittedPartitions { fresh, committed, unknown } =
            committed_partitions(consumer, assigned).map_err(MemberError::Committed)?;
        if !unknown.is_empty() {
            warn!(partitions = %summary(&unknown), "the committed offsets of partitions can't be read yet, so reading them has not begun; librdkafka requests the offsets again");
        }
        self.committed(committed.iter());
        if !fresh.is_empty() && self.wants_listing() {
            self.listed(&consumer.fetch_metadata(None, LIST_MAX).map_err(MemberError::Listing)?);
        }
        if self.reset == OffsetReset::Error {
            let had_offset =
                |at: &&TopicPartition| self.existed(at) || self.starts.get(*at) == Some(&Start::Committed);
            let missing: Vec<TopicPartition> = fresh.iter().filter(had_offset).cloned().collect();
            if !missing.is_empty() {
                return Err(MemberError::NoOffset(summary(&missing)));
            }
        }
        let chosen = fresh.into_iter().map(|at| (self.choice(&at), at));
        let (mut begun, mut requests) = (NewStarts::default(), Vec::new());
        for (choice, at) in chosen {
            match choice {
                Choice::Known(start) => begun.known.push((at, start)),
                Choice::At(end) => requests.push((at, end)),
            }
        }
        log(self.reset, &requests);
        for (at, start) in offsets(consumer, requests.iter().map(|(at, end)| (at, end.offset())), OFFSETS_MAX)
        {
            match start {
                Some(start) => begun.known.push((at, start)),
                None => begun.unknown.push(at),
            }
        }
        for (at, start) in &begun.known {
            self.starts.insert(at.clone(), Start::Chosen(*start));
            // Infallible: the partition is in the list, and the offset is valid.
            let _infallible =
                assigned.set_partition_offset(&at.topic, at.partition, Offset::Offset(start.get()));
        }
        for (at, end) in requests.into_iter().filter(|(at, _)| begun.unknown.contains(at)) {
            let _infallible = assigned.set_partition_offset(&at.topic, at.partition, end.offset());
            lock(&self.unknown.0).insert(at, UnknownStart { end, again: None });
        }
        Ok(begun)
    }

    /// Whether the partition existed when this member started.
    fn existed(&self, at: &TopicPartition) -> bool {
        let count = self.at_start.as_ref().and_then(|topics| topics.get(&at.topic));
        count.is_some_and(|count| at.partition < *count)
    }

    fn choice(&self, at: &TopicPartition) -> Choice {
        match self.starts.get(at) {
            Some(Start::Chosen(start)) => Choice::Known(*start),
            None if self.existed(at) => Choice::At(PartitionEnd::Last),
            Some(Start::Committed) | None => Choice::At(PartitionEnd::First),
        }
    }

    /// Requests the starts that are still unknown. Returns those that the brokers return now.
    pub fn learn<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>, time_limit: Duration) -> FoundStarts {
        let unknown = lock(&self.unknown.0).clone();
        if unknown.is_empty() {
            return FoundStarts::default();
        }
        let requests = unknown.iter().map(|(at, start)| (at, start.end.offset()));
        let answer = offsets(consumer, requests, time_limit);
        let positions = consumer.position().unwrap_or_default();
        // After the positions: a seek of the data thread resets them.
        let unknown = lock(&self.unknown.0);
        let mut learned = FoundStarts::default();
        for (at, start) in answer {
            let again = unknown.get(&at).and_then(|start| start.again);
            let position = positions.find_partition(&at.topic, at.partition).map(|one| one.offset());
            match (again, position, start) {
                (Some(again), ..) => learned.delivered.push((at, again)),
                (None, Some(Offset::Offset(next)), _) => learned.delivered.push((at, NextOffset::at(next))),
                (None, _, Some(start)) => learned.begin.push((at, start)),
                (None, _, None) => {}
            }
        }
        learned
    }

    /// Records that partitions were sought to the offsets in `learned`. Returns the partitions to be read; the others stay unknown, because
    /// the data thread has begun to read them again from another offset meanwhile.
    ///
    /// No start is committed for partitions with delivered records, which may be unsettled: without a committed offset, a later assignment
    /// begins at the first record, which skips none.
    pub fn begin(&mut self, mut learned: FoundStarts) -> FoundStarts {
        let mut unknown = lock(&self.unknown.0);
        let mut is_there = |(at, sought): &(TopicPartition, NextOffset)| {
            let is_there =
                unknown.get(at).is_some_and(|start| start.again.is_none_or(|again| again == *sought));
            if is_there {
                unknown.remove(at);
            }
            is_there
        };
        learned.begin.retain(&mut is_there);
        learned.delivered.retain(&mut is_there);
        self.starts.extend(learned.begin.iter().map(|(at, start)| (at.clone(), Start::Chosen(*start))));
        self.starts.extend(learned.delivered.iter().map(|(at, _)| (at.clone(), Start::Committed)));
        learned
    }

    /// Records that an offset of these partitions is committed.
    pub fn committed<'a>(&mut self, partitions: impl Iterator<Item = &'a TopicPartition>) {
        if self.reset != OffsetReset::Earliest {
            self.starts.extend(partitions.map(|at| (at.clone(), Start::Committed)));
        }
    }

    /// Records that the offsets of these partitions begin again: a start that was chosen before is not valid any more.
    pub fn restart_from_beginning<'a>(&mut self, partitions: impl Iterator<Item = &'a TopicPartition>) {
        let mut unknown = lock(&self.unknown.0);
        for at in partitions {
            if let Some(start) = self.starts.get_mut(at) {
                *start = Start::Committed;
            }
            if let Some(start) = unknown.get_mut(at) {
                *start = UnknownStart { end: PartitionEnd::First, again: None };
            }
        }
    }

    /// Removes revoked partitions from those with an unknown start. Returns their starts that may not be committed.
    pub fn revoke(&mut self, revoked: &[TopicPartition]) -> Vec<(TopicPartition, NextOffset)> {
        lock(&self.unknown.0).retain(|at, _| !revoked.contains(at));
        let start = |at: &TopicPartition| match self.starts.get(at)? {
            Start::Chosen(start) => Some((at.clone(), *start)),
            Start::Committed => None,
        };
        revoked.iter().filter_map(start).collect()
    }

    /// Removes all other topics. A topic that is subscribed to again later counts as new.
    pub fn keep(&mut self, subscribed: &BTreeSet<String>) {
        self.starts.retain(|at, _| subscribed.contains(&at.topic));
        if let Some(at_start) = &mut self.at_start {
            at_start.retain(|topic, _| subscribed.contains(topic));
        }
    }
}

/// Logs where partitions without a committed offset begin.
fn log(reset: OffsetReset, requests: &[(TopicPartition, PartitionEnd)]) {
    let partitions_of = |wanted: PartitionEnd| -> Vec<TopicPartition> {
        requests.iter().filter(|(_, end)| *end == wanted).map(|(at, _)| at.clone()).collect()
    };
    let (last, first) = (partitions_of(PartitionEnd::Last), partitions_of(PartitionEnd::First));
    if !last.is_empty() {
        info!(partitions = %summary(&last), "no offset is committed: reading only new records, because `kafka.offset_reset` is \"latest\"");
    }
    if !first.is_empty() {
        info!(
            partitions = %summary(&first),
            "no offset is committed, and the partitions appeared after the start: reading them from their beginning, although \
             `kafka.offset_reset` is \"{}\"",
            if reset == OffsetReset::Error { "error" } else { "latest" }
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::ClientConfig;

    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

    fn at(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.to_owned(), partition }
    }

    fn latest() -> StartOffsets {
        let mut start_offsets = StartOffsets::new(OffsetReset::Latest, Topics::default());
        start_offsets.at_start = Some([("old".to_owned(), 2)].into());
        start_offsets
    }

    #[test]
    fn only_partitions_that_existed_at_the_start_begin_at_their_end() {
        let f = |topic: &str, partition: i32, want: PartitionEnd| {
            assert_eq!(latest().choice(&at(topic, partition)), Choice::At(want), "{topic} {partition}");
        };
        f("old", 0, PartitionEnd::Last);
        f("old", 1, PartitionEnd::Last);
        f("old", 2, PartitionEnd::First);
        f("new", 0, PartitionEnd::First);
    }

    #[test]
    fn a_partition_that_returns_without_a_commit_skips_nothing() {
        let (mut start_offsets, at) = (latest(), at("old", 0));
        start_offsets.starts.insert(at.clone(), Start::Chosen(NextOffset::at(7)));
        assert_eq!(start_offsets.revoke(std::slice::from_ref(&at)), [(at.clone(), NextOffset::at(7))]);
        assert_eq!(start_offsets.choice(&at), Choice::Known(NextOffset::at(7)));
        // A committed offset that is gone: the topic was deleted and created again.
        start_offsets.committed([&at].into_iter());
        assert_eq!(
            (start_offsets.revoke(std::slice::from_ref(&at)), start_offsets.choice(&at)),
            (Vec::new(), Choice::At(PartitionEnd::First))
        );
        // A topic that is no longer subscribed counts as new when it returns.
        start_offsets.keep(&BTreeSet::new());
        assert_eq!(start_offsets.choice(&at), Choice::At(PartitionEnd::First));
    }

    fn unknown(end: PartitionEnd) -> UnknownStart {
        UnknownStart { end, again: None }
    }

    #[test]
    fn a_start_chosen_in_a_topic_that_was_recreated_is_never_used() {
        let (mut start_offsets, chosen, waiting) = (latest(), at("old", 0), at("old", 1));
        start_offsets.starts.insert(chosen.clone(), Start::Chosen(NextOffset::at(7)));
        lock(&start_offsets.unknown.0).insert(waiting.clone(), unknown(PartitionEnd::Last));
        start_offsets.restart_from_beginning([&chosen, &waiting, &at("new", 0)].into_iter());
        assert_eq!(lock(&start_offsets.unknown.0).get(&waiting), Some(&unknown(PartitionEnd::First)));
        assert_eq!(start_offsets.revoke(std::slice::from_ref(&chosen)), []);
        assert_eq!(start_offsets.choice(&chosen), Choice::At(PartitionEnd::First));
    }

    /// A partition that delivered one record of three and is paused, and the state before and after that.
    fn delivered_one(check: impl FnOnce(&BaseConsumer, StartOffsets)) {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", "g");
        let producer: BaseProducer = config.create().unwrap();
        let produce = || {
            producer.send(BaseRecord::<(), str>::to("t").partition(0).payload("a")).unwrap();
            producer.flush(Duration::from_secs(10)).unwrap();
        };
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let start_offsets = latest();
        lock(&start_offsets.unknown.0).insert(at("t", 0), unknown(PartitionEnd::Last));
        produce();
        let learned = start_offsets.learn(&consumer, OFFSETS_MAX);
        assert_eq!(learned, FoundStarts { begin: first(1), delivered: Vec::new() });
        consumer.poll(Duration::from_secs(10)).unwrap().unwrap();
        consumer.pause(&list).unwrap();
        (0..2).for_each(|_| produce());
        check(&consumer, start_offsets);
    }

    /// This offset of the only partition.
    fn first(offset: i64) -> Vec<(TopicPartition, NextOffset)> {
        vec![(at("t", 0), NextOffset::at(offset))]
    }

    #[test]
    fn a_partition_that_delivered_a_record_before_its_pause_goes_on_after_it() {
        delivered_one(|consumer, mut start_offsets| {
            let learned = start_offsets.learn(consumer, OFFSETS_MAX);
            assert_eq!(learned, FoundStarts { begin: Vec::new(), delivered: first(1) });
            assert_eq!(start_offsets.begin(learned), FoundStarts { begin: Vec::new(), delivered: first(1) });
            assert!(lock(&start_offsets.unknown.0).is_empty());
            assert_eq!(start_offsets.revoke(&[at("t", 0)]), [], "the delivered record may be unsettled");
        });
    }

    /// A blocked topic, or a reload, reads the delivered record again while the start is unknown.
    #[test]
    fn a_partition_that_is_read_again_before_its_start_is_known_skips_nothing() {
        delivered_one(|consumer, mut start_offsets| {
            let before = start_offsets.learn(consumer, OFFSETS_MAX);
            start_offsets.unknown_starts().reread(&first(0));
            consumer.seek_partitions(super::super::offsets_of(&first(0)), Duration::from_secs(10)).unwrap();
            // What the control thread learned before the seek of the data thread would skip the record.
            assert_eq!(start_offsets.begin(before), FoundStarts::default());
            let learned = start_offsets.learn(consumer, OFFSETS_MAX);
            assert_eq!(learned, FoundStarts { begin: Vec::new(), delivered: first(0) });
            assert_eq!(start_offsets.begin(learned).delivered, first(0));
            assert!(lock(&start_offsets.unknown.0).is_empty());
        });
    }

    #[test]
    fn a_partition_with_an_unknown_start_stays_paused_until_it_is_revoked_or_known() {
        let (mut start_offsets, one, two) = (latest(), at("old", 0), at("old", 1));
        lock(&start_offsets.unknown.0)
            .extend([(one.clone(), unknown(PartitionEnd::Last)), (two.clone(), unknown(PartitionEnd::Last))]);
        let begin = vec![(one.clone(), NextOffset::at(3))];
        assert_eq!(
            start_offsets.begin(FoundStarts { begin: begin.clone(), ..FoundStarts::default() }).begin,
            begin
        );
        let paused = |start_offsets: &StartOffsets| {
            let read = start_offsets.unknown_starts().excluded_from(vec![one.clone(), two.clone()]);
            2 - read.len()
        };
        assert_eq!(paused(&start_offsets), 1);
        assert_eq!(start_offsets.revoke(std::slice::from_ref(&two)), []);
        assert_eq!(paused(&start_offsets), 0);
        assert_eq!(start_offsets.choice(&two), Choice::At(PartitionEnd::Last), "its start was never known");
    }
}
