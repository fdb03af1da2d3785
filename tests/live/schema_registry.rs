//! Records of Confluent's serializers, with a real schema registry that is paused and killed.

use crate::support::config::v2;
use crate::support::{
    Bridge, Config, Influx, Kafka, Live, PATIENCE, Paused, Produced, Scene, basic, bridge_binary,
    login_before, run_command, wait_for,
};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

/// Writes records with the serializer of a format, by a version of its schema. Returns the ids of the topic's schemas.
fn produce(
    live: &Live,
    kafka: &Kafka,
    topic: &str,
    (format, version): (&str, u32),
    (first, count): (u64, u64),
) -> Vec<u32> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stack/registry");
    let python = Command::new(folder.join("serializers")).output().unwrap();
    assert!(python.status.success(), "{python:?}");
    let python = String::from_utf8(python.stdout).unwrap();
    let output = Command::new(python.trim())
        .arg(folder.join("produce.py"))
        .args([kafka.brokers(), &live.registry(), topic, format, &version.to_string()])
        .args([first.to_string(), count.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    shown.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

const MAPPING: &str =
    "measurement = 'm'\ntag_keys = ['id', 'tags_*']\ntime_key = 'at'\nformat = 'avro'\nintegers = 'int'";

fn registry(live: &Live, more: &str) -> String {
    format!("[schema_registry]\nurl = '{}'\n{more}", live.registry())
}

/// Waits until these numbers are stored, each once, and checks their values.
fn assert_stored(influx: &Influx, bucket: &str, numbers: std::ops::Range<u64>) {
    let points = wait_for("all points", PATIENCE, || {
        let points = influx.try_points(bucket).ok()?;
        (points.len() as u64 >= numbers.end).then_some(points)
    });
    let mut stored: Vec<u64> = points.0.iter().map(|point| point.tags["id"].parse().unwrap()).collect();
    stored.sort_unstable();
    assert_eq!(stored, numbers.collect::<Vec<_>>());
    for point in &points.0 {
        let number: u64 = point.tags["id"].parse().unwrap();
        assert_eq!(point.time, (1_700_000_000_000 + number as i64) * 1_000_000);
        // InfluxDB writes the float 0.0 as 0.
        let load = point.fields.get("load").and_then(Value::as_f64);
        assert_eq!(load, (number % 10 != 3).then_some(number as f64 / 2.0));
        assert_eq!(point.fields["cost"].as_f64(), Some(number as f64 / 100.0));
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn schemas_evolve_while_the_bridge_runs() {
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("avro", 1);
    let first = produce(&live, &kafka, &topic, ("avro", 1), (0, 2_000));
    let top = registry(&live, "");
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).top(&top);
    let (status, shown, _) = run_command(&config.text(), &["check", "--connect"]);
    assert!(status == Some(0) && shown.contains("it has a schema of the sampled records"), "{shown}");
    let bridge = Bridge::start_watched(&config.text(), &[]);
    assert_stored(&influx, &bucket, 0..2_000);
    let both = produce(&live, &kafka, &topic, ("avro", 2), (2_000, 2_000));
    assert_eq!((first.len(), both.len()), (1, 2), "the schema has a new version");
    // Producers of the old version write on.
    produce(&live, &kafka, &topic, ("avro", 1), (4_000, 2_000));
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    assert_stored(&influx, &bucket, 0..6_000);
    let of_second = influx.points(&bucket).into_iter().filter(|point| point.fields.contains_key("count"));
    for point in of_second {
        let number: u64 = point.tags["id"].parse().unwrap();
        assert_eq!(point.tags["tags_site"], "seoul");
        assert_eq!(point.fields["count"].as_u64(), Some((1 << 60) + number));
    }
    assert_eq!(bridge.metric("schemas"), 2);
    bridge.stop();
}

/// Its file imports another one, and its message is not the first one.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn schemas_of_protobuf_are_read_with_their_imports() {
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("protobuf", 1);
    produce(&live, &kafka, &topic, ("protobuf", 1), (0, 1_000));
    let proposed = Command::new(bridge_binary())
        .args(["init", "--brokers", kafka.brokers(), "--topic", &topic, "-o", "-"])
        .args(["--schema-registry", &live.registry()])
        .output()
        .unwrap();
    let proposed = String::from_utf8_lossy(&proposed.stdout).into_owned();
    assert!(proposed.contains("\nformat = \"protobuf\"\n"), "{proposed}");
    assert!(proposed.contains("\ntime_key = \"at\"\n"), "{proposed}");
    let (top, mapping) = (registry(&live, ""), MAPPING.replace("avro", "protobuf"));
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(&mapping).top(&top);
    let (status, shown, _) = run_command(&config.text(), &["check", "--connect"]);
    assert!(status == Some(0) && shown.contains("it has a schema of the sampled records"), "{shown}");
    let bridge = Bridge::start_watched(&config.text(), &[]);
    assert_stored(&influx, &bucket, 0..1_000);
    let both = produce(&live, &kafka, &topic, ("protobuf", 2), (1_000, 1_000));
    assert_eq!(both.len(), 2, "the schema has a new version");
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    assert_stored(&influx, &bucket, 0..2_000);
    let of_second = influx.points(&bucket).into_iter().filter(|point| point.fields.contains_key("count"));
    let of_second: Vec<_> = of_second.collect();
    assert_eq!(of_second.len(), 1_000);
    for point in of_second {
        let number: u64 = point.tags["id"].parse().unwrap();
        assert_eq!(point.tags["tags_site"], "seoul");
        assert_eq!(point.fields["count"].as_u64(), Some((1 << 60) + number));
    }
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn records_of_json_schema_need_no_registry() {
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("json_schema", 1);
    produce(&live, &kafka, &topic, ("json", 1), (0, 500));
    let mapping = "measurement = 'm'\ntag_keys = ['id']\ntime_key = 'at'\ntime_format = 'unix_ms'";
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(mapping);
    let bridge = Bridge::start(&config.text(), &[]);
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    assert_eq!(influx.points(&bucket).len(), 500);
    bridge.stop();
}

/// The registry is paused for 20 s; then it is killed, which costs it its schemas, because it keeps them in memory.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_registry_that_is_down_blocks_new_schemas_only() {
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("registry_down", 1);
    produce(&live, &kafka, &topic, ("avro", 1), (0, 100));
    let top = registry(&live, "");
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).top(&top);
    let bridge = Bridge::start(&config.text(), &[]);
    assert_stored(&influx, &bucket, 0..100);
    produce(&live, &kafka, &topic, ("avro", 2), (100, 0));
    bridge.stop();
    // Both versions are registered. A bridge that knows none of them starts while the registry hangs.
    produce(&live, &kafka, &topic, ("avro", 2), (100, 100));
    let paused = Paused::pause(live.server_pid("registry"));
    let bridge = Bridge::start(&config.text(), &[]);
    bridge.wait_for_log(&["schema_registry", "does not answer", &topic], Duration::from_mins(1));
    thread::sleep(Duration::from_secs(20));
    drop(paused);
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    assert_stored(&influx, &bucket, 0..200);
    bridge.stop();
    let killed =
        Command::new("kill").args(["-KILL", &live.server_pid("registry").to_string()]).status().unwrap();
    assert!(killed.success());
    let bridge = Bridge::start(&config.text(), &[]);
    live.bring_up("registry");
    let ids = produce(&live, &kafka, &topic, ("avro", 2), (200, 100));
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    // The registry counts its ids from the beginning: a new id for the same schema.
    assert_eq!(ids.len(), 1);
    assert_stored(&influx, &bucket, 0..300);
    bridge.stop();
}

/// The password is read from its file again, so that nothing has to be restarted.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_refused_login_blocks_the_topic_until_the_password_is_corrected() {
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("registry_login", 1);
    produce(&live, &kafka, &topic, ("avro", 1), (0, 100));
    let url = live.registry();
    let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let address = login_before(&format!("http://{host}"), &basic("bridge", "right"));
    let password = std::env::temp_dir().join(format!("registry-password-{}", std::process::id()));
    fs::write(&password, "wrong").unwrap();
    let top = format!(
        "[schema_registry]\nurl = 'http://{address}/{path}'\nusername = 'bridge'\npassword = '${{file:{}}}'\n",
        password.display()
    );
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).top(&top);
    let (status, shown, _) = run_command(&config.text(), &["check", "--connect"]);
    assert!(status == Some(1) && shown.contains("refuses the login (401 Unauthorized)"), "{shown}");
    let bridge = Bridge::start(&config.text(), &[]);
    let words = ["schema_registry", "refuses the login (401 Unauthorized)", "`password`", &topic];
    bridge.wait_for_log(&words, Duration::from_mins(1));
    assert_eq!(influx.points(&bucket).len(), 0);
    fs::write(&password, "right").unwrap();
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    assert_stored(&influx, &bucket, 0..100);
    bridge.stop();
    fs::remove_file(&password).unwrap();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn an_id_that_is_registered_later_is_waited_for() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let (topic, other) =
        (kafka.create_topic(live.name("registered_later"), 1, 1), live.name("registered_before"));
    let bucket = influx.create_bucket(live.name("registered_later"));
    let client = crate::support::Http::new(&live.registry(), None);
    // A schema that is known already, also under another subject, keeps its id: each name is new.
    let register = |topic: &str| {
        let fields = r#"[{"name":"id","type":"string"},{"name":"v","type":"int"}]"#;
        let schema = format!(r#"{{"type":"record","name":"{topic}","fields":{fields}}}"#);
        let body = json!({ "schema": schema }).to_string();
        let path = format!("/subjects/{topic}-value/versions");
        let got = client.post(&path, "application/vnd.schemaregistry.v1+json", &body).unwrap();
        let got: Value = serde_json::from_str(&got).unwrap();
        got["id"].as_u64().unwrap() as u32
    };
    // The registry gives ids in order, so that the next one is known.
    let next = register(&other) + 1;
    let framed =
        |id: u32, number: u8| [&[0][..], &id.to_be_bytes(), &[2, b'0' + number, number * 2]].concat();
    kafka.produce(&topic, (0..5).map(|number| Produced::new(framed(next, number))));
    let top = registry(&live, "");
    let mapping = "measurement = 'm'\ntag_keys = ['id']\nformat = 'avro'";
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(mapping).top(&top);
    let bridge = Bridge::start(&config.text(), &[]);
    let id = format!("needs schema {next}");
    bridge.wait_for_log(&["schema_unknown", &id, "offset 0 of partition 0"], Duration::from_mins(1));
    assert_eq!(register(&topic), next);
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    assert_eq!(influx.points(&bucket).len(), 5);
    bridge.stop();
}
