//! MessagePack (<https://github.com/msgpack/msgpack/blob/master/spec.md>) as JSON text.
//!
//! - Integers stay exact, and floats always get a fraction or an exponent.
//! - Timestamps (extension type -1) become nanoseconds since 1970, marked as timestamps.
//! - Binary data and other extensions, NaN and infinity become marks, which count as dropped where a point would have them.
//! - Keys are text, binary text or integers; a record with any other key is rejected.
//!
//! Lengths that a record claims reserve no memory: each claimed element needs a byte that is there.

use super::input::Input;
use super::json_text::{JsonText, check_depth};
use super::key_texts::KeyTexts;
use super::number_text::{push_finite, push_finite_shortest, push_signed};
use crate::padded_bytes::NumberBuffer;
use crate::rejection::Rejection;

/// Appends the JSON text of the next value.
pub(super) fn transcode(
    input: &mut Input<'_>,
    text: &mut JsonText,
    keys: &mut KeyTexts,
) -> Result<(), Rejection> {
    keys.begin();
    Decoder { input, text, keys }.value(0)
}

/// Appends the next value, if it is an integer of 64 bits with a sign, or a finite float. Returns none, and reads nothing, where the
/// next value is another one.
#[inline]
pub(super) fn push_number(input: &mut Input<'_>, out: &mut impl NumberBuffer) -> Option<()> {
    let (&first, behind) = input.rest().split_first()?;
    let (number, bytes) = match first {
        0..=0x7F => (first.into(), 1),
        0xCA => {
            push_finite_shortest(f32::from_be_bytes(*behind.first_chunk()?), out)?;
            input.advance(5);
            return Some(());
        }
        0xCB => {
            push_finite(f64::from_be_bytes(*behind.first_chunk()?), out)?;
            input.advance(9);
            return Some(());
        }
        0xCC => ((*behind.first()?).into(), 2),
        0xCD => (u16::from_be_bytes(*behind.first_chunk()?).into(), 3),
        0xCE => (u32::from_be_bytes(*behind.first_chunk()?).into(), 5),
        0xCF => (i64::try_from(u64::from_be_bytes(*behind.first_chunk()?)).ok()?, 9),
        0xD0 => (i8::from_be_bytes(*behind.first_chunk()?).into(), 2),
        0xD1 => (i16::from_be_bytes(*behind.first_chunk()?).into(), 3),
        0xD2 => (i32::from_be_bytes(*behind.first_chunk()?).into(), 5),
        0xD3 => (i64::from_be_bytes(*behind.first_chunk()?), 9),
        0xE0..=0xFF => (first.cast_signed().into(), 1),
        _ => return None,
    };
    push_signed(number, out);
    input.advance(bytes);
    Some(())
}

/// Appends the next key with its quotes.
fn push_key(input: &mut Input<'_>, text: &mut JsonText) -> Result<(), Rejection> {
    Decoder { input, text, keys: &mut KeyTexts::default() }.key()
}

struct Decoder<'a, 'i, 't> {
    input: &'i mut Input<'a>,
    text: &'t mut JsonText,
    keys: &'t mut KeyTexts,
}

