//! The Huffman codes of a block, and the header that describes them (RFC 1951, 3.2.7).

#![expect(clippy::indexing_slicing, reason = "all tables cover the alphabets of their symbols")]

use super::alphabet::{
    DISTANCES, END, LENGTH_BASES, LENGTH_MIN, LENGTH_SYMBOLS, LITERALS, SYMBOLS, distance_symbol,
};
use super::bits::{Bits, Code};
use super::huffman;

/// Longest code of a literal. DEFLATE allows 15 bits, but four literals must fit between two flushes.
const LITERAL_BITS_MAX: usize = 14;
const DISTANCE_BITS_MAX: usize = 15;
/// Longest code for the lengths of the other codes.
const LENGTH_BITS_MAX: usize = 7;
const LENGTH_CODES: usize = 19;
/// Order in which the header lists the codes for lengths.
const ORDER: [usize; LENGTH_CODES] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// Weight of an occurrence, where an unseen symbol counts 1.
const SEEN: u32 = 4;

/// Frequencies of symbols in a part of a text.
#[derive(Debug)]
pub(super) struct Frequencies {
    symbols: [u32; SYMBOLS],
    distances: [u32; DISTANCES],
}

#[derive(Debug)]
pub(super) struct Codes {
    literals: [Code; LITERALS],
    end: Code,
    /// Codes with extra bits, indexed by length minus [`LENGTH_MIN`].
    lengths: [Code; 256],
    distances: [Code; 32],
    /// The lengths of all codes.
    symbol_lengths: [u8; SYMBOLS],
    distance_lengths: [u8; DISTANCES],
}

impl Frequencies {
    pub fn new() -> Self {
        Self { symbols: [0; SYMBOLS], distances: [0; DISTANCES] }
    }

    pub fn clear(&mut self) {
        *self = Self::new();
    }

    #[inline]
    pub fn literal(&mut self, byte: u8) {
        self.symbols[usize::from(byte)] += 1;
    }

    #[inline]
    pub fn repeat(&mut self, length: usize, distance: u32) {
        let symbol = LENGTH_SYMBOLS[(length - LENGTH_MIN) % 256];
        self.symbols[END + 1 + usize::from(symbol)] += 1;
        self.distances[distance_symbol(distance).0] += 1;
    }

    pub fn end(&mut self) {
        self.symbols[END] += 1;
    }

    /// Number of literals from `@` on, which are mostly letters.
    pub fn letters(&self) -> u32 {
        self.symbols.get(usize::from(b'@')..LITERALS).unwrap_or_default().iter().sum()
    }

    /// Gives every symbol a code, because uncounted text may contain any symbol.
    pub fn allow_all(&mut self) {
        for frequency in self.symbols.iter_mut().chain(&mut self.distances) {
            *frequency = *frequency * SEEN + 1;
        }
    }
}

impl Codes {
    pub fn new() -> Self {
        Self {
            literals: [Code::default(); LITERALS],
            end: Code::default(),
            lengths: [Code::default(); 256],
            distances: [Code::default(); 32],
            symbol_lengths: [0; SYMBOLS],
            distance_lengths: [0; DISTANCES],
        }
    }

    pub fn make(&mut self, frequencies: &Frequencies) {
        huffman::lengths(&frequencies.symbols, LITERAL_BITS_MAX, &mut self.symbol_lengths);
        huffman::lengths(&frequencies.distances, DISTANCE_BITS_MAX, &mut self.distance_lengths);
        huffman::codes(&self.distance_lengths, &mut self.distances);
        let mut symbols = [Code::default(); SYMBOLS];
        huffman::codes(&self.symbol_lengths, &mut symbols);
        for (to, from) in self.literals.iter_mut().zip(symbols) {
            *to = from;
        }
        self.end = symbols[END];
        for (length, (to, symbol)) in (LENGTH_MIN as u32..).zip(self.lengths.iter_mut().zip(LENGTH_SYMBOLS)) {
            let (code, (base, extra)) =
                (symbols[END + 1 + usize::from(symbol)], LENGTH_BASES[usize::from(symbol)]);
            *to = Code::new(code.bits() | (length - base) << code.count(), code.count() + extra);
        }
    }

