//! An embedded Kafka, librdkafka's mock cluster, with a producer into it: for the demo and for tests.
//!
//! It listens on 127.0.0.1 and speaks the real protocol, so that clients of other processes can use it too.

use rdkafka::ClientConfig;
use rdkafka::bindings as c;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
#[cfg(feature = "faults")]
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::util::Timeout;
use std::ffi::CStr;
use std::fmt;
use std::time::Duration;

/// Larger than what a real producer sends by default, so that oversized records can be made.
const RECORD_BYTES_MAX: &str = "4000000";

/// One broker or several; their topics are kept in memory, at most 5 MB a partition.
pub struct EmbeddedKafka {
    producer: BaseProducer,
}

/// A record to produce.
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
        Self::with_brokers(1)
    }

    /// Like [`EmbeddedKafka::start`], with this number of brokers, numbered from 1.
    #[cfg(feature = "faults")]
    pub fn start_with(brokers: usize) -> Result<Self, KafkaError> {
        Self::with_brokers(brokers)
    }

    fn with_brokers(brokers: usize) -> Result<Self, KafkaError> {
        let producer: BaseProducer = ClientConfig::new()
            .set("test.mock.num.brokers", brokers.to_string())
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

    /// Hands a record over to be produced, waiting while too many others are on their way.
    pub fn send(&self, new: NewRecord<'_>) -> Result<(), KafkaError> {
        self.produce(new, None)
    }

    /// Like [`EmbeddedKafka::send`], with a header.
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

#[cfg(feature = "faults")]
impl EmbeddedKafka {
    /// Answers fetches of records with errors from now on, or as before.
    pub fn fail_fetches(&self, fails: bool) {
        // Each fetch takes one; it waits half a second after it.
        const MANY: [RDKafkaRespErr; 1_000] = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN; 1_000];
        self.answer(RDKafkaApiKey::Fetch, fails.then_some(&MANY[..]));
    }

    /// Ends a broker's connections and refuses new ones, or takes them again.
    pub fn set_broker_up(&self, broker: i32, is_up: bool) -> Result<(), KafkaError> {
        self.producer.client().mock_cluster().map_or(Ok(()), |cluster| {
            if is_up { cluster.broker_up(broker) } else { cluster.broker_down(broker) }
        })
    }

    /// Delays a broker's answers by this time from now on. Its connections stay open.
    pub fn delay_answers(&self, broker: i32, delay: Duration) -> Result<(), KafkaError> {
        let cluster = self.producer.client().mock_cluster();
        cluster.map_or(Ok(()), |cluster| cluster.broker_round_trip_time(broker, delay))
    }

    /// Answers the group's requests as to a user without permission from now on, or as before.
    pub fn deny_group(&self, denies: bool) {
        const DENIED: [RDKafkaRespErr; 1_000] =
            [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 1_000];
        self.answer(RDKafkaApiKey::FindCoordinator, denies.then_some(&DENIED[..]));
    }

    /// Answers fetches of records as to a user without permission from now on, or as before.
    pub fn deny_fetches(&self, denies: bool) {
        const DENIED: [RDKafkaRespErr; 1_000] =
            [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 1_000];
        self.answer(RDKafkaApiKey::Fetch, denies.then_some(&DENIED[..]));
    }

    /// Hides a topic as from a user without permission from now on, or shows it.
    pub fn hide_topic(&self, name: &str, hides: bool) -> Result<(), KafkaError> {
        let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
        let error = if hides { denied } else { RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR };
        self.producer.client().mock_cluster().map_or(Ok(()), |cluster| cluster.topic_error(name, error))
    }

    /// Answers the next requests of this kind with errors; with none, as before.
    fn answer(&self, api: RDKafkaApiKey, errors: Option<&[RDKafkaRespErr]>) {
        if let Some(cluster) = self.producer.client().mock_cluster() {
            cluster.clear_request_errors(api);
            if let Some(errors) = errors {
                cluster.request_errors(api, errors);
            }
        }
    }
}

impl fmt::Debug for EmbeddedKafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedKafka").finish_non_exhaustive()
    }
}

/// The addresses of the mock cluster inside a client made with `test.mock.num.brokers`, whose groups then assign at
/// once instead of after three seconds.
#[expect(unsafe_code, reason = "rdkafka has no way to the mock cluster of a client")]
fn mock_cluster_addresses<C: ClientContext>(client: &Client<C>) -> Option<String> {
    // SAFETY: the client is alive, and the cluster and its address string live as long as it does.
    unsafe {
        let cluster = c::rd_kafka_handle_mock_cluster(client.native_ptr());
        if cluster.is_null() {
            return None;
        }
        c::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        let addresses = CStr::from_ptr(c::rd_kafka_mock_cluster_bootstraps(cluster));
        Some(addresses.to_string_lossy().into_owned())
    }
}
