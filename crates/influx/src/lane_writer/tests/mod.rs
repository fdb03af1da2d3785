use super::*;
use crate::seed;
use crate::test_support::{Events, connection};
use crate::{Client, Compression, ConnectionSettings, Delays, Event, Server, Version, WriterOptions};
use base::Credential;
use base::secret::Secret;
use line_protocol::LineBuffer;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use testkit::receiver::{Ending, Options, Receiver, Reply, WriteRequest};

mod addresses;
mod balancer;
mod cloud;
mod grouped;
mod hostile;
mod influx3;
mod messages;
mod packed;
mod questdb;
mod statuses;

/// Longest wait for what has to happen. A busy machine takes long, which is no fault.
const PATIENCE: Duration = Duration::from_mins(10);
const DELAYS: Delays = Delays {
    retry_first: Duration::from_millis(1),
    retry_max: Duration::from_millis(5),
    blocked_first: Duration::from_millis(2),
    blocked_max: Duration::from_millis(10),
    address_first: Duration::from_mins(1),
    address_max: Duration::from_mins(1),
};
const OPTIONS: WriterOptions = WriterOptions {
    lines_max: 5000,
    bytes_max: Some(4_000_000),
    points_per_second_max: None,
    delays: DELAYS,
    accepts_unproven: false,
};

/// A time in another shard than small times.
const FAR: i64 = 1_000_000_000_000_000_000;

fn bucket() -> Destination {
    Destination::Bucket { org: "o".into(), bucket: "b".into() }
}

fn database() -> Destination {
    Destination::Database { database: "d".into(), retention_policy: None }
}

fn lines<T: AsRef<[u8]>>(lines: impl IntoIterator<Item = T>) -> BatchLines {
    LineBuffer::from_iter(lines).into()
}

/// The place in memory of the lines' text.
fn text_of(lines: &BatchLines) -> *const u8 {
    let BatchLines::Plain(lines) = lines else { panic!("packed") };
    lines.text().as_ptr()
}

fn good(count: usize) -> BatchLines {
    lines((0..count).map(|i| format!("m v={i} {i}")))
}

struct Setup {
    receiver: Receiver,
    connection: ConnectionSettings,
    events: Arc<Events>,
    writer: Arc<Writer>,
}

impl Setup {
    async fn new(options: Options) -> Self {
        Self::with(options, OPTIONS, |_| ()).await
    }

    async fn with(
        options: Options,
        writer: WriterOptions,
        adjust: impl FnOnce(&mut ConnectionSettings),
    ) -> Self {
        let receiver = Receiver::start(options).await.unwrap();
        let mut connection = connection(&receiver.url());
        adjust(&mut connection);
        let (events, writer) = start_writer(&connection, writer);
        Self { receiver, connection, events, writer }
    }

    async fn faults(faults: impl Fn(&WriteRequest) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::new(Options { faults: Some(Box::new(faults)), ..Options::default() }).await
    }

    async fn deliver(&self, destination: &Destination, lines: &BatchLines) -> Delivered {
        let mut lane = self.writer.lane(7);
        let delivery = tokio::time::timeout(PATIENCE, lane.deliver(destination, lines));
        let delivered = delivery.await.expect("the delivery ends");
        assert_eq!(delivered.lines_settled(), lines.len());
        delivered
    }
}

fn start_writer(connection: &ConnectionSettings, options: WriterOptions) -> (Arc<Events>, Arc<Writer>) {
    let events = Arc::new(Events::default());
    let client = Client::new(connection).unwrap();
    (Arc::clone(&events), Writer::new(client, connection, options, events))
}

/// These answers first, then the receiver's own.
fn script(replies: Vec<Reply>) -> impl Fn(&WriteRequest) -> Option<Reply> + Send + Sync + 'static {
    move |request| replies.get(request.number as usize - 1).cloned()
}

