//! Reads times of records as nanoseconds since 1970.

use super::decimal;
use super::go_layout;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::temporal::{DateTimeParser, Pieces};
use jiff::tz::{Offset, TimeZone};
use line_protocol::encode::{TIME_MAX, TIME_MIN};
use thiserror::Error;

static RFC3339: DateTimeParser = DateTimeParser::new();

/// Format of the value under `time_key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// Numbers since 1970 in units of `unit_ns`, a power of ten; quoted or not, with or without fraction and exponent.
    Unix { unit_ns: i64 },
    /// The same inside a text, such as `/Date({unix_ms})/`.
    UnixWithin { unit_ns: i64, before: String, after: String },
    /// RFC 3339 with or without an offset; without one, the mapping's zone applies.
    Rfc3339,
    /// A strptime pattern. Where the pattern ends in an offset such as `%z`, the text may also end in "Z".
    Pattern(String),
    /// A timestamp of the record's own format, such as MessagePack's: the mapper reads it as nanoseconds since 1970.
    Timestamp,
}

#[derive(Debug, Error)]
pub enum TimeFormatError {
    #[error(
        "{0:?} has neither one of {names} with text around it, such as \"/Date({{unix_ms}})/\", nor a strptime pattern",
        names = names_within()
    )]
    Within(String),
    #[error(
        "{0:?} is neither {names} nor a strptime pattern such as \"%Y-%m-%d %H:%M:%S\"",
        names = TimeFormat::NAMES.join(", ")
    )]
    Unknown(String),
    #[error("{layout:?} is a Go layout; as a pattern it is {pattern:?}")]
    GoLayout { layout: String, pattern: String },
    #[error("{pattern:?} is not a strptime pattern: {why}")]
    Pattern { pattern: String, why: String },
    #[error(
        "{0:?} has no year: a record that is replayed in another year would get another time; add \"%Y\" and have the producer write it"
    )]
    NoYear(String),
    #[error("{pattern:?} does not fix a time: {why}")]
    Incomplete { pattern: String, why: String },
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TimeError {
    #[error("it is not written as {0}")]
    Unreadable(String),
    #[error("it lies outside what InfluxDB can store (1677-09-21 to 2262-04-11): is time_format right?")]
    OutOfRange,
    #[error("it lies outside what InfluxDB can store (1677-09-21 to 2262-04-11): is `precision` right?")]
    OutOfPrecision,
    #[error("it lies before `time_min` = {min}: that is {time}", min = shown(*.min), time = shown(*.time))]
    TooEarly { time: i64, min: i64 },
    #[error("it lies after `time_max` = {max}: that is {time}", max = shown(*.max), time = shown(*.time))]
    TooLate { time: i64, max: i64 },
}

/// Range of accepted times in nanoseconds since 1970, including both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    pub min: i64,
    pub max: i64,
}

impl Default for TimeRange {
    /// Every time that InfluxDB can store.
    fn default() -> Self {
        Self { min: TIME_MIN, max: TIME_MAX }
    }
}

impl TimeRange {
    /// # Errors
    /// When the time is out of range.
    pub fn check(self, time: i64) -> Result<(), TimeError> {
        if time < self.min {
            Err(TimeError::TooEarly { time, min: self.min })
        } else if time > self.max {
            Err(TimeError::TooLate { time, max: self.max })
        } else {
            Ok(())
        }
    }

    /// Parses an end of the range: RFC 3339, or a date for its first moment; UTC where the text has no offset.
    #[must_use]
    pub fn parse_end(text: &str) -> Option<i64> {
        let text = text.trim();
        let whole = if text.len() > 10 { text.to_owned() } else { format!("{text}T00:00:00") };
        TimeFormat::Rfc3339.to_ns(whole.as_bytes(), &TimeZone::UTC).ok()
    }
}

fn shown(ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default()
}

impl TimeFormat {
    /// Names of formats that are not patterns.
    pub const NAMES: [&str; 5] = ["unix", "unix_ms", "unix_us", "unix_ns", "rfc3339"];

    /// # Errors
    /// When the text is not a format. For a Go layout, the error has the equivalent pattern.
    pub fn parse(text: &str) -> Result<Self, TimeFormatError> {
        let unix = |unit_ns| Ok(Self::Unix { unit_ns });
        match text {
            "unix" => unix(1_000_000_000),
            "unix_ms" => unix(1_000_000),
            "unix_us" => unix(1_000),
            "unix_ns" => unix(1),
            "rfc3339" => Ok(Self::Rfc3339),
            _ if text.contains("{unix") => unix_within(text),
            _ if text.contains('%') => check_pattern(text).map(|()| Self::Pattern(text.to_owned())),
            _ => Err(explain_layout(text)),
        }
    }

