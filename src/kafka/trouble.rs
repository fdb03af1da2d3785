//! What goes wrong with Kafka, in words that say what to do.

use crate::alarm::TOPIC_DENIED;
use crate::text::printable;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// The same kind of trouble is told again after this time at the earliest.
const AGAIN: Duration = Duration::from_mins(1);

/// What was said so long ago, and not again, is over.
const STANDS: Duration = Duration::from_mins(2);

/// Which trouble was told when.
#[derive(Debug, Default)]
pub struct Trouble {
    /// One for each kind; kinds are few.
    told: Vec<(Option<RDKafkaErrorCode>, Instant)>,
    /// The same for words: one cause has several codes.
    said: Vec<(&'static str, Instant)>,
    /// The last handshake that asked why a certificate is not trusted.
    asked_why: Option<Instant>,
}

impl Trouble {
    /// Whether trouble of this kind is to be told now. Then it counts as told.
    pub fn is_due(&mut self, code: Option<RDKafkaErrorCode>) -> bool {
        is_due(&mut self.told, code)
    }

    /// Logs an error for which no alarm stands. `is_throttled`: the brokers make this client wait.
    pub fn report(&mut self, code: Option<RDKafkaErrorCode>, text: &str, is_throttled: bool) {
        let reason = printable(text, 300);
        match code.and_then(|code| diagnose(code, text, is_throttled)) {
            // That all are down only follows from what was told of one: a refused login does not mean that Kafka is not up.
            Some(_) if code == Some(RDKafkaErrorCode::AllBrokersDown) && self.standing().is_some() => {}
            Some(Advice { words, passes: true, .. }) if self.is_due(code) => info!(reason, "{words}"),
            // Each error comes twice, the second time without its reason.
            Some(Advice { words, passes: false, .. })
                if self.is_due(code) && is_due(&mut self.said, words) =>
            {
                error!(reason, "{words}");
            }
            None if self.is_due(code) => warn!(reason, "trouble with kafka"),
            _ => {}
        }
    }

    /// Whether a second handshake is due that finds out why a broker's certificate is not trusted. Then it counts as done.
    pub fn asks_why(&mut self, code: Option<RDKafkaErrorCode>, text: &str) -> bool {
        let is_wanted = code == Some(RDKafkaErrorCode::SSL)
            && text.contains("certificate verify failed")
            && self.asked_why.is_none_or(|asked| asked.elapsed() >= AGAIN);
        if is_wanted {
            self.asked_why = Some(Instant::now());
        }
        is_wanted
    }

    /// What was last said that somebody has to do.
    pub fn standing(&self) -> Option<&'static str> {
        self.said.iter().rfind(|(_, said)| said.elapsed() < STANDS).map(|(words, _)| *words)
    }
}

fn is_due<T: PartialEq>(told: &mut Vec<(T, Instant)>, kind: T) -> bool {
    let is_due = !told.iter().any(|(before, told)| *before == kind && told.elapsed() < AGAIN);
    told.retain(|(before, told)| told.elapsed() < STANDS && !(is_due && *before == kind));
    if is_due {
        told.push((kind, Instant::now()));
    }
    is_due
}

/// The words for people, where there are some for this code.
pub fn remedy_words(code: RDKafkaErrorCode) -> Option<&'static str> {
    advice(code, "")
}

/// The same, which may look at what librdkafka says, too.
pub fn advice(code: RDKafkaErrorCode, text: &str) -> Option<&'static str> {
    diagnose(code, text, false).map(|advice| advice.words)
}

/// Why librdkafka makes no client of these properties, and which key it is about.
pub fn client_words(error: &KafkaError) -> String {
    let text = match error {
        KafkaError::ClientCreation(text) => printable(text, 300),
        error => printable(&error.to_string(), 300),
    };
    let about = [
        (
            "ssl.ca.location",
            "`kafka.tls.ca_file` holds no certificates that can be read: it is a PEM file, not DER or PKCS#12",
        ),
        (
            "ssl.certificate.location",
            "`kafka.tls.cert_file` holds no certificate that can be read: it is a PEM file, not DER or PKCS#12",
        ),
        (
            "ssl.key.location",
            "`kafka.tls.key_file` can't be used: is it PEM, and `kafka.tls.key_password` right?",
        ),
        ("private key", "`kafka.tls.key_file` is not the key of `kafka.tls.cert_file`"),
    ];
    let remedy = about.iter().find(|(property, _)| text.to_ascii_lowercase().contains(property));
    format!("{text}: {}", remedy.map_or("look at [kafka] in bridge.toml", |(_, remedy)| remedy))
}

