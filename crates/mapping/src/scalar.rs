//! Scalars of a record: their places in a text, and how their values are written.

use super::decimal;
use super::field_type::FieldType;
use crate::decode::{Number, Source, Text, Token};
use line_protocol::encode;
use std::io::Write as _;
use std::ops::Range;

/// The texts that scalars are ranges of.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'t> {
    pub record: &'t [u8],
    pub element: &'t [u8],
    pub values: &'t [u8],
    pub outside: &'t [u8],
}

impl<'t> Texts<'t> {
    #[inline]
    fn of(&self, source: Source) -> &'t [u8] {
        match source {
            Source::Record => self.record,
            Source::Element => self.element,
            Source::Values => self.values,
            Source::Outside => self.outside,
        }
    }
}

/// A scalar value, as a range of a text.
#[derive(Clone, Copy, Debug)]
pub struct Scalar {
    pub kind: Kind,
    pub source: Source,
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    True,
    False,
    /// A number, written unchanged.
    Number,
    /// A number written with the suffix `i`.
    Integer,
    /// A number written with the suffix `u`.
    Unsigned,
    /// A whole number in another spelling, written as an integer.
    RespelledInteger,
    /// A whole number in another spelling, written as an unsigned integer.
    RespelledUnsigned,
    /// A boolean that is written as a number: the index in [`BOOLEANS_AS_NUMBERS`] stands in place of its start.
    BooleanNumber,
    /// Text in UTF-8 without escapes.
    Plain,
    Escaped,
}

/// The field values of false and true as a float, as an integer, and as an unsigned integer.
const BOOLEANS_AS_NUMBERS: [&str; 6] = ["0", "1", "0i", "1i", "0u", "1u"];

impl Scalar {
    /// The scalar `token`, which ends at `end` of the scanner's text; none for null, objects and arrays.
    #[inline]
    pub fn of(token: Token<'_>, source: Source, end: usize) -> Option<Self> {
        let (kind, length, quote) = match token {
            Token::True => (Kind::True, 4, 0),
            Token::False => (Kind::False, 5, 0),
            Token::Number(number) => (Kind::Number, number.text().len(), 0),
            Token::Text(text) if text.is_plain() => (Kind::Plain, text.raw().len(), 1),
            Token::Text(text) => (Kind::Escaped, text.raw().len(), 1),
            Token::Null | Token::NotFinite | Token::Binary | Token::Object | Token::Array => return None,
        };
        let end = end - quote;
        // Records and their JSON text are smaller than 4 GB.
        Some(Self { kind, source, start: (end - length) as u32, end: end as u32 })
    }

    /// The text without escapes whose quotes begin and end this range of a source.
    pub fn plain_text(source: Source, quoted: Range<usize>) -> Self {
        // Records and their JSON text are smaller than 4 GB.
        Self { kind: Kind::Plain, source, start: quoted.start as u32 + 1, end: quoted.end as u32 - 1 }
    }

    /// The scalar in this range of [`Source::Outside`].
    pub fn outside(kind: Kind, bytes: Range<usize>) -> Self {
        // Records, their keys and names are smaller than 4 GB.
        Self { kind, source: Source::Outside, start: bytes.start as u32, end: bytes.end as u32 }
    }

    /// The same scalar in [`Source::Outside`], where its text has `before` bytes before it.
    pub fn moved_outside(self, before: usize) -> Self {
        let before = before as u32;
        Self { source: Source::Outside, start: self.start + before, end: self.end + before, ..self }
    }

