//! Any bytes read as Avro by one of several schemas, or by a schema that is fuzzed too, are rejected, or become JSON text that the scanner
//! accepts. Mapping them gives lines that read back.

#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use base::record::{Record, RecordTime};
use line_protocol::LineBuffer;
use mapping::{Format, Globs, Mapper, RecordLimits, Rejection, Rules, SchemaLanguage, SchemaText};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

const LINES_BYTES_MAX: usize = 100_000;

/// A fuzzed schema ends with this byte, which JSON does not contain.
const SEPARATOR: u8 = 0xFF;

const FIXED: [&str; 6] = [
    r#"{"type":"record","name":"M","fields":[{"name":"host","type":"string"},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
        {"name":"cpu","type":["null","double"]},{"name":"tags","type":{"type":"map","values":"string"}},{"name":"n","type":"int"}]}"#,
    r#"{"type":"record","name":"T","fields":[{"name":"v","type":"long"},{"name":"next","type":["null","T"]},{"name":"all","type":{"type":"array","items":"T"}}]}"#,
    r#"{"type":"array","items":["null",{"type":"record","name":"E","fields":[]},{"type":"bytes","logicalType":"big-decimal"}]}"#,
    r#"{"type":"record","name":"D","fields":[{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":30,"scale":7}},
        {"name":"f","type":{"type":"fixed","name":"F","size":20,"logicalType":"decimal","precision":40}},{"name":"u","type":{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}},
        {"name":"e","type":{"type":"enum","name":"S","symbols":["A","B"]}},{"name":"x","type":"float"},{"name":"day","type":{"type":"int","logicalType":"date"}}]}"#,
    r#"{"type":"map","values":{"type":"array","items":{"type":"map","values":["boolean","bytes","double"]}}}"#,
    r#"{"type":"array","items":{"type":"array","items":"null"}}"#,
];

thread_local! {
    static COMPILED: RefCell<HashMap<usize, Rules>> = RefCell::default();
}

fn rules(schema: &str) -> Option<Rules> {
    let text = SchemaText { language: SchemaLanguage::Avro, text: schema.to_owned(), references: Vec::new() };
    let string_fields = Globs::compile(&["*"]).expect("a glob");
    Some(Rules { format: Format::Avro, schema: Some(text.compile().ok()?), string_fields, ..Rules::default() })
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let number = usize::from(*first);
    let (rules, value) = if number < FIXED.len() {
        let of = |all: &RefCell<HashMap<usize, Rules>>| {
            all.borrow_mut().entry(number).or_insert_with(|| rules(FIXED[number]).expect("a schema")).clone()
        };
        (COMPILED.with(of), rest)
    } else {
        let Some(end) = rest.iter().position(|byte| *byte == SEPARATOR) else { return };
        let Some(rules) = std::str::from_utf8(&rest[..end]).ok().and_then(rules) else { return };
        (rules, &rest[end + 1..])
    };
    // A few bytes can claim many elements; the limit bounds the time for them.
    let limits = RecordLimits { record_bytes_max: 1_000_000, lines_bytes_max: LINES_BYTES_MAX };
    let mut mapper = Mapper::new(Arc::new(rules.clone()), "topic", limits);
    let (value, time) = (Some(value), RecordTime::At(1));
    let record = Record { partition: 0, offset: 1, time, key: None, value, headers: &[] };
    for (_, why) in mapper.map(&record, &mut LineBuffer::default()).rejected {
        assert!(!matches!(why, Rejection::Undecodable(_)), "the text is no JSON: {why}");
    }
    support::check_lines(rules, value.unwrap_or_default(), LINES_BYTES_MAX);
});
