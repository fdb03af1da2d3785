//! For any record, each line reads back as one point, servers split the lines in the same way, and mapping the record again gives
//! the same lines.

#![no_main]

use line_protocol::LineBuffer;
use mapping::decode::Query;
use line_protocol::reader::{read_line, split_lines};
use mapping::{DistinctTimes, Format, Globs, Integers, KeySelector, Mapper, RecordLimits, Rename, Rules, Template, TimeFormat, TimeRule, zone_by_name};
use base::record::{Record, RecordTime};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

const LIMITS: RecordLimits = RecordLimits { record_bytes_max: 1_000_000, lines_bytes_max: 8_000_000 };

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    // The frame of a JSON Schema serializer is skipped.
    let framed;
    let bytes = if choice & 16 == 0 {
        bytes
    } else {
        framed = [b"\0\0\0\0\x07", bytes].concat();
        framed.as_slice()
    };
    let rules = Arc::new(rules(choice));
    let mut mapper = Mapper::new(Arc::clone(&rules), "t opic", LIMITS);
    let first = map(&mut mapper, bytes);
    for line in split_lines(first.text()) {
        let read = read_line(line);
        assert!(read.is_ok(), "{}: {read:?}", line.escape_ascii());
    }
    assert_eq!(split_lines(first.text()).count(), first.lines());
    assert_eq!(map(&mut mapper, bytes).text(), first.text());
    // Learning from half of the record changes nothing either.
    let mut mapper = Mapper::new(rules, "t opic", LIMITS);
    map(&mut mapper, bytes.get(..bytes.len() / 2).unwrap_or_default());
    assert_eq!(map(&mut mapper, bytes).text(), first.text());
});

fn map(mapper: &mut Mapper, value: &[u8]) -> LineBuffer {
    let mut lines = LineBuffer::default();
    let record = Record {
        partition: 3,
        offset: 41,
        time: RecordTime::At(1_700_000_000_123_000_000),
        key: value.get(..4),
        value: Some(value),
        headers: &[("h", b"x,y\n\\")],
    };
    let mapped = mapper.map(&record, &mut lines);
    assert_eq!(mapped.lines, lines.lines());
    lines
}

fn rules(choice: u8) -> Rules {
    let rules = Rules { strict: choice & 8 == 0, ..Rules::default() };
    match choice & 7 {
        0 => rules,
        1 => Rules { tag_keys: globs(&["t*"]), string_fields: globs(&["*"]), ..rules },
        2 => from_kafka(rules),
        3 => timed("unix_ms", DistinctTimes::Always, rules),
        4 => timed("rfc3339", DistinctTimes::Never, rules),
        5 => Rules { format: Format::JsonLines, string_fields: globs(&["*"]), ..rules },
        6 => Rules { query: query("$..a[*]"), tag_selectors: vec![selector("$.b"), selector("^.t"), selector("@key")], ..rules },
        _ => Rules {
            query: query("$.a"),
            name_key: Some(selector("$.n")),
            measurement: template("{a}{header:h}"),
            tags: vec![("g".to_owned(), template("{^.t}-{b}{partition}"))],
            fields: vec![("f".to_owned(), selector("@key")), ("w".to_owned(), selector("b"))],
            ..rules
        },
    }
}

fn from_kafka(rules: Rules) -> Rules {
    let mut rename = Rename::default();
    rename.add("a_*", "*").expect("a rule");
    Rules {
        name_key: Some(KeySelector::Flattened("n".to_owned())),
        tag_keys: globs(&["t*", "a_*"]),
        number_fields: globs(&["*"]),
        integers: Integers::Int,
        rename,
        topic_tag: Some("t".to_owned()),
        key_tag: Some("k".to_owned()),
        partition_tag: Some("p".to_owned()),
        offset_field: Some("o".to_owned()),
        header_tags: vec!["h".to_owned()],
        tags: vec![("ta".to_owned(), template("x y{key:$.k}"))],
        ..rules
    }
}

fn timed(format: &str, distinct_times: DistinctTimes, rules: Rules) -> Rules {
    let format = TimeFormat::parse(format).expect("a format");
    let zone = zone_by_name("Asia/Seoul").expect("a zone");
    let time = TimeRule::new(KeySelector::Flattened("c".to_owned()), format, zone);
    Rules { time: Some(time), distinct_times, ..rules }
}

fn globs(patterns: &[&str]) -> Globs {
    Globs::compile(patterns).expect("globs")
}

fn query(text: &str) -> Query {
    Query::parse(text).expect("a query")
}

fn selector(text: &str) -> KeySelector {
    KeySelector::parse(text).expect("a selector")
}

fn template(text: &str) -> Template {
    Template::parse(text).expect("a text with placeholders")
}
