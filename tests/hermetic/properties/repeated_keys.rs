//! Whatever the mapping and the record, a line never repeats a key, also not as tag and field: InfluxDB 3 answers a repeated tag key with
//! 204, and can't read the table any more.

use super::json::{Json, Text, scalar};
use super::{config, lines_rules, map, mapper, read_back};
use base::record::{Record, RecordTime};
use line_protocol::reader::Point;
use mapping::decode::{Path, Step};
use mapping::{Format, Globs, Integers, KeySelector, Precision, Rename, Rules, Template};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Names of which some are written alike, and some are read alike by a server.
const NAMES: [&str; 18] = [
    "a", "a\\", "\\\\a", "\\a", "a\0", "b\n", "b\\n", "b\\\\n", "c\\d", "c\\\\d", "c\\\\\\d", "x y", "x\\ y",
    "k=1", "k\\=1", "q\\\"", "time\0", "온",
];

/// Names that only `rename` turns into one of [`NAMES`].
const RENAMED: [&str; 3] = ["r1", "r2", "r3_x"];

/// All sources of tags together.
#[derive(Clone, Debug)]
struct Sources {
    fixed: Vec<(&'static str, String)>,
    /// Tags with placeholders.
    placeholders: Vec<(&'static str, &'static str)>,
    /// Fields of `fields` with the keys of their values.
    fields: Vec<(&'static str, &'static str)>,
    topic_tag: Option<&'static str>,
    key_tag: Option<&'static str>,
    partition_tag: Option<&'static str>,
    headers: Vec<(&'static str, Vec<u8>)>,
    header_tags: Vec<&'static str>,
    roots: Vec<&'static str>,
    tag_keys: Vec<&'static str>,
    rename: Vec<(&'static str, &'static str)>,
    offset_field: Option<&'static str>,
    integers: bool,
    key: Vec<u8>,
}

fn name() -> impl Strategy<Value = &'static str> {
    select(&NAMES[..])
}

/// A name before `rename`.
fn any_name() -> impl Strategy<Value = &'static str> {
    select([&NAMES[..], &RENAMED].concat())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(select(&b"\\\0a ,=\n\xFF"[..]), 0..4)
}

fn sources() -> impl Strategy<Value = Sources> {
    let text = || bytes().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let tag = || option::of(name());
    let from_kafka = (tag(), tag(), tag(), vec((name(), bytes()), 0..4), vec(name(), 0..4), bytes());
    let in_record = (
        vec(any_name(), 0..3),
        subsequence(vec!["*", "a*", "*a", "b*", "c*", "?\\\\*", "r*", "o_*"], 0..4),
        vec((any_name(), name()), 0..4),
        tag(),
        any::<bool>(),
    );
    let placeholder = select(vec!["{key}", "{a}", "{topic}{partition}", "{$.a}", "{header:a}"]);
    let fixed =
        (vec((name(), text()), 0..4), vec((name(), placeholder), 0..3), vec((name(), any_name()), 0..3));
    (fixed, from_kafka, in_record).prop_map(|(fixed, from_kafka, in_record)| Sources {
        fixed: fixed.0,
        placeholders: fixed.1,
        fields: fixed.2,
        topic_tag: from_kafka.0,
        key_tag: from_kafka.1,
        partition_tag: from_kafka.2,
        headers: from_kafka.3,
        header_tags: from_kafka.4,
        key: from_kafka.5,
        roots: in_record.0,
        tag_keys: in_record.1,
        rename: in_record.2,
        offset_field: in_record.3,
        integers: in_record.4,
    })
}

impl Sources {
    fn rules(&self) -> Rules {
        let owned = |text: &str| text.to_owned();
        let mut rename = Rename::default();
        for (from, to) in &self.rename {
            rename.add(from, to).unwrap();
        }
        let root = |name: &&str| KeySelector::Root(Path(vec![Step::Key(owned(name))]));
        let field = |(name, from): &(&str, &str)| (owned(name), KeySelector::Flattened(owned(from)));
        let placeholder = |(key, text): &(&str, &str)| (owned(key), Template::parse(text).unwrap());
        let fixed = self.fixed.iter().map(|(key, value)| (owned(key), Template::literal(value)));
        Rules {
            fields: self.fields.iter().map(field).collect(),
            tag_keys: Globs::compile(&self.tag_keys).unwrap(),
            tag_selectors: self.roots.iter().map(root).collect(),
            string_fields: Globs::compile(&["*"]).unwrap(),
            rename,
            integers: if self.integers { Integers::Int } else { Integers::Float },
            topic_tag: self.topic_tag.map(owned),
            key_tag: self.key_tag.map(owned),
            partition_tag: self.partition_tag.map(owned),
            offset_field: self.offset_field.map(owned),
            header_tags: self.header_tags.iter().map(|name| owned(name)).collect(),
            tags: fixed.chain(self.placeholders.iter().map(placeholder)).collect(),
            ..Rules::default()
        }
    }
}

