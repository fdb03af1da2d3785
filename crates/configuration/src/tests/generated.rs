//! The files that follow from the declarations: the keys of the reference bridge.toml, the document of all keys, and a
//! JSON Schema for editors. After a change: `UPDATE=1 cargo test -p kafka-influx-bridge-configuration generated`.

use super::reference::{commented_out, key, reference, root};
use super::*;
use crate::declaration::{Bounds, Key, Kind, Table, Value as Declared, title};
use crate::keys::{KAFKA, TABLES, TOP};
use crate::scalars::show_share;
use crate::sizes::{show_duration, show_size, size};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

const REFERENCE: &str = "bridge.toml";
const SCHEMA: &str = "docs/bridge.schema.json";
const DOCUMENT: &str = "docs/configuration.md";

const WIDTH: usize = 132;
const COMMENTS_BEGIN: usize = 38;

/// The default or the example.
fn value(key: &Key) -> &'static str {
    match key.value {
        Declared::Default(value) | Declared::Required(value) | Declared::Example(value) => value,
    }
}

/// The range of the value and the declared text.
fn described(key: &Key) -> String {
    let range = match &key.kind {
        Kind::Number(bounds) => bounds.shown(|number| number.to_string()),
        Kind::Share(bounds) => bounds.shown(show_share),
        Kind::Size(bounds) => bounds.shown(show_size),
        Kind::Duration(bounds) => bounds.shown(show_duration),
        _ => return key.text.to_owned(),
    };
    format!("{range}. {}", key.text)
}

/// The lines of a key in the reference: commented out unless the key is required, its comment in a column of its own.
fn reference_lines(key: &Key) -> String {
    let value = value(key);
    let (mark, note) = match key.value {
        Declared::Required(_) => ("", ""),
        Declared::Default(_) => ("# ", ""),
        Declared::Example(_) => ("# ", "No default. "),
    };
    let mut line = format!("{mark}{} = {value}", key.name);
    let padding = COMMENTS_BEGIN.saturating_sub(line.len()).max(2);
    write!(line, "{:padding$}#", "").unwrap();
    let mut lines = String::new();
    for word in format!("{note}{}", described(key)).split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            line = format!("\n{:COMMENTS_BEGIN$}#", "");
        }
        write!(line, " {word}").unwrap();
    }
    lines + &line + "\n"
}

/// The reference with the lines of each key as they are declared. All other lines stay.
fn reference_with_declared_keys() -> String {
    let mut table = &TOP;
    let mut out = String::new();
    let mut after_key = false;
    for line in reference().lines() {
        let content = commented_out(line).unwrap_or(line);
        if let Some(name) = content.strip_prefix('[').map(|name| name.trim_matches(['[', ']'])) {
            table = TABLES.into_iter().find(|table| table.name == name).unwrap_or(table);
        }
        if let Some(key) = key(content).and_then(|name| table.key(name)) {
            out.push_str(&reference_lines(key));
            after_key = true;
        } else if !(after_key && line.starts_with(' ')) {
            writeln!(out, "{line}").unwrap();
            after_key = false;
        }
    }
    out
}

#[test]
fn the_reference_has_each_key_as_declared() {
    assert_is(REFERENCE, &reference_with_declared_keys());
}

#[test]
fn the_reference_introduces_tables_as_declared() {
    let text = reference();
    for table in TABLES.into_iter().filter(|table| !table.text.is_empty()) {
        let expected = format!("\n\n# {}\n# [{}]\n", table.text, table.name);
        assert!(text.contains(&expected), "bridge.toml lacks {expected}");
    }
}

#[test]
fn texts_name_every_word() {
    for table in TABLES {
        for key in table.keys {
            let (Kind::Word(words) | Kind::FlagOrWord(words)) = key.kind else { continue };
            for word in words.iter().map(|word| format!("{word:?}")) {
                assert!(key.text.contains(&word) || value(key) == word, "{}: {word}", key.name);
            }
        }
    }
}

#[test]
fn declared_defaults_of_kafka_are_those_of_the_library() {
    let (declared, library) = (config(SMALL).kafka, ::kafka::Settings::default());
    assert_eq!((declared.group_id, declared.client_id), (library.group_id, library.client_id));
    assert_eq!(
        (declared.offset_reset, declared.group_protocol),
        (library.offset_reset, library.group_protocol)
    );
    assert_eq!(
        (declared.consumers, declared.record_bytes_max),
        (library.consumers, library.record_bytes_max)
    );
}

