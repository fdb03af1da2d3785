//! Records that are one object of known shape in a binary format.

use super::Mapper;
use super::pass::MapCall;
use crate::formats::FormatReader;
use crate::test_support::{map, mapper, record};
use crate::{DropReason, FirstDrop, Format, Globs, KeySelector, Mapped, Rules, TimeFormat, TimeRule};
use base::record::{Record, RecordTime};
use jiff::tz::TimeZone;
use line_protocol::LineBuffer;

fn rules() -> Rules {
    let key = KeySelector::Flattened("z".to_owned());
    Rules {
        format: Format::Msgpack,
        tag_keys: Globs::compile(&["t"]).unwrap(),
        string_fields: Globs::compile(&["s"]).unwrap(),
        time: Some(TimeRule::new(key, TimeFormat::Timestamp, TimeZone::UTC)),
        ..Rules::default()
    }
}

/// Two seconds after 1970.
const TIME: &[u8] = b"\xD6\xFF\0\0\0\x02";

/// An object with an inner object, a list and an empty list: a tag, a string, two numbers and a time.
fn object([tag, text, first, second, time]: [&[u8]; 5]) -> Vec<u8> {
    let parts = [b"\x86\xA1t", tag, b"\xA1s", text, b"\xA1o\x81\xA1a", first, b"\xA1b\x91", second];
    [&parts.concat(), &b"\xA1z"[..], time, b"\xA1e\x90"].concat()
}

/// A mapper that knows the shape of [`object`].
fn learned() -> Mapper {
    let mut mapper = mapper(rules());
    map(&mut mapper, &record(&object([b"\xA1x", b"\xA1y", b"\x01", b"\x02", TIME])));
    mapper
}

/// Whether a record is mapped by its shape, without JSON text of its keys.
fn finds_shape(mapper: &mut Mapper, value: &[u8]) -> bool {
    let (mut reader, mut lines) = (FormatReader::default(), LineBuffer::default());
    let (record, mut outcome) = (record(value), Mapped::default());
    let mut call = MapCall { record: &record, lines: &mut lines, mapped: &mut outcome };
    let result = mapper.map_binary_object(value, &mut reader, &mut call);
    assert_eq!(lines.lines(), usize::from(result.is_some()), "{}", value.escape_ascii());
    result.is_some()
}

/// Checks that a mapper which knows the shape of [`object`] gives what a new one gives, and whether it maps the record by its shape.
fn check(value: &[u8], is_by_shape: bool) {
    let record = Record { time: RecordTime::At(7), ..record(value) };
    let (mut learned, mut fresh) = (learned(), mapper(rules()));
    assert_eq!(finds_shape(&mut learned, value), is_by_shape, "{}", value.escape_ascii());
    learned.take_drops();
    assert_eq!(map(&mut learned, &record), map(&mut fresh, &record), "{}", value.escape_ascii());
    assert_eq!(learned.take_drops(), fresh.take_drops(), "{}", value.escape_ascii());
}

#[test]
fn any_scalars_stand_in_an_object_of_known_shape() {
    let integers = [&b"\x7F"[..], b"\xE0", b"\xCC\xFF", b"\xCD\xFF\xFF", b"\xCE\xFF\xFF\xFF\xFF"];
    let wide = [b"\xCF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", b"\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"];
    let signed = [&b"\xD0\x80"[..], b"\xD1\x80\0", b"\xD2\x80\0\0\0", b"\xD3\x80\0\0\0\0\0\0\0"];
    let floats = [0.5, -21.25, 1e300, -0.0, 123_456.789, 1e16].map(|number: f64| number.to_be_bytes());
    let floats = floats.map(|bytes| [&b"\xCB"[..], &bytes].concat());
    let others = [&b"\xC0"[..], b"\xC2", b"\xC3", b"\xCA\x3D\xCC\xCC\xCD", b"\xD9\x02no"];
    let numbers = integers.into_iter().chain(wide.map(|number| &number[..])).chain(signed);
    for scalar in numbers.chain(floats.iter().map(Vec::as_slice)) {
        check(&object([b"\xA1x", b"\xA1y", scalar, scalar, TIME]), true);
        check(&object([scalar, b"\xA1y", scalar, b"\xC0", TIME]), true);
    }
    // A text that is not written is counted once it was reported.
    for (scalar, is_by_shape) in others.into_iter().zip([true, false, false, true, false]) {
        check(&object([b"\xA1x", b"\xA1y", scalar, b"\x02", TIME]), is_by_shape);
    }
    for text in [&b"\xA0"[..], b"\xA3\"\\\n", b"\xA2,=", b"\xD9\x05a\xC3\xA9 b", b"\xC0"] {
        check(&object([text, text, b"\x01", b"\x02", TIME]), true);
    }
}

