//! Points to lines, lines to InfluxDB.

mod address;
mod alarm;
mod answer;
mod backoff;
mod cause;
mod client;
mod connection;
mod counters;
pub mod encode;
mod event;
mod gzip;
mod harmless;
mod http;
pub mod line_reader;
mod remedy;
#[cfg(test)]
mod test_support;

pub use address::{Address, Addresses, is_loopback, shown};
pub use alarm::Alarm;
pub use answer::{Answer, Outcome, classify};
pub use backoff::Delays;
pub use cause::{Cause, Reach};
pub use client::{Client, ClientError, Failure, Reread, Server};
pub use connection::{Api, Compression, Connection, Credential, Destination, Tls};
pub use counters::{Counters, LATENCY_BUCKETS, Latency};
pub use event::{Event, LogObserver, Observer};
pub use harmless::harmless;
