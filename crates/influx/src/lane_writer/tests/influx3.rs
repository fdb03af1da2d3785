//! Writing to InfluxDB 3, whose refusals name lines by number and are fast, and whose successes are slow.

use super::*;
use testkit::receiver::{Faults, Influx3, Product};

/// The first version that takes partial writes, and the last one before.
const NEW: &str = "3.11.2";
const OLD: &str = "3.11.1";

fn own() -> Destination {
    Destination::Database3 { database: "d".into() }
}

fn v2() -> Destination {
    Destination::Bucket { org: String::new(), bucket: "d".into() }
}

fn options(version: &str) -> Options {
    let server =
        Influx3 { version: version.to_owned(), flush: Duration::from_millis(20), ..Influx3::default() };
    Options { product: Product::Influx3(server), ..Options::default() }
}

async fn setup(version: &str) -> Setup {
    let setup = Setup::new(options(version)).await;
    // The first line fixes the type of the column.
    let delivered = setup.deliver(&own(), &lines(["m v=1 0"])).await;
    assert_eq!(delivered.lines_stored, 1);
    setup
}

/// Lines of which `bad`, evenly spread, conflict with the type of a column.
fn batch(count: usize, bad: usize) -> (BatchLines, Vec<usize>) {
    let step = count / bad;
    let is_bad = |i: usize| i % step == step / 2 && i / step < bad;
    let text =
        |i: usize| if is_bad(i) { format!("m v=\"s\" {}", i + 1) } else { format!("m v={i} {}", i + 1) };
    (lines((0..count).map(text)), (0..count).filter(|&i| is_bad(i)).collect())
}

const CONFLICT: &str = "invalid column type for column 'v', expected iox::column_type::field::float, got iox::column_type::field::string";

#[tokio::test]
async fn bad_lines_take_two_requests_where_partial_writes_are_safe() {
    for bad in [1, 10, 100, 1_000] {
        let setup = setup(NEW).await;
        let (lines, want) = batch(5_000, bad);
        let delivered = setup.deliver(&own(), &lines).await;
        assert_eq!(refused_lines(&delivered), want);
        assert_eq!(delivered.requests, RequestCounts { stored: 1, refused: 1, ..RequestCounts::default() });
        let why = format!("400: partial write of line protocol occurred: {CONFLICT}");
        assert!(delivered.refused.iter().all(|refused| *refused.why == why), "{:?}", delivered.refused[0]);
        assert_eq!(setup.receiver.points(&own()).len(), 5_001 - bad);
    }
}

/// One fast refusal that names the first bad line, which proves the others of its table, column and type, and one request that stores.
#[tokio::test]
async fn lines_of_one_conflict_are_removed_together_where_an_answer_names_only_the_first() {
    for (version, destination) in [(OLD, own()), (NEW, database())] {
        for bad in [1, 10, 100] {
            let setup = setup(version).await;
            let (lines, want) = batch(500, bad);
            let delivered = setup.deliver(&destination, &lines).await;
            assert_eq!(refused_lines(&delivered), want);
            assert_eq!(
                delivered.requests,
                RequestCounts { stored: 1, refused: 1, ..RequestCounts::default() }
            );
            let why = format!("400: line protocol parsing error: {CONFLICT}");
            assert!(
                delivered.refused.iter().all(|refused| *refused.why == why),
                "{:?}",
                delivered.refused[0]
            );
            assert_eq!(setup.receiver.points(&own()).len(), 501 - bad);
        }
    }
}

/// The endpoint of 2.x names no line. The first line with the column and type that it names is refused alone; for the others of its table
/// that is proof enough.
#[tokio::test]
async fn bad_lines_are_found_by_column_where_no_answer_names_a_line() {
    for bad in [1, 10, 100] {
        let setup = setup(NEW).await;
        let (lines, want) = batch(500, bad);
        let delivered = setup.deliver(&v2(), &lines).await;
        assert_eq!(refused_lines(&delivered), want);
        // All, the lines before the first bad one, this one, the rest, the rest without bad lines.
        assert_eq!(delivered.requests.stored, 2);
        assert!(delivered.requests.refused <= 3, "{:?}", delivered.requests);
        assert_eq!(setup.receiver.points(&own()).len(), 501 - bad);
    }
}

