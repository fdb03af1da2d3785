//! Committed offsets that are not in Kafka any more.

use crate::support::config::v2;
use crate::support::{Bridge, Config, Influx, Live, PATIENCE, Produced, measured, wait_for};
use std::time::{Duration, Instant};

const MAPPING: &str = "measurement = 'm'\ntag_keys = ['of']";

/// Records with a time of their own each, so that none overwrites another; `of` tells them apart.
fn numbers(of: &str, range: std::ops::Range<u64>, partitions: u64) -> Vec<Produced> {
    let record =
        |i: u64| Produced::new(format!(r#"{{"of":"{of}","value":{i}}}"#)).to((i % partitions) as i32);
    range.map(record).collect()
}

fn count(influx: &Influx, bucket: &str, of: &str) -> u64 {
    let query = format!("SELECT count(value) FROM m WHERE \"of\" = '{of}'");
    let series = influx.try_query(bucket, &query).unwrap_or_default();
    series.first().and_then(|series| series["values"][0][1].as_u64()).unwrap_or(0)
}

#[test]
fn what_retention_took_is_told_once_with_its_number() {
    let Some(live) = Live::or_skip() else { return };
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = kafka.create_topic(live.name("retention"), 2, 1);
    let bucket = influx.create_bucket(live.name("retention"));
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).text();
    let bridge = Bridge::start(&config, &[]);
    kafka.produce(&topic, numbers("a", 0..1_000, 2));
    kafka.group(&topic).wait_until_settled(&topic, 2, PATIENCE);
    bridge.stop();
    kafka.produce(&topic, numbers("b", 0..1_000, 2));
    // Of one partition a part is left, of the other nothing.
    kafka.delete_records_before(&topic, &[700, 1_000]);
    let bridge = Bridge::start(&config, &[]);
    let (told, _) = bridge.wait_for_log(&["ERROR", "deleted records before they were read"], PATIENCE);
    assert!(told.contains("skipped=700") && told.contains("retention.ms"), "{told}");
    assert!(told.contains(&format!("{topic}[0-1]")) && told.contains("earliest=700"), "{told}");
    kafka.group(&topic).wait_until_settled(&topic, 2, PATIENCE);
    influx.wait_for_count(300, PATIENCE, |influx| count(influx, &bucket, "b"));
    assert_eq!((count(&influx, &bucket, "a"), count(&influx, &bucket, "b")), (1_000, 300));
    bridge.stop();
    // It is settled now, though no record of the second partition came.
    let bridge = Bridge::start(&config, &[]);
    kafka.produce(&topic, numbers("c", 0..10, 2));
    influx.wait_for_count(10, PATIENCE, |influx| count(influx, &bucket, "c"));
    assert_eq!(bridge.log_with(&["deleted records"]), [""; 0]);
    bridge.stop();
}

#[test]
fn an_offset_beyond_the_end_is_told_and_committed_anew() {
    let Some(live) = Live::or_skip() else { return };
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = kafka.create_topic(live.name("beyond"), 2, 1);
    let bucket = influx.create_bucket(live.name("beyond"));
    kafka.produce(&topic, numbers("a", 0..100, 1));
    kafka.group(&topic).commit(&topic, &[1_000, 1_000]);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING);
    let bridge = Bridge::start(&config.text(), &[]);
    let (told, _) = bridge.wait_for_log(&["ERROR", "beyond the partition's end"], PATIENCE);
    assert!(told.contains(&format!("{topic}[0-1]")) && told.contains("offset=1000"), "{told}");
    influx.wait_for_count(100, PATIENCE, |influx| count(influx, &bucket, "a"));
    let group = kafka.group(&topic);
    let committed = || (group.committed(&topic, 2) == [100, 0]).then_some(());
    wait_for("commits of what there is", PATIENCE, committed);
    bridge.stop();
}

#[test]
fn a_topic_that_is_created_again_is_read_from_its_beginning() {
    let Some(live) = Live::or_skip() else { return };
    recreated(&live, 300, Duration::ZERO);
}

#[test]
fn a_topic_that_is_created_again_after_a_while_is_read_from_its_beginning() {
    let Some(live) = Live::or_skip() else { return };
    recreated(&live, 6_000, Duration::from_secs(8));
}

/// `records` go into the new topic, after 3,000 of the old.
fn recreated(live: &Live, records: u64, after: Duration) {
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = kafka.create_topic(live.name("recreated"), 3, 1);
    let bucket = influx.create_bucket(live.name("recreated"));
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING);
    let bridge = Bridge::start(&config.text(), &[]);
    kafka.produce(&topic, numbers("old", 0..3_000, 3));
    kafka.group(&topic).wait_until_settled(&topic, 3, PATIENCE);

    kafka.delete_topic(&topic);
    std::thread::sleep(after);
    kafka.create_topic(topic.clone(), 3, 1);
    let begin = Instant::now();
    // A producer of its own: the other one may remember the old topic.
    live.kafka().produce(&topic, numbers("new", 0..records, 3));
    influx.wait_for_count(records, PATIENCE, |influx| count(influx, &bucket, "new"));
    measured("a topic created again, to all queried", format!("{:?}", begin.elapsed()));
    let group = kafka.group(&topic);
    let want = vec![records as i64 / 3; 3];
    wait_for("commits of the new topic", PATIENCE, || (group.committed(&topic, 3) == want).then_some(()));
    assert_eq!((count(&influx, &bucket, "old"), count(&influx, &bucket, "new")), (3_000, records));
    bridge.stop();
}
