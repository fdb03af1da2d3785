//! The bridge's own telemetry.

mod counters;

pub use counters::Counters;
