//! Reads the keys of a `[[mapping]]` that say what a record becomes.

use super::formats;
use super::keys::{FORMATS, INTEGERS, PRECISIONS, TYPES};
use super::pairs::{pairs, pairs_of_words};
use super::reshape;
use super::section::{Section, Text};
use super::selectors::{check_flattened, check_single, parse_selector, query, selector, template};
use super::times::{distinct_times, time, times};
use mapping::{
    FieldType, Format, GlobError, Globs, KeySelector, KeyTable, Rename, Replacement, Replacements, Rules,
    Template,
};
use toml::de::DeValue;

/// Names that InfluxDB reserves: it refuses such tags, and drops a field called "time".
pub const RESERVED: [&str; 3] = ["time", "_field", "_measurement"];

/// The rules of a `[[mapping]]`. A refused value is reported, and its default is used.
pub fn read(section: Section<'_>) -> Rules {
    let default = Rules::default();
    let (tag_keys, tag_selectors) = tag_keys(section);
    let format = section.word_or_default("format", &FORMATS);
    formats::check_keys(section, format);
    let rules = Rules {
        format,
        csv: formats::csv(section, format),
        schema: formats::schema(section, format),
        compression: formats::compression(section, format),
        parse_json: globs(section, "parse_json").unwrap_or_default(),
        query: query(section).unwrap_or(default.query),
        reshape: reshape::read(section),
        measurement: measurement(section).unwrap_or(match format {
            Format::Influx => Template::literal(""),
            _ => default.measurement,
        }),
        name_key: selector(section, "name_key"),
        tag_keys,
        tag_selectors,
        fields: fields(section),
        string_fields: globs(section, "string_fields").unwrap_or_default(),
        number_fields: globs(section, "number_fields").unwrap_or_default(),
        integers: section.word_or_default("integers", &INTEGERS),
        values: values(section),
        types: types(section),
        include: include(section).unwrap_or(default.include),
        exclude: globs(section, "exclude").unwrap_or_default(),
        rename: rename(section),
        time: time(section, format),
        precision: section.word_or_default("precision", &PRECISIONS),
        times: times(section),
        distinct_times: distinct_times(section).unwrap_or_default(),
        // `mapping::read_all` sets the value of [influx].
        time_precision: default.time_precision,
        topic_tag: key(section, "topic_tag"),
        key_tag: key(section, "key_tag"),
        partition_tag: key(section, "partition_tag"),
        offset_field: key(section, "offset_field"),
        header_tags: header_tags(section),
        tags: tags(section),
        // Filled in where the topics are known.
        topic_patterns: default.topic_patterns,
        strict: section.flag_or_default("strict") && (format.is_strict() || section.has("strict")),
    };
    let copied = rules.copied_selectors().len();
    if copied > Rules::COPIED_MAX {
        let message = format!(
            "placeholders and `fields` take values under {copied} different keys of the element, and {} are possible: use `rename` or \
             `tag_keys` for some of them",
            Rules::COPIED_MAX
        );
        section.error(if section.has("fields") { "fields" } else { "tags" }, message);
    }
    warn_of_renamed_tags(section, &rules);
    warn_of_tags_among_fields(section, &rules);
    if format == Format::Influx {
        formats::check_influx_placeholders(section, &rules);
    }
    rules
}

/// Warns of tag keys to which `rename` gives one name: a point has each tag once.
fn warn_of_renamed_tags(section: Section<'_>, rules: &Rules) {
    let keys: Vec<&String> = rules.tag_keys.patterns().iter().filter(|key| !has_wildcard(key)).collect();
    for (index, key) in keys.iter().enumerate() {
        let name = rules.rename.apply(key);
        let earlier = keys.get(..index).unwrap_or_default();
        if let Some(other) = earlier.iter().find(|other| **other != *key && rules.rename.apply(other) == name)
        {
            let message = format!(
                "`rename` gives the tags {other:?} and {key:?} of `tag_keys` one name, {name:?}, and a point has each tag once: of a record with \
                 both, one value is dropped; give one of them another name"
            );
            section.context.warning(&section.span("rename"), message);
        }
    }
}

