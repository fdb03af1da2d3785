//! A first run logs that it works, or which key to change.

use crate::support::config::{v2, v2_with};
use crate::support::{Bridge, Config, Kafka, Live, PATIENCE, Produced, Scene, measured};
use std::time::Duration;

/// The promise is 1 s. The limit allows for a busy machine.
const NAMED_MAX: Duration = Duration::from_secs(3);

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_first_run_shows_that_it_is_alive() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("alive", 2);
    kafka.produce(&topic, [Produced::new(r#"{"value":1,"state":"on","hold":true}"#)]);
    let bridge = Bridge::start(&Config::new(&kafka, &topic, v2(&influx, &bucket)).text(), &[]);
    bridge.wait_for_log(&["kafka-influx-bridge starts", "bridge.toml"], PATIENCE);
    bridge.wait_for_log(&["subscribed", &topic], PATIENCE);
    bridge.wait_for_log(&["assigned", &format!("{topic}[0-1]")], PATIENCE);
    bridge.wait_for_log(
        &["first record", &topic, "partition=0", "offset=0", &format!("{topic} value=1 ")],
        PATIENCE,
    );
    let (_, took) = bridge.wait_for_log(&["first lines stored", &bucket, influx.url(), "lines=1"], PATIENCE);
    measured("start to first lines stored", format!("{took:?}"));
    // One warning for each key whose value is dropped, with the option that keeps the value.
    for key in ["state", "hold"] {
        let warnings = bridge.log_with(&["WARN", &format!("key=\"{key}\""), "string_fields"]);
        assert_eq!(warnings.len(), 1, "{key}");
    }
    kafka.produce(&topic, (0..10).map(|_| Produced::new(r#"{"value":1,"state":"on"}"#)));
    influx.wait_for_count(11, PATIENCE, |influx| influx.count(&bucket, &topic, "value"));
    assert_eq!(bridge.log_with(&["WARN", "key=\"state\""]).len(), 1);
    assert_eq!(bridge.log_with(&["first record"]).len(), 1);
    // Without further records, the log gives the reason.
    bridge.wait_for_log(&["no records for 10 s", "read to their end"], PATIENCE);
    bridge.stop();
}

/// Starts the bridge with a record to store, and expects this line soon after the start.
fn assert_named(kafka: &Kafka, topic: &str, influx: String, words: &[&str]) {
    kafka.produce(topic, [Produced::new(r#"{"value":1}"#)]);
    let config = Config::new(kafka, topic, influx);
    let bridge = Bridge::start(&config.text(), &[]);
    let (_, took) = bridge.wait_for_log(words, PATIENCE);
    measured(&format!("{} named, from the start", words[1]), format!("{took:?}"));
    assert!(took < NAMED_MAX, "{took:?}");
    bridge.wait_for_log(&["first record"], PATIENCE);
    assert_eq!(bridge.log_with(words).len(), 1, "once, then once a minute");
    assert_eq!(kafka.group(topic).committed(topic, 1), [-1], "it is not stored");
    assert_eq!(bridge.log_with(&["wrong-secret"]), [""; 0]);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_wrong_token_is_named() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("token", 1);
    assert_named(&kafka, &topic, v2_with(influx.url(), &bucket, "wrong-secret"), &["ERROR", "influx.token"]);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_missing_bucket_is_named_with_the_command_that_makes_it() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = kafka.create_topic(live.name("bucket"), 1, 1);
    let missing = live.name("missing");
    let command = format!("influx bucket create --org test --name {missing}");
    assert_named(&kafka, &topic, v2(&influx, &missing), &["ERROR", "influx.bucket", &command]);
    // The bucket is created while the bridge runs, and the waiting record is stored.
    let influx_toml = v2(&influx, &missing);
    let bridge = Bridge::start(&Config::new(&kafka, &topic, influx_toml).text(), &[]);
    bridge.wait_for_log(&["influx.bucket"], PATIENCE);
    influx.create_bucket(missing.clone());
    influx.wait_for_count(1, PATIENCE, |influx| influx.count(&missing, &topic, "value"));
    bridge.wait_for_log(&["writing goes on"], PATIENCE);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_wrong_address_is_named() {
    let live = Live::take_turn();
    let kafka = live.kafka();
    let topic = kafka.create_topic(live.name("address"), 1, 1);
    // Nothing listens on port 1.
    assert_named(&kafka, &topic, v2_with("http://127.0.0.1:1", "b", "t"), &["127.0.0.1:1", "influx.url"]);
    let bridge = Bridge::start(
        &Config::new(&kafka, &topic, v2_with("http://no-such-host.invalid:8086", "b", "t")).text(),
        &[],
    );
    bridge.wait_for_log(&["influx.url", "no-such-host.invalid"], PATIENCE);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_wrong_broker_is_named() {
    let live = Live::take_turn();
    let (kafka, influx) = (Kafka::new("127.0.0.1:1"), live.influx2());
    let bridge = Bridge::start(&Config::new(&kafka, "t", v2(&influx, "b")).text(), &[]);
    let (_, took) = bridge.wait_for_log(&["ERROR", "kafka.brokers"], PATIENCE);
    measured("wrong broker, start to named", format!("{took:?}"));
    assert!(took < NAMED_MAX, "{took:?}");
    let took = bridge.stop();
    assert!(took < Duration::from_secs(12), "{took:?}");
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_missing_topic_is_named() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = live.name("no_topic");
    let bridge = Bridge::start(&Config::new(&kafka, &topic, v2(&influx, "b")).text(), &[]);
    let (_, took) = bridge.wait_for_log(&["kafka.topics", &topic], PATIENCE);
    measured("missing topic, start to named", format!("{took:?}"));
    assert!(took < NAMED_MAX, "{took:?}");
    let (_, took) = bridge.wait_for_log(&["WARN", "topics of `kafka.topics` do not exist", &topic], PATIENCE);
    measured("missing topic, start to why no records come", format!("{took:?}"));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn more_members_than_partitions_are_logged() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = kafka.create_topic(live.name("members"), 1, 1);
    let config = Config::new(&kafka, &topic, v2(&influx, "ec2")).text();
    let one = Bridge::start(&config, &[]);
    one.wait_until_assigned(&topic);
    let two = Bridge::start(&config, &[]);
    // Either bridge may be assigned the partition.
    let logged =
        || [&one, &two].iter().find_map(|bridge| bridge.log_with(&["2 members for 1 partitions"]).pop());
    crate::support::wait_for("the log reports too many members", PATIENCE, logged);
    two.stop();
    one.stop();
}
