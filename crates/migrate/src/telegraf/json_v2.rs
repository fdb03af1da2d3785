//! Migrates `data_format = "json_v2"` as far as a mapping has counterparts.

use super::conf::Options;
use super::gjson::{self, Step};
use super::json::{query, time};
use super::names::{At, key_of};
use super::rules::Rules;
use crate::values::exact_glob;
use mapping::FieldType;

pub const ONE_MAPPING: &str =
    "a record goes through one mapping: a second kind of point needs a second bridge with its own `group_id`";

pub fn read(input: &Options, rules: &mut Rules) {
    let configs = input.tables("json_v2");
    let Some(config) = configs.first() else {
        rules.note(input, "data_format", "json_v2 without [[inputs.kafka_consumer.json_v2]] makes no points");
        return;
    };
    for other in configs.iter().skip(1) {
        other.mark_all();
        rules.note(other, "json_v2", ONE_MAPPING);
    }
    // Without `timestamp_path` they have no effect.
    config.mark(["timestamp_format", "timestamp_timezone"]);
    if let Some(name) = config.text("measurement_name") {
        rules.measurement = name;
    }
    let objects = config.tables("object");
    if let Some(object) = objects.first() {
        read_object(object, rules);
    }
    for other in objects.iter().skip(1) {
        other.mark_all();
        rules.note(other, "object", ONE_MAPPING);
    }
    let fields = config.tables("field");
    let several = if objects.is_empty() { several_values(&fields, rules) } else { None };
    for tag in config.tables("tag") {
        read_tag(tag, rules);
    }
    for field in fields {
        if several.is_some_and(|several| std::ptr::eq(several, field)) {
            continue;
        }
        if objects.is_empty() && rules.query.is_none() {
            read_field(field, rules);
        } else {
            read_outer_field(field, rules);
        }
    }
    if objects.is_empty() && rules.include.is_empty() {
        // Tags alone make no points.
        rules.exclude.push("*".to_owned());
    }
    rules.name_key = root_key(config, "measurement_name_path", rules);
    if rules.name_key.is_some() {
        let why = "a record gets the configured measurement where it has no name, or a number in its place; Telegraf drops the first, and uses the number";
        rules.note(config, "measurement_name_path", why);
    }
    if let Some(key) = root_key(config, "timestamp_path", rules) {
        if rules.time_key.is_some() {
            rules.note(config, "timestamp_path", "the object's own timestamp_key is used, as in Telegraf");
        } else {
            rules.time_key = Some(key);
            time(config, ["timestamp_path", "timestamp_format", "timestamp_timezone"], rules);
        }
    }
}

/// Reads the field whose path selects several values, each of which is a point with the other fields. None if there is not exactly one.
fn several_values<'f>(fields: &[&'f Options], rules: &mut Rules) -> Option<&'f Options> {
    let steps_of = |field: &Options| {
        let steps = gjson::steps(&field.text("path")?).ok()?;
        // At the end "#" is the number of elements.
        // Telegraf writes the list itself into a field of this type.
        let is_text = field.text("type").as_deref() == Some("string");
        let has_several = !is_text && steps.iter().any(|step| matches!(step, Step::All | Step::Where(_)));
        matches!(steps.last(), Some(Step::Key(_))).then_some(steps).filter(|_| has_several)
    };
    let mut several = fields.iter().filter_map(|field| Some((*field, steps_of(field)?)));
    let (field, steps) = several.next().filter(|_| several.next().is_none())?;
    let Some(Step::Key(key)) = steps.last() else { return None };
    rules.query = Some(gjson::to_jsonpath(&steps));
    field.get("optional");
    rules.note(
        field,
        "path",
        "an element that is null is filtered; Telegraf makes a point of the other fields",
    );
    rename(rules, key, &default_name(field, &field.text("path").unwrap_or_default()), (field, "path"));
    add_type(rules, field, key, &field.text("type").unwrap_or_default());
    rules.include.push(exact_glob(key));
    Some(field)
}

