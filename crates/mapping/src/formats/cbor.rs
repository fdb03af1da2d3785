//! CBOR (RFC 8949) as JSON text.
//!
//! - Integers stay exact, also those below -2^63, and floats always get a fraction or an exponent.
//! - Times (tags 0 and 1) become nanoseconds since 1970, marked as timestamps.
//! - Byte strings and bignums, decimal fractions, rationals, references, unassigned simple values, NaN and infinity become
//!   marks, which count as dropped where a point would have them. Values under other tags are read as if they had no tag.
//! - Keys are text, byte strings with text or integers; a record with any other key is rejected.
//!
//! Lengths that a record claims reserve no memory: each claimed element needs a byte that is there.

use super::input::Input;
use super::json_text::{JsonText, check_depth};
use super::key_texts::KeyTexts;
use super::number_text::{push_finite, push_signed};
use crate::decimal;
use crate::padded_bytes::NumberBuffer;
use crate::rejection::Rejection;
use crate::time;

/// Appends the JSON text of the next value.
pub(super) fn transcode(
    input: &mut Input<'_>,
    text: &mut JsonText,
    keys: &mut KeyTexts,
) -> Result<(), Rejection> {
    keys.begin();
    Decoder { input, text, keys }.value(0)
}

/// Appends the next value, if it is an integer of 64 bits with a sign, or a finite float of 32 or 64 bits. Returns none, and reads nothing,
/// where the next value is another one.
#[inline]
pub(super) fn push_number(input: &mut Input<'_>, out: &mut impl NumberBuffer) -> Option<()> {
    let (&first, behind) = input.rest().split_first()?;
    let float = match first {
        0xFA => Some((f32::from_be_bytes(*behind.first_chunk()?).into(), 5)),
        0xFB => Some((f64::from_be_bytes(*behind.first_chunk()?), 9)),
        _ => None,
    };
    if let Some((float, bytes)) = float {
        push_finite(float, out)?;
        input.advance(bytes);
        return Some(());
    }
    let (size, bytes) = match first & 0x1F {
        short @ 0..=23 => (short.into(), 1),
        24 => ((*behind.first()?).into(), 2),
        25 => (u16::from_be_bytes(*behind.first_chunk()?).into(), 3),
        26 => (u32::from_be_bytes(*behind.first_chunk()?).into(), 5),
        27 => (u64::from_be_bytes(*behind.first_chunk()?), 9),
        _ => return None,
    };
    let size = i64::try_from(size).ok()?;
    match first >> 5 {
        UNSIGNED => push_signed(size, out),
        NEGATIVE => push_signed(-1 - size, out),
        _ => return None,
    }
    input.advance(bytes);
    Some(())
}

/// Appends the next key with its quotes.
fn push_key(input: &mut Input<'_>, text: &mut JsonText) -> Result<(), Rejection> {
    Decoder { input, text, keys: &mut KeyTexts::default() }.key()
}

// Major types (RFC 8949, section 3.1).
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

const BREAK: u8 = 0xFF;

/// Tags whose content alone would be a wrong value: decimal fractions and bigfloats, rationals, references to other values.
const DROPPED_TAGS: [u64; 7] = [4, 5, 264, 265, 30, 25, 29];

struct Decoder<'a, 'i, 't> {
    input: &'i mut Input<'a>,
    text: &'t mut JsonText,
    keys: &'t mut KeyTexts,
}

/// First byte of a value, with its argument.
#[derive(Clone, Copy)]
struct Head {
    major: u8,
    argument: Argument,
    /// Position of the value.
    start: usize,
}

#[derive(Clone, Copy)]
enum Argument {
    /// A number of at most 23, which stands in the first byte.
    Short(u8),
    /// A number of as many bytes.
    Long(u64, u8),
    Indefinite,
}

impl Head {
    /// The argument as number or length; none for an indefinite length.
    fn number(self) -> Option<u64> {
        match self.argument {
            Argument::Short(number) => Some(number.into()),
            Argument::Long(number, _) => Some(number),
            Argument::Indefinite => None,
        }
    }

    /// The integer of the major types 0 and 1.
    fn integer(self) -> Option<i128> {
        let number = i128::from(self.number()?);
        Some(if self.major == NEGATIVE { -1 - number } else { number })
    }
}

