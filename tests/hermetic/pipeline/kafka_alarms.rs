//! Brokers, groups and topics that prevent reading: the alarms on every page, and their end.

use super::admin::get;
use crate::check_connect::controller;
use crate::support::{BY_ID, Bridge, Cluster, Setup, Sink, record, wait_until};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

/// Statistics every 0.5 s shorten the tests.
fn start(cluster: &Cluster, sink: &Sink) -> (Bridge, SocketAddr) {
    let often = "librdkafka.'statistics.interval.ms' = 500";
    let bridge = Setup::new(cluster, sink, "'t'").kafka(often).mapping(BY_ID).start();
    let address = bridge.0.admin_address().unwrap();
    (bridge, address)
}

fn is_raised(address: SocketAddr, cause: &str) -> bool {
    get(address, "/readyz").contains(&format!("blocked: {cause}, "))
}

/// The alarm is on every page, and no page reports a healthy bridge.
fn assert_told(address: SocketAddr, cause: &str, scope: &str, remedy: &str) {
    let ready = get(address, "/readyz");
    assert!(ready.starts_with("HTTP/1.0 200 ") && ready.contains(remedy), "{ready}");
    assert!(get(address, "/readyz?strict").starts_with("HTTP/1.0 503 "));
    assert!(get(address, "/healthz").starts_with("HTTP/1.0 200 "));
    let sample = format!(r#"kafka_influx_bridge_blocked{{cause="{cause}",destination="{scope}"}} 1"#);
    let metrics = get(address, "/metrics");
    assert!(metrics.contains(&sample), "{metrics}");
    assert!(!metrics.contains("topic_blocked_seconds{"), "that is for topics whose records are rejected");
    let status = get(address, "/status.json");
    assert!(status.contains(r#""state":"blocked""#) && status.contains(cause), "{status}");
}

fn assert_well(address: SocketAddr) {
    assert!(get(address, "/readyz?strict").ends_with("\r\n\r\nok\n"));
}

#[test]
fn brokers_that_go_down_raise_an_alarm_that_ends_when_they_are_back() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [record("a")]);
    let (bridge, address) = start(&cluster, &sink);
    sink.wait_for_points("main", 1);
    assert_well(address);
    cluster.set_broker_up(1, false);
    wait_until("the alarm is raised", || is_raised(address, "kafka_unreachable"));
    assert_told(address, "kafka_unreachable", "all topics", "`kafka.brokers`");
    cluster.set_broker_up(1, true);
    wait_until("the alarm ends", || !is_raised(address, "kafka_unreachable"));
    cluster.produce("t", 0, [record("b")]);
    sink.wait_for_points("main", 2);
    bridge.stop();
}

/// A broker that hangs, or is stopped with SIGSTOP, keeps its connections open. librdkafka's requests time out only after a minute.
#[test]
fn a_broker_that_answers_nothing_raises_an_alarm_that_counts_from_its_last_answer() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [record("a")]);
    let (bridge, address) = start(&cluster, &sink);
    sink.wait_for_points("main", 1);
    cluster.delay_answers(Duration::from_secs(25));
    wait_until("the alarm is raised", || is_raised(address, "kafka_unreachable"));
    assert_told(address, "kafka_unreachable", "all topics", "answers no request");
    let lasting = bridge.0.writer().alarms().remove(0).lasting;
    assert!(lasting >= Duration::from_secs(14), "{lasting:?}");
    cluster.delay_answers(Duration::ZERO);
    wait_until("the alarm ends", || !is_raised(address, "kafka_unreachable"));
    bridge.stop();
}

/// Answers like a web server, which waits for the end of a request line.
fn web_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let (mut request, mut byte) = (Vec::new(), [0]);
                while !request.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                    request.extend(byte);
                }
                let _closed = stream.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n");
            });
        }
    });
    address
}

