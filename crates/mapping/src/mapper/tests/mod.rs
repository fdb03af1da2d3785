mod equal_keys;
mod hostile;
mod not_utf8;

use super::Mapper;
use crate::formats::KEPT_BYTES_MAX;
use crate::rejection::Rejection;
use crate::test_support::{LIMITS, lines_of, map, mapper, record};
use crate::{Format, Rules};
use line_protocol::LineBuffer;
use std::sync::Arc;

#[test]
fn the_text_of_a_large_binary_record_is_freed_after_the_record() {
    let rules = Rules { format: Format::Msgpack, ..Rules::default() };
    let mut mapper = mapper(rules);
    let large = [&[0xDB, 0, 0x0F, 0, 0][..], &b"\x01".repeat(0xF_0000)].concat();
    mapper.map(&record(&large), &mut LineBuffer::default());
    let reader = mapper.work.reader.as_ref().unwrap();
    assert!(reader.json.bytes.capacity() <= KEPT_BYTES_MAX);
}

#[test]
fn the_buffers_of_a_large_record_are_freed_after_the_record() {
    let string_fields = crate::Globs::compile(&["*"]).unwrap();
    let mut mapper = mapper(Rules { string_fields, ..Rules::default() });
    let text = format!(r#"{{"text":"{}","v":1}}"#, "x".repeat(60_000));
    let many = format!("[{}{{\"v\":1}}]", r#"{"a":1,"b":"\n"},"#.repeat(50_000));
    let wide = format!("[{}1]", "1,".repeat(400_000));
    for value in [
        text.clone(),
        format!("[{}{text}]", format!("{text},").repeat(20)),
        many,
        format!(r#"{{"a":{wide}}}"#),
    ] {
        mapper.map(&record(value.as_bytes()), &mut LineBuffer::default());
        let kept = mapper.work.bytes() + mapper.element.bytes();
        assert!(kept <= KEPT_BYTES_MAX, "{kept} bytes after a record of {}", value.len());
        assert!(!mapper.known.keys.is_full());
    }
}

#[test]
fn a_value_of_another_format_is_shown_with_what_it_seems_to_be() {
    let rejection = |format, value: &[u8]| {
        lines_of(&mut mapper(Rules { format, ..Rules::default() }), &record(value)).unwrap_err()
    };
    let gzip = rejection(Format::Msgpack, b"\x1F\x8B\x08\0\0");
    assert!(gzip.starts_with("it is not MessagePack: ") && gzip.contains(", in `"), "{gzip}");
    assert!(
        gzip.contains("compressed with gzip: set `value_compression = \"gzip\"`; if it is that or"),
        "{gzip}"
    );
    let line = rejection(Format::Cbor, b"cpu,host=a usage=0.5");
    assert!(line.starts_with("it is not CBOR: ") && line.contains("cpu,host=a"), "{line}");
    assert!(
        line.ends_with("line protocol: set `format = \"influx\"` in [[mapping]], or correct the producer"),
        "{line}"
    );
}

#[test]
fn keys_in_another_order_are_looked_up_and_anything_new_is_parsed() {
    let tag_keys = crate::Globs::compile(&["t", "u"]).unwrap();
    let mut mapper = Mapper::new(Arc::new(Rules { tag_keys, ..Rules::default() }), "m", LIMITS);
    let mut map = |value: &str| {
        mapper.element.key_bytes = 0;
        let (lines, _) = map(&mut mapper, &record(value.as_bytes()));
        // The parser has counted the keys that it read.
        (lines, mapper.element.key_bytes > 0)
    };
    let first = map(r#"{"a":1,"b":{"c":[2,3]},"t":"x","u":"","s":"dropped"}"#);
    assert_eq!(first, ("m,t=x a=1,b_c_0=2,b_c_1=3\n".to_owned(), true));
    // After these, the mapper will not learn from the next 50 records.
    (0..70).for_each(|n| drop(map(&format!(r#"{{"k{n}":1}}"#))));
    let mut f = |value: &str, line: &str, is_parsed: bool| {
        assert_eq!(map(value), (line.to_owned(), is_parsed), "{value}");
    };
    f(r#"{"b":{"c":[3]},"u":7,"a":-1e2}"#, "m,u=7 b_c_0=3,a=-1e2\n", false);
    f(r#"{ "u" : "z" , "s" : "dropped", "t":"y", "a":1 }"#, "m,t=y,u=z a=1\n", false);
    f(r#"{"b":{"c":[]},"a":null}"#, "", true);
    f(r#"{"u":"z","new":2,"a":1}"#, "m,u=z new=2,a=1\n", true);
    f(r#"{"u":"z","a":1,"new":3}"#, "m,u=z a=1,new=3\n", false);
    f(r#"{"u":"z","a":1,"a":3}"#, "m,u=z a=3\n", true);
    f(r#"{"b":{"c":[4]},"b":{"c":[]},"a":1}"#, "m a=1\n", true);
    f(r#"{"b":{"c":[4]},"a":"dropped","new":1}"#, "m b_c_0=4,new=1\n", true);
    f(r#"{"b":{"c":[4]},"new":1,"a":"dropped"}"#, "m b_c_0=4,new=1\n", false);
    f(r#"{"u":"z","a":1,}"#, "", true);
}

#[test]
fn a_long_key_around_many_values_is_refused_before_it_is_copied_for_each() {
    let mut mapper = mapper(Rules::default());
    let value = |length: usize| format!(r#"{{"{}":[{}1]}}"#, "k".repeat(length), "1,".repeat(9_999));
    for (value, want) in [(value(100_000), Err(Rejection::KeysTooLong)), (value(100), Ok(1))] {
        for _ in 0..3 {
            let mut outcome = mapper.map(&record(value.as_bytes()), &mut LineBuffer::default());
            let got = outcome.rejected.pop().map_or(Ok(outcome.lines), |(_, rejection)| Err(rejection));
            assert_eq!(got, want);
        }
    }
}
