use crate::decode::{Filter, Query};
use crate::test_support::{LIMITS, map, record};
use crate::{DropReason, Format, Globs, Mapper, Pivot, PivotList, RecordLimits, Reshape, Rules, Zip};
use std::sync::Arc;

/// Lines, rejections and drops of a record that is mapped three times, the same each time: the later ones have known shapes.
fn outcome(rules: &Rules, value: &[u8]) -> (String, Vec<(DropReason, u64)>) {
    let limits = RecordLimits { lines_bytes_max: 10_000, ..LIMITS };
    let mut mapper = Mapper::new(Arc::new(rules.clone()), "t", limits);
    let mut found = Vec::new();
    for _ in 0..3 {
        let (lines, result) = map(&mut mapper, &record(value));
        let mut texts: Vec<_> = lines.lines().map(str::to_owned).collect();
        texts.extend(std::iter::repeat_n("filtered".to_owned(), result.filtered));
        texts.extend(result.rejected.iter().map(|(_, rejection)| rejection.to_string()));
        found.push((texts.join("; "), mapper.take_drops().iter().collect()));
    }
    assert!(found[0] == found[1] && found[0] == found[2], "{found:?}");
    found.remove(0)
}

fn check(rules: &Rules, value: &str, want: &str, drops: &[(DropReason, u64)]) {
    let (got, dropped) = outcome(rules, value.as_bytes());
    assert_eq!((got.as_str(), dropped.as_slice()), (want, drops), "{value}");
}

fn rules(reshape: Reshape) -> Rules {
    Rules { reshape, strict: false, ..Rules::default() }
}

