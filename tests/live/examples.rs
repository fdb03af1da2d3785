//! Every example runs unchanged, except for its addresses and names.

use crate::example_records::{ExampleRecords, REGISTRY};
use crate::support::digits::topic_digits;
use crate::support::{
    Bridge, Example, Http, Influx, Live, PATIENCE, Produced, Scene, Stored, TIME_MS, assert_points,
    fields_of, measured, wait_for,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const KAFKA: &str = "brokers = [\"localhost:9092\"]";
const INFLUX: &str = "http://localhost:8086";
/// The promise for the default configuration is 2 s. Twice that allows for a busy machine.
const VISIBLE_MAX: Duration = Duration::from_secs(4);

fn token() -> [(&'static str, String); 1] {
    [("INFLUX_TOKEN", std::env::var("BRIDGE_LIVE_INFLUX2_TOKEN").unwrap())]
}

fn start(example: &Example, variables: &[(&str, String)]) -> Bridge {
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Bridge::start(&example.config, &variables)
}

/// Waits until the database has as many points and fields as the example expects, then compares them. While InfluxDB stores a
/// request, a query may return a point with only some of its fields.
fn assert_expected(influx: &Influx, database: &str, expected: &str) {
    let (count, fields) = (expected.lines().count(), fields_of(expected));
    let what = format!("{count} points with {fields} fields in {database}");
    let stored = |points: &[Stored]| points.iter().map(|point| point.fields.len()).sum::<usize>();
    let is_all = |points: &Vec<Stored>| points.len() >= count && stored(points) >= fields;
    let (points, _) = wait_for(&what, PATIENCE, || influx.try_points(database).ok().filter(is_all));
    assert_points(&points, expected);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn ec2_telegraf_can_be_queried_within_two_seconds() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = kafka.create_topic(live.name("testtopic"), 1, 1);
    let bucket = influx.create_bucket(live.name("ec2"));
    let example = Example::read("ec2-telegraf")
        .set(KAFKA, &format!("brokers = {}", kafka.brokers_toml()))
        .group(&topic)
        .set("\"testtopic\"", &format!("\"{topic}\""))
        .set("\"ec2\"", &format!("\"{bucket}\""))
        .set(INFLUX, influx.url());
    let bridge = start(&example, &token());
    bridge.wait_until_assigned(&topic);

    let mut records = example.produced().into_iter();
    let flux = format!(
        "from(bucket: \"{bucket}\") |> range(start: 2025-01-01T00:00:00Z) \
         |> filter(fn: (r) => r._measurement == \"telegraf\" and r.host == \"Cluster\" and r.test == \"{topic}\") \
         |> group() |> count()"
    );
    let begin = Instant::now();
    kafka.produce(&topic, records.next());
    wait_for("six fields by Flux", VISIBLE_MAX, || influx.flux(&flux).contains(",6").then_some(()));
    let took = begin.elapsed();
    measured("ec2-telegraf, produced to queried", format!("{took:?}"));
    assert!(took < VISIBLE_MAX, "{took:?}");

    kafka.produce(&topic, records);
    assert_expected(&influx, &bucket, &example.expected_in("testtopic", &topic).replace("testtopic", &topic));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn telegraf_json_doc_gives_the_documented_points() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("json_doc", 1);
    let example = Example::read("telegraf-json-doc")
        .set(KAFKA, &format!("brokers = {}", kafka.brokers_toml()))
        .group(&topic)
        .set("topics = [\"telegraf\"]", &format!("topics = [\"{topic}\"]"))
        .set("bucket = \"telegraf\"", &format!("bucket = \"{bucket}\""))
        .set(INFLUX, influx.url());
    kafka.produce(&topic, example.produced());
    let bridge = start(&example, &token());
    assert_expected(&influx, &bucket, &example.expected_in("telegraf", &topic));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn smartx_labs_is_read_back_as_chronograf_does() {
    let live = Live::take_turn();
    let kafka = live.kafka3();
    let (user, password) = live.influx2_v1_login();
    let influx = Influx::login(live.influx2().url(), &user, &password);
    let topic = kafka.create_topic(live.name("resource"), 3, 3);
    let example = Example::read("smartx-labs")
        .set("[\"broker1:9092\", \"broker2:9092\", \"broker3:9092\"]", &kafka.brokers_toml())
        .group(&topic)
        .set("topics = [\"resource\"]", &format!("topics = [\"{topic}\"]"))
        .set("\"tower\"", &format!("\"{user}\""))
        .set(INFLUX, influx.url());
    // All runs share the database of this server's DBRP mapping, so this run selects its points by time.
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let spread = example.records.iter().zip(0_i32..);
    let records =
        spread.map(|(record, i)| Produced::new(record.as_str()).to(i % 3).at(now_ms + i64::from(i)));
    kafka.produce(&topic, records);
    let bridge = start(&example, &[("INFLUX_PASSWORD", password)]);

    let since = |select: &str| format!("{select} WHERE time >= {now_ms}000000");
    let select = since("SELECT \"memory\" FROM \"Labs\".\"autogen\".\"labs\"");
    let memory = || influx.query("Labs", &select).first().map(|series| series["values"].clone());
    let full = |values: &serde_json::Value| {
        values.as_array().is_some_and(|rows| rows.len() == example.records.len())
    };
    let (values, _) = wait_for("all of memory", PATIENCE, || memory().filter(full));
    let rows: Vec<f64> = values.as_array().unwrap().iter().map(|row| row[1].as_f64().unwrap()).collect();
    assert_eq!(rows, [51.3, 48.25, 47.9, 60.5, 50.1]);

    // All fields and tags, with the times derived from topic, partition and offset.
    let lines = example.expected.lines().zip(0_i64..).map(|(line, i)| {
        let digits = (i / 3 * 1009 + i % 3 * 499_979 + topic_digits(&topic)) % 1_000_000;
        let (rest, _) = line.rsplit_once(' ').unwrap();
        format!("{rest} {}\n", (now_ms + i) * 1_000_000 + digits)
    });
    let series = influx.query("Labs", &format!("{} GROUP BY *", since("SELECT * FROM labs")));
    assert_points(&Stored::of_all(&series), &lines.collect::<String>());
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn broker_metrics_stay_integers() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx1());
    let topic = kafka.create_topic(live.name("kafka.metrics.processed"), 1, 1);
    let database = live.name("kmetrics");
    let example = Example::read("broker-metrics")
        .set(KAFKA, &format!("brokers = {}", kafka.brokers_toml()))
        .set("\"kafka-fluentd-influxdb\"", &format!("\"{topic}\""))
        .set("\"kafka.metrics.processed\"]", &format!("\"{topic}\"]"))
        .set("\"kmetrics\"", &format!("\"{database}\""))
        .add("influx", "create_database = true")
        .set(INFLUX, influx.url());
    kafka.produce(&topic, example.produced());
    let bridge = start(&example, &[]);
    assert_expected(&influx, &database, &example.expected);
    let keys = influx.query(&database, "SHOW FIELD KEYS FROM \"kafka.broker\"");
    let types = keys[0]["values"].to_string();
    assert!(types.contains(r#"["BytesIn","integer"]"#), "{types}");
    assert!(types.contains(r#"["Partitions_Leader","integer"]"#), "{types}");
    assert!(types.contains(r#"["state","string"]"#), "{types}");
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn telegraf_agent_fills_two_databases() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx1());
    let telegraf = kafka.create_topic(live.name("telegraf"), 1, 1);
    let service = kafka.create_topic(live.name("service"), 1, 1);
    let example = Example::read("telegraf-agent")
        .set(KAFKA, &format!("brokers = {}", kafka.brokers_toml()))
        .group(&telegraf)
        .set("\"telegraf\"", &format!("\"{telegraf}\""))
        .set("\"service\"", &format!("\"{service}\""))
        .set(INFLUX, influx.url());
    let bridge = start(&example, &[]);
    let cpu = |second: i64, usage: f64| {
        Produced::new(format!(
            r#"{{"fields":{{"usage_system":{usage}}},"name":"cpu","tags":{{"host":"h2","cpu":"cpu0"}},"timestamp":{}}}"#,
            1_767_225_600 + second
        ))
    };
    let calls = |second: i64| {
        Produced::new(format!(
            r#"{{"fields":{{"calls":{second},"state":"up"}},"name":"serviceA","tags":{{"host":"h1"}},"timestamp":{}}}"#,
            1_767_225_600 + second
        ))
    };
    kafka.produce(&service, (0..8).map(calls));
    kafka.produce(&telegraf, example.produced());
    assert_expected(&influx, &telegraf, &example.expected);

    kafka.produce(&telegraf, [cpu(10, 2.5), cpu(40, 4.0), cpu(50, 6.0)]);
    influx.wait_for_count(4, PATIENCE, |influx| influx.count(&telegraf, "cpu", "usage_system"));
    let mean = "SELECT mean(usage_system) FROM cpu WHERE time > '2025-12-31T23:59:59Z' AND \
                time < '2026-01-01T00:01:00Z' GROUP BY time(30s) fill(none)";
    let means = influx.query(&telegraf, mean);
    let means: Vec<f64> =
        means[0]["values"].as_array().unwrap().iter().map(|row| row[1].as_f64().unwrap()).collect();
    assert_eq!(means, [2.0, 5.0]);

    influx.wait_for_count(8, PATIENCE, |influx| influx.count(&service, "serviceA", "calls"));
    let rows = influx.query(&service, "SELECT * FROM serviceA LIMIT 5");
    assert_eq!(rows[0]["columns"].to_string(), r#"["time","calls","host","state"]"#);
    assert_eq!(rows[0]["values"].as_array().unwrap().len(), 5);
    assert_eq!(rows[0]["values"][4].to_string(), r#"[1767225604000000000,4,"h1","up"]"#);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn json_lines_keep_64_bit_identifiers() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("tweets", 1);
    let example = Example::read("json-lines")
        .set(KAFKA, &format!("brokers = {}", kafka.brokers_toml()))
        .group(&topic)
        .set("topics = [\"tweets\"]", &format!("topics = [\"{topic}\"]"))
        .set("bucket = \"tweets\"", &format!("bucket = \"{bucket}\""))
        .set(INFLUX, influx.url());
    // The good objects as lines of one record, the bad ones as another record.
    let (good, bad) = example.records.split_at(3);
    kafka.produce(&topic, [Produced::new(good.join("\n")), Produced::new(bad.join("\n"))]);
    let bridge = start(&example, &token());
    assert_expected(&influx, &bucket, &example.expected);
    let ids = influx.query(&bucket, "SELECT id FROM tweets");
    let ids: Vec<i64> =
        ids[0]["values"].as_array().unwrap().iter().map(|row| row[1].as_i64().unwrap()).collect();
    assert!(ids.contains(&2_006_529_100_923_469_825) && ids.contains(&i64::MAX), "{ids:?}");
    bridge.wait_for_log(&["record rejected", "@timestamp"], PATIENCE);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn debezium_rows_become_points() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = kafka.create_topic(live.name("plant.public.readings"), 1, 1);
    let bucket = influx.create_bucket(live.name("plant"));
    let example = Example::read("debezium-envelope")
        .set(KAFKA, &format!("brokers = {}", kafka.brokers_toml()))
        .group(&topic)
        .set(
            "topics = [\"plant.public.readings\", \"plant.public.events\"]",
            &format!("topics = [\"{topic}\"]"),
        )
        .set("topics = [\"plant.public.readings\"]", &format!("topics = [\"{topic}\"]"))
        .set("bucket = \"plant\"", &format!("bucket = \"{bucket}\""))
        .set(INFLUX, influx.url());
    kafka.produce(&topic, example.produced());
    // A tombstone follows each deleted row.
    kafka.produce(&topic, [Produced::default()]);
    let bridge = start(&example, &token());
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    // The corrected row replaces the first one of its time.
    let is_replaced = |line: &&str| !line.contains("temperature=71.75");
    let expected: Vec<&str> = example.expected.lines().filter(is_replaced).collect();
    assert_expected(&influx, &bucket, &expected.join("\n"));
    bridge.stop();
}

/// The records of a CSV file, each with the lines up to an empty one, or those of a file of lines.
fn records_of(name: &str, is_wanted: impl Fn(&[u8]) -> bool) -> Vec<Produced> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    // The time of a point depends on the record's offset, so that a null value replaces a record that is left out.
    let produced = |record: Vec<u8>| {
        if is_wanted(&record) { Produced::new(record).at(TIME_MS) } else { Produced::default() }
    };
    ExampleRecords::read(&folder).records.into_iter().map(produced).collect()
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn rows_of_csv_become_points() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("sensors", 1);
    let example = Example::read("csv-sensors")
        .set(KAFKA, &format!("brokers = {}", kafka.brokers_toml()))
        .group(&topic)
        .set("topics = [\"sensors\"]", &format!("topics = [\"{topic}\"]"))
        .set("bucket = \"sensors\"", &format!("bucket = \"{bucket}\""))
        .set(INFLUX, influx.url());
    kafka.produce(&topic, records_of("csv-sensors", |_| true));
    let bridge = start(&example, &token());
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    assert_expected(&influx, &bucket, &example.expected);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn lines_of_telegraf_are_stored_as_they_are() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("telegraf", 1);
    let example = Example::read("telegraf-line-protocol")
        .set(KAFKA, &format!("brokers = {}", kafka.brokers_toml()))
        .group(&topic)
        .set("topics = [\"telegraf\", \"scripts\"]", &format!("topics = [\"{topic}\"]"))
        .set("topics = [\"telegraf\"]", &format!("topics = [\"{topic}\"]"))
        .set("bucket = \"telegraf\"", &format!("bucket = \"{bucket}\""))
        .set(INFLUX, influx.url());
    // The comparison reads one point a line, no unsigned integers, and the last digit of JSON's numbers inexactly: "syslog" has a line
    // break in a text, and two others have such numbers.
    let is_compared = |record: &[u8]| {
        !["syslog", "since ", "disk", "cpu,cpu=cpu-total"]
            .iter()
            .any(|name| record.starts_with(name.as_bytes()))
    };
    kafka.produce(&topic, records_of("telegraf-line-protocol", is_compared));
    let bridge = start(&example, &token());
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    let expected = example.expected_in("telegraf", &topic);
    let compared: Vec<&str> = expected.lines().filter(|line| is_compared(line.as_bytes())).collect();
    assert_expected(&influx, &bucket, &compared.join("\n"));
    bridge.stop();
}

/// Registers the schemas of an example, and gives its records the ids that the registry has for them.
fn registered(live: &Live, name: &str) -> Vec<Produced> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let client = Http::new(&live.registry(), None);
    let register = |subject: &str, path: &Path| {
        let read: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let mut body = json!({ "schema": read["schema"] });
        for key in ["schemaType", "references"] {
            if let Some(value) = read.get(key) {
                body[key] = value.clone();
            }
        }
        let path = format!("/subjects/{subject}/versions");
        let got = client.post(&path, "application/vnd.schemaregistry.v1+json", &body.to_string()).unwrap();
        serde_json::from_str::<Value>(&got).unwrap()["id"].as_u64().unwrap() as u32
    };
    // Imported schemas come first.
    for subject in fs::read_dir(folder.join("subjects")).into_iter().flatten() {
        let subject = subject.unwrap();
        register(subject.file_name().to_str().unwrap(), &subject.path().join("versions/1"));
    }
    let mut ids = BTreeMap::new();
    for entry in fs::read_dir(folder.join("schemas/ids")).unwrap() {
        let path = entry.unwrap().path();
        let id: u32 = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        ids.insert(id, register(&format!("{name}-{id}"), &path));
    }
    let renumbered = |record: Vec<u8>| {
        let (head, rest) = record.split_first_chunk::<5>().unwrap();
        let id = ids[&u32::from_be_bytes([head[1], head[2], head[3], head[4]])];
        Produced::new([&[0][..], &id.to_be_bytes(), rest].concat())
    };
    ExampleRecords::read(&folder).records.into_iter().map(renumbered).collect()
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn examples_with_a_registry_are_read_by_its_schemas() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    for (name, own, bucket) in
        [("avro-registry", "machines", "machines"), ("protobuf-registry", "positions", "vehicles")]
    {
        let topic = kafka.create_topic(live.name(own), 1, 1);
        let into = influx.create_bucket(live.name(bucket));
        let example = Example::read(name)
            .set(KAFKA, &format!("brokers = {}", kafka.brokers_toml()))
            .group(&topic)
            .set(&format!("topics = [\"{own}\"]"), &format!("topics = [\"{topic}\"]"))
            .set(&format!("bucket = \"{bucket}\""), &format!("bucket = \"{into}\""))
            .set(REGISTRY, &live.registry())
            .set(INFLUX, influx.url());
        kafka.produce(&topic, registered(&live, name));
        let bridge = start(&example, &token());
        kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
        assert_expected(&influx, &into, &example.expected);
        bridge.stop();
    }
}
