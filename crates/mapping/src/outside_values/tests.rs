//! Selectors, placeholders and `fields` on whole records.

use super::OutsideValues;
use crate::decode::{Filter, Query, Scanner, Step};
use crate::test_support::{self, LIMITS};
use crate::{
    DropReason, FieldType, FirstDrop, Format, Globs, KeySelector, KeyTable, Mapper, Reason, Rename,
    Replacement, Replacements, Reshape, Rules, Template, TopicPatterns, seed,
};
use base::record::Record;
use jsonpath_rust::JsonPath;
use line_protocol::LineBuffer;
use regex::Regex;
use serde_json::Value;
use std::sync::Arc;

fn selector(text: &str) -> KeySelector {
    KeySelector::parse(text).unwrap()
}

fn rules(query: &str) -> Rules {
    Rules { query: Query::parse(query).unwrap(), measurement: Template::literal("m"), ..Rules::default() }
}

fn tags(tags: &[(&str, &str)]) -> Vec<(String, Template)> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), Template::parse(value).unwrap())).collect()
}

fn record<'r>(key: Option<&'r [u8]>, value: &'r str) -> Record<'r> {
    const HEADERS: &[(&str, &[u8])] = &[("unit", b"old"), ("unit", b"\xC2\xB0C")];
    Record { partition: 3, offset: 7, key, headers: HEADERS, ..test_support::record(value.as_bytes()) }
}

/// The lines of a record, which is mapped three times so that its shape is known, and the values that were dropped each time.
fn mapped(
    rules: &Rules,
    topic: &str,
    key: Option<&[u8]>,
    value: &str,
) -> (Vec<String>, Vec<FirstDrop>, Vec<(DropReason, u64)>) {
    let mut mapper = Mapper::new(Arc::new(rules.clone()), topic, LIMITS);
    let mut run = || {
        let (text, _) = test_support::map(&mut mapper, &record(key, value));
        let drops: Vec<_> = mapper.take_drops().iter().collect();
        (text.lines().map(str::to_owned).collect::<Vec<_>>(), mapper.take_first_drops(), drops)
    };
    let first = run();
    for _ in 0..2 {
        let again = run();
        assert_eq!((&again.0, &again.2), (&first.0, &first.2), "{value}");
        assert_eq!(again.1, [], "a drop is reported once");
    }
    first
}

fn lines(rules: &Rules, value: &str) -> Vec<String> {
    mapped(rules, "topic", None, value).0
}

#[test]
fn elements_have_the_tags_of_their_own_parents() {
    let record =
        r#"{"sites":[{"site":"a","meters":[{"v":1},{"v":2}]},{"meters":[{"v":3}],"site":"b"}],"region":"r"}"#;
    let want = |lines: &[String]| {
        assert_eq!(
            lines,
            [
                "m,i=0,j=0,region=r,site=a v=1",
                "m,i=1,j=0,region=r,site=a v=2",
                "m,i=0,j=1,region=r,site=b v=3"
            ]
        );
    };
    let with = |query: &str| Rules {
        tag_selectors: vec![selector("^.site"), selector("^^.region"), selector("^^^.site")],
        tags: tags(&[("i", "{@key}"), ("j", "{^@key}"), ("never", "{^^@key}")]),
        ..rules(query)
    };
    for query in [
        "$.sites[*].meters[*]",
        "$..meters[*]",
        "$..meters",
        "$.sites[*].meters[?@.v > 0]",
        "$.sites[0,1].meters",
    ] {
        want(&lines(&with(query), record));
    }
}

#[test]
fn members_of_a_map_have_their_names() {
    let record = r#"{"serial":"s","meters":{"L1":{"v":1},"L\u0032":{"v":2}}}"#;
    let rules = Rules {
        tags: tags(&[
            ("phase", "{@key}"),
            ("list", "{^@key}"),
            ("device", "{^^.serial}"),
            ("none", "{^.serial}"),
        ]),
        ..rules("$.meters.*")
    };
    assert_eq!(
        lines(&rules, record),
        ["m,device=s,list=meters,phase=L1 v=1", "m,device=s,list=meters,phase=L2 v=2"]
    );
}

