//! Translates Go's time layouts, as in Telegraf's `json_time_format`, to time formats of the bridge.

use thiserror::Error;

/// A part of a layout that no time format can express.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GoLayoutError {
    #[error(
        "it is a Go layout with \"MST\": names such as EST or KST mean several zones, so they can't be read; have the offset written or set `timezone`"
    )]
    ZoneName,
}

/// Parts of a layout and their counterparts. A part comes before any part that is its prefix.
const PARTS: [(&str, &str); 33] = [
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", ZONE_NAME),
    ("2006", "%Y"),
    ("__2", "%j"),
    ("_2", "%e"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", SECONDS),
    ("06", "%y"),
    ("15", "%H"),
    ("1", "%m"),
    ("2", "%d"),
    ("3", "%I"),
    ("4", "%M"),
    ("5", SECONDS),
    ("PM", "%p"),
    ("pm", "%P"),
    ("-070000", "%z"),
    ("-07:00:00", "%::z"),
    ("-0700", "%z"),
    ("-07:00", "%:z"),
    ("-07", "%:::z"),
    ("Z070000", "%z"),
    ("Z07:00:00", "%::z"),
    ("Z0700", "%z"),
    ("Z07:00", "%:z"),
    ("Z07", "%:::z"),
];
const ZONE_NAME: &str = "%Z";
const SECONDS: &str = "%S";

/// Layouts that Telegraf knows by name, in lower case.
const NAMED: [(&str, &str); 17] = [
    ("ansic", "Mon Jan _2 15:04:05 2006"),
    ("unixdate", "Mon Jan _2 15:04:05 MST 2006"),
    ("rubydate", "Mon Jan 02 15:04:05 -0700 2006"),
    ("rfc822", "02 Jan 06 15:04 MST"),
    ("rfc822z", "02 Jan 06 15:04 -0700"),
    ("rfc850", "Monday, 02-Jan-06 15:04:05 MST"),
    ("rfc1123", "Mon, 02 Jan 2006 15:04:05 MST"),
    ("rfc1123z", "Mon, 02 Jan 2006 15:04:05 -0700"),
    ("rfc3339", "2006-01-02T15:04:05Z07:00"),
    ("rfc3339nano", "2006-01-02T15:04:05.999999999Z07:00"),
    ("stamp", "Jan _2 15:04:05"),
    ("stampmilli", "Jan _2 15:04:05.000"),
    ("stampmicro", "Jan _2 15:04:05.000000"),
    ("stampnano", "Jan _2 15:04:05.000000000"),
    ("datetime", "2006-01-02 15:04:05"),
    ("dateonly", "2006-01-02"),
    ("timeonly", "15:04:05"),
];

/// The strptime pattern of a Go layout or of a layout's name; none for any other text.
///
/// # Errors
/// When the layout has no counterpart.
pub fn to_time_format(text: &str) -> Option<Result<String, GoLayoutError>> {
    let lower = text.to_ascii_lowercase();
    let named = NAMED.iter().find(|(name, _)| *name == lower);
    let (pattern, parts) = convert(named.map_or(text, |(_, layout)| layout));
    let has = |wanted: &str| parts.contains(&wanted);
    let looks_like_one = parts.len() >= 3 && (has("%Y") || has("%y") || has("%H") && has("%M"));
    (named.is_some() || looks_like_one)
        .then(|| if has(ZONE_NAME) { Err(GoLayoutError::ZoneName) } else { Ok(pattern) })
}

/// The pattern, and the parts of the layout that were found.
fn convert(layout: &str) -> (String, Vec<&'static str>) {
    let mut pattern = String::new();
    let mut parts = Vec::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        if let Some((text, part)) = part_at(rest) {
            pattern.push_str(part);
            parts.push(part);
            rest = rest.get(text.len()..).unwrap_or_default();
            if part == SECONDS {
                rest = push_fraction(&mut pattern, rest);
            }
            continue;
        }
        pattern.push(first);
        if first == '%' {
            pattern.push('%');
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    (pattern, parts)
}

fn part_at(rest: &str) -> Option<(&'static str, &'static str)> {
    let is_word = |text: &str| {
        // "Jan" in "Janet" is not a month.
        let next = rest.strip_prefix(text).and_then(|r| r.chars().next());
        matches!(text, "Jan" | "Mon") && next.is_some_and(|c| c.is_ascii_lowercase())
    };
    // "_2006" is a "_" before a year.
    let fits =
        |text: &str| rest.starts_with(text) && !is_word(text) && !(text == "_2" && rest.starts_with("_2006"));
    PARTS.iter().find(|(text, _)| fits(text)).copied()
}

/// Go reads a fraction after the seconds whether or not the layout has one.
fn push_fraction<'a>(pattern: &mut String, rest: &'a str) -> &'a str {
    for (mark, part) in [(".", "%.f"), (",", ",%f")] {
        for digit in ["0", "9"] {
            let after = rest.strip_prefix(mark).map_or(rest, |r| r.trim_start_matches(digit));
            let digits = rest.len() - after.len();
            if digits > mark.len() && !after.starts_with(|c: char| c.is_ascii_digit()) {
                pattern.push_str(part);
                return after;
            }
        }
    }
    pattern.push_str("%.f");
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TimeFormat;
    use jiff::tz::TimeZone;

    #[test]
    fn converts() {
        let f = |layout: &str, want: &str| {
            assert_eq!(to_time_format(layout).unwrap().unwrap(), want, "{layout}");
        };
        f("2006-01-02T15:04:05.000Z07:00", "%Y-%m-%dT%H:%M:%S%.f%:z");
        f("2006-01-02T15:04:05Z07:00", "%Y-%m-%dT%H:%M:%S%.f%:z");
        f("RFC3339Nano", "%Y-%m-%dT%H:%M:%S%.f%:z");
        f("2006-01-02 15:04:05", "%Y-%m-%d %H:%M:%S%.f");
        f("2006-01-02 15:04:05,000", "%Y-%m-%d %H:%M:%S,%f");
        f("2006/1/2 3:04:05 PM -0700", "%Y/%m/%d %I:%M:%S%.f %p %z");
        f("Mon, 02 Jan 2006 15:04:05 -0700", "%a, %d %b %Y %H:%M:%S%.f %z");
        f("Monday January _2 15:04:05 2006", "%A %B %e %H:%M:%S%.f %Y");
        f("06002 15h04m", "%y%j %Hh%Mm");
        f("02/01/06", "%d/%m/%y");
        f("Janet 2006-01-02 100%", "Janet %Y-%m-%d %m00%%");
        f("logs_2006_01_02", "logs_%Y_%m_%d");
        f("ANSIC", "%a %b %e %H:%M:%S%.f %Y");
    }

    #[test]
    fn other_text_is_no_layout() {
        for text in ["", "unix", "unix_ms", "unix2", "yyyy-MM-dd HH:mm:ss", "iso8601", "epoch_1", "시각"] {
            assert_eq!(to_time_format(text), None, "{text}");
        }
        assert_eq!(to_time_format("02 Jan 06 15:04 MST"), Some(Err(GoLayoutError::ZoneName)));
        assert_eq!(to_time_format("RFC1123"), Some(Err(GoLayoutError::ZoneName)));
    }

    #[test]
    fn reads_the_same_texts_as_go() {
        // The reference time of Go's layouts, as each layout writes it.
        let f = |layout: &str, text: &str, want: i64| {
            let format = TimeFormat::parse(&to_time_format(layout).unwrap().unwrap()).unwrap();
            assert_eq!(format.to_ns(text.as_bytes(), &TimeZone::UTC), Ok(want), "{layout} {text}");
        };
        let seconds = 1_136_214_245_000_000_000;
        f("2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05.000Z", seconds);
        f("2006-01-02T15:04:05.000Z07:00", "2006-01-02T22:04:05.250+07:00", seconds + 250_000_000);
        f("2006-01-02 15:04:05", "2006-01-02 15:04:05.5", seconds + 500_000_000);
        f("2006-01-02 15:04:05", "2006-01-02 15:04:05", seconds);
        f("2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05-0000", seconds);
        f("ANSIC", "Mon Jan  2 15:04:05 2006", seconds);
        f("RubyDate", "Mon Jan 02 15:04:05 +0000 2006", seconds);
        f("2006-01-02 15:04:05 -07", "2006-01-02 17:04:05 +02", seconds);
        f("1/2/2006 3:04:05 pm", "1/2/2006 3:04:05 pm", seconds);
    }
}
