//! `parse_json`: strings that hold JSON are read in place, before `query`.

use super::text::TextRef;
use super::{ReshapeDrops, SOURCE};
use crate::Globs;
use crate::decode::{Scanner, Syntax, SyntaxError, Text, Token};
use crate::drop_reason::DropReason;
use crate::element_parser::KEY_BYTES_MAX;
use crate::formats::TimeMark;

/// Most strings that may hold one another; further ones stay strings.
const NESTED_MAX: usize = 4;

/// Most bytes of the flattened keys of strings for each byte of a record. A string takes three bytes at least, so that its key may have 48.
const KEY_BYTES_PER_BYTE: usize = 16;

/// A record's JSON text in which strings were replaced by the JSON that they hold. The buffers are reused from record to record.
#[derive(Debug, Default)]
pub(crate) struct ParsedJson {
    pub bytes: Vec<u8>,
    /// Numbers that are times of the record's format, in the order of the text.
    pub timestamps: Vec<TimeMark>,
    /// The start of each line in `bytes`, with its start in the text before.
    pub lines: Vec<(usize, usize)>,
    flattened: Vec<u8>,
    /// Length of the flattened keys of all strings.
    key_bytes: usize,
    scratch: Vec<u8>,
    /// The decoded content of strings, by how many hold one another.
    decoded: [Vec<u8>; NESTED_MAX],
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    /// Number of strings that hold the value.
    nested: usize,
}

impl ParsedJson {
    /// Reads the whole text as one value.
    pub fn read_value(
        &mut self,
        keys: &Globs,
        text: TextRef<'_>,
        losses: &mut ReshapeDrops,
    ) -> Result<(), SyntaxError> {
        self.clear();
        let mut scanner = text.scanner();
        self.value(keys, &text, &mut scanner, Place { depth: 0, nested: 0 }, losses)?;
        scanner.end()
    }

