//! Shared by tests of the whole path: an embedded Kafka, an embedded receiver, the bridge between them, and waiting.

use base::secret::Secret;
use base::{Credential, Destination};
use configuration::Config;
use engine::telemetry::Counters;
use influx::LogObserver;
use kafka_influx_bridge::pipeline::{Pipeline, PipelineOptions};
use mapping::Reason;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use testkit::receiver::{self, Faults, Receiver, Reply, StoredPoint};
use testkit::{EmbeddedKafka, NewRecord};
use tokio::runtime::Runtime;

pub const GROUP: &str = "test-group";
/// Timeout for conditions. Only a fault takes this long; a loaded machine may take a good part of it.
const LONGEST: Duration = Duration::from_secs(40);

/// Waits until a condition is true; fails at the timeout.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONGEST;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The embedded Kafka.
pub struct Cluster(EmbeddedKafka);

impl Cluster {
    pub fn start() -> Self {
        Self(EmbeddedKafka::start().unwrap())
    }

    pub fn with_topic(name: &str, partitions: i32) -> Self {
        let cluster = Self::start();
        cluster.create_topic(name, partitions);
        cluster
    }

    /// Like [`Cluster::with_topic`], with three brokers.
    pub fn of_three(name: &str, partitions: i32) -> Self {
        let cluster = Self(EmbeddedKafka::start_with(3).unwrap());
        cluster.create_topic(name, partitions);
        cluster
    }

    /// Stops a broker (closes its connections and refuses new ones), or starts it again.
    pub fn set_broker_up(&self, broker: i32, is_up: bool) {
        self.0.set_broker_up(broker, is_up).unwrap();
    }

    /// Delays the answers of the only broker from now on. Its connections stay open.
    pub fn delay_answers(&self, delay: Duration) {
        self.0.delay_answers(1, delay).unwrap();
    }

    /// Denies access to the group from now on, or allows it again.
    pub fn deny_group(&self, denies: bool) {
        self.0.deny_group(denies);
    }

    /// Denies reading from the topic from now on, or allows it again.
    pub fn deny_fetches(&self, denies: bool) {
        self.0.deny_fetches(denies);
    }

    /// Hides the topic as for an unauthorized user from now on, or shows it again.
    pub fn hide_topic(&self, name: &str, hides: bool) {
        self.0.hide_topic(name, hides).unwrap();
    }

    pub fn create_topic(&self, name: &str, partitions: i32) {
        self.0.create_topic(name, partitions).unwrap();
    }

    pub fn address(&self) -> String {
        self.0.address()
    }

    /// Answers fetches with errors from now on, or correctly again.
    pub fn fail_fetches(&self, fails: bool) {
        self.0.fail_fetches(fails);
    }

    pub fn send(&self, record: NewRecord<'_>) {
        self.0.send(record).unwrap();
    }

    pub fn flush(&self) {
        self.0.flush(LONGEST).unwrap();
    }

    /// Produces values into one partition, and waits until they are stored.
    pub fn produce<V: AsRef<[u8]>>(&self, topic: &str, partition: i32, values: impl IntoIterator<Item = V>) {
        for value in values {
            let value = Some(value.as_ref());
            self.send(NewRecord { topic, partition: Some(partition), value, time_ms: None });
        }
        self.flush();
    }

    /// The group's committed offset; None if there is none.
    pub fn committed(&self, topic: &str, partitions: i32) -> Vec<Option<i64>> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.address())
            .set("group.id", GROUP)
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        let answer = consumer.committed_offsets(list, LONGEST).unwrap();
        let elements = answer.elements();
        let mut offsets: Vec<_> = elements.iter().map(|at| (at.partition(), at.offset())).collect();
        offsets.sort_by_key(|(partition, _)| *partition);
        offsets.into_iter().map(|(_, offset)| offset.to_raw().filter(|offset| *offset >= 0)).collect()
    }

    /// Commits an offset for the group from outside.
    pub fn commit(&self, topic: &str, partition: i32, offset: i64) {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.address())
            .set("group.id", GROUP)
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
        consumer.commit(&list, CommitMode::Sync).unwrap();
    }

    /// The sum of the committed offsets.
    pub fn committed_in_all(&self, topic: &str, partitions: i32) -> i64 {
        self.committed(topic, partitions).into_iter().flatten().sum()
    }
}

/// A fault script that a test can change; None for no faults.
pub type Script = Arc<Mutex<Option<Reply>>>;

/// A free port of this machine.
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The embedded receiver.
pub struct Sink {
    pub receiver: Receiver,
    pub script: Script,
    _runtime: Runtime,
}

impl Sink {
    /// Starts a receiver in which every bucket exists.
    pub fn start() -> Self {
        Self::with(receiver::Options::default())
    }