/// Each bad line has a conflict of its own table. After some refusals, each further one is of a smaller request.
#[tokio::test]
async fn bad_lines_with_causes_of_their_own_do_not_resend_the_whole_batch_for_each() {
    for (version, destination) in [(OLD, own()), (NEW, database())] {
        let setup = setup(version).await;
        let tables = lines((0..400).map(|i| format!("t{i} v=1 0")));
        assert_eq!(setup.deliver(&destination, &tables).await.lines_stored, 400);
        let text =
            |i: usize| if i % 2 == 1 { format!("t{} v=\"s\" 1", i / 2) } else { format!("m v={i} {i}") };
        let batch = lines((0..800).map(text));
        let delivered = setup.deliver(&destination, &batch).await;
        assert_eq!(refused_lines(&delivered), (0..800).filter(|i| i % 2 == 1).collect::<Vec<_>>());
        assert_eq!(delivered.requests.refused, 400);
        assert!(delivered.requests.stored <= 32, "{:?}", delivered.requests);
        let bytes = batch.bytes() as u64;
        assert!(delivered.bytes_sent < 170 * bytes, "{} of {bytes}", delivered.bytes_sent);
    }
}

/// The first line of a table fixes the types. So no later line may come before it, whatever is tried.
#[tokio::test]
async fn a_new_table_has_the_types_of_its_first_line() {
    for destination in [own(), database(), v2()] {
        for version in [OLD, NEW] {
            let setup = Setup::new(options(version)).await;
            let text = |i: usize| if i == 50 { "n v=\"s\" 50".to_owned() } else { format!("n v={i} {i}") };
            let delivered = setup.deliver(&destination, &lines((0..100).map(text))).await;
            assert_eq!(refused_lines(&delivered), [50], "{destination}");
            assert_eq!(setup.receiver.points(&own()).len(), 99);
        }
    }
}

/// The answer names a column and no table: another table may have the column with the other type.
#[tokio::test]
async fn a_conflict_of_one_table_refuses_no_line_of_another() {
    for destination in [own(), database(), v2()] {
        let setup = setup(OLD).await;
        let text = |i: usize| match i % 10 {
            7 => format!("m v=\"bad\" {i}"),
            1 | 5 => format!("other v=\"good\" {i}"),
            _ => format!("m v={i} {i}"),
        };
        let delivered = setup.deliver(&destination, &lines((0..200).map(text))).await;
        assert_eq!(refused_lines(&delivered), (0..200).filter(|i| i % 10 == 7).collect::<Vec<_>>());
        assert!(delivered.requests.stored <= 6, "{:?}", delivered.requests);
    }
}

#[tokio::test]
async fn unreadable_lines_are_found_where_no_answer_names_a_line() {
    let setup = setup(NEW).await;
    let text = |i: usize| if i % 50 == 7 { format!("m v=NaN {i}") } else { format!("m v={i} {i}") };
    let delivered = setup.deliver(&v2(), &lines((0..500).map(text))).await;
    assert_eq!(refused_lines(&delivered), (0..500).filter(|i| i % 50 == 7).collect::<Vec<_>>());
    assert_eq!(delivered.requests, RequestCounts { stored: 1, refused: 11, ..RequestCounts::default() });
}

/// The list of 4,999 refused lines is longer than what is read of an answer.
#[tokio::test]
async fn a_list_that_is_cut_off_continues_with_the_next_answer() {
    let setup = setup(NEW).await;
    let bad = |i: usize| if i == 2_500 { format!("m v=1 {i}") } else { format!("m v=\"s\" {i}") };
    let delivered = setup.deliver(&own(), &lines((0..5_000).map(bad))).await;
    assert_eq!(refused_lines(&delivered), (0..5_000).filter(|i| *i != 2_500).collect::<Vec<_>>());
    assert!(delivered.requests.total() < 10, "{:?}", delivered.requests);
    assert_eq!(delivered.requests.stored, 1);
}

