//! An embedded Kafka, librdkafka's mock cluster, with a producer into it: for the demo and for tests.
//!
//! It listens on 127.0.0.1 and speaks the real protocol, so that clients of other processes can use it too.

use super::mock_cluster_addresses;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::util::Timeout;
use std::fmt;
use std::time::Duration;

/// Larger than what a real producer sends by default, so that oversized records can be made.
const RECORD_BYTES_MAX: &str = "4000000";

/// One broker; its topics are kept in memory, at most 5 MB a partition.
pub struct EmbeddedKafka {
    producer: BaseProducer,
}

/// What is to be produced.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewRecord<'a> {
    pub topic: &'a str,
    /// None: librdkafka chooses one.
    pub partition: Option<i32>,
    /// None: a tombstone.
    pub value: Option<&'a [u8]>,
    /// None: now.
    pub time_ms: Option<i64>,
}

impl EmbeddedKafka {
    pub fn start() -> Result<Self, KafkaError> {
        let producer: BaseProducer = ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            .set("client.id", "embedded")
            .set("message.max.bytes", RECORD_BYTES_MAX)
            .set("linger.ms", "5")
            .create()?;
        Ok(Self { producer })
    }

    /// For `kafka.brokers`.
    pub fn address(&self) -> String {
        // It is there: it was asked for with the client.
        mock_cluster_addresses(self.producer.client()).unwrap_or_default()
    }

    /// Makes a topic; one that is produced to before is made with four partitions.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        self.producer
            .client()
            .mock_cluster()
            .map_or(Ok(()), |cluster| cluster.create_topic(name, partitions, 1))
    }

    /// Answers fetches of records with errors from now on, or as before.
    pub fn fail_fetches(&self, fails: bool) {
        // Each fetch takes one; it waits half a second after it.
        const MANY: [RDKafkaRespErr; 1_000] = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN; 1_000];
        if let Some(cluster) = self.producer.client().mock_cluster() {
            cluster.clear_request_errors(RDKafkaApiKey::Fetch);
            if fails {
                cluster.request_errors(RDKafkaApiKey::Fetch, &MANY);
            }
        }
    }

    /// Hands a record over to be produced, waiting while too many others are on their way.
    pub fn send(&self, new: NewRecord<'_>) -> Result<(), KafkaError> {
        self.produce(new, None)
    }

    /// As [`EmbeddedKafka::send`], with a header.
    pub fn send_with_header(&self, new: NewRecord<'_>, key: &str, value: &str) -> Result<(), KafkaError> {
        let header = Header { key, value: Some(value) };
        self.produce(new, Some(OwnedHeaders::new().insert(header)))
    }

    fn produce(&self, new: NewRecord<'_>, headers: Option<OwnedHeaders>) -> Result<(), KafkaError> {
        let mut record = BaseRecord::<(), [u8]>::to(new.topic);
        (record.partition, record.payload, record.timestamp) = (new.partition, new.value, new.time_ms);
        record.headers = headers;
        loop {
            let (error, refused) = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error);
            }
            record = refused;
            self.producer.poll(Duration::from_millis(10));
        }
    }

    /// Waits until everything is in Kafka.
    pub fn flush(&self, longest: Duration) -> Result<(), KafkaError> {
        self.producer.flush(Timeout::After(longest))
    }
}

impl fmt::Debug for EmbeddedKafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedKafka").finish_non_exhaustive()
    }
}
