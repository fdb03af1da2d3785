//! The 1.x API with and without login, databases that are dropped and created, and VictoriaMetrics.

use crate::support::config::{v1, v2_with};
use crate::support::{
    Bridge, Config, Http, Influx, Kafka, Live, PATIENCE, Produced, measured, run_command, wait_for,
};
use std::time::Duration;

fn numbers(range: std::ops::Range<u64>) -> impl Iterator<Item = Produced> {
    range.map(|i| Produced::new(format!(r#"{{"host":"h1","value":{i}}}"#)))
}

const MAPPING: &str = "measurement = 'm'\ntag_keys = ['host']";

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_database_that_is_dropped_is_created_again() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx1());
    let topic = kafka.create_topic(live.name("dropped"), 1, 1);
    let database = live.name("dropped");
    let config =
        Config::new(&kafka, &topic, v1(&influx, &database, "create_database = true")).mapping(MAPPING);
    let bridge = Bridge::start(&config.text(), &[]);
    bridge.wait_for_log(&["the database exists", &database], PATIENCE);
    kafka.produce(&topic, numbers(0..10));
    influx.wait_for_count(10, PATIENCE, |influx| influx.count(&database, "m", "value"));
    influx.query("", &format!("DROP DATABASE \"{database}\""));
    kafka.produce(&topic, numbers(10..20));
    influx.wait_for_count(10, PATIENCE, |influx| influx.count(&database, "m", "value"));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_missing_database_is_named_unless_it_may_be_created() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx1());
    let topic = kafka.create_topic(live.name("nodb"), 1, 1);
    let database = live.name("nodb");
    kafka.produce(&topic, numbers(0..10));
    let bridge =
        Bridge::start(&Config::new(&kafka, &topic, v1(&influx, &database, "")).mapping(MAPPING).text(), &[]);
    bridge.wait_for_log(&["ERROR", "influx.database", "create_database = true", "CREATE DATABASE"], PATIENCE);
    influx.query("", &format!("CREATE DATABASE \"{database}\""));
    influx.wait_for_count(10, PATIENCE, |influx| influx.count(&database, "m", "value"));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_login_is_sent_and_a_wrong_one_is_named() {
    let live = Live::take_turn();
    let kafka = live.kafka();
    let (influx, database, user, password) = live.influx1_login();
    let topic = kafka.create_topic(live.name("login"), 1, 1);
    kafka.produce(&topic, numbers(0..10));
    // All runs share the database, so this run uses its own measurement.
    let mapping = format!("measurement = '{topic}'");
    let start = |login: &str| {
        Bridge::start(
            &Config::new(&kafka, &topic, v1(&influx, &database, login)).mapping(&mapping).text(),
            &[],
        )
    };
    for (login, word) in [
        (format!("username = '{user}'\npassword = 'wrong-secret'"), "influx.password"),
        (String::new(), "influx.username"),
    ] {
        let bridge = start(&login);
        let (_, took) = bridge.wait_for_log(&["ERROR", word], PATIENCE);
        measured(&format!("{word} named, from the start"), format!("{took:?}"));
        // The promise is 1 s. The limit allows for a busy machine.
        assert!(took < Duration::from_secs(3), "{took:?}");
        assert_eq!(bridge.log_with(&["wrong-secret"]), [""; 0]);
        bridge.stop();
    }
    let bridge = start(&format!("username = '{user}'\npassword = '{password}'"));
    influx.wait_for_count(10, PATIENCE, |influx| influx.count(&database, &topic, "value"));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn victoriametrics_takes_both_apis() {
    let live = Live::take_turn();
    let kafka = live.kafka();
    let topic = kafka.create_topic(live.name("victoria"), 1, 1);
    kafka.produce(&topic, numbers(0..100));
    for (version, victoria) in [("debian", live.victoria()), ("current", live.victoria2())] {
        takes_both_apis(&live, version, &victoria, &kafka, &topic);
    }
}

fn takes_both_apis(live: &Live, version: &str, victoria: &Http, kafka: &Kafka, topic: &str) {
    for (api, toml) in [
        ("v1", format!("url = '{}'\napi = 'v1'\ndatabase = 'any'", victoria.url())),
        ("v2", v2_with(victoria.url(), "any", "any")),
    ] {
        let name = live.name(&format!("{version}_{api}"));
        let mapping = format!("measurement = '{name}'\ntag_keys = ['host']");
        let config = Config::new(kafka, topic, toml).mapping(&mapping).group(&name);
        let (status, shown, _) = run_command(&config.text(), &["check", "--connect"]);
        assert_eq!(status, Some(0), "{shown}");
        let bridge = Bridge::start(&config.text(), &[]);
        kafka.group(&name).wait_until_settled(topic, 1, PATIENCE);
        // VictoriaMetrics shows stored values only after some seconds.
        let path = format!("/api/v1/export?match[]={name}_value");
        let all = || victoria.get(&path).ok().filter(|text| text.contains(r#""host":"h1""#));
        let all = || all().filter(|text| values(text) == 100);
        let (_, took) = wait_for("a hundred values in VictoriaMetrics", PATIENCE, all);
        measured(&format!("VictoriaMetrics {version}, {api}, committed to visible"), format!("{took:?}"));
        bridge.stop();
    }
}

/// Counts values. VictoriaMetrics keeps milliseconds only, so distinct nanosecond times appear as equal times.
fn values(export: &str) -> usize {
    let line = |line: &str| {
        let exported: serde_json::Value = serde_json::from_str(line).unwrap();
        exported["values"].as_array().unwrap().len()
    };
    export.lines().map(line).sum()
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_database_of_influxdb_2_without_a_mapping_is_named() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let (user, password) = live.influx2_v1_login();
    let topic = kafka.create_topic(live.name("dbrp"), 1, 1);
    kafka.produce(&topic, numbers(0..10));
    let influx = Influx::login(influx.url(), &user, &password);
    let toml = v1(&influx, "unmapped", &format!("username = '{user}'\npassword = '{password}'"));
    let bridge = Bridge::start(&Config::new(&kafka, &topic, toml).mapping(MAPPING).text(), &[]);
    bridge.wait_for_log(&["ERROR", "influx v1 dbrp create --db unmapped"], PATIENCE);
    bridge.stop();
}
