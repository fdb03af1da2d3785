//! The endpoint over HTTP. A strict parser reads the metrics.

#[path = "../../tests/support/exposition.rs"]
mod exposition_reader;

use super::*;
use base::TopicPartition;
use base::secret::Secret;
use base::{Credential, Destination};
use engine::batch::Budget;
use engine::offset_tracker::PartitionTimes;
use engine::telemetry::{CloseReason, Counters, LagReporter};
use exposition_reader::Page;
use influx::{BatchLines, Client, ConnectionSettings, Delays, LogObserver, Writer, WriterOptions};
use kafka::Retention;
use line_protocol::LineBuffer;
use mapping::Reason;
use rdkafka::statistics::{Broker, ConsumerGroup, Partition, Statistics, Topic, Window};
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use testkit::receiver::{Options, Receiver};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const OPTIONS: WriterOptions = WriterOptions {
    lines_max: 100,
    bytes_max: Some(1_000_000),
    points_per_second_max: None,
    delays: DELAYS,
    accepts_unproven: false,
};
const DELAYS: Delays = Delays {
    retry_first: MS,
    retry_max: MS,
    blocked_first: MS,
    blocked_max: MS,
    address_first: MS,
    address_max: MS,
};
const MS: Duration = Duration::from_millis(1);

fn destination() -> Destination {
    Destination::Bucket { org: "o\"\n\\".into(), bucket: "b".into() }
}

pub(super) fn pipeline(url: &str) -> Arc<PipelineState> {
    let connection = ConnectionSettings::new(url.parse().unwrap());
    let client = Client::new(&connection).unwrap();
    Arc::new(PipelineState {
        registry: std::sync::RwLock::default(),
        counters: Arc::default(),
        writer: Writer::new(client, &connection, OPTIONS, Arc::new(LogObserver)),
        budget: Budget::new(1_000),
        heartbeats: Arc::default(),
        lags: Arc::default(),
        started: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500),
        shown_config: std::sync::RwLock::default(),
        history: History::default(),
    })
}

pub(super) fn start(pipeline: &Arc<PipelineState>) -> Server {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Server::start(any, Arc::clone(pipeline), &tokio::runtime::Handle::current()).unwrap()
}

/// Status, header and body of a response.
async fn request(server: &Server, method: &str, path: &str) -> (u16, String, String) {
    request_as(server, method, path, "Host: h\r\n").await
}

pub(super) async fn request_as(
    server: &Server,
    method: &str,
    path: &str,
    headers: &str,
) -> (u16, String, String) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (header, body) = response.split_once("\r\n\r\n").unwrap();
    (header[9..12].parse().unwrap(), header.to_ascii_lowercase(), body.to_owned())
}

async fn get(server: &Server, path: &str) -> (u16, String) {
    let (status, _, body) = request(server, "GET", path).await;
    (status, body)
}

/// Makes writes fail until an alarm is active.
async fn raise_alarm(pipeline: &PipelineState) -> tokio::task::JoinHandle<()> {
    let mut lane = pipeline.writer.lane(1);
    let task = tokio::spawn(async move {
        let lines = BatchLines::from(LineBuffer::from_iter(["m v=1"]));
        lane.deliver(&destination(), &lines).await;
    });
    while pipeline.writer.alarms().is_empty() {
        tokio::time::sleep(MS).await;
    }
    task
}

