//! The questions for Kafka, one after another: those that depend on one that failed are left out.

use super::ASK_MAX;
use super::cluster::{Cluster, Topic};
use super::offsets::{self, Position};
use super::report::{Line, Report};
use super::sampled::Sampled;
use super::{brokers, group, topics};
use configuration::Config;
use engine::dead_letter::Store;
use kafka::{AdminClient, ClientKind, ClientLog, OffsetReset, Sample, Settings, StandaloneConsumer};
use kafka::{ask_retentions, describe_group, properties};
use rdkafka::admin::{AdminOptions, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime};

/// Topics that are looked into; a pattern may match thousands.
const TOPICS_MAX: usize = 20;
/// Of all topics together: each is a queue of the client, and a fetch.
const PARTITIONS_MAX: usize = 500;
/// Of each topic, from the ends of its partitions.
const RECORDS_MAX: usize = 100;
/// For all topics together.
const SAMPLE_MAX: Duration = Duration::from_secs(3);
/// Brokers that do not tell it leave the question open.
const RETENTION_MAX: Duration = Duration::from_secs(2);

pub fn check(
    config: &Config,
    sampled: &mut Sampled<'_>,
    report: &mut Report<'_, impl Write>,
) -> io::Result<()> {
    let (cluster, lines) = brokers::ask(&config.kafka);
    report.tell_all(lines)?;
    let Some(cluster) = cluster else { return Ok(()) };
    report.tell_all(brokers::ask_advertised(&config.kafka, &cluster))?;
    // With the group's name it may ask for the group's offsets; it never joins.
    let mut asking = properties(&config.kafka, ClientKind::Query);
    asking.set("group.id", &config.kafka.group_id).set("enable.auto.commit", "false");
    let consumer = match StandaloneConsumer::with(&config.kafka, &asking) {
        Ok(consumer) => consumer,
        Err(error) => return report.tell(&Line::failed("kafka", error.to_string())),
    };
    let ask_topic = |name: &str| error_of(&consumer, name);
    report.tell_all(topics::judge(&config.kafka.topics, &cluster, ask_topic))?;
    if let Some(Store::Topic(topic)) = &config.dead_letter {
        report.tell(&topics::dead_letters(topic, &cluster, || brokers_create_topics(config, &cluster)))?;
    }
    let read = looked_into(topics::read(&config.kafka.topics, &cluster), report)?;
    let positions = check_group(&config.kafka, &consumer, &read, report)?;
    check_samples(&config.kafka, &consumer, &read, &positions, sampled, report)
}

/// What the brokers say of one topic that they do not list.
fn error_of(consumer: &BaseConsumer<ClientLog>, name: &str) -> Option<RDKafkaErrorCode> {
    let metadata = consumer.fetch_metadata(Some(name), ASK_MAX);
    // Without an answer the topic is reported as missing or not visible, which is all that is known.
    let topic = metadata.as_ref().ok()?.topics().first().map(Topic::of)?;
    topic.error
}

/// None: they do not say.
fn brokers_create_topics(config: &Config, cluster: &Cluster) -> Option<bool> {
    let broker = cluster.brokers.first()?;
    let admin = AdminClient::of(&config.kafka).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let (broker, options) =
        (ResourceSpecifier::Broker(broker.id), AdminOptions::new().request_timeout(Some(ASK_MAX)));
    let answer = runtime.block_on(admin.describe_configs([&broker], &options)).ok()?;
    let broker = answer.into_iter().next()?.ok()?;
    let value = broker.get("auto.create.topics.enable")?.value.clone()?;
    Some(value == "true")
}

/// Those that offsets and records are asked of.
fn looked_into<'c>(read: Vec<&'c Topic>, report: &mut Report<'_, impl Write>) -> io::Result<Vec<&'c Topic>> {
    let all = read.len();
    let mut partitions = 0;
    let fits = |topic: &&Topic| {
        partitions += topic.partitions.len();
        partitions <= PARTITIONS_MAX
    };
    let chosen: Vec<&Topic> = read.into_iter().take(TOPICS_MAX).take_while(fits).collect();
    if chosen.len() < all {
        let what = format!("of {all} topics the first {} are looked into further", chosen.len());
        report.tell(&Line::passed(what))?;
    }
    Ok(chosen)
}

/// The group, and where each topic's reading would begin.
fn check_group(
    kafka: &Settings,
    consumer: &BaseConsumer<ClientLog>,
    read: &[&Topic],
    report: &mut Report<'_, impl Write>,
) -> io::Result<Vec<Position>> {
    let places: Vec<(String, i32)> = read
        .iter()
        .flat_map(|topic| {
            let led = topic.partitions.iter().filter(|partition| partition.has_leader);
            led.map(|partition| (topic.name.clone(), partition.id))
        })
        .collect();
    let mut positions = Vec::new();
    let mut committed = Ok(());
    if !places.is_empty() {
        positions = offsets::bounds(consumer, &places, ASK_MAX);
        committed = offsets::ask_committed(consumer, &mut positions, ASK_MAX);
    }
    let answer = committed.as_ref().copied().map_err(KafkaError::rdkafka_error_code);
    report.tell(&group::line(kafka, answer, describe_group(consumer, &kafka.group_id, ASK_MAX)))?;
    if committed.is_ok() && !places.is_empty() {
        for topic in read {
            report.tell_all(offsets::judge(&topic.name, kafka.offset_reset, &positions))?;
        }
    }
    Ok(positions)
}

