//! Lists topics and reads records of some, without joining a group and without committing.

use super::diagnosis::{Diagnosis, ReportedError, Security};
use crate::Settings;
use crate::client::StandaloneConsumer;
use crate::properties::ClientKind;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use std::fmt;
use std::time::Duration;

/// Time limit of a request.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// A client that lists topics and reads records.
pub struct ClusterReader {
    consumer: StandaloneConsumer,
}

/// A topic and its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTopic {
    pub name: String,
    pub partitions: Vec<i32>,
}

/// The retained offsets of a partition, from `first` up to but not including `next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetainedOffsets {
    pub partition: i32,
    pub first: i64,
    pub next: i64,
}

impl RetainedOffsets {
    /// Upper bound of the number of records: transactions and compaction leave offsets without a record.
    pub fn records(self) -> u64 {
        // The start may have moved beyond the end between two requests; then there are none.
        u64::try_from(self.next - self.first).unwrap_or(0)
    }
}

/// The result of a poll.
pub enum Polled<'s> {
    Record(BorrowedMessage<'s>),
    /// A partition was read to its end.
    End(i32),
    Failed(KafkaError),
    /// Nothing came within the time limit.
    Nothing,
}

impl ClusterReader {
    /// # Errors
    /// The client can't be created.
    pub fn open(kafka: &Settings) -> Result<Self, Diagnosis> {
        let consumer = StandaloneConsumer::of(kafka, ClientKind::Reader);
        let no_client = |error| Diagnosis::of(&[ReportedError::no_client(&error)], &Security::default());
        Ok(Self { consumer: consumer.map_err(no_client)? })
    }

    /// All topics, by name.
    ///
    /// # Errors
    /// No broker answers.
    pub fn topics(&self) -> Result<Vec<ListedTopic>, Diagnosis> {
        let metadata = self.consumer.fetch_metadata(None, REQUEST_MAX);
        let metadata = metadata.map_err(|error| self.consumer.explain(&error))?;
        let listed = |topic: &rdkafka::metadata::MetadataTopic| ListedTopic {
            name: topic.name().to_owned(),
            partitions: topic.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect(),
        };
        let mut topics: Vec<ListedTopic> = metadata.topics().iter().map(listed).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// The retained offsets of a partition.
    ///
    /// # Errors
    /// Its leader does not answer.
    pub fn kept(&self, topic: &str, partition: i32) -> KafkaResult<RetainedOffsets> {
        let (first, next) = self.consumer.fetch_watermarks(topic, partition, REQUEST_MAX)?;
        Ok(RetainedOffsets { partition, first, next })
    }

    /// Reads a topic from these offsets on, and no other topic.
    ///
    /// # Errors
    /// The client refuses them.
    pub fn read_from(&self, topic: &str, offsets: &[(i32, i64)]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for &(partition, offset) in offsets {
            list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
        }
        self.consumer.assign(&list)
    }

    /// Waits for the next record, at most for this long.
    pub fn poll(&self, within: Duration) -> Polled<'_> {
        match self.consumer.poll(within) {
            Some(Ok(record)) => Polled::Record(record),
            Some(Err(KafkaError::PartitionEOF(partition))) => Polled::End(partition),
            Some(Err(error)) => Polled::Failed(error),
            None => Polled::Nothing,
        }
    }
}

impl fmt::Debug for ClusterReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterReader").finish_non_exhaustive()
    }
}
