//! Huffman codes of limited length.

#![expect(
    clippy::indexing_slicing,
    reason = "symbols, lengths and nodes are counted against the tables that hold them"
)]

use super::bits::Code;

/// The longest code of any alphabet of DEFLATE (RFC 1951, 3.2.7).
const BITS_MAX: usize = 15;
/// The largest alphabet: literals, the end of a block, lengths.
const SYMBOLS_MAX: usize = 288;

/// Sets the lengths of codes of at most `bits_max` bits for these frequencies. A symbol that does not occur has no code. At least
/// two symbols have one, because readers differ on incomplete codes.
pub(super) fn lengths(frequencies: &[u32], bits_max: usize, lengths: &mut [u8]) {
    lengths.fill(0);
    // Sorted by frequency, the symbol in the lowest bits.
    let mut sorted = [0_u64; SYMBOLS_MAX];
    let mut used = 0;
    let seen = (0_u64..).zip(frequencies).filter(|(_, frequency)| **frequency > 0);
    for ((symbol, frequency), slot) in seen.zip(&mut sorted) {
        *slot = u64::from(*frequency) << 9 | symbol;
        used += 1;
    }
    let Some(sorted) = sorted.get_mut(..used) else { return };
    if let [] | [_] = sorted {
        let only = sorted.first().map_or(0, |entry| (entry & 511) as usize);
        for symbol in [only, usize::from(only == 0)] {
            lengths[symbol] = 1;
        }
        return;
    }
    sorted.sort_unstable();
    let counts = limited(depths(sorted), bits_max);
    // The rarest have the longest codes.
    let by_length = (1..=bits_max).rev().flat_map(|length| std::iter::repeat_n(length, counts[length]));
    for (entry, length) in sorted.iter().zip(by_length) {
        lengths[(entry & 511) as usize] = length as u8;
    }
}

/// Number of codes of each length by Huffman's algorithm; longer codes count as codes of the longest length.
fn depths(sorted: &[u64]) -> [usize; BITS_MAX + 1] {
    let leaves = sorted.len();
    let (mut weights, mut parents) = ([0_u64; SYMBOLS_MAX], [0_u16; SYMBOLS_MAX]);
    let mut leaf_parents = [0_u16; SYMBOLS_MAX];
    let (mut leaf, mut inner) = (0, 0);
    for next in 0..leaves - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            let least = sorted.get(leaf).map(|entry| entry >> 9);
            if inner < next && least.is_none_or(|least| weights[inner] < least) {
                weight += weights[inner];
                parents[inner] = next as u16;
                inner += 1;
            } else {
                weight += least.unwrap_or_default();
                leaf_parents[leaf] = next as u16;
                leaf += 1;
            }
        }
        weights[next] = weight;
    }
    // From the root down, because parents come after their children.
    let mut depths = [0_u16; SYMBOLS_MAX];
    for node in (0..leaves - 2).rev() {
        depths[node] = depths[parents[node] as usize] + 1;
    }
    let mut counts = [0; BITS_MAX + 1];
    for parent in &leaf_parents[..leaves] {
        let depth = depths[*parent as usize] as usize + 1;
        counts[depth.min(BITS_MAX)] += 1;
    }
    counts
}

/// Shortens codes to `bits_max`, and lengthens others until the sum of 2^-length is 1 again.
fn limited(mut counts: [usize; BITS_MAX + 1], bits_max: usize) -> [usize; BITS_MAX + 1] {
    for length in bits_max + 1..=BITS_MAX {
        counts[bits_max] += std::mem::take(&mut counts[length]);
    }
    let mut taken: usize = (1..=bits_max).map(|length| counts[length] << (bits_max - length)).sum();
    while taken > 1 << bits_max {
        // A shorter code becomes one bit longer, and one of the longest codes becomes its sibling.
        counts[bits_max] -= 1;
        if let Some(length) = (1..bits_max).rev().find(|length| counts[*length] > 0) {
            counts[length] -= 1;
            counts[length + 1] += 2;
        }
        taken -= 1;
    }
    counts
}

