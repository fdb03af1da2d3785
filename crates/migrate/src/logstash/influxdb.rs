//! Migrates the output `influxdb` to a `[[mapping]]` and `[influx]`.

use super::filters::FilterEffects;
use super::names::{self, OfKafka};
use super::syntax::{Plugin, Value};
use super::{REFUSED, mapping};
use crate::Notes;
use crate::draft_tables::DraftTables;
use crate::plugin::{Options, Setting};
use crate::values::{duration, exact_glob};
use configuration::draft::Table;

/// Fills `[influx]` and a mapping.
pub fn add(
    output: &Plugin,
    effects: &mut FilterEffects,
    table: &mut Table,
    draft: &mut DraftTables,
    notes: &mut Notes,
) {
    let mut options = Options::new("the influxdb output", &output.settings);
    measurement(&mut options, table, effects, notes);
    let sends_tags = options.take("send_as_tags");
    let tags = sends_tags.map_or_else(|| vec!["host"], |setting| setting.value.list());
    let tags: Vec<String> = tags.into_iter().map(names::key).collect();
    let by_event =
        options.take("use_event_fields_for_data_points").and_then(|s| s.value.flag()) == Some(true);
    let coerced = options.take("coerce_values");
    let points = options.take("data_points");
    let excluded = options.take("exclude_fields");
    let overrides = options.take("allow_time_override").and_then(|s| s.value.flag()) == Some(true);
    // Logstash's default.
    let precision = options.take("time_precision").and_then(|s| s.value.text()).unwrap_or("ms");
    if by_event {
        event_fields(&tags, excluded, table, effects);
    } else if let Some(points) = points {
        data_points(points, &tags, coerced, (overrides, precision), table, effects, notes);
    }
    coerce(coerced, by_event, table, effects, notes);
    server(&mut options, table, draft, notes);
    if let Some(setting) = options.take("idle_flush_time") {
        if let Some(age) = setting.value.text().and_then(|text| text.parse().ok()).and_then(duration) {
            draft.batch.get_or_insert_with(|| Table::new("[batch]")).set("age_max", age);
        } else {
            let why = "age_max is 1ms to 1h: the bridge's default is used";
            notes.add(setting.place.note("idle_flush_time", why));
        }
    }
    options.finish(WITHOUT_COUNTERPART, REFUSED, notes);
}

fn measurement(
    options: &mut Options<'_, Value>,
    table: &mut Table,
    effects: &FilterEffects,
    notes: &mut Notes,
) {
    let setting = options.take("measurement");
    // Logstash's default.
    let text = setting.and_then(|setting| setting.value.text()).unwrap_or("logstash");
    let text =
        text.replace("%{[@metadata][kafka][topic]}", "{topic}").replace("%{[kafka][topic]}", "{topic}");
    match (names::reference(&text), setting) {
        (Some(reference), _) => {
            table.set("name_key", effects.original(reference));
            table.set_because("measurement", "logstash", &["For records without that key."]);
        }
        (None, Some(setting)) if !names::is_fixed(&text) => {
            let why = "it can't be composed of parts of the record: `measurement` supports {topic}, and `name_key` one key";
            notes.add_to(table, setting.place.note("measurement", why));
        }
        _ => {
            table.set("measurement", text);
        }
    }
}

fn globs<'a>(keys: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    keys.into_iter().map(|key| exact_glob(key)).collect()
}

/// Migrates an output that stores all fields of an event.
fn event_fields(
    tags: &[String],
    excluded: Option<&Setting<Value>>,
    table: &mut Table,
    effects: &mut FilterEffects,
) {
    let keys: Vec<String> = tags.iter().map(|tag| effects.original(tag)).collect();
    mapping::tags(tags, &keys, table, effects);
    table
        .set_because("string_fields", vec!["*"], &["Every string and boolean is a field, unless it is a tag."])
        .set_because(
            "integers",
            "int",
            &["Logstash stored integers. A field that is sometimes 5 and sometimes 5.5 needs \"float\", in a new measurement."],
        );
    let standard = || ["@timestamp", "@version", "sequence", "message", "type"].map(str::to_owned).to_vec();
    let listed =
        |setting: &Setting<Value>| setting.value.list().iter().map(|name| effects.original(name)).collect();
    let mut exclude: Vec<String> = excluded.map_or_else(standard, listed);
    exclude.extend(effects.removed.iter().cloned());
    exclude.dedup();
    if !exclude.is_empty() {
        table.set("exclude", globs(&exclude));
    }
    effects.removed.clear();
}