#[test]
fn other_records_are_read_by_their_json_text() {
    let [x, one] = [&b"\xA1x"[..], &b"\x01"[..]];
    let usual = object([x, x, one, one, TIME]);
    let float = |number: f64| [&b"\xCB"[..], &number.to_be_bytes()].concat();
    for value in [
        // Another key, an inner object, an inner list, and a longer form of a length.
        [&usual[..usual.len() - 2], b"f\x90"].concat(),
        object([x, x, b"\x81\xA1a\x01", one, TIME]),
        object([x, x, one, b"\x91\x01", TIME]),
        [b"\xDE\0\x06", &usual[1..]].concat(),
        // Bytes behind the object, two objects, and a list with the object.
        [&usual, &b"\xC0"[..]].concat(),
        [&usual[..], &usual].concat(),
        [b"\x91", &usual[..]].concat(),
        // Values that no field can have, which are counted once they were reported, and text that is not UTF-8.
        object([x, x, &float(f64::NAN), one, TIME]),
        object([x, x, b"\xC4\x01\x01", one, TIME]),
        object([x, x, b"\xD4\x07\x07", one, TIME]),
        object([b"\xA1\xFF", x, one, one, TIME]),
        object([x, b"\xA1\xFF", one, one, TIME]),
        // No fields, no time, and a time that is none.
        object([x, b"\xC0", b"\xC0", b"\xC0", TIME]),
        object([x, x, one, one, b"\xC0"]),
        object([x, x, one, one, one]),
    ] {
        check(&value, false);
    }
    for end in 0..usual.len() {
        check(&usual[..end], false);
    }
}

#[test]
fn a_shape_learned_from_an_element_of_a_record_is_not_that_of_a_record() {
    let value = object([b"\xA1x", b"\xA1y", b"\x01", b"\x02", TIME]);
    for other in [[b"\x91", &value[..]].concat(), [&value[..], &value].concat()] {
        let mut mapper = mapper(rules());
        map(&mut mapper, &record(&other));
        assert!(!finds_shape(&mut mapper, &value));
        assert!(!finds_shape(&mut mapper, &other));
    }
}

#[test]
fn a_shape_of_an_element_becomes_that_of_a_record_alone() {
    let value = object([b"\xA1x", b"\xA1y", b"\x01", b"\x02", TIME]);
    for other in [[b"\x91", &value[..]].concat(), [&value[..], &value].concat()] {
        let mut mapper = mapper(rules());
        map(&mut mapper, &record(&other));
        for _ in 0..3 {
            map(&mut mapper, &record(&value));
        }
        assert!(finds_shape(&mut mapper, &value));
        assert!(!finds_shape(&mut mapper, &other));
    }
}

/// An object like that of [`object`] in CBOR.
fn cbor_object([tag, text, first, second, time]: [&[u8]; 5]) -> Vec<u8> {
    let parts = [b"\xA6\x61t", tag, b"\x61s", text, b"\x61o\xA1\x61a", first, b"\x61b\x81", second];
    [&parts.concat(), &b"\x61z"[..], time, b"\x61e\x80"].concat()
}

