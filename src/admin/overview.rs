//! The present state of the pipeline, as the status page and the text for terminals show it.

use super::PipelineState;
use super::health::{describe, overdue_threads};
use super::history::Recent;
use super::overall_state::OverallState;
use super::warnings::{Warning, warnings};
use base::alarm::Alarm;
use base::text::{counted, grouped};
use engine::telemetry::{Counters, PartitionState, TopicCounts, partitions};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// The paths, for clients such as curl that do not ask for HTML.
pub const PATHS: &str = "\
/                status page, in a browser
/status.json     data of the status page
/metrics         metrics for Prometheus
/healthz         200 while all threads respond
/readyz          the same, and lists what keeps lines from being stored
/readyz?strict   503 while the bridge is blocked
";

pub struct Overview {
    pub alarms: Vec<Alarm>,
    pub assigned: Vec<PartitionState>,
    /// Number of topics with an assigned partition.
    pub topics: usize,
    pub by_topic: BTreeMap<Arc<str>, TopicCounts>,
    pub recent: Recent,
    /// Unread records of all partitions, if known.
    pub unread: Option<u64>,
    pub state: OverallState,
    pub warnings: Vec<Warning>,
}

impl Overview {
    pub fn new(pipeline: &PipelineState, now: Instant) -> Self {
        let alarms = pipeline.writer.alarms();
        let assigned = partitions(&pipeline.lags, &pipeline.counters);
        let recent = pipeline.history.recent(&pipeline.writer.counters().latency);
        let unread = assigned.iter().filter_map(|state| state.lag.unread).reduce(|all, more| all + more);
        let unread = unread.and_then(|unread| u64::try_from(unread).ok());
        let state = OverallState::of(pipeline, &alarms, &recent, unread, now);
        let by_topic = pipeline.counters.by_topic.all();
        let names = assigned.iter().map(|state| state.topic.as_str()).collect::<BTreeSet<_>>();
        let warnings = warnings(pipeline, &names, &by_topic, recent.overwritten);
        let topics = names.len();
        Self { alarms, assigned, topics, by_topic, recent, unread, state, warnings }
    }

    /// The state as text for terminals, with each problem and its remedy. `shows_records`: whether the client may see the contents of
    /// records.
    pub fn text(&self, pipeline: &PipelineState, shows_records: bool, now: Instant) -> String {
        let rates = self.recent.rates;
        let [records, lines] = [rates.records, rates.lines].map(|rate| grouped(rate.round() as u64));
        let unread = self.unread.map_or("unread records not known yet".to_owned(), |unread| {
            format!("{} records unread", grouped(unread))
        });
        // The statistics, from which `assigned` comes, are some seconds late.
        let assigned = Counters::get(&pipeline.counters.assigned_partitions);
        let assigned = format!("{} assigned", counted(assigned, "partition"));
        let mut text = format!(
            "kafka-influx-bridge {}: {}\n{records} records/s read, {lines} lines/s stored, {unread}, {assigned}\n\n",
            env!("CARGO_PKG_VERSION"),
            self.state.name(),
        );
        let mut problems = overdue_threads(pipeline, now);
        problems.extend(self.alarms.iter().map(|alarm| describe(alarm, shows_records)));
        problems.extend(self.warnings.iter().map(|Warning { scope, why, remedy, .. }| {
            format!("warning: {scope}\n  why: {why}\n  remedy: {remedy}\n")
        }));
        if !problems.is_empty() {
            text.push_str(&problems);
            text.push('\n');
        }
        text + PATHS
    }
}
