//! The HTTP endpoint: status page, metrics, and health.
//!
//! ```text
//! data threads -> Counters, Heartbeat --.
//! control threads -> Lags, Heartbeat ---+-> Watched -> Server: / /status.json /metrics /healthz /readyz
//! writer -> its counters, alarms ---'      ^---- History, once a second
//! ```

mod exposition;
mod health;
mod history;
mod metrics;
mod page;
mod process;
mod server;
mod state;
mod status;
mod watched;

pub use history::History;
pub use server::Server;
pub use watched::{About, Watched};

#[cfg(test)]
mod tests;
