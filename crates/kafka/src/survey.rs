//! The topics that there are, and the last records of some, without joining a group and without committing.

use super::diagnosis::{Complaint, Diagnosis, Security};
use crate::Settings;
use crate::client::StandaloneConsumer;
use crate::properties::ClientKind;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use std::fmt;
use std::time::Duration;

/// How long the brokers may take for an answer.
const ASK_MAX: Duration = Duration::from_secs(5);

/// A client that only looks.
pub struct Survey {
    consumer: StandaloneConsumer,
}

/// A topic and its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedTopic {
    pub name: String,
    pub partitions: Vec<i32>,
}

/// What Kafka keeps of a partition: offsets from `first` up to, and without, `next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    pub partition: i32,
    pub first: i64,
    pub next: i64,
}

impl Kept {
    /// How many records, at most: transactions and compaction leave offsets without one.
    pub fn records(self) -> u64 {
        // A partition whose start moved beyond the end between two requests holds none.
        u64::try_from(self.next - self.first).unwrap_or(0)
    }
}

/// What reading gives.
pub enum Looked<'s> {
    Record(BorrowedMessage<'s>),
    /// A partition was read to its end.
    End(i32),
    Failed(KafkaError),
    /// Nothing came in this time.
    Nothing,
}

impl Survey {
    /// # Errors
    /// The client can't be made.
    pub fn open(kafka: &Settings) -> Result<Self, Diagnosis> {
        let consumer = StandaloneConsumer::of(kafka, ClientKind::Reader);
        let no_client = |error| Diagnosis::of(&[Complaint::no_client(&error)], &Security::default());
        Ok(Self { consumer: consumer.map_err(no_client)? })
    }

    /// All topics, by name.
    ///
    /// # Errors
    /// No broker answers.
    pub fn topics(&self) -> Result<Vec<SurveyedTopic>, Diagnosis> {
        let metadata = self.consumer.fetch_metadata(None, ASK_MAX);
        let metadata = metadata.map_err(|error| self.consumer.explain(&error))?;
        let of = |topic: &rdkafka::metadata::MetadataTopic| SurveyedTopic {
            name: topic.name().to_owned(),
            partitions: topic.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect(),
        };
        let mut topics: Vec<SurveyedTopic> = metadata.topics().iter().map(of).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// What is kept of a partition.
    ///
    /// # Errors
    /// Its leader does not answer.
    pub fn kept(&self, topic: &str, partition: i32) -> KafkaResult<Kept> {
        let (first, next) = self.consumer.fetch_watermarks(topic, partition, ASK_MAX)?;
        Ok(Kept { partition, first, next })
    }

    /// Reads from these offsets of a topic on; what was read before is left.
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

    pub fn look(&self, within: Duration) -> Looked<'_> {
        match self.consumer.poll(within) {
            Some(Ok(record)) => Looked::Record(record),
            Some(Err(KafkaError::PartitionEOF(partition))) => Looked::End(partition),
            Some(Err(error)) => Looked::Failed(error),
            None => Looked::Nothing,
        }
    }
}

impl fmt::Debug for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Survey").finish_non_exhaustive()
    }
}
