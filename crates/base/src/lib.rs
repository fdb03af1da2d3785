//! Types and functions that several crates of the bridge share. This crate depends on no other crate of the workspace.
//!
//! | module | content |
//! |---|---|
//! | [`record`] | a Kafka record, borrowed from the memory of the client |
//! | [`TopicPartition`], [`NextOffset`] | the name of a partition; the only place that computes `offset + 1` |
//! | [`Destination`], [`Credential`] | a bucket or database of InfluxDB, and the login for it |
//! | [`alarm`] | the registry of everything that keeps records from being settled |
//! | [`http`] | the settings that all HTTP clients share: timeouts, proxies, no redirects |
//! | [`secret`], [`text`] | text that logs never show; text that logs may show without harm |
//! | [`suggest`] | the nearest of several words, for error messages |
//! | [`stop`] | the request to stop, shared by all threads |
//!
//! ```
//! use base::NextOffset;
//! use base::suggest::with_nearest;
//!
//! assert_eq!(NextOffset::after(41).get(), 42);
//! assert_eq!(with_nearest("toplcs", ["brokers", "topics"]), r#"toplcs (did you mean "topics"?)"#);
//! ```

pub mod alarm;
mod destination;
pub mod http;
mod next_offset;
mod no_proxy;
pub mod record;
pub mod secret;
pub mod stop;
pub mod suggest;
pub mod text;
mod topic_partition;

pub use destination::{Api, Credential, Destination};
pub use next_offset::NextOffset;
pub use topic_partition::TopicPartition;
