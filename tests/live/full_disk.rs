//! A full disk of InfluxDB 1.6.7, with each form of its answers. Once there is room again, every record has exactly one point.

use crate::support::config::v1;
use crate::support::ids::MAPPING;
use crate::support::{Bridge, Config, Ids, Live, OwnInflux1, PATIENCE, Paused, Tmpfs, measured, wait_for};
use std::fs;

const PARTITIONS: i32 = 3;
const BEFORE: u64 = 300;
/// More new series than fit into the rest of the last page of each series file.
const ALL: u64 = 12_300;
/// The first write creates 8 sparse files of 4 MB. The test writes less than 8 MB.
const DISK: &str = "48m";

/// The folder on the full disk.
struct Full {
    setting: &'static str,
    /// Text that only this form of the answer has.
    answer: &'static [&'static str],
}

/// Whether dead letters are configured.
#[derive(Clone, Copy, PartialEq)]
enum Letters {
    None,
    Topic,
}

fn waits_for_room(full: &Full, letters: Letters) {
    let live = Live::take_turn();
    let disk = Tmpfs::mount(&live, DISK);
    let mut own = OwnInflux1::start(&live, &[(full.setting, &disk.path().join("influxdb"))]);
    let kafka = live.kafka();
    let topic = kafka.create_topic(live.name("full_disk"), PARTITIONS, 1);
    let dead = kafka.create_topic(live.name("full_disk_dead"), 1, 1);
    let database = live.name("full_disk");
    let ids = Ids { topic: &topic, partitions: PARTITIONS as u64 };
    let mut influx = v1(&own.influx, &database, "create_database = true");
    if letters == Letters::Topic {
        influx = format!("{influx}\n[dead_letter]\ntopic = '{dead}'");
    }
    let bridge = Bridge::start_watched(&Config::new(&kafka, &topic, influx).mapping(MAPPING).text(), &[]);
    ids.produce(&kafka, 0..BEFORE);
    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE);

    let filler = disk.fill();
    ids.produce(&kafka, BEFORE..ALL);
    let message = ["cannot write, retrying", "cause=\"disk_full\""];
    let (alarm, _) = bridge.wait_for_log(&[&message[..], full.answer].concat(), PATIENCE);
    measured("alarm", alarm.split_once("why=").map_or(&*alarm, |(_, why)| why));
    let labels = [("cause", "disk_full"), ("destination", "all destinations")];
    // The sample is 0, and 1 after the alarm has lasted for 10 s.
    let is_shown = || bridge.page().number("kafka_influx_bridge_blocked", &labels).is_some();
    assert!(is_shown(), "/metrics has the alarm");
    let retried = bridge.metric("retries_total");
    let again = || (bridge.metric("retries_total") >= retried + 5).then_some(());
    wait_for("requests sent again", PATIENCE, again);

    // Free space is not enough: InfluxDB gives the same answers until it is restarted.
    fs::remove_file(filler).unwrap();
    let retried = bridge.metric("retries_total");
    wait_for("a request sent again", PATIENCE, || (bridge.metric("retries_total") > retried).then_some(()));
    assert!(is_shown(), "the alarm lasts, with room on the disk");
    let paused = Paused::pause(bridge.pid());
    // Until the restart, InfluxDB returns points that it refused.
    own.restart("TERM");
    let (committed, stored) = ids.assert_committed_are_stored(&kafka, &topic, &own.influx, &database);
    measured("while the disk was full", format!("{committed} committed, {stored} stored of {ALL}"));
    assert!(stored < ALL, "the disk was not full");
    drop(paused);

    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE);
    Ids::assert_stored(&own.influx, &database, 0..ALL);
    wait_for("the end of the alarm", PATIENCE, || bridge.samples("blocked").is_empty().then_some(()));
    assert_eq!(bridge.metric("lines_refused_total"), 0);
    assert_eq!(bridge.metric("dead_letters_total"), 0);
    assert_eq!(kafka.count(&dead), 0);
    measured("points", format!("{ALL} of {ALL}, 0 refused, 0 dead-lettered"));
    bridge.stop();
}

/// InfluxDB 1.6.7 answers 200 to a statement that fails, with the error in the body.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_database_that_a_full_disk_keeps_from_being_created_is_waited_for() {
    let live = Live::take_turn();
    let disk = Tmpfs::mount(&live, "1m");
    let own = OwnInflux1::start(&live, &[("INFLUXDB_META_DIR", &disk.path().join("meta"))]);
    let filler = disk.fill();
    let kafka = live.kafka();
    let topic = kafka.create_topic(live.name("not_created"), PARTITIONS, 1);
    let database = live.name("not_created");
    let ids = Ids { topic: &topic, partitions: PARTITIONS as u64 };
    let influx = v1(&own.influx, &database, "create_database = true");
    let bridge = Bridge::start_watched(&Config::new(&kafka, &topic, influx).mapping(MAPPING).text(), &[]);
    ids.produce(&kafka, 0..BEFORE);
    let message = [
        "cannot write, retrying",
        "cause=\"disk_full\"",
        "influx.create_database failed: write ",
        "make room",
    ];
    bridge.wait_for_log(&message, PATIENCE);
    assert_eq!(kafka.group(&topic).committed(&topic, PARTITIONS), [-1; 3], "committed and not stored");

    fs::remove_file(filler).unwrap();
    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE);
    Ids::assert_stored(&own.influx, &database, 0..BEFORE);
    assert_eq!(bridge.metric("lines_refused_total"), 0);
    wait_for("the end of the alarm", PATIENCE, || bridge.samples("blocked").is_empty().then_some(()));
    bridge.stop();
}

/// InfluxDB 1.6.7 appends a new series to one of 8 files before it writes the points of any new series of the request.
const SERIES: Full = Full {
    setting: "INFLUXDB_DATA_DIR",
    answer: &["400: partial write: write ", "/_series/", ": no space left on device dropped="],
};

const WAL: Full = Full {
    setting: "INFLUXDB_DATA_WAL_DIR",
    answer: &["500: engine: error writing WAL entry: write ", ".wal: no space left on device"],
};

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_full_disk_of_influxdb_1_that_refuses_new_series_is_waited_for() {
    waits_for_room(&SERIES, Letters::None);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_full_disk_of_influxdb_1_that_refuses_new_series_makes_no_dead_letters() {
    waits_for_room(&SERIES, Letters::Topic);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_full_disk_of_influxdb_1_that_fails_its_log_is_waited_for() {
    waits_for_room(&WAL, Letters::None);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_full_disk_of_influxdb_1_that_fails_its_log_makes_no_dead_letters() {
    waits_for_room(&WAL, Letters::Topic);
}
