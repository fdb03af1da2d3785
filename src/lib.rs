//! The program: commands, the status page and metrics, and the composition of the crates into a running bridge.

pub mod admin;
pub mod command;
pub mod demo;
pub mod init;
pub mod log;
pub mod parity;
pub mod pipeline;
pub mod systemd;
