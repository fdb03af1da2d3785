//! Writing to `QuestDB`, whose refusals name one line by number.

use super::*;
use testkit::receiver::{Faults, Product};

fn v2() -> Destination {
    Destination::Bucket { org: "any".into(), bucket: "any".into() }
}

#[tokio::test]
async fn bad_lines_are_removed_one_by_one() {
    for destination in [database(), v2()] {
        let setup = Setup::new(Options { product: Product::QuestDb, ..Options::default() }).await;
        let text = |i: i64| match i % 50 {
            7 => format!("m v=\"text\" {i}000"),
            9 => "m v=1 -5".to_owned(),
            11 => format!("m v=+ {i}000"),
            _ => format!("m v=1.5 {i}000"),
        };
        let delivered = setup.deliver(&destination, &lines((0..500).map(text))).await;
        let want: Vec<usize> = (0..500).filter(|i| matches!(i % 50, 7 | 9 | 11)).collect();
        assert_eq!(refused_lines(&delivered), want);
        assert_eq!(delivered.requests, RequestCounts { stored: 1, refused: 30, ..RequestCounts::default() });
        assert_eq!(setup.receiver.points(&destination).len(), 470);
        let why = |line: usize| {
            let refused = delivered.refused.iter().find(|refused| refused.line == line);
            refused.unwrap().why.to_string()
        };
        assert!(
            why(7).contains("cast error from protocol type: STRING to column type: DOUBLE"),
            "{}",
            why(7)
        );
        assert!(why(9).contains("designated timestamp before 1970-01-01 is not allowed"), "{}", why(9));
        assert!(why(11).contains("Could not parse entire line"), "{}", why(11));
    }
}

/// The strict reader reads a string of two lines, and `QuestDB` does not: the line is tried alone.
#[tokio::test]
async fn a_line_that_only_the_server_refuses_is_tried_alone() {
    let setup = Setup::new(Options { product: Product::QuestDb, ..Options::default() }).await;
    let batch = lines(["m s=\"a\" 1000", "m s=\"b\nc\" 2000", "m s=\"d\" 3000"]);
    let delivered = setup.deliver(&database(), &batch).await;
    assert_eq!(refused_lines(&delivered), [1]);
    assert_eq!(setup.receiver.points(&database()).len(), 2);
}

#[tokio::test]
async fn a_read_only_replica_is_left_for_the_next_address() {
    let replica: Faults = Box::new(|_| Some(Reply::status(421).body("read-only")));
    let options = Options { product: Product::QuestDb, faults: Some(replica), ..Options::default() };
    let first = Receiver::start(options).await.unwrap();
    let second = Receiver::start(Options { product: Product::QuestDb, ..Options::default() }).await.unwrap();
    let urls = vec![first.url().parse().unwrap(), second.url().parse().unwrap()];
    let connection = ConnectionSettings { urls, ..connection(&first.url()) };
    let (events, writer) = start_writer(&connection, OPTIONS);
    let delivered = writer.lane(7).deliver(&database(), &good(10)).await;
    assert_eq!(delivered.lines_stored, 10);
    assert_eq!(second.points(&database()).len(), 1, "times are microseconds");
    assert!(events.take().iter().any(|event| matches!(event, Event::AddressChanged { .. })));
}

#[tokio::test]
async fn the_server_is_recognized_and_asked_for_nothing_that_it_lacks() {
    let options = Options { product: Product::QuestDb, ..Options::default() };
    let adjust = |connection: &mut ConnectionSettings| {
        (connection.create_database, connection.time_precision) = (true, base::TimePrecision::Microseconds);
    };
    let setup = Setup::with(options, OPTIONS, adjust).await;
    Arc::clone(&setup.writer).prepare(database(), 7).await;
    assert_eq!(setup.writer.current_client().addresses().current().server(), crate::Server::QuestDb);
    assert!(setup.events.take().is_empty());
}

#[tokio::test]
async fn a_precision_that_the_server_does_not_store_is_reported_once() {
    let setup = Setup::new(Options { product: Product::QuestDb, ..Options::default() }).await;
    for destination in [database(), v2()] {
        Arc::clone(&setup.writer).prepare(destination, 7).await;
    }
    let events = setup.events.take();
    assert!(
        matches!(&*events, [Event::PrecisionDiffers { remedy, .. }] if remedy.contains("time_precision = \"us\"")),
        "{events:?}"
    );
}

/// `QuestDB` answers 400 for a table without a write-ahead log, as if its first line were to blame.
#[tokio::test]
async fn a_table_that_takes_no_writes_blocks_and_refuses_nothing() {
    let faults: Faults = Box::new(|request| {
        let text = String::from_utf8_lossy(&request.text);
        let number = text.lines().position(|line| line.starts_with("plain"))? + 1;
        let message = format!(
            "failed to parse line protocol:errors encountered on line(s):\nerror in line {number}: table: plain; cannot insert in non-WAL table"
        );
        let body = serde_json::json!({ "code": "invalid", "message": message, "line": number });
        Some(Reply::status(400).body(body.to_string()))
    });
    let options = Options { product: Product::QuestDb, faults: Some(faults), ..Options::default() };
    let setup = Setup::new(options).await;
    let text = |i: usize| format!("{} v={i} {i}000", if i % 10 == 3 { "plain" } else { "m" });
    let delivered = setup.deliver(&database(), &lines((0..50).map(text))).await;
    assert_eq!(delivered.refused, []);
    let kept_out: Vec<usize> = delivered.kept_out.iter().map(|line| line.line).collect();
    assert_eq!(kept_out, [3, 13, 23, 33, 43]);
    assert!(delivered.kept_out[0].remedy.contains("SET TYPE WAL"), "{:?}", delivered.kept_out[0]);
    assert_eq!(delivered.lines_stored, 45);
}
