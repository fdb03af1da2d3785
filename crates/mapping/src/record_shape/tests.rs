use crate::decode::DEPTH_MAX;
use crate::test_support::{self, LIMITS, record};
use crate::{Globs, KeySelector, Mapper, Replacement, Replacements, Rules, Template};
use std::sync::Arc;

fn mapper(rules: Rules) -> Mapper {
    Mapper::new(Arc::new(rules), "topic", LIMITS)
}

/// The lines of a record, and the number of objects that have matched a shape so far.
fn map(mapper: &mut Mapper, value: &str) -> (String, u32) {
    let (lines, _) = test_support::map(mapper, &record(value.as_bytes()));
    (lines, mapper.shapes().counts().1)
}

#[test]
fn matches_from_the_second_record_of_a_shape() {
    let tags = vec![("t".to_owned(), Template::literal("static")), ("u".to_owned(), Template::literal("v"))];
    let rules = Rules {
        name_key: Some(KeySelector::Flattened("n".to_owned())),
        tag_keys: Globs::compile(&["t"]).unwrap(),
        string_fields: Globs::compile(&["s"]).unwrap(),
        topic_tag: Some("k".to_owned()),
        tags,
        ..Rules::default()
    };
    let mut mapper = mapper(rules);
    let mut f = |value: &str, line: &str, hits: u32| {
        assert_eq!(map(&mut mapper, value), (line.to_owned(), hits), "{value}");
    };
    f(r#"{"n":"a","t":"x","v":[1,-2.5e3],"s":"y"}"#, "a,k=topic,t=x,u=v v_0=1,v_1=-2.5e3,s=\"y\"\n", 0);
    f(r#"{"n":"b c","t":"x","v":[10,20],"s":"y"}"#, "b\\ c,k=topic,t=x,u=v v_0=10,v_1=20,s=\"y\"\n", 1);
    f(r#"{"n":"","t":null,"v":[1e400,20],"s":"y"}"#, "", 1);
    f(r#"{"n":"","t":null,"v":[null,20],"s":true}"#, "topic,k=topic,t=static,u=v v_1=20,s=true\n", 2);
    f("{\"n\":7,\"t\":\"\",\"v\":[0,20],\"s\":\"\n\"}", "", 2);
    f(r#"{"n":7,"t":"","v":[0,20],"s":"\""}"#, "topic,k=topic,t=static,u=v n=7,v_0=0,v_1=20,s=\"\\\"\"\n", 3);
    // Another shape, with one more value.
    f(r#"{"n":"a","t":"x","v":[1,2,3],"s":"y"}"#, "a,k=topic,t=x,u=v v_0=1,v_1=2,v_2=3,s=\"y\"\n", 3);
    // No value is a field.
    f(r#"{"n":"a","t":"x","v":[null,null],"s":null}"#, "", 3);
    f(r#"{"n":"a","t":"x","v":[01,2],"s":"y"}"#, "", 3);
    f(r#"{"n":"a","t":"x","v":[1,2],"s":"y"},"#, "", 4);
}

#[test]
fn white_space_may_differ() {
    let rules = Rules { string_fields: Globs::compile(&["s x"]).unwrap(), ..Rules::default() };
    let mut mapper = mapper(rules);
    let mut f = |value: &str, line: &str, hits: u32| {
        assert_eq!(map(&mut mapper, value), (line.to_owned(), hits), "{value}");
    };
    f(r#"{"a":1, "s x":"y","b":[{"c":2},{}]}"#, "topic a=1,s\\ x=\"y\",b_0_c=2\n", 0);
    f(
        "{ \"a\" : 3\n,\t\"s x\":  \" \" ,\"b\":[\r\n{\"c\":4} , { } ] }",
        "topic a=3,s\\ x=\" \",b_0_c=4\n",
        1,
    );
    // White space within a key is another key.
    f(r#"{"a":1, "s  x":"y","b":[{"c":2},{}]}"#, "topic a=1,b_0_c=2\n", 1);
    f(r#"{"a":1,"s x":"y","b":[{"c":5},{}]}"#, "topic a=1,s\\ x=\"y\",b_0_c=5\n", 2);
    f(r#"{"a":1,"s x":"y","b":[{"c":6},{}],}"#, "", 2);
    f(r#"{"a":1,"s x":"y","b":[{"c":7} {}]}"#, "", 2);
}

#[test]
fn white_space_that_repeats_is_learned() {
    let mut mapper = mapper(Rules::default());
    let shapes = [r#"{"a":1,"b":2}"#, r#"{"a": 1, "b": 2}"#];
    for round in 0..10 {
        for value in shapes {
            map(&mut mapper, value);
        }
        assert!(mapper.shapes().counts().0 <= 2, "{round}");
    }
    assert_eq!(mapper.shapes().counts().0, 2);
}

#[test]
fn finds_values_of_the_root() {
    let tag_selectors = ["$.t", "$.a.b", "$.none", "$.l"].map(|text| KeySelector::parse(text).unwrap());
    let x = ("t".to_owned(), vec![("x".to_owned(), Replacement::Integer(7))]);
    let values = Replacements::compile(vec![x]).unwrap();
    let mut mapper = mapper(Rules { tag_selectors: tag_selectors.to_vec(), values, ..Rules::default() });
    let mut f = |value: &str, line: &str, hits: u32| {
        assert_eq!(map(&mut mapper, value), (line.to_owned(), hits), "{value}");
    };
    f(r#"{"t":"y","a":{"b":1},"l":[2]}"#, "topic,a_b=1,t=y l_0=2\n", 0);
    f(r#"{"t":"x","a":{"b":2.50},"l":[3]}"#, "topic,a_b=2.5,t=7 l_0=3\n", 1);
    f(r#"{"t":null,"a":{"b":2},"l":[3]}"#, "topic,a_b=2 l_0=3\n", 2);
    // The item of a list is not the root, and its values are not those of the tags.
    f(r#"[{"t":"y","a":{"b":2},"l":[3]}]"#, "topic l_0=3\n", 2);
    // The parser reads objects of other shapes.
    f(r#"{"t":{"u":1},"l":"z"}"#, "topic,l=z t_u=1\n", 2);
    f(r#"{"t":"x","t":"y","l":[3]}"#, "topic,t=y l_0=3\n", 2);
    f(r#"{"t":"y","a":{"b":2},"l":[3]},"#, "", 3);
}

#[test]
fn an_index_is_no_name_of_the_root() {
    for (path, list, object) in
        [("$.a[0]", "topic,a_0=1 v=2\n", "topic v=2\n"), ("$.a['0']", "topic v=2\n", "topic,a_0=1 v=2\n")]
    {
        let tag_selectors = vec![KeySelector::parse(path).unwrap()];
        let mut mapper = mapper(Rules { tag_selectors, ..Rules::default() });
        for _ in 0..3 {
            assert_eq!(map(&mut mapper, r#"{"a":[1],"v":2}"#).0, list, "{path}");
            assert_eq!(map(&mut mapper, r#"{"a":{"0":1},"v":2}"#).0, object, "{path}");
        }
    }
}

#[test]
fn leaves_values_with_one_final_key_to_the_parser() {
    let f = |record: &str, rules: Rules, line: &str, hits: u32| {
        let mut mapper = mapper(rules);
        (0..2).for_each(|_| drop(map(&mut mapper, record)));
        assert_eq!(map(&mut mapper, record), (line.to_owned(), hits), "{record}");
    };
    let own = |text: &str| text.to_owned();
    let rules = |topic_tag: &str, tag: &str, path: &str| Rules {
        tag_keys: Globs::compile(&["t"]).unwrap(),
        tag_selectors: vec![KeySelector::parse(&format!("$.{path}")).unwrap()],
        topic_tag: Some(own(topic_tag)),
        tags: vec![(own(tag), Template::literal("static"))],
        offset_field: Some(own("o")),
        ..Rules::default()
    };
    f(r#"{"a_b":1,"a":{"b":2}}"#, rules("k", "u", "r"), "topic,k=topic,u=static a_b=2,o=0i\n", 0);
    f(r#"{"v":1,"v":2}"#, rules("k", "u", "r"), "topic,k=topic,u=static v=2,o=0i\n", 0);
    f(r#"{"o":1}"#, rules("k", "u", "r"), "topic,k=topic,u=static o=1\n", 0);
    f(r#"{"t":"x","v":1}"#, rules("k", "u", "t"), "topic,k=topic,t=x,u=static v=1,o=0i\n", 0);
    // Tags from Kafka and static tags have a fixed precedence.
    f(r#"{"v":1}"#, rules("k", "k", "r"), "topic,k=topic v=1,o=0i\n", 2);
    f(r#"{"t":"x","v":1}"#, rules("t", "u", "r"), "topic,t=topic,u=static v=1,o=0i\n", 2);
    f(r#"{"r":"x","v":1}"#, rules("k", "r", "r"), "topic,k=topic,r=x v=1,o=0i\n", 2);
}

#[test]
fn learns_alternating_shapes_and_drops_unrepeated_ones() {
    let mut mapper = mapper(Rules::default());
    let mut all = |numbers: &mut dyn Iterator<Item = usize>| {
        for number in numbers {
            map(&mut mapper, &format!(r#"{{"k{number}":1}}"#));
        }
        mapper.shapes().counts()
    };
    let turns = |count| (0..count).map(|n| n % 12);
    // As many shapes as the topic of one agent has.
    let before = all(&mut turns(1_200));
    assert_eq!(all(&mut turns(1_200)), (12, before.1 + 1_200));
    // Shapes that never repeat are hardly learned, and replace no proven one.
    let before = all(&mut (100..2_000));
    assert!(before.0 <= 13);
    let after = all(&mut turns(1_200));
    assert!(after.1 - before.1 > 1_000, "{before:?} {after:?}");
}

#[test]
fn a_known_shape_is_as_deep_as_the_parser_allows() {
    let nested = |levels: usize| format!("{}1{}", r#"{"v":"#.repeat(levels), "}".repeat(levels));
    for levels in [DEPTH_MAX - 1, DEPTH_MAX] {
        let (object, mut mapper) = (nested(levels), mapper(Rules::default()));
        let item = format!("[{object}]");
        let fresh = map(&mut self::mapper(Rules::default()), &item).0;
        assert_eq!(fresh.is_empty(), levels == DEPTH_MAX);
        for _ in 0..3 {
            assert!(!map(&mut mapper, &object).0.is_empty());
            assert_eq!(map(&mut mapper, &item).0, fresh, "{levels}");
        }
    }
}
