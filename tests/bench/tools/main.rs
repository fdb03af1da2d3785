//! What the comparison needs beside the programs that it compares: `tests/bench/run` calls it, a subcommand for each purpose.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a tool that can't go on says so by panicking"
)]

#[path = "../../support/failures.rs"]
mod failures;
mod http;
mod limit;
mod load;
mod produce;
mod receive;
mod records;
mod setup;
mod topics;

use clap::Parser;

#[derive(Parser)]
enum Tool {
    /// Makes topics and fills them
    Produce(produce::Options),
    /// Deletes topics
    Delete(topics::Delete),
    /// Takes writes as InfluxDB does, answers at once, and counts lines when asked
    Receive(receive::Options),
    /// Consumes as the bridge does, and writes lines that were prepared: what no bridge can undercut
    Limit(limit::Options),
    /// Writes prepared lines into InfluxDB
    Load(load::Options),
}

fn main() {
    // `cargo bench` starts all benchmarks; this is none by itself.
    if std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    match Tool::parse() {
        Tool::Produce(options) => produce::produce(&options),
        Tool::Delete(options) => topics::delete(&options),
        Tool::Receive(options) => receive::receive(&options),
        Tool::Limit(options) => limit::limit(&options),
        Tool::Load(options) => load::load(&options),
    }
}