    /// Reads a time from the content of a string, or from a number's text.
    /// Local times that a change of clocks skips or repeats follow RFC 5545: a skipped time moves forward by the gap, and a
    /// repeated time is its first occurrence.
    ///
    /// # Errors
    /// When the text has another format, or InfluxDB can't store the time.
    pub fn to_ns(&self, text: &[u8], zone: &TimeZone) -> Result<i64, TimeError> {
        let text = text.trim_ascii();
        match self {
            Self::Unix { unit_ns } => {
                let ns =
                    decimal::scaled(text, unit_ns.checked_ilog10().unwrap_or(0)).map_err(|e| match e {
                        decimal::Error::NotANumber => TimeError::Unreadable("a number".to_owned()),
                        decimal::Error::TooLarge => TimeError::OutOfRange,
                    })?;
                in_range(i128::from(ns))
            }
            Self::UnixWithin { unit_ns, before, after } => {
                let number = text.strip_prefix(before.as_bytes());
                let number = number.and_then(|rest| rest.strip_suffix(after.as_bytes()));
                let number = number.filter(|number| number.trim_ascii().len() == number.len());
                let unreadable = || TimeError::Unreadable(format!("{before}number{after}"));
                Self::Unix { unit_ns: *unit_ns }.to_ns(number.ok_or_else(unreadable)?, zone)
            }
            Self::Timestamp => decimal::scaled(text, 0)
                .map_err(|_| TimeError::OutOfRange)
                .and_then(|ns| in_range(i128::from(ns))),
            Self::Rfc3339 => as_text(text).and_then(|t| rfc3339(t, zone)).map_or_else(
                || Err(TimeError::Unreadable("rfc3339, such as 2024-07-08T21:34:34.5Z".to_owned())),
                in_range,
            ),
            Self::Pattern(pattern) => as_text(text).and_then(|t| by_pattern(pattern, t, zone)).map_or_else(
                || Err(TimeError::Unreadable(pattern.clone())),
                |time| in_range(time.as_nanosecond()),
            ),
        }
    }

    /// The unit of numeric formats; none where the text itself has the digits of a second.
    #[must_use]
    pub fn unit_ns(&self) -> Option<i64> {
        match self {
            Self::Unix { unit_ns } | Self::UnixWithin { unit_ns, .. } => Some(*unit_ns),
            Self::Rfc3339 | Self::Pattern(_) | Self::Timestamp => None,
        }
    }

    /// Nanoseconds after `time_ns` that no other time of the same precision uses: the room for `distinct_times = "always"`.
    /// The room is the format's unit, where the time is a multiple of the unit. Otherwise the digits of the time decide: a
    /// millisecond, a microsecond, or 1, which is no room. Whole seconds in text count as milliseconds, since the next record
    /// may have milliseconds.
    #[must_use]
    pub fn room_ns(&self, time_ns: i64) -> i64 {
        let fits = |unit: &i64| time_ns.checked_rem(*unit) == Some(0);
        let by_digits = || [1_000_000, 1_000].into_iter().find(fits).unwrap_or(1);
        self.unit_ns().filter(fits).unwrap_or_else(by_digits)
    }
}

/// The names of numeric formats, as they stand inside a text.
fn names_within() -> String {
    let numeric = TimeFormat::NAMES.into_iter().filter(|name| name.starts_with("unix"));
    numeric.map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
}

/// Reads a format such as `/Date({unix_ms})/`.
fn unix_within(text: &str) -> Result<TimeFormat, TimeFormatError> {
    let wrong = || TimeFormatError::Within(text.to_owned());
    let (before, rest) = text.split_once('{').ok_or_else(wrong)?;
    let (name, after) = rest.split_once('}').ok_or_else(wrong)?;
    match TimeFormat::parse(name) {
        Ok(TimeFormat::Unix { unit_ns }) if !text.contains('%') && !after.contains(['{', '}']) => {
            Ok(TimeFormat::UnixWithin { unit_ns, before: before.to_owned(), after: after.to_owned() })
        }
        _ => Err(wrong()),
    }
}

/// Reads a number that counts units since 1970. `zone`: the zone of a date and time of day that has none.
pub(crate) fn count_to_ns(text: &[u8], unit_ns: i64, zone: Option<&TimeZone>) -> Result<i64, TimeError> {
    let count = decimal::scaled(text, 0).map_err(|_| TimeError::OutOfRange)?;
    let ns = in_range(i128::from(count) * i128::from(unit_ns))?;
    let Some(zone) = zone else { return Ok(ns) };
    let local = Timestamp::from_nanosecond(ns.into()).map(|time| TimeZone::UTC.to_datetime(time));
    let time = local.ok().and_then(|local| in_zone(local, zone)).ok_or(TimeError::OutOfRange)?;
    in_range(time.as_nanosecond())
}

