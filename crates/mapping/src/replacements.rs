//! `values`: texts and booleans that become other values before anything else is made of them.

use super::globs::GlobError;
use super::key_table::KeyTable;
use super::scalar::Scalar;
use crate::decode::{Scanner, Source, Token};
use crate::formats::JsonText;
use std::ops::Range;

/// The replacements of a mapping, by the keys of the values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replacements {
    tables: KeyTable<Table>,
    /// JSON text of all values that replace others.
    json: Vec<u8>,
}

/// The replaced texts in order, each with the place of its replacement in the JSON text; none where the value is left out.
type Table = Vec<(String, Option<Range<usize>>)>;

/// A value that replaces another one, as if it stood in the record.
#[derive(Clone, Debug, PartialEq)]
pub enum Replacement {
    Boolean(bool),
    Integer(i64),
    /// A finite number.
    Float(f64),
    /// An empty text leaves the value out.
    Text(String),
}

/// A value after its replacement.
#[derive(Clone, Copy, Debug)]
pub enum Replaced<'r> {
    Unchanged,
    LeftOut,
    By(Token<'r>, Scalar),
}

impl Replacements {
    /// Each entry has a flattened key or glob, and the texts under it with their replacements.
    ///
    /// # Errors
    /// Reports the first key that is not a glob.
    pub fn compile(entries: Vec<(String, Vec<(String, Replacement)>)>) -> Result<Self, GlobError> {
        let mut text = JsonText::default();
        let mut place = |(from, to): (String, Replacement)| {
            let start = text.bytes.len();
            match to {
                Replacement::Boolean(value) => text.push(if value { b"true" } else { b"false" }),
                Replacement::Integer(value) => text.push_integer(value),
                Replacement::Float(value) => text.push(zmij::Buffer::new().format_finite(value).as_bytes()),
                Replacement::Text(value) if value.is_empty() => return (from, None),
                Replacement::Text(value) => {
                    text.push(b"\"");
                    text.push_escaped(value.as_bytes());
                    text.push(b"\"");
                }
            }
            (from, Some(start..text.bytes.len()))
        };
        let mut table = |mut entries: Vec<(String, Replacement)>| -> Table {
            entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            entries.into_iter().map(&mut place).collect()
        };
        let entries = entries.into_iter().map(|(key, entries)| (key, table(entries))).collect();
        Ok(Self { tables: KeyTable::compile(entries)?, json: text.bytes })
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The names and globs as written.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.tables.entries().map(|(pattern, _)| pattern)
    }

    /// Indices of two globs of one length with different replacements that can match the same key.
    #[must_use]
    pub fn tie(&self) -> Option<(usize, usize)> {
        self.tables.tie()
    }

    /// The keys with their replacements.
    pub(crate) fn tables(&self) -> &KeyTable<Table> {
        &self.tables
    }

    /// The text that the replacing scalars are ranges of.
    pub(crate) fn json(&self) -> &[u8] {
        &self.json
    }

    /// The replacement of a value under a key of this table.
    pub(crate) fn replace<'r>(
        &'r self,
        table: usize,
        token: Token<'_>,
        scratch: &mut Vec<u8>,
    ) -> Replaced<'r> {
        let text = match &token {
            Token::True => b"true",
            Token::False => &b"false"[..],
            Token::Text(text) => text.decode(scratch),
            _ => return Replaced::Unchanged,
        };
        let table = self.tables.value_at(table).map_or(&[][..], Vec::as_slice);
        let place = table.binary_search_by(|(from, _)| from.as_bytes().cmp(text));
        let Some((_, to)) = place.ok().and_then(|place| table.get(place)) else { return Replaced::Unchanged };
        let Some(range) = to else { return Replaced::LeftOut };
        let mut scanner = Scanner::of_source(&self.json, true, Source::Values).within(range.start, range.end);
        let token = scanner.value();
        let scalar = token
            .ok()
            .and_then(|token| Scalar::of(token, Source::Values, range.end).map(|scalar| (token, scalar)));
        assert!(scalar.is_some(), "the text of a replacement is a JSON scalar");
        scalar.map_or(Replaced::Unchanged, |(token, scalar)| Replaced::By(token, scalar))
    }
}
