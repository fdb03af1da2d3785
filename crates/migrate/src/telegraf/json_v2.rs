//! Migrates `data_format = "json_v2"` as far as a mapping has counterparts.

use super::conf::Options;
use super::gjson::{self, Step};
use super::json::{query, time};
use super::rules::Rules;

const ONE_MAPPING: &str =
    "a record goes through one mapping: a second kind of point needs a second bridge with its own `group_id`";

pub fn read(input: &Options, rules: &mut Rules) {
    let configs = input.tables("json_v2");
    let Some(config) = configs.first() else {
        rules.note(input, "data_format", "json_v2 without [[inputs.kafka_consumer.json_v2]] makes no points");
        return;
    };
    for other in configs.iter().skip(1) {
        rules.note(other, "json_v2", ONE_MAPPING);
    }
    if let Some(name) = config.text("measurement_name") {
        rules.measurement = name;
    }
    let objects = config.tables("object");
    if let Some(object) = objects.first() {
        read_object(object, rules);
    }
    for other in objects.iter().skip(1) {
        rules.note(other, "object", ONE_MAPPING);
    }
    let has_object = !objects.is_empty();
    for tag in config.tables("tag") {
        read_tag(tag, rules);
    }
    let mut types = Types::default();
    for field in config.tables("field") {
        if has_object && rules.query.is_some() {
            rules.note(field, "field", "a value from outside of the object can be a tag of its points, not a field: add \"$.path\" to `tag_keys`");
        } else {
            read_field(field, rules, &mut types, !has_object);
        }
    }
    types.settle(rules, config);
    rules.name_key = root_key(config, "measurement_name_path", rules);
    if let Some(key) = root_key(config, "timestamp_path", rules) {
        if rules.time_key.is_some() {
            rules.note(config, "timestamp_path", "the object's own timestamp_key is used, as in Telegraf");
        } else {
            rules.time_key = Some(key);
            time(config, ["timestamp_path", "timestamp_format", "timestamp_timezone"], rules);
        }
    }
}

/// The field types that the options declare.
#[derive(Default)]
struct Types {
    /// The fields that are integers.
    integers: Vec<String>,
    has_others: bool,
}

impl Types {
    fn add(&mut self, key: &str, kind: &str) {
        match kind {
            "int" | "uint" => self.integers.push(key.to_owned()),
            "float" | "" => self.has_others = true,
            _ => {}
        }
    }

    /// Sets `integers`. A mapping has one type for all numbers.
    fn settle(&self, rules: &mut Rules, at: &Options) {
        if self.integers.is_empty() {
            return;
        }
        if self.has_others {
            let keys = self.integers.join(", ");
            rules.note(at, "type", format!("a mapping has one type of number, so {keys} become floats like the others; `integers = \"int\"` makes all whole numbers integers: check the field types in the bucket"));
        } else {
            rules.integers = true;
        }
    }
}

/// The key of a value at a path from the record's root, and its name in Telegraf.
fn located(options: &Options, rules: &mut Rules) -> Option<(String, String)> {
    let path = options.text("path")?;
    let steps = match gjson::steps(&path) {
        Ok(steps) => steps,
        Err(why) => {
            rules.note(options, "path", format!("{path:?}: {why}"));
            return None;
        }
    };
    let Some(key) = gjson::flattened(&steps) else {
        rules.note(options, "path", format!("{path:?} selects several values, which Telegraf makes separate points: select the objects that become points with `query`"));
        return None;
    };
    let last = steps.last().and_then(|step| if let Step::Key(key) = step { Some(key.clone()) } else { None });
    let name = options.text("rename").or(last)?;
    options.get("optional");
    Some((key, name.replace(' ', "_")))
}

fn read_tag(tag: &Options, rules: &mut Rules) {
    tag.get("type");
    let Some((key, name)) = located(tag, rules) else { return };
    rename(rules, &key, &name);
    let selector = match gjson::steps(&tag.text("path").unwrap_or_default()) {
        Ok(steps) if rules.query.is_some() => gjson::to_jsonpath(&steps),
        _ => key,
    };
    rules.tag_keys.push(selector);
}

fn read_field(field: &Options, rules: &mut Rules, types: &mut Types, is_alone: bool) {
    let kind = field.text("type").unwrap_or_default();
    let Some((key, name)) = located(field, rules) else { return };
    rename(rules, &key, &name);
    add_type(rules, field, &key, &kind);
    types.add(&key, &kind);
    if is_alone {
        rules.include.push(key);
    }
}

