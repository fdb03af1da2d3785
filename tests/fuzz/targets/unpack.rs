//! Any bytes read as a compressed value are rejected, read as they are, or become at most as many bytes as the limit. Mapping them
//! again gives the same lines.

#![no_main]

use base::record::{Record, RecordTime};
use libfuzzer_sys::fuzz_target;
use line_protocol::LineBuffer;
use mapping::{Compression, Format, Globs, Mapper, RecordLimits, Rules};
use std::sync::Arc;

const BYTES_MAX: usize = 100_000;
const LIMITS: RecordLimits = RecordLimits { record_bytes_max: BYTES_MAX, lines_bytes_max: 1_000_000 };

fuzz_target!(|bytes: &[u8]| {
    let Some((settings, value)) = bytes.split_first() else { return };
    let compression = Compression::ALL[usize::from(*settings) % Compression::ALL.len()];
    let string_fields = Globs::compile(&["*"]).expect("a glob");
    // Every text is a point.
    let rules = Rules { format: Format::Value, compression, string_fields, ..Rules::default() };
    let mut mapper = Mapper::new(Arc::new(rules), "topic", LIMITS);
    let time = RecordTime::At(1_700_000_000_123_000_000);
    let record = Record { partition: 0, offset: 1, time, key: None, value: Some(value), headers: &[] };
    let (mut first, mut second) = (LineBuffer::default(), LineBuffer::default());
    mapper.map(&record, &mut first);
    mapper.map(&record, &mut second);
    assert_eq!(first.text(), second.text());
    // Escapes double a byte at most, and U+FFFD triples one that is not UTF-8.
    assert!(first.text().len() <= 4 * BYTES_MAX, "{} bytes", first.text().len());
});
