//! Tests of the tags that tell the sources of points apart: names and numbers of devices, keys of list items, and warnings of those left out.

use super::{NOW, keys, sample, table};
use crate::init::{Sample, Trial, estimate, propose};

/// The lines that the terminal shows for a sample.
fn estimated(sample: &Sample) -> String {
    let proposal = propose(sample, NOW).unwrap();
    let trial = Trial::of_proposal(&proposal, sample).unwrap();
    estimate("t", &proposal, &trial).join("\n")
}

fn records(count: u32, record: impl Fn(u32) -> String) -> Sample {
    sample((0..count).map(record))
}

/// The time of a record.
fn ts(n: u32) -> u32 {
    1_720_474_440 + n
}

const TIME: &str = r#"time_key = "ts"; time_format = "unix""#;

#[test]
fn rows_whose_names_change_their_order_get_no_columns() {
    let record = |columns: &str, row: &str| {
        let series = format!(r#"{{"name":"cpu","host":"a","columns":{columns},"values":[{row}]}}"#);
        format!(r#"{{"results":[{{"series":[{series}]}}]}}"#)
    };
    let (usual, row) = (r#"["time","usage","idle"]"#, r#"["2024-07-08T21:34:34Z",1.5,98.5]"#);
    let same = sample([record(usual, row), record(usual, row)]);
    assert!(keys(&same).contains(r#"columns = ["time", "usage", "idle"]"#), "{}", table(&same));
    assert!(!estimated(&same).contains("order"), "{}", estimated(&same));
    for (columns, row) in [
        (r#"["time","idle","usage"]"#, r#"["2024-07-08T21:35:34Z",98.5,1.5]"#),
        (r#"["time","free","used"]"#, r#"["2024-07-08T21:35:34Z",5.5,1.5]"#),
        (r#"["time","usage"]"#, r#"["2024-07-08T21:35:34Z",1.5]"#),
    ] {
        let changing = sample([record(usual, r#"["2024-07-08T21:34:34Z",1.5,98.5]"#), record(columns, row)]);
        assert!(!keys(&changing).contains("columns ="), "{}", table(&changing));
        let want = r#"CAUTION: The names of the values in the rows of "values" stand in "columns", and these names or their order differ"#;
        assert!(estimated(&changing).contains(want), "{}", estimated(&changing));
    }
}

#[test]
fn labels_beside_rows_are_no_names_of_columns() {
    let series = records(4, |n| {
        let row = format!("[{},{n}.5]", ts(n));
        format!(r#"{{"host":"h","metric":"up","points":[{row}],"tags":["env:prod","role:r{n}"]}}"#)
    });
    assert!(keys(&series).contains(r#"columns = ["time", "value"]"#), "{}", table(&series));
}

#[test]
fn sources_are_tags_however_many_there_are() {
    let f = |sample: &Sample, want: &str| assert_eq!(keys(sample), want, "{}", table(sample));
    for (name, count) in [("device", 190), ("device_id", 160), ("hostname", 400), ("serialNumber", 190)] {
        let fleet = records(1_000, |n| {
            format!(r#"{{"{name}":"pump-{:04}","temp":{n}.5,"ts":{}}}"#, n * 129 % count, ts(n))
        });
        f(&fleet, &format!(r#"{TIME}; tag_keys = ["{name}"]"#));
        assert!(
            estimated(&fleet).contains(&format!("\n{count} series in the sample")),
            "{}",
            estimated(&fleet)
        );
        let note = format!("\"{name}\" has {count} values in the sample, and each source is a series");
        assert!(table(&fleet).replace("\n# ", " ").contains(&note), "{}", table(&fleet));
    }
    // Each source is there once.
    let once = records(20, |n| format!(r#"{{"device":"meter-{n}","power":{n},"ts":{}}}"#, ts(n)));
    f(&once, &format!(r#"{TIME}; tag_keys = ["device"]"#));
    let beside = |key: &str, text: &dyn Fn(u32) -> String| {
        records(20, |n| {
            let readings = format!(r#"[{{"ch":"a","v":{n}.5}},{{"ch":"b","v":2.5}}]"#);
            format!(r#"{{"{key}":{},"ts":{},"readings":{readings}}}"#, text(n), ts(n))
        })
    };
    let time = r#"time_key = "$.ts"; time_format = "unix""#;
    for (key, text) in [
        ("agent", &(|n: u32| format!("\"10.0.0.{n}\"")) as &dyn Fn(u32) -> String),
        ("deviceId", &|n: u32| (1_000 + n).to_string()),
    ] {
        let want = format!(r#"query = "$.readings[*]"; {time}; tag_keys = ["ch", "$.{key}"]"#);
        f(&beside(key, text), &want);
    }
}

#[test]
fn identifiers_of_records_and_unclear_names_stay_out() {
    let f = |name: &str, value: &dyn Fn(u32) -> String, caution: &str| {
        let sample = records(60, |n| format!(r#"{{"{name}":{},"temp":{n}.5,"ts":{}}}"#, value(n), ts(n)));
        assert!(!keys(&sample).contains("tag_keys"), "{}", table(&sample));
        let shown = estimated(&sample);
        assert_eq!(shown.contains("CAUTION"), !caution.is_empty(), "{shown}");
        assert!(shown.contains(caution), "{shown}");
    };
    let text = |n: u32| format!("\"0a1b86f4-{n:04}\"");
    for name in ["uuid", "messageId", "traceId", "id", "user_agent"] {
        f(name, &text, "");
    }
    // Products that are made have serial numbers, too.
    f(
        "serial",
        &text,
        "\"serial\" may say which source a point is of, and is no tag, because none of its values is there twice",
    );
    let long = |n: u32| format!("\"The pump in hall number {n}\"");
    f(
        "device",
        &long,
        "\"device\" may say which source a point is of, and is no tag, because its values are long texts",
    );
    f("sensor", &|n| (500 + n).to_string(), "because its numbers may be measured");
}

#[test]
fn numbers_of_sources_are_tags_also_without_a_list() {
    for name in [
        "addr",
        "axis",
        "bay",
        "cell",
        "ch",
        "circuit",
        "deviceId",
        "device_id",
        "id",
        "idx",
        "line",
        "machine",
        "meter",
        "meterId",
        "n",
        "node",
        "num",
        "object_instance",
        "phase",
        "pos",
        "rack",
        "room",
        "sensorId",
        "serial",
        "station",
        "string_no",
        "tank",
        "unit",
        "zone",
    ] {
        let sample = records(30, |n| format!(r#"{{"{name}":{},"t":{n}.5,"ts":{}}}"#, 1 + n % 3, ts(n)));
        assert_eq!(keys(&sample), format!(r#"{TIME}; tag_keys = ["{name}"]"#), "{}", table(&sample));
    }
    // Two devices with several objects each, which have different times.
    let bacnet = records(8, |n| {
        let (device, instance) = (1_001 + n % 2, 1 + n / 2 % 2);
        let object = format!(r#""object_type":"analogInput","object_instance":{instance}"#);
        format!(r#"{{"device_id":{device},{object},"value":{n}.5,"ts":{}}}"#, ts(n))
    });
    let want = format!(r#"{TIME}; tag_keys = ["object_type", "device_id", "object_instance"]"#);
    assert_eq!(keys(&bacnet), want, "{}", table(&bacnet));
    let can = sample([419, 420, 419].map(|id| format!(r#"{{"id":{id},"dlc":8,"data":[1,{id}]}}"#)));
    assert_eq!(keys(&can), r#"tag_keys = ["id"]"#, "{}", table(&can));
}

#[test]
fn measured_numbers_are_no_tags() {
    type Numbers = fn(u32) -> u32;
    let numbers: [(&str, Numbers); 8] = [
        ("uv_index", |n| n % 3),
        ("port_speed", |_| 1_000),
        ("number_of_clients", |n| n % 3),
        ("cpu", |n| n % 5),
        // It counts up, or is there once.
        ("id", |n| n),
        ("id", |n| 7 * n % 30),
        // A level changes rarely, and has gaps.
        ("tank", |n| 80 + n / 10),
        ("tank", |n| n % 3 * 10),
    ];
    for (name, value) in numbers {
        let sample = records(30, |n| format!(r#"{{"{name}":{},"t":{n}.5,"ts":{}}}"#, value(n), ts(n)));
        assert_eq!(keys(&sample), TIME, "{}", table(&sample));
    }
    // Without it nothing would be stored.
    let alone = records(30, |n| format!(r#"{{"node":{},"ts":{}}}"#, n % 3, ts(n)));
    assert_eq!(keys(&alone), TIME, "{}", table(&alone));
}

#[test]
fn a_key_of_the_items_comes_before_their_index() {
    for name in [
        "addr", "axis", "bay", "cell", "ch", "circuit", "idx", "n", "num", "phase", "pos", "tank", "whatever",
    ] {
        let sample = records(9, |n| {
            let item = |number: u32| format!(r#"{{"{name}":{number},"t":{n}.5}}"#);
            let items = if n % 3 == 0 { item(2) } else { format!("{},{}", item(1), item(2)) };
            format!(r#"{{"node":"n1","ts":{},"sensors":[{items}]}}"#, ts(n))
        });
        let got = keys(&sample);
        assert!(got.contains(&format!("\"{name}\"")) && !got.contains("@key"), "{}", table(&sample));
    }
    // The key does not keep all points apart, and the index is wrong.
    let sample = records(9, |n| {
        let item = |number: u32| format!(r#"{{"addr":{number},"t":{n}.5}}"#);
        let items = if n % 3 == 0 { item(2) } else { format!("{},{}", item(1), item(2)) };
        format!(r#"{{"ts":{},"sensors":[{items}]}}"#, ts(n / 9))
    });
    assert!(!keys(&sample).contains("@key"), "{}", table(&sample));
    assert!(estimated(&sample).contains("overwrite"), "{}", estimated(&sample));
}

#[test]
fn the_phase_of_a_current_is_a_tag_and_that_of_a_process_a_field() {
    let f = |sample: &Sample, want: &str| assert_eq!(keys(sample), want, "{}", table(sample));
    let items = records(6, |n| {
        let phases = [1, 2, 3].map(|phase| format!(r#"{{"phase":"L{phase}","U":{n}.5}}"#)).join(",");
        format!(r#"{{"meter":"m1","ts":{},"phases":[{phases}]}}"#, ts(n))
    });
    let want =
        r#"query = "$.phases[*]"; time_key = "$.ts"; time_format = "unix"; tag_keys = ["phase", "$.meter"]"#;
    f(&items, want);
    for same in [1, 3] {
        let flat = records(12, |n| {
            format!(r#"{{"meter":"m1","ts":{},"phase":"L{}","U":{n}.5}}"#, ts(n / same), 1 + n % 3)
        });
        f(&flat, &format!(r#"{TIME}; tag_keys = ["meter", "phase"]"#));
    }
    let pods = records(12, |n| {
        let phase = if n < 4 { "Pending" } else { "Running" };
        format!(r#"{{"pod":"p1","phase":"{phase}","v":{n}.5}}"#)
    });
    f(&pods, r#"tag_keys = ["pod"]; string_fields = ["phase"]"#);
}

/// A record of OpenTelemetry for each list of resources, which are the names and values of their attributes.
fn otlp(resources: &[&[(&str, &str)]], value: u32) -> String {
    let resource = |attributes: &&[(&str, &str)]| {
        let attribute =
            |(key, value): &(&str, &str)| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
        let attributes: Vec<String> = attributes.iter().map(attribute).collect();
        let point = format!(r#"{{"asDouble":{value}.5,"timeUnixNano":"{}123456789"}}"#, ts(value));
        let metric = format!(r#"{{"name":"cpu","unit":"1","gauge":{{"dataPoints":[{point}]}}}}"#);
        format!(
            r#"{{"resource":{{"attributes":[{}]}},"scopeMetrics":[{{"scope":{{"name":"http"}},"metrics":[{metric}]}}]}}"#,
            attributes.join(",")
        )
    };
    let resources: Vec<String> = resources.iter().map(resource).collect();
    format!(r#"{{"resourceMetrics":[{}]}}"#, resources.join(","))
}

#[test]
fn the_index_of_a_resource_is_no_identity() {
    let one: &[(&str, &str)] = &[("service.name", "checkout"), ("host.name", "h1")];
    let other: &[(&str, &str)] = &[("host.name", "h2"), ("service.name", "checkout")];
    let both = sample([otlp(&[one, other], 1)]);
    let changing = sample((0..20).map(|n| otlp(&[if n % 2 == 0 { one } else { other }], n)));
    for sample in [both, changing] {
        assert!(!keys(&sample).contains("@key"), "{}", table(&sample));
        let shown = estimated(&sample);
        let want = "CAUTION: \"^^^^.resource.attributes\" is a list of names and values that says what the objects are of (\"host.name\", \"service.name\")";
        assert!(shown.contains(want), "{shown}");
    }
    let same = sample((0..20).map(|n| otlp(&[one], n)));
    assert!(keys(&same).contains("\"host.name\" = "), "{}", table(&same));
    assert!(!estimated(&same).contains("CAUTION"), "{}", estimated(&same));
}

#[test]
fn measured_values_are_never_tags() {
    let f = |sample: &Sample, want: &str| assert_eq!(keys(sample), want, "{}", table(sample));
    for count in [6, 60] {
        let sample = records(count, |n| {
            let state = if n % 2 == 0 { "RUN" } else { "STOP" };
            let item = |id: u32, value: &str| format!(r#"{{"dataPointId":"dp{id}","value":"{value}"}}"#);
            let items =
                [item(1, &(9_850 + n % 3).to_string()), item(2, &format!("{}.5", n % 3)), item(3, state)];
            format!(r#"[{{"ts":{},"values":[{}]}}]"#, ts(n), items.join(","))
        });
        let time = r#"time_key = "^.ts"; time_format = "unix""#;
        f(
            &sample,
            &format!(
                r#"query = "$[*].values[*]"; {time}; tag_keys = ["dataPointId"]; types = {{ value = "float" }}"#
            ),
        );
        assert!(table(&sample).contains("\"RUN\""), "{}", table(&sample));
    }
    let words = records(20, |n| {
        format!(r#"{{"valve":"v1","value":"{}","n":{n}.5}}"#, ["open", "closed"][n as usize % 2])
    });
    f(&words, r#"tag_keys = ["valve"]; string_fields = ["value"]"#);
}

#[test]
fn long_digits_in_quotes_are_identifiers() {
    let f = |name: &str, value: fn(u32) -> u64, want: &str| {
        let sample = records(30, |n| format!(r#"{{"{name}":"{}","temp":{n}.5,"ts":{}}}"#, value(n), ts(n)));
        assert_eq!(keys(&sample), format!("{TIME}; {want}"), "{}", table(&sample));
    };
    f("coreid", |n| 250_040_001_247_343_800 + u64::from(n % 2), r#"tag_keys = ["coreid"]"#);
    f("account", |n| 90_071_992_547_409_930 + u64::from(n % 3), r#"tag_keys = ["account"]"#);
    f("contract", |n| 1_234_567_890 + u64::from(n % 3), r#"tag_keys = ["contract"]"#);
    // A value per record, which stays exact.
    f("receipt", |n| 90_071_992_547_409_930 + u64::from(n), r#"string_fields = ["receipt"]"#);
    // Counters have many digits, too.
    f("octets", |n| 93_842_093_842 + u64::from(n / 9), r#"number_fields = ["octets"]"#);
    f("reading", |n| 1_234_567_890 + u64::from(n), r#"number_fields = ["reading"]"#);
    f("pulses", |n| 123_456 + u64::from(n % 3), r#"number_fields = ["pulses"]"#);
}

#[test]
fn lists_of_names_are_recognized_by_their_values() {
    let f = |sample: &Sample, want: &str| assert_eq!(keys(sample), want, "{}", table(sample));
    let record = |list: &str, names: &str, values: &str, n: u32| {
        format!(r#"{{"plc":"S7-1","ts":{},"{list}":[{names}],"values":[{values}]}}"#, ts(n))
    };
    let of = |list: &str, [first, second]: [&str; 2]| {
        let both = format!("\"{first}\",\"{second}\"");
        let turned = format!("\"{second}\",\"{first}\"");
        sample([
            record(list, &both, "71.5,2.25", 0),
            record(list, &turned, "2.26,71.6", 1),
            record(list, &format!("\"{first}\""), "51.5", 2),
        ])
    };
    let zip = r#"zip = [{ names = "tags", values = "values" }]"#;
    f(&of("tags", ["DB1.T1", "DB1.T2"]), &format!(r#"{zip}; {TIME}; tag_keys = ["plc"]"#));
    // These describe the values.
    f(&of("units", ["a", "b"]), &format!(r#"{TIME}; tag_keys = ["plc"]"#));
    let status = format!(r#"{TIME}; tag_keys = ["plc"]; string_fields = ["status_*"]"#);
    f(&of("status", ["a", "b"]), &status);
    // Other texts in each record are no names.
    let texts = records(4, |n| record("tags", &format!("\"a{n}\",\"b{n}\""), "1.5,2.5", n));
    f(&texts, &format!(r#"{TIME}; tag_keys = ["plc"]"#));
}
