//! Tests of text of which a part becomes U+FFFD: bytes that are not UTF-8, and halves of surrogate pairs. Each such value counts once,
//! wherever it comes from, however many points it goes into, and whichever way the record is read.

use crate::decode::{Filter, Query};
use crate::test_support::{self, map, mapper};
use crate::{
    DropReason, FirstDrop, Format, Globs, KeySelector, Replacement, Replacements, Reshape, Rules, Template,
};
use base::record::Record;

/// Maps a record three times, between records of the same shape whose text is UTF-8. Returns the counted values, which are the same each
/// time, and the keys that are reported.
fn counted(rules: &Rules, record: &Record<'_>) -> (Vec<(DropReason, u64)>, Vec<FirstDrop>) {
    let utf8: Vec<u8> =
        record.value.unwrap().iter().map(|byte| if byte.is_ascii() { *byte } else { b'x' }).collect();
    let utf8 = String::from_utf8(utf8).unwrap().replace(r"\ud800", "x");
    let (mut mapper, mut found) = (mapper(rules.clone()), Vec::new());
    for _ in 0..3 {
        for _ in 0..3 {
            map(&mut mapper, &Record { key: None, headers: &[], ..test_support::record(utf8.as_bytes()) });
            mapper.take_drops();
        }
        let (lines, _) = map(&mut mapper, record);
        found.push((lines, mapper.take_drops().iter().collect::<Vec<_>>()));
    }
    assert!(found[0] == found[1] && found[0] == found[2], "{found:?}");
    let reported: Vec<_> = mapper.take_first_drops();
    let is_lossy = |first: &FirstDrop| first.drop == DropReason::NotUtf8;
    (found.remove(0).1, reported.into_iter().filter(is_lossy).collect())
}

/// Checks that a record has so many values of which a part becomes U+FFFD, and that nothing else is counted.
fn check_record(rules: &Rules, record: &Record<'_>, count: u64, reported: &[&str]) {
    let name = record.value.unwrap().escape_ascii().to_string();
    let (drops, first) = counted(rules, record);
    let want: Vec<_> = [(DropReason::NotUtf8, count)].into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(drops, want, "{name}");
    let first: Vec<_> = first.iter().map(|first| first.key.as_str()).collect();
    assert_eq!(first, reported, "{name}");
}

/// Checks a record whose text has "?" instead of a byte that is not UTF-8, and the same with half of a surrogate pair.
fn check(rules: &Rules, value: &str, count: u64, reported: &[&str]) {
    let bytes: Vec<u8> = value.bytes().map(|byte| if byte == b'?' { 0xFF } else { byte }).collect();
    check_record(rules, &test_support::record(&bytes), count, reported);
    let escaped = value.replace('?', r"\ud800");
    check_record(rules, &test_support::record(escaped.as_bytes()), count, reported);
}

fn query(text: &str) -> Rules {
    Rules { query: Query::parse(text).unwrap(), ..Rules::default() }
}

fn selector(text: &str) -> KeySelector {
    KeySelector::parse(text).unwrap()
}

fn tag(selector_text: &str, rules: Rules) -> Rules {
    Rules { tag_selectors: vec![selector(selector_text)], ..rules }
}

fn template(text: &str, rules: Rules) -> Rules {
    Rules { tags: vec![("x".to_owned(), Template::parse(text).unwrap())], ..rules }
}

