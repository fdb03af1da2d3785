//! Finds lines that can be copied as they are.

use super::Span;
use super::line_shape::{Ends, LineShapes, PLACES};
use super::tokens::{name_end, time_length, value_length};
use crate::encode::{KEY_BYTES_MAX, KEY_SEPARATOR_BYTES};
use crate::reader::RESERVED_TAGS;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

/// Slots of the table that finds repeated keys; a power of two.
const SLOTS: usize = 1 << 11;
/// Most keys of a plain line: more would fill the table.
const KEYS_MAX: usize = SLOTS / 4;
/// Most keys of a line that may meet the slot of another key, twice the number that [`KEYS_MAX`] keys meet by chance. Each one is compared
/// with all keys before it.
const MEETINGS_MAX: usize = 128;

/// A line that every server reads alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainLine {
    /// End of the fields.
    pub fields_end: usize,
    /// Text of the time: an integer without leading zeros.
    pub time: Option<Range<usize>>,
    /// Start of the next line.
    pub end: usize,
}

/// Reader of plain lines. The memory is reused from line to line.
///
/// In a plain line all white space is single spaces, tags are in the order of their keys, no key occurs twice, also not as tag and field,
/// backslashes stand only before a comma, an equals sign or a space and inside strings, and each value is spelled as every server reads it.
#[derive(Debug)]
pub struct PlainReader {
    /// For each slot, the line that last had a key there.
    slots: Box<[u32; SLOTS]>,
    line: u32,
    /// Keys of the line, as ranges of its text.
    keys: Vec<Span>,
    meetings: usize,
    /// Keys come from outside. Without a random factor they could be chosen to meet in one slot.
    factor: u64,
    shapes: LineShapes,
}

impl Default for PlainReader {
    fn default() -> Self {
        let factor = RandomState::new().hash_one(0) | 1;
        let slots = Box::new([0; SLOTS]);
        Self { slots, line: 0, keys: Vec::new(), meetings: 0, factor, shapes: LineShapes::default() }
    }
}

impl PlainReader {
    /// Reads the line that begins at `start`, if it is plain. The text is UTF-8.
    #[inline(never)]
    pub fn read(&mut self, text: &[u8], start: usize) -> Option<PlainLine> {
        if text.get(start) == Some(&b'#') {
            return None;
        }
        let name_end = name_end(text, start, false)?;
        let name = text.get(start..name_end).filter(|name| !name.is_empty())?;
        let place = self.place(name, PLACES);
        let ends = match self.shapes.find(place, text, name_end) {
            Some(ends) => ends,
            None => self.read_keys(text, name_end, place)?,
        };
        let (tags_end, fields_end) = (ends.tags, ends.fields);
        // Either the whole line is short enough for a series with a field key, or each of the two has at most half of the length.
        if fields_end - start > KEY_BYTES_MAX - KEY_SEPARATOR_BYTES && tags_end - start > KEY_BYTES_MAX / 2 {
            return None;
        }
        let (time, end) = match text.get(fields_end) {
            Some(b' ') => {
                let start = fields_end + 1;
                let end = start + time_length(text.get(start..)?)?;
                (Some(start..end), end)
            }
            _ => (None, fields_end),
        };
        let end = match text.get(end..)? {
            [] => end,
            [b'\n', ..] | [b'\r'] => end + 1,
            [b'\r', b'\n', ..] => end + 2,
            _ => return None,
        };
        Some(PlainLine { fields_end, time, end })
    }

    /// Reads a line of unknown shape up to the end of its fields, and learns the shape.
    #[inline(never)]
    fn read_keys(&mut self, text: &[u8], name_end: usize, place: usize) -> Option<Ends> {
        self.begin();
        let fields_start = self.tags(text, name_end)?;
        let tags = self.keys.len();
        let fields = self.fields(text, fields_start)?;
        self.shapes.learn(place, text, name_end, &self.keys, tags);
        Some(Ends { tags: fields_start - 1, fields })
    }

    /// The place of a name in a table of this length, a power of two.
    #[inline]
    fn place(&self, name: &[u8], length: usize) -> usize {
        (hash(name).wrapping_mul(self.factor) >> (64 - length.ilog2())) as usize
    }

    fn begin(&mut self) {
        self.keys.clear();
        self.meetings = 0;
        self.line = self.line.wrapping_add(1);
        if self.line == 0 {
            self.slots.fill(0);
            self.line = 1;
        }
    }

    /// Reads tags up to the first field, and returns its position.
    #[inline]
    fn tags(&mut self, text: &[u8], mut at: usize) -> Option<usize> {
        let mut before: &[u8] = &[];
        while *text.get(at)? == b',' {
            let start = at + 1;
            let end = name_end(text, start, true)?;
            let key = text.get(start..end)?;
            let value_end = name_end(text, end + 1, true)?;
            let is_tag = text.get(end) == Some(&b'=') && value_end > end + 1;
            // Ascending keys are distinct, and not empty.
            if !is_tag || key <= before || is_reserved(key) || !self.is_new(text, start, key) {
                return None;
            }
            (before, at) = (key, value_end);
        }
        (text.get(at) == Some(&b' ')).then_some(at + 1)
    }

    /// Reads fields, and returns their end.
    #[inline]
    fn fields(&mut self, text: &[u8], mut at: usize) -> Option<usize> {
        loop {
            let end = name_end(text, at, true)?;
            let key = text.get(at..end)?;
            let is_key = text.get(end) == Some(&b'=') && !key.is_empty();
            let is_long = key.len() > KEY_BYTES_MAX / 2 - KEY_SEPARATOR_BYTES;
            if !is_key || is_long || is_reserved(key) || !self.is_new(text, at, key) {
                return None;
            }
            at = end + 1 + value_length(text.get(end + 1..)?)?;
            match text.get(at) {
                Some(b',') => at += 1,
                None | Some(b' ' | b'\n' | b'\r') => return Some(at),
                _ => return None,
            }
        }
    }

    /// Whether the line had no such key before. May be false for a line with many keys.
    #[expect(clippy::indexing_slicing, reason = "the place lies below the length")]
    fn is_new(&mut self, text: &[u8], start: usize, key: &[u8]) -> bool {
        let slot = &mut self.slots[self.place(key, SLOTS)];
        let is_taken = std::mem::replace(slot, self.line) == self.line;
        if is_taken {
            self.meetings += 1;
            if self.meetings > MEETINGS_MAX || self.keys.iter().any(|other| other.of(text) == key) {
                return false;
            }
        }
        self.keys.push(Span::new(start, start + key.len()));
        self.keys.len() <= KEYS_MAX
    }

    /// Whether the shape of the line at the start of the text is known.
    #[cfg(test)]
    pub(super) fn knows(&mut self, text: &[u8]) -> bool {
        let name_end = name_end(text, 0, false).unwrap_or(0);
        let place = self.place(text.get(..name_end).unwrap_or_default(), PLACES);
        self.shapes.find(place, text, name_end).is_some()
    }

    /// Allocated memory in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.slots) + self.keys.capacity() * size_of::<Span>() + self.shapes.bytes()
    }
}

fn is_reserved(key: &[u8]) -> bool {
    matches!(key.first(), Some(b'_' | b't'))
        && RESERVED_TAGS.iter().any(|reserved| reserved.as_bytes() == key)
}

/// Mixes the length, the first and the last eight bytes of a key.
#[inline]
fn hash(key: &[u8]) -> u64 {
    let ends = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23),
        _ => match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
            }
            _ => key.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)),
        },
    };
    ends ^ (key.len() as u64) << 59
}
