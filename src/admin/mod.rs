//! The HTTP endpoint: status page, metrics, and health.
//!
//! ```text
//! data threads -> Counters, Heartbeat --.
//! control threads -> Lags, Heartbeat ---+-> PipelineState -> Server: / /status.json /metrics /healthz /readyz
//! writer -> its counters, alarms ---'      ^---- History, once a second
//! ```

mod exposition;
mod health;
mod history;
mod metrics;
mod overall_state;
mod overview;
mod page;
mod pipeline_state;
mod process;
mod samples;
mod server;
mod status_json;
mod warnings;

pub use history::History;
pub use pipeline_state::{PipelineState, ShownConfig};
pub use server::Server;

#[cfg(test)]
mod tests;
