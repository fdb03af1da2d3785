//! Any options of a mapping with any record: nothing panics, each line is the same point for two readers and never repeats a key, and
//! neither mapping the record again nor anything learned from other records changes a line.

use crate::second_reader::{first_opinion, second_opinion};
use base::TimePrecision;
use base::record::{Record, RecordTime};
use fastrand::Rng;
use line_protocol::LineBuffer;
use line_protocol::reader::split_lines;
use mapping::decode::{Filter, Query};
use mapping::{
    AddedTime, Compression, Csv, DistinctTimes, FieldType, Format, Globs, Header, Integers, KeySelector,
    KeyTable, Mapped, Mapper, Pivot, PivotList, Precision, RecordLimits, Rename, Replacement, Replacements,
    Reshape, Rules, Template, TimeFormat, TimeRule, TimeSource, Zip, zone_by_name,
};
use std::sync::Arc;

const LIMITS: RecordLimits = RecordLimits { record_bytes_max: 100_000, lines_bytes_max: 1_000_000 };

/// Keys of records and of options.
const KEYS: [&str; 10] = ["a", "b", "c", "a_b", "t", "name", "v", "x y", "a=,\\", "온"];

/// Checks the options and the record that some bytes decide. The first eight bytes are a seed, which decides every option, and whether the
/// rest is the record or decides a record of JSON. Returns the number of lines.
pub fn check(input: &[u8]) -> usize {
    let Some((seed, rest)) = input.split_first_chunk() else { return 0 };
    let mut rng = Rng::with_seed(u64::from_le_bytes(*seed));
    let rules = Arc::new(rules(&mut rng));
    let record = if rng.u8(..8) == 0 { rest.to_vec() } else { json(rest, &mut rng) };
    let mut fresh = mapper(&rules);
    let first = map(&mut fresh, &record);
    for line in &first.1 {
        let (point, second) = (first_opinion(line), second_opinion(line));
        let mut tags: Vec<_> = point.tags.iter().map(|(key, _)| key).collect();
        let mut fields: Vec<_> = point.fields.iter().map(|(key, _)| key).collect();
        for keys in [&mut tags, &mut fields] {
            let count = keys.len();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), count, "{}", line.escape_ascii());
        }
        assert_eq!(point, second, "{}", line.escape_ascii());
    }
    // Now the shapes are known.
    for _ in 0..2 {
        assert_eq!(map(&mut fresh, &record), first);
    }
    // Learning from other records changes nothing either.
    let mut learned = mapper(&rules);
    let half = record.get(..record.len() / 2).unwrap_or_default().to_vec();
    let others = [json(rest, &mut rng), half, json(&record, &mut rng)];
    for other in &others {
        map(&mut learned, other);
    }
    assert_eq!(map(&mut learned, &record), first);
    first.1.len()
}

fn mapper(rules: &Arc<Rules>) -> Mapper {
    Mapper::new(Arc::clone(rules), "site.a b.kind", LIMITS)
}

/// The result, the lines and the numbers of dropped values.
fn map(mapper: &mut Mapper, value: &[u8]) -> (Mapped, Vec<Vec<u8>>, mapping::Drops) {
    let mut lines = LineBuffer::default();
    let record = Record {
        partition: 3,
        offset: 41,
        time: RecordTime::At(1_700_000_000_123_000_000),
        key: Some(br#"{"a":"k","b":[1]}"#),
        value: Some(value),
        headers: &[("h", b"x,y\n\\")],
    };
    let outcome = mapper.map(&record, &mut lines);
    let own: Vec<_> = (0..lines.lines()).filter_map(|line| lines.line(line).map(<[u8]>::to_vec)).collect();
    let found: Vec<_> = split_lines(lines.text()).map(<[u8]>::to_vec).collect();
    assert_eq!(own, found, "servers find other lines");
    assert_eq!(own.len(), outcome.lines);
    (outcome, own, mapper.take_drops())
}

/// JSON that the bytes and the seed decide together.
fn json(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut text = Vec::new();
    let mut bytes = bytes.iter().copied();
    push_value(0, &mut bytes, rng, &mut text);
    text
}

fn push_value(depth: usize, bytes: &mut impl Iterator<Item = u8>, rng: &mut Rng, text: &mut Vec<u8>) {
    const SCALARS: [&str; 16] = [
        "1",
        "-2.50",
        "1e3",
        "9007199254740993",
        "\"x\"",
        "\"1.5\"",
        "\"on\"",
        "\"\"",
        "true",
        "false",
        "null",
        "NaN",
        "\"{\\\"a\\\":[1,{\\\"v\\\":2}]}\"",
        "\"a \\\"b\\\\\"",
        "1700000000",
        "\"\\u0000\\n\"",
    ];
    // A record is an object or an array.
    let choice = bytes.next().unwrap_or_else(|| rng.u8(..)) % if depth == 0 { 100 } else { u8::MAX };
    match choice {
        0..=79 if depth < 5 => {
            text.push(b'{');
            for member in 0..rng.usize(0..7) {
                text.extend_from_slice(if member > 0 { b"," } else { b"" });
                let key = KEYS[rng.usize(..KEYS.len())];
                text.extend_from_slice(format!("\"{}\":", key.replace('\\', "\\\\")).as_bytes());
                push_value(depth + 1, bytes, rng, text);
            }
            text.push(b'}');
        }
        80..=139 if depth < 5 => {
            text.push(b'[');
            for item in 0..rng.usize(0..4) {
                text.extend_from_slice(if item > 0 { b"," } else { b"" });
                push_value(depth + 1, bytes, rng, text);
            }
            text.push(b']');
        }
        _ => text.extend_from_slice(SCALARS[usize::from(choice) % SCALARS.len()].as_bytes()),
    }
}

fn pick<T: Copy>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.usize(..all.len())]
}

