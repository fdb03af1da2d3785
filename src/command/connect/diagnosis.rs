//! Why a broker that takes the connection does not answer: librdkafka's words, and the key of bridge.toml that they mean.

use super::cluster::Broker;
use crate::secret::Secret;
use crate::text::printable;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Of librdkafka's words.
const WORDS_CHARS_MAX: usize = 300;

/// What the client said: an error, or a line of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub code: Option<Code>,
    pub text: String,
}

/// What bridge.toml has the client speak.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Speaks {
    tls: bool,
    /// The mechanism of the login.
    sasl: Option<String>,
}

impl Speaks {
    pub fn of(properties: &[(String, Secret)]) -> Self {
        let value = |names: &[&str]| {
            let of = properties.iter().rev().find(|(name, _)| names.contains(&name.as_str()));
            of.map_or(String::new(), |(_, value)| value.expose().to_owned())
        };
        let protocol = value(&["security.protocol"]).to_ascii_lowercase();
        let mechanism = value(&["sasl.mechanisms", "sasl.mechanism"]);
        Self { tls: protocol.ends_with("ssl"), sasl: protocol.starts_with("sasl").then_some(mechanism) }
    }

    /// Behind what was answered.
    pub fn words(&self) -> String {
        let tls = if self.tls { ", by TLS" } else { "" };
        let sasl =
            self.sasl.as_ref().map_or(String::new(), |mechanism| format!(", logged in by {mechanism}"));
        format!("{tls}{sasl}")
    }
}

/// Why an address gives no metadata. The variants stand in the order of their rank: a client reports one fault in several
/// messages, in any order, and the first variant among them is the diagnosis.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    NoClient(String),
    /// The port of a `KRaft` controller, which answers but serves no clients.
    Controller,
    /// With those that the broker offers.
    Mechanism(String),
    NoLoginWanted,
    Login(String),
    Http,
    /// By the first bytes of the answer.
    TlsAnswered,
    NotKafka,
    HostName,
    Certificate(String),
    ClientCertificate,
    NoTls,
    /// From here on librdkafka, or the moment of a disconnection, only suggests the cause.
    LoginWanted,
    TlsWanted,
    ClientCertificateWanted,
    /// This address answered, but the address that a broker advertises can't be reached.
    Advertised(String),
    /// A name does not resolve, or a connection is refused.
    Connect(String),
    Other(String),
    /// A request that took too long, or a connection that ended.
    Silent(String),
}

impl Trouble {
    /// Whether waiting can't change it.
    fn is_lasting(&self) -> bool {
        !matches!(self, Self::Advertised(_) | Self::Connect(_) | Self::Other(_) | Self::Silent(_))
    }
}

/// Whether the client has moved on from the address that it was given to one that a broker advertises, and can't reach that.
pub fn left_bootstrap(heard: &[Complaint]) -> bool {
    heard.iter().any(|complaint| is_of_unreached(complaint) && advertised_by(&complaint.text).is_some())
}

/// The brokers whose advertised addresses the client can't reach, by their numbers, whatever order it complains in.
pub fn advertised_brokers(heard: &[Complaint]) -> Vec<Broker> {
    let of = heard.iter().filter(|complaint| is_of_unreached(complaint));
    let mut brokers: Vec<Broker> = of.filter_map(|complaint| advertised_by(&complaint.text)).collect();
    brokers.sort_by_key(|broker| broker.id);
    brokers.dedup();
    brokers
}

/// The broker that a complaint is about: librdkafka writes `PROTOCOL://HOST:PORT/ID: ` in front, the protocol only where it is not
/// plaintext; of an address of `kafka.brokers` it writes `HOST:PORT/bootstrap: `.
fn advertised_by(text: &str) -> Option<Broker> {
    let (name, _) = without_thread(text).split_once(": ")?;
    let (address, id) = name.rsplit_once('/')?;
    let (_, address) = address.rsplit_once("://").unwrap_or(("", address));
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Broker { id: id.parse().ok()?, host, port: port.parse().ok()? })
}

