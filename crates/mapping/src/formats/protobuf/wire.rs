//! Protobuf's wire format (<https://protobuf.dev/programming-guides/encoding>): tags, varints, and fields that no schema declares.

use super::super::Format;
use super::super::json_text::check_depth;
use crate::rejection::Rejection;
use std::ops::Range;

/// Largest field number.
const NUMBER_MAX: u64 = (1 << 29) - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireType {
    Varint,
    Fixed64,
    /// A length, and as many bytes.
    Bytes,
    GroupStart,
    GroupEnd,
    Fixed32,
}

impl WireType {
    fn of(tag: u64) -> Option<Self> {
        Some(match tag & 7 {
            0 => Self::Varint,
            1 => Self::Fixed64,
            2 => Self::Bytes,
            3 => Self::GroupStart,
            4 => Self::GroupEnd,
            5 => Self::Fixed32,
            _ => return None,
        })
    }

    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Varint => "a varint",
            Self::Fixed64 => "64 bits",
            Self::Bytes => "a length and bytes",
            Self::GroupStart | Self::GroupEnd => "a group",
            Self::Fixed32 => "32 bits",
        }
    }
}

/// Reads the fields of a message from front to back. Positions are those in the record.
pub struct Wire<'a> {
    /// The record up to the end of the message.
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Wire<'a> {
    pub fn new(record: &'a [u8], range: Range<usize>) -> Self {
        Self { bytes: record.get(..range.end).unwrap_or_default(), at: range.start }
    }

    pub fn position(&self) -> usize {
        self.at
    }

    pub fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Field number and wire type of the next field.
    pub fn tag(&mut self) -> Result<(u32, WireType), Rejection> {
        let start = self.at;
        let tag = self.varint()?;
        let number = tag >> 3;
        match WireType::of(tag) {
            _ if number == 0 || number > NUMBER_MAX => {
                Err(unreadable("a field number that Protobuf does not have", start))
            }
            Some(written) => Ok((number as u32, written)),
            None => Err(unreadable("a wire type that Protobuf does not have", start)),
        }
    }

    #[inline]
    pub fn varint(&mut self) -> Result<u64, Rejection> {
        match self.bytes.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                Ok((*byte).into())
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Rejection> {
        const BYTES_MAX: usize = 10;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let mut value = 0;
        for (index, byte) in rest.iter().take(BYTES_MAX).enumerate() {
            // The tenth byte has the last bit of 64.
            if index == BYTES_MAX - 1 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7F) << (7 * index);
            if *byte < 0x80 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        if rest.len() < BYTES_MAX {
            return Err(cut_off(self.bytes.len()));
        }
        Err(unreadable("a number of more than 64 bits", self.at))
    }

    pub fn fixed32(&mut self) -> Result<u32, Rejection> {
        self.array_of().map(u32::from_le_bytes)
    }

    pub fn fixed64(&mut self) -> Result<u64, Rejection> {
        self.array_of().map(u64::from_le_bytes)
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], Rejection> {
        let bytes = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk);
        let bytes = *bytes.ok_or_else(|| cut_off(self.bytes.len()))?;
        self.at += N;
        Ok(bytes)
    }

    /// The range of bytes behind a length.
    pub fn length_delimited(&mut self) -> Result<Range<usize>, Rejection> {
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let start = self.at;
        let end = start.checked_add(length).filter(|end| *end <= self.bytes.len());
        self.at = end.ok_or_else(|| cut_off(self.bytes.len()))?;
        Ok(start..self.at)
    }

    /// The range of the fields of a group whose first tag was read. Takes the end tag too.
    pub fn group(&mut self, number: u32, depth: usize) -> Result<Range<usize>, Rejection> {
        check_depth(depth, self.at)?;
        let start = self.at;
        loop {
            let end = self.at;
            let (inner, written) = self.tag()?;
            if written == WireType::GroupEnd && inner == number {
                return Ok(start..end);
            }
            self.skip(inner, written, depth + 1)?;
        }
    }

    /// Passes over the value of a field.
    pub fn skip(&mut self, number: u32, written: WireType, depth: usize) -> Result<(), Rejection> {
        match written {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.fixed64().map(drop),
            WireType::Bytes => self.length_delimited().map(drop),
            WireType::GroupStart => self.group(number, depth).map(drop),
            WireType::GroupEnd => Err(unreadable("the end of a group that does not begin", self.at)),
            WireType::Fixed32 => self.fixed32().map(drop),
        }
    }
}

#[cold]
pub fn unreadable(why: &'static str, at: usize) -> Rejection {
    Rejection::Unreadable { format: Format::Protobuf.title(), why, at, context: None }
}

#[cold]
fn cut_off(at: usize) -> Rejection {
    unreadable("the value is cut off", at)
}

/// Whether bytes can be the fields of a message, whatever its schema is.
pub fn is_message(bytes: &[u8]) -> bool {
    let mut wire = Wire::new(bytes, 0..bytes.len());
    while !wire.is_at_end() {
        let skipped = wire.tag().and_then(|(number, written)| wire.skip(number, written, 0));
        if skipped.is_err() {
            return false;
        }
    }
    true
}
