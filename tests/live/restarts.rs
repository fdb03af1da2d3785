//! Normal and abnormal ends of the process, and what the next start reads.

use crate::support::config::{v1, v2};
use crate::support::numbers::{MAPPING, assert_numbers, numbers};
use crate::support::{
    Bridge, Config, Influx, Kafka, Live, PATIENCE, Paused, Scene, measured, signal, wait_for,
};
use std::thread;
use std::time::{Duration, Instant};

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn after_a_kill_each_record_is_stored_once_and_reading_resumes_within_12_s() {
    // The session of the killed member has to expire, which takes 10 s. The promise is 12 s.
    killed("dynamic", "", Duration::from_secs(24));
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn after_a_kill_a_static_member_reads_at_once() {
    // The promise is 0.5 s. On a busy machine the start of the process alone may take that long.
    killed("static", "instance_id = 'one'", Duration::from_secs(3));
}

fn killed(kind: &str, kafka_more: &str, reads_within: Duration) {
    const RECORDS: u64 = 200_000;
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("killed", 3);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).kafka_more(kafka_more);
    let config = config.text();
    kafka.produce(&topic, numbers(0..RECORDS, 3));
    let bridge = Bridge::start(&config, &[]);
    // Killed in the middle: some records are stored and committed, some stored only, some neither.
    influx.wait_for_count(1, PATIENCE, |influx| influx.count(&bucket, "m", "value"));
    bridge.kill();
    let stored = influx.count(&bucket, "m", "value");
    measured("stored when killed", format!("{stored} of {RECORDS}"));

    kafka.produce(&topic, numbers(RECORDS..RECORDS + 3, 3));
    let bridge = Bridge::start(&config, &[]);
    let (_, took) = bridge.wait_for_log(&["first record"], PATIENCE);
    measured(&format!("{kind} member, started again to its first record"), format!("{took:?}"));
    assert!(took < reads_within, "{took:?}");
    kafka.group(&topic).wait_until_settled(&topic, 3, PATIENCE);
    assert_numbers(&influx, &bucket, RECORDS + 3);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn sigterm_writes_and_commits_what_was_read() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("drain", 3);
    // Batches are closed late, so that the stop finds an open one.
    let config =
        Config::new(&kafka, &topic, v2(&influx, &bucket) + "\n[batch]\nage_max = '1h'").mapping(MAPPING);
    let bridge = Bridge::start(&config.text(), &[]);
    bridge.wait_until_assigned(&topic);
    kafka.produce(&topic, numbers(0..900, 3));
    bridge.wait_for_log(&["first record"], PATIENCE);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(influx.count(&bucket, "m", "value"), 0, "the batches should be open still");
    let took = bridge.stop();
    measured("SIGTERM to the end, with open batches", format!("{took:?}"));
    assert_numbers(&influx, &bucket, 900);
    let group = kafka.group(&topic);
    assert_eq!(group.committed(&topic, 3), group.ends(&topic, 3));
    // The stopped member has left the group, so the next one need not wait for a session to expire.
    let bridge = Bridge::start(&config.text(), &[]);
    let took = bridge.wait_until_assigned(&topic);
    measured("assigned after a clean stop", format!("{took:?}"));
    assert!(took < Duration::from_secs(6), "{took:?}: the member before has not left");
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn sigterm_under_load_commits_only_what_is_stored() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("load", 3);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING);
    kafka.produce(&topic, numbers(0..200_000, 3));
    let bridge = Bridge::start(&config.text(), &[]);
    influx.wait_for_count(1, PATIENCE, |influx| influx.count(&bucket, "m", "value"));
    let took = bridge.stop();
    let committed: u64 = kafka.group(&topic).committed(&topic, 3).iter().map(|at| (*at).max(0) as u64).sum();
    let stored = influx.count(&bucket, "m", "value");
    measured("SIGTERM under load", format!("{took:?}, {committed} committed, {stored} stored of 200000"));
    assert_eq!(committed, stored, "what was read is stored and committed, and nothing else");
    let bridge = Bridge::start(&config.text(), &[]);
    kafka.group(&topic).wait_until_settled(&topic, 3, PATIENCE);
    assert_numbers(&influx, &bucket, 200_000);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_hanging_influxdb_delays_the_end_no_longer_than_shutdown_max() {
    let live = Live::take_turn();
    let scene = Hanging::new(&live);
    let mut bridge = scene.bridge();
    let paused = Paused::pause(live.server_pid("influx1"));
    scene.fill();
    signal(bridge.pid(), "TERM");
    let (status, took) = bridge.wait_for_end(PATIENCE);
    measured("SIGTERM to the end, InfluxDB hanging, shutdown_max 3 s", format!("{took:?}"));
    assert!(status.success(), "{status}");
    // The promise is `shutdown_max` plus 2 s.
    assert!(took < Duration::from_secs(3 + 5), "{took:?}");
    let committed = scene.kafka.group(&scene.topic).committed(&scene.topic, 3);
    assert_eq!(committed, [100, 100, 100], "more was committed than stored");
    drop(paused);
    scene.assert_nothing_lost();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_second_signal_ends_at_once() {
    let live = Live::take_turn();
    let scene = Hanging::new(&live);
    let mut bridge = scene.bridge();
    let paused = Paused::pause(live.server_pid("influx1"));
    scene.fill();
    signal(bridge.pid(), "TERM");
    thread::sleep(Duration::from_millis(500));
    signal(bridge.pid(), "INT");
    let (status, took) = bridge.wait_for_end(PATIENCE);
    measured("second signal to the end", format!("{took:?}"));
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    drop(paused);
    scene.assert_nothing_lost();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_kill_while_influxdb_hangs_loses_nothing() {
    let live = Live::take_turn();
    let scene = Hanging::new(&live);
    let bridge = scene.bridge();
    let paused = Paused::pause(live.server_pid("influx1"));
    scene.fill();
    bridge.kill();
    let committed = scene.kafka.group(&scene.topic).committed(&scene.topic, 3);
    assert_eq!(committed, [100, 100, 100], "more was committed than stored");
    drop(paused);
    scene.assert_nothing_lost();
}

/// A bridge whose InfluxDB will be paused.
struct Hanging {
    kafka: Kafka,
    influx: Influx,
    topic: String,
    database: String,
}

impl Hanging {
    fn new(live: &Live) -> Self {
        let (kafka, influx) = (live.kafka(), live.influx1());
        let topic = kafka.create_topic(live.name("hanging"), 3, 1);
        Self { kafka, influx, topic, database: live.name("hanging") }
    }

    /// Starts the bridge, and waits until the first 300 records are stored and committed.
    fn bridge(&self) -> Bridge {
        let influx = v1(&self.influx, &self.database, "create_database = true");
        let config =
            Config::new(&self.kafka, &self.topic, influx).mapping(MAPPING).top("shutdown_max = '3s'");
        let bridge = Bridge::start(&config.text(), &[]);
        self.kafka.produce(&self.topic, numbers(0..300, 3));
        bridge.wait_for_log(&["first lines stored"], PATIENCE);
        self.kafka.group(&self.topic).wait_until_settled(&self.topic, 3, PATIENCE);
        bridge
    }

    /// Produces the other records while InfluxDB is paused, and waits until the bridge has read as many as fit into its memory.
    fn fill(&self) {
        self.kafka.produce(&self.topic, numbers(300..30_000, 3));
        thread::sleep(Duration::from_secs(2));
    }

    /// Starts the bridge again, and asserts that all records are stored.
    fn assert_nothing_lost(&self) {
        let influx = v1(&self.influx, &self.database, "");
        let bridge =
            Bridge::start(&Config::new(&self.kafka, &self.topic, influx).mapping(MAPPING).text(), &[]);
        self.kafka.group(&self.topic).wait_until_settled(&self.topic, 3, PATIENCE);
        assert_numbers(&self.influx, &self.database, 30_000);
        bridge.stop();
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_dead_influxdb_is_waited_for_in_the_group() {
    const RECORDS: u64 = 300_000;
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("outage", 3);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING);
    let bridge = Bridge::start(&config.text(), &[]);
    kafka.produce(&topic, numbers(0..1_000, 3));
    influx.wait_for_count(1_000, PATIENCE, |influx| influx.count(&bucket, "m", "value"));

    signal(live.server_pid("influx2"), "KILL");
    let begin = Instant::now();
    kafka.produce(&topic, numbers(1_000..RECORDS, 3));
    let (message, _) = bridge.wait_for_log(&["cannot write, retrying", "influx.url"], PATIENCE);
    assert!(message.contains(influx.url()), "{message}");
    thread::sleep(Duration::from_secs(10).saturating_sub(begin.elapsed()));
    let resident = bridge.resident_max_kb();
    live.bring_up("influx2");
    measured("InfluxDB was down for", format!("{:?}", begin.elapsed()));
    let again = Instant::now();
    let (_, _) = wait_for("writing resumes", PATIENCE, || bridge.log_with(&["writing goes on"]).pop());
    measured("writing resumed after", format!("{:?}", again.elapsed()));
    kafka.group(&topic).wait_until_settled(&topic, 3, PATIENCE * 2);
    assert_numbers(&influx, &bucket, RECORDS);
    assert_eq!(bridge.log_with(&["revoked"]), [""; 0], "the group revoked its partitions");
    measured("resident memory while waiting", format!("{resident} kB"));
    measured("maximum of resident memory", format!("{} kB", bridge.resident_max_kb()));
    // The promise for the default configuration is 64 MB, even for records this small.
    assert!(bridge.resident_max_kb() < 64_000);
    bridge.stop();
}
