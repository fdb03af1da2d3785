//! Lengths and distances of matches as symbols (RFC 1951, 3.2.5).

#![expect(clippy::indexing_slicing, reason = "the tables are made at compile time")]

pub(super) const LITERALS: usize = 256;
/// Symbol for the end of a block; the symbols of lengths follow.
pub(super) const END: usize = 256;
pub(super) const LENGTHS: usize = 29;
pub(super) const DISTANCES: usize = 30;
pub(super) const SYMBOLS: usize = LITERALS + 1 + LENGTHS;

pub(super) const LENGTH_MIN: usize = 3;
pub(super) const LENGTH_MAX: usize = 258;
pub(super) const DISTANCE_MAX: u32 = 32_768;

/// First length and number of extra bits of each symbol.
pub(super) const LENGTH_BASES: [(u32, u32); LENGTHS] = length_bases();
/// Index of the symbol for each length minus [`LENGTH_MIN`].
pub(super) const LENGTH_SYMBOLS: [u8; 256] = length_symbols();

const fn length_bases() -> [(u32, u32); LENGTHS] {
    let mut bases = [(0, 0); LENGTHS];
    let (mut symbol, mut base) = (0, LENGTH_MIN as u32);
    while symbol < LENGTHS - 1 {
        let extra = if symbol < 8 { 0 } else { symbol as u32 / 4 - 1 };
        bases[symbol] = (base, extra);
        base += 1 << extra;
        symbol += 1;
    }
    bases[symbol] = (LENGTH_MAX as u32, 0);
    bases
}

const fn length_symbols() -> [u8; 256] {
    let (mut symbols, mut at, mut symbol) = ([0; 256], 0, 0);
    while at < 256 {
        if symbol + 1 < LENGTHS && at + LENGTH_MIN >= LENGTH_BASES[symbol + 1].0 as usize {
            symbol += 1;
        }
        symbols[at] = symbol as u8;
        at += 1;
    }
    symbols
}

/// Symbol of a distance, its extra bits, and their number.
#[inline]
pub(super) fn distance_symbol(distance: u32) -> (usize, u32, u32) {
    let less = distance - 1;
    // Distances 1 and 2 would need a negative shift.
    let top = (less | 2).ilog2();
    let extra = top - 1;
    let symbol = if less < 2 { less } else { 2 * top + (less >> extra & 1) };
    let mask = (1 << extra) - 1;
    (symbol as usize, less & mask, extra)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_standard() {
        let f = |length: usize, symbol: usize, base: u32, extra: u32| {
            let found = usize::from(LENGTH_SYMBOLS[length - LENGTH_MIN]);
            assert_eq!((found + 257, LENGTH_BASES[found]), (symbol, (base, extra)), "{length}");
        };
        f(3, 257, 3, 0);
        f(10, 264, 10, 0);
        f(11, 265, 11, 1);
        f(12, 265, 11, 1);
        f(18, 268, 17, 1);
        f(19, 269, 19, 2);
        f(66, 276, 59, 3);
        f(114, 279, 99, 4);
        f(115, 280, 115, 4);
        f(257, 284, 227, 5);
        f(258, 285, 258, 0);
    }

    #[test]
    fn distances_are_those_of_the_standard() {
        let f = |distance, symbol, base: u32, count| {
            assert_eq!(distance_symbol(distance), (symbol, distance - base, count), "{distance}");
        };
        f(1, 0, 1, 0);
        f(2, 1, 2, 0);
        f(3, 2, 3, 0);
        f(4, 3, 4, 0);
        f(5, 4, 5, 1);
        f(6, 4, 5, 1);
        f(7, 5, 7, 1);
        f(12, 6, 9, 2);
        f(256, 15, 193, 6);
        f(257, 16, 257, 7);
        f(24_576, 28, 16_385, 13);
        f(24_577, 29, 24_577, 13);
        f(32_768, 29, 24_577, 13);
    }
}
