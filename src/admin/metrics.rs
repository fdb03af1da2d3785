//! All metrics. One declaration each gives `/metrics` its name, type, help and samples, and `docs/metrics.md` its row.
//!
//! To add a metric, count it (`crates/engine/src/telemetry/counters.rs` or `crates/influx/src/counters.rs`), declare it in
//! [`METRICS`], and run the tests with `UPDATE=1`, which writes the table of the document.
//!
//! A page has about 700 bytes for each assigned partition and 1,000 for each broker. The rest is bounded by the number of
//! reasons and destinations, by 10,000 topics, and by 100 brokers per consumer.

use super::exposition::Exposition;
use super::samples::{Samples, Sources, get};
use super::{PipelineState, process};
use base::alarm::{Scope, TOPIC_DENIED};
use influx::LATENCY_BUCKETS;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

/// Prefix of all names except those of the process, which every exporter has.
const PREFIX: &str = "kafka_influx_bridge_";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The declaration of a metric.
pub struct Metric {
    /// Name without [`PREFIX`].
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
    /// JSON pointer to the same number in `status.json`. Where the metric has a label, an object of numbers by its values.
    pub in_status: Option<&'static str>,
    read: fn(&Sources<'_>, &mut Samples<'_>),
}

const fn declare(
    kind: Kind,
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&Sources<'_>, &mut Samples<'_>),
) -> Metric {
    Metric { name, kind, labels, help, in_status: None, read }
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&Sources<'_>, &mut Samples<'_>),
) -> Metric {
    declare(Kind::Counter, name, labels, help, read)
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&Sources<'_>, &mut Samples<'_>),
) -> Metric {
    declare(Kind::Gauge, name, labels, help, read)
}

const fn histogram(
    name: &'static str,
    help: &'static str,
    read: fn(&Sources<'_>, &mut Samples<'_>),
) -> Metric {
    declare(Kind::Histogram, name, &["le"], help, read)
}

impl Metric {
    const fn in_status(mut self, pointer: &'static str) -> Self {
        self.in_status = Some(pointer);
        self
    }

    pub fn full_name(&self) -> String {
        let prefix = if self.name.starts_with("process_") { "" } else { PREFIX };
        format!("{prefix}{}", self.name)
    }
}

const PARTITION: &[&str] = &["topic", "partition"];
const CONSUMER: &[&str] = &["consumer"];
const BROKER: &[&str] = &["consumer", "broker"];
const ALARM: &[&str] = &["cause", "destination"];