#[tokio::test]
async fn each_refused_line_has_its_own_reason() {
    for (version, destination) in [(NEW, own()), (OLD, own()), (NEW, database())] {
        let setup = setup(version).await;
        let batch = lines([
            "m v=1 1",
            "m v=NaN 2",
            "m v=\"s\" 3",
            "m v=1 9223372036854775808",
            "m v=1,v=2 4",
            "m v=1 5",
        ]);
        let delivered = setup.deliver(&destination, &batch).await;
        let reasons: Vec<_> = delivered.refused.iter().map(|refused| (refused.line, &*refused.why)).collect();
        let want = [
            (1, "No fields were provided"),
            (2, CONFLICT),
            (3, "Unable to parse timestamp value `9223372036854775808`"),
            (4, "multiple instances of 'v' field found"),
        ];
        for ((line, why), (want, reason)) in reasons.iter().zip(want) {
            assert!(*line == want && why.ends_with(reason), "{reasons:?}");
        }
        assert_eq!((reasons.len(), delivered.lines_stored), (4, 2));
    }
}

/// The quote that the server adds is of another line behind a string of several lines, and the number counts the string once.
#[tokio::test]
async fn the_number_of_a_line_counts_and_not_its_quote() {
    for version in [OLD, NEW] {
        let setup = setup(version).await;
        let batch = lines(["m s=\"one\ntwo\nthree\" 1", "m v=2 2", "m v=\"s\" 3", "m v=4 4"]);
        let delivered = setup.deliver(&own(), &batch).await;
        assert_eq!(refused_lines(&delivered), [2]);
        assert_eq!(delivered.requests, RequestCounts { stored: 1, refused: 1, ..RequestCounts::default() });
    }
}

/// An answer that names one line by its number.
fn partial(number: usize, why: &str) -> Reply {
    let data = serde_json::json!([{ "error_message": why, "line_number": number, "original_line": "m" }]);
    let body = serde_json::json!({ "error": "partial write of line protocol occurred", "data": data });
    Reply::status(400).body(body.to_string())
}

/// A number is no proof by itself: something on the way may have cut or changed the request.
#[tokio::test]
async fn a_named_line_without_the_cause_is_tried_alone() {
    for why in ["No fields were provided", CONFLICT, "words of a later version"] {
        for number in [1, 5, 0, 11, usize::MAX] {
            let reply = partial(number, why);
            let faults: Faults = Box::new(move |request| (request.line_count() == 10).then(|| reply.clone()));
            let setup = Setup::new(Options { faults: Some(faults), ..options(NEW) }).await;
            let delivered = setup.deliver(&own(), &good(10)).await;
            assert_eq!(delivered.refused, [], "{number}: {why}");
            assert_eq!(setup.receiver.points(&own()).len(), 10);
        }
    }
}

/// A broken server may refuse every request with a known message. No line has the cause, so each waits until the server works again.
#[tokio::test]
async fn a_server_that_refuses_everything_with_known_words_has_no_line_refused() {
    let boolean = CONFLICT.replace("field::string", "field::boolean");
    for why in ["No fields were provided", &boolean] {
        for destination in [own(), database(), v2()] {
            let (reply, count) = (partial(1, why), AtomicUsize::new(0));
            let faults: Faults = Box::new(move |_| (count.fetch_add(1, Relaxed) < 60).then(|| reply.clone()));
            let setup = Setup::new(Options { faults: Some(faults), ..options(NEW) }).await;
            let delivered = setup.deliver(&destination, &good(10)).await;
            assert_eq!(delivered.refused, [], "{destination}: {why}");
            assert_eq!(setup.receiver.points(&own()).len(), 10);
        }
    }
}

