//! Explains why no records come, by querying the brokers.

use super::context::GroupConsumer;
use super::diagnosis::Fault;
use super::{denied_topics, describe_group, group_refusal};
use crate::Topics;
use base::suggest::with_nearest;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const REQUEST_MAX: Duration = Duration::from_secs(3);

/// Work of the bridge that explains why it reads nothing, besides missing records.
#[derive(Clone, Copy, Debug, Default)]
pub struct PendingWork {
    /// Whether unread records stay in Kafka because lines can't be stored, or are in flight.
    pub stops_reading: bool,
    /// Whether records are read and not settled, or an alarm says why none are read.
    pub has_unsettled: bool,
    /// Number of rejected records that stay uncommitted until their topic gives its first point.
    pub undecided: u64,
}

/// The reason, as a text. `topics` is the configuration, `subscribed` the resulting names, `strategies` those of
/// [`Settings`](crate::Settings::strategies). None: the bridge waits for InfluxDB or has an alarm, so no reason lies in Kafka.
pub fn why(
    consumer: &GroupConsumer,
    subscribed: &BTreeSet<String>,
    topics: &Topics,
    group_id: &str,
    strategies: Option<&str>,
    bridge: PendingWork,
) -> Option<String> {
    let metadata = match consumer.fetch_metadata(None, REQUEST_MAX) {
        Ok(metadata) => metadata,
        Err(error) => return Some(unreachable(consumer, &error)),
    };
    if subscribed.is_empty() {
        let patterns: Vec<&str> = topics.patterns.iter().map(regex::Regex::as_str).collect();
        return Some(format!("no topic matches {}", patterns.join(" or ")));
    }
    let missing: Vec<&str> =
        subscribed.iter().map(String::as_str).filter(|name| partitions_of(&metadata, name) == 0).collect();
    if !missing.is_empty() {
        // Without a response no topic counts as denied, and the text below names the missing ones.
        let denied = denied_topics::denied_among(consumer, subscribed, &[]).unwrap_or_default();
        if !denied.is_empty() {
            let topics = denied.join(", ");
            return Some(format!("{topics}: {}", Fault::TopicDenied));
        }
        // A warning names missing topics of `kafka.topics` (missing_topics.rs).
        let missing: Vec<&str> =
            missing.into_iter().filter(|name| !topics.names.iter().any(|named| named == name)).collect();
        return (!missing.is_empty())
            .then(|| format!("missing topics: {}; they are read once they are created", missing.join(", ")));
    }
    let assigned = consumer.assignment().map_or(0, |list| list.count());
    if assigned == 0 {
        return Some(without_partitions(consumer, subscribed, &metadata, group_id, strategies));
    }
    let Some(waiting) = waiting(consumer) else {
        return Some(format!(
            "the brokers do not return the end offsets of the {assigned} assigned partitions: check the brokers' logs"
        ));
    };
    if waiting == 0 {
        return at_the_end(assigned, bridge);
    }
    let is_throttled = consumer.context().alarms().is_throttled(Instant::now());
    let remedy =
        if is_throttled { Fault::Throttled.to_string() } else { "check the brokers' logs".to_owned() };
    (!bridge.stops_reading).then(|| {
        format!(
            "{waiting} records wait in {assigned} partitions, and the brokers do not deliver them: {remedy}"
        )
    })
}

/// The reason when there is no unread record. None: read records are not settled yet, so the bridge is not idle.
fn at_the_end(assigned: usize, bridge: PendingWork) -> Option<String> {
    let PendingWork { has_unsettled, undecided, .. } = bridge;
    if has_unsettled {
        return None;
    }
    Some(if undecided > 0 {
        format!(
            "all {assigned} partitions are read, and {undecided} rejected records stay uncommitted, because no record of their topics \
             has become a point yet"
        )
    } else {
        format!(
            "all {assigned} partitions are read to their end: waiting for new records (`kafka.offset_reset` decides where a new group begins)"
        )
    })
}

