//! `init`: samples topics or a file of records, and writes a bridge.toml with the reason for each choice.

mod compose;
mod connection;
mod sampling;

use super::config_file::config_option;
use super::exit::{CONNECTION_FAILED, WRONG};
use crate::init::{Sample, SampledRecord, Trial, framed, is_encoded_twice, propose};
use crate::records::{InputRecord, Records};
use crate::terminal::{ProgressBar, report};
use base::record::{Record, RecordTime};
use base::text::{counted, printable};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use compose::{Composed, SampledTopics, Source};
use configuration::managed_kafka::{PRESETS, Preset};
use configuration::{Config, ConfigErrors, why_no_topic};
use connection::Connection;
use engine::telemetry::now_ns;
use kafka::Diagnosis;
use line_protocol::LineBuffer;
use mapping::{
    Compression, Csv, Format, Frame, Lookup, Mapper, MissingSchema, RecordLimits, Rules, Schemas,
    messages_of_file,
};
use schema_registry::RegistryError;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use thiserror::Error;

/// Placeholder topic for the records of a file.
const TOPIC_UNKNOWN: &str = "metrics";

/// Arguments of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct InitOptions {
    /// Kafka brokers, separated by commas [default: localhost:9092]
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    brokers: Vec<String>,
    /// Use the settings of Kafka, of the schema registry and of InfluxDB in an existing configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Settings of a managed Kafka service; its password is read from the variable `KAFKA_PASSWORD`
    #[arg(long, value_name = "SERVICE", conflicts_with = "config", value_parser = presets())]
    preset: Option<&'static Preset>,
    /// librdkafka property for the connection, such as security.protocol=ssl; may be repeated
    #[arg(long = "kafka-property", value_name = "NAME=VALUE")]
    kafka_properties: Vec<String>,
    /// Topic, or regular expression that begins with "^"; may be repeated [default: all topics with JSON objects]
    #[arg(long = "topic", value_name = "NAME")]
    topics: Vec<String>,
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
    #[command(flatten)]
    influx: Influx,
    /// File to write; "-" is standard output
    #[arg(short, long, value_name = "FILE", default_value = "bridge.toml")]
    output: PathBuf,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
}

fn presets() -> impl TypedValueParser<Value = &'static Preset> {
    let names = PossibleValuesParser::new(PRESETS.iter().map(|preset| preset.name));
    names.try_map(|name| Preset::named(&name).ok_or("no service has this name"))
}

impl InitOptions {
    /// The files of records, if the records are not read from Kafka.
    fn record_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.file.iter().chain(&self.files)
    }

    /// Whether the records are those of files.
    fn is_of_files(&self) -> bool {
        self.record_files().next().is_some()
    }
}

/// Destination of points, as far as the user named it.
#[derive(Clone, Debug, Default, clap::Args)]
struct Influx {
    /// URL of InfluxDB
    #[arg(long = "influx-url", value_name = "URL")]
    url: Option<String>,
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
}

impl Influx {
    /// Whether the database is one of InfluxDB 3.
    fn is_v3(&self) -> bool {
        self.api == "v3"
    }

    fn is_given(&self) -> bool {
        self.url.is_some() || self.org.is_some() || self.bucket.is_some() || self.database.is_some()
    }

    /// Required keys of [influx] that the user did not name.
    fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        missing.extend(self.url.is_none().then_some("url"));
        if self.database.is_none() {
            missing.extend(self.org.is_none().then_some("org"));
            missing.extend(self.bucket.is_none().then_some("bucket"));
        }
        missing
    }
}

