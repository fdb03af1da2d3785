//! `run`, `map` and `health`, run as processes with the embedded Kafka and receiver.

use crate::folder::Folder;
use crate::pipeline::admin::get;
use crate::program::{Finished, Running, assert_contains};
use crate::signals::signal;
use crate::support::{Cluster, Sink, wait_until};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};
use testkit::receiver::Reply;

/// The text of a bridge.toml. Tables can be added to it.
pub fn config(brokers: &str, topics: &str, url: &str) -> String {
    format!(
        "[kafka]\nbrokers = '{brokers}'\ntopics = {topics}\n[[mapping]]\ntag_keys = ['host']\n\
         [influx]\nurl = '{url}'\norg = 'test'\nbucket = 'main'\ntoken = 'any'\n"
    )
}

/// The text for the topic `t`.
pub fn config_of(cluster: &Cluster, sink: &Sink) -> String {
    config(&cluster.address(), "['t']", &sink.receiver.url())
}

/// The text for servers that do not exist.
fn without_servers() -> String {
    config("127.0.0.1:1", "['t']", "http://127.0.0.1:1")
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
    let config = config(&cluster.address(), "['t', 'old']", &sink.receiver.url())
        .replace("tag_keys = ['host']", "time_key = 'ts'\ntime_format = 'unix_us'");
    let mut bridge = Running::start(&format!("{config}[admin]\nlisten = '{listen}'\n"));
    let message =
        "the unit of the topic's times is likely to be wrong, and its points are stored at wrong times";
    wait_until("the unit is reported", || bridge.has_logged(message));
    wait_until("all is stored", || sink.lines_stored() == 600);
    let metrics = get(listen, "/metrics");
    assert_contains(&metrics, &["\nkafka_influx_bridge_wrong_time_units_total 100\n"]);
    assert_eq!(bridge.stop(), Some(0));
    let log = bridge.log();
    let reports: Vec<_> = log.lines().filter(|line| line.contains(message)).collect();
    assert_eq!(reports.len(), 1, "{log}");
    let parts = [
        "ERROR",
        "topic=\"t\"",
        "100 of 100 sampled times",
        "(t[0]@0 -> 1970-01-2",
        "set `time_format = \\\"unix_ms\\\"`",
    ];
    assert_contains(reports[0], &parts);
}

#[test]
fn map_live_shows_a_topic_without_joining_the_group() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [r#"{"host":"h1","v":1.5}"#, "bad"]);
    let done = Folder::with_config(&config_of(&cluster, &sink)).run_to(1, &["map", "--live", "3"]);
    assert!(done.out.starts_with("t,host=h1 v=1.5 "), "{done}");
    assert_contains(&done.err, &["t[0]@1: it is not JSON"]);
    assert_eq!(cluster.committed("t", 1), [None]);
    assert!(sink.points("main").is_empty());
}

