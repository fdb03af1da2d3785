//! Options of a mapping as text, which the mapper and the model each interpret on their own.

use super::json::{KEYS, text};
use base::record::{Record, RecordTime};
use mapping::{
    DistinctTimes, FieldType, Globs, Integers, KeySelector, KeyTable, Rename, Replacement, Replacements,
    Rules, Template, TimeFormat, TimeRule, zone_by_name,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a configuration, in any combination")]
pub struct Options {
    pub name_key: bool,
    pub tag_keys: Vec<&'static str>,
    pub string_fields: Vec<&'static str>,
    pub number_fields: Vec<&'static str>,
    pub include: Vec<&'static str>,
    pub exclude: Vec<&'static str>,
    pub rename: Vec<(&'static str, &'static str)>,
    pub integers: bool,
    pub types: Vec<(&'static str, FieldType)>,
    /// Whether [`VALUES`] apply.
    pub values: bool,
    pub clock: bool,
    pub distinct_times: bool,
    pub topic_tag: Option<&'static str>,
    pub key_tag: Option<&'static str>,
    pub offset_field: Option<&'static str>,
    pub tags: Vec<(&'static str, String)>,
    pub strict: bool,
}

/// Kafka's metadata of a record.
#[derive(Clone, Debug)]
pub struct Origin {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub time_ms: i64,
    pub key: Option<Vec<u8>>,
}

/// Texts and booleans under globs that become other values.
pub const VALUES: [(&str, &[(&str, To)]); 3] = [
    ("s*", &[("x", To::Number("7")), ("1.5", To::Nothing), ("true", To::Text("on, \"1\""))]),
    ("b", &[("true", To::Number("-2.5")), ("false", To::Bool(true)), ("m", To::Text("12"))]),
    ("a*", &[("x", To::Bool(false)), ("false", To::Nothing)]),
];

/// A replacement.
#[derive(Clone, Copy, Debug)]
pub enum To {
    Nothing,
    Bool(bool),
    Number(&'static str),
    Text(&'static str),
}

impl To {
    fn replacement(self) -> Replacement {
        match self {
            Self::Nothing => Replacement::Text(String::new()),
            Self::Bool(value) => Replacement::Boolean(value),
            Self::Number(text) => {
                text.parse().map_or_else(|_| Replacement::Float(text.parse().unwrap()), Replacement::Integer)
            }
            Self::Text(text) => Replacement::Text(text.to_owned()),
        }
    }
}

fn values() -> Replacements {
    let table = |table: &[(&str, To)]| {
        table.iter().map(|(from, to)| ((*from).to_owned(), to.replacement())).collect::<Vec<_>>()
    };
    Replacements::compile(VALUES.map(|(key, entries)| (key.to_owned(), table(entries))).to_vec()).unwrap()
}

const GLOBS: [&str; 9] = ["a", "a*", "t*", "*_1", "s*", "b*", "*_b", "x y", "*"];

fn globs() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(&GLOBS[..8], 0..4)
}

pub fn options() -> impl Strategy<Value = Options> {
    let keys = (any::<bool>(), globs(), subsequence(&GLOBS[..], 0..3), globs());
    let include = prop_oneof![3 => Just(vec!["*"]), 1 => globs()];
    let renames =
        vec![("a", "b"), ("t", "a"), ("t_1", "time"), ("s_*", "*"), ("a_*", "x\n*"), ("c", "k=,1\\")];
    let kept = (include, subsequence(&["a_*", "c", "t*"][..], 0..2), subsequence(renames, 0..4));
    let tag = || option::of(select(&KEYS[..]));
    let from_kafka = (tag(), tag(), tag(), vec((select(&KEYS[..]), text()), 0..3));
    let types = vec![
        ("a", FieldType::Float),
        ("a*", FieldType::String),
        ("t*", FieldType::Int),
        ("s*", FieldType::Bool),
        ("b", FieldType::Int),
        ("*_b", FieldType::Bool),
        ("*", FieldType::Float),
    ];
    let types = prop_oneof![2 => Just(Vec::new()), 3 => subsequence(types, 1..5)];
    let flags = any::<[bool; 5]>();
    (keys, kept, from_kafka, flags, types).prop_map(|(keys, kept, from_kafka, flags, types)| Options {
        types,
        values: flags[4],
        name_key: keys.0,
        tag_keys: keys.1,
        string_fields: keys.2,
        number_fields: keys.3,
        include: kept.0,
        exclude: kept.1,
        rename: kept.2,
        integers: flags[0],
        clock: flags[1],
        distinct_times: flags[2],
        strict: flags[3],
        topic_tag: from_kafka.0,
        key_tag: from_kafka.1,
        offset_field: from_kafka.2,
        tags: from_kafka.3.into_iter().map(|(key, text)| (key, text.meaning())).collect(),
    })
}

pub fn origin() -> impl Strategy<Value = Origin> {
    let time = prop_oneof![4 => 0_i64..2_000_000_000_000, 1 => Just(-1_i64), 1 => Just(9_223_372_036_854)];
    // Kafka's names of topics: letters, digits, dots, underscores and hyphens, and never an empty one.
    let topic = prop_oneof![Just("testtopic".to_owned()), "[a-zA-Z0-9._-]{1,12}"];
    let key = option::of(vec(prop_oneof![any::<u8>(), select(&b"a,= \\\n\""[..])], 0..6));
    (topic, 0..1_000_i32, 0..i64::MAX, time, key).prop_map(|(topic, partition, offset, time_ms, key)| {
        Origin { topic, partition, offset, time_ms, key }
    })
}

impl Origin {
    pub fn record<'a>(&'a self, value: &'a [u8]) -> Record<'a> {
        Record {
            partition: self.partition,
            offset: self.offset,
            time: RecordTime::from_kafka_ms(self.time_ms),
            key: self.key.as_deref(),
            value: Some(value),
            headers: &[],
        }
    }
}

impl Options {
    /// The same options without fields that show how the record spells a number.
    pub fn without_spelling(mut self) -> Self {
        self.types.retain(|(_, to)| *to != FieldType::String);
        self
    }

    pub fn rules(&self) -> Rules {
        let globs = |patterns: &[&str]| Globs::compile(patterns).unwrap();
        let owned = |text: &str| text.to_owned();
        let mut rename = Rename::default();
        for (from, to) in &self.rename {
            rename.add(from, to).unwrap();
        }
        let time = TimeRule::new(
            KeySelector::Flattened("clock".to_owned()),
            TimeFormat::parse("unix").unwrap(),
            zone_by_name("UTC").unwrap(),
        );
        Rules {
            name_key: self.name_key.then(|| KeySelector::Flattened("name".to_owned())),
            tag_keys: globs(&self.tag_keys),
            string_fields: globs(&self.string_fields),
            number_fields: globs(&self.number_fields),
            include: globs(&self.include),
            exclude: globs(&self.exclude),
            rename,
            types: KeyTable::compile(self.types.iter().map(|(key, to)| (owned(key), *to)).collect()).unwrap(),
            values: if self.values { values() } else { Replacements::default() },
            integers: if self.integers { Integers::Int } else { Integers::Float },
            time: self.clock.then_some(time),
            distinct_times: if self.distinct_times { DistinctTimes::Kafka } else { DistinctTimes::Never },
            topic_tag: self.topic_tag.map(owned),
            key_tag: self.key_tag.map(owned),
            offset_field: self.offset_field.map(owned),
            tags: self.tags.iter().map(|(key, value)| (owned(key), Template::literal(value))).collect(),
            strict: self.strict,
            ..Rules::default()
        }
    }
}