#[derive(Debug, Error)]
pub(super) enum InitError {
    #[error("{} exists already: --force overwrites it, -o FILE writes another file, -o - only shows the result", .0.display())]
    Exists(PathBuf),
    #[error("{} can't be read: {why}", .path.display())]
    Input { path: PathBuf, why: io::Error },
    #[error("{} can't be written: {why}", .path.display())]
    Output { path: PathBuf, why: io::Error },
    #[error("{0:?} is not a property: write --kafka-property NAME=VALUE with a name of librdkafka")]
    Property(String),
    #[error(
        "--preset {} needs the addresses of the brokers, such as --brokers {}, or files of records as arguments", .0.name, .0.broker
    )]
    NoBrokers(&'static Preset),
    #[error("{} is not TOML: {why}; `check --config` shows the position", .path.display())]
    NotToml { path: PathBuf, why: String },
    #[error("the configuration of the connections has errors:\n{0}")]
    Connection(ConfigErrors),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("--topic: {0}")]
    TopicName(String),
    #[error(
        "no broker answers at {brokers}: {why} (`kafka.brokers` is --brokers here; [kafka.tls] and [kafka.sasl] come from the file of --config)"
    )]
    Brokers { brokers: String, why: Diagnosis },
    #[error("no topic is called {wanted}{there}")]
    NoSuchTopic { wanted: String, there: String },
    #[error("no topic has records{left_out}; name a topic with --topic, or a file of records as an argument")]
    NoTopics { left_out: String },
    #[error(
        "{topic} is empty, and no record arrived within {seconds} s: start its producers, wait longer with --seconds, or name a file of records as an argument"
    )]
    Empty { topic: String, seconds: u64 },
    #[error("{topic} can't be read: {why}")]
    Topic { topic: String, why: String },
    #[error(
        "{place}: no JSON object found, and only objects become points{first}; if whole values are texts, write a [[mapping]] with \
         `format = \"value\"`"
    )]
    NoObjects { place: String, first: String },
    #[error(
        "{place}: the records are JSON strings that hold JSON, such as {first}, and only objects become points: the producer encodes each record \
         twice, so let it send the object itself"
    )]
    EncodedTwice { place: String, first: String },
    #[error("{place}: no record found: name a file with records, one a line")]
    NoRecords { place: String },
    #[error(
        "{place}: the records have the frame of a schema registry ({schemas}), and only its schemas show their keys: name the registry with \
         --schema-registry URL, or with a file that has [schema_registry] in --config FILE"
    )]
    Framed { place: String, schemas: String },
    #[error(
        "{place}: the records have the frame of a schema registry, and their keys are unknown, because {why}"
    )]
    Schemas { place: String, why: String },
    #[error("nothing is written, because the resulting file would have errors:\n{0}")]
    Wrong(ConfigErrors),
}

impl InitError {
    fn status(&self) -> u8 {
        match self {
            Self::Brokers { .. }
            | Self::NoTopics { .. }
            | Self::Empty { .. }
            | Self::Topic { .. }
            | Self::NoObjects { .. }
            | Self::EncodedTwice { .. }
            | Self::NoRecords { .. }
            | Self::Framed { .. }
            | Self::Schemas { .. } => CONNECTION_FAILED,
            _ => WRONG,
        }
    }
}

/// Writes the file; messages go to standard error.
pub fn init(options: &InitOptions) -> ExitCode {
    match write(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report!("{error}");
            ExitCode::from(error.status())
        }
    }
}

fn write(options: &InitOptions) -> Result<(), InitError> {
    let is_file = options.output != Path::new("-");
    if is_file && !options.force && options.output.exists() {
        return Err(InitError::Exists(options.output.clone()));
    }
    // Before the wait for a broker that does not answer.
    if let Some(why) = options.topics.iter().find_map(|topic| why_no_topic(topic)) {
        return Err(InitError::TopicName(why));
    }
    let connection = Connection::new(options)?;
    let mut bar = ProgressBar::new();
    let found = if options.is_of_files() {
        files(&connection, options)?
    } else {
        sampling::sample(&connection, options, &mut bar)?
    };
    bar.erase();
    let text = text(&connection, &found, options)?;
    if is_file {
        save(&options.output, &text, options.force)?;
        let fill_in = compose::fill_in(&Source { connection: &connection, found: &found, options });
        report!("{}", next_steps(&options.output, options, &fill_in));
    } else {
        let shown = io::stdout().lock().write_all(text.as_bytes());
        shown.map_err(|why| InitError::Output { path: options.output.clone(), why })?;
    }
    Ok(())
}

/// The text of the file, after mapping the samples with it.
fn text(connection: &Connection, found: &SampledTopics, options: &InitOptions) -> Result<String, InitError> {
    let source = Source { connection, found, options };
    let plain = compose::draft(&source, &[]).to_string();
    let config = check(&plain, connection)?;
    let trials: Vec<Option<Trial>> = found.all().map(|(sample, _)| Trial::run(&config, sample)).collect();
    let estimates: Vec<Composed<'_>> = found
        .all()
        .zip(&trials)
        .filter_map(|((sample, proposal), trial)| {
            let trial = trial.as_ref()?;
            Some(Composed {
                topic: &sample.topic,
                lines: crate::init::estimate(&sample.topic, proposal, trial),
            })
        })
        .collect();
    for line in estimates.iter().flat_map(|estimate| &estimate.lines) {
        report!("{line}");
    }
    for group in &found.groups {
        let topics = group.topics();
        let of_others = match topics.len() {
            0 | 1 => String::new(),
            count => format!(" and {}", counted(count - 1, "other topic")),
        };
        let first = topics.first().map(String::as_str).unwrap_or_default();
        for warning in &group.proposal.warnings {
            report!("{first}{of_others}: {warning}");
        }
    }
    let text = compose::draft(&source, &estimates).to_string();
    check(&text, connection)?;
    Ok(text)
}

