//! Finds the server's message in the body of an answer.

use serde_json::Value;

/// Numbered lines kept of one answer. If an answer names more, the batch is halved.
const NUMBERED_MAX: usize = 5_000;

/// Whether the body is that of a server for line protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// A JSON object with a message in one of the known places.
    Influx,
    /// Anything else: text, HTML, other JSON.
    Foreign,
}

/// A line that an answer names by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedLine {
    /// Position in the request, from 1.
    pub number: usize,
    /// Beginning of the line; InfluxDB 3.10 sends its first 20 bytes.
    pub begins: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerBody {
    pub message: String,
    pub form: BodyForm,
    pub numbered: Vec<NumberedLine>,
}

impl AnswerBody {
    pub fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let foreign =
            |text: &str| Self { message: text.to_owned(), form: BodyForm::Foreign, numbered: Vec::new() };
        if !text.trim_start().starts_with('{') {
            return foreign(&text);
        }
        let influx = |message, numbered| Self { message, form: BodyForm::Influx, numbered };
        match serde_json::from_str::<Value>(&text) {
            Ok(json) => match summary(&json) {
                Some(summary) => influx(with_reason(summary, &json), numbered(&json)),
                None => foreign(&text),
            },
            Err(_) => cut_string(&text, "\"message\":\"")
                .or_else(|| cut_string(&text, "\"error\":\""))
                .map_or_else(|| foreign(&text), |message| influx(message, Vec::new())),
        }
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
/// "original_line": ..}}`, or several such objects.
fn with_reason(summary: &str, json: &Value) -> String {
    match details(json).find_map(|detail| detail.get("error_message")?.as_str()) {
        Some(reason) => format!("{summary}: {reason}"),
        None => summary.to_owned(),
    }
}

fn details(json: &Value) -> impl Iterator<Item = &Value> {
    let (one, many) = match json.get("data") {
        Some(Value::Array(many)) => (None, many.as_slice()),
        Some(one) => (Some(one), [].as_slice()),
        None => (None, [].as_slice()),
    };
    one.into_iter().chain(many)
}

/// The numbered lines: several in `data` of InfluxDB 3.10, or one in `line` of `QuestDB` and InfluxDB Cloud.
fn numbered(json: &Value) -> Vec<NumberedLine> {
    let number = |value: Option<&Value>| usize::try_from(value?.as_u64()?).ok().filter(|number| *number > 0);
    let of_detail = |detail: &Value| {
        let begins = detail.get("original_line").and_then(Value::as_str).map(str::to_owned);
        Some(NumberedLine { number: number(detail.get("line_number"))?, begins })
    };
    let listed = details(json).filter_map(of_detail);
    let single = number(json.get("line")).map(|number| NumberedLine { number, begins: None });
    listed.chain(single).take(NUMBERED_MAX).collect()
}

/// The beginning of a JSON string whose end was cut off.
fn cut_string(text: &str, before: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    // An escape has up to six characters, and two of them may make one character.
    (0..12).find_map(|back| {
        let end = rest.len().checked_sub(back)?;
        serde_json::from_str(&format!("\"{}\"", rest.get(..end)?)).ok()
    })
}