fn keys(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn pivot(list: &str, name: &str, value: &[&str]) -> Pivot {
    let list = if list == "@" { PivotList::Element } else { PivotList::Key(list.to_owned()) };
    Pivot { list, name: name.to_owned(), value: keys(value) }
}

#[test]
fn items_of_a_pivoted_list_become_fields_by_their_names() {
    let rules = rules(Reshape { pivot: vec![pivot("d_list", "n_x", &["v", "w_0"])], ..Reshape::default() });
    let f = |value: &str, want: &str, drops: &[(DropReason, u64)]| check(&rules, value, want, drops);
    f(r#"{"d":{"list":[{"n":{"x":"a"},"v":1},{"n":{"x":"b"},"v":null,"w":[2]}]}}"#, "t a=1,b=2", &[]);
    f(r#"{"x":1,"d":{"list":[{"n":{"x":"a b"},"v":{"c":3}}],"y":2}}"#, r"t x=1,d_y=2,a\ b_c=3", &[]);
    // A name that is no text, no value, no object, no name.
    f(
        r#"{"x":1,"d":{"list":[{"n":{"x":5},"v":1},{"n":{"x":"b"}},7,{"v":1},{"n":{"x":"c"},"v":null}]}}"#,
        "t x=1",
        &[(DropReason::Item, 5)],
    );
    // The last of equal names wins.
    f(
        r#"{"a":1,"d":{"list":[{"n":{"x":"a"},"v":2},{"n":{"x":"a"},"v":3}]}}"#,
        "t a=3",
        &[(DropReason::Duplicate, 2)],
    );
    f(r#"{"d_list":[{"n_x":"a","v":1}],"b":2}"#, "t b=2,a=1", &[]);
    // No list.
    f(r#"{"x":1,"d":{"list":{"y":2}}}"#, "t x=1,d_list_y=2", &[]);
    f(r#"{"x":1,"d":{"list":[]}}"#, "t x=1", &[]);
    f(r#"{"d":{"list":[]}}"#, "filtered", &[]);
    // The last value of a repeated key counts.
    f(
        r#"{"d":{"list":[{"n":{"x":"a"},"v":1}],"list":[{"n":{"x":"b"},"v":2}]}}"#,
        "t b=2",
        &[(DropReason::Duplicate, 1)],
    );
    f(
        r#"{"d":{"list":[{"n":{"x":"\u0061\"q"},"v":NaN},{"n":{"x":"b"},"v":1}]}}"#,
        "t b=1",
        &[(DropReason::NotFinite, 1)],
    );
}

#[test]
fn a_selected_list_is_one_element() {
    let reshape = Reshape { pivot: vec![pivot("@", "n", &["v"])], ..Reshape::default() };
    let rules = rules(reshape);
    check(&rules, r#"[{"n":"a","v":1},{"n":"b","v":2}]"#, "t a=1,b=2", &[]);
    check(&rules, "[]", "filtered", &[]);
    check(&rules, r#"{"x":1}"#, "t x=1", &[]);
    let rules = Rules { query: Query::parse("$.lists[*]").unwrap(), ..rules };
    check(&rules, r#"{"lists":[[{"n":"a","v":1}],[{"n":"a","v":2}]]}"#, "t a=1; t a=2", &[]);
}

#[test]
fn parallel_arrays_of_names_and_values_become_fields() {
    let zip = |names: &str, values: &str| Zip { names: names.to_owned(), values: values.to_owned() };
    let rules = rules(Reshape { zip: vec![zip("n", "v"), zip("m", "w")], ..Reshape::default() });
    check(&rules, r#"{"n":["a","b"],"v":[1,2],"x":3}"#, "t x=3,a=1,b=2", &[]);
    check(&rules, r#"{"n":["a"],"v":[1],"w":[5],"m":["c"]}"#, "t a=1,c=5", &[]);
    check(&rules, r#"{"n":["a","b",7,"d"],"v":[1,null,2]}"#, "t a=1", &[(DropReason::Item, 3)]);
    check(&rules, r#"{"v":[1,2],"x":3}"#, "t x=3", &[(DropReason::Item, 2)]);
    // One name with its value.
    check(&rules, r#"{"n":"a","v":5,"x":3}"#, "t x=3,a=5", &[]);
    check(&rules, r#"{"m":"c","v":[1],"w":2,"n":["a"]}"#, "t a=1,c=2", &[]);
    check(&rules, r#"{"v":5,"n":"b","n":"a","v":"x","v":6}"#, "t a=6", &[(DropReason::Duplicate, 3)]);
    check(&rules, r#"{"n":"a","v":"x"}"#, "filtered", &[(DropReason::String, 1)]);
    // The keys stay where one of them is missing or of another kind.
    check(&rules, r#"{"n":"a","v":null,"x":3}"#, "t x=3", &[(DropReason::String, 1)]);
    check(&rules, r#"{"n":7,"v":5}"#, "t n=7,v=5", &[]);
    check(&rules, r#"{"n":"a","x":3}"#, "t x=3", &[(DropReason::String, 1)]);
    check(&rules, r#"{"n":"a","v":{"y":5}}"#, "t v_y=5", &[(DropReason::String, 1)]);
    check(&rules, r#"{"n":["a"],"v":5}"#, "t v=5", &[(DropReason::Item, 1)]);
}

#[test]
fn a_row_that_holds_an_object_or_an_array_is_rejected() {
    let reshape = Reshape { columns: keys(&["at", "v", "q"]), ..Reshape::default() };
    let rules = rules(reshape);
    let nested = "its row has an object or an array as its value 3, and `columns` names single values: select the rows themselves with `query`, or let the producer send flat rows";
    for query in ["$.w[*]", "$.w"] {
        let rules = Rules { query: Query::parse(query).unwrap(), ..rules.clone() };
        check(&rules, r#"{"w":[[17,5,{"q":1}],[18,6]]}"#, &format!("t at=18,v=6; {nested}"), &[]);
        check(&rules, r#"{"w":[[18,6],[null,5,[1]]]}"#, &format!("t at=18,v=6; {nested}"), &[]);
        check(&rules, r#"{"w":[[18,6],[null,null,2]]}"#, "t at=18,v=6; t q=2", &[]);
    }
    // A list of rows and objects.
    let rules = Rules { query: Query::parse("$.w").unwrap(), ..rules };
    check(&rules, r#"{"w":[[18,6],{"x":1},null]}"#, "t at=18,v=6; t x=1; filtered", &[]);
}

#[test]
fn each_index_of_parallel_arrays_becomes_an_element() {
    let rules = rules(Reshape { explode: keys(&["d_a", "b"]), ..Reshape::default() });
    let f = |value: &str, want: &str, drops: &[(DropReason, u64)]| check(&rules, value, want, drops);
    f(r#"{"x":1,"d":{"a":[2,3],"y":4},"b":[5,6]}"#, "t x=1,d_a=2,d_y=4,b=5; t x=1,d_a=3,d_y=4,b=6", &[]);
    f(r#"{"x":1,"b":[5,{"c":6},[7,8]]}"#, "t x=1,b=5; t x=1,b_c=6; t x=1,b_0=7,b_1=8", &[]);
    // A value that is no array goes into each element.
    f(r#"{"d":{"a":[1,2]},"b":3}"#, "t d_a=1,b=3; t d_a=2,b=3", &[]);
    f(r#"{"x":1}"#, "t x=1", &[]);
    f(r#"{"x":1,"b":[]}"#, "filtered", &[]);
    f(r#"{"b":[1],"x":2,"b":[3,4]}"#, "t x=2,b=3; t x=2,b=4", &[(DropReason::Duplicate, 1)]);
    f(
        r#"[{"x":1,"b":[5,6],"d":{"a":[7]}},{"x":2}]"#,
        "t x=2; its arrays under `explode` have different lengths: \"b\" has 2 items, \"d_a\" has 1 item",
        &[],
    );
}

#[test]
fn a_value_that_explode_repeats_is_counted_once_whatever_the_number_of_items() {
    let explode = || Reshape { explode: keys(&["b", "d_a"]), ..Reshape::default() };
    let count = |value: &str, want: &str, drop: DropReason, count: u64, rules: &Rules| {
        check(rules, value, want, &[(drop, count)]);
    };
    let all = rules(explode());
    let f = |value: &str, want: &str, duplicates: u64| {
        count(value, want, DropReason::Duplicate, duplicates, &all);
    };
    f(r#"{"x":1,"x":2,"b":[1]}"#, "t x=2,b=1", 1);
    f(r#"{"x":1,"x":2,"b":[1,2,3]}"#, "t x=2,b=1; t x=2,b=2; t x=2,b=3", 1);
    f(r#"{"x":1,"b":[1,2,3],"x":2}"#, "t b=1,x=2; t b=2,x=2; t b=3,x=2", 1);
    f(r#"{"b":5,"b":[1,2]}"#, "t b=1; t b=2", 1);
    f(r#"{"x":{"y":1},"x_y":2,"b":[1,2]}"#, "t x_y=2,b=1; t x_y=2,b=2", 1);
    f(r#"{"d_a":7,"d":{"a":[1,2]}}"#, "t d_a=1; t d_a=2", 1);
    f(r#"{"b_c":5,"b":[null,{"c":1},{"c":2}]}"#, "t b_c=5; t b_c=1; t b_c=2", 1);
    // Each item has a value of its own that is lost.
    f(r#"{"b":[{"c":1},{"c":2}],"b_c":5}"#, "t b_c=5; t b_c=5", 2);
    f(r#"{"b":[{"c":1,"c":2},{"c":3,"c":4}]}"#, "t b_c=2; t b_c=4", 2);
    // Values of other elements.
    f(
        r#"[{"x":1,"x":2,"b":[1,2]},{"x":1,"x":2,"b":[1,2]}]"#,
        "t x=2,b=1; t x=2,b=2; t x=2,b=1; t x=2,b=2",
        2,
    );
    // Without an array under the key, the element stays as it is.
    f(r#"{"b":[1,2],"b":5,"x":1}"#, "t b=5,x=1", 2);
    let filter = Some(Filter::parse("@.b > 1").unwrap());
    let filtered = rules(Reshape { filter, ..explode() });
    count(
        r#"{"x":1,"x":2,"b":[1,2,3]}"#,
        "t x=2,b=2; t x=2,b=3; filtered",
        DropReason::Duplicate,
        1,
        &filtered,
    );
    let pivoted = rules(Reshape { pivot: vec![pivot("l", "n", &["v"])], ..explode() });
    let lists = r#"{"l":[{"n":"p","v":1}],"l":[{"n":"q","v":2}],"b":[1,2]}"#;
    count(lists, "t b=1,q=2; t b=2,q=2", DropReason::Duplicate, 1, &pivoted);
    let names = r#"{"l":[{"n":"p","v":1},{"n":"p","v":2}],"b":[1,2]}"#;
    count(names, "t b=1,p=2; t b=2,p=2", DropReason::Duplicate, 1, &pivoted);
    count(r#"{"l":[{"n":"p"}],"b":[1,2]}"#, "t b=1; t b=2", DropReason::Item, 1, &pivoted);
    let zip = vec![Zip { names: "n".to_owned(), values: "v".to_owned() }];
    let zipped = rules(Reshape { zip, ..explode() });
    count(r#"{"n":["p",7],"v":[1,2],"b":[3,4]}"#, "t b=3,p=1; t b=4,p=1", DropReason::Item, 1, &zipped);
    let strings = Rules { string_fields: Globs::compile(&["s"]).unwrap(), ..rules(explode()) };
    let text = r#"{"s":"\ud800","b":[1,2]}"#;
    count(text, "t s=\"\u{FFFD}\",b=1; t s=\"\u{FFFD}\",b=2", DropReason::NotUtf8, 1, &strings);
}

#[test]
fn lists_in_an_object_whose_key_is_repeated_are_replaced_with_it() {
    let exploding = rules(Reshape { explode: keys(&["d_b", "e_0_b"]), ..Reshape::default() });
    let f = |value: &str, want: &str, duplicates: u64| {
        let drops: Vec<_> =
            [(DropReason::Duplicate, duplicates)].into_iter().filter(|(_, count)| *count > 0).collect();
        check(&exploding, value, want, &drops);
    };
    f(r#"{"d":{"b":[1,2]},"d":{"x":3}}"#, "t d_x=3", 2);
    f(r#"{"d":{"b":[1,2]},"d":{"b":[3,4]}}"#, "t d_b=3; t d_b=4", 1);
    f(r#"{"d":{"b":[1,2]},"\u0064":5,"d":{"b":[3]}}"#, "t d_b=3", 2);
    f(r#"{"d":{"b":[1]},"d":{"b":[2]},"d":7}"#, "t d=7", 2);
    f(r#"{"e":[{"b":[1,2]}],"d":{"b":[3,4]},"e":[]}"#, "t d_b=3; t d_b=4", 1);
    // Another object in which the same flattened key stands.
    f(r#"{"d":{"b":[1,2]},"d_x":3,"c":{"d":{"x":4}}}"#, "t d_b=1,d_x=3,c_d_x=4; t d_b=2,d_x=3,c_d_x=4", 0);
    let pivoted = rules(Reshape { pivot: vec![pivot("d_l", "n_x", &["v"])], ..Reshape::default() });
    let value = r#"{"d":{"l":[{"n":{"x":"a"},"v":1}]},"d":{"y":2}}"#;
    check(&pivoted, value, "t d_y=2", &[(DropReason::Duplicate, 1)]);
    let value = r#"{"d":{"l":[{"n":{"x":"a"},"n":{"x":"b"},"v":1}]}}"#;
    check(&pivoted, value, "t b=1", &[]);
    let value = r#"{"d":{"l":[{"n":{"x":"a"},"n":7,"v":1}]},"y":2}"#;
    check(&pivoted, value, "t y=2", &[(DropReason::Item, 1)]);
}

#[test]
fn exploded_elements_are_bounded() {
    let rules = rules(Reshape { explode: keys(&["b"]), ..Reshape::default() });
    let value = format!(r#"{{"s":"{}","b":[{}1]}}"#, "x".repeat(5_000), "1,".repeat(50));
    let (got, _) = outcome(&rules, value.as_bytes());
    assert!(got.starts_with("its elements after `explode` are more than 10000 bytes"), "{got}");
    // A key within a list that is exploded whole.
    let nested = self::rules(Reshape { explode: keys(&["b", "b_0"]), ..Reshape::default() });
    check(&nested, r#"{"b":[[1,2],3]}"#, "t b_0=1,b_1=2; t b=3", &[]);
}

#[test]
fn rows_become_objects() {
    let rules = rules(Reshape { columns: keys(&["a", "b\"", "c"]), ..Reshape::default() });
    let f = |value: &str, want: &str| check(&rules, value, want, &[]);
    f("[1,2,3]", "t a=1,b\"=2,c=3");
    f("[[1,null,3],[4]]", "t a=1,c=3; t a=4");
    f("[[1,2,3,4],[5]]", "t a=5; its row has 4 values, and `columns` names 3: name each column");
    f(r#"[{"x":1},[2]]"#, "t x=1; t a=2");
    f("[]", "filtered");
    f(
        "[[[1]]]",
        "an array is no object, and only objects become points: select values inside of the record with `query`",
    );
    let rules = Rules { query: Query::parse("$.rows").unwrap(), ..rules };
    check(&rules, r#"{"rows":[[1,2],[3]]}"#, "t a=1,b\"=2; t a=3", &[]);
    check(&rules, r#"{"rows":[5,6]}"#, "t a=5,b\"=6", &[]);
}

#[test]
fn where_filters_elements_after_explode_and_before_pivot() {
    let reshape = Reshape {
        explode: keys(&["v"]),
        filter: Some(Filter::parse("@.v > $.min && !@.p").unwrap()),
        pivot: vec![pivot("l", "n", &["v"])],
        ..Reshape::default()
    };
    let rules = Rules { query: Query::parse("$.e[*]").unwrap(), ..rules(reshape) };
    let value = r#"{"min":2,"e":[{"v":[1,2,3],"l":[{"n":"p","v":9}]},{"v":[4]},{"v":[5],"p":0}]}"#;
    check(&rules, value, "t v=3,p=9; t v=4; filtered; filtered; filtered", &[]);
}

#[test]
fn strings_that_hold_json_are_read_in_place() {
    let globs = |patterns: &[&str]| Globs::compile(patterns).unwrap();
    let parsing = |patterns: &[&str]| Rules { parse_json: globs(patterns), ..rules(Reshape::default()) };
    let all = parsing(&["p*"]);
    check(
        &all,
        r#"{"p":"{\"a\":1,\"b\":[2,\"3\"]}","q":"{}"}"#,
        "t p_a=1,p_b_0=2,p_b_1=3",
        &[(DropReason::String, 1)],
    );
    check(
        &all,
        r#"{"x":1,"p":"{\"a\":","p2":""}"#,
        "t x=1",
        &[(DropReason::String, 2), (DropReason::NotJson, 2)],
    );
    check(&all, r#"{"x":1,"p":"\"y\""}"#, "t x=1", &[(DropReason::String, 1), (DropReason::NotJson, 1)]);
    check(&all, r#"{"a":["{}"],"x":1}"#, "t x=1", &[(DropReason::String, 1)]);
    let items = Rules { query: Query::parse("$.p[*]").unwrap(), ..parsing(&["p"]) };
    check(&items, r#"{"p":"[{\"v\":1},{\"v\":2}]"}"#, "t v=1; t v=2", &[]);
    // A line break in a string's JSON is no end of a line.
    let lines = Rules { format: Format::JsonLines, ..parsing(&["p"]) };
    let value = "{\"p\":\"{\\n\\\"v\\\":1}\"} {\"p\":\"2\"}\n{\"p\":\"{}\"\n{\"x\":3}";
    check(
        &lines,
        value,
        r#"t p_v=1; t p=2; t x=3; it is not JSON: the value is cut off at byte 30: found "\n", in `"v":1}}{"p":2}\n{"p":"{}"\n{"x":3}\n`"#,
        // The parser read the string of the line that is cut off.
        &[(DropReason::String, 1)],
    );
}

#[test]
fn strings_are_parsed_to_a_depth_of_four() {
    let rules = Rules { parse_json: Globs::compile(&["*"]).unwrap(), ..rules(Reshape::default()) };
    let nested = |levels: usize| {
        (0..levels).fold("5".to_owned(), |inner, _| {
            format!("\"{}\"", inner.replace('\\', r"\\").replace('"', "\\\""))
        })
    };
    check(&rules, &format!(r#"{{"p":{}}}"#, nested(4)), "t p=5", &[]);
    check(&rules, &format!(r#"{{"p":{},"x":1}}"#, nested(5)), "t x=1", &[(DropReason::String, 1)]);
}

#[test]
fn timestamps_of_the_format_keep_their_marks() {
    // {"p": "{}", "t": [timestamp 1 s, timestamp 2 s], "v": [1, 2]}
    let value =
        [&b"\x83\xA1p\xA2{}\xA1t\x92\xD6\xFF\x00\x00\x00\x01\xD6\xFF\x00\x00\x00\x02\xA1v\x92\x01\x02"[..]]
            .concat();
    let rules = Rules {
        format: Format::Msgpack,
        parse_json: Globs::compile(&["p"]).unwrap(),
        time: Some(crate::TimeRule::new(
            crate::KeySelector::Flattened("t".to_owned()),
            crate::TimeFormat::Timestamp,
            crate::zone_by_name("UTC").unwrap(),
        )),
        ..rules(Reshape { explode: keys(&["t", "v"]), ..Reshape::default() })
    };
    let (got, drops) = outcome(&rules, &value);
    assert_eq!((got.as_str(), drops), ("t v=1 1000000000; t v=2 2000000000", vec![]));
}

#[test]
fn a_condition_on_the_record_takes_the_values_of_one_line_apart() {
    let filter = Some(Filter::parse("@.v > 0 && $.ok == true").unwrap());
    let rules = Rules { format: Format::JsonLines, ..rules(Reshape { filter, ..Reshape::default() }) };
    check(
        &rules,
        r#"{"ok":true,"v":1}{"ok":true,"v":2} {"ok":false,"v":3}"#,
        "t v=1; t v=2; filtered",
        &[(DropReason::String, 2)],
    );
}

#[test]
fn elements_whose_arrays_are_empty_are_not_those_that_where_leaves_out() {
    let reshape = Reshape { explode: keys(&["a"]), ..Reshape::default() };
    let (_, became) = map(&mut crate::test_support::mapper(rules(reshape)), &record(br#"{"a":[],"v":1}"#));
    assert_eq!((became.filtered, became.left_out, became.without_items), (1, 0, 1));
}

#[test]
fn a_null_beside_other_selected_values_is_no_empty_selection() {
    let rules = Rules { query: Query::parse("$.w[*]").unwrap(), ..Rules::default() };
    let mut mapper = crate::test_support::mapper(rules);
    for (value, lines, filtered, selected_nothing) in [
        (r#"{"w":[1,null,2]}"#, 2, 1, false),
        (r#"{"w":[3,null]}"#, 1, 1, false),
        (r#"{"w":[null,null]}"#, 0, 2, true),
        (r#"{"w":[]}"#, 0, 1, true),
        (r#"{"w":[{"x":"text"}]}"#, 0, 1, false),
    ] {
        let (_, became) = map(&mut mapper, &record(value.as_bytes()));
        let got = (became.lines, became.filtered, became.selected_nothing);
        assert_eq!(got, (lines, filtered, selected_nothing), "{value}");
    }
}

#[test]
fn the_words_of_numbers_that_are_not_finite_stay_texts() {
    let all = || Globs::compile(&["s"]).unwrap();
    let rules = Rules { parse_json: all(), string_fields: all(), ..Rules::default() };
    for word in ["NaN", "Infinity", "-Infinity"] {
        let record = format!(r#"{{"s":"{word}","v":1}}"#);
        check(&rules, &record, &format!(r#"t s="{word}",v=1"#), &[(DropReason::NotJson, 1)]);
    }
}
