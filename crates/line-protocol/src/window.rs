//! Classifies sixteen bytes at once: a bit mask of the bytes of a class, the first byte in the lowest bit.

pub const LENGTH: usize = 16;

pub type Window = [u8; LENGTH];

/// Up to sixteen bytes, padded with zeros.
#[inline]
pub fn padded(bytes: &[u8]) -> Window {
    let length = bytes.len().min(LENGTH);
    // The last word overlaps the first with equal bits.
    let all = match (bytes.first_chunk::<8>(), bytes.first_chunk::<4>()) {
        (Some(first), _) => {
            let last = bytes.get(..length).and_then(|bytes| bytes.last_chunk::<8>()).unwrap_or(first);
            u128::from(u64::from_le_bytes(*first))
                | u128::from(u64::from_le_bytes(*last)) << (8 * (length - 8))
        }
        (None, Some(first)) => {
            let last = bytes.last_chunk::<4>().unwrap_or(first);
            u128::from(u32::from_le_bytes(*first))
                | u128::from(u32::from_le_bytes(*last)) << (8 * (length - 4))
        }
        (None, None) => bytes.iter().rev().fold(0, |all, byte| all << 8 | u128::from(*byte)),
    };
    all.to_le_bytes()
}

/// Number of bytes before the first one in which the two differ.
#[inline]
pub fn equal_bytes(one: &[u8; 2 * LENGTH], other: &[u8; 2 * LENGTH]) -> usize {
    let ([one, one_end], [other, other_end]) = (one.as_chunks().0, other.as_chunks().0) else { return 0 };
    let differing = kinds::differing(one, other) | kinds::differing(one_end, other_end) << LENGTH;
    differing.trailing_zeros() as usize
}

/// Number of equal bytes at the start of two windows; more than their length if all are equal.
#[inline]
pub fn equal_start(one: &Window, other: &Window) -> usize {
    kinds::differing(one, other).trailing_zeros() as usize
}

/// Mask of the bytes that are not decimal digits.
pub use kinds::no_digits;

/// Mask of quotes, backslashes and control characters, which a JSON string must escape.
pub use kinds::no_plain_text;

/// Mask of commas, equals signs, spaces, backslashes and control characters, which a name in line protocol must escape.
pub use kinds::no_name;

#[cfg(target_arch = "x86_64")]
mod kinds {
    #![expect(unsafe_code, reason = "one instruction replaces a loop of twenty")]

