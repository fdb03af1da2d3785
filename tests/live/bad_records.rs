//! Bad records between good ones.

use crate::support::config::v2;
use crate::support::{Bridge, Config, PATIENCE, Produced, Scene};
use std::iter::once;

/// One record of each kind, with the reason that the log must give.
fn bad() -> Vec<(&'static str, Produced)> {
    let new = |text: &str| Produced::new(text);
    let deep = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    let garbage: Vec<u8> = (0..1_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let large = format!(r#"{{"value":1,"pad":"{}"}}"#, "x".repeat(1_500_000));
    vec![
        ("empty", new("")),
        ("empty", new("  \n")),
        ("undecodable", new(r#"{"value":"#)),
        ("undecodable", new("connection lost")),
        ("undecodable", Produced::new(garbage)),
        ("undecodable", Produced::new(vec![0xff, 0xfe, 0x00])),
        ("undecodable", new("{\"value\":1} trailing")),
        ("too_large", new(&large)),
        ("too_deep", new(&deep)),
        ("too_deep", new(&"[".repeat(900_000))),
        ("not_an_object", new("5")),
        ("not_an_object", new(r#""text""#)),
        ("not_an_object", new(r#"[{"at":1767225600,"value":1},2]"#)),
        ("time", new(r#"{"value":1}"#)),
        ("time", new(r#"{"at":"yesterday","value":1}"#)),
        ("time", new(r#"{"at":1e300,"value":1}"#)),
        ("time", new(r#"{"at":99999999999999,"value":1}"#)),
        ("too_long", new(&format!(r#"{{"at":1767225600,"{}":1}}"#, "k".repeat(70_000)))),
    ]
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn bad_records_are_rejected_alone() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("bad", 1);
    let mapping = "measurement = 'm'\ntime_key = 'at'\ntime_format = 'unix'\nstring_fields = ['pad']";
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(mapping);
    let bridge = Bridge::start(&config.text(), &[]);
    bridge.wait_until_assigned(&topic);

    let good = |i: usize| Produced::new(format!(r#"{{"at":{},"value":{i}}}"#, 1_767_225_600 + i));
    let bad = bad();
    let mixed = bad.iter().enumerate().flat_map(|(i, (_, bad))| [good(i), bad.clone()]);
    kafka.produce(&topic, mixed.chain(once(good(bad.len()))));
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    assert_eq!(influx.count(&bucket, "m", "value"), bad.len() as u64 + 1);

    // At most one line a second for each reason, with the record's position.
    let reasons: std::collections::BTreeSet<&str> = bad.iter().map(|(reason, _)| *reason).collect();
    for reason in reasons {
        let logged =
            bridge.log_with(&["record rejected", &topic, "partition=0", &format!("reason=\"{reason}\"")]);
        let offset = 1 + 2 * bad.iter().position(|(rejected_for, _)| *rejected_for == reason).unwrap();
        assert!(
            logged.first().is_some_and(|line| line.contains(&format!("offset={offset} "))),
            "{reason} at {offset}: {logged:?}"
        );
        assert!(logged.len() <= 3, "{logged:?}");
    }
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn refused_points_are_logged_with_their_record() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("refused", 1);
    let mapping = "measurement = 'm'\nstring_fields = ['value']\ntags = { site = 'seoul' }";
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(mapping);
    kafka.produce(&topic, [Produced::new(r#"{"value":1}"#)]);
    let bridge = Bridge::start(&config.text(), &[]);
    influx.wait_for_count(1, PATIENCE, |influx| influx.count(&bucket, "m", "value"));
    // Three records that conflict with the field's type, between good ones.
    let record = |i: usize| {
        Produced::new(if [100, 101, 1500].contains(&i) {
            r#"{"value":"text"}"#.to_owned()
        } else {
            format!(r#"{{"value":{i}}}"#)
        })
    };
    kafka.produce(&topic, (1..2_001).map(record));
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    assert_eq!(influx.count(&bucket, "m", "value"), 1_998);
    let (message, _) = bridge.wait_for_log(&["line refused by influxdb", "offset=100 "], PATIENCE);
    assert!(message.contains("type conflict"), "{message}");
    bridge.stop();
}