fn refused_lines(delivered: &Delivered) -> Vec<usize> {
    delivered.refused.iter().map(|refused| refused.line).collect()
}

fn causes(events: &[Event]) -> Vec<&'static str> {
    let cause = |event: &Event| match event {
        Event::Raised(alarm) => Some(alarm.cause),
        _ => None,
    };
    events.iter().filter_map(cause).collect()
}

fn is_repaired(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Resolved { .. }))
}

#[tokio::test]
async fn stores_a_batch_in_one_request_without_copying_it() {
    let setup = Setup::new(Options::default()).await;
    let lines = good(1000);
    let place = text_of(&lines);
    let delivered = setup.deliver(&bucket(), &lines).await;
    assert_eq!(delivered.requests, RequestCounts { stored: 1, ..RequestCounts::default() });
    assert_eq!(delivered.bytes_sent, lines.bytes() as u64);
    assert_eq!(delivered.request_bytes_max, Some(32_000_000), "InfluxDB 2");
    assert_eq!(setup.receiver.points(&bucket()).len(), 1000);
    assert!(matches!(setup.events.take()[..], [Event::FirstStored { lines: 1000, .. }]));

    // The request's text is free again, and the next batch emits no event for a first store.
    let mut buffer = lines.into_buffer();
    buffer.push_line(b"m v=1 1");
    assert_eq!(buffer.text().as_ptr(), place);
    setup.deliver(&bucket(), &buffer.into()).await;
    assert!(setup.events.take().is_empty());
}

#[tokio::test]
async fn sends_nothing_for_no_lines() {
    let setup = Setup::new(Options::default()).await;
    let delivered = setup.deliver(&bucket(), &good(0)).await;
    assert_eq!((delivered.requests.total(), delivered.bytes_sent), (0, 0));
}

#[tokio::test]
async fn compresses_once_for_all_attempts() {
    let faults: testkit::receiver::Faults = Box::new(|request| {
        assert!(request.gzipped);
        (request.number < 3).then(|| Reply::status(503))
    });
    let options = Options { faults: Some(faults), ..Options::default() };
    let setup = Setup::with(options, OPTIONS, |connection| connection.compression = Compression::Gzip).await;
    let lines = good(2000);
    let delivered = setup.deliver(&bucket(), &lines).await;
    assert_eq!(setup.receiver.point_count(), 2000);
    assert_eq!(delivered.requests.retried, 2);
    assert!(delivered.bytes_sent < lines.bytes() as u64 * 3 / 2);
    let counters = setup.writer.counters();
    assert_eq!(counters.bytes_sent.load(Relaxed), delivered.bytes_sent);
    assert_eq!(counters.bytes_plain.load(Relaxed), 3 * lines.bytes() as u64);
    assert_eq!(counters.lines_stored.load(Relaxed), 2000);
    assert_eq!(counters.latency.count.load(Relaxed), 3);
}

#[tokio::test]
async fn cuts_batches_that_are_larger_than_a_request() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let faults: testkit::receiver::Faults = Box::new(move |request| {
        seen.lock().unwrap().push((request.line_count(), request.text.len()));
        None
    });
    let options = Options { faults: Some(faults), ..Options::default() };
    let limits = WriterOptions { lines_max: 10, bytes_max: Some(100), ..OPTIONS };
    let setup = Setup::with(options, limits, |_| ()).await;
    let long = format!("m v=1,s=\"{}\" 500", "x".repeat(300));
    let mixed = lines((0..25).map(|i| if i == 12 { long.clone() } else { format!("m v={i} {i}") }));
    setup.deliver(&bucket(), &mixed).await;
    assert_eq!(setup.receiver.point_count(), 25);
    let sizes = sizes.lock().unwrap();
    assert!(sizes.iter().all(|(lines, bytes)| *lines <= 10 && (*bytes <= 100 || *lines == 1)), "{sizes:?}");
    assert_eq!(sizes.iter().map(|(lines, _)| lines).sum::<usize>(), 25);
}

