//! Values that are text: cells of CSV, and records of a single value.
//!
//! A cell is a number, true, false or text, whichever it reads as. NaN and infinity become marks, which count as dropped where a point
//! would have them.

use super::json_text::JsonText;
use super::without_bom;
use crate::decode::Number;
use crate::field_type::FieldType;
use crate::rules::Rules;

/// Reads a record that is a single value.
pub(super) fn read(value: &[u8], rules: &Rules, text: &mut JsonText) {
    const BEFORE: &[u8] = b"{\"value\":";
    const KEY: &str = "value";
    let value = without_bom(value).trim_ascii();
    if value.is_empty() {
        return;
    }
    text.push(BEFORE);
    if rules.types.get(KEY) == Some(&FieldType::String) {
        push_text(value, text);
    } else {
        push(value, text);
    }
    text.push(b"}");
}

/// Appends a cell by its content.
pub(super) fn push(cell: &[u8], text: &mut JsonText) {
    let trimmed = cell.trim_ascii();
    let start = text.bytes.len();
    // Most text that is no number shows it by its first byte.
    let is_number = trimmed.first().is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.'))
        && push_number(trimmed, text).is_some();
    if is_number {
        let number = text.bytes.get(start..).unwrap_or_default();
        if Number::whole(number).is_none() {
            text.bytes.truncate(start);
            text.push_not_finite();
        }
        return;
    }
    text.bytes.truncate(start);
    let is = |word: &str| trimmed.eq_ignore_ascii_case(word.as_bytes());
    if is("true") {
        text.push(b"true");
    } else if is("false") {
        text.push(b"false");
    } else if is_not_finite(trimmed) {
        text.push_not_finite();
    } else {
        push_text(cell, text);
    }
}

