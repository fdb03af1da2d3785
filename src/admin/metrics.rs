//! What stands on `/metrics`.
//!
//! A page has some 700 bytes for each partition held and 1,000 for each broker; the rest is bounded too: by the reasons
//! and destinations there are, by a thousand topics, a hundred brokers a consumer.

mod influx;
mod kafka;

use super::exposition::{Exposition, Kind};
use super::health::holds;
use super::{Watched, process};
use base::alarm::{Scope, TOPIC_DENIED};
use engine::telemetry::Counters;
use engine::telemetry::counters::Reloads;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// All metrics, in the Prometheus text format.
pub fn page(watched: &Watched) -> String {
    let mut page = Exposition::default();
    this_process(watched.started, &mut page);
    records(&watched.counters, &mut page);
    kafka::consumers(&watched.counters, &mut page);
    kafka::partitions(watched, &mut page);
    kafka::clients(&watched.lags.clients(), &mut page);
    batches(watched, &mut page);
    influx::lines(watched, &mut page);
    influx::requests(watched.writer.counters(), &mut page);
    influx::addresses(watched, &mut page);
    influx::latency(&watched.writer.counters().latency, &mut page);
    reloads(&watched.counters, &mut page);
    alarms(watched, &mut page);
    page.into_text()
}

fn get(counter: &AtomicU64) -> u64 {
    Counters::get(counter)
}

fn this_process(started: SystemTime, page: &mut Exposition) {
    page.family(Kind::Gauge, "build_info", "The running version; the value is always 1.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    // A clock before 1970 is reported as 1970.
    let since_1970 = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    page.family_as(Kind::Gauge, "process_start_time_seconds", "When the process started, since 1970.")
        .sample(&[], since_1970.as_secs_f64());
    let mut everybodys = |kind, name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            page.family_as(kind, name, help).sample(&[], value);
        }
    };
    let help = "Memory of the process that is in RAM.";
    let resident = process::resident_bytes().map(|bytes| bytes as f64);
    everybodys(Kind::Gauge, "process_resident_memory_bytes", help, resident);
    let help = "Processor time of the process, of user and system.";
    everybodys(Kind::Counter, "process_cpu_seconds_total", help, process::cpu_seconds());
    let open = process::open_files().map(|files| files as f64);
    everybodys(Kind::Gauge, "process_open_fds", "Open files and connections of the process.", open);
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
    by_topic(counters, page);
    let help =
        "Records whose dead letter is written; one that is read again after a crash may be written again.";
    page.single(counter, "dead_letters_total", help, get(&counters.dead_letters));
    let help = "Points with the series and time of an earlier point of the same batch, which they overwrite.";
    page.single(counter, "collisions_total", help, get(&counters.collisions));
    let help = "Values left out of points, or changed, by reason.";
    let mut family = page.family(counter, "dropped_values_total", help);
    for (drop, count) in counters.dropped() {
        family.sample(&[("reason", drop.name())], count);
    }
}

/// Only of topics that have some, so that the page stays small.
fn by_topic(counters: &Counters, page: &mut Exposition) {
    let topics = counters.by_topic.all();
    let help = "The same as rejected_total by topic too, where there are some.";
    let mut family = page.family(Kind::Counter, "topic_rejected_total", help);
    for (topic, of) in &topics {
        for (reason, count) in of.rejected() {
            family.sample(&[("topic", topic), ("reason", reason.name())], count);
        }
    }
    let help = "Lines that InfluxDB refused, by the topic of their record, where there are some.";
    let mut family = page.family(Kind::Counter, "topic_lines_refused_total", help);
    for (topic, of) in topics.iter().filter(|(_, of)| of.lines_refused > 0) {
        family.sample(&[("topic", topic)], of.lines_refused);
    }
}

fn batches(watched: &Watched, page: &mut Exposition) {
    let help = "Batches by why they were closed: full, by age, for memory of other batches, or at the end of an assignment.";
    let mut family = page.family(Kind::Counter, "batches_total", help);
    for (closed, count) in watched.counters.batches() {
        family.sample(&[("closed_by", closed.name())], count);
    }
    let writer = watched.writer.counters();
    let help = "Lines of a batch when it was closed, of batches with lines.";
    influx::sizes(&writer.batch_lines, "batch_lines", help, page);
    let help = "Bytes of its lines, before compression.";
    influx::sizes(&writer.batch_bytes, "batch_bytes", help, page);
    let help = "Closed batches of which not all lines are stored or refused.";
    page.single(Kind::Gauge, "batches_in_flight", help, writer.batches_in_flight.get());
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
    let help = "1 while records stay uncommitted until something is mended, 0 while that may pass by itself.";
    let mut family = page.family(Kind::Gauge, "holding", help);
    for ((cause, destination), (holds, _)) in &alarms {
        family.sample(&[("cause", cause), ("destination", destination)], u8::from(*holds));
    }
    let help = "How long the cause has kept records from being settled.";
    let mut family = page.family(Kind::Gauge, "holding_seconds", help);
    for ((cause, destination), (_, seconds)) in &alarms {
        family.sample(&[("cause", cause), ("destination", destination)], seconds);
    }
    let mut topics = BTreeMap::<String, f64>::new();
    for alarm in watched.writer.alarms() {
        if let Scope::Topic(topic) = alarm.scope
            && alarm.cause != TOPIC_DENIED
        {
            let seconds = topics.entry(topic).or_default();
            *seconds = seconds.max(alarm.lasting.as_secs_f64());
        }
    }
    let help = "How long the topic has been blocked: too many of its records were rejected or refused, or a limit of the server keeps its lines out.";
    let mut family = page.family(Kind::Gauge, "topic_holding_seconds", help);
    for (topic, seconds) in &topics {
        family.sample(&[("topic", topic)], seconds);
    }
}