    /// The value as a token; none for numbers in the form of a field.
    pub fn token<'t>(&self, texts: &Texts<'t>) -> Option<Token<'t>> {
        let raw = self.raw(texts);
        match self.kind {
            Kind::True => Some(Token::True),
            Kind::False => Some(Token::False),
            Kind::Plain | Kind::Escaped => Some(Token::Text(Text::new(raw, self.kind == Kind::Plain))),
            _ => Number::whole(raw).map(Token::Number),
        }
    }

    /// The scalar in this range of [`Source::Record`].
    pub fn at(kind: Kind, place: Range<usize>) -> Self {
        // Records and the texts made of them are smaller than 4 GB.
        Self { kind, source: Source::Record, start: place.start as u32, end: place.end as u32 }
    }

    /// The number that a string holds, if it holds one.
    pub fn unquoted(self, text: Text<'_>) -> Option<(Self, Number<'_>)> {
        let number = Number::whole(text.raw())?;
        let before = text.raw().len() - text.raw().trim_ascii_start().len();
        let start = self.start + before as u32;
        let end = start + number.text().len() as u32;
        Some((Self { kind: Kind::Number, start, end, ..self }, number))
    }

    /// The value in the form in which a field of type `to` is written; none if it can't be one.
    pub fn converted(self, token: Token<'_>, to: FieldType) -> Option<Self> {
        match (to, token) {
            (FieldType::String, Token::Text(_)) | (FieldType::Bool, Token::True | Token::False) => Some(self),
            // The bytes of numbers, `true` and `false` are their texts.
            (FieldType::String, _) => Some(self.with_kind(Kind::Plain)),
            (FieldType::Bool, Token::Text(text)) if text.raw() == b"true" => Some(self.with_kind(Kind::True)),
            (FieldType::Bool, Token::Text(text)) if text.raw() == b"false" => {
                Some(self.with_kind(Kind::False))
            }
            (_, Token::Text(text)) => {
                self.unquoted(text).and_then(|(number, of)| number.converted_number(of, to))
            }
            (_, Token::Number(number)) => self.converted_number(number, to),
            (_, Token::True | Token::False) => {
                let first = match to {
                    FieldType::Int => 2,
                    FieldType::Uint => 4,
                    _ => 0,
                };
                let start = first + u32::from(token == Token::True);
                Some(Self { kind: Kind::BooleanNumber, start, end: start, ..self })
            }
            (_, Token::Null | Token::NotFinite | Token::Binary | Token::Object | Token::Array) => None,
        }
    }

    fn converted_number(self, number: Number<'_>, to: FieldType) -> Option<Self> {
        let is_natural = number.is_integer() && !number.text().starts_with(b"-");
        let kind = match to {
            FieldType::Float => Kind::Number,
            FieldType::String => Kind::Plain,
            FieldType::Int if number.is_i64() => Kind::Integer,
            FieldType::Int => {
                i64::try_from(decimal::whole(number.text())?).ok().map(|_| Kind::RespelledInteger)?
            }
            FieldType::Uint => {
                let value = u64::try_from(decimal::whole(number.text())?).ok();
                value.map(|_| if is_natural { Kind::Unsigned } else { Kind::RespelledUnsigned })?
            }
            FieldType::Bool => match decimal::whole(number.text())? {
                0 => Kind::False,
                1 => Kind::True,
                _ => return None,
            },
        };
        Some(self.with_kind(kind))
    }

    pub fn with_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    pub fn start(&self) -> usize {
        self.start as usize
    }

    /// Number of bytes in its text.
    pub fn length(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// The bytes of the value in its text.
    #[expect(
        clippy::indexing_slicing,
        reason = "a fact of our own code: a value must not become empty silently"
    )]
    pub fn raw<'t>(&self, texts: &Texts<'t>) -> &'t [u8] {
        &texts.of(self.source)[self.start as usize..self.end as usize]
    }

    /// The decoded value. `scratch` is used where the value has escapes.
    pub fn decode<'s>(&self, texts: &Texts<'s>, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        Text::new(self.raw(texts), self.kind != Kind::Escaped).decode(scratch)
    }

    pub fn is_empty_text(&self) -> bool {
        self.is_text() && self.start == self.end
    }

    pub fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Plain | Kind::Escaped)
    }

    /// Whether the value is a string of its source's text of which a part becomes U+FFFD.
    pub fn is_lossy(&self, text: &[u8]) -> bool {
        let raw = || text.get(self.start as usize..self.end as usize).unwrap_or_default();
        self.kind == Kind::Escaped && Text::new(raw(), false).is_lossy()
    }

    /// Appends the value of a tag. Returns whether something was left out.
    pub fn push_tag(self, texts: &Texts<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
        match self.kind {
            Kind::Number | Kind::Integer => {
                push_shortest(self.raw(texts), out);
                false
            }
            _ => encode::push_key(self.decode(texts, scratch), out),
        }
    }

    /// Appends the value as text without escapes, as a part of a name or tag.
    pub fn push_text(self, texts: &Texts<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        match self.kind {
            Kind::Number | Kind::Integer => push_shortest(self.raw(texts), out),
            _ => out.extend_from_slice(self.decode(texts, scratch)),
        }
    }

    /// Appends the value as text like [`Scalar::push_text`], and a number with all its digits: a double has too few for nanoseconds.
    pub fn push_exact(self, texts: &Texts<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        let is_number = matches!(self.kind, Kind::Number | Kind::Integer);
        if !(is_number && decimal::push_plain(self.raw(texts), out)) {
            self.push_text(texts, scratch, out);
        }
    }

    /// Appends the value of a field.
    #[inline]
    pub fn push_field(self, texts: &Texts<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        match self.kind {
            Kind::True => out.extend_from_slice(b"true"),
            Kind::False => out.extend_from_slice(b"false"),
            Kind::Number => out.extend_from_slice(self.raw(texts)),
            Kind::Integer => {
                out.extend_from_slice(self.raw(texts));
                out.push(b'i');
            }
            Kind::Unsigned => {
                out.extend_from_slice(self.raw(texts));
                out.push(b'u');
            }
            Kind::RespelledInteger => push_whole(self.raw(texts), b'i', out),
            Kind::RespelledUnsigned => push_whole(self.raw(texts), b'u', out),
            Kind::BooleanNumber => {
                let text = BOOLEANS_AS_NUMBERS.get(self.start as usize).copied().unwrap_or_default();
                out.extend_from_slice(text.as_bytes());
            }
            Kind::Plain | Kind::Escaped => encode::push_string(self.decode(texts, scratch), out),
        }
    }
}