/// Each metric, in the order of the page and of the document.
pub const METRICS: &[Metric] = &[
    gauge("build_info", &["version"], "Running version; the value is always 1.", |_, to| {
        to.add(&[env!("CARGO_PKG_VERSION")], 1);
    }),
    gauge("process_start_time_seconds", &[], "Start time of the process, in seconds since 1970.", |from, to| {
        // A clock before 1970 is reported as 1970.
        let since_1970 = from.pipeline.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        to.add(&[], since_1970.as_secs_f64());
    }),
    gauge("process_resident_memory_bytes", &[], "Resident memory of the process.", |_, to| {
        to.add_known(&[], process::resident_bytes());
    }),
    counter("process_cpu_seconds_total", &[], "CPU time of the process, user and system.", |_, to| {
        to.add_known(&[], process::cpu_seconds());
    }),
    gauge("process_open_fds", &[], "Open file descriptors of the process.", |_, to| {
        to.add_known(&[], process::open_files());
    }),
    counter("records_total", &[], "Records read from Kafka.", |from, to| to.count(&from.counters.records))
        .in_status("/kafka/records"),
    counter("record_bytes_total", &[], "Bytes of the values of records read from Kafka.", |from, to| {
        to.count(&from.counters.record_bytes);
    }),
    counter("lines_mapped_total", &[], "Lines that records were mapped to.", |from, to| {
        to.count(&from.counters.lines);
    }),
    counter(
        "wrong_time_units_total",
        &[],
        "Sampled points whose time agrees with Kafka's timestamp only in another unit than `time_format` or `precision`. The first 100 records of a topic are sampled, and 100 more each minute while this lasts.",
        |from, to| to.count(&from.counters.wrong_time_units),
    ),
    counter(
        "skipped_records_total",
        &[],
        "Records that Kafka deleted before they were read, computed from their offsets.",
        |from, to| to.count(&from.counters.skipped),
    )
    .in_status("/kafka/skipped"),
    counter(
        "filtered_total",
        &[],
        "Records, or elements of records, without a point that are no failure: `where` or `query` leaves them out, they have no field, or they are tombstones.",
        |from, to| to.count(&from.counters.filtered),
    )
    .in_status("/not_stored/filtered"),
    counter(
        "schema_requests_total",
        &["result"],
        "Schemas that were asked of the schema registry, by result: \"ok\", \"unknown\" for an id that it does not know, \"failed\" for no usable answer.",
        |from, to| {
            if let Some(counts) = from.pipeline.registry().map(|registry| registry.counts()) {
                to.each([("ok", counts.ok), ("unknown", counts.unknown), ("failed", counts.failed)].into_iter());
            }
        },
    ),
    gauge("schemas", &[], "Schemas of the schema registry that are kept, at most 1,000.", |from, to| {
        to.add_known(&[], from.pipeline.registry().map(|registry| registry.counts().schemas));
    }),
    gauge("schema_memory_bytes", &[], "Memory of the kept schemas, at most 64 MiB.", |from, to| {
        to.add_known(&[], from.pipeline.registry().map(|registry| registry.counts().memory));
    }),
    counter(
        "rejected_total",
        &["reason"],
        "Records, or elements of records, that cannot become a point, by reason.",
        |from, to| to.each(from.counters.rejected().map(|(reason, count)| (reason.name(), count))),
    )
    .in_status("/not_stored/rejected"),
    counter(
        "topic_rejected_total",
        &["topic", "reason"],
        "The same as rejected_total, by topic; only topics with rejections have samples.",
        |from, to| {
            for (topic, of) in &from.topics {
                of.rejected().for_each(|(reason, count)| to.add(&[topic, reason.name()], count));
            }
        },
    ),
    counter(
        "topic_lines_refused_total",
        &["topic"],
        "Lines that InfluxDB refused, by the topic of their record; only topics with refusals have samples.",
        |from, to| {
            for (topic, counts) in from.topics.iter().filter(|(_, counts)| counts.lines_refused > 0) {
                to.add(&[topic], counts.lines_refused);
            }
        },
    ),
    counter(
        "dead_letters_total",
        &[],
        "Records whose dead letter is written; a record read again after a crash may be written again.",
        |from, to| to.count(&from.counters.dead_letters),
    )
    .in_status("/not_stored/dead_letters"),
    counter(
        "collisions_total",
        &[],
        "Points that overwrite an earlier point of the same batch, or of the same part of 4 MB of a larger batch, because series and time are equal.",
        |from, to| to.count(&from.counters.collisions),
    )
    .in_status("/not_stored/collisions"),
    counter(
        "dropped_values_total",
        &["reason"],
        "Values left out of points, or changed, by reason.",
        |from, to| to.each(from.counters.dropped().map(|(drop, count)| (drop.name(), count))),
    )
    .in_status("/not_stored/dropped_values"),
    gauge(
        "undecided_records",
        &[],
        "Rejected records of topics that have not given a point since the start or the last reload. They stay uncommitted until the first point.",
        |from, to| to.add(&[], from.counters.unsettled_timestamps.undecided()),
    ),
    gauge("assigned_partitions", &[], "Partitions assigned to this process.", |from, to| {
        to.count(&from.counters.assigned_partitions);
    })
    .in_status("/kafka/partitions"),
    counter("rebalances_total", &[], "Assignments and revocations of partitions.", |from, to| {
        to.count(&from.counters.rebalances);
    })
    .in_status("/kafka/rebalances"),
    counter("fetch_errors_total", &[], "Errors that brokers returned instead of records.", |from, to| {
        to.count(&from.counters.fetch_errors);
    })
    .in_status("/kafka/fetch_errors"),
    gauge(
        "lag_records",
        PARTITION,
        "Records in Kafka that are not settled and committed yet, computed from offsets.",
        |from, to| to.each_partition(from, |state| state.lag.uncommitted),
    ),
    gauge(
        "unread_records",
        PARTITION,
        "Records in Kafka that are not read yet, computed from offsets.",
        |from, to| to.each_partition(from, |state| state.lag.unread),
    ),
    gauge(
        "buffered_records",
        PARTITION,
        "Records that are read and not settled yet, computed from offsets; they are in open batches or in flight, and are read again after a crash.",
        |from, to| to.each_partition(from, |state| state.lag.buffered),
    ),
    gauge("read_offset", PARTITION, "Offset that is read next.", |from, to| {
        to.each_partition(from, |state| state.lag.read_offset);
    }),
    gauge(
        "committed_offset",
        PARTITION,
        "Committed offset, at which reading resumes after a crash; everything before it is settled.",
        |from, to| to.each_partition(from, |state| state.lag.committed_offset),
    ),
    gauge(
        "behind_seconds",
        PARTITION,
        "Age of the oldest unsettled record by Kafka's timestamp, 0 if all are settled. If that record is not read yet, at most the age of the \
         last settled one.",
        |from, to| to.each_partition(from, |state| state.behind.map(|behind| behind.as_secs_f64())),
    ),
    gauge(
        "retention_left_seconds",
        PARTITION,
        "Shortest time for which the topic's retention.ms still keeps the oldest unsettled record. No sample if no record waits, if nothing is \
         deleted by age, or if the brokers do not return the setting (it needs DescribeConfigs). Deletion by size may come earlier.",
        |from, to| to.each_partition(from, |state| state.retention_left().map(|left| left.as_secs_f64())),
    ),
    gauge("kafka_group_member", CONSUMER, "1 while the consumer is a member of the group, 0 while it joins.", |from, to| {
        to.each_client(from, |client| f64::from(u8::from(client.is_member)));
    }),
    gauge("kafka_rebalance_age_seconds", CONSUMER, "Time since the last rebalance of the group.", |from, to| {
        to.each_client(from, |client| client.rebalance_age_seconds);
    }),
    gauge(
        "kafka_fetch_queue_records",
        CONSUMER,
        "Records that librdkafka has fetched and the bridge has not read yet.",
        |from, to| to.each_client(from, |client| client.fetch_queue_records as f64),
    ),
    gauge(
        "kafka_fetch_queue_bytes",
        CONSUMER,
        "Bytes of the records that librdkafka has fetched and the bridge has not read yet.",
        |from, to| to.each_client(from, |client| client.fetch_queue_bytes as f64),
    ),
    gauge(
        "kafka_broker_connected",
        BROKER,
        "1 while a connection to the broker is open; brokers that are not needed have none.",
        |from, to| to.each_broker(from, |broker| Some(f64::from(u8::from(broker.is_connected)))),
    ),
    counter("kafka_broker_disconnects_total", BROKER, "Connections to the broker that ended.", |from, to| {
        to.each_broker(from, |broker| Some(broker.disconnects as f64));
    }),
    counter(
        "kafka_broker_timeouts_total",
        BROKER,
        "Requests that the broker did not answer in time.",
        |from, to| to.each_broker(from, |broker| Some(broker.timeouts as f64)),
    ),
    counter(
        "kafka_broker_errors_total",
        BROKER,
        "Requests that could not be sent to the broker, and responses that could not be read.",
        |from, to| to.each_broker(from, |broker| Some(broker.errors as f64)),
    ),
    counter("kafka_broker_received_bytes_total", BROKER, "Bytes received from the broker.", |from, to| {
        to.each_broker(from, |broker| Some(broker.received_bytes as f64));
    }),
    counter("kafka_broker_sent_bytes_total", BROKER, "Bytes sent to the broker.", |from, to| {
        to.each_broker(from, |broker| Some(broker.sent_bytes as f64));
    }),
    gauge(
        "kafka_broker_round_trip_seconds",
        BROKER,
        "Mean time from request to response in the last seconds; a fetch without new records waits for 0.1 s.",
        |from, to| to.each_broker(from, |broker| broker.round_trip_seconds),
    ),
    gauge(
        "kafka_broker_round_trip_p99_seconds",
        BROKER,
        "99th percentile of the time from request to response in the last seconds.",
        |from, to| to.each_broker(from, |broker| broker.round_trip_p99_seconds),
    ),
    gauge(
        "kafka_broker_throttle_seconds",
        BROKER,
        "Mean time for which the broker's quotas delayed requests in the last seconds.",
        |from, to| to.each_broker(from, |broker| Some(broker.throttle_seconds)),
    ),
    counter(
        "batches_total",
        &["closed_by"],
        "Closed batches by reason: full, age, memory (other batches need it), or end (of an assignment).",
        |from, to| to.each(from.counters.batches().map(|(closed, count)| (closed.name(), count))),
    ),
    histogram("batch_lines", "Lines of a closed batch; batches without lines are not counted.", |from, to| {
        to.sizes(&from.writer.batch_lines);
    }),
    histogram("batch_bytes", "Bytes of the lines of a closed batch, before compression.", |from, to| {
        to.sizes(&from.writer.batch_bytes);
    }),
    gauge("batches_in_flight", &[], "Closed batches with lines that are neither stored nor refused.", |from, to| {
        to.add(&[], from.writer.batches_in_flight.get());
    }),
    gauge(
        "batch_memory_bytes",
        &[],
        "Memory of all batches: open, in flight and compressed.",
        |from, to| to.add(&[], from.pipeline.budget.used()),
    )
    .in_status("/kafka/memory_bytes"),
    gauge("batch_memory_max_bytes", &[], "Value of batch.memory_max.", |from, to| {
        to.add(&[], from.pipeline.budget.bytes_max());
    })
    .in_status("/kafka/memory_bytes_max"),
    counter("lines_stored_total", &[], "Lines that InfluxDB stored.", |from, to| {
        to.count(&from.writer.lines_stored);
    })
    .in_status("/influx/lines_stored"),
    counter("lines_refused_total", &[], "Lines that InfluxDB refused.", |from, to| {
        to.count(&from.writer.lines_refused);
    })
    .in_status("/not_stored/refused_lines"),
    gauge(
        "buffered_lines",
        &[],
        "Lines in open batches and in flight: neither stored nor refused yet, and mapped again after a crash.",
        |from, to| {
            let done = get(&from.writer.lines_stored) + get(&from.writer.lines_refused);
            to.add(&[], get(&from.counters.lines).saturating_sub(done));
        },
    ),
    counter(
        "requests_total",
        &["outcome"],
        "Write requests by outcome: stored, retry (retried), split (too large), refused (lines were refused), or blocked (retried until the cause is fixed).",
        |from, to| {
            let writer = from.writer;
            let outcomes = [
                ("stored", &writer.stored),
                ("retry", &writer.retried),
                ("split", &writer.split),
                ("refused", &writer.refused),
                ("blocked", &writer.blocked),
            ];
            to.each(outcomes.into_iter().map(|(outcome, count)| (outcome, get(count))));
        },
    )
    .in_status("/influx/requests"),
    counter("retries_total", &[], "Write requests that must be sent again unchanged.", |from, to| {
        to.add(&[], get(&from.writer.retried) + get(&from.writer.blocked));
    }),
    counter(
        "request_plain_bytes_total",
        &[],
        "Bytes of the bodies of write requests before compression.",
        |from, to| to.count(&from.writer.bytes_plain),
    ),
    counter("request_sent_bytes_total", &[], "Bytes of the bodies of write requests as sent.", |from, to| {
        to.count(&from.writer.bytes_sent);
    }),
    counter("address_changes_total", &[], "Failovers to the next address of influx.urls.", |from, to| {
        to.count(&from.writer.address_changes);
    }),
    gauge("requests_in_flight", &[], "Write requests without a response yet.", |from, to| {
        to.add(&[], from.writer.requests_in_flight.get());
    }),
    gauge(
        "address_up",
        &["address"],
        "0 while an address of influx.urls is skipped because it failed, 1 otherwise.",
        |from, to| {
            let client = from.pipeline.writer.current_client();
            let addresses = client.addresses();
            // An address that is configured twice has one sample.
            let up: BTreeMap<&str, bool> =
                addresses.all().map(|address| (address.as_str(), !addresses.is_down(address))).collect();
            for (address, up) in up {
                to.add(&[address], u8::from(up));
            }
        },
    ),
    histogram(
        "request_duration_seconds",
        "Time from sending a write request to the end of its response; requests without a response are not counted.",
        |from, to| {
            let latency = &from.writer.latency;
            let ends = LATENCY_BUCKETS.iter().map(|end| end.as_secs_f64().to_string());
            let counts = latency.buckets.iter().map(get);
            to.histogram(ends.map(Some).chain([None]).zip(counts), get(&latency.sum_micros) as f64 / 1e6);
        },
    ),
    gauge(
        "request_duration_max_seconds",
        &[],
        "Longest time from sending a write request to the end of its response, since the start.",
        |from, to| to.add(&[], get(&from.writer.latency.max_micros) as f64 / 1e6),
    )
    .in_status("/influx/latency/max_s"),
    counter(
        "config_reloads_total",
        &["outcome"],
        "Configuration reloads by outcome: applied, unchanged, or refused.",
        |from, to| {
            let reloads = &from.counters.reloads;
            let outcomes = [
                ("applied", &reloads.applied),
                ("unchanged", &reloads.unchanged),
                ("refused", &reloads.refused),
            ];
            to.each(outcomes.into_iter().map(|(outcome, count)| (outcome, get(count))));
        },
    ),
    gauge(
        "config_last_reload_successful",
        &[],
        "0 after a refused reload, while the bridge still runs with the configuration before it; 1 otherwise.",
        |from, to| {
            to.add(&[], u8::from(!from.counters.reloads.last_refused.load(Ordering::Relaxed)));
        },
    ),
    gauge(
        "blocked",
        ALARM,
        "1 while records stay uncommitted until someone fixes the cause, 0 while the cause is expected to pass. The destination is \
         all topics or topic NAME for causes in Kafka.",
        |from, to| {
            for ((cause, destination), (is_blocked, _)) in &from.alarms_by_cause() {
                to.add(&[cause, destination], u8::from(*is_blocked));
            }
        },
    ),
    gauge(
        "blocked_seconds",
        ALARM,
        "Time for which the cause has kept records from being settled.",
        |from, to| {
            for ((cause, destination), (_, seconds)) in &from.alarms_by_cause() {
                to.add(&[cause, destination], seconds);
            }
        },
    ),
    gauge(
        "topic_blocked_seconds",
        &["topic"],
        "Time for which the topic has been blocked, because too many of its records were rejected or refused or because a limit of the server \
         excludes its lines.",
        |from, to| {
            let mut topics = BTreeMap::<&str, f64>::new();
            for alarm in from.alarms.iter().filter(|alarm| alarm.cause != TOPIC_DENIED) {
                if let Scope::Topic(topic) = &alarm.scope {
                    let seconds = topics.entry(topic).or_default();
                    *seconds = seconds.max(alarm.lasting.as_secs_f64());
                }
            }
            for (topic, seconds) in topics {
                to.add(&[topic], seconds);
            }
        },
    ),
];

