//! Types and functions that several crates of the bridge share. This crate depends on no other crate of the workspace.
//!
//! | module | content |
//! |---|---|
//! | [`record`] | a Kafka record, borrowed from the memory of the client |
//! | [`TopicPartition`], [`NextOffset`] | a partition; the offset to resume at |
//! | [`Destination`], [`Credential`] | a bucket or database of InfluxDB, and the login for it |
//! | [`alarm`] | the registry of everything that keeps records from being settled |
//! | [`http`] | the settings that all HTTP clients share: timeouts, proxies, no redirects; texts of their errors |
//! | [`certificates`] | the certificate files that HTTPS connections use |
//! | [`secret`], [`text`] | values that logs never show; text made safe for logs |
//! | [`suggest`] | the nearest of several names, for error messages |
//! | [`locks`] | locks that a panic of another thread does not poison |
//! | [`stop`] | the request to stop, shared by all threads |
//! | [`TimePrecision`] | the precision with which a server stores times |
//!
//! ```
//! use base::NextOffset;
//! use base::suggest::with_nearest;
//!
//! assert_eq!(NextOffset::after(41).get(), 42);
//! assert_eq!(with_nearest("toplcs", ["brokers", "topics"]), r#"toplcs (did you mean "topics"?)"#);
//! ```

pub mod alarm;
pub mod certificates;
mod destination;
pub mod http;
pub mod locks;
mod no_proxy;
mod partition;
pub mod record;
pub mod secret;
pub mod stop;
pub mod suggest;
pub mod text;
mod time_precision;

pub use destination::{Api, Credential, Destination};
pub use partition::{NextOffset, TopicPartition};
pub use time_precision::TimePrecision;