#[tokio::test]
async fn retries_passing_failures_without_end() {
    let huge = Reply::status(500).body(vec![b'x'; 10_000_000]);
    let busy = Reply::status(429).header("Retry-After", "0");
    let mut replies = vec![Reply::status(503), busy, Reply::status(502), Reply::status(504), huge];
    replies.push(Reply::status(500).body(r#"{"error":"timeout"}"#).storing());
    replies.push(Reply::status(204).ending(Ending::Reset));
    replies.push(Reply::status(204).ending(Ending::Reset).storing());
    replies.push(Reply::status(500).body("0123456789").ending(Ending::Half));
    replies.extend(vec![Reply::status(503); 20]);
    let faults = replies.len();
    let setup = Setup::faults(script(replies)).await;
    let delivered = setup.deliver(&bucket(), &good(10)).await;
    assert_eq!(
        delivered.requests,
        RequestCounts { stored: 1, retried: faults as u32, ..RequestCounts::default() }
    );
    assert_eq!(setup.receiver.point_count(), 10);
    let events = setup.events.take();
    assert_eq!(
        causes(&events),
        ["unavailable", "busy", "server_failed", "disconnected"],
        "each once a minute"
    );
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Resolved { .. })).count(), 1);
    assert!(setup.writer.alarms().is_empty());
}

#[tokio::test]
async fn waits_as_long_as_retry_after_says() {
    let setup = Setup::faults(script(vec![Reply::status(429).header("Retry-After", "0.3")])).await;
    let start = std::time::Instant::now();
    setup.deliver(&bucket(), &good(1)).await;
    assert!(start.elapsed() >= Duration::from_millis(300));
}

/// The rate applies to all lanes together, and not to retries.
#[tokio::test]
async fn writes_no_more_points_per_second_than_allowed() {
    let faults: testkit::receiver::Faults =
        Box::new(|request| request.number.is_multiple_of(2).then(|| Reply::status(503)));
    let options = Options { faults: Some(faults), ..Options::default() };
    let limits = WriterOptions { points_per_second_max: Some(1_000), ..OPTIONS };
    let setup = Setup::with(options, limits, |_| ()).await;
    let start = std::time::Instant::now();
    let mut lanes = [0, 1, 2, 3].map(|seed| setup.writer.lane(seed));
    let (destination, batch) = (bucket(), good(100));
    let [one, two, three, four] = lanes.each_mut().map(|lane| lane.deliver(&destination, &batch));
    tokio::join!(one, two, three, four);
    assert!(
        start.elapsed() >= Duration::from_millis(300),
        "the first batch is sent at once, each other 100 ms later"
    );
    assert_eq!(setup.writer.counters().lines_stored.load(Relaxed), 400);
    assert!(setup.writer.counters().retried.load(Relaxed) > 0);
}

#[tokio::test]
async fn times_out_on_a_server_that_hangs() {
    let options = Options {
        faults: Some(Box::new(script(vec![Reply::status(204).ending(Ending::Hang)]))),
        ..Options::default()
    };
    let setup = Setup::with(options, OPTIONS, |c| c.timeout = Duration::from_millis(200)).await;
    let delivered = setup.deliver(&bucket(), &good(3)).await;
    assert_eq!(delivered.requests.stored, 1);
    assert_eq!(causes(&setup.events.take())[0], "timed_out");
}

