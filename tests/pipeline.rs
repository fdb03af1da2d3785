//! The whole path in one process: an embedded Kafka, the pipeline, an embedded receiver that reads strictly.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/exposition.rs"]
mod exposition;
#[cfg(target_os = "linux")]
#[path = "support/names.rs"]
mod names;
#[path = "support/signals.rs"]
mod signals;
mod support;

mod pipeline {
    mod addresses;
    mod admin;
    mod answers;
    mod bad_input;
    mod delivery;
    mod destinations;
    mod front;
    mod groups;
    mod guard;
    mod kafka_alarms;
    mod letters;
    mod offsets;
    mod outage;
    mod reload;
    mod until_end;
}