fn check(text: &str, connection: &Connection) -> Result<Config, InitError> {
    configuration::parse_without_secrets(&connection.place, text)
        .map(|loaded| loaded.config)
        .map_err(InitError::Wrong)
}

/// Samples the first records of files, which all belong to one topic.
fn files(connection: &Connection, options: &InitOptions) -> Result<SampledTopics, InitError> {
    let named = options.topics.iter().find(|topic| !topic.starts_with('^'));
    let topic = named.map_or(TOPIC_UNKNOWN, String::as_str).to_owned();
    let schemas = connection.schemas.clone();
    let mut sample = Sample { topic, schemas, is_file: true, records: Vec::new() };
    for path in options.record_files() {
        add_records(path, options.records as usize, &mut sample)?;
    }
    let shown = |path: &PathBuf| {
        if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
    };
    let place = printable(&options.record_files().map(shown).collect::<Vec<_>>().join(", "), 200);
    if sample.records.is_empty() {
        return Err(InitError::NoRecords { place });
    }
    let proposal = propose(&sample, now_ns()).ok_or_else(|| {
        without_objects(&sample, format!("the {} of {place}", counted(sample.records.len(), "record")))
    })?;
    let mut found = SampledTopics { place, topic_is_unknown: named.is_none(), ..SampledTopics::default() };
    found.add(sample, proposal);
    Ok(found)
}

/// Adds the records of a file, up to this number in the sample.
fn add_records(path: &Path, records_max: usize, sample: &mut Sample) -> Result<(), InitError> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    let bytes = bytes.map_err(|why| InitError::Input { path: path.to_owned(), why })?;
    let unpacked = Compression::of_value(&bytes).map(|(_, unpacked)| unpacked);
    let content = unpacked.as_deref().unwrap_or(&bytes);
    let first = |format| Records::new(content, format).next();
    let of_lines = || first(Format::Influx).filter(|line| mapping::is_line_protocol(line.bytes));
    let of_table = || first(Format::Csv).and_then(|rows| Csv::with_first_line(rows.bytes));
    let of_values = || first(Format::Value).filter(|line| mapping::is_single_value(line.bytes));
    let of_encoded = || first(Format::Value).filter(|line| is_encoded_twice(line.bytes));
    let of_text = || {
        let of_encoded = of_encoded().map(|_| Format::Json);
        let of_lines = || of_lines().map(|_| Format::Influx);
        let of_lines = of_encoded.or_else(of_lines);
        of_lines.or_else(|| of_table().map(|_| Format::Csv)).or_else(|| of_values().map(|_| Format::Value))
    };
    // The text behind a frame would read as a table, whose cells have its quotes and commas.
    let of_framed_json = || Frame::of(content).filter(Frame::is_json).map(|_| Format::Json);
    let of_file = || Format::of_binary_file(content).or_else(of_framed_json).or_else(of_text);
    let rules = framed_rules(content, sample.schemas.as_deref());
    let records = match &rules {
        _ if unpacked.is_some() => Records::one(&bytes),
        Some(rules) => Records::by_rules(&bytes, rules, sample.schemas.as_ref()),
        None => Records::new(&bytes, of_file().unwrap_or_default()),
    };
    let before = sample.records.len();
    let sampled = |(number, record): (usize, InputRecord<'_>)| SampledRecord {
        partition: 0,
        offset: (before + number) as i64,
        time_ms: None,
        value: Some(record.bytes.to_vec()),
    };
    let records: Vec<_> = records.take(records_max - before).enumerate().map(sampled).collect();
    sample.records.extend(records);
    Ok(())
}

/// The rules for reading a file of values with a frame, by the schema of the first value; none for other files, and without a registry.
fn framed_rules(bytes: &[u8], schemas: Option<&dyn Schemas>) -> Option<Rules> {
    // Messages of Protobuf stand behind their lengths.
    let of_message = || Frame::of(messages_of_file(bytes).first().copied()?);
    let first = Frame::of(bytes).or_else(of_message)?;
    match schemas?.find(first.schema) {
        Lookup::Ready(schema) => Some(Rules { format: schema.format(), ..Rules::default() }),
        Lookup::Unusable(_) | Lookup::Missing(_) => None,
    }
}

