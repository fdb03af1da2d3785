//! What one pass over an element found: values with their places in the record's bytes, not yet written.

use super::finals::FinalId;
use super::rejection::Drop;
use crate::decode::{Number, Text, Token};

/// The values of one element, kept from element to element for its memory.
#[derive(Debug, Default)]
pub struct Element {
    /// Tells this element's marks from those of all before.
    pub generation: u64,
    pub entries: Vec<Entry>,
    pub name: Option<Scalar>,
    pub time: Option<Scalar>,
}

/// A value that becomes a tag or a field.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub place: Place,
    pub scalar: Scalar,
    /// False once a later value took its place.
    pub alive: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Place {
    Tag(FinalId),
    Field(FinalId),
}

/// A scalar value, as a place in the record's bytes.
#[derive(Clone, Copy, Debug)]
pub struct Scalar {
    pub kind: Kind,
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    True,
    False,
    Number,
    /// A number that is written with InfluxDB's `i`.
    Integer,
    /// UTF-8 without escapes.
    Plain,
    Escaped,
}

impl Element {
    pub fn begin(&mut self) {
        self.generation += 1;
        self.entries.clear();
        self.name = None;
        self.time = None;
    }

    pub fn has_fields(&self) -> bool {
        self.entries.iter().any(|entry| entry.alive && matches!(entry.place, Place::Field(_)))
    }
}

impl Scalar {
    /// The scalar that `token` is and that ends at `end`; none for null, objects and arrays.
    pub fn of(token: Token<'_>, end: usize) -> Option<Self> {
        let (kind, length, quote) = match token {
            Token::Bool(true) => (Kind::True, 4, 0),
            Token::Bool(false) => (Kind::False, 5, 0),
            Token::Number(number) => (Kind::Number, number.text().len(), 0),
            Token::Text(text) if text.is_plain() => (Kind::Plain, text.raw().len(), 1),
            Token::Text(text) => (Kind::Escaped, text.raw().len(), 1),
            Token::Null | Token::Object | Token::Array => return None,
        };
        let end = end - quote;
        // Kafka's records are smaller than 2 GB.
        Some(Self { kind, start: (end - length) as u32, end: end as u32 })
    }

    /// The number within a string, if it is one.
    pub fn unquoted(self, text: Text<'_>) -> Option<Self> {
        let number = Number::whole(text.raw())?;
        let before = text.raw().len() - text.raw().trim_ascii_start().len();
        let start = self.start + before as u32;
        Some(Self { kind: Kind::Number, start, end: start + number.text().len() as u32 })
    }

    pub fn with_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    pub fn start(&self) -> usize {
        self.start as usize
    }

    /// As written.
    pub fn raw<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        record.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// What it means. `scratch` is used where that differs from what is written.
    pub fn decode<'s>(&self, record: &'s [u8], scratch: &'s mut Vec<u8>) -> &'s [u8] {
        Text::new(self.raw(record), self.kind != Kind::Escaped).decode(scratch)
    }

    pub fn is_empty_text(&self) -> bool {
        self.is_text() && self.start == self.end
    }

    pub fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Plain | Kind::Escaped)
    }
}

/// How many values were dropped or changed, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops([u64; Drop::ALL.len()]);

impl Drops {
    pub fn add(&mut self, drop: Drop) {
        if let Some(count) = self.0.get_mut(drop as usize) {
            *count += 1;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Drop, u64)> + '_ {
        Drop::ALL.into_iter().zip(self.0).filter(|&(_, count)| count > 0)
    }

    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}
