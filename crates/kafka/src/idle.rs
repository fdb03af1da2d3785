//! Why no records come: the questions that somebody would ask the brokers by hand.

use super::context::GroupConsumer;
use super::diagnosis::Fault;
use super::{denied, group};
use crate::Topics;
use base::suggest::with_nearest;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const ASK_MAX: Duration = Duration::from_secs(3);

/// In words; `subscribed` are the names, `topics` what the configuration says, `strategy` how partitions are shared. None where
/// records are there and `influx_is_waited_for`: they are left in Kafka because of that.
pub fn why(
    consumer: &GroupConsumer,
    subscribed: &BTreeSet<String>,
    topics: &Topics,
    group_id: &str,
    strategy: &str,
    influx_is_waited_for: bool,
) -> Option<String> {
    let metadata = match consumer.fetch_metadata(None, ASK_MAX) {
        Ok(metadata) => metadata,
        Err(error) => return Some(no_answer(consumer, &error)),
    };
    if subscribed.is_empty() {
        let patterns: Vec<&str> = topics.patterns.iter().map(regex::Regex::as_str).collect();
        return Some(format!("no topic matches {}", patterns.join(" or ")));
    }
    let missing: Vec<&str> =
        subscribed.iter().map(String::as_str).filter(|name| partitions_of(&metadata, name) == 0).collect();
    if !missing.is_empty() {
        // Without an answer none is known to be denied, and the text below names the topics all the same.
        let denied = denied::among(consumer, subscribed, &[]).unwrap_or_default();
        if !denied.is_empty() {
            let topics = denied.join(", ");
            return Some(format!("{topics}: {}", Fault::TopicDenied));
        }
        let there = metadata.topics().iter().filter(|topic| !topic.partitions().is_empty());
        let there: Vec<&str> = there.map(MetadataTopic::name).collect();
        return Some(format!(
            "missing topics: {}; they are read once they are created",
            each_with_nearest(&missing, &there)
        ));
    }
    let assigned = consumer.assignment().map_or(0, |list| list.count());
    if assigned == 0 {
        return Some(without_partitions(consumer, subscribed, &metadata, group_id, strategy));
    }
    let Some(waiting) = waiting(consumer) else {
        return Some(format!(
            "the brokers do not say how many records wait in the {assigned} assigned partitions: look at the brokers"
        ));
    };
    if waiting == 0 {
        return Some(format!(
            "all {assigned} partitions are read to their end: waiting for new records (`kafka.offset_reset` decides where a new group begins)"
        ));
    }
    let is_throttled = consumer.context().alarms().is_throttled(Instant::now());
    let remedy = if is_throttled { Fault::Throttled.to_string() } else { "look at the brokers".to_owned() };
    (!influx_is_waited_for)
        .then(|| format!("{waiting} records wait in {assigned} partitions and do not come: {remedy}"))
}

fn no_answer(consumer: &GroupConsumer, error: &KafkaError) -> String {
    let alarms = consumer.context().alarms();
    let is_controller = error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnsupportedFeature);
    let fault = match alarms.trouble.standing() {
        _ if is_controller => Fault::Controller,
        _ if alarms.is_throttled(Instant::now()) => Fault::Throttled,
        standing => standing.unwrap_or(Fault::NotConnected),
    };
    format!("the brokers do not answer ({error}): {fault}")
}

/// Topics that do not exist, each with the existing one that it was most likely meant to be.
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
    strategy: &str,
) -> String {
    let partitions: usize = subscribed.iter().map(|topic| partitions_of(metadata, topic)).sum();
    let groups = consumer.fetch_group_list(Some(group_id), ASK_MAX);
    let group = groups.as_ref().ok().and_then(|list| list.groups().first());
    let is_ours = |protocol: &str| strategy.split(',').any(|own| own.trim() == protocol);
    if group.is_some_and(|group| !group.protocol().is_empty() && !is_ours(group.protocol())) {
        return group::held_by_others(consumer, group_id, strategy);
    }
    match group.map(|group| group.members().len()) {
        Some(members) if members > partitions => format!(
            "the group {group_id} has {members} members for {partitions} partitions: this one waits for a share"
        ),
        Some(members) => format!(
            "no partition is assigned yet: the group {group_id} has {members} members and is being balanced"
        ),
        None => format!("no partition is assigned yet, and the group {group_id} can't be described"),
    }
}

/// Records that are there and not read, in the first partitions. None: none is known to wait, and a leader did not answer.
fn waiting(consumer: &GroupConsumer) -> Option<i64> {
    // A few of many partitions tell enough; each costs a request.
    const ASKED_MAX: usize = 20;
    let positions = consumer.position().ok()?;
    let (mut waiting, mut is_silent) = (0, false);
    for at in positions.elements().iter().take(ASKED_MAX) {
        let Ok((_, end)) = consumer.fetch_watermarks(at.topic(), at.partition(), ASK_MAX) else {
            is_silent = true;
            continue;
        };
        // A partition of which nothing was read yet has no position, and its fetch is under way.
        let next = at.offset().to_raw().filter(|offset| *offset >= 0);
        waiting += next.map_or(0, |next| (end - next).max(0));
    }
    (waiting > 0 || !is_silent).then_some(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_topic() {
        let there = ["metrics", "events"];
        let f = |missing: &[&str], want: &str| assert_eq!(each_with_nearest(missing, &there), want);
        f(&["metrcis"], "metrcis (did you mean \"metrics\"?)");
        f(&["other", "event"], "other, event (did you mean \"events\"?)");
    }
}
