//! Finds repeats in a text, searching only at delimiters of line protocol.

use super::alphabet::{DISTANCE_MAX, LENGTH_MAX};

/// Shortest repeat; shorter ones take about as many bits as their bytes.
pub(super) const REPEAT_MIN: usize = 4;
const SLOTS_LOG2: u32 = 12;
/// Bytes that are compared at once.
const CHUNK: usize = 16;
const EACH: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = EACH << 7;
/// Golden ratio multiplier, so that the highest bits of a product depend on all bits of a word.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Receives a text as literals and repeats of earlier text.
pub(super) trait Sink {
    fn literals(&mut self, run: &[u8]);
    /// Receives a repeat of [`REPEAT_MIN`] to [`LENGTH_MAX`] bytes from 1 to [`DISTANCE_MAX`] bytes before.
    fn repeat(&mut self, length: usize, distance: u32);
}

/// Last position of a delimiter for each key that follows one. The table takes 16 kB, which fit into the processor's first
/// cache. A second position per key would take a third more time for at most 3 % less bytes.
///
/// Only the lowest 32 bits of a position are stored. Positions are checked before use, so a wrong one does no harm.
#[derive(Debug)]
pub(super) struct Matches {
    places: Box<[u32; 1 << SLOTS_LOG2]>,
}

impl Matches {
    pub fn new() -> Self {
        Self { places: Box::new([0; 1 << SLOTS_LOG2]) }
    }

    pub fn clear(&mut self) {
        self.places.fill(0);
    }

    /// Passes the text from `start` to the sink, up to `stop` or to the end of a repeat across `stop`. Returns the end. All ranges lie
    /// within the text: missing text would break the checksum, and InfluxDB would refuse the body.
    #[inline]
    pub fn scan(&mut self, text: &[u8], start: usize, stop: usize, sink: &mut impl Sink) -> usize {
        let (mut at, mut run) = (start, start);
        // No repeat begins in the last bytes.
        while let Some((delimiter, here)) = next_delimiter(text, at, stop) {
            at = delimiter;
            let (length, distance) = self.repeat(text, at, here);
            if length >= REPEAT_MIN {
                sink.literals(text.get(run..at).unwrap_or_default());
                sink.repeat(length, distance);
                at += length;
                run = at;
            } else {
                at += 1;
            }
        }
        let end = run.max(stop);
        sink.literals(text.get(run..end).unwrap_or_default());
        end
    }

    /// Length and distance of the repeat at `at`; the length is 0 where there is none.
    #[expect(clippy::indexing_slicing, reason = "a slot has only as many bits as the table has positions")]
    #[inline]
    fn repeat(&mut self, text: &[u8], at: usize, here: u128) -> (usize, u32) {
        let place = &mut self.places[slot(here)];
        let distance = (at as u32).wrapping_sub(*place);
        *place = at as u32;
        match at.checked_sub(distance as usize) {
            Some(before) if (1..=DISTANCE_MAX).contains(&distance) => {
                (common(text, before, at, here), distance)
            }
            _ => (0, 0),
        }
    }
}

#[inline]
fn chunk(text: &[u8], at: usize) -> Option<u128> {
    Some(u128::from_le_bytes(*text.get(at..)?.first_chunk::<CHUNK>()?))
}

/// Position of the next byte below `-`, and the text from there on. Such bytes are commas, spaces and line ends, and some that
/// occur in strings and names.
#[inline]
fn next_delimiter(text: &[u8], mut at: usize, stop: usize) -> Option<(usize, u128)> {
    while let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*bytes);
        // The lowest bit is right, because only bytes above a found one borrow.
        let found = word.wrapping_sub(EACH * u64::from(b'-')) & !word & HIGHS;
        if found != 0 {
            at += found.trailing_zeros() as usize / 8;
            return if at < stop { Some((at, chunk(text, at)?)) } else { None };
        }
        at += bytes.len();
    }
    None
}

/// Slot for the bytes up to the first `=`, at most 16, or for 8 bytes where there is none.
#[inline]
fn slot(here: u128) -> usize {
    let (first, second) = (here as u64, (here >> 64) as u64);
    let (in_first, in_second) = (equals(first), equals(second));
    let long = in_first == 0 && in_second != 0;
    let second = if long { second & up_to(in_second) } else { 0 };
    let key = first & up_to(in_first) ^ second.rotate_left(29);
    (key.wrapping_mul(SPREAD) >> (u64::BITS - SLOTS_LOG2)) as usize
}

/// Mask with the highest bit of each `=`; bits above the first one may be wrong.
#[inline]
fn equals(word: u64) -> u64 {
    let other = word ^ (EACH * u64::from(b'='));
    other.wrapping_sub(EACH) & !other & HIGHS
}

/// Mask of all bits up to the lowest one of `found`, or of all bits where there is none.
#[inline]
fn up_to(found: u64) -> u64 {
    found ^ found.wrapping_sub(1)
}

#[inline]
fn common(text: &[u8], before: usize, at: usize, here: u128) -> usize {
    let Some(there) = chunk(text, before) else { return 0 };
    let differ = here ^ there;
    if differ != 0 {
        differ.trailing_zeros() as usize / 8
    } else {
        CHUNK + longer(text, before + CHUNK, at + CHUNK)
    }
}

/// Length of the common text after the first chunk.
fn longer(text: &[u8], before: usize, at: usize) -> usize {
    let (before, here) = (text.get(before..).unwrap_or_default(), text.get(at..).unwrap_or_default());
    let here = here.get(..LENGTH_MAX - CHUNK).unwrap_or(here);
    let (words_before, (words, _)) = (before.as_chunks::<8>().0, here.as_chunks::<8>());
    let mut length = 0;
    for (a, b) in words_before.iter().zip(words) {
        let differ = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differ != 0 {
            return length + differ.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + before.iter().zip(here).skip(length).take_while(|(a, b)| a == b).count()
}
