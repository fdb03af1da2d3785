//! Settings of the Kafka clients: brokers, topics, group, login.

use crate::oauth_token::Oauth;
use base::secret::Secret;
use regex::Regex;
use std::path::PathBuf;
use std::time::Duration;

/// How records are read.
#[derive(Clone, Debug)]
pub struct Settings {
    pub brokers: Vec<String>,
    pub topics: Topics,
    pub group_id: String,
    pub client_id: String,
    pub offset_reset: OffsetReset,
    pub group_protocol: GroupProtocol,
    /// Static membership.
    pub instance_id: Option<String>,
    /// Members of the group in this process.
    pub consumers: usize,
    pub record_bytes_max: usize,
    /// librdkafka properties from `[kafka.tls]`, `[kafka.sasl]` and `[kafka.librdkafka]`; the last one of a name applies.
    pub properties: Vec<(String, Secret)>,
    /// Source of tokens, with OAUTHBEARER.
    pub oauth: Option<Oauth>,
}

/// Topic names and regular expressions.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    pub names: Vec<String>,
    pub patterns: Vec<Regex>,
    /// The dead-letter topic, which no pattern matches.
    pub excluded: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    Earliest,
    Latest,
    Error,
}

/// How the group shares the partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The members assign the partitions and define the session timeout.
    Classic,
    /// The brokers do, from Kafka 4.0 on (KIP-848).
    Consumer,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            topics: Topics::default(),
            group_id: "kafka-influx-bridge".to_owned(),
            client_id: "kafka-influx-bridge".to_owned(),
            offset_reset: OffsetReset::Earliest,
            group_protocol: GroupProtocol::Classic,
            instance_id: None,
            consumers: 1,
            record_bytes_max: 1_000_000,
            properties: Vec::new(),
            oauth: None,
        }
    }
}

/// librdkafka's property for the time that a broker may wait for records before it answers a fetch, and the bridge's own value.
pub(crate) const FETCH_WAIT_MAX: (&str, u64) = ("fetch.wait.max.ms", 100);

/// librdkafka's property for the strategies of the classic protocol, and the bridge's own value.
pub(crate) const ASSIGNMENT_STRATEGY: (&str, &str) = ("partition.assignment.strategy", "cooperative-sticky");

impl Settings {
    /// The assignment strategies that a member offers, separated by commas. None: the brokers assign the partitions.
    #[must_use]
    pub fn strategies(&self) -> Option<&str> {
        let (name, default) = ASSIGNMENT_STRATEGY;
        match self.group_protocol {
            GroupProtocol::Classic => Some(self.property(name).unwrap_or(default)),
            GroupProtocol::Consumer => None,
        }
    }

    /// The value of a librdkafka property of the user.
    #[must_use]
    pub fn property(&self, wanted: &str) -> Option<&str> {
        let found = self.properties.iter().rfind(|(name, _)| name == wanted);
        found.map(|(_, value)| value.expose())
    }

    /// The time for which a broker may wait for records before it answers a fetch.
    #[must_use]
    pub(crate) fn fetch_wait_max(&self) -> Duration {
        let (name, default) = FETCH_WAIT_MAX;
        // librdkafka refuses a value that is no number.
        Duration::from_millis(self.property(name).and_then(|value| value.parse().ok()).unwrap_or(default))
    }

    /// The file of authorities that replaces the system's for the brokers' certificates.
    #[must_use]
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.property("ssl.ca.location").map(PathBuf::from)
    }
}

impl PartialEq for Topics {
    fn eq(&self, other: &Self) -> bool {
        let texts = |topics: &Self| topics.patterns.iter().map(Regex::to_string).collect::<Vec<_>>();
        self.names == other.names && self.excluded == other.excluded && texts(self) == texts(other)
    }
}

impl Topics {
    #[must_use]
    pub fn is_match(&self, topic: &str) -> bool {
        self.names.iter().any(|name| name == topic) || self.is_pattern_match(topic)
    }

    pub fn is_pattern_match(&self, topic: &str) -> bool {
        self.excluded.as_deref() != Some(topic) && self.patterns.iter().any(|p| p.is_match(topic))
    }
}
