//! `run --until-end` with aborted records and transaction markers at the end of a partition.

use crate::support::config::v2;
use crate::support::numbers::{MAPPING, assert_numbers, numbers};
use crate::support::{Bridge, Config, Live, PATIENCE, Scene, measured};

/// Waits for the process to exit with status 0; returns the last line of its log.
fn wait_for_end(mut bridge: Bridge) -> String {
    let (status, took) = bridge.wait_for_end(PATIENCE * 2);
    measured("ended by itself after", format!("{took:?}"));
    assert_eq!(status.code(), Some(0));
    bridge.wait_for_log(&["everything up to the end is settled and committed"], PATIENCE).0
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn until_end_does_not_wait_for_transaction_markers() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("marks", 1);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).text();
    let records = |range| numbers(range, 1).collect();
    kafka.transactions(&topic, [(true, records(0..1_000)), (false, records(1_000..1_500))]);
    let message = wait_for_end(Bridge::start_until_end(&config));
    assert!(message.contains("records=1000 stored=1000"), "{message}");
    assert_numbers(&influx, &bucket, 1_000);
    let group = kafka.group(&topic);
    assert_eq!((group.committed(&topic, 1), group.ends(&topic, 1)), (vec![1_000], vec![1_502]));
    // Only markers and aborted records follow the committed offset.
    let message = wait_for_end(Bridge::start_until_end(&config));
    assert!(message.contains("records=0 stored=0"), "{message}");
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn two_processes_share_the_work_and_end() {
    const RECORDS: u64 = 300_000;
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("batch", 6);
    kafka.produce(&topic, numbers(0..RECORDS, 6));
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).text();
    let bridges = [Bridge::start_until_end(&config), Bridge::start_until_end(&config)];
    for message in bridges.map(wait_for_end) {
        measured("share of one process", message.split("records=").last().unwrap_or_default());
    }
    let group = kafka.group(&topic);
    assert_eq!(group.committed(&topic, 6), group.ends(&topic, 6));
    assert_numbers(&influx, &bucket, RECORDS);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_missing_topic_is_named_at_once() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let (topic, bucket) = (live.name("missing"), influx.create_bucket(live.name("missing")));
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).text();
    let mut bridge = Bridge::start_until_end(&config);
    let (status, _) = bridge.wait_for_end(PATIENCE);
    assert_eq!(status.code(), Some(3));
    let (message, _) = bridge.wait_for_log(&["ERROR", "there is no topic"], PATIENCE);
    assert!(message.contains(&topic) && message.contains("kafka.topics"), "{message}");
}