#[test]
fn items_of_an_array_have_its_name() {
    let record = r#"{"Device A":[{"ts":1,"values":{"v":1}}],"Device\u0020B":[{"ts":2,"values":{"v":2}},{"ts":3,"values":{"v":3}}]}"#;
    let with = |query: &str, device: &str| Rules {
        tags: tags(&[("device", device), ("i", "{@key}")]),
        ..rules(query)
    };
    let want = [
        r"m,device=Device\ A,i=0 ts=1,values_v=1",
        r"m,device=Device\ B,i=0 ts=2,values_v=2",
        r"m,device=Device\ B,i=1 ts=3,values_v=3",
    ];
    for query in ["$.*[*]", "$.*", "$[?@[0]][*]"] {
        assert_eq!(lines(&with(query, "{@member}"), record), want, "{query}");
    }
    // From within an item.
    let within: Vec<String> =
        want.map(|line| line.replace("i=0", "i=values").replace("i=1", "i=values")).to_vec();
    let within = within.iter().map(|line| {
        let (tags, fields) = line.split_once(" ts=").unwrap();
        format!("{tags} v={}", &fields[..1])
    });
    assert_eq!(lines(&with("$.*[*].values", "{^@member}"), record), within.collect::<Vec<_>>());
    assert_eq!(lines(&with("$.*[0].values", "{@member}"), record)[0], "m,device=values,i=values v=1");
    // A query for one value, and arrays in one another.
    let record = r#"{"a":{"b":[[{"v":1}],[{"v":2}]]}}"#;
    assert_eq!(lines(&with("$.a.b[1]", "{@member}{^@member}"), record), ["m,device=ba,i=0 v=2"]);
    assert_eq!(
        lines(&with("$.a.b[*]", "{@member}{^@member}"), record),
        ["m,device=ba,i=0 v=1", "m,device=ba,i=0 v=2"]
    );
    // The record itself and the items of an array without a name have none.
    assert_eq!(lines(&with("$", "{@member}"), r#"[{"v":1}]"#), ["m,i=0 v=1"]);
    assert_eq!(lines(&with("$[*]", "{@member}"), r#"[{"v":1}]"#), ["m,i=0 v=1"]);
    // The key of the element that has this name.
    assert_eq!(lines(&with("$", "{@['@member']}"), r#"{"@member":"x","v":1}"#), ["m,device=x v=1"]);
}

#[test]
fn a_singular_query_has_ancestors_too() {
    let with = |query: &str| Rules {
        tag_selectors: vec![selector("^.name"), selector("^^.region")],
        tags: tags(&[("i", "{@key}"), ("up", "{^@key}")]),
        ..rules(query)
    };
    let record = r#"{"site":{"meters":[{"v":1},{"v":2}],"last":{"v":3},"name":"a"},"region":"r"}"#;
    assert_eq!(
        lines(&with("$.site.meters"), record),
        ["m,i=0,name=a,region=r,up=site v=1", "m,i=1,name=a,region=r,up=site v=2"]
    );
    assert_eq!(lines(&with("$.site.last"), record), ["m,i=last,name=a,region=r,up=site v=3"]);
    let in_array = r#"[{"name":"a","last":{"v":3}}]"#;
    assert_eq!(lines(&with("$[0].last"), in_array), ["m,i=last,name=a,up=0 v=3"]);
    // An array does not count as an enclosing object.
    let arrays = r#"{"groups":[[{"v":1},{"v":2}]],"name":"a"}"#;
    assert_eq!(lines(&with("$.groups[0]"), arrays), ["m,i=0,name=a v=1", "m,i=1,name=a v=2"]);
    assert_eq!(lines(&with("$.groups[*]"), arrays), ["m,i=0,name=a v=1", "m,i=1,name=a v=2"]);
}

#[test]
fn selected_scalars_are_fields_under_the_last_name_of_their_path() {
    let f = |query: &str, record: &str, want: &[&str]| {
        assert_eq!(lines(&rules(query), record), want, "{query} {record}");
    };
    f("$.a.b", r#"{"a":{"b":21.50}}"#, &["m b=21.50"]);
    f("$.a[0]", r#"{"a":[1,2]}"#, &["m a=1"]);
    f("$.a", r#"{"a":[1,{"v":2},null,[3],4]}"#, &[]);
    f("$.a", r#"{"a":[1,{"v":2},null,4]}"#, &["m a=1", "m v=2", "m a=4"]);
    f("$.a[*]", r#"{"a":[1,{"v":2},null,[3],4]}"#, &["m a=1", "m v=2", "m a=3", "m a=4"]);
    f(
        "$.meters[*].value",
        r#"{"meters":[{"value":1},{"value":null},{"value":2}]}"#,
        &["m value=1", "m value=2"],
    );
    f("$..b", r#"{"a":[{"b":1}],"b":2}"#, &["m b=2", "m b=1"]);
    f(r"$.*", r#"{"a \"\u0062":1 , "c=d" : 2}"#, &[r#"m a\ "b=1"#, r"m c\=d=2"]);
    f("$['a \"b']", r#"{"a \"\u0062":1}"#, &[r#"m a\ "b=1"#]);
    // A path without names.
    f("$[*]", "[1,2]", &["m value=1", "m value=2"]);
    f("$[0]", "[1,2]", &["m value=1"]);
    f("$.a", r#"{"a":null}"#, &[]);
    // Without a query, only objects become points.
    f("$", "5", &[]);
    let strict = Rules { strict: false, ..rules("$") };
    assert_eq!(lines(&strict, r#"[5,{"v":1}]"#), ["m v=1"]);
}

#[test]
fn selected_scalars_follow_the_rules_of_their_name() {
    let filter = |text: &str| Reshape { filter: Some(Filter::parse(text).unwrap()), ..Default::default() };
    let of = |query: &str| Rules {
        string_fields: Globs::compile(&["state"]).unwrap(),
        tag_selectors: vec![selector("^.id")],
        tags: tags(&[("i", "{@key}"), ("up", "{^@key}")]),
        ..rules(query)
    };
    let record = r#"{"id":"x","state":"on","v":[1,"text",NaN,3]}"#;
    assert_eq!(lines(&of("$.state"), record), [r#"m,i=state,id=x state="on""#]);
    assert_eq!(lines(&of("$['state','id']"), record), [r#"m,i=state,id=x state="on""#]);
    let (got, _, drops) = mapped(&of("$.v"), "topic", None, record);
    assert_eq!(got, ["m,i=0,id=x v=1", "m,i=3,id=x v=3"]);
    assert_eq!(drops, [(DropReason::String, 1), (DropReason::NotFinite, 1)]);
    for query in ["$.v", "$.v[*]"] {
        let above = Rules { reshape: filter("@ > 1 && $.state == 'on'"), ..of(query) };
        assert_eq!(lines(&above, record), ["m,i=3,id=x v=3"], "{query}");
    }
    let tagged = Rules { tag_keys: Globs::compile(&["v"]).unwrap(), ..of("$.v") };
    assert!(lines(&tagged, record).is_empty(), "a point without fields");
    let renamed =
        Rules { types: KeyTable::compile(vec![("v".to_owned(), FieldType::Int)]).unwrap(), ..of("$.v[0]") };
    assert_eq!(lines(&renamed, record), ["m,i=0,id=x v=1i"]);
}

#[test]
fn a_long_name_around_many_scalars_takes_little_time_and_memory() {
    let record = format!(r#"{{"{}":[{}""]}}"#, "k".repeat(500_000), r#""","#.repeat(150_000));
    for query in ["$.*", "$.*[*]", "$..*"] {
        let mut mapper = Mapper::new(Arc::new(rules(query)), "topic", LIMITS);
        let outcome = mapper.map(&self::record(None, &record), &mut LineBuffer::default());
        let reasons: Vec<_> = outcome.rejected_by_reason().collect();
        assert_eq!(reasons, [(Reason::TooLarge, 1)], "{query}");
    }
}

#[test]
fn the_name_of_a_parent_is_not_copied_for_each_element() {
    let record = format!(r#"{{"{}":[{}{{}}]}}"#, "k".repeat(500_000), "{},".repeat(150_000));
    let rules = Rules { tags: tags(&[("up", "{^@key}")]), ..rules("$.*[*]") };
    let paths = OutsideValues::new(&[selector("^@key")], &rules);
    let (mut outside, mut spans) = (paths, Vec::new());
    outside.begin_record(None);
    outside.find(&rules.query, &Scanner::new(record.as_bytes()), &mut spans).unwrap();
    assert_eq!(spans.len(), 150_001);
    assert!(outside.bytes() < 10_000_000, "{} bytes", outside.bytes());
}

#[test]
fn the_values_of_parents_take_no_memory_for_each_element() {
    let record = format!("[{}{{}}]", r#"{"t0":"a","e":[1,2]},"#.repeat(20_000));
    let query = Query::parse("$[*].e[*]").unwrap();
    let selectors: Vec<_> = (0..40).map(|number| selector(&format!("^.t{number}"))).collect();
    let (mut outside, mut spans) = (OutsideValues::new(&selectors, &rules("$[*].e[*]")), Vec::new());
    let scanner = Scanner::new(record.as_bytes());
    outside.begin_record(None);
    outside.find(&query, &scanner, &mut spans).unwrap();
    let before = outside.bytes();
    for span in &spans {
        outside.enter_selected(span, &scanner).unwrap();
        assert_eq!(outside.value_bytes(), 1);
    }
    assert_eq!((spans.len(), outside.bytes()), (40_000, before));
}

#[test]
fn parents_that_take_turns_have_their_own_values() {
    let of = |query: &str| Rules { tag_selectors: vec![selector("^.t"), selector("^^.t")], ..rules(query) };
    let record = r#"{"t":"r","a":{"t":"x","v":1,"d":{"v":2}},"b":{"t":"y","v":3,"d":{"t":"z","v":4}}}"#;
    // Both selectors have the same key, and the last one counts.
    assert_eq!(lines(&of("$..v"), record), ["m,t=r v=1", "m,t=x v=2", "m,t=r v=3", "m,t=y v=4"]);
    assert_eq!(lines(&of("$['b','a'].v"), record), ["m,t=r v=3", "m,t=r v=1"]);
    let names = Rules { tags: tags(&[("k", "{@key}"), ("up", "{^@key}")]), ..rules("$..v[*]") };
    let record = r#"{"a":{"v":[1,[2,3]]},"b":{"v":{"x":4}},"v":[5]}"#;
    assert_eq!(
        lines(&names, record),
        ["m,k=0 v=5", "m,k=0,up=a v=1", "m,k=0,up=a v=2", "m,k=1,up=a v=3", "m,k=x,up=v x=4"]
    );
}

#[test]
fn rearranged_elements_keep_their_ancestors() {
    let with = |query: &str, reshape: Reshape| Rules {
        tag_selectors: vec![selector("^.site"), selector("^^.region")],
        tags: tags(&[("i", "{@key}"), ("up", "{^@key}")]),
        fields: vec![("total".to_owned(), selector("^.total"))],
        reshape,
        ..rules(query)
    };
    let explode = Reshape { explode: vec!["v".to_owned()], ..Default::default() };
    let record = r#"{"region":"r","s":[{"site":"a","total":9,"m":[{"v":[1,2]},{"v":[3]}]},{"site":"b","m":[{"v":[4]}]}]}"#;
    assert_eq!(
        lines(&with("$.s[*].m[*]", explode.clone()), record),
        [
            "m,i=0,region=r,site=a,up=0 v=1,total=9",
            "m,i=0,region=r,site=a,up=0 v=2,total=9",
            "m,i=1,region=r,site=a,up=0 v=3,total=9",
            "m,i=0,region=r,site=b,up=1 v=4"
        ]
    );
    assert_eq!(
        lines(&with("$.s", explode), r#"{"site":"top","s":[{"v":[1,2]}]}"#),
        ["m,i=0,site=top v=1", "m,i=0,site=top v=2"]
    );
    let columns = Reshape { columns: vec!["a".to_owned(), "b".to_owned()], ..Default::default() };
    let rows = r#"{"region":"r","s":{"x":{"site":"a","total":9,"rows":[[1,2],[3]]}}}"#;
    let want = ["m,i=0,region=r,site=a,up=x a=1,b=2,total=9", "m,i=1,region=r,site=a,up=x a=3,total=9"];
    // The object around `site` encloses the row, and the object of `s` encloses that one.
    let near = |query: &str| Rules {
        tag_selectors: vec![selector("^.site"), selector("^^^.region")],
        ..with(query, columns.clone())
    };
    for query in ["$.s.x.rows[*]", "$.s.x.rows", "$.s.*.rows", "$..rows[*]"] {
        assert_eq!(lines(&near(query), rows), want, "{query}");
    }
    let parsed = Rules {
        parse_json: Globs::compile(&["s", "s_*_m"]).unwrap(),
        ..with("$.s[*].m[*]", Reshape::default())
    };
    let inner = r#"[{\"site\":\"a\",\"total\":9,\"m\":\"[{\\\"v\\\":1}]\"}]"#;
    let record = format!(r#"{{"region":"r","s":"{inner}"}}"#);
    assert_eq!(lines(&parsed, &record), ["m,i=0,region=r,site=a,up=0 v=1,total=9"]);
}

#[test]
fn without_a_query_only_items_of_an_array_have_a_key() {
    let rules =
        Rules { tags: tags(&[("i", "{@key}"), ("up", "{^.name}"), ("key", "{^@key}")]), ..rules("$") };
    assert_eq!(lines(&rules, r#"[{"v":1},{"v":2}]"#), ["m,i=0 v=1", "m,i=1 v=2"]);
    assert_eq!(lines(&rules, r#"{"v":1,"name":"a"}"#), ["m v=1"]);
    // Each line of a record is a document of its own.
    let rules = Rules { format: Format::JsonLines, ..rules };
    assert_eq!(lines(&rules, "[{\"v\":1},{\"v\":2}]\n{\"v\":3}\n"), ["m,i=0 v=1", "m,i=1 v=2", "m v=3"]);
    let rules = Rules { query: Query::parse("$.a").unwrap(), ..rules };
    let (array, object) = (r#"{"a":[{"v":1}],"name":"x"}"#, r#"{"a":{"v":3},"name":"y"}"#);
    assert_eq!(
        lines(&rules, &format!("{array}\n{object}\n{array}")),
        ["m,i=0,up=x v=1", "m,i=a,up=y v=3", "m,i=0,up=x v=1"]
    );
}

#[test]
fn values_come_from_the_key_of_the_kafka_record() {
    let rules = Rules {
        tag_selectors: vec![selector("key:$.code")],
        name_key: Some(selector("key:$.names[1]")),
        fields: vec![("n".to_owned(), selector("key:$.n"))],
        tags: tags(&[("key", "{key}"), ("p", "{partition}/{header:unit}")]),
        ..rules("$")
    };
    let f = |key: Option<&str>, want: &str| {
        let (lines, ..) = mapped(&rules, "topic", key.map(str::as_bytes), r#"{"v":1}"#);
        assert_eq!(lines, [want], "{key:?}");
    };
    f(
        Some(r#"{"code":"x\ty","n":1.50,"names":["a","b c"]}"#),
        r#"b\ c,code=x\ty,key={"code":"x\ty"\,"n":1.50\,"names":["a"\,"b\ c"]},p=3/°C v=1,n=1.50"#,
    );
    f(Some("no JSON"), r"m,key=no\ JSON,p=3/°C v=1");
    f(None, "m,p=3/°C v=1");
}

#[test]
fn selectors_of_the_element_are_exact() {
    let rules = Rules {
        tag_selectors: vec![selector("@.a.b")],
        name_key: Some(selector("@.topic")),
        tags: tags(&[("t", "{@.topic}"), ("u", "{x_y}"), ("w", "{@['x_y']}")]),
        ..rules("$")
    };
    let record = r#"{"a":{"b":"tag","c":1},"a_b":2,"topic":"name","x":{"y":true}}"#;
    // The field a_b has the key of the tag.
    assert_eq!(lines(&rules, record), ["name,a_b=tag,t=name,u=true a_c=1"]);
}

#[test]
fn the_own_tag_of_an_element_comes_before_that_of_a_parent() {
    let mut rename = Rename::default();
    rename.add("b", "t").unwrap();
    let rules = Rules {
        tag_keys: Globs::compile(&["t"]).unwrap(),
        tag_selectors: vec![selector("^.t"), selector("^.b")],
        rename,
        tags: tags(&[("t", "static")]),
        ..rules("$.i[*]")
    };
    let f = |record: &str, want: &[&str], dropped: u64| {
        let (lines, first, drops) = mapped(&rules, "topic", None, record);
        assert_eq!(lines, want, "{record}");
        assert_eq!(drops.iter().map(|(_, count)| count).sum::<u64>(), dropped, "{record}");
        let duplicate = FirstDrop { key: "t".to_owned(), drop: DropReason::Duplicate };
        assert_eq!(first, vec![duplicate; usize::from(dropped > 0)]);
    };
    f(r#"{"t":"up","i":[{"t":"own","v":1},{"v":2}]}"#, &["m,t=own v=1", "m,t=up v=2"], 1);
    f(r#"{"t":"up","b":"last","i":[{"v":2}]}"#, &["m,t=last v=2"], 1);
    f(r#"{"t":"","b":null,"i":[{"v":2},{"t":"","v":3}]}"#, &["m,t=static v=2", "m,t=static v=3"], 0);
}

#[test]
fn fields_come_from_anywhere_with_their_types() {
    let fields = [
        ("total", "^.total"),
        ("unit", "^.unit"),
        ("on", "$.on"),
        ("i", "@key"),
        ("copy", "v"),
        ("none", "^.none"),
    ];
    let fields = fields.map(|(name, from)| (name.to_owned(), selector(from))).to_vec();
    let f = |rules: &Rules, record: &str, want: &[&str], drops: &[(DropReason, u64)]| {
        let got = mapped(rules, "topic", None, record);
        assert_eq!(got.0, want, "{record}");
        assert_eq!(got.2, drops, "{record}");
    };
    let floats = Rules { fields, exclude: Globs::compile(&["total", "on"]).unwrap(), ..rules("$.i[*]") };
    let record = r#"{"on":true,"total":7,"unit":"a \"b\"","i":[{"v":1},{"v":2.50}]}"#;
    f(
        &floats,
        record,
        &[
            r#"m v=1,total=7,unit="a \"b\"",on=true,i=0,copy=1"#,
            r#"m v=2.50,total=7,unit="a \"b\"",on=true,i=1,copy=2.50"#,
        ],
        &[],
    );
    let integers = Rules { integers: crate::Integers::Int, ..floats.clone() };
    f(&integers, r#"{"total":7,"i":[{"v":1}]}"#, &["m v=1i,total=7i,i=0i,copy=1i"], &[]);
    f(
        &integers,
        r#"{"total":99999999999999999999,"i":[{"v":1}]}"#,
        &["m v=1i,i=0i,copy=1i"],
        &[(DropReason::IntegerRange, 1)],
    );
    // The element's own field is kept, and an element without one is a point.
    let own = Rules { exclude: Globs::default(), ..floats };
    f(&own, r#"{"total":7,"i":[{"total":1}]}"#, &["m total=1,i=0"], &[(DropReason::Duplicate, 1)]);
    f(&own, r#"{"total":7,"i":[{"s":"x"}]}"#, &["m total=7,i=0"], &[(DropReason::String, 1)]);
    let fields = [("state".to_owned(), selector("^.s")), ("n".to_owned(), selector("^.n"))].to_vec();
    let values = vec![("state".to_owned(), vec![("ON".to_owned(), Replacement::Integer(1))])];
    let converted = Rules {
        fields,
        values: Replacements::compile(values).unwrap(),
        types: KeyTable::compile(vec![("n".to_owned(), FieldType::Int)]).unwrap(),
        ..rules("$.i[*]")
    };
    f(&converted, r#"{"s":"ON","n":"7","i":[{"v":1}]}"#, &["m v=1,state=1,n=7i"], &[]);
    f(
        &converted,
        r#"{"s":"OFF","n":"x","i":[{"v":1}]}"#,
        &[r#"m v=1,state="OFF""#],
        &[(DropReason::Type, 1)],
    );
    f(&own, r#"{"total":{},"unit":null,"i":[{"v":1}]}"#, &["m v=1,i=0,copy=1"], &[]);
}

#[test]
fn a_tag_whose_placeholder_finds_nothing_is_left_out() {
    let rules = Rules { tags: tags(&[("t", "x{a}{b}"), ("braces", "{{{a}}}")]), ..rules("$") };
    let f = |record: &str, want: &str| assert_eq!(lines(&rules, record), [want], "{record}");
    f(r#"{"v":1,"a":"p q","b":1e3}"#, r"m,braces={p\ q},t=xp\ q1000 v=1,b=1e3");
    f(r#"{"v":1,"a":"","b":1}"#, "m v=1,b=1");
    f(r#"{"v":1,"a":null,"b":1}"#, "m v=1,b=1");
    f(r#"{"v":1,"a":["x"],"b":{"c":1}}"#, "m v=1,b_c=1");
    f(r#"{"v":1,"a":false,"b":"\\"}"#, "m,braces={false},t=xfalse v=1");
    // A string that a placeholder uses is not dropped.
    assert_eq!(mapped(&rules, "topic", None, r#"{"v":1,"a":"p"}"#).2, []);
    assert_eq!(mapped(&rules, "topic", None, r#"{"v":1,"c":"p"}"#).2, [(DropReason::String, 1)]);
}

#[test]
fn a_measurement_whose_placeholder_finds_nothing_is_the_topic() {
    let named =
        |measurement: &str| Rules { measurement: Template::parse(measurement).unwrap(), ..rules("$") };
    let f = |rules: &Rules, record: &str, want: &str, is_counted: bool| {
        let (lines, first, drops) = mapped(rules, "a b", None, record);
        assert_eq!(lines, [want], "{record}");
        let key = rules.measurement.text().to_owned();
        assert_eq!(
            first,
            vec![FirstDrop { key, drop: DropReason::Measurement }; usize::from(is_counted)],
            "{record}"
        );
        assert_eq!(drops, vec![(DropReason::Measurement, 1); usize::from(is_counted)]);
    };
    f(&named("{kind}_{topic}"), r#"{"kind":"cpu","v":1}"#, r"cpu_a\ b v=1", false);
    f(&named("{kind}_{topic}"), r#"{"v":1}"#, r"a\ b v=1", true);
    f(&named("{topic:kind}"), r#"{"v":1}"#, r"a\ b v=1", true);
    let keyed = Rules { name_key: Some(selector("n")), ..named("{kind}") };
    f(&keyed, r#"{"n":"name","v":1}"#, "name v=1", false);
    let unwritable = mapped(&named("{kind}"), "a b", None, r#"{"kind":"\\","v":1}"#);
    assert_eq!(unwritable.0, [r"a\ b v=1"]);
    assert_eq!(unwritable.2, [(DropReason::Backslash, 1), (DropReason::Measurement, 1)]);
    let comment = mapped(&named("{kind}"), "a b", None, r##"{"kind":"#x","v":1}"##);
    assert!(comment.0.is_empty(), "InfluxDB reads it as a comment");
}

#[test]
fn groups_come_from_the_first_pattern_that_matches_the_topic() {
    let patterns = [r"^site\.(?<site>[^.]+)\.(?<kind>.+)$", r"^(?<site>[^.]*)\.(?<rest>.*)$"];
    let topic_patterns = TopicPatterns(patterns.map(|pattern| Regex::new(pattern).unwrap()).to_vec());
    let rules = Rules {
        measurement: Template::parse("{topic:kind}").unwrap(),
        tags: tags(&[("site", "{topic:site}"), ("rest", "{topic:rest}")]),
        topic_patterns,
        ..Rules::default()
    };
    let f =
        |topic: &str, want: &str| assert_eq!(mapped(&rules, topic, None, r#"{"v":1}"#).0, [want], "{topic}");
    f("site.a.cpu.x", "cpu.x,site=a v=1");
    f("other.y", "other.y,rest=y,site=other v=1");
    f(".y", ".y,rest=y v=1");
    f("plain", "plain v=1");
}

/// A random value with nested objects and arrays: each object has a name `n`, a number `v`, and children under `c`.
fn random_object(random: &mut fastrand::Rng, depth: u32, next: &mut u32) -> String {
    *next += 1;
    let number = *next;
    let own = format!("\"n\":\"n{}\",\"v\":{number}", random.u8(0..4));
    if depth == 0 || random.u8(0..4) == 0 {
        return format!("{{{own}}}");
    }
    let count = random.usize(0..4);
    let children: Vec<String> = (0..count).map(|_| random_object(random, depth - 1, next)).collect();
    let children = match random.u8(0..3) {
        0 => format!("[{}]", children.join(",")),
        1 => format!("[[{}]]", children.join(",")),
        _ => {
            let members = children.iter().enumerate().map(|(index, child)| format!("\"k{index}\":{child}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
    };
    if random.bool() { format!("{{\"c\":{children},{own}}}") } else { format!("{{{own},\"c\":{children}}}") }
}

/// The steps of a normalized path.
fn steps(path: &str) -> Vec<Step> {
    let inner = path.strip_prefix('$').unwrap();
    let steps = inner.split('[').skip(1).map(|step| step.strip_suffix(']').unwrap());
    let step = |step: &str| match step.strip_prefix('\'') {
        Some(name) => Step::Key(name.strip_suffix('\'').unwrap().to_owned()),
        None => Step::Index(step.parse().unwrap()),
    };
    steps.map(step).collect()
}

fn at<'v>(root: &'v Value, steps: &[Step]) -> &'v Value {
    steps.iter().fold(root, |at, step| match step {
        Step::Key(name) => &at[name.as_str()],
        Step::Index(index) => &at[*index],
    })
}

fn shown(step: &Step) -> String {
    match step {
        Step::Key(name) => name.clone(),
        Step::Index(index) => index.to_string(),
    }
}

/// The last name on a path.
fn last_name(path: &[Step]) -> Option<String> {
    path.iter().rev().find(|step| matches!(step, Step::Key(_))).map(shown)
}

/// The line of the element at a path, by a plain walk over a tree.
fn expected(root: &Value, path: &[Step]) -> String {
    let objects: Vec<&[Step]> = (0..path.len())
        .rev()
        .map(|length| &path[..length])
        .filter(|steps| at(root, steps).is_object())
        .collect();
    let name = |place: usize| Some(at(root, objects.get(place)?)["n"].as_str()?.to_owned());
    let tags = [
        ("a", name(0)),
        ("b", name(1)),
        ("k", path.last().map(shown)),
        ("l", objects.first().and_then(|steps| steps.last()).map(shown)),
        ("m", last_name(path)),
        ("o", objects.first().and_then(|steps| last_name(steps))),
    ];
    let tags = tags.into_iter().filter_map(|(key, value)| Some(format!(",{key}={}", value?)));
    let value = at(root, path);
    format!("m{} v={}", tags.collect::<String>(), if value.is_number() { value } else { &value["v"] })
}

/// The normalized paths of jsonpath-rust are the second opinion.
#[test]
fn ancestors_are_those_of_the_normalized_path() {
    let seed = seed::given_or_random(
        "BRIDGE_SELECTORS_SEED",
        "cargo test -p kafka-influx-bridge-mapping ancestors_are_those_of_the_normalized_path",
    );
    let mut random = fastrand::Rng::with_seed(seed);
    let queries = [
        "$.c",
        "$.c[*]",
        "$.c.*",
        "$..c[*]",
        "$..c",
        "$..[?@.v > 3]",
        "$.c[*][*]",
        "$.c[-1]",
        "$.c.k0.c",
        "$.c[0]",
    ];
    let mut compared = 0;
    for _ in 0..500 {
        let record = random_object(&mut random, 4, &mut 0);
        let query = queries[random.usize(0..queries.len())];
        let rules = Rules {
            tags: tags(&[
                ("a", "{^.n}"),
                ("b", "{^^.n}"),
                ("k", "{@key}"),
                ("l", "{^@key}"),
                ("m", "{@member}"),
                ("o", "{^@member}"),
            ]),
            include: Globs::compile(&["v"]).unwrap(),
            strict: false,
            ..rules(query)
        };
        let root: Value = serde_json::from_str(&record).unwrap();
        let mut wanted = Vec::new();
        for found in root.query_with_path(query).unwrap() {
            let path = steps(&found.clone().path());
            match found.val() {
                Value::Object(_) => wanted.push(path),
                // A selected scalar is a field of this name.
                Value::Number(_) if path.last() == Some(&Step::Key("v".to_owned())) => wanted.push(path),
                Value::Array(items) => {
                    wanted.extend((0..items.len()).map(|index| [&*path, &[Step::Index(index)]].concat()));
                }
                _ => {}
            }
        }
        wanted.retain(|path| at(&root, path).is_number() || at(&root, path)["v"].is_number());
        // The second opinion sorts the members of objects, among which are these scalars.
        let is_ordered = !wanted.iter().any(|path| at(&root, path).is_number());
        let mut wanted: Vec<String> = wanted.iter().map(|path| expected(&root, path)).collect();
        let mut got = lines(&rules, &record);
        if !is_ordered {
            wanted.sort();
            got.sort();
        }
        compared += wanted.len();
        assert_eq!(got, wanted, "{query} of {record}");
    }
    assert!(compared > 300, "only {compared} elements were compared");
}

#[test]
fn texts_from_outside_of_the_element_are_replaced_like_its_own() {
    let to = |text: &str| crate::Replacement::Text(text.to_owned());
    let table = |key: &str, from: &str, by: &str| (key.to_owned(), vec![(from.to_owned(), to(by))]);
    let values = vec![
        ("state".to_owned(), vec![("ON".to_owned(), to("on")), ("N/A".to_owned(), to(""))]),
        table("member", "m", "meters"),
        table("key", "m", "x"),
    ];
    let values = crate::Replacements::compile(values).unwrap();
    let tag_selectors = vec![selector("^.state"), selector("@member")];
    let rules = Rules {
        tag_selectors,
        values,
        tags: tags(&[("s", "{$.state}"), ("r", "{key:$.state}")]),
        fields: vec![("f".to_owned(), selector("^.state"))],
        ..rules("$.m[*]")
    };
    for query in ["$.m[*]", "$.m"] {
        let rules = Rules { query: Query::parse(query).unwrap(), ..rules.clone() };
        let f = |state: &str, want: &[&str]| {
            let record = format!(r#"{{"state":"{state}","m":[{{"v":1}},{{"v":2}}]}}"#);
            let (lines, ..) = mapped(&rules, "topic", Some(br#"{"state":"ON"}"#), &record);
            assert_eq!(lines, want, "{query} {state}");
        };
        f("N/A", &["m,member=meters,r=on v=1", "m,member=meters,r=on v=2"]);
        f(
            "ON",
            &[
                r#"m,member=meters,r=on,s=on,state=on v=1,f="on""#,
                r#"m,member=meters,r=on,s=on,state=on v=2,f="on""#,
            ],
        );
        f(
            "OFF",
            &[
                r#"m,member=meters,r=on,s=OFF,state=OFF v=1,f="OFF""#,
                r#"m,member=meters,r=on,s=OFF,state=OFF v=2,f="OFF""#,
            ],
        );
    }
}