fn is_of_unreached(complaint: &Complaint) -> bool {
    let text = &complaint.text;
    complaint.code == Some(Code::Resolve)
        || text.contains("Connect to ")
        || text.contains("Failed to resolve")
}

/// Whether waiting can't change what was heard.
pub fn is_final(heard: &[Complaint], speaks: &Speaks) -> bool {
    heard.iter().any(|complaint| trouble(complaint, speaks).is_lasting())
}

/// What the request itself failed with.
pub fn no_metadata(error: &KafkaError) -> Complaint {
    Complaint { code: error.rdkafka_error_code(), text: error.to_string() }
}

/// That the client can't even be made. The error may name a property's value, which may be a secret.
pub fn no_client(error: &KafkaError) -> Complaint {
    let text = match error {
        KafkaError::ClientConfig(_, description, key, _) => format!("{key}: {description}"),
        other => other.to_string(),
    };
    Complaint { code: Some(Code::InvalidArgument), text }
}

/// What is wrong, and what to do about it.
pub fn of(heard: &[Complaint], speaks: &Speaks) -> (String, &'static str) {
    // "All brokers down" follows from another complaint and names no cause.
    let telling = heard.iter().filter(|complaint| complaint.code != Some(Code::AllBrokersDown));
    let most_telling = telling.map(|complaint| trouble(complaint, speaks)).min();
    let mechanism = speaks.sasl.as_deref().unwrap_or("SASL");
    let connected = |what: &str| format!("connected, but {what}");
    match most_telling {
        Some(Trouble::Controller) => (
            connected("this is a controller's port: it answers, but serves no clients"),
            "name the brokers' port in `kafka.brokers` (`listeners` or `advertised.listeners` of the broker's server.properties, \
             not the listener of `controller.listener.names`)",
        ),
        Some(Trouble::Mechanism(offered)) => (
            connected(&format!("the broker takes no login by {mechanism}, only by {offered}")),
            "set `mechanism` of [kafka.sasl] to what it takes",
        ),
        Some(Trouble::NoLoginWanted) => (
            connected("this listener takes no login"),
            "take [kafka.sasl] out, or name the port of the listener that wants it",
        ),
        Some(Trouble::Login(why)) => (
            connected(&format!("it refuses the login by {mechanism}: {why}")),
            "check `username`, `password` and `mechanism` of [kafka.sasl]",
        ),
        Some(Trouble::LoginWanted) => {
            (connected("it closes the connection: it seems to want a login"), "add [kafka.sasl]")
        }
        Some(Trouble::TlsAnswered) => (
            connected("it answers in TLS"),
            "add [kafka.tls], which may be empty, or name the port of the listener without TLS",
        ),
        Some(Trouble::TlsWanted) => (
            connected("it closes the connection at the first request: it seems to want TLS"),
            "add [kafka.tls], which may be empty, or name the port of the listener without TLS",
        ),
        Some(Trouble::NoTls) => (
            connected("it does not speak TLS"),
            "take [kafka.tls] out, or name the port of the listener with TLS",
        ),
        Some(Trouble::Certificate(why)) => (
            connected(&format!("its certificate is not trusted: {why}")),
            "name the authority that signed it in `ca_file` of [kafka.tls], or a name that it is for in `kafka.brokers`",
        ),
        Some(Trouble::HostName) => (
            connected("its certificate is for another name"),
            "write a name of the certificate into `kafka.brokers`, or give the broker a certificate for this one",
        ),
        Some(Trouble::ClientCertificate | Trouble::ClientCertificateWanted) => (
            connected("it wants a certificate of the client"),
            "set `cert_file` and `key_file` of [kafka.tls]",
        ),
        Some(Trouble::Http) => (
            connected("something that speaks HTTP answers"),
            "check `kafka.brokers`: this is not Kafka's port",
        ),
        Some(Trouble::NotKafka) => {
            (connected("what answers is not Kafka"), "check the port in `kafka.brokers`")
        }
        Some(Trouble::NoClient(why)) => {
            (format!("the Kafka client can't be made: {why}"), "look at [kafka] in bridge.toml")
        }
        Some(Trouble::Advertised(why)) => (
            format!("it answers, but the address that a broker advertises can't be reached from here: {why}"),
            "make that name and port reachable from here (DNS, /etc/hosts, firewalls), or correct the broker's advertised.listeners",
        ),
        Some(Trouble::Connect(why) | Trouble::Other(why) | Trouble::Silent(why)) => (
            connected(&format!("Kafka does not answer: {why}")),
            "check `kafka.brokers`, and [kafka.tls] and [kafka.sasl] where the brokers want them",
        ),
        None => (
            connected("no answer came"),
            "is this Kafka's port? check `kafka.brokers`, and [kafka.tls] where the broker wants it",
        ),
    }
}

