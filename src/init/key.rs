//! What a sample shows of the values under one key.

use mapping::decode::{Number, Text, Token};
use std::collections::HashMap;

/// Different strings of a key that are remembered; with more it has "many".
pub const DISTINCT_MAX: usize = 200;
/// Characters of a string that are remembered.
const TEXT_CHARS_MAX: usize = 128;
/// Values of a key with a time's name that are remembered.
const TIMES_MAX: usize = 1_000;
/// Whole numbers beyond this are rounded as 64-bit floating point numbers.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// Stands in a pattern for the indexes of an array.
pub const INDEX: char = '\0';

/// A step from an object to a value in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    Key(String),
    Index,
}

/// A key, flattened; those of an array's elements count as one.
#[derive(Clone, Debug, Default)]
pub struct Key {
    /// Flattened, with [`INDEX`] where an index stands.
    pub pattern: String,
    pub segments: Vec<Segment>,
    /// Objects in which it is there, even if only as null.
    pub objects: u64,
    /// The object that it was last seen in, from 1.
    last_object: u64,
    pub whole: u64,
    pub fractions: u64,
    /// Strings that are numbers.
    pub quoted: u64,
    /// Other strings that are not empty.
    pub texts: u64,
    pub empty: u64,
    pub booleans: u64,
    pub nulls: u64,
    /// Whole numbers that a float would round.
    pub is_rounded: bool,
    /// Smallest and largest number.
    pub range: Option<(f64, f64)>,
    /// Whether a string does not look like a name of something.
    pub has_prose: bool,
    pub is_distinct_many: bool,
    /// The strings, and the object in which each was first.
    distinct: HashMap<String, u64>,
    /// Values as they are written, with the time that Kafka holds for their record, in milliseconds.
    pub times: Vec<(String, Option<i64>)>,
}

impl Key {
    pub fn new(pattern: String, segments: &[Segment]) -> Self {
        Self { pattern, segments: segments.to_vec(), ..Self::default() }
    }

    /// The last key on the way, without indexes.
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

    /// How many different strings; none: many.
    pub fn distinct(&self) -> Option<usize> {
        (!self.is_distinct_many).then_some(self.distinct.len())
    }

    /// The strings, in the order in which they came.
    pub fn values(&self) -> Vec<&str> {
        let mut values: Vec<(&u64, &String)> = self.distinct.iter().map(|(text, at)| (at, text)).collect();
        values.sort();
        values.into_iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Strings that came first in the second half of so many objects.
    pub fn late(&self, objects: u64) -> usize {
        self.distinct.values().filter(|&&first| first > objects / 2).count()
    }

    /// Takes a value of the object with this number.
    pub fn take(&mut self, token: Token<'_>, object: u64, kafka_ms: Option<i64>, is_time: bool) {
        if self.last_object != object {
            self.last_object = object;
            self.objects += 1;
        }
        match token {
            Token::Null => self.nulls += 1,
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
        // The first value is both.
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

/// Whether a string looks like the name of something: short, few words, no address.
fn is_label(text: &str) -> bool {
    const CHARS_MAX: usize = 64;
    const WORDS_MAX: usize = 3;
    text.chars().count() <= CHARS_MAX
        && text.split_whitespace().count() <= WORDS_MAX
        && !text.contains(char::is_control)
        && !text.contains("://")
        && !text.contains('<')
}