/// The alarm that an error belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Unreachable,
    Login,
    Tls,
    GroupDenied,
    TopicDenied,
}

impl Cause {
    /// The name in metrics and on the readiness page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "kafka_unreachable",
            Self::Login => "kafka_login",
            Self::Tls => "kafka_tls",
            Self::GroupDenied => "group_denied",
            Self::TopicDenied => TOPIC_DENIED,
        }
    }
}

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What is wrong and what to do, naming the key of bridge.toml.
    pub words: &'static str,
    /// The alarm for it, if the error can keep all records from being read.
    pub cause: Option<Cause>,
    /// It passes by itself.
    pub passes: bool,
    /// The broker says so itself, so that one error is enough for the alarm.
    pub is_certain: bool,
}

impl Advice {
    fn new(cause: Option<Cause>, words: &'static str) -> Self {
        Self { words, cause, passes: false, is_certain: false }
    }

    fn certain(cause: Cause, words: &'static str) -> Self {
        Self { is_certain: true, ..Self::new(Some(cause), words) }
    }

    fn passing(words: &'static str) -> Self {
        Self { passes: true, ..Self::new(None, words) }
    }
}

/// What an error of librdkafka means: the only table from its codes and words to causes and advice for a running bridge.
/// `is_throttled`: the brokers make this client wait, so requests time out although the brokers are well.
pub fn diagnose(code: RDKafkaErrorCode, text: &str, is_throttled: bool) -> Option<Advice> {
    use RDKafkaErrorCode as Code;
    Some(match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => Advice::passing(
            "a topic does not exist: it is read once it is created; is its name in `kafka.topics` right?",
        ),
        Code::OperationTimedOut | Code::RequestTimedOut if is_throttled => Advice::passing(THROTTLED),
        // What tells its reason is told before it.
        Code::AllBrokersDown => Advice::new(
            Some(Cause::Unreachable),
            "no connection to a broker, trying on: is `kafka.brokers` right and Kafka up? Brokers that end connections at once want \
             TLS ([kafka.tls]) or a login ([kafka.sasl])",
        ),
        Code::BrokerTransportFailure if text.contains("SSL routines") => {
            Advice::new(Some(Cause::Tls), of_tls(text))
        }
        Code::BrokerTransportFailure | Code::OperationTimedOut => of_transport(text),
        Code::Resolve => Advice::new(
            Some(Cause::Unreachable),
            "a broker's name does not resolve: look at `kafka.brokers`, and at the names that the brokers advertise",
        ),
        Code::Authentication | Code::SaslAuthenticationFailed => {
            Advice::certain(Cause::Login, of_login(text))
        }
        Code::SSL => Advice::certain(Cause::Tls, of_tls(text)),
        Code::TopicAuthorizationFailed => Advice::certain(
            Cause::TopicDenied,
            "this user may not read a topic: grant READ and DESCRIBE on the topics of `kafka.topics`",
        ),
        Code::GroupAuthorizationFailed => Advice::certain(
            Cause::GroupDenied,
            "this user may not use the group: grant READ on the group `kafka.group_id`",
        ),
        Code::PollExceeded => Advice::new(
            None,
            "the data thread was stuck for longer than max.poll.interval.ms, and the group took the partitions away",
        ),
        _ => return None,
    })
}

/// For requests that time out because of a quota.
pub const THROTTLED: &str = "Kafka throttles this client by a quota, so records are read more slowly: raise consumer_byte_rate or \
     request_percentage of its user or `kafka.client_id`, or accept the lag";

const NO_TLS_THERE: &str = "the broker speaks no TLS at this port: is it the right one in `kafka.brokers`? Without TLS, [kafka.tls] goes";

/// The first whose words are in the text, else the last.
fn first<T: Copy>(text: &str, known: &[(&[&str], T)], otherwise: T) -> T {
    let found = known.iter().find(|(words, _)| words.iter().any(|word| text.contains(word)));
    found.map_or(otherwise, |(_, remedy)| *remedy)
}

fn of_transport(text: &str) -> Advice {
    const ENDS: &str = "the broker closes the connection at once: it may want TLS at this port ([kafka.tls]) or a login ([kafka.sasl])";
    let of = |cause, words| Advice::new(Some(cause), words);
    let known: [(&[&str], _); 3] = [
        (&["PLAINTEXT broker listener"], of(Cause::Tls, NO_TLS_THERE)),
        (&["require SASL"], of(Cause::Login, ENDS)),
        (&["SSL listener", "security.protocol"], of(Cause::Tls, ENDS)),
    ];
    let words = "no connection to a broker, trying on: is `kafka.brokers` right and Kafka up?";
    first(text, &known, of(Cause::Unreachable, words))
}

