//! SIGKILL at random moments.

use crate::support::config::v2;
use crate::support::numbers::MAPPING;
use crate::support::{Bridge, Config, Live, Numbers, OwnInflux, PATIENCE, Paused, measured};
use std::thread;
use std::time::Duration;

const PARTITIONS: i32 = 3;
const RECORDS_A_SECOND: u64 = 4_000;
/// Long enough for several commits, which happen every second.
const UNTIL_KILL_MAX_MS: u64 = 2_500;

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn kills_at_random_moments_lose_and_double_nothing() {
    let live = Live::take_turn();
    let mut random = live.random();
    let (kafka, own) = (live.kafka(), OwnInflux::start(&live, &[]));
    let topic = kafka.create_topic(live.name("kills"), PARTITIONS, 1);
    let bucket = own.influx.create_bucket(live.name("kills"));
    let numbers = Numbers::new(&topic, PARTITIONS as u64);
    // With static membership the next process gets its partitions without waiting for the session to expire.
    let influx = v2(&own.influx, &bucket) + "\ntimeout = '500ms'\n[batch]\nage_max = '100ms'";
    let config =
        Config::new(&kafka, &topic, influx).mapping(MAPPING).kafka_more("instance_id = 'one'").text();
    let load = numbers.load(&kafka, 0, RECORDS_A_SECOND);

    let (mut reading, mut while_paused) = (0, 0);
    for _ in 0..live.kills() {
        let bridge = Bridge::start(&config, &[]);
        let until_kill = Duration::from_millis(random.u64(..UNTIL_KILL_MAX_MS));
        // In every third round InfluxDB stops answering, and the process is killed with requests in flight.
        let hangs = random.u8(..3) == 0;
        let until_pause = if hangs { until_kill.mul_f64(random.f64()) } else { until_kill };
        thread::sleep(until_pause);
        let paused = hangs.then(|| Paused::pause(own.pid()));
        thread::sleep(until_kill.saturating_sub(until_pause));
        reading += bridge.log_with(&["first record"]).len();
        while_paused += usize::from(hangs);
        bridge.kill();
        drop(paused);
    }
    let records = load.end();
    measured(
        "killed",
        format!("{} times, {while_paused} while InfluxDB was paused, {reading} while reading", live.kills()),
    );
    let committed: i64 =
        kafka.group(&topic).committed(&topic, PARTITIONS).iter().map(|at| (*at).max(0)).sum();
    measured("committed after the last kill", format!("{committed} of {records}"));
    let bridge = Bridge::start(&config, &[]);
    kafka.group(&topic).wait_until_settled(&topic, PARTITIONS, PATIENCE);
    numbers.assert_stored(&own.influx, &bucket, 0..records);
    bridge.stop();
}