    use super::Window;
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_max_epu8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8, _mm_sub_epi8,
    };

    #[inline]
    pub fn no_digits(window: &Window) -> u32 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { sse2_no_digits(window) }
    }

    #[inline]
    pub fn no_plain_text(window: &Window) -> u32 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { sse2_no_plain_text(window) }
    }

    #[inline]
    pub fn no_name(window: &Window) -> u32 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { sse2_no_name(window) }
    }

    #[inline]
    pub fn differing(one: &Window, other: &Window) -> u32 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { sse2_differing(one, other) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn sse2_differing(one: &Window, other: &Window) -> u32 {
        bits(_mm_cmpeq_epi8(load(one), load(other))) ^ 0xFFFF
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn sse2_no_digits(window: &Window) -> u32 {
        let values = _mm_sub_epi8(load(window), all(b'0'));
        bits(_mm_cmpeq_epi8(_mm_max_epu8(values, all(10)), values))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn sse2_no_plain_text(window: &Window) -> u32 {
        let bytes = load(window);
        bits(_mm_or_si128(either(bytes, b'"', b'\\'), control(bytes)))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn sse2_no_name(window: &Window) -> u32 {
        let bytes = load(window);
        let marks = _mm_or_si128(either(bytes, b',', b'='), either(bytes, b' ', b'\\'));
        bits(_mm_or_si128(marks, control(bytes)))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(window: &Window) -> __m128i {
        let all = u128::from_le_bytes(*window);
        _mm_set_epi64x((all >> 64) as i64, all as i64)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn all(byte: u8) -> __m128i {
        _mm_set1_epi8(byte.cast_signed())
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn either(bytes: __m128i, one: u8, other: u8) -> __m128i {
        _mm_or_si128(_mm_cmpeq_epi8(bytes, all(one)), _mm_cmpeq_epi8(bytes, all(other)))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn control(bytes: __m128i) -> __m128i {
        _mm_cmpeq_epi8(_mm_min_epu8(bytes, all(0x1F)), bytes)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn bits(kinds: __m128i) -> u32 {
        _mm_movemask_epi8(kinds).cast_unsigned()
    }
}

/// Portable fallback that classifies eight bytes at a time. On x86-64, tests compare it with the instructions above.
#[cfg(any(not(target_arch = "x86_64"), test))]
#[cfg_attr(target_arch = "x86_64", allow(unused_imports))]
mod words {
    use super::Window;

    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    const LOW: u64 = !HIGH;

    pub fn no_digits(window: &Window) -> u32 {
        bits(window, |word| {
            let value = word ^ (ONES * 0x30);
            // The addition sets the high bit for values beyond 9.
            ((value & LOW) + ONES * 0x76) | value
        })
    }

    pub fn no_plain_text(window: &Window) -> u32 {
        bits(window, |word| equals(word, b'"') | equals(word, b'\\') | is_control(word))
    }

    pub fn no_name(window: &Window) -> u32 {
        bits(window, |word| {
            equals(word, b',')
                | equals(word, b'=')
                | equals(word, b'\\')
                | equals(word, b' ')
                | is_control(word)
        })
    }

    pub fn differing(one: &Window, other: &Window) -> u32 {
        let differing = u128::from_le_bytes(*one) ^ u128::from_le_bytes(*other);
        bits(&differing.to_le_bytes(), |word| !equals(word, 0))
    }

    /// Collects the high bits of the bytes that `kind` returns.
    #[inline]
    fn bits(window: &Window, kind: impl Fn(u64) -> u64) -> u32 {
        let all = u128::from_le_bytes(*window);
        // The multiplication moves the bit of each byte to its position among the highest eight.
        let bits = |word: u64| (((kind(word) & HIGH) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32;
        bits(all as u64) | bits((all >> 64) as u64) << 8
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
}
#[cfg(not(target_arch = "x86_64"))]
use words as kinds;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_class_at_each_position() {
        let is_digit = |byte: u8| byte.is_ascii_digit();
        let is_plain = |byte: u8| byte >= 0x20 && !b"\"\\".contains(&byte);
        let is_name = |byte: u8| byte >= 0x20 && !b",= \\".contains(&byte);
        for byte in 0..=255_u8 {
            for other in [b'7', b'\xC3', b'a'] {
                for at in 0..LENGTH {
                    let mut window = [other; LENGTH];
                    window[at] = byte;
                    let want = |is: &dyn Fn(u8) -> bool| {
                        (0..LENGTH).filter(|&at| !is(window[at])).fold(0, |bits, at| bits | 1 << at)
                    };
                    let all = [want(&is_digit), want(&is_plain), want(&is_name)];
                    assert_eq!(
                        [no_digits(&window), no_plain_text(&window), no_name(&window)],
                        all,
                        "{window:?}"
                    );
                    let by_words = [words::no_digits, words::no_plain_text, words::no_name];
                    assert_eq!(by_words.map(|kind| kind(&window)), all, "{window:?}");
                }
            }
        }
    }

    #[test]
    fn finds_the_first_difference() {
        for value in 0..=255_u8 {
            let one = [value; 2 * LENGTH];
            assert_eq!(equal_bytes(&one, &one), 2 * LENGTH);
            for at in 0..2 * LENGTH {
                let mut other = one;
                other[at..].fill(value.wrapping_add(1));
                assert_eq!(equal_bytes(&one, &other), at);
                let (one, other) = (one.first_chunk().unwrap(), other.first_chunk().unwrap());
                assert_eq!(words::differing(one, other), super::kinds::differing(one, other));
            }
        }
    }

    #[test]
    fn pads_with_zeros() {
        let bytes: Vec<u8> = (1..=40).collect();
        for length in 0..=bytes.len() {
            let mut want = [0; LENGTH];
            want.iter_mut().zip(&bytes[..length]).for_each(|(to, from)| *to = *from);
            assert_eq!(padded(&bytes[..length]), want);
        }
    }
}
