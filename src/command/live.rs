//! `map --live`: a topic's records, read without joining the group and without committing.

use super::map::{DryRun, MapError};
use crate::config::Kafka;
use crate::kafka::{Sample, headers_of};
use crate::record::{Record, RecordTime};
use rdkafka::message::{BorrowedMessage, Message};
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Records of each partition that are shown although they came before, so that a quiet topic shows something.
const BEFORE: i64 = 5;

/// Shows what comes in this time. Returns how many records were rejected.
pub fn read(mut run: DryRun, kafka: &Kafka, topic: &str, duration: Duration) -> Result<usize, MapError> {
    let failed = |why: String| MapError::Topic { topic: topic.to_owned(), why };
    let sample = Sample::open(kafka, &[topic], BEFORE).map_err(|error| failed(error.to_string()))?;
    let sample = sample.ok_or_else(|| failed("it does not exist".to_owned()))?;
    let until = Instant::now() + duration;
    let mut out = io::stdout().lock();
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        match sample.next(left) {
            Some(Ok(message)) => show(&mut run, &message, &mut out)?,
            Some(Err(error)) => return Err(failed(error.to_string())),
            None => break,
        }
        out.flush()?;
    }
    Ok(run.finish())
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
