//! Failures that need an operator: the bridge blocks, reports the cause, and resumes by itself.

use crate::support::config::{v2, v2_with};
use crate::support::numbers::MAPPING;
use crate::support::{Bridge, Config, Influx, Live, Numbers, PATIENCE, Scene, measured, wait_for};
use std::fs;
use std::time::Instant;

const PARTITIONS: i32 = 3;
const RECORDS_A_SECOND: u64 = 5_000;

fn wait_until_held(bridge: &Bridge, cause: &str) {
    bridge.wait_for_log(
        &["ERROR", "blocked, records stay uncommitted", &format!("cause=\"{cause}\"")],
        PATIENCE,
    );
    assert_eq!(bridge.samples("blocked"), [1.0], "/metrics shows the block");
}

fn wait_until_resumed(bridge: &Bridge, cause: &str) {
    let begin = Instant::now();
    let resumed = || bridge.log_with(&["writing goes on", &format!("cause=\"{cause}\"")]).pop();
    wait_for("the bridge resumes by itself", PATIENCE, resumed);
    measured("writing resumed after", format!("{:?}", begin.elapsed()));
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_deleted_bucket_that_is_created_again_gets_all_records_since_then() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("deleted", PARTITIONS);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping(MAPPING).text();
    let bridge = Bridge::start_watched(&config, &[]);
    let numbers = Numbers::new(&topic, PARTITIONS as u64);
    numbers.produce(&kafka, 0..9_000);
    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE);

    influx.delete_bucket(&bucket);
    let load = numbers.load(&kafka, 9_000, RECORDS_A_SECOND);
    wait_until_held(&bridge, "bucket_missing");
    influx.create_bucket(bucket.clone());
    wait_until_resumed(&bridge, "bucket_missing");
    let records = load.end();
    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE);
    // Points stored earlier were deleted with the bucket. Their offsets stay committed.
    numbers.assert_stored(&influx, &bucket, 9_000..records);
    assert_eq!(bridge.metric("lines_refused_total"), 0);
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_token_that_is_revoked_is_read_again_from_its_file() {
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("revoked", PARTITIONS);
    let file = TokenFile(live.path("token"));
    let (first_id, first) = influx.create_token(&bucket);
    file.write(&first);
    let toml = v2_with(influx.url(), &bucket, &format!("${{file:{}}}", file.0.display()));
    let config = Config::new(&kafka, &topic, toml).mapping(MAPPING).text();
    let bridge = Bridge::start_watched(&config, &[]);
    let numbers = Numbers::new(&topic, PARTITIONS as u64);
    let load = numbers.load(&kafka, 0, RECORDS_A_SECOND);
    bridge.wait_for_log(&["first lines stored"], PATIENCE);

    influx.revoke_token(&first_id);
    wait_until_held(&bridge, "unauthorized");
    let (_, second) = influx.create_token(&bucket);
    file.write(&second);
    wait_until_resumed(&bridge, "unauthorized");
    assert_eq!(bridge.log_with(&["the credential for InfluxDB has changed"]).len(), 1);
    let records = load.end();
    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE);
    numbers.assert_stored(&influx, &bucket, 0..records);
    for secret in [first, second] {
        assert_eq!(bridge.log_with(&[&secret]), [""; 0], "a token was logged");
    }
    bridge.stop();
}

/// Removes the file on drop.
struct TokenFile(std::path::PathBuf);

impl TokenFile {
    fn write(&self, token: &str) {
        fs::write(&self.0, format!("{token}\n")).unwrap();
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _there = fs::remove_file(&self.0);
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_missing_bucket_does_not_slow_other_buckets() {
    const RECORDS: u64 = 300_000;
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let blocked = kafka.create_topic(live.name("blocked"), PARTITIONS, 1);
    let free = kafka.create_topic(live.name("free"), PARTITIONS, 1);
    let (missing, there) = (live.name("missing"), influx.create_bucket(live.name("there")));
    let (held_numbers, free_numbers) =
        (Numbers::new(&blocked, PARTITIONS as u64), Numbers::new(&free, PARTITIONS as u64));
    // More records than fit into the bridge's memory, in both topics.
    held_numbers.produce(&kafka, 0..RECORDS);
    free_numbers.produce(&kafka, 0..RECORDS);

    let rate_alone = rate(&live, &influx, &free, &there);
    let both = format!("topics = ['{blocked}']\n{MAPPING}\nbucket = '{missing}'\n[[mapping]]\n{MAPPING}");
    let topics = format!("{blocked}', '{free}");
    let group = live.name("both");
    let config = Config::new(&kafka, &topics, v2(&influx, &there)).group(&group).mapping(&both).text();
    let bridge = Bridge::start_watched(&config, &[]);
    bridge.wait_for_log(&["blocked, records stay uncommitted", &missing], PATIENCE);
    bridge.wait_for_log(&["first record", &free], PATIENCE);
    let took = kafka.group(&group).wait_until_settled(&free, PARTITIONS, PATIENCE);
    measured(
        "records a second",
        format!("{rate_alone:.0} alone, {:.0} beside a blocked bucket", RECORDS as f64 / took.as_secs_f64()),
    );
    free_numbers.assert_stored(&influx, &there, 0..RECORDS);
    assert_eq!(
        kafka.group(&group).committed(&blocked, PARTITIONS),
        [-1; 3],
        "unstored records are committed"
    );
    measured("resident at most", format!("{} kB", bridge.resident_max_kb()));

    influx.create_bucket(missing.clone());
    kafka.group(&group).wait_until_settled(&blocked, PARTITIONS, PATIENCE);
    held_numbers.assert_stored(&influx, &missing, 0..RECORDS);
    bridge.stop();
}

/// Throughput in records/s of a topic that another bridge reads alone.
fn rate(live: &Live, influx: &Influx, topic: &str, bucket: &str) -> f64 {
    let (kafka, group) = (live.kafka(), live.name("alone"));
    let config = Config::new(&kafka, topic, v2(influx, bucket)).group(&group).mapping(MAPPING).text();
    let bridge = Bridge::start(&config, &[]);
    bridge.wait_for_log(&["first record"], PATIENCE);
    let took = kafka.group(&group).wait_until_settled(topic, PARTITIONS, PATIENCE);
    bridge.stop();
    let records: i64 = kafka.group(&group).ends(topic, PARTITIONS).iter().sum();
    records as f64 / took.as_secs_f64()
}
