//! A model of the mapping, as plain as possible: no bytes, no tables, nothing learned.

use super::json::{Json, Text};
use super::options::{Options, Origin, To, VALUES};
use crate::digits::topic_digits;
use line_protocol::reader::{Point, Value};
use mapping::FieldType;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

/// The points of a record. A rejected element has no point, and in a strict mapping it rejects the whole record.
pub fn map_model(record: &Json, options: &Options, origin: &Origin) -> Vec<Point> {
    let elements = match record {
        Json::Array(elements) => elements.iter().collect(),
        other => vec![other],
    };
    let points = elements.into_iter().enumerate();
    let points: Vec<_> = points.map(|(index, element)| point(element, index, options, origin)).collect();
    if options.strict && points.iter().any(Result::is_err) {
        return Vec::new();
    }
    points.into_iter().flatten().flatten().collect()
}

/// A rejected element.
struct Rejected;

type Flat<'j> = Vec<(String, Cow<'j, Json>)>;

fn point(
    element: &Json,
    index: usize,
    options: &Options,
    origin: &Origin,
) -> Result<Option<Point>, Rejected> {
    let Json::Object(members) = element else { return Err(Rejected) };
    let mut flat = Flat::new();
    flatten(members, "", &mut flat);
    if options.values {
        flat =
            flat.into_iter().filter_map(|(key, value)| Some((key.clone(), replaced(&key, value)?))).collect();
    }
    let clock = options.clock.then(|| last(&flat, "clock"));
    flat.retain(|(key, _)| !(options.clock && key == "clock"));
    let tag_keys = possible_tags(&flat, options);
    let mut fields = fields(&flat, options);
    fields.retain(|(key, _)| !tag_keys.contains(key));
    if fields.is_empty() {
        return Ok(None);
    }
    let tags = tags(&flat, options, origin);
    let time = match clock {
        Some(value) => clock_ns(value.ok_or(Rejected)?.as_ref())?,
        None => kafka_ns(index, options, origin)?,
    };
    let mut fields = with_offset(fields, options, origin);
    fields.retain(|(key, _)| !tag_keys.contains(key));
    Ok(Some(Point { measurement: measurement(&flat, options, origin)?, tags, fields, time: Some(time) }))
}

/// Scalars with their flattened keys; of equal keys in one object, the last one counts, at its own position.
fn flatten<'j>(members: &'j [(Text, Json)], prefix: &str, flat: &mut Flat<'j>) {
    for (place, (key, value)) in members.iter().enumerate() {
        let key = key.meaning();
        if members[place + 1..].iter().all(|(later, _)| later.meaning() != key) {
            flatten_value(value, format!("{prefix}{key}"), flat);
        }
    }
}

fn flatten_value<'j>(value: &'j Json, key: String, flat: &mut Flat<'j>) {
    match value {
        Json::Null => {}
        Json::Object(members) => flatten(members, &format!("{key}_"), flat),
        Json::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                flatten_value(element, format!("{key}_{index}"), flat);
            }
        }
        scalar => flat.push((key, Cow::Borrowed(scalar))),
    }
}

fn last<'j>(flat: &Flat<'j>, key: &str) -> Option<Cow<'j, Json>> {
    flat.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value.clone())
}

/// The value that `values` puts in place of this one; none where it is left out.
fn replaced<'j>(key: &str, value: Cow<'j, Json>) -> Option<Cow<'j, Json>> {
    let text = match &*value {
        Json::Text(text) => text.meaning(),
        Json::Bool(value) => value.to_string(),
        _ => return Some(value),
    };
    let Some(table) = longest_match(key, &VALUES) else { return Some(value) };
    match table.iter().find(|(from, _)| *from == text) {
        None => Some(value),
        Some((_, To::Nothing)) => None,
        Some((_, To::Bool(to))) => Some(Cow::Owned(Json::Bool(*to))),
        Some((_, To::Number(to))) => Some(Cow::Owned(Json::Number((*to).to_owned()))),
        Some((_, To::Text(to))) => Some(Cow::Owned(Json::Text(Text::plain(to)))),
    }
}

/// The value of the exact name, otherwise that of the longest glob.
fn longest_match<'t, T>(key: &str, table: &'t [(&str, T)]) -> Option<&'t T> {
    let exact = table.iter().find(|(pattern, _)| *pattern == key);
    let globs = table.iter().filter(|(pattern, _)| is_match(&[*pattern], key));
    exact.or_else(|| globs.max_by_key(|(pattern, _)| pattern.len())).map(|(_, value)| value)
}

fn measurement(flat: &Flat<'_>, options: &Options, origin: &Origin) -> Result<String, Rejected> {
    let mut texts = flat.iter().rev().filter_map(|(key, value)| match &**value {
        Json::Text(text) if options.name_key && key == "name" => Some(text.meaning()),
        _ => None,
    });
    let named = texts.next().map(|name| written_name(&name)).filter(|name| !name.is_empty());
    let name = named.unwrap_or_else(|| written_name(&origin.topic));
    if name.is_empty() || name.starts_with('#') { Err(Rejected) } else { Ok(name) }
}

