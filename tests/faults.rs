//! Faults between the bridge and InfluxDB: the whole path in one process against a receiver with a script of faults, drawn at
//! random. While it goes on and at its end a model says whether each record below the committed offset is stored, dead-lettered
//! or filtered; at the end all of them are.
//!
//! `BRIDGE_FAULTS_SEEDS` sets the number of seeds that each fault is run with (default: 1). A failure prints the command that repeats
//! its seed alone.

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

mod faults {
    mod cases;
    pub mod model;
    pub mod script;
}
