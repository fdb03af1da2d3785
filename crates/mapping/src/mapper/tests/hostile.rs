//! Records that are made to take much time: a value that every element needs, long texts around many elements, queries whose parts overlap.

use crate::Mapper;
use crate::decode::{Filter, Query};
use crate::test_support::record;
use crate::{
    Format, Globs, KeySelector, Pivot, PivotList, Reason, RecordLimits, Rename, Reshape, Rules, Template,
    TimeFormat, TimeRule, Zip, zone_by_name,
};
use base::record::{Record, RecordTime};
use line_protocol::LineBuffer;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest text of lines for each byte of a record, as in the default configuration.
const LINES_BYTES: usize = 14;

/// The result of mapping a record. Elements whose lines would be longer than a batch reject the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Becomes {
    /// Lines, or nothing: each element is settled by itself.
    Elements,
    Rejected(Reason),
}

struct Hostile {
    name: &'static str,
    rules: Rules,
    /// The value of about as many bytes.
    value: fn(usize) -> String,
    key: fn(usize) -> String,
    headers: fn(usize) -> usize,
    becomes: Becomes,
}

fn hostile(name: &'static str, rules: Rules, value: fn(usize) -> String) -> Hostile {
    Hostile { name, rules, value, key: |_| String::new(), headers: |_| 0, becomes: Becomes::Elements }
}

impl Hostile {
    fn rejected(self) -> Self {
        Self { becomes: Becomes::Rejected(Reason::TooLarge), ..self }
    }

    /// Maps a record with a value of about this length.
    fn map(&self, bytes: usize) -> (Becomes, Duration) {
        let (value, key) = ((self.value)(bytes), (self.key)(bytes));
        let headers = vec![("a", &b""[..]); (self.headers)(bytes)];
        let limits = RecordLimits { record_bytes_max: 2 * bytes, lines_bytes_max: LINES_BYTES * bytes };
        let mut mapper = Mapper::new(Arc::new(self.rules.clone()), "topic", limits);
        let record = Record {
            time: RecordTime::At(1_700_000_000_000_000_000),
            key: Some(key.as_bytes()),
            headers: &headers,
            ..record(value.as_bytes())
        };
        let started = Instant::now();
        let outcome = mapper.map(&record, &mut LineBuffer::default());
        let took = started.elapsed();
        match outcome.rejected.first() {
            Some((None, rejection)) => (Becomes::Rejected(rejection.reason()), took),
            _ => (Becomes::Elements, took),
        }
    }
}

/// `text` as often as it fits into so many bytes, with commas between.
fn times(text: &str, bytes: usize) -> String {
    let mut all = format!("{text},").repeat(bytes / (text.len() + 1));
    all.pop();
    all
}

/// Members or items that `part` makes of their number, in so many bytes.
fn numbered(part: impl Fn(usize) -> String, bytes: usize) -> String {
    let mut all = String::with_capacity(bytes);
    for number in 0.. {
        if all.len() >= bytes {
            break;
        }
        if number > 0 {
            all.push(',');
        }
        all.push_str(&part(number));
    }
    all
}

/// The same texts as [`numbered`], with numbers that come in no order.
fn shuffled(part: impl Fn(usize) -> String, bytes: usize) -> String {
    numbered(|number| part(number * 7_919 % 9_999_991), bytes)
}

