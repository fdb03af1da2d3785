//! Migrates `data_format = "json"`.

use super::conf::Options;
use super::gjson::{self, Step};
use super::rules::Rules;
use mapping::{TimeFormat, to_time_format, zone_by_name};

/// Options of the parser.
pub const OPTIONS: [&str; 9] = [
    "tag_keys",
    "json_name_key",
    "json_string_fields",
    "json_query",
    "json_time_key",
    "json_time_format",
    "json_timezone",
    "json_strict",
    "metric_name",
];

pub fn read(input: &Options, rules: &mut Rules) {
    if let Some(name) = input.text("metric_name") {
        rules.measurement = name;
    }
    rules.name_key = key(input, "json_name_key", rules);
    rules.tag_keys = input.texts("tag_keys");
    rules.string_fields = input.texts("json_string_fields");
    for (option, keys) in
        [("tag_keys", rules.tag_keys.clone()), ("json_string_fields", rules.string_fields.clone())]
    {
        if keys.iter().any(|key| key.starts_with('$')) {
            rules.note(
                input,
                option,
                "a key that begins with \"$\" is a JSONPath here: rename it at its producer",
            );
        }
    }
    // Telegraf's default.
    rules.strict = input.flag("json_strict").unwrap_or(true);
    query(input, "json_query", rules);
    rules.time_key = key(input, "json_time_key", rules);
    time(input, ["json_time_key", "json_time_format", "json_timezone"], rules);
}

fn key(input: &Options, option: &str, rules: &mut Rules) -> Option<String> {
    let key = input.text(option)?;
    if key.starts_with('$') && !key.starts_with("${") {
        rules.note(
            input,
            option,
            "a key that begins with \"$\" is a JSONPath here: rename it at its producer",
        );
        return None;
    }
    Some(key)
}

/// Sets `query` from a GJSON path.
pub fn query(options: &Options, option: &str, rules: &mut Rules) {
    let Some(path) = options.text(option) else { return };
    match gjson::steps(&path) {
        Ok(steps) if steps.is_empty() => {}
        Ok(steps) => {
            if steps.iter().any(|step| matches!(step, Step::First(_))) {
                rules.note(
                    options,
                    option,
                    "JSONPath selects all matches, GJSON without the last \"#\" only the first",
                );
            }
            rules.query = Some(gjson::to_jsonpath(&steps));
        }
        Err(why) => {
            rules.note(options, option, format!("{path:?}: {why}: write `query` by hand, as a JSONPath"));
            let place = options.place(option);
            rules.because.push(("query", format!("FILL IN: {place} has no counterpart.")));
            rules.query = Some("${FILL_IN_QUERY}".to_owned());
            rules.fill_in.push(format!("mapping.query: write {path:?} of {place} as a JSONPath"));
        }
    }
}

/// Sets format and zone of the time key that the rules have, from the named options.
pub fn time(options: &Options, [key_option, format_option, zone_option]: [&str; 3], rules: &mut Rules) {
    let (format, zone) = (options.text(format_option), options.text(zone_option));
    let Some(key) = rules.time_key.clone() else { return };
    match format.as_deref().map(time_format) {
        Some(Ok((format, None))) => rules.time_format = Some(format),
        Some(Ok((format, Some(why)))) => {
            rules.note(options, format_option, why);
            rules.time_format = Some(format);
        }
        Some(Err(why)) => {
            rules.note(options, format_option, why);
            rules.fill_in.push(format!("mapping.time_format: how is the time {key:?} written?"));
            rules.because.push((
                "time_format",
                format!("FILL IN: {} has no counterpart.", options.place(format_option)),
            ));
            rules.time_format = Some("${FILL_IN_TIME_FORMAT}".to_owned());
        }
        None => {
            rules.fill_in.push(format!("mapping.time_format: how is the time {key:?} written?"));
            rules.because.push((
                "time_format",
                format!("FILL IN: {} has a key without a format.", options.place(key_option)),
            ));
            rules.time_format = Some("${FILL_IN_TIME_FORMAT}".to_owned());
        }
    }
    match zone.as_deref() {
        None | Some("UTC") => {}
        Some(zone) if zone.eq_ignore_ascii_case("local") => {
            rules.note(
                options,
                zone_option,
                "the bridge has no local zone: write its name, such as \"Asia/Seoul\"",
            );
            rules
                .fill_in
                .push("mapping.timezone: write the zone of the machine that runs Telegraf".to_owned());
            rules.timezone = Some("${FILL_IN_TIMEZONE}".to_owned());
        }
        Some(zone) => {
            if zone_by_name(zone).is_none() && !super::variables::has_variable(zone) {
                rules.note(options, zone_option, "this zone is unknown");
            }
            rules.timezone = Some(zone.to_owned());
        }
    }
}

/// The time format of bridge.toml, and a remark if it works differently.
fn time_format(text: &str) -> Result<(String, Option<&'static str>), String> {
    const RFC3339: [&str; 6] = [
        "rfc3339",
        "rfc3339nano",
        "2006-01-02t15:04:05z07:00",
        "2006-01-02t15:04:05.000z07:00",
        "2006-01-02t15:04:05.999999999z07:00",
        "2006-01-02t15:04:05z",
    ];
    let is_own = super::variables::has_variable(text) || TimeFormat::NAMES.contains(&text);
    if is_own {
        return Ok((text.to_owned(), None));
    }
    if RFC3339.contains(&text.to_ascii_lowercase().as_str()) {
        return Ok(("rfc3339".to_owned(), None));
    }
    match to_time_format(text) {
        Some(Ok(pattern)) => match TimeFormat::parse(&pattern) {
            Ok(_) => Ok((pattern, None)),
            Err(error) => Err(error.to_string()),
        },
        Some(Err(error)) => Err(error.to_string()),
        None => Err(format!(
            "{text:?} is neither a unix format nor one of Go's layouts: write `time_format` by hand"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translates_time_formats() {
        let f = |text: &str, want: &str| assert_eq!(time_format(text).unwrap().0, want, "{text}");
        f("unix", "unix");
        f("unix_ms", "unix_ms");
        f("unix_ns", "unix_ns");
        f("2006-01-02T15:04:05Z07:00", "rfc3339");
        f("RFC3339Nano", "rfc3339");
        f("2006-01-02 15:04:05", "%Y-%m-%d %H:%M:%S%.f");
        f("${FORMAT}", "${FORMAT}");
        for text in ["RFC1123", "yyyy-MM-dd", "Stamp"] {
            assert!(time_format(text).is_err(), "{text}");
        }
    }
}
