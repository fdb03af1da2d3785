//! Topics and partitions that are created while the bridge runs.

use crate::support::config::v2;
use crate::support::{Bridge, Config, Live, PATIENCE, Produced, Scene, measured};
use std::time::{Duration, Instant};

/// The promise is 10 s. The limit allows for a busy machine.
const PICKED_UP_MAX: Duration = Duration::from_secs(20);

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_topic_that_matches_and_is_created_later_is_picked_up() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let bucket = influx.create_bucket(live.name("pattern"));
    let prefix = live.name("pattern");
    let pattern = format!(r"^{prefix}_\d+$");
    // `\d` is syntax of Rust's regular expressions, and not of librdkafka's.
    let config = Config::new(&kafka, &pattern, v2(&influx, &bucket)).group(&prefix);
    let first = kafka.create_topic(format!("{prefix}_1"), 1, 1);
    kafka.create_topic(format!("{prefix}_x"), 1, 1);
    kafka.produce(&first, [Produced::new(r#"{"value":1}"#)]);
    let bridge = Bridge::start(&config.text(), &[]);
    influx.wait_for_count(1, PATIENCE, |influx| influx.count(&bucket, &first, "value"));

    let begin = Instant::now();
    let second = kafka.create_topic(format!("{prefix}_2"), 2, 1);
    kafka.produce(&second, [Produced::new(r#"{"value":1}"#), Produced::new(r#"{"value":2}"#).to(1)]);
    influx.wait_for_count(2, PATIENCE, |influx| influx.count(&bucket, &second, "value"));
    measured("a new topic of a pattern, created to queried", format!("{:?}", begin.elapsed()));
    assert!(begin.elapsed() < PICKED_UP_MAX, "{:?}", begin.elapsed());
    // The first topic is read on, and the one that does not match is not read.
    kafka.produce(&first, [Produced::new(r#"{"value":2}"#)]);
    influx.wait_for_count(2, PATIENCE, |influx| influx.count(&bucket, &first, "value"));
    assert_eq!(bridge.log_with(&["assigned", "_x["]), [""; 0]);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_named_topic_that_is_created_later_is_read() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let bucket = influx.create_bucket(live.name("later"));
    let topic = live.name("later");
    let bridge = Bridge::start(&Config::new(&kafka, &topic, v2(&influx, &bucket)).text(), &[]);
    bridge.wait_for_log(&["a topic does not exist", "kafka.topics"], PATIENCE);
    let begin = Instant::now();
    kafka.create_topic(topic.clone(), 1, 1);
    kafka.produce(&topic, [Produced::new(r#"{"value":1}"#)]);
    influx.wait_for_count(1, PATIENCE, |influx| influx.count(&bucket, &topic, "value"));
    measured("a missing topic, created to queried", format!("{:?}", begin.elapsed()));
    assert!(begin.elapsed() < PICKED_UP_MAX, "{:?}", begin.elapsed());
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_partition_that_is_added_is_read_from_its_beginning() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("grows", 1);
    let bridge = Bridge::start(&Config::new(&kafka, &topic, v2(&influx, &bucket)).text(), &[]);
    kafka.produce(&topic, [Produced::new(r#"{"value":1}"#)]);
    influx.wait_for_count(1, PATIENCE, |influx| influx.count(&bucket, &topic, "value"));
    let begin = Instant::now();
    kafka.set_partitions(&topic, 3);
    kafka.produce(&topic, (0..3).map(|partition| Produced::new(r#"{"value":2}"#).to(partition)));
    influx.wait_for_count(4, PATIENCE, |influx| influx.count(&bucket, &topic, "value"));
    measured("new partitions, added to queried", format!("{:?}", begin.elapsed()));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn two_bridges_share_the_partitions_and_one_takes_over() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::replicated("share", 4);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping("measurement = 'm'").text();
    let record = |i: u64| Produced::new(format!(r#"{{"value":{i}}}"#)).to((i % 4) as i32);
    let one = Bridge::start(&config, &[]);
    one.wait_until_assigned(&topic);
    kafka.produce(&topic, (0..20_000).map(record));
    let two = Bridge::start(&config, &[]);
    two.wait_until_assigned(&topic);
    kafka.produce(&topic, (20_000..40_000).map(record));
    one.stop();
    kafka.produce(&topic, (40_000..60_000).map(record));
    kafka.group(&topic).wait_until_settled(&topic, 4, PATIENCE);
    assert_eq!(influx.count(&bucket, "m", "value"), 60_000);
    two.stop();
}
