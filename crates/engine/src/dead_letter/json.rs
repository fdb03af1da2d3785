//! A letter as a line of a file: one JSON object. UTF-8 bytes are strings; other bytes are base64 under a name that ends in `_base64`.

use super::letter::{FailedStage, FoundLetter, Letter, RejectedElements, reason_by_name};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

/// Appends the letter's line. `time` is the time of writing, in RFC 3339.
pub fn write(letter: &Letter, time: &str, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.text("reason", letter.reason);
    object.text("stage", letter.stage.name());
    object.text("topic", &letter.topic);
    object.plain("partition", &letter.partition.to_string());
    object.plain("offset", &letter.offset.to_string());
    if let Some(timestamp) = letter.timestamp_ms {
        object.plain("timestamp", &timestamp.to_string());
    }
    object.plain("elements", &letter.elements.list());
    object.plain("elements_count", &letter.elements.count.to_string());
    object.text("why", &letter.why);
    object.text("time", time);
    if let Some(lines) = &letter.lines {
        object.text("original", "gone");
        object.bytes("lines", Some(lines));
    } else {
        object.bytes("key", letter.key.as_deref());
        object.bytes("value", letter.value.as_deref());
        object.key("headers");
        headers(&letter.headers, object.out);
    }
    object.end();
    out.push(b'\n');
}

/// Writes headers as a list, because names may repeat.
fn headers(headers: &[(String, Option<Vec<u8>>)], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, (name, value)) in headers.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let mut object = Object::begin(out);
        object.text("name", name);
        object.bytes("value", value.as_deref());
        object.end();
    }
    out.push(b']');
}

/// Writes an object with its keys in a readable order.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_first: bool,
}

impl<'o> Object<'o> {
    fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_first: true }
    }

    fn end(self) {
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        quote(key, self.out);
        self.out.push(b':');
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        quote(text, self.out);
    }

    /// Adds a value that is JSON already.
    fn plain(&mut self, key: &str, json: &str) {
        self.key(key);
        self.out.extend_from_slice(json.as_bytes());
    }

    fn bytes(&mut self, key: &str, bytes: Option<&[u8]>) {
        match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
            None => self.plain(key, "null"),
            Some((_, Ok(text))) => self.text(key, text),
            Some((bytes, Err(_))) => self.text(&format!("{key}_base64"), &BASE64.encode(bytes)),
        }
    }
}

fn quote(text: &str, out: &mut Vec<u8>) {
    // Infallible: every string has a JSON form, and a write to a Vec does not fail.
    let _infallible = serde_json::to_writer(out, text);
}

/// Decodes a line, or explains why it is not a letter.
pub fn read(line: &[u8]) -> Result<FoundLetter, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("this is not JSON: {error}"))?;
    let Value::Object(mut object) = value else { return Err("this is not a JSON object".to_owned()) };
    let headers = match object.remove("headers") {
        Some(Value::Array(headers)) => headers.into_iter().map(header).collect::<Result<_, _>>()?,
        _ => Vec::new(),
    };
    let (key, value) = (bytes(&mut object, "key")?, bytes(&mut object, "value")?);
    let is_gone = object.contains_key("original");
    let lines = bytes(&mut object, "lines")?.filter(|_| is_gone);
    let elements = RejectedElements {
        listed: object
            .get("elements")
            .and_then(|listed| serde_json::from_value(listed.clone()).ok())
            .unwrap_or_default(),
        count: object.get("elements_count").and_then(Value::as_u64).unwrap_or_default(),
    };
    let letter = Letter {
        topic: text(&object, "topic")?.into(),
        partition: number(&object, "partition")?.try_into().map_err(|_| missing("partition"))?,
        offset: number(&object, "offset")?,
        timestamp_ms: number(&object, "timestamp").ok(),
        key,
        value,
        headers,
        stage: FailedStage::by_name(text(&object, "stage")?).ok_or_else(|| missing("stage"))?,
        reason: reason_by_name(text(&object, "reason")?),
        why: text(&object, "why").unwrap_or_default().to_owned(),
        elements,
        lines: lines.or_else(|| is_gone.then(Vec::new)),
    };
    Ok(FoundLetter { letter, truncated: false })
}

