//! Reads the keys of a `[[mapping]]` about the times of points.

use super::keys::PRECISIONS;
use super::pairs::pairs_of_words;
use super::section::{Section, Text, unknown_word};
use super::selectors::{check_single, parse_selector, selector, template};
use base::suggest::nearest;
use jiff::tz::TimeZone;
use mapping::{
    AddedTime, DistinctTimes, Format, Precision, TimeFormat, TimeFormatError, TimeRange, TimeRule, TimeSource,
};
use toml::de::DeValue;

/// The options that name numbers to add to the time.
const ADDING: [&str; 2] = ["time_nanos_key", "time_add"];

pub fn distinct_times(section: Section<'_>) -> Option<DistinctTimes> {
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

pub fn time(section: Section<'_>, record_format: Format) -> Option<TimeRule> {
    if record_format == Format::Influx {
        // `formats::check_keys` refuses the keys.
        return None;
    }
    let source = time_source(section);
    let added = added(section);
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
    for option in ADDING.into_iter().filter(|option| section.has(option) && !section.has(key)) {
        let message = format!("`{option}` belongs to `time_key`: name the key that has the time");
        section.context.missing(Some(&section.span(option)), "mapping", "time_key", message);
    }
    let rule = TimeRule { source: source?, added, format: format?, zone: zone.unwrap_or(TimeZone::UTC) };
    for AddedTime { option, key, .. } in &rule.added {
        if rule.selectors().filter(|(_, selector)| *selector == key).count() > 1 {
            section.error(
                option,
                format!(
                    "`{option}` has \"{key}\", which the time has already: name the key of the number to add"
                ),
            );
        }
    }
    Some(rule)
}

/// The numbers that are added to the time.
fn added(section: Section<'_>) -> Vec<AddedTime> {
    let [nanos, others] = ADDING;
    let key =
        selector(section, nanos).map(|key| AddedTime { option: nanos, key, unit: Precision::Nanoseconds });
    let other = |(name, unit): (Text, Precision)| {
        let key = parse_selector(section, &name)?;
        check_single(section, &name, &key);
        Some(AddedTime { option: others, key, unit })
    };
    key.into_iter()
        .chain(pairs_of_words(section, others, &PRECISIONS).into_iter().filter_map(other))
        .collect()
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

pub fn times(section: Section<'_>) -> TimeRange {
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
        // An abbreviation is near to others, which are hours away.
        let is_abbreviation = text.value.len() <= 4 && text.value.chars().all(|c| c.is_ascii_uppercase());
        let remedy = match near {
            _ if is_abbreviation => {
                ": abbreviations have several meanings, so write a name such as \"Asia/Seoul\" or \"Europe/Berlin\"".to_owned()
            }
            Some(near) => format!("; did you mean {near:?}?"),
            None => ": write a name such as \"UTC\" or \"Europe/Berlin\"".to_owned(),
        };
        section.refuse(&text, format!("there is no time zone {:?}{remedy}", text.shown()));
    }
    zone
}
