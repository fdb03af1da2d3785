//! The program: arguments in, exit status out.

mod allocator;

use clap::Parser;
use kafka_influx_bridge::command::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::set_up();
    Arguments::parse().run()
}
