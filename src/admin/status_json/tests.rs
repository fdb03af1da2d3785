//! The snapshot, and how it is served.

use super::super::ShownConfig;
use super::super::health::readiness;
use super::super::history::CounterTotals;
use super::super::tests::{pipeline, request_as, start};
use super::super::warnings::warnings;
use super::*;
use base::alarm::{BEFORE_RECORD_TEXT, FailureReport};
use configuration::RecordsAudience;
use engine::telemetry::{RejectedRecord, TurnCounts};
use engine::{Mapping, MappingDestination, Routing};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A partition of a topic with a retention of one hour.
fn partition(topic: &str, partition: i32, unread: Option<i64>, behind_s: u64) -> PartitionState {
    PartitionState {
        topic: topic.to_owned(),
        partition,
        lag: PartitionLag {
            unread,
            uncommitted: unread.map(|unread| unread + 1),
            read_offset: Some(10),
            committed_offset: Some(9),
            ..PartitionLag::default()
        },
        behind: Some(Duration::from_secs(behind_s)),
        retention: Some(Duration::from_hours(1)),
    }
}

fn parsed(pipeline: &PipelineState, shows_records: bool) -> Value {
    serde_json::from_str(&snapshot(pipeline, 0, shows_records, Instant::now())).unwrap()
}

#[test]
fn lists_are_bounded_and_begin_with_the_largest_lag() {
    let of = |n: i32| partition(&format!("t{:03}", n / 2), n % 2, Some(i64::from(n)), n as u64);
    let all: Vec<_> = (0..600).map(of).collect();
    let counters = Counters::default();
    counters.reject("t299", mapping::Reason::Empty, 3);
    counters.by_topic.of("t299").add(&TurnCounts { records: 7, ..TurnCounts::default() });
    let (topics, partitions) = (topics(&all, &counters.by_topic.all()), partitions_by_lag(&all));
    assert_eq!((topics.as_array().unwrap().len(), partitions.as_array().unwrap().len()), (100, 100));
    let worst = json!({
        "topic": "t299", "partitions": 2, "unread": 598 + 599, "uncommitted": 599 + 600,
        "records": 7, "rejected": 3, "behind_s": 599.0, "deleted_in_s": 3_001.0,
    });
    assert_eq!(topics[0], worst);
    let worst = json!({
        "topic": "t299", "partition": 1, "committed_offset": 9, "read_offset": 10, "unread": 599, "uncommitted": 600,
    });
    assert_eq!(partitions[0], worst);
    // A partition with unknown lag does not hide the others.
    let unknown = [partition("t", 0, None, 0), partition("t", 1, Some(5), 0)];
    let of_topic = &super::topics(&unknown, &BTreeMap::new())[0];
    assert_eq!((&of_topic["unread"], &of_topic["deleted_in_s"]), (&json!(5), &Value::Null));
}

#[test]
fn counts_the_records_that_wait_for_the_alarms() {
    let assigned =
        [partition("a", 0, Some(10), 0), partition("a", 1, None, 0), partition("b", 0, Some(5), 0)];
    let f = |scopes: &[Scope], want: Option<i64>| {
        let alarm = |scope: &Scope| Alarm {
            cause: "c",
            blocks: true,
            scope: scope.clone(),
            at: String::new(),
            why: String::new(),
            remedy: String::new(),
            lasting: Duration::ZERO,
        };
        let alarms: Vec<_> = scopes.iter().map(alarm).collect();
        assert_eq!(waiting(&alarms, &assigned), want, "{scopes:?}");
    };
    let topic = |name: &str| Scope::Topic(name.to_owned());
    f(&[], Some(11 + 6));
    f(&[Scope::Server], Some(11 + 6));
    f(&[topic("a")], Some(11));
    f(&[topic("a"), topic("b")], Some(11 + 6));
    f(&[topic("b"), Scope::DeadLetters], Some(11 + 6));
    f(&[topic("c")], None);
}

