//! `map --live`: a topic's records, read without joining the group and without committing.

use super::map::{DryRun, MapError};
use crate::config::Kafka;
use crate::kafka::{headers_of, probe_config};
use crate::record::{Record, RecordTime};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::io::{self, Write};
use std::time::{Duration, Instant};

const ASK_MAX: Duration = Duration::from_secs(5);
/// Records of each partition that are shown although they came before, so that a quiet topic shows something.
const BEFORE: i64 = 5;

/// Shows what comes in this time. Returns how many records were rejected.
pub fn read(mut run: DryRun, kafka: &Kafka, topic: &str, duration: Duration) -> Result<usize, MapError> {
    let failed = |why: String| MapError::Topic { topic: topic.to_owned(), why };
    let consumer = assign(kafka, topic).map_err(|error| failed(error.to_string()))?;
    let consumer = consumer.ok_or_else(|| failed("it does not exist".to_owned()))?;
    let until = Instant::now() + duration;
    let mut out = io::stdout().lock();
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        match consumer.poll(left) {
            Some(Ok(message)) => show(&mut run, &message, &mut out)?,
            Some(Err(error)) => return Err(failed(error.to_string())),
            None => break,
        }
        out.flush()?;
    }
    Ok(run.finish())
}

/// None: there is no such topic.
fn assign(kafka: &Kafka, topic: &str) -> Result<Option<BaseConsumer>, KafkaError> {
    // The client wants a name of a group to assign partitions by hand; it is never joined.
    let consumer: BaseConsumer = probe_config(kafka).set("group.id", "(map --live)").create()?;
    let metadata = consumer.fetch_metadata(Some(topic), ASK_MAX)?;
    let mut list = TopicPartitionList::new();
    for partition in metadata
        .topics()
        .iter()
        .filter(|found| found.name() == topic)
        .flat_map(rdkafka::metadata::MetadataTopic::partitions)
    {
        list.add_partition_offset(topic, partition.id(), Offset::OffsetTail(BEFORE))?;
    }
    if list.count() == 0 {
        return Ok(None);
    }
    consumer.assign(&list)?;
    Ok(Some(consumer))
}

fn show(run: &mut DryRun, message: &BorrowedMessage<'_>, out: &mut impl Write) -> Result<(), MapError> {
    let headers = headers_of(message);
    let headers: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default())).collect();
    let record = Record {
        partition: message.partition(),
        offset: message.offset(),
        time: RecordTime::from_kafka_ms(message.timestamp().to_millis().unwrap_or(-1)),
        key: message.key(),
        value: message.payload(),
        headers: &headers,
    };
    run.record(&record, out, || format!("{}[{}]@{}", message.topic(), message.partition(), message.offset()))
}
