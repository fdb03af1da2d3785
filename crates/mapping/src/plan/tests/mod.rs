//! Tests of what values become by `types` and `values`, for objects of unknown and of known shape.

mod tag_and_field;

use crate::test_support::{map, mapper, record};
use crate::{
    AddedTime, DropReason, FieldType, Format, Globs, KeySelector, KeyTable, Precision, Replacement,
    Replacements, Rules, Template, TimeFormat, TimeRange, TimeRule, TimeSource, zone_by_name,
};
use line_protocol::LineBuffer;

/// The line and the drops of a record, the same for each of three times: the later ones have a known shape.
fn mapped(rules: &Rules, value: &str) -> (String, Vec<(DropReason, u64)>) {
    let mut mapper = mapper(rules.clone());
    let (mut lines, mut drops) = (LineBuffer::default(), Vec::new());
    for _ in 0..3 {
        mapper.map(&record(value.as_bytes()), &mut lines);
        drops.push(mapper.take_drops().iter().collect::<Vec<_>>());
    }
    let texts: Vec<_> = (0..3).map(|line| lines.line(line).unwrap_or_default().to_vec()).collect();
    assert!(
        texts[0] == texts[1] && texts[0] == texts[2] && drops[0] == drops[1] && drops[0] == drops[2],
        "{texts:?} {drops:?}"
    );
    if !texts[0].is_empty() {
        assert_eq!(mapper.shapes().counts(), (1, 2), "{value} has no known shape");
    }
    (String::from_utf8(texts[0].clone()).unwrap(), drops.remove(0))
}

fn typed(types: &[(&str, FieldType)]) -> Rules {
    let types = types.iter().map(|(key, to)| ((*key).to_owned(), *to)).collect();
    Rules { types: KeyTable::compile(types).unwrap(), ..Rules::default() }
}