/// Without a `[[mapping]]` the library's own rules are used.
#[test]
fn declared_defaults_of_mappings_are_those_of_the_library() {
    let defaults = crate::keys::MAPPING.keys.iter().filter_map(|key| match key.value {
        Declared::Default(value) if key.name != "timezone" => Some(format!("{} = {value}\n", key.name)),
        _ => None,
    });
    let written = config(&with("mapping", &defaults.collect::<String>()));
    for config in [written, config(&with("mapping", ""))] {
        assert_eq!(*config.mappings[0].rules, ::mapping::Rules::default());
    }
}

/// Another valid value than that of `SMALL` or the default.
fn other_value(key: &Key) -> String {
    match (&key.kind, &key.value) {
        (Kind::FlagOrWord(words), _) => format!("{:?}", words[0]),
        (Kind::Flag, Declared::Default("true")) => "false".to_owned(),
        (Kind::Flag, _) => "true".to_owned(),
        (Kind::Word(words), Declared::Default(default)) => {
            let is_other = |word: &&&str| format!("{word:?}") != *default;
            format!("{:?}", words.iter().find(is_other).unwrap())
        }
        (Kind::Number(bounds) | Kind::Size(bounds), _) => bounds.range.end().to_string(),
        (Kind::Share(bounds), _) => format!("{:?}", bounds.range.end()),
        (Kind::Duration(bounds), _) => format!("{:?}", show_duration(*bounds.range.end())),
        (_, Declared::Default("\"127.0.0.1:9643\"")) => "\"127.0.0.1:1\"".to_owned(),
        (_, Declared::Default("[\"*\"]")) => "[\"a*\"]".to_owned(),
        (_, Declared::Required(_)) if key.name == "url" => "\"http://other\"".to_owned(),
        (_, Declared::Default(_) | Declared::Required(_)) => "\"other\"".to_owned(),
        (_, Declared::Example(value)) => (*value).to_owned(),
    }
}

/// A small file with this value of the key.
fn text_with(table: &Table, key: &str, value: &str) -> String {
    let (small, begin) = (small_for(table, key), format!("{key} = "));
    match small.lines().find(|line| line.starts_with(&begin) && table.name != "mapping") {
        Some(line) => small.replace(line, &format!("{begin}{value}")),
        None => with_lines(&small, table.name, &format!("{begin}{value}")),
    }
}

#[test]
fn a_reload_notices_every_key() {
    let mut tried = 0;
    for table in TABLES.into_iter().filter(|table| !table.name.contains('.')) {
        for key in table.keys.iter().filter(|key| key.name != "urls") {
            let name = format!("{}.{}", table.name, key.name);
            let value = other_value(key).replace("testtopic", "metrics");
            // Some keys are valid only beside another one.
            let Ok(before) = run(&small_for(table, key.name)) else { continue };
            let Ok(after) = run(&text_with(table, key.name, &value)) else { continue };
            tried += 1;
            match before.config.changes_to(&after.config) {
                Err(needs) => assert!(key.restart.is_some() && needs.keys == [name], "{needs:?}"),
                Ok(changes) => assert!(key.restart.is_none() && !changes.is_empty(), "{name} = {value}"),
            }
        }
    }
    assert!(tried > 40, "{tried}");
}

/// A file in which the key is allowed.
fn small_for(table: &Table, key: &str) -> String {
    let v1 = "api = \"v1\"\ndatabase = \"d\"\n";
    let of_v1 = ["database", "retention_policy", "username", "password", "create_database"].contains(&key);
    let has_certificate = |name: &str| name.ends_with("tls") || name == "schema_registry";
    match (table.name, key) {
        ("influx", "no_sync") => {
            SMALL.split("org").next().unwrap().to_owned() + "api = \"v3\"\ndatabase = \"d\"\n"
        }
        ("influx" | "mapping", _) if of_v1 => SMALL.split("org").next().unwrap().to_owned() + v1,
        ("influx", "urls") => SMALL.replace("url = \"http://localhost:8086\"\n", ""),
        (name, "cert_file") if has_certificate(name) => with(name, "key_file = \"bridge.toml\""),
        (name, "key_file") if has_certificate(name) => with(name, "cert_file = \"bridge.toml\""),
        ("schema_registry", key) if !matches!(key, "url" | "urls") => {
            with("schema_registry", "url = \"http://localhost:8081\"")
        }
        _ => SMALL.to_owned(),
    }
}

/// The reader's error for this value of the key.
fn complaint(table: &Table, key: &str, value: &str) -> Option<String> {
    let errors = run(&text_with(table, key, value)).err()?.errors;
    let own = format!("`{key}` ");
    errors.into_iter().find(|problem| problem.message.starts_with(&own)).map(|problem| problem.message)
}