fn trouble(complaint: &Complaint, speaks: &Speaks) -> Trouble {
    let text = complaint.text.as_str();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let excerpt = || printable(reason(text), WORDS_CHARS_MAX);
    if complaint.code == Some(Code::InvalidArgument) {
        return Trouble::NoClient(excerpt());
    }
    if complaint.code == Some(Code::UnsupportedFeature) {
        return Trouble::Controller;
    }
    if has(&["SASL "]) {
        return of_login(text);
    }
    if has(&[
        "SSL handshake failed",
        "SSL routines",
        "verify broker certificate",
        "did not provide a certificate",
    ]) {
        return of_tls(text);
    }
    if has(&["connecting to a SSL listener"]) {
        return Trouble::TlsWanted;
    }
    if has(&["require SASL authentication"]) {
        return Trouble::LoginWanted;
    }
    if let Some((_, size)) = text.split_once("Invalid response size ") {
        return of_size(size.split(' ').next().unwrap_or_default());
    }
    if has(&["Disconnected", "connection closed by peer", "Connection reset"]) {
        // When a broker hangs up tells what it missed.
        let (asks_version, is_up) = (has(&["in state APIVERSION_QUERY"]), has(&["in state UP"]));
        match (speaks.tls, speaks.sasl.is_some()) {
            (false, _) if asks_version => return Trouble::TlsWanted,
            (true, _) if asks_version => return Trouble::ClientCertificateWanted,
            (_, false) if is_up => return Trouble::LoginWanted,
            _ => {}
        }
    }
    match complaint.code {
        Some(Code::Authentication | Code::SaslAuthenticationFailed) => Trouble::Login(excerpt()),
        _ if is_of_unreached(complaint) && advertised_by(text).is_some() => Trouble::Advertised(excerpt()),
        _ if is_of_unreached(complaint) => Trouble::Connect(excerpt()),
        Some(Code::OperationTimedOut | Code::BrokerTransportFailure) => Trouble::Silent(excerpt()),
        _ if has(&["timed out", "Disconnected", "closed by peer"]) => Trouble::Silent(excerpt()),
        _ => Trouble::Other(excerpt()),
    }
}

fn of_login(text: &str) -> Trouble {
    // Of a listener without login: "handshake failed: Broker: Request not valid in current SASL state: broker's
    // supported mechanisms: " and nothing behind it.
    if let Some((_, offered)) = text.split_once("supported mechanisms: ") {
        let offered = offered.split(" (").next().unwrap_or_default().trim();
        return match offered {
            "" => Trouble::NoLoginWanted,
            offered => Trouble::Mechanism(printable(offered, 100)),
        };
    }
    if text.contains("require SASL authentication") {
        return Trouble::LoginWanted;
    }
    if !text.contains("SASL authentication") {
        return Trouble::Other(printable(reason(text), WORDS_CHARS_MAX));
    }
    Trouble::Login(printable(reason(text), WORDS_CHARS_MAX))
}

fn of_tls(text: &str) -> Trouble {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["hostname mismatch", "IP address mismatch"]) {
        Trouble::HostName
    } else if has(&[
        "certificate verify failed",
        "certificate could not be verified",
        "verify broker certificate",
    ]) {
        Trouble::Certificate(certificate(text).to_owned())
    } else if has(&[
        "certificate required",
        "client SSL authentication might be",
        "alert bad certificate",
        "alert unknown ca",
        "alert certificate",
    ]) {
        Trouble::ClientCertificate
    } else if has(&[
        "PLAINTEXT broker listener",
        "wrong version number",
        "packet length too long",
        "http request",
    ]) {
        Trouble::NoTls
    } else {
        Trouble::Other(printable(reason(text), WORDS_CHARS_MAX))
    }
}