    /// Starts a receiver in which only these buckets exist.
    pub fn with_buckets(buckets: &[&str]) -> Self {
        let destinations = Some(buckets.iter().map(|name| bucket(name)).collect());
        Self::with(receiver::Options { destinations, ..receiver::Options::default() })
    }

    /// Answers every write like this from now on.
    pub fn down(reply: Reply) -> Self {
        let sink = Self::start();
        sink.answer(Some(reply));
        sink
    }

    /// Starts a receiver in which every bucket exists, and which requires this token.
    pub fn with_token(token: &str) -> Self {
        let credential = Credential::Token(Secret::new(token));
        Self::with(receiver::Options { credential, ..receiver::Options::default() })
    }

    /// Starts a receiver with these faults, in which every destination exists.
    pub fn answering(faults: Faults) -> Self {
        let options = receiver::Options { faults: Some(faults), ..receiver::Options::default() };
        Self::serve(LOOPBACK, options, Script::default())
    }

    /// Starts a receiver at this address, in which every bucket exists.
    pub fn at(address: SocketAddr) -> Self {
        Self::listen(address, receiver::Options::default())
    }

    /// Starts a receiver with these settings.
    pub fn with_options(options: receiver::Options) -> Self {
        Self::with(options)
    }

    fn with(options: receiver::Options) -> Self {
        Self::listen(LOOPBACK, options)
    }

    fn listen(address: SocketAddr, mut options: receiver::Options) -> Self {
        let script = Script::default();
        let read = Arc::clone(&script);
        options.faults = Some(Box::new(move |_| read.lock().unwrap().clone()));
        Self::serve(address, options, script)
    }

    fn serve(address: SocketAddr, options: receiver::Options, script: Script) -> Self {
        let runtime = Runtime::new().unwrap();
        let receiver = runtime.block_on(Receiver::listen(address, options)).unwrap();
        Self { receiver, script, _runtime: runtime }
    }

    pub fn answer(&self, reply: Option<Reply>) {
        *self.script.lock().unwrap() = reply;
    }

    pub fn points(&self, name: &str) -> Vec<StoredPoint> {
        self.receiver.points(&bucket(name))
    }

    pub fn requests(&self) -> u64 {
        self.receiver.counts().requests.load(Relaxed)
    }

    pub fn lines_stored(&self) -> u64 {
        self.receiver.counts().lines_stored.load(Relaxed)
    }

    pub fn wait_for_points(&self, name: &str, count: usize) {
        wait_until(&format!("{name} has {count} points"), || self.points(name).len() >= count);
        assert_eq!(self.points(name).len(), count);
    }

    /// The sorted values of the tag `id`: the records that arrived.
    pub fn ids(&self, name: &str) -> Vec<String> {
        ids(&self.points(name))
    }

    /// Like `ids`, for a 1.x database.
    pub fn ids_of_database(&self, name: &str) -> Vec<String> {
        let destination = Destination::Database { database: name.to_owned(), retention_policy: None };
        ids(&self.receiver.points(&destination))
    }
}

fn ids(points: &[StoredPoint]) -> Vec<String> {
    let mut ids: Vec<String> = points.iter().filter_map(|point| tag(point, "id")).collect();
    ids.sort();
    ids
}

pub fn bucket(name: &str) -> Destination {
    Destination::Bucket { org: "test".to_owned(), bucket: name.to_owned() }
}

pub fn tag(point: &StoredPoint, key: &str) -> Option<String> {
    point.tags.iter().find(|(tag, _)| tag == key).map(|(_, value)| value.clone())
}

/// Builds a configuration text. The bucket is `main`; tests add what differs.
#[derive(Clone)]
pub struct Setup {
    kafka: String,
    mappings: String,
    influx: String,
    batch: String,
    top: String,
}

impl Setup {
    pub fn new(cluster: &Cluster, sink: &Sink, topics: &str) -> Self {
        // Each rebalance of the mock cluster takes as long as a session.
        let kafka = format!(
            "[kafka]\nbrokers = '{}'\ntopics = {topics}\ngroup_id = '{GROUP}'\n\
             librdkafka.'session.timeout.ms' = 2000\nlibrdkafka.'heartbeat.interval.ms' = 200\n",
            cluster.address()
        );
        let influx = format!(
            "[influx]\nurl = '{}'\norg = 'test'\nbucket = 'main'\ntoken = 'any'\n",
            sink.receiver.url()
        );
        Self { kafka, mappings: String::new(), influx, batch: String::new(), top: String::new() }
    }

    pub fn kafka(mut self, key: &str) -> Self {
        writeln!(self.kafka, "{key}").unwrap();
        self
    }

    pub fn mapping(mut self, keys: &str) -> Self {
        writeln!(self.mappings, "[[mapping]]\n{keys}").unwrap();
        self
    }

    /// Adds keys to the last mapping.
    pub fn mapping_key(mut self, keys: &str) -> Self {
        writeln!(self.mappings, "{keys}").unwrap();
        self
    }

