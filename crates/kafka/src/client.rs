//! Creates every Kafka client of the bridge.
//!
//! [`properties`](crate::properties()) gives the librdkafka properties of a kind of client. The constructors here add what all
//! clients share: renewal of the token ([`Client`]), the log and the errors ([`ClientLog`]), and the advice for an error
//! ([`Diagnosis`], [`ReportedError::remedy`]). Members of the group have a context of their own, [`GroupContext`], for rebalances
//! and alarms.

use crate::Settings;
use crate::context::{GroupConsumer, GroupContext};
use crate::diagnosis::{Diagnosis, ReportedError, ReportedErrors, Security};
use crate::ffi::Client;
use crate::http_probe::{answers_http, with_port};
use crate::properties::{ClientKind, properties};
use base::text::printable;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext, ThreadedProducer};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::debug;

/// Time in which a poll handles all events that wait.
const POLL: Duration = Duration::from_millis(10);

/// A consumer that is no member of the group: it queries brokers, or reads partitions that are assigned by hand.
pub type StandaloneConsumer = Client<BaseConsumer<ClientLog>>;
/// A producer that sends each acknowledgement to its own channel.
pub type Producer = Client<ThreadedProducer<ClientLog>>;
/// A client for administrative requests.
pub type AdminClient = Client<rdkafka::admin::AdminClient<ClientLog>>;
/// A consumer that is a member of the group.
pub type MemberClient = Client<Arc<GroupConsumer>>;

/// The brokers' response to one produced record.
pub type Acknowledgement = Result<(), RDKafkaErrorCode>;

impl MemberClient {
    pub(crate) fn create(
        kafka: &Settings,
        config: &ClientConfig,
        context: GroupContext,
    ) -> KafkaResult<Self> {
        Ok(Self::new(Arc::new(config.create_with_context(context)?), kafka.oauth.as_ref()))
    }
}

impl StandaloneConsumer {
    /// A consumer with the properties of its kind.
    pub fn of(kafka: &Settings, kind: ClientKind) -> KafkaResult<Self> {
        Self::with(kafka, &properties(kafka, kind))
    }

    /// A consumer with these properties, which the caller changed. It has its token when this returns.
    pub fn with(kafka: &Settings, config: &ClientConfig) -> KafkaResult<Self> {
        let log = ClientLog { keeps_log: true, ..ClientLog::new(kafka) };
        let reader = Self::new(config.create_with_context(log)?, kafka.oauth.as_ref());
        reader.wait_for_token();
        Ok(reader)
    }

    /// Delivers the events that wait in the client to its log, which happens only while the client is polled.
    pub fn collect_reported_errors(&self) {
        // A poll without a time limit would end at the first line of the log.
        while self.poll(POLL).is_some() {}
    }

    /// Why a request of this new client failed, by the request's error and by everything that the client has reported.
    pub fn explain(&self, error: &KafkaError) -> Diagnosis {
        self.collect_reported_errors();
        let log = self.context();
        log.reported_errors.add(ReportedError::of(error));
        let diagnosis = Diagnosis::of(&log.reported_errors.heard(), &log.security);
        let is_http =
            diagnosis.is_silent() && log.brokers.iter().any(|address| answers_http(&with_port(address)));
        if is_http { diagnosis.with_http() } else { diagnosis }
    }
}

impl Producer {
    pub fn with(kafka: &Settings, config: &ClientConfig) -> KafkaResult<Self> {
        Ok(Self::new(config.create_with_context(ClientLog::new(kafka))?, kafka.oauth.as_ref()))
    }
}

impl AdminClient {
    pub fn of(kafka: &Settings) -> KafkaResult<Self> {
        let config = properties(kafka, ClientKind::Producer);
        let admin = Self::new(config.create_with_context(ClientLog::new(kafka))?, kafka.oauth.as_ref());
        admin.wait_for_token();
        Ok(admin)
    }
}

/// Keeps what a client reports, so that a failed request can be explained.
#[derive(Debug, Default)]
pub struct ClientLog {
    reported_errors: ReportedErrors,
    security: Security,
    /// `kafka.brokers`.
    brokers: Vec<String>,
    /// Whether lines of the log count as reported errors. A new client's do; a client in operation logs each reconnect.
    keeps_log: bool,
}

impl ClientLog {
    fn new(kafka: &Settings) -> Self {
        Self {
            reported_errors: ReportedErrors::default(),
            security: Security::of(&kafka.properties),
            brokers: kafka.brokers.clone(),
            keeps_log: false,
        }
    }

    pub fn reported_errors(&self) -> &ReportedErrors {
        &self.reported_errors
    }
}

impl ClientContext for ClientLog {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // The property `debug` brings lines of lower levels.
        if self.keeps_log && (level as i32) <= RDKafkaLogLevel::Info as i32 {
            self.reported_errors.add(ReportedError::logged(text));
        }
        debug!(facility, text = printable(text, 500), "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason = printable(reason, 300), "librdkafka");
        self.reported_errors.add(ReportedError { code: error.rdkafka_error_code(), text: reason.to_owned() });
    }
}

impl ConsumerContext for ClientLog {}

impl ProducerContext for ClientLog {
    type DeliveryOpaque = Box<oneshot::Sender<Acknowledgement>>;

    fn delivery(&self, result: &DeliveryResult<'_>, sender: Self::DeliveryOpaque) {
        let acknowledgement = match result {
            Ok(_) => {
                self.reported_errors.clear();
                Ok(())
            }
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)),
        };
        // The receiver is gone where the caller gave the record up or sends it again.
        let _receiver_gone = sender.send(acknowledgement);
    }
}
