//! Any bytes read as line protocol, with settings of the first byte, are rejected line by line, or become lines that two readers read as
//! the same point. Lines never repeat a key, servers split them in the same way, and mapping the record again gives the same lines. Writing
//! a line anew gives the point of a copied line.

#![no_main]

#[path = "../../support/second_reader.rs"]
mod second_reader;
mod support;

use base::record::{Record, RecordTime};
use libfuzzer_sys::fuzz_target;
use line_protocol::LineBuffer;
use line_protocol::reader::Point;
use mapping::{DistinctTimes, Format, Globs, Mapper, Precision, RecordLimits, Rename, Rules, Template};
use second_reader::{first_opinion, second_opinion};
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| {
    let Some((&settings, value)) = bytes.split_first() else { return };
    let precision = Precision::ALL[usize::from(settings & 3)];
    let plain = Rules { format: Format::Influx, measurement: Template::literal(""), precision, strict: false, ..Rules::default() };
    let globs = |pattern| Globs::compile(&[pattern]).expect("a glob");
    let rewritten = Rules { exclude: globs("no such field"), ..plain.clone() };
    assert_eq!(points(&plain, value), points(&rewritten, value));
    let mut rename = Rename::default();
    rename.add("a*", "*").expect("a rule");
    let changed = Rules {
        rename,
        exclude: globs("b*"),
        measurement: Template::parse(if settings & 4 == 0 { "" } else { "m {topic}" }).expect("a template"),
        topic_tag: (settings & 8 != 0).then(|| "t".to_owned()),
        offset_field: (settings & 16 != 0).then(|| "o".to_owned()),
        tags: vec![("ta".to_owned(), Template::literal("x y"))],
        distinct_times: if settings & 32 == 0 { DistinctTimes::Always } else { DistinctTimes::Never },
        strict: settings & 64 != 0,
        ..plain.clone()
    };
    for rules in [plain, changed] {
        support::check_lines(rules, value, 8_000_000);
    }
});

/// The points of a record. Fields are in the order of their keys.
fn points(rules: &Rules, value: &[u8]) -> Vec<Point> {
    let limits = RecordLimits { record_bytes_max: 1_000_000, lines_bytes_max: 8_000_000 };
    let mut mapper = Mapper::new(Arc::new(rules.clone()), "topic", limits);
    let time = RecordTime::At(1_700_000_000_123_000_000);
    let record = Record { partition: 0, offset: 1, time, key: None, value: Some(value), headers: &[] };
    let mut lines = LineBuffer::default();
    mapper.map(&record, &mut lines);
    let read = |line: &[u8]| {
        let point = first_opinion(line);
        let mut keys: Vec<&str> = point.tags.iter().map(|(key, _)| key.as_str()).collect();
        keys.extend(point.fields.iter().map(|(key, _)| key.as_str()));
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count, "{}", line.escape_ascii());
        assert_eq!(point, second_opinion(line), "{}", line.escape_ascii());
        point
    };
    (0..lines.lines()).map(|line| read(lines.line(line).expect("a line"))).collect()
}