/// Checks a record of CBOR like [`check`].
fn check_cbor(value: &[u8], is_by_shape: bool) {
    let cbor = || Rules { format: Format::Cbor, ..rules() };
    let (mut learned, mut fresh) = (mapper(cbor()), mapper(cbor()));
    map(&mut learned, &record(&cbor_object([b"\x61x", b"\x61y", b"\x01", b"\x02", CBOR_TIME])));
    let record = Record { time: RecordTime::At(7), ..record(value) };
    assert_eq!(finds_shape(&mut learned, value), is_by_shape, "{}", value.escape_ascii());
    learned.take_drops();
    assert_eq!(map(&mut learned, &record), map(&mut fresh, &record), "{}", value.escape_ascii());
    assert_eq!(learned.take_drops(), fresh.take_drops(), "{}", value.escape_ascii());
}

/// Two seconds after 1970.
const CBOR_TIME: &[u8] = b"\xC1\x02";

#[test]
fn any_scalars_of_cbor_stand_in_an_object_of_known_shape() {
    let integers = [&b"\x17"[..], b"\x20", b"\x18\xFF", b"\x19\xFF\xFF", b"\x1A\xFF\xFF\xFF\xFF"];
    let wide = [b"\x1B\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", b"\x1B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"];
    let negative = [b"\x3B\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", b"\x3B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"];
    // Halves: 1.5, -0.0, the largest one, and the least and largest subnormal ones.
    let halves = [b"\xF9\x3E\0", b"\xF9\x80\0", b"\xF9\x7B\xFF", b"\xF9\0\x01", b"\xF9\x83\xFF"];
    let single = &b"\xFA\x3D\xCC\xCC\xCD"[..];
    let floats =
        [0.5, -21.25, 1e300, -0.0, 123_456.789, 1e16, 5e-324].map(|number: f64| number.to_be_bytes());
    let floats = floats.map(|bytes| [&b"\xFB"[..], &bytes].concat());
    // Times, a number under a tag without a meaning, and a length that is longer than needed.
    let tagged = [&b"\xC1\x1A\x51\x4B\x67\xB0"[..], b"\xC1\xFB\x41\xD4\x52\xD9\xEC\x20\0\0", b"\xD8\x20\x07"];
    let text_time = [&b"\xC0\x74"[..], b"2013-03-21T20:04:00Z"].concat();
    let far_time = [&b"\xC0\x74"[..], b"0001-01-01T00:00:00Z"].concat();
    let others = [single, &text_time, &far_time, b"\x18\x01", b"\x1B\0\0\0\0\0\0\0\x01"];
    let numbers =
        integers.into_iter().chain(wide.map(|number| &number[..])).chain(negative.map(|number| &number[..]));
    let numbers = numbers.chain(halves.map(|number| &number[..])).chain(tagged).chain(others);
    for scalar in numbers.chain(floats.iter().map(Vec::as_slice)) {
        check_cbor(&cbor_object([b"\x61x", b"\x61y", scalar, scalar, CBOR_TIME]), true);
        check_cbor(&cbor_object([scalar, b"\x61y", scalar, b"\xF6", CBOR_TIME]), true);
    }
    for text in
        [&b"\x60"[..], b"\x63\"\\\n", b"\x62,=", b"\x78\x05a\xC3\xA9 b", b"\x7F\x61a\x61b\xFF", b"\xF6"]
    {
        check_cbor(&cbor_object([text, text, b"\x01", b"\x02", CBOR_TIME]), true);
    }
    for time in [&text_time[..], b"\xC1\xFB\x41\xD4\x52\xD9\xEC\x20\0\0", b"\xC1\x20"] {
        check_cbor(&cbor_object([b"\x61x", b"\x61y", b"\x01", b"\x02", time]), true);
    }
    // Null and undefined are no loss. A text or boolean that is not written is counted once it was reported.
    for (scalar, is_by_shape) in
        [(&b"\xF6"[..], true), (b"\xF7", true), (b"\xF4", false), (b"\xF5", false), (b"\x62no", false)]
    {
        check_cbor(&cbor_object([b"\x61x", b"\x61y", scalar, b"\x02", CBOR_TIME]), is_by_shape);
    }
}