impl Decoder<'_, '_, '_> {
    fn value(&mut self, depth: usize) -> Result<(), Rejection> {
        let start = self.input.position();
        match self.input.byte()? {
            size @ 0x80..=0x8F => self.map(u32::from(size & 0x0F), depth, start),
            size @ 0x90..=0x9F => self.array(u32::from(size & 0x0F), depth, start),
            width @ 0xDC..=0xDD => {
                let size = self.size(width - 0xDC + 1)?;
                self.array(size, depth, start)
            }
            width @ 0xDE..=0xDF => {
                let size = self.size(width - 0xDE + 1)?;
                self.map(size, depth, start)
            }
            first => {
                self.scalar(first, start)?;
                self.text.gaps.note_scalar(self.input, start);
                Ok(())
            }
        }
    }

    /// Appends the scalar whose first byte was just read from `start`.
    fn scalar(&mut self, first: u8, start: usize) -> Result<(), Rejection> {
        match first {
            positive @ 0..=0x7F => self.text.push_integer(positive),
            size @ 0xA0..=0xBF => return self.string(u32::from(size & 0x1F)),
            0xC0 => self.text.push(b"null"),
            0xC2 => self.text.push(b"false"),
            0xC3 => self.text.push(b"true"),
            width @ 0xC4..=0xC6 => {
                let size = self.size(width - 0xC4)?;
                self.input.take(size.into())?;
                self.text.push_binary();
            }
            width @ 0xC7..=0xC9 => {
                let size = self.size(width - 0xC7)?;
                return self.extension(size, start);
            }
            0xCA => self.text.push_single(f32::from_be_bytes(*self.input.array_of()?)),
            0xCB => self.text.push_float(f64::from_be_bytes(*self.input.array_of()?)),
            0xCC => self.text.push_integer(self.input.byte()?),
            0xCD => self.text.push_integer(u16::from_be_bytes(*self.input.array_of()?)),
            0xCE => self.text.push_integer(u32::from_be_bytes(*self.input.array_of()?)),
            0xCF => self.text.push_integer(u64::from_be_bytes(*self.input.array_of()?)),
            0xD0 => self.text.push_integer(i8::from_be_bytes(*self.input.array_of()?)),
            0xD1 => self.text.push_integer(i16::from_be_bytes(*self.input.array_of()?)),
            0xD2 => self.text.push_integer(i32::from_be_bytes(*self.input.array_of()?)),
            0xD3 => self.text.push_integer(i64::from_be_bytes(*self.input.array_of()?)),
            width @ 0xD4..=0xD8 => return self.extension(1 << (width - 0xD4), start),
            width @ 0xD9..=0xDB => {
                let size = self.size(width - 0xD9)?;
                return self.string(size);
            }
            negative @ 0xE0..=0xFF => self.text.push_integer(negative.cast_signed()),
            // The other bytes begin objects and arrays.
            _ => return Err(self.input.unreadable("the byte 0xc1, which begins no value,", start)),
        }
        Ok(())
    }

    fn map(&mut self, size: u32, depth: usize, start: usize) -> Result<(), Rejection> {
        check_depth(depth, start)?;
        let start = self.text.bytes.len();
        for _ in 0..size {
            self.keys.push_next(self.input, self.text, push_key)?;
            self.value(depth + 1)?;
        }
        self.text.close(start, b'{', b'}');
        Ok(())
    }

    fn array(&mut self, size: u32, depth: usize, start: usize) -> Result<(), Rejection> {
        check_depth(depth, start)?;
        let start = self.text.bytes.len();
        for _ in 0..size {
            self.text.push(b",");
            self.value(depth + 1)?;
        }
        self.text.close(start, b'[', b']');
        Ok(())
    }

    /// Appends the next key with its quotes.
    fn key(&mut self) -> Result<(), Rejection> {
        let start = self.input.position();
        match self.input.byte()? {
            text @ (0xA0..=0xBF | 0xD9..=0xDB) => self.scalar(text, start),
            width @ 0xC4..=0xC6 => {
                let size = self.size(width - 0xC4)?;
                self.string(size)
            }
            number @ (0..=0x7F | 0xCC..=0xD3 | 0xE0..=0xFF) => {
                self.text.push(b"\"");
                self.scalar(number, start)?;
                self.text.push(b"\"");
                Ok(())
            }
            _ => Err(self.input.unreadable("a key that is neither text nor an integer", start)),
        }
    }

    fn string(&mut self, size: u32) -> Result<(), Rejection> {
        let (start, length) = self.input.take_start(size.into())?;
        self.text.push_string(start, length);
        Ok(())
    }

    #[inline(never)]
    fn extension(&mut self, size: u32, start: usize) -> Result<(), Rejection> {
        const TIMESTAMP: u8 = 0xFF;
        let kind = self.input.byte()?;
        let data = self.input.take(size.into())?;
        let (seconds, nanoseconds) = match (kind, size) {
            (TIMESTAMP, 4) => (i64::from(u32::from_be_bytes(part(data, 0))), 0),
            (TIMESTAMP, 8) => {
                let both = u64::from_be_bytes(part(data, 0));
                ((both & 0x3_FFFF_FFFF).cast_signed(), both >> 34)
            }
            (TIMESTAMP, 12) => {
                (i64::from_be_bytes(part(data, 4)), u64::from(u32::from_be_bytes(part(data, 0))))
            }
            _ => {
                self.text.push_binary();
                return Ok(());
            }
        };
        if nanoseconds >= 1_000_000_000 {
            return Err(self.input.unreadable("a timestamp with more than 999999999 nanoseconds", start));
        }
        self.text.push_timestamp(i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds));
        Ok(())
    }

    /// A length of 1, 2 or 4 bytes, for a width of 0, 1 or 2.
    fn size(&mut self, width: u8) -> Result<u32, Rejection> {
        Ok(match width {
            0 => u32::from(self.input.byte()?),
            1 => u32::from(u16::from_be_bytes(*self.input.array_of()?)),
            _ => u32::from_be_bytes(*self.input.array_of()?),
        })
    }
}

