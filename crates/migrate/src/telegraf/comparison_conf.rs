//! Writes a Telegraf configuration that makes the same points, for `--diff`.

use super::conf::{self, Conf, Data, Options, Plugin, Value};
use super::kafka;
use super::report::Report;
use super::rules::{NAMES_AND_FILTERS, Rules};
use super::{INPUT, output};
use crate::{Input, Machine, Notes};
use toml::Value as Toml;

/// The record header, and tag, that links a point to its record.
pub const MARK: &str = "bridge_diff_record";

/// A configuration of Telegraf with the plugins that the points of one input pass.
#[derive(Clone, Debug)]
pub struct ComparisonConf {
    /// `{brokers}` and `{url}` are placeholders for addresses.
    pub config: String,
    /// Plugins of the user's configuration that `config` leaves out; the comparison knows nothing about their points.
    pub left_out: Vec<String>,
}

/// Options of the agent that change points.
const OF_AGENT: [&str; 4] = ["hostname", "omit_hostname", "precision", "skip_processors_after_aggregators"];
/// Options of the output that change lines, besides its names and filters.
const OF_OUTPUT: [&str; 3] = ["metricpass", "influx_uint_support", "influx_omit_timestamp"];
/// Options by which an output takes a tag out of the points, each with the option that names the tag.
const EXCLUDING: [(&str, &str); 3] = [
    ("exclude_bucket_tag", "bucket_tag"),
    ("exclude_database_tag", "database_tag"),
    ("exclude_retention_policy_tag", "retention_policy_tag"),
];

/// The configuration for the first migrated input, all processors, and the first output that takes its points.
pub fn comparison_conf(files: &[Input], machine: &Machine, topic: &str) -> Option<ComparisonConf> {
    // The migration has already reported syntax errors.
    let conf = conf::read(files, &mut Notes::default()).ok()?;
    let mut report = Report::default();
    let mut rules_of = |options: &Options| Rules::from_input(options, &conf, machine, &mut report);
    let (input, rules) = conf
        .of_kind(INPUT)
        .find_map(|plugin| rules_of(&plugin.options).map(|rules| (&plugin.options, rules)))?;
    let topics = [topic.to_owned()];
    let takes = |options: &&Options| rules.after_output(options, &topics).is_some();
    let outputs = conf.plugins.iter().filter(|plugin| output::is_replaced(&plugin.kind));
    let output = outputs.map(|plugin| &plugin.options).find(takes);
    let mut agent = toml::Table::new();
    for key in OF_AGENT {
        copy(&conf.agent, key, &mut agent);
    }
    set(&mut agent, "flush_interval", "200ms");
    // A refused point then fails alone.
    set(&mut agent, "metric_batch_size", 1);
    let global_tags: toml::Table =
        conf.global_tags.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    let mut config = String::new();
    for (name, table) in [("agent", &agent), ("global_tags", &global_tags)] {
        config.extend(["[", name, "]\n"]);
        push_table(name, table, &mut config);
    }
    config += &plugin(INPUT, &reading(input, topic));
    // Telegraf runs processors in the order of the file.
    for processor in conf.plugins.iter().filter(|plugin| plugin.kind.starts_with("processors.")) {
        config += &plugin(&processor.kind, &table(&processor.options));
    }
    config += &plugin(output::V2, &writing(output));
    Some(ComparisonConf { config, left_out: left_out(&conf, input, output) })
}

/// The input, with all of its options that do not belong to the connection.
fn reading(input: &Options, topic: &str) -> toml::Table {
    let mut reading = table(input);
    reading.retain(|key, _| !kafka::is_connection(key));
    set(&mut reading, "brokers", vec!["{brokers}"]);
    // Headers need Kafka 0.11.
    set(&mut reading, "kafka_version", "2.0.0");
    set(&mut reading, "topics", vec![topic]);
    set(&mut reading, "consumer_group", "bridge-diff");
    set(&mut reading, "offset", "oldest");
    let headers: Vec<String> =
        input.texts("msg_headers_as_tags").into_iter().chain([MARK.to_owned()]).collect();
    reading.retain(|key, _| !conf::same(key, "msg_headers_as_tags"));
    set(&mut reading, "msg_headers_as_tags", headers);
    reading
}

