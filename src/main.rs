//! The program: arguments in, exit status out.

mod allocator;

use allocator::PageAllocator;
use clap::Parser;
use kafka_influx_bridge::command::Arguments;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: PageAllocator = PageAllocator;

fn main() -> ExitCode {
    Arguments::parse().run()
}
