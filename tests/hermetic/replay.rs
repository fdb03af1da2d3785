//! Dead letters of records that cannot be stored, and their replay by `replay-dead-letters`, run as a process.

use crate::digits::topic_digits;
use crate::signals::signal;
use crate::support::{BY_ID, Bridge, Cluster, GROUP, Setup, Sink, record, wait_until};
use configuration::Config;
use engine::dead_letter::{DeadLetters, FailedStage, Letter, REFUSED, RejectedElements};
use engine::telemetry::Counters;
use influx::LogObserver;
use kafka_influx_bridge::pipeline::Pipeline;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use testkit::receiver::{Faults, Reply};

const TIME_MS: i64 = 1_767_225_600_123;

/// The configuration of a bridge in its own folder.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!(
            "bridge-replay-{}-{:x}",
            std::process::id(),
            fastrand::u64(..)
        ));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn configure(&self, text: &str) {
        fs::write(self.file("bridge.toml"), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-influx-bridge"));
        command.arg("replay-dead-letters").args(arguments).current_dir(&self.0);
        command
    }

    /// Exit status, standard output and standard error.
    fn replay(&self, arguments: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    /// Writes letters to the configured file or topic.
    fn write(&self, mut letters: Vec<Letter>) {
        let text = fs::read_to_string(self.file("bridge.toml")).unwrap();
        // File names are relative to the working directory, which differs here.
        let text = text.replace("file = '", &format!("file = '{}/", self.0.display()));
        let config = parse(&text);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let writer = DeadLetters::open(config.dead_letter.clone(), &config.kafka).unwrap().unwrap();
        runtime.block_on(writer.send(&mut letters)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

fn parse(text: &str) -> Config {
    let loaded = configuration::parse(Path::new("bridge.toml"), text, &|_| None);
    loaded.map_err(|errors| errors.to_string()).unwrap().config
}

const TO_FILE: &str = "[dead_letter]\nfile = 'dead.jsonl'\n";
const TO_TOPIC: &str = "[dead_letter]\ntopic = 'dead'\n";

fn letter(offset: i64, value: &str) -> Letter {
    Letter {
        topic: "t".into(),
        partition: 0,
        offset,
        timestamp_ms: Some(TIME_MS),
        key: Some(b"key".to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers: vec![("site".to_owned(), Some(b"seoul".to_vec()))],
        stage: FailedStage::Map,
        reason: "time",
        why: "it has no time".to_owned(),
        elements: RejectedElements::default(),
        lines: None,
    }
}

fn setup(cluster: &Cluster, sink: &Sink) -> Setup {
    Setup::new(cluster, sink, "'t'").mapping(BY_ID)
}

/// Records rejected by a wrong mapping give the same points after a correction as if the mapping had always been right.
#[test]
fn a_corrected_mapping_stores_the_dead_letters_of_the_wrong_one() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 2), Sink::start(), Folder::new());
    for partition in 0..2 {
        cluster.produce("t", partition, (0..300).map(|n| record(&format!("{partition}-{n:03}"))));
    }
    let file = folder.file("dead.jsonl");
    // Without this limit, a topic without any point is blocked.
    let to_file = format!("[dead_letter]\nfile = '{}'\n[reject]\nrate_max = 1.0\n", file.display());
    let wrong = Setup::new(&cluster, &sink, "'t'")
        .mapping(&format!("{BY_ID}\ntime_key = 'tiem'\ntime_format = 'unix'\n{to_file}"));
    let bridge = wrong.start();
    wait_until("all are committed", || cluster.committed_in_all("t", 2) == 600);
    assert_eq!(Counters::get(&bridge.0.counters().dead_letters), 600);
    bridge.stop();
    assert!(sink.points("main").is_empty());
    let letters = fs::read(&file).unwrap();
    // A bridge with the right mapping reads the same records in another group.
    folder.configure(&setup(&cluster, &sink).text());
    let (status, out, err) = folder.replay(&["dead.jsonl"]);
    assert_eq!((status, out.as_str()), (0, ""), "{err}");
    assert!(err.ends_with("600 dead letters of dead.jsonl: 600 replayed, stored as 600 points\n"), "{err}");
    let replayed = sink.points("main");
    assert_eq!(replayed.len(), 600);
    let direct = Sink::start();
    let bridge = Pipeline::start(
        &parse(&setup(&cluster, &direct).text().replace(GROUP, "another")),
        Arc::new(LogObserver),
    );
    direct.wait_for_points("main", 600);
    Bridge(bridge.unwrap()).stop();
    assert_eq!(replayed, direct.points("main"));
    // Another replay changes neither the points nor the file.
    assert_eq!(folder.replay(&["dead.jsonl"]).0, 0);
    assert_eq!(sink.points("main"), replayed);
    assert_eq!(fs::read(&file).unwrap(), letters);
}

#[test]
fn a_topic_is_read_up_to_its_end_without_a_group() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 1), Sink::start(), Folder::new());
    folder.configure(&format!("{}{TO_TOPIC}", setup(&cluster, &sink).text()));
    folder.write((0..200).map(|n| letter(n, &record(&format!("{n:03}")))).collect());
    let (status, _, err) = folder.replay(&["--topic"]);
    assert_eq!(status, 0, "{err}");
    assert!(err.ends_with("200 dead letters of topic dead: 200 replayed, stored as 200 points\n"), "{err}");
    assert_eq!(sink.ids("main").len(), 200);
    assert_eq!(cluster.committed("dead", 4), [None; 4]);
    // The topic can be named, too.
    folder.configure(&setup(&cluster, &sink).text());
    assert_eq!(folder.replay(&["--topic", "dead"]).0, 0);
    let (status, _, err) = folder.replay(&["--topic", "none"]);
    assert!(status == 2 && err.contains("the topic none does not exist"), "{status} {err}");
    let (status, _, err) = folder.replay(&["--topic"]);
    assert!(status == 2 && err.contains("[dead_letter] names no topic"), "{status} {err}");
}

