//! `check --connect`, run as a process with the embedded Kafka and receiver, and with servers that are not what they should be.

use crate::commands::{config, config_of};
use crate::folder::Folder;
use crate::program::{Finished, assert_contains};
use crate::support::{Cluster, GROUP, Sink};
use base::Destination;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};
use testkit::receiver::{Influx3, Options, Product};

/// The output of `check --connect` for this bridge.toml; fails unless the exit status is this one.
#[track_caller]
fn check(config: &str, status: i32) -> String {
    Folder::with_config(config).run_to(status, &["check", "--connect"]).out
}

/// Replaces the destination in a configuration by these keys of `[influx]`.
fn with_influx(config: &str, keys: &str) -> String {
    config.replace("org = 'test'\nbucket = 'main'", keys)
}

/// Replaces the keys of the mapping.
fn with_mapping(config: &str, keys: &str) -> String {
    config.replace("tag_keys = ['host']", keys)
}

#[test]
fn check_connect_passes_where_everything_is_there() {
    let (cluster, sink) = (Cluster::with_topic("t", 3), Sink::with_buckets(&["main"]));
    let shown = check(&config_of(&cluster, &sink), 0);
    assert_contains(&shown, &["ok      topic t: 3 partitions", "may be written", "advertises"]);
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
    let shown = check(&config(&cluster.address(), "['t', '^none.*']", &sink.receiver.url()), 1);
    let missing = ["FAILED  topics ^none.*: 0 match", "influx bucket create --org test --name main"];
    assert_contains(&shown, &missing);
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
    let f = |influx: &str, want: &[&str]| {
        let shown = check(&with_influx(&config_of(&cluster, &sink), influx), 0);
        assert_contains(&shown, want);
        assert_eq!(
            shown.contains("there is no database"),
            want.iter().any(|line| line.contains("there is no"))
        );
    };
    let near = "there is no database \"metrcs\" (did you mean \"metrics\"?)";
    f("api = 'v3'\ndatabase = 'metrics'", &[": InfluxDB 3.10.0", "no write was tried"]);
    f("api = 'v3'\ndatabase = 'metrcs'", &[near]);
    let api = "set `influx.api` to \"v3\"";
    f("api = 'v1'\ndatabase = 'metrcs'", &[near, api]);
    f("org = 'o'\nbucket = 'metrcs'", &[near, api]);
    assert_eq!(sink.requests(), 0);
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
    let f = |answer: &'static str| {
        let url = responding(answer);
        let shown = check(&config(&cluster.address(), "['t']", &url), 1);
        let of_server: Vec<&str> = shown.lines().filter(|line| line.contains(&url)).collect();
        assert!(of_server.iter().any(|line| line.starts_with("FAILED")), "{answer}: {shown}");
        assert!(!of_server.iter().any(|line| line.starts_with("ok ")), "{answer}: {shown}");
    };
    f(
        "HTTP/1.1 502 Bad Gateway\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    // The write without lines is refused like every other.
    f("HTTP/1.1 400 Bad Request\r\nContent-Length: 20\r\nConnection: close\r\n\r\n<html>blocked</html>");
    f("HTTP/1.1 400 Bad Request\r\nContent-Length: 11\r\nConnection: close\r\n\r\nbad request");
    f("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    f("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nConnection: close\r\n\r\nnot found");
    f("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n<html/>");
}

/// Behind a proxy that forwards only writes, a check learns what it has done, or that it has tried nothing.
#[test]
fn check_connect_warns_where_it_cannot_know_the_server() {
    let cluster = Cluster::with_topic("t", 1);
    let f = |influx: &str, answer: &'static str, want: &str| {
        let url = responding(answer);
        let config = with_influx(&config(&cluster.address(), "['t']", &url), influx);
        let shown = Folder::with_config(&config).run(&["check", "--connect"]).out;
        let of_server: Vec<&str> = shown.lines().filter(|line| line.contains(&url)).collect();
        let is_warned = of_server.iter().any(|line| line.starts_with("warn") && line.contains(want));
        assert!(is_warned, "{answer}: {shown}");
        assert!(!of_server.iter().any(|line| line.starts_with("ok ")), "{answer}: {shown}");
    };
    f(
        "org = 'o'\nbucket = 'metrcs'",
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 36\r\nConnection: close\r\n\r\n{\"error\":\"incoming write was empty\"}",
        "is InfluxDB 3, which has created this database now if it was missing",
    );
    for answer in [
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ] {
        f("api = 'v3'\ndatabase = 'd'", answer, "the permission to write is unknown");
    }
}

/// A name that does not resolve is reached only through the proxy, which answers 502.
#[test]
fn check_connect_supports_the_forms_of_no_proxy() {
    let cluster = Cluster::with_topic("t", 1);
    let proxy = responding("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let folder =
        Folder::with_config(&config(&cluster.address(), "['t']", "http://influx.hidden.invalid:8086"));
    let f = |list: &str, is_direct: bool| {
        let mut command = folder.command(&["check", "--connect"]);
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
        let done: Finished = command.env("HTTP_PROXY", &proxy).env("NO_PROXY", list).output().unwrap().into();
        assert_eq!(done.status, Some(1), "{list}: {done}");
        assert_eq!(!done.out.contains("502"), is_direct, "{list}: {done}");
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
    let tls = format!("{}[influx.tls]\nca_file = '{authority}'\n", config(&cluster.address(), "['t']", &url));
    let shown = check(&tls, 1);
    assert_contains(&shown, &["does not use TLS", "begin with http://?"]);
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
        assert_contains(&check(&with_mapping(&config_of(&cluster, &sink), &keys), status), lines);
    };
    f("unix_ms", 0, &["ok      topic t: 20 sampled records become 20 points"]);
    f(
        "unix_us",
        1,
        &[
            "FAILED  topic t: 20 of 20 sampled times are far from Kafka's timestamp (t[0]@0 -> 1970-01-2",
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
fn check_connect_warns_of_points_that_overwrite_each_other() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::with_buckets(&["main"]));
    // Three meters in one record, distinguished only by their position.
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let meters: Vec<String> = (0..3).map(|n| format!(r#"{{"v":{n},"ts":{now_ms}}}"#)).collect();
    cluster.produce("t", 0, [format!("[{}]", meters.join(",")).as_str()]);
    let keys = "time_key = 'ts'\ntime_format = 'unix_ms'";
    let shown = check(&with_mapping(&config_of(&cluster, &sink), keys), 0);
    let line = "warn    bucket \"main\" of org \"test\": 2 of 3 sampled points overwrite another point of the same series and time, \
                such as one of t[0]@0";
    assert_contains(&shown, &[line]);
}

#[test]
fn check_connect_names_unreachable_servers() {
    // No machine that runs tests has a service on port 1.
    let shown = check(&config("127.0.0.1:1", "['t']", "http://127.0.0.1:1"), 1);
    let refused = "FAILED  broker 127.0.0.1:1: Connection refused";
    assert_contains(&shown, &[refused, "check `kafka.brokers`", "check influx.url"]);
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
pub fn controller() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
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
    let (sink, address) = (Sink::with_buckets(&["main"]), controller());
    let folder = Folder::with_config(&config(&address.to_string(), "['t']", &sink.receiver.url()));
    let done = folder.run_to(1, &["check", "--connect"]);
    let line = format!("FAILED  broker {address}: connected, but this is the port of a KRaft controller");
    assert_contains(&done.out, &[&line]);
    assert!(!done.err.contains("panicked"), "{done}");
}

#[test]
fn check_connect_names_an_advertised_name_that_does_not_resolve() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::with_buckets(&["main"]));
    let brokers = cluster.address();
    let port = brokers.rsplit(':').next().unwrap();
    let shown = check(&config(&renaming(&brokers, b"n.invalid"), "['t']", &sink.receiver.url()), 1);
    let advertises = format!(
        "FAILED  the bootstrap address responds, but broker 1 advertises n.invalid:{port}, which does not resolve here"
    );
    // Topics are checked only if the metadata arrived before librdkafka left the bootstrap address.
    assert_contains(&shown, &[&advertises, "may be written"]);
}

#[test]
fn check_connect_recognizes_an_http_server() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::with_buckets(&["main"]));
    let url = sink.receiver.url();
    let http = url.trim_start_matches("http://");
    let shown = check(&config(&format!("{http},{}", cluster.address()), "['t']", &url), 1);
    let not_kafka = format!(
        "FAILED  broker {http}: connected, but something that speaks HTTP answers: check `kafka.brokers`"
    );
    // The other address is checked, too.
    assert_contains(&shown, &[&not_kafka, "answers for 1 broker", "ok      topic t: 1 partition"]);
}

#[test]
fn check_connect_maps_sampled_records() {
    let (cluster, sink) = (Cluster::with_topic("t", 2), Sink::with_buckets(&["main"]));
    let record = r#"{"hots":"h","v":1,"state":"on"}"#;
    cluster.produce("t", 0, std::iter::repeat_n(record, 300));
    cluster.produce("t", 1, [record, "bad"]);
    cluster.create_topic("empty", 1);
    let shown = check(&config(&cluster.address(), "['t', 'empty']", &sink.receiver.url()), 0);
    let lines = [
        "ok      topic t: no committed offset: with `offset_reset` = \"earliest\" all 302 records are read",
        "warn    topic t: 52 sampled records become 51 points; 1 is rejected, such as t[1]@1: it is not JSON",
        "warn    topic t: 102 values under hots, state: strings and booleans are dropped",
        "warn    topic empty: it has no records",
        "warn    t: `host` of `tag_keys` is in none of 51 sampled records: did you mean `hots`?",
    ];
    assert_contains(&shown, &lines);
    assert_eq!(cluster.committed("t", 2), [None, None]);
    assert!(sink.points("main").is_empty());
    assert!(!shown.contains('\x1b'), "no terminal, no colours");
}

#[test]
fn check_connect_reports_the_lag_of_the_group() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::with_buckets(&["main"]));
    cluster.produce("t", 0, std::iter::repeat_n(r#"{"v":1}"#, 10));
    cluster.commit("t", 0, 7);
    let config =
        config_of(&cluster, &sink).replace("[[mapping]]", &format!("group_id = '{GROUP}'\n[[mapping]]"));
    let line = "ok      topic t: reading starts at the committed offsets, 3 records behind";
    assert_contains(&check(&config, 0), &[line]);
    assert_eq!(cluster.committed("t", 1), [Some(7)]);
}

#[test]
fn check_connect_checks_that_dead_letters_can_be_written() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::with_buckets(&["main"]));
    cluster.create_topic("t-dead", 2);
    cluster.create_topic("t-pattern", 1);
    let config = config(&cluster.address(), "['t', '^t-']", &sink.receiver.url());
    let f = |dead_letter: &str, status: i32, want: &str| {
        let folder = Folder::with_config(&format!("{config}[dead_letter]\n{dead_letter}\n"));
        assert_contains(&folder.run_to(status, &["check", "--connect"]).out, &[want]);
        assert!(!folder.file("dead.jsonl").exists());
    };
    f("topic = 't-dead'", 0, "ok      dead-letter topic t-dead: 2 partitions");
    // The dead-letter topic is not among the topics that are read.
    f("topic = 't-dead'", 0, "ok      topics ^t-: 1 match");
    // The mock cluster does not report whether it creates topics.
    f("topic = 'later'", 0, "ok      dead-letter topic later: it does not exist; create it, unless");
    f("file = 'dead.jsonl'", 0, "ok      dead-letter file dead.jsonl: may be written");
    f(
        "file = 'none/dead.jsonl'",
        1,
        "FAILED  dead-letter file: dead letters can't be written to none/dead.jsonl: No such file or directory (os error 2): create its folder",
    );
}

#[test]
fn check_connect_fails_for_unsigned_integers_on_influxdb_1() {
    let cluster = Cluster::with_topic("t", 1);
    let url = responding(
        "HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.8.10\r\nX-Influxdb-Build: OSS\r\nConnection: close\r\n\r\n",
    );
    let f = |types: &str, is_refused: bool| {
        let config = with_mapping(&config(&cluster.address(), "['t']", &url), types);
        let shown = Folder::with_config(&config).run(&["check", "--connect"]).out;
        let failed = shown.lines().find(|line| line.starts_with("FAILED") && line.contains("\"uint\""));
        assert_eq!(failed.is_some(), is_refused, "{types}: {shown}");
        assert!(failed.is_none_or(|line| line.contains("InfluxDB 1.8.10 refuses each point")), "{shown}");
    };
    f("types = { v = 'uint' }", true);
    f("types = { v = 'int' }", false);
}
