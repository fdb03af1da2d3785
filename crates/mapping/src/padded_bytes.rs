//! Compares and copies short byte strings without a loop, as windows of fixed size of which only the first bytes count.

#![expect(clippy::inline_always, reason = "called for each number; a call would cost more than the work")]

use crate::decode::is_whitespace;
use line_protocol::runs;

/// Longest string that fits into a window; longer ones are compared and copied the usual way.
const WINDOW: usize = 32;
/// Longest number that is copied as a window.
const NUMBER: usize = 16;

/// The bytes that must stand between two scalars.
#[derive(Clone, Debug)]
pub struct ExactGap {
    all: Box<[u8]>,
    /// The first bytes, padded with zeros.
    start: [u8; WINDOW],
    /// Mask of the bits of `start` that count.
    mask: [u8; WINDOW],
}

/// The bytes that must stand between two scalars of JSON text, with any white space between tokens.
#[derive(Debug)]
pub struct Gap {
    exact: ExactGap,
    /// The bytes without the white space between tokens, and zeros to compare beyond.
    tokens: Vec<u8>,
    /// A bit for each of the first bytes of `tokens`: whether white space may stand before the byte. Where a longer gap has other white
    /// space behind these, its keys are looked up.
    may_be_spaced: u128,
}

/// The bytes that are written before a value.
#[derive(Clone, Debug, Default)]
pub struct Prefix {
    all: Box<[u8]>,
    /// The first bytes, padded with zeros.
    start: [u8; WINDOW],
}

/// A buffer whose free space is initialised, so that windows can be copied into it.
#[derive(Debug, Default)]
pub struct PaddedBuffer {
    /// Written bytes, then free space.
    buffer: Vec<u8>,
    length: usize,
}

impl ExactGap {
    pub fn new(bytes: &[u8]) -> Self {
        let (start, mask) = (window(bytes), window(bytes.iter().map(|_| &u8::MAX)));
        Self { all: bytes.into(), start, mask }
    }

    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        self.all.len()
    }

    pub fn length(&self) -> usize {
        self.all.len()
    }

    /// Whether the bytes begin with the gap.
    #[inline(always)]
    pub fn begins(&self, bytes: &[u8]) -> bool {
        let Some(found) = bytes.first_chunk::<WINDOW>().filter(|_| self.all.len() <= WINDOW) else {
            return self.begins_rest(bytes);
        };
        let (mut found, mask) = (*found, &self.mask);
        found.iter_mut().zip(mask).for_each(|(byte, mask)| *byte &= mask);
        found == self.start
    }

    /// Slow path of [`ExactGap::begins`], for long gaps and near the record's end.
    #[inline(never)]
    fn begins_rest(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&self.all)
    }
}

impl Gap {
    pub fn new(bytes: &[u8]) -> Self {
        let (mut in_text, mut is_escaped) = (false, false);
        let (mut tokens, mut may_be_spaced) = (Vec::with_capacity(bytes.len() + runs::READ_BEYOND), 0);
        for &byte in bytes {
            if !in_text && is_whitespace(byte) {
                continue;
            }
            may_be_spaced |= u128::from(!in_text).checked_shl(tokens.len() as u32).unwrap_or(0);
            tokens.push(byte);
            in_text ^= byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
        }
        tokens.extend([0; runs::READ_BEYOND]);
        Self { exact: ExactGap::new(bytes), tokens, may_be_spaced }
    }

    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        self.exact.bytes() + self.tokens.capacity()
    }

    /// The end of the gap, if its bytes stand at `at`. `ANY_SPACE`: the end of the gap and of the white space behind it, if its tokens stand
    /// at `at` with any white space between them.
    #[inline(always)]
    pub fn end_in<const ANY_SPACE: bool>(&self, bytes: &[u8], at: usize) -> Option<usize> {
        if ANY_SPACE {
            self.end_of_tokens_in(bytes, at)
        } else {
            bytes.get(at..).filter(|rest| self.exact.begins(rest)).map(|_| at + self.exact.length())
        }
    }

    fn end_of_tokens_in(&self, bytes: &[u8], mut at: usize) -> Option<usize> {
        let (mut place, end) = (0, self.tokens.len() - runs::READ_BEYOND);
        loop {
            let (rest, tokens) = (bytes.get(at..)?, self.tokens.get(place..)?);
            let equal = runs::equal(rest, tokens).min(end - place);
            let spaces = rest.get(equal..)?.iter().take_while(|byte| is_whitespace(**byte)).count();
            (at, place) = (at + equal + spaces, place + equal);
            if place == end {
                return Some(at);
            }
            let may_be_spaced = self.may_be_spaced.checked_shr(place as u32).unwrap_or(0) & 1 == 1;
            if spaces == 0 || !may_be_spaced {
                return None;
            }
        }
    }
}