fn of_login(text: &str) -> &'static str {
    let known: [(&[&str], _); 3] = [
        (&["OAUTHBEARER token"], "there is no token for the login: look at `kafka.sasl`"),
        (
            &["mechanism handshake failed", "Unsupported SASL mechanism"],
            "the broker does not offer this `kafka.sasl.mechanism` at this port",
        ),
        (
            &["OAUTHBEARER", "invalid_token"],
            "kafka refuses the token: look at `kafka.sasl` (its issuer, audience and end)",
        ),
    ];
    first(text, &known, "kafka refuses the login: look at `kafka.sasl` (mechanism, username, password)")
}

fn of_tls(text: &str) -> &'static str {
    let known: [(&[&str], _); 6] = [
        // The words of certificate.rs come before librdkafka's.
        (
            &["invalid peer certificate: certificate expired"],
            "the broker's certificate has expired: renew it there, or set this machine's clock right",
        ),
        (
            &["certificate not valid for name"],
            "the broker's certificate is for other names: those belong into `kafka.brokers`, and into the brokers' advertised.listeners",
        ),
        (
            &["UnknownIssuer"],
            "the broker's certificate is not trusted: its authority belongs into `kafka.tls.ca_file`",
        ),
        (
            &["certificate verify failed", "verify broker certificate"],
            "the broker's certificate is not trusted: its authority belongs into `kafka.tls.ca_file`; or it has expired, or is \
             not for the name in `kafka.brokers`",
        ),
        (
            &[
                "certificate required",
                "bad certificate",
                "unknown ca",
                "unexpected message",
                "certificate unknown",
                "handshake failure",
                "certificate expired",
            ],
            "the broker wants a certificate of this client, of an authority that it trusts: look at `kafka.tls.cert_file` and \
             key_file",
        ),
        (
            &["wrong version number", "packet length too long", "record layer failure", "http request"],
            NO_TLS_THERE,
        ),
    ];
    first(text, &known, "no TLS connection to a broker: look at `kafka.tls` (ca_file, verify)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_is_not_followed_by_brokers_that_are_down() {
        use RDKafkaErrorCode as Code;
        let mut trouble = Trouble::default();
        assert_eq!(trouble.standing(), None);
        trouble.report(Some(Code::Authentication), "SASL authentication error: no", false);
        let login = trouble.standing().unwrap();
        assert!(login.contains("kafka.sasl"), "{login}");
        trouble.report(Some(Code::AllBrokersDown), "1/1 brokers are down", false);
        assert_eq!((trouble.standing(), trouble.said.len()), (Some(login), 1));
        // The same again, with another code.
        trouble.report(
            Some(Code::SSL),
            "error:0A000086:SSL routines::certificate verify failed: more",
            false,
        );
        trouble.report(
            Some(Code::BrokerTransportFailure),
            "error:0A000086:SSL routines::certificate verify failed",
            false,
        );
        let bare = "Message consumption error: BrokerTransportFailure";
        trouble.report(Some(Code::BrokerTransportFailure), bare, false);
        assert_eq!(trouble.said.len(), 2);
    }

    /// In the words of librdkafka 2.12, against Kafka 4.1.
    #[test]
    fn names_the_key() {
        use RDKafkaErrorCode as Code;
        let f = |code: Code, text: &str, want: &str| {
            let said = advice(code, text).unwrap();
            assert!(said.contains(want), "{text}: {said}");
        };
        f(
            Code::SSL,
            "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed",
            "ca_file",
        );
        f(Code::SSL, "error:0A00045C:SSL routines::tlsv13 alert certificate required", "cert_file");
        f(Code::SSL, "error:0A00010B:SSL routines::wrong version number", "no TLS at this port");
        f(Code::SSL, "something else", "kafka.tls");
        f(Code::BrokerTransportFailure, "Disconnected: connecting to a PLAINTEXT broker listener?", "no TLS");
        f(Code::BrokerTransportFailure, "Connection refused", "kafka.brokers");
        f(Code::Authentication, "SASL SCRAM-SHA-512 authentication error: no", "username, password");
        f(
            Code::Authentication,
            r#"SASL authentication error: {"status":"invalid_token"}"#,
            "refuses the token",
        );
        f(Code::Authentication, "Failed to acquire SASL OAUTHBEARER token: no", "no token");
        let words =
            client_words(&KafkaError::ClientCreation("ssl.key.location failed: bad decrypt".to_owned()));
        assert!(words.contains("key_password"), "{words}");
    }
}
