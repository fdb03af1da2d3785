//! Writes a Telegraf configuration that makes the same points, for `--diff`.

use super::conf::{Data, Options, Value};
use super::kafka::OF_JSON;
use super::report::Report;
use super::rules::{NAMES_AND_FILTERS, Rules};
use super::{INPUT, conf, csv, influx, output, processors};
use crate::{Input, Machine, Notes};

/// The record header, and tag, that links a point to its record.
pub const MARK: &str = "bridge_diff_record";

/// Options of the input that concern records, besides its format, names and filters.
const OF_INPUT: [&str; 12] = [
    "data_format",
    "topic_tag",
    "timestamp_source",
    "max_message_len",
    "msg_header_as_metric_name",
    "tags",
    "fieldpass",
    "fielddrop",
    "pass",
    "drop",
    "metricpass",
    "precision",
];
const OF_OUTPUT: [&str; 2] = ["metricpass", "exclude_bucket_tag"];

/// The configuration for the first migrated input and the first output that takes it. `{brokers}` and `{url}` are placeholders
/// for addresses.
pub fn probe(files: &[Input], machine: &Machine, topic: &str) -> Option<String> {
    // The migration has already reported syntax errors.
    let conf = conf::read(files, &mut Notes::default()).ok()?;
    let mut report = Report::default();
    let is_migrated = |options: &&Options| Rules::from_input(options, &conf, machine, &mut report).is_some();
    let input = conf.of_kind(INPUT).map(|plugin| &plugin.options).find(is_migrated)?;
    let rules = Rules::from_input(input, &conf, machine, &mut report)?;
    let topics = [topic.to_owned()];
    let output = conf
        .plugins
        .iter()
        .filter(|plugin| output::is_replaced(&plugin.kind))
        .map(|plugin| &plugin.options)
        .find(|options| rules.after_output(options, &topics).is_some());
    let mut agent = toml::Table::new();
    for key in ["hostname", "omit_hostname"] {
        copy(&conf.agent, key, &mut agent);
    }
    set(&mut agent, "flush_interval", "200ms");
    // A refused point then fails alone.
    set(&mut agent, "metric_batch_size", 1);
    let mut reading = toml::Table::new();
    for key in
        OF_INPUT.iter().chain(&OF_JSON).chain(&csv::OPTIONS).chain(&influx::OPTIONS).chain(&NAMES_AND_FILTERS)
    {
        copy(input, key, &mut reading);
    }
    set(&mut reading, "brokers", vec!["{brokers}"]);
    // Headers need Kafka 0.11.
    set(&mut reading, "kafka_version", "2.0.0");
    set(&mut reading, "topics", vec![topic]);
    set(&mut reading, "consumer_group", "bridge-diff");
    set(&mut reading, "offset", "oldest");
    let headers: Vec<String> =
        input.texts("msg_headers_as_tags").into_iter().chain([MARK.to_owned()]).collect();
    set(&mut reading, "msg_headers_as_tags", headers);
    let mut writing = toml::Table::new();
    if let Some(output) = output {
        for key in NAMES_AND_FILTERS.iter().chain(&OF_OUTPUT) {
            copy(output, key, &mut writing);
        }
    }
    for (key, value) in [("organization", "x"), ("bucket", "x"), ("token", "x")] {
        set(&mut writing, key, value);
    }
    set(&mut writing, "urls", vec!["{url}"]);
    for table in [&mut reading, &mut writing] {
        keep_mark(table);
    }
    let list = |name: &str, table: toml::Table| named(name, toml::Value::Array(vec![table.into()]));
    let global_tags: toml::Table =
        conf.global_tags.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    let renames: Vec<toml::Value> = conf
        .of_kind(processors::RENAME)
        .map(|plugin| plain(&Value { line: 0, data: Data::Table(plugin.options.clone()) }))
        .collect();
    let mut all: toml::Table = [
        ("agent".to_owned(), agent.into()),
        ("global_tags".to_owned(), global_tags.into()),
        ("inputs".to_owned(), list("kafka_consumer", reading)),
        ("outputs".to_owned(), list("influxdb_v2", writing)),
    ]
    .into_iter()
    .collect();
    if !renames.is_empty() {
        set(&mut all, "processors", named("rename", renames.into()));
    }
    Some(all.to_string())
}

fn set(table: &mut toml::Table, key: &str, value: impl Into<toml::Value>) {
    table.insert(key.to_owned(), value.into());
}

fn named(name: &str, value: toml::Value) -> toml::Value {
    toml::Value::Table([(name.to_owned(), value)].into_iter().collect())
}

fn copy(options: &Options, key: &str, table: &mut toml::Table) {
    if let Some(value) = options.get(key) {
        table.insert(key.to_owned(), plain(value));
    }
}

fn plain(value: &Value) -> toml::Value {
    match &value.data {
        Data::Text(text) => text.clone().into(),
        Data::Flag(flag) => (*flag).into(),
        Data::Number(number) => match (number.parse::<i64>(), number.parse::<f64>()) {
            (Ok(whole), _) => whole.into(),
            (Err(_), Ok(float)) => float.into(),
            _ => number.clone().into(),
        },
        Data::List(values) => toml::Value::Array(values.iter().map(plain).collect()),
        Data::Table(options) => {
            toml::Value::Table(options.all().map(|(key, value)| (key.to_owned(), plain(value))).collect())
        }
    }
}

/// Lets the mark pass Telegraf's tag filters.
fn keep_mark(table: &mut toml::Table) {
    if let Some(toml::Value::Array(tags)) = table.get_mut("taginclude") {
        tags.push(MARK.into());
    }
}