/// Why a mapping without options rejects a value; none if it does not.
fn why_rejected(value: &[u8]) -> Option<String> {
    let limits = RecordLimits { record_bytes_max: usize::MAX, lines_bytes_max: usize::MAX };
    let mut mapper = Mapper::new(Arc::default(), TOPIC_UNKNOWN, limits);
    let (time, value) = (RecordTime::At(0), Some(value));
    let record = Record { partition: 0, offset: 0, time, key: None, value, headers: &[] };
    let outcome = mapper.map(&record, &mut LineBuffer::default());
    outcome.rejected.first().map(|(_, why)| printable(&why.to_string(), 200))
}

/// The error for records without an object.
fn without_objects(sample: &Sample, place: String) -> InitError {
    /// Ids that the message names.
    const NAMED_MAX: usize = 5;
    let values = || sample.records.iter().filter_map(|record| record.value.as_deref());
    let mut encoded = values().filter(|value| is_encoded_twice(value));
    if let Some(first) = encoded.next()
        && (encoded.count() + 1) * 2 > values().count()
    {
        return InitError::EncodedTwice { place, first: printable(&String::from_utf8_lossy(first), 80) };
    }
    let Some(ids) = framed(sample) else {
        let first = sample.records.iter().find_map(|record| why_rejected(record.value.as_deref()?));
        let first = first.map(|why| format!(" (the first rejected record: {why})")).unwrap_or_default();
        return InitError::NoObjects { place, first };
    };
    if let Some(schemas) = &sample.schemas {
        // The id that was asked for first decides the format.
        let why = ids.first().and_then(|id| match schemas.find(*id) {
            Lookup::Ready(_) => None,
            Lookup::Unusable(why) => Some(format!("schema {id} can't be used: {why}")),
            Lookup::Missing(MissingSchema::Failed(failure)) => {
                Some(format!("{}: {}", failure.why, failure.remedy))
            }
            Lookup::Missing(MissingSchema::Unknown) => {
                Some(format!("the registry does not know schema {id}: correct the address of the registry"))
            }
            Lookup::Missing(_) => Some(format!("the registry has not answered about schema {id} in time")),
        });
        let why = why.unwrap_or_else(|| "the values are no objects, or do not fit their schemas".to_owned());
        return InitError::Schemas { place, why };
    }
    let named: Vec<String> = ids.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    let word = if ids.len() == 1 { "schema" } else { "schemas" };
    let more = if ids.len() > NAMED_MAX { " and others" } else { "" };
    InitError::Framed { place, schemas: format!("{word} {}{more}", named.join(", ")) }
}

/// Overwrites an existing file only with `force`, even if the file appeared after the first check.
fn save(path: &Path, text: &str, force: bool) -> Result<(), InitError> {
    let mut how = OpenOptions::new();
    let how = if force { how.create(true).truncate(true) } else { how.create_new(true) };
    let saved = how.write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    saved.map_err(|why| match why.kind() {
        io::ErrorKind::AlreadyExists => InitError::Exists(path.to_owned()),
        _ => InitError::Output { path: path.to_owned(), why },
    })
}

/// `fill_in`: keys that the user must fill in.
fn next_steps(path: &Path, options: &InitOptions, fill_in: &[String]) -> String {
    let config = config_option(path);
    let variable =
        if (options.influx.database.is_some() && !options.influx.is_v3()) || options.config.is_some() {
            ""
        } else {
            "INFLUX_TOKEN=... "
        };
    let steps = [
        (variable, "check", "checks the file"),
        (variable, "check --connect", "also checks the servers"),
        ("", "map --live 10", "shows the lines that records become"),
        (variable, "run", "runs the service"),
    ];
    let steps = steps
        .map(|(variable, command, why)| (format!("{variable}kafka-influx-bridge {command}{config}"), why));
    let width = steps.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> =
        steps.iter().map(|(command, why)| format!("  {command:<width$}   {why}")).collect();
    let fill_in =
        if fill_in.is_empty() { String::new() } else { format!(", fill in {}", fill_in.join(", ")) };
    let variables: Vec<&str> = options.preset.map(Preset::variables).unwrap_or_default();
    let set = if variables.is_empty() { String::new() } else { format!(", set {}", variables.join(" and ")) };
    format!("{} is written. Read it{fill_in}{set}, then:\n{}", path.display(), lines.join("\n"))
}
