//! Migrates a telegraf.conf and the files of telegraf.d.
//!
//! ```text
//! conf (files, lines) -> kafka            [kafka] and its security     --+
//!   |                 -> input -> influx, json, json_v2, msgpack, avro, csv, value, xpath, filters -> rules  [[mapping]]  --+-> bridges: one for each Kafka and server
//!   variables         -> output, agent    [influx], [batch], [log]     --+
//! ```

mod agent;
mod amounts;
mod avro;
mod bridges;
mod comparison_conf;
mod conf;
mod converter;
mod csv;
mod enums;
mod filters;
mod gjson;
mod influx;
mod input;
mod json;
mod json_v2;
mod kafka;
mod metricpass;
mod msgpack;
mod names;
mod output;
mod pivot;
mod processors;
mod report;
mod rules;
#[cfg(test)]
mod tests;
mod text_change;
mod texts;
mod value;
mod variables;
mod xpath;

pub use comparison_conf::{ComparisonConf, MARK, comparison_conf};

use super::{Input, Machine, MigrateError, Migration, Note, Weight};
use conf::Conf;
use report::Report;

const INPUT: &str = "inputs.kafka_consumer";

/// Whether a text looks like a telegraf.conf.
#[must_use]
pub(super) fn recognizes(text: &str) -> bool {
    const STARTS: [&str; 7] =
        ["inputs.", "outputs.", "agent]", "global_tags]", "processors.", "aggregators.", "secretstores."];
    let is_header = |line: &str| {
        let line = line.trim_start();
        let name = line.trim_start_matches('[').trim_start();
        line.starts_with('[') && STARTS.iter().any(|start| name.starts_with(start))
    };
    text.trim_start_matches('\u{feff}').lines().any(is_header)
}

/// # Errors
/// A file can't be read, or the bridge can replace none of the inputs.
pub(super) fn migrate(files: &[Input], machine: &Machine) -> Result<Migration, MigrateError> {
    let mut report = Report::default();
    let conf = conf::read(files, &mut report.notes)?;
    for plugin in &conf.plugins {
        if let Some(why) = advice(&plugin.kind) {
            let (file, line, what) = (plugin.options.file.clone(), plugin.options.line, plugin.kind.clone());
            report.notes.add(Note { weight: weight(&plugin.kind), file, line, what, why });
        }
    }
    let bridges = bridges::plan(&conf, machine, &mut report);
    report_unread(&conf, &mut report);
    if bridges.is_empty() {
        let has_input = conf.of_kind(INPUT).next().is_some();
        let why = if has_input {
            "the bridge can replace none of its [[inputs.kafka_consumer]], or no output takes their points"
        } else {
            "it has no [[inputs.kafka_consumer]]"
        };
        let file = files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(MigrateError::Nothing { file, why: why.to_owned(), notes: report.notes.sorted() });
    }
    Ok(Migration { bridges, notes: report.notes.sorted(), cut_over: cut_over() })
}

fn report_unread(conf: &Conf, report: &mut Report) {
    agent::report_unread(&conf.agent, report);
    for plugin in &conf.plugins {
        match plugin.kind.as_str() {
            INPUT => kafka::report_unread(&plugin.options, report),
            output::V1 | output::V2 | output::V3 => output::report_unread(plugin, report),
            _ => {}
        }
    }
}

/// The note on a plugin without a counterpart.
fn advice(kind: &str) -> Option<String> {
    let words = match kind {
        INPUT | output::V1 | output::V2 | output::V3 => return None,
        _ if processors::is_replaced(kind) => return None,
        "processors.defaults" => {
            "a fixed tag is written in `tags` of the [[mapping]]; fixed fields have no counterpart"
        }
        "processors.tag_limit" | "processors.filter" | "processors.override" => {
            "see `tags`, `tag_keys`, `include` and `exclude` of the [[mapping]]"
        }
        "processors.date" => {
            "the tag or field of tag_key or field_key is not added, because no option formats the time of a point: a query can group by parts of the time. A date that the record has as text becomes a tag by `tag_keys`"
        }
        "processors.unpivot" => {
            "the fields of an element stay in one point, and keep their names: a query can unpivot them. For flat records of numbers, query = \"$.*\" of the [[mapping]] makes a point of each, with its name in the tag \"@key\" and the record's tags as \"$.host\""
        }
        "processors.dedup" => {
            "it is not needed for records that are read twice: they overwrite the same points"
        }
        _ if kind.starts_with("inputs.") => "the bridge reads Kafka only: keep Telegraf for this input",
        _ if kind.starts_with("outputs.") => {
            "the bridge writes to InfluxDB only: keep Telegraf for this output, with a consumer group of its own"
        }
        _ if kind.starts_with("processors.") => {
            "it has no counterpart: change the producer, or keep Telegraf for points that need it"
        }
        _ if kind.starts_with("aggregators.") => {
            "the bridge does not aggregate: use a task or a continuous query of InfluxDB"
        }
        _ => "secrets are ${NAME} or ${file:PATH} in bridge.toml: an @{store:key} became ${KEY}",
    };
    Some(words.to_owned())
}

/// The weight of the note on a plugin without a counterpart. Inputs and outputs stay in Telegraf.
fn weight(kind: &str) -> Weight {
    match kind {
        "processors.dedup" => Weight::NoEffect,
        _ if kind.starts_with("processors.") || kind.starts_with("aggregators.") => Weight::PointsDiffer,
        _ => Weight::Differs,
    }
}

fn cut_over() -> Vec<String> {
    [
        "1. `kafka-influx-bridge check --connect`, and `migrate --diff RECORDS` or `map --live 10` to see the points",
        "2. stop Telegraf, then start the bridge: it continues at Telegraf's offsets. Both can't run in one group: Telegraf's range strategy and the bridge's cooperative-sticky are incompatible",
        "   or run both in parallel for a while and compare: give the bridge another `group_id` with `offset_reset` = \"latest\", and another `bucket`. Then stop Telegraf, and change `group_id` and `bucket` back",
    ]
    .map(str::to_owned)
    .to_vec()
}
