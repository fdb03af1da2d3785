//! What the admin endpoint says of a bridge that runs.

use crate::support::{BY_ID, Cluster, Setup, Sink, record, wait_until};
use kafka_influx_bridge::receiver::Reply;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn lag_holds_what_is_not_stored_and_then_nothing() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::down(Reply::status(401)));
    cluster.produce("t", 0, (0..500).map(|n| record(&n.to_string())));
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    let bridge = setup.start();
    let address = bridge.0.admin_address().unwrap();
    let says = |line: &str| get(address, "/metrics").lines().any(|said| said == line);
    wait_until("all is read, and nothing settled", || {
        says(r#"kafka_influx_bridge_unread_records{topic="t",partition="0"} 0"#)
            && says(r#"kafka_influx_bridge_lag_records{topic="t",partition="0"} 500"#)
    });
    assert!(says(r#"kafka_influx_bridge_holding{cause="unauthorized",destination="all destinations"} 1"#));
    assert!(get(address, "/healthz").starts_with("HTTP/1.0 200 "));
    assert!(get(address, "/readyz?strict").starts_with("HTTP/1.0 503 "));
    sink.answer(None);
    wait_until("all is settled", || says(r#"kafka_influx_bridge_lag_records{topic="t",partition="0"} 0"#));
    assert!(says("kafka_influx_bridge_lines_stored_total 500"));
    bridge.stop();
}

#[test]
fn the_last_records_rejected_and_refused_are_told_with_their_reason() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [&record("a"), "no JSON", r#"{"id":"a","v":"text"}"#]);
    let bridge =
        Setup::new(&cluster, &sink, "'t'").mapping("tag_keys = ['id']\nstring_fields = ['v']").start();
    let address = bridge.0.admin_address().unwrap();
    wait_until("the rejected record is told", || {
        let status = get(address, "/status.json");
        let last = r#""element":null,"offset":1,"partition":0,"reason":"undecodable","text":"no JSON","#;
        status.contains(last) && status.contains(r#""why":"it is not JSON: "#)
    });
    wait_until("the refused line is told", || {
        let status = get(address, "/status.json");
        status.contains(r#""offset":2,"partition":0,"reason":"refused","text":"t,id=a v=\"text\" "#)
    });
    bridge.stop();
}