#[tokio::test]
async fn answers_the_documented_paths_and_methods() {
    let server = start(&pipeline("http://127.0.0.1:1"));
    let (status, body) = get(&server, "/").await;
    assert_eq!(status, 200);
    for path in ["/metrics", "/healthz", "/readyz", "/status.json"] {
        assert!(body.contains(path), "{body}");
        let (status, header, head_body) = request(&server, "HEAD", path).await;
        assert_eq!((status, head_body.as_str()), (200, ""), "{path}");
        assert!(header.contains("content-length: ") && header.contains("connection: close"), "{header}");
    }
    let (_, header, _) = request(&server, "GET", "/metrics").await;
    assert!(header.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{header}");
    assert_eq!(get(&server, "/nothing").await.0, 404);
    let (status, header, _) = request(&server, "POST", "/metrics").await;
    assert!(status == 405 && header.contains("allow: get, head"), "{header}");
}

#[tokio::test]
async fn a_terminal_gets_the_state_with_the_remedy_of_each_alarm() {
    let pipeline = pipeline("http://127.0.0.1:1");
    let server = start(&pipeline);
    let version = env!("CARGO_PKG_VERSION");
    let first_line = |body: &str| body.lines().next().unwrap_or_default().to_owned();
    let (_, header, body) = request_as(&server, "GET", "/", "Host: h\r\nAccept: */*\r\n").await;
    assert!(header.contains("content-type: text/plain"), "{header}");
    assert_eq!(first_line(&body), format!("kafka-influx-bridge {version}: waiting"));
    assert!(
        body.contains(
            "\n0 records/s read, 0 lines/s stored, unread records not known yet, 0 partitions assigned\n"
        ),
        "{body}"
    );
    Counters::add(&pipeline.counters.collisions, 3);
    let task = raise_alarm(&pipeline).await;
    let (_, body) = get(&server, "/").await;
    assert_eq!(first_line(&body), format!("kafka-influx-bridge {version}: retrying"));
    for text in [
        "\nretrying: unreachable, all destinations at ",
        "\n  remedy: ",
        "\nwarning: overwritten points\n  why: 3 points ",
        "\n/metrics ",
    ] {
        assert!(body.contains(text), "{text}: {body}");
    }
    task.abort();
}

#[tokio::test]
async fn is_healthy_while_all_threads_respond() {
    let pipeline = pipeline("http://127.0.0.1:1");
    let server = start(&pipeline);
    pipeline.heartbeats.register("data-0".to_owned(), Duration::from_secs(30));
    assert_eq!(get(&server, "/healthz").await, (200, "ok\n".to_owned()));
    pipeline.heartbeats.register("data-1".to_owned(), MS);
    tokio::time::sleep(20 * MS).await;
    for path in ["/healthz", "/readyz", "/readyz?strict"] {
        let (status, body) = get(&server, path).await;
        assert!(status == 503 && body.starts_with("thread data-1 has not responded for 0 s: "), "{body}");
    }
}

#[tokio::test]
async fn is_ready_while_blocked_unless_the_probe_is_strict() {
    let credential = Credential::Token(Secret::new("right"));
    let receiver = Receiver::start(Options { credential, ..Options::default() }).await.unwrap();
    let pipeline = pipeline(&receiver.url());
    let server = start(&pipeline);
    assert_eq!(get(&server, "/readyz?strict").await, (200, "ok\n".to_owned()));
    let lane = raise_alarm(&pipeline).await;
    let (status, body) = get(&server, "/readyz").await;
    assert_eq!(status, 200);
    assert!(body.starts_with("blocked: unauthorized, all destinations at http://127.0.0.1:"), "{body}");
    assert!(body.contains("\n  why: ") && body.contains("\n  remedy: "), "{body}");
    assert_eq!(get(&server, "/readyz?a&strict=1").await, (503, body));
    assert_eq!(get(&server, "/healthz").await, (200, "ok\n".to_owned()));
    lane.abort();
}

#[tokio::test]
async fn a_retry_that_has_just_begun_does_not_count_as_blocked() {
    let pipeline = pipeline("http://127.0.0.1:1");
    let server = start(&pipeline);
    let lane = raise_alarm(&pipeline).await;
    let (status, body) = get(&server, "/readyz?strict").await;
    assert!(status == 200 && body.starts_with("retrying: unreachable, "), "{body}");
    let page = Page::read(&get(&server, "/metrics").await.1);
    let labels = [("cause", "unreachable"), ("destination", "all destinations")];
    assert_eq!(page.value("kafka_influx_bridge_blocked", &labels), "0");
    lane.abort();
}

#[tokio::test]
async fn silent_connections_do_not_keep_other_clients_out() {
    let server = start(&pipeline("http://127.0.0.1:1"));
    let mut overdue = Vec::new();
    for _ in 0..31 {
        overdue.push(TcpStream::connect(server.address()).await.unwrap());
    }
    assert_eq!(get(&server, "/healthz").await.0, 200);
    // With all slots taken, the next connection is served when the others time out.
    overdue.push(TcpStream::connect(server.address()).await.unwrap());
    assert_eq!(get(&server, "/healthz").await.0, 200);
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let pipeline = pipeline("http://127.0.0.1:1");
    let server = start(&pipeline);
    let again = Server::start(server.address(), pipeline, &tokio::runtime::Handle::current());
    assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn metrics_report_the_counters() {
    let receiver = Receiver::start(Options::default()).await.unwrap();
    let pipeline = pipeline(&receiver.url());
    Counters::add(&pipeline.counters.records, 3);
    Counters::add(&pipeline.counters.skipped, 5);
    pipeline.counters.reject("t", Reason::Time, 1);
    pipeline.counters.refuse("t\"", 4);
    pipeline.counters.close_batch(CloseReason::Age);
    Counters::add(&pipeline.counters.lines, 5);
    pipeline.counters.change_assigned_partitions(0, 4);
    pipeline.counters.change_assigned_partitions(4, 1);
    let mut reserved = pipeline.budget.reserve();
    reserved.set(70);
    let lines = BatchLines::from(LineBuffer::from_iter(["m v=1", "m v=2"]));
    pipeline.writer.lane(1).deliver(&destination(), &lines).await;
    let server = start(&pipeline);
    let page = Page::read(&get(&server, "/metrics").await.1);
    let is = |name: &str, labels: &[(&str, &str)], want: &str| {
        assert_eq!(page.value(&format!("kafka_influx_bridge_{name}"), labels), want, "{name}");
    };
    is("records_total", &[], "3");
    is("skipped_records_total", &[], "5");
    is("rejected_total", &[("reason", "time")], "1");
    is("rejected_total", &[("reason", "empty")], "0");
    is("topic_rejected_total", &[("topic", "t"), ("reason", "time")], "1");
    is("topic_lines_refused_total", &[("topic", "t\"")], "4");
    is("batches_total", &[("closed_by", "age")], "1");
    is("batches_total", &[("closed_by", "full")], "0");
    is("batches_in_flight", &[], "0");
    is("requests_in_flight", &[], "0");
    is("batch_lines_bucket", &[("le", "1")], "0");
    is("batch_lines_bucket", &[("le", "10")], "1");
    is("batch_lines_count", &[], "1");
    is("batch_lines_sum", &[], "2");
    is("batch_bytes_sum", &[], "12");
    is("buffered_lines", &[], "3");
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
    for name in ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"] {
        page.value(name, &[]);
    }
    assert_eq!(page.value("process_start_time_seconds", &[]), "1700000000.5");
}

#[tokio::test]
async fn metrics_name_the_blocked_destination() {
    let options = Options { destinations: Some(BTreeSet::new()), ..Options::default() };
    let receiver = Receiver::start(options).await.unwrap();
    let pipeline = pipeline(&receiver.url());
    let server = start(&pipeline);
    let lane = raise_alarm(&pipeline).await;
    let page = Page::read(&get(&server, "/metrics").await.1);
    let scope = destination().to_string();
    let labels = [("cause", "bucket_missing"), ("destination", scope.as_str())];
    assert_eq!(page.value("kafka_influx_bridge_blocked", &labels), "1");
    page.value("kafka_influx_bridge_blocked_seconds", &labels);
    lane.abort();
}

/// librdkafka's statistics of a client with this number of topics, partitions and brokers.
fn statistics(topics: usize, partitions: i32, brokers: i32) -> Statistics {
    let partition = |partition: i32| Partition {
        partition,
        desired: true,
        lo_offset: 1_000,
        ls_offset: 123_456_789_012,
        hi_offset: 123_456_789_012,
        app_offset: 123_456_780_000,
        stored_offset: 123_456_770_000,
        committed_offset: 123_456_760_000,
        consumer_lag: 29_012,
        fetchq_cnt: 3,
        fetchq_size: 5_000,
        ..Partition::default()
    };
    let partitions: HashMap<i32, Partition> = (0..partitions).map(|p| (p, partition(p))).collect();
    let name = |number: usize| format!("production.metrics.hosts-{number}");
    let topic = |number| Topic { topic: name(number), partitions: partitions.clone(), ..Topic::default() };
    let window = || Some(Window { avg: 2_500, p99: 90_000, cnt: 7, ..Window::default() });
    let broker = |nodeid: i32| Broker {
        name: format!("broker-{nodeid}.kafka.example:9092/{nodeid}"),
        nodeid,
        source: "learned".to_owned(),
        state: "UP".to_owned(),
        rtt: window(),
        throttle: window(),
        ..Broker::default()
    };
    Statistics {
        ts: 1,
        topics: (0..topics).map(|number| (name(number), topic(number))).collect(),
        brokers: (0..brokers).map(|number| (number.to_string(), broker(number))).collect(),
        cgrp: Some(ConsumerGroup {
            join_state: "steady".to_owned(),
            rebalance_age: 5_500,
            ..ConsumerGroup::default()
        }),
        ..Statistics::default()
    }
}

#[tokio::test]
async fn metrics_report_partitions_clients_and_brokers() {
    let pipeline = pipeline("http://127.0.0.1:1");
    let hour = Retention { time: Some(Duration::from_hours(1)), ..Retention::default() };
    let topic = "production.metrics.hosts-0";
    let mut reporter = LagReporter::new(Arc::clone(&pipeline.lags), 0, true);
    reporter.report(Some(&statistics(1, 2, 3)), &[(topic.to_owned(), hour)].into());
    let at = |partition| Arc::new(TopicPartition { topic: topic.to_owned(), partition });
    let now = i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos());
    let open_ns = Some(now.unwrap() - 50 * 60 * 1_000_000_000);
    let writer = pipeline.counters.unsettled_timestamps.writer();
    writer.write(vec![
        (at(0), PartitionTimes { open_ns, ..PartitionTimes::default() }),
        (at(1), PartitionTimes::default()),
    ]);
    let server = start(&pipeline);
    let page = Page::read(&get(&server, "/metrics").await.1);
    let of = |name: &str, partition: &str| {
        page.number(&format!("kafka_influx_bridge_{name}"), &[("topic", topic), ("partition", partition)])
    };
    assert_eq!(of("lag_records", "0"), Some(29_012.0));
    assert_eq!(of("unread_records", "0"), Some(9_012.0));
    assert_eq!(of("buffered_records", "0"), Some(10_000.0));
    assert_eq!(of("read_offset", "0"), Some(123_456_780_000.0));
    assert_eq!(of("committed_offset", "0"), Some(123_456_760_000.0));
    let (behind, left) = (of("behind_seconds", "0").unwrap(), of("retention_left_seconds", "0").unwrap());
    assert!((3_000.0..3_060.0).contains(&behind), "{behind}");
    assert!((540.0..=600.0).contains(&left) && (behind + left - 3_600.0).abs() < 0.01, "{left}");
    // The ages of this partition's records are unknown.
    assert_eq!((of("behind_seconds", "1"), of("retention_left_seconds", "1")), (None, None));
    let is = |name: &str, labels: &[(&str, &str)], want: &str| {
        assert_eq!(page.value(&format!("kafka_influx_bridge_kafka_{name}"), labels), want, "{name}");
    };
    is("group_member", &[("consumer", "0")], "1");
    is("rebalance_age_seconds", &[("consumer", "0")], "5.5");
    is("fetch_queue_bytes", &[("consumer", "0")], "10000");
    let broker = [("consumer", "0"), ("broker", "broker-2.kafka.example:9092/2")];
    is("broker_connected", &broker, "1");
    is("broker_round_trip_seconds", &broker, "0.0025");
    is("broker_round_trip_p99_seconds", &broker, "0.09");
}

/// Topics and brokers have long names. The test prints the time for a page.
#[test]
fn a_page_of_a_thousand_partitions_is_small() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let pipeline = pipeline("http://127.0.0.1:1");
    let mut reporter = LagReporter::new(Arc::clone(&pipeline.lags), 0, true);
    let statistics = statistics(10, 100, 100);
    let hour = Retention { time: Some(Duration::from_hours(1)), ..Retention::default() };
    let topics = statistics.topics.keys().map(|topic| (topic.clone(), hour)).collect();
    reporter.report(Some(&statistics), &topics);
    let open = |(topic, partition): (String, i32)| {
        (
            Arc::new(TopicPartition { topic, partition }),
            PartitionTimes { open_ns: Some(1), ..PartitionTimes::default() },
        )
    };
    let writer = pipeline.counters.unsettled_timestamps.writer();
    writer.write(pipeline.lags.all().into_keys().map(open).collect());
    let begin = std::time::Instant::now();
    let page = metrics::page(&pipeline);
    println!("{} bytes in {:?}", page.len(), begin.elapsed());
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert_eq!(Page::read(&page).numbers("kafka_influx_bridge_retention_left_seconds").len(), 1_000);
}
