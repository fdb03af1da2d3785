//! `status.json`: a snapshot for the status page. All lists in it are bounded.

use super::history::{Rates, Recent, Sample};
use super::overall_state::OverallState;
use super::overview::Overview;
use super::warnings::Warning;
use super::{PipelineState, ShownConfig};
use base::Destination;
use base::alarm::{Alarm, Scope};
use engine::telemetry::newest_rejections::{ShownRejection, since_1970_ms};
use engine::telemetry::{Counters, PartitionLag, PartitionState, TopicCounts};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

/// Each list has the worst entries.
const TOPICS_MAX: usize = 100;
const PARTITIONS_MAX: usize = 100;
const ALARMS_MAX: usize = 20;
const DESTINATIONS_MAX: usize = 50;

/// The snapshot. `known`: number of samples of the plot that the page has already. `shows_records`: whether the client may see the
/// contents of records.
pub fn snapshot(pipeline: &PipelineState, known: u64, shows_records: bool, now: Instant) -> String {
    let config = pipeline.shown_config();
    let Overview { alarms, assigned, topics: topic_count, by_topic, recent, unread, state, warnings } =
        Overview::new(pipeline, now);
    let now_ms = since_1970_ms(SystemTime::now());
    let overdue = pipeline.heartbeats.overdue(now).into_iter();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "group": config.group_id,
        "started_ms": since_1970_ms(pipeline.started),
        "now_ms": now_ms,
        "state": state.name(),
        "shows_records": shows_records,
        "stored_within_s": stored_within_s(&config, &recent),
        "caught_up_in_s": caught_up_in_s(unread, &recent),
        "growing": recent.catching_up.is_some_and(|rate| rate < 0.0),
        "alarms": alarms.iter().take(ALARMS_MAX).map(|one| alarm(one, now_ms, shows_records)).collect::<Value>(),
        "alarms_more": alarms.len().saturating_sub(ALARMS_MAX),
        "warnings": warnings.iter().take(ALARMS_MAX).map(warning).collect::<Value>(),
        "warnings_more": warnings.len().saturating_sub(ALARMS_MAX),
        "overdue_threads": overdue.map(|(thread, silence)| json!([thread, silence.as_secs()])).collect::<Value>(),
        "rates": rates(recent.rates),
        "unread": unread,
        "waiting": waiting(&alarms, &assigned),
        "kafka": kafka(pipeline, topic_count),
        "topics": topics(&assigned, &by_topic),
        "partitions": partitions_by_lag(&assigned),
        "influx": influx(pipeline, &config, &recent, &alarms),
        "not_stored": not_stored(pipeline, &config),
        "last": pipeline.counters.rejections.last().iter().map(|rejection| last(rejection, shows_records)).collect::<Value>(),
        "history": history(pipeline, known),
    })
    .to_string()
}

fn get(counter: &AtomicU64) -> u64 {
    Counters::get(counter)
}

/// Time within which a new record is stored: the longest wait in a batch, and p99 of a write.
fn stored_within_s(config: &ShownConfig, recent: &Recent) -> Option<f64> {
    recent.latency_s.map(|(_, p99)| config.age_max.as_secs_f64() + p99)
}

/// Time until the backlog is read at the present rate.
fn caught_up_in_s(unread: Option<u64>, recent: &Recent) -> Option<f64> {
    let rate = recent.catching_up.filter(|rate| *rate > 0.0)?;
    Some(unread? as f64 / rate)
}

fn alarm(alarm: &Alarm, now_ms: u64, shows_records: bool) -> Value {
    let lasting_ms = u64::try_from(alarm.lasting.as_millis()).unwrap_or(u64::MAX);
    json!({
        "state": OverallState::of_alarm(alarm).name(),
        "cause": alarm.cause,
        "scope": alarm.scope.to_string(),
        "at": alarm.at,
        "why": alarm.why(shows_records),
        "remedy": alarm.remedy,
        "since_ms": now_ms.saturating_sub(lasting_ms),
    })
}

fn warning(warning: &Warning) -> Value {
    let Warning { name, scope, why, remedy } = warning;
    json!({ "name": name, "scope": scope, "why": why, "remedy": remedy })
}

