//! `bridge.toml`, checked: the shape that the rest of the program sees.
//!
//! ```text
//! load: text -> toml (syntax) -> Section by Section, key by key -> Config
//!                                 | what is wrong goes into the Context
//!                                 v
//!                               ConfigErrors: all of them, in the order of the file (report)
//! ```

mod changes;
mod context;
mod dead_letter;
mod destination;
mod influx;
mod interpolate;
mod kafka;
mod librdkafka;
mod load;
mod mapping;
mod mask;
mod report;
mod rules;
mod scalars;
mod schema;
mod section;
mod security;
mod service;
mod sizes;
mod source;
mod suggest;
mod summary;
mod syntax;
#[cfg(test)]
mod tests;
mod topics;
mod unknown;
mod urls;
mod words;

pub use changes::{Changes, NeedsRestart};
#[cfg(test)]
pub(crate) use interpolate::{Surroundings, interpolate};
pub use load::{
    Loaded, NotFound, SEARCHED, find, load, load_without_secrets, parse, parse_without_secrets, read,
};
pub use mask::is_secret_name;
pub use report::{ConfigErrors, Problem};
pub use source::Place;
pub use suggest::{nearest, with_nearest};

use crate::influx::{Connection, Destination};
use crate::map::Rules;
use crate::secret::Secret;
use regex::Regex;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything that `bridge.toml` says, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub kafka: Kafka,
    /// At least one; the first whose topics match a record's is used.
    pub mappings: Vec<Mapping>,
    pub influx: Connection,
    pub batch: Batch,
    pub reject: Reject,
    /// None: what is rejected or refused is counted and logged, and skipped.
    pub dead_letter: Option<DeadLetter>,
    pub admin: Admin,
    pub log: Log,
    /// How long a stop may drain.
    pub shutdown_max: Duration,
}

/// `[kafka]`.
#[derive(Clone, Debug)]
pub struct Kafka {
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

/// `[[mapping]]`.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// None: all topics.
    pub topics: Option<Topics>,
    /// Shared, because a mapping may have thousands of compiled globs, and configurations are copied.
    pub rules: Arc<Rules>,
    pub destination: Destination,
}

/// `[batch]`: when an open batch is closed, and how much all of them may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    pub lines_max: usize,
    pub bytes_max: usize,
    pub age_max: Duration,
    pub memory_max: usize,
    /// Of all lanes together.
    pub points_per_second_max: Option<u64>,
}

/// `[reject]`: when a topic holds, because too much of it is rejected or refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reject {
    /// The share of a topic's records, from 0 to 1; 1 switches it off.
    pub rate_max: f64,
}

/// `[dead_letter]`: where records go that could not be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadLetter {
    Topic(String),
    /// Relative to the working directory; a full one is renamed, and a new one begun.
    File {
        path: PathBuf,
        bytes_max: u64,
    },
}

/// `[admin]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admin {
    /// None: switched off by `listen = ""`.
    pub listen: Option<SocketAddr>,
    /// None: on a loopback address.
    pub show_records: Option<bool>,
}

/// Who sees record values on the status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShowRecords {
    #[default]
    Nobody,
    /// Who asks for a loopback name or address on this machine: not a site whose name was made to lead here.
    Local,
    Everybody,
}

impl Admin {
    #[must_use]
    pub fn shows_records(&self) -> ShowRecords {
        let is_loopback = |listen: SocketAddr| listen.ip().to_canonical().is_loopback();
        match (self.listen, self.show_records) {
            (Some(_), Some(true)) => ShowRecords::Everybody,
            (Some(listen), None) if is_loopback(listen) => ShowRecords::Local,
            _ => ShowRecords::Nobody,
        }
    }
}

/// `[log]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    pub level: tracing::Level,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(topic) => write!(f, "topic {topic}"),
            Self::File { path, .. } => write!(f, "file {}", path.display()),
        }
    }
}

impl Kafka {
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

impl Mapping {
    #[must_use]
    pub fn is_match(&self, topic: &str) -> bool {
        self.topics.as_ref().is_none_or(|topics| topics.is_match(topic))
    }
}