fn nested(inside: &str, depth: usize, bytes: usize) -> String {
    let chain = format!("{}{inside}{}", r#"{"v":"#.repeat(depth), "}".repeat(depth));
    format!("[{}]", times(&chain, bytes))
}

fn query(text: &str) -> Rules {
    Rules { query: Query::parse(text).unwrap(), strict: false, ..Rules::default() }
}

fn filter(text: &str, rules: Rules) -> Rules {
    let filter = Some(Filter::parse(text).unwrap());
    Rules { reshape: Reshape { filter, ..rules.reshape }, ..rules }
}

fn tags(selectors: &[&str], rules: Rules) -> Rules {
    let tag_selectors = selectors.iter().map(|text| KeySelector::parse(text).unwrap()).collect();
    Rules { tag_selectors, ..rules }
}

fn keys(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn globs(patterns: &[&str]) -> Globs {
    Globs::compile(patterns).unwrap()
}

/// Many members of the root beside many elements.
fn wide_root(bytes: usize) -> String {
    let members = numbered(|number| format!(r#""k{number}":1"#), bytes / 2);
    format!(r#"{{{members},"z":1,"e":[{}]}}"#, times(r#"{"v":1}"#, bytes / 2))
}

/// A long text beside many elements.
fn long_text(bytes: usize) -> String {
    let text = "x".repeat(bytes / 2);
    format!(r#"{{"z":"{text}","e":[{}]}}"#, times(r#"{"v":1}"#, bytes / 2))
}

fn with_filters() -> Vec<Hostile> {
    let e = || query("$.e[*]");
    vec![
        hostile("a value of the root", filter("@.v == $.z", e()), wide_root),
        hostile("a value of the root in a query", query("$.e[?@.v == $.z]"), wide_root),
        hostile("all values of the root", filter("@.v && $.*", e()), wide_root),
        hostile("all values below the root", filter("@.v == 2 || $..none", e()), wide_root),
        hostile("the number of the elements", filter("count($.e[*]) > @.v", e()), wide_root),
        hostile("the length of a text", filter("length($.z) > @.v", e()), long_text),
        hostile("a long text that is compared", filter("@.v == $.z || $.z == $.z", e()), long_text),
        hostile("a pattern on a long text", filter("search($.z, 'y') || @.v == 2", e()), long_text),
        hostile("the record itself", filter("@ != $", e()), wide_root),
        hostile("filters within filters", query("$..[?@..[?@.v == 2]]"), |bytes| nested("1", 20, bytes)),
        hostile("descendants of descendants", query("$..*..*"), |bytes| nested("1", 62, bytes)).rejected(),
        hostile("descendants around a long text", query("$..*..*"), |bytes| {
            nested(&format!(r#""{}""#, "x".repeat(bytes / 2)), 62, bytes)
        })
        .rejected(),
        hostile("filters within filters of deep values", query("$..[?@..[?@..[?@.v == 2]]]"), |bytes| {
            nested("1", 62, bytes)
        })
        .rejected(),
    ]
}

fn with_ancestors() -> Vec<Hostile> {
    let forty: Vec<String> = (0..40).map(|number| format!("^.t{number}")).collect();
    let forty: Vec<&str> = forty.iter().map(String::as_str).collect();
    let fields = |from: &str, rules: Rules| Rules {
        fields: vec![("f".to_owned(), KeySelector::parse(from).unwrap())],
        ..rules
    };
    let timed = |key: &str, rules: Rules| {
        let format = TimeFormat::parse("rfc3339").unwrap();
        let time = TimeRule::new(KeySelector::parse(key).unwrap(), format, zone_by_name("UTC").unwrap());
        Rules { time: Some(time), ..rules }
    };
    let digits = |bytes: usize| {
        let number = "1".repeat(bytes / 2);
        format!(r#"{{"z":0.{number},"e":[{}]}}"#, times(r#"{"v":1}"#, bytes / 2))
    };
    vec![
        hostile("forty tags of parents", tags(&forty, query("$[*].e[*]")), |bytes| {
            format!("[{}]", times(r#"{"t0":"a","t39":"b","e":[{"v":1}]}"#, bytes))
        }),
        hostile("forty tags of scalars", tags(&forty, query("$..e[*]")), |bytes| {
            format!("[{}]", times(r#"{"e":[1]}"#, bytes))
        }),
        hostile("parents that take turns", tags(&["^^.z"], query("$..v")), |bytes| {
            let members = numbered(|number| format!(r#""k{number}":1"#), bytes / 2);
            format!(r#"{{{members},"z":"a","e":[{}]}}"#, times(r#"{"v":1,"d":{"v":2}}"#, bytes / 2))
        }),
        hostile("a long tag of the root", tags(&["$.z"], query("$.e[*]")), long_text).rejected(),
        hostile("a long tag of a parent", tags(&["^.z"], query("$.e[*]")), long_text).rejected(),
        hostile("a long tag of a singular parent", tags(&["^.z"], query("$.e")), long_text).rejected(),
        hostile("long parents that take turns", tags(&["^^.z"], query("$..v")), |bytes| {
            let text = "x".repeat(bytes / 2);
            format!(r#"{{"z":"{text}","e":[{}]}}"#, times(r#"{"v":1,"d":{"v":2}}"#, bytes / 2))
        })
        .rejected(),
        hostile("a long field that is dropped", fields("$.z", query("$.e[*]")), long_text).rejected(),
        hostile("a long number", fields("$.z", query("$.e[*]")), digits).rejected(),
        hostile("a long time", timed("$.z", query("$.e[*]")), long_text).rejected(),
        Hostile {
            key: |bytes| "k".repeat(bytes),
            ..hostile("a long key", Rules { key_tag: Some("k".to_owned()), ..query("$.e[*]") }, wide_root)
                .rejected()
        },
        Hostile {
            key: |bytes| "k".repeat(bytes),
            ..hostile(
                "a long key with bad lines",
                Rules { format: Format::Influx, key_tag: Some("k".to_owned()), ..query("$") },
                |bytes| "m v=1\n".repeat(bytes / 6),
            )
            .rejected()
        },
        Hostile {
            key: |bytes| format!(r#"{{"z":"{}"}}"#, "k".repeat(bytes)),
            ..hostile("a long value of the key", tags(&["key:$.z"], query("$.e[*]")), wide_root).rejected()
        },
        Hostile {
            headers: |bytes| bytes / 10,
            ..hostile("many headers", Rules { header_tags: keys(&["h"]), ..query("$.e[*]") }, wide_root)
                .rejected()
        },
    ]
}

fn with_shapes() -> Vec<Hostile> {
    let reshaped = |reshape: Reshape| Rules { reshape, strict: false, ..Rules::default() };
    let pivot = |list: PivotList| Pivot { list, name: "n".to_owned(), value: keys(&["v", "w"]) };
    let explode = || reshaped(Reshape { explode: keys(&["b", "c"]), ..Reshape::default() });
    let zip = Zip { names: "n".to_owned(), values: "v".to_owned() };
    let list =
        || reshaped(Reshape { pivot: vec![pivot(PivotList::Key("l".to_owned()))], ..Reshape::default() });
    let rows = || reshaped(Reshape { columns: keys(&["a", "b"]), ..Reshape::default() });
    vec![
        hostile("elements that all explode", explode(), |bytes| {
            let element = format!(r#"{{"s":"{}","b":[{}]}}"#, "x".repeat(5_000), times("\"\"", 5_000));
            format!("[{}]", times(&element, bytes))
        }),
        hostile("one long array that explodes", explode(), |bytes| {
            format!(r#"{{"b":[{}],"c":[{}]}}"#, times("1", bytes / 2), times("2", bytes / 2))
        }),
        hostile("exploded arrays that repeat", explode(), |bytes| {
            format!(r#"{{{},"b":[{}]}}"#, times(r#""b":[]"#, bytes / 2), times("1", bytes / 2))
        }),
        hostile("a list that repeats", list(), |bytes| {
            format!("{{{}}}", times(r#""l":[{"n":"a","v":1}]"#, bytes))
        }),
        hostile("many names", list(), |bytes| {
            let items = numbered(|number| format!(r#"{{"n":"k{number}","v":1}}"#), bytes);
            format!(r#"{{"l":[{items}]}}"#)
        }),
        hostile("items with keys that repeat", list(), |bytes| {
            format!(r#"{{"l":[{{"n":"a",{}}}]}}"#, times(r#""v":null"#, bytes))
        }),
        hostile("parallel arrays", reshaped(Reshape { zip: vec![zip], ..Reshape::default() }), |bytes| {
            format!(r#"{{"n":[{}],"v":[{}]}}"#, times(r#""a""#, bytes / 2), times("1", bytes / 2))
        }),
        hostile("many rows", rows(), |bytes| format!("[{}]", times("[1,2]", bytes))),
        hostile("a long row", rows(), |bytes| format!("[[{}]]", times("1", bytes))),
        hostile("rows within rows", Rules { query: Query::parse("$..*").unwrap(), ..rows() }, |bytes| {
            format!("[{}]", times(&format!("{}1{}", "[".repeat(60), "]".repeat(60)), bytes))
        }),
        hostile(
            "a long key around many strings",
            Rules { parse_json: globs(&["z*"]), ..query("$") },
            |bytes| format!(r#"{{"{}":[{}]}}"#, "k".repeat(bytes / 2), times(r#""""#, bytes / 2)),
        )
        .rejected(),
        hostile(
            "a long key around many strings of a line",
            Rules { format: Format::JsonLines, parse_json: globs(&["z*"]), ..query("$") },
            |bytes| format!(r#"{{"{}":[{}]}}"#, "k".repeat(bytes / 2), times(r#""""#, bytes / 2)),
        )
        .rejected(),
        hostile("many strings", Rules { parse_json: globs(&["*_v"]), ..query("$") }, |bytes| {
            format!("[{}]", times(r#"{"v":"{\"a\":1}"}"#, bytes))
        }),
    ]
}

fn with_formats() -> Vec<Hostile> {
    let lines = |rules: Rules| Rules { format: Format::JsonLines, ..rules };
    let influx = |rules: Rules| Rules { format: Format::Influx, measurement: Template::literal(""), ..rules };
    let renamed = || {
        let mut rename = Rename::default();
        rename.add("k*", "*").unwrap();
        Rules { rename, ..query("$") }
    };
    vec![
        hostile("bad lines behind a long one", lines(query("$")), |bytes| {
            format!("{}\n{}", "x".repeat(bytes / 2), "x\n".repeat(bytes / 4))
        }),
        hostile("many values in a line", lines(query("$.v")), |bytes| r#"{"v":1}"#.repeat(bytes / 7)),
        hostile("many values in a line with a filter", filter("$.v == @.v", lines(query("$"))), |bytes| {
            r#"{"v":1}"#.repeat(bytes / 7)
        }),
        hostile("many tags of which two get one key", influx(renamed()), |bytes| {
            format!("m,{} v=1", numbered(|number| format!("x{number}=a,kx{number}=b"), bytes))
        }),
        hostile("many fields of which two get one key", influx(renamed()), |bytes| {
            format!("m {}", numbered(|number| format!("x{number}=1,kx{number}=2"), bytes))
        }),
        hostile("a new field in each line", influx(query("$")), |bytes| {
            // Two spaces keep a line from being copied.
            shuffled(|number| format!("m  k{number:07}=1\n"), bytes).replace(',', "")
        }),
        hostile("a new tag in each element", Rules { tag_keys: globs(&["t_*"]), ..query("$") }, |bytes| {
            format!("[{}]", shuffled(|number| format!(r#"{{"t_{number:07}":"a","v":1}}"#), bytes))
        }),
        hostile("many bad lines", influx(query("$")), |bytes| "m,a=\" v=\"\n".repeat(bytes / 10)),
        hostile("many keys of which two get one key", renamed(), |bytes| {
            format!("{{{}}}", numbered(|number| format!(r#""x{number}":1,"kx{number}":2"#), bytes))
        }),
        hostile("one key again and again", renamed(), |bytes| {
            format!("{{{}}}", times(r#""k":1,"k2":{"k":1}"#, bytes))
        }),
        hostile("elements of many shapes", query("$"), |bytes| {
            format!("[{}]", numbered(|number| format!(r#"{{"k{number}":1,"a":2}}"#), bytes))
        }),
        hostile("many keys of one object", query("$"), |bytes| {
            format!("{{{}}}", numbered(|number| format!(r#""k{number}":"a""#), bytes))
        }),
        hostile("a long number", query("$"), |bytes| format!(r#"{{"v":0.{}}}"#, "1".repeat(bytes))),
        hostile("many rows of text", Rules { format: Format::Csv, ..query("$") }, |bytes| {
            format!("a,b\n{}", "1,2\n".repeat(bytes / 4))
        }),
        hostile("long names of columns", Rules { format: Format::Csv, ..query("$") }, |bytes| {
            format!("{}\n{}", "c".repeat(bytes / 2), "1\n".repeat(bytes / 4))
        })
        .rejected(),
    ]
}

fn all() -> Vec<Hostile> {
    [with_filters(), with_ancestors(), with_shapes(), with_formats()].into_iter().flatten().collect()
}

#[test]
#[ignore = "asserts times"]
fn the_time_for_a_record_grows_with_its_size() {
    let mut slow = Vec::new();
    for hostile in all() {
        let (_, small) = hostile.map(100_000);
        let (_, large) = hostile.map(400_000);
        let factor = large.as_secs_f64() / small.as_secs_f64();
        println!("{:7.1} ms, {factor:4.1} times  {}", large.as_secs_f64() * 1e3, hostile.name);
        // A square would be 16.
        if factor > 9.0 && large > Duration::from_millis(50) {
            slow.push(hostile.name);
        }
    }
    assert_eq!(slow, [""; 0]);
}

#[test]
fn a_record_that_would_take_too_long_is_rejected_and_no_other() {
    for hostile in all() {
        assert_eq!(hostile.map(30_000).0, hostile.becomes, "{}", hostile.name);
    }
}
