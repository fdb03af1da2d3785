//! The commands, one file or folder each.

mod arguments;
mod check;
mod config_file;
mod connect;
mod demo;
mod exit;
mod health;
mod init;
mod map;
mod migrate;
mod reload;
mod replay;
mod run;
mod sampled_keys;

pub use arguments::Arguments;
pub use exit::WRONG;
