//! Command-line arguments.

use super::exit::WRONG;
use super::{check, demo, health, init, map, migrate, replay, run};
use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use configuration::managed_kafka::{PRESETS, Preset};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Reads JSON metrics from Kafka topics and writes them to InfluxDB as points.
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
        config: ConfigFile,
        /// Exit when all records that are in Kafka at the start are stored and committed
        #[arg(long)]
        until_end: bool,
    },
    /// Check the configuration: list all errors, or describe what each mapping does
    #[command(after_help = examples::CHECK)]
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Also connect to the brokers and InfluxDB
        #[arg(long)]
        connect: bool,
    },
    /// Show the lines that records become, without writing anything
    #[command(after_help = examples::MAP)]
    Map {
        #[command(flatten)]
        config: ConfigFile,
        /// Topic of the records, which selects the mapping [default: the first of `kafka.topics`]
        #[arg(long)]
        topic: Option<String>,
        /// Kafka timestamp of all records, in nanoseconds since 1970 [default: lines have no timestamp]
        #[arg(long, value_name = "NS", allow_hyphen_values = true)]
        timestamp: Option<i64>,
        /// Read the topic for this number of seconds, from its last records on, without joining the group or committing
        #[arg(long, value_name = "SECONDS", conflicts_with_all = ["files", "timestamp"])]
        live: Option<u64>,
        /// Files of records, one per line or pretty-printed [default: standard input]
        files: Vec<PathBuf>,
    },
    /// Convert a telegraf.conf, a fluent.conf or a Logstash pipeline to a bridge.toml, and list all lines without a counterpart
    #[command(after_help = examples::MIGRATE)]
    Migrate {
        /// Files, and folders such as telegraf.d or conf.d with *.conf files; "-" is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// File to write, or folder for bridge.toml; further files are written beside it [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Overwrite an existing file
        #[arg(long)]
        force: bool,
        /// Write nothing, and show the points of the records in a file beside those of Telegraf, if Telegraf is installed (or
        /// named by the variable TELEGRAF); exit status 1 if points differ
        #[arg(long, value_name = "RECORDS", conflicts_with = "output")]
        diff: Option<PathBuf>,
    },
    /// Map dead letters with the current configuration and write the points; the files or the topic of letters stay unchanged
    #[command(after_help = examples::REPLAY)]
    ReplayDeadLetters {
        #[command(flatten)]
        config: ConfigFile,
        /// Read a dead-letter topic up to its present end [default: the topic of `[dead_letter]`]
        #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with = "files")]
        topic: Option<String>,
        /// Show the lines instead of writing them
        #[arg(long)]
        dry_run: bool,
        /// Files of dead letters
        #[arg(required_unless_present = "topic")]
        files: Vec<PathBuf>,
    },
    /// Write a bridge.toml from sampled records, with the reason for each choice
    #[command(after_help = examples::INIT)]
    Init(Box<Init>),
    /// Check the health of the running service: exit status 0, or 1 with the reason
    #[command(after_help = examples::HEALTH)]
    Health {
        #[command(flatten)]
        config: ConfigFile,
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

#[derive(clap::Args)]
struct Init {
    /// Kafka brokers, separated by commas [default: localhost:9092]
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    brokers: Vec<String>,
    /// Use the settings of Kafka, of the schema registry and of InfluxDB in an existing configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Settings of a managed Kafka service; its password is read from the variable `KAFKA_PASSWORD`
    #[arg(long, value_name = "SERVICE", conflicts_with = "config", value_parser = presets())]
    preset: Option<String>,
    /// librdkafka property for the connection, such as security.protocol=ssl; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    kafka_property: Vec<String>,
    /// Topic, or regular expression that begins with "^"; may be repeated [default: all topics with JSON objects]
    #[arg(long, value_name = "NAME")]
    topic: Vec<String>,
    /// Files of records of one topic, one per line or pretty-printed, to sample instead of Kafka; "-" is standard input
    files: Vec<PathBuf>,
    /// The same as a plain argument
    #[arg(long, value_name = "RECORDS", hide = true)]
    file: Vec<PathBuf>,
    /// Number of records to sample from each topic, the last ones
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    records: u32,
    /// Time limit for reading the records of a topic, in seconds
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Schema registry whose schemas show the keys of framed Avro and Protobuf records
    #[arg(long, value_name = "URL")]
    schema_registry: Option<String>,
    /// URL of InfluxDB
    #[arg(long, value_name = "URL")]
    influx_url: Option<String>,
    /// InfluxDB 2: organization
    #[arg(long, value_name = "NAME", conflicts_with = "database")]
    org: Option<String>,
    /// InfluxDB 2: bucket
    #[arg(long, value_name = "NAME", conflicts_with = "database")]
    bucket: Option<String>,
    /// InfluxDB 1, InfluxDB 3, VictoriaMetrics: database
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// API of the database: "v1", or "v3" for InfluxDB 3
    #[arg(long, value_name = "API", requires = "database", default_value = "v1", value_parser = ["v1", "v3"])]
    api: String,
    /// File to write; "-" is standard output
    #[arg(short, long, value_name = "FILE", default_value = "bridge.toml")]
    output: PathBuf,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
}

impl Init {
    fn options(self) -> init::InitOptions {
        let Self { influx_url: url, org, bucket, database, api, .. } = self;
        init::InitOptions {
            config: self.config,
            brokers: self.brokers,
            preset: self.preset.as_deref().and_then(Preset::named),
            kafka_properties: self.kafka_property,
            topics: self.topic,
            files: [self.file, self.files].concat(),
            records: self.records as usize,
            wait: Duration::from_secs(self.seconds),
            schema_registry: self.schema_registry,
            influx: init::Influx { url, org, bucket, database, is_v3: api == "v3" },
            output: self.output,
            force: self.force,
        }
    }
}

fn presets() -> PossibleValuesParser {
    PossibleValuesParser::new(PRESETS.iter().map(|preset| preset.name))
}

#[derive(clap::Args)]
struct ConfigFile {
    /// Configuration file [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Arguments {
    /// Runs the command.
    pub fn run(self) -> ExitCode {
        match self.command {
            Some(Command::Run { config, until_end }) => run::run(config.config.as_deref(), until_end),
            Some(Command::Check { config, connect }) => check::check(config.config.as_deref(), connect),
            Some(Command::Map { config, topic, timestamp, live, files }) => {
                let live = live.map(Duration::from_secs);
                map::map(&map::MapOptions { config: config.config, topic, timestamp, live, files })
            }
            Some(Command::Migrate { files, output, force, diff }) => {
                migrate::migrate(&migrate::MigrateOptions { files, output, force, diff })
            }
            Some(Command::ReplayDeadLetters { config, topic, dry_run, files }) => {
                let source = match topic {
                    None => replay::Source::Files(files),
                    Some(name) => replay::Source::Topic(Some(name).filter(|name| !name.is_empty())),
                };
                replay::replay(&replay::ReplayOptions { config: config.config, source, dry_run })
            }
            Some(Command::Init(arguments)) => init::init(&arguments.options()),
            Some(Command::Health { config, strict }) => health::health(config.config.as_deref(), strict),
            Some(Command::Demo { seconds }) => demo::demo(seconds),
            None => {
                eprintln!("{}", first_steps());
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
  kafka-influx-bridge run --config /etc/bridges/second.toml         with another configuration
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
  kafka-influx-bridge replay-dead-letters --dry-run dead-letter.jsonl         show the lines of the letters
  kafka-influx-bridge replay-dead-letters dead-letter.jsonl dead-letter.jsonl.1
  kafka-influx-bridge replay-dead-letters --topic                             replay the topic of [dead_letter]";

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