/// A final key; none for one that can't be written.
fn final_key(key: &str, options: &Options) -> Option<String> {
    writable(&renamed(key, options))
}

fn writable(key: &str) -> Option<String> {
    let mut key = written_name(key);
    // InfluxDB 3 reads two backslashes as one.
    while key.contains(r"\\") {
        key = key.replace(r"\\", r"\");
    }
    let reserved = ["", "time", "_field", "_measurement"].contains(&key.as_str());
    (!reserved).then_some(key)
}

fn renamed(key: &str, options: &Options) -> String {
    let exact = options.rename.iter().find(|(from, _)| *from == key);
    if let Some((_, to)) = exact {
        return (*to).to_owned();
    }
    let by_prefix = options.rename.iter().find_map(|(from, to)| {
        let kept = key.strip_prefix(from.strip_suffix('*')?)?;
        Some(to.replace('*', kept)).filter(|to| !to.is_empty())
    });
    by_prefix.unwrap_or_else(|| key.to_owned())
}

/// The text that reads back after `text` was written as a name.
fn written_name(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    for (place, &c) in chars.iter().enumerate() {
        let after_run = chars[place..].iter().find(|&&c| c != '\\');
        match c {
            '\0' => {}
            '\\' if after_run.is_none_or(|c| matches!(c, ',' | '=' | ' ' | '"' | '\0')) => {}
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            other => out.push(other),
        }
    }
    out
}

fn fields(flat: &Flat<'_>, options: &Options) -> Vec<(String, Value)> {
    let mut fields: Vec<(String, Value)> = Vec::new();
    for (key, value) in flat {
        let kept = !is_match(&options.tag_keys, key)
            && is_match(&options.include, key)
            && !is_match(&options.exclude, key);
        let named = final_key(key, options).filter(|_| kept).zip(field(key, value, options));
        if let Some((key, value)) = named {
            fields.retain(|(earlier, _)| *earlier != key);
            fields.push((key, value));
        }
    }
    fields
}

fn field(key: &str, value: &Json, options: &Options) -> Option<Value> {
    if let Some(to) = longest_match(key, &options.types) {
        return typed(value, *to);
    }
    let strings = is_match(&options.string_fields, key);
    match value {
        Json::Number(text) => number(text, options),
        Json::Text(text) if strings => Some(Value::String(text.meaning())),
        Json::Bool(value) if strings => Some(Value::Boolean(*value)),
        Json::Text(text) if is_match(&options.number_fields, key) => {
            let text = text.unescaped()?;
            let text = text.trim_matches(' ');
            let parsed: serde_json::Number = serde_json::from_str(text).ok()?;
            parsed.as_f64().filter(|f| f.is_finite())?;
            number(text, options)
        }
        _ => None,
    }
}

/// The value as a field of this type.
fn typed(value: &Json, to: FieldType) -> Option<Value> {
    let text = match (value, to) {
        (Json::Text(text), FieldType::String) => return Some(Value::String(text.meaning())),
        (Json::Number(text), FieldType::String) => return Some(Value::String(text.clone())),
        (Json::Bool(value), FieldType::String) => return Some(Value::String(value.to_string())),
        (Json::Bool(value), FieldType::Bool) => return Some(Value::Boolean(*value)),
        (Json::Bool(value), _) => u8::from(*value).to_string(),
        (Json::Number(text), _) => text.clone(),
        (Json::Text(text), _) => {
            let text = text.unescaped()?;
            if to == FieldType::Bool && (text == "true" || text == "false") {
                return Some(Value::Boolean(text == "true"));
            }
            serde_json::from_str::<serde_json::Number>(&text).ok()?;
            text.trim_matches(' ').to_owned()
        }
        _ => return None,
    };
    let float: f64 = text.parse().ok().filter(|float: &f64| float.is_finite())?;
    match to {
        FieldType::Float => Some(Value::Float(float)),
        FieldType::Int => whole(&text)?.parse().ok().map(Value::Integer),
        FieldType::Bool => match whole(&text)?.as_str() {
            "0" | "-0" => Some(Value::Boolean(false)),
            "1" => Some(Value::Boolean(true)),
            _ => None,
        },
        FieldType::Uint | FieldType::String => unreachable!("not among the options"),
    }
}

/// The digits of a number without a fraction, which may be spelled with one or with an exponent.
fn whole(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (sign, before) = before.strip_prefix('-').map_or(("", before), |before| ("-", before));
    let exponent: i64 = exponent.parse().ok()?;
    let mut digits = format!("{before}{behind}");
    let point = before.len() as i64 + exponent;
    while (digits.len() as i64) < point.min(400) {
        digits.push('0');
    }
    let point = usize::try_from(point).unwrap_or(0).min(digits.len());
    let (kept, fraction) = digits.split_at(point);
    let kept = kept.trim_start_matches('0');
    let kept = if kept.is_empty() { "0" } else { kept };
    fraction.bytes().all(|digit| digit == b'0').then(|| format!("{sign}{kept}"))
}

fn number(text: &str, options: &Options) -> Option<Value> {
    if options.integers && !text.contains(['.', 'e', 'E']) {
        return text.parse().ok().map(Value::Integer);
    }
    text.parse().ok().map(Value::Float)
}

fn with_offset(mut fields: Vec<(String, Value)>, options: &Options, origin: &Origin) -> Vec<(String, Value)> {
    if let Some(key) = options.offset_field.and_then(writable)
        && fields.iter().all(|(field, _)| *field != key)
    {
        fields.push((key, Value::Integer(origin.offset)));
    }
    fields
}

/// The keys of the element's tags, and of those that the mapping adds to some of its lines: no field has one of them.
fn possible_tags(flat: &Flat<'_>, options: &Options) -> HashSet<String> {
    let in_record =
        flat.iter().filter(|(key, value)| is_match(&options.tag_keys, key) && tag_value(value).is_some());
    let fixed = options.tags.iter().filter(|(_, value)| !written_name(value).is_empty());
    let from_kafka = [options.topic_tag, options.key_tag].into_iter().flatten();
    let added = fixed.map(|(key, _)| *key).chain(from_kafka).filter_map(writable);
    in_record.filter_map(|(key, _)| final_key(key, options)).chain(added).collect()
}

/// Tags from Kafka replace those of the record, which replace static ones. A value of which nothing can be written replaces none.
fn tags(flat: &Flat<'_>, options: &Options, origin: &Origin) -> Vec<(String, String)> {
    let mut in_record = BTreeMap::new();
    for (key, value) in flat.iter().filter(|(key, _)| is_match(&options.tag_keys, key)) {
        in_record.extend(final_key(key, options).zip(tag_value(value)));
    }
    let fixed = options.tags.iter().map(|(key, value)| (writable(key), value.clone()));
    let in_record = in_record.into_iter().map(|(key, value)| (Some(key), value));
    let key = origin.key.as_ref().map(|key| lossy(key)).unwrap_or_default();
    let from_kafka = [(options.topic_tag, origin.topic.clone()), (options.key_tag, key)];
    let from_kafka = from_kafka.map(|(tag, value)| (tag.and_then(writable), value));
    let mut tags = BTreeMap::new();
    for (key, value) in fixed.chain(in_record).chain(from_kafka) {
        tags.extend(key.zip(Some(written_name(&value)).filter(|value| !value.is_empty())));
    }
    tags.into_iter().collect()
}

fn tag_value(value: &Json) -> Option<String> {
    match value {
        Json::Bool(value) => Some(value.to_string()),
        Json::Number(text) if text.contains(['.', 'e', 'E']) => {
            let number = text.parse::<f64>().ok()?;
            let shortest = number.to_string();
            let Some((_, places)) = shortest.split_once('.') else { return Some(shortest) };
            // Rounding to as many places gives the even one of two equally near decimals.
            Some(format!("{number:.*}", places.len()))
        }
        Json::Number(text) => Some(text.clone()),
        Json::Text(text) => Some(text.meaning()).filter(|text| !text.is_empty()),
        _ => None,
    }
}

/// U+FFFD for each byte that is not UTF-8.
fn lossy(bytes: &[u8]) -> String {
    let (mut text, mut rest) = (String::new(), bytes);
    while let Some((_, after)) = rest.split_first() {
        let longest = (1..=rest.len().min(4)).rev().find_map(|n| Some((str::from_utf8(&rest[..n]).ok()?, n)));
        let (valid, length) = longest.unwrap_or(("\u{FFFD}", 1));
        text.push_str(valid);
        rest = if length == 1 { after } else { &rest[length..] };
    }
    text
}

/// Reads a time in seconds, as a number or in quotes.
fn clock_ns(value: &Json) -> Result<i64, Rejected> {
    let text = match value {
        Json::Number(text) => text.clone(),
        Json::Text(text) => text.meaning(),
        _ => return Err(Rejected),
    };
    let seconds: i64 = text.parse().map_err(|_| Rejected)?;
    Ok(seconds * 1_000_000_000)
}

fn kafka_ns(index: usize, options: &Options, origin: &Origin) -> Result<i64, Rejected> {
    if origin.time_ms < 0 {
        return Err(Rejected);
    }
    let ns = i128::from(origin.time_ms) * 1_000_000;
    let digits = i128::from(origin.offset) * 1009
        + index as i128
        + i128::from(origin.partition) * 499_979
        + i128::from(topic_digits(&origin.topic));
    let ns = if options.distinct_times { ns + digits % 1_000_000 } else { ns };
    Ok(ns.min(i128::from(i64::MAX - 1)) as i64)
}

fn is_match(globs: &[&str], key: &str) -> bool {
    globs.iter().any(|glob| match glob.split_once('*') {
        None => *glob == key,
        Some((before, after)) => {
            key.len() >= before.len() + after.len() && key.starts_with(before) && key.ends_with(after)
        }
    })
}
