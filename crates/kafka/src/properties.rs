//! librdkafka's properties. Why each value: ARCHITECTURE.md, "Memory" and "Groups".

use crate::Settings;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// Bytes that librdkafka keeps ready for all lanes together, after decompression. With twice as much, records of 700 bytes
/// held 3 MB more, and came no faster; with a quarter, small ones came a third slower.
const QUEUED_BYTES: usize = 4 << 20;
/// Records that librdkafka keeps ready for all lanes together: each costs some 250 bytes beside its own, which the bound in
/// bytes does not count. Its default of 100,000 a queue held 95 MB of small records, this 35 MB, at the same rate.
const QUEUED_RECORDS: usize = 20_000;

/// Of one answer to a fetch, as sent: records that compress well unpack into a hundred times as much, which no other bound
/// stops. At 1 MB a thousand such partitions held 141 MB. With twice as much as this, six partitions of a backlog held 3 MB more, and
/// a thousand were read a tenth faster.
const FETCH_BYTES: usize = 131_072;

/// librdkafka waits this long, and 3 s more, for the answer to a request to join the group. When a connection fails silently (no FIN,
/// no RST) during that request, nothing is read until then: 5 minutes by librdkafka's default. The group in turn waits this long for
/// members that have to join again, and a member that does not poll for so long leaves. The longest regular wait between two polls
/// is a revoke: 5 s of draining and a commit. A commit that takes longer than a session costs the membership anyway.
const POLL_INTERVAL_MS: u64 = 60_000;

/// librdkafka connects to `kafka.brokers` again when no broker has told it the metadata for this long; its default is 5 minutes. It also does so
/// when all brokers are down. In its source (2.12.1) an answer with metadata can cancel that; no test has shown this to happen.
const BOOTSTRAP_AGAIN_MS: &str = "30000";

/// Properties of one member of the group, the `member`-th of this process, whose records go to `lanes` queues.
pub fn client_config(kafka: &Settings, member: usize, lanes: usize) -> ClientConfig {
    let mut config = ClientConfig::new();
    let numbered = |name: &str| if member == 0 { name.to_owned() } else { format!("{name}-{member}") };
    let lanes = lanes.max(1);
    let queued_kbytes = (QUEUED_BYTES / 1024 / lanes).clamp(32, 4096);
    let queued_records = (QUEUED_RECORDS / lanes).clamp(100, 10_000);
    // A queue that is nearly full still takes one more fetch of each partition.
    let partition_bytes = (QUEUED_BYTES / 8 / lanes).clamp(16_384, FETCH_BYTES);
    let own = [
        ("bootstrap.servers", kafka.brokers.join(",")),
        ("group.id", kafka.group_id.clone()),
        ("client.id", numbered(&kafka.client_id)),
        // For offsets that are not there any more; where nothing is committed, see begin.rs.
        ("auto.offset.reset", "earliest".to_owned()),
        // Offsets are stored by the tracker only. The automatic commit commits what was stored.
        ("enable.auto.offset.store", "false".to_owned()),
        ("enable.auto.commit", "true".to_owned()),
        ("auto.commit.interval.ms", "1000".to_owned()),
        ("enable.partition.eof", "false".to_owned()),
        ("allow.auto.create.topics", "false".to_owned()),
        // A topic that is created later is found within this time.
        ("topic.metadata.refresh.interval.ms", "5000".to_owned()),
        ("metadata.recovery.rebootstrap.trigger.ms", BOOTSTRAP_AGAIN_MS.to_owned()),
        // After a SIGKILL the group waits this long for the lost member.
        ("session.timeout.ms", "10000".to_owned()),
        ("heartbeat.interval.ms", "1000".to_owned()),
        ("max.poll.interval.ms", POLL_INTERVAL_MS.to_string()),
        ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
        // Small queues, filled again at once: the defaults hold 64 MB a partition or stall for a second.
        ("queued.max.messages.kbytes", queued_kbytes.to_string()),
        ("queued.min.messages", queued_records.to_string()),
        ("fetch.message.max.bytes", partition_bytes.to_string()),
        ("fetch.max.bytes", FETCH_BYTES.to_string()),
        // librdkafka wants it to be at most the one before. Brokers give a larger record by itself all the same.
        ("message.max.bytes", FETCH_BYTES.to_string()),
        ("fetch.queue.backoff.ms", "10".to_owned()),
        ("fetch.wait.max.ms", "100".to_owned()),
        ("statistics.interval.ms", "5000".to_owned()),
        ("socket.keepalive.enable", "true".to_owned()),
        ("log.connection.close", "false".to_owned()),
    ];
    for (name, value) in own {
        config.set(name, value);
    }
    if let Some(instance) = &kafka.instance_id {
        config.set("group.instance.id", numbered(instance));
    }
    for (name, value) in &kafka.properties {
        config.set(name, value.expose());
    }
    allow_large_records(&mut config);
    allow_long_sessions(&mut config, kafka);
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}