#[test]
fn converts_values_to_the_type_of_their_field() {
    let f = |to: FieldType, value: &str, want: Option<&str>| {
        let (line, drops) = mapped(&typed(&[("v", to)]), &format!(r#"{{"v":{value},"w":1}}"#));
        let field = want.map(|want| format!("v={want},")).unwrap_or_default();
        assert_eq!(line, format!("t {field}w=1"), "{to:?} {value}");
        assert_eq!(
            drops,
            if want.is_some() { vec![] } else { vec![(DropReason::Type, 1)] },
            "{to:?} {value}"
        );
    };
    for (value, int, uint, float) in [
        ("5", Some("5i"), Some("5u"), Some("5")),
        ("\" 5 \"", Some("5i"), Some("5u"), Some("5")),
        ("1.0", Some("1i"), Some("1u"), Some("1.0")),
        ("\"1.50e1\"", Some("15i"), Some("15u"), Some("1.50e1")),
        ("1e3", Some("1000i"), Some("1000u"), Some("1e3")),
        ("-7", Some("-7i"), None, Some("-7")),
        ("-0", Some("-0i"), Some("0u"), Some("-0")),
        ("true", Some("1i"), Some("1u"), Some("1")),
        ("false", Some("0i"), Some("0u"), Some("0")),
        ("1.5", None, None, Some("1.5")),
        ("\"x\"", None, None, None),
        ("\"\"", None, None, None),
        ("\"NaN\"", None, None, None),
        ("\"true\"", None, None, None),
        (
            "9223372036854775807",
            Some("9223372036854775807i"),
            Some("9223372036854775807u"),
            Some("9223372036854775807"),
        ),
        ("9223372036854775808", None, Some("9223372036854775808u"), Some("9223372036854775808")),
        ("18446744073709551616", None, None, Some("18446744073709551616")),
        ("1e99", None, None, Some("1e99")),
    ] {
        f(FieldType::Int, value, int);
        f(FieldType::Uint, value, uint);
        f(FieldType::Float, value, float);
    }
    for (value, bool, string) in [
        ("true", Some("true"), "\"true\""),
        ("\"false\"", Some("false"), "\"false\""),
        ("1", Some("true"), "\"1\""),
        ("0.0", Some("false"), "\"0.0\""),
        ("\"1\"", Some("true"), "\"1\""),
        ("2", None, "\"2\""),
        ("\"on\"", None, "\"on\""),
        ("1.50", None, "\"1.50\""),
        (r#""a\"b\n""#, None, "\"a\\\"b\n\""),
    ] {
        f(FieldType::Bool, value, bool);
        f(FieldType::String, value, Some(string));
    }
}

#[test]
fn types_are_stronger_than_the_short_forms_and_leave_tags_alone() {
    let all = || Globs::compile(&["*"]).unwrap();
    let rules = Rules {
        string_fields: all(),
        number_fields: all(),
        tag_keys: Globs::compile(&["tag"]).unwrap(),
        ..typed(&[("n*", FieldType::Float), ("nx", FieldType::String), ("tag", FieldType::Int)])
    };
    let (line, _) = mapped(&rules, r#"{"n1":"5","nx":5,"s":"5","tag":"x"}"#);
    assert_eq!(line, r#"t,tag=x n1=5,nx="5",s="5""#);
}

#[test]
fn values_replace_texts_and_booleans_before_anything_else() {
    let text = |text: &str| Replacement::Text(text.to_owned());
    let table = |entries: &[(&str, Replacement)]| {
        entries.iter().map(|(from, to)| ((*from).to_owned(), to.clone())).collect::<Vec<_>>()
    };
    let values = [
        (
            "state",
            table(&[
                ("ON", Replacement::Integer(1)),
                ("OFF", Replacement::Float(0.0)),
                ("unavailable", text("")),
            ]),
        ),
        ("door", table(&[("true", text("open")), ("false", Replacement::Boolean(true))])),
        ("t*", table(&[("a\"b", text("c d")), ("", text("none"))])),
        ("name", table(&[("x", text("renamed"))])),
    ];
    let values =
        Replacements::compile(values.map(|(key, entries)| (key.to_owned(), entries)).to_vec()).unwrap();
    let globs = |patterns: &[&str]| Globs::compile(patterns).unwrap();
    let rules = Rules {
        values,
        tag_keys: globs(&["t*"]),
        string_fields: globs(&["door"]),
        name_key: Some(crate::KeySelector::Flattened("name".to_owned())),
        ..typed(&[("state", FieldType::Int)])
    };
    let f = |record: &str, want: &str, dropped: &[(DropReason, u64)]| {
        let (line, drops) = mapped(&rules, record);
        assert_eq!((line.as_str(), drops.as_slice()), (want, dropped), "{record}");
    };
    f(r#"{"state":"ON","door":true}"#, r#"t state=1i,door="open""#, &[]);
    f(r#"{"state":"OFF","door":false}"#, "t state=0i,door=true", &[]);
    f(r#"{"state":"unavailable","door":"true"}"#, r#"t door="open""#, &[]);
    f(r#"{"state":"other","door":"ajar"}"#, r#"t door="ajar""#, &[(DropReason::Type, 1)]);
    f(r#"{"t1":"a\"b","t2":"","t3":"x","name":"x","v":1}"#, r"renamed,t1=c\ d,t2=none,t3=x v=1", &[]);
    f(r#"{"v":1,"name":"y"}"#, "y v=1", &[]);
    f(r#"{"name":"x","name":"y","v":1,"w":2}"#.replace("\"name\":\"x\",", "").as_str(), "y v=1,w=2", &[]);
}

#[test]
fn a_repeated_key_takes_its_replaced_value_back() {
    let table = vec![("x".to_owned(), Replacement::Text("renamed".to_owned()))];
    let rules = Rules {
        values: Replacements::compile(vec![("name".to_owned(), table)]).unwrap(),
        name_key: Some(crate::KeySelector::Flattened("name".to_owned())),
        ..Rules::default()
    };
    let (lines, _) = map(&mut mapper(rules), &record(br#"{"name":"x","name":7,"v":1}"#));
    assert_eq!(lines, "t name=7,v=1\n");
}

#[test]
fn nan_and_infinity_are_left_out_and_counted() {
    let rules = Rules {
        tag_keys: Globs::compile(&["t"]).unwrap(),
        exclude: Globs::compile(&["x"]).unwrap(),
        ..typed(&[("s", FieldType::String)])
    };
    let (line, drops) = mapped(&rules, r#"{"a":NaN,"t":Infinity,"x":NaN,"s":-Infinity,"v":1}"#);
    assert_eq!((line.as_str(), drops), ("t v=1", vec![(DropReason::NotFinite, 3)]));
}

#[test]
fn values_of_one_line_follow_one_another_with_or_without_space() {
    let f = |value: &str, query: &str, want: &str| {
        let query = crate::decode::Query::parse(query).unwrap();
        let rules = Rules { format: Format::JsonLines, query, strict: false, ..Rules::default() };
        let (lines, mapped) = map(&mut mapper(rules), &record(value.as_bytes()));
        let rejected = if mapped.has_rejected() { "!" } else { "" };
        assert_eq!(lines.trim_end().replace('\n', "; ") + rejected, want, "{value:?}");
    };
    f(r#"{"a":1}{"a":2} {"a":3}"#, "$", "t a=1; t a=2; t a=3");
    f("{\"a\":1}{\"a\":2}\n[{\"a\":3},{\"a\":4}]{\"a\":5}\n\0", "$", "t a=1; t a=2; t a=3; t a=4; t a=5");
    f(r#"{"i":{"a":1}}{"i":{"a":2}}"#, "$.i", "t a=1; t a=2");
    f(r#"{"i":[{"a":1}]} {"i":[{"a":2}]}"#, "$.i[*]", "t a=1; t a=2");
    f("{\"a\":1}{\"a\":2}x{\"a\":3}\n{\"a\":4}", "$", "t a=1; t a=2; t a=4!");
    f("{\"a\":1},{\"a\":2}", "$", "t a=1!");
    f("\0", "$", "!");
}

#[test]
fn times_are_made_of_several_values() {
    let selector = |text: &str| KeySelector::parse(text).unwrap();
    let rule = |source: TimeSource, added: &[(&str, Precision)], format: &str| {
        let added =
            added.iter().map(|(key, unit)| AddedTime { option: "time_add", key: selector(key), unit: *unit });
        let time = TimeRule {
            source,
            added: added.collect(),
            format: TimeFormat::parse(format).unwrap(),
            zone: zone_by_name("UTC").unwrap(),
        };
        Rules { time: Some(time), ..Rules::default() }
    };
    let keys = |keys: &[&str]| TimeSource::Keys(keys.iter().map(|key| selector(key)).collect());
    let text = |text: &str| TimeSource::Text(Template::parse(text).unwrap());
    let f = |rules: &Rules, value: &str, want: &str| assert_eq!(mapped(rules, value).0, want, "{value}");
    let list = rule(keys(&["a", "$.b", "@.c"]), &[("n", Precision::Nanoseconds)], "unix");
    f(&list, r#"{"v":1,"a":5,"b":6,"n":7}"#, "t v=1 5000000007");
    f(&list, r#"{"v":1,"b":6,"c":7}"#, "t v=1 6000000000");
    f(&list, r#"{"v":1,"a":"","c":"7"}"#, "t v=1 7000000000");
    f(&list, r#"{"v":1,"a":null,"b":null,"c":8,"n":"-1"}"#, "t v=1 7999999999");
    f(&list, r#"{"v":1,"n":7}"#, "");
    f(&list, r#"{"v":1,"a":5,"n":"x"}"#, "");
    f(&list, r#"{"v":1,"a":9223372036,"n":999999999999}"#, "");
    let offsets = [("ms", Precision::Milliseconds), ("@.s", Precision::Seconds)];
    let sum = rule(keys(&["a"]), &offsets, "rfc3339");
    f(&sum, r#"{"v":1,"a":"1970-01-01T00:00:09Z","ms":250,"s":-2.5}"#, "t v=1 6750000000");
    f(&sum, r#"{"v":1,"a":"1970-01-01T00:00:09Z","s":"1"}"#, "t v=1 10000000000");
    f(&sum, r#"{"v":1,"a":"1970-01-01T00:00:09Z","ms":null}"#, "t v=1 9000000000");
    f(&sum, r#"{"v":1,"a":"1970-01-01T00:00:09Z","ms":""}"#, "");
    f(&sum, r#"{"v":1,"a":"1970-01-01T00:00:09Z","s":9223372036}"#, "");
    let mut bounded = rule(keys(&["a"]), &offsets, "unix");
    bounded.times = TimeRange { min: 0, max: 2_000_000_000 };
    f(&bounded, r#"{"v":1,"a":3,"s":-1}"#, "t v=1 2000000000");
    f(&bounded, r#"{"v":1,"a":2,"ms":1}"#, "");
    let parts = rule(text("{date}T{@.clock.h}:00Z"), &[], "rfc3339");
    f(&parts, r#"{"v":1,"date":"2024-01-02","clock":{"h":"03:04"}}"#, "t v=1 1704164640000000000");
    f(&parts, r#"{"v":1,"date":"2024-01-02"}"#, "");
    f(&parts, r#"{"v":1,"date":"","clock":{"h":"03:04"}}"#, "");
    assert!(!parts.wants_headers() && rule(text("{header:ts}"), &[], "unix").wants_headers());
}

#[test]
fn a_number_in_the_text_of_a_time_keeps_its_digits() {
    let f = |text: &str, format: &str, value: &str, want: &str| {
        let source = TimeSource::Text(Template::parse(text).unwrap());
        let (format, zone) = (TimeFormat::parse(format).unwrap(), zone_by_name("UTC").unwrap());
        let rules =
            Rules { time: Some(TimeRule { source, added: vec![], format, zone }), ..Rules::default() };
        assert_eq!(mapped(&rules, value).0, format!("t v=1 {want}"), "{value}");
    };
    f("{t}", "unix", r#"{"t":1700000000.123456789,"v":1}"#, "1700000000123456789");
    f("{$.t}", "unix", r#"{"t":1700000000.123456789,"v":1}"#, "1700000000123456789");
    f("{t}", "unix_ns", r#"{"t":1700000000123456789.0,"v":1}"#, "1700000000123456789");
    f("{t}", "unix_ns", r#"{"t":1.700000000123456789e18,"v":1}"#, "1700000000123456789");
    f("{y}-{d}", "%Y-%j", r#"{"y":2.024e3,"d":1.0,"v":1}"#, "1704067200000000000");
    f("{s}.{n}", "unix", r#"{"s":17e8,"n":"5","v":1}"#, "1700000000500000000");
}

#[test]
fn a_value_that_no_point_can_have_is_counted_where_it_is_used() {
    let f = |selector: &str, drops: &[(DropReason, u64)]| {
        let exclude = Globs::compile(&["x", "o_x"]).unwrap();
        let fields = vec![("f".to_owned(), KeySelector::parse(selector).unwrap())];
        let mut mapper = mapper(Rules { fields, exclude, ..Rules::default() });
        for _ in 0..3 {
            let (lines, _) = map(&mut mapper, &record(br#"{"x":NaN,"o":{"x":NaN},"v":1}"#));
            let dropped: Vec<_> = mapper.take_drops().iter().collect();
            assert_eq!((lines.as_str(), dropped.as_slice()), ("t v=1\n", drops), "{selector}");
        }
    };
    f("y", &[]);
    for selector in ["x", "$.x", "@.o.x"] {
        f(selector, &[(DropReason::NotFinite, 1)]);
    }
}

#[test]
fn what_can_not_be_written_of_a_key_is_counted() {
    let f = |value: &[u8], line: &str, drops: &[(DropReason, u64)]| {
        let tag_keys = Globs::compile(&["t*"]).unwrap();
        let name_key = Some(KeySelector::Flattened("n".to_owned()));
        let mut mapper = mapper(Rules { name_key, tag_keys, ..Rules::default() });
        for _ in 0..4 {
            let (lines, _) = map(&mut mapper, &record(value));
            let dropped: Vec<_> = mapper.take_drops().iter().collect();
            assert_eq!((lines.trim_end(), dropped.as_slice()), (line, drops), "{}", value.escape_ascii());
        }
    };
    f(br#"{"a\\":1}"#, "t a=1", &[(DropReason::Backslash, 1)]);
    f(br#"{"t\u0000x":2,"v":1}"#, "t,tx=2 v=1", &[(DropReason::Backslash, 1)]);
    f(br#"{"t\u0000x":null,"v":1}"#, "t v=1", &[]);
    f(b"{\"n\":\"\xFF\",\"v\":1}", "\u{FFFD} v=1", &[(DropReason::NotUtf8, 1)]);
    f(b"{\"\xFF\":1}", "t \u{FFFD}=1", &[(DropReason::NotUtf8, 1)]);
}
