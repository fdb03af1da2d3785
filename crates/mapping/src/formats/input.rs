//! The bytes of a record in a binary format.

use crate::rejection::Rejection;
use line_protocol::runs;

/// Reads the bytes of a record from front to back. Nothing here reserves memory for a length that a record claims.
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Name of the format in messages.
    title: &'static str,
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8], title: &'static str) -> Self {
        Self { bytes, at: 0, title }
    }

    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    #[inline]
    pub fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Rejects a value that begins like JSON: as a binary value it would be a number or a huge text, which is never a point.
    pub fn refuse_json(&self) -> Result<(), Rejection> {
        match self.peek() {
            Some(b'{' | b'[') => {
                Err(self.unreadable("it begins like JSON, which `format = \"json\"` reads,", self.at))
            }
            _ => Ok(()),
        }
    }

    /// The bytes that were read from a position on.
    pub fn since(&self, position: usize) -> &'a [u8] {
        self.between(position, self.at)
    }

    /// Reads the first `length` bytes of `start`, if they are the next ones. Returns whether they are. At least [`runs::READ_BEYOND`] bytes
    /// stand behind them.
    #[inline]
    pub fn skip(&mut self, start: &[u8], length: usize) -> bool {
        let is_next = self.bytes.get(self.at..).is_some_and(|rest| runs::starts_with(rest, start, length));
        if is_next {
            self.at += length;
        }
        is_next
    }

    /// All bytes of the record.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes between two positions.
    pub fn between(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// All bytes that are unread.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Reads over bytes of [`Input::rest`].
    #[inline]
    pub fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// The next byte, which stays unread.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub fn byte(&mut self) -> Result<u8, Rejection> {
        let [byte] = self.array_of()?;
        Ok(*byte)
    }

    #[inline]
    pub fn array_of<const N: usize>(&mut self) -> Result<&'a [u8; N], Rejection> {
        let bytes = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk);
        // A reference stays in a register. The bytes themselves would go through memory, byte by byte, as part of the result.
        let bytes = bytes.ok_or_else(|| self.cut_off())?;
        self.at += N;
        Ok(bytes)
    }

    #[inline]
    pub fn take(&mut self, size: u64) -> Result<&'a [u8], Rejection> {
        let (rest, size) = self.take_start(size)?;
        Ok(rest.get(..size).unwrap_or_default())
    }

    /// Reads bytes, and returns them with all bytes behind them, and their number.
    #[inline]
    pub fn take_start(&mut self, size: u64) -> Result<(&'a [u8], usize), Rejection> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let rest = self.bytes.get(self.at..).filter(|rest| rest.len() >= size);
        let rest = rest.ok_or_else(|| self.cut_off())?;
        self.at += size;
        Ok((rest, size))
    }

    #[cold]
    pub fn unreadable(&self, why: &'static str, at: usize) -> Rejection {
        Rejection::Unreadable { format: self.title, why, at, context: None }
    }

    #[cold]
    fn cut_off(&self) -> Rejection {
        self.unreadable("the value is cut off", self.bytes.len())
    }
}
