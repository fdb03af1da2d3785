//! A client that only asks, or reads what it is told to: it joins no group.

use super::diagnosis::{Complaint, Complaints, Diagnosis, Security};
use super::http_port::answers_http;
use super::token::Tokens;
use crate::Settings;
use base::text::printable;
use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use std::error::Error;
use std::time::{Duration, Instant};
use tracing::debug;

/// How long the first token may take to be asked for.
const TOKEN_MAX: Duration = Duration::from_secs(1);
const TOKEN_POLL: Duration = Duration::from_millis(10);

/// A client that can have tokens.
pub trait HasTokens {
    fn tokens(&self) -> &Tokens;
}

/// Logs in with a token where the brokers want one, and remembers why the client gets no answer.
#[derive(Debug, Default)]
pub struct ProbeContext {
    tokens: Tokens,
    complaints: Complaints,
    security: Security,
    /// `kafka.brokers`.
    brokers: Vec<String>,
}

impl ProbeContext {
    pub fn new(kafka: &Settings) -> Self {
        Self {
            tokens: Tokens::new(kafka.oauth.as_ref()),
            complaints: Complaints::default(),
            security: Security::of(&kafka.properties),
            brokers: kafka.brokers.clone(),
        }
    }

    pub fn complaints(&self) -> &Complaints {
        &self.complaints
    }
}

/// Why a request of a new client failed: by the request's error and by all that the client has complained of.
pub fn explain(consumer: &BaseConsumer<ProbeContext>, error: &KafkaError) -> Diagnosis {
    // Errors are delivered to the context only while the client is polled.
    while consumer.poll(Duration::ZERO).is_some() {}
    let context = consumer.context();
    context.complaints.add(Complaint::of(error));
    let diagnosis = Diagnosis::of(&context.complaints.heard(), &context.security);
    let is_http = diagnosis.is_silent() && context.brokers.iter().any(|address| answers_http(address));
    if is_http { diagnosis.with_http() } else { diagnosis }
}

/// The client with these properties, ready to ask.
pub fn probe(kafka: &Settings, config: &ClientConfig) -> KafkaResult<BaseConsumer<ProbeContext>> {
    let consumer: BaseConsumer<ProbeContext> = config.create_with_context(ProbeContext::new(kafka))?;
    serve_tokens(&consumer);
    Ok(consumer)
}

/// Gives tokens to a client that is not polled while it asks; it must not be assigned anything.
pub fn serve_tokens<C: ConsumerContext + HasTokens>(consumer: &BaseConsumer<C>) {
    let tokens = consumer.context().tokens();
    let until = Instant::now() + TOKEN_MAX;
    while !tokens.is_served() && Instant::now() < until {
        drop(consumer.poll(TOKEN_POLL));
    }
    if tokens.are_wanted() {
        // A refresh that has come meanwhile.
        drop(consumer.poll(Duration::ZERO));
    }
}

impl HasTokens for ProbeContext {
    fn tokens(&self) -> &Tokens {
        &self.tokens
    }
}

impl ClientContext for ProbeContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // The property `debug` brings lines of lower levels.
        if (level as i32) <= RDKafkaLogLevel::Info as i32 {
            self.complaints.add(Complaint::logged(text));
        }
        debug!(facility, text = printable(text, 500), "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason = printable(reason, 300), "librdkafka");
        self.complaints.add(Complaint { code: error.rdkafka_error_code(), text: reason.to_owned() });
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.tokens.next().inspect_err(|error| self.complaints.add(Complaint::logged(&error.to_string())))
    }
}

impl ConsumerContext for ProbeContext {}
