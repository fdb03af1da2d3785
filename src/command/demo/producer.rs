//! Records into the embedded Kafka, at a moderate rate.

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

/// A thread that produces until it is told to stop.
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
                // As many as are due by now, so that the rate holds whatever the sleeps take.
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

    /// Returns how many records were produced, once all are in Kafka.
    pub fn stop(self) -> Result<u64, KafkaError> {
        self.stop.store(true, Ordering::Relaxed);
        // It can't panic; if it did, what it produced is unknown.
        self.thread.join().unwrap_or(Err(KafkaError::Canceled))
    }
}

pub fn produce(kafka: &EmbeddedKafka, record: &Generated) -> Result<(), KafkaError> {
    let value = Some(record.value.as_bytes());
    kafka.send(NewRecord { topic: record.topic, value, ..NewRecord::default() })
}

/// Time in the record with this number, as if records were made evenly. The clock would give all records of a burst one
/// millisecond, and two points of one series with one time overwrite each other.
pub fn record_time_ms(start_ms: u64, number: u64) -> u64 {
    start_ms + number * 1_000 / RECORDS_PER_SECOND
}

pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}