#[tokio::test]
async fn warns_of_overwritten_points_and_of_topics_whose_records_are_all_filtered() {
    let pipeline = pipeline("http://127.0.0.1:1");
    assert_eq!(parsed(&pipeline, true)["warnings"], json!([]));
    Counters::add(&pipeline.counters.collisions, 5);
    let filtered = TurnCounts { records: 100, filtered: 100, ..TurnCounts::default() };
    for topic in ["assigned", "revoked"] {
        pipeline.counters.by_topic.of(topic).add(&filtered);
    }
    let names = BTreeSet::from(["assigned"]);
    let found = warnings(&pipeline, &names, &pipeline.counters.by_topic.all(), 0);
    let found: Vec<_> = found.iter().map(|warning| (warning.name, warning.scope.as_str())).collect();
    assert_eq!(found, [("overwritten", "overwritten points"), ("all_filtered", "topic assigned")]);
    assert_eq!(parsed(&pipeline, true)["warnings"][0]["name"], "overwritten");
}

#[test]
fn estimates_when_the_backlog_is_read() {
    let f = |unread: Option<u64>, catching_up: Option<f64>, want: Option<f64>| {
        assert_eq!(caught_up_in_s(unread, &Recent { catching_up, ..Recent::default() }), want);
    };
    f(Some(100), Some(10.0), Some(10.0));
    f(Some(100), Some(0.0), None);
    f(Some(100), Some(-10.0), None);
    f(Some(100), None, None);
    f(None, Some(10.0), None);
}

#[tokio::test]
async fn contents_of_records_are_hidden_from_clients_that_may_not_see_them() {
    const SECRET: &str = "<b>4711</b>";
    let mut pipeline = Arc::try_unwrap(pipeline("http://127.0.0.1:1")).unwrap();
    pipeline.counters = Arc::new(Counters::new(true));
    let text = SECRET.as_bytes();
    let (topic, why) = ("t", &format!("it is {SECRET}"));
    let seen = RejectedRecord { topic, partition: 1, offset: 2, element: Some(3), reason: "time", why, text };
    pipeline.counters.rejections.record(seen, Instant::now());
    let mut watch = pipeline.writer.alarm_registry().guard();
    let why = format!("too many{BEFORE_RECORD_TEXT}{SECRET}");
    let (scope, remedy) = (Scope::Topic("t".to_owned()), || "mend it".to_owned());
    let (at, remedy) = ("kafka", &remedy);
    let trouble = FailureReport { cause: "reject_rate", blocks: true, scope: &scope, at, why: &why, remedy };
    watch.failed(trouble, Instant::now());

    let shown = parsed(&pipeline, true);
    assert_eq!(
        (shown["last"][0]["text"].as_str(), shown["alarms"][0]["why"].as_str()),
        (Some(SECRET), Some(&*why))
    );
    assert_eq!(shown["state"], "blocked");
    let hidden = parsed(&pipeline, false);
    assert!(!hidden.to_string().contains("4711"), "{hidden}");
    assert_eq!(hidden["alarms"][0]["why"], "too many");
    let ready = |shows_records| readiness(&pipeline, false, shows_records, Instant::now()).text;
    assert!(ready(true).contains("4711") && !ready(false).contains("4711"), "{}", ready(false));
    let last = &hidden["last"][0];
    assert_eq!((&last["reason"], &last["offset"], &last["why"]), (&json!("time"), &json!(2), &Value::Null));
}

fn routing(destinations: &[Destination]) -> Arc<Routing> {
    let mapping = |destination: &Destination| Mapping {
        topics: None,
        rules: Arc::default(),
        destination: MappingDestination::Fixed(destination.clone()),
    };
    Arc::new(Routing::new(&destinations.iter().map(mapping).collect::<Vec<_>>(), 0.1))
}

