//! Errors of text that is not JSON, with an excerpt and with what the value seems to be.

use super::formats::Format;
use crate::decode::{Syntax, SyntaxError};
use base::text::{printable, printable_bytes};
use std::fmt;

/// Reason and position of a JSON syntax error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson {
    pub error: SyntaxError,
    context: Option<Context>,
}

impl NotJson {
    /// The error with an excerpt of the record.
    pub fn with_excerpt(self, record: &[u8], format: Format) -> Self {
        Self { context: Some(Context::of(self.error, record, format)), ..self }
    }
}

impl NotJson {
    /// What the value seems to be, at the end of the text; empty if nothing is known.
    pub fn hint(&self) -> &'static str {
        self.context.as_ref().map_or("", Context::hint)
    }
}

impl From<SyntaxError> for NotJson {
    fn from(error: SyntaxError) -> Self {
        Self { error, context: None }
    }
}

/// Bytes of the record that a message shows on each side of the position of the error.
const EXCERPT_BYTES: usize = 24;

/// The bytes around a position, and what the value seems to be. The size is fixed, because a topic whose records are all broken must not
/// cost allocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    bytes: [u8; 2 * EXCERPT_BYTES],
    before: u8,
    len: u8,
    hint: &'static str,
}

impl Context {
    fn of(error: SyntaxError, record: &[u8], format: Format) -> Self {
        let behind = record.get(error.at..).unwrap_or_default();
        let context = Self::around(error.at, record);
        if context.hint.is_empty() {
            Self { hint: hint(error.why, behind, format), ..context }
        } else {
            context
        }
    }

    /// The context of a position in a record of any format.
    pub fn around(at: usize, record: &[u8]) -> Self {
        let at = at.min(record.len());
        let from = start_of_character(record, at.saturating_sub(EXCERPT_BYTES)).min(at);
        let to = end_of_character(record, at.saturating_add(EXCERPT_BYTES).min(record.len())).max(at);
        let shown = record.get(from..to).unwrap_or_default();
        let mut bytes = [0; 2 * EXCERPT_BYTES];
        for (to, from) in bytes.iter_mut().zip(shown) {
            *to = *from;
        }
        let hint = kind_of_value(record).unwrap_or_default();
        Self { bytes, before: (at - from) as u8, len: shown.len() as u8, hint }
    }

    /// What the value seems to be, with a remedy, behind "; "; empty if nothing is known.
    pub fn hint(&self) -> &'static str {
        self.hint
    }

    fn shown(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ", in `{}`{}", printable_bytes(self.shown(), 2 * EXCERPT_BYTES), self.hint)
    }
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        let Some(context) = &self.context else { return Ok(()) };
        let (before, behind) =
            context.shown().split_at_checked(usize::from(context.before)).unwrap_or_default();
        let is_behind_comma = before.trim_ascii_end().last() == Some(&b',');
        match (self.error.why, behind.first()) {
            (Syntax::Key | Syntax::Value, Some(bracket @ (b'}' | b']'))) if is_behind_comma => {
                write!(f, ": found \"{}\" behind a comma", char::from(*bracket))?;
            }
            (_, Some(b'\'')) => f.write_str(": found a single quote; JSON has double quotes only")?,
            (_, None) => f.write_str(": found the end")?,
            (_, Some(_)) => {
                let first =
                    String::from_utf8_lossy(behind).chars().next().map(String::from).unwrap_or_default();
                write!(f, ": found \"{}\"", printable(&first, 1))?;
            }
        }
        context.fmt(f)
    }
}

/// The kind of data that a value seems to be, with a remedy. Allocates nothing, because all records of a topic may be of this kind.
fn kind_of_value(record: &[u8]) -> Option<&'static str> {
    match record {
        [0x1F, 0x8B, ..] => Some(
            "; the value seems to be compressed with gzip: set `value_compression = \"gzip\"`; \
             if it is that or \"auto\", the value is damaged",
        ),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(
            "; the value seems to be compressed with zstd: set `value_compression = \"zstd\"`; \
             if it is that or \"auto\", the value is damaged",
        ),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..] => {
            Some("; the value seems to be UTF-16: let the producer send UTF-8")
        }
        [3, 0 | 5, ..] if record.len() >= 18 => Some(
            "; the value seems to be framed by AWS Glue, which the bridge does not read: let the producer write Confluent's frame",
        ),
        [0, _, _, _, _, ..] => Some(
            "; the value seems to be a Schema Registry frame (a zero byte and the id of a schema): set `format = \"avro\"` or \
             `format = \"protobuf\"` in [[mapping]], or correct the producer",
        ),
        _ if looks_like_line_protocol(record) => Some(
            "; the value seems to be line protocol: set `format = \"influx\"` in [[mapping]], or correct the producer",
        ),
        _ => None,
    }
}

/// Longest beginning of a line that shows line protocol: measurement, tags and the key of a field.
const BEGINNING_BYTES: usize = 4_096;

/// Whether a value begins like a line: measurement and tags without quotes and brackets, a space, and a field.
fn looks_like_line_protocol(value: &[u8]) -> bool {
    // The beginning says enough, and each bad line of a record is looked at with the same beginning.
    let beginning = value.get(..BEGINNING_BYTES).unwrap_or(value);
    let line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut spaces = memchr::memchr_iter(b' ', line);
    let is_plain = |at: &usize| {
        at.checked_sub(1).and_then(|before| line.get(before)).is_some_and(|before| *before != b'\\')
    };
    let Some((series, fields)) = spaces.find(is_plain).and_then(|at| line.split_at_checked(at)) else {
        return false;
    };
    let has_quotes = series.iter().any(|byte| b"{}[]\"':<>".contains(byte) || byte.is_ascii_control());
    let mut parts = fields.get(1..).unwrap_or_default().splitn(2, |byte| *byte == b'=');
    let name = parts.next().unwrap_or_default();
    let is_name = !name.is_empty() && !name.iter().any(|byte| b" \"{}".contains(byte));
    let value = parts.next().and_then(|value| value.first());
    let is_value = value.is_some_and(|byte| byte.is_ascii_digit() || b"-.\"tTfF".contains(byte));
    !has_quotes && is_name && is_value
}

