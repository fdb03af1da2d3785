//! Applies `processors.converter`: types of fields, fields that become tags, tags that become fields, and names and times.

use super::conf::Options;
use super::json;
use super::names::{At, Source, Tag, is_pattern, key_of};
use super::rules::Rules;
use crate::values::exact_glob;
use mapping::globs_overlap;

/// The types of `processors.converter`, each with that of `types`. Of tags Telegraf uses the first option that has the name.
const OF_TAGS: [(&str, &str); 5] =
    [("string", "string"), ("integer", "int"), ("unsigned", "uint"), ("boolean", "bool"), ("float", "float")];
/// The same for fields, whose order is another one.
const OF_FIELDS: [(&str, &str); 5] =
    [("float", "float"), ("integer", "int"), ("unsigned", "uint"), ("boolean", "bool"), ("string", "string")];

/// Options that are read only where a table has `timestamp`.
const OF_TIMES: [&str; 2] = ["timestamp_format", "timestamp_timezone"];

/// Applies `processors.converter`.
pub fn convert(options: &Options, rules: &mut Rules) {
    for table in options.tables("tags") {
        table.mark(OF_TIMES);
        convert_tags(table, rules);
    }
    for table in options.tables("fields") {
        table.mark(OF_TIMES);
        convert_fields(table, rules);
    }
}

fn convert_tags(table: &Options, rules: &mut Rules) {
    let mut done: Vec<Tag> = Vec::new();
    for name in table.texts("measurement") {
        for tag in rules.tags_named(&name) {
            match &tag.source {
                Source::Key(entry) if !rules.is_influx() => {
                    let entry = entry.clone();
                    rules.drop_tag(&tag, (table, "measurement"));
                    name_by(entry, (table, "measurement"), rules);
                }
                Source::Fixed(value) if !is_pattern(&name) => {
                    let value = value.clone();
                    rules.drop_tag(&tag, (table, "measurement"));
                    rules.name_all(value);
                }
                _ => rules.note(table, "measurement", not_one_tag(&name)),
            }
            done.push(tag);
        }
    }
    for (option, to) in OF_TAGS {
        for name in table.texts(option) {
            for tag in
                rules.tags_named(&name).into_iter().filter(|tag| !done.contains(tag)).collect::<Vec<_>>()
            {
                rules.tag_to_field(&tag, to, (table, option));
                rules.note_conversion(to, (table, option));
                done.push(tag);
            }
        }
    }
    for name in table.texts("timestamp") {
        for tag in rules.tags_named(&name) {
            match &tag.source {
                Source::Key(entry) if !rules.is_influx() => {
                    let entry = entry.clone();
                    rules.tag_keys.retain(|known| *known != entry);
                    time_from(key_of(&entry), table, rules);
                }
                _ => rules.note(table, "timestamp", not_one_tag(&name)),
            }
        }
    }
}

fn convert_fields(table: &Options, rules: &mut Rules) {
    let mut done: Vec<String> = Vec::new();
    for name in table.texts("measurement") {
        let at = (table, "measurement");
        match &*rules.fields_named(&name) {
            [key] if !is_pattern(&name) && !rules.is_influx() => {
                rules.note_texts(key, &name, at);
                rules.exclude.push(exact_glob(key));
                name_by(key.clone(), at, rules);
            }
            [] if !is_pattern(&name) => {}
            _ => rules.note(
                table,
                "measurement",
                format!("{name:?} is not the name of one field: write `name_key` by hand"),
            ),
        }
        done.push(name);
    }
    for name in table.texts("tag") {
        let at = (table, "tag");
        if done.iter().any(|done| globs_overlap(done, &name)) && !(done.contains(&name)) {
            rules.note(table, "tag", several(&name));
        }
        if !done.contains(&name) {
            if is_pattern(&name) {
                fields_to_tags(&name, at, rules);
            } else {
                rules.field_to_tag(&name, at);
            }
        }
        done.push(name);
    }
    for (option, to) in OF_FIELDS {
        for name in table.texts(option) {
            // The first option that has a name counts, and in `types` an exact name does.
            let is_done = |done: &&String| globs_overlap(done, &name);
            match done.iter().find(is_done) {
                Some(earlier) if is_pattern(&name) && is_pattern(earlier) => {
                    rules.note(table, option, several(&name));
                }
                Some(_) if !is_pattern(&name) => continue,
                _ => {}
            }
            rules.set_type(&name, to, (table, option));
            done.push(name);
        }
    }
    for name in table.texts("timestamp") {
        match &*rules.fields_named(&name) {
            [key] if !is_pattern(&name) && !rules.is_influx() => time_from(key.clone(), table, rules),
            [] if !is_pattern(&name) => {}
            _ => rules.note(
                table,
                "timestamp",
                format!("{name:?} is not the name of one field: write `time_key` by hand"),
            ),
        }
    }
}

