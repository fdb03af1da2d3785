//! JSON text that a format makes of a record's value.

use super::scalar_gaps::ScalarGaps;
use crate::decode::{BINARY_MARK, DEPTH_MAX, NOT_FINITE_MARK, Syntax, SyntaxError};
use crate::rejection::Rejection;
use line_protocol::runs;
use std::borrow::Cow;
use std::io::Write as _;
use std::num::NonZeroU32;

/// First byte of the marks.
const MARK_BEGINNING: u8 = BINARY_MARK[0];

/// JSON text that a format makes of a record's value, with marks that JSON has no syntax for.
#[derive(Debug, Default)]
pub(crate) struct JsonText {
    pub bytes: Vec<u8>,
    /// Numbers that are times, in the order of the text.
    pub timestamps: Vec<TimeMark>,
    /// Rows that are no objects, in the order of the text.
    pub bad_rows: Vec<BadRow>,
    /// Number of the header's columns, which bad rows do not have.
    pub columns: usize,
    /// The bytes between the scalars, as the record's own format has them.
    pub gaps: ScalarGaps,
}

/// JSON text of a record's value, for reading it without a mapper.
#[derive(Debug, Default)]
pub struct RecordText<'v> {
    pub json: Cow<'v, [u8]>,
    /// The numbers that are times of the record's format, in the order of the text.
    pub times: Vec<TimeMark>,
}

impl<'v> From<Cow<'v, [u8]>> for RecordText<'v> {
    fn from(json: Cow<'v, [u8]>) -> Self {
        Self { json, times: Vec::new() }
    }
}

impl From<JsonText> for RecordText<'_> {
    fn from(text: JsonText) -> Self {
        let mut json = text.bytes;
        // Within strings, a control character is an escape.
        let marks: Vec<usize> = memchr::memchr_iter(MARK_BEGINNING, &json).collect();
        for mark in marks {
            if let Some(null) = json.get_mut(mark..mark + BINARY_MARK.len()) {
                null.copy_from_slice(b"null");
            }
        }
        Self { json: Cow::Owned(json), times: text.timestamps }
    }
}

/// A number that is a time of the record's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeMark {
    /// Position of the number in the text.
    pub position: u32,
    /// Whether it is a date and time of day without a zone.
    pub is_local: bool,
    /// Unit of the number, which counts from 1970.
    pub unit_ns: i64,
}

impl TimeMark {
    /// The mark of the number at a position, if it is a time. The marks are ascending.
    #[must_use]
    pub fn find(marks: &[Self], position: usize) -> Option<Self> {
        let found = marks.binary_search_by_key(&position, |mark| mark.position as usize).ok()?;
        marks.get(found).copied()
    }

    /// The mark of the same number at another position.
    pub(crate) fn moved_to(self, position: usize) -> Self {
        // Text with larger positions is rejected.
        Self { position: position as u32, ..self }
    }
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

impl JsonText {
    /// Allocated memory in bytes of the buffers that grow with a record.
    pub fn memory(&self) -> usize {
        self.bytes.capacity()
            + self.bad_rows.capacity() * size_of::<BadRow>()
            + self.timestamps.capacity() * size_of::<TimeMark>()
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.timestamps.clear();
        self.bad_rows.clear();
        self.gaps.clear();
    }

    /// The rejection of the row whose line begins at a position, if the row is bad.
    pub fn bad_row(&self, position: usize) -> Option<Rejection> {
        let row = self.bad_rows.binary_search_by_key(&position, |row| row.position as usize).ok()?;
        let BadRow { line, cells, .. } = *self.bad_rows.get(row)?;
        Some(match cells {
            Some(cells) => Rejection::Row { line, cells: cells.get(), columns: self.columns },
            None => Rejection::OpenQuote { line },
        })
    }

    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
    }

    /// Appends the first `length` bytes. A short text is copied with the bytes behind it, which are cut off again: a copy of a known length
    /// needs no call.
    #[inline]
    pub fn push_first(&mut self, bytes: &[u8], length: usize) {
        match bytes.first_chunk::<{ runs::READ_BEYOND }>() {
            Some(chunk) if length <= chunk.len() => {
                let end = self.bytes.len() + length;
                self.bytes.extend_from_slice(chunk);
                self.bytes.truncate(end);
            }
            _ => self.push(bytes.get(..length).unwrap_or_default()),
        }
    }

    /// Ends an object or array that begins at `start` and whose first element begins with a comma: the opening bracket takes its place.
    pub fn close(&mut self, start: usize, opening: u8, closing: u8) {
        match self.bytes.get_mut(start) {
            Some(comma) => *comma = opening,
            None => self.bytes.push(opening),
        }
        self.bytes.push(closing);
    }

    /// Appends a number that is a time in nanoseconds since 1970.
    pub(super) fn push_timestamp(&mut self, ns: i128) {
        self.push_time(ns, 1, false);
    }

    /// Appends a number that is a time of the record's format.
    pub(super) fn push_time(&mut self, number: impl Into<i128>, unit_ns: i64, is_local: bool) {
        // Text with larger positions is rejected.
        let position = self.bytes.len() as u32;
        self.timestamps.push(TimeMark { position, is_local, unit_ns });
        self.push_integer(number);
    }

    /// Appends the first `length` bytes as a string.
    #[inline]
    pub fn push_string(&mut self, bytes: &[u8], length: usize) {
        self.bytes.push(b'"');
        if runs::starts_plain(bytes, length) {
            self.push_first(bytes, length);
        } else {
            self.push_escaped(bytes.get(..length).unwrap_or_default());
        }
        self.bytes.push(b'"');
    }

    /// Appends a part of a string, which stands between quotes, with JSON's escapes. Bytes that are not UTF-8 stay, as in JSON
    /// records; the mapper reports them.
    pub fn push_escaped(&mut self, mut rest: &[u8]) {
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

    /// Marks a value that JSON has none like. The mapper counts it as dropped where it would become a part of a point.
    #[cold]
    pub(super) fn push_binary(&mut self) {
        self.push(BINARY_MARK);
    }

    /// Marks NaN or infinity.
    #[cold]
    pub(super) fn push_not_finite(&mut self) {
        self.push(NOT_FINITE_MARK);
    }
}

/// Rejects an object or array at the position `at` that is nested deeper than JSON may be.
pub(super) fn check_depth(depth: usize, at: usize) -> Result<(), Rejection> {
    if depth < DEPTH_MAX { Ok(()) } else { Err(SyntaxError { at, why: Syntax::Depth }.into()) }
}
