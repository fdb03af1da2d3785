//! Dead letters of the running bridge: one for each record, written before the record is committed.

use crate::folder::Folder;
use crate::support::{BY_ID, Cluster, Setup, Sink, record, wait_until};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use engine::telemetry::Counters;
use serde_json::Value;
use std::fs;
use testkit::receiver::Reply;

/// The dead-letter file of a folder.
impl Folder {
    /// The table `[dead_letter]`.
    pub fn table(&self) -> String {
        format!("[dead_letter]\nfile = '{}'", self.file("letters.jsonl").display())
    }

    pub fn letters(&self) -> Vec<Value> {
        self.read("letters.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The bytes of the record in a letter.
pub fn original(letter: &Value) -> Vec<u8> {
    match letter["value"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => BASE64_STANDARD.decode(letter["value_base64"].as_str().unwrap()).unwrap(),
    }
}

#[test]
fn each_bad_record_has_one_letter_with_its_original() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 1), Sink::start(), Folder::new());
    let mixed = r#"[{"id":"c","v":1},7,{"id":"d","v":"text"},{"id":"no fields"},{"id":"e","v":"more"}]"#;
    let values =
        ["not json".to_owned(), record("b"), mixed.to_owned(), r#"{"id":"f","v":"text"}"#.to_owned()];
    // InfluxDB keeps the first type of a field.
    cluster.produce("t", 0, [record("a")]);
    let bridge = Setup::new(&cluster, &sink, "'t'")
        .mapping(&format!("{BY_ID}\nstring_fields = ['v']\nstrict = false"))
        .top(&folder.table())
        .start();
    sink.wait_for_points("main", 1);
    cluster.produce("t", 0, &values);
    wait_until("all are committed", || cluster.committed("t", 1) == [Some(5)]);
    assert_eq!(Counters::get(&bridge.0.counters().dead_letters), 3);
    bridge.stop();
    assert_eq!(sink.ids("main"), ["a", "b", "c"]);
    let mut letters = folder.letters();
    letters.sort_by_key(|letter| letter["offset"].as_i64());
    let f = |letter: usize, offset: i64, stage: &str, elements: Value, value: &str| {
        let letter = &letters[letter];
        assert_eq!(letter["topic"], "t");
        assert_eq!(letter["partition"], 0);
        assert_eq!(letter["offset"], offset);
        assert_eq!(letter["stage"], stage);
        assert_eq!(letter["elements"], elements);
        assert_eq!(letter["value"], value);
    };
    assert_eq!(letters.len(), 3);
    f(0, 1, "map", serde_json::json!([]), &values[0]);
    f(1, 3, "both", serde_json::json!([1, 2, 4]), &values[2]);
    f(2, 4, "write", serde_json::json!([0]), &values[3]);
    assert_eq!(letters[0]["reason"], "undecodable");
    assert_eq!(letters[2]["reason"], "refused");
    assert!(letters[2]["why"].as_str().unwrap().contains("type"), "{}", letters[2]["why"]);
}

#[test]
fn a_letter_of_line_protocol_has_the_original_and_names_its_elements() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 1), Sink::start(), Folder::new());
    cluster.produce("t", 0, ["m,id=a v=1 1"]);
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping("format = 'influx'").top(&folder.table()).start();
    sink.wait_for_points("main", 1);
    let mixed =
        "# comment\r\nm,id=b v=1 2\r\nm,id=c v=\"open\nm,id=d v=\"conflict\" 4\n m,id=e  v=.5 5\nm,id=f\n";
    cluster.produce("t", 0, [mixed, "m,id=g v=T 6", "m,id=h v=2"]);
    wait_until("all are committed", || cluster.committed("t", 1) == [Some(4)]);
    bridge.stop();
    assert_eq!(sink.ids("main"), ["a", "b", "e", "h"]);
    let mut letters = folder.letters();
    letters.sort_by_key(|letter| letter["offset"].as_i64());
    let found: Vec<_> = letters
        .iter()
        .map(|letter| {
            (
                letter["offset"].clone(),
                letter["stage"].clone(),
                letter["elements"].clone(),
                letter["value"].clone(),
            )
        })
        .collect();
    let want = [
        serde_json::json!([1, "both", [1, 2, 4], mixed]),
        serde_json::json!([2, "write", [0], "m,id=g v=T 6"]),
    ];
    assert_eq!(found.len(), want.len(), "{letters:#?}");
    for ((offset, stage, elements, value), want) in found.into_iter().zip(want) {
        assert_eq!(serde_json::json!([offset, stage, elements, value]), want);
    }
}