/// Declares the type of a field. With a number type, strings that contain numbers become numbers.
fn add_type(rules: &mut Rules, options: &Options, key: &str, kind: &str) {
    match kind {
        "int" | "uint" | "float" => rules.number_fields.push(key.to_owned()),
        "string" => {
            rules.string_fields.push(key.to_owned());
            rules.note(options, "type", format!("a number under {key:?} stays a number, and an object or list is flattened: only text becomes a string"));
        }
        _ => rules.string_fields.push(key.to_owned()),
    }
}

fn rename(rules: &mut Rules, key: &str, name: &str) {
    if key != name && !rules.rename.iter().any(|(from, _)| from == key) {
        rules.rename.push((key.to_owned(), name.to_owned()));
    }
}

fn read_object(object: &Options, rules: &mut Rules) {
    query(object, "path", rules);
    object.get("optional");
    rules.time_key = object.text("timestamp_key");
    time(object, ["timestamp_key", "timestamp_format", "timestamp_timezone"], rules);
    rules.tag_keys = object.texts("tags");
    rules.include = object.texts("included_keys");
    rules.include.retain(|key| rules.time_key.as_ref() != Some(key));
    rules.exclude = object.texts("excluded_keys");
    for (from, to) in object.tables("renames").iter().flat_map(|table| table.pairs()) {
        rename(rules, &from, &to);
    }
    read_sub_paths(object, rules);
    read_types(object, rules);
    if object.flag("disable_prepend_keys") == Some(true) {
        rules.note(
            object,
            "disable_prepend_keys",
            "keys keep the names of their parents: remove those with rename = { \"parent_*\" = \"*\" }",
        );
    }
    if !rules.exclude.is_empty() {
        rules
            .because
            .push(("exclude", "If one of these is an object, add \"name_*\" for its keys.".to_owned()));
    }
    rules.because.push((
        "",
        "json_v2 makes points of the elements of a list in the object. Here they are fields with their index (a_0, a_1); `query` selects elements.".to_owned(),
    ));
}

/// Reads `[[...object.field]]` and `[[...object.tag]]`, which select the only keys to keep.
fn read_sub_paths(object: &Options, rules: &mut Rules) {
    let mut types = Types::default();
    for (group, is_tag) in [("field", false), ("tag", true)] {
        for part in object.tables(group) {
            let path = part.text("path").unwrap_or_default();
            // In a list of objects the path begins with "#.".
            let steps = gjson::steps(path.strip_prefix("#.").unwrap_or(&path));
            let Some(key) = steps.ok().and_then(|steps| gjson::flattened(&steps)) else {
                rules.note(part, "path", format!("{path:?} is not one key of the object"));
                continue;
            };
            if let Some(name) = part.text("rename") {
                rename(rules, &key, &name);
            }
            let kind = part.text("type").unwrap_or_default();
            part.get("optional");
            if is_tag {
                rules.tag_keys.push(key);
            } else {
                add_type(rules, part, &key, &kind);
                types.add(&key, &kind);
                rules.include.push(key);
            }
        }
    }
    types.settle(rules, object);
}

/// Reads `[...object.fields]`.
fn read_types(object: &Options, rules: &mut Rules) {
    let mut types = Types::default();
    let with_types: Vec<(String, String)> =
        object.tables("fields").iter().flat_map(|table| table.pairs()).collect();
    let is_number = |kind: &str| matches!(kind, "int" | "uint" | "float");
    for (key, kind) in &with_types {
        types.add(key, kind);
        if is_number(kind) {
            rules.number_fields.push(key.clone());
        }
    }
    let untyped = |key: &String| !with_types.iter().any(|(name, kind)| name == key && is_number(kind));
    if rules.include.is_empty() {
        rules.string_fields = vec!["*".to_owned()];
        types.has_others = true;
        if !rules.number_fields.is_empty() {
            rules.note(object, "fields", "strings that contain numbers stay strings while `string_fields` is \"*\": name the strings there one by one");
        }
    } else if rules.string_fields.is_empty() {
        let strings: Vec<String> = rules.include.iter().filter(|key| untyped(key)).cloned().collect();
        types.has_others |= !strings.is_empty();
        rules.string_fields = strings;
    }
    types.settle(rules, object);
}

/// The key at a path from the root: a JSONPath if a query selects elements, else a flattened key.
fn root_key(config: &Options, option: &str, rules: &mut Rules) -> Option<String> {
    let path = config.text(option)?;
    let steps = match gjson::steps(&path) {
        Ok(steps) => steps,
        Err(why) => {
            rules.note(config, option, format!("{path:?}: {why}"));
            return None;
        }
    };
    let Some(key) = gjson::flattened(&steps) else {
        rules.note(config, option, format!("{path:?} selects several values, but only one is allowed"));
        return None;
    };
    Some(if rules.query.is_some() { gjson::to_jsonpath(&steps) } else { key })
}
