//! Scales decimal text by a power of ten, exactly. A double has 53 bits, but a time in nanoseconds needs 61.

use line_protocol::runs;

/// Number of digits that always fit into 64 bits.
const DIGITS_SURELY_FIT: usize = 18;

/// Reason why a text can't be scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    NotANumber,
    /// The result does not fit into 64 bits.
    TooLarge,
}

struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

/// `text` times ten to the power of `shift`, without the remaining fraction.
pub fn scaled(text: &[u8], shift: u32) -> Result<i64, Error> {
    if (1..=DIGITS_SURELY_FIT).contains(&text.len()) && runs::digits(text) == text.len() {
        let value = text.iter().fold(0, |value, b| 10 * value + i64::from(b - b'0'));
        let unit = 10_i64.checked_pow(shift);
        return unit.and_then(|unit| unit.checked_mul(value)).ok_or(Error::TooLarge);
    }
    let number = split(text).ok_or(Error::NotANumber)?;
    let kept = (number.whole.len() as i64).saturating_add(number.exponent).saturating_add(i64::from(shift));
    let digits = number.whole.iter().chain(number.fraction).map(|b| i64::from(b - b'0'));
    let mut digits = digits.take(usize::try_from(kept).unwrap_or(0));
    let mut value = digits.try_fold(0_i64, push_digit)?;
    let written = (number.whole.len() + number.fraction.len()) as i64;
    // Not a loop over the exponent: zero stays zero, and anything else overflows within 20 rounds.
    let mut zeros = if value == 0 { 0 } else { kept.saturating_sub(written) };
    while zeros > 0 {
        value = push_digit(value, 0)?;
        zeros -= 1;
    }
    Ok(if number.negative { -value } else { value })
}

/// The value of a number without a fraction, in whatever spelling: `5`, `5.0`, `0.5e1`. None for other numbers, and for those beyond
/// 64 bits, signed or not.
pub fn whole(text: &[u8]) -> Option<i128> {
    let number = split(text)?;
    let kept = (number.whole.len() as i64).saturating_add(number.exponent);
    let digits = || number.whole.iter().chain(number.fraction).map(|b| i128::from(b - b'0'));
    let kept_digits = usize::try_from(kept).unwrap_or(0);
    if digits().skip(kept_digits).any(|digit| digit != 0) {
        return None;
    }
    let push = |value: i128, digit: i128| {
        let value = 10 * value + digit;
        (value <= i128::from(u64::MAX)).then_some(value)
    };
    let mut value = digits().take(kept_digits).try_fold(0, push)?;
    let written = (number.whole.len() + number.fraction.len()) as i64;
    // Zero stays zero, and anything else overflows within 20 rounds.
    let mut zeros = if value == 0 { 0 } else { kept.saturating_sub(written) };
    while zeros > 0 {
        value = push(value, 0)?;
        zeros -= 1;
    }
    let value = if number.negative { -value } else { value };
    (value >= i128::from(i64::MIN)).then_some(value)
}

/// Appends a number without an exponent and without zeros at the end of its fraction. Returns false, with nothing appended, for text that
/// is no number, and for exponents whose zeros would be longer than those of a double.
pub fn push_plain(text: &[u8], out: &mut Vec<u8>) -> bool {
    const ZEROS_MAX: i64 = 400;
    let Some(number) = split(text) else { return false };
    if !(-ZEROS_MAX..=ZEROS_MAX).contains(&number.exponent) {
        return false;
    }
    let digits = || number.whole.iter().chain(number.fraction).copied();
    // Position of the decimal point in the digits.
    let point = number.whole.len() as i64 + number.exponent;
    let before_point = usize::try_from(point).unwrap_or(0);
    let written = number.whole.len() + number.fraction.len();
    if number.negative {
        out.push(b'-');
    }
    let start = out.len();
    out.extend(digits().take(before_point).skip_while(|digit| *digit == b'0'));
    if out.len() == start {
        out.push(b'0');
    } else {
        out.extend(std::iter::repeat_n(b'0', before_point.saturating_sub(written)));
    }
    let start = out.len();
    out.push(b'.');
    out.extend(std::iter::repeat_n(b'0', usize::try_from(-point).unwrap_or(0)));
    out.extend(digits().skip(before_point));
    while out.len() > start && matches!(out.last(), Some(b'0' | b'.')) {
        out.pop();
    }
    true
}

fn push_digit(value: i64, digit: i64) -> Result<i64, Error> {
    value.checked_mul(10).and_then(|v| v.checked_add(digit)).ok_or(Error::TooLarge)
}

fn split(text: &[u8]) -> Option<Decimal<'_>> {
    let (negative, text) = sign(text);
    let (whole, text) = leading_digits(text);
    let (fraction, text) = match text.strip_prefix(b".") {
        Some(text) => leading_digits(text),
        None => (&[][..], text),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    Some(Decimal { negative, whole, fraction, exponent: exponent(text)? })
}

