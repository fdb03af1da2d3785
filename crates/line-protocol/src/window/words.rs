//! As the other, by words of eight bytes, for processors that have no instruction for it.

use super::Window;

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = ONES << 7;
const LOW: u64 = !HIGH;

pub fn no_digits(window: &Window) -> u32 {
    bits(window, |word| {
        let value = word ^ (ONES * 0x30);
        // Beyond 9 the high bit comes up.
        ((value & LOW) + ONES * 0x76) | value
    })
}

pub fn no_plain_text(window: &Window) -> u32 {
    bits(window, |word| equals(word, b'"') | equals(word, b'\\') | is_control(word))
}

pub fn no_name(window: &Window) -> u32 {
    bits(window, |word| {
        equals(word, b',') | equals(word, b'=') | equals(word, b'\\') | equals(word, b' ') | is_control(word)
    })
}

/// The high bits of what `kind` makes of the bytes.
#[inline]
fn bits(window: &Window, kind: impl Fn(u64) -> u64) -> u32 {
    let all = u128::from_le_bytes(*window);
    // Each product's sum moves a byte's bit to its place among the highest eight.
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
