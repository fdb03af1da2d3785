//! The values that one pass over an element found, as positions in the record's bytes.

use super::interned_keys::{InternedKeys, KeyId};
use super::rejection::Drop;
use crate::decode::{Number, Text, Token};

/// The values of one element. The buffer is reused from element to element.
#[derive(Debug, Default)]
pub struct Element {
    /// Number of this element; marks with another number belong to earlier elements.
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
    /// The earlier entry with the same final key.
    pub before: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// The value will be written.
    Active,
    /// A later value has the same final key, and may itself be taken back.
    Replaced,
    /// The same key came again in the same object.
    TakenBack,
}

#[derive(Clone, Copy, Debug)]
pub enum Place {
    Tag(KeyId),
    Field(KeyId),
}

/// A scalar value, as a range of the record's bytes.
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
    /// A number written with the suffix `i`.
    Integer,
    /// Text in UTF-8 without escapes.
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

    /// Adds a value under its final key. Returns whether the value replaces an earlier one.
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
        self.entries.push(Entry { place, scalar, state: State::Active, before });
        replaces
    }

    /// Takes a value back and restores the value that it replaced. Returns whether it was active.
    pub fn take_back(&mut self, at: usize, tags: &mut InternedKeys, fields: &mut InternedKeys) -> bool {
        let Some(entry) = self.entries.get_mut(at) else { return false };
        let was_active = std::mem::replace(&mut entry.state, State::TakenBack) == State::Active;
        if was_active {
            let entry = *entry;
            let (table, key) = entry.place.in_tables(tags, fields);
            table.release(key);
            let mut before = entry.before;
            while let Some((at, earlier)) = before.and_then(|at| Some((at, self.entries.get_mut(at)?))) {
                if earlier.state == State::Replaced {
                    earlier.state = State::Active;
                    table.claim(key, self.generation, at);
                    break;
                }
                before = earlier.before;
            }
        }
        was_active
    }

    pub fn has_fields(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.state == State::Active && matches!(entry.place, Place::Field(_)))
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
    /// The scalar `token`, which ends at `end`; none for null, objects and arrays.
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
        // Records and their JSON text are smaller than 4 GB.
        Some(Self { kind, start: (end - length) as u32, end: end as u32 })
    }

    /// The number that a string holds, if it holds one.
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

    /// The bytes of the value in its record.
    #[expect(
        clippy::indexing_slicing,
        reason = "a fact of our own code: a value must not become empty silently"
    )]
    pub fn raw<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        &record[self.start as usize..self.end as usize]
    }

    /// The decoded value. `scratch` is used where the value has escapes.
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

/// Numbers of dropped or changed values, by reason.
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
