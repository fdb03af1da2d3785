//! Writes lines to InfluxDB. [`LaneWriter::deliver`] returns when each line of a batch is stored, refused with proof, or kept out by a
//! limit of the server.
//!
//! Guarantees:
//! - A line counts as stored only if a request that contained it was answered 204.
//! - A line counts as refused only on evidence about that line: see the table in `docs/faults.md`.
//! - After every other answer the request is retried with backoff, and an alarm names the cause and a remedy.
//!
//! ```text
//! LaneWriter::deliver -> SalvagePlan (salvage/): the next request -> Client: one HTTP request -> Answer
//!          ^                                                                             |
//!          +---- stored, retry, split, refused, blocked <- decide (outcome) <- ParsedAnswer: the server's own words
//! ```
//!
//! A large batch comes packed ([`PackedLines`]): `deliver` first sends all of it as one request, or as one for each range of series, and
//! passes lines to the plan only where such a request is not stored.
//!
//! `dialects/` has one file for each server family: its URLs, its phrases, its remedies.
//!
//! ```
//! use base::{Credential, Destination};
//! use influx::{BatchLines, Client, ConnectionSettings, Delays, LogObserver, Writer, WriterOptions};
//! use line_protocol::LineBuffer;
//! use std::sync::Arc;
//! use testkit::receiver::{Options, Receiver};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let server = Receiver::start(Options::default()).await.unwrap();
//! let connection = ConnectionSettings::new(server.url().parse().unwrap());
//! let options = WriterOptions {
//!     lines_max: 5_000,
//!     bytes_max: Some(4_000_000),
//!     points_per_second_max: None,
//!     delays: Delays::default(),
//!     accepts_unproven: false,
//! };
//! let writer = Writer::new(Client::new(&connection).unwrap(), &connection, options, Arc::new(LogObserver));
//!
//! let bucket = Destination::Bucket { org: "o".to_owned(), bucket: "b".to_owned() };
//! let lines = BatchLines::from(LineBuffer::from_iter(["cpu load=0.5 1"]));
//! let delivered = writer.lane(1).deliver(&bucket, &lines).await;
//! assert!(delivered.refused.is_empty());
//! assert_eq!(server.points(&bucket).len(), 1);
//! # });
//! ```

mod address;
mod answer;
mod backoff;
mod breaker;
mod cause;
mod client;
mod counters;
mod dialects;
mod error;
mod event;
mod failed_attempt;
mod http;
mod lane_writer;
mod learned_state;
mod lines;
mod log_observer;
mod outcome;
mod packed_lines;
mod parsed_answer;
mod rate_limiter;
mod remedy;
mod request_text;
mod salvage;
mod settings;
mod slow;
#[cfg(test)]
pub(crate) mod test_support;
mod writer;

pub use address::{Address, Addresses, REQUEST_BYTES_MAX, influx_request_bytes_max};
pub use answer::Answer;
pub use backoff::{Backoff, Delays};
pub use cause::Cause;
pub use client::{Client, CredentialSource, DestinationRetention, ProbeResult};
pub use counters::{LATENCY_BUCKETS, LatencyHistogram, SizeHistogram, WriteCounters};
pub use dialects::{Server, ServerInfo, Version};
pub use error::{ClientError, RequestFailure};
pub use event::{Event, Observer};
pub use failed_attempt::FailedAttempt;
pub use http::{ConnectOptions, Resolver};
pub use lane_writer::{Delivered, KeptOutLine, LaneWriter, RequestCounts};
pub use lines::Lines;
pub use log_observer::LogObserver;
pub use outcome::{Outcome, classify};
pub use packed_lines::{BatchLines, LineReader, PackedLines};
pub use remedy::{RemedyContext, advice, is_page};
pub use salvage::RefusedLine;
pub use settings::{Compression, ConnectionSettings, Tls};
pub use writer::{Writer, WriterOptions};

#[cfg(test)]
#[path = "../../../tests/support/seed.rs"]
mod seed;