/// An object of colliding keys, some of them in an object of their own and some twice, and one field that nothing replaces.
fn record() -> impl Strategy<Value = Json> {
    let key = || any_name().prop_map(Text::plain);
    let inner = vec((key(), scalar()), 0..3).prop_map(Json::Object);
    let value = prop_oneof![8 => scalar(), 1 => inner];
    vec((prop_oneof![8 => key(), 1 => Just(Text::plain("o"))], value), 0..10).prop_map(|mut members| {
        members.push((Text::plain("value"), Json::Number("1".to_owned())));
        Json::Object(members)
    })
}

/// Line protocol with colliding keys, some of them twice in a line. Each line has one field that nothing replaces.
fn line_protocol() -> impl Strategy<Value = String> {
    let pairs = |names: &[&'static str], values: &[&'static str]| {
        let pair = (select(names.to_vec()), select(values.to_vec()));
        vec(pair.prop_map(|(key, value)| format!(",{key}={value}")), 0..5).prop_map(|all| all.concat())
    };
    let line = |names: &[&'static str], tag_values: &[&'static str]| {
        (pairs(names, tag_values), pairs(names, &["1", "2i", "\"s\""]))
            .prop_map(|(tags, fields)| format!("m{tags} value=1{fields} 7\n"))
    };
    // Plain lines are copied as they are, others are written anew.
    let plain = line(&["a", "b", "r1", "r2"], &["a", "b"]);
    vec(prop_oneof![plain, line(&[&NAMES[..], &RENAMED].concat(), &["a", "\\\\", "온"])], 1..4)
        .prop_map(|lines| lines.concat())
}

/// Checks that keys are distinct for InfluxDB 1.x and 2.x, and for InfluxDB 3, which reads two backslashes as one.
fn check_distinct(point: &Point, line: &[u8]) -> Result<(), TestCaseError> {
    let tags = point.tags.iter().map(|(key, _)| key);
    let keys: Vec<_> = tags.chain(point.fields.iter().map(|(key, _)| key)).collect();
    for (place, key) in keys.iter().enumerate() {
        for other in &keys[..place] {
            let line = line.escape_ascii();
            prop_assert_ne!(key, other, "{}", line);
            prop_assert_ne!(key.replace(r"\\", r"\"), other.replace(r"\\", r"\"), "{}", line);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_line_never_repeats_a_key(
        sources in sources(), records in vec(record(), 1..3), others in vec(option::weighted(0.3, scalar()), 0..10),
    ) {
        let mut learned = mapper(sources.rules(), "topic");
        let changed = records[0].with_scalars(&mut others.iter().cloned());
        // The second record of a shape finds it known.
        for record in records.iter().chain([&records[0], &changed]) {
            let bytes = record.bytes();
            let headers: Vec<_> = sources.headers.iter().map(|(name, value)| (*name, &value[..])).collect();
            let time = RecordTime::At(1_700_000_000_000_000_000);
            let (key, value) = (Some(&sources.key[..]), Some(&bytes[..]));
            let record = Record { partition: 3, offset: 7, time, key, value, headers: &headers };
            let mapped = map(&mut learned, &record);
            prop_assert_eq!(&mapped, &map(&mut mapper(sources.rules(), "topic"), &record));
            for (point, line) in read_back(&mapped.1).iter().zip(&mapped.1) {
                check_distinct(point, line)?;
            }
        }
    }

    #[test]
    fn line_protocol_that_repeats_keys_gives_lines_that_do_not(
        sources in sources(), text in line_protocol(), is_passed_through in any::<bool>(),
    ) {
        let passing = lines_rules(Precision::Nanoseconds);
        let rules = if is_passed_through { passing } else {
            Rules { format: Format::Influx, strict: false, ..sources.rules() }
        };
        let (time, key, value) = (RecordTime::At(7), Some(&sources.key[..]), Some(text.as_bytes()));
        let record = Record { partition: 3, offset: 7, time, key, value, headers: &[] };
        let (_, lines) = map(&mut mapper(rules, "topic"), &record);
        for (point, line) in read_back(&lines).iter().zip(&lines) {
            check_distinct(point, line)?;
        }
    }
}
