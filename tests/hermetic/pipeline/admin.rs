//! The admin endpoint of a running bridge.

use crate::exposition::Page;
use crate::support::{BY_ID, Cluster, Setup, Sink, record, wait_until};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};
use testkit::NewRecord;
use testkit::receiver::Reply;

pub fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn lag_counts_unstored_records_and_ends_at_zero() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::down(Reply::status(401)));
    cluster.produce("t", 0, (0..500).map(|n| record(&n.to_string())));
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    let bridge = setup.start();
    let address = bridge.0.admin_address().unwrap();
    let has_line = |line: &str| get(address, "/metrics").lines().any(|found| found == line);
    wait_until("all is read, and nothing settled", || {
        has_line(r#"kafka_influx_bridge_unread_records{topic="t",partition="0"} 0"#)
            && has_line(r#"kafka_influx_bridge_lag_records{topic="t",partition="0"} 500"#)
    });
    assert!(has_line(
        r#"kafka_influx_bridge_blocked{cause="unauthorized",destination="all destinations"} 1"#
    ));
    assert!(get(address, "/healthz").starts_with("HTTP/1.0 200 "));
    // Readiness stays 200: a pod that is not ready would be taken out of service, with the InfluxDB that shares it.
    let ready = get(address, "/readyz");
    assert!(ready.starts_with("HTTP/1.0 200 ") && ready.contains("blocked: unauthorized, "), "{ready}");
    assert!(get(address, "/readyz?strict").starts_with("HTTP/1.0 503 "));
    sink.answer(None);
    wait_until("all is settled", || {
        has_line(r#"kafka_influx_bridge_lag_records{topic="t",partition="0"} 0"#)
    });
    assert!(has_line("kafka_influx_bridge_lines_stored_total 500"));
    bridge.stop();
}

fn page(address: SocketAddr) -> Page {
    let answer = get(address, "/metrics");
    Page::read(answer.split_once("\r\n\r\n").unwrap().1)
}

/// Metrics of a partition, and the format of the page during a block.
#[test]
fn metrics_show_buffered_and_durable_records_and_their_age() {
    let (cluster, sink) = (Cluster::with_topic("t", 2), Sink::down(Reply::status(401)));
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let produce = |values: &[String]| {
        for value in values {
            let (value, time_ms) = (Some(value.as_bytes()), Some(now_ms - 50 * 60_000));
            cluster.send(NewRecord { topic: "t", partition: Some(1), value, time_ms });
        }
        cluster.flush();
    };
    produce(&(0..200).map(|n| record(&n.to_string())).collect::<Vec<_>>());
    produce(&[r#"{"id":"#.to_owned(), String::new()]);
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).start();
    let address = bridge.0.admin_address().unwrap();
    let name = |name: &str| format!("kafka_influx_bridge_{name}");
    let of = |page: &Page, of: &str, partition: &str| {
        page.number(&name(of), &[("topic", "t"), ("partition", partition)])
    };
    // Values are whole numbers.
    let total = |page: &Page, of: &str| page.number(&name(of), &[]).unwrap() as u64;
    wait_until("all is read, and nothing settled", || {
        let page = page(address);
        of(&page, "buffered_records", "1") == Some(202.0) && of(&page, "behind_seconds", "1").is_some()
    });
    let blocked = page(address);
    let behind = of(&blocked, "behind_seconds", "1").unwrap();
    assert!((3_000.0..3_600.0).contains(&behind), "{behind}");
    assert_eq!(of(&blocked, "read_offset", "1"), Some(202.0));
    assert_eq!(of(&blocked, "committed_offset", "1"), None);
    assert_eq!(total(&blocked, "buffered_lines"), 200);
    assert_eq!(total(&blocked, "batches_in_flight"), 1);
    // The mock cluster does not report retention.
    assert_eq!(of(&blocked, "retention_left_seconds", "1"), None);
    let rejected =
        |reason| blocked.number(&name("topic_rejected_total"), &[("topic", "t"), ("reason", reason)]);
    assert_eq!([rejected("undecodable"), rejected("empty"), rejected("time")], [Some(1.0), Some(1.0), None]);
    sink.answer(None);
    // Statistics come every few seconds, ages every second.
    wait_until("all is settled and committed", || {
        let page = page(address);
        of(&page, "committed_offset", "1") == Some(202.0) && of(&page, "behind_seconds", "1") == Some(0.0)
    });
    let healthy = page(address);
    assert_eq!(of(&healthy, "buffered_records", "1"), Some(0.0));
    assert_eq!(of(&healthy, "lag_records", "1"), Some(0.0));
    for none in ["buffered_lines", "batches_in_flight", "requests_in_flight"] {
        assert_eq!(total(&healthy, none), 0, "{none}");
    }
    let batches = total(&healthy, "batch_lines_count");
    assert_eq!((total(&healthy, "batch_lines_sum"), total(&healthy, "batch_bytes_count")), (200, batches));
    assert_eq!(healthy.numbers(&name("batches_total")).iter().sum::<f64>() as u64, batches);
    assert_eq!(healthy.number(&name("kafka_group_member"), &[("consumer", "0")]), Some(1.0));
    assert!(healthy.numbers(&name("kafka_broker_received_bytes_total"))[0] > 1_000.0);
    bridge.stop();
}

#[test]
fn metrics_show_a_blocked_topic_and_the_age_of_its_records() {
    let (cluster, sink) = (Cluster::with_topic("typo", 1), Sink::start());
    cluster.produce("typo", 0, (0..3_000).map(|n| record(&n.to_string())));
    let bridge =
        Setup::new(&cluster, &sink, "'typo'").mapping("time_key = 'tiem'\ntime_format = 'unix'").start();
    let address = bridge.0.admin_address().unwrap();
    let name = |name: &str| format!("kafka_influx_bridge_{name}");
    let mut before = 0.0;
    wait_until("the topic is blocked, and its age grows", || {
        let page = page(address);
        let is_blocked = page.number(&name("topic_blocked_seconds"), &[("topic", "typo")]).is_some();
        let labels = [("topic", "typo"), ("partition", "0")];
        let behind = page.number(&name("behind_seconds"), &labels).filter(|_| is_blocked).unwrap_or(0.0);
        let is_older = before > 0.0 && behind > before;
        before = behind;
        is_older
    });
    let blocked = page(address);
    let rejected = blocked.number(&name("topic_rejected_total"), &[("topic", "typo"), ("reason", "time")]);
    assert_eq!(rejected, Some(99.0));
    bridge.stop();
}

#[test]
fn the_status_shows_the_last_rejected_and_refused_records_with_reasons() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [&record("a"), "no JSON", r#"{"id":"a","v":"text"}"#]);
    let bridge =
        Setup::new(&cluster, &sink, "'t'").mapping("tag_keys = ['id']\nstring_fields = ['v']").start();
    let address = bridge.0.admin_address().unwrap();
    wait_until("the rejected record is shown", || {
        let status = get(address, "/status.json");
        let last = r#""element":null,"offset":1,"partition":0,"reason":"undecodable","text":"no JSON","#;
        status.contains(last) && status.contains(r#""why":"it is not JSON: "#)
    });
    wait_until("the refused line is shown", || {
        let status = get(address, "/status.json");
        status.contains(r#""offset":2,"partition":0,"reason":"refused","text":"t,id=a v=\"text\" "#)
    });
    bridge.stop();
}
