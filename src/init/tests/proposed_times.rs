//! Which time of a record is proposed, and what is said where none is.

use super::{NOW, keys, sample, table};
use crate::init::{Sample, propose};

/// Six records, each built from its number.
fn six(record: impl Fn(u32) -> String) -> Sample {
    sample((0..6).map(record))
}

fn f(sample: &Sample, want: &str) {
    assert_eq!(keys(sample), want, "{}", table(sample));
}

/// The lines that the terminal shows.
fn warnings(sample: &Sample) -> String {
    propose(sample, NOW).unwrap().warnings.join("\n")
}

#[test]
fn a_list_of_values_with_their_times_makes_points() {
    // Datadog: the texts of another list tell the series apart.
    let series = |host: u32, time: u32| {
        format!(
            r#"{{"metric":"load","type":0,"points":[{{"timestamp":{time},"value":0.5}}],"resources":[{{"name":"web-{host}","type":"host"}}],"tags":["env:prod"]}}"#
        )
    };
    let datadog = six(|n| {
        let time = 1_720_474_474 + 10 * n;
        format!(r#"{{"series":[{},{}]}}"#, series(1, time), series(2, time))
    });
    f(
        &datadog,
        r#"query = "$.series[*]"; explode = ["points"]; name_key = "metric"; time_key = "points_timestamp"; time_format = "unix"; tag_keys = ["resources_*_name", "resources_*_type"]"#,
    );
    // Nothing else tells them apart, and one point is enough.
    let alone = six(|n| {
        let point = format!(r#"{{"timestamp":{},"value":0.5}}"#, 1_720_474_474 + n);
        format!(r#"{{"series":[{{"metric":"load","type":0,"points":[{point}]}}]}}"#)
    });
    f(
        &alone,
        r#"query = "$.series[*].points[*]"; name_key = "^.metric"; time_key = "timestamp"; time_format = "unix"; fields = { type = "^.type" }"#,
    );
}

#[test]
fn series_with_labels_differ_by_their_labels_alone() {
    let label = |name: &str, value: &str| format!(r#"{{"name":"{name}","value":"{value}"}}"#);
    let series = |labels: &[String], time: u32, value: &str| {
        let sample = format!(r#"{{"value":{value},"timestamp":"{time}123"}}"#);
        format!(r#"{{"labels":[{}],"samples":[{sample}]}}"#, labels.join(","))
    };
    let of_time = |time: u32| {
        let up = [label("__name__", "up"), label("instance", "a:9100")];
        let cpu = |number: &str| {
            [label("__name__", "seconds_total"), label("cpu", number), label("instance", "a:9100")]
        };
        let all =
            [series(&up, time, "1"), series(&cpu("0"), time, "100.5"), series(&cpu("1"), time, "101.5")];
        format!(r#"{{"timeseries":[{}]}}"#, all.join(","))
    };
    let want = r#"query = "$.timeseries[*]"; explode = ["samples"]; pivot = [{ list = "labels", name = "name", value = ["value"] }]; name_key = "__name__"; time_key = "samples_timestamp"; time_format = "unix_ms"; tag_keys = ["instance", "cpu"]"#;
    f(&six(|n| of_time(1_720_474_474 + 15 * n)), want);
    f(&sample([of_time(1_720_474_474)]), want);
    // A producer that sends a series twice does not number its series.
    let twice = sample((0..6).map(|_| of_time(1_720_474_474)));
    f(&twice, want);
}

#[test]
fn the_first_item_of_a_pair_may_be_the_time() {
    let pair = |n: u32| format!("[{}.781,\"{n}\"]", 1_720_474_440 + 60 * n);
    let of_records = six(|n| format!(r#"{{"metric":{{"instance":"a"}},"value":{}}}"#, pair(n)));
    f(
        &of_records,
        r#"time_key = "value_0"; time_format = "unix"; tag_keys = ["metric_instance"]; number_fields = ["value_*"]"#,
    );
    // Lists that are no pairs: other names, and other lengths.
    f(&six(|n| format!(r#"{{"bytes":[{},5]}}"#, 1_720_474_440 + n)), "");
    f(&six(|n| format!(r#"{{"values":[{}{}]}}"#, 1_720_474_440 + n, ",5".repeat(n as usize))), "");
}

#[test]
fn the_key_around_a_value_can_be_the_time() {
    let records = six(|n| {
        let time = format!(r#"{{"type":"DateTime","value":"2024-07-08T21:34:0{n}Z"}}"#);
        format!(r#"{{"id":"Room0","t1":{{"value":{n}.5,"metadata":{{"TimeInstant":{time}}}}}}}"#)
    });
    let proposed = keys(&records);
    assert!(
        proposed.contains(r#"time_key = "t1_metadata_TimeInstant_value"; time_format = "rfc3339""#),
        "{}",
        table(&records)
    );
}

#[test]
fn a_time_of_receipt_comes_last() {
    let times = |n: u32| (1_720_478_074 + n, 1_720_474_474 + 60 * n);
    let ingested = six(|n| {
        let (received, measured) = times(n);
        format!(r#"{{"dev":"a","ingest_time":{received},"payload":{{"timestamp":{measured},"v":{n}.5}}}}"#)
    });
    f(&ingested, r#"time_key = "payload_timestamp"; time_format = "unix"; tag_keys = ["dev"]"#);
    // The other time is stored, and the file says how to leave it out.
    assert!(table(&ingested).contains("# exclude = [\"ingest_time\"]"), "{}", table(&ingested));
    // It is better than none.
    f(
        &six(|n| format!(r#"{{"dev":"a","received_at":{},"v":{n}.5}}"#, times(n).0)),
        r#"time_key = "received_at"; time_format = "unix"; tag_keys = ["dev"]"#,
    );
    // A time that follows the point's time at once is left out.
    f(
        &six(|n| format!(r#"{{"dev":"a","ts":{},"received_at":{},"v":{n}.5}}"#, times(n).1, times(n).1 + 2)),
        r#"time_key = "ts"; time_format = "unix"; tag_keys = ["dev"]; exclude = ["received_at"]"#,
    );
}

#[test]
fn a_time_that_stands_still_or_lies_ahead_is_not_the_time_of_points() {
    let still = |time: &str| six(|n| format!(r#"{{"dev":"a",{time},"v":{n}.5}}"#));
    for time in [r#""install_date":"2019-03-01T00:00:00Z""#, r#""boot_time":1720400000"#] {
        let records = still(time);
        f(&records, r#"tag_keys = ["dev"]"#);
        assert!(warnings(&records).contains("a time that stays the same while the values change"), "{time}");
    }
    // Each device has its own.
    let installed = sample((0..60).map(|n| {
        format!(r#"{{"dev":"d{}","install_date":"2019-03-0{}T00:00:00Z","v":{n}.5}}"#, n % 5, 1 + n % 5)
    }));
    f(&installed, r#"tag_keys = ["dev"]"#);
    let next = six(|n| format!(r#"{{"dev":"a","next_update":{},"v":{n}.5}}"#, 1_720_474_474 + n));
    f(&next, r#"tag_keys = ["dev"]"#);
    // A time that moves is better, even as date and time of day.
    let both = six(|n| {
        format!(
            r#"{{"dev":"a","batch_date":1720400000000,"time":"21:34:0{n}","date":"08.07.2024","v":{n}.5}}"#
        )
    });
    f(&both, r#"time = "{date} {time}"; time_format = "%d.%m.%Y %H:%M:%S%.f"; tag_keys = ["dev"]"#);
    // A time that moves now and then, for several points, stays.
    let slow = sample((0..60).map(|n| format!(r#"{{"measured_at":{},"v":{n}.5}}"#, 1_720_474_474 + n / 6)));
    f(&slow, r#"time_key = "measured_at"; time_format = "unix""#);
}

#[test]
fn a_missing_time_has_a_reason() {
    let f = |member: &str, want: &str| {
        let records = six(|n| format!(r#"{{{member},"v":{n}.5}}"#));
        let warnings = warnings(&records);
        assert!(warnings.contains(want), "{want}: {warnings}\n{}", table(&records));
        assert!(!keys(&records).contains("time_key"), "{}", table(&records));
    };
    f(
        r#""ts":"2024-07-08 21:34:10 CEST""#,
        r#""ts" has the name of a time, but the format of its values, such as "2024-07-08 21:34:10 CEST", is unknown"#,
    );
    f(r#""ts":742167274"#, r#"such as "742167274", is unknown"#);
    f(
        r#""ts":"08-07-2024 21:34:10""#,
        r#"the order of day and month in "ts", such as "08-07-2024 21:34:10", is unknown: "%d-%m-%Y %H:%M:%S" and "%m-%d-%Y %H:%M:%S" fit"#,
    );
    let units =
        sample([1_720_474_474, 1_720_474_475_000_u64].map(|time| format!(r#"{{"ts":{time},"v":1}}"#)));
    assert!(warnings(&units).contains(r#"the values of "ts" fit "unix" as well as "unix_ms""#));
    f(
        r#""log":[{"t":"x","at":1720474474},{"t":"y","at":1720474475}],"a":1,"b":2,"c":3"#,
        r#""log_*_at" is a time, but it stands in a list"#,
    );
    f(
        r#""next_update":1720474474"#,
        r#"the name of "next_update" says that it is not the time of the measurement"#,
    );
    f(r#""x":1"#, "no key that looks like a time has plausible values");
}

#[test]
fn numbers_and_states_under_one_key_are_one_field() {
    let boolean =
        six(|n| if n % 2 == 0 { r#"{"value":true}"#.to_owned() } else { format!(r#"{{"value":{n}.5}}"#) });
    f(&boolean, r#"types = { value = "float" }"#);
    assert!(table(&boolean).contains("true is stored as 1"), "{}", table(&boolean));
    let words = six(|n| {
        let value = ["\"active\"", "\"inactive\"", "21.5"][n as usize % 3];
        format!(r#"{{"presentValue":{value}}}"#)
    });
    f(
        &words,
        r#"values = { presentValue = { active = 1, inactive = 0 } }; types = { presentValue = "float" }"#,
    );
    // Other words stay out, and the terminal says so.
    let others =
        six(|n| if n % 2 == 0 { r#"{"value":"warm"}"#.to_owned() } else { format!(r#"{{"value":{n}.5}}"#) });
    f(&others, "");
    assert!(
        warnings(&others).contains("Not stored: texts and booleans that are mixed with numbers: \"value\".")
    );
}
