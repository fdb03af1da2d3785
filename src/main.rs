//! The program: arguments in, exit status out.

use clap::Parser;
use kafka_influx_bridge::command::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    Arguments::parse().run()
}
