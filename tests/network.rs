//! Network faults: TCP proxies stand between the bridge and the embedded Kafka, and between the bridge and the embedded receiver.
//! Each proxy draws faults at random: connections are cut, fall silent without a FIN, are delayed, or deliver byte by byte.
//! A model checks all the time that every record below the committed offset is stored, and at the end that every record is.
//!
//! Each run prints its seed and the command that repeats it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[expect(dead_code, reason = "shared with the tests of the pipeline")]
mod support;

#[path = "support/seed.rs"]
mod seed;

mod network {
    mod cases;
    pub mod proxy;
}
