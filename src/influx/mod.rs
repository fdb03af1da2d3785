//! Points to lines, lines to InfluxDB.

mod address;
mod answer;
mod backoff;
mod breaker;
mod cause;
mod client;
mod connection;
mod counters;
mod delivery;
pub mod encode;
mod event;
mod gzip;
mod http;
mod kept;
pub mod line_reader;
mod lines;
mod no_proxy;
mod obstacle;
mod pace;
mod reading;
mod remedy;
mod response;
mod salvage;
mod sizes;
mod slow;
#[cfg(test)]
pub(crate) mod test_support;
mod writer;

pub use address::{Address, Addresses, is_loopback, shown};
pub use answer::{Outcome, classify};
pub use backoff::{Backoff, Delays};
pub use cause::{Cause, Reach};
pub use client::{Client, ClientError, Failure, Reread, Server};
pub use connection::{Api, Compression, Connection, Credential, Destination, Tls};
pub use counters::{Counters, LATENCY_BUCKETS, Latency};
pub use delivery::{Blocked, Delivered, LaneWriter, Requests};
pub use event::{Event, LogObserver, Observer};
pub use gzip::Gzip;
pub use http::{Dialing, Resolver, http_builder};
pub use kept::Kept;
pub use lines::{Lines, LinesError};
pub use remedy::{Place as Remedy, advice};
pub use response::Answer;
pub use salvage::Refused;
pub use sizes::Sizes;
pub use writer::{Writer, WriterOptions};