/// Warns of options for fields that name a tag's key.
fn warn_of_tags_among_fields(section: Section<'_>, rules: &Rules) {
    for option in ["exclude", "string_fields", "number_fields"] {
        let Some(DeValue::Array(names)) = section.value(option).map(toml::Spanned::get_ref) else { continue };
        for value in names {
            let Some(name) = value.get_ref().as_str().filter(|name| !has_wildcard(name)) else { continue };
            if rules.tag_keys.is_match(name) {
                let remedy = match option {
                    "exclude" => "to drop the tag, take its key out of `tag_keys`",
                    _ => "for a field, take the key out of `tag_keys`; for a tag, remove it here",
                };
                let message = format!(
                    "{name:?} is a tag by `tag_keys`, and `{option}` is for fields only, so it changes nothing: {remedy}"
                );
                section.context.warning(&value.span(), message);
            }
        }
    }
}

/// Whether a text of a list of globs may match several keys.
fn has_wildcard(glob: &str) -> bool {
    glob.contains(['*', '?', '[', '{', '\\', '$'])
}

fn globs(section: Section<'_>, key: &str) -> Option<Globs> {
    let texts = section.texts(key)?;
    for text in &texts {
        check_flattened(section, key, text);
    }
    compile(section, &texts)
}

fn compile(section: Section<'_>, texts: &[Text]) -> Option<Globs> {
    let patterns: Vec<&str> = texts.iter().map(|text| text.value.as_str()).collect();
    let error = match Globs::compile(&patterns) {
        Ok(globs) => return Some(globs),
        Err(error) => error,
    };
    if let Some(text) = texts.get(error.index) {
        section.refuse(text, error.to_string());
    }
    None
}

fn include(section: Section<'_>) -> Option<Globs> {
    let texts = section.texts("include")?;
    if texts.is_empty() {
        section.error(
            "include",
            "`include` is an empty list, so no field would be left: leave it out to keep all",
        );
    }
    for text in &texts {
        check_flattened(section, "include", text);
    }
    compile(section, &texts)
}

/// Reads `tag_keys`: globs of flattened keys, and other selectors.
fn tag_keys(section: Section<'_>) -> (Globs, Vec<KeySelector>) {
    let (mut globs, mut selectors) = (Vec::new(), Vec::new());
    for text in section.texts("tag_keys").unwrap_or_default() {
        match parse_selector(section, &text) {
            Some(KeySelector::Flattened(_)) => globs.push(text),
            Some(selector) => selectors.push(selector),
            None => {}
        }
    }
    (compile(section, &globs).unwrap_or_default(), selectors)
}

/// Reads `fields`: the names of fields, each with the selector of its value.
fn fields(section: Section<'_>) -> Vec<(String, KeySelector)> {
    let offset_field = section.text("offset_field").map(|text| text.value);
    let mut fields = Vec::new();
    for (name, from) in pairs(section, "fields") {
        check_key(section, "fields", &name);
        if name.value.is_empty() || from.value.is_empty() {
            section.refuse(&from, "`fields` needs a name and a selector, such as { total = \"^.total\" }");
            continue;
        }
        if offset_field.as_ref() == Some(&name.value) {
            section.refuse(
                &name,
                format!("{:?} is also the name of `offset_field`: a point has each field once", name.shown()),
            );
        }
        if let Some(selector) = parse_selector(section, &from) {
            check_single(section, &from, &selector);
            fields.push((name.value, selector));
        }
    }
    fields
}

fn measurement(section: Section<'_>) -> Option<Template> {
    let text = section.text("measurement")?;
    if text.value.starts_with('#') {
        section.refuse(&text, "a line that begins with \"#\" is a comment for InfluxDB: choose another name");
    }
    check_name(section, "measurement", &text);
    template(section, "measurement", &text)
}

/// The name of a tag or field that the bridge adds to every point.
fn key(section: Section<'_>, key: &str) -> Option<String> {
    let text = section.text(key)?;
    check_key(section, key, &text);
    Some(text.value)
}

fn check_key(section: Section<'_>, key: &str, text: &Text) {
    if RESERVED.contains(&text.value.as_str()) {
        section.refuse(text, format!("InfluxDB reserves {:?}: choose another name", text.shown()));
    }
    check_name(section, key, text);
}

/// Refuses names that line protocol cannot express.
fn check_name(section: Section<'_>, key: &str, text: &Text) {
    if text.value.ends_with('\\') || text.value.contains(char::is_control) {
        section.refuse(
            text,
            format!("`{key}` can't end in a backslash or contain line breaks and other control characters"),
        );
    }
}

fn header_tags(section: Section<'_>) -> Vec<String> {
    let texts = section.texts("header_tags").unwrap_or_default();
    for text in &texts {
        check_key(section, "header_tags", text);
    }
    texts.into_iter().map(|text| text.value).collect()
}

