//! What stands on `/metrics`.

use super::counters::Reloads;
use super::exposition::{Exposition, Kind};
use super::health::holds;
use super::{Counters, Watched};
use crate::influx::{self, LATENCY_BUCKETS, Latency};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// All metrics, in the Prometheus text format.
pub fn page(watched: &Watched) -> String {
    let mut page = Exposition::default();
    process(watched.started, &mut page);
    records(&watched.counters, &mut page);
    kafka(watched, &mut page);
    lines(watched.writer.counters(), &mut page);
    requests(watched.writer.counters(), &mut page);
    addresses(watched, &mut page);
    latency(&watched.writer.counters().latency, &mut page);
    memory(watched, &mut page);
    reloads(&watched.counters, &mut page);
    alarms(watched, &mut page);
    page.into_text()
}

fn get(counter: &AtomicU64) -> u64 {
    Counters::get(counter)
}

fn process(started: SystemTime, page: &mut Exposition) {
    page.family(Kind::Gauge, "build_info", "The running version; the value is always 1.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    let since_1970 = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    page.family_as(Kind::Gauge, "process_start_time_seconds", "When the process started, since 1970.")
        .sample(&[], since_1970.as_secs_f64());
}

fn records(counters: &Counters, page: &mut Exposition) {
    let counter = Kind::Counter;
    page.single(counter, "records_total", "Records read from Kafka.", get(&counters.records));
    let bytes = get(&counters.record_bytes);
    page.single(counter, "record_bytes_total", "Bytes of the values of records read from Kafka.", bytes);
    page.single(counter, "lines_mapped_total", "Lines that records became.", get(&counters.lines));
    let help = "Records that Kafka deleted before they were read, by their offsets.";
    page.single(counter, "skipped_records_total", help, get(&counters.skipped));
    let help = "Records, or elements of them, that became no point because the configuration says so.";
    page.single(counter, "filtered_total", help, get(&counters.filtered));
    let help = "Records, or elements of them, that can't become a point, by reason.";
    let mut family = page.family(counter, "rejected_total", help);
    for (reason, count) in counters.rejected() {
        family.sample(&[("reason", reason.name())], count);
    }
    let help =
        "Records whose dead letter is written; one that is read again after a crash may be written again.";
    page.single(counter, "dead_letters_total", help, get(&counters.dead_letters));
    let help = "Points with the series and time of another record's in the same batch, which they overwrite.";
    page.single(counter, "collisions_total", help, get(&counters.collisions));
    let help = "Values left out of points, or changed, by reason.";
    let mut family = page.family(counter, "dropped_values_total", help);
    for (drop, count) in counters.dropped() {
        family.sample(&[("reason", drop.name())], count);
    }
}

fn kafka(watched: &Watched, page: &mut Exposition) {
    let counters = &watched.counters;
    let help = "Partitions that this process reads now.";
    page.single(Kind::Gauge, "assigned_partitions", help, get(&counters.assigned_partitions));
    let help = "Assignments and revokes of partitions.";
    page.single(Kind::Counter, "rebalances_total", help, get(&counters.rebalances));
    let help = "Errors that brokers answered in the place of records.";
    page.single(Kind::Counter, "fetch_errors_total", help, get(&counters.fetch_errors));
    let lags: Vec<_> = watched
        .lags
        .all()
        .into_iter()
        .map(|((topic, partition), lag)| (topic, partition.to_string(), lag))
        .collect();
    let help = "Records in Kafka that are not settled and committed yet.";
    let mut family = page.family(Kind::Gauge, "lag_records", help);
    for (topic, partition, lag) in &lags {
        if let Some(uncommitted) = lag.uncommitted {
            family.sample(&[("topic", topic), ("partition", partition)], uncommitted);
        }
    }
    let mut family = page.family(Kind::Gauge, "unread_records", "Records in Kafka that are not read yet.");
    for (topic, partition, lag) in &lags {
        if let Some(unread) = lag.unread {
            family.sample(&[("topic", topic), ("partition", partition)], unread);
        }
    }
}

fn lines(writer: &influx::Counters, page: &mut Exposition) {
    let help = "Lines that InfluxDB stored.";
    page.single(Kind::Counter, "lines_stored_total", help, get(&writer.lines_stored));
    let help = "Lines that InfluxDB refused.";
    page.single(Kind::Counter, "lines_refused_total", help, get(&writer.lines_refused));
}

fn requests(writer: &influx::Counters, page: &mut Exposition) {
    let outcomes = [
        ("stored", &writer.stored),
        ("retry", &writer.retried),
        ("split", &writer.split),
        ("refused", &writer.refused),
        ("hold", &writer.held),
    ];
    let mut family = page.family(Kind::Counter, "requests_total", "Write requests, by what came of them.");
    for (outcome, count) in outcomes {
        family.sample(&[("outcome", outcome)], get(count));
    }
    let help = "Write requests that have to be sent again as they are.";
    page.single(Kind::Counter, "retries_total", help, get(&writer.retried) + get(&writer.held));
    let help = "Bytes of the bodies of write requests before compression.";
    page.single(Kind::Counter, "request_plain_bytes_total", help, get(&writer.bytes_plain));
    let help = "Bytes of the bodies of write requests as sent.";
    page.single(Kind::Counter, "request_sent_bytes_total", help, get(&writer.bytes_sent));
    let help = "Times that the next address of influx.urls was taken.";
    page.single(Kind::Counter, "address_changes_total", help, get(&writer.address_changes));
}

fn addresses(watched: &Watched, page: &mut Exposition) {
    let client = watched.writer.client();
    let addresses = client.addresses();
    let help = "0 while an address of influx.urls is left alone because it failed, 1 otherwise.";
    // One that is written twice has one sample.
    let up: BTreeMap<&str, bool> =
        addresses.all().map(|address| (address.as_str(), !addresses.is_left_alone(address))).collect();
    let mut family = page.family(Kind::Gauge, "address_up", help);
    for (address, up) in up {
        family.sample(&[("address", address)], u8::from(up));
    }
}

fn latency(latency: &Latency, page: &mut Exposition) {
    let help = "From sending a write request to the end of its answer, of those that were answered.";
    let mut family = page.family(Kind::Histogram, "request_duration_seconds", help);
    let mut count = 0;
    let ends = LATENCY_BUCKETS.iter().map(|end| end.as_secs_f64().to_string());
    // The count is taken from the buckets, so that they agree while requests end.
    for (bucket, end) in latency.buckets.iter().zip(ends.chain(["+Inf".to_owned()])) {
        count += get(bucket);
        family.sample_of("_bucket", &[("le", &end)], count);
    }
    family.sample_of("_sum", &[], get(&latency.sum_micros) as f64 / 1e6);
    family.sample_of("_count", &[], count);
    let help = "The longest of them since the start.";
    let longest = get(&latency.max_micros) as f64 / 1e6;
    page.single(Kind::Gauge, "request_duration_max_seconds", help, longest);
}

fn memory(watched: &Watched, page: &mut Exposition) {
    let help = "Memory of all batches: open, in flight and compressed.";
    page.single(Kind::Gauge, "batch_memory_bytes", help, watched.budget.used());
    let help = "What batch.memory_max allows.";
    page.single(Kind::Gauge, "batch_memory_max_bytes", help, watched.budget.bytes_max());
}

fn reloads(counters: &Counters, page: &mut Exposition) {
    let Reloads { applied, unchanged, refused, last_refused } = &counters.reloads;
    let mut family = page.family(
        Kind::Counter,
        "config_reloads_total",
        "Reloads of the configuration, by what came of them.",
    );
    for (outcome, count) in [("applied", applied), ("unchanged", unchanged), ("refused", refused)] {
        family.sample(&[("outcome", outcome)], get(count));
    }
    let help = "0 while the last reload was refused: the file is not what runs.";
    let is_successful = !last_refused.load(Ordering::Relaxed);
    page.single(Kind::Gauge, "config_last_reload_successful", help, u8::from(is_successful));
}

fn alarms(watched: &Watched, page: &mut Exposition) {
    // Two addresses of one database may fail for one cause: one sample stands for both.
    let mut alarms: BTreeMap<(&str, String), (bool, f64)> = BTreeMap::new();
    for alarm in watched.writer.alarms() {
        let entry = alarms.entry((alarm.cause, alarm.scope.to_string())).or_default();
        *entry = (entry.0 || holds(&alarm), entry.1.max(alarm.lasting.as_secs_f64()));
    }
    let help = "1 while records wait in Kafka because InfluxDB can't be written to, 0 while that may pass by itself.";
    let mut family = page.family(Kind::Gauge, "holding", help);
    for ((cause, destination), (holds, _)) in &alarms {
        family.sample(&[("cause", cause), ("destination", destination)], u8::from(*holds));
    }
    let help = "How long the cause has kept lines from being stored.";
    let mut family = page.family(Kind::Gauge, "holding_seconds", help);
    for ((cause, destination), (_, seconds)) in &alarms {
        family.sample(&[("cause", cause), ("destination", destination)], seconds);
    }
}
