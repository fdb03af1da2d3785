//! The endpoint, asked over HTTP; its metrics are read by a strict little parser.

use super::*;
use crate::batch::Budget;
use crate::influx::test_support::{Events, connection};
use crate::influx::{Client, Credential, Delays, Destination, Lines, Writer, WriterOptions};
use crate::map::Reason;
use crate::receiver::{Options, Receiver};
use crate::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const OPTIONS: WriterOptions =
    WriterOptions { lines_max: 100, bytes_max: 1_000_000, points_per_second_max: None, delays: DELAYS };
const DELAYS: Delays = Delays {
    retry_first: MS,
    retry_max: MS,
    hold_first: MS,
    hold_max: MS,
    address_first: MS,
    address_max: MS,
};
const MS: Duration = Duration::from_millis(1);

fn destination() -> Destination {
    Destination::Bucket { org: "o\"\n\\".into(), bucket: "b".into() }
}

pub(super) fn watched(url: &str) -> Arc<Watched> {
    let connection = connection(url);
    let client = Client::new(&connection).unwrap();
    Arc::new(Watched {
        counters: Arc::default(),
        writer: Writer::new(client, &connection, OPTIONS, Arc::new(Events::default())),
        budget: Budget::new(1_000),
        pulses: Arc::default(),
        lags: Arc::default(),
        started: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500),
        about: About::default(),
        history: History::default(),
    })
}

pub(super) fn start(watched: &Arc<Watched>) -> Server {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Server::start(any, Arc::clone(watched), &tokio::runtime::Handle::current()).unwrap()
}

/// Status, header and body of an answer.
async fn ask(server: &Server, method: &str, path: &str) -> (u16, String, String) {
    ask_as(server, method, path, "Host: h\r\n").await
}

pub(super) async fn ask_as(
    server: &Server,
    method: &str,
    path: &str,
    headers: &str,
) -> (u16, String, String) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (header, body) = answer.split_once("\r\n\r\n").unwrap();
    (header[9..12].parse().unwrap(), header.to_ascii_lowercase(), body.to_owned())
}

async fn get(server: &Server, path: &str) -> (u16, String) {
    let (status, _, body) = ask(server, "GET", path).await;
    (status, body)
}

/// Lets a lane fail to write until there is an alarm.
async fn raise_alarm(watched: &Watched) -> tokio::task::JoinHandle<()> {
    let mut lane = watched.writer.lane(1);
    let task = tokio::spawn(async move {
        let lines = Lines::new(b"m v=1\n".to_vec(), vec![6]).unwrap();
        lane.deliver(&destination(), &lines).await;
    });
    while watched.writer.alarms().is_empty() {
        tokio::time::sleep(MS).await;
    }
    task
}