#[tokio::test]
async fn halves_requests_after_a_413_and_remembers_the_size() {
    let largest = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&largest);
    let setup = Setup::faults(move |request| {
        seen.fetch_max(request.text.len(), Relaxed);
        (request.text.len() > 3000).then(|| Reply::status(413).body("<html>too large</html>"))
    })
    .await;
    let lines = good(2000);
    let delivered = setup.deliver(&bucket(), &lines).await;
    assert!(delivered.refused.is_empty());
    assert_eq!(setup.receiver.point_count(), 2000);
    let halvings = (lines.bytes() / 3000).ilog2() + 1;
    assert_eq!(delivered.requests.split, halvings);
    assert!(matches!(setup.events.take()[0], Event::SizeLowered { .. }));

    largest.store(0, Relaxed);
    let again = setup.deliver(&bucket(), &lines).await;
    assert_eq!(again.requests.split, 0);
    assert!(largest.load(Relaxed) <= 3000);
    // The size of batches follows it.
    assert_eq!(again.request_bytes_max, delivered.request_bytes_max);
    assert!(again.request_bytes_max.is_some_and(|bytes| (1_500..=3_000).contains(&bytes)), "{again:?}");
    // Another destination keeps its size.
    assert_eq!(setup.deliver(&database(), &good(1000)).await.requests.split, 2);
}

#[tokio::test]
async fn measures_the_time_to_the_answer() {
    let delay = Duration::from_millis(100);
    let setup = Setup::faults(move |_| Some(Reply::status(204).after(delay).storing())).await;
    let delivered = setup.deliver(&bucket(), &good(10)).await;
    assert!(delivered.answer_time >= delay, "{:?}", delivered.answer_time);
}

/// A request that is too large for the connection, or for the server's own timeout, would time out for ever.
#[tokio::test]
async fn sends_smaller_requests_after_a_timeout_of_a_large_one() {
    let own = r#"{"code":"internal error","message":"unexpected error writing points to database: timeout"}"#;
    for (reply, cause) in [
        (Reply::status(204).ending(Ending::Hang), "timed_out"),
        (Reply::status(500).body(own), "unavailable"),
        // Timeouts of proxies.
        (Reply::status(504), "server_failed"),
        (Reply::status(524), "server_failed"),
        (Reply::status(408), "busy"),
    ] {
        cuts_after(reply, cause).await;
    }
}

/// This reply to requests of more than 5 MB makes the writer send smaller ones.
async fn cuts_after(reply: Reply, cause: &str) {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let faults: testkit::receiver::Faults = Box::new(move |request| {
        seen.lock().unwrap().push(request.text.len());
        (request.text.len() > 5_000_000).then(|| reply.clone())
    });
    let options = Options { faults: Some(faults), ..Options::default() };
    let writer = WriterOptions { bytes_max: Some(10_000_000), ..OPTIONS };
    let setup = Setup::with(options, writer, |connection| connection.timeout = Duration::from_secs(3)).await;
    let text = "x".repeat(60_000);
    let lines = lines((0..110).map(|i| format!("m s=\"{text}\" {i}")));
    let delivered = setup.deliver(&bucket(), &lines).await;
    assert_eq!((delivered.lines_stored, delivered.requests.stored, delivered.requests.retried), (110, 2, 1));
    assert_eq!(setup.receiver.point_count(), 110);
    let sizes = sizes.lock().unwrap();
    assert!(sizes[0] > 6_000_000 && sizes[1..].iter().all(|bytes| *bytes <= RESENT_BYTES_MAX), "{sizes:?}");
    assert_eq!(causes(&setup.events.take())[0], cause);
    // Such a request may have been stored: the next batch is not smaller for it.
    assert_eq!(delivered.request_bytes_max, Some(32_000_000));
}

/// An InfluxDB 3, and the texts of the requests that it gets.
async fn influx3_and_its_requests() -> (Receiver, Arc<Mutex<Vec<bytes::Bytes>>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent);
    let faults: testkit::receiver::Faults = Box::new(move |request| {
        seen.lock().unwrap().push(request.text.clone());
        None
    });
    let product = testkit::receiver::Product::Influx3(testkit::receiver::Influx3::default());
    let options = Options { product, faults: Some(faults), ..Options::default() };
    (Receiver::start(options).await.unwrap(), sent)
}