#[tokio::test]
async fn reports_counters_rates_and_states() {
    let pipeline = pipeline("http://user:pass@127.0.0.1:1");
    let bucket = |name: &str| Destination::Bucket { org: "o".to_owned(), bucket: name.to_owned() };
    pipeline.set_shown_config(ShownConfig {
        routing: Some(routing(&[bucket("a"), bucket("b")])),
        age_max: Duration::from_secs(1),
        dead_letters: Some("topic d".to_owned()),
        ..ShownConfig::default()
    });
    Counters::add(&pipeline.counters.records, 10);
    pipeline.counters.reject("t", mapping::Reason::Empty, 3);
    let mut watch = pipeline.writer.alarm_registry().guard();
    let (scope, remedy) = (Scope::Destination(bucket("b").to_string()), String::new);
    let trouble = FailureReport { cause: "c", blocks: true, scope: &scope, at: "", why: "", remedy: &remedy };
    watch.failed(trouble, Instant::now());
    let (start, latency) = (Instant::now(), [0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    pipeline.writer.counters().latency.add(Duration::from_millis(10));
    pipeline.history.tick(CounterTotals::default(), || true, start);
    for second in 1..5 {
        let totals = CounterTotals { records: second * 7, latency, ..CounterTotals::default() };
        pipeline.history.tick(totals, || true, start + Duration::from_secs(second));
    }
    let status = parsed(&pipeline, true);
    assert_eq!(status["rates"]["records"], 7.0);
    assert!((status["stored_within_s"].as_f64().unwrap() - 1.009_95).abs() < 1e-6, "{status}");
    assert_eq!(status["kafka"]["records"], 10);
    assert_eq!(status["not_stored"]["rejected"], json!({ "empty": 3 }));
    assert_eq!(status["not_stored"]["dead_letters_to"], "topic d");
    let shown = status["influx"]["destinations"].as_array().unwrap().iter().map(|of| of["state"].clone());
    assert_eq!(shown.collect::<Vec<_>>(), ["healthy", "blocked"]);
    assert_eq!(status["influx"]["addresses"][0]["used"], true);
    assert!(!status.to_string().contains("pass"), "{status}");
    let history = &status["history"];
    assert_eq!(
        (&history["next"], &history["samples"][0][1], &history["samples"][0][4]),
        (&json!(1), &json!(7.0), &json!(1))
    );
}

#[tokio::test]
async fn the_page_reads_only_fields_that_the_snapshot_has() {
    let status = parsed(&pipeline("http://127.0.0.1:1"), true);
    let fields = regex::Regex::new(r"\bs\.([a-z_]+)\b").unwrap();
    let mut count = 0;
    for field in fields.captures_iter(crate::admin::page::HTML) {
        assert!(status.get(&field[1]).is_some(), "status.json has no {:?}", &field[1]);
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[tokio::test]
async fn browsers_get_the_page_and_other_clients_text() {
    let server = start(&pipeline("http://127.0.0.1:1"));
    let browser = "Host: localhost\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";
    for method in ["GET", "HEAD"] {
        let (status, header, body) = request_as(&server, method, "/", browser).await;
        assert_eq!(status, 200);
        for want in [
            "content-type: text/html; charset=utf-8",
            "content-security-policy: default-src 'none'; script-src 'sha256-",
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "vary: accept",
            "connection: close",
            "content-length: ",
        ] {
            assert!(header.contains(want), "{want}: {header}");
        }
        assert!(!header.contains("set-cookie"), "{header}");
        assert_eq!(body.starts_with("<!doctype html>"), method == "GET", "{body}");
    }
    let (_, header, body) = request_as(&server, "GET", "/", "Host: h\r\nAccept: */*\r\n").await;
    assert!(header.contains("content-type: text/plain") && body.contains("/metrics"), "{body}");
    let (status, header, _) = request_as(&server, "POST", "/status.json", "Host: h\r\n").await;
    assert!(status == 405 && header.contains("allow: get, head"), "{header}");
}

#[tokio::test]
async fn records_are_hidden_from_foreign_names_that_resolve_to_this_machine() {
    let pipeline = pipeline("http://127.0.0.1:1");
    pipeline.set_shown_config(ShownConfig { show_records: RecordsAudience::Local, ..ShownConfig::default() });
    let server = start(&pipeline);
    for (host, want) in [("localhost:9643", true), ("evil.example:9643", false)] {
        let (status, header, body) =
            request_as(&server, "GET", "/status.json?since=0", &format!("Host: {host}\r\n")).await;
        assert!(status == 200 && header.contains("content-type: application/json"), "{header}");
        let status: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status["shows_records"], want, "{host}");
    }
}
