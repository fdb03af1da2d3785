//! The bridge between two faulty networks.

use super::proxy::TcpProxy;
use crate::seed;
use crate::support::{BY_ID, Bridge, Cluster, Setup, Sink, record, wait_until};
use kafka_influx_bridge::config;
use kafka_influx_bridge::influx::LogObserver;
use kafka_influx_bridge::pipeline::Pipeline;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TOPIC: &str = "t";
const PARTITIONS: i32 = 3;
/// Rounds of faults before Kafka, before InfluxDB, or both.
const ROUNDS: usize = 4;
/// One of this many pieces of data meets a fault. Kafka's sessions exchange many pieces: with more faults the group never becomes
/// stable, and nothing reaches InfluxDB.
const KAFKA_ONE_IN: u32 = 60;
const INFLUX_ONE_IN: u32 = 5;

struct Model {
    cluster: Cluster,
    sink: Sink,
    /// The ids of each partition's records; their index is their offset.
    produced: Vec<Vec<String>>,
}

impl Model {
    fn produce(&mut self, count: usize, rng: &mut fastrand::Rng) {
        for _ in 0..count {
            let partition = rng.usize(0..self.produced.len());
            let id = format!("{partition}-{}", self.produced[partition].len());
            self.cluster.produce(TOPIC, partition as i32, [record(&id)]);
            self.produced[partition].push(id);
        }
    }

    /// Checks that every record below the committed offset is stored; returns whether all are committed. The committed offsets are
    /// read first: a record that is stored later than that must not be below them.
    fn check(&self) -> bool {
        let committed = self.cluster.committed(TOPIC, PARTITIONS);
        let stored: BTreeSet<String> = self.sink.ids("main").into_iter().collect();
        let mut complete = true;
        for (ids, committed) in self.produced.iter().zip(committed) {
            let committed = committed.unwrap_or(0) as usize;
            assert!(committed <= ids.len(), "offset {committed} is committed beyond {}", ids.len());
            let lost = ids[..committed].iter().find(|id| !stored.contains(*id));
            assert_eq!(lost, None, "a record is committed and not stored");
            complete &= committed == ids.len();
        }
        complete
    }
}

#[test]
#[ignore = "takes as long as its faults; tests/long runs it with several seeds"]
fn loses_nothing_between_faulty_networks() {
    let seed = seed::given_or_random("BRIDGE_NETWORK_SEED", "cargo test --test network -- --ignored");
    let mut rng = fastrand::Rng::with_seed(seed);
    let (cluster, sink) = (Cluster::with_topic(TOPIC, PARTITIONS), Sink::start());
    let kafka = TcpProxy::before_kafka(cluster.address().parse().unwrap(), rng.u64(..), KAFKA_ONE_IN);
    let server = sink.receiver.url().trim_start_matches("http://").trim_end_matches('/').parse();
    let influx = TcpProxy::start(server.unwrap(), rng.u64(..), INFLUX_ONE_IN);
    let setup = Setup::new(&cluster, &sink, "['t']").urls(&[format!("http://{}", influx.address)]);
    // A silent connection is given up within the test.
    let setup = setup.kafka("librdkafka.'socket.timeout.ms' = 3000").influx("timeout = '1s'").mapping(BY_ID);
    let text = setup.text().replace(&cluster.address(), &kafka.address.to_string());
    let config =
        config::parse(Path::new("network.toml"), &text, &|_| None).map_err(|errors| errors.to_string());
    let bridge = Bridge(Pipeline::start(&config.unwrap().config, Arc::new(LogObserver)).unwrap());
    let mut model = Model { cluster, sink, produced: vec![Vec::new(); PARTITIONS as usize] };
    let faults = |proxy: &TcpProxy| proxy.counts().iter().sum::<u64>();
    for round in 0..ROUNDS {
        // The first two rounds meet one network each, so that each fails in every run.
        let at = if round < 2 { round } else { rng.usize(0..3) };
        let (in_kafka, in_influx) = (at != 0, at != 1);
        let (before, begin) = ((faults(&kafka), faults(&influx)), Instant::now());
        let shortest = Duration::from_millis(rng.u64(300..1_200));
        kafka.set_faulty(in_kafka);
        influx.set_faulty(in_influx);
        wait_until("the network fails", || {
            model.produce(rng.usize(1..20), &mut rng);
            model.check();
            let met = (in_kafka && faults(&kafka) > before.0) || (in_influx && faults(&influx) > before.1);
            met && begin.elapsed() >= shortest
        });
    }
    eprintln!("faults (cut, half-open, slow): Kafka {:?}, InfluxDB {:?}", kafka.counts(), influx.counts());
    kafka.set_faulty(false);
    influx.set_faulty(false);
    model.produce(10, &mut rng);
    wait_until("all is stored and committed", || model.check());
    bridge.stop();
    model.check();
}
