//! What is made of the reference and the reader: a JSON Schema for editors, and the document of all keys. After a change:
//! `UPDATE=1 cargo test -p kafka-influx-bridge-configuration generated`.

use super::reference::{commented_out, key, reference};
use super::*;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

const SCHEMA: &str = "docs/bridge.schema.json";
const DOCUMENT: &str = "docs/configuration.md";

/// A key of the reference with what is said of it.
struct Entry {
    table: &'static schema::Table,
    key: &'static str,
    /// As TOML.
    value: String,
    /// Otherwise `value` is an example.
    is_default: bool,
    says: String,
}

/// A table of the reference, and what is said of it.
struct Titled {
    table: &'static schema::Table,
    says: String,
}

/// Splits a line into what comes before its comment, and the comment.
fn split_comment(line: &str) -> (&str, &str) {
    let mut in_text = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => in_text = !in_text,
            '#' if !in_text => return (line[..at].trim_end(), line[at + 1..].trim()),
            _ => {}
        }
    }
    (line.trim_end(), "")
}

fn read_reference() -> (Vec<Titled>, Vec<Entry>) {
    let (mut titled, mut entries) = (Vec::<Titled>::new(), Vec::<Entry>::new());
    let mut table = schema::TABLES[0];
    let mut above = Vec::new();
    for line in reference().lines() {
        let content = commented_out(line).unwrap_or(line);
        if let Some(name) = content.strip_prefix('[').map(|name| name.trim_matches(['[', ']'])) {
            if let Some(found) = schema::TABLES.iter().find(|table| table.name == name) {
                table = found;
                titled.push(Titled { table, says: above.join(" ") });
            }
            above.clear();
        } else if let Some(name) = key(content) {
            above.clear();
            let (assignment, says) = split_comment(content);
            let Some(key) = table.keys.iter().find(|known| **known == name) else { continue };
            let (_, value) = assignment.split_once(" = ").unwrap();
            let (is_default, says) = match says.strip_prefix("no default") {
                Some(rest) if rest.starts_with(':') => (false, format!("without it{rest}")),
                Some(rest) => (false, rest.trim_start_matches(';').trim().to_owned()),
                None => (true, says.to_owned()),
            };
            entries.push(Entry { table, key, value: value.to_owned(), is_default, says });
        } else if let Some(more) = line.trim_start().strip_prefix("# ") {
            match entries.last_mut().filter(|_| line.starts_with(' ')) {
                Some(entry) => write!(entry.says, " {more}").unwrap(),
                None if more.starts_with("----") => above.clear(),
                None => above.push(more.to_owned()),
            }
        } else {
            above.clear();
        }
    }
    (titled, entries)
}

/// A file in which the key may stand.
fn small_for(table: &schema::Table, key: &str) -> String {
    let v1 = "api = \"v1\"\ndatabase = \"d\"\n";
    let of_v1 = ["database", "retention_policy", "username", "password", "create_database"].contains(&key);
    match (table.name, key) {
        ("influx" | "mapping", _) if of_v1 => SMALL.split("org").next().unwrap().to_owned() + v1,
        ("influx", "urls") => SMALL.replace("url = \"http://localhost:8086\"\n", ""),
        (name, "cert_file") if name.ends_with("tls") => with(name, "key_file = \"bridge.toml\""),
        (name, "key_file") if name.ends_with("tls") => with(name, "cert_file = \"bridge.toml\""),
        _ => SMALL.to_owned(),
    }
}

/// What the reader says of the value for a key.
fn complaint(table: &schema::Table, key: &str, value: &str) -> Option<String> {
    let line = format!("{key} = {value}");
    let begin = format!("{key} = ");
    let small = small_for(table, key);
    let text = match small.lines().find(|line| line.starts_with(&begin)) {
        Some(other) => small.replace(other, &line),
        None => with_lines(&small, table.name, &line),
    };
    let errors = run(&text).err()?.errors;
    let own = format!("`{key}` ");
    errors.into_iter().find(|problem| problem.message.starts_with(&own)).map(|problem| problem.message)
}

/// What the reader takes, found out by asking it.
fn kinds(table: &schema::Table, key: &str) -> Value {
    let takes = |value: &str| {
        let said = complaint(table, key, value).unwrap_or_default();
        !(said.contains(" wants ") && said.contains(", this is "))
    };
    let mut kinds = Vec::new();
    if let Some(said) = complaint(table, key, "\"?\"").filter(|said| said.contains(" is one of ")) {
        let words: Vec<&str> =
            said.split(", this is ").next().unwrap().split('"').skip(1).step_by(2).collect();
        // Patterns are told of beside the words where there are some.
        let is_open = said.contains("(or ");
        kinds.push(if is_open { json!({ "type": "string" }) } else { json!({ "enum": words }) });
    } else if takes("\"x\"") {
        kinds.push(json!({ "type": "string" }));
    } else if takes("\"${LINES}\"") {
        kinds.push(json!({ "type": "string", "pattern": "\\$\\{.+\\}" }));
    }
    if takes("0.5") {
        kinds.push(json!({ "type": "number", "minimum": 0, "maximum": 1 }));
    } else if takes("5") {
        kinds.push(whole_number(table, key));
    }
    if takes("true") {
        kinds.push(json!({ "type": "boolean" }));
    }
    if takes("[\"x\"]") {
        kinds.push(json!({ "type": "array", "items": { "type": "string" } }));
    }
    if takes("{ x = \"x\" }") {
        kinds.push(json!({ "type": "object", "additionalProperties": { "type": "string" } }));
    }
    assert!((1..=3).contains(&kinds.len()), "{}.{key} takes {kinds:?}", table.name);
    if kinds.len() == 1 { kinds.remove(0) } else { json!({ "anyOf": kinds }) }
}

