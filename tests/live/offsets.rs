//! Committed offsets that no longer exist in Kafka.

use crate::support::config::v2;
use crate::support::{Bridge, Config, Influx, Live, PATIENCE, Produced, Scene, measured, wait_for};
use std::time::{Duration, Instant};

const MAPPING: &str = "measurement = 'm'\ntag_keys = ['of']";

/// Records with distinct timestamps, so that none overwrites another; `of` is a tag of their origin.
fn numbers(group: &str, range: std::ops::Range<u64>, partitions: u64) -> Vec<Produced> {
    let record =
        |i: u64| Produced::new(format!(r#"{{"of":"{group}","value":{i}}}"#)).to((i % partitions) as i32);
    range.map(record).collect()
}

fn count(influx: &Influx, bucket: &str, group: &str) -> u64 {
    let query = format!("SELECT count(value) FROM m WHERE \"of\" = '{group}'");
    let series = influx.try_query(bucket, &query).unwrap_or_default();
    series.first().and_then(|series| series["values"][0][1].as_u64()).unwrap_or(0)
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn records_deleted_by_retention_are_logged_once_with_their_number() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("retention", 2);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).text();
    let bridge = Bridge::start(&config, &[]);
    kafka.produce(&topic, numbers("a", 0..1_000, 2));
    kafka.group(&topic).wait_until_settled(&topic, 2, PATIENCE);
    bridge.stop();
    kafka.produce(&topic, numbers("b", 0..1_000, 2));
    // A part of one partition is left, and nothing of the other one.
    kafka.delete_records_before(&topic, &[700, 1_000]);
    let bridge = Bridge::start(&config, &[]);
    let (message, _) = bridge.wait_for_log(&["ERROR", "deleted records before they were read"], PATIENCE);
    assert!(message.contains("skipped=700") && message.contains("retention.ms"), "{message}");
    assert!(message.contains(&format!("{topic}[0-1]")) && message.contains("earliest=700"), "{message}");
    kafka.group(&topic).wait_until_settled(&topic, 2, PATIENCE);
    influx.wait_for_count(300, PATIENCE, |influx| count(influx, &bucket, "b"));
    assert_eq!((count(&influx, &bucket, "a"), count(&influx, &bucket, "b")), (1_000, 300));
    bridge.stop();
    // The offset is settled, although the second partition has no records.
    let bridge = Bridge::start(&config, &[]);
    kafka.produce(&topic, numbers("c", 0..10, 2));
    influx.wait_for_count(10, PATIENCE, |influx| count(influx, &bucket, "c"));
    assert_eq!(bridge.log_with(&["deleted records"]), [""; 0]);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn an_offset_beyond_the_end_is_logged_and_replaced() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("beyond", 2);
    kafka.produce(&topic, numbers("a", 0..100, 1));
    kafka.group(&topic).commit(&topic, &[1_000, 1_000]);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING);
    let bridge = Bridge::start(&config.text(), &[]);
    let (message, _) = bridge.wait_for_log(&["ERROR", "beyond the partition's end"], PATIENCE);
    assert!(message.contains(&format!("{topic}[0-1]")) && message.contains("offset=1000"), "{message}");
    influx.wait_for_count(100, PATIENCE, |influx| count(influx, &bucket, "a"));
    let group = kafka.group(&topic);
    let committed = || (group.committed(&topic, 2) == [100, 0]).then_some(());
    wait_for("commits of what there is", PATIENCE, committed);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_topic_that_is_created_again_is_read_from_its_beginning() {
    recreated(300, Duration::ZERO);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_topic_that_is_created_again_after_a_while_is_read_from_its_beginning() {
    recreated(6_000, Duration::from_secs(8));
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_topic_that_is_created_again_and_outgrows_the_old_one_is_read_from_its_beginning() {
    recreated(60_000, Duration::ZERO);
}

/// The log line of a topic that is recognized by its id.
const RECREATED: [&str; 1] = ["deleted and created again while it was read"];

/// A bridge that reads a topic with one partition and 1,000 old records.
struct Reading {
    scene: Scene,
    config: String,
    bridge: Bridge,
}

impl Reading {
    /// `kafka_more`: more keys of `[kafka]`.
    fn start(name: &str, kafka_more: &str) -> Self {
        let scene = Scene::new(name, 1);
        let config =
            Config::new(&scene.kafka, &scene.topic, v2(&scene.influx, &scene.bucket)).mapping(MAPPING);
        let config = config.kafka_more(kafka_more).text();
        let bridge = Bridge::start(&config, &[]);
        scene.kafka.produce(&scene.topic, numbers("old", 0..1_000, 1));
        Self { scene, config, bridge }
    }
}

/// Recreates a topic with one partition, and produces these new records, by a producer that did not cache the old topic's metadata.
fn recreate(live: &Live, topic: &str, new: std::ops::Range<u64>) {
    live.kafka().delete_topic(topic);
    live.kafka().create_topic(topic.to_owned(), 1, 1);
    live.kafka().produce(topic, numbers("new", new, 1));
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_topic_that_is_created_again_and_stays_empty_keeps_its_first_offset_committed() {
    let Reading { scene: Scene { live, kafka, influx, topic, bucket }, config, bridge } =
        Reading::start("empty", "");
    let group = kafka.group(&topic);
    group.wait_until_settled(&topic, 1, PATIENCE);

    recreate(&live, &topic, 0..0);
    bridge.wait_for_log(&RECREATED, PATIENCE);
    wait_for("the commit of the first offset", PATIENCE, || {
        (group.committed(&topic, 1) == [0]).then_some(())
    });
    // The stop commits what is stored beyond the committed offset, like each automatic commit.
    bridge.stop();
    assert_eq!(group.committed(&topic, 1), [0]);
    live.kafka().produce(&topic, numbers("new", 0..6_000, 1));
    let bridge = Bridge::start(&config, &[]);
    group.wait_until_settled(&topic, 1, PATIENCE);
    influx.wait_for_count(6_000, PATIENCE, |influx| count(influx, &bucket, "new"));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_stop_right_after_a_topic_was_created_again_commits_the_first_offset() {
    stopped_after_recreation("", |_| {});
}

/// The coordinator revokes the partitions of the deleted topic, and assigns those of the new one.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_revocation_because_a_topic_was_created_again_commits_no_offset_of_the_old_one() {
    let until_revoked = |bridge: &Bridge| drop(bridge.wait_for_log(&["revoked"], PATIENCE));
    stopped_after_recreation("group_protocol = 'consumer'", until_revoked);
}

/// Stops the bridge before it learns the new topic's id by itself, and starts it again.
fn stopped_after_recreation(kafka_more: &str, wait: impl Fn(&Bridge)) {
    let Reading { scene: Scene { live, kafka, influx, topic, bucket }, config, bridge } =
        Reading::start("stop", kafka_more);
    let group = kafka.group(&topic);
    group.wait_until_settled(&topic, 1, PATIENCE);
    // The bridge requests the ids every 5 s.
    std::thread::sleep(Duration::from_secs(6));
    recreate(&live, &topic, 0..6_000);
    wait(&bridge);
    bridge.stop();
    let bridge = Bridge::start(&config, &[]);
    group.wait_until_settled(&topic, 1, PATIENCE);
    influx.wait_for_count(6_000, PATIENCE, |influx| count(influx, &bucket, "new"));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_blocked_topic_that_is_created_again_resumes_at_its_beginning() {
    let Reading { scene: Scene { live, kafka, influx, topic, bucket }, config, bridge } =
        Reading::start("blocked", "");
    kafka.produce(&topic, (0..3_000).map(|i| Produced::new(format!("not json {i}")).to(0)));
    bridge.wait_for_log(&["topic blocked", "reject_rate"], PATIENCE);
    // The topic's id is asked for shortly after the assignment.
    std::thread::sleep(Duration::from_secs(3));

    recreate(&live, &topic, 0..6_000);
    bridge.wait_for_log(&RECREATED, PATIENCE);
    bridge.ask_for_reload(&config);
    influx.wait_for_count(6_000, PATIENCE, |influx| count(influx, &bucket, "new"));
    let group = kafka.group(&topic);
    wait_for("commits", PATIENCE, || (group.committed(&topic, 1) == [6_000]).then_some(()));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_reload_after_a_topic_was_created_again_during_an_outage_skips_nothing() {
    let Reading { scene: Scene { live, kafka, influx, topic, bucket }, config, bridge } =
        Reading::start("outage", "");
    let group = kafka.group(&topic);
    group.wait_until_settled(&topic, 1, PATIENCE);

    influx.delete_bucket(&bucket);
    kafka.produce(&topic, numbers("old", 1_000..1_500, 1));
    bridge.wait_for_log(&["bucket_missing"], PATIENCE);
    recreate(&live, &topic, 0..6_000);
    bridge.wait_for_log(&RECREATED, PATIENCE);
    // The reload leaves the open records of the old topic unsettled.
    bridge.reload(&format!("{config}\n[reject]\nrate_max = 0.5\n"));
    influx.create_bucket(bucket.clone());
    influx.wait_for_count(6_000, PATIENCE, |influx| count(influx, &bucket, "new"));
    wait_for("commits", PATIENCE, || (group.committed(&topic, 1) == [6_000]).then_some(()));
    bridge.stop();
}

/// `records` go into the new topic; the old one had 3,000.
fn recreated(records: u64, after: Duration) {
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("recreated", 3);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING);
    let bridge = Bridge::start(&config.text(), &[]);
    kafka.produce(&topic, numbers("old", 0..3_000, 3));
    kafka.group(&topic).wait_until_settled(&topic, 3, PATIENCE);

    kafka.delete_topic(&topic);
    std::thread::sleep(after);
    kafka.create_topic(topic.clone(), 3, 1);
    let begin = Instant::now();
    // A new producer, because the first one may have cached the old topic's metadata.
    live.kafka().produce(&topic, numbers("new", 0..records, 3));
    influx.wait_for_count(records, PATIENCE, |influx| count(influx, &bucket, "new"));
    measured("a topic created again, to all queried", format!("{:?}", begin.elapsed()));
    let group = kafka.group(&topic);
    let want = vec![records as i64 / 3; 3];
    wait_for("commits of the new topic", PATIENCE, || (group.committed(&topic, 3) == want).then_some(()));
    assert_eq!((count(&influx, &bucket, "old"), count(&influx, &bucket, "new")), (3_000, records));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn aborted_records_are_never_seen_and_the_gaps_are_committed() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("aborted", 1);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).text();
    let bridge = Bridge::start(&config, &[]);
    bridge.wait_until_assigned(&topic);
    kafka.transactions(
        &topic,
        [
            (true, numbers("committed", 0..100, 1)),
            (false, numbers("aborted", 0..100, 1)),
            (true, numbers("committed", 100..200, 1)),
            (false, numbers("aborted", 100..150, 1)),
        ],
    );
    influx.wait_for_count(200, PATIENCE, |influx| count(influx, &bucket, "committed"));
    // 100 records and a marker, twice, then 100 records. The markers and the aborted records after the last one are no records.
    let group = kafka.group(&topic);
    wait_for("commits", PATIENCE, || (group.committed(&topic, 1) == [302]).then_some(()));
    assert_eq!(group.ends(&topic, 1), [354]);
    bridge.stop();
    // Reading continues after the gap.
    kafka.produce(&topic, numbers("plain", 0..10, 1));
    let bridge = Bridge::start(&config, &[]);
    influx.wait_for_count(10, PATIENCE, |influx| count(influx, &bucket, "plain"));
    wait_for("commits", PATIENCE, || (group.committed(&topic, 1) == [364]).then_some(()));
    assert_eq!((count(&influx, &bucket, "committed"), count(&influx, &bucket, "aborted")), (200, 0));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_compacted_topic_is_read_with_its_gaps_and_tombstones() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "500"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("delete.retention.ms", "100"),
        ("max.compaction.lag.ms", "1000"),
    ];
    let topic = kafka.create_topic_with(live.name("compacted"), 1, 1, &settings);
    let bucket = influx.create_bucket(live.name("compacted"));
    // All records have one key, so compaction keeps the last one of each segment.
    let compacted = || {
        kafka.produce(&topic, numbers("late", 0..1, 1));
        (kafka.count(&topic) < 100).then_some(())
    };
    kafka.produce(&topic, numbers("early", 0..1_000, 1));
    kafka.produce(&topic, [Produced::default()]);
    let ((), took) = wait_for("the topic is compacted", PATIENCE, compacted);
    measured("compacted after", format!("{took:?}"));
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).text();
    let bridge = Bridge::start(&config, &[]);
    kafka.produce(&topic, [Produced::default()]);
    kafka.produce(&topic, numbers("last", 0..1, 1));
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    assert_eq!(count(&influx, &bucket, "last"), 1);
    assert!(count(&influx, &bucket, "early") < 1_000);
    assert_eq!(bridge.log_with(&["record rejected"]), [""; 0]);
    assert_eq!(bridge.log_with(&["ERROR"]), [""; 0]);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_rebalance_after_a_topic_was_created_again_skips_nothing() {
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("again", 4);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).text();
    let one = Bridge::start(&config, &[]);
    kafka.produce(&topic, numbers("old", 0..4_000, 4));
    kafka.group(&topic).wait_until_settled(&topic, 4, PATIENCE);
    kafka.delete_topic(&topic);
    kafka.create_topic(topic.clone(), 4, 1);
    let again = live.kafka();
    again.produce(&topic, numbers("new", 0..40, 4));
    influx.wait_for_count(40, PATIENCE, |influx| count(influx, &bucket, "new"));
    // The offsets are beyond the old topic's end, while the group is rebalanced.
    let two = Bridge::start(&config, &[]);
    for n in 0..100 {
        again.produce(&topic, numbers("new", 40 + n * 400..440 + n * 400, 4));
        std::thread::sleep(Duration::from_millis(20));
    }
    two.wait_until_assigned(&topic);
    influx.wait_for_count(40_040, PATIENCE, |influx| count(influx, &bucket, "new"));
    assert_eq!(count(&influx, &bucket, "new"), 40_040);
    one.stop();
    two.stop();
}
