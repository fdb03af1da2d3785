//! Arguments, and which command they mean.

use super::exit::WRONG;
use super::{check, demo, health, init, map, migrate, replay, run};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Kafka topics of JSON metrics become points in InfluxDB.
#[derive(Parser)]
#[command(name = "kafka-influx-bridge", version, after_help = examples::ALL)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Read records, map them to points, write them, commit: the service. SIGHUP reloads the configuration
    #[command(after_help = examples::RUN)]
    Run {
        #[command(flatten)]
        config: ConfigFile,
        /// End when everything is written and committed that is in Kafka at the start
        #[arg(long)]
        until_end: bool,
    },
    /// Show every error of the configuration, or in words what it will do
    #[command(after_help = examples::CHECK)]
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Also ask the brokers and InfluxDB
        #[arg(long)]
        connect: bool,
    },
    /// Show the lines that records would become, without Kafka and InfluxDB
    #[command(after_help = examples::MAP)]
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
    /// Make a bridge.toml of a telegraf.conf, a fluent.conf or a Logstash pipeline; what has no counterpart is said, line by line
    #[command(after_help = examples::MIGRATE)]
    Migrate {
        /// Files, and folders such as telegraf.d or conf.d, whose *.conf are read; "-" is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Write to a file, or to bridge.toml in a folder; others that are needed stand beside it [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write over a file that is there
        #[arg(long)]
        force: bool,
        /// Instead of writing it, show what becomes of a file's records, beside what Telegraf makes of them where it is
        /// installed (or named by the variable TELEGRAF): exit status 1 if points differ
        #[arg(long, value_name = "RECORDS", conflicts_with = "output")]
        diff: Option<PathBuf>,
    },
    /// Put dead letters through the mapping as it is now, and write the points; their files or topic stay as they are
    #[command(after_help = examples::REPLAY)]
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
    /// Write a bridge.toml from sampled records, with the reason of each choice
    #[command(after_help = examples::INIT)]
    Init(Init),
    /// Ask the running service whether it works: exit status 0, or 1 with the reason
    #[command(after_help = examples::HEALTH)]
    Health {
        #[command(flatten)]
        config: ConfigFile,
        /// Exit with 1 also while an alarm keeps records from being stored, as /readyz?strict answers 503
        #[arg(long)]
        strict: bool,
    },
    /// Run everything in this process: Kafka, generated records, the bridge and a receiver like InfluxDB
    #[command(after_help = examples::DEMO)]
    Demo {
        /// End by itself after so many seconds
        #[arg(long, value_name = "N")]
        seconds: Option<u64>,
    },
}

#[derive(clap::Args)]
struct Init {
    /// Where Kafka listens, separated by commas [default: localhost:9092]
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    brokers: Vec<String>,
    /// Take [kafka] and [influx] of a configuration that is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A property of librdkafka for the connection, such as security.protocol=ssl; may be given again
    #[arg(long, value_name = "NAME=VALUE")]
    kafka_property: Vec<String>,
    /// A topic, or a regular expression that begins with "^"; may be given again [default: all that hold JSON objects]
    #[arg(long, value_name = "NAME")]
    topic: Vec<String>,
    /// Look at a file of records, one a line or pretty-printed, instead of Kafka; "-" is standard input
    #[arg(long, value_name = "RECORDS")]
    file: Option<PathBuf>,
    /// Look at so many records of each topic, its last ones
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    records: u32,
    /// Wait at most so long for the records of a topic
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Where InfluxDB listens
    #[arg(long, value_name = "URL")]
    influx_url: Option<String>,
    /// InfluxDB 2: the organization's name
    #[arg(long, value_name = "NAME", conflicts_with = "database")]
    org: Option<String>,
    /// InfluxDB 2: the bucket
    #[arg(long, value_name = "NAME", conflicts_with = "database")]
    bucket: Option<String>,
    /// InfluxDB 1, VictoriaMetrics: the database
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// The file to write; "-" is standard output
    #[arg(short, long, value_name = "FILE", default_value = "bridge.toml")]
    output: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

impl Init {
    fn options(self) -> init::Options {
        let Self { influx_url: url, org, bucket, database, .. } = self;
        init::Options {
            config: self.config,
            brokers: self.brokers,
            kafka_properties: self.kafka_property,
            topics: self.topic,
            file: self.file,
            records: self.records as usize,
            wait: Duration::from_secs(self.seconds),
            influx: init::Influx { url, org, bucket, database },
            output: self.output,
            force: self.force,
        }
    }
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
            Some(Command::Migrate { files, output, force, diff }) => {
                migrate::migrate(&migrate::Options { files, output, force, diff })
            }
            Some(Command::ReplayDeadLetters { config, topic, dry_run, files }) => {
                let source = match topic {
                    None => replay::Source::Files(files),
                    Some(name) => replay::Source::Topic(Some(name).filter(|name| !name.is_empty())),
                };
                replay::replay(&replay::Options { config: config.config, source, dry_run })
            }
            Some(Command::Init(arguments)) => init::init(&arguments.options()),
            Some(Command::Health { config, strict }) => health::health(config.config.as_deref(), strict),
            Some(Command::Demo { seconds }) => demo::demo(seconds),
            None => {
                eprintln!("{}", ways_to_begin());
                ExitCode::from(WRONG)
            }
        }
    }
}

