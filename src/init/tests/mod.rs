mod compressed_values;
mod proposed_times;
mod random_documents;
mod sources;

use super::observe::KEYS_MAX;
use super::*;
use crate::seed;
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
pub fn keys(sample: &Sample) -> String {
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
fn plain_values_are_single_values() {
    let f = |record: fn(u32) -> String, want: &str| {
        let sample = hundred(record);
        assert_eq!(keys(&sample), want, "{}", table(&sample));
    };
    f(|n| format!("{n}.5"), r#"format = "value""#);
    f(|n| format!(" {}\n", n % 2 == 0), r#"format = "value"; string_fields = ["value"]"#);
    f(
        |n| if n < 2 { "unknown".to_owned() } else { format!("+{n}") },
        r#"format = "value"; values = { value = { unknown = "" } }; types = { value = "float" }"#,
    );
    // Numbers of bytes, which could be times.
    f(|n| format!("17{n:08}"), r#"format = "value""#);
    f(|n| format!(r#"{{"v":{n}}}"#), "");
    assert_eq!(table(&hundred(|n| if n < 60 { "unknown".to_owned() } else { format!("{n}") })), "");
}

#[test]
fn strings_become_tags_or_fields_by_their_values_and_names() {
    let f = |record: fn(u32) -> String, want: &str| {
        let sample = hundred(record);
        assert_eq!(keys(&sample), want, "{}", table(&sample));
    };
    f(|n| format!(r#"{{"host":"h{}","v":{n}}}"#, n % 20), r#"tag_keys = ["host"]"#);
    // Too many values: a new one in every fourth record.
    f(|n| format!(r#"{{"place":"h{}","v":{n}}}"#, n % 25), "");
    f(|n| format!(r#"{{"note":"a b c d {}","v":{n}}}"#, n % 5), r#"string_fields = ["note"]"#);
    f(|n| format!(r#"{{"state":"s{}","on":true,"v":{n}}}"#, n % 3), r#"string_fields = ["state", "on"]"#);
    f(|n| format!(r#"{{"requestId":"r{n}","v":{n}}}"#), "");
    f(|n| format!(r#"{{"deviceId":"d{}","v":{n}}}"#, n % 4), r#"tag_keys = ["deviceId"]"#);
    f(|n| format!(r#"{{"v":"{n}.5","id":"{n}","w":{n}}}"#), r#"number_fields = ["v"]"#);
    f(|n| if n % 2 == 0 { format!(r#"{{"v":{n}}}"#) } else { r#"{"v":"off"}"#.to_owned() }, "");
    f(
        |n| format!(r#"{{"d":[{{"dev":"sda","x":{n}}},{{"dev":"sdb","x":1}}],"u":1,"v":1,"w":1}}"#),
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
    // Most numbers are in no array of objects.
    let sample = hundred(|n| format!(r#"{{"load":1,"a":1,"b":2,"items":{}}}"#, items(n)));
    assert_eq!(keys(&sample), r#"tag_keys = ["items_*_host"]"#);
    assert!(table(&sample).contains("\n# query = \"$.items[*]\"\n"), "{}", table(&sample));
    // No array has most numbers: each topic has one mapping.
    let sample = hundred(|n| format!(r#"{{"a":{},"b":{}}}"#, items(n), items(n)));
    assert_eq!(keys(&sample), r#"tag_keys = ["a_*_host", "b_*_host"]"#);
    for text in ["# query = \"$.a[*]\"\n", "# query = \"$.b[*]\"\n", "There are 2 such arrays"] {
        assert!(table(&sample).contains(text), "{}", table(&sample));
    }
    assert!(propose(&sample_of_nothing(), NOW).is_none());
}

#[test]
fn nested_arrays_keep_the_tags_of_their_parents() {
    let sample = hundred(|n| {
        let meter = |id: &str| format!(r#"{{"id":"{id}","value":{n}.5,"temperature":1}}"#);
        let line = |line: &str| format!(r#"{{"line":"{line}","meters":[{},{}]}}"#, meter("m1"), meter("m2"));
        format!(r#"{{"site":"s","seq":{n},"lines":[{},{}]}}"#, line("a"), line("b"))
    });
    assert_eq!(
        keys(&sample),
        r#"query = "$.lines[*].meters[*]"; tag_keys = ["id", "$.site", "^.line"]"#,
        "{}",
        table(&sample)
    );
}

#[test]
fn each_structure_has_its_option() {
    let f = |record: fn(u32) -> String, want: &str| {
        let sample = hundred(record);
        assert_eq!(keys(&sample), want, "{}", table(&sample));
    };
    // Lists of names and values.
    f(
        |n| format!(r#"{{"device":"d","params":[{{"n":"temp","v":{n}}},{{"n":"hum","v":2,"unit":"%"}}]}}"#),
        r#"pivot = [{ list = "params", name = "n", value = ["v"] }]; tag_keys = ["device"]"#,
    );
    f(
        |n| format!(r#"[{{"n":"temp","v":{n}}},{{"n":"open","vb":true}}]"#),
        r#"pivot = [{ list = "@", name = "n", value = ["v", "vb"] }]; string_fields = ["open"]"#,
    );
    f(
        |n| {
            let bt = 1_767_225_000 + 60 * n;
            format!(
                r#"[{{"bn":"dev:","bt":{bt},"bu":"A","n":"u","u":"V","v":{n}.5}},{{"n":"i","t":-5,"v":1}},{{"n":"i","v":2}}]"#
            )
        },
        r#"time_key = "$[0].bt"; time_format = "unix"; time_add = { t = "s" }; tags = { bn = "{$[0].bn}", u = "{$[0].bu}" }; tag_keys = ["n", "u"]; exclude = ["bt"]"#,
    );
    // Something beside name and value would be lost, or a list has a name twice.
    f(
        |n| format!(r#"{{"tags":[{{"name":"a","v":{n},"q":1}},{{"name":"b","v":1,"q":0}}]}}"#),
        r#"query = "$.tags[*]"; name_key = "name""#,
    );
    f(
        |n| format!(r#"{{"cpus":[{{"name":"a","value":{n}}},{{"name":"a","value":1}}]}}"#),
        r#"query = "$.cpus[*]"; name_key = "name"; tag_keys = ["@key"]"#,
    );
    // Parallel arrays.
    f(
        |n| format!(r#"{{"host":"a","dsnames":["rx","tx"],"values":[{n},2]}}"#),
        r#"zip = [{ names = "dsnames", values = "values" }]; tag_keys = ["host"]"#,
    );
    f(
        |n| format!(r#"{{"host":"a","times":[{},1767225600],"values":[{n},2.5]}}"#, 1_767_225_000 + n),
        r#"explode = ["times", "values"]; time_key = "times"; time_format = "unix"; tag_keys = ["host"]"#,
    );
    // A vector has no times.
    f(|n| format!(r#"{{"x":[{n},1],"y":[2.5,3]}}"#), "");
    // Members under identifiers, with and without scalars beside them.
    f(
        |n| format!(r#"{{"site":"s","meters":{{"L1":{{"v":{n}}},"L2":{{"v":1}}}}}}"#),
        r#"query = "$.meters.*"; tag_keys = ["@key", "$.site"]"#,
    );
    f(
        |n| format!(r#"{{"params":{{"ts":1767225600,"switch:0":{{"v":{n}}},"switch:1":{{"v":1}}}}}}"#),
        r#"query = "$.params[?@.*]"; time_key = "$.params.ts"; time_format = "unix"; tag_keys = ["@key"]"#,
    );
    f(
        |n| format!(r#"{{"d":{{"m1":{{"log":[{{"v":{n}}},{{"v":1}}]}},"m2":{{"log":[{{"v":1}}]}}}}}}"#),
        r#"query = "$.d.*.log[*]"; tag_keys = ["^@key"]; tags = { index = "{@key}" }"#,
    );
    f(
        |n| format!(r#"{{"p1":{{"m1":{{"v":{n}}},"m2":{{"v":1}}}},"p2":{{"m1":{{"v":1}},"m2":{{"v":1}}}}}}"#),
        r#"query = "$.*.*"; tag_keys = ["@key"]; tags = { parent = "{^@key}" }"#,
    );
    // The same keys alone do not make points.
    f(|n| format!(r#"{{"in":{{"avg":{n},"max":9}},"out":{{"avg":1,"max":2}}}}"#), "");
    // JSON in strings, also in one another.
    f(
        |n| format!(r#"{{"device":"d","payload":"{{\"v\":{n},\"in\":\"{{\\\"w\\\":1}}\"}}"}}"#),
        r#"parse_json = ["payload", "payload_in"]; tag_keys = ["device"]"#,
    );
    f(|n| format!(r#"{{"v":{n},"auth":"{{\"scope\":\"all\"}}"}}"#), r#"tag_keys = ["auth"]"#);
    // Rows, with and without their names.
    f(
        |n| format!(r#"{{"metric":"up","values":[[{},"{n}"],[1767225600,"1"]]}}"#, 1_767_225_000 + n),
        r#"query = "$.values[*]"; columns = ["time", "value"]; name_key = "$.metric"; time_key = "time"; time_format = "unix"; number_fields = ["value"]"#,
    );
    f(
        |n| format!(r#"{{"columns":["time","load","host"],"values":[[1767225600,{n},"a"]]}}"#),
        r#"query = "$.values[*]"; columns = ["time", "load", "host"]; time_key = "time"; time_format = "unix"; tag_keys = ["host"]"#,
    );
}

#[test]
fn times_are_recognized_by_name_and_value() {
    let seconds = |n: u32| 1_767_225_600 + n;
    let f = |name: &str, value: &dyn Fn(u32) -> String, format: &str| {
        let record = |n: u32| format!(r#"{{"{name}":{},"v":{n}}}"#, value(n));
        let want = if format.is_empty() {
            String::new()
        } else {
            format!(r#"time_key = "{name}"; time_format = "{format}""#)
        };
        assert_eq!(keys(&sample((0..100).map(record))), want, "{name}");
    };
    let text = |n: u32| format!("\"2026-01-01T00:{:02}:{:02}Z\"", n / 60, n % 60);
    f("ts_ms", &|n| format!("{}123", seconds(n)), "unix_ms");
    f("ts_us", &|n| format!("{}123456", seconds(n)), "unix_us");
    f("event_ts", &|n| seconds(n).to_string(), "unix");
    f("lastSeen", &|n| format!("{}123", seconds(n)), "unix_ms");
    f("last_seen", &text, "rfc3339");
    f("lastModified", &|n| seconds(n).to_string(), "unix");
    f("updated", &|n| seconds(n).to_string(), "unix");
    f("createdOn", &text, "rfc3339");
    f("collected_ns", &|n| format!("{}123456789", seconds(n)), "unix_ns");
    f("utc", &|n| format!("{}.5", seconds(n)), "unix");
    f("t", &|n| format!("{}123", seconds(n)), "unix_ms");
    // OwnTracks and NetFlow.
    f("tst", &|n| seconds(n).to_string(), "unix");
    f("UNIXSecs", &|n| seconds(n).to_string(), "unix");
    // A temperature, and no time at all.
    f("t", &|_| "21".to_owned(), "");
    f("x", &|n| seconds(n).to_string(), "");
    let record = |n: u32| format!(r#"{{"updated":true,"v":{n}}}"#);
    assert_eq!(keys(&sample((0..100).map(record))), r#"string_fields = ["updated"]"#);
}

#[test]
fn several_keys_are_one_time() {
    let f = |record: fn(u32) -> String, want: &str| {
        let sample = hundred(record);
        assert_eq!(keys(&sample), want, "{}", table(&sample));
    };
    f(
        |n| format!(r#"{{"date":"2026-01-01","clock_time":"00:00:{:02}.5","v":{n}}}"#, n % 60),
        r#"time = "{date} {clock_time}"; time_format = "%Y-%m-%d %H:%M:%S%.f""#,
    );
    // Each record has one of two times, and each has the time of a beginning.
    f(
        |n| {
            let (last, event) = if n % 3 == 0 { ("null", "1767225600") } else { ("1767225601", "null") };
            format!(r#"{{"startTime":1767220000,"lastTime":{last},"eventTime":{event},"v":{n}}}"#)
        },
        r#"time_key = ["lastTime", "eventTime"]; time_format = "unix""#,
    );
    // The part of the second has a key of its own.
    f(
        |n| format!(r#"{{"clock":{},"ns":{},"v":{n}}}"#, 1_767_225_600 + n, n * 9_999_999),
        r#"time_key = "clock"; time_format = "unix"; time_add = { ns = "ns" }"#,
    );
    f(
        |n| format!(r#"{{"at":{{"tv_sec":{},"tv_usec":{}}},"v":{n}}}"#, 1_767_225_600 + n, n * 9_999),
        r#"time_key = "at_tv_sec"; time_format = "unix"; time_add = { at_tv_usec = "us" }"#,
    );
    f(
        |n| format!(r#"{{"timestamp":{{"seconds":{},"nanos":{}}},"v":{n}}}"#, 1_767_225_600 + n, n * 9_999),
        r#"time_key = "timestamp_seconds"; time_format = "unix"; time_add = { timestamp_nanos = "ns" }"#,
    );
    // The names of members are times.
    f(
        |n| {
            let at = |minute: u32| format!("2025-12-{:02}T{:02}:{minute:02}:00Z", 1 + n % 30, n % 24);
            format!(r#"{{"meter":"m","data":{{"{}":{{"kw":{n}.5}},"{}":{{"kw":1}}}}}}"#, at(0), at(15))
        },
        r#"query = "$.data.*"; time_key = "@key"; time_format = "rfc3339"; tag_keys = ["$.meter"]"#,
    );
    // A duration, and nanoseconds of more than a second.
    f(
        |n| format!(r#"{{"clock":{},"wait_ns":{n},"ns":{}}}"#, 1_767_225_600 + n, u64::from(n) * 99_999_999),
        r#"time_key = "clock"; time_format = "unix""#,
    );
    // The same event in another unit is no field; an earlier one is.
    f(
        |n| format!(r#"{{"ts":1767225600,"received_ms":1767225600123,"bootTime":1700000000,"v":{n}}}"#),
        r#"time_key = "ts"; time_format = "unix"; exclude = ["received_ms"]"#,
    );
}

#[test]
fn a_value_beside_the_objects_under_a_reserved_name_has_another() {
    let sample = hundred(|n| {
        format!(r#"{{"time":{},"items":[{{"id":"a","v":{n}}},{{"id":"b","v":1}}]}}"#, n % 2 == 0)
    });
    let want = r#"query = "$.items[*]"; tag_keys = ["id"]; fields = { root_time = "$.time" }"#;
    assert_eq!(keys(&sample), want, "{}", table(&sample));
}

#[test]
fn texts_instead_of_numbers_leave_the_field_out() {
    let f = |value: fn(u32) -> String, want: &str| {
        let sample = hundred(|n| format!(r#"{{"v":{}}}"#, value(n)));
        assert_eq!(keys(&sample), want, "{}", table(&sample));
    };
    let proposed = r#"values = { v = { unavailable = "" } }; types = { v = "float" }"#;
    f(|n| if n % 9 == 0 { r#""unavailable""#.to_owned() } else { format!(r#""{n}.5""#) }, proposed);
    f(|n| if n % 9 == 0 { r#""unavailable""#.to_owned() } else { format!("{n}") }, proposed);
    let of_numbers = r#"types = { v = "float" }"#;
    f(|n| if n % 9 == 0 { r#""closed""#.to_owned() } else { format!(r#""{n}.5""#) }, of_numbers);
}

#[test]
fn identifiers_that_keep_points_apart_become_tags() {
    let f = |record: fn(u32) -> String, want: &str| {
        let sample = hundred(record);
        assert_eq!(keys(&sample), want, "{}", table(&sample));
    };
    f(
        |n| format!(r#"{{"ts":{},"port":{},"v":{n}}}"#, 1_767_225_600 + n / 4, n % 4),
        r#"time_key = "ts"; time_format = "unix"; tag_keys = ["port"]"#,
    );
    // All points differ already, and the name says that the number identifies.
    f(
        |n| format!(r#"{{"ts":{},"port":{},"v":{n}}}"#, 1_767_225_600 + n, n % 4),
        r#"time_key = "ts"; time_format = "unix"; tag_keys = ["port"]"#,
    );
    f(
        |n| format!(r#"{{"ts":{},"size":{},"v":{n}}}"#, 1_767_225_600 + n, n % 4),
        r#"time_key = "ts"; time_format = "unix""#,
    );
    // No key keeps them apart.
    f(|n| format!(r#"{{"ts":1767225600,"port":7,"v":{n}}}"#), r#"time_key = "ts"; time_format = "unix""#);
}

/// What distinguishes the sources of points stands beside them.
#[test]
fn identities_and_values_beside_the_objects_are_kept() {
    let f = |record: fn(u32) -> String, want: &str| {
        let sample = hundred(record);
        assert_eq!(keys(&sample), want, "{}", table(&sample));
    };
    let time = r#"time_key = "$.ts"; time_format = "unix""#;
    // A number, the key of which the items may have, too.
    f(
        |n| {
            let items = r#"[{"sensor":"a","v":1},{"sensor":"b","v":2.5}]"#;
            format!(r#"{{"deviceId":{},"ts":{},"readings":{items}}}"#, 7 + n % 3, 1_767_225_600 + n)
        },
        &format!(r#"query = "$.readings[*]"; {time}; tag_keys = ["sensor", "$.deviceId"]"#),
    );
    f(
        |n| {
            let items = r#"[{"id":1,"v":1},{"id":2,"v":2.5}]"#;
            format!(
                r#"{{"id":"d{}","ts":{},"lines":[{{"id":{},"items":{items}}}]}}"#,
                n % 3,
                1_767_225_600 + n / 3,
                1 + n % 2
            )
        },
        &format!(
            r#"query = "$.lines[*].items[*]"; {time}; tag_keys = ["id"]; tags = {{ lines_id = "{{^.id}}", root_id = "{{$.id}}" }}"#
        ),
    );
    // A counter is no identity, and a name is one already.
    f(
        |n| format!(r#"{{"collectionId":{n},"rows":[{{"host":"a","v":1}},{{"host":"b","v":{n}.5}}]}}"#),
        r#"query = "$.rows[*]"; tag_keys = ["host"]"#,
    );
    f(
        |n| format!(r#"{{"plcId":4,"plcName":"p","rows":[{{"host":"a","v":1}},{{"host":"b","v":{n}.5}}]}}"#),
        r#"query = "$.rows[*]"; tag_keys = ["host", "$.plcName"]"#,
    );
    // Values of the parent.
    f(
        |n| {
            let items = r#"[{"sensor":"a","v":1},{"sensor":"b","v":2},{"sensor":"c","v":2}]"#;
            format!(r#"{{"uptime":{n}.5,"on":true,"load":"{n}.5","readings":{items}}}"#)
        },
        r#"query = "$.readings[*]"; tag_keys = ["sensor"]; fields = { load = "$.load", on = "$.on", uptime = "$.uptime" }; types = { load = "float" }"#,
    );
    // Nothing but the index tells the items apart.
    f(
        |n| format!(r#"{{"ts":{},"channels":[{{"v":{n}.5}},{{"v":1}}]}}"#, 1_767_225_600 + n),
        &format!(r#"query = "$.channels[*]"; {time}; tag_keys = ["@key"]"#),
    );
    // Null is nothing.
    f(
        |n| {
            let items = r#"[null,{"slot":1,"v":1.5},null,{"slot":3,"v":2}]"#;
            format!(r#"{{"bus":{},"ts":{},"slots":{items}}}"#, n % 2, 1_767_225_600 + n)
        },
        &format!(r#"query = "$.slots[*]"; {time}; tag_keys = ["slot"]; fields = {{ bus = "$.bus" }}"#),
    );
    // The record is a list of the parents.
    f(
        |n| {
            let item = |name: &str| {
                let rows = format!("[[{n}.5,{}],[1,1767225000]]", 1_767_225_600 + n);
                format!(r#"{{"target":"{name}","port":5,"datapoints":{rows}}}"#)
            };
            format!("[{},{}]", item("a"), item("b"))
        },
        r#"query = "$[*].datapoints[*]"; columns = ["value", "time"]; time_key = "time"; time_format = "unix"; tag_keys = ["^.target", "^.port"]"#,
    );
    // The name under which an array stands says what it measures.
    f(
        |n| {
            let items = |v: u32| format!(r#"{{"items":[{{"sensor":"a","v":{v}}}]}}"#);
            format!(r#"{{"ts":{},"heat":{},"rain":{}}}"#, 1_767_225_600 + n, items(n), items(n))
        },
        &format!(r#"query = "$.*.items[*]"; {time}; tag_keys = ["^@key", "sensor"]"#),
    );
}

#[test]
fn numbers_that_are_not_stored_are_named() {
    let sample = hundred(|n| {
        let items = r#"[{"host":"a","v":1.5},{"host":"b","v":2},{"host":"c","v":2}]"#;
        format!(r#"{{"seq":{n},"log":["x","y"],"rows":{items},"flags":[true]}}"#)
    });
    let table = table(&sample);
    for text in ["fields = { seq = \"$.seq\" }", "other lists: \"log_*\", \"flags_*\""] {
        assert!(table.contains(text), "{table}");
    }
}

#[test]
fn lists_of_names_become_fields_only_if_nothing_is_lost() {
    let f = |record: fn(u32) -> String, want: &str| {
        let sample = hundred(record);
        assert_eq!(keys(&sample), want, "{}", table(&sample));
    };
    // One list of many has a name twice.
    f(
        |n| {
            let names = if n == 7 { ["x", "x", "y"] } else { ["x", "y", "z"] };
            let items = names.map(|name| format!(r#"{{"name":"{name}","value":{n}.5}}"#)).join(",");
            format!(r#"{{"ts":{},"list":[{items}]}}"#, 1_767_225_600 + n)
        },
        r#"query = "$.list[*]"; name_key = "name"; time_key = "$.ts"; time_format = "unix"; tag_keys = ["@key"]"#,
    );
    // Two lists have the same names.
    f(
        |n| {
            let items = |v: u32| format!(r#"[{{"name":"x","value":{v}.5}},{{"name":"y","value":1}}]"#);
            format!(r#"{{"in":{},"out":{}}}"#, items(n), items(1))
        },
        r#"pivot = [{ list = "in", name = "name", value = ["value"] }]; tag_keys = ["out_*_name"]"#,
    );
    // Only the items have the time.
    f(
        |n| {
            let item =
                |name: &str| format!(r#"{{"name":"{name}","value":{n}.5,"ts":{}}}"#, 1_767_225_600 + n);
            format!(r#"{{"list":[{},{}]}}"#, item("x"), item("y"))
        },
        r#"query = "$.list[*]"; name_key = "name"; time_key = "ts"; time_format = "unix""#,
    );
    // Their descriptions are named.
    let sample = hundred(|n| format!(r#"{{"list":[{{"name":"x","value":{n}.5,"unit":"K"}}]}}"#));
    assert!(table(&sample).contains("it describes the items or the list: \"unit\""), "{}", table(&sample));
}

#[test]
fn members_under_names_become_points() {
    let f = |record: fn(u32) -> String, want: &str| {
        let sample = hundred(record);
        assert_eq!(keys(&sample), want, "{}", table(&sample));
    };
    f(
        |n| format!(r#"{{"sensors":{{"a":{{"v":{n}.5}},"b":{{"v":1}}}}}}"#),
        r#"query = "$.sensors.*"; tag_keys = ["@key"]"#,
    );
    // Scalars and arrays beside them are no points, and no key is in all objects.
    f(
        |n| {
            let other = if n % 2 == 0 { r#""v":1"# } else { r#""w":1"# };
            format!(r#"{{"count":2,"m1":{{"v":{n}.5,"w":1}},"m2":{{{other}}},"none":null}}"#)
        },
        r#"query = "$[?@.*]"; tag_keys = ["@key"]; fields = { count = "$.count" }"#,
    );
    f(
        |n| format!(r#"{{"log":["x"],"m1":{{"v":{{"x":{n}.5}}}},"m2":{{"v":{{"x":1}}}}}}"#),
        r#"query = "$[?@.* && !@[0]]"; tag_keys = ["@key"]"#,
    );
    // Arrays of objects and of rows, whose names are those of the arrays.
    f(
        |n| {
            let at = |second: u32| format!("{}000", 1_767_225_000 + 60 * n + second);
            format!(
                r#"{{"Device A":[{{"ts":{},"values":{{"t":{n}.5}}}}],"Device B":[{{"ts":{},"values":{{"t":1}}}},{{"ts":{},"values":{{"t":2}}}}]}}"#,
                at(0),
                at(1),
                at(2)
            )
        },
        r#"query = "$.*[*]"; time_key = "ts"; time_format = "unix_ms"; tag_keys = ["@member"]"#,
    );
    f(
        |n| format!(r#"{{"info":{{"count":2}},"site":"s","m1":[{{"v":{n}.5}},{{"v":2}}],"m2":[{{"v":1}}]}}"#),
        r#"query = "$[?@[0]][*]"; tag_keys = ["@member", "$.site"]; fields = { info_count = "$.info.count" }; tags = { index = "{@key}" }"#,
    );
    f(
        |n| {
            format!(
                r#"{{"pump1":[[{},{n}.5]],"pump2":[[{},1],[1767225600,2]]}}"#,
                1_767_225_000 + n,
                1_767_225_000 + n
            )
        },
        r#"query = "$.*[*]"; columns = ["time", "value"]; time_key = "time"; time_format = "unix"; tag_keys = ["@member"]"#,
    );
    // Arrays of different objects are no entities.
    f(|n| format!(r#"{{"cpu":[{{"load":{n}.5}}],"disk":[{{"free":1}}]}}"#), "");
}

/// Random JSON of names and values that recognizers look for.
struct RandomJson {
    random: fastrand::Rng,
    number: u32,
}

impl RandomJson {
    fn object(&mut self, depth: usize) -> String {
        const NAMES: [&str; 32] = [
            "name", "n", "key", "value", "v", "ts", "time", "date", "updated", "host", "id", "port",
            "values", "dsnames", "times", "columns", "payload", "op", "after", "source", "schema", "data",
            "m1", "m2", "switch:0", "a$b", "$x", "a b", "*", "labels", "state", "it's",
        ];
        let mut members: Vec<String> = Vec::new();
        for _ in 0..self.random.usize(1..6) {
            let name = NAMES[self.random.usize(..NAMES.len())];
            let text = format!("\"{name}\":");
            if !members.iter().any(|member| member.starts_with(&text)) {
                members.push(text + &self.value(name, depth));
            }
        }
        format!("{{{}}}", members.join(","))
    }

    fn array(&mut self, item: impl Fn(&mut Self) -> String) -> String {
        let items: Vec<String> = (0..self.random.usize(0..4)).map(|_| item(self)).collect();
        format!("[{}]", items.join(","))
    }

    fn value(&mut self, name: &str, depth: usize) -> String {
        self.number += 1;
        let number = self.number;
        if ["ts", "time", "times", "updated"].contains(&name) && self.random.bool() {
            return (1_767_225_600 + number).to_string();
        }
        match self.random.u32(..if depth < 4 { 13 } else { 7 }) {
            0 | 1 => format!("{number}.5"),
            2 => format!("\"{number}\""),
            3 => format!("\"text {}\"", number % 3),
            4 => "\"unavailable\"".to_owned(),
            5 => "true".to_owned(),
            6 => "null".to_owned(),
            7 | 8 => self.object(depth + 1),
            9 => self.array(|this| this.object(depth + 1)),
            10 => self.array(|this| this.array(|this| this.value("v", 4))),
            11 => self.array(|this| this.value("v", 4)),
            _ => serde_json::Value::from(self.object(depth + 1)).to_string(),
        }
    }
}

/// A proposal that is no valid configuration would end `init` with an error that its user cannot correct.
#[test]
fn proposals_are_valid_and_their_options_reject_no_record() {
    let given = seed::given("BRIDGE_INIT_SEED");
    let first = given.unwrap_or_else(|| fastrand::u64(..1 << 60));
    for seed in first..first + given.map_or(100, |_| 1) {
        let _repeated = seed::Repeated::by("BRIDGE_INIT_SEED", seed, "cargo test --lib init::");
        // All records of a sample have the same structure, and other values.
        let record = |number: u32| {
            RandomJson { random: fastrand::Rng::with_seed(seed), number: number * 100 }.object(0)
        };
        let sample = sample((0..3).map(record));
        let Some(proposal) = propose(&sample, NOW) else { panic!("the records are objects") };
        let trial = Trial::of_proposal(&proposal, &sample);
        let shown = || format!("{}\n{}", table(&sample), record(0));
        assert_eq!(trial.unwrap_or_else(|| panic!("{}", shown())).rejected(), 0, "{}", shown());
    }
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
    let seen = Observation::of(&wide.records, &Shape::whole(&wide), NOW);
    assert_eq!((seen.keys.len(), seen.has_more_keys, seen.objects), (KEYS_MAX, true, 30));
    assert!(table(&wide).contains("more than 2,000 different keys"));
    let many = sample((0..500).map(|n| format!(r#"{{"host":"h{n}","v":1}}"#)));
    let seen = Observation::of(&many.records, &Shape::whole(&many), NOW);
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
