//! Migrates a Logstash pipeline: each input `kafka`, the filters, and the output `influxdb`.

mod conditions;
mod filters;
mod influxdb;
mod joda;
mod kafka;
mod mapping;
mod names;
mod security;
mod syntax;
#[cfg(test)]
mod tests;

use self::conditions::KnownFields;
use self::syntax::Plugin;
use super::draft_tables::DraftTables;
use super::{Bridge, Input, MigrateError, Migration, Notes};
use configuration::draft::Table;
use std::rc::Rc;

/// Logstash does not start with an unknown option.
const REFUSED: &str = ", and Logstash does not start with it";

/// Whether a text looks like a pipeline of Logstash.
#[must_use]
pub fn recognizes(text: &str) -> bool {
    let is_section = |line: &str| {
        let name = line.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        matches!(name, "input" | "filter" | "output")
            && line.trim_start().get(name.len()..).is_some_and(|rest| rest.trim_start().starts_with('{'))
    };
    let is_name_alone = |line: &str| matches!(line.trim(), "input" | "filter" | "output");
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let in_two_lines = lines
        .windows(2)
        .any(|pair| matches!(pair, [name, bracket] if is_name_alone(name) && bracket.starts_with('{')));
    in_two_lines || lines.iter().any(|line| is_section(line))
}

/// # Errors
/// A file can't be read, or no input reads Kafka.
pub fn migrate(files: &[Input]) -> Result<Migration, MigrateError> {
    let mut plugins = Vec::new();
    for file in files {
        let name: Rc<str> = file.name.as_str().into();
        plugins.extend(syntax::parse(&name, &file.text).map_err(|error| MigrateError::Syntax {
            file: file.name.clone(),
            line: error.line,
            why: error.why,
        })?);
    }
    let mut notes = Notes::default();
    let inputs: Vec<&Plugin> =
        plugins.iter().filter(|plugin| plugin.section == "input" && plugin.name == "kafka").collect();
    note_what_is_beside(&plugins, &mut notes);
    if inputs.is_empty() {
        let file = files.first().map(|file| file.name.clone()).unwrap_or_default();
        let why = "it has no input that reads Kafka: input { kafka { ... } }".to_owned();
        return Err(MigrateError::Nothing { file, why, notes: notes.sorted() });
    }
    let bridges = inputs.into_iter().map(|input| bridge(input, &plugins, &mut notes)).collect();
    let cut_over = [
        "1. `kafka-influx-bridge check --connect`, and `map --live 10` to see the points",
        "2. stop Logstash, or remove this pipeline from it, and wait until it has ended; then start the bridge: in Logstash's group it continues after Logstash's last commit",
        "   or run both in parallel for a while and compare: give the bridge another `group_id` with `offset_reset` = \"latest\", and another `database`. Then stop Logstash, and change `group_id` and `database` back",
    ];
    Ok(Migration { bridges, notes: notes.sorted(), cut_over: cut_over.map(str::to_owned).to_vec() })
}

fn outputs<'a>(plugins: &[&'a Plugin]) -> impl Iterator<Item = &'a Plugin> {
    plugins.iter().copied().filter(|plugin| plugin.section == "output" && plugin.name == "influxdb")
}

fn note_what_is_beside(plugins: &[Plugin], notes: &mut Notes) {
    for plugin in plugins {
        match (plugin.section.as_str(), plugin.name.as_str()) {
            ("input", "kafka") | ("output", "influxdb") | ("filter", _) => {}
            ("input", name) => {
                notes.add(plugin.place.note(name, "the bridge reads Kafka only: keep it in Logstash"));
            }
            (_, "stdout") => notes.add(
                plugin
                    .place
                    .note("stdout", "`kafka-influx-bridge map --live 10` shows the points of a topic"),
            ),
            (_, name) => notes.add(plugin.place.note(name, "the bridge writes to InfluxDB only")),
        }
    }
}

/// Notes conditions on values of records: a mapping applies to whole topics.
fn note_conditions(plugin: &Plugin, known: &KnownFields, notes: &mut Notes) {
    if let (None, Some(condition)) = (known.reaches(plugin), plugin.conditions.last()) {
        let why = format!(
            "the condition `{}` was ignored: a [[mapping]] selects records by topic only",
            condition.shown()
        );
        notes.add(plugin.place.note(&plugin.name, why));
    }
}

fn bridge(input: &Plugin, plugins: &[Plugin], notes: &mut Notes) -> Bridge {
    let mut draft = DraftTables::default();
    draft.comments.push(format!("Migrated from the input of {}.", input.place.short()));
    let known = KnownFields::of(input);
    note_conditions(input, &known, notes);
    let mut records = kafka::read(input, &mut draft, notes);
    let reached: Vec<&Plugin> =
        plugins.iter().filter(|plugin| known.reaches(plugin) != Some(false)).collect();
    let mut effects = filters::read(&reached, &known, notes);
    // Conditions use "type" to choose outputs; no output stores it.
    effects.constants.extend(records.constants.drain(..).filter(|(name, ..)| name != "type"));
    let mut table = Table::new("[[mapping]]");
    let mut outputs = outputs(&reached);
    if let Some(output) = outputs.next() {
        note_conditions(output, &known, notes);
        influxdb::add(output, &mut effects, &mut table, &mut draft, notes);
    } else {
        table.set("string_fields", vec!["*"]).suggest(
            "tag_keys",
            vec!["KEY"],
            &["Keys that you filter and group by:"],
        );
        draft.influx_to_fill_in();
    }
    for second in outputs {
        let why = format!(
            "the input of {} reaches several outputs to InfluxDB, and only the first was migrated: write a [[mapping]] for the topics of another, or use a second bridge",
            input.place.shown()
        );
        notes.add(second.place.note("influxdb", why));
    }
    mapping::finish(&mut table, effects, &records, notes);
    draft.mappings.push(table);
    draft.bridge()
}
