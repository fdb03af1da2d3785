//! The required outcome of each record between two faulty networks.

use super::running::Running;
use crate::digits::topic_digits;
use crate::names;
use crate::program::Running as Process;
use crate::support::{Cluster, Setup, Sink, tag};
use crate::tcp_proxy::TcpProxy;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use testkit::NewRecord;

const TOPIC: &str = "t";
const LETTERS: &str = "letters";
const PARTITIONS: i32 = 3;
/// One of this many pieces of data gets a fault. Kafka's group protocol exchanges many pieces: with more faults the group never becomes
/// stable, and nothing reaches InfluxDB.
const KAFKA_ONE_IN: u32 = 60;
const INFLUX_ONE_IN: u32 = 5;
/// Maximum duration of a stop.
const SHUTDOWN_MAX: Duration = Duration::from_secs(3);
/// Timeouts: silent connections and missing metadata 3 s, `JoinGroup` 6 s, the session of a lost member 2 s, a request to InfluxDB 1 s.
/// Several of these may follow each other, and a loaded machine may take a multiple.
const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two checks.
const PAUSE: Duration = Duration::from_millis(20);

/// The required outcome of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A point.
    Good,
    /// A dead letter, because it is not JSON.
    Rejected,
    /// A dead letter, because its field conflicts with the type in InfluxDB. Its original is read again from Kafka.
    Refused,
}

#[derive(Debug)]
struct Produced {
    id: String,
    kind: Kind,
    value: String,
    /// Time of the point in nanoseconds.
    time: i64,
}

pub struct Model {
    // Clients are dropped before their servers: a consumer without its cluster takes most of a minute to close.
    pub running: Option<Running>,
    letters: Letters,
    pub kafka: TcpProxy,
    pub influx: TcpProxy,
    cluster: Cluster,
    sink: Sink,
    /// The records of each partition. Their index is their offset.
    produced: Vec<Vec<Produced>>,
    begin_ms: i64,
    /// This test's own host name.
    host: String,
    /// Number of times the bridge ended by itself.
    pub restarts: u32,
}

impl Model {
    pub fn new(name: &str, rng: &mut fastrand::Rng) -> Self {
        let (cluster, sink) = (Cluster::with_topic(TOPIC, PARTITIONS), Sink::start());
        cluster.create_topic(LETTERS, 1);
        let kafka = TcpProxy::before_kafka(cluster.address().parse().unwrap(), rng.u64(..), KAFKA_ONE_IN);
        let influx = TcpProxy::before_http(sink.receiver.address(), rng.u64(..), INFLUX_ONE_IN);
        let letters = Letters::of(&cluster);
        let host = format!("{name}.localhost");
        names::set_address(&host, influx.address().ip());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let produced = (0..PARTITIONS).map(|_| Vec::new()).collect();
        let begin_ms = now.as_millis() as i64;
        Self { running: None, kafka, influx, cluster, sink, letters, produced, begin_ms, host, restarts: 0 }
    }

    /// `is_process`: the bridge is a process, whose resolver does not know the name.
    fn text(&self, is_process: bool) -> String {
        let influx = self.influx.address();
        let host = if is_process { influx.ip().to_string() } else { self.host.clone() };
        let setup = Setup::new(&self.cluster, &self.sink, "['t']")
            .urls(&[format!("http://{host}:{}", influx.port())])
            .top(&format!(
                "shutdown_max = '{}s'\n[dead_letter]\ntopic = '{LETTERS}'\n[reject]\nrate_max = 1.0",
                SHUTDOWN_MAX.as_secs()
            ))
            // A silent connection must time out within the test.
            .kafka("librdkafka.'socket.timeout.ms' = 3000")
            .kafka("librdkafka.'max.poll.interval.ms' = 3000")
            .kafka("librdkafka.'statistics.interval.ms' = 500")
            .kafka("librdkafka.'metadata.recovery.rebootstrap.trigger.ms' = 3000")
            .influx("timeout = '1s'")
            .mapping("tag_keys = ['id']\nstring_fields = ['v']\nmeasurement = 'm'");
        let brokers = self.kafka.addresses().map(|address| address.to_string()).join(",");
        setup.text().replace(&self.cluster.address(), &brokers)
    }

    pub fn start(&mut self, seed: u64) {
        let text = self.text(false);
        self.running = Some(Running::here(&text, seed));
    }

    pub fn start_process(&mut self) {
        let text = self.text(true);
        self.running = Some(Running::Process(Process::start(&text)));
    }

    /// Stops the bridge in this process.
    pub fn end(&mut self) {
        self.running.take().into_iter().for_each(Running::end);
    }

    /// Ends the bridge's process with a signal.
    pub fn end_process(&mut self, kills: bool) {
        let Some(Running::Process(mut process)) = self.running.take() else { panic!("no process runs") };
        if kills {
            process.kill();
        } else {
            // Twice the limit, because the machine may be busy.
            let (begin, limit) = (Instant::now(), 2 * SHUTDOWN_MAX + Duration::from_secs(10));
            assert_eq!(process.stop(), Some(0), "the status after SIGTERM");
            assert!(begin.elapsed() < limit, "SIGTERM ended it after {:?}", begin.elapsed());
        }
    }

    /// Starts a bridge again that ended by itself, as systemd and Docker do. The only accepted reason is that the group's coordinator moved.
    fn restart_ended(&mut self) {
        if self.running.as_mut().is_some_and(Running::ended) {
            self.end();
            self.restarts += 1;
            self.start(0);
        }
    }

