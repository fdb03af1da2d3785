//! Tests of keys that are a tag and a field of one point: the tag stays, whichever way the record is read.

use crate::decode::Query;
use crate::test_support::{map, mapper, record};
use crate::{DropReason, Globs, KeySelector, Mapper, Rename, Rules, Template, TimeFormat, TimeRule};

const LOST: [(DropReason, u64); 1] = [(DropReason::TagAndField, 1)];

/// The lines and the drops of a record.
fn once(mapper: &mut Mapper, value: &str) -> (String, Vec<(DropReason, u64)>) {
    let (lines, _) = map(mapper, &record(value.as_bytes()));
    (lines, mapper.take_drops().iter().collect())
}

/// Checks the line and the drops of a record, the same for each of three times: the later ones may have a known shape.
fn check(rules: &Rules, value: &str, line: &str, drops: &[(DropReason, u64)]) {
    let mut mapper = mapper(rules.clone());
    for _ in 0..3 {
        let (got, dropped) = once(&mut mapper, value);
        assert_eq!((got.trim_end(), dropped.as_slice()), (line, drops), "{value}");
    }
}

fn tags(keys: &[&str]) -> Rules {
    Rules { tag_keys: Globs::compile(keys).unwrap(), ..Rules::default() }
}

fn selected(selector: &str) -> Rules {
    Rules { tag_selectors: vec![KeySelector::parse(selector).unwrap()], ..Rules::default() }
}

fn fixed(key: &str, value: &str) -> Vec<(String, Template)> {
    vec![(key.to_owned(), Template::parse(value).unwrap())]
}