/// The key of a value at a path from the record's root, and its name in Telegraf.
fn located(options: &Options, rules: &mut Rules) -> Option<(String, String)> {
    // A note on the path is about all of them.
    options.mark(["rename", "type", "optional"]);
    let path = options.text("path")?;
    let steps = match gjson::steps(&path) {
        Ok(steps) => steps,
        Err(why) => {
            rules.note(options, "path", format!("{path:?}: {why}"));
            return None;
        }
    };
    let Some(key) = gjson::flattened(&steps) else {
        let why = if options.text("type").as_deref() == Some("string") {
            format!(
                "{path:?} selects several values, which Telegraf writes as the JSON text of a list: this has no counterpart"
            )
        } else {
            format!(
                "{path:?} selects several values, which Telegraf makes separate points: select the objects that become points with `query`"
            )
        };
        rules.note(options, "path", why);
        return None;
    };
    if options.flag("optional") != Some(true) {
        require(&steps, rules);
    }
    Some((key, default_name(options, &path)))
}

/// The name of a value: Telegraf takes what stands behind the last dot of the path, also of an escaped one.
fn default_name(options: &Options, path: &str) -> String {
    let last = path.rsplit('.').next().unwrap_or(path);
    options.text("rename").unwrap_or_else(|| last.to_owned()).replace(' ', "_")
}

/// Filters records without a value, of which Telegraf makes no point.
fn require(steps: &[Step], rules: &mut Rules) {
    let exists = if rules.query.is_some() { gjson::to_jsonpath(steps) } else { gjson::to_element(steps) };
    let before = rules.filter.take().filter(|before| *before != exists).map(|before| format!("{before} && "));
    rules.filter = Some(before.unwrap_or_default() + &exists);
}

fn read_tag(tag: &Options, rules: &mut Rules) {
    let Some((key, name)) = located(tag, rules) else { return };
    rename(rules, &key, &name, (tag, "path"));
    let selector = match gjson::steps(&tag.text("path").unwrap_or_default()) {
        Ok(steps) if rules.query.is_some() => gjson::to_jsonpath(&steps),
        _ => exact_glob(&key),
    };
    rules.tag_keys.push(selector);
}

fn read_field(field: &Options, rules: &mut Rules) {
    let kind = field.text("type").unwrap_or_default();
    let Some((key, name)) = located(field, rules) else { return };
    rename(rules, &key, &name, (field, "path"));
    add_type(rules, field, &key, &kind);
    rules.include.push(exact_glob(&key));
}

/// Reads a field from outside of the elements, which each of their points has.
fn read_outer_field(field: &Options, rules: &mut Rules) {
    let kind = field.text("type").unwrap_or_default();
    let Some((_, name)) = located(field, rules) else { return };
    let steps = gjson::steps(&field.text("path").unwrap_or_default()).unwrap_or_default();
    let selector = if rules.query.is_some() { gjson::to_jsonpath(&steps) } else { gjson::to_element(&steps) };
    // A field of `fields` keeps its own type.
    if is_type(&kind) {
        add_type(rules, field, &name, &kind);
    }
    rules.fields.push((name, selector));
}

fn is_type(kind: &str) -> bool {
    FieldType::ALL.iter().any(|known| known.name() == kind)
}

/// Declares the type of a field. Without one, the field keeps that of the record's value.
fn add_type(rules: &mut Rules, options: &Options, key: &str, kind: &str) {
    match kind {
        "int" | "uint" => rules.note_fractions(options, "type"),
        "float" | "bool" => rules.note(options, "type", "a value that can't be converted is dropped and counted, and a boolean becomes 1 or 0 as a float; Telegraf rejects the record, or keeps the boolean"),
        "string" => rules.note(options, "type", format!("an object or list under {key:?} is flattened, and not its JSON text; a number keeps its digits, and Telegraf writes 1e+06 for 1000000")),
        _ => {}
    }
    if is_type(kind) {
        rules.types.push((key.to_owned(), kind.to_owned()));
    } else {
        rules.string_fields.push(exact_glob(key));
    }
}

