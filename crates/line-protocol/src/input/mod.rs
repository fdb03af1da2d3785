//! Reads line protocol that other programs wrote.
//!
//! Accepted are the lines of which InfluxDB 2 stores a point. Two readers share the work:
//!
//! - [`PlainReader`] finds lines that every server reads alike, so that they can be copied as they are.
//! - [`RawLine`] takes any other line apart, for a caller that writes it anew.
//!
//! A bad line ends at its newline and hides no other line: a quote that is never closed would otherwise swallow the lines behind it, in
//! this reader and in a server.

mod line_shape;
mod plain;
mod raw;
#[cfg(test)]
mod tests;
mod tokens;

pub use plain::{PlainLine, PlainReader};
pub use raw::{Found, RawField, RawLine, RawTag, RawValue, push_portable, push_unescaped};

/// A range of the bytes of a record. Records are smaller than 4 GB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// The bytes of this range. They are empty if the span belongs to another, shorter text.
    #[must_use]
    pub fn of<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    #[must_use]
    pub fn start(self) -> usize {
        self.start as usize
    }

    fn end(self) -> usize {
        self.end as usize
    }

    fn is_empty(self) -> bool {
        self.start >= self.end
    }
}