/// Whether the whole value of a record is a number, true or false.
#[must_use]
pub fn is_single_value(value: &[u8]) -> bool {
    let value = without_bom(value).trim_ascii();
    is_number(value) || [b"true".as_slice(), b"false"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

pub(super) fn is_number(cell: &[u8]) -> bool {
    push_number(cell.trim_ascii(), &mut JsonText::default()).is_some()
}

pub(super) fn push_text(cell: &[u8], text: &mut JsonText) {
    text.push(b"\"");
    text.push_escaped(cell);
    text.push(b"\"");
}

/// Whether a cell is NaN or infinity, as common languages write them.
fn is_not_finite(cell: &[u8]) -> bool {
    let word = cell.strip_prefix(b"-").or_else(|| cell.strip_prefix(b"+")).unwrap_or(cell);
    ["nan", "inf", "infinity"].iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

/// Appends a number as JSON has it: other languages also write "+1", "007", ".5" and "1.". None, with part of it appended, if the
/// cell is no number.
fn push_number(cell: &[u8], text: &mut JsonText) -> Option<()> {
    let (is_negative, rest) = match cell.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, cell),
    };
    let (whole, rest) = digits(rest);
    let (fraction, rest) = match rest.split_first() {
        Some((b'.', rest)) => {
            let (fraction, rest) = digits(rest);
            (Some(fraction), rest)
        }
        _ => (None, rest),
    };
    if whole.is_empty() && fraction.is_none_or(<[u8]>::is_empty) {
        return None;
    }
    if is_negative {
        text.push(b"-");
    }
    let zeros = whole.iter().take_while(|digit| **digit == b'0').count();
    let significant = whole.get(zeros..).filter(|digits| !digits.is_empty());
    text.push(significant.unwrap_or(b"0"));
    if let Some(fraction) = fraction {
        text.push(b".");
        text.push(if fraction.is_empty() { b"0" } else { fraction });
    }
    let Some((b'e' | b'E', exponent)) = rest.split_first() else {
        return rest.is_empty().then_some(());
    };
    let unsigned = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
    if unsigned.is_empty() || !unsigned.iter().all(u8::is_ascii_digit) {
        return None;
    }
    text.push(b"e");
    text.push(exponent);
    Some(())
}

fn digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.split_at_checked(count).unwrap_or((bytes, b""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::NOT_FINITE_MARK;
    use crate::test_support::{map, mapper, record};
    use crate::{DropReason, FirstDrop, Format, Globs, KeyTable};

    fn json(value: &str) -> String {
        let rules = Rules { format: Format::Value, ..Rules::default() };
        String::from_utf8(rules.to_json(value.as_bytes()).unwrap().into_owned()).unwrap()
    }

    #[test]
    fn a_cell_is_what_it_reads_as() {
        let f = |cell: &str, want: &str| {
            let mut text = JsonText::default();
            push(cell.as_bytes(), &mut text);
            assert_eq!(String::from_utf8_lossy(&text.bytes), want, "{cell:?}");
        };
        for (cell, want) in [
            ("5", "5"),
            (" -5.50 ", "-5.50"),
            ("+5", "5"),
            ("007", "7"),
            ("-000", "-0"),
            (".5", "0.5"),
            ("-.5e-3", "-0.5e-3"),
            ("5.", "5.0"),
            ("5.e+3", "5.0e+3"),
            ("1E5", "1e5"),
            ("9223372036854775807", "9223372036854775807"),
            ("True", "true"),
            ("FALSE", "false"),
            ("", "\"\""),
            (".", "\".\""),
            ("-", "\"-\""),
            ("+", "\"+\""),
            ("e5", "\"e5\""),
            (".e5", "\".e5\""),
            ("1e", "\"1e\""),
            ("1e+", "\"1e+\""),
            ("1.2.3", "\"1.2.3\""),
            ("0x1f", "\"0x1f\""),
            ("1_000", "\"1_000\""),
            ("--5", "\"--5\""),
            ("12:30", "\"12:30\""),
            (" a\"b ", "\" a\\\"b \""),
            ("yes", "\"yes\""),
            ("information", "\"information\""),
        ] {
            f(cell, want);
        }
        for cell in ["NaN", "nan", "inf", "-Inf", "+infinity", "1e999", "-1e999"] {
            f(cell, str::from_utf8(NOT_FINITE_MARK).unwrap());
        }
    }

    #[test]
    fn a_value_whose_type_is_string_stays_as_it_is_written() {
        let types = KeyTable::compile(vec![("value".to_owned(), FieldType::String)]).unwrap();
        let rules = Rules { format: Format::Value, types, ..Rules::default() };
        for (value, want) in
            [("007", "007"), (" +5\n", "+5"), ("1e3", "1e3"), ("True", "True"), ("NaN", "NaN")]
        {
            let json = rules.to_json(value.as_bytes()).unwrap().into_owned();
            assert_eq!(String::from_utf8(json).unwrap(), format!(r#"{{"value":"{want}"}}"#));
        }
    }

    #[test]
    fn a_text_is_a_point_with_string_fields_alone() {
        let texts = Globs::compile(&["value"]).unwrap();
        let numbers = Rules { format: Format::Value, ..Rules::default() };
        let all = Rules { string_fields: texts, ..numbers.clone() };
        let f = |rules: &Rules, value: &str, want: &str| {
            let mut mapper = mapper(rules.clone());
            let (lines, outcome) = map(&mut mapper, &record(value.as_bytes()));
            assert_eq!(lines, want, "{value}");
            assert_eq!(
                (outcome.filtered, outcome.rejected.len()),
                (usize::from(want.is_empty()), 0),
                "{value}"
            );
            mapper.take_drops()
        };
        for rules in [&numbers, &all] {
            assert!(!f(rules, "21.5", "t value=21.5\n").has(DropReason::String));
        }
        for (value, written) in [("on", "\"on\""), ("true", "true"), ("two words", "\"two words\"")] {
            assert!(f(&numbers, value, "").has(DropReason::String));
            assert!(!f(&all, value, &format!("t value={written}\n")).has(DropReason::String));
        }
    }

    #[test]
    fn the_whole_value_is_one_field() {
        assert_eq!(json(" 21.5\r\n"), r#"{"value":21.5}"#);
        assert_eq!(json("on"), r#"{"value":"on"}"#);
        assert_eq!(json("two\nlines"), r#"{"value":"two\u000alines"}"#);
        assert_eq!(json(" \n"), "");
        assert_eq!(json("\u{FEFF}5\n"), r#"{"value":5}"#);
        assert!(is_single_value("\u{FEFF}true".as_bytes()));
        let mut mapper = mapper(Rules { format: Format::Value, ..Rules::default() });
        map(&mut mapper, &record(b"NaN"));
        let drop = DropReason::NotFinite;
        assert_eq!(mapper.take_first_drops(), [FirstDrop { key: "value".to_owned(), drop }]);
    }
}