/// The codes for these lengths (RFC 1951, 3.2.2), with their bits reversed, because codes are written highest bit first.
pub(super) fn codes(lengths: &[u8], codes: &mut [Code]) {
    let mut counts = [0_u32; BITS_MAX + 1];
    for length in lengths.iter().filter(|length| **length > 0) {
        counts[*length as usize & BITS_MAX] += 1;
    }
    let (mut next, mut first) = ([0_u32; BITS_MAX + 1], 0);
    for (next, count) in next.iter_mut().skip(1).zip(&counts).map(|(n, c)| (n, *c)) {
        first = (first + count) << 1;
        *next = first;
    }
    for (length, code) in lengths.iter().zip(codes) {
        let next = &mut next[*length as usize & BITS_MAX];
        *code = match u32::from(*length) {
            0 => Code::default(),
            count => Code::new(next.reverse_bits() >> (32 - count), count),
        };
        *next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed;
    use fastrand::Rng;

    /// Lengths that form a complete tree, with no code too long, and no frequent symbol longer than a rare one.
    fn checked(frequencies: &[u32], bits_max: usize) -> Vec<u8> {
        let mut found = vec![77; frequencies.len()];
        lengths(frequencies, bits_max, &mut found);
        let taken: u64 =
            found.iter().filter(|length| **length > 0).map(|length| 1 << (bits_max - *length as usize)).sum();
        assert_eq!(taken, 1 << bits_max, "{frequencies:?}: {found:?}");
        let some = frequencies.iter().filter(|frequency| **frequency > 0).count();
        for (frequency, length) in frequencies.iter().zip(&found) {
            assert_eq!(*length > 0, *frequency > 0 || some < 2 && *length == 1);
            for (other, longer) in frequencies.iter().zip(&found).filter(|(other, _)| **other > 0) {
                assert!(frequency <= other || length <= longer, "{frequencies:?}: {found:?}");
            }
        }
        found
    }

    fn bits(frequencies: &[u32], lengths: &[u8]) -> u64 {
        frequencies.iter().zip(lengths).map(|(f, l)| u64::from(*f) * u64::from(*l)).sum()
    }

    #[test]
    fn gives_lengths() {
        let f = |frequencies: &[u32], want: &[u8]| assert_eq!(checked(frequencies, 7), want);
        f(&[0, 0, 0], &[1, 1, 0]);
        f(&[9, 0, 0], &[1, 1, 0]);
        f(&[0, 0, 9], &[1, 0, 1]);
        f(&[0, 1, 9], &[0, 1, 1]);
        f(&[1, 1, 2], &[2, 2, 1]);
        f(&[1, 1, 1, 1], &[2, 2, 2, 2]);
        f(&[u32::MAX, u32::MAX, u32::MAX], &[2, 2, 1]);
    }

    #[test]
    fn codes_of_rare_symbols_are_limited() {
        let mut fibonacci = vec![1_u32, 1];
        while fibonacci.len() < 40 {
            fibonacci.push(fibonacci[fibonacci.len() - 1] + fibonacci[fibonacci.len() - 2]);
        }
        for bits_max in [6, 7, 14, 15] {
            for count in 2..=40 {
                checked(&fibonacci[..count], bits_max);
            }
            let mut turned = fibonacci.clone();
            turned.reverse();
            checked(&turned, bits_max);
        }
        let powers: Vec<u32> = (0..32).map(|power| 1 << power).collect();
        checked(&powers, 7);
        // All of an alphabet, one of them frequent.
        for count in [19, 30, 286] {
            let mut frequencies = vec![1; count];
            frequencies[0] = 1 << 30;
            checked(&frequencies, if count > 128 { 14 } else { 7 });
        }
        let mut full = vec![1; 128];
        full[5] = 1 << 30;
        assert_eq!(checked(&full, 7), [7; 128]);
    }

    #[test]
    fn random_frequencies_come_near_their_entropy() {
        let seed = seed::given_or_random(
            "BRIDGE_HUFFMAN_SEED",
            "cargo test --lib random_frequencies_come_near_their_entropy",
        );
        let mut rng = Rng::with_seed(seed);
        for _ in 0..2_000 {
            let count = rng.usize(2..=286);
            let spread = rng.u32(1..24);
            let frequencies: Vec<u32> =
                (0..count).map(|_| rng.u32(..1 << spread) >> rng.u32(0..spread)).collect();
            let found = checked(&frequencies, 15);
            let total: f64 = frequencies.iter().map(|f| f64::from(*f)).sum();
            let entropy = |f: &u32| f64::from(*f) * (total.max(1.0) / f64::from((*f).max(1))).log2();
            let least: f64 = frequencies.iter().map(entropy).sum();
            let bits = bits(&frequencies, &found) as f64;
            // Huffman codes are within a bit of the entropy; the length limit costs a little more.
            assert!(bits <= least * 1.02 + total, "{bits} {least} {total} {frequencies:?}");
        }
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 1951, 3.2.2: A to H with these lengths.
        let mut found = [Code::default(); 8];
        codes(&[3, 3, 3, 3, 3, 2, 4, 4], &mut found);
        let want = ["010", "011", "100", "101", "110", "00", "1110", "1111"];
        for (code, want) in found.iter().zip(want) {
            let turned: String = want.chars().rev().collect();
            assert_eq!(code.bits(), u32::from_str_radix(&turned, 2).unwrap());
            assert_eq!(code.count() as usize, want.len());
        }
    }
}
