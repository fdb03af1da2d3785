//! SIGHUP under load with real servers: each record becomes exactly one point, whatever changes.

use crate::support::config::{v2, v2_with};
use crate::support::numbers::MAPPING;
use crate::support::{Bridge, Config, Numbers, PATIENCE, Scene, measured, wait_for};
use std::thread;
use std::time::Duration;

const PARTITIONS: i32 = 3;
const RECORDS_A_SECOND: u64 = 8_000;

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn reloads_under_load_lose_and_double_nothing() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("reload", PARTITIONS);
    let config = |rules: usize| {
        // A record stored under two mappings would give two points.
        let mapping = format!("{MAPPING}\ntags.rules = '{rules}'");
        Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(&mapping).text()
    };
    let numbers = Numbers::new(&topic, PARTITIONS as u64);
    let bridge = Bridge::start_watched(&config(0), &[]);
    let load = numbers.load(&kafka, 0, RECORDS_A_SECOND);
    bridge.wait_for_log(&["first lines stored"], PATIENCE);
    let mut longest = Duration::ZERO;
    for rules in 1..=8 {
        longest = longest.max(bridge.reload(&config(rules)));
        let stored = bridge.metric("lines_stored_total");
        wait_for("records flow again", PATIENCE, || {
            (bridge.metric("lines_stored_total") > stored).then_some(())
        });
    }
    let records = load.end();
    measured("the longest of 8 reloads, under load", format!("{longest:?}"));
    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE);
    numbers.assert_stored(&influx, &bucket, 0..records);
    assert_eq!(bridge.metric("lines_stored_total"), records, "some were written twice");
    assert_eq!(bridge.log_with(&["read_again=0", "configuration reloaded: mapping"]).len(), 8);
    assert_eq!(bridge.log_with(&["revoked"]), [""; 0], "it left the group");
    assert_eq!(bridge.log_with(&[" assigned"]).len(), 1, "it left the group");
    bridge.stop();
}

/// Some points may be written twice, so the changed rules give the same points.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn kills_during_reloads_lose_nothing() {
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("reload_kill", PARTITIONS);
    let mut random = live.random();
    let config = |rules: usize| {
        let mapping = format!("{MAPPING}\nexclude = ['nothing_{rules}']");
        let config = Config::new(&kafka, &topic, v2(&influx, &bucket));
        config.mapping(&mapping).kafka_more("instance_id = 'one'").text()
    };
    let numbers = Numbers::new(&topic, PARTITIONS as u64);
    let load = numbers.load(&kafka, 0, RECORDS_A_SECOND);
    let mut done = 0;
    for rules in 0..4 {
        let bridge = Bridge::start(&config(rules), &[]);
        bridge.wait_for_log(&["first lines stored"], PATIENCE);
        bridge.ask_for_reload(&config(rules + 1));
        thread::sleep(Duration::from_millis(random.u64(..400)));
        done += bridge.log_with(&["configuration reloaded"]).len();
        bridge.kill();
    }
    measured("reloads that were done before the kill", format!("{done} of 4"));
    let records = load.end();
    let bridge = Bridge::start(&config(9), &[]);
    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE);
    numbers.assert_stored(&influx, &bucket, 0..records);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_corrected_token_is_used_and_a_wrong_file_is_not() {
    const RECORDS: u64 = 20_000;
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("reload_token", PARTITIONS);
    let numbers = Numbers::new(&topic, PARTITIONS as u64);
    numbers.produce(&kafka, 0..RECORDS);
    let wrong =
        Config::new(&kafka, &topic, v2_with(influx.url(), &bucket, "hush-wrong")).mapping(MAPPING).text();
    let right = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).text();
    let bridge = Bridge::start_watched(&wrong, &[]);
    bridge.wait_for_log(&["401"], PATIENCE);
    bridge.ask_for_reload(&right.replace("[[mapping]]", "[[mapping]]\ntag_kyes = ['a']"));
    bridge.wait_for_log(&["tag_kyes"], PATIENCE);
    bridge.wait_for_log(&["the configuration has errors", "the bridge keeps the old one"], PATIENCE);
    assert_eq!(
        (bridge.metric("config_reloads_total"), bridge.metric("config_last_reload_successful")),
        (1, 0)
    );
    bridge.ask_for_reload(&right.replace("group_id = '", "group_id = 'x"));
    bridge.wait_for_log(&["kafka.group_id changed: restart"], PATIENCE);
    let took = bridge.reload(&right);
    measured("reload with a corrected token", format!("{took:?}"));
    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE);
    numbers.assert_stored(&influx, &bucket, 0..RECORDS);
    bridge.ask_for_reload(&right);
    bridge.wait_for_log(&["the configuration is unchanged"], PATIENCE);
    assert_eq!(
        (bridge.metric("config_reloads_total"), bridge.metric("config_last_reload_successful")),
        (4, 1)
    );
    assert_eq!(bridge.log_with(&["hush"]), [""; 0], "a secret shows");
    bridge.stop();
}
