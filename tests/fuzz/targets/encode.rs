//! Any text reads back as one measurement, tag, field key or string.

#![no_main]

use line_protocol::encode::{push_key, push_measurement, push_string};
use line_protocol::reader::{Value, read_line, split_lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // Five parts, in turn.
    let mut parts = text.split('\u{1}').map(str::as_bytes).chain(std::iter::repeat(&b"x"[..]));
    let mut part = || parts.next().unwrap_or_default();
    let (measurement, tag, value, field, string) = (part(), part(), part(), part(), part());
    let mut line = Vec::new();
    let trimmed = push_measurement(measurement, &mut line);
    assert!(trimmed || measurement.is_empty() == line.is_empty());
    if line.is_empty() || line.starts_with(b"#") {
        return;
    }
    push(b",", tag, &mut line);
    push(b"=", value, &mut line);
    push(b" ", field, &mut line);
    line.push(b'=');
    push_string(string, &mut line);
    line.extend_from_slice(b",other=1 17");
    check(&line, string);
});

/// Writes a name that is neither reserved nor empty, as the mapper ensures.
fn push(separator: &[u8], name: &[u8], line: &mut Vec<u8>) {
    line.extend_from_slice(separator);
    line.push(b'n');
    let _trimmed = push_key(name, line);
}

fn check(line: &[u8], string: &[u8]) {
    let point = read_line(line).unwrap_or_else(|error| panic!("{}: {error}", line.escape_ascii()));
    assert_eq!((point.tags.len(), point.fields.len(), point.time), (1, 2, Some(17)));
    let string = String::from_utf8(string.to_vec()).expect("it was text");
    assert_eq!(point.fields[0].1, Value::String(string));
    assert_eq!(point.fields[1], ("other".to_owned(), Value::Float(1.0)));
    let two = [line, line].join(&b'\n');
    assert!(split_lines(&two).eq([line, line]), "{}", line.escape_ascii());
}
