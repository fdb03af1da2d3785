//! What of a text was there before, looked for only where a delimiter of line protocol stands.

use super::alphabet::{DISTANCE_MAX, LENGTH_MAX};

/// Shorter ones take about as many bits as their bytes do.
pub(super) const REPEAT_MIN: usize = 4;
const SLOTS_LOG2: u32 = 12;
/// What is compared at once.
const CHUNK: usize = 16;
const EACH: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = EACH << 7;
/// The golden ratio: the highest bits of a product depend on all bits of a word.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Takes a text as literals and repeats of what came before.
pub(super) trait Sink {
    fn literals(&mut self, run: &[u8]);
    /// From [`REPEAT_MIN`] to [`LENGTH_MAX`] bytes, as they stand 1 to [`DISTANCE_MAX`] bytes before.
    fn repeat(&mut self, length: usize, distance: u32);
}

/// Where a delimiter stood last, by the key that follows it: 16 kB, as the processor's nearest cache holds them. A second
/// place for each key takes a third more time for at most 3 % less bytes.
///
/// A place is the lowest 32 bits; it is checked before use, so one that means something else does no harm.
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

    /// Passes the text from `start` on to the sink, up to `stop` or to the end of a repeat across it. Returns where. The ranges lie
    /// within the text; text that was left out would not fit the checksum of the whole, so that InfluxDB would refuse the body.
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

    /// The length of what stood before and does again here, and how far before.
    #[expect(clippy::indexing_slicing, reason = "a slot has as many bits as count the places")]
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

/// The next byte below `-`, and what stands from there on: a comma, a space or a line's end, or another that begins a
/// string or stands in names.
#[inline]
fn next_delimiter(text: &[u8], mut at: usize, stop: usize) -> Option<(usize, u128)> {
    while let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*bytes);
        // The lowest of these bits is right: only bytes above one that was found borrow.
        let found = word.wrapping_sub(EACH * u64::from(b'-')) & !word & HIGHS;
        if found != 0 {
            at += found.trailing_zeros() as usize / 8;
            return if at < stop { Some((at, chunk(text, at)?)) } else { None };
        }
        at += bytes.len();
    }
    None
}

/// The slot of the bytes up to the first `=`, at most 16, or of 8 bytes where there is none.
#[inline]
fn slot(here: u128) -> usize {
    let (first, second) = (here as u64, (here >> 64) as u64);
    let (in_first, in_second) = (equals(first), equals(second));
    let long = in_first == 0 && in_second != 0;
    let second = if long { second & up_to(in_second) } else { 0 };
    let key = first & up_to(in_first) ^ second.rotate_left(29);
    (key.wrapping_mul(SPREAD) >> (u64::BITS - SLOTS_LOG2)) as usize
}

/// The highest bit of each `=`; those above the first may be wrong.
#[inline]
fn equals(word: u64) -> u64 {
    let other = word ^ (EACH * u64::from(b'='));
    other.wrapping_sub(EACH) & !other & HIGHS
}

/// All bits up to the lowest of these, or all where there is none.
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

/// What is common behind the first chunk.
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
