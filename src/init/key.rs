//! Statistics of the values of one key in a sample.

use super::names;
use mapping::decode::{Number, Scanner, SyntaxError, Text, Token};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Different strings that are counted; a key with more has "many".
pub const DISTINCT_MAX: usize = 200;
/// Longer strings are cut.
const TEXT_CHARS_MAX: usize = 128;
/// Different strings that are kept of those that are instead of a number.
const NO_VALUES_MAX: usize = 10;
/// Values that are kept of a key with the name of a time.
const TIMES_MAX: usize = 1_000;
/// A 64-bit float rounds larger integers.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// Hashes of different strings that are kept of one key.
const HASHES_MAX: usize = 10_000;
/// Places of a list whose values are compared with those of other lists.
const PLACES_MAX: usize = 1_000;
/// Placeholder for array indexes in patterns.
pub const INDEX: char = '\0';

/// A step from an object to a value in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    Key(String),
    Index,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Number of the object, from 1.
    pub object: u64,
    /// Number of the innermost list.
    pub list: u64,
    pub kafka_ms: Option<i64>,
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
    /// Times of the records' format that have no zone.
    pub local: u64,
    /// Strings that hold an object or an array with numbers as JSON.
    pub json: u64,
    /// Strings instead of a number that was not measured, such as "unavailable".
    pub no_values: u64,
    /// The different ones of these.
    pub no_value_texts: Vec<String>,
    /// Whether the key has the name and the values of a time.
    pub is_time: bool,
    /// Integers that a float would round.
    pub rounded: u64,
    /// Smallest and largest number.
    pub range: Option<(f64, f64)>,
    /// The last number of an object before the present one, and the present one.
    numbers_of_objects: (Option<f64>, Option<f64>),
    /// Objects whose number was not larger than the one before.
    pub falls: u64,
    /// Objects whose number was not the one before.
    pub changes: u64,
    /// Different numbers, as bits of their floats; at most one more than [`DISTINCT_MAX`].
    distinct_numbers: HashSet<u64>,
    /// Strings that stood before in the same list.
    pub repeats_in_lists: u64,
    /// Numbers that stood before in the same list.
    pub numbers_repeated_in_lists: u64,
    /// Values that are not those of the first list at the same place.
    pub different_in_lists: u64,
    /// Most values in one list.
    pub longest_list: usize,
    list: ListValues,
    /// The hashes of the values at each place of a list, in the first list that has the place.
    first_values: Vec<u64>,
    /// Strings of digits alone.
    pub digits: u64,
    /// Strings of digits that a float rounds.
    pub long_digits: u64,
    /// Least and most characters of strings of digits.
    pub digits_length: Option<(usize, usize)>,
    /// Whether a string does not look like a name.
    pub has_prose: bool,
    pub is_distinct_many: bool,
    /// Strings, each with the first object that has it and its number among all strings.
    distinct: HashMap<String, (u64, usize)>,
    /// Hashes of different strings, also of more than [`DISTINCT_MAX`].
    hashes: HashSet<u64>,
    /// Text of the values, and Kafka timestamp of their record in milliseconds.
    pub times: Vec<(String, Option<i64>)>,
    /// The objects that have these values.
    pub time_objects: Vec<u64>,
}

/// The values of the present list.
#[derive(Clone, Debug, Default)]
struct ListValues {
    number: u64,
    count: usize,
    hashes: HashSet<u64>,
}

impl Key {
    pub fn new(pattern: String, segments: &[Segment]) -> Self {
        Self { pattern, segments: segments.to_vec(), ..Self::default() }
    }

