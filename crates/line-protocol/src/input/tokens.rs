//! Ends of names, values and times in plain lines.

use crate::encode::{STRING_BYTES_MAX, TIME_MAX, TIME_MIN};
use crate::reader::value::{self, Spelling};
use crate::runs;
use crate::window::{self, LENGTH};

/// End of the name at `at`: the next comma, equals sign, space or control character without a backslash before it. None if the name has
/// a backslash that servers read in several ways.
#[inline]
pub fn name_end(text: &[u8], at: usize, escapes_equals: bool) -> Option<usize> {
    Some(at + name_length(text.get(at..)?, escapes_equals)?)
}

/// Length of the name at the start of the text, like [`name_end`].
#[inline]
pub fn name_length(text: &[u8], escapes_equals: bool) -> Option<usize> {
    let mut at = 0;
    loop {
        at += runs::name(text.get(at..)?);
        if *text.get(at)? != b'\\' {
            return Some(at);
        }
        match *text.get(at + 1)? {
            b',' | b' ' => at += 2,
            b'=' if escapes_equals => at += 2,
            _ => return None,
        }
    }
}

/// Length of the value at the start of the text.
#[expect(clippy::inline_always, reason = "called for each value; a call would cost more than the work")]
#[inline(always)]
pub fn value_length(text: &[u8]) -> Option<usize> {
    short_number_length(text).or_else(|| any_value_length(text))
}

/// Length of a number without an exponent that fits into a window. None means that [`any_value_length`] has to read the value.
#[expect(clippy::inline_always, reason = "called for each value; a call would cost more than the work")]
#[inline(always)]
fn short_number_length(text: &[u8]) -> Option<usize> {
    let window = text.first_chunk::<LENGTH>()?;
    let number = runs::number_in(window, window::no_digits(window))?;
    let behind = *window.get(number.length)?;
    if behind == b',' || behind == b' ' {
        return Some(number.length);
    }
    // A window has fewer digits than any integer may have.
    (behind == b'i' && !number.has_fraction).then_some(number.length + 1)
}

/// Length of a float that ends in the second window, as most floats of 64 bits do.
fn float_length(text: &[u8]) -> Option<usize> {
    let windows = text.first_chunk::<{ 2 * LENGTH }>()?;
    let ([first, second], []) = windows.as_chunks() else { return None };
    let ends = window::no_digits(first) | window::no_digits(second) << LENGTH;
    let number = runs::number_in(windows, ends)?;
    matches!(windows.get(number.length)?, b',' | b' ').then_some(number.length)
}

#[inline(never)]
fn any_value_length(text: &[u8]) -> Option<usize> {
    match *text.first()? {
        b'"' => string_length(text),
        b't' => text.starts_with(b"true").then_some(4),
        b'f' => text.starts_with(b"false").then_some(5),
        b'-' | b'0'..=b'9' => number_length(text),
        _ => None,
    }
}

fn string_length(text: &[u8]) -> Option<usize> {
    let end = closing_quote(text, 1)?;
    // With the quotes, as for strings that the encoder writes.
    (end < STRING_BYTES_MAX).then_some(end + 1)
}

/// Position of the quote that ends the string whose text begins at `at`.
pub fn closing_quote(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// Digits that fit into an integer, whichever they are.
const INTEGER_DIGITS: usize = 18;

#[inline]
fn number_length(text: &[u8]) -> Option<usize> {
    if let Some(length) = float_length(text) {
        return Some(length);
    }
    let Some(length) = runs::plain_number(text) else { return other_number_length(text) };
    let suffix = *text.get(length)?;
    if !matches!(suffix, b'i' | b'u') {
        return Some(length);
    }
    let digits = text.get(..length)?;
    let digits = if suffix == b'i' { digits.strip_prefix(b"-").unwrap_or(digits) } else { digits };
    if digits.len() <= INTEGER_DIGITS && runs::digits(digits) == digits.len() {
        return Some(length + 1);
    }
    other_number_length(text)
}

/// Length of a number with an exponent, with many digits, or at the end of the text.
#[cold]
fn other_number_length(text: &[u8]) -> Option<usize> {
    let length =
        text.iter().position(|byte| matches!(byte, b',' | b' ' | b'\n' | b'\r')).unwrap_or(text.len());
    let raw = str::from_utf8(text.get(..length)?).ok()?;
    matches!(value::plain(raw), Ok((_, Spelling::Portable))).then_some(length)
}

#[inline]
pub fn time_length(text: &[u8]) -> Option<usize> {
    /// Digits of any time that InfluxDB can store, whichever they are.
    const DIGITS: usize = 18;
    let sign = usize::from(text.starts_with(b"-"));
    let digits = digits(text.get(sign..)?);
    let first = *text.get(sign)?;
    if digits == 0 || (first == b'0' && (sign + digits > 1)) {
        return None;
    }
    let length = sign + digits;
    if digits <= DIGITS || (digits == DIGITS + 1 && sign == 0 && first <= b'8') {
        return Some(length);
    }
    let time: i64 = str::from_utf8(text.get(..length)?).ok()?.parse().ok()?;
    (TIME_MIN..=TIME_MAX).contains(&time).then_some(length)
}

/// Number of digits at the start of a time. Nanoseconds of today have three more digits than a window.
#[inline]
fn digits(text: &[u8]) -> usize {
    match text.split_first_chunk() {
        Some((window, behind)) if window::no_digits(window) == 0 => {
            LENGTH + behind.iter().take_while(|byte| byte.is_ascii_digit()).count()
        }
        _ => runs::digits(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn short_numbers_end_where_others_do(text in "-?[0-9]{0,20}[.]?[0-9]{0,4}[iueE0]{0,2}[, \n\r+x]{0,2}[ -~]{0,20}") {
            let text = text.as_bytes();
            prop_assert_eq!(value_length(text), any_value_length(text));
        }

        #[test]
        fn times_agree_with_a_loop(text in "-?[0-9]{0,22}[ -~]{0,20}") {
            let rest = text.strip_prefix('-').unwrap_or(&text);
            prop_assert_eq!(digits(rest.as_bytes()), rest.bytes().take_while(u8::is_ascii_digit).count());
        }
    }
}