/// The nanoseconds since 1970 of RFC 3339 text; UTC where the text has no offset. InfluxDB may be unable to store such a time.
pub(crate) fn rfc3339_ns(text: &[u8]) -> Option<i128> {
    rfc3339(as_text(text.trim_ascii())?, &TimeZone::UTC)
}

/// Like [`TimeFormat::room_ns`], for times of a format's own that count this unit. A date has the room of a millisecond, not of a day.
pub(crate) fn room_of_unit(time_ns: i64, unit_ns: i64) -> i64 {
    match unit_ns {
        1_000 | 1_000_000 => TimeFormat::Unix { unit_ns }.room_ns(time_ns),
        _ => TimeFormat::Timestamp.room_ns(time_ns),
    }
}

/// A zone from the built-in database.
#[must_use]
pub fn zone_by_name(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// Names that [`zone_by_name`] accepts.
#[must_use]
pub fn zone_names() -> Vec<String> {
    jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect()
}

fn in_range(ns: i128) -> Result<i64, TimeError> {
    match i64::try_from(ns) {
        Ok(ns) if (TIME_MIN..=TIME_MAX).contains(&ns) => Ok(ns),
        _ => Err(TimeError::OutOfRange),
    }
}

fn as_text(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok()
}

fn rfc3339(text: &str, zone: &TimeZone) -> Option<i128> {
    // jiff also reads a bare date and the basic form without separators. Neither is RFC 3339, and 20240708 is more likely a
    // number in another format.
    if !text.as_bytes().get(10).is_some_and(|b| matches!(b, b'T' | b't' | b' ')) {
        return None;
    }
    let mut buffer = [0; RFC3339_BYTES_MAX];
    let text = with_nanoseconds(text, &mut buffer);
    if let Ok(time) = RFC3339.parse_timestamp(text) {
        return Some(time.as_nanosecond());
    }
    let zone_is_annotated = text.ends_with(']');
    let local = if zone_is_annotated { None } else { RFC3339.parse_datetime(text).ok() };
    let time = local.and_then(|local| in_zone(local, zone)).map(Timestamp::as_nanosecond);
    time.or_else(|| end_of_9999(text))
}

/// The nanoseconds since 1970 of a time at the end of 9999, such as .NET's largest one. jiff has no such timestamp, but it has the date.
#[cold]
fn end_of_9999(text: &str) -> Option<i128> {
    const SECOND_NS: i128 = 1_000_000_000;
    let pieces = Pieces::parse(text.starts_with("9999-12-3").then_some(text)?).ok()?;
    let since_1970 =
        pieces.date().to_datetime(pieces.time()?).duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    let offset = pieces.to_numeric_offset().map_or(0, Offset::seconds);
    Some(since_1970.as_nanos() - i128::from(offset) * SECOND_NS)
}

/// Longest RFC 3339 text, with a zone in brackets, whose fraction is cut.
const RFC3339_BYTES_MAX: usize = 128;

/// The text with at most nine digits of its fraction, which are those that a point's time has. `buffer` is used where there are more.
fn with_nanoseconds<'t>(text: &'t str, buffer: &'t mut [u8; RFC3339_BYTES_MAX]) -> &'t str {
    /// Bytes of "2024-07-08T22:21:14".
    const SECONDS: usize = 19;
    const FRACTION_END: usize = SECONDS + 1 + 9;
    let Some((kept, more)) = text.split_at_checked(FRACTION_END) else { return text };
    let digits = kept.as_bytes().get(SECONDS..).and_then(|fraction| fraction.strip_prefix(b"."));
    let is_long = digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
    let rest = more.trim_start_matches(|c: char| c.is_ascii_digit());
    if !is_long || rest.len() == more.len() {
        return text;
    }
    let Some((start, end)) = buffer.split_at_mut_checked(FRACTION_END) else { return text };
    let Some(end) = end.get_mut(..rest.len()) else { return text };
    start.copy_from_slice(kept.as_bytes());
    end.copy_from_slice(rest.as_bytes());
    buffer.get(..FRACTION_END + rest.len()).and_then(as_text).unwrap_or(text)
}

fn in_zone(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(local).compatible().ok()
}

fn by_pattern(pattern: &str, text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Some((pattern, text)) = without_zulu(pattern, text) {
        let parts = BrokenDownTime::parse(pattern, text).ok()?;
        return in_zone(parts.to_datetime().ok()?, &TimeZone::UTC);
    }
    let parts = BrokenDownTime::parse(pattern, text).ok()?;
    if parts.iana_time_zone().is_some() {
        return parts.to_zoned().ok().map(|zoned| zoned.timestamp());
    }
    if parts.offset().is_some() || parts.timestamp().is_some() {
        return parts.to_timestamp().ok();
    }
    in_zone(parts.to_datetime().ok()?, zone)
}

/// Removes an offset from the pattern and "Z" from the text, where they end in these. strptime's `%z` reads digits only,
/// while Go's and Java's layouts read both.
fn without_zulu<'a>(pattern: &'a str, text: &'a str) -> Option<(&'a str, &'a str)> {
    let text = text.strip_suffix(['Z', 'z'])?;
    let pattern = pattern.strip_suffix('z')?.trim_end_matches(':').strip_suffix('%')?;
    let percents = pattern.len() - pattern.trim_end_matches('%').len();
    (percents % 2 == 0).then_some((pattern, text))
}

