//! Network faults between the release binary and the test's own real servers lose and double nothing.

use crate::support::config::v2;
use crate::support::numbers::MAPPING;
use crate::support::tcp_proxy::TcpProxy;
use crate::support::{Bridge, Config, Live, Numbers, OwnInflux, SecureKafka, measured, wait_for};
use std::thread;
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 3;
const RECORDS_A_SECOND: u64 = 500;
/// Duration of network faults and of restarts of bridges.
const FAULTS_LAST: Duration = Duration::from_mins(1);
/// Approximate length of a phase with faults. Calm phases follow, because a group that never becomes stable writes nothing.
const PHASE_MS: std::ops::Range<u64> = 1_000..6_000;
/// One of this many pieces of data gets a fault.
const KAFKA_ONE_IN: u32 = 100;
const INFLUX_ONE_IN: u32 = 10;
/// Several sessions and timeouts may follow each other after the last fault.
const SETTLED_WITHIN: Duration = Duration::from_mins(3);

/// Shorter timeouts than the defaults for silent connections, so that a minute has many faults. Brokers accept no shorter session.
const KAFKA_MORE: &str = "librdkafka.'socket.timeout.ms' = 4000\nlibrdkafka.'session.timeout.ms' = 6000\n\
    librdkafka.'max.poll.interval.ms' = 6000\nlibrdkafka.'statistics.interval.ms' = 1000\nlibrdkafka.'metadata.recovery.rebootstrap.trigger.ms' = 4000\n";

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn faulty_networks_before_real_servers_lose_and_double_nothing() {
    let live = Live::take_turn();
    let mut rng = live.random();
    let (secure, own) = (SecureKafka::shared(&live), OwnInflux::start(&live, &[]));
    let kafka = secure.kafka();
    let topic = kafka.create_topic(live.name("network"), PARTITIONS, 1);
    let bucket = own.influx.create_bucket(live.name("network"));
    let before_kafka = TcpProxy::before_kafka(secure.open.parse().unwrap(), rng.u64(..), KAFKA_ONE_IN);
    let server = own.influx.url().trim_start_matches("http://").parse().unwrap();
    let before_influx = TcpProxy::before_http(server, rng.u64(..), INFLUX_ONE_IN);
    let numbers = Numbers::new(&topic, PARTITIONS as u64);
    let start = || {
        let config = Config::new(&kafka, &topic, format!("{}\ntimeout = '2s'", v2(&own.influx, &bucket)));
        let text = config.kafka_more(KAFKA_MORE).mapping(MAPPING).text();
        let brokers = before_kafka.addresses().map(|address| address.to_string());
        let text = text.replace(&kafka.brokers_toml(), &format!("{brokers:?}"));
        let text = text.replace(own.influx.url(), &format!("http://{}", before_influx.address()));
        Bridge::start_watched(&text, &[])
    };
    let mut bridge = start();
    let load = numbers.load(&kafka, 0, RECORDS_A_SECOND);
    let _told = Telling(&before_kafka, &before_influx);
    let (begin, mut restarts, mut ended) = (Instant::now(), 0, 0);
    for phase in 0.. {
        if begin.elapsed() > FAULTS_LAST {
            break;
        }
        before_kafka.set_faulty(rng.bool());
        before_influx.set_faulty(rng.bool());
        match phase % 6 {
            0 => before_influx.lose_answers(rng.u32(1..5)),
            1 => before_kafka.move_away(rng.bool()),
            2 => {
                // A process that cannot leave the group delays its successor until the session expires.
                bridge.kill();
                bridge = start();
                restarts += 1;
            }
            _ => {}
        }
        thread::sleep(Duration::from_millis(rng.u64(PHASE_MS)));
        ended += start_again(&mut bridge, start);
    }
    before_kafka.set_faulty(false);
    before_influx.set_faulty(false);
    let records = load.end();
    let group = kafka.group(&topic);
    let settled = || {
        ended += start_again(&mut bridge, start);
        (group.committed(&topic, PARTITIONS) == group.ends(&topic, PARTITIONS)).then_some(())
    };
    let ((), took) = wait_for("all is settled and committed", SETTLED_WITHIN, settled);
    measured("records", records);
    measured("kills", restarts);
    measured("ends because the coordinator moved", ended);
    measured("faults of Kafka's network", format!("{:?}", before_kafka.counts()));
    measured("faults of InfluxDB's network", format!("{:?}", before_influx.counts()));
    measured("all settled after the last fault in", format!("{took:?}"));
    numbers.assert_stored(&own.influx, &bucket, 0..records);
    bridge.stop();
}

/// Starts a bridge again that has ended by itself, as systemd and Docker do. The only accepted reason is that librdkafka does not follow
/// the group's coordinator to its new address. Returns the number of starts.
fn start_again(bridge: &mut Bridge, start: impl Fn() -> Bridge) -> u32 {
    if !bridge.has_ended() {
        return 0;
    }
    let why = bridge.log_with(&["the broker that coordinates the group no longer has the address"]);
    assert!(!why.is_empty(), "the bridge ended by itself");
    *bridge = start();
    1
}

/// Prints the connections that stand still when the test fails.
struct Telling<'a>(&'a TcpProxy, &'a TcpProxy);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("Kafka: {}InfluxDB: {}", self.0.describe(), self.1.describe());
        }
    }
}