fn check_samples(
    kafka: &Settings,
    consumer: &BaseConsumer<ClientLog>,
    read: &[&Topic],
    positions: &[Position],
    sampled: &mut Sampled<'_>,
    report: &mut Report<'_, impl Write>,
) -> io::Result<()> {
    if positions.is_empty() {
        return Ok(());
    }
    for topic in read {
        sampled.announce(&topic.name);
    }
    let refused = sample_ends(kafka, positions, sampled);
    sample_starts(kafka, positions, sampled);
    if refused.is_some() {
        let without: Vec<String> = sampled.without_records().into_iter().map(str::to_owned).collect();
        for (topic, line) in name_refused(kafka, positions, &without) {
            report.tell(&line)?;
            sampled.forget(topic);
        }
    }
    let holds = |topic: &str| positions.iter().any(|at| at.topic == topic && holds_records(at));
    report.tell_all(sampled.judge(holds, SystemTime::now()))?;
    report.tell_all(going_unread(consumer, positions, sampled))
}

/// An error does not name its topic, so those without records are asked again, each by itself.
fn name_refused<'t>(kafka: &Settings, positions: &[Position], topics: &'t [String]) -> Vec<(&'t str, Line)> {
    let ask = |topic: &'t String| {
        let mut list = TopicPartitionList::new();
        for at in positions.iter().filter(|at| at.topic == *topic) {
            let end = at.bounds.map_or(Offset::End, |(_, end)| Offset::Offset(end));
            let _infallible = list.add_partition_offset(&at.topic, at.partition, end);
        }
        let error = read(kafka, &list, 1, |_, _| {})?;
        Some((topic.as_str(), topics::refused(topic, error.rdkafka_error_code(), &error.to_string())))
    };
    topics.iter().filter_map(ask).collect()
}

/// Of topics that the group has read, what is unread and soon deleted. A new group begins with records that are about to go,
/// as those of every topic are in turn.
fn going_unread(
    consumer: &BaseConsumer<ClientLog>,
    positions: &[Position],
    sampled: &Sampled<'_>,
) -> Vec<Line> {
    let is_read = |topic: &str| positions.iter().any(|at| at.topic == topic && at.committed.is_some());
    let names: BTreeSet<&str> = positions.iter().map(|at| at.topic.as_str()).collect();
    let behind: Vec<&str> =
        names.into_iter().filter(|topic| is_read(topic) && sampled.oldest(topic).is_some()).collect();
    if behind.is_empty() {
        return Vec::new();
    }
    let (retentions, now_ms) = (ask_retentions(consumer, &behind, RETENTION_MAX), now_ms());
    let lines = retentions.iter().filter_map(|(topic, retention)| {
        offsets::judge_retention(topic, sampled.oldest(topic)?, retention.time?, now_ms)
    });
    lines.collect()
}

fn now_ms() -> i64 {
    // A clock before 1970 counts as 1970: then no record is about to be deleted.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

fn holds_records(at: &Position) -> bool {
    at.bounds.is_some_and(|(first, end)| end > first)
}

/// The newest records of each topic. Returns an error that is no passing one.
fn sample_ends(kafka: &Settings, positions: &[Position], sampled: &mut Sampled<'_>) -> Option<KafkaError> {
    let mut list = TopicPartitionList::new();
    // Of empty ones only whether they may be read.
    for at in positions {
        let partitions = positions.iter().filter(|other| other.topic == at.topic).count();
        let before = (RECORDS_MAX / partitions.max(1)).max(1);
        let Some((first, end)) = at.bounds else { continue };
        // At least one record, at most RECORDS_MAX.
        let from = end.saturating_sub(i64::try_from(before).unwrap_or(1)).max(first);
        let _infallible = list.add_partition_offset(&at.topic, at.partition, Offset::Offset(from));
    }
    let wanted = RECORDS_MAX * positions.len();
    read(kafka, &list, wanted, |_, message| sampled.take(message))
}

/// The first record of each partition that would be read.
fn sample_starts(kafka: &Settings, positions: &[Position], sampled: &mut Sampled<'_>) {
    let mut list = TopicPartitionList::new();
    for at in positions {
        let start = at.start(kafka.offset_reset).filter(|_| kafka.offset_reset != OffsetReset::Error);
        let start = start.or(at.committed.and(at.start(OffsetReset::Earliest)));
        if let (Some(start), Some((_, end))) = (start, at.bounds)
            && start < end
        {
            let _infallible = list.add_partition_offset(&at.topic, at.partition, Offset::Offset(start));
        }
    }
    let mut seen = BTreeSet::new();
    // What refuses these refuses those at the ends too.
    read(kafka, &list, list.count(), |sample, message| {
        if seen.insert((message.topic().to_owned(), message.partition())) {
            sampled.take_first(message);
            sample.no_more_of(message.topic(), message.partition());
        }
    });
}

/// Reads until all partitions were read to their ends, or so many records, or the time is up.
fn read(
    kafka: &Settings,
    list: &TopicPartitionList,
    records_max: usize,
    mut take: impl FnMut(&Sample, &BorrowedMessage<'_>),
) -> Option<KafkaError> {
    if list.count() == 0 {
        return None;
    }
    let sample = match Sample::at(kafka, list) {
        Ok(sample) => sample,
        Err(error) => return Some(error),
    };
    let until = Instant::now() + SAMPLE_MAX;
    let (mut ends, mut records, mut refused) = (0, 0, None);
    while ends < list.count() && records < records_max {
        let left = until.saturating_duration_since(Instant::now());
        match sample.next(left) {
            Some(Ok(message)) => {
                records += 1;
                take(&sample, &message);
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
            // It comes for each partition, and again and again.
            Some(Err(error)) if is_final(&error) => {
                refused = Some(error);
                ends += 1;
            }
            // Others pass, or the brokers were told of before.
            Some(Err(_)) => {}
            None => break,
        }
    }
    refused
}

fn is_final(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed)
    )
}