/// Checks that a pattern reads back what it writes, with a time whose parts all differ.
fn check_pattern(pattern: &str) -> Result<(), TimeFormatError> {
    let refuse = |why: String| TimeFormatError::Pattern { pattern: pattern.to_owned(), why };
    let incomplete =
        |why: &str| TimeFormatError::Incomplete { pattern: pattern.to_owned(), why: why.to_owned() };
    if let Some(why) = unreadable_specifier(pattern) {
        return Err(refuse(why.to_owned()));
    }
    let sample = jiff::civil::datetime(2024, 11, 28, 21, 43, 58, 123_456_789);
    let sample = sample.in_tz("Asia/Seoul").map_err(|e| refuse(e.to_string()))?;
    let written = jiff::fmt::strtime::format(pattern, &sample).map_err(|e| refuse(last_words(&e)))?;
    let parts = BrokenDownTime::parse(pattern, &written).map_err(|e| refuse(last_words(&e)))?;
    if parts.timestamp().is_some() {
        return match parts.subsec_nanosecond() {
            None => Ok(()),
            Some(_) => Err(incomplete("\"%s\" with a fraction is time_format = \"unix\"")),
        };
    }
    if parts.year().is_none() && parts.iso_week_year().is_none() {
        return Err(TimeFormatError::NoYear(pattern.to_owned()));
    }
    parts.to_date().map_err(|_| incomplete("it needs a day too, such as \"%Y-%m-%d\" or \"%Y-%j\""))?;
    parts
        .to_time()
        .map_err(|_| incomplete("it has minutes, seconds or a fraction, but not all that is larger"))?;
    if parts.hour().is_some_and(|hour| hour != sample.hour()) {
        return Err(incomplete("\"%I\" and \"%l\" count to 12: add \"%p\" for AM and PM, or use \"%H\""));
    }
    Ok(())
}

/// Explains common patterns that can be written but not read.
fn unreadable_specifier(pattern: &str) -> Option<&'static str> {
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c == '%').then(|| chars.next()).flatten() {
            Some('Z') => {
                return Some(
                    "names such as EST or KST mean several zones, so %Z can't be read; have the offset written (%z) or set `timezone`",
                );
            }
            Some('c' | 'r' | 'x' | 'X') => {
                return Some(
                    "%c, %r, %x and %X depend on a locale; write the parts, such as \"%Y-%m-%d %H:%M:%S\"",
                );
            }
            Some('L') => return Some("%L is not known; a fraction is \"%f\", with its dot \"%.f\""),
            Some('+') => return Some("%+ is not known; use \"rfc3339\""),
            _ => {}
        }
    }
    None
}

/// jiff's message without the name of its function.
fn last_words(error: &jiff::Error) -> String {
    let words = error.to_string();
    words.split_once("failed: ").map_or(words.clone(), |(_, why)| why.to_owned())
}

fn explain_layout(text: &str) -> TimeFormatError {
    match go_layout::to_time_format(text) {
        None => TimeFormatError::Unknown(text.to_owned()),
        Some(Err(why)) => TimeFormatError::Pattern { pattern: text.to_owned(), why: why.to_string() },
        Some(Ok(pattern)) => match TimeFormat::parse(&pattern) {
            // A pattern that would be refused too is no remedy.
            Err(error) => error,
            Ok(_) => TimeFormatError::GoLayout { layout: text.to_owned(), pattern },
        },
    }
}

#[cfg(test)]
mod tests;
