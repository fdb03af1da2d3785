//! Arguments, and which command they mean.

use super::{WRONG, check, demo, health, map, replay, run, ways_to_begin};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Kafka topics of JSON metrics become points in InfluxDB.
#[derive(Parser)]
#[command(name = "kafka-influx-bridge", version, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  kafka-influx-bridge demo                         the whole thing, with nothing installed
  kafka-influx-bridge check                        every error of ./bridge.toml, with its line and what to do
  kafka-influx-bridge map records.jsonl            the lines that records would become
  INFLUX_TOKEN=... kafka-influx-bridge run         the service";

#[derive(Subcommand)]
enum Command {
    /// Read records, map them to points, write them, commit: the service. SIGHUP reloads the configuration
    Run {
        #[command(flatten)]
        config: ConfigFile,
        /// End when everything is written and committed that is in Kafka at the start
        #[arg(long)]
        until_end: bool,
    },
    /// Show every error of the configuration, or in words what it will do
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Also ask the brokers and InfluxDB
        #[arg(long)]
        connect: bool,
    },
    /// Show the lines that records would become, without Kafka and InfluxDB
    Map {
        #[command(flatten)]
        config: ConfigFile,
        /// The topic that the records come from [default: the first of `kafka.topics`]
        #[arg(long)]
        topic: Option<String>,
        /// Kafka's timestamp of all records, in nanoseconds since 1970 [default: lines without a timestamp]
        #[arg(long, value_name = "NS", allow_hyphen_values = true)]
        timestamp: Option<i64>,
        /// Read the topic for so many seconds, from its last records on, without joining the group or committing
        #[arg(long, value_name = "SECONDS", conflicts_with_all = ["files", "timestamp"])]
        live: Option<u64>,
        /// Files of records, one a line or pretty-printed [default: standard input]
        files: Vec<PathBuf>,
    },
    /// Put dead letters through the mapping as it is now, and write the points; their files or topic stay as they are
    ReplayDeadLetters {
        #[command(flatten)]
        config: ConfigFile,
        /// Read a dead-letter topic up to its end as of now [default: that of `[dead_letter]`]
        #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with = "files")]
        topic: Option<String>,
        /// Show the lines instead of writing them
        #[arg(long)]
        dry_run: bool,
        /// Files of dead letters
        #[arg(required_unless_present = "topic")]
        files: Vec<PathBuf>,
    },
    /// Ask the running service whether it works: exit status 0, or 1 with the reason
    Health {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Run everything in this process: Kafka, generated records, the bridge and a receiver like InfluxDB
    Demo {
        /// End by itself after so many seconds
        #[arg(long, value_name = "N")]
        seconds: Option<u64>,
    },
}

#[derive(clap::Args)]
struct ConfigFile {
    /// The configuration [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Arguments {
    /// Does what they say.
    pub fn run(self) -> ExitCode {
        match self.command {
            Some(Command::Run { config, until_end }) => run::run(config.config.as_deref(), until_end),
            Some(Command::Check { config, connect }) => check::check(config.config.as_deref(), connect),
            Some(Command::Map { config, topic, timestamp, live, files }) => {
                let live = live.map(Duration::from_secs);
                map::map(&map::Options { config: config.config, topic, timestamp, live, files })
            }
            Some(Command::ReplayDeadLetters { config, topic, dry_run, files }) => {
                let source = match topic {
                    None => replay::Source::Files(files),
                    Some(name) => replay::Source::Topic(Some(name).filter(|name| !name.is_empty())),
                };
                replay::replay(&replay::Options { config: config.config, source, dry_run })
            }
            Some(Command::Health { config }) => health::health(config.config.as_deref()),
            Some(Command::Demo { seconds }) => demo::demo(seconds),
            None => {
                eprintln!("{}", ways_to_begin());
                ExitCode::from(WRONG)
            }
        }
    }
}
