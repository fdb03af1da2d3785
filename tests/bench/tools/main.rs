//! Tools for `tests/bench/run`, one subcommand for each purpose.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a tool that can't go on says so by panicking"
)]

mod beside;
#[path = "../../support/failures.rs"]
mod failures;
mod formats;
mod http;
mod limit;
mod load;
mod produce;
mod receive;
mod records;
mod refusals;
mod setup;
mod topics;
#[path = "../values/mod.rs"]
mod values;
mod variants;

use clap::Parser;

#[derive(Parser)]
enum Tool {
    /// Creates and fills topics
    Produce(produce::Options),
    /// Deletes topics
    Delete(topics::Delete),
    /// Accepts writes like InfluxDB, answers at once, and counts lines on request
    Receive(receive::Options),
    /// Consumes like the bridge, and writes prepared lines: the least work of any bridge
    Limit(limit::Options),
    /// Writes prepared lines into InfluxDB
    Load(load::Options),
    /// Writes a batch with bad lines to an imitation of InfluxDB 3
    Refusals(refusals::Options),
    /// Rate of one topic while lines of another one are refused
    Beside(beside::BesideOptions),
}

fn main() {
    // `cargo bench` starts all benchmarks; this program is none.
    if std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    match Tool::parse() {
        Tool::Produce(options) => produce::produce(&options),
        Tool::Delete(options) => topics::delete(&options),
        Tool::Receive(options) => receive::receive(&options),
        Tool::Limit(options) => limit::limit(&options),
        Tool::Load(options) => load::load(&options),
        Tool::Refusals(options) => refusals::refusals(&options),
        Tool::Beside(options) => beside::beside(&options),
    }
}
