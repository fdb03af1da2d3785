//! Text in all scripts and encodings passes through both servers.

use crate::support::config::{v1, v2};
use crate::support::{Bridge, Config, Live, PATIENCE, Produced, Scene, Stored};
use serde_json::json;

fn tag<'a>(point: &'a Stored, key: &str) -> &'a str {
    &point.tags[key]
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn hangul_and_emoji_are_read_back() {
    let live = Live::take_turn();
    let (kafka, influx2, influx1) = (live.kafka(), live.influx2(), live.influx1());
    let topic = kafka.create_topic(live.name("text"), 1, 1);
    let bucket = influx2.create_bucket(live.name("text"));
    let database = live.name("text");
    let record = r#"{"name":"온도 🌡","지역":"서울, 강남 🏙","메모":"안녕 \"세계\" 👋 \\ ","값":21.5}"#;
    // EUC-KR bytes of 서울, in a tag and a field.
    let mut bytes = Vec::new();
    bytes.extend_from_slice("{\"name\":\"euckr\",\"지역\":\"".as_bytes());
    bytes.extend_from_slice(b"\xbc\xad\xbf\xef\",\"");
    bytes.extend_from_slice("메모\":\"".as_bytes());
    bytes.extend_from_slice(b"\xbc\xad\xbf\xef\",\"v\":1}");
    kafka.produce(&topic, [Produced::new(record), Produced::new(bytes)]);
    let mapping = "name_key = 'name'\ntag_keys = ['지역']\nstring_fields = ['메모']";

    let targets = [
        (2, &influx2, v2(&influx2, &bucket), &bucket),
        (1, &influx1, v1(&influx1, &database, "create_database = true"), &database),
    ];
    for (generation, influx, toml, database) in targets {
        let group = format!("{database}_{generation}");
        let config = Config::new(&kafka, &topic, toml).mapping(mapping).group(&group);
        let bridge = Bridge::start(&config.text(), &[]);
        kafka.group(&group).wait_until_settled(&topic, 1, PATIENCE);
        let points = influx.points(database);
        assert_eq!(points.len(), 2, "{points:#?}");
        let euckr = points.iter().find(|point| point.measurement == "euckr").unwrap();
        let replaced = tag(euckr, "지역");
        assert!(replaced.contains('\u{FFFD}'), "{replaced:?}");
        assert!(euckr.fields["메모"].as_str().unwrap().contains('\u{FFFD}'), "{euckr:?}");
        let point = points.iter().find(|point| point.measurement == "온도 🌡").unwrap();
        assert_eq!(tag(point, "지역"), "서울, 강남 🏙");
        assert_eq!(point.fields["메모"], json!("안녕 \"세계\" 👋 \\ "));
        assert_eq!(point.fields["값"], json!(21.5));
        bridge.stop();
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn local_times_of_seoul_need_no_zone_files() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("seoul", 1);
    kafka.produce(&topic, [Produced::new(r#"{"at":"2026-01-01 09:00:00","value":1}"#)]);
    let mapping =
        "measurement = 'm'\ntime_key = 'at'\ntime_format = '%Y-%m-%d %H:%M:%S'\ntimezone = 'Asia/Seoul'";
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(mapping).text();
    // Simulates a system without zone files, as far as a process allows.
    let bridge = Bridge::start(&config, &[("TZDIR", "/nonexistent"), ("TZ", "")]);
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    assert_eq!(influx.points(&bucket)[0].time, 1_767_225_600_000_000_000);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_configuration_from_windows_and_pretty_printed_records_are_read() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("pretty", 1);
    let pretty = "\u{feff}{\r\n  \"name\" : \"m\",\r\n  \"cpu\" : {\r\n    \"user\" : 1.5,\r\n    \"system\" : [ 1, 2 ]\r\n  }\r\n}\r\n";
    kafka.produce(&topic, [Produced::new(&pretty["\u{feff}".len()..]), Produced::new(pretty)]);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping("name_key = 'name'").text();
    let windows = format!("\u{feff}{}", format!("{config}\n[admin]\nlisten = ''\n").replace('\n', "\r\n"));
    let bridge = Bridge::start_bytes(windows, &[]);
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    let points = influx.points(&bucket);
    assert_eq!(points.len(), 2, "{points:#?}");
    for point in &points {
        let fields: Vec<&str> = point.fields.keys().map(String::as_str).collect();
        assert_eq!(
            (point.measurement.as_str(), fields),
            ("m", vec!["cpu_system_0", "cpu_system_1", "cpu_user"])
        );
    }
    bridge.stop();
}