#[test]
fn reports_letters_that_still_fail_and_stores_the_others() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 1), Sink::start(), Folder::new());
    folder.configure(&format!(
        "{}{TO_FILE}",
        Setup::new(&cluster, &sink, "'t'")
            .mapping(&format!("topics = ['t']\n{BY_ID}\nstring_fields = ['v']"))
            .text()
    ));
    let gone = Letter {
        key: None,
        value: None,
        headers: Vec::new(),
        stage: FailedStage::Write,
        reason: REFUSED,
        lines: Some(format!("t,id=gone v=2 {TIME_MS}000000\n").into_bytes()),
        ..letter(5, "")
    };
    let elsewhere = Letter { topic: "elsewhere".into(), ..letter(6, &record("elsewhere")) };
    folder.write(vec![
        letter(0, &record("good")),
        letter(1, r#"{"id":"conflict","v":"text"}"#),
        letter(2, r#"{"id":"cut","#),
        letter(3, r#"[{"id":"first","v":1},5]"#),
        letter(4, "{}"),
        gone,
        elsewhere,
    ]);
    let file = folder.file("dead.jsonl");
    let mut text = fs::read(&file).unwrap();
    text.extend_from_slice(b"{\"reason\":\"time\",\"sta");
    fs::write(&file, &text).unwrap();
    let (status, out, err) = folder.replay(&["dead.jsonl"]);
    assert_eq!((status, out.as_str()), (1, ""), "{err}");
    for want in [
        "dead.jsonl:2: t[0]@1: InfluxDB refuses a line: ",
        "dead.jsonl:3: t[0]@2: it is not JSON",
        "dead.jsonl:4: t[0]@3: element 1: a number is no object",
        "dead.jsonl:7: elsewhere[0]@6: no [[mapping]] matches its topic",
        "dead.jsonl:8: this is not JSON",
        "the line does not end",
        "8 dead letters of dead.jsonl: 2 replayed, stored as 2 points; \
         1 of them from the lines in the letter, because the record is no longer in Kafka; \
         1 excluded by the present configuration; \
         3 still rejected (no_mapping 1, not_an_object 1, undecodable 1); \
         1 still refused by InfluxDB; 1 unreadable",
    ] {
        assert!(err.contains(want), "{want}\n{err}");
    }
    assert_eq!(sink.ids("main"), ["gone", "good"]);
    assert_eq!(fs::read(&file).unwrap(), text);
}

/// A line that a limit of the server keeps out is not stored, so its letter must be kept.
#[test]
fn letters_that_a_limit_keeps_out_are_reported_and_not_counted_as_replayed() {
    let limit = r#"{"code":"unprocessable entity","message":"partial write: max-series-per-database limit exceeded: (1) dropped=1"}"#;
    let faults: Faults = Box::new(move |request| {
        let is_new = request.text.windows(4).any(|text| text == b"new,");
        is_new.then(|| Reply::status(422).body(limit.to_owned()))
    });
    let (cluster, folder) = (Cluster::with_topic("t", 1), Folder::new());
    let sink = Sink::answering(faults);
    let mapping = "topics = ['t']\nname_key = 'name'\ntag_keys = ['id']";
    folder.configure(&format!("{}{TO_FILE}", Setup::new(&cluster, &sink, "'t'").mapping(mapping).text()));
    let names = ["old", "new", "old", "new", "old"];
    let value = |n: usize, name: &str| format!(r#"{{"name":"{name}","id":"{n}","v":{n}}}"#);
    folder.write(names.iter().enumerate().map(|(n, name)| letter(n as i64, &value(n, name))).collect());
    let (status, _, err) = folder.replay(&["dead.jsonl"]);
    assert_eq!(status, 1, "{err}");
    let want =
        "5 dead letters of dead.jsonl: 3 replayed, stored as 3 points; 2 kept out by a limit of InfluxDB\n";
    assert!(err.ends_with(want), "{err}");
    assert!(err.contains("dead.jsonl:2: t[0]@1: a limit of InfluxDB keeps a line out: "), "{err}");
}

/// Letters are truncated only in topics.
#[test]
fn a_truncated_letter_is_reported_and_not_replayed() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 1), Sink::start(), Folder::new());
    folder.configure(&format!("{}{TO_TOPIC}", setup(&cluster, &sink).text()));
    let large = format!(r#"{{"id":"large","v":1,"text":"{}"}}"#, "x".repeat(1_000_000));
    folder.write(vec![letter(0, &record("good")), letter(1, &large)]);
    let (status, _, err) = folder.replay(&["--topic"]);
    assert_eq!(status, 1, "{err}");
    for want in ["t[0]@1: its record is truncated", "1 truncated, so that the record cannot be mapped"] {
        assert!(err.contains(want), "{want}\n{err}");
    }
    assert_eq!(sink.ids("main"), ["good"]);
}

#[test]
fn a_dry_run_shows_the_lines_and_writes_nothing() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 1), Sink::start(), Folder::new());
    folder.configure(&format!("{}{TO_FILE}", setup(&cluster, &sink).text()));
    folder.write(vec![letter(7, &record("a")), letter(8, &record("b"))]);
    let (status, out, err) = folder.replay(&["--dry-run", "dead.jsonl"]);
    assert_eq!(status, 0, "{err}");
    // The digits below the millisecond come from the record's own topic and offset.
    let digits = |offset: i64| offset * 1009 + topic_digits("t");
    let want = format!("t,id=a v=1.5 {TIME_MS}{}\nt,id=b v=1.5 {TIME_MS}{}\n", digits(7), digits(8));
    assert_eq!(out, want);
    assert_eq!(err, "2 dead letters of dead.jsonl: 2 mapped, as 2 points\n");
    assert_eq!(sink.requests(), 0);
}

