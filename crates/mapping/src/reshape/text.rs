//! JSON text of an element, with its marks.

use super::SOURCE;
use super::pieces::{self, Piece};
use crate::decode::{Scanner, Source, SyntaxError, Text, Token};
use crate::formats::TimeMark;
use std::ops::Range;

/// Text that an option writes. The buffer is reused from element to element.
#[derive(Debug, Default)]
pub(crate) struct ElementText {
    bytes: Vec<u8>,
    /// Numbers that are times of the record's format, in the order of the text.
    timestamps: Vec<TimeMark>,
    /// The pieces of an element that `explode` made, in the order of the text; otherwise none.
    pieces: Vec<Piece>,
}

/// An element: a range of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextRef<'t> {
    /// The text up to the element's end.
    pub bytes: &'t [u8],
    pub start: usize,
    pub timestamps: &'t [TimeMark],
    pub pieces: &'t [Piece],
    pub utf8: bool,
    pub source: Source,
}

impl<'t> TextRef<'t> {
    pub fn scanner(&self) -> Scanner<'t> {
        // JSON of the record itself was read without marks before, or its copy is.
        Scanner::of_source(self.bytes, self.utf8, self.source).with_marks().at(self.start)
    }

    /// The first token of the element.
    pub fn token(&self) -> Result<Token<'t>, SyntaxError> {
        self.scanner().value()
    }
}

impl ElementText {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.timestamps.clear();
        self.pieces.clear();
    }

    pub fn text(&self, utf8: bool) -> TextRef<'_> {
        let Self { bytes, timestamps, pieces } = self;
        TextRef { bytes, start: 0, timestamps, pieces, utf8, source: SOURCE }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a member's key and its colon.
    pub fn push_key(&mut self, key: &str) {
        self.push(b"\"");
        for byte in key.bytes() {
            match byte {
                b'"' | b'\\' => self.push(&[b'\\', byte]),
                0..0x20 => self.push(format!("\\u{byte:04x}").as_bytes()),
                _ => self.bytes.push(byte),
            }
        }
        self.push(b"\":");
    }

    /// Appends a member's key with the escapes that it has in another text, and its colon.
    pub fn copy_key(&mut self, key: Text<'_>) {
        self.push(b"\"");
        self.push(key.raw());
        self.push(b"\":");
    }

    pub fn ends_with(&self, byte: u8) -> bool {
        self.bytes.last() == Some(&byte)
    }

    /// Copies a range of the element that `explode` takes apart, and notes where it stood.
    pub fn copy_piece(&mut self, whole: &TextRef<'_>, range: Range<usize>) {
        // Records and their JSON text are smaller than 4 GB.
        self.pieces.push(Piece { at: self.bytes.len() as u32, from: range.start as u32 });
        self.copy(whole, range);
    }

    /// Copies a range of another text with its marks.
    #[expect(clippy::indexing_slicing, reason = "a broken invariant must not turn a value into an empty one")]
    pub fn copy(&mut self, from: &TextRef<'_>, range: Range<usize>) {
        let first = from.timestamps.partition_point(|mark| (mark.position as usize) < range.start);
        let marks = from.timestamps.get(first..).unwrap_or_default().iter();
        let marks = marks.take_while(|mark| (mark.position as usize) < range.end);
        let start = self.bytes.len();
        self.timestamps.extend(marks.map(|mark| mark.moved_to(mark.position as usize - range.start + start)));
        pieces::copy(from.pieces, &range, start, &mut self.pieces);
        self.bytes.extend_from_slice(&from.bytes[range]);
    }

    /// Allocated memory in bytes.
    pub fn allocated(&self) -> usize {
        self.bytes.capacity()
            + self.timestamps.capacity() * size_of::<TimeMark>()
            + self.pieces.capacity() * size_of::<Piece>()
    }
}
