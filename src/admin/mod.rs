//! The bridge's own telemetry: what it counts, and the HTTP endpoint that shows it.
//!
//! ```text
//! data threads -> Counters, Pulse --.
//! control threads -> Lags, Pulse ---+-> Watched -> Server: /metrics /healthz /readyz
//! writer -> its counters, alarms ---'
//! ```

mod counters;
mod exposition;
mod health;
mod lag;
mod metrics;
mod pulse;
mod server;
mod watched;

pub use counters::Counters;
pub use lag::{LagReporter, Lags, PartitionLag};
pub use pulse::{Pulse, Pulses};
pub use server::Server;
pub use watched::Watched;

#[cfg(test)]
mod tests;
