//! Refused lines among good ones, sent by the writer alone: which lines a real server refuses, and how many requests find them.

use crate::support::{Influx, Live, block_on, measured, variable};
use base::secret::Secret;
use base::{Api, Credential, Destination};
use influx::{
    BatchLines, Client, Compression, ConnectionSettings, Delays, Delivered, LaneWriter, LogObserver, Tls,
    Writer, WriterOptions,
};
use line_protocol::LineBuffer;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const LINES: usize = 5_000;
/// 2026-01-05, a Monday, on which weekly shards begin.
const MONDAY: i64 = 1_767_571_200_000_000_000;
const WEEK: i64 = 7 * 24 * 3_600_000_000_000;
const FIELDS: usize = 50;

/// The fault of the refused lines.
#[derive(Clone, Copy, Debug)]
enum Flaw {
    /// A string in a float field, in the second week only.
    Conflict {
        fields: usize,
    },
    Unparsable,
}

/// Every `every`th line is refused; the others belong to four weeks.
fn batch(every: usize, flaw: Flaw) -> (BatchLines, usize) {
    let (mut lines, mut refused) = (LineBuffer::default(), 0);
    for i in 0..LINES {
        let is_refused = i % every == every / 2;
        refused += usize::from(is_refused);
        let time = |week: i64| MONDAY + week * WEEK + 1 + i as i64;
        let line = match flaw {
            Flaw::Conflict { fields } if is_refused => {
                format!("m,host=h{} f{}=\"text\",good=1 {}", i % 100, i / every % fields, time(1))
            }
            Flaw::Unparsable if is_refused => format!("m,host=h{} f0=+1,good=1 {}", i % 100, time(1)),
            _ => format!("m,host=h{} f0={i},good=1 {}", i % 100, time(i as i64 % 4)),
        };
        lines.push_line(line.as_bytes());
    }
    (lines.into(), refused)
}

fn connection(influx: &Influx, credential: Credential) -> ConnectionSettings {
    ConnectionSettings {
        urls: vec![influx.url().parse().unwrap()],
        api: Api::V2,
        credential,
        no_sync: false,
        time_precision: base::TimePrecision::default(),
        create_database: false,
        compression: Compression::None,
        timeout: Duration::from_secs(30),
        tls: Tls::default(),
    }
}

fn lane(connection: &ConnectionSettings) -> LaneWriter {
    let options = WriterOptions {
        lines_max: 1_000_000,
        bytes_max: Some(100_000_000),
        points_per_second_max: None,
        delays: Delays::default(),
        accepts_unproven: false,
    };
    let client = Client::new(connection).unwrap();
    Writer::new(client, connection, options, Arc::new(LogObserver)).lane(7)
}

/// Writes the batch after lines that set the types of the fields.
fn deliver(
    connection: &ConnectionSettings,
    destination: &Destination,
    lines: &BatchLines,
) -> (Delivered, Duration) {
    let fields: Vec<String> = (0..FIELDS).map(|field| format!("f{field}=0")).collect();
    let types = format!("m,host=types {} {}", fields.join(","), MONDAY + WEEK);
    let mut lane = lane(connection);
    block_on(async {
        let types = lane.deliver(destination, &LineBuffer::from_iter([types]).into()).await;
        assert_eq!(types.lines_stored, 1);
        let start = Instant::now();
        let delivered = lane.deliver(destination, lines).await;
        (delivered, start.elapsed())
    })
}

/// Asserts that all good lines, and no other lines, can be read back.
fn check(name: &str, influx: &Influx, database: &str, delivered: &Delivered, refused: usize) {
    assert_eq!(delivered.refused.len(), refused, "{name}");
    assert_eq!(delivered.lines_stored, LINES - refused, "{name}");
    let good = (LINES - refused) as u64;
    assert_eq!(influx.count(database, "m", "good"), good, "{name}");
}

fn bound(causes: usize) -> u32 {
    let (k, n) = (causes as f64, LINES as f64);
    (2.0 * k * (n / k).log2() + 4.0 * k) as u32
}

