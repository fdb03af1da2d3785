//! A client that only asks, or reads what it is told to: it joins no group.

use super::token::Tokens;
use crate::config::Kafka;
use crate::text::printable;
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

/// Logs in with a token where that is wanted; else it does nothing.
#[derive(Debug, Default)]
pub struct ProbeContext {
    tokens: Tokens,
}

impl ProbeContext {
    pub fn new(kafka: &Kafka) -> Self {
        Self { tokens: Tokens::new(kafka.oauth.as_ref()) }
    }
}

/// The client with these properties, ready to ask.
pub fn probe(kafka: &Kafka, config: &ClientConfig) -> KafkaResult<BaseConsumer<ProbeContext>> {
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

    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        debug!(facility, text = printable(text, 500), "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason = printable(reason, 300), "librdkafka");
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.tokens.next()
    }
}

impl ConsumerContext for ProbeContext {}
