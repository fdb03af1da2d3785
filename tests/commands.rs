//! The commands that ask servers, as a user runs them, between the embedded Kafka and receiver.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "a test fails by panicking; helpers are shared"
)]

mod support;

use std::path::PathBuf;
use std::process::{Command, Output};
use support::{Cluster, Sink};

/// A configuration in a folder of its own.
struct Setup {
    folder: PathBuf,
}

impl Setup {
    fn new(name: &str, brokers: &str, topics: &str, url: &str) -> Self {
        Self::with(name, brokers, topics, url, "")
    }

    /// With further tables.
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

    fn run(&self, arguments: &[&str]) -> Output {
        let binary = env!("CARGO_BIN_EXE_kafka-influx-bridge");
        Command::new(binary).args(arguments).current_dir(&self.folder).output().unwrap()
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
    for line in ["ok      topic t: 3 partitions", "may be written", "calls itself"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(!shown.contains("FAILED"), "{shown}");
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
}

#[test]
fn check_connect_names_servers_that_are_not_there() {
    // Port 1 has no service on any machine that tests run on.
    let setup = Setup::new("nowhere", "127.0.0.1:1", "['t']", "http://127.0.0.1:1");
    let output = setup.run(&["check", "--connect"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    for line in ["FAILED  brokers 127.0.0.1:1", "check `kafka.brokers`", "check `influx.url`"] {
        assert!(shown.contains(line), "{shown}");
    }
}

#[test]
fn check_connect_asks_whether_dead_letters_can_be_written() {
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
    // It is not counted among those that are read.
    f("pattern", "topic = 't-dead'", 0, "ok      topics ^t-: 2 match");
    // The mock cluster does not say whether it creates topics.
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
fn without_a_command_it_says_how_to_begin() {
    let setup = Setup::new("begin", "127.0.0.1:1", "['t']", "http://127.0.0.1:1");
    let output = setup.run(&[]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for line in ["bridge.toml: found", "demo", "migrate", "--help"] {
        assert!(said.contains(line), "{said}");
    }
}
