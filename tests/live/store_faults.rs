//! InfluxDB fails under load in different ways. After its recovery every record has exactly one point.

use crate::support::config::v2;
use crate::support::numbers::MAPPING;
use crate::support::{Bridge, Config, Live, Numbers, OwnInflux, PATIENCE, Paused, Tmpfs, measured, wait_for};
use std::fs;
use std::time::Instant;

const PARTITIONS: i32 = 3;
const RECORDS_A_SECOND: u64 = 20_000;

/// A fault of the test's own server while records arrive.
struct Trouble<'a> {
    bridge: &'a Bridge,
    own: &'a mut OwnInflux,
}

impl Trouble<'_> {
    /// Waits until the bridge reports that this fault prevents writing.
    fn wait_until_told(&self, cause: &str) {
        self.bridge.wait_for_log(&["cannot write, retrying", &format!("cause=\"{cause}\"")], PATIENCE);
    }

    /// Ends the fault, and waits until the bridge has noticed.
    fn wait_until_over(&self) {
        let begin = Instant::now();
        wait_for("the end of all alarms", PATIENCE, || {
            self.bridge.samples("blocked").is_empty().then_some(())
        });
        measured("writing resumed after", format!("{:?}", begin.elapsed()));
    }
}

/// Causes and ends `trouble` under load; then asserts that exactly the points of all records are stored. `influx_more` ends `[influx]`.
fn survives(live: &Live, own: &mut OwnInflux, influx_more: &str, trouble: impl FnOnce(&mut Trouble<'_>)) {
    let kafka = live.kafka();
    let topic = kafka.create_topic(live.name("faults"), PARTITIONS, 1);
    let bucket = own.influx.create_bucket(live.name("faults"));
    let numbers = Numbers::new(&topic, PARTITIONS as u64);
    let influx = format!("{}\n{influx_more}", v2(&own.influx, &bucket));
    let bridge = Bridge::start_watched(&Config::new(&kafka, &topic, influx).mapping(MAPPING).text(), &[]);
    let load = numbers.load(&kafka, 0, RECORDS_A_SECOND);
    bridge.wait_for_log(&["first lines stored"], PATIENCE);
    trouble(&mut Trouble { bridge: &bridge, own });
    let records = load.end();
    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE);
    measured("records", records);
    let again = bridge.metric("retries_total");
    measured("requests sent again", again);
    assert!(again > 0, "nothing went wrong");
    numbers.assert_stored(&own.influx, &bucket, 0..records);
    assert_eq!(bridge.metric("lines_refused_total"), 0);
    assert_eq!(bridge.log_with(&["revoked"]), [""; 0], "the group revoked its partitions");
    measured("resident at most", format!("{} kB", bridge.resident_max_kb()));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_pause_longer_than_the_timeout_loses_and_doubles_nothing() {
    let live = Live::take_turn();
    survives(&live, &mut OwnInflux::start(&live, &[]), "timeout = '1s'", |trouble| {
        let paused = Paused::pause(trouble.own.pid());
        trouble.wait_until_told("timed_out");
        // Several requests timed out. InfluxDB may store each of them when it continues.
        wait_for("requests sent again", PATIENCE, || {
            (trouble.bridge.metric("retries_total") >= 5).then_some(())
        });
        drop(paused);
        trouble.wait_until_over();
    });
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn restarts_of_influxdb_under_load_lose_and_double_nothing() {
    let live = Live::take_turn();
    let often = "[batch]\nage_max = '20ms'";
    survives(&live, &mut OwnInflux::start(&live, &[]), often, |trouble| {
        for with in ["KILL", "TERM", "KILL"] {
            trouble.own.restart(with);
            trouble.wait_until_over();
            let stored = trouble.bridge.metric("lines_stored_total");
            let more = || (trouble.bridge.metric("lines_stored_total") > stored).then_some(());
            wait_for("more lines stored", PATIENCE, more);
        }
    });
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_full_cache_is_waited_for() {
    let live = Live::take_turn();
    // InfluxDB refuses writes until it flushes the half-full cache, which it checks every second.
    let small =
        ["--storage-cache-max-memory-size", "200000", "--storage-cache-snapshot-memory-size", "100000"];
    survives(&live, &mut OwnInflux::start(&live, &small), "[batch]\nlines_max = 1000", |trouble| {
        trouble.wait_until_told("cache_full");
        wait_for("requests sent again", PATIENCE, || {
            (trouble.bridge.metric("retries_total") >= 10).then_some(())
        });
    });
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_full_disk_is_waited_for() {
    let live = Live::take_turn();
    let disk = Tmpfs::mount(&live, "256m");
    let mut own = OwnInflux::start_in(&live.path("influxd"), &disk.path().join("engine"), &[]);
    survives(&live, &mut own, "", |trouble| {
        let filler = disk.fill();
        trouble.wait_until_told("disk_full");
        fs::remove_file(filler).unwrap();
        // The write-ahead log stays broken after there is room on the disk. InfluxDB returns points that it refused, until the necessary
        // restart.
        trouble.own.restart("TERM");
        trouble.wait_until_over();
    });
}