/// Records that are not committed yet: those of the alarms' topics if each alarm is about a topic, otherwise all.
fn waiting(alarms: &[Alarm], assigned: &[PartitionState]) -> Option<i64> {
    let topics: Option<Vec<&str>> = alarms.iter().map(|alarm| topic_of(&alarm.scope)).collect();
    let topics = topics.filter(|topics| !topics.is_empty());
    let waits =
        |state: &&PartitionState| topics.as_ref().is_none_or(|topics| topics.contains(&state.topic.as_str()));
    assigned.iter().filter(waits).filter_map(|state| state.lag.uncommitted).reduce(|all, more| all + more)
}

fn topic_of(scope: &Scope) -> Option<&str> {
    match scope {
        Scope::Topic(topic) => Some(topic),
        Scope::Server | Scope::Destination(_) | Scope::DeadLetters | Scope::Kafka | Scope::Bridge => None,
    }
}

fn rates(rates: Rates) -> Value {
    json!({
        "records": rates.records,
        "record_bytes": rates.record_bytes,
        "lines": rates.lines,
        "bytes_sent": rates.bytes_sent,
        "requests": rates.requests,
        "requests_failed": rates.requests_failed,
    })
}

fn kafka(pipeline: &PipelineState, topics: usize) -> Value {
    let counters = &pipeline.counters;
    json!({
        "topics": topics,
        "partitions": get(&counters.assigned_partitions),
        "records": get(&counters.records),
        "skipped": get(&counters.skipped),
        "fetch_errors": get(&counters.fetch_errors),
        "rebalances": get(&counters.rebalances),
        "memory_bytes": pipeline.budget.used(),
        "memory_bytes_max": pipeline.budget.bytes_max(),
    })
}

/// Topics by lag, the largest first. The page shows `rejected`, `behind_s` and `deleted_in_s` where they are known, and computes a rate
/// from `records`.
fn topics(assigned: &[PartitionState], counts: &BTreeMap<Arc<str>, TopicCounts>) -> Value {
    let mut topics: BTreeMap<&str, TopicLag> = BTreeMap::new();
    for state in assigned {
        topics.entry(&state.topic).or_default().add(state);
    }
    let mut topics: Vec<_> = topics.into_iter().collect();
    topics.sort_by_key(|(_, all)| std::cmp::Reverse(lag_order(&all.lag)));
    let shown = topics.iter().take(TOPICS_MAX);
    let shown = shown.map(|(topic, all)| {
        let counts = counts.get(*topic);
        let rejected = counts.map_or(0, |counts| counts.rejected().map(|(_, count)| count).sum::<u64>());
        json!({
            "topic": topic,
            "partitions": all.partitions,
            "unread": all.lag.unread,
            "uncommitted": all.lag.uncommitted,
            "records": counts.map(|counts| counts.records),
            "rejected": rejected,
            "behind_s": all.behind.map(|behind| behind.as_secs_f64()),
            "deleted_in_s": all.retention_left.map(|left| left.as_secs_f64()),
        })
    });
    shown.collect()
}

/// Sums and worst values over the partitions of a topic.
#[derive(Default)]
struct TopicLag {
    partitions: u64,
    lag: PartitionLag,
    behind: Option<Duration>,
    retention_left: Option<Duration>,
}

impl TopicLag {
    fn add(&mut self, state: &PartitionState) {
        self.partitions += 1;
        self.lag.unread = added(self.lag.unread, state.lag.unread);
        self.lag.uncommitted = added(self.lag.uncommitted, state.lag.uncommitted);
        self.behind = self.behind.max(state.behind);
        let left = self.retention_left.into_iter().chain(state.retention_left());
        self.retention_left = left.min();
    }
}

/// Partitions of all topics by lag, the largest first.
fn partitions_by_lag(assigned: &[PartitionState]) -> Value {
    let mut partitions: Vec<_> = assigned.iter().collect();
    partitions.sort_by_key(|state| std::cmp::Reverse(lag_order(&state.lag)));
    let shown = partitions.into_iter().take(PARTITIONS_MAX);
    let shown = shown.map(|PartitionState { topic, partition, lag, .. }| {
        json!({
            "topic": topic,
            "partition": partition,
            "committed_offset": lag.committed_offset,
            "read_offset": lag.read_offset,
            "unread": lag.unread,
            "uncommitted": lag.uncommitted,
        })
    });
    shown.collect()
}

fn lag_order(lag: &PartitionLag) -> (i64, i64) {
    // Unknown lags come after known ones.
    (lag.unread.unwrap_or(-1), lag.uncommitted.unwrap_or(-1))
}