#[tokio::test]
async fn answers_what_is_asked() {
    let server = start(&watched("http://127.0.0.1:1"));
    let (status, body) = get(&server, "/").await;
    assert_eq!(status, 200);
    for path in ["/metrics", "/healthz", "/readyz", "/status.json"] {
        assert!(body.contains(path), "{body}");
        let (status, header, head_body) = ask(&server, "HEAD", path).await;
        assert_eq!((status, head_body.as_str()), (200, ""), "{path}");
        assert!(header.contains("content-length: ") && header.contains("connection: close"), "{header}");
    }
    let (_, header, _) = ask(&server, "GET", "/metrics").await;
    assert!(header.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{header}");
    assert_eq!(get(&server, "/nothing").await.0, 404);
    let (status, header, _) = ask(&server, "POST", "/metrics").await;
    assert!(status == 405 && header.contains("allow: get, head"), "{header}");
}

#[tokio::test]
async fn is_well_while_all_threads_turn() {
    let watched = watched("http://127.0.0.1:1");
    let server = start(&watched);
    watched.pulses.of("data-0".to_owned(), Duration::from_secs(30));
    assert_eq!(get(&server, "/healthz").await, (200, "ok\n".to_owned()));
    watched.pulses.of("data-1".to_owned(), MS);
    tokio::time::sleep(20 * MS).await;
    for path in ["/healthz", "/readyz", "/readyz?strict"] {
        let (status, body) = get(&server, path).await;
        assert!(status == 503 && body.starts_with("thread data-1 has not turned for 0 s: "), "{body}");
    }
}

#[tokio::test]
async fn is_ready_while_it_holds_unless_asked_strictly() {
    let credential = Credential::Token(Secret::new("right"));
    let receiver = Receiver::start(Options { credential, ..Options::default() }).await.unwrap();
    let watched = watched(&receiver.url());
    let server = start(&watched);
    assert_eq!(get(&server, "/readyz?strict").await, (200, "ok\n".to_owned()));
    let lane = raise_alarm(&watched).await;
    let (status, body) = get(&server, "/readyz").await;
    assert_eq!(status, 200);
    assert!(body.starts_with("holding: unauthorized, all destinations at http://127.0.0.1:"), "{body}");
    assert!(body.contains("\n  why: ") && body.contains("\n  remedy: "), "{body}");
    assert_eq!(get(&server, "/readyz?a&strict=1").await, (503, body));
    assert_eq!(get(&server, "/healthz").await, (200, "ok\n".to_owned()));
    lane.abort();
}

#[tokio::test]
async fn a_retry_that_has_just_begun_is_no_hold() {
    let watched = watched("http://127.0.0.1:1");
    let server = start(&watched);
    let lane = raise_alarm(&watched).await;
    let (status, body) = get(&server, "/readyz?strict").await;
    assert!(status == 200 && body.starts_with("retrying: unreachable, "), "{body}");
    let page = read(&get(&server, "/metrics").await.1);
    let labels = [("cause", "unreachable"), ("destination", "all destinations")];
    assert_eq!(page.value("kafka_influx_bridge_holding", &labels), "0");
    lane.abort();
}

#[tokio::test]
async fn a_connection_that_says_nothing_keeps_nobody_out() {
    let server = start(&watched("http://127.0.0.1:1"));
    let mut silent = Vec::new();
    for _ in 0..31 {
        silent.push(TcpStream::connect(server.address()).await.unwrap());
    }
    assert_eq!(get(&server, "/healthz").await.0, 200);
    // With all places taken, the next one is served when theirs end.
    silent.push(TcpStream::connect(server.address()).await.unwrap());
    assert_eq!(get(&server, "/healthz").await.0, 200);
}

#[tokio::test]
async fn says_that_an_address_is_taken() {
    let watched = watched("http://127.0.0.1:1");
    let server = start(&watched);
    let again = Server::start(server.address(), watched, &tokio::runtime::Handle::current());
    assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn metrics_say_what_was_counted() {
    let receiver = Receiver::start(Options::default()).await.unwrap();
    let watched = watched(&receiver.url());
    Counters::add(&watched.counters.records, 3);
    Counters::add(&watched.counters.skipped, 5);
    watched.counters.reject(Reason::Time, 1);
    watched.counters.hold_partitions(0, 4);
    watched.counters.hold_partitions(4, 1);
    let mut reserved = watched.budget.reserve();
    reserved.set(70);
    let lines = Lines::new(b"m v=1\nm v=2\n".to_vec(), vec![6, 12]).unwrap();
    watched.writer.lane(1).deliver(&destination(), &lines).await;
    let server = start(&watched);
    let page = read(&get(&server, "/metrics").await.1);
    let is = |name: &str, labels: &[(&str, &str)], want: &str| {
        assert_eq!(page.value(&format!("kafka_influx_bridge_{name}"), labels), want, "{name}");
    };
    is("records_total", &[], "3");
    is("skipped_records_total", &[], "5");
    is("rejected_total", &[("reason", "time")], "1");
    is("rejected_total", &[("reason", "empty")], "0");
    is("dropped_values_total", &[("reason", "string")], "0");
    is("assigned_partitions", &[], "1");
    is("batch_memory_bytes", &[], "70");
    is("batch_memory_max_bytes", &[], "1000");
    is("lines_stored_total", &[], "2");
    is("requests_total", &[("outcome", "stored")], "1");
    is("request_plain_bytes_total", &[], "12");
    is("address_up", &[("address", &receiver.url())], "1");
    is("request_duration_seconds_count", &[], "1");
    is("request_duration_seconds_bucket", &[("le", "+Inf")], "1");
    is("build_info", &[("version", env!("CARGO_PKG_VERSION"))], "1");
    assert_eq!(page.value("process_start_time_seconds", &[]), "1700000000.5");
}

#[tokio::test]
async fn metrics_name_the_destination_that_holds() {
    let options = Options { destinations: Some(BTreeSet::new()), ..Options::default() };
    let receiver = Receiver::start(options).await.unwrap();
    let watched = watched(&receiver.url());
    let server = start(&watched);
    let lane = raise_alarm(&watched).await;
    let page = read(&get(&server, "/metrics").await.1);
    let scope = destination().to_string();
    let labels = [("cause", "bucket_missing"), ("destination", scope.as_str())];
    assert_eq!(page.value("kafka_influx_bridge_holding", &labels), "1");
    page.value("kafka_influx_bridge_holding_seconds", &labels);
    lane.abort();
}

/// A page of metrics, by name and labels.
struct Page(Samples);

/// Values as they are written.
type Samples = BTreeMap<(String, Labels), String>;
type Labels = Vec<(String, String)>;

impl Page {
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> &str {
        let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        let at = (name.to_owned(), labels);
        self.0.get(&at).unwrap_or_else(|| panic!("no {at:?} among {:?}", self.0.keys()))
    }
}

/// Reads the text format, and panics at everything that is not in order.
fn read(text: &str) -> Page {
    assert!(text.ends_with('\n'));
    let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
    let mut lines = text.lines().peekable();
    while let Some(help) = lines.next() {
        let (name, help) = help.strip_prefix("# HELP ").unwrap().split_once(' ').unwrap();
        assert!(help.ends_with('.') && !help.contains('\\'), "{help}");
        let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
        assert!(families.insert(name), "{name} comes twice");
        assert!(name == "process_start_time_seconds" || name.starts_with("kafka_influx_bridge_"), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (of, labels, value) = sample(line);
            let suffix = of.strip_prefix(name).unwrap();
            let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(suffixes.contains(&suffix), "{line}");
            let number: f64 = value.parse().unwrap();
            assert!(number.is_finite() && number >= 0.0, "{line}");
            assert!(
                samples.insert((of.to_owned(), labels), value.to_owned()).is_none(),
                "{line} comes twice"
            );
        }
    }
    check_buckets(&samples);
    Page(samples)
}

/// Buckets are cumulative, and the last holds all.
fn check_buckets(samples: &Samples) {
    let ends = samples.iter().filter(|((name, _), _)| name.ends_with("_bucket"));
    let number = |text: &str| text.parse::<f64>().unwrap();
    let mut ends: Vec<_> = ends.map(|((_, labels), count)| (number(&labels[0].1), number(count))).collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(ends.is_sorted_by(|a, b| a.1 <= b.1), "{ends:?}");
    assert!(ends.last().unwrap().0.is_infinite());
}

fn sample(line: &str) -> (&str, Labels, &str) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let is_name = |text: &str| {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    while let Some(after) = rest.strip_prefix(['{', ',']) {
        let (key, quoted) = after.split_once("=\"").unwrap();
        assert!(is_name(key), "{line}");
        let (value, behind) = unquote(quoted);
        labels.push((key.to_owned(), value));
        rest = behind;
    }
    let rest = if labels.is_empty() { rest } else { rest.strip_prefix('}').unwrap() };
    (name, labels, rest.strip_prefix(' ').unwrap())
}

fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.push(match chars.next().unwrap().1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                other => panic!("\\{other} in {quoted}"),
            }),
            _ => value.push(c),
        }
    }
    panic!("no closing quote in {quoted}")
}