/// What to say to somebody who gave no command.
fn ways_to_begin() -> String {
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

/// Examples at the end of each command's `--help`.
mod examples {
    pub const ALL: &str = "\
Examples:
  kafka-influx-bridge demo                         the whole thing, with nothing installed
  kafka-influx-bridge init --brokers kafka:9092    a bridge.toml for the topics that are there, from their records
  kafka-influx-bridge migrate telegraf.conf        the bridge.toml that does the same
  kafka-influx-bridge check                        every error of ./bridge.toml, with its line and what to do
  kafka-influx-bridge map records.jsonl            the lines that records would become
  INFLUX_TOKEN=... kafka-influx-bridge run         the service";

    pub const RUN: &str = "\
Examples:
  INFLUX_TOKEN=... kafka-influx-bridge run                          by ./bridge.toml
  kafka-influx-bridge run --config /etc/bridges/second.toml         another bridge
  kafka-influx-bridge run --until-end                               what is there now, then an end";

    pub const CHECK: &str = "\
Examples:
  kafka-influx-bridge check                        the file alone; exit status 2 if it is wrong
  kafka-influx-bridge check --connect              the servers, too; exit status 1 if something FAILED";

    pub const MAP: &str = "\
Examples:
  kafka-influx-bridge map records.jsonl                             by ./bridge.toml
  kafka-influx-bridge map --topic testtopic < records.jsonl         by the mapping of this topic
  kafka-influx-bridge map --live 10 --topic testtopic               what the topic brings within 10 s";

    pub const MIGRATE: &str = "\
Examples:
  kafka-influx-bridge migrate telegraf.conf                                   to look at
  kafka-influx-bridge migrate /etc/telegraf/telegraf.conf /etc/telegraf/telegraf.d -o bridge.toml
  kafka-influx-bridge migrate fluent.conf -o bridge.toml
  kafka-influx-bridge migrate telegraf.conf --diff records.jsonl              both programs' points, side by side";

    pub const REPLAY: &str = "\
Examples:
  kafka-influx-bridge replay-dead-letters --dry-run dead-letter.jsonl         what they would become now
  kafka-influx-bridge replay-dead-letters dead-letter.jsonl dead-letter.jsonl.1
  kafka-influx-bridge replay-dead-letters --topic                             the topic of [dead_letter]";

    pub const INIT: &str = "\
Examples:
  kafka-influx-bridge init                                                    all topics of localhost:9092
  kafka-influx-bridge init --brokers kafka:9092 --topic metrics --org test --bucket ec2
  kafka-influx-bridge init --topic ^sensors\\. --database plant                InfluxDB 1
  kafka-influx-bridge init --config bridge.toml --topic metrics -o new.toml   by the connections of another file
  kafka-influx-bridge init --file records.jsonl -o -                          without Kafka, to look at";

    pub const HEALTH: &str = "\
Examples:
  kafka-influx-bridge health                       for a container's health check: by admin.listen of the configuration
  kafka-influx-bridge health --strict              for monitoring: also fails while an alarm keeps records from being stored";

    pub const DEMO: &str = "\
Examples:
  kafka-influx-bridge demo --seconds 20";
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// What stands behind the command is for people: two spaces or more set it apart.
    #[test]
    fn examples_are_commands() {
        Arguments::command().debug_assert();
        let all = [
            examples::ALL,
            examples::RUN,
            examples::CHECK,
            examples::MAP,
            examples::MIGRATE,
            examples::REPLAY,
            examples::INIT,
            examples::HEALTH,
            examples::DEMO,
        ];
        for line in all.iter().flat_map(|examples| examples.lines().skip(1)) {
            let command = line.trim().split("  ").next().unwrap_or_default();
            let command =
                command.trim_start_matches("INFLUX_TOKEN=... ").split(" < ").next().unwrap_or_default();
            let parsed = Arguments::try_parse_from(command.split(' '));
            assert!(parsed.is_ok_and(|arguments| arguments.command.is_some()), "{line}");
        }
    }
}