fn exponent(text: &[u8]) -> Option<i64> {
    let Some(text) = text.strip_prefix(b"e").or_else(|| text.strip_prefix(b"E")) else {
        return text.is_empty().then_some(0);
    };
    let (negative, text) = sign(text);
    let (digits, rest) = leading_digits(text);
    if digits.is_empty() || !rest.is_empty() {
        return None;
    }
    let push = |value: i64, b: &u8| value.saturating_mul(10).saturating_add(i64::from(b - b'0'));
    let value = digits.iter().fold(0, push);
    Some(if negative { -value } else { value })
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    }
}

fn leading_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scales_exactly() {
        let f = |text: &str, shift: u32, want: Result<i64, Error>| {
            assert_eq!(scaled(text.as_bytes(), shift), want, "{text} {shift}");
        };
        f("1536001411", 9, Ok(1_536_001_411_000_000_000));
        f("1536001411.5", 9, Ok(1_536_001_411_500_000_000));
        f("1.5e9", 9, Ok(1_500_000_000_000_000_000));
        f("15E+8", 9, Ok(1_500_000_000_000_000_000));
        f("1536001411123456789", 0, Ok(1_536_001_411_123_456_789));
        f("1536001411.1234567899", 9, Ok(1_536_001_411_123_456_789));
        f("-0.0000000019", 9, Ok(-1));
        f("1e-10", 9, Ok(0));
        f("123456e-5", 3, Ok(1_234));
        f("+7", 0, Ok(7));
        f("007", 0, Ok(7));
        f("5.", 0, Ok(5));
        f(".5", 1, Ok(5));
        f("0e999999999999999999999", 9, Ok(0));
        f("1e-999999999999999999999", 9, Ok(0));
        f("1e999999999999999999999", 9, Err(Error::TooLarge));
        f("9223372036854775807", 0, Ok(i64::MAX));
        f("9223372036854775808", 0, Err(Error::TooLarge));
        for text in ["", "-", ".", "e5", "1e", "1e+", "1 2", "0x10", "1_000", "NaN", "1.2.3", "１"] {
            f(text, 9, Err(Error::NotANumber));
        }
    }

    #[test]
    fn reads_whole_numbers_in_any_spelling() {
        let f = |text: &str, want: Option<i128>| assert_eq!(whole(text.as_bytes()), want, "{text}");
        f("5", Some(5));
        f("-5.000", Some(-5));
        f("1e3", Some(1_000));
        f("1.5e1", Some(15));
        f("1500e-2", Some(15));
        f("0.5", None);
        f("1e-1", None);
        f("-0.0", Some(0));
        f("0e999999999999999999999", Some(0));
        f("0e-999999999999999999999", Some(0));
        f("1e999999999999999999999", None);
        f("18446744073709551615", Some(i128::from(u64::MAX)));
        f("18446744073709551616", None);
        f("-9223372036854775808", Some(i128::from(i64::MIN)));
        f("-9223372036854775809", None);
        f("x", None);
    }

    proptest! {
        #[test]
        fn agrees_with_integers(value in -9_000_000_000_000_000_000_i64..9_000_000_000_000_000_000, cut in 0_u32..18) {
            // The same number written with its point moved to the left and the scale to undo it.
            let digits = format!("{:019}", value.unsigned_abs());
            let (whole, fraction) = digits.split_at(19 - cut as usize);
            let sign = if value < 0 { "-" } else { "" };
            prop_assert_eq!(scaled(format!("{sign}{whole}.{fraction}").as_bytes(), cut), Ok(value));
            prop_assert_eq!(scaled(format!("{sign}{digits}e-{cut}").as_bytes(), cut), Ok(value));
        }

        #[test]
        fn never_panics(text in proptest::collection::vec(proptest::sample::select(&b"0123456789.eE+-"[..]), 0..40), shift in 0_u32..10) {
            let _ = scaled(&text, shift);
        }
    }

    #[test]
    fn writes_numbers_without_an_exponent() {
        let f = |text: &str, want: Option<&str>| {
            let mut out = Vec::new();
            let is_written = push_plain(text.as_bytes(), &mut out);
            assert_eq!(is_written.then(|| String::from_utf8(out).unwrap()).as_deref(), want, "{text}");
        };
        for (text, want) in [
            ("0", "0"),
            ("-0.0", "-0"),
            ("7.0", "7"),
            ("-12.50", "-12.5"),
            ("1e3", "1000"),
            ("0.0e3", "0"),
            ("12.345e1", "123.45"),
            ("12.345E+2", "1234.5"),
            ("5e-1", "0.5"),
            ("125e-5", "0.00125"),
            ("0.05e1", "0.5"),
            ("1.700000000123456789e18", "1700000000123456789"),
        ] {
            f(text, Some(want));
        }
        for text in ["", "x", "1e401", "1e-999999999999"] {
            f(text, None);
        }
    }
}
