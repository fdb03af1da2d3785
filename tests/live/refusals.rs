//! Refused lines among good ones: InfluxDB refuses each one exactly once, and every good line is stored.

use crate::support::config::v2;
use crate::support::{Bridge, Config, Influx, Kafka, Live, PATIENCE, Produced, Scene, measured};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY_S: u64 = 24 * 3600;
const MAPPING: &str = "measurement = 'm'\ntime_key = 'at'\ntime_format = 'unix'\nstring_fields = ['value']";

/// Produces records with their own timestamps before the bridge starts, so that good and bad records share batches. Then asserts that exactly
/// the good numbers are stored.
fn assert_refused_alone(
    kafka: &Kafka,
    influx: &Influx,
    topic: &str,
    bucket: &str,
    record: impl Fn(u64) -> (u64, Value),
    records: u64,
    is_good: impl Fn(u64) -> bool,
) {
    let produced = (0..records).map(|n| {
        let (at, value) = record(n);
        Produced::new(format!(r#"{{"at":{at},"n":{n},"value":{value}}}"#))
    });
    kafka.produce(topic, produced);
    let config = Config::new(kafka, topic, v2(influx, bucket)).mapping(MAPPING).text();
    let bridge = Bridge::start_watched(&config, &[]);
    kafka.group(topic).wait_until_settled(topic, 1, PATIENCE);
    let bad = (0..records).filter(|n| !is_good(*n)).count() as u64;
    let series = influx.query(bucket, "SELECT n FROM m");
    let rows = series[0]["values"].as_array().unwrap();
    let got: BTreeSet<u64> = rows.iter().map(|row| row[1].as_f64().unwrap() as u64).collect();
    let want: BTreeSet<u64> = (0..records).filter(|n| is_good(*n)).collect();
    let differ: Vec<&u64> = want.symmetric_difference(&got).take(20).collect();
    assert!(differ.is_empty(), "{} points, {} good records; these differ: {differ:?}", got.len(), want.len());
    assert_eq!(rows.len(), got.len(), "a record has two points");
    assert_eq!(bridge.metric("lines_refused_total"), bad);
    assert_eq!(bridge.metric("lines_stored_total"), records - bad);
    measured("requests", format!("{} for {records} records, {bad} refused", bridge.metric("requests_total")));
    bridge.stop();
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Wednesday of that week. InfluxDB's weeks begin on Mondays, and 1970 began on a Thursday.
fn midweek(at_s: u64) -> u64 {
    let monday = (at_s - 4 * DAY_S) / (7 * DAY_S) * (7 * DAY_S) + 4 * DAY_S;
    monday + 2 * DAY_S
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_conflict_in_one_shard_costs_no_other_shard() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("shards", 1);
    // InfluxDB writes the shards of a request concurrently, and answers as soon as one of them has failed.
    let weeks: Vec<u64> = (1..5).map(|ago| midweek(now_s() - 7 * DAY_S * ago)).collect();
    influx.write(&bucket, &format!("m value=0 {}000000000", weeks[3] - 1));
    // A shard is a week. In the last one the field has numbers already.
    let is_good = |n: u64| !(n % 4 == 3 && n % 100 == 51);
    let value = |n: u64| if is_good(n) { Value::from(n) } else { Value::from("text") };
    let record = |n: u64| (weeks[(n % 4) as usize] + n / 4, value(n));
    assert_refused_alone(&kafka, &influx, &topic, &bucket, record, 6_000, is_good);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn points_beyond_the_retention_are_refused_alone() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = kafka.create_topic(live.name("retention"), 1, 1);
    let bucket = influx.create_bucket_keeping(live.name("retention"), Duration::from_hours(1));
    let now_s = now_s();
    let is_good = |n: u64| n % 50 != 25;
    let record = |n: u64| (if is_good(n) { now_s - n } else { now_s - DAY_S + n }, Value::from(n));
    assert_refused_alone(&kafka, &influx, &topic, &bucket, record, 2_000, is_good);
}