/// The lines that are left after a refusal are copied, which takes memory.
#[tokio::test]
async fn sends_the_rest_of_a_large_batch_in_requests_of_bounded_size() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let faults: testkit::receiver::Faults = Box::new(move |request| {
        seen.lock().unwrap().push(request.text.len());
        None
    });
    let options = Options { faults: Some(faults), ..Options::default() };
    let setup = Setup::with(options, WriterOptions { bytes_max: Some(10_000_000), ..OPTIONS }, |_| ()).await;
    let text = "x".repeat(60_000);
    let line = |i| if i == 50 { "m s=bad 50".to_owned() } else { format!("m s=\"{text}\" {i}") };
    let delivered = setup.deliver(&bucket(), &lines((0..110).map(line))).await;
    assert_eq!((delivered.lines_stored, refused_lines(&delivered)), (109, vec![50]));
    assert_eq!(setup.receiver.point_count(), 109);
    let sizes = sizes.lock().unwrap();
    assert!(sizes[0] > 6_000_000 && sizes[1..].iter().all(|bytes| *bytes <= RESENT_BYTES_MAX), "{sizes:?}");
}

#[tokio::test]
async fn refuses_a_single_line_that_is_too_large() {
    let setup =
        Setup::faults(|request| (request.text.len() > 500).then(|| Reply::status(413).body("too large")))
            .await;
    let long = format!("m s=\"{}\" 5", "x".repeat(70_000));
    let delivered = setup.deliver(&bucket(), &lines(["m v=1 1", &long, "m v=3 3"])).await;
    assert_eq!(refused_lines(&delivered), [1]);
    assert_eq!(&*delivered.refused[0].why, "413: too large");
    assert_eq!(setup.receiver.point_count(), 2);
}

#[tokio::test]
async fn finds_the_refused_lines_and_stores_the_others() {
    let f = async |destination: Destination, bad: &str, count: usize, every: usize| {
        let setup = Setup::new(Options::default()).await;
        setup.deliver(&destination, &lines(["m v=0 0"])).await;
        let batch = lines((0..count).map(|i| match i % every {
            0 => bad.to_owned(),
            _ => format!("m v={i} {}", if i % 2 == 0 { i as i64 } else { FAR + i as i64 }),
        }));
        let delivered = setup.deliver(&destination, &batch).await;
        let want: Vec<usize> = (0..count).step_by(every).collect();
        assert_eq!(refused_lines(&delivered), want, "{bad} {count} {every}");
        assert_eq!(setup.receiver.points(&destination).len(), 1 + count - want.len());
        let bound = 2 * (count as u32).ilog2() + 4;
        assert!(delivered.requests.total() <= bound, "{:?} > {bound}", delivered.requests);
    };
    for destination in [bucket(), database()] {
        f(destination.clone(), "m v=\"text\" 1", 1000, 1000).await;
        f(destination.clone(), "m v=\"text\" 1", 1000, 100).await;
        f(destination.clone(), "m v=\"text\" 1", 100, 3).await;
        f(destination.clone(), "m v=+1 1", 1000, 300).await;
        f(destination.clone(), "m v=\"text\" 1", 64, 1).await;
        f(destination, "m v=\"text\" 1", 1, 1).await;
    }
}

#[tokio::test]
async fn gives_the_reason_of_each_refused_line() {
    let setup = Setup::new(Options::default()).await;
    let batch = lines(["m v=1 1", "m v=\"text\" 2", "m v= 3", "n w=1 4"]);
    let delivered = setup.deliver(&bucket(), &batch).await;
    assert_eq!(refused_lines(&delivered), [1, 2]);
    let why: Vec<_> = delivered.refused.iter().map(|refused| &*refused.why).collect();
    assert!(why[0].contains("field type conflict: input field \"v\" on measurement \"m\""), "{}", why[0]);
    assert_eq!(why[1], "400: unable to parse: missing field value (column 5)");
    assert!(setup.writer.alarms().is_empty());
}

