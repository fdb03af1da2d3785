//! A bad record is rejected alone: it is counted by its reason, and good records before and after it are stored.

use crate::folder::Folder;
use crate::program::Running;
use crate::support::{BY_ID, Bridge, Cluster, Setup, Sink, record, wait_until};
use engine::telemetry::Counters;
use mapping::Reason;
use testkit::NewRecord;

/// Bad records, each with the reason that counts it.
fn bad_records() -> Vec<(Vec<u8>, Reason)> {
    let deep = |levels: usize| {
        let (open, close) = (r#"{"a":"#.repeat(levels), "}".repeat(levels));
        format!(r#"{{"id":"deep","at":1767225600,"v":{open}1{close}}}"#).into_bytes()
    };
    let garbage: Vec<u8> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    vec![
        (b"not JSON".to_vec(), Reason::Undecodable),
        (br#"{"id":"cut","at":1767225600,"v":1"#.to_vec(), Reason::Undecodable),
        (b"{\"id\":\"x\",\"at\":1767225600,\xFF\xFE\"v\":1}".to_vec(), Reason::Undecodable),
        (b"".to_vec(), Reason::Empty),
        (b" \r\n".to_vec(), Reason::Empty),
        (b"5".to_vec(), Reason::NotAnObject),
        (br#"["a"]"#.to_vec(), Reason::NotAnObject),
        (br#"{"id":"no time","v":1}"#.to_vec(), Reason::Time),
        (br#"{"id":"absurd","at":"yesterday","v":1}"#.to_vec(), Reason::Time),
        (br#"{"id":"absurd","at":1e300,"v":1}"#.to_vec(), Reason::Time),
        (br#"{"id":"absurd","at":true,"v":1}"#.to_vec(), Reason::Time),
        (deep(65), Reason::TooDeep),
        (deep(10_000), Reason::TooDeep),
        (garbage, Reason::Undecodable),
        (too_large(), Reason::TooLarge),
    ]
}

fn too_large() -> Vec<u8> {
    format!(r#"{{"id":"large","at":1767225600,"v":1,"text":"{}"}}"#, "x".repeat(1_500_000)).into_bytes()
}

fn rejected(bridge: &Bridge) -> u64 {
    bridge.0.counters().rejected().map(|(_, count)| count).sum()
}

fn timed(id: &str) -> String {
    format!(r#"{{"id":"{id}","at":1767225600,"v":1}}"#)
}

#[test]
fn each_bad_record_is_rejected_alone() {
    let bad = bad_records();
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [timed("first")]);
    for (number, (value, _)) in bad.iter().enumerate() {
        cluster.produce("t", 0, [value.as_slice(), timed(&format!("good-{number:02}")).as_bytes()]);
    }
    // A tombstone is neither a point nor an error.
    cluster.send(NewRecord { topic: "t", partition: Some(0), value: None, time_ms: None });
    cluster.produce("t", 0, [timed("last")]);
    let bridge = Setup::new(&cluster, &sink, "'t'")
        .kafka("record_bytes_max = '1200kB'")
        .mapping(&format!("{BY_ID}\ntime_key = 'at'\ntime_format = 'unix'"))
        .start();
    sink.wait_for_points("main", bad.len() + 2);
    for reason in Reason::ALL {
        let want = bad.iter().filter(|(_, rejected_for)| *rejected_for == reason).count();
        assert_eq!(bridge.rejected(reason), want as u64, "{reason:?}");
    }
    assert_eq!(Counters::get(&bridge.0.counters().filtered), 1);
    let produced = (2 * bad.len() + 3) as u64;
    assert_eq!(bridge.records(), produced);
    bridge.stop();
    assert_eq!(cluster.committed("t", 1), [Some(produced as i64)], "a rejected record is settled too");
}

#[test]
fn absurd_times_are_rejected_alone() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.create_topic("k", 1);
    let at = |id: &str, at: i64| format!(r#"{{"id":"{id}","at":{at},"v":1}}"#);
    // Times of 2026, and the same numbers read with another unit.
    cluster.produce("t", 0, [at("good", 1_767_225_600), at("early", 1_767_225), at("late", 8_000_000_000)]);
    for (id, time_ms) in [("past", 86_400_000), ("now", 1_767_225_600_000), ("future", 8_000_000_000_000)] {
        let value = record(id);
        let value = Some(value.as_bytes());
        cluster.send(NewRecord { topic: "k", partition: Some(0), value, time_ms: Some(time_ms) });
    }
    cluster.flush();
    let ends = "time_min = '2000-01-01'\ntime_max = '2100-01-01'";
    let bridge = Setup::new(&cluster, &sink, "['t', 'k']")
        .mapping(&format!("topics = 't'\n{BY_ID}\ntime_key = 'at'\ntime_format = 'unix'\n{ends}"))
        .mapping(&format!("{BY_ID}\n{ends}"))
        .start();
    wait_until("all are read", || bridge.records() == 6);
    sink.wait_for_points("main", 2);
    assert_eq!(bridge.rejected(Reason::Time), 4);
    bridge.stop();
    assert_eq!(sink.ids("main"), ["good", "now"]);
}

/// Far more tombstones than `reject.rate_max` permits, with a point now and then: none is rejected or dead-lettered.
#[test]
fn tombstones_block_no_topic() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    for number in 0..2_500 {
        cluster.send(NewRecord { topic: "t", partition: Some(0), value: None, time_ms: None });
        if number % 500 == 499 {
            cluster.produce("t", 0, [record(&number.to_string())]);
        }
    }
    cluster.flush();
    let folder = Folder::new();
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).top(&folder.table()).start();
    sink.wait_for_points("main", 5);
    wait_until("all are committed", || cluster.committed("t", 1) == [Some(2_505)]);
    assert!(bridge.0.writer().alarms().is_empty());
    assert_eq!((rejected(&bridge), Counters::get(&bridge.0.counters().filtered)), (0, 2_500));
    assert_eq!(Counters::get(&bridge.0.counters().dead_letters), 0);
    bridge.stop();
}

#[test]
fn a_query_that_selects_nothing_and_a_topic_without_points_are_logged_once() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.create_topic("other", 1);
    cluster.produce("t", 0, (0..250).map(|n| record(&n.to_string())));
    // A query that sometimes selects nothing is no fault. Few records of a topic prove nothing.
    cluster.produce("other", 0, ["{}".to_owned(), record("good")]);
    cluster.create_topic("text", 1);
    cluster.produce("text", 0, (0..150).map(|_| r#"{"state":"on"}"#));
    let setup = Setup::new(&cluster, &sink, "['t', 'other', 'text']")
        .mapping("topics = ['t']\nquery = '$.itmes[*]'")
        .mapping(BY_ID);
    let mut service = Running::start(&setup.text());
    wait_until("all are committed", || cluster.committed("t", 1) == [Some(250)]);
    sink.wait_for_points("main", 1);
    wait_until("both are logged", || {
        service.has_logged("`query` selects nothing")
            && service.count_logged("first records were filtered") == 2
    });
    assert_eq!(service.stop(), Some(0));
    assert_eq!(service.count_logged("`query` selects nothing"), 1);
    assert_eq!(service.count_logged("first records were filtered"), 2);
    // The remedy follows from the records.
    assert_eq!(service.count_logged("look at `query`, `where`, `include` and `exclude`"), 1);
    assert_eq!(service.count_logged("should become points, add their keys to `string_fields`"), 1);
}

/// Text with a special meaning in line protocol stays text.
#[test]
fn untrusted_text_injects_nothing() {
    let hostile =
        ["a,b=c d=1 1\nevil v=1", "\\", "\\,", "\"", "x\r\ny", "한글 🙂, =", "\u{0}\u{1b}[31m", "#"];
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    let quoted = hostile.map(|text| serde_json::Value::from(text).to_string());
    cluster.produce("t", 0, quoted.iter().map(|text| format!(r#"{{"id":{text},{text}:1,"s":{text}}}"#)));
    cluster.produce("t", 0, [record("last")]);
    let bridge =
        Setup::new(&cluster, &sink, "'t'").mapping(&format!("{BY_ID}\nstring_fields = ['s']")).start();
    sink.wait_for_points("main", hostile.len() + 1);
    bridge.stop();
    let points = sink.points("main");
    assert!(points.iter().all(|point| point.measurement == "t"), "{points:?}");
    assert!(points.iter().all(|point| point.tags.len() <= 1 && point.fields.len() <= 2), "{points:?}");
}