/// The kinds of values that the reader takes, found by trying one of each.
fn kinds_taken(table: &Table, key: &str) -> Value {
    let takes = |value: &str| {
        let said = complaint(table, key, value).unwrap_or_default();
        let is_wrong_kind = said.contains(" must be ") && said.contains(", not ");
        !is_wrong_kind || said.contains(" must be from ") || said.contains(" must be one of ")
    };
    let mut kinds = Vec::new();
    if let Some(said) = complaint(table, key, "\"?\"").filter(|said| said.contains(" must be one of ")) {
        let words: Vec<&str> = said.split(", not ").next().unwrap().split('"').skip(1).step_by(2).collect();
        // The message mentions patterns beside the words.
        let is_open = said.contains("(or ");
        kinds.push(if is_open { json!({ "type": "string" }) } else { json!({ "enum": words }) });
    } else if takes("\"x\"") {
        kinds.push(json!({ "type": "string" }));
    } else if takes("\"${LINES}\"") {
        kinds.push(json!({ "type": "string", "pattern": "\\$\\{.+\\}" }));
    }
    if takes("0.5") {
        kinds.push(json!({ "type": "number", "minimum": 0.0, "maximum": 1.0 }));
    } else if takes("5") {
        kinds.push(whole_number(table, key));
    }
    if takes("true") {
        kinds.push(json!({ "type": "boolean" }));
    }
    if takes("[\"x\"]") {
        kinds.push(json!({ "type": "array", "items": { "type": "string" } }));
    }
    if takes("{ x = { x = 1 } }") && !takes("{ x = \"x\" }") {
        kinds.push(kind_schema(&Kind::Replacements));
    } else if takes("{ x = \"x\" }") {
        kinds.push(json!({ "type": "object", "additionalProperties": { "type": "string" } }));
    }
    if takes("[{ x = \"x\" }]") {
        kinds.push(kind_schema(&table.key(key).unwrap().kind));
    }
    assert!((1..=3).contains(&kinds.len()), "{}.{key} takes {kinds:?}", table.name);
    if kinds.len() == 1 { kinds.remove(0) } else { json!({ "anyOf": kinds }) }
}

/// The range is the one in the reader's error.
fn whole_number(table: &Table, key: &str) -> Value {
    let mut kind = json!({ "type": "integer" });
    let said = complaint(table, key, "18446744073709551615").unwrap_or_default();
    let ends =
        said.split_once(" must be from ").and_then(|(_, rest)| rest.split_once(',')).map(|(ends, _)| ends);
    if let Some((least, most)) = ends.and_then(|ends| ends.split_once(" to "))
        && let (Ok(least), Ok(most)) = (size(least), size(most))
    {
        kind["minimum"] = json!(least);
        kind["maximum"] = json!(most);
    }
    kind
}

#[test]
fn the_reader_takes_the_declared_kinds() {
    for table in TABLES {
        for key in table.keys {
            assert_eq!(kinds_taken(table, key.name), kind_schema(&key.kind), "{}.{}", table.name, key.name);
        }
    }
}

fn kind_schema(kind: &Kind) -> Value {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "array", "items": text });
    // Another kind of value may come from a variable.
    let variable = json!({ "type": "string", "pattern": "\\$\\{.+\\}" });
    match kind {
        Kind::Text | Kind::Secret | Kind::File | Kind::Duration(_) => text,
        Kind::Texts => texts,
        Kind::TextOrTexts => json!({ "anyOf": [text, texts] }),
        Kind::Pairs => json!({ "type": "object", "additionalProperties": text }),
        Kind::Tables { texts: names, lists } => {
            let of_texts = names.iter().map(|name| ((*name).to_owned(), text.clone()));
            let of_lists = lists.iter().map(|name| ((*name).to_owned(), json!({ "anyOf": [text, texts] })));
            let properties: Map<String, Value> = of_texts.chain(of_lists).collect();
            let required: Vec<_> = names.iter().chain(*lists).collect();
            json!({ "type": "array", "items": {
                "type": "object", "additionalProperties": false, "properties": properties, "required": required,
            } })
        }
        Kind::Replacements => {
            let values = json!({ "type": ["string", "number", "boolean"] });
            let table = json!({ "type": "object", "additionalProperties": values });
            json!({ "type": "object", "additionalProperties": table })
        }
        Kind::Flag => json!({ "anyOf": [variable, { "type": "boolean" }] }),
        Kind::FlagOrWord(words) => json!({ "anyOf": [{ "enum": words }, { "type": "boolean" }] }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Number(bounds) => json!({ "anyOf": [variable, range_schema("integer", bounds)] }),
        Kind::Share(bounds) => json!({ "anyOf": [variable, range_schema("number", bounds)] }),
        Kind::Size(bounds) => json!({ "anyOf": [text, range_schema("integer", bounds)] }),
    }
}

