//! The forms of bodies that answers come in.

use super::Numbered;
use serde_json::Value;

/// Lines named by number that are kept of one answer: a batch is halved where there are more.
const NUMBERED_MAX: usize = 5_000;

/// Whether a body has the form of a server for line protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A JSON object with a message in one of the known places.
    Influx,
    /// Anything else: text, HTML, other JSON.
    Foreign,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    pub message: String,
    pub form: Form,
    pub numbered: Vec<Numbered>,
}

impl Body {
    pub fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let foreign =
            |text: &str| Self { message: text.to_owned(), form: Form::Foreign, numbered: Vec::new() };
        if !text.trim_start().starts_with('{') {
            return foreign(&text);
        }
        let influx = |message, numbered| Self { message, form: Form::Influx, numbered };
        match serde_json::from_str::<Value>(&text) {
            Ok(json) => match said(&json) {
                Some(said) => influx(with_reason(said, &json), numbered(&json)),
                None => foreign(&text),
            },
            Err(_) => cut_string(&text, "\"message\":\"")
                .or_else(|| cut_string(&text, "\"error\":\""))
                .map_or_else(|| foreign(&text), |message| influx(message, Vec::new())),
        }
    }
}

/// What the server said: 2.x and `QuestDB` in `message`, 1.x and 3.x in `error`, a proxy in whatever it likes.
pub fn message(body: &[u8]) -> String {
    Body::read(body).message
}

fn said(json: &Value) -> Option<&str> {
    json.get("message").or_else(|| json.get("error"))?.as_str()
}

/// InfluxDB 3.10 gives the reason apart: `{"error": .., "data": {"error_message": .., "line_number": .., "original_line": ..}}`, or
/// several such objects.
fn with_reason(said: &str, json: &Value) -> String {
    match details(json).find_map(|detail| detail.get("error_message")?.as_str()) {
        Some(reason) => format!("{said}: {reason}"),
        None => said.to_owned(),
    }
}

fn details(json: &Value) -> impl Iterator<Item = &Value> {
    let data = json.get("data");
    let (one, many) = match data {
        Some(Value::Array(many)) => (None, many.as_slice()),
        Some(one) => (Some(one), [].as_slice()),
        None => (None, [].as_slice()),
    };
    one.into_iter().chain(many)
}

/// `QuestDB` and InfluxDB Cloud give one number, in `line`.
fn numbered(json: &Value) -> Vec<Numbered> {
    let number = |value: Option<&Value>| usize::try_from(value?.as_u64()?).ok().filter(|number| *number > 0);
    let of_detail = |detail: &Value| {
        let begins = detail.get("original_line").and_then(Value::as_str).map(str::to_owned);
        Some(Numbered { number: number(detail.get("line_number"))?, begins })
    };
    let listed = details(json).filter_map(of_detail);
    let single = number(json.get("line")).map(|number| Numbered { number, begins: None });
    listed.chain(single).take(NUMBERED_MAX).collect()
}

/// A string of JSON that was cut somewhere in it.
fn cut_string(text: &str, before: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    // An escape has up to six characters, two of them may make one character.
    (0..12).find_map(|back| {
        let end = rest.len().checked_sub(back)?;
        serde_json::from_str(&format!("\"{}\"", rest.get(..end)?)).ok()
    })
}
