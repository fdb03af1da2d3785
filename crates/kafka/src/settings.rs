//! How the bridge reads from Kafka: brokers, topics, group, login.

use base::secret::Secret;
use regex::Regex;
use std::path::PathBuf;

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
    /// librdkafka properties from `[kafka.tls]`, `[kafka.sasl]` and `[kafka.librdkafka]`, the last of a name wins.
    pub properties: Vec<(String, Secret)>,
    /// With OAUTHBEARER, where its tokens come from.
    pub oauth: Option<Oauth>,
}

/// Where OAUTHBEARER's tokens come from.
#[derive(Clone, Debug)]
pub enum Oauth {
    /// As it is; from a file it is read again for each use.
    Token(Secret),
    Endpoint(TokenEndpoint),
}

/// Gives tokens to clients that show their credentials.
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    pub url: reqwest::Url,
    pub client_id: String,
    pub client_secret: Secret,
    pub scope: Option<String>,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
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

impl Settings {
    /// What the brokers' certificates are trusted by, if not by the system's.
    #[must_use]
    pub fn ca_file(&self) -> Option<PathBuf> {
        let mut of_name = self.properties.iter().filter(|(name, _)| name == "ssl.ca.location");
        of_name.next_back().map(|(_, path)| path.expose().into())
    }
}

impl TokenEndpoint {
    /// As its file has it now.
    #[must_use]
    pub fn secret(&self) -> Secret {
        self.client_secret.reread().unwrap_or_else(|| self.client_secret.clone())
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

    /// Whether a pattern matches.
    pub fn is_pattern_match(&self, topic: &str) -> bool {
        self.excluded.as_deref() != Some(topic) && self.patterns.iter().any(|p| p.is_match(topic))
    }
}
