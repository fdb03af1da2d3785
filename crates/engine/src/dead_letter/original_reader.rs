//! Reads single records, one partition after another. It starts at the first wanted offset and starts anew if the next wanted one is far
//! away.

use super::DeadLetterError;
use base::record::OwnedHeaders;
use base::text::printable;
use kafka::{ClientKind, ReportedError, Settings, StandaloneConsumer, headers_of, retry};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::metadata::MetadataPartition;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time limit of a request.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// Time limit for the next record.
const RECORD_MAX: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);
/// A wanted record further away than this gets its own fetch; otherwise the records in between are read too.
const SKIPPED_MAX: i64 = 1_000;
/// Pause before the second request for the extent: a new leader may not have the newest offsets, or the topic, yet.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A record to read again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordPlace {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
}

/// A record read again from Kafka.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Original {
    pub timestamp_ms: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: OwnedHeaders,
}

impl Original {
    /// Bytes of key, value and headers.
    fn bytes(&self) -> usize {
        let size = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + size(value));
        size(&self.key) + size(&self.value) + headers.sum::<usize>()
    }
}

/// A client that is assigned partitions by hand.
pub struct OriginalReader {
    consumer: StandaloneConsumer,
}

/// Indexes in the result, by offset.
type Places = BTreeMap<i64, Vec<usize>>;

/// Takes a record and its indexes in the result. Returns an index to make that record the last one.
type Found<'f> = dyn FnMut(Vec<usize>, Original) -> Option<usize> + 'f;

/// Deadline for the next record.
#[derive(Debug)]
pub(super) struct Wait {
    until: Instant,
}

impl Wait {
    pub(super) fn begin() -> Self {
        Self { until: Instant::now() + RECORD_MAX }
    }
}

/// The offsets of a partition.
pub(super) enum PartitionOffsets {
    /// The first offset and the end offset.
    Offsets(i64, i64),
    /// The topic or partition does not exist.
    Missing,
}

impl OriginalReader {
    pub fn new(kafka: &Settings) -> Result<Self, DeadLetterError> {
        let consumer =
            StandaloneConsumer::of(kafka, ClientKind::Reader).map_err(|error| unreadable(&error))?;
        Ok(Self { consumer })
    }

    /// Reads the wanted records in order, until they have `bytes_max` together. Blocks.
    pub fn read(
        &mut self,
        wanted: &[RecordPlace],
        bytes_max: usize,
    ) -> Result<Vec<Option<Original>>, DeadLetterError> {
        let mut partitions: BTreeMap<(&str, i32), Places> = BTreeMap::new();
        for (place, at) in wanted.iter().enumerate() {
            let places = partitions.entry((&at.topic, at.partition)).or_default();
            places.entry(at.offset).or_default().push(place);
        }
        // In another order, an early end would leave gaps before it.
        let bytes_max = if wanted.is_sorted() { bytes_max } else { usize::MAX };
        let (mut found, mut bytes) = (vec![None; wanted.len()], 0);
        for ((topic, partition), places) in partitions {
            let end = self.read_partition(topic, partition, places, &mut |places, original| {
                let last = places.iter().copied().max();
                for place in places {
                    bytes += original.bytes();
                    found.get_mut(place).into_iter().for_each(|found| *found = Some(original.clone()));
                }
                last.filter(|_| bytes >= bytes_max)
            })?;
            if let Some(last) = end {
                found.truncate(last + 1);
                break;
            }
        }
        Ok(found)
    }

    fn read_partition(
        &self,
        topic: &str,
        partition: i32,
        mut places: Places,
        found: &mut Found<'_>,
    ) -> Result<Option<usize>, DeadLetterError> {
        let is_behind =
            |extent: &Result<PartitionOffsets, _>| extent.as_ref().is_ok_and(|it| it.ends_before(&places));
        let again = Instant::now() + AGAIN_AFTER;
        let extent = retry(again, AGAIN_AFTER, is_behind, || self.extent(topic, partition))?;
        let PartitionOffsets::Offsets(first, end) = extent else { return Ok(None) };
        places.retain(|offset, _| (first..end).contains(offset));
        while let Some((&offset, _)) = places.first_key_value() {
            self.assign(topic, [(partition, offset)])?;
            let last = self.read_on(partition, &mut places, found)?;
            if last.is_some() {
                self.consumer.unassign().map_err(|error| unreadable(&error))?;
                return Ok(last);
            }
            // The topic was recreated meanwhile and ends before this offset.
            places.remove_entry(&offset);
        }
        self.consumer.unassign().map_err(|error| unreadable(&error))?;
        Ok(None)
    }

