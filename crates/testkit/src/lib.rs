//! Servers inside the process: an embedded Kafka and an InfluxDB-like receiver, for tests, for `demo` and for `migrate --diff`.
//!
//! [`EmbeddedKafka`] is librdkafka's mock cluster: it speaks Kafka's protocol on a loopback port. [`receiver::Receiver`] reads line
//! protocol strictly, keeps points as InfluxDB does, and answers in the words of InfluxDB.
//!
//! The feature `faults`, which only tests enable, adds failures by a script, InfluxDB 3, and a log that tests read.
//!
//! ```
//! use testkit::receiver::{Options, Receiver};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let receiver = Receiver::start(Options::default()).await.unwrap();
//! assert_eq!(receiver.point_count(), 0);
//! # });
//! ```

#[cfg(feature = "faults")]
mod captured_log;
mod embedded;
pub mod receiver;

#[cfg(feature = "faults")]
pub use captured_log::CapturedLog;
pub use embedded::{EmbeddedKafka, NewRecord};