fn tags(section: Section<'_>) -> Vec<(String, Template)> {
    let pairs = pairs(section, "tags");
    for (name, value) in &pairs {
        check_key(section, "tags", name);
        check_name(section, "tags", value);
        if value.value.is_empty() || name.value.is_empty() {
            section.refuse(value, "InfluxDB has no empty tags: give it a value, or leave it out");
        }
    }
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.value, template(section, "tags", &value)?)))
        .collect()
}

fn types(section: Section<'_>) -> KeyTable<FieldType> {
    let (names, entries): (Vec<_>, Vec<_>) = pairs_of_words(section, "types", &TYPES)
        .into_iter()
        .map(|(name, meant)| (name.clone(), (name.value, meant)))
        .unzip();
    for name in &names {
        check_flattened(section, "types", name);
    }
    let types = KeyTable::compile(entries).map_err(|error| refuse_glob(section, &names, &error));
    let types = types.unwrap_or_default();
    refuse_tie(section, "types", &names, types.tie());
    types
}

/// Reads the tables of `values`: under a flattened key or glob, the texts that become other values.
fn values(section: Section<'_>) -> Replacements {
    const WANTED: &str = "a table of tables, such as { state = { ON = 1, OFF = 0, unavailable = \"\" } }";
    let Some(value) = section.value("values") else { return Replacements::default() };
    let DeValue::Table(tables) = value.get_ref() else {
        section.wrong_kind(value, "values", WANTED);
        return Replacements::default();
    };
    let (mut names, mut entries) = (Vec::new(), Vec::new());
    for (name, value) in tables {
        let DeValue::Table(table) = value.get_ref() else {
            section.wrong_kind(value, "values", WANTED);
            continue;
        };
        let name = Text::plain(name);
        let replacement = |(from, to): (&toml::Spanned<_>, _)| {
            let from = Text::plain(from).value;
            let to = replacement(section, &format!("values.{}.{from}", name.value), to)?;
            Some((from, to))
        };
        entries.push((name.value.clone(), table.iter().filter_map(replacement).collect()));
        names.push(name);
    }
    for name in &names {
        check_flattened(section, "values", name);
    }
    let values = Replacements::compile(entries).map_err(|error| refuse_glob(section, &names, &error));
    let values = values.unwrap_or_default();
    refuse_tie(section, "values", &names, values.tie());
    values
}

fn replacement(section: Section<'_>, key: &str, value: &toml::Spanned<DeValue<'_>>) -> Option<Replacement> {
    let number = |text: &str| text.replace('_', "");
    match value.get_ref() {
        DeValue::String(_) => Some(Replacement::Text(section.text_of(key, value)?.value)),
        DeValue::Boolean(value) => Some(Replacement::Boolean(*value)),
        DeValue::Integer(integer) => {
            let read = i64::from_str_radix(&number(integer.as_str()), integer.radix());
            let read = read.ok().map(Replacement::Integer);
            if read.is_none() {
                section
                    .context
                    .error(&value.span(), format!("`{key}` has more than the 64 bits of an integer"));
            }
            read
        }
        DeValue::Float(float) => {
            let read = number(float.as_str()).parse().ok().filter(|float: &f64| float.is_finite());
            if read.is_none() {
                let message = format!("`{key}` is no number that InfluxDB stores: \"\" leaves the field out");
                section.context.error(&value.span(), message);
            }
            read.map(Replacement::Float)
        }
        _ => {
            section.wrong_kind(value, key, "a number, a string, true or false");
            None
        }
    }
}

/// Refuses the name of a table that is no glob.
fn refuse_glob(section: Section<'_>, names: &[Text], error: &GlobError) {
    if let Some(name) = names.get(error.index) {
        section.refuse(name, error.to_string());
    }
}

/// Refuses two names of a table that can match the same key, and of which none is longer.
fn refuse_tie(section: Section<'_>, key: &str, names: &[Text], tie: Option<(usize, usize)>) {
    let Some((first, second)) = tie.and_then(|(first, second)| names.get(first).zip(names.get(second)))
    else {
        return;
    };
    let message = format!(
        "{:?} and {:?} in `{key}` can match the same key and are equally long, so neither comes first: make one of them longer, or \
         write the key itself",
        first.value, second.value
    );
    section.refuse(second, message);
}

fn rename(section: Section<'_>) -> Rename {
    let mut rename = Rename::default();
    for (from, to) in pairs(section, "rename") {
        check_flattened(section, "rename", &from);
        check_key(section, "rename", &to);
        if let Err(error) = rename.add(&from.value, &to.value) {
            section.refuse(&to, error.to_string());
        }
    }
    rename
}
