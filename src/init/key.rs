//! Statistics of the values of one key in a sample.

use mapping::decode::{Number, Text, Token};
use std::collections::HashMap;

/// Different strings that are counted; a key with more has "many".
pub const DISTINCT_MAX: usize = 200;
/// Longer strings are cut.
const TEXT_CHARS_MAX: usize = 128;
/// Values that are kept of a key with the name of a time.
const TIMES_MAX: usize = 1_000;
/// A 64-bit float rounds larger integers.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// Placeholder for array indexes in patterns.
pub const INDEX: char = '\0';

/// A step from an object to a value in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    Key(String),
    Index,
}

/// A flattened key. Keys that differ only in array indexes are one key.
#[derive(Clone, Debug, Default)]
pub struct Key {
    /// Flattened key, with [`INDEX`] for indexes.
    pub pattern: String,
    pub segments: Vec<Segment>,
    /// Objects with this key, including null values.
    pub objects: u64,
    /// Number of the last object with this key, from 1.
    last_object: u64,
    pub whole: u64,
    pub fractions: u64,
    /// Strings with a number.
    pub quoted: u64,
    /// Other strings that are not empty.
    pub texts: u64,
    pub empty: u64,
    pub booleans: u64,
    pub nulls: u64,
    /// Numbers that are times of the records' format.
    pub timestamps: u64,
    /// Whether such a time has no zone.
    pub is_local: bool,
    /// Whether a float would round an integer.
    pub is_rounded: bool,
    /// Smallest and largest number.
    pub range: Option<(f64, f64)>,
    /// Whether a string does not look like a name.
    pub has_prose: bool,
    pub is_distinct_many: bool,
    /// Strings, and the first object with each.
    distinct: HashMap<String, u64>,
    /// Text of the values, and Kafka timestamp of their record in milliseconds.
    pub times: Vec<(String, Option<i64>)>,
}

impl Key {
    pub fn new(pattern: String, segments: &[Segment]) -> Self {
        Self { pattern, segments: segments.to_vec(), ..Self::default() }
    }

    /// The last key of the path, ignoring indexes.
    pub fn name(&self) -> &str {
        let key = |segment: &'_ Segment| matches!(segment, Segment::Key(_));
        match self.segments.iter().rev().find(|segment| key(segment)) {
            Some(Segment::Key(name)) => name,
            _ => "",
        }
    }

    pub fn is_indexed(&self) -> bool {
        self.segments.contains(&Segment::Index)
    }

    pub fn numbers(&self) -> u64 {
        self.whole + self.fractions
    }

    pub fn strings(&self) -> u64 {
        self.texts + self.quoted
    }

    /// Number of different strings; none for "many".
    pub fn distinct(&self) -> Option<usize> {
        (!self.is_distinct_many).then_some(self.distinct.len())
    }

    /// Strings in order of appearance.
    pub fn values(&self) -> Vec<&str> {
        let mut values: Vec<(&u64, &String)> = self.distinct.iter().map(|(text, at)| (at, text)).collect();
        values.sort();
        values.into_iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Number of strings that first appeared in the second half of the objects.
    pub fn late(&self, objects: u64) -> usize {
        self.distinct.values().filter(|&&first| first > objects / 2).count()
    }

    /// Adds a value of the object with this number.
    pub fn add(&mut self, token: Token<'_>, object: u64, kafka_ms: Option<i64>, is_time: bool) {
        if self.last_object != object {
            self.last_object = object;
            self.objects += 1;
        }
        match token {
            Token::Null | Token::NotFinite => self.nulls += 1,
            Token::True | Token::False => self.booleans += 1,
            Token::Number(number) => {
                self.number(number);
                if is_time {
                    self.time(&String::from_utf8_lossy(number.text()), kafka_ms);
                }
            }
            Token::Text(text) => {
                self.text(text, object);
                if is_time {
                    self.time(&text.to_string_lossy(), kafka_ms);
                }
            }
            Token::Object | Token::Array => {}
        }
    }

    fn number(&mut self, number: Number<'_>) {
        let value = number.as_f64();
        if number.is_integer() {
            self.whole += 1;
            self.is_rounded |= value.abs() >= EXACT_MAX;
        } else {
            self.fractions += 1;
        }
        // The first value is minimum and maximum.
        let (least, most) = self.range.unwrap_or((value, value));
        self.range = Some((least.min(value), most.max(value)));
    }

    fn text(&mut self, text: Text<'_>, object: u64) {
        if text.raw().is_empty() {
            self.empty += 1;
            return;
        }
        let text = text.to_string_lossy();
        if Number::whole(text.as_bytes()).is_some() {
            self.quoted += 1;
        } else {
            self.texts += 1;
            self.has_prose |= !is_label(&text);
        }
        if self.is_distinct_many {
            return;
        }
        let cut: String = text.chars().take(TEXT_CHARS_MAX).collect();
        if self.distinct.len() == DISTINCT_MAX && !self.distinct.contains_key(&cut) {
            self.is_distinct_many = true;
            self.distinct = HashMap::new();
        } else {
            self.distinct.entry(cut).or_insert(object);
        }
    }

    fn time(&mut self, text: &str, kafka_ms: Option<i64>) {
        if self.times.len() < TIMES_MAX {
            self.times.push((text.chars().take(TEXT_CHARS_MAX).collect(), kafka_ms));
        }
    }
}

/// Whether a string looks like a name: short, few words, no URL.
fn is_label(text: &str) -> bool {
    const CHARS_MAX: usize = 64;
    const WORDS_MAX: usize = 3;
    text.chars().count() <= CHARS_MAX
        && text.split_whitespace().count() <= WORDS_MAX
        && !text.contains(char::is_control)
        && !text.contains("://")
        && !text.contains('<')
}
