//! Reads the keys of a `[[mapping]]` that say what a record becomes.

use super::formats;
use super::keys::{FORMATS, INTEGERS, PRECISIONS, TYPES};
use super::reshape;
use super::section::{Section, Text, unknown_word};
use base::suggest::nearest;
use jiff::tz::TimeZone;
use mapping::decode::{PathError, Query};
use mapping::{
    DistinctTimes, FieldType, Format, GlobError, Globs, KeySelector, KeyTable, Rename, Replacement,
    Replacements, Rules, Template, TemplateError, TimeFormat, TimeFormatError, TimeRange, TimeRule,
    TimeSource,
};
use toml::de::DeValue;

/// Names that InfluxDB reserves: it refuses such tags, and drops a field called "time".
const RESERVED: [&str; 3] = ["time", "_field", "_measurement"];

/// A refused value is reported, and its default is used.
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
    if format == Format::Influx {
        formats::check_influx_placeholders(section, &rules);
    }
    rules
}

fn globs(section: Section<'_>, key: &str) -> Option<Globs> {
    compile(section, &section.texts(key)?)
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

fn selector(section: Section<'_>, key: &str) -> Option<KeySelector> {
    parse_selector(section, &section.text(key)?)
}

fn parse_selector(section: Section<'_>, text: &Text) -> Option<KeySelector> {
    match KeySelector::parse(&text.value) {
        Ok(selector) => {
            check_selector(section, text, &selector);
            Some(selector)
        }
        Err(error) => {
            section.refuse(text, path_error(&error));
            None
        }
    }
}

/// Warns of a selector that finds nothing, or not what its form suggests.
fn check_selector(section: Section<'_>, text: &Text, selector: &KeySelector) {
    let warning = match selector {
        KeySelector::Ancestor { .. } | KeySelector::Key { levels: 1.. } if !section.has("query") => {
            format!(
                "{selector} finds nothing without `query`: the whole record is the element, and no object encloses it"
            )
        }
        KeySelector::Flattened(key) if key.starts_with('^') => {
            let name = key.trim_start_matches('^');
            format!(
                "{key:?} is a key of the element itself: for that of the enclosing object write \"^.{name}\", and write \"@['{key}']\" \
                 if the key has this name"
            )
        }
        _ => return,
    };
    section.warn(text, warning);
}

/// Refuses a glob where one value is wanted.
fn check_single(section: Section<'_>, text: &Text, selector: &KeySelector) {
    if let KeySelector::Flattened(key) = selector
        && key.contains('*')
    {
        section.refuse(
            text,
            format!("{key:?} is a glob, and one value is wanted here: write a whole key, or \"@['{key}']\" if the key has this name"),
        );
    }
}

/// Parses a text with placeholders.
fn template(section: Section<'_>, option: &str, text: &Text) -> Option<Template> {
    let template = parse_template(section, option, text)?;
    for selector in template.selectors() {
        check_selector(section, text, selector);
        check_single(section, text, selector);
    }
    Some(template)
}

/// Parses a text with placeholders, whose selectors the caller checks.
pub fn parse_template(section: Section<'_>, option: &str, text: &Text) -> Option<Template> {
    let error = match Template::parse(&text.value) {
        Ok(template) => return Some(template),
        Err(error) => error,
    };
    let message = match &error {
        TemplateError::Selector { placeholder, error } => {
            format!("{{{placeholder}}} is no placeholder of `{option}`: {}", path_error(error))
        }
        error => format!("`{option}`: {error}"),
    };
    section.refuse(text, message);
    None
}

fn query(section: Section<'_>) -> Option<Query> {
    let text = section.text("query")?;
    match Query::parse(&text.value) {
        Ok(query) => Some(query),
        Err(error @ PathError::Function { .. }) => {
            section.refuse(&text, error.to_string());
            None
        }
        Err(error) => {
            // GJSON, the language of Telegraf's json_query, has neither the "$" nor brackets.
            let path = text.value.trim_start_matches('@').replace(".#", "[*]");
            let path = format!("$.{}", path.trim_start_matches(['$', '.']));
            let remedy = match Query::parse(&path) {
                Ok(_) => format!("; did you mean {path:?}?"),
                Err(_) => "; it begins with \"$\", as in \"$.items[*]\"".to_owned(),
            };
            section.refuse(&text, path_error(&error) + &remedy);
            None
        }
    }
}

/// The error on one line; the parser's own message has several.
fn path_error(error: &PathError) -> String {
    match error {
        PathError::NotSingular(_) | PathError::Function { .. } => error.to_string(),
        PathError::Syntax { text, why } => {
            let place = why.split_once("--> 1:").map(|(_, rest)| rest);
            let column: Option<String> =
                place.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect());
            let at = column.map(|column| format!(" (from its character {column} on)")).unwrap_or_default();
            format!("{text:?} is not a JSONPath{at}")
        }
    }
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

/// The entries of a table of strings, with the places of names and values.
pub fn pairs(section: Section<'_>, key: &str) -> Vec<(Text, Text)> {
    let Some(value) = section.value(key) else {
        return Vec::new();
    };
    let DeValue::Table(table) = value.get_ref() else {
        section.wrong_kind(value, key, "a table of strings, such as { from = \"to\" }");
        return Vec::new();
    };
    let pair = |(name, value): (&toml::Spanned<_>, _)| {
        let name = Text::plain(name);
        let full = format!("{key}.{}", name.value);
        Some((name, section.text_of(&full, value)?))
    };
    table.iter().filter_map(pair).collect()
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
    let (mut names, mut entries) = (Vec::new(), Vec::new());
    for (name, word) in pairs(section, "types") {
        let words: Vec<&str> = TYPES.iter().map(|(word, _)| *word).collect();
        if let Some((_, meant)) = TYPES.iter().find(|(known, _)| *known == word.value) {
            entries.push((name.value.clone(), *meant));
            names.push(name);
        } else {
            let message = unknown_word("types", word.shown(), &words);
            section.refuse(&word, message.replacen("`types`", &format!("`types.{}`", name.shown()), 1));
        }
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
        check_key(section, "rename", &to);
        if let Err(error) = rename.add(&from.value, &to.value) {
            section.refuse(&to, error.to_string());
        }
    }
    rename
}

fn distinct_times(section: Section<'_>) -> Option<DistinctTimes> {
    let value = section.value("distinct_times")?;
    match value.get_ref() {
        DeValue::Boolean(true) => Some(DistinctTimes::Kafka),
        DeValue::Boolean(false) => Some(DistinctTimes::Never),
        DeValue::String(text) if text == "always" => Some(DistinctTimes::Always),
        DeValue::String(text) => {
            let message =
                unknown_word("distinct_times", text, &["always"]) + "; without quotes it is true or false";
            section.error("distinct_times", message);
            None
        }
        _ => {
            section.wrong_kind(value, "distinct_times", "true, false or \"always\"");
            None
        }
    }
}

fn time(section: Section<'_>, record_format: Format) -> Option<TimeRule> {
    if record_format == Format::Influx {
        // `formats::check_keys` refuses the keys.
        return None;
    }
    let source = time_source(section);
    let nanos = selector(section, "time_nanos_key");
    let key = if section.has("time") { "time" } else { "time_key" };
    let own = (own_time(record_format, key) && !section.has("time_format")).then_some(TimeFormat::Timestamp);
    let format = time_format(section).or(own);
    let zone = zone(section);
    let formats = TimeFormat::NAMES.join(", ");
    match (section.has(key), section.has("time_format")) {
        (true, false) if own_time(record_format, key) || source.is_none() => {}
        (true, false) => {
            let message = format!(
                "`{key}` needs a `time_format`: one of {formats}, or a strptime pattern such as \"%Y-%m-%d %H:%M:%S\""
            );
            section.context.missing(Some(&section.span(key)), "mapping", "time_format", message);
        }
        (false, true) => {
            let message = format!(
                "`time_format` ({formats} or a pattern) belongs to `time_key`: name the key that has the time"
            );
            section.context.missing(Some(&section.span("time_format")), "mapping", "time_key", message);
        }
        (false, false) if section.has("timezone") => {
            section.context.warning(
                &section.span("timezone"),
                "without `time_key` it has no effect: Kafka's own time has no zone",
            );
        }
        _ => {}
    }
    if section.has("time_nanos_key") && !section.has(key) {
        let message = "`time_nanos_key` belongs to `time_key`: name the key that has the seconds";
        section.context.missing(
            Some(&section.span("time_nanos_key")),
            "mapping",
            "time_key",
            message.to_owned(),
        );
    }
    let rule = TimeRule { source: source?, nanos, format: format?, zone: zone.unwrap_or(TimeZone::UTC) };
    let uses = rule.selectors().filter(|(_, selector)| Some(*selector) == rule.nanos.as_ref()).count();
    if uses > 1 {
        section.error(
            "time_nanos_key",
            "`time_nanos_key` is the key of the time itself: name the key of the nanoseconds",
        );
    }
    Some(rule)
}

/// Whether the time may be a timestamp of the format, which needs no `time_format`.
fn own_time(format: Format, key: &str) -> bool {
    format.has_timestamps() && key == "time_key"
}

fn time_source(section: Section<'_>) -> Option<TimeSource> {
    if section.has("time") {
        if section.has("time_key") {
            section.error("time", "`time_key` and `time` are both set: keep the one that has the time");
        }
        let text = section.text("time")?;
        let template = template(section, "time", &text)?;
        if !template.has_placeholders() {
            let message = format!(
                "`time` = {:?} names no key, so all points would have one time: write the keys in braces, as in \"{{date}} {{clock}}\"",
                text.shown()
            );
            section.refuse(&text, message);
        }
        return Some(TimeSource::Text(template));
    }
    let texts = section.text_or_texts("time_key")?;
    if texts.is_empty() {
        section
            .error("time_key", "`time_key` is an empty list: name a key, or leave it out for Kafka's time");
    }
    for (place, text) in texts.iter().enumerate() {
        if texts.iter().take(place).any(|earlier| earlier.value == text.value) {
            section.refuse(text, format!("`time_key` has {:?} twice: write each key once", text.shown()));
        }
    }
    let keys: Vec<_> = texts.iter().filter_map(|text| parse_selector(section, text)).collect();
    (!keys.is_empty()).then_some(TimeSource::Keys(keys))
}

fn times(section: Section<'_>) -> TimeRange {
    let default = TimeRange::default();
    let (min, max) = (time_end(section, "time_min"), time_end(section, "time_max"));
    let times = TimeRange { min: min.unwrap_or(default.min), max: max.unwrap_or(default.max) };
    if times.min > times.max {
        section.error("time_max", "`time_max` lies before `time_min`, so every record would be rejected");
    }
    times
}

/// Reads a time written as a string or as a TOML date.
fn time_end(section: Section<'_>, key: &str) -> Option<i64> {
    let value = section.value(key)?;
    let written = match value.get_ref() {
        DeValue::Datetime(date) => date.to_string(),
        _ => section.text(key)?.value,
    };
    let end = TimeRange::parse_end(&written);
    if end.is_none() {
        let message = format!(
            "`{key}` must be a time from 1677-09-22 to 2262-04-11, such as \"2020-01-01\" or \"2020-01-01T00:00:00Z\""
        );
        section.error(key, message);
    }
    end
}

fn time_format(section: Section<'_>) -> Option<TimeFormat> {
    let text = section.text("time_format")?;
    let error = match TimeFormat::parse(&text.value) {
        Ok(format) => return Some(format),
        Err(error) => error,
    };
    let message = match error {
        TimeFormatError::Unknown(_) => {
            unknown_word("time_format", text.shown(), &TimeFormat::NAMES)
                + " (or a strptime pattern such as \"%Y-%m-%d %H:%M:%S\")"
        }
        error => error.to_string(),
    };
    section.refuse(&text, message);
    None
}

fn zone(section: Section<'_>) -> Option<TimeZone> {
    let text = section.text("timezone")?;
    let zone = mapping::zone_by_name(&text.value);
    if zone.is_none() {
        let names = mapping::zone_names();
        // Users often write the city alone: "Seoul".
        let city = names
            .iter()
            .find(|name| name.rsplit('/').next().is_some_and(|c| c.eq_ignore_ascii_case(&text.value)));
        let near =
            city.map(String::as_str).or_else(|| nearest(&text.value, names.iter().map(String::as_str)));
        let remedy = match near {
            Some(near) => format!("; did you mean {near:?}?"),
            None => ": write a name such as \"UTC\" or \"Europe/Berlin\"".to_owned(),
        };
        section.refuse(&text, format!("there is no time zone {:?}{remedy}", text.shown()));
    }
    zone
}
