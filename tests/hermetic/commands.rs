//! The commands that connect to servers, run as a process with the embedded Kafka and receiver.

use crate::signals::signal;
use crate::support::{Cluster, GROUP, Sink, wait_until};
use base::Destination;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};
use testkit::receiver::{Influx3, Options, Product, Reply};

/// A configuration in its own folder.
struct Setup {
    folder: PathBuf,
}

impl Setup {
    fn new(name: &str, brokers: &str, topics: &str, url: &str) -> Self {
        Self::with(name, brokers, topics, url, "")
    }

    /// Adds further tables.
    fn with(name: &str, brokers: &str, topics: &str, url: &str, more: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("bridge-commands-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "[kafka]\nbrokers = '{brokers}'\ntopics = {topics}\n[[mapping]]\ntag_keys = ['host']\n\
             [influx]\nurl = '{url}'\norg = 'test'\nbucket = 'main'\ntoken = 'any'\n{more}"
        );
        std::fs::write(folder.join("bridge.toml"), text).unwrap();
        Self { folder }
    }

    /// Replaces the keys of the mapping.
    fn mapping(self, keys: &str) -> Self {
        let file = self.folder.join("bridge.toml");
        let text = std::fs::read_to_string(&file).unwrap().replace("tag_keys = ['host']", keys);
        std::fs::write(file, text).unwrap();
        self
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-influx-bridge"));
        command.args(arguments).current_dir(&self.folder);
        command
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.folder);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn check_connect_passes_where_everything_is_there() {
    let (cluster, sink) = (Cluster::with_topic("t", 3), Sink::with_buckets(&["main"]));
    let setup = Setup::new("there", &cluster.address(), "['t']", &sink.receiver.url());
    let output = setup.run(&["check", "--connect"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}{}", text(&output.stderr));
    for line in ["ok      topic t: 3 partitions", "may be written", "advertises"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(!shown.contains("FAILED") && !shown.contains("no errors"), "{shown}");
    let verdict = shown.lines().last().unwrap_or_default();
    assert!(
        verdict.starts_with("bridge.toml: PASSED: ") && verdict.ends_with(" checks, 1 warning"),
        "{shown}"
    );
}

#[test]
fn check_connect_names_what_is_missing_with_the_remedy() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::with_buckets(&[]));
    let setup = Setup::new("missing", &cluster.address(), "['t', '^none.*']", &sink.receiver.url());
    let output = setup.run(&["check", "--connect"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    for line in ["FAILED  topics ^none.*: 0 match", "influx bucket create --org test --name main"] {
        assert!(shown.contains(line), "{shown}");
    }
    let verdict = shown.lines().last().unwrap_or_default();
    assert!(verdict.starts_with("bridge.toml: FAILED: 2 of "), "{shown}");
    assert!(!shown.contains("no errors"), "{shown}");
}

/// A check must not create a mistyped database, which a write without lines would do.
#[test]
fn check_connect_lists_the_databases_of_influxdb_3_and_creates_none() {
    let existing = Destination::Database3 { database: "metrics".to_owned() };
    let sink = Sink::with_options(Options {
        product: Product::Influx3(Influx3::default()),
        destinations: Some([existing].into()),
        ..Options::default()
    });
    let cluster = Cluster::with_topic("t", 1);
    let f = |name: &str, influx: &str, want: &[&str]| {
        let setup = Setup::new(name, &cluster.address(), "['t']", &sink.receiver.url());
        write_to(&setup, influx);
        let output = setup.run(&["check", "--connect"]);
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{shown}{}", text(&output.stderr));
        for line in want {
            assert!(shown.contains(line), "{line}: {shown}");
        }
        assert_eq!(
            shown.contains("there is no database"),
            want.iter().any(|line| line.contains("there is no"))
        );
    };
    let near = "there is no database \"metrcs\" (did you mean \"metrics\"?)";
    f("v3-there", "api = 'v3'\ndatabase = 'metrics'", &[": InfluxDB 3.10.0", "no write was tried"]);
    f("v3-new", "api = 'v3'\ndatabase = 'metrcs'", &[near]);
    let api = "set `influx.api` to \"v3\"";
    f("v3-as-v1", "api = 'v1'\ndatabase = 'metrcs'", &[near, api]);
    f("v3-as-v2", "org = 'o'\nbucket = 'metrcs'", &[near, api]);
    assert_eq!(sink.requests(), 0);
}

/// Replaces the destination in the configuration by these keys of `[influx]`.
fn write_to(setup: &Setup, influx: &str) {
    let file = setup.folder.join("bridge.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace("org = 'test'\nbucket = 'main'", influx)).unwrap();
}

/// An HTTP server with one response for all requests.
fn responding(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let _request = stream.read(&mut [0; 4096]);
                let _sent = stream.write_all(response.as_bytes());
            });
        }
    });
    url
}

