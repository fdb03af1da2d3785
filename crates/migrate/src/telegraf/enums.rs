//! Applies `processors.enum`: texts that become other values.

use super::conf::{Data, Options};
use super::names::{Source, Tag, is_pattern, is_writable, key_of};
use super::rules::Rules;
use mapping::globs_overlap;

/// Texts with their replacements.
type Values = Vec<(String, toml::Value)>;

/// One mapping of the processor.
struct Mapping<'a> {
    options: &'a Options,
    dest: Option<String>,
    values: Values,
    /// The rules before the processor: each mapping sees the values from there.
    before: &'a Rules,
}

/// Applies `processors.enum`.
pub fn enumerate(options: &Options, rules: &mut Rules) {
    let before = rules.clone();
    let mut new: Vec<(String, Values)> = Vec::new();
    let mut fixed: Vec<(String, String)> = Vec::new();
    for options in options.tables("mapping") {
        let names =
            |keys: [&str; 2]| keys.iter().flat_map(|option| options.texts(option)).collect::<Vec<_>>();
        let (fields, tags) = (names(["fields", "field"]), names(["tags", "tag"]));
        let values: Values = options
            .tables("value_mappings")
            .into_iter()
            .flat_map(|table| table.read_each(|value| plain(&value.data)))
            .collect();
        let mapping = Mapping { options, dest: options.text("dest"), values, before: &before };
        for tag in tags.iter().flat_map(|name| before.tags_named(name)) {
            mapping.enumerate_tag(&tag, &mut new, &mut fixed, rules);
        }
        for name in &fields {
            mapping.enumerate_field(name, &mut new, rules);
        }
        options.mark(["default"]);
    }
    for (name, value) in fixed {
        rules.tags.retain(|(known, _)| *known != name);
        rules.tags.push((name, value));
    }
    for (key, values) in new {
        replace_values(key, values, rules);
    }
}