fn unreachable(consumer: &GroupConsumer, error: &KafkaError) -> String {
    let alarms = consumer.context().alarms();
    let is_controller = error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnsupportedFeature);
    let fault = match alarms.trouble.unresolved() {
        _ if is_controller => Fault::Controller,
        _ if alarms.is_throttled(Instant::now()) => Fault::Throttled,
        unresolved => unresolved.unwrap_or(Fault::NotConnected),
    };
    format!("the brokers do not answer ({error}): {fault}")
}

/// The names of the existing topics.
pub fn existing(metadata: &Metadata) -> Vec<&str> {
    let there = metadata.topics().iter().filter(|topic| !topic.partitions().is_empty());
    there.map(MetadataTopic::name).collect()
}

/// The missing topics, each with the existing topic of the nearest name.
pub fn each_with_nearest(missing: &[&str], there: &[&str]) -> String {
    let named: Vec<String> = missing.iter().map(|name| with_nearest(name, there.iter().copied())).collect();
    named.join(", ")
}

fn partitions_of(metadata: &Metadata, topic: &str) -> usize {
    metadata
        .topics()
        .iter()
        .find(|t| t.name() == topic && t.error().is_none())
        .map_or(0, |t| t.partitions().len())
}

fn without_partitions(
    consumer: &GroupConsumer,
    subscribed: &BTreeSet<String>,
    metadata: &Metadata,
    group_id: &str,
    strategies: Option<&str>,
) -> String {
    let partitions: usize = subscribed.iter().map(|topic| partitions_of(metadata, topic)).sum();
    let group = describe_group(consumer, group_id, REQUEST_MAX).ok();
    if group.as_ref().is_some_and(|group| !group.strategy.is_empty() && !group.accepts(strategies)) {
        return group_refusal::why_incompatible(consumer, group_id, strategies);
    }
    match group.map(|group| group.members.len()) {
        Some(members) if members > partitions => format!(
            "the group {group_id} has {members} members for {partitions} partitions: this one is waiting for partition assignment"
        ),
        Some(members) => format!(
            "no partition is assigned yet: the group {group_id} has {members} members and is rebalancing"
        ),
        None => format!("no partition is assigned yet, and the group {group_id} can't be described"),
    }
}

/// Number of unread records in the first partitions. None: none were found, and a leader did not respond.
fn waiting(consumer: &GroupConsumer) -> Option<i64> {
    // A few of many partitions are enough; each costs a request.
    const PARTITIONS_MAX: usize = 20;
    let positions = consumer.position().ok()?;
    let (mut waiting, mut is_silent) = (0, false);
    for at in positions.elements().iter().take(PARTITIONS_MAX) {
        let Ok((_, end)) = consumer.fetch_watermarks(at.topic(), at.partition(), REQUEST_MAX) else {
            is_silent = true;
            continue;
        };
        // A partition without a position is being fetched for the first time.
        let next = at.offset().to_raw().filter(|offset| *offset >= 0);
        waiting += next.map_or(0, |next| (end - next).max(0));
    }
    (waiting > 0 || !is_silent).then_some(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_read_to_the_end_only_if_all_records_are_settled() {
        let f = |has_unsettled, undecided, want: Option<&str>| {
            let waiting = PendingWork { stops_reading: false, has_unsettled, undecided };
            let text = at_the_end(3, waiting);
            assert_eq!(text.is_some(), want.is_some(), "{text:?}");
            assert!(text.unwrap_or_default().contains(want.unwrap_or_default()));
        };
        f(false, 0, Some("all 3 partitions are read to their end"));
        f(true, 0, None);
        f(true, 5, None);
        f(false, 5, Some("5 rejected records stay uncommitted"));
    }

    #[test]
    fn names_the_nearest_existing_topic() {
        let there = ["metrics", "events"];
        let f = |missing: &[&str], want: &str| assert_eq!(each_with_nearest(missing, &there), want);
        f(&["metrcis"], "metrcis (did you mean \"metrics\"?)");
        f(&["other", "event"], "other, event (did you mean \"events\"?)");
    }
}
