//! The running bridge meets each row of the table of answers in docs/faults.md. No record is committed unless its line is stored, or
//! dead-lettered with proof. A row without a case here fails, and so does a case without a row.

use super::broken_server::{BrokenServer, Fault};
use super::reload::reload;
use crate::folder::Folder;
use crate::support::{BY_ID, Bridge, Cluster, Setup, Sink, record, wait_until};
use base::Destination;
use base::alarm::{Alarm, Scope};
use engine::ProbeDelays;
use influx::Delays;
use kafka_influx_bridge::pipeline::PipelineOptions;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use testkit::receiver::{Ending, Faults, Reply, WriteRequest};

/// Number of records of each topic. The last one has the id `bad`; some cases concern it alone.
const RECORDS: usize = 8;

type Answer = Box<dyn Fn(&WriteRequest) -> Option<Reply> + Send + Sync>;

/// The expected behaviour while the fault lasts.
enum Expect {
    /// All records are stored, and nothing is reported.
    Stored,
    /// The record `bad` is dead-lettered, all others are stored.
    Refused,
    /// An alarm of this cause, and nothing is committed.
    Blocked(&'static str),
    /// The same with a retry alarm, for a cause that usually ends by itself.
    Retried(&'static str),
    /// A limit blocks the topic; all other lines of the topic are stored.
    Limited,
}

struct Case {
    /// The first two cells of its row in the document.
    row: (&'static str, &'static str),
    answer: Answer,
    expect: Expect,
    /// The record `bad` has a string of 70 kB.
    is_large: bool,
}

fn case(
    row: (&'static str, &'static str),
    expect: Expect,
    answer: impl Fn(&WriteRequest) -> Option<Reply> + Send + Sync + 'static,
) -> Case {
    Case { row, answer: Box::new(answer), expect, is_large: false }
}

/// A case in which every request gets this answer.
fn always(row: (&'static str, &'static str), status: u16, body: &str, expect: Expect) -> Case {
    let reply = Reply::status(status).body(body);
    case(row, expect, move |_| Some(reply.clone()))
}

/// A case in which requests with the record `bad` get this answer.
fn for_bad(row: (&'static str, &'static str), status: u16, body: &str, expect: Expect) -> Case {
    let reply = Reply::status(status).body(body);
    case(row, expect, move |request| bad_line(request).map(|_| reply.clone()))
}

fn bad_line(request: &WriteRequest) -> Option<String> {
    let text = String::from_utf8_lossy(&request.text);
    text.lines().find(|line| line.contains("id=bad")).map(str::to_owned)
}

fn message(text: &str) -> String {
    serde_json::json!({ "code": "any", "message": text }).to_string()
}

const ONE_2XX: (&str, &str) = ("200 to 299", "any");
const REDIRECT: (&str, &str) = ("300 to 399", "any");
const LOGIN: (&str, &str) = ("401, 403, 405, 407", "any");
const MISSING: (&str, &str) = ("404", "InfluxDB's own: bucket, organization, database or DBRP mapping");
const NOT_HERE: (&str, &str) = ("404, 410, 421", "others");
const BUSY: (&str, &str) = ("408, 429, 499", "any");
const LARGE_LINE: (&str, &str) = ("413", "one line over 64 kB");
const GZIP: (&str, &str) = ("415 to gzip; 400 or 422 about gzip, or quoting compressed bytes", "any");
const OTHER_4XX: (&str, &str) = ("other 4xx", "any");
const SYSTEM: (&str, &str) = (
    "400, 422, 500",
    "operating system: no space, quota, too many open files, input/output error, permission denied, a closing shard or WAL",
);
const LIMIT_OF_LINES: (&str, &str) =
    ("400, 422, 500", "a limit for some lines: series, values per tag, columns, tables");
const LIMIT_OF_ALL: (&str, &str) =
    ("400, 422, 500", "a limit of the destination: databases, plan, service limit");
const OF_LINES: (&str, &str) = ("400, 422, 500", "a cause of single lines (list below)");
const MISTAKE: (&str, &str) =
    ("400, 422, 500", "a mistake of the request: precision, organization, database, retention policy");
const UNKNOWN: (&str, &str) = ("400, 422", "anything else");
const UNKNOWN_500: (&str, &str) = ("500", "anything else, also `partial write` without a known cause");
const OTHER_5XX: (&str, &str) = ("other 5xx", "any");
const NO_ANSWER: (&str, &str) = ("none: refused connection, TLS, timeout, half an answer", "");

/// Answers about the server, the destination or the request.
fn cases_that_block() -> Vec<Case> {
    use Expect::{Blocked, Retried};
    let redirect = |status: u16| {
        let reply = Reply::status(status).header("Location", "http://elsewhere/");
        case(REDIRECT, Blocked("redirected"), move |_| Some(reply.clone()))
    };
    let mut cases = vec![
        case(("204", "any"), Expect::Stored, |_| None),
        always(ONE_2XX, 200, "<html>welcome</html>", Blocked("not_influxdb")),
        always(ONE_2XX, 202, "", Blocked("not_influxdb")),
        redirect(301),
        redirect(302),
        redirect(308),
        always(REDIRECT, 304, "", Blocked("redirected")),
        always(LOGIN, 401, &message("unauthorized access"), Blocked("unauthorized")),
        always(LOGIN, 403, "<html>firewall</html>", Blocked("forbidden")),
        always(LOGIN, 405, "", Blocked("method_refused")),
        always(LOGIN, 407, "", Blocked("proxy_login")),
        always(MISSING, 404, &message("bucket \"b\" not found"), Blocked("bucket_missing")),
        always(MISSING, 404, &message("organization name \"o\" not found"), Blocked("org_missing")),
        always(NOT_HERE, 404, "<html>not found</html>", Blocked("endpoint_missing")),
        always(NOT_HERE, 410, "", Blocked("endpoint_missing")),
        always(NOT_HERE, 421, "", Blocked("endpoint_missing")),
        always(BUSY, 408, "", Retried("busy")),
        always(BUSY, 429, &message("org has exceeded plan limit"), Retried("busy")),
        always(BUSY, 499, "", Retried("busy")),
        always(("413", "one smaller line"), 413, "", Blocked("request_too_large")),
        always(("415 otherwise", "any"), 415, "", Blocked("request_refused")),
        always(UNKNOWN, 400, "<html>no</html>", Blocked("refusal_unproven")),
        always(UNKNOWN, 422, "", Blocked("refusal_unproven")),
        always(UNKNOWN, 422, &message("unable to parse 'other v=': no"), Blocked("refusal_unproven")),
        always(
            UNKNOWN_500,
            500,
            &message("partial write: a node is down dropped=5"),
            Retried("server_failed"),
        ),
        always(UNKNOWN_500, 500, "<html>oops</html>", Retried("server_failed")),
        always(("503", "any"), 503, "", Retried("unavailable")),
        always(MISTAKE, 400, &message("invalid precision"), Blocked("request_refused")),
        always(MISTAKE, 500, &message("retention policy not found: nope"), Blocked("policy_missing")),
        case(NO_ANSWER, Retried("disconnected"), |_| Some(Reply::status(204).ending(Ending::Reset))),
        case(NO_ANSWER, Retried("disconnected"), |_| {
            Some(Reply::status(500).body("half of it").ending(Ending::Half))
        }),
        case(NO_ANSWER, Retried("timed_out"), |_| Some(Reply::status(204).ending(Ending::Hang))),
    ];
    for status in [402, 406, 409, 418, 451] {
        let body = message("unable to parse 'm v=': missing field value");
        cases.push(always(OTHER_4XX, status, &body, Blocked("request_refused")));
    }
    for status in [501, 502, 504, 599] {
        cases.push(always(OTHER_5XX, status, "<html>gateway</html>", Retried("server_failed")));
    }
    for (status, words, cause) in [
        (400, "partial write: write /d/_series/07/0000: no space left on device dropped=3000", "disk_full"),
        (422, "write /d: disk quota exceeded", "disk_full"),
        (400, "partial write: open /d: too many open files dropped=1", "server_failed"),
        (422, "read /d: input/output error", "server_failed"),
        (500, "open /d: permission denied", "server_failed"),
        (400, "partial write: shard is disabled dropped=1", "server_failed"),
        (400, "write buffer error: wal is shutdown", "server_failed"),
        (500, "engine: cache-max-memory-size exceeded: (2/1)", "cache_full"),
        (500, "timeout", "unavailable"),
    ] {
        cases.push(always(SYSTEM, status, &message(words), Retried(cause)));
    }
    for (status, words) in [
        (422, "Adding a new database would exceed limit of 5 databases"),
        (400, "service limit reached"),
        (500, "org has exceeded plan limit"),
        (422, "quota exceeded"),
    ] {
        cases.push(always(LIMIT_OF_ALL, status, &message(words), Blocked("server_limit")));
    }
    cases
}

/// Answers about lines.
fn cases_about_lines() -> Vec<Case> {
    let mut cases = vec![
        case(("413", "several lines"), Expect::Stored, |request| {
            (request.line_count() > 1).then(|| Reply::status(413))
        }),
        Case { is_large: true, ..for_bad(LARGE_LINE, 413, "", Expect::Refused) },
        Case { is_large: true, ..always(LARGE_LINE, 413, "", Expect::Blocked("request_too_large")) },
        for_bad(("413", "one smaller line"), 413, "", Expect::Blocked("request_too_large")),
        for_bad(UNKNOWN, 400, "<html>no</html>", Expect::Refused),
        for_bad(UNKNOWN, 422, "", Expect::Refused),
    ];
    for status in [400, 422, 500] {
        cases.push(case(OF_LINES, Expect::Refused, move |request| {
            let line = bad_line(request)?;
            Some(Reply::status(status).body(message(&format!("unable to parse '{line}': invalid number"))))
        }));
    }
    // InfluxDB 3.10
    cases.push(case(OF_LINES, Expect::Refused, |request| {
        let line = bad_line(request)?;
        let text = String::from_utf8_lossy(&request.text);
        let number = text.lines().position(|other| other == line)? + 1;
        let data = serde_json::json!([{ "error_message": "No fields were provided", "line_number": number, "original_line": line }]);
        let body = serde_json::json!({ "error": "partial write of line protocol occurred", "data": data });
        Some(Reply::status(400).body(body.to_string()))
    }));
    for (status, words) in [
        (400, "max-series-per-database limit exceeded: (10)"),
        (422, "max-values-per-tag limit exceeded (10/10): measurement=\"m\" tag=\"id\" value=\"bad\""),
        (400, "Update to schema would exceed number of columns per table limit of 500 columns"),
        (400, "Update to schema would exceed number of tables limit: 2000"),
        (422, "cardinality limit"),
        (500, "some other limit exceeded"),
        (400, "another limit reached"),
        (422, "the write would exceed something"),
    ] {
        let body = message(&format!("partial write: {words} dropped=1"));
        cases.push(for_bad(LIMIT_OF_LINES, status, &body, Expect::Limited));
    }
    cases
}

/// A bridge with its Kafka and receiver. Each case has its own topic and bucket, so that all share one bridge.
struct Met {
    cases: Vec<Case>,
    cluster: Cluster,
    folder: Folder,
    is_well: Arc<AtomicBool>,
}

impl Met {
    /// Also starts the receiver for these cases.
    fn new(cases: Vec<Case>) -> (Self, Sink) {
        let is_well = Arc::<AtomicBool>::default();
        let cluster = Cluster::start();
        let mut answers = BTreeMap::new();
        let cases = cases.into_iter().enumerate().map(|(index, case)| {
            cluster.create_topic(&topic(index), 1);
            let ids = (0..RECORDS - 1).map(|n| record(&n.to_string()));
            let large = format!(r#"{{"id":"bad","v":1.5,"s":"{}"}}"#, "x".repeat(70_000));
            let bad = if case.is_large { large } else { record("bad") };
            cluster.produce(&topic(index), 0, ids.chain([bad]));
            answers.insert(topic(index), case.answer);
            Case { answer: Box::new(|_| None), ..case }
        });
        let cases = cases.collect();
        let well = Arc::clone(&is_well);
        let faults: Faults = Box::new(move |request| {
            let (Destination::Bucket { bucket: name, .. }
            | Destination::Database { database: name, .. }
            | Destination::Database3 { database: name }) = &request.destination;
            if well.load(Relaxed) { None } else { answers.get(name).and_then(|answer| answer(request)) }
        });
        (Self { cases, cluster, folder: Folder::new(), is_well }, Sink::answering(faults))
    }

    fn setup(&self, sink: &Sink, destination: &str) -> Setup {
        let topics: Vec<String> = (0..self.cases.len()).map(topic).collect();
        let mut setup = Setup::new(&self.cluster, sink, &format!("{topics:?}"))
            .influx("timeout = '3s'")
            .top(&self.folder.table());
        for topic in topics {
            setup = setup.mapping(&format!(
                "{BY_ID}\nstring_fields = ['s']\ntopics = ['{topic}']\n{destination} = '{topic}'"
            ));
        }
        setup
    }

    fn start(setup: &Setup) -> Bridge {
        let ms = Duration::from_millis;
        let delays =
            Delays { blocked_first: ms(50), blocked_max: ms(200), retry_max: ms(200), ..Delays::default() };
        let probes = ProbeDelays { first: ms(100), max: ms(400) };
        setup.start_with(PipelineOptions { delays, probes, ..PipelineOptions::default() })
    }

    fn committed(&self, index: usize) -> Option<i64> {
        self.cluster.committed(&topic(index), 1).first().copied().flatten()
    }

    /// Whether the case shows its expected behaviour while the fault lasts.
    fn is_as_expected(&self, index: usize, alarms: &[Alarm]) -> bool {
        let is_raised = |cause: &str, blocks: bool| {
            alarms.iter().any(|alarm| {
                let is_here = match &alarm.scope {
                    Scope::Destination(name) => name.contains(&topic(index)),
                    Scope::Topic(name) => *name == topic(index),
                    _ => true,
                };
                alarm.cause == cause && alarm.blocks == blocks && is_here
            })
        };
        match self.cases.get(index).unwrap().expect {
            Expect::Stored | Expect::Refused => self.committed(index) == Some(RECORDS as i64),
            Expect::Blocked(cause) => is_raised(cause, true),
            Expect::Retried(cause) => is_raised(cause, false),
            Expect::Limited => is_raised("server_limit", true),
        }
    }

    /// Waits until the cases from `first` on show their expected behaviour.
    fn wait_for_alarms(&self, bridge: &Bridge, first: usize) {
        for (index, case) in self.cases.iter().enumerate().skip(first) {
            wait_until(&format!("case {index} of {:?} is met", case.row), || {
                self.is_as_expected(index, &bridge.0.writer().alarms())
            });
        }
    }

    fn wait_for_faults(&self, bridge: &Bridge) {
        self.wait_for_alarms(bridge, 0);
        for (index, case) in self.cases.iter().enumerate() {
            let row = case.row;
            match case.expect {
                Expect::Stored | Expect::Refused => {}
                Expect::Limited => {
                    // Other records of the batch may be committed; the line that the limit excludes is not.
                    assert!(
                        self.committed(index).is_none_or(|next| next < RECORDS as i64),
                        "case {index} of {row:?}"
                    );
                }
                Expect::Blocked(_) | Expect::Retried(_) => {
                    assert_eq!(self.committed(index), None, "case {index} of {row:?}");
                }
            }
        }
    }

    /// Ends the fault, and asserts that everything is stored that was not refused with proof.
    fn recover(self, sink: &Sink, bridge: Bridge, points: impl Fn(&Sink, &str) -> BTreeSet<String>) {
        self.is_well.store(true, Relaxed);
        for (index, case) in self.cases.iter().enumerate() {
            wait_until(&format!("all of case {index} of {:?} is committed", case.row), || {
                self.committed(index) == Some(RECORDS as i64)
            });
        }
        wait_until("all alarms end", || bridge.0.writer().alarms().is_empty());
        bridge.stop();
        let letters = self.folder.letters();
        for (index, case) in self.cases.iter().enumerate() {
            let row = case.row;
            let topic = topic(index);
            let mut want: BTreeSet<String> = (0..RECORDS - 1).map(|n| n.to_string()).collect();
            let letters: Vec<_> = letters.iter().filter(|letter| letter["topic"] == topic).collect();
            if matches!(case.expect, Expect::Refused) {
                let offsets: Vec<_> = letters.iter().map(|letter| letter["offset"].as_u64()).collect();
                assert_eq!(offsets, [Some(RECORDS as u64 - 1)], "case {index} of {row:?}: {letters:?}");
            } else {
                want.insert("bad".to_owned());
                assert!(letters.is_empty(), "case {index} of {row:?}: {letters:?}");
            }
            assert_eq!(points(sink, &topic), want, "case {index} of {row:?}");
        }
    }
}

fn topic(index: usize) -> String {
    format!("case-{index:02}")
}

fn in_bucket(sink: &Sink, name: &str) -> BTreeSet<String> {
    sink.ids(name).into_iter().collect()
}

fn meets(cases: Vec<Case>) {
    let (met, sink) = Met::new(cases);
    let bridge = Met::start(&met.setup(&sink, "bucket"));
    met.wait_for_faults(&bridge);
    met.recover(&sink, bridge, in_bucket);
}

#[test]
fn answers_about_the_server_or_the_request_lose_nothing() {
    meets(cases_that_block());
}

#[test]
fn answers_about_lines_refuse_only_those_lines() {
    meets(cases_about_lines());
}

fn cases_of_v1() -> Vec<Case> {
    vec![
        always(MISSING, 404, r#"{"error":"database not found: \"d\""}"#, Expect::Blocked("database_missing")),
        always(MISSING, 404, &message("no dbrp mapping found"), Expect::Blocked("mapping_missing")),
    ]
}

#[test]
fn a_missing_database_or_mapping_loses_nothing() {
    let (met, sink) = Met::new(cases_of_v1());
    let bridge = Met::start(&met.setup(&sink, "database").v1());
    met.wait_for_faults(&bridge);
    met.recover(&sink, bridge, |sink, name| sink.ids_of_database(name).into_iter().collect());
}

fn cases_of_gzip() -> Vec<Case> {
    let f = |status: u16, body: &str| {
        let reply = Reply::status(status).body(body);
        case(GZIP, Expect::Stored, move |request| request.gzipped.then(|| reply.clone()))
    };
    vec![
        f(415, ""),
        f(400, &message("unable to read data: gzip: invalid header")),
        f(422, &message("unable to parse '\u{1f}\u{fffd}\u{8}\u{0}': missing fields")),
    ]
}

/// The bridge remembers that an address takes no compression, so each case has its own bridge.
#[test]
fn an_address_without_gzip_loses_nothing() {
    for case in cases_of_gzip() {
        let (met, sink) = Met::new(vec![case]);
        let bridge = Met::start(&met.setup(&sink, "bucket").influx("compression = 'gzip'"));
        met.wait_for_faults(&bridge);
        met.recover(&sink, bridge, in_bucket);
    }
}

/// The server in front of the receiver, and the expected cause.
const FRONTS: [(Fault, &str); 3] =
    [(Fault::Refuses, "unreachable"), (Fault::Interim, "timed_out"), (Fault::Resets, "disconnected")];

#[test]
fn connections_without_an_answer_lose_nothing() {
    for (fault, cause) in FRONTS {
        let (met, sink) = Met::new(vec![case(NO_ANSWER, Expect::Retried(cause), |_| None)]);
        let front = BrokenServer::start(fault, sink.receiver.address());
        let setup = met.setup(&sink, "bucket").urls(&[front.url()]);
        let bridge = Met::start(&setup);
        met.wait_for_faults(&bridge);
        front.end_fault();
        met.recover(&sink, bridge, in_bucket);
    }
}

/// TLS to a server without TLS; corrected by a reload.
#[test]
fn a_failed_tls_handshake_loses_nothing() {
    let (met, sink) = Met::new(vec![case(NO_ANSWER, Expect::Retried("tls_failed"), |_| None)]);
    let setup = met.setup(&sink, "bucket");
    let wrong = sink.receiver.url().replace("http:", "https:");
    // Without certificates of the system an https address needs a file of its own.
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/testkit/testdata/tls/ca.pem");
    let with_tls = met.setup(&sink, "bucket").urls(&[wrong]).influx(&format!("tls.ca_file = '{authority}'"));
    let bridge = Met::start(&with_tls);
    met.wait_for_faults(&bridge);
    bridge.stop();
    assert_eq!(met.committed(0), None);
    let bridge = Met::start(&setup);
    met.recover(&sink, bridge, in_bucket);
}

/// `reject.rate_max = 1.0` accepts refusals of single lines with 400, 422 or 500 in InfluxDB's form without a control, and no others.
#[test]
fn only_refusals_of_lines_pass_without_a_control() {
    use Expect::{Blocked, Limited, Retried};
    let other = message("unable to parse 'other v=': no");
    let mut cases = vec![
        always(UNKNOWN, 400, &message("what"), Blocked("refusal_unproven")),
        always(UNKNOWN, 422, &message(""), Blocked("refusal_unproven")),
        always(OF_LINES, 500, &other, Blocked("refusal_unproven")),
    ];
    let passing = cases.len();
    for (status, body, expect) in [
        (400, "<html>no</html>", Blocked("refusal_unproven")),
        (422, "", Blocked("refusal_unproven")),
        (402, other.as_str(), Blocked("request_refused")),
        (403, &other, Blocked("forbidden")),
        (404, &other, Blocked("endpoint_missing")),
        (413, "", Blocked("request_too_large")),
        (415, &other, Blocked("request_refused")),
        (429, &other, Retried("busy")),
        (500, "<html>oops</html>", Retried("server_failed")),
        (503, &other, Retried("unavailable")),
        (400, &message("partial write: no space left on device dropped=1"), Retried("disk_full")),
        (422, &message("open /d: too many open files"), Retried("server_failed")),
        (422, &message("service limit reached"), Blocked("server_limit")),
        (400, &message("partial write: max-series-per-database limit exceeded: (1) dropped=1"), Limited),
    ] {
        cases.push(always(("", ""), status, body, expect));
    }
    let (met, sink) = Met::new(cases);
    let mut bridge = Met::start(&met.setup(&sink, "bucket"));
    met.wait_for_faults(&bridge);
    assert!(met.folder.letters().is_empty());

    reload(&mut bridge, &met.setup(&sink, "bucket").top("[reject]\nrate_max = 1.0"));
    let all = Some(RECORDS as i64);
    for index in 0..passing {
        wait_until(&format!("case {index} passes"), || met.committed(index) == all);
    }
    // Each of the others was sent again after the reload.
    let requests = sink.requests();
    wait_until("the others are tried", || sink.requests() >= requests + 4 * met.cases.len() as u64);
    met.wait_for_alarms(&bridge, passing);
    for index in passing..met.cases.len() {
        assert_eq!(met.committed(index), None, "case {index}");
    }

    met.is_well.store(true, Relaxed);
    for index in passing..met.cases.len() {
        wait_until(&format!("all of case {index} is committed"), || met.committed(index) == all);
        assert_eq!(sink.ids(&topic(index)).len(), RECORDS, "case {index}");
    }
    bridge.stop();
    let mut letters: Vec<_> =
        met.folder.letters().iter().map(|letter| letter["topic"].as_str().unwrap().to_owned()).collect();
    letters.sort();
    let want: Vec<String> = (0..passing).flat_map(|index| vec![topic(index); RECORDS]).collect();
    assert_eq!(letters, want, "one letter for each record that passed, none for the others");
}

/// The first two cells of each row of the table.
fn documented() -> BTreeSet<(String, String)> {
    let text = include_str!("../../../docs/faults.md");
    let (_, section) = text.split_once("## What each answer of InfluxDB means").unwrap();
    let table = section.lines().skip_while(|line| !line.starts_with("| status |"));
    let rows = table.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
        (cells.next().unwrap(), cells.next().unwrap())
    })
    .collect()
}

#[test]
fn each_row_of_the_faults_table_has_a_case() {
    let all = [cases_that_block(), cases_about_lines(), cases_of_v1(), cases_of_gzip()];
    let rows = all.iter().flatten().map(|case| case.row).chain(FRONTS.map(|_| NO_ANSWER));
    let met: BTreeSet<(String, String)> =
        rows.map(|(status, words)| (status.to_owned(), words.to_owned())).collect();
    assert_eq!(met, documented());
}

/// One of two servers behind a load balancer answers a page with 400 to whatever it gets, and requests go to the two in turn. The other
/// one stores every line, so no line is to blame. The records flow although nobody mends the broken server.
#[test]
fn a_broken_server_behind_a_load_balancer_refuses_no_line() {
    const RECORDS: usize = 800;
    let turn = std::sync::atomic::AtomicU64::new(0);
    let faults: Faults = Box::new(move |_| {
        let is_broken = turn.fetch_add(1, Relaxed).is_multiple_of(2);
        is_broken.then(|| Reply::status(400).body("<html>400 Bad Request</html>"))
    });
    let (cluster, sink) = (Cluster::with_topic("t", 2), Sink::answering(faults));
    let folder = Folder::new();
    for partition in 0..2 {
        cluster.produce("t", partition, (0..RECORDS / 2).map(|n| record(&format!("{partition}-{n}"))));
    }
    // Small requests and batches of all lengths, so that many lines are sent alone.
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).top(&folder.table()).batch("lines_max = 7");
    let bridge = Met::start(&setup);
    wait_until("all is committed", || cluster.committed_in_all("t", 2) == RECORDS as i64);
    let refused = bridge.0.writer().counters().lines_refused.load(Relaxed);
    bridge.stop();
    assert_eq!(refused, 0, "each line was stored by one of the servers");
    assert!(folder.letters().is_empty());
    assert_eq!(sink.ids("main").into_iter().collect::<BTreeSet<_>>().len(), RECORDS);
}
