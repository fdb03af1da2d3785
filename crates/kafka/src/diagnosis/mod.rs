//! Turns librdkafka's error codes and texts into faults with remedies. `run`, `check`, `init`, `map --live` and the dead letters all
//! use this table.

mod configured_security;
mod faults;
mod librdkafka_texts;
mod reported_errors;

pub use configured_security::Security;
pub use faults::{AlarmCause, Fault};
pub use reported_errors::{
    AdvertisedBroker, ReportedError, ReportedErrors, advertised_brokers, left_bootstrap,
};

use base::text::printable;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::fmt;

/// Characters of librdkafka's text in a message.
const WORDS_CHARS_MAX: usize = 300;

/// The meaning of an error for a running bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    pub fault: Fault,
    /// The broker itself reports the fault, so that one error is enough for the alarm.
    pub is_certain: bool,
}

impl Advice {
    /// The alarm of the error, if it can stop all reading.
    pub fn cause(self) -> Option<AlarmCause> {
        self.fault.cause()
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

/// The meaning of an error of a client in operation. None: the table has no entry for the code.
/// `is_throttled`: a quota delays this client, so that requests time out although the brokers are healthy.
pub fn diagnose(code: Code, text: &str, is_throttled: bool) -> Option<Advice> {
    let fault = match code {
        Code::OperationTimedOut | Code::RequestTimedOut if is_throttled => Fault::Throttled,
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => Fault::TopicMissing,
        Code::TopicAuthorizationFailed => Fault::TopicDenied,
        Code::GroupAuthorizationFailed => Fault::GroupDenied,
        Code::PollExceeded => Fault::PollExceeded,
        Code::AllBrokersDown
        | Code::BrokerTransportFailure
        | Code::OperationTimedOut
        | Code::Resolve
        | Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::SSL => librdkafka_texts::fault(Some(code), text, None),
        // librdkafka has no code for responses of other protocols.
        _ if text.contains(librdkafka_texts::RESPONSE_SIZE) => {
            librdkafka_texts::fault(Some(code), text, None)
        }
        _ => return None,
    };
    let is_certain = matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::SSL
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
    );
    Some(Advice { fault, is_certain })
}

/// The fault and its remedy, where the table has an entry for the error.
pub fn advice(code: Code, text: &str) -> Option<String> {
    diagnose(code, text, false).map(|advice| advice.to_string())
}

/// Why librdkafka creates no client from these properties, and which key is wrong.
pub fn why_no_client(error: &KafkaError) -> String {
    let diagnosis = Diagnosis::of(&[ReportedError::no_client(error)], &Security::default());
    format!("{}: {}", diagnosis.detail, diagnosis.fault.remedy())
}

/// Why a new client got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    pub fault: Fault,
    /// librdkafka's text, where it says more than the fault.
    detail: String,
}

impl Diagnosis {
    /// The most specific diagnosis, independent of the order of the reported errors.
    pub fn of(heard: &[ReportedError], security: &Security) -> Self {
        // "All brokers down" follows from another reported error, which names the cause.
        let telling = heard.iter().filter(|reported| reported.code != Some(Code::AllBrokersDown));
        let diagnosed = |reported: &ReportedError| {
            let fault = librdkafka_texts::fault(reported.code, &reported.text, Some(security));
            Self { fault, detail: librdkafka_texts::detail(fault, &reported.text) }
        };
        // Faults are declared in the order of their rank; a detail is better than none.
        let rank = |found: &Self| (found.fault, found.detail.is_empty(), found.detail.clone());
        telling
            .map(diagnosed)
            .min_by_key(rank)
            .unwrap_or(Self { fault: Fault::Silent, detail: String::new() })
    }

    /// Whether waiting cannot change what is wrong.
    pub fn is_final(&self) -> bool {
        self.fault.is_final()
    }

    /// Whether a second handshake may find out more.
    pub fn is_untrusted(&self) -> bool {
        self.fault == Fault::Untrusted
    }

    /// Whether librdkafka creates no client, so that nothing was asked.
    pub fn is_of_client(&self) -> bool {
        self.fault <= Fault::NoClient
    }

    /// Whether the broker only stays silent, which another protocol may explain.
    pub fn is_silent(&self) -> bool {
        self.fault == Fault::Silent
    }

    /// The diagnosis for an address that answers an HTTP request.
    pub fn with_http(self) -> Self {
        Self { fault: Fault::Http, detail: String::new() }
    }

    /// Replaces the detail by the cause that a second handshake found.
    pub fn with_handshake(mut self, why: &str) -> Self {
        self.fault = librdkafka_texts::fault(Some(Code::SSL), why, None);
        self.detail = printable(why, WORDS_CHARS_MAX);
        self
    }

    /// The fault and its detail, without the remedy.
    pub fn what(&self) -> String {
        let what = self.fault.what();
        if self.detail.is_empty() { what.to_owned() } else { format!("{what}: {}", self.detail) }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what(), self.fault.remedy())
    }
}

#[cfg(test)]
mod tests;