/// The remedy for several values in one record.
fn hint(why: Syntax, behind: &[u8], format: Format) -> &'static str {
    let is_value = matches!(behind.first(), Some(b'{' | b'['));
    if why == Syntax::Trailing && is_value && format == Format::Json {
        "; for several JSON values in one record, set `format = \"json_lines\"`"
    } else {
        ""
    }
}

/// Length of the longest character in UTF-8.
const CHARACTER_BYTES_MAX: usize = 4;

/// The position, or the next character's where the position is within a character.
fn start_of_character(bytes: &[u8], at: usize) -> usize {
    (at..at + CHARACTER_BYTES_MAX).find(|at| is_start(bytes, *at)).unwrap_or(at)
}

/// The position, or the start of the character that the position is within.
fn end_of_character(bytes: &[u8], at: usize) -> usize {
    (at.saturating_sub(CHARACTER_BYTES_MAX - 1)..=at).rfind(|at| is_start(bytes, *at)).unwrap_or(at)
}

fn is_start(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_none_or(|byte| byte & 0b1100_0000 != 0b1000_0000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rejection;
    use crate::decode::Scanner;

    fn rejection(record: &[u8], format: Format) -> String {
        let mut scanner = Scanner::new(record);
        let read = scanner.value().and_then(|token| scanner.skip_rest(token, 0)).and_then(|()| scanner.end());
        Rejection::from(read.unwrap_err()).with_excerpt(record, format).to_string()
    }

    #[test]
    fn shows_where_json_breaks() {
        let f = |record: &str, want: &str| {
            let text = rejection(record.as_bytes(), Format::Json);
            assert_eq!(text, format!("it is not JSON: {want}"), "{record}");
        };
        f(r#"{"a":1,}"#, r#"no quoted key at byte 7: found "}" behind a comma, in `{"a":1,}`"#);
        f("[1, ]", "no JSON value at byte 4: found \"]\" behind a comma, in `[1, ]`");
        f("{a:1}", "no quoted key at byte 1: found \"a\", in `{a:1}`");
        f(
            "{'a':1}",
            "no quoted key at byte 1: found a single quote; JSON has double quotes only, in `{'a':1}`",
        );
        f(r#"{"a":1"#, r#"the value is cut off at byte 6: found the end, in `{"a":1`"#);
        f("온도=1", "no JSON value at byte 0: found \"온\", in `온도=1`");
    }

    #[test]
    fn names_what_a_value_seems_to_be() {
        let f = |record: &[u8], want: &str| {
            let text = rejection(record, Format::Json);
            assert_eq!(text.contains("seems to be"), !want.is_empty(), "{text}");
            assert!(text.contains(want), "{text}");
        };
        f(b"\x1F\x8B\x08\0\0", "gzip: set `value_compression");
        f(b"\x28\xB5\x2F\xFD\0", "zstd: set `value_compression");
        f(b"\0\0\0\0\x07\x02", "Schema Registry frame");
        f(b"\x03\0sixteen bytes...{\"a\":1}", "framed by AWS Glue, which the bridge does not read");
        f(b"\xFF\xFE{\0\"\0", "UTF-16");
        f(b"{\0\"\0a\0", "UTF-16");
        f(b"\0{\0\"\0a", "UTF-16");
        f(
            b"cpu,host=a\\ b usage=0.5 1700000000000000000",
            "line protocol: set `format = \"influx\"` in [[mapping]]",
        );
        f(b"cpu s=\"text\"\ncpu s=\"text\"", "line protocol");
        f(b"hello world", "");
        f(b"{'a':1} b=1", "");
        f(b"level=info msg=x", "");
        f(b"\0\0", "");
        f(b"{\"a\":1,}", "");
    }

    #[test]
    fn an_excerpt_is_short_and_printable() {
        let long = format!("{{\"{}\":1,\u{1b}[2J{}", "온".repeat(100), "x".repeat(1_000));
        let text = rejection(long.as_bytes(), Format::Json);
        assert!(
            text.chars().count() < 200 && !text.contains('\u{1b}') && !text.contains('\u{fffd}'),
            "{text}"
        );
        let broken = [&b"{\"a\":\xff\xfe"[..], &[0x80; 100]].concat();
        assert!(rejection(&broken, Format::Json).chars().count() < 200);
        for at in (0..long.len() + 3).filter(|at| *at >= long.len() || long.is_char_boundary(*at)) {
            let error = SyntaxError { at, why: Syntax::Comma };
            let text = Rejection::from(error).with_excerpt(long.as_bytes(), Format::Json).to_string();
            assert!(!text.contains('\u{fffd}'), "{at}: {text}");
        }
    }

    #[test]
    fn advises_json_lines_only_where_it_helps() {
        let f = |record: &str, format: Format, want: bool| {
            let text = rejection(record.as_bytes(), format);
            assert_eq!(text.contains("set `format = \"json_lines\"`"), want, "{text}");
        };
        f("{\"a\":1}\n{\"a\":2}", Format::Json, true);
        f("{\"a\":1}{\"a\":2}", Format::Json, true);
        f("{\"a\":1} [2]", Format::Json, true);
        f("{\"a\":1},", Format::Json, false);
        f("01", Format::Json, false);
        f("{\"a\":1},", Format::JsonLines, false);
    }
}
