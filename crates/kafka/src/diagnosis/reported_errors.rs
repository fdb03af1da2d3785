//! Errors that a client reports: of its requests, in its callbacks, and in lines of its log.

use super::{Fault, advice};
use base::locks::lock;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::collections::VecDeque;
use std::sync::Mutex;

/// Bound on the stored errors; the oldest one is dropped. A client repeats the same ones until it is closed.
const REPORTED_ERRORS_MAX: usize = 100;

/// An error that a client reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedError {
    /// None: a line of the log.
    pub code: Option<Code>,
    pub text: String,
}

impl ReportedError {
    pub fn logged(text: &str) -> Self {
        Self { code: None, text: text.to_owned() }
    }

    /// The error of a request.
    pub fn of(error: &KafkaError) -> Self {
        Self { code: Some(error.rdkafka_error_code().unwrap_or(Code::Fail)), text: error.to_string() }
    }

    /// The fault and what to do.
    pub fn explanation(&self) -> String {
        let known = self.code.and_then(|code| advice(code, &self.text));
        known.unwrap_or_else(|| Fault::NotConnected.remedy().to_owned())
    }

    /// Whether this only follows from another reported error, which names the cause.
    fn is_consequence(&self) -> bool {
        matches!(self.code, Some(Code::AllBrokersDown | Code::OperationTimedOut | Code::MessageTimedOut))
    }

    /// The error of a client that librdkafka does not create. The property's value may be a secret, so it is left out.
    pub fn no_client(error: &KafkaError) -> Self {
        let text = match error {
            KafkaError::ClientConfig(_, description, key, _) => format!("{key}: {description}"),
            KafkaError::ClientCreation(text) => text.clone(),
            other => other.to_string(),
        };
        Self { code: Some(Code::InvalidArgument), text }
    }
}

/// The errors that one client reported, the newest last.
#[derive(Debug, Default)]
pub struct ReportedErrors(Mutex<VecDeque<ReportedError>>);

impl ReportedErrors {
    pub fn add(&self, reported: ReportedError) {
        let mut heard = lock(&self.0);
        heard.retain(|known| *known != reported);
        if heard.len() == REPORTED_ERRORS_MAX {
            heard.pop_front();
        }
        heard.push_back(reported);
    }

    pub fn heard(&self) -> Vec<ReportedError> {
        lock(&self.0).iter().cloned().collect()
    }

    /// The newest error that names a cause, otherwise the newest error.
    pub fn last_cause(&self) -> Option<ReportedError> {
        let heard = lock(&self.0);
        let errors = || heard.iter().rev().filter(|reported| reported.code.is_some());
        errors().find(|reported| !reported.is_consequence()).or_else(|| errors().next()).cloned()
    }

    /// Forgets all reported errors, once a request succeeded.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }
}

/// A broker and the address that it advertises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertisedBroker {
    pub id: i32,
    pub host: String,
    pub port: i32,
}

impl AdvertisedBroker {
    /// `host:port`, with brackets around an IPv6 address.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Whether the client has left the configured address for one that a broker advertises and that can't be reached.
pub fn left_bootstrap(heard: &[ReportedError]) -> bool {
    heard.iter().any(|reported| unreached_broker(reported).is_some())
}

/// The brokers whose advertised addresses the client can't reach, sorted by id.
pub fn advertised_brokers(heard: &[ReportedError]) -> Vec<AdvertisedBroker> {
    let mut brokers: Vec<AdvertisedBroker> = heard.iter().filter_map(unreached_broker).collect();
    brokers.sort_by_key(|broker| broker.id);
    brokers.dedup();
    brokers
}

fn unreached_broker(reported: &ReportedError) -> Option<AdvertisedBroker> {
    if is_unreached(reported.code, &reported.text) { advertised_by(&reported.text) } else { None }
}

/// The broker that a reported error is about. librdkafka begins the text with `PROTOCOL://HOST:PORT/ID: `, without the protocol if it is
/// plaintext; for an address of `kafka.brokers` it writes `HOST:PORT/bootstrap: `.
pub(super) fn advertised_by(text: &str) -> Option<AdvertisedBroker> {
    let (name, _) = without_thread(text).split_once(": ")?;
    let (address, id) = name.rsplit_once('/')?;
    let (_, address) = address.rsplit_once("://").unwrap_or(("", address));
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    // A text without a numeric id is not about an advertised broker.
    Some(AdvertisedBroker { id: id.parse().ok()?, host, port: port.parse().ok()? })
}

pub(super) fn is_unreached(code: Option<Code>, text: &str) -> bool {
    code == Some(Code::Resolve) || text.contains("Connect to ") || text.contains("Failed to resolve")
}

pub(super) fn without_thread(text: &str) -> &str {
    text.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")).map_or(text, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cause_is_not_replaced_by_its_consequences() {
        let reported_errors = ReportedErrors::default();
        let f = |code: Code, text: &str, want: &str| {
            reported_errors.add(ReportedError { code: Some(code), text: text.to_owned() });
            assert_eq!(reported_errors.last_cause().map(|last| last.text).as_deref(), Some(want));
        };
        f(Code::OperationTimedOut, "timed out", "timed out");
        f(Code::Authentication, "wrong password", "wrong password");
        f(Code::AllBrokersDown, "1/1 brokers are down", "wrong password");
        reported_errors.add(ReportedError::logged("a line of the log"));
        assert!(reported_errors.last_cause().unwrap().explanation().contains("kafka.sasl"));
        reported_errors.clear();
        assert_eq!(reported_errors.last_cause(), None);
    }

    #[test]
    fn reported_errors_are_bounded_and_the_newest_stay() {
        let reported_errors = ReportedErrors::default();
        for number in 0..2 * REPORTED_ERRORS_MAX {
            reported_errors.add(ReportedError::logged(&number.to_string()));
        }
        let heard = reported_errors.heard();
        assert_eq!((heard.len(), heard.last().unwrap().text.as_str()), (REPORTED_ERRORS_MAX, "199"));
    }
}