/// Appends a whole number as an integer with a suffix.
fn push_whole(raw: &[u8], suffix: u8, out: &mut Vec<u8>) {
    let value = decimal::whole(raw);
    assert!(value.is_some(), "only whole numbers have this kind");
    out.extend_from_slice(itoa::Buffer::new().format(value.unwrap_or_default()).as_bytes());
    out.push(suffix);
}

/// Appends a number in its shortest decimal form, so that equal numbers are equal tags.
fn push_shortest(raw: &[u8], out: &mut Vec<u8>) {
    match Number::whole(raw) {
        Some(number) if !number.is_integer() => push_shortest_double(number.as_f64(), out),
        _ => out.extend_from_slice(raw),
    }
}

/// Appends the shortest decimal that reads as `number`. Of two equally near ones, the one with an even last digit is appended,
/// like Go's `strconv` and therefore Telegraf. The standard library's shortest form rounds up instead.
fn push_shortest_double(number: f64, out: &mut Vec<u8>) {
    /// A double lies halfway between two shortest decimals only if these have at least 15 digits: with fewer, half a unit of
    /// the last digit is more than the distance to the next double.
    const TIE_DIGITS_MIN: usize = 15;
    let start = out.len();
    // Writing to a Vec can't fail.
    let _infallible = write!(out, "{number}");
    let significant = |byte: &&u8| (b'1'..=b'9').contains(*byte);
    let written = out.get(start..).unwrap_or_default();
    let first = written.iter().position(|byte| significant(&byte));
    let last = written.iter().rposition(|byte| significant(&byte));
    let (Some(first), Some(last)) = (first, last) else { return };
    let (first, last) = (start + first, start + last);
    let digits =
        out.get(first..=last).unwrap_or_default().iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits < TIE_DIGITS_MIN {
        return;
    }
    // With a given number of digits, the standard library rounds half to even, and the nearest decimal of the shortest length
    // is a shortest one. Its digits replace those already written.
    let end = out.len();
    let _infallible = write!(out, "{:.*e}", digits - 1, number.abs());
    let (shortest, nearest) = out.split_at_mut(end);
    let places = shortest.iter_mut().take(last + 1).skip(first).filter(|byte| byte.is_ascii_digit());
    for (place, digit) in places.zip(nearest.iter().filter(|byte| byte.is_ascii_digit())) {
        *place = *digit;
    }
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::push_shortest;
    use crate::seed;

    fn shortest(raw: &str) -> String {
        let mut out = b"before".to_vec();
        push_shortest(raw.as_bytes(), &mut out);
        String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned()
    }

    #[test]
    fn a_double_halfway_between_two_shortest_decimals_becomes_the_even_one() {
        let f = |raw: &str, want: &str| assert_eq!(shortest(raw), want, "{raw}");
        // As strconv.FormatFloat(x, 'f', -1, 64) of Go 1.26 writes them.
        f("671922527667768.3", "671922527667768.2");
        f("671922527667768.25", "671922527667768.2");
        f("-671922527667768.25", "-671922527667768.2");
        f("671922527667768.75", "671922527667768.8");
        f("0.1", "0.1");
        f("-0.0", "-0");
        f("5e-324", &format!("0.{}5", "0".repeat(323)));
        f("1.7976931348623157e308", &format!("17976931348623157{}", "0".repeat(292)));
        f("9.5e15", "9500000000000000");
    }

    /// The reference: the exact value, `mantissa * 5^scale / 10^scale`, rounded half to even by integers to each length until it
    /// reads as the same double.
    fn reference(mantissa: u64, scale: u32) -> String {
        let exact = u128::from(mantissa) * 5_u128.pow(scale);
        let number = mantissa as f64 / 2_f64.powi(scale as i32);
        let length = exact.to_string().len() as u32;
        for dropped in (0..length).rev() {
            let unit = 10_u128.pow(dropped);
            let (quotient, rest) = (exact / unit, exact % unit);
            let rounds_up = rest * 2 > unit || (rest * 2 == unit && quotient % 2 == 1);
            let rounded = (quotient + u128::from(rounds_up)) * unit;
            let digits = format!("{rounded:0width$}", width = scale as usize + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
            let text = format!("{whole}.{fraction}");
            if text.parse() == Ok(number) {
                return text.trim_end_matches('0').trim_end_matches('.').to_owned();
            }
        }
        unreachable!("the exact value reads as the double")
    }

    #[test]
    fn shortest_decimals_are_those_of_exact_arithmetic() {
        let seed = seed::given_or_random(
            "BRIDGE_SHORTEST_SEED",
            "cargo test --lib shortest_decimals_are_those_of_exact_arithmetic",
        );
        let mut random = fastrand::Rng::with_seed(seed);
        let mut ties = 0;
        for _ in 0..30_000 {
            // Few binary places, so that ties are frequent: the exact value then has one digit more than the shortest form.
            let (mantissa, scale) = (random.u64(1 << 48..1 << 53), random.u32(1..12));
            let number = mantissa as f64 / 2_f64.powi(scale as i32);
            let want = reference(mantissa, scale);
            ties += usize::from(want != number.to_string());
            assert_eq!(shortest(&format!("{number:e}")), want, "{mantissa} / 2^{scale}");
        }
        assert!(ties > 100, "only {ties} ties were tried");
    }
}