impl Mapping<'_> {
    fn note(&self, option: &str, why: impl Into<String>, rules: &mut Rules) {
        rules.note(self.options, option, why);
    }

    fn enumerate_tag(
        &self,
        tag: &Tag,
        new: &mut Vec<(String, Values)>,
        fixed: &mut Vec<(String, String)>,
        rules: &mut Rules,
    ) {
        let name = &tag.name;
        match (&tag.source, &self.dest) {
            (Source::Fixed(value), dest) => {
                let default = self.options.get("default").and_then(|value| plain(&value.data));
                let mapped = self.values.iter().find(|(from, _)| from == value).map(|(_, to)| to);
                let Some(mapped) = mapped.or(default.as_ref()) else { return };
                let dest = dest.as_ref().unwrap_or(name);
                if dest != name && !rules.tags_named(dest).is_empty() {
                    let why = format!("a tag {dest:?} of the record or a header comes before this one");
                    self.note("dest", why, rules);
                }
                fixed.retain(|(known, _)| known != dest);
                fixed.push((dest.clone(), text_of(mapped)));
            }
            (Source::Key(entry), None) if !rules.is_influx() => {
                self.note_default(rules);
                self.note_numbers(name, rules);
                add_values(key_of(entry), &self.values, new);
            }
            (_, Some(dest)) => {
                let why = format!(
                    "the texts under {name:?} can't be replaced in a second tag {dest:?}: leave out `dest`"
                );
                self.note("dest", why, rules);
            }
            (_, None) => {
                let why =
                    format!("the texts of {name:?} stay: `values` replaces those under keys of the record");
                self.note("value_mappings", why, rules);
            }
        }
    }

    fn enumerate_field(&self, name: &str, new: &mut Vec<(String, Values)>, rules: &mut Rules) {
        let before = self.before;
        if rules.is_influx() {
            let why = format!("the values of {name:?} stay: `values` is not for line protocol");
            return self.note("value_mappings", why, rules);
        }
        let globs = before.field_globs(name).filter(|_| !is_pattern(name) || self.dest.is_none());
        let Some(globs) = globs else {
            let why = format!("the values of {name:?} stay: write their keys into `values`");
            return self.note("value_mappings", why, rules);
        };
        if !globs.is_empty() || before.is_copied(name) {
            self.note_numbers(name, rules);
        }
        let texts = before.texts_among(&globs);
        if texts.is_empty() && !globs.is_empty() {
            let why = format!(
                "Telegraf drops texts and booleans under {name:?}, which json_string_fields does not name: `values` was not written"
            );
            self.note("value_mappings", why, rules);
        }
        let keys = texts.into_iter().map(|glob| if is_pattern(&glob) { glob } else { key_of(&glob) });
        let copied = before.is_copied(name).then(|| name.to_owned());
        for key in keys.chain(copied.clone()) {
            self.note_differences(name, &key, rules);
            let is_copied = copied.as_ref() == Some(&key);
            let key = match &self.dest {
                None => key,
                Some(dest) if self.copies_field(name, is_copied, dest, rules) => {
                    rules.fields.retain(|(known, _)| known != dest);
                    rules.fields.push((dest.clone(), key));
                    dest.clone()
                }
                Some(_) => continue,
            };
            if is_pattern(&key) && before.tag_keys.iter().any(|entry| globs_overlap(entry, &key)) {
                let why = format!("texts of tags that {key:?} matches are replaced too");
                self.note("value_mappings", why, rules);
            }
            add_values(key.clone(), &self.values, new);
            self.set_type(name, key, rules);
        }
    }

    /// Notes what differs from Telegraf for the texts under a key.
    fn note_differences(&self, name: &str, key: &str, rules: &mut Rules) {
        self.note_default(rules);
        if self.before.types.iter().any(|(known, _)| globs_overlap(known, key)) {
            let why = format!("{name:?} is converted before: here `values` comes before `types`");
            self.note("value_mappings", why, rules);
        }
        if self.values.iter().any(|(_, to)| to.as_str() == Some("")) {
            let why = "an empty text leaves the field out; Telegraf writes an empty text";
            self.note("value_mappings", why, rules);
        }
    }

    /// Whether `fields` can have a copy of the field under this name, with notes of what differs from Telegraf.
    fn copies_field(&self, name: &str, is_copied: bool, dest: &str, rules: &mut Rules) -> bool {
        if !is_writable(dest) {
            let why = format!("`fields` can't have the name {dest:?}: it was left out");
            self.note("dest", why, rules);
            return false;
        }
        if is_copied {
            let why = format!("{name:?} comes from `fields`, and is not copied again");
            self.note("dest", why, rules);
            return false;
        }
        let is_named = !self.before.fields_named(dest).is_empty() && self.before.is_named(dest);
        if is_named || rules.is_copied(dest) {
            self.note("dest", format!("{dest:?} is a field already"), rules);
        }
        let why = format!("values that are not named are copied into {dest:?} too; Telegraf leaves it out");
        self.note("dest", why, rules);
        true
    }

    /// Makes the field an integer if all its new values are: Telegraf writes the integers of the file as integers.
    fn set_type(&self, name: &str, key: String, rules: &mut Rules) {
        let integers = self.values.iter().filter(|(_, to)| to.is_integer()).count();
        if integers == 0 {
            return;
        }
        if integers == self.values.len() {
            rules.types.retain(|(known, _)| *known != key);
            rules.types.push((key, "int".to_owned()));
            if self.dest.is_none() {
                let why = format!(
                    "other values under {name:?} become integers, or are dropped and counted; Telegraf keeps them as they are"
                );
                self.note("value_mappings", why, rules);
            }
        } else if !rules.integers {
            let why =
                "the integers are written as floating-point numbers, because other replacements are none";
            self.note("value_mappings", why, rules);
        }
    }

    fn note_default(&self, rules: &mut Rules) {
        if self.options.has("default") {
            let why = "other texts do not become the default: name each of them in `values`";
            self.note("default", why, rules);
        }
    }

    /// Notes numbers among the texts: `values` replaces texts and booleans.
    fn note_numbers(&self, name: &str, rules: &mut Rules) {
        if self.values.iter().any(|(from, _)| from.parse::<f64>().is_ok()) {
            let why = format!("a number under {name:?} stays: `values` replaces texts and booleans");
            self.note("value_mappings", why, rules);
        }
    }
}

/// Adds the values of one mapping, which replace those of an earlier one.
fn add_values(key: String, values: &Values, new: &mut Vec<(String, Values)>) {
    let place = new.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
        new.push((key, Vec::new()));
        new.len() - 1
    });
    let Some((_, known)) = new.get_mut(place) else { return };
    for (from, to) in values {
        known.retain(|(other, _)| other != from);
        known.push((from.clone(), to.clone()));
    }
}

/// Adds replacements behind those that the rules have.
fn replace_values(key: String, values: Values, rules: &mut Rules) {
    let Some((_, known)) = rules.values.iter_mut().find(|(known, _)| *known == key) else {
        return rules.values.push((key, values));
    };
    for (_, to) in known.iter_mut() {
        let again = values.iter().find(|(from, _)| *from == text_of(to));
        *to = again.map_or_else(|| to.clone(), |(_, to)| to.clone());
    }
    let more: Values =
        values.into_iter().filter(|(from, _)| !known.iter().any(|(other, _)| other == from)).collect();
    known.extend(more);
}

fn text_of(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn plain(data: &Data) -> Option<toml::Value> {
    match data {
        Data::Text(text) => Some(text.clone().into()),
        Data::Flag(flag) => Some((*flag).into()),
        Data::Number(number) => match number.parse::<i64>() {
            Ok(whole) => Some(whole.into()),
            Err(_) => number.parse::<f64>().ok().map(toml::Value::from),
        },
        Data::List(_) | Data::Table(_) => None,
    }
}
