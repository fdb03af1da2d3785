//! The program: commands, the status page and metrics, and the composition of the crates into a running bridge.

// They end the program if nobody reads the output; `terminal` has what does not.
#![cfg_attr(not(test), warn(clippy::print_stderr, clippy::print_stdout))]

mod admin;
pub mod command;
#[cfg(test)]
#[path = "../tests/support/compress.rs"]
mod compress;
#[cfg(test)]
#[path = "../tests/support/folder.rs"]
mod folder;
mod init;
pub mod log;
mod migrate_diff;
pub mod pipeline;
mod records;
mod routing;
#[cfg(test)]
#[path = "../tests/support/seed.rs"]
mod seed;
mod signals;
mod systemd;
mod terminal;