#[tokio::test]
async fn keeps_few_reasons_for_many_refused_lines() {
    let faults: testkit::receiver::Faults = Box::new(|request| {
        let message = format!("cannot take {}", String::from_utf8_lossy(&request.text));
        Some(Reply::status(422).body(serde_json::json!({ "message": message }).to_string()))
    });
    let options = Options { faults: Some(faults), ..Options::default() };
    let setup = Setup::with(options, WriterOptions { accepts_unproven: true, ..OPTIONS }, |_| ()).await;
    let delivered = setup.deliver(&bucket(), &good(1000)).await;
    assert_eq!(delivered.refused.len(), 1000);
    let distinct: BTreeSet<_> = delivered.refused.iter().map(|refused| &refused.why).collect();
    assert_eq!(distinct.len(), 256 + 1, "and one for all others");
}

#[tokio::test]
async fn answers_are_made_printable_before_they_are_logged() {
    let setup = Setup::faults(script(vec![
        Reply::status(503).body("oops\nERROR forged\u{1b}[2J\u{202e}"),
        Reply::status(401).body("your header was: Authorization: Token hush-hush"),
    ]))
    .await;
    let credential = Credential::Token(Secret::new("hush-hush"));
    let connection = ConnectionSettings { credential, ..setup.connection.clone() };
    let (events, writer) = start_writer(&connection, OPTIONS);
    writer.lane(7).deliver(&bucket(), &good(1)).await;
    let events = events.take();
    let why = |event: &Event| match event {
        Event::Raised(alarm) => alarm.why.clone(),
        _ => String::new(),
    };
    assert_eq!(why(&events[0]), r"503: oops\nERROR forged\u{1b}[2J\u{202e}");
    let logged = format!("{events:?}");
    assert!(logged.contains("Token (secret)") && !logged.contains("hush-hush"), "{logged}");
}

#[tokio::test]
async fn blocks_until_the_bucket_exists() {
    let options = Options { destinations: Some([database()].into()), ..Options::default() };
    let setup = Setup::new(options).await;
    let (mut blocked, mut other) = (setup.writer.lane(7), setup.writer.lane(8));
    let (bucket, database, lines) = (bucket(), database(), good(100));
    let waiting = blocked.deliver(&bucket, &lines);
    let meanwhile = async {
        while setup.writer.counters().blocked.load(Relaxed) < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(other.deliver(&database, &lines).await.lines_stored, 100);
        let alarms = setup.writer.alarms();
        assert_eq!(alarms.len(), 1);
        assert_eq!(alarms[0].cause, "bucket_missing");
        assert!(alarms[0].blocks && alarms[0].remedy.contains("influx bucket create --org o --name b"));
        setup.receiver.create(bucket.clone());
    };
    let (delivered, ()) = tokio::join!(waiting, meanwhile);
    assert_eq!(delivered.lines_stored, 100);
    let events = setup.events.take();
    assert_eq!(causes(&events), ["bucket_missing"]);
    assert!(is_repaired(&events) && setup.writer.alarms().is_empty());
}

#[tokio::test]
async fn uses_a_corrected_token_at_once() {
    let token = |text: &str| Credential::Token(Secret::new(text));
    let receiver = Receiver::start(Options { credential: token("new"), ..Options::default() }).await.unwrap();
    let connection = ConnectionSettings { credential: token("old"), ..connection(&receiver.url()) };
    let client =
        Client::new(&connection).unwrap().with_credential_source(Box::new(move || Some(token("new"))));
    let events = Arc::new(Events::default());
    let writer = Writer::new(client, &connection, OPTIONS, events.clone());
    let delivered = writer.lane(7).deliver(&bucket(), &good(5)).await;
    assert_eq!(delivered.requests, RequestCounts { stored: 1, blocked: 1, ..RequestCounts::default() });
    let events = events.take();
    assert_eq!(causes(&events), [""; 0], "nobody has to act");
    assert!(events.iter().any(|event| matches!(event, Event::CredentialReread)));
}

