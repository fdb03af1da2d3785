//! The bridge between two faulty networks.

use super::proxy::TcpProxy;
use crate::support::{BY_ID, Cluster, Setup, Sink, record, wait_until};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const TOPIC: &str = "t";
const PARTITIONS: i32 = 3;
/// How long the networks fail; longer where too few faults were met.
const FAULTY: Duration = Duration::from_secs(5);
const FAULTS_MIN: u64 = 3;

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
fn loses_nothing_between_faulty_networks() {
    let seed =
        std::env::var("BRIDGE_NETWORK_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("repeat with BRIDGE_NETWORK_SEED={seed} cargo test --test network");
    let mut rng = fastrand::Rng::with_seed(seed);
    let (cluster, sink) = (Cluster::with_topic(TOPIC, PARTITIONS), Sink::start());
    let kafka = TcpProxy::before_kafka(cluster.address().parse().unwrap(), rng.u64(..));
    let server = sink.receiver.url().trim_start_matches("http://").trim_end_matches('/').parse();
    let influx = TcpProxy::start(server.unwrap(), rng.u64(..));
    let setup = Setup::new(&cluster, &sink, "['t']").urls(&[format!("http://{}", influx.address)]);
    let setup = setup.influx("timeout = '1s'").mapping(BY_ID).broker(&kafka.address.to_string());
    // A silent connection is given up within the test.
    let setup = setup.kafka("librdkafka.'socket.timeout.ms' = 3000");
    let bridge = setup.start();
    let mut model = Model { cluster, sink, produced: vec![Vec::new(); PARTITIONS as usize] };
    let begin = Instant::now();
    let enough = |proxy: &TcpProxy| proxy.counts().iter().sum::<u64>() >= FAULTS_MIN;
    wait_until("both networks failed", || {
        model.produce(rng.usize(1..20), &mut rng);
        model.check();
        begin.elapsed() >= FAULTY && enough(&kafka) && enough(&influx)
    });
    eprintln!("faults (cut, half-open, slow): Kafka {:?}, InfluxDB {:?}", kafka.counts(), influx.counts());
    kafka.mend();
    influx.mend();
    model.produce(10, &mut rng);
    wait_until("all is stored and committed", || model.check());
    bridge.stop();
    model.check();
}
