//! Lengths of runs of bytes of one class, sixteen bytes at a time.

use crate::window::{self, LENGTH, Window};

/// Longest number that [`plain_number`] accepts; it stays far below the largest 64-bit floating point number (1.8e308).
const PLAIN_NUMBER_MAX: usize = 64;

/// The bytes as words of eight. The last word has the remaining bytes, perhaps none, padded with zeros.
#[inline]
pub fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
    words.iter().copied().chain([last]).map(u64::from_le_bytes)
}

/// The first sixteen bytes as a number, padded with zeros.
#[inline]
pub fn start(bytes: &[u8]) -> u128 {
    u128::from_le_bytes(first(bytes))
}

/// Number of digits at the start of `bytes`.
#[inline]
pub fn digits(bytes: &[u8]) -> usize {
    run(bytes, window::no_digits)
}

/// Number of bytes before the next quote, backslash or control character.
#[inline]
pub fn plain(bytes: &[u8]) -> usize {
    run(bytes, window::no_plain_text)
}

/// Whether the first `length` bytes, at most sixteen, are no quotes, backslashes or control characters. Where `length` is not 0,
/// false if fewer than sixteen bytes are readable.
#[inline]
pub fn starts_plain(bytes: &[u8], length: usize) -> bool {
    let ends = bytes.first_chunk().map_or(1, window::no_plain_text);
    length <= LENGTH && (ends.trailing_zeros() as usize) >= length
}

/// Number of bytes that need no escape in a name of line protocol: those before the next comma, equals sign, space, backslash
/// or control character.
#[inline]
pub fn name(bytes: &[u8]) -> usize {
    run(bytes, window::no_name)
}

/// Length of the number at the start of `bytes`, if the number has no exponent and is short enough to be finite. None means
/// that the caller has to parse.
#[expect(clippy::inline_always, reason = "called for each number; a call would cost more than the work")]
#[inline(always)]
pub fn plain_number(bytes: &[u8]) -> Option<usize> {
    let window = first(bytes);
    let Number { length, .. } = number_in(&window, window::no_digits(&window))?;
    if length >= LENGTH {
        return long_number(bytes);
    }
    (*bytes.get(length)? | 0x20 != b'e').then_some(length)
}

/// A number up to its exponent or suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// At least the length of the window if the number may go on behind it.
    pub length: usize,
    pub has_fraction: bool,
}

/// The number at the start of a window of up to 32 bytes. `ends`: mask of the bytes that are not digits.
#[expect(clippy::inline_always, reason = "called for each number; a call would cost more than the work")]
#[inline(always)]
pub fn number_in<const N: usize>(window: &[u8; N], ends: u32) -> Option<Number> {
    let sign = usize::from(window.starts_with(b"-"));
    let ends = ends >> sign;
    let digits = ends.trailing_zeros() as usize;
    // JSON writes no leading zeros.
    if digits == 0 || (digits > 1) & (window.get(sign) == Some(&b'0')) {
        return None;
    }
    let length = sign + digits;
    if window.get(length) != Some(&b'.') {
        return Some(Number { length, has_fraction: false });
    }
    let behind = (ends & (ends - 1)).trailing_zeros() as usize;
    (behind > digits + 1).then_some(Number { length: sign + behind, has_fraction: true })
}

/// Slow path of [`plain_number`], for numbers that hardly fit into a window.
#[cold]
fn long_number(bytes: &[u8]) -> Option<usize> {
    let mut end = usize::from(bytes.starts_with(b"-"));
    end += digits(bytes.get(end..)?);
    if bytes.get(end) == Some(&b'.') {
        end += 1 + Some(digits(bytes.get(end + 1..)?)).filter(|fraction| *fraction > 0)?;
    }
    (bytes.get(end)? | 0x20 != b'e' && end <= PLAIN_NUMBER_MAX).then_some(end)
}

/// Bytes that must be readable at the start of the second argument of [`starts_with`].
pub const READ_BEYOND: usize = 2 * LENGTH;

