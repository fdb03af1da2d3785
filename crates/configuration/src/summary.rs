//! Summarizes each mapping in one line, for `check`.

use super::Batch;
use super::section::Section;
use base::text::grouped;
use base::{Api, Destination};
use engine::batch::BatchSize;
use engine::dead_letter::DeadLetterStore;
use engine::{Mapping, MappingDestination};
use influx::{REQUEST_BYTES_MAX, influx_request_bytes_max};
use mapping::{
    AddedTime, Compression, DistinctTimes, Format, Globs, Integers, KeySelector, Rules, Schema,
    decode::Query, flattened_of_dots,
};
use std::collections::BTreeSet;
use toml::de::DeValue;

/// Summarizes the mapping of a file without [[mapping]]; `topic`: the only topic that is read.
pub fn of_default(topic: Option<&str>, mapping: &Mapping) -> String {
    let destination = destination(&mapping.destination);
    format!(
        "{} -> {destination}: measurement is the topic's name; no tags; {}",
        topic.unwrap_or("every topic"),
        kafka_time(&mapping.rules)
    )
}

/// Summarizes what happens to rejected and refused records.
pub fn of_dead_letter(dead_letter: Option<&DeadLetterStore>) -> String {
    match dead_letter {
        Some(dead_letter) => format!("rejected and refused records -> {dead_letter}"),
        None => "rejected and refused records are counted, logged and skipped: there is no [dead_letter]"
            .to_owned(),
    }
}

/// Describes what keys of `[batch]` that the file leaves out mean. None: the file has them all. `section`: `[batch]` in the file. `api`:
/// `influx.api`.
pub fn of_batch(section: Section<'_>, batch: Batch, api: Api) -> Option<String> {
    let (min, max) = (BatchSize::AUTOMATIC_MIN, BatchSize::AUTOMATIC_MAX);
    let megabytes = |bytes: usize| format!("{}MB", bytes as f64 / 1e6);
    let automatic = |key: &str, min: String, max: String| {
        format!("{min} a write, with a backlog up to {max} (no `{key}`)")
    };
    let lines = || {
        let (min, max) = (grouped(min.lines as u64), grouped(max.lines as u64));
        automatic("lines_max", format!("{min} lines"), max)
    };
    let bytes = || {
        let (of_api, of_others) = (max.bytes.min(influx_request_bytes_max(api)), REQUEST_BYTES_MAX);
        let at_others =
            (of_api > of_others).then(|| format!(", or {} at InfluxDB 3 and QuestDB", megabytes(of_others)));
        let max = megabytes(of_api) + &at_others.unwrap_or_default();
        automatic("bytes_max", megabytes(min.bytes), max)
    };
    let memory = || format!("{} for all batches (no `memory_max`)", megabytes(batch.memory_max));
    let parts = [
        batch.lines_max.is_none().then(lines),
        batch.bytes_max.is_none().then(bytes),
        (!section.has("memory_max")).then(memory),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("[batch]: {}", parts.join("; ")))
}

/// Explains names with dots, which users of JSONPath or Telegraf write for values in nested objects; none if there is no such name.
pub fn of_dots(mappings: &[Mapping]) -> Option<String> {
    let names = mappings.iter().flat_map(|mapping| {
        let rules = &mapping.rules;
        let globs = [&rules.tag_keys, &rules.string_fields, &rules.number_fields];
        let globs = globs.into_iter().flat_map(Globs::patterns).cloned();
        let keys = rules.selectors().filter_map(|(_, selector)| match selector {
            KeySelector::Flattened(key) => Some(key.clone()),
            _ => None,
        });
        globs.chain(keys).collect::<Vec<_>>()
    });
    let explained = names.filter_map(|name| {
        let flattened = flattened_of_dots(&name)?;
        let path = KeySelector::parse(&format!("$.{name}"))
            .map_or_else(|_| String::new(), |path| format!(" or \"{path}\""));
        Some(format!(
            "\"{name}\" is a key with dots in its name; the value in nested objects is \"{flattened}\"{path}"
        ))
    });
    let explained: BTreeSet<String> = explained.collect();
    (!explained.is_empty()).then(|| explained.into_iter().collect::<Vec<_>>().join("\n"))
}

/// Whether a path has an index such as `[0]`, or a name of digits such as `['0']`.
fn has_index_or_number_as_name(selector: &KeySelector) -> bool {
    let text = selector.to_string();
    let mut brackets = text.split('[').skip(1);
    !matches!(selector, KeySelector::Flattened(_))
        && brackets.any(|inside| inside.trim_start_matches('\'').starts_with(|c: char| c.is_ascii_digit()))
}

