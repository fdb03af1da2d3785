//! Tests of values of one record under one key, and of keys that only look alike: the last of equal keys wins, and each value that is not
//! written counts once, whichever way the record is read.

use crate::Mapper;
use crate::test_support::{map, mapper, record};
use crate::{DropReason, Format, Globs, KeySelector, Rules};

/// The lines and the drops of a record.
fn once(mapper: &mut Mapper, value: &[u8]) -> (String, Vec<(DropReason, u64)>) {
    let (lines, _) = map(mapper, &record(value));
    (lines, mapper.take_drops().iter().collect())
}

/// Checks the line and the number of duplicates of a record, each of three times; before, the mapper maps `others` often, so that it
/// knows their shapes and keys.
fn check(rules: Rules, others: &[&[u8]], value: &[u8], line: &str, duplicates: u64) {
    let mut mapper = mapper(rules);
    for other in others.iter().cycle().take(8 * others.len()) {
        once(&mut mapper, other);
    }
    let drops: Vec<_> = [(DropReason::Duplicate, duplicates)].into_iter().filter(|(_, n)| *n > 0).collect();
    for _ in 0..3 {
        assert_eq!(
            once(&mut mapper, value),
            (format!("{line}\n"), drops.clone()),
            "{}",
            value.escape_ascii()
        );
    }
}