fn header(header: Value) -> Result<(String, Option<Vec<u8>>), String> {
    let Value::Object(mut header) = header else { return Err(missing("headers")) };
    let value = bytes(&mut header, "value")?;
    Ok((text(&header, "name")?.to_owned(), value))
}

/// The bytes of a key; None if it is missing or null.
fn bytes(object: &mut Map<String, Value>, key: &str) -> Result<Option<Vec<u8>>, String> {
    if let Some(Value::String(text)) = object.remove(key) {
        return Ok(Some(text.into_bytes()));
    }
    let key = format!("{key}_base64");
    match object.remove(&key) {
        Some(Value::String(text)) => BASE64.decode(text).map(Some).map_err(|_| missing(&key)),
        _ => Ok(None),
    }
}

fn text<'o>(object: &'o Map<String, Value>, key: &str) -> Result<&'o str, String> {
    object.get(key).and_then(Value::as_str).ok_or_else(|| missing(key))
}

fn number(object: &Map<String, Value>, key: &str) -> Result<i64, String> {
    object.get(key).and_then(Value::as_i64).ok_or_else(|| missing(key))
}

fn missing(key: &str) -> String {
    format!("this is no dead letter of the bridge: it has no valid {key:?}")
}

#[cfg(test)]
mod tests {
    use super::super::letter::test_support::any_letter;
    use super::*;
    use proptest::prelude::*;

    fn written(letter: &Letter) -> String {
        let mut out = Vec::new();
        write(letter, "2026-01-01T00:00:00Z", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn writes_readable_json() {
        let mut letter = Letter {
            topic: "t".into(),
            partition: 3,
            offset: 17,
            timestamp_ms: Some(1_767_225_600_123),
            key: None,
            value: Some("{\"온도\":\n1}".into()),
            headers: vec![("site".to_owned(), Some(b"\xff\xfe".to_vec())), ("none".to_owned(), None)],
            stage: FailedStage::Map,
            reason: "time",
            why: "it has no time".to_owned(),
            elements: RejectedElements { listed: vec![0, 2], count: 2 },
            lines: None,
        };
        let begin = r#"{"reason":"time","stage":"map","topic":"t","partition":3,"offset":17,"#;
        let middle =
            r#""elements":[0,2],"elements_count":2,"why":"it has no time","time":"2026-01-01T00:00:00Z","#;
        let end = r#""key":null,"value":"{\"온도\":\n1}","headers":[{"name":"site","value_base64":"//4="},{"name":"none","value":null}]}"#;
        assert_eq!(written(&letter), format!("{begin}\"timestamp\":1767225600123,{middle}{end}\n"));
        letter.lines = Some(b"t v=1 5\n".to_vec());
        letter.timestamp_ms = None;
        let end = r#""original":"gone","lines":"t v=1 5\n"}"#;
        assert_eq!(written(&letter), format!("{begin}{middle}{end}\n"));
    }

    #[test]
    fn lines_that_are_no_letters_are_reported() {
        let f = |line: &str, want: &str| {
            let error = read(line.as_bytes()).unwrap_err();
            assert!(error.contains(want), "{line}: {error}");
        };
        f("", "this is not JSON");
        f(r#"{"reason":"time","st"#, "this is not JSON");
        f("5", "not a JSON object");
        f("{}", r#"no valid "topic""#);
        f(r#"{"topic":"t","partition":3000000000}"#, r#"no valid "partition""#);
        f(r#"{"value_base64":"?"}"#, r#"no valid "value_base64""#);
        f(r#"{"headers":[5]}"#, r#"no valid "headers""#);
    }

    proptest! {
        #[test]
        fn any_letter_reads_back(letter in any_letter()) {
            let line = written(&letter);
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(read(line.as_bytes()), Ok(FoundLetter { letter, truncated: false }));
        }

        #[test]
        fn no_line_panics(line in "[\\[\\]{}\":,a-z0-9]{0,60}") {
            let _ = read(line.as_bytes());
        }
    }
}
