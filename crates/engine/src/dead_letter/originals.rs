//! Reads records again by their coordinates, with a consumer that joins no group and commits nothing.

use super::DeadLetterError;
use super::original_reader::{Original, OriginalReader, RecordPlace};
use kafka::{ReportedError, Settings};
use rdkafka::error::RDKafkaErrorCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// The client is dropped after this idle time, because it has connections and threads.
const IDLE_MAX: Duration = Duration::from_mins(1);

/// Bytes of records that one call returns; the last record may exceed it.
const BYTES_MAX: usize = 2_000_000;

/// Reads records again. The client is created for the first record, and dropped after an idle minute.
#[derive(Debug)]
pub struct Originals {
    kafka: Arc<Settings>,
    slot: Arc<Mutex<Slot>>,
    idle_max: Duration,
}

/// The client, for one reader at a time.
#[derive(Debug, Default)]
struct Slot {
    reader: Option<OriginalReader>,
    used: Option<Instant>,
    /// Whether a task waits to drop the client.
    is_watched: bool,
}

impl Originals {
    pub fn new(kafka: &Settings) -> Self {
        Self { kafka: Arc::new(kafka.clone()), slot: Arc::default(), idle_max: IDLE_MAX }
    }

    /// Reads the wanted records, which must be in the order of topic, partition and offset. Returns the first ones, at least one, up to
    /// `BYTES_MAX`. None: retention, compaction or deletion of the topic removed the record.
    ///
    /// # Errors
    /// Kafka can't be reached now; a later call may succeed.
    pub async fn read(&self, wanted: &[RecordPlace]) -> Result<Vec<Option<Original>>, DeadLetterError> {
        let mut slot = Arc::clone(&self.slot).lock_owned().await;
        let (kafka, wanted) = (Arc::clone(&self.kafka), wanted.to_vec());
        let job = spawn_blocking(move || {
            // After an error, the next call begins with a new client and without the old one's pending requests.
            let mut reader = slot.reader.take().map_or_else(|| OriginalReader::new(&kafka), Ok)?;
            let originals = reader.read(&wanted, BYTES_MAX)?;
            slot.reader = Some(reader);
            slot.used = Some(Instant::now());
            let is_watched = std::mem::replace(&mut slot.is_watched, true);
            Ok((originals, is_watched))
        });
        // The job fails only when the runtime ends.
        let ended = job.await.map_err(|error| {
            let code = Some(RDKafkaErrorCode::Fail);
            DeadLetterError::unreadable(&ReportedError { code, text: error.to_string() })
        });
        let (originals, is_watched) = ended.flatten()?;
        if !is_watched {
            tokio::spawn(drop_when_idle(Arc::clone(&self.slot), self.idle_max));
        }
        Ok(originals)
    }
}

/// Waits until the client is idle, and drops it.
async fn drop_when_idle(slot: Arc<Mutex<Slot>>, idle_max: Duration) {
    loop {
        tokio::time::sleep(idle_max).await;
        let mut slot = Arc::clone(&slot).lock_owned().await;
        if slot.used.is_none_or(|used| used.elapsed() >= idle_max) {
            slot.is_watched = false;
            // Destroying a client may block.
            spawn_blocking(move || slot.reader = None);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::mocking::MockCluster;

    #[tokio::test]
    async fn an_idle_client_is_dropped_and_created_again() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let kafka = Settings { brokers: vec![cluster.bootstrap_servers()], ..Settings::default() };
        let mut originals = Originals::new(&kafka);
        originals.idle_max = Duration::from_millis(20);
        let wanted = [RecordPlace { topic: "t".into(), partition: 0, offset: 0 }];
        for _ in 0..3 {
            assert_eq!(originals.read(&wanted).await, Ok(vec![None]));
            let is_dropped = async {
                while originals.slot.lock().await.reader.is_some() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), is_dropped).await.unwrap();
        }
    }
}
