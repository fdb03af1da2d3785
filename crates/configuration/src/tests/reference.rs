//! Tests of the reference bridge.toml, the examples and the configuration of the container image.

use super::*;
use crate::declaration::{Key, Value};
use crate::keys;
use std::collections::BTreeSet;
use std::path::PathBuf;

pub(super) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

pub(super) fn reference() -> String {
    std::fs::read_to_string(root().join("bridge.toml")).unwrap()
}

/// A commented-out table or key of the reference, without its "# ".
pub(super) fn commented_out(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ")?;
    let is_table = line.starts_with('[') && line.ends_with(']') && !line.contains(' ');
    (is_table || key(line).is_some()).then_some(line)
}

pub(super) fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once(" = ")?;
    let is_key = |c: char| c.is_ascii_lowercase() || "_.\"".contains(c);
    key.chars().all(is_key).then(|| key.trim_matches('"'))
}

/// The reference with the commented-out lines that `wanted` selects, and without the active lines that it does not.
fn uncommented(wanted: impl Fn(&str, &str) -> bool) -> String {
    let mut table = String::new();
    let mut text = String::new();
    for line in reference().lines() {
        let out = commented_out(line);
        if let Some(header) = out.unwrap_or(line).strip_prefix('[') {
            header.trim_matches(['[', ']']).clone_into(&mut table);
        }
        let is_active = out.is_none() && key(line).is_some();
        match out {
            Some(out) if wanted(&table, out) => text.push_str(out),
            _ if is_active && !wanted(&table, line) => {}
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// Loads a text in a folder that has the files that the reference names.
fn load_in_folder(text: &str) -> Loaded {
    let folder = Folder::new();
    for file in ["ca.pem", "client.pem", "client.key"] {
        folder.write(file, "");
    }
    folder.write("kafka.token", "token");
    let loaded = parse(&folder.file("bridge.toml"), text, &|name| Some(format!("of-{name}")));
    loaded.unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

/// Whether a line is valid with this API: some keys exclude each other.
fn is_of(api: &str, table: &str, line: &str) -> bool {
    let key = key(line).unwrap_or_default();
    let apis: &[&str] = match key {
        "retention_policy" | "username" | "password" | "create_database" => &["v1"],
        "org" | "bucket" => &["v2"],
        "no_sync" => &["v3"],
        "database" => &["v1", "v3"],
        // v1 takes a token instead of a user.
        "token" => &["v2", "v3"],
        _ => &["v1", "v2", "v3"],
    };
    let is_destination = table == "influx" || table == "mapping";
    // Dead letters go to a file with "v2", to a topic with "v1".
    let is_other_letter =
        table == "dead_letter" && if api == "v1" { key.starts_with("file") } else { key == "topic" };
    let of_tokens = ["token", "token_endpoint", "client_id", "client_secret", "scope", "extensions"];
    let is_token = table == "kafka.sasl" && of_tokens.contains(&key);
    let is_other_api = is_destination && !apis.contains(&api);
    // `time` replaces `time_key`, `schema` and `message` belong to formats that are not the default, and a registry takes a token instead
    // of a user.
    let is_other =
        matches!((table, key), ("mapping", "time" | "schema" | "message") | ("schema_registry", "token"));
    key != "urls" && !is_other && !is_token && !is_other_letter && !is_other_api
}

#[test]
fn the_reference_is_valid() {
    let config = load_in_folder(&reference()).config;
    assert_eq!(config.kafka.topics.names, ["testtopic"]);
}

#[test]
fn the_reference_is_valid_with_every_key() {
    let v2 = load_in_folder(&uncommented(|table, line| is_of("v2", table, line)));
    assert!(v2.config.kafka.properties.len() > 8 && v2.config.mappings[0].rules.time.is_some());
    let v1 = uncommented(|table, line| is_of("v1", table, line)).replace("api = \"v2\"", "api = \"v1\"");
    load_in_folder(&v1);
    let v3 = uncommented(|table, line| is_of("v3", table, line)).replace("api = \"v2\"", "api = \"v3\"");
    load_in_folder(&v3);
    for other in ["token", "token_endpoint"] {
        let text = uncommented(|table, line| match key(line) {
            Some("username" | "password") if table == "kafka.sasl" => false,
            Some("client_id" | "client_secret" | "scope") if table == "kafka.sasl" => other != "token",
            Some("token" | "token_endpoint") if table == "kafka.sasl" => key(line) == Some(other),
            _ => table == "kafka.sasl" || is_of("v2", table, line),
        });
        let loaded = load_in_folder(&text.replace("\"SCRAM-SHA-512\"", "\"OAUTHBEARER\""));
        let extensions = loaded.config.kafka.oauth.map(|oauth| oauth.extensions.len());
        assert_eq!(extensions, Some(2), "{text}");
    }
    load_in_folder(&uncommented(|table, line| {
        key(line) != Some("url") && (key(line) == Some("urls") || is_of("v2", table, line))
    }));
}

#[test]
fn the_defaults_of_the_reference_are_the_defaults() {
    let has_default = |line: &str| key(line).is_some() && !line.contains("# No default");
    let with_defaults = uncommented(|table, line| {
        has_default(line)
            && !table.ends_with("tls")
            && !matches!(table, "dead_letter" | "mapping.csv" | "schema_registry")
            && !matches!(key(line), Some("create_database" | "no_sync"))
    });
    let with_defaults = with_defaults.replace("\"fetch.wait.max.ms\"", "# \"fetch.wait.max.ms\"");
    let (a, b) = (load_in_folder(&with_defaults), load_in_folder(&reference()));
    // The last one names the keys of `[batch]` that a file leaves out.
    assert_eq!(a.summaries[..2], b.summaries[..2]);
    let shown = |config: &Config| {
        let rules = &config.mappings[0].rules;
        let words =
            (rules.format, rules.integers, rules.strict, rules.distinct_times, rules.include.is_match("x"));
        let service = (config.batch, config.reject, config.admin, config.log, config.shutdown_max);
        format!("{:#?}", (&config.kafka, &config.influx, words, &rules.measurement, service))
    };
    assert_eq!(shown(&a.config), shown(&b.config));
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    let mut table = String::new();
    let mut found = BTreeSet::new();
    for line in reference().lines() {
        let line = commented_out(line).unwrap_or(line);
        if line.starts_with('[') {
            line.trim_matches(['[', ']']).clone_into(&mut table);
            found.insert(table.clone());
        } else if let Some(key) = key(line).filter(|_| table != "kafka.librdkafka") {
            let is_new = found.insert(format!("{table}.{key}"));
            assert!(is_new, "{table}.{key} stands there twice");
        }
    }
    let inner = |parent: &str, name: &str| {
        if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
    };
    let mut known = BTreeSet::new();
    for table in keys::TABLES {
        known.extend(table.tables.iter().map(|name| inner(table.name, name)));
        known.extend(table.keys.iter().map(|key| format!("{}.{}", table.name, key.name)));
    }
    assert_eq!(found, known);
}

#[test]
fn lines_of_the_reference_have_132_characters_at_most() {
    for line in reference().lines() {
        assert!(line.chars().count() <= 132 && line == line.trim_end(), "{line}");
    }
}

#[test]
fn the_examples_are_valid() {
    let examples = std::fs::read_dir(root().join("examples")).unwrap();
    let files = examples.map(|entry| entry.unwrap().path().join("bridge.toml")).filter(|file| file.exists());
    let files: Vec<PathBuf> = files.chain([root().join("docker/bridge.toml")]).collect();
    assert!(files.len() > 5);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        // Variables without a default are secrets.
        let env = |name: &str| (!text.contains(&format!("${{{name}:-"))).then(|| "secret".to_owned());
        let loaded = parse(&file, &text, &env).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    }
}

/// The keys of a mapping that have no meaning in a format, found with the example of each key.
fn refused_keys(format: &str) -> Vec<&'static str> {
    let is_refused = |key: &&Key| {
        let (Value::Default(value) | Value::Required(value) | Value::Example(value)) = &key.value;
        let text = with("mapping", &format!("format = '{format}'\n{} = {value}", key.name));
        let no_meaning = format!("`{}` has no meaning with format = \"{format}\"", key.name);
        key.name != "format"
            && run(&text).err().is_some_and(|errors| errors.to_string().contains(&no_meaning))
    };
    keys::MAPPING.keys.iter().filter(is_refused).map(|key| key.name).collect()
}

#[test]
fn the_document_of_formats_names_each_key_that_a_format_refuses() {
    // A line has no use for the other keys.
    const OF_LINES: [&str; 21] = [
        "topics",
        "format",
        "value_compression",
        "strict",
        "measurement",
        "tags",
        "topic_tag",
        "key_tag",
        "partition_tag",
        "offset_field",
        "header_tags",
        "include",
        "exclude",
        "rename",
        "precision",
        "time_min",
        "time_max",
        "distinct_times",
        "bucket",
        "database",
        "retention_policy",
    ];
    let others = keys::MAPPING.keys.iter().map(|key| key.name).filter(|key| !OF_LINES.contains(key));
    assert_eq!(refused_keys("influx"), others.collect::<Vec<_>>());
    assert_eq!(refused_keys("json"), ["schema"]);
    let text = std::fs::read_to_string(root().join("docs/formats.md")).unwrap();
    for (format, title) in [("influx", "Line protocol"), ("csv", "CSV"), ("value", "Single values")] {
        let section = text.split("\n## ").find(|section| section.starts_with(title)).unwrap();
        let sentence =
            section.split("`check` refuses").nth(1).and_then(|rest| rest.split("\n- ").next()).unwrap();
        let sentence = sentence.split("\n\n").next().unwrap();
        // A schema belongs to two formats alone.
        for key in refused_keys(format).into_iter().filter(|key| format == "influx" || *key != "schema") {
            assert!(sentence.contains(&format!("`{key}`")), "docs/formats.md: {title}: {key}: {sentence}");
        }
    }
}
