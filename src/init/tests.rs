use super::observe::KEYS_MAX;
use super::*;
use configuration::draft::Draft;

/// 2026-01-02T00:00:00Z.
const NOW: i64 = 1_767_312_000_000_000_000;

fn sample<V: Into<Vec<u8>>>(values: impl IntoIterator<Item = V>) -> Sample {
    let record = |(offset, value): (i64, V)| SampledRecord {
        offset,
        value: Some(value.into()),
        ..SampledRecord::default()
    };
    let records = (0..).zip(values).map(record).collect();
    Sample { topic: "t".to_owned(), is_file: true, records, ..Sample::default() }
}

/// The keys of the mapping, without comments, on one line.
fn keys(sample: &Sample) -> String {
    let lines = table(sample);
    let keys: Vec<&str> =
        lines.lines().filter(|line| !line.starts_with('#') && !line.starts_with('[')).collect();
    keys.join("; ")
}

fn table(sample: &Sample) -> String {
    let table = propose(sample, NOW).map(|proposal| proposal.table(None, &[]));
    Draft { comments: Vec::new(), tables: table.into_iter().collect() }.to_string()
}

/// A hundred records, each built from its number.
fn hundred(record: impl Fn(u32) -> String) -> Sample {
    sample((0..100).map(record))
}