/// `check --connect` gives the same diagnosis.
#[test]
fn a_web_server_instead_of_a_broker_is_named() {
    let (cluster, sink) = (Cluster::start(), Sink::start());
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    let text = setup.text().replace(&cluster.address(), &web_server().to_string());
    let bridge = Setup::start_text(&text);
    let address = bridge.0.admin_address().unwrap();
    wait_until("the alarm is raised", || is_raised(address, "kafka_unreachable"));
    wait_until("HTTP is named", || get(address, "/readyz").contains("something that speaks HTTP answers"));
    assert_told(address, "kafka_unreachable", "all topics", "not Kafka's port");
    bridge.stop();
}

#[test]
fn a_start_while_kafka_is_down_raises_an_alarm() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [record("a")]);
    cluster.set_broker_up(1, false);
    let (bridge, address) = start(&cluster, &sink);
    wait_until("the alarm is raised", || is_raised(address, "kafka_unreachable"));
    assert_told(address, "kafka_unreachable", "all topics", "`kafka.brokers`");
    cluster.set_broker_up(1, true);
    sink.wait_for_points("main", 1);
    wait_until("the alarm ends", || !is_raised(address, "kafka_unreachable"));
    bridge.stop();
}

#[test]
fn one_broker_of_three_that_is_down_raises_no_alarm() {
    let (cluster, sink) = (Cluster::of_three("t", 3), Sink::start());
    for partition in 0..3 {
        cluster.produce("t", partition, [record(&partition.to_string())]);
    }
    let (bridge, address) = start(&cluster, &sink);
    sink.wait_for_points("main", 3);
    let is_connected = || {
        let metrics = get(address, "/metrics");
        let is_connection = |line: &&str| line.starts_with("kafka_influx_bridge_kafka_broker_connected{");
        metrics.lines().filter(is_connection).any(|line| line.contains("/3\"") && line.ends_with(" 1"))
    };
    wait_until("the third broker is connected", is_connected);
    cluster.set_broker_up(3, false);
    wait_until("the third broker is disconnected", || !is_connected());
    // Longer than it takes until Kafka counts as unreachable.
    let until = Instant::now() + Duration::from_secs(14);
    wait_until("time has passed", || {
        assert!(!is_raised(address, "kafka_unreachable"));
        thread::sleep(Duration::from_millis(200));
        Instant::now() >= until
    });
    bridge.stop();
}

#[test]
fn a_denied_group_raises_an_alarm_until_it_may_be_used() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [record("a")]);
    cluster.deny_group(true);
    let (bridge, address) = start(&cluster, &sink);
    wait_until("the alarm is raised", || is_raised(address, "group_denied"));
    assert_told(address, "group_denied", "all topics", "`kafka.group_id`");
    cluster.deny_group(false);
    sink.wait_for_points("main", 1);
    wait_until("the alarm ends", || !is_raised(address, "group_denied"));
    bridge.stop();
}

#[test]
fn a_topic_that_may_not_be_fetched_from_raises_an_alarm_until_it_may() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [record("a")]);
    cluster.deny_fetches(true);
    let (bridge, address) = start(&cluster, &sink);
    wait_until("the alarm is raised", || is_raised(address, "topic_denied"));
    assert_told(address, "topic_denied", "topic t", "grant READ");
    cluster.deny_fetches(false);
    sink.wait_for_points("main", 1);
    bridge.stop();
}

#[test]
fn a_topic_that_may_not_be_seen_is_denied_and_not_missing() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [record("a")]);
    cluster.hide_topic("t", true);
    let (bridge, address) = start(&cluster, &sink);
    wait_until("the alarm is raised", || is_raised(address, "topic_denied"));
    assert_told(address, "topic_denied", "topic t", "grant READ");
    cluster.hide_topic("t", false);
    sink.wait_for_points("main", 1);
    wait_until("the alarm ends", || !is_raised(address, "topic_denied"));
    bridge.stop();
}

#[test]
fn a_controller_port_is_reported() {
    let (cluster, sink) = (Cluster::start(), Sink::start());
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    let text = setup.text().replace(&cluster.address(), &controller().to_string());
    let bridge = Setup::start_text(&text);
    let address = bridge.0.admin_address().unwrap();
    wait_until("the alarm is raised", || is_raised(address, "kafka_unreachable"));
    assert_told(address, "kafka_unreachable", "all topics", "KRaft controller");
    bridge.stop();
}
