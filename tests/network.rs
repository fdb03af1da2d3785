//! Network faults: TCP proxies stand between the bridge and the embedded Kafka, and between the bridge and the embedded receiver.
//! The proxies cut connections, silence them without a FIN, delay and trickle data, lose answers, and change their addresses.
//! A model checks all the time that every record below the committed offset is stored or dead-lettered, and at the end that every
//! record is, once.
//!
//! Each run prints its seed and the command that repeats it. A test that fails prints the state of the bridge and of every connection.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[expect(dead_code, reason = "shared with the tests of the pipeline")]
mod support;

#[path = "support/names.rs"]
mod names;
#[path = "support/seed.rs"]
mod seed;
#[path = "support/signals.rs"]
mod signals;
#[path = "support/tcp_proxy.rs"]
mod tcp_proxy;

mod network {
    mod cases;
    pub mod model;
    pub mod running;
}