#[test]
fn text_inside_of_the_element_counts_once() {
    let strings = || Rules { string_fields: Globs::compile(&["s"]).unwrap(), ..Rules::default() };
    check(&strings(), r#"{"s":"a?b?","v":1}"#, 1, &["s"]);
    check(&strings(), r#"[{"s":"?","v":1},{"s":"?","v":2}]"#, 2, &["s"]);
    check(&template("{s}", strings()), r#"{"s":"?","v":1}"#, 1, &["s"]);
    let tags = Rules { tag_keys: Globs::compile(&["s"]).unwrap(), ..Rules::default() };
    check(&tags, r#"{"s":"?","v":1}"#, 1, &["s"]);
    let name = Rules { name_key: Some(selector("s")), ..Rules::default() };
    check(&name, r#"{"s":"?","v":1}"#, 1, &["s"]);
    let copied = Rules { fields: vec![("f".to_owned(), selector("s"))], ..Rules::default() };
    check(&copied, r#"{"s":"?","v":1}"#, 1, &["s"]);
    check(&Rules::default(), r#"{"?":1,"v":1}"#, 1, &["\u{FFFD}"]);
    check(&Rules::default(), r#"{"v":1,"o":{"?":{}}}"#, 1, &["o_\u{FFFD}"]);
    // A whole pair, and U+FFFD that the producer has written.
    check(&strings(), r#"{"s":"\ud83c\udf21\ufffd","v":1}"#, 0, &[]);
    let left_out = Rules { exclude: Globs::compile(&["s"]).unwrap(), ..Rules::default() };
    check(&left_out, r#"{"s":"?","v":1}"#, 0, &[]);
}

#[test]
fn text_from_outside_of_the_element_counts_once_a_record() {
    let elements = r#"{"s":"?","e":[{"v":1},{"v":2},{"v":3}]}"#;
    for text in ["$.e[*]", "$..e[*]", "$.e"] {
        for from in ["$.s", "^.s"] {
            check(&tag(from, query(text)), elements, 1, &[from]);
            check(&template(&format!("{{{from}}}"), query(text)), elements, 1, &[from]);
            let field = Rules { fields: vec![("f".to_owned(), selector(from))], ..query(text) };
            check(&field, elements, 1, &[from]);
            let name = Rules { name_key: Some(selector(from)), ..query(text) };
            check(&name, elements, 1, &[from]);
            let measurement = Template::parse(&format!("m{{{from}}}")).unwrap();
            check(&Rules { measurement, ..query(text) }, elements, 1, &[from]);
        }
        // Two selectors of one value.
        check(&tag("$.s", template("{^.s}", query(text))), elements, 1, &["$.s"]);
        check(&tag("$.other", query(text)), elements, 0, &[]);
    }
    // Each of two parents, and one that takes turns with another.
    let parents = r#"[{"s":"?","e":[{"v":1},{"v":2}]},{"s":"x?","e":[{"v":3}]}]"#;
    check(&tag("^.s", query("$[*].e[*]")), parents, 2, &["^.s"]);
    let turns = r#"{"s":"?","e":[{"v":1,"d":{"v":2}},{"v":3,"d":{"v":4}}]}"#;
    check(&tag("^^.s", query("$..v")), turns, 1, &["^^.s"]);
    let filter = Some(Filter::parse("@.v > 1").unwrap());
    let filtered = Rules { reshape: Reshape { filter, ..Reshape::default() }, ..query("$.e[*]") };
    check(&tag("$.s", filtered), elements, 1, &["$.s"]);
}

#[test]
fn names_on_the_way_to_the_element_count_once() {
    let members = r#"{"a":{"x":{"v":1}},"?":{"x":{"v":2},"y":{"v":3}}}"#;
    check(&template("{^@key}", query("$.*.*")), members, 1, &["^@key"]);
    check(&template("{^@member}", query("$.*.*")), members, 1, &["^@member"]);
    check(&template("{@key}", query("$.*")), r#"{"?":{"v":1},"b":{"v":2}}"#, 1, &["@key"]);
}

#[test]
fn a_value_of_the_root_that_is_the_element_counts_once() {
    check(&tag("$.s", Rules::default()), r#"{"s":"?","v":1}"#, 1, &["$.s"]);
    check(&tag("$.s", Rules::default()), r#"[{"v":1},{"v":2}]"#, 0, &[]);
    check(&tag("$.l[0]", Rules::default()), r#"{"l":["?"],"v":1}"#, 1, &["$.l[0]"]);
    let strings = || Rules { string_fields: Globs::compile(&["*"]).unwrap(), ..Rules::default() };
    for (from, value) in [("$.s", r#"{"s":"?","v":1}"#), ("$.s[1]", r#"{"s":["a","?"],"v":1}"#)] {
        check(&template(&format!("{{{from}}}"), strings()), value, 1, &[from]);
        let field = Rules { fields: vec![("f".to_owned(), selector(from))], ..strings() };
        check(&field, value, 1, &[from]);
    }
    let lines = Rules { format: Format::JsonLines, ..tag("$.s", Rules::default()) };
    check(&lines, "{\"s\":\"?\",\"v\":1}\n{\"s\":\"y\",\"v\":2}{\"s\":\"?\",\"v\":3}", 2, &["$.s"]);
}

#[test]
fn a_text_that_is_replaced_by_values_does_not_count() {
    let table = vec![("\u{FFFD}".to_owned(), Replacement::Integer(7))];
    let values = Replacements::compile(vec![("s".to_owned(), table)]).unwrap();
    let tags = Rules { tag_keys: Globs::compile(&["s"]).unwrap(), values, ..Rules::default() };
    check(&tags, r#"{"s":"?","v":1}"#, 0, &[]);
    check(&tags, r#"{"s":"??","v":1}"#, 1, &["s"]);
    let outside = Rules { tag_keys: Globs::default(), query: Query::parse("$.e[*]").unwrap(), ..tags };
    check(&tag("$.s", outside.clone()), r#"{"s":"?","e":[{"v":1}]}"#, 0, &[]);
    check(&tag("$.s", outside), r#"{"s":"??","e":[{"v":1}]}"#, 1, &["$.s"]);
}

#[test]
fn the_key_and_headers_of_a_record_count_once_a_record() {
    const HEADERS: &[(&str, &[u8])] =
        &[("site", b"\xFF"), ("unit", b"\xFE"), ("unused", b"\xFF"), ("fine", b"x")];
    let f = |rules: &Rules, value: &str, key: &[u8], count: u64, reported: &[&str]| {
        let record = Record { key: Some(key), headers: HEADERS, ..test_support::record(value.as_bytes()) };
        check_record(rules, &record, count, reported);
    };
    let keyed = || Rules { key_tag: Some("k".to_owned()), ..Rules::default() };
    let elements = r#"[{"v":1},{"v":2}]"#;
    f(&keyed(), elements, b"a\xFFb", 1, &["{key}"]);
    f(&keyed(), elements, "온도".as_bytes(), 0, &[]);
    f(&template("{key}", keyed()), elements, b"\xFF", 1, &["{key}"]);
    f(
        &Rules { measurement: Template::parse("m{key}").unwrap(), ..Rules::default() },
        elements,
        b"\xFF",
        1,
        &["{key}"],
    );
    f(&Rules::default(), elements, b"\xFF", 0, &[]);
    let header = |name: &str| Rules { header_tags: vec![name.to_owned()], ..Rules::default() };
    f(&header("site"), elements, b"", 1, &["{header:site}"]);
    f(&header("fine"), elements, b"", 0, &[]);
    f(&template("{header:unit}", header("site")), elements, b"", 2, &["{header:site}", "{header:unit}"]);
    let partition = Rules { partition_tag: Some("p".to_owned()), ..Rules::default() };
    f(&partition, elements, b"\xFF", 0, &[]);
    // A record without a line has no tags.
    f(&keyed(), "[]", b"\xFF", 0, &[]);
    let lines = Rules { format: Format::Influx, measurement: Template::literal(""), ..keyed() };
    f(&lines, "m v=1\nm v=2", b"\xFF", 1, &["{key}"]);
    // A value of a key that is JSON.
    let code = |rules: Rules| tag("key:$.code", rules);
    f(&code(Rules::default()), elements, b"{\"code\":\"\xFF\"}", 1, &["key:$.code"]);
    f(&code(query("$[*]")), elements, br#"{"code":"\ud800"}"#, 1, &["key:$.code"]);
    f(&code(Rules::default()), r#"{"v":1}"#, b"{\"code\":\"\xFF\"}", 1, &["key:$.code"]);
    f(&code(query("$[*]")), elements, b"{\"other\":\"\xFF\"}", 0, &[]);
    // Beside a value of the root, which shapes find without a search.
    let both = Rules { tag_selectors: vec![selector("$.s"), selector("key:$.code")], ..Rules::default() };
    f(&both, r#"{"s":"x","v":1}"#, b"{\"code\":\"\xFF\"}", 1, &["key:$.code"]);
}

#[test]
fn a_string_under_parse_json_counts_once() {
    let globs = |keys: &[&str]| Globs::compile(keys).unwrap();
    let parsing = |fields: &[&str]| Rules {
        parse_json: globs(&["p"]),
        string_fields: globs(fields),
        ..Rules::default()
    };
    check(&parsing(&["p_s"]), r#"{"p":"{\"s\":\"?\"}","v":1}"#, 1, &["p"]);
    // The half of a pair stands in the JSON that the string holds.
    let inner = br#"{"p":"{\"s\":\"\\ud800\"}","v":1}"#;
    check_record(&parsing(&["p_s"]), &test_support::record(inner), 1, &["p_s"]);
    // A string that is no JSON stays one.
    for (fields, count) in [(&["p"][..], 1), (&[][..], 0)] {
        let record = test_support::record(b"{\"p\":\"?\xFF\",\"v\":1}");
        let (drops, _) = counted(&parsing(fields), &record);
        let not_utf8 =
            drops.iter().find(|(drop, _)| *drop == DropReason::NotUtf8).map_or(0, |(_, count)| *count);
        assert_eq!(not_utf8, count, "{drops:?}");
    }
}