#[test]
fn check_connect_fails_for_a_server_that_is_not_influxdb() {
    let cluster = Cluster::with_topic("t", 1);
    let f = |name: &str, answer: &'static str| {
        let url = responding(answer);
        let output = Setup::new(name, &cluster.address(), "['t']", &url).run(&["check", "--connect"]);
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{name}: {shown}");
        let of_server: Vec<&str> = shown.lines().filter(|line| line.contains(&url)).collect();
        assert!(of_server.iter().any(|line| line.starts_with("FAILED")), "{name}: {shown}");
        assert!(!of_server.iter().any(|line| line.starts_with("ok ")), "{name}: {shown}");
    };
    f(
        "gateway",
        "HTTP/1.1 502 Bad Gateway\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    // The write without lines is refused like every other.
    f(
        "firewall",
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 20\r\nConnection: close\r\n\r\n<html>blocked</html>",
    );
    f("service", "HTTP/1.1 400 Bad Request\r\nContent-Length: 11\r\nConnection: close\r\n\r\nbad request");
    f("small", "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    f("elsewhere", "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nConnection: close\r\n\r\nnot found");
    f("website", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n<html/>");
}

/// Behind a proxy that forwards only writes, a check learns what it has done, or that it has tried nothing.
#[test]
fn check_connect_warns_where_it_cannot_know_the_server() {
    let cluster = Cluster::with_topic("t", 1);
    let f = |name: &str, influx: &str, answer: &'static str, want: &str| {
        let url = responding(answer);
        let setup = Setup::new(name, &cluster.address(), "['t']", &url);
        write_to(&setup, influx);
        let shown = text(&setup.run(&["check", "--connect"]).stdout);
        let of_server: Vec<&str> = shown.lines().filter(|line| line.contains(&url)).collect();
        assert!(
            of_server.iter().any(|line| line.starts_with("warn") && line.contains(want)),
            "{name}: {shown}"
        );
        assert!(!of_server.iter().any(|line| line.starts_with("ok ")), "{name}: {shown}");
    };
    f(
        "found-empty",
        "org = 'o'\nbucket = 'metrcs'",
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 36\r\nConnection: close\r\n\r\n{\"error\":\"incoming write was empty\"}",
        "is InfluxDB 3, which has created this database now if it was missing",
    );
    for answer in [
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ] {
        f("no-list", "api = 'v3'\ndatabase = 'd'", answer, "the permission to write is unknown");
    }
}

/// A name that does not resolve is reached only through the proxy, which answers 502.
#[test]
fn check_connect_supports_the_forms_of_no_proxy() {
    let cluster = Cluster::with_topic("t", 1);
    let proxy = responding("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let setup = Setup::new("no-proxy", &cluster.address(), "['t']", "http://influx.hidden.invalid:8086");
    let f = |list: &str, is_direct: bool| {
        let mut command = setup.command(&["check", "--connect"]);
        for name in [
            "HTTPS_PROXY",
            "ALL_PROXY",
            "http_proxy",
            "https_proxy",
            "all_proxy",
            "no_proxy",
            "REQUEST_METHOD",
        ] {
            command.env_remove(name);
        }
        let output = command.env("HTTP_PROXY", &proxy).env("NO_PROXY", list).output().unwrap();
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{list}: {shown}");
        assert_eq!(!shown.contains("502"), is_direct, "{list}: {shown}");
    };
    f("other.invalid", false);
    f("influx.hidden.invalid:9999", false);
    f("influx.hidden.invalid:8086", true);
    f("*.hidden.invalid", true);
    f("*", true);
}

/// `check` has the remedies of `run`.
#[test]
fn check_connect_recognizes_tls_to_a_plain_http_server() {
    let cluster = Cluster::with_topic("t", 1);
    let url = responding("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let url = url.replace("http://", "https://");
    // Without certificates of the system an https address needs a file of its own.
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/testkit/testdata/tls/ca.pem");
    let tls = format!("[influx.tls]\nca_file = '{authority}'");
    let output = Setup::with("tls", &cluster.address(), "['t']", &url, &tls).run(&["check", "--connect"]);
    let shown = text(&output.stdout);
    assert!(shown.contains("does not use TLS") && shown.contains("begin with http://?"), "{shown}");
    assert!(!shown.contains("certificate"), "{shown}");
}

/// With a wrong unit, points are in 1970 or rejected; with the right unit the check passes.
#[test]
fn check_connect_fails_where_times_have_another_unit() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::with_buckets(&["main"]));
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let records: Vec<String> = (0..20).map(|n| format!(r#"{{"v":{n},"ts":{}}}"#, now_ms + n)).collect();
    cluster.produce("t", 0, records.iter().map(String::as_str));
    let f = |format: &str, status: i32, lines: &[&str]| {
        let keys = format!("time_key = 'ts'\ntime_format = '{format}'");
        let setup = Setup::new(format, &cluster.address(), "['t']", &sink.receiver.url()).mapping(&keys);
        let output = setup.run(&["check", "--connect"]);
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(status), "{format}: {shown}");
        for line in lines {
            assert!(shown.contains(line), "{line}\n{shown}");
        }
    };
    f("unix_ms", 0, &["ok      topic t: 20 sampled records become 20 points"]);
    f(
        "unix_us",
        1,
        &[
            "FAILED  topic t: 20 of 20 sampled times are far from Kafka's timestamp, such as t[0]@0 becomes 1970-01-2",
            "the values look like milliseconds since 1970: set `time_format = \"unix_ms\"`",
        ],
    );
    f(
        "unix",
        1,
        &[
            "FAILED  topic t: 20 sampled records become 0 points; 20 are rejected, such as t[0]@0: its time",
            "set `time_format = \"unix_ms\"`",
        ],
    );
}

#[test]
fn run_reports_a_wrong_unit_of_times_and_stores_the_points() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.create_topic("old", 1);
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let record = |ts: u128| format!(r#"{{"v":1,"ts":{ts}}}"#);
    cluster.produce("t", 0, (0..300).map(|n| record(now_ms + n)));
    // A backfill is legitimate: no unit explains its distance.
    cluster.produce("old", 0, (0..300).map(|n| record(1_262_304_000_000_000 + n)));
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let more = format!("[admin]\nlisten = '{listen}'\n");
    let keys = "time_key = 'ts'\ntime_format = 'unix_us'";
    let setup =
        Setup::with("unit", &cluster.address(), "['t', 'old']", &sink.receiver.url(), &more).mapping(keys);
    let mut bridge = Running::start(&setup);
    let message =
        "the unit of the topic's times is likely to be wrong, and its points are stored at wrong times";
    wait_until("the unit is reported", || bridge.has_logged(message));
    wait_until("all is stored", || sink.lines_stored() == 600);
    let mut metrics = String::new();
    let mut connection = TcpStream::connect(listen).unwrap();
    connection.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    connection.read_to_string(&mut metrics).unwrap();
    assert!(metrics.contains("\nkafka_influx_bridge_wrong_time_units_total 100\n"), "{metrics}");
    assert!(bridge.stop());
    let log = bridge.log();
    let reports: Vec<_> = log.iter().filter(|line| line.contains(message)).collect();
    assert_eq!(reports.len(), 1, "{log:#?}");
    for part in [
        "ERROR",
        "topic=\"t\"",
        "100 of 100 sampled times",
        "t[0]@0 becomes 1970-01-2",
        "set `time_format = \\\"unix_ms\\\"`",
    ] {
        assert!(reports[0].contains(part), "{part}: {}", reports[0]);
    }
}

#[test]
fn check_connect_warns_of_points_that_overwrite_each_other() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::with_buckets(&["main"]));
    // Three meters in one record, distinguished only by their position.
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let meters: Vec<String> = (0..3).map(|n| format!(r#"{{"v":{n},"ts":{now_ms}}}"#)).collect();
    cluster.produce("t", 0, [format!("[{}]", meters.join(",")).as_str()]);
    let keys = "time_key = 'ts'\ntime_format = 'unix_ms'";
    let setup = Setup::new("overwrite", &cluster.address(), "['t']", &sink.receiver.url()).mapping(keys);
    let output = setup.run(&["check", "--connect"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let line = "warn    bucket \"main\" of org \"test\": 2 of 3 sampled points overwrite another point of the same series and time, \
                such as one of t[0]@0";
    assert!(shown.contains(line), "{shown}");
}

#[test]
fn check_connect_names_unreachable_servers() {
    // No machine that runs tests has a service on port 1.
    let setup = Setup::new("nowhere", "127.0.0.1:1", "['t']", "http://127.0.0.1:1");
    let output = setup.run(&["check", "--connect"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    for line in
        ["FAILED  broker 127.0.0.1:1: Connection refused", "check `kafka.brokers`", "check influx.url"]
    {
        assert!(shown.contains(line), "{shown}");
    }
}

/// A broker that advertises another name: in the responses from `to`, the name replaces "127.0.0.1", which has the same length.
fn renaming(to: &str, name: &'static [u8; 9]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let to = to.to_owned();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(&to).unwrap());
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                let _ended = std::io::copy(&mut from_client, &mut to_server);
                let _closed = to_server.shutdown(Shutdown::Both);
            });
            thread::spawn(move || {
                // Reads whole responses, so that no name is split.
                while let Some(mut response) = kafka_frame(&mut server) {
                    for at in 0..=response.len().saturating_sub(name.len()) {
                        if response[at..].starts_with(b"127.0.0.1") {
                            response[at..at + name.len()].copy_from_slice(name);
                        }
                    }
                    if client.write_all(&response).is_err() {
                        break;
                    }
                }
                let _closed = client.shutdown(Shutdown::Both);
            });
        }
    });
    address
}

/// Reads a request or response of Kafka's protocol, with the four bytes of its size; none at the end of the connection.
fn kafka_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut frame = vec![0; 4];
    stream.read_exact(&mut frame).ok()?;
    let size = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
    frame.resize(4 + size, 0);
    stream.read_exact(&mut frame[4..]).ok()?;
    Some(frame)
}

/// A listener that responds like a `KRaft` controller of Kafka 4.1: it lists its supported requests, without metadata for clients.
fn controller() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // Fetch, SaslHandshake, ApiVersions, CreateTopics, DescribeConfigs, Vote, DescribeQuorum, DescribeCluster.
    let served: [(u16, u16, u16); 8] =
        [(1, 0, 17), (17, 0, 1), (18, 0, 4), (19, 2, 7), (32, 1, 4), (52, 0, 2), (55, 0, 2), (60, 0, 2)];
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            thread::spawn(move || {
                while let Some(request) = kafka_frame(&mut client) {
                    const API_VERSIONS: [u8; 2] = [0, 18];
                    if request[4..6] != API_VERSIONS {
                        break;
                    }
                    // ApiVersions 3: correlation id, no error, a compact array, no throttling, no tags.
                    let mut response = [&request[8..12], &[0, 0, served.len() as u8 + 1]].concat();
                    for (key, min, max) in served {
                        response.extend([key, min, max].map(u16::to_be_bytes).concat());
                        response.push(0);
                    }
                    response.extend([0; 5]);
                    let size = (response.len() as u32).to_be_bytes();
                    if client.write_all(&[&size[..], &response].concat()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn check_connect_recognizes_the_port_of_a_controller() {
    let sink = Sink::with_buckets(&["main"]);
    let address = controller();
    let setup = Setup::new("controller", &address, "['t']", &sink.receiver.url());
    let output = setup.run(&["check", "--connect"]);
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{shown}{said}");
    let line = format!("FAILED  broker {address}: connected, but this is the port of a KRaft controller");
    assert!(shown.contains(&line), "{shown}{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn check_connect_names_an_advertised_name_that_does_not_resolve() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::with_buckets(&["main"]));
    let brokers = cluster.address();
    let port = brokers.rsplit(':').next().unwrap();
    let setup = Setup::new("renamed", &renaming(&brokers, b"n.invalid"), "['t']", &sink.receiver.url());
    let output = setup.run(&["check", "--connect"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    let advertises = format!(
        "FAILED  the bootstrap address responds, but broker 1 advertises n.invalid:{port}, which does not resolve here"
    );
    // Topics are checked only if the metadata arrived before librdkafka left the bootstrap address.
    for line in [&*advertises, "may be written"] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}

#[test]
fn check_connect_recognizes_an_http_server() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::with_buckets(&["main"]));
    let http = sink.receiver.url();
    let http = http.trim_start_matches("http://");
    let brokers = format!("{http},{}", cluster.address());
    let setup = Setup::new("http", &brokers, "['t']", &sink.receiver.url());
    let output = setup.run(&["check", "--connect"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    let not_kafka = format!(
        "FAILED  broker {http}: connected, but something that speaks HTTP answers: check `kafka.brokers`"
    );
    // The other address is checked, too.
    for line in [&*not_kafka, "answers for 1 broker", "ok      topic t: 1 partition"] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
}

#[test]
fn check_connect_maps_sampled_records() {
    let (cluster, sink) = (Cluster::with_topic("t", 2), Sink::with_buckets(&["main"]));
    let record = r#"{"hots":"h","v":1,"state":"on"}"#;
    cluster.produce("t", 0, std::iter::repeat_n(record, 300));
    cluster.produce("t", 1, [record, "bad"]);
    cluster.create_topic("empty", 1);
    let setup = Setup::new("samples", &cluster.address(), "['t', 'empty']", &sink.receiver.url());
    let output = setup.run(&["check", "--connect"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    for line in [
        "ok      topic t: no committed offset: with `offset_reset` = \"earliest\" all 302 records are read",
        "warn    topic t: 52 sampled records become 51 points; 1 is rejected, such as t[1]@1: it is not JSON",
        "warn    topic t: 102 values under hots, state: strings and booleans are dropped",
        "warn    topic empty: it has no records",
        "warn    t: `host` of `tag_keys` is in none of 51 sampled records: did you mean `hots`?",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert_eq!(cluster.committed("t", 2), [None, None]);
    assert!(sink.points("main").is_empty());
    assert!(!shown.contains('\x1b'), "no terminal, no colours");
}

#[test]
fn check_connect_reports_the_lag_of_the_group() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::with_buckets(&["main"]));
    cluster.produce("t", 0, std::iter::repeat_n(r#"{"v":1}"#, 10));
    cluster.commit("t", 0, 7);
    let setup = Setup::new("behind", &cluster.address(), "['t']", &sink.receiver.url());
    let toml = std::fs::read_to_string(setup.folder.join("bridge.toml")).unwrap();
    let toml = toml.replace("[[mapping]]", &format!("group_id = '{GROUP}'\n[[mapping]]"));
    std::fs::write(setup.folder.join("bridge.toml"), toml).unwrap();
    let output = setup.run(&["check", "--connect"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let line = "ok      topic t: reading starts at the committed offsets, 3 records behind";
    assert!(shown.contains(line), "{shown}");
    assert_eq!(cluster.committed("t", 1), [Some(7)]);
}

#[test]
fn check_connect_checks_that_dead_letters_can_be_written() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::with_buckets(&["main"]));
    cluster.create_topic("t-dead", 2);
    let f = |name: &str, dead_letter: &str, status: i32, want: &str| {
        let table = format!("[dead_letter]\n{dead_letter}\n");
        let setup = Setup::with(name, &cluster.address(), "['t', '^t-']", &sink.receiver.url(), &table);
        cluster.create_topic(&format!("t-{name}"), 1);
        let output = setup.run(&["check", "--connect"]);
        let shown = text(&output.stdout);
        assert!(shown.contains(want), "{want}\n{shown}");
        assert_eq!(output.status.code(), Some(status), "{shown}");
        assert!(!setup.folder.join("dead.jsonl").exists());
    };
    f("topic", "topic = 't-dead'", 0, "ok      dead-letter topic t-dead: 2 partitions");
    // The dead-letter topic is not among the topics that are read.
    f("pattern", "topic = 't-dead'", 0, "ok      topics ^t-: 2 match");
    // The mock cluster does not report whether it creates topics.
    f("later", "topic = 'later'", 0, "ok      dead-letter topic later: it does not exist; create it, unless");
    f("file", "file = 'dead.jsonl'", 0, "ok      dead-letter file dead.jsonl: may be written");
    f(
        "folder",
        "file = 'none/dead.jsonl'",
        1,
        "FAILED  dead-letter file: dead letters can't be written to none/dead.jsonl: No such file or directory (os error 2): create its folder",
    );
}

#[test]
fn map_live_shows_a_topic_without_joining_the_group() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [r#"{"host":"h1","v":1.5}"#, "bad"]);
    let setup = Setup::new("live", &cluster.address(), "['t']", &sink.receiver.url());
    let output = setup.run(&["map", "--live", "3"]);
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{shown}{said}");
    assert!(shown.starts_with("t,host=h1 v=1.5 "), "{shown}");
    assert!(said.contains("t[0]@1: it is not JSON"), "{said}");
    assert_eq!(cluster.committed("t", 1), [None]);
    assert!(sink.points("main").is_empty());
}

#[test]
fn map_live_ends_with_ctrl_c_and_reports_an_empty_topic() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [r#"{"host":"h1","v":1.5,"state":"on"}"#]);
    cluster.create_topic("empty", 1);
    let setup = Setup::new("interrupted", &cluster.address(), "['t']", &sink.receiver.url());
    let mut command = setup.command(&["map", "--live", "600"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut shown = BufReader::new(child.stdout.take().unwrap());
    shown.read_line(&mut first).unwrap();
    assert!(first.starts_with("t,host=h1 v=1.5 "), "{first}");
    signal(child.id(), "INT");
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for line in ["t: 1 record became 1 line", "dropped or changed: 1 values under state"] {
        assert!(said.contains(line), "{said}");
    }
    let output = setup.run(&["map", "--live", "1", "--topic", "empty"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("empty: the topic is empty, and no record arrived"), "{said}");
}

#[test]
fn map_names_the_nearest_topic_for_a_mistyped_one() {
    let (cluster, sink) = (Cluster::with_topic("metrics", 1), Sink::start());
    let setup = Setup::new("mistyped", &cluster.address(), "['metrics']", &sink.receiver.url());
    let f = |setup: &Setup, topic: &str, want: &str| {
        let output = setup.run(&["map", "--live", "1", "--topic", topic]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(want), "{said}");
    };
    f(&setup, "metrcs", "the topic metrcs can't be read: it does not exist; did you mean \"metrics\"?");
    f(&setup, "entirely-different", "it does not exist (`check --connect`");
    // The name does not exist in the configuration either.
    let setup = setup.mapping("topics = ['metrics']");
    f(&setup, "metrcs", "no [[mapping]] matches the topic metrcs (did you mean \"metrics\"?)");
}

#[test]
fn map_of_a_file_reports_records_without_a_point() {
    let setup = Setup::new("pointless", "127.0.0.1:1", "['t']", "http://127.0.0.1:1").mapping("");
    let f = |records: &str, status: i32, want: &[&str]| {
        std::fs::write(setup.folder.join("r.jsonl"), records).unwrap();
        let output = setup.run(&["map", "r.jsonl"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{said}");
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), want.len(), "{said}");
        for (line, want) in lines.iter().zip(want) {
            assert!(line.starts_with(want), "wanted {want}\n{said}");
        }
    };
    f("{\"v\":1}\n", 0, &[]);
    f(
        "{\"v\":1}\n{}\n{\"state\":\"on\"}\nno\n5\n[5,{\"v\":1}]\n",
        1,
        &[
            "r.jsonl:4: it is not JSON",
            "r.jsonl:5: a number is no object",
            "r.jsonl:6: element 0: a number is no object",
            "6 records became 1 line; rejected: undecodable 1, not_an_object 2",
            "no point: 1 object has no field, such as r.jsonl:3. `run` would commit such records without a point. If they should become \
             points, add their keys to `string_fields`",
            "no point: 1 object has no field, such as r.jsonl:2. `run` would commit such records without a point. If they should become \
             points, look at `query`, `where`, `include` and `exclude`",
            "dropped or changed: 1 values under state",
        ],
    );
}

#[test]
fn map_of_a_file_names_unseen_keys_wrong_units_and_fields_of_two_types() {
    let mapping = "tag_keys = ['hots']\ntime_key = 't'\ntime_format = 'unix_ms'\nintegers = 'int'";
    let setup = Setup::new("doubts", "127.0.0.1:1", "['topic']", "http://127.0.0.1:1").mapping(mapping);
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let record = |v: &str| format!("{{\"host\":\"a\",\"t\":{seconds},\"v\":{v}}}\n");
    std::fs::write(setup.folder.join("r.jsonl"), record("1") + &record("1.5")).unwrap();
    let output = setup.run(&["map", "r.jsonl"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for want in [
        "`hots` of `tag_keys` is in none of 2 records: did you mean `host`?",
        "2 of 2 sampled times are far from the present time, such as r.jsonl:1 becomes 1970-01-",
        "set `time_format = \"unix\"`",
        "two types: the field \"v\" of \"topic\" is an integer at r.jsonl:1 and a float at r.jsonl:2.",
    ] {
        assert!(said.contains(want), "{want}\n{said}");
    }
    let given = setup.run(&["map", "--timestamp", &format!("{seconds}000000000"), "r.jsonl"]);
    assert!(text(&given.stderr).contains("far from --timestamp, such as"), "{}", text(&given.stderr));
}

#[test]
fn a_closed_standard_error_does_not_change_the_exit_status() {
    let setup = Setup::new("closed", "127.0.0.1:1", "['t']", "http://127.0.0.1:1");
    std::fs::write(setup.folder.join("r.jsonl"), "no\n").unwrap();
    let f = |arguments: &[&str], want: i32| {
        let unread = || std::io::pipe().unwrap().1;
        let mut command = setup.command(arguments);
        // The reading ends are closed at once.
        let status = command.stdout(unread()).stderr(unread()).status().unwrap();
        assert_eq!(status.code(), Some(want), "{arguments:?}: {status}");
    };
    f(&["check"], 0);
    f(&["map", "r.jsonl"], 1);
    f(&["map", "missing.jsonl"], 2);
    f(&["migrate", "missing.conf"], 2);
    f(&["health"], 1);
}

#[test]
fn health_cannot_know_a_free_port() {
    let more = "[admin]\nlisten = '127.0.0.1:0'";
    let setup = Setup::with("free-port", "127.0.0.1:1", "['t']", "http://127.0.0.1:1", more);
    let output = setup.run(&["health"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("uses a free port that this command does not know; set a port there"), "{said}");
}

#[test]
fn health_needs_no_secrets() {
    let setup = Setup::with(
        "health",
        "127.0.0.1:1",
        "['t']",
        "http://127.0.0.1:1",
        "[admin]\nlisten = '127.0.0.1:1'",
    );
    let path = setup.folder.join("bridge.toml");
    let config =
        std::fs::read_to_string(&path).unwrap().replace("'any'", "'${BRIDGE_TEST_VARIABLE_THAT_IS_NOT_SET}'");
    std::fs::write(path, config).unwrap();
    let output = setup.run(&["health"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("is the bridge running"), "{}", text(&output.stderr));
}

#[test]
fn without_a_command_the_first_steps_are_shown() {
    let setup = Setup::new("begin", "127.0.0.1:1", "['t']", "http://127.0.0.1:1");
    let output = setup.run(&[]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for line in ["bridge.toml: found", "demo", "init", "migrate", "--help"] {
        assert!(said.contains(line), "{said}");
    }
}

/// A process of `run` with its log in a file; killed on drop.
struct Running<'s> {
    child: Child,
    setup: &'s Setup,
}

impl<'s> Running<'s> {
    fn start(setup: &'s Setup) -> Self {
        let log = File::create(setup.folder.join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-influx-bridge"));
        command.arg("run").current_dir(&setup.folder).stdin(Stdio::null()).stdout(Stdio::null());
        Self { child: command.stderr(log).spawn().unwrap(), setup }
    }

    fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.setup.folder.join("log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }

    fn has_logged(&self, text: &str) -> bool {
        self.log().iter().any(|line| line.contains(text))
    }

    /// Sends SIGTERM; returns whether the exit status is 0.
    fn stop(&mut self) -> bool {
        signal(self.child.id(), "TERM");
        self.child.wait().unwrap().success()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // The process may have ended.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[test]
fn run_logs_json_and_nothing_while_healthy() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::down(Reply::status(401)));
    cluster.produce("t", 0, (0..100).map(|n| format!(r#"{{"host":"h{n}","v":{n},"note":"text"}}"#)));
    cluster.produce("t", 0, ["no json"]);
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let more = format!("[log]\nformat = 'json'\n[admin]\nlisten = '{listen}'\n");
    let setup = Setup::with("json-log", &cluster.address(), "['t']", &sink.receiver.url(), &more);
    let mut bridge = Running::start(&setup);
    wait_until("the alarm is logged", || bridge.has_logged("blocked, records stay uncommitted"));
    // A blocked bridge is healthy: a restart would not fix the cause.
    let health = setup.run(&["health"]);
    assert_eq!(health.status.code(), Some(0), "{}", text(&health.stderr));
    sink.answer(None);
    wait_until("the end of the alarm is logged", || bridge.has_logged("writing goes on"));
    wait_until("all is stored", || sink.lines_stored() == 100);
    wait_until("the first lines are logged", || bridge.has_logged("first lines stored"));
    let logged = bridge.log();
    cluster.produce("t", 0, (100..5_000).map(|n| format!(r#"{{"host":"h{n}","v":{n}}}"#)));
    wait_until("the others are stored", || sink.lines_stored() == 5_000);
    assert_eq!(bridge.log(), logged, "nothing is logged while healthy");
    assert!(bridge.stop());
    assert_eq!(setup.run(&["health"]).status.code(), Some(1), "the bridge has stopped");

    let log = bridge.log();
    let lines: Vec<(String, String)> = log.iter().map(|line| level_and_message(line)).collect();
    let shown = log.join("\n");
    let of_level = |level: &str| lines.iter().filter(|line| line.0 == level).count();
    let messages = |wanted: &[&str]| {
        for want in wanted {
            assert!(lines.iter().any(|(_, message)| message == want), "no {want:?} in\n{shown}");
        }
    };
    messages(&["kafka-influx-bridge starts", "subscribed", "assigned", "first record", "record rejected"]);
    messages(&["blocked, records stay uncommitted", "writing goes on", "first lines stored", "stopped"]);
    let stopped = log.iter().find(|line| line.contains("\"stopped\"")).unwrap();
    for total in ["\"records\":5001", "\"stored\":5000", "\"rejected\":1", "\"refused\":0"] {
        assert!(stopped.contains(total), "{total}: {stopped}");
    }
    assert!(of_level("ERROR") == 1 && of_level("WARN") <= 4 && lines.len() < 18, "{shown}");
}

/// Level and message of a line of the log, which must be JSON and use the terms of the documents.
fn level_and_message(line: &str) -> (String, String) {
    let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    let field = |key: &str| {
        let text = value.get(key).and_then(serde_json::Value::as_str);
        text.unwrap_or_else(|| panic!("no {key}: {line}")).to_owned()
    };
    let (time, level, message) = (field("timestamp"), field("level"), field("message"));
    assert!(time.len() >= 20 && time.find('T') == Some(10) && time.ends_with('Z'), "{line}");
    assert!(["ERROR", "WARN", "INFO"].contains(&level.as_str()), "{line}");
    assert!(!message.is_empty() && !line.contains('\u{1b}'), "{line}");
    for word in ["message ", "messages", "metric ", "metrics ", "event", "sink", "acked", "chunk"] {
        assert!(!message.replace("metrics, health", "").contains(word), "{word:?} in {line}");
    }
    (level, message)
}

#[test]
fn check_connect_fails_for_unsigned_integers_on_influxdb_1() {
    let cluster = Cluster::with_topic("t", 1);
    let url = responding(
        "HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.8.10\r\nX-Influxdb-Build: OSS\r\nConnection: close\r\n\r\n",
    );
    let f = |types: &str, is_refused: bool| {
        let setup = Setup::new("unsigned", &cluster.address(), "['t']", &url).mapping(types);
        let shown = text(&setup.run(&["check", "--connect"]).stdout);
        let failed = shown.lines().find(|line| line.starts_with("FAILED") && line.contains("\"uint\""));
        assert_eq!(failed.is_some(), is_refused, "{types}: {shown}");
        assert!(failed.is_none_or(|line| line.contains("InfluxDB 1.8.10 refuses each point")), "{shown}");
    };
    f("types = { v = 'uint' }", true);
    f("types = { v = 'int' }", false);
}
