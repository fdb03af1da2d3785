//! Any bytes read as CSV, with settings of the first byte, are rejected, or become JSON text of bounded length with one value a line.
//! Mapping them gives lines that read back, and mapping them again gives the same lines.

#![no_main]

use base::record::{Record, RecordTime};
use libfuzzer_sys::fuzz_target;
use line_protocol::LineBuffer;
use line_protocol::reader::{read_line, split_lines};
use mapping::decode::Scanner;
use mapping::{Csv, Format, Globs, Header, Mapper, RecordLimits, Rules};
use std::sync::Arc;

const LIMITS: RecordLimits = RecordLimits { record_bytes_max: 1_000_000, lines_bytes_max: 1_000_000 };

fuzz_target!(|bytes: &[u8]| {
    let Some((settings, value)) = bytes.split_first() else { return };
    let header = match settings & 1 {
        0 => Header::FirstLine,
        _ => Header::Columns(vec!["a".to_owned(), String::new(), "b".to_owned()]),
    };
    let delimiter = b",;\t|"[usize::from(settings >> 1 & 3)];
    let csv = Csv { delimiter, comment: (settings & 8 != 0).then_some(b'#'), header };
    let globs = |pattern| Globs::compile(&[pattern]).expect("a glob");
    let format = if settings & 16 == 0 { Format::Csv } else { Format::Value };
    let rules = Rules { format, csv, tag_keys: globs("a*"), string_fields: globs("*"), strict: false, ..Rules::default() };
    check_json(&rules, value);
    let mut mapper = Mapper::new(Arc::new(rules), "topic", LIMITS);
    let time = RecordTime::At(1_700_000_000_123_000_000);
    let record = Record { partition: 0, offset: 1, time, key: None, value: Some(value), headers: &[] };
    let (mut first, mut second) = (LineBuffer::default(), LineBuffer::default());
    mapper.map(&record, &mut first);
    mapper.map(&record, &mut second);
    assert_eq!(first.text(), second.text());
    for line in split_lines(first.text()) {
        let read = read_line(line);
        assert!(read.is_ok(), "{}: {read:?}", line.escape_ascii());
    }
});

fn check_json(rules: &Rules, value: &[u8]) {
    let Ok(json) = rules.to_json(value) else { return };
    for line in json.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut scanner = Scanner::new(line);
        let token = scanner.value().expect("a value");
        scanner.skip_rest(token, 0).expect("a complete value");
        scanner.end().expect("one value a line");
    }
}