/// The output, with the options that change lines.
fn writing(output: Option<&Options>) -> toml::Table {
    let mut writing = toml::Table::new();
    if let Some(output) = output {
        for key in NAMES_AND_FILTERS.iter().chain(&OF_OUTPUT) {
            copy(output, key, &mut writing);
        }
        let excluded = EXCLUDING.iter().filter(|(exclude, _)| output.flag(exclude) == Some(true));
        let excluded: Vec<String> = excluded.filter_map(|(_, tag)| output.text(tag)).collect();
        if !excluded.is_empty() {
            set(&mut writing, "tagexclude", [output.texts("tagexclude"), excluded].concat());
        }
    }
    for (key, value) in [("organization", "x"), ("bucket", "x"), ("token", "x")] {
        set(&mut writing, key, value);
    }
    set(&mut writing, "urls", vec!["{url}"]);
    keep_mark(&mut writing);
    writing
}

/// The plugins whose points are not compared.
fn left_out(conf: &Conf, input: &Options, output: Option<&Options>) -> Vec<String> {
    let is_left_out = |plugin: &&Plugin| {
        let is = |options: &Options| std::ptr::eq(&raw const plugin.options, options);
        plugin.kind.starts_with("aggregators.")
            || plugin.kind == INPUT && !is(input)
            || output::is_replaced(&plugin.kind) && !output.is_some_and(is)
    };
    let place = |plugin: &Plugin| format!("{}:{}: {}", plugin.options.file, plugin.options.line, plugin.kind);
    conf.plugins.iter().filter(is_left_out).map(place).collect()
}

/// A plugin of a kind such as `inputs.kafka_consumer`.
fn plugin(kind: &str, options: &toml::Table) -> String {
    let mut text = format!("[[{kind}]]\n");
    push_table(kind, options, &mut text);
    text
}

/// Appends the content of a table. Telegraf's reader knows only basic strings on one line, which the crate `toml` does not always write.
fn push_table(path: &str, table: &toml::Table, text: &mut String) {
    let (tables, others): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| is_table(value));
    for (key, value) in others {
        text.extend([key_text(key), " = ".to_owned(), value_text(value), "\n".to_owned()]);
    }
    for (key, value) in tables {
        let path = format!("{path}.{}", key_text(key));
        match value {
            Toml::Table(table) => {
                text.extend(["[", &path, "]\n"]);
                push_table(&path, table, text);
            }
            several => {
                for table in several.as_array().into_iter().flatten().filter_map(Toml::as_table) {
                    text.extend(["[[", &path, "]]\n"]);
                    push_table(&path, table, text);
                }
            }
        }
    }
}

fn is_table(value: &Toml) -> bool {
    value.is_table() || value.as_array().is_some_and(|values| values.first().is_some_and(Toml::is_table))
}

fn key_text(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if key.chars().all(is_bare) && !key.is_empty() { key.to_owned() } else { basic_string(key) }
}