    /// Reads records until the next wanted one is far away. Removes records from `places` that are found or do not exist.
    fn read_on(
        &self,
        partition: i32,
        places: &mut Places,
        found: &mut Found<'_>,
    ) -> Result<Option<usize>, DeadLetterError> {
        let mut wait = Wait::begin();
        while let Some((&next, _)) = places.first_key_value() {
            let Some((number, message)) = self.poll(&mut wait)? else { continue };
            if number != partition {
                continue;
            }
            let Some(message) = message else {
                // The rest of the partition has only transaction markers or compacted records.
                places.clear();
                return Ok(None);
            };
            if next - message.offset() > SKIPPED_MAX {
                return Ok(None);
            }
            // Retention or compaction removed the wanted records before this one.
            *places = places.split_off(&message.offset());
            if let Some(wanted) = places.remove(&message.offset())
                && let Some(last) = found(wanted, original(&message))
            {
                return Ok(Some(last));
            }
        }
        Ok(None)
    }

    /// The next record and its partition. The inner None: the partition's end is reached. The outer None: no record came yet.
    pub(super) fn poll(
        &self,
        wait: &mut Wait,
    ) -> Result<Option<(i32, Option<BorrowedMessage<'_>>)>, DeadLetterError> {
        let polled = match self.consumer.poll(POLL) {
            Some(Ok(message)) => Some((message.partition(), Some(message))),
            Some(Err(KafkaError::PartitionEOF(partition))) => Some((partition, None)),
            Some(Err(error)) => {
                self.consumer.context().reported_errors().add(ReportedError::of(&error));
                None
            }
            None => None,
        };
        if polled.is_some() {
            *wait = Wait::begin();
        } else if Instant::now() >= wait.until {
            return Err(self.no_answer());
        }
        Ok(polled)
    }

    /// Starts reading these partitions at these offsets.
    pub(super) fn assign(
        &self,
        topic: &str,
        partitions: impl IntoIterator<Item = (i32, i64)>,
    ) -> Result<(), DeadLetterError> {
        let mut list = TopicPartitionList::new();
        let mut partitions = partitions.into_iter();
        partitions
            .try_for_each(|(number, offset)| list.add_partition_offset(topic, number, Offset::Offset(offset)))
            .and_then(|()| self.consumer.assign(&list))
            .map_err(|error| unreadable(&error))
    }

    /// The partitions of a topic; empty if it does not exist.
    pub(super) fn partitions(&self, topic: &str) -> Result<Vec<i32>, DeadLetterError> {
        let metadata =
            self.consumer.fetch_metadata(Some(topic), REQUEST_MAX).map_err(|error| self.failed(&error))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(Vec::new());
        };
        match found.error().map(RDKafkaErrorCode::from) {
            None => Ok(found.partitions().iter().map(MetadataPartition::id).collect()),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Ok(Vec::new())
            }
            Some(code) => Err(unreadable(&KafkaError::MetadataFetch(code))),
        }
    }

    pub(super) fn extent(&self, topic: &str, partition: i32) -> Result<PartitionOffsets, DeadLetterError> {
        if !self.partitions(topic)?.contains(&partition) {
            return Ok(PartitionOffsets::Missing);
        }
        let watermarks = self.consumer.fetch_watermarks(topic, partition, REQUEST_MAX);
        watermarks
            .map(|(first, end)| PartitionOffsets::Offsets(first, end))
            .map_err(|error| self.failed(&error))
    }

    /// The error of a failed request. A timeout gets the cause that the client has reported before.
    fn failed(&self, error: &KafkaError) -> DeadLetterError {
        self.consumer.context().reported_errors().add(ReportedError::of(error));
        self.no_answer()
    }

    fn no_answer(&self) -> DeadLetterError {
        let silence = || ReportedError {
            code: Some(RDKafkaErrorCode::OperationTimedOut),
            text: "no record came in time".to_owned(),
        };
        let cause = self.consumer.context().reported_errors().last_cause();
        DeadLetterError::unreadable(&cause.unwrap_or_else(silence))
    }
}

fn unreadable(error: &KafkaError) -> DeadLetterError {
    DeadLetterError::unreadable(&ReportedError::of(error))
}

impl fmt::Debug for OriginalReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginalReader").finish_non_exhaustive()
    }
}

impl PartitionOffsets {
    /// Whether a wanted record is beyond the end.
    fn ends_before(&self, places: &Places) -> bool {
        match self {
            Self::Missing => true,
            Self::Offsets(_, end) => places.last_key_value().is_some_and(|(offset, _)| offset >= end),
        }
    }
}

pub(super) fn original(message: &BorrowedMessage<'_>) -> Original {
    Original {
        timestamp_ms: message.timestamp().to_millis().filter(|ms| *ms >= 0),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers_of(message),
    }
}

impl DeadLetterError {
    pub(super) fn unreadable(reported: &ReportedError) -> Self {
        Self::Unreadable { why: printable(&reported.text, 300), remedy: reported.explanation() }
    }
}