/// Names what the configuration means otherwise than in earlier builds; none if nothing of that kind is in it. `has_memory_max`: the file has
/// `batch.memory_max`.
pub fn of_changes(mappings: &[Mapping], has_memory_max: bool) -> Option<String> {
    let names = |has: &dyn Fn(&Rules) -> bool| {
        let found = mappings.iter().map(|mapping| &*mapping.rules).filter(|rules| has(rules));
        let names: BTreeSet<&str> = found.map(|rules| rules.format.name()).collect();
        (!names.is_empty()).then(|| names.into_iter().collect::<Vec<_>>().join(", "))
    };
    let json = names(&|rules| rules.format.is_json()).map(|names| {
        format!("{names}: NaN and Infinity leave out their field, and a schema registry's frame is skipped (both rejected before)")
    });
    let lines = names(&|rules| rules.format == Format::JsonLines)
        .map(|names| format!("{names}: a line may have several values (rejected before)"));
    let unpacked = names(&|rules| rules.compression == Compression::Auto && !rules.format.is_binary());
    let unpacked = unpacked.map(|names| {
        format!("{names}: compressed values are unpacked without `value_compression` (rejected before)")
    });
    let framed = names(&|rules| !rules.format.is_json() && !rules.format.has_schema()).map(|names| {
        format!("{names}: values with a schema registry's frame are rejected as a whole (their bytes were read before)")
    });
    let memory = (!has_memory_max).then(|| "`memory_max` is 26MB by default (16MB before)".to_owned());
    let zipped = mappings.iter().any(|mapping| !mapping.rules.reshape.zip.is_empty()).then(|| {
        "zip: one name with its value becomes a field, as in arrays (both stayed keys of the element before)".to_owned()
    });
    let any = |is: &dyn Fn(&Rules) -> bool| mappings.iter().any(|mapping| is(&mapping.rules));
    let distinct = any(&|rules| match rules.distinct_times {
        DistinctTimes::Never => false,
        // Lines have times of their own, or Kafka's.
        DistinctTimes::Kafka => rules.time.is_none(),
        DistinctTimes::Always => true,
    });
    let distinct = distinct.then(|| {
        "distinct_times: digits differ between topics (a replay across the update makes second points)"
            .to_owned()
    });
    let columns = any(&|rules| {
        rules.format == Format::Csv
            && rules.selectors().any(|(option, _)| ["measurement", "tags", "time"].contains(&option))
    });
    let columns = columns.then(|| {
        "csv: a column in a placeholder keeps its text, and is a field only by `number_fields` or `types` (a number field before)".to_owned()
    });
    let scalars = any(&|rules| rules.query != Query::Whole)
        .then(|| "query: selected numbers, strings and booleans are fields (rejected before)".to_owned());
    let indexed = any(&|rules| rules.selectors().any(|(_, selector)| has_index_or_number_as_name(selector)));
    let indexed = indexed.then(|| {
        "paths: an index such as [0] selects items of arrays only, and a name such as ['0'] members of objects only (each selected both before)"
            .to_owned()
    });
    let changes = [memory, json, lines, unpacked, framed, zipped, columns, scalars, indexed, distinct];
    let changes: Vec<String> = changes.into_iter().flatten().collect();
    (!changes.is_empty()).then(|| format!("changed since earlier builds: {}", changes.join("; ")))
}

