//! Decides what the answer to a request of one line proves about this line.

use super::suspects::fits_line;
use crate::dialects::{FAMILIES, LineCause, LineEvidence, ServerLimit};
use crate::parsed_answer::{AnswerSubject, ParsedAnswer, RefusalCause, line_subject, quotes};
use line_protocol::reader::{Point, Value, read_line, read_v2_line};

/// Conclusion from the answer to a request of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The answer names a cause that lies in this line.
    Refused,
    /// A limit keeps the line out.
    Limit(&'static ServerLimit),
    /// The answer names no known cause, or one that this line does not have.
    None,
}

pub fn proof(line: &[u8], parsed: &ParsedAnswer, is_cut: bool) -> Proof {
    match &parsed.subject {
        AnswerSubject::Limit(limit) => Proof::Limit(limit),
        AnswerSubject::Line(cause) if names(line, cause, parsed, is_cut) => Proof::Refused,
        _ => Proof::None,
    }
}

/// Whether the line contains what the answer names: an answer about other lines proves nothing.
fn names(line: &[u8], cause: &RefusalCause, parsed: &ParsedAnswer, is_cut: bool) -> bool {
    match cause {
        RefusalCause::Unparsable => is_quoted(&String::from_utf8_lossy(line), &parsed.message, is_cut),
        RefusalCause::Conflict { .. } | RefusalCause::TooLong { .. } | RefusalCause::Retention => {
            fits_line(line, cause)
        }
        RefusalCause::Named(_) => reasons(parsed).all(|(number, why)| {
            let (_, cause) = line_subject(why);
            number == 1 && cause.is_some_and(|cause| shows(line, cause, why))
        }),
        RefusalCause::Limit(_) | RefusalCause::Other => false,
    }
}

/// The numbers and reasons of the lines that an answer names; without numbers, its message is about line 1.
fn reasons(parsed: &ParsedAnswer) -> impl Iterator<Item = (usize, &str)> {
    let message = parsed.message.as_str();
    let unnumbered = parsed.numbered.is_empty().then_some((1, message));
    let numbered = parsed.numbered.iter();
    unnumbered
        .into_iter()
        .chain(numbered.map(move |named| (named.number, named.why.as_deref().unwrap_or(message))))
}

/// Whether the text of the line shows this cause, for which an answer gives the reason `why`.
pub fn shows(line: &[u8], cause: &LineCause, why: &str) -> bool {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    match cause.evidence {
        LineEvidence::Name { before, behind } => {
            let name = why.split_once(before).and_then(|(_, rest)| rest.split_once(behind));
            name.is_some_and(|(name, _)| has_name(line, name))
        }
        LineEvidence::Unreadable => read_line(line).is_err(),
        LineEvidence::Duplicate => column(why).is_some_and(|name| has_field_twice(line, name)),
        LineEvidence::ColumnType { before, types, .. } => {
            let kind = named_type(why, before, types);
            kind.zip(column(why)).is_some_and(|(kind, name)| has_column(line, name, kind))
        }
        LineEvidence::Timestamp { before } => why.rsplit_once(before).is_some_and(|(_, behind)| {
            let time = behind.split(';').next().unwrap_or_default().trim_matches(['`', '\'']);
            let last = line.trim_ascii().rsplit(|byte| *byte == b' ').next();
            !time.is_empty() && last == Some(time.as_bytes())
        }),
        LineEvidence::LongString(bytes) => has_long_string(line, bytes),
    }
}

/// The type behind the last `before` of a message, in the strict reader's words, or `tag`.
pub fn named_type(why: &str, before: &str, types: &[(&'static str, &'static str)]) -> Option<&'static str> {
    let (_, behind) = why.rsplit_once(before)?;
    types.iter().find(|(of_server, _)| behind.starts_with(of_server)).map(|(_, kind)| *kind)
}

/// Whether the line has a tag or field of this name and type.
fn has_column(line: &[u8], name: &str, kind: &str) -> bool {
    names_one(line, name, |point, is_named| {
        point.tags.iter().any(|(tag, _)| kind == "tag" && is_named(tag))
            || point.fields.iter().any(|(field, value)| kind == value.type_name() && is_named(field))
    })
}

/// Whether a measurement, tag or field of the line has this name.
fn has_name(line: &[u8], name: &str) -> bool {
    names_one(line, name, |point, is_named| {
        is_named(&point.measurement)
            || point.tags.iter().any(|(tag, _)| is_named(tag))
            || point.fields.iter().any(|(field, _)| is_named(field))
    })
}

/// Whether `finds` holds for the point of the line and a test for this name.
fn names_one(line: &[u8], name: &str, finds: impl Fn(&Point, &dyn Fn(&str) -> bool) -> bool) -> bool {
    match read_v2_line(line) {
        Ok(point) => finds(&point, &|other| plain(other) == plain(name)),
        // The server reads some lines that the reader does not.
        Err(_) => plain(&String::from_utf8_lossy(line)).contains(&plain(name)),
    }
}

