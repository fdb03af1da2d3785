//! Recognizes faults in librdkafka's texts (2.12, against Kafka 4.1).

use super::reported_errors::{advertised_by, is_unreached, without_thread};
use super::{Fault, Security, WORDS_CHARS_MAX};
use base::text::printable;
use rdkafka::error::RDKafkaErrorCode as Code;

/// Texts of librdkafka, its OpenSSL, and rustls (certificate.rs), each with its fault. The first match decides.
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

/// Property names and texts of errors for which librdkafka creates no client.
const CLIENT: [(&str, Fault); 7] = [
    ("openssl not available at build time", Fault::NotBuilt),
    ("openssl >= ", Fault::NotBuilt),
    ("recompile librdkafka", Fault::NotBuilt),
    ("ssl.ca.location", Fault::CaFile),
    ("ssl.certificate.location", Fault::CertFile),
    ("ssl.key.location", Fault::KeyFile),
    ("private key", Fault::KeyMismatch),
];

/// librdkafka read the first bytes of another protocol's response as a size.
pub(super) const RESPONSE_SIZE: &str = "Invalid response size ";

/// rdkafka's own text about a failed metadata request, which adds nothing to the code.
const NO_METADATA: &str = "Meta data fetch error";

/// The fault that an error or a line of the log reports. `new` is the security of a client that has just been created: the moment
/// at which a broker closes its connections shows what the client lacks. Connections of a client in operation also end for other
/// reasons, such as a broker's restart.
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
        // A client in operation has no connection until it connects again.
        Some(Code::BrokerTransportFailure) if new.is_none() => Fault::NotConnected,
        Some(Code::OperationTimedOut | Code::BrokerTransportFailure) => Fault::Silent,
        _ if has(&["timed out", "Disconnected", "closed by peer"]) => Fault::Silent,
        _ => Fault::Other,
    }
}

/// The part of librdkafka's text that says more than the fault.
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

/// None: the text is not about a login.
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

/// The fault of a new client, by the state in which the broker closed its connection.
fn disconnected(text: &str, security: &Security) -> Option<Fault> {
    let (asks_version, is_up) = (text.contains("in state APIVERSION_QUERY"), text.contains("in state UP"));
    match (security.is_tls(), security.has_login()) {
        (false, _) if asks_version => Some(Fault::TlsWanted),
        (true, _) if asks_version => Some(Fault::ClientCertificateSuggested),
        (_, false) if is_up => Some(Fault::LoginWanted),
        _ => None,
    }
}

/// Kafka's responses begin with their size, so librdkafka reads the first four bytes of any response as a size.
fn response_size(size: &str) -> Fault {
    match size.parse::<i32>().map(i32::to_be_bytes) {
        Ok([b'H', b'T', b'T', b'P']) => Fault::Http,
        // A TLS alert or handshake.
        Ok([0x15 | 0x16, 0x03, ..]) => Fault::TlsAnswered,
        _ => Fault::NotKafka,
    }
}

/// The text without its prefixes (thread, bootstrap address) and without the elapsed time at its end.
fn reason(text: &str) -> &str {
    let text = without_thread(text.rsplit_once(" (after ").map_or(text, |(before, _)| before));
    text.split_once("/bootstrap: ").map_or(text, |(_, rest)| rest)
}
