//! Any bytes read as MessagePack are rejected, or become JSON text of bounded length that the scanner accepts line by line. Mapping
//! them gives lines that read back.

#![no_main]

use base::record::{Record, RecordTime};
use libfuzzer_sys::fuzz_target;
use line_protocol::LineBuffer;
use line_protocol::reader::{read_line, split_lines};
use mapping::decode::Scanner;
use mapping::{Format, Globs, Mapper, RecordLimits, Rules};
use std::sync::Arc;

const LIMITS: RecordLimits = RecordLimits { record_bytes_max: 1_000_000, lines_bytes_max: 8_000_000 };

/// Most bytes of JSON text per byte of MessagePack: a control character becomes an escape of six bytes, and a `false` has a comma.
const GROWTH_MAX: usize = 8;

fuzz_target!(|bytes: &[u8]| {
    check_json(bytes);
    let all = Globs::compile(&["*"]).expect("a glob");
    let rules = Rules { format: Format::Msgpack, string_fields: all, strict: false, ..Rules::default() };
    let mut mapper = Mapper::new(Arc::new(rules), "topic", LIMITS);
    let time = RecordTime::At(1_700_000_000_123_000_000);
    let record = Record { partition: 0, offset: 1, time, key: None, value: Some(bytes), headers: &[] };
    let (mut first, mut second) = (LineBuffer::default(), LineBuffer::default());
    mapper.map(&record, &mut first);
    mapper.map(&record, &mut second);
    assert_eq!(first.text(), second.text());
    for line in split_lines(first.text()) {
        let read = read_line(line);
        assert!(read.is_ok(), "{}: {read:?}", line.escape_ascii());
    }
});

fn check_json(bytes: &[u8]) {
    let rules = Rules { format: Format::Msgpack, ..Rules::default() };
    let Ok(json) = rules.to_json(bytes) else { return };
    assert!(json.len() <= bytes.len() * GROWTH_MAX, "{} bytes of {}", json.len(), bytes.len());
    for line in json.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut scanner = Scanner::new(line);
        let token = scanner.value().expect("a value");
        scanner.skip_rest(token, 0).expect("a complete value");
        scanner.end().expect("one value a line");
    }
    let (mut at, mut values) = (0, 0);
    while at < bytes.len() {
        at += Format::Msgpack.first_value(&bytes[at..]).expect("a value");
        values += 1;
    }
    assert_eq!(values, json.split(|byte| *byte == b'\n').count() - 1);
}