#[test]
fn other_records_of_cbor_are_read_by_their_json_text() {
    let [x, one] = [&b"\x61x"[..], &b"\x01"[..]];
    let usual = cbor_object([x, x, one, one, CBOR_TIME]);
    let values = [
        // Byte strings, bignums, a decimal fraction, simple values, NaN and infinity.
        &b"\x41\0"[..],
        b"\x5F\x41\0\xFF",
        b"\xC2\x49\x01\0\0\0\0\0\0\0\0",
        b"\xC3\x41\0",
        b"\xC4\x82\x21\x19\x6A\xB3",
        b"\xF0",
        b"\xF8\xFF",
        b"\xF9\x7E\0",
        b"\xFA\x7F\x80\0\0",
        b"\xFB\xFF\xF0\0\0\0\0\0\0",
        b"\xC1\xF9\x7C\0",
        // Objects and lists, also under tags, and what is no value.
        b"\xA1\x61a\x01",
        b"\x81\x01",
        b"\x9F\x01\xFF",
        b"\xBF\xFF",
        b"\xD9\xD9\xF7\x80",
        b"\xC1\x80",
        b"\xC0\x01",
        b"\xF8\x14",
        b"\xFC",
        b"\xFF",
        // Text that is not UTF-8.
        b"\x61\xFF",
    ];
    for value in values {
        check_cbor(&cbor_object([x, x, value, one, CBOR_TIME]), false);
        check_cbor(&cbor_object([value, x, one, one, CBOR_TIME]), false);
    }
    for value in [
        [&usual[..usual.len() - 2], b"f\x80"].concat(),
        [b"\xB8\x06", &usual[1..]].concat(),
        [b"\xBF", &usual[1..], b"\xFF"].concat(),
        [b"\xD9\xD9\xF7", &usual[..]].concat(),
        [&usual, &b"\xF6"[..]].concat(),
        [&usual[..], &usual].concat(),
        [b"\x81", &usual[..]].concat(),
        cbor_object([x, b"\xF6", b"\xF6", b"\xF6", CBOR_TIME]),
        cbor_object([x, x, one, one, b"\xF6"]),
        cbor_object([x, x, one, one, one]),
    ] {
        check_cbor(&value, false);
    }
    for end in 0..usual.len() {
        check_cbor(&usual[..end], false);
    }
}

#[test]
fn values_that_no_field_can_have_are_counted_where_they_are_wanted_and_fit_a_shape() {
    let nan = [&b"\xCB"[..], &f64::NAN.to_be_bytes()].concat();
    let unwanted = || Rules { exclude: Globs::compile(&["x"]).unwrap(), ..rules() };
    let untimed = |rules: Rules| Rules { time: None, ..rules };
    for (scalar, drop) in [
        (&b"\xC4\x02\0\x01"[..], DropReason::Binary),
        (b"\xD4\x07\x07", DropReason::Binary),
        (&nan, DropReason::NotFinite),
    ] {
        let value = [b"\x82\xA1v\x01\xA1x", scalar].concat();
        for (rules, is_counted) in [(untimed(unwanted()), false), (untimed(rules()), true)] {
            let mut mapper = mapper(rules);
            for _ in 0..3 {
                assert_eq!(map(&mut mapper, &record(&value)).0, "t v=1\n");
            }
            let counted: Vec<_> = mapper.take_drops().iter().collect();
            assert_eq!(counted, if is_counted { vec![(drop, 3)] } else { vec![] });
            let reported = mapper.take_first_drops();
            let want = FirstDrop { key: "x".to_owned(), drop };
            assert_eq!(reported, if is_counted { vec![want] } else { vec![] });
            assert!(finds_shape(&mut mapper, &value), "{}", value.escape_ascii());
        }
    }
}
