//! The running bridge meets one answer of each row of the table in docs/faults.md: nothing is committed that is not stored.

use crate::support::{BY_ID, Bridge, Cluster, Setup, Sink, record, wait_until};
use kafka_influx_bridge::influx::{Delays, LogObserver};
use kafka_influx_bridge::pipeline::{Options, Pipeline};
use kafka_influx_bridge::receiver::Reply;
use std::sync::Arc;
use std::time::Duration;

const RECORDS: usize = 200;

/// While the server answers so, no record is committed; when it is well, all are stored.
fn loses_nothing(status: u16, body: &str) {
    let name = format!("{status} {body}");
    let cluster = Cluster::with_topic("t", 1);
    let sink = Sink::down(Reply::status(status).body(body));
    let ms = Duration::from_millis;
    let delays = Delays { hold_first: ms(50), hold_max: ms(100), retry_max: ms(100), ..Delays::default() };
    let config = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).config();
    let options = Options { delays, ..Options::default() };
    let bridge = Bridge(Pipeline::start_with(&config, Arc::new(LogObserver), options).unwrap());
    cluster.produce("t", 0, (0..RECORDS).map(|n| record(&n.to_string())));
    wait_until(&format!("an alarm for {name}"), || {
        !bridge.0.writer.alarms().is_empty() && sink.requests() > 2
    });
    assert_eq!(cluster.committed("t", 1), [None], "{name}");
    sink.answer(None);
    sink.wait_for_points("main", RECORDS);
    wait_until(&format!("all is committed after {name}"), || {
        cluster.committed("t", 1) == [Some(RECORDS as i64)]
    });
    bridge.stop();
}

#[test]
fn answers_about_the_server_lose_nothing() {
    for (status, body) in [
        (200, "<html>welcome</html>"),
        (403, "<html>firewall</html>"),
        (410, ""),
        (429, ""),
        (400, r#"{"error":"partial write: write /d/_series/07/0000: no space left on device dropped=3000"}"#),
        (500, r#"{"error":"partial write: a node is down dropped=5"}"#),
    ] {
        loses_nothing(status, body);
    }
}

#[test]
fn answers_about_the_request_lose_nothing() {
    for (status, body) in [
        (402, ""),
        (413, ""),
        (415, ""),
        (418, "unable to parse 'm v=': missing field value"),
        (422, r#"{"error":"Adding a new database would exceed limit of 5 databases"}"#),
        (422, r#"{"message":"unable to parse 'other v=': missing field value"}"#),
    ] {
        loses_nothing(status, body);
    }
}