    /// InfluxDB's name resolves to another address, and the old address no longer answers.
    pub fn move_influx(&self) {
        self.influx.move_away(true);
        names::set_address(&self.host, self.influx.address().ip());
    }

    /// Produces the first record, which sets the type of its field, and waits until it is stored.
    pub fn begin(&mut self) {
        self.produce_kind(0, Kind::Good);
        self.wait_until("the first record is stored", |model| !model.sink.points("main").is_empty());
    }

    pub fn produce(&mut self, count: usize, rng: &mut fastrand::Rng) {
        for _ in 0..count {
            let kind = match rng.u32(0..30) {
                0 => Kind::Rejected,
                1 => Kind::Refused,
                _ => Kind::Good,
            };
            self.produce_kind(rng.usize(0..PARTITIONS as usize), kind);
        }
        self.cluster.flush();
    }

    fn produce_kind(&mut self, partition: usize, kind: Kind) {
        let offset = self.produced[partition].len() as i64;
        let id = format!("{partition}-{offset}");
        let value = match kind {
            Kind::Good => format!(r#"{{"id":"{id}","v":1.5}}"#),
            Kind::Rejected => format!("no JSON {id}"),
            Kind::Refused => format!(r#"{{"id":"{id}","v":"text"}}"#),
        };
        let time_ms = self.begin_ms + offset;
        let number = Some(partition as i32);
        let new = NewRecord {
            topic: TOPIC,
            partition: number,
            value: Some(value.as_bytes()),
            time_ms: Some(time_ms),
        };
        self.cluster.send(new);
        // The digits below the millisecond come from offset, partition and topic.
        let digits = offset * 1009 + partition as i64 * 499_979 + topic_digits(TOPIC);
        let time = time_ms * 1_000_000 + digits % 1_000_000;
        self.produced[partition].push(Produced { id, kind, value, time });
    }

    pub fn records(&self) -> usize {
        self.produced.iter().map(Vec::len).sum()
    }

    pub fn points(&self) -> usize {
        self.sink.points("main").len()
    }

    /// Number of lines that were stored more than once.
    pub fn stored_again(&self) -> u64 {
        self.sink.lines_stored().saturating_sub(self.points() as u64)
    }

    pub fn letters(&self) -> usize {
        self.letters.count()
    }

    /// Asserts that every record below the committed offset is settled, and that no record has a second point. Returns whether all records
    /// are committed. The committed offsets are read first, because settled records stay settled.
    pub fn check(&self) -> bool {
        let committed = self.cluster.committed(TOPIC, PARTITIONS);
        let letters = self.letters.read();
        let mut points = BTreeMap::new();
        for point in self.sink.points("main") {
            let id = tag(&point, "id").unwrap();
            let before = points.insert(id.clone(), point.time);
            assert_eq!(before, None, "{id} has two points, and the other one is at {}", point.time);
        }
        let mut complete = true;
        for (records, committed) in self.produced.iter().zip(committed) {
            let committed = committed.unwrap_or(0) as usize;
            assert!(committed <= records.len(), "offset {committed} is committed beyond {}", records.len());
            complete &= committed == records.len();
            for record in &records[..committed] {
                let (point, letter) = (points.get(&record.id), letters.contains(record.value.as_bytes()));
                match record.kind {
                    Kind::Good => assert_eq!(
                        (point, letter),
                        (Some(&record.time), false),
                        "committed and not stored: {record:?}"
                    ),
                    Kind::Rejected | Kind::Refused => assert_eq!(
                        (point, letter),
                        (None, true),
                        "committed and not dead-lettered: {record:?}"
                    ),
                }
            }
        }
        complete
    }

    /// Checks until the condition is true; fails after [`PATIENCE`]. Returns the time that took.
    pub fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) -> Duration {
        let begin = Instant::now();
        loop {
            self.check();
            self.restart_ended();
            if condition(self) {
                return begin.elapsed();
            }
            assert!(begin.elapsed() < PATIENCE, "waited in vain until {what}");
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if thread::panicking() {
            let bridge =
                self.running.as_ref().map_or_else(|| "no bridge runs\n".to_owned(), Running::describe);
            eprintln!(
                "{bridge}Kafka: {}InfluxDB: {}committed: {:?} of {:?}",
                self.kafka.describe(),
                self.influx.describe(),
                self.cluster.committed(TOPIC, PARTITIONS),
                self.produced.iter().map(Vec::len).collect::<Vec<_>>(),
            );
        }
    }
}

/// The dead letters, read without the proxy.
struct Letters {
    consumer: BaseConsumer,
    /// The values read so far, and their number.
    read: RefCell<(BTreeSet<Vec<u8>>, i64)>,
}

impl Letters {
    fn of(cluster: &Cluster) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", cluster.address())
            .set("group.id", "letters-reader")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(LETTERS, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        Self { consumer, read: RefCell::default() }
    }

    /// The values of all current letters.
    fn read(&self) -> BTreeSet<Vec<u8>> {
        let (_, end) = self.consumer.fetch_watermarks(LETTERS, 0, PATIENCE).unwrap();
        let (values, next) = &mut *self.read.borrow_mut();
        let until = Instant::now() + PATIENCE;
        while *next < end {
            assert!(Instant::now() < until, "the letters can't be read");
            if let Some(letter) = self.consumer.poll(PAUSE) {
                let letter = letter.unwrap();
                values.insert(letter.payload().unwrap().to_vec());
                *next = letter.offset() + 1;
            }
        }
        values.clone()
    }

    fn count(&self) -> usize {
        self.read.borrow().1 as usize
    }
}