/// Migrates an output that stores only the listed fields, as text unless they are coerced.
fn data_points(
    points: &Setting<Value>,
    tags: &[String],
    coerced: Option<&Setting<Value>>,
    (overrides_time, precision): (bool, &str),
    table: &mut Table,
    effects: &mut FilterEffects,
    notes: &mut Notes,
) {
    let coerced: Vec<&str> =
        coerced.map(|s| s.value.pairs().iter().map(|(name, _)| *name).collect()).unwrap_or_default();
    let (mut tag_keys, mut included, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for (name, text) in super::filters::texts_of(points, notes) {
        let is_tag = tags.iter().any(|tag| tag == name);
        let Some(reference) = reference(name, text, points, effects, notes) else { continue };
        if name == "time" {
            if overrides_time {
                time_of(reference, precision, points, effects, notes);
            }
            continue;
        }
        if is_of_kafka(name, reference, effects) {
            continue;
        }
        let key = effects.original(reference);
        effects.renamed.retain(|(from, _)| *from != key);
        if key != name {
            effects.renamed.push((key.clone(), name.to_owned()));
        }
        if is_tag {
            tag_keys.push(key);
        } else {
            if !coerced.contains(&name) {
                texts.push(key.clone());
            }
            included.push(key);
        }
    }
    // Tags that are not among the fields have no effect.
    let used: Vec<&String> = tag_keys.iter().chain(&included).collect();
    effects.renamed.retain(|(from, _)| used.contains(&from));
    mapping::tags(tags, &tag_keys, table, effects);
    if !included.is_empty() {
        table.set("include", globs(&included));
    }
    if !texts.is_empty() {
        table.set_because(
            "string_fields",
            globs(&texts),
            &["Logstash stored these as text, also numbers. The bridge stores numbers, which InfluxDB refuses in an existing text field:",
              "start a new measurement for records with numbers."],
        );
    }
    effects.removed.clear();
}

/// The part of the record that a field is a reference to. A fixed text becomes a constant, and any other text is noted.
fn reference<'t>(
    name: &str,
    text: &'t str,
    points: &Setting<Value>,
    effects: &mut FilterEffects,
    notes: &mut Notes,
) -> Option<&'t str> {
    let reference = names::reference(text);
    if reference.is_none() && names::is_fixed(text) {
        effects.constants.push((name.to_owned(), text.to_owned(), points.place.clone()));
    } else if reference.is_none() {
        let why = format!("{name} can't be composed of parts of the record");
        notes.add(points.place.note("data_points", why));
    }
    reference
}

/// Whether the field is metadata of Kafka, also by way of a filter; it then gets its name.
fn is_of_kafka(name: &str, reference: &str, effects: &mut FilterEffects) -> bool {
    if let Some(of_kafka) = names::of_kafka(reference) {
        effects.of_kafka.push((name.to_owned(), of_kafka));
        return true;
    }
    let key = names::key(reference);
    match effects.of_kafka.iter_mut().find(|(known, _)| *known == key) {
        Some((known, _)) => {
            name.clone_into(known);
            true
        }
        None => false,
    }
}

