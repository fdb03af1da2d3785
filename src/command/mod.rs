//! The commands, one file each.

mod arguments;
pub mod check;
mod connect;
pub mod demo;
mod examples;
pub mod health;
pub mod init;
mod live;
pub mod map;
pub mod migrate;
mod progress;
mod records;
mod reload;
pub mod replay;
pub mod run;
pub mod style;

pub use arguments::Arguments;
pub use records::Records;

/// Exit status: records were rejected by `map`.
pub const REJECTED: u8 = 1;
/// Exit status: `replay-dead-letters` could not store everything.
pub const NOT_ALL_STORED: u8 = 1;
/// Exit status: `check --connect` could not connect to everything; `init` found nothing to sample.
pub const CONNECTION_FAILED: u8 = 1;
/// Exit status: `health` found the service not well, or did not find it.
pub const UNWELL: u8 = 1;
/// Exit status: the configuration or the command line is wrong.
pub const WRONG: u8 = 2;
/// Exit status: the service failed.
pub const FAILED: u8 = 3;

/// What to say to somebody who gave no command.
pub fn ways_to_begin() -> String {
    let found = configuration::SEARCHED.iter().map(|path| {
        let is_there = std::path::Path::new(path).exists();
        format!("  {path}: {}\n", if is_there { "found" } else { "not there" })
    });
    format!(
        "No command. Configuration files:\n{}\n\
         Ways to begin:\n\
         \x20 kafka-influx-bridge demo       see it work, with nothing installed\n\
         \x20 kafka-influx-bridge init       write a configuration from sampled records\n\
         \x20 kafka-influx-bridge migrate    make a bridge.toml of a telegraf.conf\n\
         \x20 kafka-influx-bridge check      look through a configuration\n\
         \x20 kafka-influx-bridge run        read from Kafka, write to InfluxDB\n\
         \x20 kafka-influx-bridge --help     everything else",
        found.collect::<String>()
    )
}
