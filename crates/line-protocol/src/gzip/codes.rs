//! The Huffman codes of a block, and how its header tells them (RFC 1951, 3.2.7).

#![expect(clippy::indexing_slicing, reason = "symbols are of their alphabets, which all tables here hold")]

use super::alphabet::{
    DISTANCES, END, LENGTH_BASES, LENGTH_MIN, LENGTH_SYMBOLS, LITERALS, SYMBOLS, distance_symbol,
};
use super::bits::{Bits, Code};
use super::huffman;

/// 15 are allowed, but four literals are to fit between two flushes.
const LITERAL_BITS_MAX: usize = 14;
const DISTANCE_BITS_MAX: usize = 15;
/// In the code that the lengths of the others are written in.
const LENGTH_BITS_MAX: usize = 7;
const LENGTH_CODES: usize = 19;
/// In which order the lengths of its own codes come.
const ORDER: [usize; LENGTH_CODES] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// What a symbol seen once counts, where one not seen counts 1.
const SEEN: u32 = 4;

/// How often the symbols occur in a part of a text.
#[derive(Debug)]
pub(super) struct Frequencies {
    symbols: [u32; SYMBOLS],
    distances: [u32; DISTANCES],
}

#[derive(Debug)]
pub(super) struct Codes {
    literals: [Code; LITERALS],
    end: Code,
    /// Of each length less the least, with its extra bits.
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

    /// Literals from `@` on: letters, for the most part.
    pub fn letters(&self) -> u32 {
        self.symbols.get(usize::from(b'@')..LITERALS).unwrap_or_default().iter().sum()
    }

    /// Lets every symbol have a code, as others may occur in what is not counted.
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

    /// At most 14 bits.
    #[inline]
    pub fn literal(&self, byte: u8) -> Code {
        self.literals[usize::from(byte)]
    }

    /// At most 19 bits.
    #[inline]
    pub fn length(&self, length: usize) -> Code {
        self.lengths[(length - LENGTH_MIN) % 256]
    }

    /// At most 28 bits.
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

    /// The type of the block and its codes.
    pub fn write_header(&self, bits: &mut Bits<'_>) {
        // Codes at the end that are not used are left out.
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

/// All up to the last that is not 0, but at least so many.
fn used(lengths: &[u8], least: usize) -> &[u8] {
    let count = lengths.iter().rposition(|length| *length > 0).map_or(0, |last| last + 1);
    lengths.get(..count.max(least)).unwrap_or(lengths)
}

/// Passes on lengths as symbols: 0 to 15 for themselves, then with extra bits and their number: 16, the last one 3 to 6
/// times again; 17, 3 to 10 zeros; 18, 11 to 138 zeros.
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