impl Prefix {
    pub fn new(bytes: &[u8]) -> Self {
        Self { all: bytes.into(), start: window(bytes) }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.all
    }

    /// Appends the prefix and the number that stands at `at`. Returns the end of the number; none, and appends nothing, where the text is
    /// no number or one that has to be parsed.
    #[inline(always)]
    pub fn push_with_number(&self, bytes: &[u8], at: usize, out: &mut PaddedBuffer) -> Option<usize> {
        let rest = bytes.get(at..)?;
        let length = runs::plain_number(rest)?;
        self.push_with(rest, length, out);
        Some(at + length)
    }

    /// Appends the prefix alone.
    #[inline(always)]
    pub fn push(&self, out: &mut PaddedBuffer) {
        match out.next() {
            Some(to) if self.all.len() <= WINDOW => {
                *to = self.start;
                out.length += self.all.len();
            }
            _ => out.push(&self.all),
        }
    }

    /// Appends the prefix and the first `length` of `bytes`.
    #[inline(always)]
    pub fn push_with(&self, bytes: &[u8], length: usize, out: &mut PaddedBuffer) {
        let Some((from, to)) = bytes.first_chunk::<NUMBER>().zip(out.next::<{ WINDOW + NUMBER }>()) else {
            return self.push_long_with(bytes, length, out);
        };
        let before = self.all.len();
        if before > WINDOW || length > NUMBER {
            return self.push_long_with(bytes, length, out);
        }
        if let Some(start) = to.first_chunk_mut() {
            *start = self.start;
        }
        if let Some(number) = to.get_mut(before..).and_then(|to| to.first_chunk_mut()) {
            *number = *from;
        }
        out.length += before + length;
    }

    /// Slow path of [`Prefix::push_with`], for bytes that do not fit into a window, and to grow the buffer.
    #[inline(never)]
    #[expect(clippy::indexing_slicing, reason = "a broken invariant must not turn a value into an empty one")]
    fn push_long_with(&self, bytes: &[u8], length: usize, out: &mut PaddedBuffer) {
        out.push(&self.all);
        out.push(&bytes[..length]);
    }
}

impl PaddedBuffer {
    pub fn clear(&mut self) {
        self.length = 0;
    }

    pub fn len(&self) -> usize {
        self.length
    }

    /// Removes the bytes behind the first `length` ones.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        self.buffer.capacity()
    }

    #[expect(clippy::indexing_slicing, reason = "`length` counts the bytes written into this buffer")]
    pub fn written(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if self.buffer.len() < end {
            self.buffer.resize(2 * end + WINDOW + NUMBER, 0);
        }
        if let Some(to) = self.buffer.get_mut(self.length..end) {
            to.copy_from_slice(bytes);
            self.length = end;
        }
    }

    /// The next `N` bytes of free space, if there are as many.
    #[inline(always)]
    fn next<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.buffer.get_mut(self.length..)?.first_chunk_mut()
    }
}

/// A buffer of text, to which numbers are appended.
pub trait NumberBuffer {
    /// Appends the first `length` bytes of a word, of which the lowest one is the first.
    fn push_word(&mut self, word: u64, length: usize);

    /// Appends a text of any length.
    fn push_text(&mut self, text: &[u8]);
}

impl NumberBuffer for Vec<u8> {
    #[inline]
    fn push_word(&mut self, word: u64, length: usize) {
        let end = self.len() + length;
        self.extend_from_slice(&word.to_le_bytes());
        self.truncate(end);
    }

