//! librdkafka's properties of each kind of client.

use crate::settings::{ASSIGNMENT_STRATEGY, FETCH_WAIT_MAX};
use crate::{GroupProtocol, Settings};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// The purpose of a client, which decides its properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// Member `number` of the group in this process, whose records go to `lanes` queues.
    Member { number: usize, lanes: usize },
    /// Queries brokers. Joins no group.
    Query,
    /// Reads partitions that are assigned by hand, up to their ends. Joins no group and commits nothing.
    Reader,
    /// Writes dead letters.
    Producer,
    /// Writes each dead letter in a batch of its own: brokers refuse a whole batch as too large.
    SingleProducer,
    /// Shows whether a client can be created from the files of `[kafka.tls]`. Knows no broker.
    Unconnected,
}

/// The librdkafka properties of a client of this kind.
pub fn properties(kafka: &Settings, kind: ClientKind) -> ClientConfig {
    let mut config = match kind {
        ClientKind::Member { number, lanes } => member(kafka, number, lanes),
        ClientKind::Query => query(kafka),
        ClientKind::Reader => reader(kafka),
        ClientKind::Producer => producer(kafka),
        ClientKind::SingleProducer => {
            let mut config = producer(kafka);
            config.set("batch.num.messages", "1").set("linger.ms", "0");
            config
        }
        ClientKind::Unconnected => {
            let mut config = query(kafka);
            config.remove("bootstrap.servers");
            config
        }
    };
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}

/// Bytes of decompressed records in librdkafka's queues, for all lanes together. Twice as much took 3 MB more memory with
/// records of 700 bytes, without higher throughput; a quarter cost a third of the throughput with small records.
const QUEUED_BYTES: usize = 4 << 20;
/// Records in librdkafka's queues, for all lanes together. Each costs some 250 bytes that the bound in bytes does not count.
/// librdkafka's default of 100,000 per queue took 95 MB with small records, this bound 35 MB, at the same throughput.
const QUEUED_RECORDS: usize = 20_000;

/// Compressed bytes of one fetch response. Records that compress well unpack into a hundred times as much, and no other bound
/// limits that: at 1 MB, a thousand such partitions took 141 MB. Twice this bound took 3 MB more for six partitions with a
/// backlog, and read a thousand partitions a tenth faster.
const FETCH_BYTES: usize = 131_072;

/// librdkafka waits this long, and 3 s more, for the response to a join request. When a connection fails silently (no FIN, no
/// RST) during that request, nothing is read until then: 5 minutes by librdkafka's default. The group in turn waits this long
/// for members that have to join again, and a member that does not poll for this long leaves. The longest regular wait between
/// two polls is a revocation: 5 s of draining and a commit.
const POLL_INTERVAL_MS: u64 = 60_000;

/// librdkafka connects to `kafka.brokers` again after this long without metadata; its default is 5 minutes. It also does so when
/// all brokers are down. In its source (2.12.1) a metadata response can cancel that; no test has shown this to happen.
const BOOTSTRAP_AGAIN_MS: &str = "30000";

fn member(kafka: &Settings, number: usize, lanes: usize) -> ClientConfig {
    let mut config = ClientConfig::new();
    let numbered = |name: &str| if number == 0 { name.to_owned() } else { format!("{name}-{number}") };
    let lanes = lanes.max(1);
    let queued_kbytes = (QUEUED_BYTES / 1024 / lanes).clamp(32, 4096);
    let queued_records = (QUEUED_RECORDS / lanes).clamp(100, 10_000);
    // A queue that is nearly full still takes one more fetch of each partition.
    let partition_bytes = (QUEUED_BYTES / 8 / lanes).clamp(16_384, FETCH_BYTES);
    let own = [
        ("bootstrap.servers", kafka.brokers.join(",")),
        ("group.id", kafka.group_id.clone()),
        ("client.id", numbered(&kafka.client_id)),
        // Applies to offsets that Kafka has deleted. start_offsets.rs handles partitions without a committed offset.
        ("auto.offset.reset", "earliest".to_owned()),
        // Only the tracker stores offsets; the automatic commit commits the stored ones.
        ("enable.auto.offset.store", "false".to_owned()),
        ("enable.auto.commit", "true".to_owned()),
        ("auto.commit.interval.ms", "1000".to_owned()),
        ("enable.partition.eof", "false".to_owned()),
        ("allow.auto.create.topics", "false".to_owned()),
        // A topic that is created later is found within this time.
        ("topic.metadata.refresh.interval.ms", "5000".to_owned()),
        ("metadata.recovery.rebootstrap.trigger.ms", BOOTSTRAP_AGAIN_MS.to_owned()),
        ("max.poll.interval.ms", POLL_INTERVAL_MS.to_string()),
        // Small queues, refilled at once: the defaults take 64 MB per partition or stall for a second.
        ("queued.max.messages.kbytes", queued_kbytes.to_string()),
        ("queued.min.messages", queued_records.to_string()),
        ("fetch.message.max.bytes", partition_bytes.to_string()),
        ("fetch.max.bytes", FETCH_BYTES.to_string()),
        // librdkafka wants it to be at most fetch.max.bytes. Brokers return a larger record by itself all the same.
        ("message.max.bytes", FETCH_BYTES.to_string()),
        ("fetch.queue.backoff.ms", "10".to_owned()),
        (FETCH_WAIT_MAX.0, FETCH_WAIT_MAX.1.to_string()),
        ("statistics.interval.ms", "5000".to_owned()),
        ("socket.keepalive.enable", "true".to_owned()),
        ("log.connection.close", "false".to_owned()),
    ];
    for (name, value) in own {
        config.set(name, value);
    }
    match kafka.group_protocol {
        GroupProtocol::Classic => {
            // After a SIGKILL the group waits this long for the lost member.
            config.set("session.timeout.ms", "10000").set("heartbeat.interval.ms", "1000");
            config.set(ASSIGNMENT_STRATEGY.0, ASSIGNMENT_STRATEGY.1);
        }
        // librdkafka refuses these three with it: the brokers decide.
        GroupProtocol::Consumer => {
            config.set("group.protocol", "consumer");
        }
    }
    if let Some(instance) = &kafka.instance_id {
        config.set("group.instance.id", numbered(instance));
    }
    for (name, value) in &kafka.properties {
        config.set(name, value.expose());
    }
    allow_large_records(&mut config);
    allow_long_sessions(&mut config, kafka);
    config
}