/// A part of a timestamp, whose size was checked.
#[expect(clippy::indexing_slicing, reason = "a broken invariant must not turn a time into another one")]
fn part<const N: usize>(data: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&data[at..at + N]);
    part
}

#[cfg(test)]
mod tests {
    use crate::formats::FormatReader;
    use crate::test_support::{map, mapper, record};
    use crate::{DropReason, FIRST_DROPS_MAX, FirstDrop, Format, KeySelector, Rules, TimeFormat, TimeRule};
    use base::record::{Record, RecordTime};

    fn rules() -> Rules {
        Rules { format: Format::Msgpack, ..Rules::default() }
    }

    fn json(bytes: &[u8]) -> Result<String, String> {
        let rules = rules();
        let text = rules.to_json(bytes).map_err(|why| why.to_string())?;
        Ok(text.escape_ascii().to_string().replace("\\\"", "\"").replace("\\\\", "\\"))
    }

    #[test]
    fn writes_each_type_as_json() {
        let f = |bytes: &[u8], want: &str| assert_eq!(json(bytes), Ok(format!("{want}\\n")), "{bytes:x?}");
        f(&[0x7F], "127");
        f(&[0xE0], "-32");
        f(&[0xCC, 0xFF], "255");
        f(&[0xCD, 0xFF, 0xFF], "65535");
        f(&[0xCE, 0xFF, 0xFF, 0xFF, 0xFF], "4294967295");
        f(&[&[0xCF][..], &[0xFF; 8]].concat(), "18446744073709551615");
        f(&[0xD0, 0x80], "-128");
        f(&[0xD1, 0x80, 0], "-32768");
        f(&[0xD2, 0x80, 0, 0, 0], "-2147483648");
        f(&[0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0], "-9223372036854775808");
        f(&[&[0xCA][..], &0.1_f32.to_be_bytes()].concat(), "0.1");
        f(&[&[0xCB][..], &3.0_f64.to_be_bytes()].concat(), "3.0");
        f(&[&[0xCB][..], &(-0.0_f64).to_be_bytes()].concat(), "-0.0");
        f(&[0xC0], "null");
        f(&[0x92, 0xC2, 0xC3], "[false,true]");
        f(&[0xDC, 0, 1, 0xDD, 0, 0, 0, 0], "[[]]");
        f(&[0x82, 0xA1, b'a', 1, 0xA1, b'b', 0x80], r#"{"a":1,"b":{}}"#);
        f(&[0xDE, 0, 1, 0xA0, 0xDF, 0, 0, 0, 0], r#"{"":{}}"#);
        f(&[0xA4, b'"', b'\\', b'\n', 0x7F], r#""\"\\\u000a\x7f""#);
        f(&[0xD9, 1, b'x'], r#""x""#);
        f(&[0xDA, 0, 1, b'x'], r#""x""#);
        f(&[0xDB, 0, 0, 0, 1, b'x'], r#""x""#);
    }

    #[test]
    fn keys_are_text_or_integers() {
        let f = |bytes: &[u8], want: &str| assert_eq!(json(bytes), Ok(format!("{want}\\n")), "{bytes:x?}");
        f(&[0x81, 0x05, 1], r#"{"5":1}"#);
        f(&[0x81, 0xD0, 0xFB, 1], r#"{"-5":1}"#);
        f(&[0x81, 0xC4, 1, b'k', 1], r#"{"k":1}"#);
        for key in [&[0xC0][..], &[0xC3], &[0xCA, 0, 0, 0, 0], &[0x90], &[0x80], &[0xD4, 1, 1]] {
            let bytes = [&[0x81][..], key, &[1]].concat();
            let want = "it is not MessagePack: a key that is neither text nor an integer at byte 1";
            assert_eq!(json(&bytes), Err(want.to_owned()));
        }
    }

    #[test]
    fn timestamps_are_nanoseconds() {
        let f = |bytes: &[u8], want: &str| {
            let mut reader = FormatReader::default();
            reader.read(&rules(), bytes, None, usize::MAX).unwrap();
            let text = reader.json;
            assert_eq!(text.bytes, format!("[1,{want}]\n").into_bytes());
            assert_eq!(text.timestamps.iter().map(|mark| mark.position).collect::<Vec<_>>(), [3]);
        };
        f(&[0x92, 1, 0xD6, 0xFF, 0, 0, 0, 2], "2000000000");
        let both = (5_u64 << 34 | 0x3_0000_0000).to_be_bytes();
        f(&[&[0x92, 1, 0xD7, 0xFF][..], &both].concat(), "12884901888000000005");
        let before = [&7_u32.to_be_bytes()[..], &(-1_i64).to_be_bytes()].concat();
        f(&[&[0x92, 1, 0xC7, 12, 0xFF][..], &before].concat(), "-999999993");
        let wrong = [&[0xD7, 0xFF][..], &(1_000_000_000_u64 << 34).to_be_bytes()].concat();
        let want = "it is not MessagePack: a timestamp with more than 999999999 nanoseconds at byte 0";
        assert_eq!(json(&wrong), Err(want.to_owned()));
    }

    #[test]
    fn values_that_json_cannot_hold_are_dropped_with_their_keys() {
        let inner = [&[0x93, 0xC4, 1, 9, 0xCA][..], &f32::NAN.to_be_bytes(), &[0xD4, 7, 7]].concat();
        let bytes = [&[0x81, 0xA1, b'a', 0x81, 0xA1, b'b'][..], &inner].concat();
        assert_eq!(json(&bytes).as_deref(), Ok("{\"a\":{\"b\":[null,null,null]}}\\n"));
        let mut mapper = mapper(rules());
        map(&mut mapper, &record(&bytes));
        let want =
            [("a_b_0", DropReason::Binary), ("a_b_1", DropReason::NotFinite), ("a_b_2", DropReason::Binary)];
        assert_eq!(
            mapper.take_first_drops(),
            want.map(|(key, drop)| FirstDrop { key: key.to_owned(), drop })
        );
    }

    #[test]
    fn reports_of_dropped_values_are_bounded() {
        let bytes = [&[0x81, 0xA1, b'k', 0xDC, 0x80, 0][..], &[0xC4, 0].repeat(0x8000)].concat();
        let mut mapper = mapper(rules());
        map(&mut mapper, &record(&bytes));
        assert_eq!(mapper.take_drops().iter().collect::<Vec<_>>(), [(DropReason::Binary, 0x8000)]);
        assert_eq!(mapper.take_first_drops().len(), FIRST_DROPS_MAX);
    }

    /// The memory formula in docs/memory.md has this factor.
    #[test]
    fn the_text_has_at_most_six_times_the_bytes_of_a_record() {
        let string = |byte: u8| [&[0xDA, 0x10, 0][..], &[byte; 0x1000]].concat();
        let array = |value: &[u8]| [&[0xDC, 0x10, 0][..], &value.repeat(0x1000)].concat();
        let mut longest = 0.0_f64;
        for record in [
            string(1),
            string(b'"'),
            array(&[0xC0]),
            array(&[0xC2]),
            array(&[0xE0]),
            array(&[0xA1, 1]),
            array(&[0x81, 0xA1, 1, 0xC2]),
            array(&[0x90]),
            array(&[&[0xCA][..], &f32::MIN_POSITIVE.to_be_bytes()].concat()),
            array(&[&[0xCB][..], &f64::MIN_POSITIVE.to_be_bytes()].concat()),
            array(&[0xD6, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ] {
            let text = json(&record).unwrap();
            longest = longest.max(text.len() as f64 / record.len() as f64);
        }
        assert!((5.9..=6.0).contains(&longest), "{longest}");
    }

    #[test]
    fn a_rejection_names_the_position() {
        let f = |bytes: &[u8], want: &str| {
            assert_eq!(json(bytes), Err(format!("it is not MessagePack: {want}")), "{bytes:x?}");
        };
        f(&[0x81, 0xA1, b'a'], "the value is cut off at byte 3");
        f(&[0xA5, b'a'], "the value is cut off at byte 2");
        f(&[0xDB, 0xFF, 0xFF, 0xFF, 0xFF, b'a'], "the value is cut off at byte 6");
        f(&[0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 1], "the value is cut off at byte 6");
        f(&[0xC6, 0xFF, 0xFF, 0xFF, 0xFF], "the value is cut off at byte 5");
        f(&[0xC7], "the value is cut off at byte 1");
        f(&[0x91, 0xC1], "the byte 0xc1, which begins no value, at byte 1");
        f(b"{\"a\":1}", "it begins like JSON, which `format = \"json\"` reads, at byte 0");
        f(b"\x80{\"a\":1}", "it begins like JSON, which `format = \"json\"` reads, at byte 1");
        let deep = [&[0x91; 64][..], &[0x90]].concat();
        let want = "it is nested too deeply: more than 64 nested objects and arrays at byte 64";
        assert_eq!(json(&deep), Err(want.to_owned()));
        assert!(json(&[&[0x91; 63][..], &[0x90]].concat()).is_ok());
        assert!(json(&b"\x91".repeat(1_000_000)).is_err());
    }

    #[test]
    fn finds_values_that_follow_one_another() {
        let bytes = [0x81, 0xA1, b'a', 1, 0x81, 0xA1, b'a', 2];
        assert_eq!(json(&bytes), Ok(r#"{"a":1}\n{"a":2}\n"#.to_owned()));
        assert_eq!(Format::Msgpack.first_value(&bytes), Some(4));
        assert_eq!(Format::of_binary_file(&bytes), Some(Format::Msgpack));
        assert_eq!(Format::of_binary_file(b"{\"a\":1}"), None);
        assert_eq!(Format::of_binary_file(&[1, 2]), None);
        assert_eq!(Format::of_binary_file("온도".as_bytes()), None);
    }

    fn mapped(rules: Rules, values: &[&[u8]]) -> (String, Option<String>, Vec<(DropReason, u64)>) {
        let mut mapper = mapper(rules);
        let value = values.concat();
        let (lines, became) = map(&mut mapper, &Record { time: RecordTime::At(7), ..record(&value) });
        let rejected = became.rejected.first().map(|(_, why)| why.to_string());
        (lines, rejected, mapper.take_drops().iter().collect())
    }

    fn timed(format: TimeFormat) -> Rules {
        let key = KeySelector::Flattened("t".to_owned());
        let time = TimeRule::new(key, format, jiff::tz::TimeZone::UTC);
        Rules { format: Format::Msgpack, time: Some(time), ..Rules::default() }
    }

    const V: &[u8] = b"\xA1v\x01";
    const TIMESTAMP: &[u8] = b"\xA1t\xD6\xFF\0\0\0\x02";

    #[test]
    fn a_timestamp_is_the_time_whatever_the_time_format() {
        for format in [TimeFormat::Timestamp, TimeFormat::Unix { unit_ns: 1_000_000 }, TimeFormat::Rfc3339] {
            let (lines, rejected, _) = mapped(timed(format), &[b"\x82", V, TIMESTAMP]);
            assert_eq!((lines.as_str(), rejected), ("t v=1 2000000000\n", None));
        }
        let seconds = TimeFormat::Unix { unit_ns: 1_000_000_000 };
        assert_eq!(mapped(timed(seconds), &[b"\x82", V, b"\xA1t\x02"]).0, "t v=1 2000000000\n");
    }

    #[test]
    fn without_a_time_format_only_a_timestamp_is_a_time() {
        let (lines, rejected, _) = mapped(timed(TimeFormat::Timestamp), &[b"\x82", V, b"\xA1t\x02"]);
        let want = "its time \"2\" under \"t\" can't be used: it is not written as a timestamp of the record's format; \
                    other times need a `time_format`";
        assert_eq!((lines.as_str(), rejected.as_deref()), ("", Some(want)));
    }

    #[test]
    fn a_timestamp_elsewhere_is_a_field_of_nanoseconds() {
        let rules = Rules { format: Format::Msgpack, ..Rules::default() };
        let (lines, ..) = mapped(rules, &[b"\x82", V, TIMESTAMP]);
        assert!(lines.starts_with("t v=1,t=2000000000 "), "{lines}");
    }

    #[test]
    fn several_values_become_points_and_binary_data_is_counted() {
        let binary = b"\xA1b\xC4\x01x";
        let (lines, rejected, drops) = mapped(rules(), &[b"\x82", V, binary, b"\x81", V]);
        assert_eq!((lines.matches("t v=1 ").count(), rejected), (2, None));
        assert_eq!(drops, [(DropReason::Binary, 1)]);
        let (lines, rejected, _) = mapped(rules(), &[b"\x81", V, b"\x81\xA1"]);
        let want = "it is not MessagePack: the value is cut off at byte 6, in `v\\u{1}\u{fffd}\u{fffd}`";
        assert_eq!((lines.as_str(), rejected.as_deref()), ("", Some(want)));
        assert_eq!(mapped(rules(), &[]).1.as_deref(), Some("its value is empty"));
    }
}
