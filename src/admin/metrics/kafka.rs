//! What is told of Kafka: the partitions held, and librdkafka's own.

use super::super::exposition::{Exposition, Kind};
use super::{Watched, get};
use engine::telemetry::partitions::{self, PartitionState};
use engine::telemetry::{BrokerState, ClientState, Counters};

pub fn consumers(counters: &Counters, page: &mut Exposition) {
    let help = "Partitions that this process reads now.";
    page.single(Kind::Gauge, "assigned_partitions", help, get(&counters.assigned_partitions));
    let help = "Assignments and revokes of partitions.";
    page.single(Kind::Counter, "rebalances_total", help, get(&counters.rebalances));
    let help = "Errors that brokers answered in the place of records.";
    page.single(Kind::Counter, "fetch_errors_total", help, get(&counters.fetch_errors));
}

/// A gauge of each partition, where it is known.
type OfPartition = (&'static str, &'static str, fn(&PartitionState) -> Option<f64>);

const OF_PARTITION: [OfPartition; 7] = [
    ("lag_records", "Records in Kafka that are not settled and committed yet, by their offsets.", |state| {
        state.lag.uncommitted.map(number)
    }),
    ("unread_records", "Records in Kafka that are not read yet, by their offsets.", |state| {
        state.lag.unread.map(number)
    }),
    (
        "buffered_records",
        "Records that are read and not settled yet, by their offsets: in open batches and in flight, and read again after a crash.",
        |state| state.lag.buffered.map(number),
    ),
    ("read_offset", "The offset that is read next.", |state| state.lag.read_offset.map(number)),
    (
        "committed_offset",
        "The offset that reading goes on at after a crash: everything before it is settled.",
        |state| state.lag.committed_offset.map(number),
    ),
    (
        "behind_seconds",
        "The age of the oldest record that is not settled, by Kafka's timestamp, 0 where all are; of records not read yet at most that of the \
         last one settled.",
        |state| state.behind.map(|behind| behind.as_secs_f64()),
    ),
    (
        "retention_left_seconds",
        "How long the topic's retention.ms keeps the oldest record that is not settled at least; no sample where nothing waits or age deletes nothing, \
         or where the brokers do not tell (it takes DescribeConfigs). Deletion by size may come earlier.",
        |state| state.retention_left().map(|left| left.as_secs_f64()),
    ),
];

fn number(records: i64) -> f64 {
    records as f64
}

pub fn partitions(watched: &Watched, page: &mut Exposition) {
    let held = partitions::partitions(&watched.lags, &watched.counters);
    let numbers: Vec<String> = held.iter().map(|state| state.partition.to_string()).collect();
    for (name, help, value) in OF_PARTITION {
        let mut family = page.family(Kind::Gauge, name, help);
        for (state, partition) in held.iter().zip(&numbers) {
            if let Some(value) = value(state) {
                family.sample(&[("topic", &state.topic), ("partition", partition)], value);
            }
        }
    }
}

/// A number of each broker, where it is known.
type OfBroker = (Kind, &'static str, &'static str, fn(&BrokerState) -> Option<f64>);

const OF_BROKER: [OfBroker; 9] = [
    (
        Kind::Gauge,
        "kafka_broker_connected",
        "1 while a connection to the broker is open; there is none to brokers that nothing is wanted of.",
        |broker| Some(f64::from(u8::from(broker.is_connected))),
    ),
    (Kind::Counter, "kafka_broker_disconnects_total", "Connections to the broker that ended.", |broker| {
        Some(broker.disconnects as f64)
    }),
    (
        Kind::Counter,
        "kafka_broker_timeouts_total",
        "Requests that the broker did not answer in time.",
        |broker| Some(broker.timeouts as f64),
    ),
    (
        Kind::Counter,
        "kafka_broker_errors_total",
        "Requests that could not be sent to the broker, and answers that could not be read.",
        |broker| Some(broker.errors as f64),
    ),
    (Kind::Counter, "kafka_broker_received_bytes_total", "Bytes received from the broker.", |broker| {
        Some(broker.received_bytes as f64)
    }),
    (Kind::Counter, "kafka_broker_sent_bytes_total", "Bytes sent to the broker.", |broker| {
        Some(broker.sent_bytes as f64)
    }),
    (
        Kind::Gauge,
        "kafka_broker_round_trip_seconds",
        "Mean time from a request to its answer in the last seconds; fetches of partitions without new records wait for 0.1 s.",
        |broker| broker.round_trip_seconds,
    ),
    (
        Kind::Gauge,
        "kafka_broker_round_trip_p99_seconds",
        "The same of the slowest in a hundred requests.",
        |broker| broker.round_trip_p99_seconds,
    ),
    (
        Kind::Gauge,
        "kafka_broker_throttle_seconds",
        "Mean time that the broker's quotas made requests wait in the last seconds.",
        |broker| Some(broker.throttle_seconds),
    ),
];

/// A gauge of each consumer.
type OfClient = (&'static str, &'static str, fn(&ClientState) -> f64);

const OF_CLIENT: [OfClient; 4] = [
    ("kafka_group_member", "1 while the consumer has its share of the group, 0 while it joins.", |client| {
        f64::from(u8::from(client.is_member))
    }),
    ("kafka_rebalance_age_seconds", "Time since the last rebalance of the group.", |client| {
        client.rebalance_age_seconds
    }),
    (
        "kafka_fetch_queue_records",
        "Records that librdkafka has fetched and that are not read yet.",
        |client| number(client.fetch_queue_records),
    ),
    ("kafka_fetch_queue_bytes", "Bytes of the records that are fetched and not read yet.", |client| {
        client.fetch_queue_bytes as f64
    }),
];

pub fn clients(clients: &[(usize, ClientState)], page: &mut Exposition) {
    for (name, help, value) in OF_CLIENT {
        let mut family = page.family(Kind::Gauge, name, help);
        for (consumer, client) in clients {
            family.sample(&[("consumer", &consumer.to_string())], value(client));
        }
    }
    for (kind, name, help, value) in OF_BROKER {
        let mut family = page.family(kind, name, help);
        for (consumer, client) in clients {
            let consumer = consumer.to_string();
            for broker in &client.brokers {
                if let Some(value) = value(broker) {
                    family.sample(&[("consumer", &consumer), ("broker", &broker.name)], value);
                }
            }
        }
    }
}
