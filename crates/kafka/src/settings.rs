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

impl Default for Settings {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            topics: Topics::default(),
            group_id: "kafka-influx-bridge".to_owned(),
            client_id: "kafka-influx-bridge".to_owned(),
            offset_reset: OffsetReset::Earliest,
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

impl Settings {
    /// The time for which a broker may wait for records before it answers a fetch.
    #[must_use]
    pub(crate) fn fetch_wait_max(&self) -> Duration {
        let (name, default) = FETCH_WAIT_MAX;
        let own = self.properties.iter().rfind(|(property, _)| property == name);
        // librdkafka refuses a value that is no number.
        Duration::from_millis(own.and_then(|(_, value)| value.expose().parse().ok()).unwrap_or(default))
    }

    /// The file of authorities that replaces the system's for the brokers' certificates.
    #[must_use]
    pub fn ca_file(&self) -> Option<PathBuf> {
        let mut files = self.properties.iter().filter(|(name, _)| name == "ssl.ca.location");
        files.next_back().map(|(_, path)| path.expose().into())
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
