//! Dashboards and alarms of the bridge's own metrics. Evaluates every `PromQL` expression over metrics of a bridge in different states.

use crate::support::config::{v2, v2_with};
use crate::support::grafana::{Language, Query, dashboards, rules, sources};
use crate::support::{Bridge, Config, Influx, Kafka, Live, PATIENCE, Produced, Prometheus, wait_for};
use regex::Regex;
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

/// Panels that are empty while the bridge is healthy.
const EMPTY_WHILE_HEALTHY: [&str; 3] =
    ["bridge.json: Retention left", "bridge.json: Retention left by topic", "bridge.json: Held for"];
const OFTEN: &str = "librdkafka.'statistics.interval.ms' = 200";
/// More unread records than the lag alarm's threshold, in addition to those in open batches.
const WAITING: usize = 15_000;
/// Alarms whose states no bridge of this test reaches: the alarm, its metric, and the values of the metric before and during the state.
const OTHER_STATES: [(&str, &str, u64, u64); 5] = [
    ("BridgeStuck", "blocked{cause=\"stuck\",destination=\"the bridge\"}", 0, 1),
    ("BridgeRecordsDeleted", "skipped_records_total", 0, 5),
    ("BridgeCollisions", "collisions_total", 0, 5),
    ("BridgeUndecided", "undecided_records", 0, 5),
    ("BridgeReloadRefused", "config_last_reload_successful", 1, 0),
];
/// Number of records after which `reject.rate_max` can block a topic.
const BAD: usize = 1_500;

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// Stores the pages as scrapes: the first one ten minutes ago, the others every 15 s up to now.
fn scraped(live: &Live, state: &str, pages: &[String]) -> Prometheus {
    let prometheus = Prometheus::new(live, state);
    for (page, back) in pages.iter().zip([600, 45, 30, 15, 0]) {
        prometheus.scrape(&format!("{page}up 1\n"), back);
    }
    prometheus.settle();
    prometheus
}

fn expression(query: &Query, prometheus: &Prometheus) -> String {
    let text = query.text.replace("$__rate_interval", "1m");
    let text = text.replace("$instance", &prometheus.instance).replace("$topic", ".+");
    assert!(!text.contains('$'), "{}: {text}", query.place);
    text
}

/// The panels with an expression that returns no sample.
fn empty_panels(prometheus: &Prometheus) -> BTreeSet<String> {
    let sources = sources();
    let mut empty = BTreeSet::new();
    for dashboard in dashboards() {
        for query in dashboard.queries() {
            let is_asked = sources[&query.source].language == Language::PromQl;
            if is_asked && prometheus.query(&expression(&query, prometheus)).is_empty() {
                empty.insert(query.place);
            }
        }
    }
    empty
}

/// The alarms whose expression returns a sample. Asserts that the sample has every label that the alarm's text uses.
fn alarms(prometheus: &Prometheus) -> BTreeSet<String> {
    let label = Regex::new(r"\$labels\.(\w+)").unwrap();
    let mut fire = BTreeSet::new();
    for rule in rules().into_iter().filter(|rule| rule.query.source == "prometheus") {
        for sample in prometheus.query(&rule.query.text) {
            for found in label.captures_iter(&rule.json["annotations"].to_string()) {
                let has = sample["metric"][&found[1]].is_string();
                assert!(has, "{}: no label {} on {sample}", rule.title, &found[1]);
            }
            fire.insert(rule.title.clone());
        }
    }
    fire
}

fn assert_alarms(prometheus: &Prometheus, want: &[&str]) {
    let want: BTreeSet<String> = want.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(alarms(prometheus), want);
}

/// Returns after the first record, because the lag is unknown before.
fn start(config: &Config<'_>, first: Produced) -> Bridge {
    config.kafka.produce(config.topic, [first]);
    let bridge = Bridge::start_watched(&config.text(), &[]);
    bridge.wait_for_log(&["metrics, health and readiness are served"], PATIENCE);
    let known = || bridge.samples("unread_records") == [0.0] && bridge.metric("records_total") == 1;
    wait_for("the lag is known", PATIENCE, || known().then_some(()));
    bridge
}

fn numbers(kafka: &Kafka, topic: &str, count: usize, at_ms: i64) {
    kafka.produce(topic, (0..count).map(|_| number(at_ms)));
}