    /// Code of a literal, at most 14 bits.
    #[inline]
    pub fn literal(&self, byte: u8) -> Code {
        self.literals[usize::from(byte)]
    }

    /// Code of a length with extra bits, at most 19 bits.
    #[inline]
    pub fn length(&self, length: usize) -> Code {
        self.lengths[(length - LENGTH_MIN) % 256]
    }

    /// Writes a distance, at most 28 bits.
    #[inline]
    pub fn write_distance(&self, distance: u32, bits: &mut Bits<'_>) {
        let (symbol, extra, count) = distance_symbol(distance);
        bits.code(self.distances[symbol % 32]);
        bits.add(extra, count);
    }

    pub fn write_end(&self, bits: &mut Bits<'_>) {
        bits.code(self.end);
        bits.flush();
    }

    /// Writes the type of the block and its codes.
    pub fn write_header(&self, bits: &mut Bits<'_>) {
        // Unused codes at the end are left out.
        let symbols = used(&self.symbol_lengths, END + 1);
        let distances = used(&self.distance_lengths, 1);
        let (mut all, count) = ([0; SYMBOLS + DISTANCES], symbols.len() + distances.len());
        for (to, from) in all.iter_mut().zip(symbols.iter().chain(distances)) {
            *to = *from;
        }
        let all = all.get(..count).unwrap_or_default();
        let (mut frequencies, mut lengths) = ([0; LENGTH_CODES], [0; LENGTH_CODES]);
        runs(all, |symbol, _, _| frequencies[symbol % LENGTH_CODES] += 1);
        huffman::lengths(&frequencies, LENGTH_BITS_MAX, &mut lengths);
        let mut codes = [Code::default(); LENGTH_CODES];
        huffman::codes(&lengths, &mut codes);
        let lengths = ORDER.map(|symbol| lengths[symbol]);
        let lengths = used(&lengths, 4);

        bits.add(0b10, 2);
        bits.add((symbols.len() - (END + 1)) as u32, 5);
        bits.add(distances.len() as u32 - 1, 5);
        bits.add(lengths.len() as u32 - 4, 4);
        for length in lengths {
            bits.flush();
            bits.add(u32::from(*length), 3);
        }
        runs(all, |symbol, extra, count| {
            bits.flush();
            bits.code(codes[symbol % LENGTH_CODES]);
            bits.add(extra, count);
        });
        bits.flush();
    }
}

/// The lengths up to the last one that is not 0, but at least `least` of them.
fn used(lengths: &[u8], least: usize) -> &[u8] {
    let count = lengths.iter().rposition(|length| *length > 0).map_or(0, |last| last + 1);
    lengths.get(..count.max(least)).unwrap_or(lengths)
}

/// Passes on lengths as symbols with extra bits: 0 to 15 are lengths, 16 repeats the last length 3 to 6 times, 17 is 3 to 10
/// zeros, and 18 is 11 to 138 zeros.
fn runs(lengths: &[u8], mut each: impl FnMut(usize, u32, u32)) {
    for run in lengths.chunk_by(|a, b| a == b) {
        let (length, mut left) = (run.first().map_or(0, |length| usize::from(*length)), run.len() as u32);
        if length > 0 {
            each(length, 0, 0);
            left -= 1;
        }
        while left > 0 {
            let (symbol, least, most, bits) = match (length, left) {
                (0, 11..) => (18, 11, 138, 7),
                (0, 3..) => (17, 3, 10, 3),
                (1.., 3..) => (16, 3, 6, 2),
                _ => (length, 1, 1, 0),
            };
            let took = left.min(most);
            each(symbol, took - least, bits);
            left -= took;
        }
    }
}