fn value_text(value: &Toml) -> String {
    match value {
        Toml::String(text) => basic_string(text),
        Toml::Array(values) => format!("[{}]", values.iter().map(value_text).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// The escapes of JSON are those of TOML.
fn basic_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// All options of a plugin, which may not take the mark out of the points.
fn table(options: &Options) -> toml::Table {
    let mut table = options.all().map(|(key, value)| (key.to_owned(), plain(value))).collect();
    keep_mark(&mut table);
    table
}

fn set(table: &mut toml::Table, key: &str, value: impl Into<Toml>) {
    table.insert(key.to_owned(), value.into());
}

fn copy(options: &Options, key: &str, table: &mut toml::Table) {
    if let Some(value) = options.get(key) {
        table.insert(key.to_owned(), plain(value));
    }
}

fn plain(value: &Value) -> Toml {
    match &value.data {
        Data::Text(text) => text.clone().into(),
        Data::Flag(flag) => (*flag).into(),
        Data::Number(number) => match (number.parse::<i64>(), number.parse::<f64>()) {
            (Ok(whole), _) => whole.into(),
            (Err(_), Ok(float)) => float.into(),
            _ => number.clone().into(),
        },
        Data::List(values) => Toml::Array(values.iter().map(plain).collect()),
        Data::Table(options) => {
            Toml::Table(options.all().map(|(key, value)| (key.to_owned(), plain(value))).collect())
        }
    }
}

/// Lets the mark pass Telegraf's tag filters.
fn keep_mark(table: &mut toml::Table) {
    let filters = table.iter_mut().filter(|(key, _)| conf::same(key, "taginclude"));
    for (_, tags) in filters {
        if let Some(tags) = tags.as_array_mut() {
            tags.push(MARK.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison_of(text: &str) -> ComparisonConf {
        let file = Input { name: "telegraf.conf".to_owned(), text: text.to_owned() };
        comparison_conf(&[file], &Machine { hostname: Some("machine".to_owned()) }, "t").unwrap()
    }

    const INPUT_AND_OUTPUT: &str = "[[inputs.kafka_consumer]]\nbrokers = ['k:9092']\nTopics = ['t']\nsasl_password = 'hush'\ndata_format = 'json_v2'\n\
         metricpass = \"fields.v > 1 || tags.t == \\\"it's\\\"\"\nmsg_headers_as_tags = ['h']\n[[inputs.kafka_consumer.json_v2]]\n[[inputs.kafka_consumer.json_v2.object]]\n\
         path = 'a'\n[[outputs.influxdb]]\nurls = ['http://i:8086']\npassword = 'hush'\nfieldexclude = ['x']\ndatabase_tag = 'db'\nexclude_database_tag = true\n";

    #[test]
    fn the_comparison_has_the_whole_configuration_but_its_connections() {
        let comparison = comparison_of(&format!(
            "{INPUT_AND_OUTPUT}[[processors.starlark]]\nsource = 'x'\ntaginclude = ['a']\n[[processors.regex]]\n[[processors.regex.tags]]\n\
             key = 'a'\npattern = 'b'\nreplacement = 'c'\n[[processors.starlark]]\nsource = 'y'\n"
        ));
        let config: toml::Table = comparison.config.parse().unwrap();
        let input = config["inputs"]["kafka_consumer"][0].as_table().unwrap();
        let mut keys: Vec<&str> = input.keys().map(String::as_str).collect();
        keys.sort_unstable();
        let want = [
            "brokers",
            "consumer_group",
            "data_format",
            "json_v2",
            "kafka_version",
            "metricpass",
            "msg_headers_as_tags",
            "offset",
            "topics",
        ];
        assert_eq!(keys, want);
        assert_eq!(input["msg_headers_as_tags"].to_string(), format!(r#"["h", "{MARK}"]"#));
        assert_eq!(input["metricpass"].as_str(), Some("fields.v > 1 || tags.t == \"it's\""));
        assert!(
            comparison.config.contains("metricpass = \"") && !comparison.config.contains("\"\"\""),
            "{}",
            comparison.config
        );
        assert_eq!(input["json_v2"][0]["object"][0]["path"].as_str(), Some("a"));
        assert_eq!(
            config["processors"]["starlark"][0]["taginclude"].to_string(),
            format!(r#"["a", "{MARK}"]"#)
        );
        // Telegraf runs processors in this order.
        let place = |text: &str| comparison.config.find(text).unwrap();
        assert!(place("\"x\"") < place("processors.regex") && place("processors.regex") < place("\"y\""));
        let output = &config["outputs"]["influxdb_v2"][0];
        assert_eq!(output["fieldexclude"].to_string(), r#"["x"]"#);
        assert_eq!(output["tagexclude"].to_string(), r#"["db"]"#);
        assert!(!comparison.config.contains("hush"));
        assert_eq!(comparison.left_out, Vec::<String>::new());
    }

    #[test]
    fn plugins_that_the_comparison_does_not_have_are_named() {
        let comparison =
            comparison_of(&format!("{INPUT_AND_OUTPUT}[[aggregators.basicstats]]\n{INPUT_AND_OUTPUT}"));
        let kinds: Vec<&str> =
            comparison.left_out.iter().filter_map(|text| text.rsplit(": ").next()).collect();
        assert_eq!(kinds, ["aggregators.basicstats", "inputs.kafka_consumer", "outputs.influxdb"]);
        assert!(comparison.left_out[0].starts_with("telegraf.conf:17: "), "{:?}", comparison.left_out);
    }
}