#[test]
fn map_live_ends_with_ctrl_c_and_reports_an_empty_topic() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [r#"{"host":"h1","v":1.5,"state":"on"}"#]);
    cluster.create_topic("empty", 1);
    let folder = Folder::with_config(&config_of(&cluster, &sink));
    let mut command = folder.command(&["map", "--live", "600"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut shown = BufReader::new(child.stdout.take().unwrap());
    shown.read_line(&mut first).unwrap();
    assert!(first.starts_with("t,host=h1 v=1.5 "), "{first}");
    signal(child.id(), "INT");
    let done = Finished::from(child.wait_with_output().unwrap());
    assert_eq!(done.status, Some(0), "{done}");
    assert_contains(&done.err, &["t: 1 record became 1 line", "dropped or changed: 1 values under state"]);
    let done = folder.run_to(0, &["map", "--live", "1", "--topic", "empty"]);
    assert_contains(&done.err, &["empty: the topic is empty, and no record arrived"]);
}

#[test]
fn map_names_the_nearest_topic_for_a_mistyped_one() {
    let (cluster, sink) = (Cluster::with_topic("metrics", 1), Sink::start());
    let config = config(&cluster.address(), "['metrics']", &sink.receiver.url());
    let f = |config: &str, topic: &str, want: &str| {
        let done = Folder::with_config(config).run_to(2, &["map", "--live", "1", "--topic", topic]);
        assert_contains(&done.err, &[want]);
    };
    f(&config, "metrcs", "the topic metrcs can't be read: it does not exist; did you mean \"metrics\"?");
    f(&config, "entirely-different", "it does not exist (`check --connect`");
    // The name does not exist in the configuration either.
    let config = config.replace("tag_keys = ['host']", "topics = ['metrics']");
    f(&config, "metrcs", "no [[mapping]] matches the topic metrcs (did you mean \"metrics\"?)");
}

#[test]
fn map_of_a_file_reports_records_without_a_point() {
    let folder = Folder::with_config(&without_servers().replace("tag_keys = ['host']", ""));
    let f = |records: &str, status: i32, want: &[&str]| {
        folder.write("r.jsonl", records);
        let said = folder.run_to(status, &["map", "r.jsonl"]).err;
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
fn map_explains_files_and_arguments_that_are_probably_wrong() {
    let folder = Folder::with_config(&without_servers());
    folder.write("r.jsonl", "{\"v\":1}\n");
    folder.write("empty.jsonl", "");
    folder.write("blank.jsonl", "\n\n");
    folder.write("lines.txt", "m v=1\n".repeat(7));
    let f = |arguments: &[&str], status: i32, want: &[&str]| {
        let done = folder.run_to(status, &[&["map"], arguments].concat());
        assert_contains(&done.err, want);
        done.err
    };
    f(&["empty.jsonl"], 1, &["0 records: empty.jsonl is empty: name a file with records"]);
    f(&["blank.jsonl"], 1, &["0 records: blank.jsonl has empty lines or comments only"]);
    f(&["empty.jsonl", "r.jsonl"], 0, &["0 records: empty.jsonl is empty"]);
    f(&[], 1, &["0 records: standard input is empty"]);
    f(
        &["bridge.toml"],
        2,
        &["bridge.toml is a configuration and holds no records: name it with --config bridge.toml"],
    );
    f(
        &["--topic", "tt", "r.jsonl"],
        0,
        &["the topic \"tt\" is not in `kafka.topics`", "did you mean \"t\"?"],
    );
    f(
        &["--timestamp", "5s", "r.jsonl"],
        2,
        &["nanoseconds since 1970 as a whole number, such as 1767225600123000000"],
    );
    f(&["--timestamp", "1767225600", "r.jsonl"], 0, &["looks like seconds", "1767225600000000000"]);
    let many = f(
        &["lines.txt"],
        1,
        &["rejected as undecodable: 2 more\n7 records became 0 lines; rejected: undecodable 7\n"],
    );
    assert_eq!(many.matches("set `format = \"influx\"`").count(), 1, "{many}");
    assert_eq!(many.matches("it is not JSON").count(), 5, "{many}");
}

#[test]
fn map_of_a_file_names_unseen_keys_wrong_units_and_fields_of_two_types() {
    let mapping = "tag_keys = ['hots']\ntime_key = 't'\ntime_format = 'unix_ms'\nintegers = 'int'";
    let folder = Folder::with_config(&without_servers().replace("tag_keys = ['host']", mapping));
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let record = |v: &str| format!("{{\"host\":\"a\",\"t\":{seconds},\"v\":{v}}}\n");
    folder.write("r.jsonl", record("1") + &record("1.5"));
    let said = folder.run_to(0, &["map", "r.jsonl"]).err;
    assert_contains(
        &said,
        &[
            "`hots` of `tag_keys` is in none of 2 records: did you mean `host`?",
            "2 of 2 sampled times are far from now (r.jsonl:1 -> 1970-01-",
            "set `time_format = \"unix\"`",
            "two types: the field \"v\" of \"t\" is an integer at r.jsonl:1 and a float at r.jsonl:2.",
        ],
    );
    let given = folder.run_to(0, &["map", "--timestamp", &format!("{seconds}000000000"), "r.jsonl"]);
    assert_contains(&given.err, &["far from --timestamp (r.jsonl:1 -> 1970-01-"]);
}

#[test]
fn a_closed_standard_error_does_not_change_the_exit_status() {
    let folder = Folder::with_config(&without_servers());
    folder.write("r.jsonl", "no\n");
    let f = |arguments: &[&str], want: i32| {
        let unread = || std::io::pipe().unwrap().1;
        // The reading ends are closed at once.
        let status = folder.command(arguments).stdout(unread()).stderr(unread()).status().unwrap();
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
    let folder = Folder::with_config(&(without_servers() + "[admin]\nlisten = '127.0.0.1:0'\n"));
    let said = folder.run_to(1, &["health"]).err;
    assert_contains(&said, &["uses a free port that this command does not know; set a port there"]);
}

#[test]
fn health_needs_no_secrets() {
    let config = without_servers().replace("'any'", "'${BRIDGE_TEST_VARIABLE_THAT_IS_NOT_SET}'");
    let folder = Folder::with_config(&(config + "[admin]\nlisten = '127.0.0.1:1'\n"));
    assert_contains(&folder.run_to(1, &["health"]).err, &["is the bridge running"]);
}

#[test]
fn without_a_command_the_first_steps_are_shown() {
    let done = Folder::with_config(&without_servers()).run_to(2, &[]);
    assert_contains(&done.err, &["bridge.toml: found", "demo", "init", "migrate", "--help"]);
}

#[test]
fn run_logs_json_and_nothing_while_healthy() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::down(Reply::status(401)));
    cluster.produce("t", 0, (0..100).map(|n| format!(r#"{{"host":"h{n}","v":{n},"note":"text"}}"#)));
    cluster.produce("t", 0, ["no json"]);
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let more = format!("[log]\nformat = 'json'\n[admin]\nlisten = '{listen}'\n");
    let mut bridge = Running::start(&(config_of(&cluster, &sink) + &more));
    wait_until("the alarm is logged", || bridge.has_logged("blocked, records stay uncommitted"));
    // A blocked bridge is healthy: a restart would not fix the cause.
    bridge.folder.run_to(0, &["health"]);
    sink.answer(None);
    wait_until("the end of the alarm is logged", || bridge.has_logged("writing goes on"));
    wait_until("all is stored", || sink.lines_stored() == 100);
    wait_until("the first lines are logged", || bridge.has_logged("first lines stored"));
    let logged = bridge.log();
    cluster.produce("t", 0, (100..5_000).map(|n| format!(r#"{{"host":"h{n}","v":{n}}}"#)));
    wait_until("the others are stored", || sink.lines_stored() == 5_000);
    assert_eq!(bridge.log(), logged, "nothing is logged while healthy");
    assert_eq!(bridge.stop(), Some(0));
    // The bridge has stopped.
    bridge.folder.run_to(1, &["health"]);

    let shown = bridge.log();
    let lines: Vec<(String, String)> = shown.lines().map(level_and_message).collect();
    let of_level = |level: &str| lines.iter().filter(|line| line.0 == level).count();
    let messages = |wanted: &[&str]| {
        for want in wanted {
            assert!(lines.iter().any(|(_, message)| message == want), "no {want:?} in\n{shown}");
        }
    };
    messages(&["kafka-influx-bridge starts", "subscribed", "assigned", "first record", "record rejected"]);
    messages(&["blocked, records stay uncommitted", "writing goes on", "first lines stored", "stopped"]);
    let stopped = shown.lines().find(|line| line.contains("\"stopped\"")).unwrap();
    assert_contains(stopped, &["\"records\":5001", "\"stored\":5000", "\"rejected\":1", "\"refused\":0"]);
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
