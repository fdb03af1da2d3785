//! Flattens the objects of a sample as the mapper does, and collects statistics of their keys.

use super::key::{INDEX, Key, Segment};
use super::shape::path_of;
use super::{SampledRecord, Shape, names};
use mapping::TimeMark;
use mapping::decode::{Query, Scanner, SyntaxError, Token};
use std::collections::HashMap;

/// Bound for samples that use values as keys.
pub const KEYS_MAX: usize = 2_000;

/// Statistics of the objects of a sample.
#[derive(Debug, Default)]
pub struct Observation {
    /// Objects that would become points.
    pub objects: u64,
    /// Records with at least one object.
    pub records: u64,
    /// Values that should be objects and are not.
    pub others: u64,
    /// Keys in order of appearance.
    pub keys: Vec<Key>,
    pub has_more_keys: bool,
    pub arrays: Vec<ArrayKey>,
    places: HashMap<String, usize>,
}

/// An array under a key, outside of other arrays.
#[derive(Clone, Debug)]
pub struct ArrayKey {
    pub pattern: String,
    pub segments: Vec<Segment>,
    /// Number of occurrences.
    pub count: u64,
    /// Number of elements that are objects, in all occurrences.
    pub objects: u64,
    /// Number of other elements.
    pub others: u64,
    pub longest: usize,
}

impl Observation {
    /// Observes the objects of records in this shape.
    pub fn of<'r>(records: impl IntoIterator<Item = &'r SampledRecord>, shape: &Shape) -> Self {
        let mut seen = Self::default();
        for record in records {
            let before = seen.objects;
            let (value, kafka_ms) = (record.value.as_deref().unwrap_or_default(), record.time_ms);
            let mut others = 0;
            // An invalid record is rejected, but the part before the error still shows keys.
            let _rejected = shape.each(value, &mut |scanner, times| match scanner.value()? {
                Token::Object => {
                    seen.objects += 1;
                    let segments = Vec::new();
                    Flattener { seen: &mut seen, segments, kafka_ms, times }.object(scanner, 0)
                }
                token => {
                    others += 1;
                    scanner.skip_rest(token, 0)
                }
            });
            seen.others += others;
            seen.records += u64::from(seen.objects > before);
        }
        seen
    }

    /// The array that contains all numbers of the records, if there is one.
    pub fn points_array(&self, whole: &Shape) -> Option<(Shape, ArrayKey)> {
        let has_points = |array: &&ArrayKey| array.objects > 0 && array.others == 0;
        let [array] = self.arrays.iter().filter(has_points).collect::<Vec<_>>()[..] else { return None };
        let within = format!("{}_{}", array.pattern, INDEX);
        let has_numbers = |key: &&Key| key.numbers() + key.quoted > 0;
        let numbers = || self.keys.iter().filter(has_numbers);
        let is_beside = |key: &Key| {
            !key.pattern.starts_with(&within)
                && !names::is_time(key.name())
                && !names::is_identifier(key.name())
        };
        let all_inside = numbers().any(|key| key.pattern.starts_with(&within)) && !numbers().any(is_beside);
        let nearly_always = array.count * 10 >= self.objects * 9;
        let text = path_of(&array.segments)? + "[*]";
        let query = Query::parse(&text).ok()?;
        (all_inside && nearly_always)
            .then(|| (Shape { query: Some((text, query)), ..whole.clone() }, array.clone()))
    }

    pub fn key(&self, pattern: &str) -> Option<&Key> {
        self.places.get(pattern).and_then(|&place| self.keys.get(place))
    }

    fn key_mut(&mut self, pattern: String, segments: &[Segment]) -> Option<&mut Key> {
        let place = match self.places.get(&pattern) {
            Some(&place) => place,
            None if self.keys.len() == KEYS_MAX => {
                self.has_more_keys = true;
                return None;
            }
            None => {
                self.keys.push(Key::new(pattern.clone(), segments));
                self.places.insert(pattern, self.keys.len() - 1);
                self.keys.len() - 1
            }
        };
        self.keys.get_mut(place)
    }

    fn array(&mut self, pattern: &str, segments: &[Segment], objects: u64, others: u64) {
        let longest = (objects + others) as usize;
        if let Some(known) = self.arrays.iter_mut().find(|array| array.pattern == pattern) {
            known.count += 1;
            known.objects += objects;
            known.others += others;
            known.longest = known.longest.max(longest);
        } else if self.arrays.len() < KEYS_MAX {
            let (pattern, segments) = (pattern.to_owned(), segments.to_vec());
            self.arrays.push(ArrayKey { pattern, segments, count: 1, objects, others, longest });
        }
    }
}

struct Flattener<'o> {
    seen: &'o mut Observation,
    segments: Vec<Segment>,
    kafka_ms: Option<i64>,
    /// Times of the record's format.
    times: &'o [TimeMark],
}

impl Flattener<'_> {
    fn object(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Result<(), SyntaxError> {
        let mut first = true;
        while let Some(key) = scanner.key(first)? {
            first = false;
            self.segments.push(Segment::Key(key.to_string_lossy().replace(INDEX, "\u{FFFD}")));
            self.member(scanner, depth + 1)?;
            self.segments.pop();
        }
        Ok(())
    }

    fn array(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Result<(), SyntaxError> {
        let (mut objects, mut others, mut first) = (0, 0, true);
        self.segments.push(Segment::Index);
        while scanner.element(first)? {
            first = false;
            let count = if self.member(scanner, depth + 1)? { &mut objects } else { &mut others };
            *count += 1;
        }
        self.segments.pop();
        if !self.segments.contains(&Segment::Index) {
            self.seen.array(&pattern(&self.segments), &self.segments, objects, others);
        }
        Ok(())
    }

    /// Reads a value; returns whether it is an object.
    fn member(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Result<bool, SyntaxError> {
        let mark = TimeMark::find(self.times, scanner.position());
        let token = scanner.value()?;
        scanner.check_depth(token, depth)?;
        match token {
            Token::Object => self.object(scanner, depth)?,
            Token::Array => self.array(scanner, depth)?,
            scalar => {
                let (object, kafka_ms) = (self.seen.objects, self.kafka_ms);
                if let Some(key) = self.seen.key_mut(pattern(&self.segments), &self.segments) {
                    let is_time = mark.is_none() && !key.is_indexed() && names::is_time(key.name());
                    key.add(scalar, object, kafka_ms, is_time);
                    key.timestamps += u64::from(mark.is_some());
                    key.is_local |= mark.is_some_and(|mark| mark.is_local);
                }
            }
        }
        Ok(token == Token::Object)
    }
}

/// Joins keys with "_", as the mapper does.
pub fn pattern(segments: &[Segment]) -> String {
    let mut pattern = String::new();
    for (place, segment) in segments.iter().enumerate() {
        if place > 0 {
            pattern.push('_');
        }
        match segment {
            Segment::Key(key) => pattern.push_str(key),
            Segment::Index => pattern.push(INDEX),
        }
    }
    pattern
}
