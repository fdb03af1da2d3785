//! Consumer groups: joining, fencing and rebalances lose no records.

use crate::support::config::{v1, v2};
use crate::support::numbers::{MAPPING, assert_numbers, numbers};
use crate::support::{Bridge, Config, Kafka, Live, PATIENCE, Scene, measured, signal, wait_for};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 6;

impl Scene {
    fn config(&self, kafka_more: &str) -> String {
        let influx = v2(&self.influx, &self.bucket);
        Config::new(&self.kafka, &self.topic, influx).mapping(MAPPING).kafka_more(kafka_more).text()
    }

    fn produce(&self, range: std::ops::Range<u64>) {
        self.kafka.produce(&self.topic, numbers(range, PARTITIONS as u64));
    }

    fn wait_until_settled(&self) {
        self.kafka.group(&self.topic).wait_until_settled(&self.topic, PARTITIONS, PATIENCE * 2);
    }

    /// Asserts that exactly the numbers below `count` are stored.
    fn assert_all(&self, count: u64) {
        self.wait_until_settled();
        assert_numbers(&self.influx, &self.bucket, count);
    }
}

/// Produces numbers until [`Producing::end`].
struct Load {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Load {
    /// Produces 100 records every 10 ms.
    fn start(kafka: Kafka, topic: &str) -> Self {
        let (ends, topic) = (Arc::new(AtomicBool::new(false)), topic.to_owned());
        let is_over = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            let mut next = 0;
            while !is_over.load(Ordering::Relaxed) {
                kafka.produce(&topic, numbers(next..next + 100, PARTITIONS as u64));
                next += 100;
                thread::sleep(Duration::from_millis(10));
            }
            next
        });
        Self { ends, thread }
    }

    /// Stops, and returns the number of records.
    fn end(self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Polls the group's committed offsets, and fails if one goes back.
struct Watch {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Watch {
    fn start(kafka: &Kafka, topic: &str) -> Self {
        let (group, topic) = (kafka.group(topic), topic.to_owned());
        let ends = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            let (mut before, mut polls) = (vec![-1; PARTITIONS as usize], 0);
            while !is_over.load(Ordering::Relaxed) {
                let now = group.committed(&topic, PARTITIONS);
                assert!(
                    before.iter().zip(&now).all(|(before, now)| before <= now),
                    "{before:?} then {now:?}"
                );
                (before, polls) = (now, polls + 1);
                thread::sleep(Duration::from_millis(20));
            }
            polls
        });
        Self { ends, thread }
    }

    fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        measured("polls of the committed offsets", self.thread.join().unwrap());
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_group_with_another_assignor_is_reported_and_joined_once_it_is_empty() {
    let scene = Scene::new("assignor", PARTITIONS);
    let telegraf = scene.kafka.member(&scene.topic, &scene.topic, "telegraf-on-web-1", "range");
    scene.produce(0..600);
    let bridge = Bridge::start(&scene.config(""), &[]);
    let (message, _) = bridge.wait_for_log(&["ERROR", "can't be joined"], PATIENCE);
    for part in [scene.topic.as_str(), "telegraf-on-web-1", "\"range\"", "kafka.group_id", "Telegraf"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(bridge.log_with(&["assigned"]), [""; 0]);
    drop(telegraf);
    let begin = Instant::now();
    scene.assert_all(600);
    measured("the other left, to all queried", format!("{:?}", begin.elapsed()));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_bridge_can_use_the_range_assignor_with_other_members() {
    let scene = Scene::new("range", PARTITIONS);
    let config = scene.config("librdkafka.'partition.assignment.strategy' = 'range'");
    let one = Bridge::start(&config, &[]);
    let load = Load::start(scene.live.kafka(), &scene.topic);
    one.wait_until_assigned(&scene.topic);
    let two = Bridge::start(&config, &[]);
    two.wait_until_assigned(&scene.topic);
    thread::sleep(Duration::from_secs(2));
    one.stop();
    thread::sleep(Duration::from_secs(2));
    let three = Bridge::start(&config, &[]);
    three.wait_until_assigned(&scene.topic);
    two.kill();
    thread::sleep(Duration::from_secs(1));
    let count = load.end();
    scene.assert_all(count);
    measured("records", count);
    three.stop();
}

/// Members of both protocols share the group while it moves from the classic to the consumer protocol (KIP-848).
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_group_moves_to_the_consumer_protocol_under_load() {
    let scene = Scene::new("kip848", PARTITIONS);
    let consumer = scene.config("group_protocol = 'consumer'");
    let classic = Bridge::start(&scene.config(""), &[]);
    let load = Load::start(scene.live.kafka(), &scene.topic);
    classic.wait_until_assigned(&scene.topic);
    let watch = Watch::start(&scene.kafka, &scene.topic);
    let one = Bridge::start(&consumer, &[]);
    measured("joined a classic group after", format!("{:?}", one.wait_until_assigned(&scene.topic)));
    thread::sleep(Duration::from_secs(2));
    classic.stop();
    let two = Bridge::start(&consumer, &[]);
    measured("joined a group of the brokers after", format!("{:?}", two.wait_until_assigned(&scene.topic)));
    thread::sleep(Duration::from_secs(2));
    one.stop();
    let three = Bridge::start(&consumer, &[]);
    three.wait_until_assigned(&scene.topic);
    thread::sleep(Duration::from_secs(2));
    two.kill();
    // The brokers' session of 45 s keeps the partitions of the killed member.
    let count = load.end();
    scene.assert_all(count);
    watch.end();
    measured("records", count);
    three.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_second_process_of_the_consumer_protocol_with_one_instance_id_ends_itself() {
    let scene = Scene::new("unreleased", PARTITIONS);
    let config = scene.config("group_protocol = 'consumer'\ninstance_id = 'one'");
    let one = Bridge::start(&config, &[]);
    one.wait_until_assigned(&scene.topic);
    let mut two = Bridge::start(&config, &[]);
    let (status, took) = two.wait_for_end(PATIENCE);
    measured("refused after", format!("{took:?}"));
    assert_eq!(status.code(), Some(3));
    two.wait_for_log(&["ERROR", "kafka.instance_id", "\"one\"", "another one is a member"], PATIENCE);
    scene.produce(0..600);
    scene.assert_all(600);
    // A stopped process releases the name at once.
    one.stop();
    let three = Bridge::start(&config, &[]);
    three.wait_until_assigned(&scene.topic);
    scene.produce(600..1_200);
    scene.assert_all(1_200);
    three.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_second_process_with_one_instance_id_ends_the_first() {
    let scene = Scene::new("fenced", PARTITIONS);
    let config = scene.config("instance_id = 'one'");
    let mut one = Bridge::start(&config, &[]);
    one.wait_until_assigned(&scene.topic);
    scene.produce(0..600);
    scene.wait_until_settled();
    let two = Bridge::start(&config, &[]);
    let (status, took) = one.wait_for_end(PATIENCE);
    measured("fenced after", format!("{took:?}"));
    assert_eq!(status.code(), Some(3));
    let (message, _) = one.wait_for_log(&["ERROR", "kafka.instance_id"], PATIENCE);
    assert!(message.contains("\"one\"") && message.contains("another process"), "{message}");
    scene.produce(600..1_200);
    scene.assert_all(1_200);
    two.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_revocation_while_influxdb_hangs_drains_for_5_s_and_commits_only_stored_records() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx1());
    let topic = kafka.create_topic(live.name("revoke"), PARTITIONS, 1);
    let database = live.name("revoke");
    let influxdb = v1(&influx, &database, "create_database = true");
    let config = Config::new(&kafka, &topic, influxdb).mapping(MAPPING).text();
    let one = Bridge::start(&config, &[]);
    kafka.produce(&topic, numbers(0..600, PARTITIONS as u64));
    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE);

    signal(live.server_pid("influx1"), "STOP");
    kafka.produce(&topic, numbers(600..60_000, PARTITIONS as u64));
    thread::sleep(Duration::from_secs(2));
    let two = Bridge::start(&config, &[]);
    let took = two.wait_until_assigned(&topic);
    measured("a second member, started to its share, InfluxDB hanging", format!("{took:?}"));
    let (_, _) = one.wait_for_log(&["revoked before all their records were stored"], PATIENCE);
    let committed = kafka.group(&topic).committed(&topic, PARTITIONS);
    signal(live.server_pid("influx1"), "CONT");
    assert_eq!(committed, [100; PARTITIONS as usize], "more was committed than stored");
    // 5 s of draining plus a heartbeat before and after it. The limit allows for a busy machine.
    assert!(took < Duration::from_secs(12), "{took:?}");
    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE * 2);
    assert_numbers(&influx, &database, 60_000);
    one.stop();
    two.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_paused_member_commits_nothing_of_partitions_that_others_took_over() {
    let scene = Scene::new("still", PARTITIONS);
    let one = Bridge::start(&scene.config(""), &[]);
    let load = Load::start(scene.live.kafka(), &scene.topic);
    one.wait_until_assigned(&scene.topic);
    let watch = Watch::start(&scene.kafka, &scene.topic);
    let two = Bridge::start(&scene.config(""), &[]);
    two.wait_until_assigned(&scene.topic);
    // The session of 10 s expires, and the other member is assigned all partitions.
    signal(one.pid(), "STOP");
    thread::sleep(Duration::from_secs(15));
    signal(one.pid(), "CONT");
    one.wait_for_log(&["revoked", "lost=true"], PATIENCE);
    let again = || (one.log_with(&["assigned", &scene.topic]).len() >= 2).then_some(());
    let ((), took) = wait_for("it has a share again", PATIENCE, again);
    measured("in the group again after", format!("{took:?}"));
    thread::sleep(Duration::from_secs(2));
    let count = load.end();
    scene.assert_all(count);
    watch.end();
    one.stop();
    two.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn members_come_and_go_under_load() {
    let scene = Scene::new("churn", PARTITIONS);
    let mut random = scene.live.random();
    let config = scene.config("");
    let load = Load::start(scene.live.kafka(), &scene.topic);
    let mut bridges = vec![Bridge::start(&config, &[])];
    let begin = Instant::now();
    let (mut started, mut stopped, mut killed) = (1, 0, 0);
    while begin.elapsed() < Duration::from_secs(40) {
        thread::sleep(Duration::from_millis(random.u64(200..4_000)));
        let chosen = random.usize(..bridges.len());
        match random.u8(..4) {
            0 if bridges.len() > 1 => {
                bridges.swap_remove(chosen).stop();
                stopped += 1;
            }
            1 if bridges.len() > 1 => {
                bridges.swap_remove(chosen).kill();
                killed += 1;
            }
            _ if bridges.len() < 3 => {
                bridges.push(Bridge::start(&config, &[]));
                started += 1;
            }
            _ => {}
        }
    }
    let count = load.end();
    measured("started, stopped, killed", format!("{started}, {stopped}, {killed}; {count} records"));
    scene.assert_all(count);
    for bridge in bridges {
        bridge.stop();
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_killed_coordinator_loses_nothing() {
    let scene = Scene::replicated("coordinator", PARTITIONS);
    let bridge = Bridge::start(&scene.config(""), &[]);
    bridge.wait_until_assigned(&scene.topic);
    let load = Load::start(scene.live.kafka3(), &scene.topic);
    scene.influx.wait_for_count(1_000, PATIENCE, |influx| influx.count(&scene.bucket, "m", "value"));
    let name = format!("kafka3-{}", scene.kafka.coordinator(&scene.topic));
    signal(scene.live.server_pid(&name), "KILL");
    let begin = Instant::now();
    let before = scene.kafka.group(&scene.topic).committed(&scene.topic, PARTITIONS);
    measured("the group has a coordinator again after", format!("{:?}", begin.elapsed()));
    let group = scene.kafka.group(&scene.topic);
    let goes_on = || {
        let now = group.committed(&scene.topic, PARTITIONS);
        before.iter().zip(&now).all(|(before, now)| before < now).then_some(())
    };
    wait_for("commits of all partitions go on", PATIENCE, goes_on);
    measured("commits of all partitions go on after", format!("{:?}", begin.elapsed()));
    scene.live.bring_up("kafka3");
    let count = load.end();
    scene.assert_all(count);
    bridge.stop();
}
