//! `bridge.toml`: the reader that reports every error at once, and [`Config`], the checked result.
//!
//! Guarantees:
//! - Every error names its line, the key, the value that was found, and what to write instead.
//! - A secret never appears in an error, a log or a `Debug` text.
//! - Variables are replaced inside strings after the TOML was read, so that a secret cannot change the structure.
//!
//! ```text
//! load: text -> toml (syntax) -> Section by Section, key by key -> Config
//!                                 | errors go into the Context
//!                                 v
//!                               ConfigErrors: all of them, in the order of the file (report)
//! ```
//!
//! ```
//! use std::path::Path;
//!
//! let text = r#"
//! [kafka]
//! brokers = ["localhost:9092"]
//! topics = ["metrics"]
//! [influx]
//! url = "http://localhost:8086"
//! org = "o"
//! buckt = "b"
//! token = "${TOKEN}"
//! "#;
//! let errors = configuration::parse(Path::new("bridge.toml"), text, &|_| Some("t".to_owned())).unwrap_err();
//! assert!(errors.to_string().contains("bucket"), "{errors}");
//! ```

mod admin;
mod batch;
mod certificates;
mod dead_letter;
mod declaration;
mod destination;
mod destination_names;
pub mod draft;
mod findings;
#[cfg(test)]
#[path = "../../../tests/support/folder.rs"]
mod folder;
mod formats;
mod http_credential;
mod influx;
mod interpolate;
mod kafka;
mod keys;
mod librdkafka;
mod load;
mod log;
pub mod managed_kafka;
mod mapping;
mod mapping_rules;
mod mask;
mod needs_restart;
mod other_files;
mod pairs;
mod protobuf;
mod reject;
mod reload_comparisons;
mod report;
mod reshape;
mod scalars;
mod schema_registry;
mod section;
mod security;
mod selectors;
mod sizes;
mod source;
mod summary;
mod synonyms;
mod syntax;
#[cfg(test)]
mod tests;
mod times;
mod topic_groups;
mod topics;
mod unknown;
mod urls;

pub use interpolate::unset_variable;
pub use load::{
    Loaded, NotFound, SEARCHED, find, load, load_with_warnings, load_without_secrets, parse,
    parse_without_secrets,
};
pub use mapping_rules::RESERVED;
pub use mask::is_secret_name;
pub use needs_restart::{LiveChanges, NeedsRestart};
pub use report::{ConfigErrors, Problem, excerpt};
pub use source::Place;
pub use topics::why_no_topic;

use ::influx::ConnectionSettings;
use ::kafka::Settings;
use ::mapping::RecordLimits;
use engine::Mapping;
use engine::Routing;
use engine::dead_letter::DeadLetterStore;
use std::net::SocketAddr;
use std::time::Duration;

/// The checked content of bridge.toml.
#[derive(Clone, Debug)]
pub struct Config {
    pub kafka: Settings,
    /// At least one. The first mapping whose topics match the record's topic is used.
    pub mappings: Vec<Mapping>,
    /// None: no schema registry is configured.
    pub schema_registry: Option<::schema_registry::Settings>,
    pub influx: ConnectionSettings,
    /// Most destinations, where some belong to topics.
    pub destinations_max: usize,
    pub batch: Batch,
    pub reject: Reject,
    /// None: rejected and refused records are counted, logged and skipped.
    pub dead_letter: Option<DeadLetterStore>,
    pub admin: Admin,
    pub log: Log,
    /// How long a stop may take to settle open batches.
    pub shutdown_max: Duration,
}

impl Config {
    /// The topics that the file names, first those of [kafka].
    pub fn topic_names(&self) -> impl Iterator<Item = &String> {
        let of_mappings = self.mappings.iter().filter_map(|mapping| mapping.topics.as_ref());
        let of_mappings = of_mappings.flat_map(|topics| &topics.names);
        self.kafka.topics.names.iter().chain(of_mappings)
    }

    /// Whether a process can keep its client of the schema registry under `new`.
    pub fn schema_registry_stays(&self, new: &Self) -> bool {
        !reload_comparisons::schema_registry_differs(self, new)
    }

    /// The mapping and destination of each topic.
    pub fn routing(&self) -> Routing {
        Routing::new(&self.mappings, self.reject.rate_max).with_destinations_max(self.destinations_max)
    }

    /// The largest record, and the most text that may come from one.
    pub fn record_limits(&self) -> RecordLimits {
        RecordLimits {
            record_bytes_max: self.kafka.record_bytes_max,
            // The lines of one record and the batches in flight together stay below the bound of all batches.
            lines_bytes_max: self.batch.memory_max / 2,
        }
    }
}

/// `[batch]`: when an open batch is closed, and the memory of all batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// None: chosen by the answers of InfluxDB.
    pub lines_max: Option<usize>,
    /// None: chosen by the answers of InfluxDB.
    pub bytes_max: Option<usize>,
    pub age_max: Duration,
    pub memory_max: usize,
    /// Write rate of all lanes together.
    pub points_per_second_max: Option<u64>,
}

/// `[reject]`: when a topic is blocked because too many of its records are rejected or refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reject {
    /// Share of a topic's records, from 0 to 1. 1 never blocks.
    pub rate_max: f64,
}

/// `[admin]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admin {
    /// None: the HTTP server is off (`listen = ""`).
    pub listen: Option<SocketAddr>,
    /// None: records are shown only on a loopback address.
    pub show_records: Option<bool>,
}

/// The requests that get record values on the status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordsAudience {
    #[default]
    Nobody,
    /// Requests for a loopback name or address. A website whose DNS name resolves to this machine is not one of them.
    Local,
    Everybody,
}

impl Admin {
    #[must_use]
    pub fn records_audience(&self) -> RecordsAudience {
        let is_loopback = |listen: SocketAddr| listen.ip().to_canonical().is_loopback();
        match (self.listen, self.show_records) {
            (Some(_), Some(true)) => RecordsAudience::Everybody,
            (Some(listen), None) if is_loopback(listen) => RecordsAudience::Local,
            _ => RecordsAudience::Nobody,
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