    pub fn clear_mappings(mut self) -> Self {
        self.mappings.clear();
        self
    }

    pub fn token(mut self, token: &str) -> Self {
        self.influx = self.influx.replace("token = 'any'", &format!("token = '{token}'"));
        self
    }

    pub fn influx(mut self, key: &str) -> Self {
        writeln!(self.influx, "{key}").unwrap();
        self
    }

    pub fn batch(mut self, key: &str) -> Self {
        writeln!(self.batch, "{key}").unwrap();
        self
    }

    /// Replaces `url` by several addresses.
    pub fn urls(mut self, urls: &[String]) -> Self {
        let (_, others) = self.influx.split_once("org = ").unwrap();
        self.influx = format!("[influx]\nurls = {urls:?}\norg = {others}");
        self
    }

    /// Writes to InfluxDB 1.x, to the database `main`.
    pub fn v1(self) -> Self {
        self.database("v1")
    }

    /// Writes through this API to the database `main`.
    pub fn database(mut self, api: &str) -> Self {
        let database = format!("api = '{api}'\ndatabase = 'main'");
        self.influx = self.influx.replace("org = 'test'\nbucket = 'main'", &database);
        self
    }

    /// The brokers assign the partitions, and define the timeouts of the group.
    pub fn consumer_protocol(mut self) -> Self {
        let is_kept =
            |line: &&str| !line.contains("session.timeout.ms") && !line.contains("heartbeat.interval.ms");
        let kept: Vec<&str> = self.kafka.lines().filter(is_kept).collect();
        self.kafka = kept.join("\n") + "\ngroup_protocol = 'consumer'\n";
        self
    }

    pub fn top(mut self, key: &str) -> Self {
        writeln!(self.top, "{key}").unwrap();
        self
    }

    pub fn text(&self) -> String {
        let Self { kafka, mappings, influx, batch, top } = self;
        format!(
            "{top}{kafka}{mappings}{influx}[batch]\nage_max = '50ms'\n{batch}[admin]\nlisten = '127.0.0.1:0'\n"
        )
    }

    pub fn config(&self) -> Config {
        parse(&self.text())
    }

    /// Starts a bridge with a changed text.
    pub fn start_text(text: &str) -> Bridge {
        start_log();
        Bridge(Pipeline::start(&parse(text), Arc::new(LogObserver)).unwrap())
    }

    /// Starts a bridge with a changed text, which ends when everything is settled.
    pub fn start_text_until_end(text: &str) -> Bridge {
        start_log();
        let options = PipelineOptions { until_end: true, ..PipelineOptions::default() };
        Bridge(Pipeline::start_with(&parse(text), Arc::new(LogObserver), options).unwrap())
    }

    pub fn start(&self) -> Bridge {
        start_log();
        Bridge(Pipeline::start(&self.config(), Arc::new(LogObserver)).unwrap())
    }

    pub fn start_with(&self, options: PipelineOptions) -> Bridge {
        start_log();
        Bridge(Pipeline::start_with(&self.config(), Arc::new(LogObserver), options).unwrap())
    }

    pub fn start_until_end(&self) -> Bridge {
        self.start_with(PipelineOptions { until_end: true, ..PipelineOptions::default() })
    }
}

fn parse(text: &str) -> Config {
    let loaded = configuration::parse(Path::new("test.toml"), text, &|_| None);
    loaded.map_err(|errors| errors.to_string()).unwrap().config
}

/// A running pipeline.
pub struct Bridge(pub Pipeline);

impl Bridge {
    pub fn rejected(&self, reason: Reason) -> u64 {
        self.0.counters().rejected().filter(|(counted, _)| *counted == reason).map(|(_, count)| count).sum()
    }

    pub fn records(&self) -> u64 {
        Counters::get(&self.0.counters().records)
    }

    /// Waits until the pipeline ends by itself; fails if it ends with an error.
    pub fn wait_for_end(self) {
        wait_until("the pipeline ends by itself", || self.0.is_finished());
        self.0.join().unwrap();
    }

    /// Stops the pipeline; fails if it ends with an error.
    pub fn stop(self) {
        assert!(self.0.stop_and_wait(|| false), "the pipeline does not end");
        self.0.join().unwrap();
    }
}

/// A record with the tag `id`.
pub fn record(id: &str) -> String {
    format!(r#"{{"id":"{id}","v":1.5}}"#)
}

/// The mapping for such records.
pub const BY_ID: &str = "tag_keys = ['id']";

/// Logs a test for debugging: `TEST_LOG=debug cargo test --test hermetic pipeline NAME -- --nocapture`.
pub fn start_log() {
    let level = std::env::var("TEST_LOG").ok().and_then(|level| level.parse().ok());
    if let Some(level) = level {
        kafka_influx_bridge::log::start(configuration::Log { level, format: configuration::LogFormat::Text });
    }
}