fn several(name: &str) -> String {
    format!(
        "another option also selects fields of {name:?}: in `types` an exact name counts, then the longest glob"
    )
}

/// Makes tags of the fields that a glob selects.
fn fields_to_tags(pattern: &str, at: At<'_>, rules: &mut Rules) {
    if rules.is_influx() || !rules.all_tags().iter().all(|tag| matches!(tag.source, Source::Fixed(_))) {
        return rules.note(at.0, at.1, format!("{pattern:?} makes no tags: write the keys into `tag_keys`"));
    }
    match rules.field_globs(pattern) {
        Some(globs) => {
            rules.note_texts(pattern, pattern, at);
            rules.tag_keys.extend(globs);
        }
        None => rules.note(at.0, at.1, format!("{pattern:?} makes no tags: write the keys into `tag_keys`")),
    }
}

/// Takes the time of a key.
fn time_from(key: String, table: &Options, rules: &mut Rules) {
    if rules.time_key.is_some() {
        return rules.note(table, "timestamp", "the mapping already has a time: correct `time_key`");
    }
    rules.note(
        table,
        "timestamp",
        "a record without this time is rejected and counted; Telegraf gives it the time of reading",
    );
    rules.time_key = Some(key);
    json::time(table, ["timestamp", "timestamp_format", "timestamp_timezone"], rules);
}

/// The value of a key names the measurement.
fn name_by(key: String, at: At<'_>, rules: &mut Rules) {
    if let Some(before) = &rules.name_key {
        let why = format!(
            "a record without {key:?} gets the configured measurement; Telegraf then uses {before:?}"
        );
        rules.note(at.0, at.1, why);
    }
    rules.note(at.0, at.1, format!("a number or boolean under {key:?} is no name; Telegraf uses its text"));
    rules.name_affixes = Default::default();
    rules.name_key = Some(key);
}

fn not_one_tag(name: &str) -> String {
    format!("{name:?} is not the name of one tag in `tag_keys`: write what becomes of it by hand")
}

impl Rules {
    /// Notes once how a conversion differs.
    fn note_conversion(&mut self, to: &str, (options, option): At<'_>) {
        let why = match to {
            "int" | "uint" => {
                "a number with a fraction, or beyond the range, is dropped and counted under an integer type; Telegraf rounds it"
            }
            "bool" => {
                "a number other than 0 and 1 is dropped and counted; for Telegraf positive numbers are true"
            }
            "string" => {
                "a number keeps its digits as written; Telegraf writes 1.5 for 1.50, and 1000 for 1e3"
            }
            _ => return,
        };
        if !self.notes.iter().any(|note| note.why == why) {
            self.note(options, option, why);
        }
    }

    /// Sets the type of the fields that a name or glob selects.
    fn set_type(&mut self, name: &str, to: &str, at: At<'_>) {
        if self.is_influx() {
            return self.note(
                at.0,
                at.1,
                format!("{name:?} keeps its type: the fields of a line have their own"),
            );
        }
        if self.is_copied(name) {
            self.types.retain(|(known, _)| known != name);
            self.types.push((name.to_owned(), to.to_owned()));
            self.note_conversion(to, at);
        }
        let Some(globs) = self.field_globs(name) else {
            return self.note(
                at.0,
                at.1,
                format!(
                    "{name:?} selects fields by names that `rename` gives them: write their keys into `types`"
                ),
            );
        };
        // Numbers are floating-point numbers already, and Telegraf drops other texts before.
        let only_texts = to == "float" && !self.integers && self.types.is_empty();
        let globs = if only_texts { self.texts_among(&globs) } else { globs };
        for glob in globs {
            let key = key_of(&glob);
            let key = if is_pattern(&glob) { glob.clone() } else { key };
            let is_typed = |(known, type_): &(String, String)| type_ != to && globs_overlap(known, &glob);
            if let Some((known, before)) = self.types.iter().find(|known| is_typed(known)) {
                let why = format!("{known:?} already has the type {before}: a value is converted once");
                self.note(at.0, at.1, why);
            }
            self.note_texts(&key, name, at);
            self.note_conversion(to, at);
            self.types.retain(|(known, _)| *known != key);
            self.types.push((key, to.to_owned()));
        }
    }
}
