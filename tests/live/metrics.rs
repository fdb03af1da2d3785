//! `/metrics` of a bridge on real servers.

use crate::support::config::v2;
use crate::support::{Bridge, Config, Live, PATIENCE, Page, Produced, measured, wait_for};
use std::time::{SystemTime, UNIX_EPOCH};

const RECORDS: usize = 5_000;
const MINUTE_MS: i64 = 60_000;

fn of(page: &Page, name: &str, topic: &str, partition: &str) -> Option<f64> {
    page.number(&format!("kafka_influx_bridge_{name}"), &[("topic", topic), ("partition", partition)])
}

/// The sum of all samples of a name, as an integer.
fn total(page: &Page, name: &str) -> usize {
    page.numbers(&format!("kafka_influx_bridge_{name}")).iter().sum::<f64>() as usize
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn metrics_show_how_long_kafka_keeps_unwritten_records() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    // A topic with a retention of one hour, records of 50 minutes ago, and a bucket that does not exist.
    let topic = kafka.create_topic_with(live.name("kept"), 2, 1, &[("retention.ms", "3600000")]);
    let bucket = live.name("kept");
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let record =
        |i: usize| Produced::new(format!(r#"{{"value":{i}}}"#)).at(now_ms - 50 * MINUTE_MS + i as i64);
    kafka.produce(&topic, (0..RECORDS).map(record));
    kafka.produce(&topic, [Produced::new("no json").at(now_ms)]);
    let start = |group: &str| {
        let config = Config::new(&kafka, &topic, v2(&influx, &bucket))
            .mapping("measurement = 'm'")
            .group(group)
            .kafka_more("librdkafka.'statistics.interval.ms' = 500");
        let bridge = Bridge::start_watched(&config.text(), &[]);
        bridge.wait_for_log(&["metrics, health and readiness are served"], PATIENCE);
        bridge
    };
    let bridge = start(&topic);
    let page = || bridge.page();

    let known = || Some(page()).filter(|page| of(page, "retention_left_seconds", &topic, "0").is_some());
    let (blocked, took) = wait_for("retention is known", PATIENCE, known);
    measured("until retention is known", format!("{took:?}"));
    let left = of(&blocked, "retention_left_seconds", &topic, "0").unwrap();
    let behind = of(&blocked, "behind_seconds", &topic, "0").unwrap();
    assert!((300.0..=600.0).contains(&left) && (left + behind - 3_600.0).abs() < 0.1, "{left} {behind}");
    // The other partition has no records.
    assert_eq!(of(&blocked, "retention_left_seconds", &topic, "1"), None);
    assert_eq!(total(&blocked, "blocked"), 1);
    let buffered =
        || (of(&page(), "buffered_records", &topic, "0") == Some(RECORDS as f64 + 1.0)).then_some(());
    wait_for("everything is buffered", PATIENCE, buffered);
    assert_eq!(of(&page(), "committed_offset", &topic, "0"), None);
    assert_eq!(total(&page(), "buffered_lines"), RECORDS);
    let words = ["WARN", "are deleted by the topic's retention in ", " min", &format!("{topic}[0]")];
    measured("until the log warns", format!("{:?}", bridge.wait_for_log(&words, PATIENCE).1));

    // A blocked bridge may wait for half a minute before it retries. A bridge in another group starts at once with the same records.
    bridge.kill();
    influx.create_bucket(bucket.clone());
    let group = live.name("kept_again");
    let bridge = start(&group);
    let page = || bridge.page();
    kafka.group(&group).wait_until_settled(&topic, 2, PATIENCE);
    let is_healthy = |page: &Page| {
        ["lag_records", "behind_seconds"].iter().all(|name| of(page, name, &topic, "0") == Some(0.0))
    };
    let (healthy, _) =
        wait_for("nothing is left to be settled", PATIENCE, || Some(page()).filter(is_healthy));
    assert_eq!(of(&healthy, "retention_left_seconds", &topic, "0"), None);
    assert_eq!(of(&healthy, "unread_records", &topic, "0"), Some(0.0));
    assert_eq!(of(&healthy, "buffered_records", &topic, "0"), Some(0.0));
    assert_eq!(of(&healthy, "committed_offset", &topic, "0"), Some(RECORDS as f64 + 1.0));
    for (name, want) in [
        ("records_total", RECORDS + 1),
        ("lines_stored_total", RECORDS),
        ("topic_rejected_total", 1),
        ("batch_lines_sum", RECORDS),
        ("buffered_lines", 0),
        ("requests_in_flight", 0),
        ("blocked", 0),
        ("kafka_group_member", 1),
        ("kafka_fetch_queue_records", 0),
    ] {
        assert_eq!(total(&healthy, name), want, "{name}");
    }
    assert!(total(&healthy, "kafka_broker_connected") >= 1);
    assert!(total(&healthy, "kafka_broker_received_bytes_total") > RECORDS * 10);
    let round_trip: f64 = healthy.numbers("kafka_influx_bridge_kafka_broker_round_trip_seconds").iter().sum();
    assert!((0.000_01..5.0).contains(&round_trip), "{round_trip}");
    assert!(total(&healthy, "request_duration_seconds_count") >= 1);
    let resident = healthy.numbers("process_resident_memory_bytes")[0];
    assert!((5e6..500e6).contains(&resident), "{resident}");
    bridge.stop();
}