impl Decoder<'_, '_, '_> {
    fn value(&mut self, depth: usize) -> Result<(), Rejection> {
        let mut head = self.head()?;
        let start = head.start;
        while head.major == TAG {
            match head.number() {
                Some(0) => self.time_of_text(head.start)?,
                Some(1) => self.time_of_number(head.start)?,
                Some(tag) if DROPPED_TAGS.contains(&tag) => self.drop_tagged(depth)?,
                _ => {
                    head = self.head()?;
                    continue;
                }
            }
            self.text.gaps.note_scalar(self.input, start);
            return Ok(());
        }
        match head.major {
            ARRAY => return self.array(head, depth),
            MAP => return self.map(head, depth),
            UNSIGNED | NEGATIVE => self.text.push_integer(head.integer().unwrap_or_default()),
            BYTES => {
                self.chunks(head, |_, _| {})?;
                self.text.push_binary();
            }
            TEXT => self.string(head)?,
            _ => self.simple(head)?,
        }
        self.text.gaps.note_scalar(self.input, start);
        Ok(())
    }

    fn head(&mut self) -> Result<Head, Rejection> {
        let start = self.input.position();
        let byte = self.input.byte()?;
        let major = byte >> 5;
        let argument = match byte & 0x1F {
            short @ 0..=23 => Argument::Short(short),
            24 => Argument::Long(self.input.byte()?.into(), 1),
            25 => Argument::Long(u16::from_be_bytes(*self.input.array_of()?).into(), 2),
            26 => Argument::Long(u32::from_be_bytes(*self.input.array_of()?).into(), 4),
            27 => Argument::Long(u64::from_be_bytes(*self.input.array_of()?), 8),
            31 if matches!(major, BYTES | TEXT | ARRAY | MAP) => Argument::Indefinite,
            31 if byte == BREAK => {
                return Err(self.input.unreadable("a break where a value should be", start));
            }
            _ => return Err(self.input.unreadable("a byte that begins no value", start)),
        };
        Ok(Head { major, argument, start })
    }

    /// Passes each part of a text or byte string to `take`.
    fn chunks(&mut self, head: Head, mut take: impl FnMut(&mut JsonText, &[u8])) -> Result<(), Rejection> {
        if let Some(size) = head.number() {
            take(self.text, self.input.take(size)?);
            return Ok(());
        }
        while !self.is_break()? {
            let chunk = self.head()?;
            let size = chunk.number().filter(|_| chunk.major == head.major);
            let size =
                size.ok_or_else(|| self.input.unreadable("a part of a string of another type", chunk.start))?;
            take(self.text, self.input.take(size)?);
        }
        Ok(())
    }

    fn string(&mut self, head: Head) -> Result<(), Rejection> {
        if let Some(size) = head.number() {
            let (start, length) = self.input.take_start(size)?;
            self.text.push_string(start, length);
            return Ok(());
        }
        self.text.push(b"\"");
        self.chunks(head, JsonText::push_escaped)?;
        self.text.push(b"\"");
        Ok(())
    }

    fn array(&mut self, head: Head, depth: usize) -> Result<(), Rejection> {
        check_depth(depth, head.start)?;
        let (start, mut item) = (self.text.bytes.len(), 0);
        while self.has_next(head, item)? {
            self.text.push(b",");
            self.value(depth + 1)?;
            item += 1;
        }
        self.text.close(start, b'[', b']');
        Ok(())
    }

    fn map(&mut self, head: Head, depth: usize) -> Result<(), Rejection> {
        check_depth(depth, head.start)?;
        let (start, mut member) = (self.text.bytes.len(), 0);
        while self.has_next(head, member)? {
            self.keys.push_next(self.input, self.text, push_key)?;
            self.value(depth + 1)?;
            member += 1;
        }
        self.text.close(start, b'{', b'}');
        Ok(())
    }

    /// Whether an array or map has an element behind the `read` first ones. Takes the break at the end of an indefinite length.
    fn has_next(&mut self, head: Head, read: u64) -> Result<bool, Rejection> {
        match head.number() {
            Some(size) => Ok(read < size),
            None => Ok(!self.is_break()?),
        }
    }

    /// Takes a break, if one is next.
    fn is_break(&mut self) -> Result<bool, Rejection> {
        let is_break = self.input.peek() == Some(BREAK);
        if is_break {
            self.input.byte()?;
        }
        Ok(is_break)
    }

    /// Appends the next key with its quotes.
    fn key(&mut self) -> Result<(), Rejection> {
        let head = self.head()?;
        match head.major {
            TEXT | BYTES => self.string(head),
            UNSIGNED | NEGATIVE => {
                self.text.push(b"\"");
                self.text.push_integer(head.integer().unwrap_or_default());
                self.text.push(b"\"");
                Ok(())
            }
            _ => Err(self.input.unreadable("a key that is neither text nor an integer", head.start)),
        }
    }

    /// Floats and simple values.
    fn simple(&mut self, head: Head) -> Result<(), Rejection> {
        match (float(head), head.argument) {
            (Some(number), _) => self.text.push_float(number),
            (None, Argument::Short(20)) => self.text.push(b"false"),
            (None, Argument::Short(21)) => self.text.push(b"true"),
            // Null and undefined.
            (None, Argument::Short(22 | 23)) => self.text.push(b"null"),
            (None, Argument::Long(..=31, _)) => {
                return Err(self.input.unreadable("a simple value in the wrong form", head.start));
            }
            _ => self.text.push_binary(),
        }
        Ok(())
    }

    /// Reads the value under one of [`DROPPED_TAGS`], and drops it.
    #[inline(never)]
    fn drop_tagged(&mut self, depth: usize) -> Result<(), Rejection> {
        // Such tags can be nested too.
        check_depth(depth, self.input.position())?;
        let mut unused = JsonText::default();
        Decoder { input: self.input, text: &mut unused, keys: self.keys }.value(depth + 1)?;
        self.text.push_binary();
        Ok(())
    }

    /// Tag 0: RFC 3339.
    #[inline(never)]
    fn time_of_text(&mut self, start: usize) -> Result<(), Rejection> {
        let head = self.head()?;
        let time = match (head.major, head.number()) {
            (TEXT, Some(size)) => time::rfc3339_ns(self.input.take(size)?),
            _ => None,
        };
        let time = time.ok_or_else(|| self.input.unreadable("a time (tag 0) that is not RFC 3339", start))?;
        self.text.push_timestamp(time);
        Ok(())
    }

    /// Tag 1: seconds since 1970.
    #[inline(never)]
    fn time_of_number(&mut self, start: usize) -> Result<(), Rejection> {
        const SECOND_DIGITS: u32 = 9;
        const SECOND_NS: i128 = 1_000_000_000;
        let head = self.head()?;
        let seconds = if head.major <= NEGATIVE { head.integer() } else { None };
        if let Some(seconds) = seconds {
            self.text.push_timestamp(seconds * SECOND_NS);
            return Ok(());
        }
        let seconds = float(head);
        let seconds =
            seconds.ok_or_else(|| self.input.unreadable("a time (tag 1) that is no number", start))?;
        if !seconds.is_finite() {
            self.text.push_not_finite();
            return Ok(());
        }
        // The shortest decimal, so that a time of 0.1 s is exact.
        match decimal::scaled(zmij::Buffer::new().format_finite(seconds).as_bytes(), SECOND_DIGITS) {
            Ok(ns) => self.text.push_timestamp(ns.into()),
            Err(_) => self.far_time(seconds),
        }
        Ok(())
    }

    /// A time that InfluxDB cannot store. Under `time_key` it is rejected as such; elsewhere it is a number like any other.
    #[cold]
    fn far_time(&mut self, seconds: f64) {
        let text = seconds.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        match format!("{whole}{fraction:0<9.9}").parse::<i128>() {
            Ok(ns) => self.text.push_timestamp(ns),
            Err(_) => self.text.push_float(seconds * 1e9),
        }
    }
}