/// A line that names a column beyond the limit waits, and lines that are bad beside it are refused.
#[tokio::test]
async fn a_limit_in_a_list_keeps_only_its_lines_out() {
    let server = Influx3 { version: NEW.to_owned(), columns_max: 4, ..Influx3::default() };
    let setup = Setup::new(Options { product: Product::Influx3(server), ..Options::default() }).await;
    setup.deliver(&own(), &lines(["m v=1,w=1 0"])).await;
    for destination in [own(), database(), v2()] {
        let batch = lines(["m v=1 1", "m a=1,b=1 2", "m v=\"s\" 3", "m w=1 4"]);
        let delivered = setup.deliver(&destination, &batch).await;
        assert_eq!(refused_lines(&delivered), [2]);
        let [kept_out] = &delivered.kept_out[..] else { panic!("{:?}", delivered.kept_out) };
        assert_eq!((kept_out.line, kept_out.cause), (1, Cause::ServerLimit));
        assert!(kept_out.why.contains("number of columns per table limit of 4 columns"), "{}", kept_out.why);
        assert!(kept_out.remedy.contains("500 in Core"), "{}", kept_out.remedy);
    }
}

#[tokio::test]
async fn a_database_beyond_the_limit_blocks_and_refuses_nothing() {
    for destination in [own(), database(), v2()] {
        let server = Influx3 { databases_max: 0, ..Influx3::default() };
        let setup = Setup::new(Options { product: Product::Influx3(server), ..Options::default() }).await;
        let (mut lane, batch) = (setup.writer.lane(7), good(100));
        let delivery = lane.deliver(&destination, &batch);
        let blocked = async {
            while !setup.writer.is_blocked(&destination) || setup.receiver.counts().requests.load(Relaxed) < 5
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            delivered = delivery => panic!("{delivered:?}"),
            blocked = tokio::time::timeout(PATIENCE, blocked) => blocked.expect("it blocks"),
        }
        assert_eq!(causes(&setup.events.take()), ["server_limit"]);
    }
}

/// The endpoint of 2.x answers 400 "invalid" to failures of the server.
#[tokio::test]
async fn failures_of_the_log_are_waited_for() {
    let full = "error from wal: Generic LocalFileSystem error: No space left on device (os error 28)";
    let stopping = "wal is shutdown and not accepting writes";
    for (error, cause) in [(full, "disk_full"), (stopping, "server_failed")] {
        for destination in [own(), database(), v2()] {
            let setup = Setup::new(options(NEW)).await;
            setup.receiver.fail_writes(Some(error));
            let (mut lane, batch) = (setup.writer.lane(7), good(100));
            let mut delivery = std::pin::pin!(lane.deliver(&destination, &batch));
            while setup.receiver.counts().requests.load(Relaxed) < 3 {
                let wait = tokio::time::timeout(Duration::from_millis(5), &mut delivery).await;
                assert!(wait.is_err(), "it waits");
            }
            setup.receiver.fail_writes(None);
            let delivered = tokio::time::timeout(PATIENCE, delivery).await.expect("it resumes");
            assert_eq!((delivered.lines_stored, delivered.refused.len()), (100, 0));
            let events = setup.events.take();
            assert_eq!(causes(&events), [cause], "{destination}");
            assert!(is_repaired(&events));
        }
    }
}

#[tokio::test]
async fn a_body_beyond_10_mib_is_split() {
    let server = Influx3 { body_bytes_max: 1_000, ..Influx3::default() };
    let setup = Setup::new(Options { product: Product::Influx3(server), ..Options::default() }).await;
    let delivered = setup.deliver(&own(), &good(200)).await;
    assert!(delivered.requests.split > 0);
    assert_eq!(delivered.lines_stored, 200);
}

/// The question before the first lines creates no database, and no answer to it keeps the bridge from writing.
#[tokio::test]
async fn the_first_question_writes_nothing() {
    for destination in [own(), database(), v2()] {
        let setup = Setup::new(options(OLD)).await;
        Arc::clone(&setup.writer).prepare(destination.clone(), 7).await;
        assert_eq!(setup.receiver.counts().requests.load(Relaxed), 0, "{destination}");
        let client = setup.writer.current_client();
        let listed = client.databases(client.addresses().current(), &destination).await;
        assert_eq!(listed, Some(("d".to_owned(), vec![])));
        assert_eq!(causes(&setup.events.take()), [] as [&str; 0]);
    }
}