fn number(at_ms: i64) -> Produced {
    Produced::new(r#"{"value":1.5}"#).at(at_ms)
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn panels_of_the_bridge_have_samples_and_its_alarms_fire_when_they_should() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let healthy = healthy(&live, &kafka, &influx);
    assert_eq!(empty_panels(&healthy), EMPTY_WHILE_HEALTHY.map(str::to_owned).into());
    assert_alarms(&healthy, &[]);
    for dashboard in dashboards() {
        for (name, query) in
            dashboard.variables().into_iter().filter(|(_, query)| query.source == "prometheus")
        {
            let inside = query.text.strip_prefix("label_values(").and_then(|text| text.strip_suffix(')'));
            let (metric, label) = inside.unwrap().split_once(", ").unwrap();
            let values = healthy.query(metric);
            assert!(!values.is_empty() && values.iter().all(|v| v["metric"][label].is_string()), "{name}");
        }
    }

    let blocked = blocked(&live, &kafka, &influx);
    assert_alarms(&blocked, &["BridgeBlocked", "BridgeLagGrowing", "BridgeRetentionNear"]);
    let empty = empty_panels(&blocked);
    assert!(EMPTY_WHILE_HEALTHY.iter().all(|panel| !empty.contains(*panel)), "{empty:?}");

    let bad = bad(&live, &kafka, &influx);
    assert_alarms(&bad, &["BridgeRefused", "BridgeRejected", "BridgeTopicBlocked"]);

    for (alarm, metric, before, after) in OTHER_STATES {
        let page = |value: u64| format!("kafka_influx_bridge_{metric} {value}\n");
        let pages = [before, after, after, after, after].map(page);
        assert_alarms(&scraped(&live, alarm, &pages), &[alarm]);
    }

    let down = Prometheus::new(&live, "down");
    assert_alarms(&down, &["BridgeDown"]);
    down.scrape("up 0\n", 0);
    down.settle();
    assert_alarms(&down, &["BridgeDown"]);
}

fn healthy(live: &Live, kafka: &Kafka, influx: &Influx) -> Prometheus {
    let topic = kafka.create_topic(live.name("panels"), 1, 1);
    let bucket = influx.create_bucket(live.name("panels"));
    let bridge = start(&Config::new(kafka, &topic, v2(influx, &bucket)).kafka_more(OFTEN), number(now_ms()));
    let round_trip = || bridge.samples("kafka_broker_round_trip_seconds").pop();
    wait_for("statistics", PATIENCE, round_trip);
    let mut pages = vec![bridge.page_text()];
    for round in 1..=4 {
        numbers(kafka, &topic, 100, now_ms());
        let stored =
            || bridge.metric("lines_stored_total") == round * 100 + 1 && bridge.metric("lag_records") == 0;
        wait_for("all are stored and committed", PATIENCE, || stored().then_some(()));
        pages.push(bridge.page_text());
    }
    bridge.stop();
    scraped(live, "healthy", &pages)
}

/// An invalid token, records that Kafka deletes in ten minutes, and batches that take only a few of them.
fn blocked(live: &Live, kafka: &Kafka, influx: &Influx) -> Prometheus {
    let topic = kafka.create_topic_with(live.name("panels_blocked"), 1, 1, &[("retention.ms", "3600000")]);
    let batch = "\n[batch]\nbytes_max = '10KB'\nmemory_max = '20KB'\n";
    let shut = v2_with(influx.url(), "ec2", "of-nobody") + batch;
    let old = now_ms() - 3_000_000;
    let bridge = start(&Config::new(kafka, &topic, shut).kafka_more(OFTEN), number(old));
    let mut pages = vec![bridge.page_text()];
    numbers(kafka, &topic, WAITING, old);
    let blocked = || {
        let is_blocked =
            bridge.samples("blocked") == [1.0] && !bridge.samples("retention_left_seconds").is_empty();
        (is_blocked && bridge.metric("unread_records") > 10_000).then_some(())
    };
    wait_for("the bridge is blocked with many unread records", PATIENCE, blocked);
    pages.extend((0..4).map(|_| bridge.page_text()));
    bridge.kill();
    scraped(live, "blocked", &pages)
}

/// A line that conflicts with a stored field's type, then records that are not JSON.
fn bad(live: &Live, kafka: &Kafka, influx: &Influx) -> Prometheus {
    let topic = kafka.create_topic(live.name("panels_bad"), 1, 1);
    let bucket = influx.create_bucket(live.name("panels_bad"));
    influx.write(&bucket, "m value=\"text\"");
    let bridge = start(
        &Config::new(kafka, &topic, v2(influx, &bucket)).mapping("measurement = 'm'"),
        Produced::new(r#"{"other":1}"#),
    );
    let mut pages = vec![bridge.page_text()];
    numbers(kafka, &topic, 1, now_ms());
    let refused = || (bridge.metric("lines_refused_total") > 0).then_some(());
    wait_for("a line is refused", PATIENCE, refused);
    kafka.produce(&topic, (0..BAD).map(|_| Produced::new("no json")));
    let blocked =
        || bridge.samples("topic_blocked_seconds").iter().any(|seconds| *seconds > 0.0).then_some(());
    wait_for("the topic is blocked", PATIENCE, blocked);
    pages.extend((0..4).map(|_| bridge.page_text()));
    bridge.kill();
    scraped(live, "bad", &pages)
}
