//! `map --live`: reads a topic without joining the group and without committing.

use super::dry_run::{DryRun, MapError};
use crate::signals::Signals;
use crate::terminal::report;
use base::record::{Record, RecordTime, borrowed};
use base::suggest::nearest;
use kafka::{ClusterReader, Settings, TopicSampler, headers_of};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message};
use std::io::{self, Write};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

/// Earlier records of each partition that are shown, so that an idle topic shows something.
const BEFORE: i64 = 5;

/// Interval at which signals are checked.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Shows records for this time, or until Ctrl-C or SIGTERM. Returns the number of rejected records.
pub fn read(run: DryRun, kafka: &Settings, topic: &str, duration: Duration) -> Result<usize, MapError> {
    let mut run = run.of_topic();
    let failed = |why: String| MapError::Topic { topic: topic.to_owned(), why };
    let sample = TopicSampler::open(kafka, &[topic], BEFORE).map_err(|error| failed(error.to_string()))?;
    let sample = sample.ok_or_else(|| failed(missing(kafka, topic)))?;
    if let Some(warning) = super::not_read(&kafka.topics, topic) {
        report!("{warning}");
    }
    report!(
        "{topic}: showing the last {BEFORE} records of each partition, and new ones for {} s; the group is not joined",
        duration.as_secs()
    );
    // Handled before the first record is printed: a signal after that must reach the summary.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (until, signals) = (Instant::now() + duration, Signals::listen(&runtime)?);
    let (mut out, mut records, mut trouble) = (io::stdout().lock(), 0_u64, None);
    while !signals.stop_requested() {
        let Some(left) = until.checked_duration_since(Instant::now()) else { break };
        match sample.next(left.min(POLL_INTERVAL)) {
            Some(Ok(message)) => {
                records += 1;
                show(&mut run, &message, &mut out)?;
                out.flush()?;
            }
            Some(Err(error)) if passes(&error) => trouble = Some(error),
            Some(Err(error)) => return Err(failed(sample.explain(&error).to_string())),
            None => {}
        }
    }
    match (records, trouble) {
        (0, Some(trouble)) => return Err(failed(sample.explain(&trouble).to_string())),
        (0, None) => {
            report!("{topic}: the topic is empty, and no record arrived; is its producer running?");
        }
        _ => run.report_summary(&format!("{topic}: ")),
    }
    Ok(run.finish())
}

/// Whether the error may pass, for example because one of several brokers is down.
fn passes(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(
        code,
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut | Code::Resolve)
    )
}

/// The reason for a topic without partitions, with the nearest existing name.
fn missing(kafka: &Settings, topic: &str) -> String {
    let listed = ClusterReader::open(kafka).and_then(|reader| reader.topics());
    // The name alone is still a reason if the brokers answer no more.
    let existing = listed.unwrap_or_default();
    let others =
        existing.iter().filter(|existing| existing.name != topic).map(|existing| existing.name.as_str());
    match nearest(topic, others) {
        Some(near) => format!("it does not exist; did you mean {near:?}?"),
        None => "it does not exist".to_owned(),
    }
}

fn show(run: &mut DryRun, message: &BorrowedMessage<'_>, out: &mut impl Write) -> Result<(), MapError> {
    let headers = headers_of(message);
    let headers = borrowed(&headers);
    let record = Record {
        partition: message.partition(),
        offset: message.offset(),
        time: RecordTime::from_known_ms(message.timestamp().to_millis()),
        key: message.key(),
        value: message.payload(),
        headers: &headers,
    };
    run.record(&record, out, || format!("{}[{}]@{}", message.topic(), message.partition(), message.offset()))
}
