//! Which of sixteen bytes are of a kind: a bit for each, the first byte's the lowest.

pub const LENGTH: usize = 16;

pub type Window = [u8; LENGTH];

/// Up to sixteen bytes, with zeros behind them.
#[inline]
pub fn padded(bytes: &[u8]) -> Window {
    let length = bytes.len().min(LENGTH);
    // The last word overlaps the first, whose bits are the same there.
    let all = match (bytes.first_chunk::<8>(), bytes.first_chunk::<4>()) {
        (Some(first), _) => {
            // A text of at least eight bytes has a first and a last eight.
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

/// Bytes that are no decimal digits.
pub use kinds::no_digits;

/// Quotes, backslashes and control characters, which JSON does not let stand in a string as they are.
pub use kinds::no_plain_text;

/// Commas, equals signs, spaces, backslashes and control characters, which line protocol does not let stand in a name as they are.
pub use kinds::no_name;

#[cfg(target_arch = "x86_64")]
mod kinds {
    #![expect(unsafe_code, reason = "what the processor has an instruction for takes a loop twenty")]

    use super::Window;
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_max_epu8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8, _mm_sub_epi8,
    };

    #[inline]
    pub fn no_digits(window: &Window) -> u32 {
        // SAFETY: SSE2 is a part of x86-64.
        unsafe { sse2_no_digits(window) }
    }

    #[inline]
    pub fn no_plain_text(window: &Window) -> u32 {
        // SAFETY: SSE2 is a part of x86-64.
        unsafe { sse2_no_plain_text(window) }
    }

    #[inline]
    pub fn no_name(window: &Window) -> u32 {
        // SAFETY: SSE2 is a part of x86-64.
        unsafe { sse2_no_name(window) }
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

// Tests compare it with the other where that is there.
#[cfg(any(not(target_arch = "x86_64"), test))]
#[cfg_attr(target_arch = "x86_64", allow(unused_imports))]
mod words;
#[cfg(not(target_arch = "x86_64"))]
use words as kinds;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_kind_in_each_place() {
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
    fn pads_with_zeros() {
        let bytes: Vec<u8> = (1..=40).collect();
        for length in 0..=bytes.len() {
            let mut want = [0; LENGTH];
            want.iter_mut().zip(&bytes[..length]).for_each(|(to, from)| *to = *from);
            assert_eq!(padded(&bytes[..length]), want);
        }
    }
}
