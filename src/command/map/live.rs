//! `map --live`: a topic's records, read without joining the group and without committing.

use super::dry_run::{DryRun, MapError};
use base::record::{Record, RecordTime};
use base::text::counted;
use kafka::Settings;
use kafka::{Sample, headers_of};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Records of each partition that are shown although they came before, so that a quiet topic shows something.
const BEFORE: i64 = 5;

/// How often Ctrl-C is looked for.
const GLANCE: Duration = Duration::from_millis(100);

/// Shows what comes in this time, or until Ctrl-C. Returns how many records were rejected.
pub fn read(mut run: DryRun, kafka: &Settings, topic: &str, duration: Duration) -> Result<usize, MapError> {
    let failed = |why: String| MapError::Topic { topic: topic.to_owned(), why };
    let sample = Sample::open(kafka, &[topic], BEFORE).map_err(|error| failed(error.to_string()))?;
    let sample = sample.ok_or_else(|| failed("it does not exist".to_owned()))?;
    eprintln!(
        "{topic}: the last {BEFORE} records of each partition, and what comes within {} s; the group is not joined",
        duration.as_secs()
    );
    let (until, interrupted) = (Instant::now() + duration, interrupted()?);
    let (mut out, mut records, mut trouble) = (io::stdout().lock(), 0_u64, None);
    while !interrupted.load(Ordering::Relaxed) {
        let Some(left) = until.checked_duration_since(Instant::now()) else { break };
        match sample.next(left.min(GLANCE)) {
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
        (0, None) => eprintln!("{topic}: no record is there, and none came; does its producer run?"),
        (records, _) => {
            eprintln!("{topic}: {} became {}", counted(records, "record"), counted(run.lines(), "line"));
        }
    }
    Ok(run.finish())
}

/// Of one broker that is away, say, while others answer.
fn passes(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(
        code,
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut | Code::Resolve)
    )
}

/// Becomes true with Ctrl-C, so that what was dropped is still told.
fn interrupted() -> io::Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let came = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&came);
    thread::spawn(move || {
        // Without it, the signal ends the process at once.
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            flag.store(true, Ordering::Relaxed);
        }
    });
    Ok(came)
}

fn show(run: &mut DryRun, message: &BorrowedMessage<'_>, out: &mut impl Write) -> Result<(), MapError> {
    let headers = headers_of(message);
    let headers: Vec<(&str, &[u8])> =
        // A null header is an empty one for the mapping, as in `run`.
        headers.iter().map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default())).collect();
    let record = Record {
        partition: message.partition(),
        offset: message.offset(),
        // -1 is Kafka's own "no timestamp", which rejects the record where its time is needed.
        time: RecordTime::from_kafka_ms(message.timestamp().to_millis().unwrap_or(-1)),
        key: message.key(),
        value: message.payload(),
        headers: &headers,
    };
    run.record(&record, out, || format!("{}[{}]@{}", message.topic(), message.partition(), message.offset()))
}