    fn push_text(&mut self, text: &[u8]) {
        self.extend_from_slice(text);
    }
}

impl NumberBuffer for PaddedBuffer {
    #[inline(always)]
    fn push_word(&mut self, word: u64, length: usize) {
        match self.next() {
            Some(to) => {
                *to = word.to_le_bytes();
                self.length += length;
            }
            None => self.push(word.to_le_bytes().get(..length).unwrap_or_default()),
        }
    }

    fn push_text(&mut self, text: &[u8]) {
        self.push(text);
    }
}

/// The first bytes, padded with zeros.
fn window<'b>(bytes: impl IntoIterator<Item = &'b u8>) -> [u8; WINDOW] {
    let mut window = [0; WINDOW];
    window.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    window
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_gaps_of_all_lengths() {
        let bytes: Vec<u8> = (0..80).collect();
        for start in 0..bytes.len() {
            for end in start..bytes.len() {
                let mut all = bytes[start..end].to_vec();
                assert_eq!(Gap::new(&all).end_in::<false>(&bytes, start), Some(end));
                assert_eq!(Gap::new(&all).end_in::<false>(&bytes[..end], start), Some(end));
                let Some(last) = all.last_mut() else { continue };
                *last ^= 1;
                assert_eq!(Gap::new(&all).end_in::<false>(&bytes, start), None);
                assert_eq!(Gap::new(&all).end_in::<false>(&bytes[..end - 1], start), None);
            }
        }
    }

    #[test]
    fn finds_tokens_with_any_white_space_between_them() {
        let gap = Gap::new(b" ,\t\"a \\\\\" :{ \"\\\" ,\": [ ");
        let tail = "1".repeat(WINDOW);
        for tail in ["1", &tail] {
            let f = |text: &str, finds: bool| {
                let bytes = format!("0{text}{tail}");
                let want = finds.then_some(1 + text.len());
                assert_eq!(gap.end_in::<true>(bytes.as_bytes(), 1), want, "{text}");
            };
            f(r#","a \\":{"\" ,":["#, true);
            f("\n, \"a \\\\\"\r: {\t\"\\\" ,\"  :\n[ \t", true);
            for other in [
                r#","a  \\":{"\" ,":["#,
                r#","a\\":{"\" ,":["#,
                r#","a \ \":{"\" ,":["#,
                r#","a \\":{"\",":["#,
                r#","a \\":{"\"  ,":["#,
                r#","a \\":{"\ " ,":["#,
                r#","a \\":{"\" , ":["#,
                r#","a \\":{"\" ,":{["#,
                r#","a \\":{"\" ,":"#,
                r#","a \\":{"\" ,""#,
                "\u{b},\"a \\\\\":{\"\\\" ,\":[",
            ] {
                f(other, false);
            }
        }
        // The end of a long gap may have no other white space.
        let key = "k".repeat(200);
        let gap = Gap::new(format!("\"{key}\":").as_bytes());
        for (text, finds) in [(format!(" \"{key}\": "), true), (format!("\"{key}\" :"), false)] {
            assert_eq!(gap.end_in::<true>(text.as_bytes(), 0), finds.then_some(text.len()));
        }
        let gap = Gap::new(b",[");
        assert_eq!(gap.end_in::<true>(b",", 0), None);
        assert_eq!(gap.end_in::<true>(b",", 2), None);
    }

    #[test]
    fn writes_pieces_of_all_lengths() {
        let bytes: Vec<u8> = (0..80).collect();
        for before in 0..40 {
            for length in 0..40 {
                let (mut out, prefix) = (PaddedBuffer::default(), Prefix::new(&bytes[..before]));
                for _ in 0..3 {
                    prefix.push_with(&bytes, length, &mut out);
                    prefix.push_with(&bytes[..length], length, &mut out);
                    out.push(prefix.bytes());
                }
                let one = [&bytes[..before], &bytes[..length]].concat();
                assert_eq!(out.written(), [&*one, &one, &bytes[..before]].concat().repeat(3));
                out.clear();
                assert!(out.written().is_empty());
            }
        }
    }
}
