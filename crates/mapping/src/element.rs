//! What one pass over an element found: values with their places in the record's bytes, not yet written.

use super::interned_keys::{InternedKeys, KeyId};
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
    pub state: State,
    /// The entry that had its final key before.
    pub before: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// It will be written.
    Stands,
    /// A later value has its final key, and may be taken back.
    Replaced,
    /// Its key came again in the same object.
    TakenBack,
}

#[derive(Clone, Copy, Debug)]
pub enum Place {
    Tag(KeyId),
    Field(KeyId),
}

/// A scalar value, as a place in the record's bytes.
#[derive(Clone, Copy, Debug)]
pub struct Scalar {
    pub kind: Kind,
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
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

    /// Adds a value under its final key. Returns whether it replaces an earlier one.
    pub fn put(
        &mut self,
        place: Place,
        scalar: Scalar,
        tags: &mut InternedKeys,
        fields: &mut InternedKeys,
    ) -> bool {
        let (table, key) = place.in_tables(tags, fields);
        let before = table.claim(key, self.generation, self.entries.len());
        let earlier = before.and_then(|at| self.entries.get_mut(at));
        let replaces = earlier.is_some();
        if let Some(earlier) = earlier {
            earlier.state = State::Replaced;
        }
        self.entries.push(Entry { place, scalar, state: State::Stands, before });
        replaces
    }

    /// Takes a value back; the one that it had replaced stands again. Returns whether it stood.
    pub fn take_back(&mut self, at: usize, tags: &mut InternedKeys, fields: &mut InternedKeys) -> bool {
        let Some(entry) = self.entries.get_mut(at) else { return false };
        let stood = std::mem::replace(&mut entry.state, State::TakenBack) == State::Stands;
        if stood {
            let entry = *entry;
            let (table, key) = entry.place.in_tables(tags, fields);
            table.release(key);
            let mut before = entry.before;
            while let Some((at, earlier)) = before.and_then(|at| Some((at, self.entries.get_mut(at)?))) {
                if earlier.state == State::Replaced {
                    earlier.state = State::Stands;
                    table.claim(key, self.generation, at);
                    break;
                }
                before = earlier.before;
            }
        }
        stood
    }

    pub fn has_fields(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.state == State::Stands && matches!(entry.place, Place::Field(_)))
    }
}

impl Place {
    fn in_tables<'f>(
        self,
        tags: &'f mut InternedKeys,
        fields: &'f mut InternedKeys,
    ) -> (&'f mut InternedKeys, KeyId) {
        match self {
            Self::Tag(key) => (tags, key),
            Self::Field(key) => (fields, key),
        }
    }
}

impl Scalar {
    /// The scalar that `token` is and that ends at `end`; none for null, objects and arrays.
    pub fn of(token: Token<'_>, end: usize) -> Option<Self> {
        let (kind, length, quote) = match token {
            Token::True => (Kind::True, 4, 0),
            Token::False => (Kind::False, 5, 0),
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

    /// The bytes of the value in the record that it was read from.
    #[expect(
        clippy::indexing_slicing,
        reason = "a fact of our own code: a value must not become empty silently"
    )]
    pub fn raw<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        &record[self.start as usize..self.end as usize]
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

    pub fn add_all(&mut self, others: &Self) {
        for (count, other) in self.0.iter_mut().zip(others.0) {
            *count += other;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Drop, u64)> + '_ {
        Drop::ALL.into_iter().zip(self.0).filter(|&(_, count)| count > 0)
    }

    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}