/// All metrics, in the Prometheus text format.
pub fn page(pipeline: &PipelineState) -> String {
    let sources = Sources::new(pipeline);
    let mut page = Exposition::default();
    for metric in METRICS {
        let family = page.family(metric.kind.name(), &metric.full_name(), metric.help);
        (metric.read)(&sources, &mut Samples { family, labels: metric.labels });
    }
    page.into_text()
}

#[cfg(test)]
mod tests {
    use super::super::{status_json, tests::pipeline};
    use super::*;
    use engine::telemetry::Counters;
    use serde_json::Value;
    use std::sync::atomic::AtomicU64;
    use std::time::{Duration, Instant};

    const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    const BEGIN: &str = "| metric | type | labels | meaning |\n|---|---|---|---|\n";

    /// Writes the table anew with `UPDATE=1`.
    #[test]
    fn the_document_has_the_declared_metrics() {
        let row = |metric: &Metric| {
            let Metric { name, kind, labels, help, .. } = metric;
            format!("| `{name}` | {} | {} | {help} |\n", kind.name(), labels.join(", "))
        };
        let table: String = METRICS.iter().map(row).collect();
        let document = std::fs::read_to_string(DOCUMENT).unwrap();
        let (before, rest) = document.split_once(BEGIN).expect("the document has the table");
        let (_, after) = rest.split_once("\n\n").expect("text follows the table");
        let want = format!("{before}{BEGIN}{table}\n{after}");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(DOCUMENT, want).unwrap();
        } else {
            assert!(
                document == want,
                "docs/metrics.md differs from METRICS: UPDATE=1 cargo test --lib metrics"
            );
        }
    }

    fn add(counter: &AtomicU64, amount: u64) {
        Counters::add(counter, amount);
    }

    #[tokio::test]
    async fn the_status_page_shows_the_numbers_of_the_metrics() {
        let pipeline = pipeline("http://127.0.0.1:1");
        let (counters, writer) = (&pipeline.counters, pipeline.writer.counters());
        // Each counter has another value.
        let all = [
            &counters.records,
            &counters.skipped,
            &counters.filtered,
            &counters.dead_letters,
            &counters.collisions,
            &counters.assigned_partitions,
            &counters.rebalances,
            &counters.fetch_errors,
            &writer.lines_stored,
            &writer.lines_refused,
            &writer.stored,
            &writer.retried,
            &writer.split,
            &writer.refused,
            &writer.blocked,
        ];
        all.into_iter().zip(2..).for_each(|(counter, amount)| add(counter, amount));
        counters.reject("t", mapping::Reason::Empty, 31);
        writer.latency.add(Duration::from_micros(32_500));
        let mut reserved = pipeline.budget.reserve();
        reserved.set(70);

        let status: Value =
            serde_json::from_str(&status_json::snapshot(&pipeline, 0, true, Instant::now())).unwrap();
        let page = page(&pipeline);
        let mut compared = 0;
        for metric in METRICS {
            let Some(pointer) = metric.in_status else { continue };
            let shown = status.pointer(pointer).unwrap_or_else(|| panic!("status.json has no {pointer}"));
            let name = metric.full_name();
            let samples = page.lines().filter(|line| line.starts_with(&name));
            for sample in samples {
                let (labels, value) = sample.strip_prefix(&name).unwrap().rsplit_once(' ').unwrap();
                let value: f64 = value.parse().unwrap();
                let shown = match labels.split('"').nth(1) {
                    // Objects leave out what is zero.
                    Some(label) => shown.get(label).map_or(0.0, |count| count.as_f64().unwrap()),
                    None => shown.as_f64().unwrap(),
                };
                assert!((shown - value).abs() < f64::EPSILON, "{pointer}: {shown}, and {sample}");
                compared += u32::from(value > 0.0);
            }
        }
        assert!(compared >= 19, "only {compared} numbers were compared");
    }
}
