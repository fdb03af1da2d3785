//! All faults, each with its alarm, a description and a remedy.

use crate::TLS_REMEDY;
use base::alarm::TOPIC_DENIED;
use std::fmt;

/// The alarm that a fault belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmCause {
    Unreachable,
    Login,
    Tls,
    GroupDenied,
    TopicDenied,
}

impl AlarmCause {
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

/// A fault. Variants are declared in the order of their rank: a client reports one fault in several messages, in any order,
/// and the first variant among them is the diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// This build has no OpenSSL, which the properties need.
    NotBuilt,
    /// `kafka.tls.ca_file` holds no certificates.
    CaFile,
    CertFile,
    KeyFile,
    /// The private key belongs to another certificate.
    KeyMismatch,
    /// librdkafka creates no client from the properties, for another reason.
    NoClient,
    TopicDenied,
    GroupDenied,
    /// The port of a `KRaft` controller, which answers but serves no clients.
    Controller,
    MechanismNotOffered,
    NoLoginThere,
    NoToken,
    TokenRefused,
    LoginRefused,
    Http,
    /// The first bytes of the answer are TLS.
    TlsAnswered,
    NotKafka,
    OtherName,
    Expired,
    NotYetValid,
    SelfSigned,
    UnknownAuthority,
    /// librdkafka reports that the certificate is not trusted, without the cause.
    Untrusted,
    ClientCertificateWanted,
    NoTlsThere,
    /// From here on, librdkafka's text or the moment of a disconnection only suggests the cause.
    LoginWanted,
    TlsWanted,
    ClientCertificateSuggested,
    /// A TLS failure with an unknown text.
    Tls,
    /// This address answered, but the address that a broker advertises can't be reached.
    Advertised,
    Unresolved,
    /// No connection: refused, or no route.
    NotConnected,
    /// A broker that keeps its connection open and answers no request.
    Hangs,
    /// An unknown text.
    Other,
    /// A request that took too long, or a connection that ended.
    Silent,
    AllBrokersDown,
    Throttled,
    TopicMissing,
    PollExceeded,
}

const ADD_TLS: &str =
    "add [kafka.tls], which may be empty, or name the port of the listener without TLS in `kafka.brokers`";
const ADD_CLIENT_CERTIFICATE: &str = "set `kafka.tls.cert_file` and key_file";
const RIGHT_AND_UP: &str = "check `kafka.brokers`, that Kafka runs there, and the firewalls on the way";
const RIGHT_AND_UP_OR_SECURE: &str = "check `kafka.brokers`, and that Kafka runs there. Brokers that end connections at once want TLS \
     ([kafka.tls]) or a login ([kafka.sasl])";
const NOT_CONNECTED: &str = "no connection to a broker";
const NOT_TRUSTED: &str = "name the authority that signed it in `kafka.tls.ca_file`";

