//! Command-line arguments.

use super::config_file::OnlyConfigFile;
use super::exit::WRONG;
use super::{check, demo, health, init, map, migrate, replay, run};
use crate::terminal::report;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Reads metrics from Kafka topics (JSON, line protocol, CSV, Avro, Protobuf and others) and writes them to InfluxDB as points.
#[derive(Parser)]
#[command(name = "kafka-influx-bridge", version, after_help = examples::ALL)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service: read records, map them to points, write the points, commit. SIGHUP reloads the configuration
    #[command(after_help = examples::RUN)]
    Run {
        #[command(flatten)]
        config: OnlyConfigFile,
        /// Exit when all records that are in Kafka at the start are stored and committed
        #[arg(long)]
        until_end: bool,
    },
    /// Check the configuration: list all errors, or describe what each mapping does
    #[command(after_help = examples::CHECK)]
    Check {
        #[command(flatten)]
        config: OnlyConfigFile,
        /// Also connect to the brokers and InfluxDB
        #[arg(long)]
        connect: bool,
    },
    /// Show the lines that records become, without writing anything
    #[command(after_help = examples::MAP)]
    Map(map::MapOptions),
    /// Convert a telegraf.conf, a fluent.conf or a Logstash pipeline to a bridge.toml, and list all lines without a counterpart
    #[command(after_help = examples::MIGRATE)]
    Migrate(migrate::MigrateOptions),
    /// Map dead letters with the current configuration and write the points; the files or the topic of letters stay unchanged
    #[command(after_help = examples::REPLAY)]
    ReplayDeadLetters(replay::ReplayOptions),
    /// Write a bridge.toml from sampled records, with the reason for each choice
    #[command(after_help = examples::INIT)]
    Init(Box<init::InitOptions>),
    /// Check the health of the running service: exit status 0, or 1 with the reason
    #[command(after_help = examples::HEALTH)]
    Health {
        #[command(flatten)]
        config: OnlyConfigFile,
        /// Exit with 1 also while the bridge is blocked, as /readyz?strict answers 503
        #[arg(long)]
        strict: bool,
    },
    /// Run the bridge with an embedded Kafka, generated records and an InfluxDB-like receiver, in one process
    #[command(after_help = examples::DEMO)]
    Demo {
        /// Exit after this number of seconds
        #[arg(long, value_name = "N")]
        seconds: Option<u64>,
    },
}

impl Arguments {
    /// Runs the command.
    pub fn run(self) -> ExitCode {
        match self.command {
            Some(Command::Run { config, until_end }) => run::run(config.named(), until_end),
            Some(Command::Check { config, connect }) => check::check(config.named(), connect),
            Some(Command::Map(options)) => map::map(&options),
            Some(Command::Migrate(options)) => migrate::migrate(&options),
            Some(Command::ReplayDeadLetters(options)) => replay::replay(&options),
            Some(Command::Init(options)) => init::init(&options),
            Some(Command::Health { config, strict }) => health::health(config.named(), strict),
            Some(Command::Demo { seconds }) => demo::demo(seconds),
            None => {
                report!("{}", first_steps());
                ExitCode::from(WRONG)
            }
        }
    }
}

/// The message for a call without a command.
fn first_steps() -> String {
    let found = configuration::SEARCHED.iter().map(|path| {
        let exists = std::path::Path::new(path).exists();
        format!("  {path}: {}\n", if exists { "found" } else { "not found" })
    });
    format!(
        "No command. Configuration files:\n{}\n\
         First steps:\n\
         \x20 kafka-influx-bridge demo       see the bridge work, with nothing installed\n\
         \x20 kafka-influx-bridge init       write a configuration from sampled records\n\
         \x20 kafka-influx-bridge migrate    convert a telegraf.conf to a bridge.toml\n\
         \x20 kafka-influx-bridge check      check a configuration\n\
         \x20 kafka-influx-bridge run        run the service\n\
         \x20 kafka-influx-bridge --help     list all commands",
        found.collect::<String>()
    )
}

/// Examples at the end of each command's `--help`.
mod examples {
    pub const ALL: &str = "\
Examples:
  kafka-influx-bridge demo                         see the bridge work, with nothing installed
  kafka-influx-bridge init --brokers kafka:9092    write a bridge.toml for all topics, from sampled records
  kafka-influx-bridge migrate telegraf.conf        show the equivalent bridge.toml
  kafka-influx-bridge check                        list all errors of ./bridge.toml
  kafka-influx-bridge map records.jsonl            show the lines that records become
  INFLUX_TOKEN=... kafka-influx-bridge run         run the service";

    pub const RUN: &str = "\
Examples:
  INFLUX_TOKEN=... kafka-influx-bridge run                          with ./bridge.toml
  kafka-influx-bridge run /etc/bridges/second.toml                  with another configuration
  kafka-influx-bridge run --until-end                               store all present records, then exit";

    pub const CHECK: &str = "\
Examples:
  kafka-influx-bridge check                        check the file; exit status 2 if it has errors
  kafka-influx-bridge check --connect              also check the servers; exit status 1 if a check FAILED";

    pub const MAP: &str = "\
Examples:
  kafka-influx-bridge map records.jsonl                             with ./bridge.toml
  kafka-influx-bridge map --topic testtopic < records.jsonl         with the mapping of this topic
  kafka-influx-bridge map --live 10 --topic testtopic               read the topic for 10 s";

    pub const MIGRATE: &str = "\
Examples:
  kafka-influx-bridge migrate telegraf.conf                                   show the result
  kafka-influx-bridge migrate /etc/telegraf/telegraf.conf /etc/telegraf/telegraf.d -o bridge.toml
  kafka-influx-bridge migrate fluent.conf -o bridge.toml
  kafka-influx-bridge migrate telegraf.conf --diff records.jsonl              compare the points of both programs";

    pub const REPLAY: &str = "\
Examples:
  kafka-influx-bridge replay-dead-letters --dry-run                           show the lines of the letters of [dead_letter]
  kafka-influx-bridge replay-dead-letters                                     store them
  kafka-influx-bridge replay-dead-letters dead-letter.jsonl dead-letter.jsonl.1
  kafka-influx-bridge replay-dead-letters --topic metrics-dead-letter         replay another topic";

    pub const INIT: &str = "\
Examples:
  kafka-influx-bridge init                                                    sample all topics of localhost:9092
  kafka-influx-bridge init --brokers kafka:9092 --topic metrics --org test --bucket ec2
  kafka-influx-bridge init --topic ^sensors\\. --database plant                for InfluxDB 1
  kafka-influx-bridge init --topic metrics --database plant --api v3          for InfluxDB 3
  kafka-influx-bridge init --config bridge.toml --topic metrics -o new.toml   with the connections of another file
  kafka-influx-bridge init --preset msk --brokers b-1.example.com:9096        for a managed Kafka
  kafka-influx-bridge init records.jsonl -o -                                 sample a file, show the result";

    pub const HEALTH: &str = "\
Examples:
  kafka-influx-bridge health                       for the health check of a container; uses admin.listen of the configuration
  kafka-influx-bridge health --strict              for monitoring; also fails while the bridge is blocked";

    pub const DEMO: &str = "\
Examples:
  kafka-influx-bridge demo --seconds 20";
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// Two or more spaces separate a command from its description.
    #[test]
    fn the_examples_are_valid_commands() {
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