#[test]
fn strings_become_tags_or_fields_by_their_values_and_names() {
    let f = |record: fn(u32) -> String, want: &str| {
        let sample = hundred(record);
        assert_eq!(keys(&sample), want, "{}", table(&sample));
    };
    f(|n| format!(r#"{{"host":"h{}","v":{n}}}"#, n % 20), r#"tag_keys = ["host"]"#);
    // Too many values: a new one in every fourth record.
    f(|n| format!(r#"{{"host":"h{}","v":{n}}}"#, n % 25), "");
    f(|n| format!(r#"{{"note":"a b c d {}","v":{n}}}"#, n % 5), r#"string_fields = ["note"]"#);
    f(|n| format!(r#"{{"state":"s{}","on":true,"v":{n}}}"#, n % 3), r#"string_fields = ["state", "on"]"#);
    f(|n| format!(r#"{{"requestId":"r{n}","v":{n}}}"#), "");
    f(|n| format!(r#"{{"deviceId":"d{}","v":{n}}}"#, n % 4), r#"tag_keys = ["deviceId"]"#);
    f(|n| format!(r#"{{"v":"{n}.5","id":"{n}","w":{n}}}"#), r#"number_fields = ["v"]"#);
    f(|n| if n % 2 == 0 { format!(r#"{{"v":{n}}}"#) } else { r#"{"v":"off"}"#.to_owned() }, "");
    f(
        |n| format!(r#"{{"d":[{{"dev":"sda","x":{n}}},{{"dev":"sdb","x":1}}],"v":1}}"#),
        r#"tag_keys = ["d_*_dev"]"#,
    );
    // The glob would match numbers, too.
    f(|n| format!(r#"{{"d":["a","b"],"d_0_x":{n}}}"#), "");
    f(|n| format!(r#"{{"tags":{{"a":"1 b","c":"x"}},"v":{n}}}"#), r#"tag_keys = ["tags_*"]"#);
    f(
        |n| format!(r#"{{"$host":"h","a*":"x","p${{q":"y","v":{n}}}"#),
        r#"tag_keys = ["\\$$host", "a\\*", "p$\\{q"]"#,
    );
    f(|n| format!(r#"{{"a$b":"x","v":{n}}}"#), r#"tag_keys = ["a$$b"]"#);
    f(|n| format!(r#"{{"name":"m{}","v":{n}}}"#, n % 2), r#"name_key = "name""#);
    f(|n| format!(r#"{{"name":"m{n}","v":{n}}}"#), "");
}

#[test]
fn finds_the_objects_that_become_points() {
    let f = |record: fn(u32) -> String, want: &str| {
        let sample = hundred(record);
        assert_eq!(keys(&sample), want, "{}", table(&sample));
    };
    let items = |n: u32| format!(r#"[{{"host":"a","v":{n}}},{{"host":"b","v":1}}]"#);
    f(|n| format!("[{{\"host\":\"a\",\"v\":{n}}}]"), r#"tag_keys = ["host"]"#);
    f(
        |n| format!("{{\"host\":\"a\",\"v\":{n}}}\n{{\"host\":\"b\",\"v\":1}}\n"),
        r#"format = "json_lines"; tag_keys = ["host"]"#,
    );
    f(|n| format!("{{\n\"host\":\"a\",\n\"v\":{n}}}"), r#"tag_keys = ["host"]"#);
    let sample = hundred(|n| format!(r#"{{"site":"s","time":{},"items":{}}}"#, 1_767_225_600 + n, items(n)));
    assert_eq!(
        keys(&sample),
        r#"query = "$.items[*]"; time_key = "$.time"; time_format = "unix"; tag_keys = ["host", "$.site"]"#
    );
    // A number is outside of the array.
    let sample = hundred(|n| format!(r#"{{"load":1,"items":{}}}"#, items(n)));
    assert_eq!(keys(&sample), r#"tag_keys = ["items_*_host"]"#);
    assert!(table(&sample).contains("\n# query = \"$.items[*]\"\n"), "{}", table(&sample));
    assert!(propose(&sample_of_nothing(), NOW).is_none());
}

fn sample_of_nothing() -> Sample {
    let mut sample = sample(["", "5", "null", "[]", "[1,2]", "not json"]);
    sample.records.push(SampledRecord::default());
    sample
}

#[test]
fn proposes_a_time_key_if_almost_no_record_is_rejected() {
    let f = |missing: fn(u32) -> bool, count: u32, want: &str| {
        let record = |n: u32| {
            let time = if missing(n) {
                String::new()
            } else {
                format!("\"ts\":{},", 1_767_225_600_000_u64 + u64::from(n))
            };
            format!("{{{time}\"v\":{n}}}")
        };
        assert_eq!(keys(&sample((0..count).map(record))), want);
    };
    f(|_| false, 3, r#"time_key = "ts"; time_format = "unix_ms""#);
    f(|n| n == 0, 100, r#"time_key = "ts"; time_format = "unix_ms""#);
    f(|n| n < 2, 100, "");
    f(|n| n == 0, 40, "");
    // The likelier name wins.
    let both =
        hundred(|n| format!(r#"{{"created_at":1767225600,"timestamp":{},"v":{n}}}"#, 1_767_225_600 + n));
    assert_eq!(keys(&both), r#"time_key = "timestamp"; time_format = "unix""#);
    let unsure = hundred(|n| format!(r#"{{"date":"0{}/02/2025 00:00:00","v":1.5}}"#, n % 9 + 1));
    assert_eq!(keys(&unsure), "");
    assert!(table(&unsure).contains("# time_format = \"%m/%d/%Y %H:%M:%S\""), "{}", table(&unsure));
}

#[test]
fn the_memory_of_a_sample_is_bounded() {
    let wide = sample((0..30).map(|n| {
        let keys: Vec<String> = (0..100).map(|key| format!(r#""k{n}_{key}":1"#)).collect();
        format!("{{{}}}", keys.join(","))
    }));
    let seen = Observation::of(&wide.records, &Shape::whole(&wide));
    assert_eq!((seen.keys.len(), seen.has_more_keys, seen.objects), (KEYS_MAX, true, 30));
    assert!(table(&wide).contains("more than 2,000 different keys"));
    let many = sample((0..500).map(|n| format!(r#"{{"host":"h{n}","v":1}}"#)));
    let seen = Observation::of(&many.records, &Shape::whole(&many));
    let key = seen.key("host").unwrap();
    assert_eq!((key.distinct(), key.values().len()), (None, 0));
    let deep = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    assert!(propose(&sample([deep]), NOW).is_none());
}

#[test]
fn equal_proposals_are_recognized() {
    let of = |host: &'static str| propose(&hundred(|n| format!(r#"{{"{host}":"a","v":{n}}}"#)), NOW).unwrap();
    assert!(of("host").is_same(&of("host")));
    assert!(!of("host").is_same(&of("node")));
}