#[test]
fn letters_that_cant_be_written_block_only_their_records() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 1), Sink::start(), Folder::new());
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).top(&folder.table()).start();
    cluster.produce("t", 0, [record("a")]);
    wait_until("the first is committed", || cluster.committed("t", 1) == [Some(1)]);
    let away = folder.path().with_extension("away");
    fs::rename(folder.path(), &away).unwrap();
    cluster.produce("t", 0, ["not json".to_owned(), record("b")]);
    let alarm =
        || bridge.0.writer().alarms().into_iter().find(|alarm| alarm.scope.to_string() == "dead letters");
    wait_until("the block raises an alarm", || alarm().is_some_and(|alarm| alarm.blocks));
    assert!(alarm().unwrap().why.contains("letters.jsonl"), "{:?}", alarm());
    assert_eq!(cluster.committed("t", 1), [Some(1)]);
    fs::rename(&away, folder.path()).unwrap();
    wait_until("writing resumes", || cluster.committed("t", 1) == [Some(3)]);
    assert!(alarm().is_none());
    bridge.stop();
    assert_eq!(folder.letters().len(), 1);
    assert_eq!(sink.ids("main"), ["a", "b"]);
}

#[test]
fn many_records_of_one_cause_all_have_their_letters() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 3), Sink::start(), Folder::new());
    cluster.produce("t", 0, [record("first")]);
    let bridge = Setup::new(&cluster, &sink, "'t'")
        .mapping(&format!("{BY_ID}\nstring_fields = ['v']"))
        .top(&format!("{}\n[reject]\nrate_max = 1.0", folder.table()))
        .start();
    sink.wait_for_points("main", 1);
    for partition in 0..3 {
        let values = (0..1_000).map(|n| match n % 3 {
            0 => format!(r#"{{"id":"{partition}-{n}","v":"text"}}"#),
            1 => "[".to_owned(),
            _ => record(&format!("{partition}-{n}")),
        });
        cluster.produce("t", partition, values);
    }
    wait_until("all are committed", || cluster.committed_in_all("t", 3) == 3_001);
    bridge.stop();
    let letters = folder.letters();
    let letters_of = |stage: &str| letters.iter().filter(|letter| letter["stage"] == stage).count();
    assert_eq!((letters_of("write"), letters_of("map")), (3 * 334, 3 * 333));
    assert_eq!(sink.points("main").len(), 1 + 3 * 333);
}

/// InfluxDB 3 gives the reason separately from its message; the letter needs the reason.
#[test]
fn the_reason_that_influxdb_3_gives_is_in_the_letter() {
    let sink = Sink::answering(Box::new(|request| {
        let text = String::from_utf8_lossy(&request.text);
        let number = text.lines().position(|line| line.contains("id=bad"))? + 1;
        let data = serde_json::json!([{
            "error_message": "invalid column type for column 'v', expected iox::column_type::field::integer, got iox::column_type::field::float",
            "line_number": number,
            "original_line": "m,id=bad",
        }]);
        let body = serde_json::json!({ "error": "partial write of line protocol occurred", "data": data });
        Some(Reply::status(400).body(body.to_string()))
    }));
    let (cluster, folder) = (Cluster::with_topic("t", 1), Folder::new());
    cluster.produce("t", 0, [record("a"), record("bad"), record("c")]);
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(&format!("{BY_ID}\nmeasurement = 'm'"));
    let bridge = setup.top(&folder.table()).start();
    wait_until("all are committed", || cluster.committed("t", 1) == [Some(3)]);
    bridge.stop();
    assert_eq!(sink.ids("main"), ["a", "c"]);
    let letters = folder.letters();
    assert_eq!(letters.len(), 1);
    let why = letters[0]["why"].as_str().unwrap();
    assert!(why.contains("invalid column type for column 'v'"), "{why}");
}
