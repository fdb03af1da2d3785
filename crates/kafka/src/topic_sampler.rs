//! Reads the newest records of some topics, without joining a group and without committing.

use super::diagnosis::{Diagnosis, ReportedError, Security};
use crate::Settings;
use crate::client::StandaloneConsumer;
use crate::properties::{ClientKind, properties};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;

/// Time limit of a request for metadata.
const METADATA_MAX: Duration = Duration::from_secs(5);

/// Reads some topics from near their ends.
pub struct TopicSampler {
    consumer: StandaloneConsumer,
}

impl TopicSampler {
    /// Starts at the last `before` records of each partition. None: one of the topics does not exist.
    pub fn open(kafka: &Settings, topics: &[&str], before: i64) -> Result<Option<Self>, Diagnosis> {
        // librdkafka assigns no partitions without the name of a group. This group is never joined.
        let consumer =
            StandaloneConsumer::with(kafka, properties(kafka, ClientKind::Query).set("group.id", "(sample)"));
        let no_client = |error| Diagnosis::of(&[ReportedError::no_client(&error)], &Security::default());
        let consumer = consumer.map_err(no_client)?;
        let failed = |error| consumer.explain(&error);
        let mut list = TopicPartitionList::new();
        for topic in topics {
            let metadata = consumer.fetch_metadata(Some(topic), METADATA_MAX).map_err(failed)?;
            let found = metadata.topics().iter().find(|found| found.name() == *topic);
            let partitions = found.map_or(&[][..], MetadataTopic::partitions);
            if partitions.is_empty() {
                return Ok(None);
            }
            for partition in partitions {
                list.add_partition_offset(topic, partition.id(), Offset::OffsetTail(before))
                    .map_err(failed)?;
            }
        }
        consumer.assign(&list).map_err(failed)?;
        Ok(Some(Self { consumer }))
    }

    /// Starts at these offsets. [`TopicSampler::next`] returns `PartitionEOF` at the end of a partition.
    pub fn at(kafka: &Settings, offsets: &TopicPartitionList) -> KafkaResult<Self> {
        let consumer = StandaloneConsumer::of(kafka, ClientKind::Reader)?;
        consumer.assign(offsets)?;
        Ok(Self { consumer })
    }

    /// Stops reading a partition.
    pub fn stop_partition(&self, topic: &str, partition: i32) {
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        // Otherwise a few more records come.
        let _unknown = self.consumer.pause(&list);
    }

    /// The diagnosis of an error of [`TopicSampler::next`].
    pub fn explain(&self, error: &KafkaError) -> Diagnosis {
        self.consumer.explain(error)
    }

    /// The next record, if one comes within this time.
    pub fn next(&self, within: Duration) -> Option<Result<BorrowedMessage<'_>, KafkaError>> {
        self.consumer.poll(within)
    }
}
