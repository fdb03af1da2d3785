//! `<filter>`: what of it a mapping can say.

use super::source::IGNORED;
use super::syntax::Section;
use crate::Notes;
use crate::plugin::{Options, Place};

/// What the filters on the way of a tag do to its records.
#[derive(Debug, Default)]
pub struct Changes {
    /// Keys that are given one value in every record.
    pub constants: Vec<(String, String, Place)>,
    /// Keys that are given the tag.
    pub tag_keys_of_tag: Vec<(String, Place)>,
    pub removed: Vec<String>,
    /// The only keys that stay.
    pub kept: Vec<String>,
    pub time_key: Option<String>,
}

pub fn read(filters: &[&Section], notes: &mut Notes) -> Changes {
    let mut changes = Changes::default();
    for filter in filters {
        match filter.plugin() {
            "record_transformer" | "record_modifier" => transform(filter, &mut changes, notes),
            "stdout" => {}
            other => notes.add(filter.place.note("<filter>", without_counterpart(other))),
        }
    }
    changes
}

fn without_counterpart(plugin: &str) -> String {
    let instead = match plugin {
        "grep" | "sampling" | "throttle" => {
            "the bridge takes every record of a topic, it filters none by value"
        }
        "parser" => "what stands in a string of the record is not parsed: have the producer write it as JSON",
        "geoip" => "nothing is looked up",
        "typecast" | "types" => {
            "`number_fields` reads quoted numbers, and `integers` says what integers become"
        }
        _ => "records are mapped, not transformed",
    };
    format!("{plugin} has no counterpart: {instead}")
}

fn transform(filter: &Section, changes: &mut Changes, notes: &mut Notes) {
    let mut options = Options::new(filter.plugin(), &filter.options);
    for name in ["@type", "type"] {
        options.take(name);
    }
    let renewed = options.take("renew_record").and_then(|setting| setting.value.flag()) == Some(true);
    for name in ["keep_keys", "whitelist_keys"] {
        if let Some(setting) = options.take(name)
            && (renewed || name == "whitelist_keys")
        {
            changes.kept.extend(setting.value.list());
        }
    }
    changes
        .removed
        .extend(options.take("remove_keys").map(|setting| setting.value.list()).unwrap_or_default());
    if let Some(setting) = options.take("renew_time_key") {
        changes.time_key = Some(setting.value.text.clone());
    }
    options.finish(KNOWN, IGNORED, notes);
    for setting in filter.children("record").flat_map(|record| &record.options) {
        let (name, text) = (&setting.name, setting.value.text.as_str());
        match text {
            // Placeholders are no variables: the "$" stands for itself.
            "$${hostname}" => {
                changes.constants.push((name.clone(), "${HOSTNAME}".to_owned(), setting.place.clone()));
            }
            "$${tag}" => changes.tag_keys_of_tag.push((name.clone(), setting.place.clone())),
            _ if text.contains("$${") => {
                let why = "a key can't be computed from others: `rename` changes names, and the producer can write it";
                notes.add(setting.place.note(name, why));
            }
            _ => changes.constants.push((name.clone(), text.to_owned(), setting.place.clone())),
        }
    }
}

const KNOWN: &[(&str, &str)] = &[
    ("@id", ""),
    ("@log_level", ""),
    ("enable_ruby", "the bridge runs no code"),
    ("auto_typecast", ""),
    ("char_encoding", "records are read as UTF-8, as JSON is"),
];
