//! Kafka: topics, records and committed offsets.

use super::failures::Failures;
use super::http::block_on;
use super::{PATIENCE, wait_for};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A Kafka cluster.
pub struct Kafka {
    brokers: String,
    producer: BaseProducer<Failures>,
}

/// See [`Kafka::member`].
pub struct Member {
    leaves: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.leaves = None;
        self.thread.take().unwrap().join().unwrap();
    }
}

/// The queue is full, or the partition is so new that the producer has no metadata of it.
fn is_transient(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::QueueFull | RDKafkaErrorCode::UnknownPartition)
}

/// A record to be produced.
#[derive(Clone, Default)]
pub struct Produced {
    pub partition: i32,
    /// None for a tombstone.
    pub value: Option<Vec<u8>>,
    /// None for the current time.
    pub time_ms: Option<i64>,
}

impl Produced {
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    pub fn to(self, partition: i32) -> Self {
        Self { partition, ..self }
    }

    pub fn at(self, time_ms: i64) -> Self {
        Self { time_ms: Some(time_ms), ..self }
    }
}

/// The committed offsets of a consumer group.
pub struct Group {
    consumer: BaseConsumer,
}

impl Kafka {
    pub fn new(brokers: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("message.max.bytes", "4000000");
        config.set("linger.ms", "5").set("queue.buffering.max.messages", "200000").set("acks", "all");
        // Tests expect the order of records within a partition.
        config.set("enable.idempotence", "true");
        // Metadata of an added partition is refreshed soon.
        config.set("topic.metadata.refresh.interval.ms", "500");
        // A request that a stopped broker never answers is sent again well within a test's patience; librdkafka's default is as long.
        config.set("socket.timeout.ms", "10000").set("request.timeout.ms", "10000");
        let producer = config.create_with_context(Failures::default()).unwrap();
        Self { brokers: brokers.to_owned(), producer }
    }

    /// A clone for another thread.
    pub fn another(&self) -> Self {
        Self::new(&self.brokers)
    }

    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The value of the configuration's `brokers`.
    pub fn brokers_toml(&self) -> String {
        let quoted: Vec<String> = self.brokers.split(',').map(|broker| format!("\"{broker}\"")).collect();
        format!("[{}]", quoted.join(", "))
    }

    /// Creates a topic without retention, for records of up to 3 MB; returns its name.
    pub fn create_topic(&self, name: String, partitions: i32, replication: i32) -> String {
        self.create_topic_with(name, partitions, replication, &[("max.message.bytes", "3000000")])
    }

    /// Creates a topic without retention, with these properties.
    pub fn create_topic_with(
        &self,
        name: String,
        partitions: i32,
        replication: i32,
        properties: &[(&str, &str)],
    ) -> String {
        self.create_topics(std::slice::from_ref(&name), partitions, replication, properties);
        // Once all leaders answer, every broker knows the topic.
        let end = || self.group("live_none").try_ends(&name, partitions);
        wait_for("the leaders of a new topic", PATIENCE, || end().ok());
        name
    }

    /// Requests the creation of topics without retention, and does not wait for them.
    pub fn create_topics(
        &self,
        names: &[String],
        partitions: i32,
        replication: i32,
        properties: &[(&str, &str)],
    ) {
        let topic = |name| NewTopic::new(name, partitions, TopicReplication::Fixed(replication));
        let topics = names.iter().map(|name| {
            let topic = topic(name).set("retention.ms", "-1");
            properties.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        });
        let topics: Vec<NewTopic<'_>> = topics.collect();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let results = block_on(self.admin().create_topics(&topics, &options)).unwrap();
        for result in results {
            result.unwrap_or_else(|(topic, code)| panic!("cannot create {topic}: {code}"));
        }
    }

