//! Brokers that stop or die while the bridge runs.

use crate::support::config::v2;
use crate::support::{Bridge, Config, PATIENCE, Paused, Produced, Scene, measured, signal};
use std::thread;
use std::time::{Duration, Instant};

/// A stopped broker keeps its connections open. The alarm is raised long before librdkafka's requests time out.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_stopped_broker_is_noticed_in_time_and_its_alarm_lasts_as_long_as_the_stop() {
    let Scene { live, kafka, influx, topic, bucket } = Scene::new("stopped", 1);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping("measurement = 'm'").text();
    let record = |i: u64| Produced::new(format!(r#"{{"value":{i}}}"#));
    let bridge = Bridge::start(&config, &[]);
    kafka.produce(&topic, (0..10).map(record));
    influx.wait_for_count(10, PATIENCE, |influx| influx.count(&bucket, "m", "value"));
    // An idle cluster raises nothing.
    thread::sleep(Duration::from_secs(25));
    assert_eq!(bridge.log_with(&["kafka_unreachable"]), [""; 0]);
    let begin = Instant::now();
    let paused = Paused::pause(live.server_pid("kafka"));
    bridge.wait_for_log(&["kafka_unreachable", "no request is answered"], PATIENCE);
    let noticed = begin.elapsed();
    measured("broker stopped, to the alarm", format!("{noticed:?}"));
    assert!(noticed < Duration::from_secs(40), "librdkafka notices it after 60 s by itself");
    drop(paused);
    let stopped = begin.elapsed().as_secs();
    // The broker may stay fenced for another minute: then its metadata names no broker.
    let (ended, _) = bridge.wait_for_log(&["kafka_unreachable", "lasted"], PATIENCE * 3);
    eprintln!("stopped for {stopped} s: {ended}");
    kafka.produce(&topic, (10..20).map(record));
    influx.wait_for_count(20, PATIENCE * 3, |influx| influx.count(&bucket, "m", "value"));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_broker_that_dies_stops_nothing() {
    let Scene { live, kafka, influx, topic, bucket } = Scene::replicated("broker", 3);
    let config = Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping("measurement = 'm'").text();
    let record = |i: u64| Produced::new(format!(r#"{{"value":{i}}}"#)).to((i % 3) as i32);
    let bridge = Bridge::start(&config, &[]);
    kafka.produce(&topic, (0..3_000).map(record));
    influx.wait_for_count(3_000, PATIENCE, |influx| influx.count(&bucket, "m", "value"));
    let begin = Instant::now();
    signal(live.server_pid("kafka3-2"), "KILL");
    kafka.produce(&topic, (3_000..6_000).map(record));
    influx.wait_for_count(6_000, PATIENCE, |influx| influx.count(&bucket, "m", "value"));
    measured("one of three brokers killed, to all queried", format!("{:?}", begin.elapsed()));
    live.bring_up("kafka3");
    kafka.produce(&topic, (6_000..9_000).map(record));
    kafka.group(&topic).wait_until_settled(&topic, 3, PATIENCE);
    assert_eq!(influx.count(&bucket, "m", "value"), 9_000);
    bridge.stop();
}