    /// Reads a text whose lines have values that follow one another. Where a line is no JSON, the rest of it stays for the mapper to
    /// reject.
    pub fn read_lines(
        &mut self,
        keys: &Globs,
        text: TextRef<'_>,
        losses: &mut ReshapeDrops,
    ) -> Result<(), SyntaxError> {
        self.clear();
        let whole = text.scanner();
        let mut start = whole.position();
        while start < text.bytes.len() {
            let rest = text.bytes.get(start..).unwrap_or_default();
            let end = start + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.lines.push((self.bytes.len(), start));
            let mut line = whole.within(start, end);
            while !line.is_at_end() {
                let (from, to) = (line.position(), self.bytes.len());
                self.flattened.clear();
                let read = self.value(keys, &text, &mut line, Place { depth: 0, nested: 0 }, losses);
                if let Err(error) = read {
                    // The mapper would read the strings of such a line as they are.
                    if error.why == Syntax::Keys {
                        return Err(error);
                    }
                    self.bytes.truncate(to);
                    while self.timestamps.pop_if(|mark| mark.position as usize >= to).is_some() {}
                    self.bytes.extend_from_slice(text.bytes.get(from..end).unwrap_or_default());
                    break;
                }
            }
            self.bytes.push(b'\n');
            start = end + 1;
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.timestamps.clear();
        self.lines.clear();
        self.flattened.clear();
        self.key_bytes = 0;
    }

    /// The position in the text before of the line that begins at this position.
    pub fn line_before(&self, start: usize) -> Option<usize> {
        let place = self.lines.binary_search_by_key(&start, |(start, _)| *start).ok()?;
        self.lines.get(place).map(|(_, before)| *before)
    }

    /// Copies a value without white space, which may have line breaks in a string's JSON.
    fn value(
        &mut self,
        keys: &Globs,
        text: &TextRef<'_>,
        scanner: &mut Scanner<'_>,
        place: Place,
        losses: &mut ReshapeDrops,
    ) -> Result<(), SyntaxError> {
        scanner.skip_whitespace();
        let start = scanner.position();
        let token = scanner.value()?;
        scanner.check_depth(token, place.depth)?;
        match token {
            Token::Object => {
                self.bytes.push(b'{');
                let mut is_first = true;
                while let Some(key) = scanner.key(is_first)? {
                    if !std::mem::take(&mut is_first) {
                        self.bytes.push(b',');
                    }
                    self.string(key);
                    self.bytes.push(b':');
                    let before = self.enter(place);
                    let Self { flattened, scratch, .. } = self;
                    flattened.extend_from_slice(key.decode(scratch));
                    self.value(keys, text, scanner, place.inner(), losses)?;
                    self.flattened.truncate(before);
                }
                self.bytes.push(b'}');
            }
            Token::Array => {
                self.bytes.push(b'[');
                let mut index = 0_usize;
                while scanner.element(index == 0)? {
                    if index > 0 {
                        self.bytes.push(b',');
                    }
                    let before = self.enter(place);
                    self.flattened.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
                    self.value(keys, text, scanner, place.inner(), losses)?;
                    self.flattened.truncate(before);
                    index += 1;
                }
                self.bytes.push(b']');
            }
            Token::Text(held) if place.nested < NESTED_MAX && self.is_wanted(keys, start, text)? => {
                self.held(keys, text, held, place, losses)?;
            }
            _ => {
                if place.nested == 0
                    && let Some(mark) = TimeMark::find(text.timestamps, start)
                {
                    self.timestamps.push(mark.moved_to(self.bytes.len()));
                }
                self.bytes.extend_from_slice(scanner.since(start));
            }
        }
        Ok(())
    }

    /// Appends the JSON that a string holds, or the string.
    fn held(
        &mut self,
        keys: &Globs,
        text: &TextRef<'_>,
        held: Text<'_>,
        place: Place,
        losses: &mut ReshapeDrops,
    ) -> Result<(), SyntaxError> {
        let mut decoded = self.decoded.get_mut(place.nested).map(std::mem::take).unwrap_or_default();
        decoded.clear();
        let Self { scratch, .. } = self;
        decoded.extend_from_slice(held.decode(scratch));
        let mut scanner = Scanner::of_source(&decoded, true, SOURCE);
        let is_json = is_json(scanner.clone(), place.depth);
        let result = if is_json {
            if held.is_lossy() {
                losses.add(&String::from_utf8_lossy(&self.flattened), DropReason::NotUtf8);
            }
            self.value(keys, text, &mut scanner, Place { nested: place.nested + 1, ..place }, losses)
        } else {
            losses.add(&String::from_utf8_lossy(&self.flattened), DropReason::NotJson);
            self.string(held);
            Ok(())
        };
        if let Some(buffer) = self.decoded.get_mut(place.nested) {
            *buffer = decoded;
        }
        result
    }

    /// Whether the string at a position is to be read. Fails where a long key stands around so many strings that comparing it for each
    /// would take time with the square of the record's size.
    fn is_wanted(&mut self, keys: &Globs, at: usize, text: &TextRef<'_>) -> Result<bool, SyntaxError> {
        self.key_bytes += self.flattened.len();
        if self.key_bytes > KEY_BYTES_MAX.max(KEY_BYTES_PER_BYTE * text.bytes.len()) {
            return Err(SyntaxError { at, why: Syntax::Keys });
        }
        Ok(std::str::from_utf8(&self.flattened).is_ok_and(|key| keys.is_match(key)))
    }

    /// Begins the key of a member, and returns the length of the flattened key before.
    fn enter(&mut self, place: Place) -> usize {
        let before = self.flattened.len();
        if place.depth > 0 {
            self.flattened.push(b'_');
        }
        before
    }

    fn string(&mut self, text: Text<'_>) {
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(text.raw());
        self.bytes.push(b'"');
    }

    /// Allocated memory in bytes.
    pub fn allocated(&self) -> usize {
        let decoded: usize = self.decoded.iter().map(Vec::capacity).sum();
        self.bytes.capacity()
            + self.timestamps.capacity() * size_of::<TimeMark>()
            + self.lines.capacity() * size_of::<(usize, usize)>()
            + self.flattened.capacity()
            + self.scratch.capacity()
            + decoded
    }
}

impl Place {
    fn inner(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

/// Whether the rest of a text is one JSON value that may stand at this depth. The words NaN and Infinity alone are texts.
fn is_json(mut scanner: Scanner<'_>, depth: usize) -> bool {
    let Ok(token) = scanner.value() else { return false };
    token != Token::NotFinite && scanner.skip_rest(token, depth).and_then(|()| scanner.end()).is_ok()
}
