//! JSON text that a format makes of a record's value.

use super::csv;
use crate::FIRST_DROPS_MAX;
use crate::decode::{DEPTH_MAX, Syntax, SyntaxError};
use crate::element::Drops;
use crate::rejection::{Drop, Rejection};
use line_protocol::runs;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::ops::Range;

/// Memory that the text keeps from record to record; a larger record's text is freed after it.
pub(crate) const KEPT_BYTES_MAX: usize = 256 << 10;

/// Bytes of each key that the report of a dropped value shows.
const KEY_SHOWN_MAX: usize = 64;

/// JSON text that a format makes of a record's value. A mapper reuses its memory from record to record.
#[derive(Debug, Default)]
pub(crate) struct JsonText {
    pub bytes: Vec<u8>,
    /// Positions of numbers that are timestamps, in nanoseconds since 1970, ascending.
    pub timestamps: Vec<usize>,
    /// Number of values that JSON can't hold.
    pub drops: Drops,
    /// The first of these values, each with the position of its flattened key in `dropped_keys`. Bounded, since a record can have
    /// any number of such values under long keys.
    pub dropped: Vec<(Drop, Range<usize>)>,
    pub dropped_keys: Vec<u8>,
    /// Rows that are no objects, in the order of the text.
    pub bad_rows: Vec<BadRow>,
    /// Buffers that CSV keeps from record to record.
    pub(super) csv: csv::Table,
}

/// A row of CSV that becomes no object; its line in the text is null. Small, because a record can consist of such rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// Position of its line in the text.
    pub position: u32,
    /// Its last line in the record's value, from 1.
    pub line: u32,
    /// Number of its cells; none for a quote that is not closed.
    pub cells: Option<NonZeroU32>,
}

/// A key or an index on the way to a value, for the names of dropped values.
#[derive(Clone, Copy)]
pub(super) struct Step<'s> {
    pub parent: Option<&'s Step<'s>>,
    pub place: Place,
}

#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Where the key stands in the JSON text, without quotes.
    Key(usize, usize),
    Index(u64),
}

impl JsonText {
    pub fn clear(&mut self) {
        let rows = self.bad_rows.capacity() * size_of::<BadRow>();
        if self.bytes.capacity() + rows + self.csv.bytes() > KEPT_BYTES_MAX {
            *self = Self::default();
        }
        self.bytes.clear();
        self.timestamps.clear();
        self.drops = Drops::default();
        self.dropped.clear();
        self.dropped_keys.clear();
        self.bad_rows.clear();
    }

    /// The rejection of the row whose line begins at a position, if the row is bad.
    pub fn bad_row(&self, position: usize) -> Option<Rejection> {
        let row = self.bad_rows.binary_search_by_key(&position, |row| row.position as usize).ok()?;
        let BadRow { line, cells, .. } = *self.bad_rows.get(row)?;
        Some(match cells {
            Some(cells) => Rejection::Row { line, cells: cells.get(), columns: self.csv.columns() },
            None => Rejection::OpenQuote { line },
        })
    }

    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
    }

    pub(super) fn push_integer(&mut self, value: impl itoa::Integer) {
        self.push(itoa::Buffer::new().format(value).as_bytes());
    }

    /// Appends the shortest text that reads back as the same number, in the number's own precision: a 32-bit 0.1 is 0.1. The text
    /// always has a fraction or an exponent. NaN and infinity are dropped.
    pub(super) fn push_float(&mut self, value: impl zmij::Float + Into<f64>, step: Option<&Step<'_>>) {
        if value.into().is_finite() {
            self.push(zmij::Buffer::new().format_finite(value).as_bytes());
        } else {
            self.drop(Drop::NotFinite, step);
        }
    }

    /// Appends a number that is a time of the record's format.
    pub(super) fn push_timestamp(&mut self, ns: i128) {
        self.timestamps.push(self.bytes.len());
        self.push_integer(ns);
    }

    /// Appends a part of a string, which stands between quotes, with JSON's escapes. Bytes that are not UTF-8 stay, as in JSON
    /// records; the mapper reports them.
    pub(super) fn push_escaped(&mut self, mut rest: &[u8]) {
        loop {
            let (plain, escaped) = rest.split_at_checked(runs::plain(rest)).unwrap_or((rest, b""));
            self.push(plain);
            let Some((byte, behind)) = escaped.split_first() else { break };
            match byte {
                b'"' | b'\\' => self.push(&[b'\\', *byte]),
                // A vector takes any number of bytes.
                control => write!(self.bytes, "\\u{control:04x}").unwrap_or_default(),
            }
            rest = behind;
        }
    }

    /// Writes null instead of a value, and keeps the flattened key for the report.
    pub(super) fn drop(&mut self, drop: Drop, step: Option<&Step<'_>>) {
        self.push(b"null");
        self.drops.add(drop);
        if self.dropped.len() >= FIRST_DROPS_MAX {
            return;
        }
        let start = self.dropped_keys.len();
        self.push_key(step);
        self.dropped.push((drop, start..self.dropped_keys.len()));
    }

    fn push_key(&mut self, step: Option<&Step<'_>>) {
        let Some(step) = step else { return };
        self.push_key(step.parent);
        let Self { bytes, dropped_keys: keys, .. } = self;
        if step.parent.is_some() {
            keys.push(b'_');
        }
        match step.place {
            Place::Key(start, end) => {
                let shown = bytes.get(start..end.min(start + KEY_SHOWN_MAX));
                keys.extend_from_slice(shown.unwrap_or_default());
            }
            Place::Index(index) => keys.extend_from_slice(itoa::Buffer::new().format(index).as_bytes()),
        }
    }
}

/// Rejects an object or array at the position `at` that is nested deeper than JSON may be.
pub(super) fn check_depth(depth: usize, at: usize) -> Result<(), Rejection> {
    if depth < DEPTH_MAX { Ok(()) } else { Err(SyntaxError { at, why: Syntax::Depth }.into()) }
}
