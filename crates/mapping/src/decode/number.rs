//! JSON numbers as text, which is checked and copied but not converted.

use line_protocol::runs;

/// A JSON number's text; InfluxDB reads every such text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a> {
    text: &'a [u8],
    form: Form,
}

/// As wide as a pointer, for the reason given at [`super::Text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
enum Form {
    /// A number without fraction and exponent.
    Integer,
    Fraction,
    Exponent,
}

/// Number of digits that always stay below the largest 64-bit floating point number (1.8e308).
const DIGITS_SURELY_FINITE: usize = 300;

impl<'a> Number<'a> {
    /// The number that `bytes` begin with.
    #[expect(clippy::inline_always, reason = "as in the scanner")]
    #[inline(always)]
    pub fn prefix_of(bytes: &'a [u8]) -> Option<Self> {
        let mut at = usize::from(bytes.first() == Some(&b'-'));
        let digits = digits_at(bytes, at);
        // JSON has no leading zeros: a zero is a complete whole part.
        at += match bytes.get(at)? {
            b'0' => 1,
            _ => Some(digits).filter(|&n| n > 0)?,
        };
        let mut form = Form::Integer;
        if bytes.get(at) == Some(&b'.') {
            let fraction = digits_at(bytes, at + 1);
            at += 1 + Some(fraction).filter(|&n| n > 0)?;
            form = Form::Fraction;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            at += 1;
            at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
            at += Some(digits_at(bytes, at)).filter(|&n| n > 0)?;
            form = Form::Exponent;
        }
        Some(Self { text: bytes.get(..at)?, form })
    }

    /// The number in `bytes`, which may have whitespace around it.
    pub fn whole(bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.trim_ascii();
        Self::prefix_of(bytes).filter(|number| number.text.len() == bytes.len() && number.is_finite())
    }

    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Whether the number has neither fraction nor exponent.
    pub fn is_integer(&self) -> bool {
        self.form == Form::Integer
    }

    /// Whether the number fits into InfluxDB's 64-bit integers.
    pub fn is_i64(&self) -> bool {
        // 18 digits always fit.
        self.is_integer() && (self.text.len() <= 18 || self.parse::<i64>().is_some())
    }

    #[inline]
    pub fn is_finite(&self) -> bool {
        let surely = self.form != Form::Exponent && self.text.len() <= DIGITS_SURELY_FINITE;
        surely || self.is_finite_in_fact()
    }

    #[cold]
    fn is_finite_in_fact(&self) -> bool {
        self.as_f64().is_finite()
    }

    pub fn as_f64(&self) -> f64 {
        // Rust reads every JSON number. Infinity would reject the record, not store a wrong value.
        self.parse().unwrap_or(f64::INFINITY)
    }

    fn parse<T: std::str::FromStr>(&self) -> Option<T> {
        std::str::from_utf8(self.text).ok()?.parse().ok()
    }
}

#[inline]
fn digits_at(bytes: &[u8], at: usize) -> usize {
    runs::digits(bytes.get(at..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_numbers() {
        let f = |text: &str, integer: bool, int64: bool| {
            let number = Number::whole(text.as_bytes()).unwrap();
            assert_eq!((number.is_integer(), number.is_i64()), (integer, int64), "{text}");
        };
        f("0", true, true);
        f("-0", true, true);
        f("9223372036854775807", true, true);
        f("-9223372036854775808", true, true);
        f("9223372036854775808", true, false);
        f("1.50", false, false);
        f("1e3", false, false);
        f(" 12 ", true, true);
        f(&"9".repeat(308), true, false);
        f(&format!("0.{}", "1".repeat(10_000)), false, false);
    }

    #[test]
    fn refuses_other_text() {
        for text in
            ["", "-", "+1", "01", ".5", "1.", "1e", "1e+", "0x10", "1 2", "inf", "NaN", "1e309", "-1e400"]
        {
            assert_eq!(Number::whole(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Number::whole("9".repeat(310).as_bytes()), None);
    }
}
