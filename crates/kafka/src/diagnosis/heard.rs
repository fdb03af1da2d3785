//! What a client said while it got no answer: errors and lines of its log.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::sync::{Mutex, PoisonError};

/// Bound on stored complaints: a client repeats the same ones until it is closed.
const COMPLAINTS_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// None: a line of the log.
    pub code: Option<Code>,
    pub text: String,
}

impl Complaint {
    pub fn logged(text: &str) -> Self {
        Self { code: None, text: text.to_owned() }
    }

    /// What a request failed with.
    pub fn of(error: &KafkaError) -> Self {
        Self { code: error.rdkafka_error_code(), text: error.to_string() }
    }

    /// librdkafka creates no client. Its error may name a property's value, which may be a secret, so the value is left out.
    pub fn no_client(error: &KafkaError) -> Self {
        let text = match error {
            KafkaError::ClientConfig(_, description, key, _) => format!("{key}: {description}"),
            KafkaError::ClientCreation(text) => text.clone(),
            other => other.to_string(),
        };
        Self { code: Some(Code::InvalidArgument), text }
    }
}

/// The complaints of one client.
#[derive(Debug, Default)]
pub struct Complaints(Mutex<Vec<Complaint>>);

impl Complaints {
    pub fn add(&self, complaint: Complaint) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() < COMPLAINTS_MAX && !heard.contains(&complaint) {
            heard.push(complaint);
        }
    }

    pub fn heard(&self) -> Vec<Complaint> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
    /// An IPv6 address stands in brackets.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Whether the client has moved on from the address that it was given to one that a broker advertises, and can't reach that.
pub fn left_bootstrap(heard: &[Complaint]) -> bool {
    heard.iter().any(|complaint| unreached_broker(complaint).is_some())
}

/// The brokers whose advertised addresses the client can't reach, by their numbers, whatever order it complains in.
pub fn advertised_brokers(heard: &[Complaint]) -> Vec<AdvertisedBroker> {
    let mut brokers: Vec<AdvertisedBroker> = heard.iter().filter_map(unreached_broker).collect();
    brokers.sort_by_key(|broker| broker.id);
    brokers.dedup();
    brokers
}

fn unreached_broker(complaint: &Complaint) -> Option<AdvertisedBroker> {
    if is_unreached(complaint.code, &complaint.text) { advertised_by(&complaint.text) } else { None }
}

/// The broker that a complaint is about: librdkafka writes `PROTOCOL://HOST:PORT/ID: ` in front, the protocol only where it is not
/// plaintext; for an address of `kafka.brokers` it writes `HOST:PORT/bootstrap: `.
pub(super) fn advertised_by(text: &str) -> Option<AdvertisedBroker> {
    let (name, _) = without_thread(text).split_once(": ")?;
    let (address, id) = name.rsplit_once('/')?;
    let (_, address) = address.rsplit_once("://").unwrap_or(("", address));
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    // A number that is none is no broker's: the text is about something else.
    Some(AdvertisedBroker { id: id.parse().ok()?, host, port: port.parse().ok()? })
}

pub(super) fn is_unreached(code: Option<Code>, text: &str) -> bool {
    code == Some(Code::Resolve) || text.contains("Connect to ") || text.contains("Failed to resolve")
}

pub(super) fn without_thread(text: &str) -> &str {
    text.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")).map_or(text, |(_, rest)| rest)
}
