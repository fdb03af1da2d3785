//! From librdkafka's words (2.12, against Kafka 4.1) to faults.

use super::heard::{advertised_by, is_unreached, without_thread};
use super::{Fault, Security, WORDS_CHARS_MAX};
use base::text::printable;
use rdkafka::error::RDKafkaErrorCode as Code;

/// Words of librdkafka, of OpenSSL in it, and of rustls (certificate.rs), each with its fault. The first match decides.
const TLS: [(&[&str], Fault); 8] = [
    (&["certificate not valid yet", "not yet valid"], Fault::NotYetValid),
    (&["invalid peer certificate: certificate expired", "certificate has expired"], Fault::Expired),
    (&["hostname mismatch", "IP address mismatch", "certificate not valid for name"], Fault::OtherName),
    (&["self-signed", "self signed"], Fault::SelfSigned),
    (&["UnknownIssuer"], Fault::UnknownAuthority),
    (
        &["certificate verify failed", "certificate could not be verified", "verify broker certificate"],
        Fault::Untrusted,
    ),
    (
        &[
            "certificate required",
            "client SSL authentication might be",
            "bad certificate",
            "unknown ca",
            "unexpected message",
            "certificate unknown",
            "handshake failure",
            "certificate expired",
            "alert certificate",
        ],
        Fault::ClientCertificateWanted,
    ),
    (
        &[
            "PLAINTEXT broker listener",
            "wrong version number",
            "packet length too long",
            "record layer failure",
            "http request",
        ],
        Fault::NoTlsThere,
    ),
];

/// Property names and words of an error that keeps librdkafka from creating a client.
const CLIENT: [(&str, Fault); 4] = [
    ("ssl.ca.location", Fault::CaFile),
    ("ssl.certificate.location", Fault::CertFile),
    ("ssl.key.location", Fault::KeyFile),
    ("private key", Fault::KeyMismatch),
];

/// librdkafka took the first bytes of an answer for its size.
pub(super) const RESPONSE_SIZE: &str = "Invalid response size ";

/// rdkafka's own words for a metadata request that failed, which say nothing beyond the code.
const NO_METADATA: &str = "Meta data fetch error";

/// The fault that an error or a line of the log is about. `new`: what a client that has just been created speaks, because the
/// moment at which a broker closes its connections tells what the client lacks. Connections of a client in operation end for
/// other reasons as well, such as a broker's restart.
pub(super) fn fault(code: Option<Code>, text: &str, new: Option<&Security>) -> Fault {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match code {
        Some(Code::InvalidArgument) => return no_client(text),
        Some(Code::UnsupportedFeature) => return Fault::Controller,
        Some(Code::TopicAuthorizationFailed) => return Fault::TopicDenied,
        Some(Code::GroupAuthorizationFailed) => return Fault::GroupDenied,
        _ => {}
    }
    if has(&["OAUTHBEARER token"]) {
        return Fault::NoToken;
    }
    if has(&["SASL "])
        && let Some(fault) = login(text)
    {
        return fault;
    }
    let is_tls = [
        "SSL handshake failed",
        "SSL routines",
        "verify broker certificate",
        "did not provide a certificate",
        "PLAINTEXT broker listener",
    ];
    if code == Some(Code::SSL) || has(&is_tls) {
        let known = TLS.iter().find(|(words, _)| has(words));
        return known.map_or(Fault::Tls, |(_, fault)| *fault);
    }
    if has(&["SSL listener"]) {
        return Fault::TlsWanted;
    }
    if let Some((_, size)) = text.split_once(RESPONSE_SIZE) {
        return size.split(' ').next().map_or(Fault::NotKafka, response_size);
    }
    if let Some(security) = new
        && has(&["Disconnected", "connection closed by peer", "Connection reset"])
        && let Some(fault) = disconnected(text, security)
    {
        return fault;
    }
    match code {
        Some(Code::Authentication | Code::SaslAuthenticationFailed) => Fault::LoginRefused,
        Some(Code::AllBrokersDown) => Fault::AllBrokersDown,
        _ if is_unreached(code, text) && new.is_some() && advertised_by(text).is_some() => Fault::Advertised,
        Some(Code::Resolve) => Fault::Unresolved,
        _ if has(&["Failed to resolve"]) => Fault::Unresolved,
        _ if is_unreached(code, text) || has(&["Connection refused"]) => Fault::NotConnected,
        // A client in operation whose connection ends has none until it connects again.
        Some(Code::BrokerTransportFailure) if new.is_none() => Fault::NotConnected,
        Some(Code::OperationTimedOut | Code::BrokerTransportFailure) => Fault::Silent,
        _ if has(&["timed out", "Disconnected", "closed by peer"]) => Fault::Silent,
        _ => Fault::Other,
    }
}

