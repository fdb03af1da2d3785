//! Migrates `<filter>` as far as a mapping has counterparts.

use super::source::IGNORED;
use super::syntax::Section;
use crate::Notes;
use crate::plugin::{Options, SourceLine};

/// The effects of the filters that apply to a tag.
#[derive(Debug, Default)]
pub struct FilterEffects {
    /// Keys that get the same value in every record.
    pub constants: Vec<(String, String, SourceLine)>,
    /// Keys that get the tag as their value.
    pub tag_keys_of_tag: Vec<(String, SourceLine)>,
    pub removed: Vec<String>,
    /// The only keys that stay.
    pub kept: Vec<String>,
    pub time_key: Option<String>,
}

pub fn read(filters: &[&Section], notes: &mut Notes) -> FilterEffects {
    let (mut effects, before) = (FilterEffects::default(), notes.len());
    for filter in filters {
        match filter.plugin() {
            "record_transformer" | "record_modifier" => transform(filter, &mut effects, notes),
            "stdout" => {}
            other => notes.add(filter.place.note("<filter>", without_counterpart(other))),
        }
    }
    notes.concern_points_after(before);
    effects
}

fn without_counterpart(plugin: &str) -> String {
    let instead = match plugin {
        "grep" | "sampling" | "throttle" => {
            "the bridge maps every record of a topic and does not filter by value"
        }
        "parser" => {
            "the bridge does not parse strings of the record: let the producer write their content as JSON"
        }
        "geoip" => "the bridge does not look up values",
        "typecast" | "types" => {
            "`number_fields` reads quoted numbers, and `integers` sets the type of whole numbers"
        }
        _ => "the bridge maps records and does not transform them",
    };
    format!("{plugin} has no counterpart: {instead}")
}

fn transform(filter: &Section, effects: &mut FilterEffects, notes: &mut Notes) {
    let mut options = Options::new(filter.plugin(), &filter.options);
    for name in ["@type", "type"] {
        options.take(name);
    }
    let renewed = options.take("renew_record").and_then(|setting| setting.value.flag()) == Some(true);
    for name in ["keep_keys", "whitelist_keys"] {
        if let Some(setting) = options.take(name)
            && (renewed || name == "whitelist_keys")
        {
            effects.kept.extend(setting.value.list());
        }
    }
    effects
        .removed
        .extend(options.take("remove_keys").map(|setting| setting.value.list()).unwrap_or_default());
    if let Some(setting) = options.take("renew_time_key") {
        effects.time_key = Some(setting.value.text.clone());
    }
    options.finish(KNOWN, IGNORED, notes);
    for setting in filter.children("record").flat_map(|record| &record.options) {
        let (name, text) = (&setting.name, setting.value.text.as_str());
        match text {
            // A placeholder is not a variable, so its "$" is escaped.
            "$${hostname}" => {
                effects.constants.push((name.clone(), "${HOSTNAME}".to_owned(), setting.place.clone()));
            }
            "$${tag}" => effects.tag_keys_of_tag.push((name.clone(), setting.place.clone())),
            _ if text.contains("$${") => {
                let why = "a key can't be computed from others: use `rename` for names, or let the producer write the key";
                notes.add(setting.place.note(name, why));
            }
            _ => effects.constants.push((name.clone(), text.to_owned(), setting.place.clone())),
        }
    }
}

const KNOWN: &[(&str, &str)] = &[
    ("@id", ""),
    ("@log_level", ""),
    ("enable_ruby", "the bridge runs no code"),
    ("auto_typecast", ""),
    ("char_encoding", "JSON is always read as UTF-8"),
];