#[tokio::test]
async fn creates_a_database_at_the_start_and_after_it_was_dropped() {
    let creating = |connection: &mut ConnectionSettings| connection.create_database = true;
    let none = || Options { destinations: Some(BTreeSet::new()), ..Options::default() };
    let setup = Setup::with(none(), OPTIONS, creating).await;
    Arc::clone(&setup.writer).prepare(database(), 1).await;
    assert!(matches!(setup.events.take()[..], [Event::DatabaseReady { .. }]));
    assert_eq!(setup.deliver(&database(), &good(5)).await.requests.total(), 1);

    let setup = Setup::with(none(), OPTIONS, creating).await;
    let delivered = setup.deliver(&database(), &good(5)).await;
    assert_eq!(delivered.requests, RequestCounts { stored: 1, blocked: 1, ..RequestCounts::default() });
}

/// Messages of 1.6.7 for a full disk, and for a user who may not create databases.
#[tokio::test]
async fn reports_why_a_database_is_not_created() {
    let f = async |error: &str, want: (&str, bool), remedy: &str| {
        let none = Options { destinations: Some(BTreeSet::new()), ..Options::default() };
        let setup = Setup::with(none, OPTIONS, |connection| connection.create_database = true).await;
        setup.receiver.fail_statements(Some(error));
        let (mut lane, destination, lines) = (setup.writer.lane(7), database(), good(5));
        let waiting = lane.deliver(&destination, &lines);
        let meanwhile = async {
            while setup.writer.counters().blocked.load(Relaxed) < 3 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let alarms = setup.writer.alarms();
            let [alarm] = &alarms[..] else { panic!("{alarms:?}") };
            assert_eq!((alarm.cause, alarm.blocks), want);
            assert!(alarm.why.contains("database not found"), "{}", alarm.why);
            assert!(alarm.why.ends_with(&format!("influx.create_database failed: {error}")), "{}", alarm.why);
            assert!(alarm.remedy.contains(remedy), "{}", alarm.remedy);
            assert!(
                !alarm.remedy.contains("create_database = true"),
                "create_database is set: {}",
                alarm.remedy
            );
            setup.receiver.fail_statements(None);
        };
        let (delivered, ()) = tokio::join!(waiting, meanwhile);
        assert_eq!((delivered.lines_stored, delivered.refused.len()), (5, 0));
        assert_eq!(causes(&setup.events.take()), [want.0]);
    };
    f("write /meta/meta.dbtmp: no space left on device", ("disk_full", false), "make room").await;
    let denied = "error authorizing query: u not authorized to execute statement 'CREATE DATABASE d', requires admin privilege";
    f(denied, ("database_missing", true), "as an administrator").await;
}