/// Records with the field that each becomes, and the number of its duplicates.
const RECORDS: [(&str, &str, u64); 14] = [
    (r#"{"a":{"b":1},"a_b":2}"#, "a_b=2", 1),
    (r#"{"a_b":2,"a":{"b":1}}"#, "a_b=1", 1),
    (r#"{"a":[1],"a_0":2}"#, "a_0=2", 1),
    (r#"{"a_0":2,"a":[1]}"#, "a_0=1", 1),
    (r#"{"a":[{"b":1}],"a_0":{"b":2},"a_0_b":3}"#, "a_0_b=3", 2),
    (r#"{"a":1,"a":2}"#, "a=2", 1),
    (r#"{"a":1,"\u0061":2,"a":3}"#, "a=3", 2),
    (r#"{"a":[1],"a":{"0":2}}"#, "a_0=2", 1),
    (r#"{"a":{"x":1,"x":2},"a":{"x":3}}"#, "a_x=3", 2),
    (r#"{"a_b":1,"a":{"b":2},"a_b":3}"#, "a_b=3", 2),
    // The first value is replaced, and again by the value of the repeated key.
    (r#"{"a_b":1,"a":{"b":2},"a":{"b":3}}"#, "a_b=3", 2),
    (r#"{"a_b":1,"a":{"b":2},"a":{"b":3},"a":{"b":4}}"#, "a_b=4", 3),
    // The first value is written in the end.
    (r#"{"a_b":1,"a":{"b":2},"a":{"b":null}}"#, "a_b=1", 1),
    (r#"{"a":{"b":1},"a_b":2,"a_b":null}"#, "a_b=1", 1),
];

#[test]
fn the_last_of_equal_keys_wins_and_the_others_count_once() {
    // Records of which each has some of the keys, whose shapes differ from those of the records with equal keys.
    let others = [
        r#"{"a":{"b":1}}"#,
        r#"{"a_b":1}"#,
        r#"{"a":[1]}"#,
        r#"{"a_0":1}"#,
        r#"{"a":1}"#,
        r#"{"a":{"x":1}}"#,
        r#"{"a":[{"b":1}]}"#,
        r#"{"a_0":{"b":1}}"#,
        r#"{"a_0_b":1}"#,
        r#"{"a":{"0":1}}"#,
    ];
    let others = others.map(str::as_bytes);
    for (value, field, duplicates) in RECORDS {
        let line = format!("t {field}");
        check(Rules::default(), &[], value.as_bytes(), &line, duplicates);
        check(Rules::default(), &others, value.as_bytes(), &line, duplicates);
        let lines = Rules { format: Format::JsonLines, ..Rules::default() };
        check(lines.clone(), &others, value.as_bytes(), &line, duplicates);
        check(
            lines,
            &[],
            format!("{value}{value}\n{value}").as_bytes(),
            &[line.as_str(); 3].join("\n"),
            3 * duplicates,
        );
        // The same as an item of a list, and as JSON in a string.
        check(Rules::default(), &others, format!("[{value}]").as_bytes(), &line, duplicates);
        let parsing = Rules { parse_json: Globs::compile(&["p"]).unwrap(), ..Rules::default() };
        let held = value.replace('\\', "\\\\").replace('"', "\\\"");
        check(parsing, &[], format!(r#"{{"p":"{held}"}}"#).as_bytes(), &format!("t p_{field}"), duplicates);
    }
}

#[test]
fn equal_keys_of_other_formats_and_of_json_in_strings_count_once() {
    let msgpack = || Rules { format: Format::Msgpack, ..Rules::default() };
    check(msgpack(), &[], b"\x82\xA1a\x81\xA1b\x01\xA3a_b\x02", "t a_b=2", 1);
    check(msgpack(), &[], b"\x82\xA1a\x91\x01\xA3a_0\x02", "t a_0=2", 1);
    check(msgpack(), &[], b"\x82\x00\x01\xA10\x02", "t 0=2", 1);
    check(msgpack(), &[], b"\x83\xA3a_b\x01\xA1a\x81\xA1b\x02\xA1a\x81\xA1b\x03", "t a_b=3", 2);
    let parsing = || Rules { parse_json: Globs::compile(&["p"]).unwrap(), ..Rules::default() };
    check(parsing(), &[], br#"{"p":"{\"a\":1}","p_a":2}"#, "t p_a=2", 1);
    check(parsing(), &[], br#"{"p_a":2,"p":"{\"a\":1}"}"#, "t p_a=1", 1);
    check(parsing(), &[], br#"{"p":"{\"a\":1}","p":"{\"a\":2}"}"#, "t p_a=2", 1);
    let csv = Rules { format: Format::Csv, ..Rules::default() };
    check(csv, &[], b"a,a\n1,2\n", "t a=2", 1);
}

#[test]
fn equal_keys_of_tags_count_once() {
    let rules = || Rules { tag_keys: Globs::compile(&["a_b"]).unwrap(), ..Rules::default() };
    check(rules(), &[], br#"{"a_b":"x","a":{"b":"y"},"v":1}"#, "t,a_b=y v=1", 1);
    check(rules(), &[], br#"{"a_b":"x","a":{"b":"y"},"a":{"b":"z"},"v":1}"#, "t,a_b=z v=1", 2);
    check(rules(), &[], br#"{"a_b":"x","a":{"b":"y"},"a":{"b":""},"v":1}"#, "t,a_b=x v=1", 1);
}

/// Maps an array and an object whose member's name is an index in turn.
fn check_in_turn(rules: Rules, array: &str, object: &str) {
    let mut mapper = mapper(rules);
    for _ in 0..4 {
        for (value, line) in [
            (r#"{"a":[1],"v":2}"#, array),
            (r#"{"a":{"0":1},"v":2}"#, object),
            (r#"{"v":2,"a":[1]}"#, array),
            (r#"{"v":2,"a":{"0":1}}"#, object),
        ] {
            let (got, drops) = once(&mut mapper, value.as_bytes());
            let mut fields: Vec<_> = got.trim_end().split([' ', ',']).collect();
            fields.sort_unstable();
            assert_eq!((fields.join(" ").as_str(), drops), (line, vec![]), "{value}");
        }
    }
}

/// RFC 9535, sections 2.3.1 and 2.3.3.
#[test]
fn an_index_selects_items_only_and_a_name_members_only() {
    let selector = |text: &str| KeySelector::parse(text).unwrap();
    let tag = |text: &str| Rules { tag_selectors: vec![selector(text)], ..Rules::default() };
    let field = |text: &str| Rules { fields: vec![("f".to_owned(), selector(text))], ..Rules::default() };
    let name = |text: &str| Rules {
        measurement: crate::Template::parse(&format!("{{{text}}}x")).unwrap(),
        fields: vec![("f".to_owned(), selector(text))],
        ..Rules::default()
    };
    check_in_turn(field("@.a[0]"), "a_0=1 f=1 t v=2", "a_0=1 t v=2");
    check_in_turn(field("@.a['0']"), "a_0=1 t v=2", "a_0=1 f=1 t v=2");
    check_in_turn(field("$.a[0]"), "a_0=1 f=1 t v=2", "a_0=1 t v=2");
    check_in_turn(field("$.a['0']"), "a_0=1 t v=2", "a_0=1 f=1 t v=2");
    // A flattened key does not tell them apart.
    check_in_turn(field("a_0"), "a_0=1 f=1 t v=2", "a_0=1 f=1 t v=2");
    // As a tag, the value is no field.
    for root in ["@", "$"] {
        check(tag(&format!("{root}.a[0]")), &[], br#"{"a":[1],"v":2}"#, "t,a_0=1 v=2", 0);
        check(tag(&format!("{root}.a['0']")), &[], br#"{"a":{"0":1},"v":2}"#, "t,a_0=1 v=2", 0);
    }
    check(tag("@.a[0]"), &[br#"{"a":[1],"v":2}"#], br#"{"a":{"0":1},"v":2}"#, "t a_0=1,v=2", 0);
    check(tag("@.a['0']"), &[br#"{"a":{"0":1},"v":2}"#], br#"{"a":[1],"v":2}"#, "t a_0=1,v=2", 0);
    let other = [(DropReason::Measurement, 1)];
    let mut named = mapper(name("@.a[0]"));
    for _ in 0..3 {
        assert_eq!(once(&mut named, br#"{"a":[1]}"#), ("1x a_0=1,f=1\n".to_owned(), vec![]));
        assert_eq!(once(&mut named, br#"{"a":{"0":1}}"#), ("t a_0=1\n".to_owned(), other.to_vec()));
    }
}
