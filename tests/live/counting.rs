//! Every record becomes its own point, even if only Kafka's timestamp distinguishes the records.

use crate::support::config::v2;
use crate::support::{Bridge, Config, PATIENCE, Produced, Scene, measured};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const PARTITIONS: i32 = 6;
const SERIES: usize = 100;

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_million_records_without_a_time_are_a_million_points() {
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("million", PARTITIONS);
    let records = live.records();
    let config =
        Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping("measurement = 'm'\ntag_keys = ['host']");
    // All records of a host are in one partition, as with a key.
    let record = |i: usize| {
        let host = i % SERIES;
        Produced::new(format!(r#"{{"host":"h{host}","value":{i}}}"#)).to(host as i32 % PARTITIONS)
    };
    kafka.produce(&topic, (0..records).map(record));

    let begin = Instant::now();
    let bridge = Bridge::start(&config.text(), &[]);
    let settled = kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE * 3);
    measured("records settled", format!("{records} in {:?} from the start", begin.elapsed()));
    measured("records a second", format!("{:.0}", records as f64 / settled.as_secs_f64()));
    measured("resident at most", format!("{} kB", bridge.resident_max_kb()));
    assert_eq!(influx.count(&bucket, "m", "value"), records as u64);
    // The values are the numbers from 0 on, so their sum shows lost and doubled values.
    let sum = influx.query(&bucket, "SELECT sum(value), max(value), min(value) FROM m");
    let row = &sum[0]["values"][0];
    assert_eq!(row[1].as_f64(), Some((records * (records - 1) / 2) as f64));
    assert_eq!(row[2].as_f64(), Some((records - 1) as f64));
    assert_eq!(influx.query(&bucket, "SHOW SERIES")[0]["values"].as_array().unwrap().len(), SERIES);
    let flux = format!("from(bucket: \"{bucket}\") |> range(start: 0) |> group() |> count()");
    assert!(influx.flux(&flux).contains(&format!(",{records}\r\n")), "Flux counts otherwise");
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn records_of_one_millisecond_and_one_series_stay_apart() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("millisecond", 1);
    let now_ms = now_ms();
    let record = |i: usize| Produced::new(format!(r#"{{"value":{i}}}"#)).at(now_ms);
    kafka.produce(&topic, (0..10_000).map(record));
    let bridge = Bridge::start(
        &Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping("measurement = 'm'").text(),
        &[],
    );
    kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
    assert_eq!(influx.count(&bucket, "m", "value"), 10_000);
    let within = format!("SELECT count(value) FROM m WHERE time >= {now_ms}ms AND time < {}ms", now_ms + 1);
    assert_eq!(influx.query(&bucket, &within)[0]["values"][0][1].as_u64(), Some(10_000));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn replaying_everything_changes_nothing() {
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("replay", 3);
    let record =
        |i: usize| Produced::new(format!(r#"[{{"value":{i}}},{{"value":{}}}]"#, -1)).to(i as i32 % 3);
    kafka.produce(&topic, (0..3_000).map(record));
    let mapping = "measurement = 'm'\npartition_tag = 'partition'";
    for group in ["one", "two"].map(|group| live.name(group)) {
        let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(mapping).group(&group);
        let bridge = Bridge::start(&config.text(), &[]);
        kafka.group(&group).wait_until_settled(&topic, 3, PATIENCE);
        assert_eq!(influx.count(&bucket, "m", "value"), 6_000, "{group}");
        bridge.stop();
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_single_record_can_be_queried_within_seconds() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("quiet", 1);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping("measurement = 'm'");
    let bridge = Bridge::start(&config.text(), &[]);
    bridge.wait_until_assigned(&topic);
    let mut slowest = Duration::ZERO;
    for i in 0..10_u64 {
        let begin = Instant::now();
        kafka.produce(&topic, [Produced::new(format!(r#"{{"value":{i}}}"#))]);
        influx.wait_for_count(i + 1, PATIENCE, |influx| influx.count(&bucket, "m", "value"));
        slowest = slowest.max(begin.elapsed());
    }
    measured("slowest of ten single records, produced to queried", format!("{slowest:?}"));
    // The promise is 2 s. The limit allows for a busy machine.
    assert!(slowest < Duration::from_secs(4), "{slowest:?}");
    bridge.stop();
}
