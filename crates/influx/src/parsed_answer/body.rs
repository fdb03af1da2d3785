//! Finds the server's message in the body of an answer.

use crate::dialects::PARTIAL_WRITE;
use serde_json::{Deserializer, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Numbered lines kept of one answer. If an answer names more, the next request brings the others.
const NUMBERED_MAX: usize = 5_000;

/// Bytes of the common message that stand before the reason of each numbered line. The common messages of InfluxDB have up to 60.
const SUMMARY_BYTES_MAX: usize = 500;

/// Whether the body is that of a server for line protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyForm {
    /// A JSON object with a message in one of the known places.
    Influx,
    /// Anything else: text, HTML, other JSON.
    #[default]
    Foreign,
}

/// A line that an answer names by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedLine {
    /// Position in the request, from 1.
    pub number: usize,
    /// The message about this line, if the answer has one for each line.
    pub why: Option<Arc<str>>,
}

/// One refused line: an object in `data` of InfluxDB 3, or an entry in the message of InfluxDB Cloud. `original_line` is left out: it
/// quotes another line behind a comment, a blank line or a string of several lines.
struct Detail {
    error_message: Option<String>,
    line_number: Option<usize>,
}

impl Detail {
    fn read(json: &Value) -> Self {
        let number = json.get("line_number").and_then(Value::as_u64);
        Self {
            error_message: json.get("error_message").and_then(Value::as_str).map(str::to_owned),
            line_number: number.and_then(|number| usize::try_from(number).ok()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerBody {
    pub message: String,
    pub form: BodyForm,
    pub numbered: Vec<NumberedLine>,
    /// The answer lists refused lines, and does not only name the first one.
    pub is_list: bool,
}

impl AnswerBody {
    pub fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let foreign = |text: &str| Self {
            message: text.to_owned(),
            form: BodyForm::Foreign,
            numbered: Vec::new(),
            is_list: false,
        };
        if !text.trim_start().starts_with('{') {
            return foreign(&text);
        }
        match serde_json::from_str::<Value>(&text) {
            Ok(json) => match summary(&json) {
                Some(summary) => Self::of_influx(summary, &text, json.get("line").and_then(Value::as_u64)),
                None => foreign(&text),
            },
            Err(_) => match cut_string(&text, "\"message\":").or_else(|| cut_string(&text, "\"error\":")) {
                Some(summary) => Self::of_influx(&summary, &text, None),
                None => foreign(&text),
            },
        }
    }

    /// `single`: the number in `line` of `QuestDB` and InfluxDB Cloud.
    fn of_influx(summary: &str, text: &str, single: Option<u64>) -> Self {
        let form = BodyForm::Influx;
        let (what, entries) = entries(summary);
        if !entries.is_empty() {
            let numbered = numbered(what, &entries);
            return Self { message: summary.to_owned(), form, numbered, is_list: true };
        }
        let (mut details, is_list) = details(text);
        let message = with_reason(summary, &details);
        if let Some(number) = single {
            details.push(Detail { error_message: None, line_number: usize::try_from(number).ok() });
        }
        let is_list = is_list || summary.eq_ignore_ascii_case(PARTIAL_WRITE);
        Self { message, form, numbered: numbered(summary, &details), is_list }
    }
}

/// The message of a body: `message` of 2.x and `QuestDB`, `error` of 1.x and 3.x, or the whole text.
pub fn message(body: &[u8]) -> String {
    AnswerBody::read(body).message
}

fn summary(json: &Value) -> Option<&str> {
    json.get("message").or_else(|| json.get("error"))?.as_str()
}

/// Appends the reason, which InfluxDB 3.10 sends apart: `{"error": .., "data": {"error_message": .., "line_number": ..,
/// "original_line": ..}}`, or a list of such objects.
fn with_reason(summary: &str, details: &[Detail]) -> String {
    match details.iter().find_map(|detail| detail.error_message.as_deref()) {
        Some(reason) => format!("{summary}: {reason}"),
        None => summary.to_owned(),
    }
}

/// The objects in `data`, as far as they were read, and whether they are a list: it has no bound, and the end of a long one is cut off.
fn details(text: &str) -> (Vec<Detail>, bool) {
    // Within a JSON string, a backslash stands before each quotation mark.
    let Some((_, data)) = text.split_once("\"data\":") else { return (Vec::new(), false) };
    let data = data.trim_start();
    let (mut rest, is_list) = data.strip_prefix('[').map_or((data, false), |list| (list, true));
    let mut details = Vec::new();
    while details.len() < NUMBERED_MAX {
        let mut objects = Deserializer::from_str(rest).into_iter::<Value>();
        let Some(Ok(object)) = objects.next() else { break };
        details.push(Detail::read(&object));
        let behind = rest.get(objects.byte_offset()..).unwrap_or_default().trim_start();
        match behind.strip_prefix(',').filter(|_| is_list) {
            Some(next) => rest = next,
            None => break,
        }
    }
    (details, is_list)
}

/// The list of up to 100 lines in a message of InfluxDB Cloud Serverless and Dedicated, and the text before the list:
///
/// ```text
/// failed to parse line protocol: errors encountered on line(s):
/// error parsing line 2 (1-based): No fields were provided
/// error parsing line 4 (1-based): Invalid measurement was provided
/// ```
///
/// A record may have written an entry, so an entry alone proves nothing about its line.
fn entries(summary: &str) -> (&str, Vec<Detail>) {
    let Some((what, list)) = summary.split_once("errors encountered on line(s):") else {
        return (summary, Vec::new());
    };
    let entry = |text: &str| {
        let (number, why) =
            text.trim_start().strip_prefix("error parsing line ")?.split_once(" (1-based): ")?;
        Some(Detail { error_message: Some(why.to_owned()), line_number: Some(number.parse().ok()?) })
    };
    let entries = list.lines().filter_map(entry).take(NUMBERED_MAX);
    (what.trim_end().trim_end_matches(':'), entries.collect())
}

/// The lines that the details number from 1.
fn numbered(summary: &str, details: &[Detail]) -> Vec<NumberedLine> {
    // The reasons together are not longer than the answer, but each repeats the summary.
    let summary = summary.get(..summary.floor_char_boundary(SUMMARY_BYTES_MAX)).unwrap_or(summary);
    // Most lines of a list have one reason.
    let mut reasons: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut shared = |reason: &str| {
        let why: Arc<str> = format!("{summary}: {reason}").into();
        if let Some(known) = reasons.get(&why) {
            return Arc::clone(known);
        }
        reasons.insert(Arc::clone(&why));
        why
    };
    let lines = details.iter().filter_map(|detail| {
        let number = detail.line_number.filter(|number| *number > 0)?;
        Some(NumberedLine { number, why: detail.error_message.as_deref().map(&mut shared) })
    });
    lines.collect()
}

/// A JSON string of an object that was cut off, maybe within the string.
fn cut_string(text: &str, before: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    if let Some(Ok(whole)) = Deserializer::from_str(rest).into_iter::<String>().next() {
        return Some(whole);
    }
    let rest = rest.trim_start().strip_prefix('"')?;
    // An escape has up to six characters, and two of them may make one character.
    (0..12).find_map(|back| {
        let end = rest.len().checked_sub(back)?;
        serde_json::from_str(&format!("\"{}\"", rest.get(..end)?)).ok()
    })
}