/// Tests every kind of batch; `database` creates a new database for each.
fn measure(
    server: &str,
    influx: &Influx,
    connection: &ConnectionSettings,
    database: impl Fn(usize) -> Destination,
) {
    let flaws = [Flaw::Conflict { fields: 1 }, Flaw::Conflict { fields: FIELDS }, Flaw::Unparsable];
    let shares = [(LINES, "1 line"), (100, "1 %"), (10, "10 %"), (1, "100 %")];
    let cases = flaws.into_iter().flat_map(|flaw| shares.map(|(every, share)| (flaw, every, share)));
    for (number, (flaw, every, share)) in cases.enumerate() {
        let destination = database(number);
        let (lines, refused) = batch(every, flaw);
        let (delivered, elapsed) = deliver(connection, &destination, &lines);
        let name = format!("{server}, {share} of {LINES} lines refused, {flaw:?}");
        let requests = delivered.requests.total();
        measured(&name, format!("{requests} requests, {elapsed:?}, {} bytes", delivered.bytes_sent));
        let (Destination::Bucket { bucket: database, .. }
        | Destination::Database { database, .. }
        | Destination::Database3 { database }) = &destination;
        check(&name, influx, database, &delivered, refused);
        let cause_count = match flaw {
            Flaw::Conflict { fields } => fields.min(refused),
            Flaw::Unparsable => 1,
        };
        let bound = bound(cause_count);
        assert!(requests <= bound, "{name}: {requests} requests > {bound}");
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn influxdb_2_stores_every_good_line() {
    let live = Live::take_turn();
    let influx = live.influx2();
    let token = Credential::Token(Secret::new(variable("INFLUX2_TOKEN")));
    let org = variable("INFLUX2_ORG");
    measure("InfluxDB 2", &influx, &connection(&influx, token), |number| {
        let bucket = influx.create_bucket(live.name(&format!("salvage{number}")));
        Destination::Bucket { org: org.clone(), bucket }
    });
}

/// Lines older than the retention: 1.x reports only their number.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn lines_beyond_the_retention_are_refused() {
    let live = Live::take_turn();
    let (influx1, influx2) = (live.influx1(), live.influx2());
    let database = live.name("old");
    influx1.query(
        "",
        &format!("CREATE DATABASE \"{database}\" WITH DURATION 1h REPLICATION 1 SHARD DURATION 1h"),
    );
    let bucket = influx2.create_bucket_keeping(live.name("old"), Duration::from_hours(1));
    let token = Credential::Token(Secret::new(variable("INFLUX2_TOKEN")));
    let org = variable("INFLUX2_ORG");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as i64;
    let is_old = |i: usize| i.is_multiple_of(10);
    let time = |i: usize| if is_old(i) { now - WEEK + i as i64 } else { now - i as i64 };
    let texts = (0..LINES).map(|i| format!("m good={i} {}", time(i)));
    let lines = BatchLines::from(texts.collect::<LineBuffer>());
    for (influx, credential, destination, name) in [
        (
            &influx1,
            Credential::None,
            Destination::Database { database: database.clone(), retention_policy: None },
            &database,
        ),
        (&influx2, token, Destination::Bucket { org, bucket: bucket.clone() }, &bucket),
    ] {
        let delivered = block_on(lane(&connection(influx, credential)).deliver(&destination, &lines));
        let refused: Vec<usize> = delivered.refused.iter().map(|refused| refused.line).collect();
        assert_eq!(refused, (0..LINES).filter(|i| is_old(*i)).collect::<Vec<_>>());
        assert_eq!(influx.count(name, "m", "good"), delivered.lines_stored as u64);
        assert!(delivered.requests.total() <= 4, "{:?}", delivered.requests);
    }
}

/// InfluxDB 1 repeats names in a header, although headers must not contain control characters.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_refused_line_with_control_characters_is_refused_once() {
    let live = Live::take_turn();
    let influx = live.influx1();
    let database = live.name("control");
    influx.query("", &format!("CREATE DATABASE \"{database}\""));
    let destination = Destination::Database { database, retention_policy: None };
    let texts = ["m\u{1}\u{1b}\u{7f} f=1 1", "m\u{1}\u{1b}\u{7f} f=2i 2"];
    let lines = BatchLines::from(LineBuffer::from_iter(texts));
    let (delivered, _) = deliver(&connection(&influx, Credential::None), &destination, &lines);
    assert_eq!((delivered.lines_stored, delivered.requests.retried), (1, 0));
    let why = &delivered.refused[0].why;
    assert!(why.contains("field type conflict") && !why.contains('\u{1b}'), "{why}");
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn influxdb_1_stores_every_good_line() {
    let live = Live::take_turn();
    let influx = live.influx1();
    measure("InfluxDB 1", &influx, &connection(&influx, Credential::None), |number| {
        let database = live.name(&format!("salvage{number}"));
        influx.query("", &format!("CREATE DATABASE \"{database}\""));
        Destination::Database { database, retention_policy: None }
    });
}