#[test]
fn several_files_are_one_replay() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 1), Sink::start(), Folder::new());
    folder.configure(&format!("{}{TO_FILE}", setup(&cluster, &sink).text()));
    folder.write(vec![letter(0, &record("a"))]);
    fs::rename(folder.file("dead.jsonl"), folder.file("dead.jsonl.1")).unwrap();
    folder.write(vec![letter(1, &record("b"))]);
    let (status, _, err) = folder.replay(&["dead.jsonl.1", "dead.jsonl"]);
    assert_eq!(status, 0, "{err}");
    assert_eq!(sink.ids("main"), ["a", "b"]);
    let (status, _, err) = folder.replay(&["none.jsonl", "dead.jsonl"]);
    assert!(status == 2 && err.contains("none.jsonl can't be read"), "{status} {err}");
}

#[test]
fn without_an_argument_the_store_of_the_configuration_is_replayed() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 1), Sink::start(), Folder::new());
    folder.configure(&format!("{}{TO_FILE}", setup(&cluster, &sink).text()));
    for (offset, name) in [(0, "dead.jsonl.10"), (1, "dead.jsonl.9"), (2, "dead.jsonl")] {
        folder.write(vec![letter(offset, &record(&format!("{offset}")))]);
        fs::rename(folder.file("dead.jsonl"), folder.file(name)).unwrap();
    }
    fs::write(folder.file("dead.jsonl.bak"), "no letter").unwrap();
    let (status, _, err) = folder.replay(&[]);
    assert_eq!(status, 0, "{err}");
    let want = "no argument: reading the dead letters of the file dead.jsonl, from [dead_letter]\n\
                3 dead letters of dead.jsonl.9, dead.jsonl.10, dead.jsonl: 3 replayed, stored as 3 points\n";
    assert!(err.starts_with(want.split_inclusive('\n').next().unwrap()), "{err}");
    assert!(err.ends_with(want.split_inclusive('\n').nth(1).unwrap()), "{err}");
    assert_eq!(sink.ids("main"), ["0", "1", "2"]);

    folder.configure(&format!("{}{TO_TOPIC}", setup(&cluster, &sink).text()));
    folder.write(vec![letter(3, &record("3"))]);
    let (status, _, err) = folder.replay(&[]);
    assert!(status == 0 && err.contains("of the topic dead, from [dead_letter]"), "{status} {err}");
    folder.configure(&setup(&cluster, &sink).text());
    let (status, _, err) = folder.replay(&[]);
    assert!(status == 2 && err.contains("the configuration has no [dead_letter]"), "{status} {err}");
}

#[test]
fn waits_while_influxdb_is_blocked_and_ends_on_a_signal() {
    let (cluster, sink, folder) =
        (Cluster::with_topic("t", 1), Sink::down(Reply::status(401)), Folder::new());
    folder.configure(&format!("{}{TO_FILE}", setup(&cluster, &sink).text()));
    folder.write(vec![letter(0, &record("a"))]);
    let start = || {
        let mut child = folder.command(&["dead.jsonl"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let alarm = lines.find(|line| line.contains("blocked, records")).expect("an alarm");
        assert!(alarm.contains("unauthorized"), "{alarm}");
        (child, lines)
    };
    let (mut child, lines) = start();
    signal(child.id(), "INT");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let last = lines.last().unwrap();
    assert!(
        last.starts_with("1 dead letter of dead.jsonl: 0 replayed") && last.contains("interrupted"),
        "{last}"
    );
    assert!(sink.points("main").is_empty());
    let (mut child, lines) = start();
    sink.answer(None);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(lines.last().unwrap(), "1 dead letter of dead.jsonl: 1 replayed, stored as 1 point");
    assert_eq!(sink.ids("main"), ["a"]);
}
