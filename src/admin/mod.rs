//! The bridge's own telemetry: what it counts, and the HTTP endpoint that shows it.
//!
//! ```text
//! data threads -> Counters, Pulse --.
//! control threads -> Lags, Pulse ---+-> Watched -> Server: /metrics /healthz /readyz
//! writer -> its counters, alarms ---'
//! ```

mod by_topic;
mod clients;
mod counters;
mod expiry;
mod exposition;
mod health;
mod lag;
mod metrics;
mod open_times;
mod partitions;
mod process;
mod pulse;
mod server;
mod watched;

pub use by_topic::{ByTopic, OfTopic};
pub use clients::{BrokerState, ClientState};
pub use counters::{Closed, Counters};
pub use expiry::ExpiryWatch;
pub use lag::{LagReporter, Lags, PartitionLag};
pub use open_times::{OpenTimes, OpenTimesPen};
pub use partitions::{PartitionState, partitions};
pub use pulse::{Pulse, Pulses};
pub use server::Server;
pub use watched::Watched;

#[cfg(test)]
mod tests;
