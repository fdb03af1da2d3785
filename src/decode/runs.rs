//! Where runs of equal kind end in text, eight bytes at a time.

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = ONES << 7;
const LOW: u64 = !HIGH;

/// Longest number that [`plain_number`] answers for: it stays far below the largest 64-bit floating point number (1.8e308).
const PLAIN_NUMBER_MAX: usize = 64;

/// Eight bytes at a time; the last ones, perhaps none, with zeros behind them.
#[inline]
pub fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
    words.iter().copied().chain([last]).map(u64::from_le_bytes)
}

/// How many digits `bytes` begin with.
#[inline]
pub fn digits(bytes: &[u8]) -> usize {
    run(bytes, |word| {
        let value = word ^ (ONES * 0x30);
        // Beyond 9 the high bit comes up.
        ((value & LOW) + ONES * 0x76) | value
    })
}

/// How many bytes stand before the next quote, backslash or control character.
#[inline]
pub fn plain(bytes: &[u8]) -> usize {
    run(bytes, |word| equals(word, b'"') | equals(word, b'\\') | is_control(word))
}

/// How many bytes need no escape in a name, in line protocol: they stand before the next comma, equals sign,
/// space, backslash or control character.
#[inline]
pub fn name(bytes: &[u8]) -> usize {
    run(bytes, |word| {
        equals(word, b',') | equals(word, b'=') | equals(word, b'\\') | equals(word, b' ') | is_control(word)
    })
}

/// The length of the number that `bytes` begin with, if it is of the plainest kind: no exponent, and so short that it is
/// surely finite. None says nothing.
#[inline]
pub fn plain_number(bytes: &[u8]) -> Option<usize> {
    let sign = usize::from(*bytes.first()? == b'-');
    let whole = bytes.get(sign..)?;
    let digits = self::digits(whole);
    // JSON writes no leading zeros.
    if digits == 0 || (digits > 1 && whole.first() == Some(&b'0')) {
        return None;
    }
    let mut end = sign + digits;
    let mut next = *bytes.get(end)?;
    if next == b'.' {
        let fraction = self::digits(bytes.get(end + 1..)?);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
        next = *bytes.get(end)?;
    }
    (next | 0x20 != b'e' && end <= PLAIN_NUMBER_MAX).then_some(end)
}

/// How many bytes stand before the first whose high bit is set in what `ends` makes of them.
#[expect(clippy::inline_always, reason = "as in the scanner")]
#[inline(always)]
fn run(bytes: &[u8], ends: impl Fn(u64) -> u64) -> usize {
    // Most runs end within eight bytes.
    if let Some(word) = bytes.first_chunk() {
        let found = ends(u64::from_le_bytes(*word)) & HIGH;
        if found != 0 {
            return found.trailing_zeros() as usize / 8;
        }
    }
    long_run(bytes, ends)
}

#[cold]
fn long_run(bytes: &[u8], ends: impl Fn(u64) -> u64) -> usize {
    let ends = words(bytes).map(|word| ends(word) & HIGH).enumerate().find(|(_, found)| *found != 0);
    // The run ends with the text at the latest, not in the zeros behind it.
    ends.map_or(bytes.len(), |(place, found)| {
        bytes.len().min(place * 8 + found.trailing_zeros() as usize / 8)
    })
}

#[inline]
fn equals(word: u64, byte: u8) -> u64 {
    let other = word ^ (ONES * u64::from(byte));
    !(((other & LOW) + LOW) | other)
}

#[inline]
fn is_control(word: u64) -> u64 {
    !(((word & LOW) + ONES * 0x60) | word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_byte_ends_what_it_should() {
        for byte in 0..=255_u8 {
            for length in 0..20 {
                for at in 0..=length {
                    let place = |run: u8| {
                        let mut text = vec![run; length];
                        text.insert(at, byte);
                        text
                    };
                    let end = |ends: bool, text: &[u8]| if ends { at } else { text.len() };
                    let text = place(b'7');
                    assert_eq!(digits(&text), end(!byte.is_ascii_digit(), &text), "{byte}");
                    let text = place(b'\xC3');
                    assert_eq!(plain(&text), end(byte < 0x20 || b"\"\\".contains(&byte), &text), "{byte}");
                    assert_eq!(name(&text), end(byte < 0x20 || b",= \\".contains(&byte), &text), "{byte}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_loop(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let until = |ends: fn(u8) -> bool| bytes.iter().position(|&b| ends(b)).unwrap_or(bytes.len());
            prop_assert_eq!(digits(&bytes), until(|b| !b.is_ascii_digit()));
            prop_assert_eq!(plain(&bytes), until(|b| b < 0x20 || b"\"\\".contains(&b)));
        }
    }
}