/// Whether `bytes` begins with the first `length` bytes of `start`, which is longer by [`READ_BEYOND`] bytes or more.
#[inline]
pub fn starts_with(bytes: &[u8], start: &[u8], length: usize) -> bool {
    // Most strings need one window only.
    if length <= LENGTH
        && let Some((bytes, start)) = bytes.first_chunk().zip(start.first_chunk())
    {
        return window::equal_start(bytes, start) >= length;
    }
    let windows = bytes.first_chunk::<READ_BEYOND>().zip(start.first_chunk::<READ_BEYOND>());
    let Some((bytes_window, start_window)) = windows.filter(|_| length <= READ_BEYOND) else {
        return start.get(..length).is_some_and(|start| bytes.starts_with(start));
    };
    window::equal_bytes(bytes_window, start_window) >= length
}

/// Number of bytes at the start of `one` that `other` has, too.
#[inline]
pub fn equal(one: &[u8], other: &[u8]) -> usize {
    let equal = one.first_chunk().zip(other.first_chunk()).map_or(0, |(a, b)| window::equal_bytes(a, b));
    if equal > 0 && equal < READ_BEYOND {
        return equal;
    }
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Number of bytes before the first one that `ends` marks.
#[expect(clippy::inline_always, reason = "called for each token; a call would cost more than the work")]
#[inline(always)]
fn run(bytes: &[u8], ends: impl Fn(&Window) -> u32) -> usize {
    // Most runs end within a window.
    match ends(&first(bytes)) {
        0 => long_run(bytes, ends),
        found => bytes.len().min(found.trailing_zeros() as usize),
    }
}

#[cold]
fn long_run(bytes: &[u8], ends: impl Fn(&Window) -> u32) -> usize {
    let windows = bytes.chunks(LENGTH).map(|chunk| ends(&first(chunk)));
    let ends = windows.enumerate().find(|(_, found)| *found != 0);
    // The padding is not part of the run.
    ends.map_or(bytes.len(), |(place, found)| {
        bytes.len().min(place * LENGTH + found.trailing_zeros() as usize)
    })
}

/// The first window of the bytes, padded with zeros.
#[inline]
fn first(bytes: &[u8]) -> Window {
    bytes.first_chunk().copied().unwrap_or_else(|| window::padded(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_short_start_without_escapes_is_plain() {
        let bytes = [&[b'a'; 7][..], b"\\", &[b'b'; 24]].concat();
        for (start, length, want) in [
            (0, 0, true),
            (0, 7, true),
            (0, 8, false),
            (8, 16, true),
            (8, 17, false),
            (16, 16, true),
            (17, 1, false),
            (32, 0, true),
        ] {
            assert_eq!(starts_plain(&bytes[start..], length), want, "{start}, {length}");
        }
    }

    #[test]
    fn each_byte_ends_the_right_runs() {
        for byte in 0..=255_u8 {
            for length in 0..40 {
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

    /// [`plain_number`], a byte at a time.
    fn plain_number_by_bytes(bytes: &[u8]) -> Option<usize> {
        let run = |start: usize| bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let start = usize::from(bytes.first()? == &b'-');
        let mut end = start + run(start);
        if end == start || (bytes[start] == b'0' && end > start + 1) {
            return None;
        }
        if bytes.get(end)? == &b'.' {
            let fraction = run(end + 1);
            if fraction == 0 {
                return None;
            }
            end += 1 + fraction;
        }
        (!b"eE".contains(bytes.get(end)?) && end <= PLAIN_NUMBER_MAX).then_some(end)
    }

    proptest! {
        #[test]
        fn numbers_agree_with_a_loop(text in "-?[0-9]{0,70}[.]?[0-9]{0,40}[-.,}eE0]{0,3}[ -~]{0,20}") {
            prop_assert_eq!(plain_number(text.as_bytes()), plain_number_by_bytes(text.as_bytes()));
        }

        #[test]
        fn short_numbers_agree_with_a_loop(text in "-?[0-9]{0,9}[.]?[0-9]{0,9}[-.,}eE0]{0,3}[ -~]{0,20}") {
            prop_assert_eq!(plain_number(text.as_bytes()), plain_number_by_bytes(text.as_bytes()));
        }

        #[test]
        fn agrees_with_a_loop(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let until = |ends: fn(u8) -> bool| bytes.iter().position(|&b| ends(b)).unwrap_or(bytes.len());
            prop_assert_eq!(digits(&bytes), until(|b| !b.is_ascii_digit()));
            prop_assert_eq!(plain(&bytes), until(|b| b < 0x20 || b"\"\\".contains(&b)));
        }
    }
}