/// With the ends that the reader names, where it does so in numbers.
fn whole_number(table: &schema::Table, key: &str) -> Value {
    let mut kind = json!({ "type": "integer", "minimum": 0 });
    let said = complaint(table, key, "18446744073709551615").unwrap_or_default();
    let ends = said.split_once(" is from ").and_then(|(_, rest)| rest.split_once(',')).map(|(ends, _)| ends);
    if let Some((least, most)) = ends.and_then(|ends| ends.split_once(" to "))
        && let (Ok(least), Ok(most)) = (least.parse::<u64>(), most.parse::<u64>())
    {
        kind["minimum"] = json!(least);
        kind["maximum"] = json!(most);
    }
    kind
}

fn described(mut kind: Value, says: &str) -> Value {
    kind["description"] = json!(says);
    kind
}

fn table_schema(table: &'static schema::Table, titled: &[Titled], entries: &[Entry]) -> Value {
    let of_table = entries.iter().filter(|entry| entry.table == table);
    let mut properties: Map<String, Value> = of_table
        .map(|entry| (entry.key.to_owned(), described(kinds(table, entry.key), &sentence(entry))))
        .collect();
    for inner in table.tables {
        let name =
            if table.name.is_empty() { (*inner).to_owned() } else { format!("{}.{inner}", table.name) };
        let schema = match schema::TABLES.iter().find(|table| table.name == name) {
            Some(table) => table_schema(table, titled, entries),
            // What else librdkafka takes.
            None => {
                json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } })
            }
        };
        let schema = if *inner == "mapping" { json!({ "type": "array", "items": schema }) } else { schema };
        properties.insert((*inner).to_owned(), schema);
    }
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if let Some(says) = titled.iter().find(|titled| titled.table == table).map(|titled| &titled.says)
        && !says.is_empty()
    {
        schema["description"] = json!(says);
    }
    schema
}

fn sentence(entry: &Entry) -> String {
    let value = if entry.is_default { "Default" } else { "No default; for example" };
    format!("{} {value}: {}", capitalized(&entry.says), entry.value).trim().to_owned()
}

/// A comment as a sentence.
fn capitalized(says: &str) -> String {
    let mut letters = says.chars();
    let Some(first) = letters.next() else { return String::new() };
    let end = if says.ends_with('.') { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), letters.as_str())
}

fn document(titled: &[Titled], entries: &[Entry]) -> String {
    let mut out = String::from(
        "# Every configuration key\n\n\
         Made of the reference, [bridge.toml](../bridge.toml), by a test; change it there. Editors that know JSON Schema complete and check the file \
         with [bridge.schema.json](bridge.schema.json): `#:schema PATH` in its first line for those that use Taplo (VS Code's Even Better TOML, Helix, Zed).\n\n\
         `${NAME}` in a string is an environment variable, `${NAME:-text}` one with a default, `${file:PATH}` the content of a file. \
         Sizes: `\"1MB\"` is 10^6 bytes, `\"1MiB\"` 2^20. Durations: `\"250ms\"`, `\"10s\"`, `\"1h30m\"`.\n",
    );
    for table in schema::TABLES {
        let says = titled.iter().find(|titled| titled.table == table).map_or("", |titled| &titled.says);
        let title = if table.name.is_empty() {
            "At the top".to_owned()
        } else {
            format!("`{}`", schema::title(table.name))
        };
        write!(out, "\n## {title}\n\n").unwrap();
        if !says.is_empty() {
            write!(out, "{says}\n\n").unwrap();
        }
        out.push_str("| key | default | |\n|---|---|---|\n");
        for entry in entries.iter().filter(|entry| entry.table == table) {
            let cell = |text: &str| text.replace('|', "\\|");
            let written = format!("`{}`", cell(&entry.value));
            let (value, example) = if entry.is_default {
                (written, String::new())
            } else {
                (String::new(), format!(" Example: {written}."))
            };
            writeln!(out, "| `{}` | {value} | {}{example} |", entry.key, cell(&capitalized(&entry.says)))
                .unwrap();
        }
    }
    out
}

fn assert_is(name: &str, want: &str) {
    let path = super::reference::root().join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, want).unwrap();
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        is == want,
        "{name} is not what the reference says: UPDATE=1 cargo test -p kafka-influx-bridge-configuration generated"
    );
}

#[test]
fn the_document_has_every_key_as_the_reference_says() {
    let (titled, entries) = read_reference();
    assert_is(DOCUMENT, &document(&titled, &entries));
}

#[test]
fn the_schema_is_what_the_reader_takes() {
    let (titled, entries) = read_reference();
    let keys: usize = schema::TABLES.iter().map(|table| table.keys.len()).sum();
    assert_eq!(entries.len(), keys);
    let mut whole = table_schema(schema::TABLES[0], &titled, &entries);
    whole["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    whole["title"] = json!("bridge.toml of kafka-influx-bridge");
    assert_is(SCHEMA, &(serde_json::to_string_pretty(&whole).unwrap() + "\n"));
}
