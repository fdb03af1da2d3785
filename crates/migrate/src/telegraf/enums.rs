//! Applies `processors.enum`: texts that become other values.

use super::conf::{Data, Options};
use super::names::{Source, Tag, is_pattern, is_writable, key_of};
use super::rules::Rules;
use mapping::globs_overlap;

/// Texts with their replacements.
type Values = Vec<(String, toml::Value)>;

/// Applies `processors.enum`. Each of its mappings sees the values from before the processor.
pub fn enumerate(options: &Options, rules: &mut Rules) {
    let before = rules.clone();
    let mut new: Vec<(String, Values)> = Vec::new();
    let mut fixed: Vec<(String, String)> = Vec::new();
    for map in options.tables("mapping") {
        let names =
            |options: [&str; 2]| options.iter().flat_map(|option| map.texts(option)).collect::<Vec<_>>();
        let (fields, tags) = (names(["fields", "field"]), names(["tags", "tag"]));
        let values: Values = map
            .tables("value_mappings")
            .into_iter()
            .flat_map(Options::all)
            .filter_map(|(from, to)| Some((from.to_owned(), plain(&to.data)?)))
            .collect();
        let dest = map.text("dest");
        for name in &tags {
            for tag in before.tags_named(name) {
                enumerate_tag(map, &tag, dest.as_ref(), &values, &mut new, &mut fixed, rules);
            }
        }
        for name in &fields {
            enumerate_field(map, name, dest.as_ref(), &values, &mut new, rules, &before);
        }
        map.mark(["default"]);
    }
    for (name, value) in fixed {
        rules.tags.retain(|(known, _)| *known != name);
        rules.tags.push((name, value));
    }
    for (key, values) in new {
        replace_values(key, values, rules);
    }
}

fn enumerate_tag(
    map: &Options,
    tag: &Tag,
    dest: Option<&String>,
    values: &Values,
    new: &mut Vec<(String, Values)>,
    fixed: &mut Vec<(String, String)>,
    rules: &mut Rules,
) {
    let name = &tag.name;
    match &tag.source {
        Source::Fixed(value) => {
            let default = map.get("default").and_then(|value| plain(&value.data));
            let mapped = values.iter().find(|(from, _)| from == value).map(|(_, to)| to).or(default.as_ref());
            let Some(mapped) = mapped else { return };
            let dest = dest.unwrap_or(name);
            if dest != name && !rules.tags_named(dest).is_empty() {
                rules.note(
                    map,
                    "dest",
                    format!("a tag {dest:?} of the record or a header comes before this one"),
                );
            }
            fixed.retain(|(known, _)| known != dest);
            fixed.push((dest.clone(), text_of(mapped)));
        }
        Source::Key(entry) if dest.is_none() && !rules.is_influx() => {
            if map.has("default") {
                rules.note(map, "default", NO_DEFAULT);
            }
            note_numbers(map, name, values, rules);
            add_values(key_of(entry), values, new);
        }
        _ if dest.is_some() => {
            let dest = dest.map_or("", String::as_str);
            let why = format!(
                "the texts under {name:?} can't be replaced in a second tag {dest:?}: leave out `dest`"
            );
            rules.note(map, "dest", why);
        }
        _ => rules.note(
            map,
            "value_mappings",
            format!("the texts of {name:?} stay: `values` replaces those under keys of the record"),
        ),
    }
}

const NO_DEFAULT: &str = "other texts do not become the default: name each of them in `values`";

fn enumerate_field(
    map: &Options,
    name: &str,
    dest: Option<&String>,
    values: &Values,
    new: &mut Vec<(String, Values)>,
    rules: &mut Rules,
    before: &Rules,
) {
    if rules.is_influx() {
        return rules.note(
            map,
            "value_mappings",
            format!("the values of {name:?} stay: `values` is not for line protocol"),
        );
    }
    let Some(globs) = before.field_globs(name).filter(|_| !is_pattern(name) || dest.is_none()) else {
        return rules.note(
            map,
            "value_mappings",
            format!("the values of {name:?} stay: write their keys into `values`"),
        );
    };
    if !globs.is_empty() || before.is_copied(name) {
        note_numbers(map, name, values, rules);
    }
    let texts = before.texts_among(&globs);
    if texts.is_empty() && !globs.is_empty() {
        let why = format!(
            "Telegraf drops texts and booleans under {name:?}, which json_string_fields does not name: `values` was not written"
        );
        rules.note(map, "value_mappings", why);
    }
    let keys = texts.into_iter().map(|glob| if is_pattern(&glob) { glob } else { key_of(&glob) });
    let copied = before.is_copied(name).then(|| name.to_owned());
    for key in keys.chain(copied.clone()) {
        let is_copied = copied.as_ref() == Some(&key);
        if map.has("default") {
            rules.note(map, "default", NO_DEFAULT);
        }
        if before.types.iter().any(|(known, _)| globs_overlap(known, &key)) {
            rules.note(
                map,
                "value_mappings",
                format!("{name:?} is converted before: here `values` comes before `types`"),
            );
        }
        if values.iter().any(|(_, to)| to.as_str() == Some("")) {
            rules.note(
                map,
                "value_mappings",
                "an empty text leaves the field out; Telegraf writes an empty text",
            );
        }
        let key = match dest {
            None => key,
            Some(dest) => {
                if !is_writable(dest) {
                    rules.note(
                        map,
                        "dest",
                        format!("`fields` can't have the name {dest:?}: it was left out"),
                    );
                    continue;
                }
                if is_copied {
                    rules.note(map, "dest", format!("{name:?} comes from `fields`, and is not copied again"));
                    continue;
                }
                if !before.fields_named(dest).is_empty() && before.is_named(dest) || rules.is_copied(dest) {
                    rules.note(map, "dest", format!("{dest:?} is a field already"));
                }
                rules.note(
                    map,
                    "dest",
                    format!("values that are not named are copied into {dest:?} too; Telegraf leaves it out"),
                );
                rules.fields.retain(|(known, _)| known != dest);
                rules.fields.push((dest.clone(), key));
                dest.clone()
            }
        };
        if is_pattern(&key) && before.tag_keys.iter().any(|entry| globs_overlap(entry, &key)) {
            rules.note(map, "value_mappings", format!("texts of tags that {key:?} matches are replaced too"));
        }
        add_values(key.clone(), values, new);
        // Telegraf writes the integers of the file as integers.
        let has_integers = values.iter().any(|(_, to)| to.is_integer());
        if has_integers && values.iter().all(|(_, to)| to.is_integer()) {
            rules.types.retain(|(known, _)| *known != key);
            rules.types.push((key, "int".to_owned()));
            if dest.is_none() {
                rules.note(map, "value_mappings", format!("other values under {name:?} become integers, or are dropped and counted; Telegraf keeps them as they are"));
            }
        } else if has_integers && !rules.integers {
            rules.note(
                map,
                "value_mappings",
                "the integers are written as floating-point numbers, because other replacements are none",
            );
        }
    }
}

/// Notes numbers among the texts: `values` replaces texts and booleans.
fn note_numbers(map: &Options, name: &str, values: &Values, rules: &mut Rules) {
    if values.iter().any(|(from, _)| from.parse::<f64>().is_ok()) {
        rules.note(
            map,
            "value_mappings",
            format!("a number under {name:?} stays: `values` replaces texts and booleans"),
        );
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