/// Raises `fetch.max.bytes` to `message.max.bytes`, which librdkafka wants. A user sets the latter for the dead letters' producer.
fn allow_large_records(config: &mut ClientConfig) {
    let number = |name: &str| config.get(name).and_then(|value| value.parse::<u64>().ok());
    if let (Some(fetch), Some(record)) = (number("fetch.max.bytes"), number("message.max.bytes"))
        && record > fetch
    {
        config.set("fetch.max.bytes", record.to_string());
    }
}

/// Raises `max.poll.interval.ms` to `session.timeout.ms`, which librdkafka wants.
fn allow_long_sessions(config: &mut ClientConfig, kafka: &Settings) {
    let is_own = kafka.properties.iter().any(|(name, _)| name == "max.poll.interval.ms");
    let session = config.get("session.timeout.ms").and_then(|value| value.parse::<u64>().ok());
    if let Some(session) = session.filter(|session| !is_own && *session > POLL_INTERVAL_MS) {
        config.set("max.poll.interval.ms", session.to_string());
    }
}

fn query(kafka: &Settings) -> ClientConfig {
    let mut config = member(kafka, 0, 1);
    for name in
        ["group.id", "group.instance.id", "group.protocol", "group.remote.assignor", "enable.auto.commit"]
    {
        config.remove(name);
    }
    config
}

/// Its queues are small, because it reads few records.
fn reader(kafka: &Settings) -> ClientConfig {
    let mut config = query(kafka);
    let own = [
        // librdkafka assigns no partitions without the name of a group. This group is never joined.
        ("group.id", "(kafka-influx-bridge reads by hand)"),
        ("enable.auto.commit", "false"),
        ("enable.partition.eof", "true"),
        // Skips records that retention deletes meanwhile; the caller notices the gap.
        ("auto.offset.reset", "earliest"),
        ("queued.max.messages.kbytes", "1024"),
        ("queued.min.messages", "1000"),
        ("statistics.interval.ms", "0"),
    ];
    for (name, value) in own {
        config.set(name, value);
    }
    config
}

/// Prefixes of the properties that the producer shares with the consumers: how brokers are reached, and the size of records.
/// librdkafka refuses most others for a producer, and the rest would defeat the producer's own properties.
const SHARED: [&str; 18] = [
    "security.protocol",
    "sasl.",
    "ssl.",
    "enable.sasl.",
    "enable.ssl.",
    "https.",
    "socket.",
    "broker.",
    "client.",
    "api.version.",
    "reconnect.",
    "retry.backoff.",
    "connections.max.idle.ms",
    "metadata.max.age.ms",
    "metadata.recovery.",
    "allow.auto.create.topics",
    "message.max.bytes",
    "debug",
];

fn producer(kafka: &Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("metadata.recovery.rebootstrap.trigger.ms", BOOTSTRAP_AGAIN_MS);
    for (name, value) in &kafka.properties {
        if SHARED.iter().any(|shared| name.starts_with(shared)) {
            config.set(name, value.expose());
        }
    }
    let own = [
        ("bootstrap.servers", kafka.brokers.join(",")),
        ("client.id", format!("{}-dead-letters", kafka.client_id)),
        ("acks", "all".to_owned()),
        // An idempotent producer can fail for good and would have to be replaced; a duplicate letter does no harm.
        ("enable.idempotence", "false".to_owned()),
        ("message.timeout.ms", "10000".to_owned()),
        // Reports a topic that the brokers do not create as missing before message.timeout.ms.
        ("topic.metadata.propagation.max.ms", "5000".to_owned()),
        // The client caches that a topic is missing or denied until the next refresh.
        ("topic.metadata.refresh.interval.ms", "5000".to_owned()),
        // Its default is 1 GB.
        ("queue.buffering.max.kbytes", "4096".to_owned()),
        ("linger.ms", "5".to_owned()),
        // Brokers limit the size of batches: small batches pass where single records do.
        ("batch.size", "65536".to_owned()),
        ("socket.keepalive.enable", "true".to_owned()),
        ("log.connection.close", "false".to_owned()),
    ];
    for (name, value) in own {
        config.set(name, value);
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_lanes_do_not_queue_more_records() {
        let kafka = Settings::default();
        let f = |lanes: usize, want: &str| {
            assert_eq!(
                properties(&kafka, ClientKind::Member { number: 0, lanes }).get("queued.min.messages"),
                Some(want),
                "{lanes}"
            );
        };
        f(1, "10000");
        f(2, "10000");
        f(8, "2500");
        f(100, "200");
        f(1_000, "100");
    }
}