impl Fault {
    /// Alarm, description, remedy.
    #[expect(clippy::too_many_lines, reason = "a table with a row for each fault")]
    fn entry(self) -> (Option<AlarmCause>, &'static str, &'static str) {
        let login = |what, remedy| (Some(AlarmCause::Login), what, remedy);
        let tls = |what, remedy| (Some(AlarmCause::Tls), what, remedy);
        let unreachable = |what, remedy| (Some(AlarmCause::Unreachable), what, remedy);
        let client = |remedy| (None, "the Kafka client can't be made", remedy);
        match self {
            Self::NotBuilt => (None, "this build has no TLS, SCRAM or OAUTHBEARER for Kafka", TLS_REMEDY),
            Self::CaFile => client(
                "`kafka.tls.ca_file` holds no certificates that can be read: it is a PEM file, not DER or PKCS#12",
            ),
            Self::CertFile => client(
                "`kafka.tls.cert_file` holds no certificate that can be read: it is a PEM file, not DER or PKCS#12",
            ),
            Self::KeyFile => client(
                "`kafka.tls.key_file` can't be used: name a PEM file, and correct `kafka.tls.key_password`",
            ),
            Self::KeyMismatch => client("`kafka.tls.key_file` is not the key of `kafka.tls.cert_file`"),
            Self::NoClient => client(
                "correct what the message names in [kafka], [kafka.tls], [kafka.sasl] or [kafka.librdkafka]",
            ),
            Self::TopicDenied => (
                Some(AlarmCause::TopicDenied),
                "this user may not read the topic",
                "grant READ and DESCRIBE on it, or take it out of `kafka.topics`",
            ),
            Self::GroupDenied => (
                Some(AlarmCause::GroupDenied),
                "this user may not use the group",
                "grant READ on the group `kafka.group_id`",
            ),
            Self::Controller => unreachable(
                "this is the port of a KRaft controller, which answers but serves no clients",
                "name the brokers' own listener in `kafka.brokers`, often port 9092 (`listeners` of the broker's server.properties, \
                 not the listener of `controller.listener.names`)",
            ),
            Self::MechanismNotOffered => login(
                "the broker does not offer this `kafka.sasl.mechanism` at this port",
                "set `kafka.sasl.mechanism` to one that the broker offers",
            ),
            Self::NoLoginThere => login(
                "this listener takes no login",
                "take [kafka.sasl] out, or name the port of the listener that wants it in `kafka.brokers`",
            ),
            Self::NoToken => login(
                "there is no token for the login",
                "set `token` of [kafka.sasl], or `token_endpoint` with `client_id` and `client_secret`",
            ),
            Self::TokenRefused => login(
                "kafka refuses the token",
                "correct [kafka.sasl], so that the token has not expired, and the broker accepts its issuer and audience",
            ),
            Self::LoginRefused => login(
                "kafka refuses the login",
                "correct `mechanism`, `username` and `password` of [kafka.sasl]",
            ),
            Self::LoginWanted => {
                login("the broker closes the connection: it seems to want a login", "add [kafka.sasl]")
            }
            Self::TlsAnswered => tls("the broker answers in TLS", ADD_TLS),
            Self::TlsWanted => {
                tls("the broker closes the connection at the first request: it seems to want TLS", ADD_TLS)
            }
            Self::NoTlsThere => tls(
                "the broker speaks no TLS at this port",
                "take [kafka.tls] out, or name the port of the listener with TLS in `kafka.brokers`",
            ),
            Self::OtherName => tls(
                "the broker's certificate is for other names",
                "write a name of the certificate into `kafka.brokers` and the brokers' advertised.listeners, or give the broker a \
                 certificate for this one",
            ),
            Self::Expired => tls(
                "the broker's certificate has expired",
                "renew it on the broker, or set this machine's clock right",
            ),
            Self::NotYetValid => tls(
                "the broker's certificate is not valid yet",
                "set this machine's clock right, or renew the certificate on the broker",
            ),
            Self::SelfSigned => tls(
                "the broker's certificate is not trusted: it is signed by itself or by an authority of your own",
                NOT_TRUSTED,
            ),
            Self::UnknownAuthority => {
                tls("the broker's certificate is not trusted: its authority is unknown here", NOT_TRUSTED)
            }
            Self::Untrusted => tls(
                "the broker's certificate is not trusted: its authority is unknown here, it has expired, or it is for another name",
                "name the authority that signed it in `kafka.tls.ca_file`, or a name that it is for in `kafka.brokers`",
            ),
            Self::ClientCertificateWanted => tls(
                "the broker requires a certificate of this client, of an authority that the broker trusts",
                ADD_CLIENT_CERTIFICATE,
            ),
            Self::ClientCertificateSuggested => tls(
                "the broker closes the connection: it seems to want a certificate of this client",
                ADD_CLIENT_CERTIFICATE,
            ),
            Self::Tls => tls(
                "no TLS connection to a broker",
                "set `kafka.tls.ca_file` to the authority that signed the broker's certificate",
            ),
            Self::Http => unreachable(
                "something that speaks HTTP answers",
                "check `kafka.brokers`: this is not Kafka's port",
            ),
            Self::NotKafka => unreachable("what answers is not Kafka", "check the port in `kafka.brokers`"),
            Self::Advertised => unreachable(
                "the address that a broker advertises can't be reached from here",
                "make that name and port reachable from here (DNS, /etc/hosts, firewalls), or correct the broker's advertised.listeners",
            ),
            Self::Unresolved => unreachable(
                "a broker's name does not resolve",
                "check `kafka.brokers` and the names that the brokers advertise, or let the name resolve here (DNS, /etc/hosts)",
            ),
            Self::NotConnected => unreachable(NOT_CONNECTED, RIGHT_AND_UP),
            Self::AllBrokersDown => unreachable(NOT_CONNECTED, RIGHT_AND_UP_OR_SECURE),
            Self::Silent | Self::Other => unreachable("Kafka does not answer", RIGHT_AND_UP_OR_SECURE),
            Self::Hangs => unreachable(
                "a broker keeps its connection open and answers no request",
                "check that the broker's process is neither stopped nor overloaded, and that no firewall drops the connection's packets. \
                 Reading continues by itself once it answers",
            ),
            Self::Throttled => (
                None,
                "Kafka throttles this client by a quota, so records are read more slowly",
                "raise consumer_byte_rate or request_percentage of its user or `kafka.client_id`, or accept the lag",
            ),
            Self::TopicMissing => (
                None,
                "a topic does not exist",
                "create the topic, or correct its name in `kafka.topics`; it is read once it is created",
            ),
            Self::PollExceeded => (
                None,
                "the data thread was stuck for longer than max.poll.interval.ms, and the group took the partitions away",
                "the partitions' next owner reads again what was not committed; please report this with the log",
            ),
        }
    }

    pub fn cause(self) -> Option<AlarmCause> {
        self.entry().0
    }

    /// The description.
    pub fn what(self) -> &'static str {
        self.entry().1
    }

    /// The remedy, which names the key of bridge.toml.
    pub fn remedy(self) -> &'static str {
        self.entry().2
    }

    /// Whether waiting cannot change it.
    pub fn is_final(self) -> bool {
        self < Self::Tls
    }

    /// Whether the fault ends by itself.
    pub fn passes(self) -> bool {
        matches!(self, Self::Throttled | Self::TopicMissing)
    }

    /// Whether librdkafka's text adds to the description.
    pub(super) fn wants_detail(self) -> bool {
        matches!(
            self,
            Self::CaFile
                | Self::CertFile
                | Self::KeyFile
                | Self::KeyMismatch
                | Self::NoClient
                | Self::NoToken
                | Self::TokenRefused
                | Self::LoginRefused
                | Self::Tls
                | Self::Advertised
                | Self::Unresolved
                | Self::NotConnected
                | Self::Other
                | Self::Silent
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, what, remedy) = self.entry();
        write!(f, "{what}: {remedy}")
    }
}
