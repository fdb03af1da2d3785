//! Samples of metrics: the state that they are read from, and the part of the page that they are written to.

use super::PipelineState;
use super::exposition::Family;
use base::alarm::Alarm;
use engine::telemetry::{BrokerState, ClientState, Counters, PartitionState, TopicCounts, partitions};
use influx::SizeHistogram;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub fn get(counter: &AtomicU64) -> u64 {
    Counters::get(counter)
}

/// State that the samples are read from. What has to be collected is collected once per page.
pub struct Sources<'w> {
    pub pipeline: &'w PipelineState,
    pub counters: &'w Counters,
    pub writer: &'w influx::WriteCounters,
    pub partitions: Vec<PartitionState>,
    pub topics: BTreeMap<Arc<str>, TopicCounts>,
    pub clients: Vec<(usize, ClientState)>,
    pub alarms: Vec<Alarm>,
}

impl<'w> Sources<'w> {
    pub fn new(pipeline: &'w PipelineState) -> Self {
        Self {
            pipeline,
            counters: &pipeline.counters,
            writer: pipeline.writer.counters(),
            partitions: partitions(&pipeline.lags, &pipeline.counters),
            topics: pipeline.counters.by_topic.all(),
            clients: pipeline.lags.clients(),
            alarms: pipeline.writer.alarms(),
        }
    }

    /// Alarms by cause and scope: whether one blocks records, and the longest duration. Two addresses of one database may fail
    /// for the same cause, which is one sample.
    pub fn alarms_by_cause(&self) -> BTreeMap<(&str, String), (bool, f64)> {
        let mut all: BTreeMap<(&str, String), (bool, f64)> = BTreeMap::new();
        for alarm in &self.alarms {
            let (is_blocked, seconds) = all.entry((alarm.cause, alarm.scope.to_string())).or_default();
            *is_blocked |= alarm.is_blocking();
            *seconds = seconds.max(alarm.lasting.as_secs_f64());
        }
        all
    }
}

/// Receives the samples of one metric.
pub struct Samples<'p> {
    pub family: Family<'p>,
    pub labels: &'static [&'static str],
}

impl Samples<'_> {
    /// Adds a sample; `values` are those of the declared labels, in their order.
    pub fn add(&mut self, values: &[&str], value: impl Display) {
        self.add_suffixed("", values, value);
    }

    fn add_suffixed(&mut self, suffix: &str, values: &[&str], value: impl Display) {
        // The sum and the count of a histogram have no `le`.
        debug_assert!(
            values.len() == self.labels.len() || !suffix.is_empty(),
            "a sample has all declared labels"
        );
        let labels: Vec<(&str, &str)> = self.labels.iter().copied().zip(values.iter().copied()).collect();
        self.family.sample(suffix, &labels, value);
    }

    pub fn add_known(&mut self, values: &[&str], value: Option<impl Display>) {
        if let Some(value) = value {
            self.add(values, value);
        }
    }

    pub fn count(&mut self, counter: &AtomicU64) {
        self.add(&[], get(counter));
    }

    /// Adds a sample for each value of the only label.
    pub fn each(&mut self, counts: impl Iterator<Item = (&'static str, u64)>) {
        counts.for_each(|(value, count)| self.add(&[value], count));
    }

    pub fn each_partition<V: Display>(
        &mut self,
        from: &Sources<'_>,
        value: fn(&PartitionState) -> Option<V>,
    ) {
        for state in &from.partitions {
            self.add_known(&[&state.topic, &state.partition.to_string()], value(state));
        }
    }

    pub fn each_client(&mut self, from: &Sources<'_>, value: fn(&ClientState) -> f64) {
        for (consumer, client) in &from.clients {
            self.add(&[&consumer.to_string()], value(client));
        }
    }

    pub fn each_broker(&mut self, from: &Sources<'_>, value: fn(&BrokerState) -> Option<f64>) {
        for (consumer, client) in &from.clients {
            let consumer = consumer.to_string();
            for broker in &client.brokers {
                self.add_known(&[&consumer, &broker.name], value(broker));
            }
        }
    }

    pub fn sizes(&mut self, sizes: &SizeHistogram) {
        let buckets = sizes.buckets().map(|(end, count)| (end.map(|end| end.to_string()), count));
        self.histogram(buckets, sizes.sum() as f64);
    }

    /// Adds a histogram from counts by upper end, which are not cumulative; the last bucket has no end. The total comes from
    /// the buckets, so that both agree while requests end.
    pub fn histogram(&mut self, buckets: impl Iterator<Item = (Option<String>, u64)>, sum: f64) {
        let mut total = 0;
        for (end, count) in buckets {
            total += count;
            self.add_suffixed("_bucket", &[end.as_deref().unwrap_or("+Inf")], total);
        }
        self.add_suffixed("_sum", &[], sum);
        self.add_suffixed("_count", &[], total);
    }
}