/// Summarizes a mapping; `topics` as written in the file.
pub fn of_mapping(section: Section<'_>, topics: Option<&str>, mapping: &Mapping) -> String {
    let rules = &mapping.rules;
    let parts = [
        Some(measurement(section, rules)),
        Some(tags(section, rules)),
        fields(section, rules),
        Some(time(section, rules)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!(
        "{} -> {}: {}",
        topics.unwrap_or("every topic"),
        destination(&mapping.destination),
        parts.join("; ")
    )
}

fn destination(destination: &MappingDestination) -> String {
    let note = if destination.is_of_topic() {
        " (one for each topic; text in braces was literal earlier)"
    } else {
        ""
    };
    let shown = match destination.unfilled() {
        Destination::Bucket { org, bucket } => format!("bucket {bucket:?} of organization {org:?}"),
        Destination::Database { database, retention_policy: None } | Destination::Database3 { database } => {
            format!("database {database:?}")
        }
        Destination::Database { database, retention_policy: Some(policy) } => {
            format!("database {database:?}, retention policy {policy:?}")
        }
    };
    shown + note
}

fn measurement(section: Section<'_>, rules: &Rules) -> String {
    let fixed = match rules.measurement.text() {
        "" => "that of each line".to_owned(),
        "{topic}" => "the topic's name".to_owned(),
        measurement => format!("{measurement:?}"),
    };
    let objects = match (rules.format, shown(section, "query")) {
        (_, Some(query)) => format!("a point for each of {query}, "),
        (Format::JsonLines | Format::Influx, None) => "a point for each line, ".to_owned(),
        (Format::Protobuf, None) => {
            let message = match &rules.schema {
                Some(Schema::Protobuf(schema)) => schema.message(),
                _ => "message",
            };
            format!("a point for each {message}, ")
        }
        (Format::Csv, None) => "a point for each row, ".to_owned(),
        _ => String::new(),
    };
    match shown(section, "name_key") {
        Some(key) => format!("{objects}measurement from {key:?}, else {fixed}"),
        None => format!("{objects}measurement is {fixed}"),
    }
}

fn tags(section: Section<'_>, rules: &Rules) -> String {
    let mut tags = list(section, "tag_keys");
    let own = [
        ("the topic", &rules.topic_tag),
        ("the key", &rules.key_tag),
        ("the partition", &rules.partition_tag),
    ];
    tags.extend(own.iter().filter_map(|(what, tag)| Some(format!("{}={what}", tag.as_ref()?))));
    tags.extend(rules.header_tags.iter().map(|name| format!("header {name}")));
    tags.extend(rules.tags.iter().map(|(name, value)| format!("{name}={value}")));
    let has_placeholders = rules.tags.iter().any(|(_, value)| value.has_placeholders());
    let note = if has_placeholders { " (text in braces is a placeholder, earlier literal text)" } else { "" };
    if tags.is_empty() { "no tags".to_owned() } else { format!("tags {}{note}", tags.join(", ")) }
}

fn fields(section: Section<'_>, rules: &Rules) -> Option<String> {
    let mut fields = Vec::new();
    for (key, what) in [
        ("include", "only the fields"),
        ("exclude", "no fields"),
        ("string_fields", "strings kept in"),
        ("number_fields", "quoted numbers read in"),
    ] {
        let globs = list(section, key);
        let says_all = key == "include" && globs == ["*"];
        fields.extend((!globs.is_empty() && !says_all).then(|| format!("{what} {}", globs.join(", "))));
    }
    let shapes: Vec<String> = ["parse_json", "columns", "explode", "where", "pivot", "zip"]
        .into_iter()
        .filter(|key| section.has(key))
        .map(|key| format!("`{key}`"))
        .collect();
    fields.extend((!shapes.is_empty()).then(|| format!("records rearranged by {}", shapes.join(", "))));
    fields.extend(section.has("values").then(|| "texts replaced by `values`".to_owned()));
    let types: Vec<String> = rules.types.entries().map(|(key, to)| format!("{key}={}", to.name())).collect();
    fields.extend((!types.is_empty()).then(|| format!("types {}", types.join(", "))));
    fields.extend((rules.integers == Integers::Int).then(|| "integers kept".to_owned()));
    fields.extend(rules.fields.iter().map(|(name, from)| format!("{name} from {from}")));
    fields.extend(section.has("rename").then(|| "keys renamed".to_owned()));
    (!fields.is_empty()).then(|| fields.join(", "))
}

fn time(section: Section<'_>, rules: &Rules) -> String {
    let time = match (&rules.time, shown(section, "time_format")) {
        (Some(time), Some(format)) => {
            let plus =
                |added: &AddedTime| format!(", plus {:?} in {}", added.key.to_string(), added.unit.name());
            let added: String = time.added.iter().map(plus).collect();
            format!("time from {:?} as {format}{added}", time.shown())
        }
        _ if rules.format == Format::Influx => {
            format!("time of each line in {}, else {}", rules.precision.name(), kafka_time(rules))
        }
        _ => kafka_time(rules),
    };
    let end = |key: &str, words: &str| {
        let end = section.value(key)?.get_ref();
        let end = end.as_str().map(str::to_owned).or_else(|| Some(end.as_datetime()?.to_string()))?;
        Some(format!(", {words} {end}"))
    };
    let ends = [end("time_min", "not before"), end("time_max", "not after")];
    ends.into_iter().flatten().fold(time, |time, end| time + &end)
}

fn kafka_time(rules: &Rules) -> String {
    let distinct = if rules.distinct_times == DistinctTimes::Never { "" } else { ", made distinct" };
    format!("time of the Kafka record{distinct}")
}

/// A string as written in the file.
fn shown(section: Section<'_>, key: &str) -> Option<String> {
    section.value(key)?.get_ref().as_str().map(str::to_owned)
}

fn list(section: Section<'_>, key: &str) -> Vec<String> {
    match section.value(key).map(toml::Spanned::get_ref) {
        Some(DeValue::Array(values)) => {
            values.iter().filter_map(|value| value.get_ref().as_str()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