fn rename(rules: &mut Rules, key: &str, name: &str, (options, option): At<'_>) {
    let names = [rules.include.as_slice(), &rules.tag_keys].concat();
    if names.iter().any(|entry| key_of(entry) != key && rules.final_name(entry) == name) {
        let why = format!(
            "of several values {name:?} the last one in the record counts; in Telegraf that of the last path does"
        );
        rules.note(options, option, why);
    }
    if key != name && !rules.rename.iter().any(|(from, _)| from == key) {
        rules.rename.push((key.to_owned(), name.to_owned()));
    }
}

fn read_object(object: &Options, rules: &mut Rules) {
    query(object, "path", rules);
    object.get("optional");
    rules.time_key = object.text("timestamp_key");
    time(object, ["timestamp_key", "timestamp_format", "timestamp_timezone"], rules);
    let keys = |option: &str| object.texts(option).iter().map(|key| exact_glob(key)).collect::<Vec<_>>();
    rules.tag_keys = keys("tags");
    rules.include = keys("included_keys");
    rules.include.retain(|entry| rules.time_key.as_deref().map(exact_glob).as_ref() != Some(entry));
    rules.exclude = keys("excluded_keys");
    for table in object.tables("renames") {
        for (from, to) in table.pairs() {
            rename(rules, &from, &to, (table, &from));
        }
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
        rules.note(
            object,
            "excluded_keys",
            "keys inside of an excluded object stay: add \"name_*\" for each that is an object",
        );
    }
    if !rules.tag_keys.is_empty() {
        let why = "Telegraf writes a number of seven digits or more into a tag as 1.234567e+06; here it keeps its digits.";
        rules.because.push(("tag_keys", why.to_owned()));
    }
    if rules.time_key.is_some() {
        let why = "Telegraf gives an element without this key the time of reading; here it is rejected and counted.";
        rules.because.push(("time_key", why.to_owned()));
    }
    rules.note(
        object,
        "path",
        "a space in a key stays a space, and Telegraf writes an underscore: where keys have spaces, write them into `rename`, `tag_keys`, `include` and `types`",
    );
    rules.note(
        object,
        "path",
        "Telegraf makes a point of each element of a list in the object. Here such elements are fields with their index (a_0, a_1): if records have such lists, select their elements with `query`, and take what stands around them with ^.key in `tag_keys` and `fields`",
    );
}

/// Reads `[[...object.field]]` and `[[...object.tag]]`, which select the only keys to keep.
fn read_sub_paths(object: &Options, rules: &mut Rules) {
    for (group, is_tag) in [("field", false), ("tag", true)] {
        for part in object.tables(group) {
            let path = part.text("path").unwrap_or_default();
            // A note on the path is about all of them.
            part.mark(["rename", "type", "optional"]);
            // In a list of objects the path begins with "#.".
            let steps = gjson::steps(path.strip_prefix("#.").unwrap_or(&path));
            let Some(key) = steps.ok().and_then(|steps| gjson::flattened(&steps)) else {
                rules.note(part, "path", format!("{path:?} is not one key of the object"));
                continue;
            };
            if let Some(name) = part.text("rename") {
                rename(rules, &key, &name, (part, "rename"));
            }
            let kind = part.text("type").unwrap_or_default();
            if is_tag {
                rules.tag_keys.push(exact_glob(&key));
            } else {
                add_type(rules, part, &key, &kind);
                rules.include.push(exact_glob(&key));
            }
        }
    }
}

/// Reads `[...object.fields]`. Other fields keep the types of the record's values.
fn read_types(object: &Options, rules: &mut Rules) {
    for table in object.tables("fields") {
        for (key, kind) in table.pairs() {
            if is_type(&kind) {
                add_type(rules, table, &key, &kind);
            }
        }
    }
    if rules.include.is_empty() {
        rules.string_fields = vec!["*".to_owned()];
    } else {
        let is_untyped = |entry: &&String| !rules.types.iter().any(|(known, _)| exact_glob(known) == **entry);
        let untyped: Vec<String> = rules.include.iter().filter(is_untyped).cloned().collect();
        rules.string_fields = untyped;
    }
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