/// The float of major type 7, whatever its width: an encoder shortens a number where that loses nothing, so the width says nothing
/// of its precision.
fn float(head: Head) -> Option<f64> {
    const MAJOR: u8 = 7;
    match (head.major, head.argument) {
        (MAJOR, Argument::Long(bits, 2)) => Some(half(bits)),
        (MAJOR, Argument::Long(bits, 4)) => Some(f32::from_bits(u32::try_from(bits).ok()?).into()),
        (MAJOR, Argument::Long(bits, 8)) => Some(f64::from_bits(bits)),
        _ => None,
    }
}

/// The half-precision number of these bits (RFC 8949, appendix D).
fn half(bits: u64) -> f64 {
    let (sign, exponent, mantissa) = (bits >> 15 & 1, bits >> 10 & 0x1F, bits & 0x3FF);
    let (exponent, mantissa) = (i32::from(exponent as u8), f64::from(mantissa as u16));
    let number = match exponent {
        0 => mantissa * 2_f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2_f64.powi(exponent - 25),
    };
    if sign == 1 { -number } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::FormatReader;
    use crate::test_support::{map, mapper, record};
    use crate::{DropReason, FirstDrop, Format, KeySelector, Rules, TimeFormat, TimeRule};

    fn rules() -> Rules {
        Rules { format: Format::Cbor, ..Rules::default() }
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: String = hex.split_whitespace().collect();
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }

    fn text(hex: &str) -> JsonText {
        let mut reader = FormatReader::default();
        reader.read(&rules(), &bytes(hex), None, usize::MAX).unwrap();
        reader.json
    }

    fn json(hex: &str) -> Result<String, String> {
        let json = rules().to_json(&bytes(hex)).map_err(|why| why.to_string())?.into_owned();
        Ok(String::from_utf8(json).unwrap().trim_end().to_owned())
    }

    /// The examples of RFC 8949, appendix A.
    #[test]
    fn writes_each_type_as_json() {
        let f = |hex: &str, want: &str| assert_eq!(json(hex).as_deref(), Ok(want), "{hex}");
        f("00", "0");
        f("17", "23");
        f("18 18", "24");
        f("19 03e8", "1000");
        f("1a 000f4240", "1000000");
        f("1b 000000e8d4a51000", "1000000000000");
        f("1b ffffffffffffffff", "18446744073709551615");
        f("3b 7fffffffffffffff", "-9223372036854775808");
        f("3b ffffffffffffffff", "-18446744073709551616");
        f("20", "-1");
        f("38 63", "-100");
        f("39 03e7", "-1000");
        f("f9 0000", "0.0");
        f("f9 8000", "-0.0");
        f("f9 3c00", "1.0");
        f("f9 3e00", "1.5");
        f("f9 7bff", "65504.0");
        f("f9 0001", "5.960464477539063e-8");
        f("f9 0400", "0.00006103515625");
        f("f9 c400", "-4.0");
        f("fa 47c35000", "100000.0");
        f("fb 3ff199999999999a", "1.1");
        f("fb c010666666666666", "-4.1");
        f("f4", "false");
        f("f5", "true");
        f("82 f6 f7", "[null,null]");
        f("60", "\"\"");
        f("62 225c", r#""\"\\""#);
        f("61 0a", r#""\u000a""#);
        f("62 c3bc", "\"ü\"");
        f("80", "[]");
        f("83 01 82 02 03 82 04 05", "[1,[2,3],[4,5]]");
        f(
            "98 1a 000102030405060708090a0b0c0d0e0f1011121314151617 1818 1819",
            "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]",
        );
        f("a0", "{}");
        f("a2 61 61 01 61 62 82 02 03", r#"{"a":1,"b":[2,3]}"#);
        f("a3 01 02 20 04 41 6b 05", r#"{"1":2,"-1":4,"k":5}"#);
    }

    #[test]
    fn reads_indefinite_lengths() {
        let f = |hex: &str, want: &str| assert_eq!(json(hex).as_deref(), Ok(want), "{hex}");
        f("7f 65 7374726561 64 6d696e67 ff", r#""streaming""#);
        f("9f ff", "[]");
        f("9f 01 82 02 03 9f 04 05 ff ff", "[1,[2,3],[4,5]]");
        f("bf 61 61 01 7f 61 62 61 63 ff 9f 02 03 ff ff", r#"{"a":1,"bc":[2,3]}"#);
        f("82 5f 42 0102 43 030405 ff 01", "[null,1]");
        let wrong = |hex: &str, want: &str| {
            assert_eq!(json(hex), Err(format!("it is not CBOR: {want}")), "{hex}");
        };
        wrong("7f 41 61 ff", "a part of a string of another type at byte 1");
        wrong("7f 7f ff ff", "a part of a string of another type at byte 1");
        wrong("ff", "a break where a value should be at byte 0");
        wrong("bf 61 61 ff", "a break where a value should be at byte 3");
        wrong("82 ff", "a break where a value should be at byte 1");
        wrong("1f", "a byte that begins no value at byte 0");
        wrong("df 01", "a byte that begins no value at byte 0");
        wrong("9f 01", "the value is cut off at byte 2");
    }

    #[test]
    fn times_are_nanoseconds() {
        let f = |hex: &str, want: &str| {
            let text = text(&format!("82 01 {hex}"));
            assert_eq!(text.bytes, format!("[1,{want}]\n").into_bytes(), "{hex}");
            assert_eq!(text.timestamps.iter().map(|mark| mark.position).collect::<Vec<_>>(), [3], "{hex}");
        };
        f("c0 74 323031332d30332d32315432303a30343a30305a", "1363896240000000000");
        f("c1 1a 514b67b0", "1363896240000000000");
        f("c1 fb 41d452d9ec200000", "1363896240500000000");
        f("c1 20", "-1000000000");
        f("c1 fb 3fb999999999999a", "100000000");
        f("d9 d9f7 c1 01", "1000000000");
        f("c1 1b ffffffffffffffff", "18446744073709551615000000000");
        let wrong = |hex: &str, want: &str| {
            assert_eq!(json(hex), Err(format!("it is not CBOR: {want}")), "{hex}");
        };
        wrong("c0 61 78", "a time (tag 0) that is not RFC 3339 at byte 0");
        wrong("c0 01", "a time (tag 0) that is not RFC 3339 at byte 0");
        wrong("81 c1 61 78", "a time (tag 1) that is no number at byte 1");
        wrong("c1 c1 01", "a time (tag 1) that is no number at byte 0");
        wrong("c1 f5", "a time (tag 1) that is no number at byte 0");
        wrong(
            "c0 74 393939392d31332d33315430303a30303a30305a",
            "a time (tag 0) that is not RFC 3339 at byte 0",
        );
    }

    #[test]
    fn a_time_that_influxdb_cannot_store_is_a_number_outside_of_the_time_key() {
        let times = [
            // Go's zero time, the largest time of .NET, and times as numbers.
            ("c0 74 303030312d30312d30315430303a30303a30305a", "-62135596800000000000"),
            ("c0 78 1c 393939392d31322d33315432333a35393a35392e393939393939395a", "253402300799999999900"),
            ("c1 3b 0000000e7791f6ff", "-62135596800000000000"),
            ("c1 fb c22cef23ee000000", "-62135596800000000000"),
            ("c1 fb 42374876e8000000", "100000000000000000000"),
            ("c1 fb 4202a05f20100000", "10000000002000000000"),
            ("c1 fb 4415af1d78b58c40", "100000000000000000000000000000"),
        ];
        let key = KeySelector::Flattened("s".to_owned());
        let time = TimeRule::new(key, TimeFormat::Timestamp, jiff::tz::TimeZone::UTC);
        let with_time = Rules { time: Some(time), ..rules() };
        for (hex, want) in times {
            let value = bytes(&format!("a2 61 76 01 61 73 {hex}"));
            let (lines, outcome) = map(&mut mapper(rules()), &record(&value));
            assert_eq!((lines, outcome.rejected.len()), (format!("t v=1,s={want}\n"), 0), "{hex}");
            let (lines, outcome) = map(&mut mapper(with_time.clone()), &record(&value));
            let why = outcome.rejected.first().map(|(_, why)| why.to_string()).unwrap_or_default();
            assert!(lines.is_empty() && why.contains("outside what InfluxDB can store"), "{hex}: {why}");
        }
        assert_eq!(json("c1 fb 7fefffffffffffff").as_deref(), Ok("null"), "infinitely many nanoseconds");
        let beyond_128_bits = json("c1 fb 483d6329f1c35ca5");
        assert_eq!(beyond_128_bits.as_deref(), Ok("1.0000000000000001e+49"));
    }

    #[test]
    fn values_that_json_cannot_hold_are_dropped_with_their_keys() {
        let dropped = |hex: &str| {
            let hex = format!("a1 61 61 82 01 {hex}");
            assert_eq!(json(&hex).as_deref(), Ok("{\"a\":[1,null]}"), "{hex}");
            let mut mapper = mapper(rules());
            map(&mut mapper, &record(&bytes(&hex)));
            let [FirstDrop { key, drop }] = &mapper.take_first_drops()[..] else { panic!("{hex}") };
            assert_eq!((key.as_str(), mapper.take_drops().iter().count()), ("a_1", 1), "{hex}");
            *drop
        };
        for binary in ["41 00", "c2 49 010000000000000000", "c3 41 00", "f0", "f8 ff"] {
            assert_eq!(dropped(binary), DropReason::Binary);
        }
        for tagged in ["c4 82 21 19 6ab3", "c5 82 20 03", "d8 1e 82 01 02", "d8 19 00", "c4 82 21 c2 41 01"] {
            assert_eq!(dropped(tagged), DropReason::Binary);
        }
        for not_finite in ["f9 7c00", "f9 7e00", "fa 7f800000", "fb fff0000000000000", "c1 f9 7e00"] {
            assert_eq!(dropped(not_finite), DropReason::NotFinite);
        }
    }

    #[test]
    fn values_under_other_tags_have_no_tag() {
        assert_eq!(json("d9 d9f7 a1 61 61 d8 20 61 78").as_deref(), Ok(r#"{"a":"x"}"#));
    }

    #[test]
    fn a_rejection_names_the_position() {
        let f =
            |hex: &str, want: &str| assert_eq!(json(hex), Err(format!("it is not CBOR: {want}")), "{hex}");
        f("a1 61 61", "the value is cut off at byte 3");
        f("65 61", "the value is cut off at byte 2");
        f("7a ffffffff 61", "the value is cut off at byte 6");
        f("9b ffffffffffffffff 01", "the value is cut off at byte 10");
        f("bb ffffffffffffffff", "the value is cut off at byte 9");
        f("5a ffffffff", "the value is cut off at byte 5");
        f("19 01", "the value is cut off at byte 2");
        f("a1 f5 01", "a key that is neither text nor an integer at byte 1");
        f("a1 c0 61 61 01", "a key that is neither text nor an integer at byte 1");
        f("81 fc", "a byte that begins no value at byte 1");
        f("f8 14", "a simple value in the wrong form at byte 0");
        f("7b 22 61 22 3a 31 7d", "it begins like JSON, which `format = \"json\"` reads, at byte 0");
        let deep = format!("{}80", "81".repeat(64));
        let want = "it is nested too deeply: more than 64 nested objects and arrays at byte 64";
        assert_eq!(json(&deep), Err(want.to_owned()));
        assert!(json(&deep[2..]).is_ok());
        for opening in ["81", "9f", "a100", "c4", "d819", "c481"] {
            assert!(json(&opening.repeat(100_000)).is_err(), "{opening}");
        }
    }

    #[test]
    fn is_told_from_messagepack() {
        let f = |hex: &str, want: Option<Format>| {
            assert_eq!(Format::of_binary(&bytes(hex)), want, "{hex}");
            assert_eq!(Format::of_binary_file(&bytes(hex).repeat(3)), want, "{hex}");
        };
        f("a1 61 61 01", Some(Format::Cbor));
        f("bf 61 61 01 ff", Some(Format::Cbor));
        // As MessagePack {"a": 97} and then 1.
        f("81 a1 61 61 01", Some(Format::Cbor));
        f("d9 d9f7 a1 61 61 01", Some(Format::Cbor));
        f("81 a1 61 01", Some(Format::Msgpack));
        f("82 a1 61 01 a1 62 02", Some(Format::Msgpack));
        f("91 81 a1 61 01", Some(Format::Msgpack));
        f("01", None);
        f("7b 22 61 22 3a 31 7d", None);
    }
}
