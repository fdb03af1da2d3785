//! Produces records to the embedded Kafka at a moderate rate.

use super::records::{Generated, Generator};
use rdkafka::error::KafkaError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};
use testkit::{EmbeddedKafka, NewRecord};

const RECORDS_PER_SECOND: u64 = 2_000;
const TICK: Duration = Duration::from_millis(20);
const FLUSH_MAX: Duration = Duration::from_secs(5);

/// A thread that produces until `stop`.
#[derive(Debug)]
pub struct Producer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64, KafkaError>>,
}

impl Producer {
    pub fn start(kafka: Arc<EmbeddedKafka>, mut generator: Generator) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let (start, start_ms, mut produced) = (Instant::now(), now_ms(), 0);
            while !stopped.load(Ordering::Relaxed) {
                // Produces all records that are due, so that the rate does not depend on the length of sleeps.
                let due = start.elapsed().as_millis() as u64 * RECORDS_PER_SECOND / 1_000;
                while produced < due {
                    produce(&kafka, &generator.next(record_time_ms(start_ms, produced)))?;
                    produced += 1;
                }
                thread::sleep(TICK);
            }
            kafka.flush(FLUSH_MAX)?;
            Ok(produced)
        });
        Self { stop, thread }
    }

    /// Returns the number of produced records when all are in Kafka.
    pub fn stop(self) -> Result<u64, KafkaError> {
        self.stop.store(true, Ordering::Relaxed);
        // After a panic, which does not happen, the number is unknown.
        self.thread.join().unwrap_or(Err(KafkaError::Canceled))
    }
}

pub fn produce(kafka: &EmbeddedKafka, record: &Generated) -> Result<(), KafkaError> {
    let value = Some(record.value.as_bytes());
    kafka.send(NewRecord { topic: record.topic, value, ..NewRecord::default() })
}

/// Time in the record with this number, evenly spaced. With the time of the clock, the points of a burst would overwrite each
/// other, because all have the same millisecond.
pub fn record_time_ms(start_ms: u64, number: u64) -> u64 {
    start_ms + number * 1_000 / RECORDS_PER_SECOND
}

pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}
