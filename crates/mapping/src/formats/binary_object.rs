//! Reads an object of known shape in a binary format: only its scalars are decoded.

use super::input::Input;
use super::reader::{FormatReader, Transcode};
use super::{Format, cbor, msgpack};
use crate::decode::{Scanner, Source, is_utf8};
use crate::padded_bytes::{ExactGap, PaddedBuffer};

/// A record in a binary format that may be an object of known shape. Bytes are read in their order.
pub(crate) struct BinaryObject<'a, 't> {
    format: Format,
    input: Input<'a>,
    transcode: Transcode,
    reader: &'t mut FormatReader,
}

impl<'a, 't> BinaryObject<'a, 't> {
    /// None for a format without a function that reads single values.
    pub fn new(format: Format, value: &'a [u8], reader: &'t mut FormatReader) -> Option<Self> {
        // Scalars have 32-bit positions in the text, which has at most nine times the bytes (docs/memory.md), and a line break for each
        // scalar.
        let transcode = format.transcode().filter(|_| value.len() <= (u32::MAX / 16) as usize)?;
        Some(Self { format, input: Input::new(value, format.title()), transcode, reader })
    }

    /// Begins to read the record from its first byte on.
    pub fn restart(&mut self) {
        self.input = Input::new(self.input.bytes(), self.format.title());
        self.reader.json.clear();
    }

    /// Reads the bytes of a gap. Returns whether they are the next ones.
    #[inline]
    pub fn skip(&mut self, gap: &ExactGap) -> bool {
        let is_next = gap.begins(self.input.rest());
        if is_next {
            self.input.advance(gap.length());
        }
        is_next
    }

    pub fn is_at_end(&self) -> bool {
        self.input.is_at_end()
    }

    /// Appends the text of a number as its JSON text has it, if the next value is a usual number. Otherwise reads and appends nothing.
    #[inline]
    pub fn push_number(&mut self, out: &mut PaddedBuffer) -> Option<()> {
        match self.format {
            Format::Msgpack => msgpack::push_number(&mut self.input, out),
            _ => cbor::push_number(&mut self.input, out),
        }
    }

    /// The JSON text of the next value, at the end of the text of all values that were read so. None where the value is unreadable, or
    /// its text is not UTF-8, and where an object or array begins.
    pub fn scalar(&mut self) -> Option<Scanner<'_>> {
        // An object or array fits no shape, and may be long.
        if self.is_container() {
            return None;
        }
        let FormatReader { json, keys, .. } = &mut *self.reader;
        let start = json.bytes.len();
        (self.transcode)(&mut self.input, json, keys).ok()?;
        // As behind each value of a record's JSON text. Numbers need an end.
        json.bytes.push(b'\n');
        json.bytes.get(start..).filter(|scalar| is_utf8(scalar))?;
        Some(Scanner::of_source(&json.bytes, true, Source::Record).with_marks().at(start))
    }

    /// Whether the next value begins like an object or array.
    fn is_container(&self) -> bool {
        let first = self.input.peek();
        match self.format {
            Format::Msgpack => matches!(first, Some(0x80..=0x9F | 0xDC..=0xDF)),
            // The major types 4 and 5.
            _ => matches!(first, Some(0x80..=0xBF)),
        }
    }
}