    /// A key whose values are the names of members, instead of values in the records.
    pub fn of_names<'n>(name: &str, names: impl IntoIterator<Item = (&'n str, u64)>) -> Self {
        let mut key = Self::new(name.to_owned(), &[Segment::Key(name.to_owned())]);
        for (name, objects) in names {
            key.objects += objects;
            key.texts += objects;
            if key.times.len() < TIMES_MAX {
                key.times.push((name.to_owned(), None));
            }
            if key.distinct.len() < DISTINCT_MAX {
                key.distinct.insert(name.to_owned(), (key.objects, key.distinct.len()));
            } else {
                key.is_distinct_many = true;
            }
        }
        key
    }

    /// The same values under another path.
    pub fn within(&self, segments: &[Segment]) -> Self {
        Self { segments: segments.to_vec(), ..self.clone() }
    }

    /// Number of values, except null.
    pub fn values_count(&self) -> u64 {
        self.numbers() + self.strings() + self.empty + self.booleans
    }

    /// Whether the values stand directly in an array.
    pub fn is_item(&self) -> bool {
        self.segments.last() == Some(&Segment::Index)
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

    /// Number of different strings, up to [`HASHES_MAX`].
    pub fn different(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// Whether a string occurs again.
    pub fn repeats(&self) -> bool {
        self.different() < self.strings().min(HASHES_MAX as u64)
    }

    /// Whether the numbers are small consecutive ones that take turns from object to object, as the numbers of equal parts do.
    pub fn takes_turns(&self) -> bool {
        const PARTS_MAX: u64 = 64;
        let distinct = self.distinct_numbers().unwrap_or(usize::MAX) as u64;
        let has_no_gap =
            |(least, most): (f64, f64)| least >= 0.0 && most - least + 1.0 - (distinct as f64) < 0.5;
        (2..=PARTS_MAX).contains(&distinct)
            && self.range.is_some_and(has_no_gap)
            && distinct * 3 <= self.numbers()
            && self.changes * 2 >= self.objects
    }

    /// Strings in order of appearance.
    pub fn values(&self) -> Vec<&str> {
        let mut values: Vec<(&(u64, usize), &String)> =
            self.distinct.iter().map(|(text, at)| (at, text)).collect();
        values.sort();
        values.into_iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Number of strings that first appeared in the second half of the objects.
    pub fn late(&self, objects: u64) -> usize {
        self.distinct.values().filter(|(first, _)| *first > objects / 2).count()
    }

    /// Number of different numbers; none for "many".
    pub fn distinct_numbers(&self) -> Option<usize> {
        (self.distinct_numbers.len() <= DISTINCT_MAX).then_some(self.distinct_numbers.len())
    }

    /// Adds a value.
    pub fn add(&mut self, token: Token<'_>, of: Origin, is_time: bool) {
        let Origin { object, list, kafka_ms } = of;
        if self.last_object != object {
            self.last_object = object;
            self.objects += 1;
            self.numbers_of_objects = (self.numbers_of_objects.1.or(self.numbers_of_objects.0), None);
        }
        match token {
            Token::Null | Token::NotFinite | Token::Binary => self.nulls += 1,
            Token::True | Token::False => self.booleans += 1,
            Token::Number(number) => {
                self.number(number, list);
                if is_time {
                    self.time(&String::from_utf8_lossy(number.text()), kafka_ms);
                }
            }
            Token::Text(text) => {
                self.text(text, object, list);
                if is_time {
                    self.time(&text.to_string_lossy(), kafka_ms);
                }
            }
            Token::Object | Token::Array => {}
        }
    }

    fn number(&mut self, number: Number<'_>, list: u64) {
        let value = number.as_f64();
        if number.is_integer() {
            self.whole += 1;
            self.rounded += u64::from(value.abs() >= EXACT_MAX);
        } else {
            self.fractions += 1;
        }
        let (before, present) = &mut self.numbers_of_objects;
        if present.is_none() {
            self.falls += u64::from(before.is_some_and(|before| value <= before));
            self.changes += u64::from(before.is_some_and(|before| value.to_bits() != before.to_bits()));
            *present = Some(value);
        }
        // The items of a list of numbers identify nothing.
        if !self.is_item() {
            self.numbers_repeated_in_lists += u64::from(!self.in_list(hash_of(&value.to_bits()), list));
        }
        if self.distinct_numbers.len() <= DISTINCT_MAX {
            self.distinct_numbers.insert(value.to_bits());
        }
        // The first value is minimum and maximum.
        let (least, most) = self.range.unwrap_or((value, value));
        self.range = Some((least.min(value), most.max(value)));
    }

    fn text(&mut self, text: Text<'_>, object: u64, list: u64) {
        if text.raw().is_empty() {
            self.empty += 1;
            return;
        }
        let text = text.to_string_lossy();
        self.json += u64::from(holds_numbers(text.as_bytes()));
        if Number::whole(text.as_bytes()).is_some() {
            self.quoted += 1;
            self.add_digits(&text);
        } else {
            self.texts += 1;
            self.has_prose |= !is_label(&text);
            self.add_no_value(&text);
        }
        let cut: String = text.chars().take(TEXT_CHARS_MAX).collect();
        let hash = hash_of(&cut);
        self.repeats_in_lists += u64::from(!self.in_list(hash, list));
        if self.hashes.len() < HASHES_MAX {
            self.hashes.insert(hash);
        }
        if self.is_distinct_many {
            return;
        }
        if self.distinct.len() == DISTINCT_MAX && !self.distinct.contains_key(&cut) {
            self.is_distinct_many = true;
            self.distinct = HashMap::new();
        } else {
            let number = self.distinct.len();
            self.distinct.entry(cut).or_insert((object, number));
        }
    }

    /// Adds a value of a list. Returns whether it is new in the list.
    fn in_list(&mut self, value: u64, list: u64) -> bool {
        if self.list.number != list {
            self.list.number = list;
            self.list.count = 0;
            self.list.hashes.clear();
        }
        match self.first_values.get(self.list.count) {
            Some(first) => self.different_in_lists += u64::from(*first != value),
            None if self.first_values.len() < PLACES_MAX => self.first_values.push(value),
            None => {}
        }
        self.list.count += 1;
        self.longest_list = self.longest_list.max(self.list.count);
        self.list.hashes.insert(value)
    }

    fn add_digits(&mut self, text: &str) {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            self.digits += 1;
            self.long_digits += u64::from(text.parse::<f64>().is_ok_and(|value| value >= EXACT_MAX));
            let length = text.len();
            let (least, most) = self.digits_length.unwrap_or((length, length));
            self.digits_length = Some((least.min(length), most.max(length)));
        }
    }

    fn add_no_value(&mut self, text: &str) {
        let is_new =
            |known: &Vec<String>| known.len() < NO_VALUES_MAX && known.iter().all(|known| known != text);
        if names::is_no_value(text) {
            self.no_values += 1;
            if is_new(&self.no_value_texts) {
                self.no_value_texts.push(text.to_owned());
            }
        }
    }

    fn time(&mut self, text: &str, kafka_ms: Option<i64>) {
        if self.times.len() < TIMES_MAX {
            self.time_objects.push(self.last_object);
            self.times.push((text.chars().take(TEXT_CHARS_MAX).collect(), kafka_ms));
        }
    }
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Reads a value; returns whether it is or has a number.
fn has_numbers(scanner: &mut Scanner<'_>, depth: usize) -> Result<bool, SyntaxError> {
    let token = scanner.value()?;
    scanner.check_depth(token, depth)?;
    let (mut found, mut first) = (matches!(token, Token::Number(_)), true);
    match token {
        Token::Object => {
            while scanner.key(first)?.is_some() {
                first = false;
                found |= has_numbers(scanner, depth + 1)?;
            }
        }
        Token::Array => {
            while scanner.element(first)? {
                first = false;
                found |= has_numbers(scanner, depth + 1)?;
            }
        }
        _ => {}
    }
    Ok(found)
}

/// Whether a text is a JSON object or array with a number.
fn holds_numbers(text: &[u8]) -> bool {
    if !matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return false;
    }
    let mut scanner = Scanner::new(text);
    let found = has_numbers(&mut scanner, 0).and_then(|found| scanner.end().map(|()| found));
    found.unwrap_or(false)
}

/// Whether a string looks like a name: short, few words, no URL with a path.
fn is_label(text: &str) -> bool {
    const CHARS_MAX: usize = 64;
    const WORDS_MAX: usize = 3;
    // Paths of metrics are long words.
    let is_short = !text.contains(char::is_whitespace) || text.chars().count() <= CHARS_MAX;
    is_short
        && text.chars().count() <= TEXT_CHARS_MAX
        && text.split_whitespace().count() <= WORDS_MAX
        && !text.contains(char::is_control)
        && !text.split_once("://").is_some_and(|(_, address)| address.contains('/'))
        && !text.contains('<')
}