/// Whether the line has two fields of this name. A line that the strict reader does not read is tried alone.
fn has_field_twice(line: &[u8], name: &str) -> bool {
    let is_named = |other: &str| plain(other) == plain(name);
    read_v2_line(line).is_ok_and(|point| point.fields.iter().filter(|(field, _)| is_named(field)).count() > 1)
}

/// Whether a field of the line is a string of more than this many bytes.
fn has_long_string(line: &[u8], bytes: usize) -> bool {
    let is_long = |value: &Value| matches!(value, Value::String(text) if text.len() > bytes);
    line.len() > bytes
        && read_v2_line(line).is_ok_and(|point| point.fields.iter().any(|(_, value)| is_long(value)))
}

/// Whether the answer quotes the line. A line may contain the separator of two quotes, so the whole line is compared first.
fn is_quoted(line: &str, message: &str, is_cut: bool) -> bool {
    let quoted = message.split_once("unable to parse '").map_or("", |(_, quoted)| quoted);
    quoted.starts_with(&format!("{line}': "))
        || (is_cut && !quoted.is_empty() && line.starts_with(quoted))
        || quotes(message, is_cut).iter().any(|quote| is_whole(quote.line, line))
}

/// Whether the quote is the line, or all of it between two line breaks: InfluxDB ends a line there, also within a string. Any other
/// part of a line means that the request was cut off on its way.
fn is_whole(quote: &str, line: &str) -> bool {
    let quote = quote.trim();
    !quote.is_empty() && (quote == line.trim() || line.split('\n').any(|part| part.trim() == quote))
}

/// The column that a message names.
pub fn column(message: &str) -> Option<&str> {
    FAMILIES.iter().flat_map(|family| family.column_marks).find_map(|(before, behind)| {
        let (_, rest) = message.split_once(before)?;
        rest.rsplit_once(behind).map(|(name, _)| name)
    })
}