#[test]
fn a_field_whose_key_is_a_tag_that_the_mapping_adds_is_dropped() {
    let rules = Rules { topic_tag: Some("topic".to_owned()), ..Rules::default() };
    check(&rules, r#"{"topic":5,"v":1}"#, "t,topic=t v=1", &LOST);
    check(&rules, r#"{"topic":null,"v":1}"#, "t,topic=t v=1", &[]);
    let rules = Rules { tags: fixed("region", "x"), ..Rules::default() };
    check(&rules, r#"{"region":5,"v":1}"#, "t,region=x v=1", &LOST);
    check(&rules, r#"{"region":"y","v":1}"#, "t,region=x v=1", &LOST);
    let rules = Rules { query: Query::parse("$.meters[*]").unwrap(), ..selected("^.id") };
    check(&rules, r#"{"id":"a","meters":[{"id":5,"v":1}]}"#, "t,id=a v=1", &LOST);
    // The value of the tag itself is not lost.
    let rules = Rules { tags: fixed("id", "{id}"), ..Rules::default() };
    check(&rules, r#"{"id":5,"v":1}"#, "t,id=5 v=1", &[]);
}

#[test]
fn a_field_that_the_mapping_adds_gives_way_to_a_tag() {
    let offset = Rules { offset_field: Some("off".to_owned()), ..tags(&["off"]) };
    check(&offset, r#"{"off":"a","v":1}"#, "t,off=a v=1", &LOST);
    check(&offset, r#"{"off":null,"v":1}"#, "t v=1,off=0i", &[]);
    let topic = Rules { topic_tag: Some("off".to_owned()), ..offset };
    check(&topic, r#"{"v":1}"#, "t,off=t v=1", &LOST);
    let b = || vec![("a".to_owned(), KeySelector::Flattened("b".to_owned()))];
    let rules = Rules { fields: b(), ..tags(&["a"]) };
    check(&rules, r#"{"a":"x","b":1}"#, "t,a=x b=1", &LOST);
    check(&rules, r#"{"a":"","b":1}"#, "t b=1,a=1", &[]);
    let rules = Rules { fields: b(), tags: fixed("a", "x"), ..Rules::default() };
    check(&rules, r#"{"b":1}"#, "t,a=x b=1", &LOST);
    check(&rules, r#"{"c":1}"#, "t,a=x c=1", &[]);
}

#[test]
fn a_field_gives_way_to_a_tag_of_the_same_element() {
    let mut rename = Rename::default();
    rename.add("x", "h").unwrap();
    let rules = Rules { rename, ..tags(&["h"]) };
    for value in [r#"{"h":1,"x":1,"v":2}"#, r#"{"x":1,"v":2,"h":1}"#] {
        check(&rules, value, "t,h=1 v=2", &LOST);
    }
    check(&rules, r#"{"h":null,"x":1,"v":2}"#, "t h=1,v=2", &[]);
    check(&rules, r#"{"h":1,"x":null,"v":2}"#, "t,h=1 v=2", &[]);
    check(&rules, r#"{"h":1,"x":3,"x":5,"v":2}"#, "t,h=1 v=2", &[(DropReason::Duplicate, 1), LOST[0]]);
    // Keys that are known one by one, and a tag that is seen first.
    for (first, second) in
        [(r#"{"x":1,"v":2}"#, r#"{"h":1,"v":2}"#), (r#"{"h":1,"v":2}"#, r#"{"x":1,"v":2}"#)]
    {
        let mut mapper = mapper(rules.clone());
        (0..4).for_each(|_| [first, second].into_iter().for_each(|value| drop(once(&mut mapper, value))));
        for value in [r#"{"v":2,"h":1,"x":1}"#, r#"{"x":1,"h":1,"v":2}"#] {
            (0..3).for_each(|_| {
                assert_eq!(once(&mut mapper, value), ("t,h=1 v=2\n".to_owned(), LOST.to_vec()), "{value}");
            });
        }
    }
}

#[test]
fn a_topic_whose_field_is_a_tag_keeps_its_known_shapes() {
    let mut mapper = mapper(Rules { tags: fixed("region", "x"), ..Rules::default() });
    (0..5).for_each(|_| drop(once(&mut mapper, r#"{"region":5,"v":1}"#)));
    assert_eq!(mapper.shapes().counts(), (1, 4));
}

#[test]
fn a_value_that_a_path_from_the_root_selects_is_that_of_the_element() {
    check(&selected("$.h"), r#"{"h":7,"v":1}"#, "t,h=7 v=1", &[]);
    check(&selected("$.a.b"), r#"{"a":{"b":"x"},"v":1}"#, "t,a_b=x v=1", &[]);
    check(&selected("$.a[0]"), r#"{"a":["x"],"v":1}"#, "t,a_0=x v=1", &[]);
    check(&selected("$.a['0']"), r#"{"a":{"0":"x"},"v":1}"#, "t,a_0=x v=1", &[]);
    let parse = |text: &str| KeySelector::parse(text).unwrap();
    let rules = Rules { name_key: Some(parse("$.n")), ..Rules::default() };
    check(&rules, r#"{"n":"m","v":1}"#, "m v=1", &[]);
    let rules = Rules { tags: fixed("n2", "{$.n}"), ..Rules::default() };
    check(&rules, r#"{"n":"m","v":1}"#, "t,n2=m v=1", &[]);
    let format = TimeFormat::parse("unix_ns").unwrap();
    let time = TimeRule::new(parse("$.t"), format, jiff::tz::TimeZone::UTC);
    let rules = Rules { time: Some(time), ..Rules::default() };
    check(&rules, r#"{"t":5,"v":1}"#, "t v=1 5", &[]);
}

#[test]
fn an_item_of_a_list_is_not_the_root() {
    let rules = selected("$.h");
    check(&rules, r#"[{"h":7,"v":1}]"#, "t v=1", &LOST);
    let mut mapper = mapper(rules);
    for _ in 0..4 {
        assert_eq!(once(&mut mapper, r#"{"h":7,"v":1}"#), ("t,h=7 v=1\n".to_owned(), vec![]));
        assert_eq!(once(&mut mapper, r#"[{"h":7,"v":1}]"#), ("t v=1\n".to_owned(), LOST.to_vec()));
    }
}