/// `create_database` is of 1.x: this server has no such statement, and needs none.
#[tokio::test]
async fn no_statement_creates_the_database() {
    let setup = Setup::with(options(OLD), OPTIONS, |connection| connection.create_database = true).await;
    Arc::clone(&setup.writer).prepare(database(), 7).await;
    assert!(setup.events.take().is_empty());
}

#[tokio::test]
async fn a_wrong_token_is_found_before_the_first_lines() {
    let options = Options { credential: Credential::Token(Secret::new("right")), ..options(OLD) };
    let setup = Setup::with(options, OPTIONS, |connection| {
        connection.credential = Credential::Token(Secret::new("wrong"));
    })
    .await;
    let prepare = Arc::clone(&setup.writer).prepare(own(), 7);
    let blocked = async {
        while !setup.writer.is_blocked(&own()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = prepare => panic!("it ends"),
        blocked = tokio::time::timeout(PATIENCE, blocked) => blocked.expect("it blocks"),
    }
    assert_eq!(causes(&setup.events.take()), ["unauthorized"]);
    assert_eq!(setup.receiver.counts().requests.load(Relaxed), 0);
}

/// The parameters of a delivery's requests.
async fn parameters(
    version: &str,
    adjust: impl FnOnce(&mut ConnectionSettings),
) -> (Option<bool>, Option<bool>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let faults: Faults = {
        let seen = Arc::clone(&seen);
        Box::new(move |request| {
            assert_eq!(request.precision.as_deref(), Some("nanosecond"));
            seen.lock().unwrap().push((request.accept_partial, request.no_sync));
            None
        })
    };
    let setup = Setup::with(Options { faults: Some(faults), ..options(version) }, OPTIONS, adjust).await;
    setup.deliver(&own(), &good(1)).await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    seen[0]
}

#[tokio::test]
async fn only_safe_servers_are_asked_for_partial_writes() {
    assert_eq!(parameters(OLD, |_| ()).await, (Some(false), Some(false)));
    assert_eq!(parameters(NEW, |_| ()).await, (Some(true), Some(false)));
    assert_eq!(parameters("unknown", |_| ()).await, (Some(false), Some(false)));
    assert_eq!(parameters(NEW, |connection| connection.no_sync = true).await, (Some(true), Some(true)));
}

/// After a failure of its address, another version may answer there.
#[tokio::test]
async fn the_version_is_asked_again_after_a_failure() {
    let setup = setup(NEW).await;
    let client = setup.writer.current_client();
    let address = client.addresses().current();
    assert!(address.known_server().is_some());
    setup.writer.mark_down(address, &own(), Cause::Disconnected, "reset");
    assert_eq!(address.known_server(), None);
    setup.deliver(&own(), &good(1)).await;
    assert!(address.known_server().is_some());
}

/// The endpoints of 1.x and 2.x need no version, but remedies and the order of lines depend on the server.
#[tokio::test]
async fn a_server_behind_another_endpoint_is_the_same_after_a_failure_and_is_asked_again() {
    for destination in [database(), v2()] {
        let setup = setup(NEW).await;
        let client = setup.writer.current_client();
        let address = client.addresses().current();
        setup.writer.mark_down(address, &destination, Cause::Disconnected, "reset");
        assert_eq!(address.server(), Server::Influx3(Version(3, 11, 2)));
        assert!(!setup.writer.groups_lines(&destination));
        setup.deliver(&destination, &good(1)).await;
        assert_eq!(address.known_server(), Some(Server::Influx3(Version(3, 11, 2))));
        assert!(!setup.writer.groups_lines(&destination));
    }
}

/// Which order of lines is safe is not known before the server has named itself.
#[tokio::test]
async fn lines_are_grouped_only_for_a_server_that_named_itself() {
    let setup = Setup::new(Options::default()).await;
    assert!(!setup.writer.groups_lines(&bucket()));
    setup.deliver(&bucket(), &good(1)).await;
    assert!(setup.writer.groups_lines(&bucket()));
    assert!(!setup.writer.groups_lines(&own()), "a lane with `api = \"v3\"`");
}