#[tokio::test]
async fn blocks_on_answers_that_are_not_about_lines() {
    let f = async |reply: Reply, cause: &str| {
        let setup = Setup::faults(script(vec![reply; 3])).await;
        let delivered = setup.deliver(&bucket(), &good(5)).await;
        assert_eq!(delivered.requests, RequestCounts { stored: 1, blocked: 3, ..RequestCounts::default() });
        assert_eq!(causes(&setup.events.take()), [cause]);
    };
    f(Reply::status(200).body("<html>hello</html>"), "not_influxdb").await;
    f(Reply::status(301).header("Location", "/elsewhere"), "redirected").await;
    f(Reply::status(307).header("Location", "http://user:hidden@h/"), "redirected").await;
    f(Reply::status(400).body(r#"{"code":"invalid","message":"invalid precision"}"#), "request_refused")
        .await;
    f(Reply::status(401), "unauthorized").await;
    f(Reply::status(403), "forbidden").await;
    f(Reply::status(404), "endpoint_missing").await;
    f(Reply::status(405), "method_refused").await;
}

#[tokio::test]
async fn names_an_unreachable_address() {
    let setup = Setup::new(Options::default()).await;
    let Setup { receiver, events, writer, .. } = setup;
    drop(receiver);
    let mut lane = writer.lane(7);
    let (destination, lines) = (bucket(), good(1));
    let waiting = tokio::time::timeout(Duration::from_secs(1), lane.deliver(&destination, &lines));
    assert!(waiting.await.is_err());
    let events = events.take();
    assert_eq!(causes(&events), ["unreachable"]);
    let Event::Raised(alarm) = &events[0] else { panic!("{events:?}") };
    assert!(alarm.remedy.contains("influx.url"), "{}", alarm.remedy);
}

#[tokio::test]
async fn an_abandoned_delivery_leaves_no_alarm() {
    let setup = Setup::new(Options { destinations: Some(BTreeSet::new()), ..Options::default() }).await;
    let mut lane = setup.writer.lane(7);
    let (destination, lines) = (bucket(), good(10));
    let waiting = tokio::time::timeout(Duration::from_millis(100), lane.deliver(&destination, &lines));
    assert!(waiting.await.is_err());
    assert!(setup.writer.alarms().is_empty());
    assert!(!is_repaired(&setup.events.take()));
    setup.receiver.create(bucket());
    assert_eq!(lane.deliver(&destination, &lines).await.lines_stored, 10);
    assert_eq!(setup.receiver.point_count(), 10);
}

/// Random faults of every kind, over batches with refused lines in several shards: exactly the bad lines are refused, and all others are
/// stored.
#[tokio::test]
async fn settles_every_line_despite_random_faults() {
    let seeds = seed::given("BRIDGE_DELIVERY_SEED").map_or(0..12, |seed| seed..seed + 1);
    for seed in seeds {
        let _repeated = seed::Repeated::by(
            "BRIDGE_DELIVERY_SEED",
            seed,
            "cargo test --lib settles_every_line_whatever_happens",
        );
        let mut rng = fastrand::Rng::with_seed(seed);
        let fault_rng = Mutex::new(fastrand::Rng::with_seed(seed ^ 0xfa17));
        let faults: testkit::receiver::Faults = Box::new(move |request| {
            let mut rng = fault_rng.lock().unwrap();
            let mut reply = match rng.u8(..12) {
                0 => Reply::status(503),
                1 => Reply::status(429).header("Retry-After", "0"),
                2 => Reply::status(204).ending(Ending::Reset),
                3 => Reply::status(500).body("half an answer").ending(Ending::Half),
                4 => Reply::status(401),
                5 if request.text.len() > 600 => Reply::status(413),
                6 => Reply::status(500).body("timeout").after(Duration::from_millis(1)),
                _ => return None,
            };
            reply.stores = rng.bool();
            Some(reply)
        });
        let options = Options { faults: Some(faults), ..Options::default() };
        let limits =
            WriterOptions { lines_max: rng.usize(1..200), bytes_max: Some(rng.usize(1..5000)), ..OPTIONS };
        let setup = Setup::with(options, limits, |_| ()).await;
        for round in 0..3_i64 {
            let count = rng.usize(1..100);
            let bad: Vec<bool> = (0..count).map(|_| rng.u8(..20) == 0).collect();
            let batch = lines(bad.iter().enumerate().map(|(i, bad)| {
                let time = round * 1000 + i as i64 + if rng.bool() { FAR } else { 0 };
                if *bad { format!("m v=+1 {time}") } else { format!("m v={i} {time}") }
            }));
            let before = setup.receiver.point_count();
            let delivered = setup.deliver(&bucket(), &batch).await;
            let want: Vec<usize> = (0..count).filter(|i| bad[*i]).collect();
            assert_eq!(refused_lines(&delivered), want, "seed {seed} round {round}");
            let stored = setup.receiver.point_count() - before;
            assert_eq!(stored, count - want.len(), "seed {seed} round {round}");
        }
        assert!(setup.writer.alarms().is_empty(), "seed {seed}");
    }
}
