//! Decides what the answer to a request of one line proves about this line.

use super::suspects::fits_line;
use crate::dialects::{FAMILIES, ServerLimit};
use crate::reading::{AnswerSubject, ParsedAnswer, RefusalCause, quotes};

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
        RefusalCause::Named(_) => {
            let line = String::from_utf8_lossy(line);
            parsed.numbered.iter().all(|named| {
                named.number == 1
                    && named.begins.as_deref().is_none_or(|begins| line.starts_with(begins.trim()))
            }) && column(&parsed.message).is_none_or(|name| plain(&line).contains(&plain(name)))
        }
        RefusalCause::Limit(_) | RefusalCause::Other => false,
    }
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

/// The column that a message names between apostrophes.
fn column(message: &str) -> Option<&str> {
    let mut prefixes = FAMILIES.iter().flat_map(|family| family.column_prefixes);
    let (_, rest) = prefixes.find_map(|prefix| message.split_once(prefix))?;
    rest.rsplit_once('\'').map(|(name, _)| name)
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
        f("m v=1 1", "partial write: what dropped=1", Proof::None);
        f("m v=1 1", "", Proof::None);
        let v3 = "write buffer error: line protocol parse failed: invalid column type for column 'a b', expected iox::column_type::field::float, got iox::column_type::field::string";
        f(r#"m a\ b="s" 1"#, v3, Proof::Refused);
        f("m c=1 1", v3, Proof::None);
        f(
            "m v=NaN 1",
            "write buffer error: line protocol parse failed: No fields were provided",
            Proof::Refused,
        );
    }

    #[test]
    fn compares_the_line_that_a_number_names() {
        let f = |number: usize, begins: &str, want: Proof| {
            let data = serde_json::json!({ "error_message": "No fields were provided", "line_number": number, "original_line": begins });
            let parsed =
                parsed(400, &serde_json::json!({ "error": "line protocol parsing error", "data": data }));
            assert_eq!(proof(b"m,host=h1 v=NaN 1767571200000000000", &parsed, false), want);
        };
        f(1, "m,host=h1 v=NaN 1767", Proof::Refused);
        f(1, "m,host=h2 v=NaN 1767", Proof::None);
        f(2, "m,host=h1 v=NaN 1767", Proof::None);
    }
}
