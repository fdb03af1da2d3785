//! JSON text of numbers. Most numbers of measurements are short: arithmetic on words of eight bytes writes them without a loop and without
//! a copy of unknown length.

use super::json_text::JsonText;
use crate::padded_bytes::NumberBuffer;

/// The least integer of more than eight digits.
const NINE_DIGITS: u64 = 100_000_000;
/// Eight times the character 0.
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
const MINUS: u64 = b'-' as u64;

impl JsonText {
    #[inline]
    pub fn push_integer(&mut self, number: impl Into<i128>) {
        let number = number.into();
        match u64::try_from(number.unsigned_abs()) {
            Ok(size) => push_digits(size, number < 0, &mut self.bytes),
            Err(_) => self.push_large(number),
        }
    }

    /// Appends the shortest text that reads back as the same number. The text always has a fraction or an exponent. NaN and infinity are
    /// marked.
    #[inline(never)]
    pub(super) fn push_float(&mut self, value: f64) {
        if push_finite(value, &mut self.bytes).is_none() {
            self.push_not_finite();
        }
    }

    /// Like [`JsonText::push_float`], in the number's own precision: a 32-bit 0.1 is 0.1.
    pub(super) fn push_single(&mut self, value: f32) {
        if push_finite_shortest(value, &mut self.bytes).is_none() {
            self.push_not_finite();
        }
    }

    #[cold]
    fn push_large(&mut self, number: i128) {
        self.push(itoa::Buffer::new().format(number).as_bytes());
    }
}

/// Appends a signed integer.
#[inline]
pub(super) fn push_signed(number: i64, out: &mut impl NumberBuffer) {
    push_digits(number.unsigned_abs(), number < 0, out);
}

/// Appends an integer by its size and sign.
#[inline(never)]
pub(super) fn push_digits(size: u64, is_negative: bool, out: &mut impl NumberBuffer) {
    if is_negative {
        out.push_word(MINUS, 1);
    }
    if size < NINE_DIGITS {
        push_first_digits(size, out);
        return;
    }
    let (before, last) = (size / NINE_DIGITS, size % NINE_DIGITS);
    if before < NINE_DIGITS {
        push_first_digits(before, out);
    } else {
        push_first_digits(before / NINE_DIGITS, out);
        out.push_word(eight_digits(before % NINE_DIGITS) | ZEROS, 8);
    }
    out.push_word(eight_digits(last) | ZEROS, 8);
}

/// Appends the shortest text that reads back as the same number, if the number has at most five digits before the point and three behind it.
/// Returns none, and appends nothing, for other numbers.
#[inline]
fn push_short_float(number: f64, out: &mut impl NumberBuffer) -> Option<()> {
    push_thousandths(thousandths(number)?, number.is_sign_negative(), out);
    Some(())
}

/// Appends the shortest text that reads back as the same number, as [`JsonText::push_float`] does. Returns none, and appends nothing, for NaN
/// and infinity.
#[inline]
pub(super) fn push_finite(number: f64, out: &mut impl NumberBuffer) -> Option<()> {
    push_short_float(number, out).or_else(|| push_finite_shortest(number, out))
}

/// Like [`push_finite`], in the number's own precision.
#[inline(never)]
pub(super) fn push_finite_shortest(
    number: impl zmij::Float + Into<f64>,
    out: &mut impl NumberBuffer,
) -> Option<()> {
    number.into().is_finite().then(|| out.push_text(zmij::Buffer::new().format_finite(number).as_bytes()))
}

/// Appends a number of at most eight digits, without leading zeros.
#[inline]
fn push_first_digits(number: u64, out: &mut impl NumberBuffer) {
    let digits = eight_digits(number);
    // The last digit stays, also if it is 0.
    let zeros = (digits | 1 << 56).trailing_zeros() / 8;
    out.push_word((digits | ZEROS) >> (8 * zeros), 8 - zeros as usize);
}

/// Appends a number of thousandths with a point and one to three digits behind it.
#[inline]
fn push_thousandths(number: u32, is_negative: bool, out: &mut impl NumberBuffer) {
    const POINT: u32 = u32::from_le_bytes([b'.', b'0', b'0', b'0']);
    if is_negative {
        out.push_word(MINUS, 1);
    }
    let digits = eight_digits(number.into());
    // Five digits stand before the point, and at least the last one of them stays.
    let zeros = (digits | 1 << 32).trailing_zeros() / 8;
    out.push_word((digits | ZEROS) >> (8 * zeros), 5 - zeros as usize);
    // The point replaces the fifth digit, and at least the first digit behind it stays.
    let behind = (digits >> 32) as u32 & !0xFF;
    let zeros = (behind | 1 << 8).leading_zeros() / 8;
    out.push_word(u64::from(behind | POINT), 4 - zeros as usize);
}