/// Removes backslashes: lines escape names and answers do not.
fn plain(text: &str) -> String {
    text.replace('\\', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Answer;

    fn parsed(status: u16, body: &serde_json::Value) -> ParsedAnswer {
        ParsedAnswer::of(&Answer { status, body: body.to_string().into_bytes(), ..Answer::default() })
    }

    #[test]
    fn proves_only_causes_that_lie_in_the_line() {
        let f = |line: &str, message: &str, want: Proof| {
            let parsed = parsed(400, &serde_json::json!({ "message": message }));
            assert_eq!(proof(line.as_bytes(), &parsed, false), want, "{line}: {message}");
        };
        f("m v=+1 1", "unable to parse 'm v=+1 1': invalid number", Proof::Refused);
        f("m v=+1 1", "partial write: unable to parse 'm v=+1 1': invalid number dropped=0", Proof::Refused);
        // A server that ends the line at a line break within a string.
        f(
            "m v=\"a\nb\" 1",
            "unable to parse 'm v=\"a': unbalanced quotes\nunable to parse 'b\" 1': missing fields",
            Proof::Refused,
        );
        f("m v=1 1", "unable to parse 'm v=2 2': invalid number", Proof::None);
        f("m v=1 1", "unable to parse '': missing fields", Proof::None);
        // The request was cut off on its way.
        f("m v=1 1", "unable to parse 'm v': missing field value", Proof::None);
        f("m v=1 1", "unable to parse 'm v=1 1 ': no", Proof::Refused);
        let conflict = r#"partial write: field type conflict: input field "v" on measurement "m" is type string, already exists as type float dropped=1"#;
        f("m v=\"s\" 1", conflict, Proof::Refused);
        f("m v=1 1", conflict, Proof::None);
        f("n v=\"s\" 1", conflict, Proof::None);
        f("m w=\"s\" 1", conflict, Proof::None);
        f("m v=1 1", "partial write: points beyond retention policy dropped=1", Proof::Refused);
        // No retention is as short as this: a point of the future is not beyond it.
        f(
            "m v=1 4102444800000000000",
            "partial write: points beyond retention policy dropped=1",
            Proof::None,
        );
        f("m v=1 1", "partial write: what dropped=1", Proof::None);
        f("m v=1 1", "", Proof::None);
        let v3 = "write buffer error: line protocol parse failed: invalid column type for column 'a b', expected iox::column_type::field::float, got iox::column_type::field::string";
        f(r#"m a\ b="s" 1"#, v3, Proof::Refused);
        f("m c=1 1", v3, Proof::None);
        let no_fields = "write buffer error: line protocol parse failed: No fields were provided";
        f("m v=NaN 1", no_fields, Proof::Refused);
        // The line does not have the cause, so the answer is not about it.
        f("m v=1 1", no_fields, Proof::None);
        f("m a\\ b=1 1", v3, Proof::None);
        for mark in [
            "line protocol parse failed",
            "line protocol parsing error",
            "partial write of line protocol occurred",
        ] {
            f("m v=1 1", &format!("{mark}: words of a later version"), Proof::None);
            f("m v=NaN 1", &format!("{mark}: words of a later version"), Proof::None);
        }
    }

    /// The quote that InfluxDB 3 adds is of another line behind comments, blank lines and strings of several lines.
    #[test]
    fn believes_the_number_and_not_the_quote() {
        let f = |number: usize, quote: &str, want: Proof| {
            let data = serde_json::json!({ "error_message": "No fields were provided", "line_number": number, "original_line": quote });
            let parsed =
                parsed(400, &serde_json::json!({ "error": "line protocol parsing error", "data": data }));
            assert_eq!(proof(b"m,host=h1 v=NaN 1767571200000000000", &parsed, false), want);
        };
        f(1, "m,host=h1 v=NaN 1767", Proof::Refused);
        f(1, "m,host=h2 v=NaN 1767", Proof::Refused);
        f(2, "m,host=h1 v=NaN 1767", Proof::None);
    }

    #[test]
    fn a_line_shows_only_causes_that_it_has() {
        let f = |line: &str, why: &str, want: bool| {
            let (_, cause) = crate::parsed_answer::line_subject(why);
            let is_shown = cause.is_some_and(|cause| shows(line.as_bytes(), cause, why));
            assert_eq!(is_shown, want, "{line}: {why}");
        };
        let list = |why: &str| format!("partial write of line protocol occurred: {why}");
        let kind = |name: &str, got: &str| {
            list(&format!(
                "invalid column type for column '{name}', expected iox::column_type::field::float, got iox::column_type::{got}"
            ))
        };
        f("m v=\"s\" 1\n", &kind("v", "field::string"), true);
        // Cut off behind `v=12`, this line would be a float.
        f("m v=12i 1", &kind("v", "field::float"), false);
        f("m w=\"s\" 1", &kind("v", "field::string"), false);
        f("m,v=a w=1 1", &kind("v", "tag"), true);
        f("m,w=a v=1 1", &kind("v", "tag"), false);
        f(r#"m a\ b'c="s" 1"#, &kind("a b'c", "field::string"), true);
        f("m v=12u 1", &kind("v", "field::uinteger"), true);
        f("m v=NaN 1", &list("No fields were provided"), true);
        f("m v=1 1", &list("No fields were provided"), false);
        f("m v=1 9223372036854775808", &list("Unable to parse timestamp value `9223372036854775808`"), true);
        f("m v=1 1", &list("Unable to parse timestamp value `9223372036854775808`"), false);
        f("m v=1,v=2 1", &list("multiple instances of 'v' field found"), true);
        f("m w=1 1", &list("multiple instances of 'v' field found"), false);
        f("m v=1 1", &list("multiple instances of 'v' field found"), false);
        f("m,v=a v=1 1", &list("multiple instances of 'v' field found"), false);
        f("m v=1u,w=\"v=\" 1", &list("multiple instances of 'v' field found"), false);
        f(
            "m v=1 19223372036854775808",
            &list("Unable to parse timestamp value `9223372036854775808`"),
            false,
        );
        f("m s=\"short\" 1", &list("String is greater than 1MB"), false);
        let fields = "v=1,".repeat(300_000);
        f(&format!("m {fields}s=\"short\" 1"), &list("String is greater than 1MB"), false);
        f(&format!("m s=\"{}\" 1", "x".repeat(1 << 20)), &list("String is greater than 1MB"), true);
        f("m v=1 1", &list("words of a later version"), false);
        let questdb = |why: &str| {
            format!("failed to parse line protocol:errors encountered on line(s):\nerror in line 2: {why}")
        };
        let cast = |column: &str, kind: &str| {
            questdb(&format!(
                "table: m, column: {column}; cast error from protocol type: {kind} to column type: LONG"
            ))
        };
        f("m v=\"s\" 1", &cast("v", "STRING"), true);
        f("m v=1.5 1", &cast("v", "FLOAT"), true);
        f("m v=1i 1", &cast("v", "FLOAT"), false);
        f("m,v=a w=1 1", &cast("v", "TAG"), true);
        f("m w=\"s\" 1", &cast("v", "STRING"), false);
        f(
            "m v=1 -5",
            &questdb("table: m, timestamp: -5; designated timestamp before 1970-01-01 is not allowed"),
            true,
        );
        f(
            "m v=1 5",
            &questdb("table: m, timestamp: -5; designated timestamp before 1970-01-01 is not allowed"),
            false,
        );
        f("m v=1 99999999999999999999", &questdb("Could not parse timestamp: 99999999999999999999"), true);
        f("m v= 1", &questdb("Could not parse entire line. Field value is missing: v"), true);
        f("a?b v=1 1", &questdb("table: a?b; invalid table name"), true);
        f("a v=1 1", &questdb("table: a?b; invalid table name"), false);
        f("a b?=1 1", &questdb("table: a, column: b?; invalid column name"), true);
        let reserved =
            |kind: &str, name: &str| format!("invalid {kind}: input {name} on measurement \"m\" is invalid");
        f("m time=1 1", &reserved("field name", "field \"time\""), true);
        f("m v=1 1", &reserved("field name", "field \"time\""), false);
        f("m,time=a v=1 1", &reserved("tag key", "tag \"time\""), true);
    }
}