fn certificate(text: &str) -> &'static str {
    let known = [
        ("self-signed", "it is signed by itself or by an authority of your own"),
        ("self signed", "it is signed by itself or by an authority of your own"),
        ("expired", "it has expired"),
        ("not yet valid", "it is not valid yet: is this machine's clock right?"),
    ];
    known
        .iter()
        .find(|(word, _)| text.contains(word))
        .map_or("its authority is unknown here, it is for another name, or it has expired", |(_, words)| {
            words
        })
}

/// Kafka's answers begin with their size: others' first four bytes are taken for it.
fn of_size(size: &str) -> Trouble {
    match size.parse::<i32>().map(i32::to_be_bytes) {
        Ok([b'H', b'T', b'T', b'P']) => Trouble::Http,
        // An alert of TLS, or a handshake.
        Ok([0x15 | 0x16, 0x03, ..]) => Trouble::TlsAnswered,
        _ => Trouble::NotKafka,
    }
}

/// Without the names of threads and of the bootstrap address in front, and the time that it took at the end.
fn reason(text: &str) -> &str {
    let text = without_thread(text.rsplit_once(" (after ").map_or(text, |(before, _)| before));
    text.split_once("/bootstrap: ").map_or(text, |(_, rest)| rest)
}

fn without_thread(text: &str) -> &str {
    text.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")).map_or(text, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_key_that_is_wrong() {
        let speaks = Speaks { tls: true, sasl: Some("PLAIN".into()) };
        let f = |text: &str, want: &str, key: &str| {
            let heard = [
                Complaint { code: None, text: "[thrd:x:1/bootstrap]: x:1/bootstrap: Connect failed".into() },
                Complaint {
                    code: None,
                    text: format!("[thrd:x:1/bootstrap]: x:1/bootstrap: {text} (after 3ms in state X)"),
                },
            ];
            let (what, remedy) = of(&heard, &speaks);
            assert!(what.contains(want), "{text}: {what}");
            assert!(remedy.contains(key), "{text}: {remedy}");
            assert!(is_final(&heard, &speaks), "{text}");
        };
        f(
            "SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: SCRAM-SHA-512",
            "takes no login by PLAIN, only by SCRAM-SHA-512",
            "`mechanism`",
        );
        f(
            "SASL PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state: broker's supported mechanisms: ",
            "takes no login",
            "take [kafka.sasl] out",
        );
        f(
            "SASL authentication error: Authentication failed: Invalid username or password",
            "refuses the login by PLAIN: SASL authentication error: Authentication failed: Invalid username or password",
            "`password`",
        );
        f(
            "Disconnected: connection closed by peer: verify that security.protocol is correctly configured, broker might require SASL authentication",
            "want a login",
            "add [kafka.sasl]",
        );
        f(
            "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request)",
            "seems to want TLS",
            "add [kafka.tls]",
        );
        f(
            "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?",
            "not speak TLS",
            "take [kafka.tls] out",
        );
        f(
            "SSL handshake failed: error:0A00010B:SSL routines::wrong version number",
            "not speak TLS",
            "[kafka.tls]",
        );
        f(
            "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified, verify that ssl.ca.location",
            "not trusted: its authority is unknown",
            "`ca_file`",
        );
        f(
            "Failed to verify broker certificate: self-signed certificate in certificate chain",
            "signed by itself",
            "`ca_file`",
        );
        f("Failed to verify broker certificate: hostname mismatch", "for another name", "`kafka.brokers`");
        f(
            "SSL handshake failed: ssl/record: tlsv13 alert certificate required",
            "certificate of the client",
            "`cert_file`",
        );
        f(
            "Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert number 42",
            "certificate of the client",
            "`cert_file`",
        );
        f(
            "Receive failed: Invalid response size 1213486160 (0..100000000): increase receive.message.max.bytes",
            "speaks HTTP",
            "kafka.brokers",
        );
        f("Receive failed: Invalid response size 352518912 (0..100000000)", "answers in TLS", "[kafka.tls]");
        f("Receive failed: Invalid response size -5 (0..100000000)", "is not Kafka", "kafka.brokers");
    }

    #[test]
    fn when_a_broker_hangs_up_tells_what_it_missed() {
        let f = |tls: bool, sasl: bool, state: &str, want: &str| {
            let speaks = Speaks { tls, sasl: sasl.then(|| "PLAIN".into()) };
            let text = format!(
                "x:1/bootstrap: Disconnected: connection closed by peer (after 3ms in state {state})"
            );
            let down = Complaint { code: Some(Code::AllBrokersDown), text: "1/1 brokers are down".into() };
            let (what, _) = of(&[Complaint { code: None, text }, down], &speaks);
            assert!(what.contains(want), "{tls} {sasl} {state}: {what}");
        };
        f(false, false, "APIVERSION_QUERY", "want TLS");
        f(false, true, "APIVERSION_QUERY", "want TLS");
        f(true, false, "APIVERSION_QUERY", "certificate of the client");
        f(false, false, "UP", "want a login");
        f(true, false, "UP", "want a login");
        f(true, true, "UP", "Kafka does not answer: Disconnected: connection closed by peer");
    }

    #[test]
    fn tells_the_given_address_from_an_advertised_one() {
        let f = |text: &str, want: bool| {
            let heard = [Complaint { code: Some(Code::Resolve), text: text.into() }];
            assert_eq!(left_bootstrap(&heard), want, "{text}");
            assert_eq!(of(&heard, &Speaks::default()).1.contains("advertised.listeners"), want, "{text}");
            assert!(!is_final(&heard, &Speaks::default()), "{text}");
        };
        f(
            "[thrd:n.invalid:9/1]: n.invalid:9/1: Failed to resolve 'n.invalid:9': Name or service not known",
            true,
        );
        f(
            "n.invalid:9/12: Connect to ipv4#127.0.0.1:9 failed: Connection refused (after 0ms in state CONNECT)",
            true,
        );
        f("[thrd:n.invalid:9/bootstrap]: n.invalid:9/bootstrap: Failed to resolve 'n.invalid:9'", false);
        f("GroupCoordinator: Failed to resolve", false);
    }

    #[test]
    fn finds_the_brokers_that_can_not_be_reached() {
        let complaint = |text: &str| Complaint { code: Some(Code::Resolve), text: text.into() };
        let broker = |id, host: &str, port| Broker { id, host: host.into(), port };
        let heard = [
            complaint(
                "[thrd:sasl_ssl://b.invalid:9/2]: sasl_ssl://b.invalid:9/2: Failed to resolve 'b.invalid:9'",
            ),
            complaint("given:9/bootstrap: Failed to resolve 'given:9'"),
            complaint("a.invalid:9/1: Failed to resolve 'a.invalid:9'"),
            complaint("[::1]:7/3: Connect to ipv6#[::1]:7 failed: Connection refused"),
            complaint("a.invalid:9/1: Failed to resolve 'a.invalid:9'"),
        ];
        let want = [broker(1, "a.invalid", 9), broker(2, "b.invalid", 9), broker(3, "::1", 7)];
        assert_eq!(advertised_brokers(&heard), want);
        let reversed: Vec<Complaint> = heard.iter().rev().cloned().collect();
        assert_eq!(advertised_brokers(&reversed), want);
    }

    #[test]
    fn a_controller_knows_no_metadata_request() {
        let unsupported = rdkafka::types::RDKafkaErrorCode::UnsupportedFeature;
        let complaint = no_metadata(&KafkaError::MetadataFetch(unsupported));
        let heard = [complaint];
        let (what, remedy) = of(&heard, &Speaks::default());
        assert!(what.contains("a controller's port"), "{what}");
        assert!(remedy.contains("`kafka.brokers`"), "{remedy}");
        assert!(is_final(&heard, &Speaks::default()));
    }

    /// librdkafka's threads report in any order.
    #[test]
    fn the_diagnosis_does_not_depend_on_the_order_of_messages() {
        let complaint = |code: Option<Code>, text: &str| Complaint {
            code,
            text: format!("[thrd:x:1/bootstrap]: x:1/bootstrap: {text}"),
        };
        let transport = Some(Code::BrokerTransportFailure);
        let heard = [
            complaint(Some(Code::AllBrokersDown), "1/1 brokers are down"),
            complaint(Some(Code::Resolve), "Failed to resolve 'n.invalid:1': Name or service not known"),
            complaint(
                transport,
                "Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
            ),
            complaint(None, "Disconnected: connection closed by peer (after 3ms in state APIVERSION_QUERY)"),
            complaint(transport, "Disconnected: connection closed by peer (after 3ms in state UP)"),
            complaint(
                None,
                "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol \
                configuration (connecting to a SSL listener?)",
            ),
            complaint(None, "Disconnected: broker might require SASL authentication"),
            complaint(None, "ApiVersionRequest failed: Local: Timed out"),
            complaint(None, "Receive failed: Invalid response size 352518912 (0..100000000)"),
            complaint(None, "Receive failed: Invalid response size 1213486160 (0..100000000)"),
            complaint(
                None,
                "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate \
                could not be verified",
            ),
            complaint(
                None,
                "Failed to verify broker certificate: self-signed certificate in certificate chain",
            ),
            complaint(None, "Failed to verify broker certificate: hostname mismatch"),
            complaint(
                Some(Code::Authentication),
                "SASL authentication error: Authentication failed (after 5ms in state AUTH_REQ)",
            ),
            complaint(Some(Code::Authentication), "SASL authentication error: no such user"),
            no_metadata(&KafkaError::MetadataFetch(Code::OperationTimedOut)),
            no_metadata(&KafkaError::MetadataFetch(Code::BrokerTransportFailure)),
        ];
        let all_speaks = [
            Speaks::default(),
            Speaks { tls: true, sasl: None },
            Speaks { tls: true, sasl: Some("PLAIN".into()) },
        ];
        for speaks in &all_speaks {
            for a in &heard {
                for b in &heard {
                    for c in &heard {
                        let want = of(&[a.clone(), b.clone(), c.clone()], speaks);
                        for order in [[a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]] {
                            assert_eq!(of(&order.map(Clone::clone), speaks), want, "{order:#?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn waits_for_what_may_pass() {
        let heard = [Complaint { code: Some(Code::BrokerTransportFailure), text: "x:1/bootstrap: Connect to ipv6#[::1]:1 failed: Connection refused (after 0ms in state CONNECT)".into() }];
        assert!(!is_final(&heard, &Speaks::default()));
        let (what, remedy) = of(&heard, &Speaks::default());
        assert!(what.ends_with("Connect to ipv6#[::1]:1 failed: Connection refused"), "{what}");
        assert!(remedy.contains("kafka.brokers"));
        assert_eq!(of(&[], &Speaks::default()).0, "connected, but no answer came");
        assert!(!is_final(&[], &Speaks::default()));
    }

    #[test]
    fn a_client_that_can_not_be_made_shows_no_value() {
        let error = KafkaError::ClientConfig(
            rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "No such value".into(),
            "ssl.ca.location".into(),
            "hidden".into(),
        );
        let (what, _) = of(&[no_client(&error)], &Speaks::default());
        assert_eq!(what, "the Kafka client can't be made: ssl.ca.location: No such value");
    }

    #[test]
    fn knows_what_is_spoken() {
        let f = |properties: &[(&str, &str)], want: &str| {
            let properties: Vec<_> =
                properties.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
            assert_eq!(Speaks::of(&properties).words(), want);
        };
        f(&[], "");
        f(&[("security.protocol", "ssl")], ", by TLS");
        f(&[("security.protocol", "sasl_plaintext"), ("sasl.mechanisms", "PLAIN")], ", logged in by PLAIN");
        f(
            &[
                ("security.protocol", "ssl"),
                ("security.protocol", "SASL_SSL"),
                ("sasl.mechanism", "SCRAM-SHA-256"),
            ],
            ", by TLS, logged in by SCRAM-SHA-256",
        );
    }
}