/// What librdkafka says beyond the fault.
pub(super) fn detail(fault: Fault, text: &str) -> String {
    if fault == Fault::MechanismNotOffered {
        return offered(text)
            .map_or_else(String::new, |offered| format!("it offers {}", printable(offered, 100)));
    }
    if fault.wants_detail() && !text.starts_with(NO_METADATA) {
        printable(reason(text), WORDS_CHARS_MAX)
    } else {
        String::new()
    }
}

fn no_client(text: &str) -> Fault {
    let text = text.to_ascii_lowercase();
    CLIENT.iter().find(|(word, _)| text.contains(word)).map_or(Fault::NoClient, |(_, fault)| *fault)
}

/// The mechanisms that the broker offers. A listener without a login answers "handshake failed: Broker: Request not valid in
/// current SASL state: broker's supported mechanisms: " with nothing behind it.
fn offered(text: &str) -> Option<&str> {
    let (_, offered) = text.split_once("supported mechanisms: ")?;
    offered.split(" (").next().map(str::trim)
}

/// None: the words say nothing about a login.
fn login(text: &str) -> Option<Fault> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match offered(text) {
        Some("") => Some(Fault::NoLoginThere),
        Some(_) => Some(Fault::MechanismNotOffered),
        None if has(&["mechanism handshake failed", "Unsupported SASL mechanism"]) => {
            Some(Fault::MechanismNotOffered)
        }
        None if has(&["require SASL authentication"]) => Some(Fault::LoginWanted),
        None if has(&["OAUTHBEARER", "invalid_token"]) => Some(Fault::TokenRefused),
        None if has(&["authentication"]) => Some(Fault::LoginRefused),
        None => None,
    }
}

/// A broker that closes the connection of a new client shows by the moment what the client lacks.
fn disconnected(text: &str, security: &Security) -> Option<Fault> {
    let (asks_version, is_up) = (text.contains("in state APIVERSION_QUERY"), text.contains("in state UP"));
    match (security.is_tls(), security.has_login()) {
        (false, _) if asks_version => Some(Fault::TlsWanted),
        (true, _) if asks_version => Some(Fault::ClientCertificateSuggested),
        (_, false) if is_up => Some(Fault::LoginWanted),
        _ => None,
    }
}

/// Kafka's responses begin with their size; librdkafka takes the first four bytes of other answers for it.
fn response_size(size: &str) -> Fault {
    match size.parse::<i32>().map(i32::to_be_bytes) {
        Ok([b'H', b'T', b'T', b'P']) => Fault::Http,
        // An alert of TLS, or a handshake.
        Ok([0x15 | 0x16, 0x03, ..]) => Fault::TlsAnswered,
        _ => Fault::NotKafka,
    }
}

/// Without the names of threads and of the bootstrap address in front, and the time that it took at the end.
fn reason(text: &str) -> &str {
    let text = without_thread(text.rsplit_once(" (after ").map_or(text, |(before, _)| before));
    text.split_once("/bootstrap: ").map_or(text, |(_, rest)| rest)
}
