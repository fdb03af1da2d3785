//! Batches grow with a backlog while InfluxDB answers slowly.

use crate::support::{Cluster, Setup, Sink, wait_until};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::receiver::Reply;

/// Like InfluxDB 3, which acknowledges one request of each connection per flush of its write-ahead log.
const ANSWER: Duration = Duration::from_secs(1);
const PARTITIONS: i32 = 6;
const RECORDS_EACH: i64 = 25_000;
const RECORDS: usize = PARTITIONS as usize * RECORDS_EACH as usize;

/// Lines and bytes of each request, and the records of each partition in the order of their arrival.
#[derive(Default)]
struct Arrived {
    requests: Vec<(usize, usize)>,
    records: BTreeMap<String, Vec<i64>>,
}

#[test]
fn batches_grow_while_answers_are_slow_and_keep_the_order_of_each_partition() {
    let arrived = Arc::new(Mutex::new(Arrived::default()));
    let here = Arc::clone(&arrived);
    let sink = Sink::answering(Box::new(move |request| {
        let mut arrived = here.lock().unwrap();
        let mut lines = 0;
        for line in std::str::from_utf8(&request.text).unwrap().lines() {
            // t,p=3 n=17 1767225600123000000
            let (partition, rest) = line.split_once("p=").unwrap().1.split_once(' ').unwrap();
            let record = rest.strip_prefix("n=").unwrap().split(' ').next().unwrap();
            arrived.records.entry(partition.to_owned()).or_default().push(record.parse().unwrap());
            lines += 1;
        }
        if lines > 0 {
            arrived.requests.push((lines, request.text.len()));
        }
        Some(Reply::status(204).after(ANSWER))
    }));
    let cluster = Cluster::with_topic("t", PARTITIONS);
    for partition in 0..PARTITIONS {
        cluster.produce("t", partition, (0..RECORDS_EACH).map(|n| format!(r#"{{"n":{n}}}"#)));
    }
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping("partition_tag = 'p'").start();
    wait_until("all is committed", || {
        cluster.committed_in_all("t", PARTITIONS) == i64::from(PARTITIONS) * RECORDS_EACH
    });
    bridge.stop();
    let Arrived { requests, records } = &*arrived.lock().unwrap();
    assert_eq!(requests.iter().map(|(lines, _)| lines).sum::<usize>(), RECORDS, "{requests:?}");
    assert!(records.values().all(|records| records.iter().copied().eq(0..RECORDS_EACH)), "out of order");
    assert!(requests.iter().all(|(lines, bytes)| *lines <= 100_000 && *bytes <= 10_000_000), "{requests:?}");
    // Without growth, all are 30 requests of 5,000 lines. How far batches grow depends on the speed of the machine.
    assert!(requests.iter().any(|(lines, _)| *lines >= 10_000), "{requests:?}");
    assert!(requests.len() <= 24, "{requests:?}");
}

/// A batch of 501 records would take two requests, the second of one line.
#[test]
fn an_explicit_limit_is_no_reason_for_a_second_request() {
    const RECORDS: i64 = 3_000;
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let sink = Sink::answering(Box::new(move |request| {
        seen.lock().unwrap().push(request.line_count());
        Some(Reply::status(204).after(Duration::from_millis(100)))
    }));
    let cluster = Cluster::with_topic("t", 1);
    cluster.produce("t", 0, (0..RECORDS).map(|n| format!(r#"[{{"n":{n}}},{{"n":{n}}}]"#)));
    let bridge = Setup::new(&cluster, &sink, "'t'").batch("lines_max = 1001").start();
    wait_until("all is committed", || cluster.committed_in_all("t", 1) == RECORDS);
    bridge.stop();
    let sizes = sizes.lock().unwrap();
    assert!(sizes.iter().all(|lines| lines % 2 == 0), "{sizes:?}");
    assert_eq!(sizes.iter().max(), Some(&1_000), "{sizes:?}");
}
