//! Text from outside (records, InfluxDB's answers) injects nothing into the log, and secrets never appear there. Runs the binary
//! at the most verbose log level.

use crate::program::Running;
use crate::support::{Cluster, Sink, wait_until};
use std::thread;
use testkit::receiver::Reply;

/// Text that the log must escape: line breaks, terminal escapes, right-to-left overrides.
const HOSTILE: &str = "\u{1b}[31mred\u{1b}]0;title\u{7}\r\n2026-01-01T00:00:00.000000Z ERROR faked\u{2028}line\u{202e}back\u{9b}31m\u{0}";
const SECRETS: [&str; 3] =
    ["TOKEN-that-nobody-may-see", "PASSWORD-that-nobody-may-see", "LOGIN-that-nobody-may-see"];

fn config(cluster: &Cluster, sink: &Sink, format: &str, kafka: &str) -> String {
    let [token, ..] = SECRETS;
    format!(
        "[kafka]\nbrokers = '{}'\ntopics = 't'\n{kafka}\n\
         [[mapping]]\ntag_keys = ['id']\nstring_fields = ['s']\ntime_key = 'time'\ntime_format = 'unix'\n\
         [influx]\nurl = '{}'\norg = 'test'\nbucket = 'main'\ntoken = '{token}'\n\
         [batch]\nage_max = '20ms'\n[dead_letter]\nfile = 'letters.jsonl'\n[reject]\nrate_max = 1.0\n\
         [admin]\nlisten = ''\n[log]\nlevel = 'trace'\nformat = '{format}'\n",
        cluster.address(),
        sink.receiver.url()
    )
}

fn assert_harmless(log: &str, format: &str) {
    assert!(!log.is_empty());
    for line in log.lines() {
        assert!(!line.contains(|c: char| c.is_control() || "\u{2028}\u{202e}".contains(c)), "{line:?}");
        assert!(!line.starts_with("2026-01-01T00:00:00"), "{line:?}");
        match format {
            "json" => {
                let entry: serde_json::Value =
                    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
                assert!(entry["timestamp"].is_string() && entry["level"].is_string(), "{line}");
            }
            // 2026-11-21T17:40:00.123456Z  WARN ...
            _ => assert!(line.as_bytes().get(10) == Some(&b'T') && line.starts_with("20"), "{line:?}"),
        }
    }
    for secret in SECRETS {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[test]
fn records_and_answers_inject_nothing_into_the_log() {
    for format in ["text", "json"] {
        let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
        let text = serde_json::Value::from(HOSTILE).to_string();
        let fine = r#"{"id":"fine","v":1,"time":1700000000}"#.to_owned();
        let records = [
            format!("not json {HOSTILE}"),
            format!(r#"{{"id":"a","v":1,"time":{text}}}"#),
            format!(r#"{{"id":{text},{text}:{text},"s":{text},"v":1,"time":1700000001}}"#),
            fine.clone(),
        ];
        cluster.produce("t", 0, &records);
        sink.answer(Some(Reply::status(503).body(HOSTILE)));
        let mut running = Running::start(&config(&cluster, &sink, format, ""));
        let letters = |running: &Running| running.folder.count_lines("letters.jsonl");
        // Whatever an answer means, the log contains its text.
        let json = serde_json::json!({ "code": HOSTILE, "message": HOSTILE, "error": HOSTILE });
        let reply = |status| Reply::status(status).header("Location", "/\t\u{a0}else").body(json.to_string());
        for status in [503, 401, 404, 200, 301, 429] {
            let before = sink.requests();
            sink.answer(Some(reply(status)));
            wait_until("the answer is sent", || sink.requests() > before);
        }
        // These two refuse lines, so that further answers need further records.
        let partial = format!("partial write: unable to parse 'x': {HOSTILE}");
        sink.answer(Some(Reply::status(422).body(serde_json::json!({ "message": partial }).to_string())));
        wait_until("the refused lines have their letters", || letters(&running) >= 4);
        sink.answer(Some(reply(400)));
        cluster.produce("t", 0, [fine.clone()]);
        wait_until("the line refused with unknown words has its letter", || letters(&running) >= 5);
        sink.answer(None);
        cluster.produce("t", 0, [fine]);
        sink.wait_for_points("main", 1);
        assert_eq!(running.stop(), Some(0));
        let log = running.log();
        assert!(log.contains("record rejected") && log.contains("line refused"), "{log}");
        assert_harmless(&log, format);
    }
}

#[test]
fn secrets_stay_out_of_the_logs_of_the_bridge_and_of_librdkafka() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::down(Reply::status(401)));
    let [_, password, login] = SECRETS;
    let kafka = format!(
        "librdkafka.debug = 'all'\nsasl = {{ mechanism = 'PLAIN', username = 'user', password = '{password}' }}"
    );
    let text = config(&cluster, &sink, "text", &kafka);
    let log = run_for_a_while(&text);
    assert!(log.contains("sasl") && log.contains("unauthorized"), "{log}");
    assert_harmless(&log, "text");
    // A login in the address is refused, and the message does not show it.
    let refusal = run_for_a_while(&text.replace("http://", &format!("http://user:{login}@")));
    assert!(refusal.contains("a login in the address"), "{refusal}");
    assert!(SECRETS.iter().all(|secret| !refusal.contains(secret)), "{refusal}");
}

/// Long enough for the clients to log everything.
fn run_for_a_while(text: &str) -> String {
    let mut running = Running::start(text);
    thread::sleep(std::time::Duration::from_secs(2));
    running.kill();
    running.log()
}