fn added(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.zip(other).map(|(one, other)| one + other).or(one).or(other)
}

fn influx(pipeline: &PipelineState, config: &ShownConfig, recent: &Recent, alarms: &[Alarm]) -> Value {
    let (writer, client) = (pipeline.writer.counters(), pipeline.writer.current_client());
    let addresses = client.addresses();
    let max_s = get(&writer.latency.max_micros) as f64 / 1e6;
    let used = addresses.current().as_str();
    let addresses = addresses.all().map(|address| {
        let (name, server) = (address.as_str(), address.server().to_string());
        // Empty: the server decides nothing.
        let server = Some(server).filter(|server| !server.is_empty());
        json!({ "address": name, "up": !addresses.is_down(address), "used": name == used, "server": server })
    });
    let destinations = config.destinations();
    let destinations = destinations.iter();
    json!({
        "lines_stored": get(&writer.lines_stored),
        "requests": {
            "stored": get(&writer.stored),
            "retry": get(&writer.retried),
            "blocked": get(&writer.blocked),
            "split": get(&writer.split),
            "refused": get(&writer.refused),
        },
        "latency": { "p50_s": recent.latency_s.map(|(p50, _)| p50), "p99_s": recent.latency_s.map(|(_, p99)| p99), "max_s": max_s },
        "addresses": addresses.collect::<Value>(),
        "destinations": destinations.clone().take(DESTINATIONS_MAX).map(|one| destination(one, alarms)).collect::<Value>(),
        "destinations_more": destinations.len().saturating_sub(DESTINATIONS_MAX),
    })
}

fn destination(destination: &Destination, alarms: &[Alarm]) -> Value {
    let name = destination.to_string();
    let concerns = |alarm: &&Alarm| match &alarm.scope {
        Scope::Server | Scope::Bridge => true,
        Scope::Destination(concerned) => *concerned == name,
        Scope::DeadLetters | Scope::Topic(_) | Scope::Kafka => false,
    };
    let states = alarms.iter().filter(concerns).map(OverallState::of_alarm);
    let state = states.max_by_key(|state| *state as u8).unwrap_or(OverallState::Healthy);
    json!({ "name": name, "state": state.name() })
}

/// Counts of everything that was read and not stored.
fn not_stored(pipeline: &PipelineState, config: &ShownConfig) -> Value {
    let (counters, writer) = (&pipeline.counters, pipeline.writer.counters());
    let some = |(name, count): (&str, u64)| (count > 0).then(|| (name.to_owned(), Value::from(count)));
    let rejected = counters.rejected().filter_map(|(reason, count)| some((reason.name(), count)));
    let dropped = counters.dropped().filter_map(|(drop, count)| some((drop.name(), count)));
    json!({
        "rejected": rejected.collect::<Map<_, _>>(),
        "refused_lines": get(&writer.lines_refused),
        "dead_letters": get(&counters.dead_letters),
        "dead_letters_to": config.dead_letters,
        "filtered": get(&counters.filtered),
        "collisions": get(&counters.collisions),
        "dropped_values": dropped.collect::<Map<_, _>>(),
    })
}

/// A rejected record or refused line. The text of the reason may quote the record.
fn last(rejected: &ShownRejection, shows_records: bool) -> Value {
    let shown = |text: Option<&str>| text.filter(|_| shows_records).map(str::to_owned);
    json!({
        "time_ms": rejected.time_ms,
        "topic": rejected.topic,
        "partition": rejected.partition,
        "offset": rejected.offset,
        "element": rejected.element,
        "reason": rejected.reason,
        "why": shown(Some(&rejected.why)),
        "text": shown(rejected.text.as_deref()),
    })
}

fn history(pipeline: &PipelineState, known: u64) -> Value {
    let (next, samples) = pipeline.history.since(known);
    let rounded = |rate: f32| (f64::from(rate) * 10.0).round() / 10.0;
    let sample_json = |sample: &Sample| {
        let Sample { time_ms, records, lines, unread, is_blocked } = *sample;
        json!([time_ms, rounded(records), rounded(lines), unread, u8::from(is_blocked)])
    };
    json!({ "next": next, "samples": samples.iter().map(sample_json).collect::<Value>() })
}

#[cfg(test)]
mod tests;