/// Who says `message.max.bytes` for the dead letters' producer need not say what follows for the consumer.
fn allow_large_records(config: &mut ClientConfig) {
    let number = |name: &str| config.get(name).and_then(|value| value.parse::<u64>().ok());
    if let (Some(fetch), Some(record)) = (number("fetch.max.bytes"), number("message.max.bytes"))
        && record > fetch
    {
        config.set("fetch.max.bytes", record.to_string());
    }
}

/// librdkafka wants `max.poll.interval.ms` to be at least `session.timeout.ms`. Who sets a long session need not set both.
fn allow_long_sessions(config: &mut ClientConfig, kafka: &Settings) {
    let is_own = kafka.properties.iter().any(|(name, _)| name == "max.poll.interval.ms");
    let session = config.get("session.timeout.ms").and_then(|value| value.parse::<u64>().ok());
    if let Some(session) = session.filter(|session| !is_own && *session > POLL_INTERVAL_MS) {
        config.set("max.poll.interval.ms", session.to_string());
    }
}

/// Properties of a client that only asks: it joins no group.
pub fn probe_config(kafka: &Settings) -> ClientConfig {
    let mut config = client_config(kafka, 0, 1);
    for name in ["group.id", "group.instance.id", "enable.auto.commit"] {
        config.remove(name);
    }
    config
}

/// Properties of a client that shows whether one can be made of the files: it knows no broker.
pub fn unconnected_config(kafka: &Settings) -> ClientConfig {
    let mut config = probe_config(kafka);
    config.remove("bootstrap.servers");
    config
}

/// Properties of a consumer that is told which partitions to read, and ends at their ends. It joins no group and commits
/// nothing; what it keeps ready is little, because it reads little.
pub fn reader_config(kafka: &Settings) -> ClientConfig {
    let mut config = probe_config(kafka);
    let own = [
        // The client wants the name of a group before it may be assigned partitions by hand; it is never joined.
        ("group.id", "(kafka-influx-bridge reads by hand)"),
        ("enable.auto.commit", "false"),
        ("enable.partition.eof", "true"),
        // What retention takes meanwhile is skipped, and seen to be missing.
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

/// What a dead letter's producer may take over of the consumer's properties: how the brokers are reached, and how large a
/// record may be. The others it would refuse, or they would undo what its own are for.
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

/// Properties of a producer to the same brokers.
pub fn producer_config(kafka: &Settings) -> ClientConfig {
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
        // An idempotent producer can fail for good, and then has to be made anew; a letter that is there twice does no harm.
        ("enable.idempotence", "false".to_owned()),
        ("message.timeout.ms", "10000".to_owned()),
        // A topic that the brokers do not create is told as missing before the time is up.
        ("topic.metadata.propagation.max.ms", "5000".to_owned()),
        // A topic that was missing, or not to be written, stays so for the client until it asks again.
        ("topic.metadata.refresh.interval.ms", "5000".to_owned()),
        // Its default is 1 GB.
        ("queue.buffering.max.kbytes", "4096".to_owned()),
        ("linger.ms", "5".to_owned()),
        // The brokers' limit of size is one of batches: small ones pass where single records do.
        ("batch.size", "65536".to_owned()),
        ("socket.keepalive.enable", "true".to_owned()),
        ("log.connection.close", "false".to_owned()),
    ];
    for (name, value) in own {
        config.set(name, value);
    }
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What 20,000 records of any size may take beside their bytes must not grow with the lanes, until each has few.
    #[test]
    fn all_lanes_together_keep_a_bounded_number_of_records_ready() {
        let kafka = Settings::default();
        let f = |lanes: usize, want: &str| {
            assert_eq!(client_config(&kafka, 0, lanes).get("queued.min.messages"), Some(want), "{lanes}");
        };
        f(1, "10000");
        f(2, "10000");
        f(8, "2500");
        f(100, "200");
        f(1_000, "100");
    }
}