/// The number without its sign in thousandths, if these have at most eight digits and their text is the shortest one that reads back as the
/// number.
///
/// A quotient of two exact numbers is rounded like the text of that quotient, so the text reads back where the quotient is the number. No
/// shorter text does: two decimals of up to 15 digits never read as one number.
#[inline]
fn thousandths(number: f64) -> Option<u32> {
    let size = number.abs();
    // A wrong guess does not read back; of NaN and infinity, each guess is wrong.
    let guess = (size * 1000.0 + 0.5) as u32;
    let is_shortest = (f64::from(guess) / 1000.0).to_bits() == size.to_bits();
    (is_shortest && u64::from(guess) < NINE_DIGITS).then_some(guess)
}

/// The eight digits of a number, with leading zeros, as values of 0 to 9: the first one in the lowest byte.
#[inline]
fn eight_digits(number: u64) -> u64 {
    debug_assert!(number < NINE_DIGITS, "{number} has more than eight digits");
    // Each step splits all groups of digits in two. The multiplications divide by 100 and by 10, exactly for groups of four and two digits.
    let fours = (number / 10_000) | (number % 10_000) << 32;
    let hundreds = (fours * 10_486) >> 20 & 0x0000_007F_0000_007F;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = (twos * 103) >> 10 & 0x000F_000F_000F_000F;
    tens | (twos - tens * 10) << 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::NOT_FINITE_MARK;

    fn text(push: impl FnOnce(&mut JsonText)) -> String {
        let mut text = JsonText::default();
        text.push(b"[");
        push(&mut text);
        String::from_utf8(text.bytes.split_off(1)).unwrap()
    }

    /// Integers of each length, and their neighbors of other lengths.
    fn integers() -> impl Iterator<Item = u64> {
        let mut rng = fastrand::Rng::with_seed(1);
        let powers = (0..20).map(|digits| 10_u64.pow(digits));
        let random =
            (0..64).flat_map(move |bits| std::array::from_fn::<u64, 200, _>(|_| rng.u64(..) >> bits));
        powers.flat_map(|power| [power - 1, power, power + 1]).chain(random).chain([u64::MAX])
    }

    #[test]
    fn integers_have_all_their_digits() {
        let f = |number: i128| assert_eq!(text(|text| text.push_integer(number)), number.to_string());
        for number in integers() {
            f(number.into());
            f(-i128::from(number));
        }
        for number in [i128::MIN, i128::MAX, i128::from(u64::MAX) + 1, -i128::from(u64::MAX) - 1] {
            f(number);
        }
        assert_eq!(text(|text| text.push_integer(i64::MIN)), i64::MIN.to_string());
        assert_eq!(text(|text| text.push_integer(u8::MAX)), "255");
    }

    #[test]
    fn floats_have_the_shortest_text() {
        let f = |number: f64| {
            for number in [number, -number].into_iter().filter(|number| number.is_finite()) {
                let want = zmij::Buffer::new().format_finite(number).to_owned();
                assert_eq!(text(|text| text.push_float(number)), want);
            }
        };
        for number in integers() {
            f(f64::from_bits(number));
            for places in 0..7 {
                let decimal = number as f64 / 10_f64.powi(places);
                f(decimal);
                f(decimal.next_up());
                f(decimal.next_down());
            }
        }
        for thousandths in 0..200_000 {
            f(f64::from(thousandths) / 1000.0);
        }
        for number in
            [0.0, 0.1 + 0.2, 99_999.999, 100_000.0, 100_000.001, 1e-3, 9e-4, f64::MAX, f64::MIN_POSITIVE]
        {
            f(number);
        }
    }

    #[test]
    fn few_decimals_need_no_search_for_the_shortest_text() {
        for (number, want) in [(0.0, 0), (-0.5, 500), (21.25, 21_250), (0.001, 1), (99_999.999, 99_999_999)] {
            assert_eq!(thousandths(number), Some(want), "{number}");
        }
        for number in [1e-4, 0.0625, 100_000.0, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(thousandths(number), None, "{number}");
        }
    }

    #[test]
    fn floats_of_32_bits_are_short_in_their_own_precision() {
        for (number, want) in [(0.1, "0.1"), (-3.0, "-3.0"), (16_777_216.0, "16777216.0"), (0.001, "0.001")] {
            assert_eq!(text(|text| text.push_single(number)), want);
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_dropped() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(text(|text| text.push_float(number)).as_bytes(), NOT_FINITE_MARK);
            assert_eq!(text(|text| text.push_single(number as f32)).as_bytes(), NOT_FINITE_MARK);
        }
    }
}
