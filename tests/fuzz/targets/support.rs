//! Checks that targets of record formats share.

use base::record::{Record, RecordTime};
use line_protocol::LineBuffer;
use line_protocol::reader::{read_v2_line, split_lines};
use mapping::decode::Scanner;
use mapping::{Format, Globs, Mapper, RecordLimits, Rules};
use std::sync::Arc;

/// Checks bytes of a binary format. `growth_max`: most bytes of JSON text per byte of the record.
#[allow(dead_code, reason = "text formats have no such values")]
pub fn check_binary(format: Format, bytes: &[u8], growth_max: usize) {
    let rules = Rules { format, ..Rules::default() };
    if let Ok(json) = rules.to_json(bytes) {
        assert!(json.len() <= bytes.len() * growth_max, "{} bytes of {}", json.len(), bytes.len());
        check_json_lines(&json);
        let (mut at, mut values) = (0, 0);
        while at < bytes.len() {
            at += format.first_value(&bytes[at..]).expect("a value");
            values += 1;
        }
        assert_eq!(values, json.split(|byte| *byte == b'\n').count() - 1);
    }
    let all = Globs::compile(&["*"]).expect("a glob");
    check_lines(Rules { string_fields: all, strict: false, ..rules }, bytes, 8_000_000);
}

/// Checks that JSON text has one complete value a line.
pub fn check_json_lines(json: &[u8]) {
    for line in json.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut scanner = Scanner::new(line);
        let token = scanner.value().expect("a value");
        scanner.skip_rest(token, 0).expect("a complete value");
        scanner.end().expect("one value a line");
    }
}

/// Checks that the lines of a record read back, and that mapping the record again gives the same lines.
pub fn check_lines(rules: Rules, value: &[u8], lines_bytes_max: usize) {
    let limits = RecordLimits { record_bytes_max: 1_000_000, lines_bytes_max };
    let mut mapper = Mapper::new(Arc::new(rules), "topic", limits);
    let time = RecordTime::At(1_700_000_000_123_000_000);
    let record = Record { partition: 0, offset: 1, time, key: None, value: Some(value), headers: &[] };
    let (mut first, mut second) = (LineBuffer::default(), LineBuffer::default());
    mapper.map(&record, &mut first);
    mapper.map(&record, &mut second);
    assert_eq!(first.text(), second.text());
    for line in split_lines(first.text()) {
        let read = read_v2_line(line);
        assert!(read.is_ok(), "{}: {read:?}", line.escape_ascii());
    }
}