fn range_schema<T: Copy + Into<Value>>(kind: &str, bounds: &Bounds<T>) -> Value {
    json!({ "type": kind, "minimum": (*bounds.range.start()).into(), "maximum": (*bounds.range.end()).into() })
}

fn table_schema(table: &Table) -> Value {
    let mut properties = Map::new();
    for key in table.keys {
        let mut schema = kind_schema(&key.kind);
        schema["description"] = json!(format!("{} {}", described(key), value_sentence(key)));
        properties.insert(key.name.to_owned(), schema);
    }
    for inner in table.tables {
        let name =
            if table.name.is_empty() { (*inner).to_owned() } else { format!("{}.{inner}", table.name) };
        let schema = match TABLES.into_iter().find(|table| table.name == name) {
            Some(table) => table_schema(table),
            // [kafka.librdkafka] takes any property.
            None => {
                json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } })
            }
        };
        let schema = if *inner == "mapping" { json!({ "type": "array", "items": schema }) } else { schema };
        properties.insert((*inner).to_owned(), schema);
    }
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !table.text.is_empty() {
        schema["description"] = json!(table.text);
    }
    schema
}

fn value_sentence(key: &Key) -> String {
    match key.value {
        Declared::Default(value) => format!("Default: {value}"),
        Declared::Required(value) => format!("Example: {value}"),
        Declared::Example(value) => format!("No default. Example: {value}"),
    }
}

#[test]
fn the_schema_has_each_key_as_declared() {
    let mut whole = table_schema(&TOP);
    whole["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    whole["title"] = json!("bridge.toml of kafka-influx-bridge");
    assert_is(SCHEMA, &(serde_json::to_string_pretty(&whole).unwrap() + "\n"));
}

fn document() -> String {
    let mut out = String::from(
        "# Every configuration key\n\n\
         A test writes this page from the declarations of the keys, as it does the comments of [bridge.toml](../bridge.toml). Editors that know JSON Schema \
         complete and check the file with [bridge.schema.json](bridge.schema.json): write `#:schema PATH` into its first line for those that use Taplo \
         (VS Code's Even Better TOML, Helix, Zed).\n\n\
         `${NAME}` in a string is an environment variable, `${NAME:-text}` one with a default, `${file:PATH}` the content of a file. \
         Sizes: `\"1MB\"` is 10^6 bytes, `\"1MiB\"` 2^20. Durations: `\"250ms\"`, `\"10s\"`, `\"1h30m\"`. \
         After SIGHUP a running bridge applies a changed file; keys with \"restart\" in the last column need a restart.\n",
    );
    for table in TABLES {
        let title =
            if table.name.is_empty() { "At the top".to_owned() } else { format!("`{}`", title(table.name)) };
        write!(out, "\n## {title}\n\n").unwrap();
        if !table.text.is_empty() {
            write!(out, "{}\n\n", table.text).unwrap();
        }
        out.push_str("| key | default | | |\n|---|---|---|---|\n");
        // One difference covers [kafka.tls] and [kafka.sasl].
        let all_restart =
            table.name.starts_with("kafka.") && KAFKA.reload.iter().all(|part| part.needs_restart);
        for key in table.keys {
            let cell = |text: &str| text.replace('|', "\\|");
            let written = format!("`{}`", cell(value(key)));
            let (default, example) = match key.value {
                Declared::Default(_) => (written, String::new()),
                Declared::Required(_) => ("required".to_owned(), format!(" Example: {written}.")),
                Declared::Example(_) => (String::new(), format!(" Example: {written}.")),
            };
            let restart = if all_restart || key.restart.is_some() { "restart" } else { "" };
            let text = cell(&described(key));
            writeln!(out, "| `{}` | {default} | {text}{example} | {restart} |", key.name).unwrap();
        }
    }
    out
}

#[test]
fn the_document_has_each_key_as_declared() {
    assert_is(DOCUMENT, &document());
}

fn assert_is(name: &str, want: &str) {
    let path = root().join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, want).unwrap();
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        is == want,
        "{name} does not have the keys as declared: UPDATE=1 cargo test -p kafka-influx-bridge-configuration generated"
    );
}
