//! The bridge's own telemetry: what it counts, and the HTTP endpoint that shows it.
//!
//! ```text
//! data threads -> Counters, Pulse --.
//! control threads -> Lags, Pulse ---+-> Watched -> Server: / /status.json /metrics /healthz /readyz
//! writer -> its counters, alarms ---'      ^---- History, once a second
//! ```

mod about;
mod by_topic;
mod clients;
mod counters;
mod expiry;
mod exposition;
mod health;
mod history;
mod lag;
mod metrics;
mod open_times;
mod page;
mod partitions;
mod process;
mod pulse;
mod rejections;
mod server;
mod state;
mod status;
mod watched;

pub use about::About;
pub use by_topic::{ByTopic, OfTopic};
pub use clients::{BrokerState, ClientState};
pub use counters::{Closed, Counters};
pub use expiry::ExpiryWatch;
pub use history::History;
pub use lag::{LagReporter, Lags, PartitionLag};
pub use open_times::{OpenTimes, OpenTimesPen};
pub use partitions::{PartitionState, partitions};
pub use pulse::{Pulse, Pulses};
pub use rejections::{Rejected, Rejections, Seen};
pub use server::Server;
pub use watched::Watched;

#[cfg(test)]
mod tests;