fn time_of(
    reference: &str,
    precision: &str,
    points: &Setting<Value>,
    effects: &mut FilterEffects,
    notes: &mut Notes,
) {
    if names::of_kafka(reference) == Some(OfKafka::Timestamp) {
        effects.time = None;
        return;
    }
    let format = match precision {
        "s" => "unix",
        "ms" => "unix_ms",
        "u" => "unix_us",
        "n" => "unix_ns",
        other => {
            let why = format!("times can't have the unit {other:?}");
            notes.add(points.place.note("time_precision", why));
            return;
        }
    };
    let key = effects.original(reference);
    effects.time = Some(super::filters::Time { key, format: Some(format.to_owned()), zone: None });
}

/// Migrates `coerce_values`. A mapping has one setting for all integers.
fn coerce(
    coerced: Option<&Setting<Value>>,
    by_event: bool,
    table: &mut Table,
    effects: &mut FilterEffects,
    notes: &mut Notes,
) {
    let Some(setting) = coerced else { return };
    let pairs = setting.value.pairs();
    let of_kind = |kind: &str| pairs.iter().filter(|(_, value)| value.text() == Some(kind)).count();
    let (integers, floats) = (of_kind("integer"), of_kind("float"));
    for (name, value) in &pairs {
        if matches!(value.text(), Some("integer" | "float")) {
            let key = effects.original(name);
            effects.numbers.push(key);
        }
    }
    if !by_event && integers > 0 && floats == 0 {
        table.set("integers", "int");
    } else if (integers > 0 || by_event) && floats > 0 {
        let why = "`integers` applies to all whole numbers of a mapping; use a separate [[mapping]] for topics that need another value";
        notes.add_to(table, setting.place.note("coerce_values", why));
    }
}

fn server(options: &mut Options<'_, Value>, table: &mut Table, draft: &mut DraftTables, notes: &mut Notes) {
    let text = |setting: Option<&Setting<Value>>| {
        setting.and_then(|setting| setting.value.text()).map(str::to_owned)
    };
    let host = text(options.take("host")).unwrap_or_else(|| "localhost".to_owned());
    let port = text(options.take("port")).unwrap_or_else(|| "8086".to_owned());
    let is_tls = options.take("ssl").and_then(|setting| setting.value.flag()) == Some(true);
    let scheme = if is_tls { "https" } else { "http" };
    draft.influx.set("url", format!("{scheme}://{host}:{port}")).set("api", "v1");
    let db = options.take("db");
    match db.and_then(|setting| Some((setting, setting.value.text()?))) {
        Some((_, name)) if names::is_fixed(name) => {
            draft.influx.set("database", name);
        }
        Some((setting, _)) => {
            let why =
                "a record can't choose its database: write a [[mapping]] for the topics of each database";
            notes.add_to(table, setting.place.note("db", why));
            draft.influx.set("database", "${INFLUX_DATABASE}");
            draft.fill_in.push("influx.database: write it, or set INFLUX_DATABASE".to_owned());
        }
        None => {
            draft.influx.set("database", "statistics");
        }
    }
    let policy = text(options.take("retention_policy")).unwrap_or_else(|| "autogen".to_owned());
    draft.influx.set("retention_policy", policy);
    if let Some(user) = text(options.take("user")) {
        draft.influx.set("username", user);
    }
    if let Some(setting) = options.take("password") {
        let text = setting.value.text().unwrap_or_default();
        let secret = draft.secret("influx.password", "INFLUX_PASSWORD", text, &setting.place);
        draft.influx.set("password", secret);
    }
    if is_tls {
        let lines = ["Logstash trusted any certificate. Set ca_file for a private one or, for a test:"];
        draft.influx_tls().suggest("verify", false, &lines);
    }
}

const RETRIES: &str = "it is not needed: the bridge retries forever and loses nothing";

const WITHOUT_COUNTERPART: &[(&str, &str)] = &[
    ("id", ""),
    ("enable_metric", ""),
    ("codec", ""),
    ("workers", "it is not needed: one write at a time per destination is faster than an InfluxDB"),
    ("flush_size", "a write has up to 5,000 lines, and more with a backlog; lines_max of [batch] bounds it"),
    ("initial_delay", RETRIES),
    ("max_retries", RETRIES),
];