    /// Produces each record in its own transaction, which is committed or aborted.
    pub fn transactions(&self, topic: &str, transactions: impl IntoIterator<Item = (bool, Vec<Produced>)>) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("transactional.id", topic);
        let kafka = Self {
            brokers: self.brokers.clone(),
            producer: config.create_with_context(Failures::default()).unwrap(),
        };
        kafka.producer.init_transactions(PATIENCE).unwrap();
        for (commits, records) in transactions {
            kafka.producer.begin_transaction().unwrap();
            // The records must be in the topic before the transaction ends.
            kafka.produce(topic, records);
            let result = if commits {
                kafka.producer.commit_transaction(PATIENCE)
            } else {
                kafka.producer.abort_transaction(PATIENCE)
            };
            result.unwrap();
        }
    }

    pub fn set_partitions(&self, topic: &str, partitions: usize) {
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let more = NewPartitions::new(topic, partitions);
        block_on(self.admin().create_partitions([&more], &options)).unwrap()[0].as_ref().unwrap();
        let count = || self.group("live_none").partitions(topic);
        wait_for("new partitions", PATIENCE, || (count() == partitions).then_some(()));
    }

    pub fn delete_topic(&self, topic: &str) {
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let deleted = block_on(self.admin().delete_topics(&[topic], &options)).unwrap();
        for result in deleted {
            result.unwrap();
        }
    }

    /// Deletes all records before these offsets, by partition, as retention does.
    pub fn delete_records_before(&self, topic: &str, offsets: &[i64]) {
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let list = positions(topic, offsets);
        let deleted = block_on(self.admin().delete_records(&list, &options)).unwrap();
        for element in deleted.elements() {
            element.error().unwrap();
        }
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.brokers).create().unwrap()
    }

    /// Produces records, and returns when all are stored.
    pub fn produce(&self, topic: &str, records: impl IntoIterator<Item = Produced>) {
        for record in records {
            self.send(topic, &record);
        }
        // A broker that was stopped may stay fenced for another minute, until its heartbeat to the controller has timed out.
        let flushed = self.producer.flush(PATIENCE * 3);
        assert!(
            flushed.is_ok(),
            "{flushed:?}, {} records are not acknowledged",
            self.producer.in_flight_count()
        );
        assert_eq!(self.producer.context().count(), 0, "records that Kafka did not take");
    }

    fn send(&self, topic: &str, produced: &Produced) {
        let mut record: BaseRecord<'_, str, [u8]> =
            BaseRecord::to(topic).partition(produced.partition).key("k");
        if let Some(value) = &produced.value {
            record = record.payload(value);
        }
        if let Some(time_ms) = produced.time_ms {
            record = record.timestamp(time_ms);
        }
        let begin = Instant::now();
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(code), back)) if is_transient(code) => {
                    assert!(begin.elapsed() < PATIENCE, "cannot produce: {code}");
                    record = back;
                    self.producer.poll(Duration::from_millis(10));
                }
                Err((error, _)) => panic!("cannot produce: {error}"),
            }
        }
        self.producer.poll(Duration::ZERO);
    }

    /// Another member of a group, such as a Telegraf, until the result is dropped.
    pub fn member(&self, group_id: &str, topic: &str, client_id: &str, strategy: &str) -> Member {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("group.id", group_id).set("client.id", client_id);
        config.set("partition.assignment.strategy", strategy).set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&[topic]).unwrap();
        let (leaves, leave) = mpsc::channel::<()>();
        let (joined, has_joined) = mpsc::channel();
        let thread = thread::spawn(move || {
            while leave.recv_timeout(Duration::ZERO) == Err(mpsc::RecvTimeoutError::Timeout) {
                drop(consumer.poll(Duration::from_millis(50)));
                if consumer.assignment().is_ok_and(|list| list.count() > 0) {
                    let _known = joined.send(());
                }
            }
        });
        has_joined.recv_timeout(PATIENCE).unwrap();
        Member { leaves: Some(leaves), thread: Some(thread) }
    }

    /// Number of records in a topic of one partition, counted by reading them.
    pub fn count(&self, topic: &str) -> usize {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("group.id", "live_none");
        let consumer: BaseConsumer = config.set("enable.partition.eof", "true").create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let records = || consumer.poll(PATIENCE).expect("an answer");
        std::iter::repeat_with(records)
            .take_while(|record| !matches!(record, Err(KafkaError::PartitionEOF(_))))
            .count()
    }

    /// The broker that coordinates a group.
    pub fn coordinator(&self, group_id: &str) -> i32 {
        let consumer = self.group(group_id).consumer;
        let metadata = consumer.fetch_metadata(Some("__consumer_offsets"), PATIENCE).unwrap();
        let partitions = metadata.topics()[0].partitions();
        // Java's hash of a string.
        let hash =
            group_id.encode_utf16().fold(0_i32, |hash, c| hash.wrapping_mul(31).wrapping_add(i32::from(c)));
        let partition = (hash & i32::MAX) % partitions.len() as i32;
        partitions.iter().find(|at| at.id() == partition).unwrap().leader()
    }

    /// A consumer that never joins the group.
    pub fn group(&self, group_id: &str) -> Group {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("group.id", group_id);
        Group { consumer: config.create().unwrap() }
    }
}

/// The offsets for these partitions.
fn positions(topic: &str, offsets: &[i64]) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in (0..).zip(offsets) {
        list.add_partition_offset(topic, partition, Offset::Offset(*offset)).unwrap();
    }
    list
}

impl Group {
    /// Commits offsets from outside, while the group has no members.
    pub fn commit(&self, topic: &str, offsets: &[i64]) {
        let list = positions(topic, offsets);
        let commit = || self.consumer.commit(&list, CommitMode::Sync).ok();
        wait_for("a commit from outside", PATIENCE, commit);
    }

    /// The committed offset of each partition; -1 if nothing is committed.
    pub fn committed(&self, topic: &str, partitions: i32) -> Vec<i64> {
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(topic, partition);
        }
        // While the group's coordinator moves or loads, it refuses the request.
        let ask = || self.consumer.committed_offsets(list.clone(), PATIENCE).ok();
        let (committed, _) = wait_for("committed offsets", PATIENCE, ask);
        let offset = |partition| {
            committed
                .find_partition(topic, partition)
                .unwrap()
                .offset()
                .to_raw()
                .filter(|offset| *offset >= 0)
        };
        (0..partitions).map(|partition| offset(partition).unwrap_or(-1)).collect()
    }

    /// The end offset of each partition.
    pub fn ends(&self, topic: &str, partitions: i32) -> Vec<i64> {
        self.try_ends(topic, partitions).unwrap()
    }

    fn try_ends(&self, topic: &str, partitions: i32) -> Result<Vec<i64>, KafkaError> {
        let end = |partition| self.consumer.fetch_watermarks(topic, partition, Duration::from_secs(5));
        (0..partitions).map(|partition| end(partition).map(|(_, end)| end)).collect()
    }

    fn partitions(&self, topic: &str) -> usize {
        let metadata = self.consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        metadata.topics()[0].partitions().len()
    }

    /// Waits until everything of a topic is committed; returns the time that took.
    pub fn wait_until_settled(&self, topic: &str, partitions: i32, within: Duration) -> Duration {
        let ends = self.ends(topic, partitions);
        // A partition without records has no offset to commit.
        let settled = |committed: &[i64]| committed.iter().zip(&ends).all(|(at, end)| at.max(&0) == end);
        let what = format!("commits of {topic} up to {ends:?}");
        wait_for(&what, within, || settled(&self.committed(topic, partitions)).then_some(())).1
    }
}