/// Up to `max` different ones, in their order.
fn some<T: Copy>(rng: &mut Rng, all: &[T], max: usize) -> Vec<T> {
    let wanted = rng.usize(0..=max);
    let mut chosen: Vec<usize> = (0..wanted).map(|_| rng.usize(..all.len())).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen.into_iter().map(|place| all[place]).collect()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn globs(rng: &mut Rng) -> Globs {
    const GLOBS: [&str; 9] = ["a", "a*", "*_b", "t", "v*", "b_?", "x y", "*", "{c,name}"];
    Globs::compile(&some(rng, &GLOBS, 3)).expect("globs")
}

fn selector(text: &str) -> KeySelector {
    KeySelector::parse(text).expect("a selector")
}

const SELECTORS: [&str; 15] = [
    "a",
    "a_b",
    "@.a.b",
    "@.v",
    "$.a",
    "$[0].t",
    "^.name",
    "^^.t",
    "@key",
    "^@key",
    "^^@key",
    "@member",
    "^@member",
    "key:$.a",
    "key:$.b[0]",
];

fn selectors(rng: &mut Rng, max: usize) -> Vec<KeySelector> {
    some(rng, &SELECTORS, max).into_iter().map(selector).collect()
}

fn template(rng: &mut Rng) -> Template {
    const PARTS: [&str; 12] = [
        "{topic}",
        "{topic:site}",
        "{partition}",
        "{key}",
        "{header:h}",
        "{a}",
        "{@.a.b}",
        "{^.name}",
        "{@key}",
        "{$.t}",
        "m =,",
        "{{",
    ];
    let text: String = (0..rng.usize(1..4)).map(|_| pick(rng, &PARTS)).collect();
    Template::parse(&text).expect("a template")
}

fn rules(rng: &mut Rng) -> Rules {
    const QUERIES: [&str; 13] = [
        "$",
        "$",
        "$",
        "$.a",
        "$[*]",
        "$.a[*]",
        "$..b",
        "$.*",
        "$..*",
        "$.a[?@.v > 1 || @.b]",
        "$[-1]",
        "$['a','b']",
        "$.a[0]",
    ];
    let tag = |rng: &mut Rng| rng.bool().then(|| pick(rng, &KEYS).to_owned());
    let tags: Vec<&str> = some(rng, &KEYS, 2);
    let fields: Vec<&str> = some(rng, &KEYS, 2);
    let formats: Vec<Format> = Format::ALL.into_iter().filter(|format| !format.has_schema()).collect();
    // Most records are JSON.
    let format =
        if rng.u8(..8) > 0 { pick(rng, &[Format::Json, Format::JsonLines]) } else { pick(rng, &formats) };
    Rules {
        format,
        csv: Csv {
            delimiter: pick(rng, b",;\t"),
            comment: rng.bool().then_some(b'#'),
            header: if rng.bool() { Header::FirstLine } else { Header::Columns(owned(&["a", "", "b"])) },
        },
        schema: None,
        compression: pick(rng, &[Compression::Auto, Compression::None]),
        parse_json: if rng.bool() { Globs::default() } else { globs(rng) },
        query: Query::parse(pick(rng, &QUERIES)).expect("a query"),
        reshape: if rng.u8(..4) > 0 { Reshape::default() } else { reshape(rng) },
        measurement: template(rng),
        name_key: rng.bool().then(|| selector(pick(rng, &SELECTORS))),
        tag_keys: globs(rng),
        tag_selectors: selectors(rng, 3)
            .into_iter()
            .filter(|key| !matches!(key, KeySelector::Flattened(_)))
            .collect(),
        fields: fields.into_iter().map(|key| (key.to_owned(), selector(pick(rng, &SELECTORS)))).collect(),
        string_fields: globs(rng),
        number_fields: globs(rng),
        integers: pick(rng, &[Integers::Float, Integers::Int]),
        values: if rng.bool() { Replacements::default() } else { values() },
        types: types(rng),
        include: if rng.u8(..4) > 0 { Rules::default().include } else { globs(rng) },
        exclude: if rng.u8(..4) > 0 { Globs::default() } else { globs(rng) },
        rename: rename(rng),
        time: time(rng),
        precision: pick(rng, &Precision::ALL),
        distinct_times: pick(rng, &[DistinctTimes::Never, DistinctTimes::Kafka, DistinctTimes::Always]),
        time_precision: TimePrecision::default(),
        topic_tag: tag(rng),
        key_tag: tag(rng),
        partition_tag: tag(rng),
        offset_field: tag(rng),
        header_tags: if rng.bool() { owned(&["h"]) } else { Vec::new() },
        tags: tags.into_iter().map(|key| (key.to_owned(), template(rng))).collect(),
        strict: rng.u8(..4) == 0,
        ..Rules::default()
    }
}

fn reshape(rng: &mut Rng) -> Reshape {
    const FILTERS: [&str; 6] =
        ["@.a", "@.v > 1", "@ != 1", "@[?@.v] || $.a", "!@.b && length(@.name) < 3", "count(@.*) > 1"];
    let list = pick(rng, &["@", "a", "b", "a_b"]);
    let list = if list == "@" { PivotList::Element } else { PivotList::Key(list.to_owned()) };
    let pivot = Pivot { list, name: pick(rng, &KEYS).to_owned(), value: owned(&some(rng, &KEYS, 2)) };
    let zip = Zip { names: "a".to_owned(), values: pick(rng, &["b", "c"]).to_owned() };
    Reshape {
        columns: owned(&some(rng, &KEYS, 3)),
        explode: owned(&some(rng, &["a", "b", "a_b", "v"], 2)),
        filter: rng.bool().then(|| Filter::parse(pick(rng, &FILTERS)).expect("a filter")),
        pivot: Some(pivot).into_iter().filter(|pivot| !pivot.value.is_empty() && rng.bool()).collect(),
        zip: Some(zip).into_iter().filter(|_| rng.bool()).collect(),
    }
}

fn values() -> Replacements {
    let table = vec![
        ("on".to_owned(), Replacement::Integer(1)),
        ("x".to_owned(), Replacement::Text(String::new())),
        ("true".to_owned(), Replacement::Float(-2.5)),
        ("false".to_owned(), Replacement::Text("o \"ff\"\\".to_owned())),
    ];
    Replacements::compile(vec![("*".to_owned(), table)]).expect("replacements")
}

fn types(rng: &mut Rng) -> KeyTable<FieldType> {
    const TYPED: [&str; 4] = ["a", "b_*", "v*", "*"];
    let entry = |rng: &mut Rng, key: &str| (key.to_owned(), pick(rng, &FieldType::ALL));
    let chosen = some(rng, &TYPED, 3);
    KeyTable::compile(chosen.into_iter().map(|key| entry(rng, key)).collect()).expect("types")
}

fn rename(rng: &mut Rng) -> Rename {
    const RULES: [(&str, &str); 6] =
        [("a", "b"), ("a_*", "*"), ("*_b", "x\n*"), ("t", "time"), ("v", "k=,1\\"), ("name", "온")];
    let mut rename = Rename::default();
    for (from, to) in some(rng, &RULES, 3) {
        rename.add(from, to).expect("a rule");
    }
    rename
}

fn added(rng: &mut Rng, key: &str) -> AddedTime {
    AddedTime { option: "time_add", key: selector(key), unit: pick(rng, &Precision::ALL) }
}

fn time(rng: &mut Rng) -> Option<TimeRule> {
    const FORMATS: [&str; 5] = ["unix", "unix_ms", "unix_ns", "rfc3339", "%Y-%m-%d"];
    if rng.u8(..8) > 0 {
        return None;
    }
    let keys = selectors(rng, 3);
    let source = if keys.is_empty() { TimeSource::Text(template(rng)) } else { TimeSource::Keys(keys) };
    Some(TimeRule {
        source,
        added: some(rng, &SELECTORS, 2).into_iter().map(|key| added(rng, key)).collect(),
        format: TimeFormat::parse(pick(rng, &FORMATS)).expect("a format"),
        zone: zone_by_name("Asia/Seoul").expect("a zone"),
    })
}
