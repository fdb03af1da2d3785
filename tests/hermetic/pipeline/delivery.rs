//! Each record becomes one point, and stored records are committed.

use crate::support::{BY_ID, Cluster, Setup, Sink, record, wait_until};
use engine::telemetry::Counters;
use line_protocol::reader::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use testkit::NewRecord;

#[test]
fn every_record_is_stored_once_and_committed() {
    const PARTITIONS: i32 = 4;
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let mut want = Vec::new();
    for partition in 0..PARTITIONS {
        let ids: Vec<String> = (0..500 + partition).map(|n| format!("{partition}-{n:04}")).collect();
        cluster.produce("t", partition, ids.iter().map(|id| record(id)));
        want.extend(ids);
    }
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).start();
    sink.wait_for_points("main", want.len());
    bridge.stop();
    assert_eq!(sink.ids("main"), want);
    assert_eq!(sink.lines_stored(), want.len() as u64, "some were written twice");
    assert_eq!(cluster.committed("t", PARTITIONS), [500, 501, 502, 503].map(Some));
}

#[test]
fn continues_at_the_committed_offset() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    for id in ["a", "b", "c"] {
        cluster.produce("t", 0, [record(id)]);
        let bridge = setup.start();
        wait_until("the record is stored", || sink.ids("main").contains(&id.to_owned()));
        bridge.stop();
    }
    assert_eq!(sink.lines_stored(), 3, "some were read twice");
}

/// Kafka's timestamps have milliseconds, and InfluxDB keeps one point for each series and time.
#[test]
fn one_series_in_one_millisecond_keeps_every_point() {
    const RECORDS: usize = 10_000;
    const TIME_MS: i64 = 1_767_225_600_123;
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    for n in 0..RECORDS {
        let value = format!(r#"{{"n":{n}}}"#);
        cluster.send(NewRecord {
            topic: "t",
            partition: Some(0),
            value: Some(value.as_bytes()),
            time_ms: Some(TIME_MS),
        });
    }
    cluster.flush();
    let bridge = Setup::new(&cluster, &sink, "'t'").start();
    sink.wait_for_points("main", RECORDS);
    assert_eq!(Counters::get(&bridge.0.counters().collisions), 0);
    bridge.stop();
    let points = sink.points("main");
    assert!(points.iter().all(|point| point.time / 1_000_000 == TIME_MS), "a time left its millisecond");
    let values: BTreeSet<u64> = points.iter().map(|point| number(&point.fields["n"])).collect();
    assert_eq!(values.len(), RECORDS);
    assert_eq!(cluster.committed("t", 1), [Some(10_000)]);
}

/// Points with the same timestamp in their records overwrite each other, which is counted.
#[test]
fn points_that_overwrite_each_other_are_counted() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, (0..300).map(|n| format!(r#"{{"n":{n},"ts":1700000000}}"#)));
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping("time_key = 'ts'\ntime_format = 'unix'").start();
    wait_until("all are settled", || cluster.committed("t", 1) == [Some(300)]);
    let collisions = Counters::get(&bridge.0.counters().collisions);
    bridge.stop();
    assert_eq!(sink.points("main").len(), 1);
    // Collisions between different batches are not counted.
    assert!((1..300).contains(&collisions), "{collisions}");
}

/// Three meters in one record, with one timestamp and no tag, leave one point.
#[test]
fn elements_of_one_record_that_overwrite_each_other_are_counted() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [r#"[{"v":1,"ts":1700000000},{"v":2,"ts":1700000000},{"v":3,"ts":1700000000}]"#]);
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping("time_key = 'ts'\ntime_format = 'unix'").start();
    wait_until("the record is settled", || cluster.committed("t", 1) == [Some(1)]);
    let collisions = Counters::get(&bridge.0.counters().collisions);
    bridge.stop();
    assert_eq!((sink.points("main").len(), collisions), (1, 2));
}

fn number(value: &Value) -> u64 {
    match value {
        Value::Float(number) => *number as u64,
        other => panic!("{other:?} is no float"),
    }
}

#[test]
fn a_topic_created_later_is_picked_up() {
    let (cluster, sink) = (Cluster::with_topic("known", 1), Sink::start());
    cluster.create_topic("unrelated", 1);
    cluster.produce("known", 0, [record("first")]);
    cluster.produce("unrelated", 0, [record("not subscribed")]);
    let bridge = Setup::new(&cluster, &sink, r"['known', '^late-\d+$']").mapping(BY_ID).start();
    // By then the bridge has listed the topics once.
    sink.wait_for_points("main", 1);
    let created = Instant::now();
    cluster.create_topic("late-17", 2);
    cluster.produce("late-17", 1, [record("late")]);
    sink.wait_for_points("main", 2);
    let took = created.elapsed();
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    bridge.stop();
    assert_eq!(sink.ids("main"), ["first", "late"]);
}

/// A stop does not wait for records that the rate limit delays. They are read again.
#[test]
fn a_limit_of_points_a_second_delays_no_stop() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    let all: Vec<String> = (0..1_000).map(|n| format!("{n:04}")).collect();
    cluster.produce("t", 0, all.iter().map(|id| record(id)));
    let setup = || Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).top("shutdown_max = '2s'");
    let slow = setup().batch("lines_max = 100\npoints_per_second_max = 20").start();
    sink.wait_for_points("main", 100);
    slow.stop();
    let stored = sink.points("main").len();
    assert!(stored <= 200, "{stored} points within a few seconds");
    assert_eq!(cluster.committed("t", 1), [Some(stored as i64)]);
    let fast = setup().start();
    sink.wait_for_points("main", 1_000);
    fast.stop();
    assert_eq!(sink.ids("main"), all);
}

/// Two topics share a series, and their records have the same millisecond at equal offsets, as two agents write them.
#[test]
fn topics_of_one_series_keep_every_point() {
    const RECORDS: usize = 500;
    let cluster = Cluster::with_topic("t-a", 1);
    cluster.create_topic("t-b", 1);
    let sink = Sink::start();
    for topic in ["t-a", "t-b"] {
        for n in 0..RECORDS {
            let value = format!(r#"{{"name":"m","v":{n}}}"#);
            cluster.send(NewRecord {
                topic,
                partition: Some(0),
                value: Some(value.as_bytes()),
                time_ms: Some(1_767_225_600_123),
            });
        }
    }
    cluster.flush();
    let bridge = Setup::new(&cluster, &sink, "['t-a', 't-b']").mapping("name_key = 'name'").start();
    let all = [Some(RECORDS as i64)];
    wait_until("all is committed", || {
        cluster.committed("t-a", 1) == all && cluster.committed("t-b", 1) == all
    });
    bridge.stop();
    assert_eq!(sink.points("main").len(), 2 * RECORDS);
}
