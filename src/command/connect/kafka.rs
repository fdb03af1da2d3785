//! The checks of Kafka, one after another. Checks that depend on a failed one are left out.

use super::REQUEST_MAX;
use super::offsets::{self, PartitionOffsets};
use super::report::{Line, Report};
use super::sampled::Sampled;
use super::topics::{self, Cluster, Topic};
use super::{brokers, group};
use configuration::Config;
use engine::dead_letter::DeadLetterStore;
use kafka::{AdminClient, ClientKind, ClientLog, OffsetReset, Settings, StandaloneConsumer, TopicSampler};
use kafka::{describe_group, properties, request_retentions};
use rdkafka::admin::{AdminOptions, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime};

/// Topics that are checked in detail; a pattern may match thousands.
const TOPICS_MAX: usize = 20;
/// Partitions of all topics together. Each needs a queue of the client, and a fetch.
const PARTITIONS_MAX: usize = 500;
/// Sampled records per topic, from the ends of its partitions.
const RECORDS_MAX: usize = 100;
/// Time limit for sampling all topics.
const SAMPLE_MAX: Duration = Duration::from_secs(3);
/// Time limit for the retention. Without a response it is not checked.
const RETENTION_MAX: Duration = Duration::from_secs(2);

pub fn check(
    config: &Config,
    sampled: &mut Sampled<'_>,
    report: &mut Report<'_, impl Write>,
) -> io::Result<()> {
    let (cluster, lines) = brokers::check(&config.kafka);
    report.add_all(lines)?;
    let Some(cluster) = cluster else { return Ok(()) };
    report.add_all(brokers::check_advertised(&config.kafka, &cluster))?;
    // The name of the group allows requests for its offsets. The consumer never joins.
    let mut client_config = properties(&config.kafka, ClientKind::Query);
    client_config.set("group.id", &config.kafka.group_id).set("enable.auto.commit", "false");
    let consumer = match StandaloneConsumer::with(&config.kafka, &client_config) {
        Ok(consumer) => consumer,
        Err(error) => return report.add(&Line::failed("kafka", error.to_string())),
    };
    let query_topic = |name: &str| error_of(&consumer, name);
    report.add_all(topics::judge(&config.kafka.topics, &cluster, query_topic))?;
    match &config.dead_letter {
        Some(DeadLetterStore::Topic(topic)) => {
            report.add(&topics::dead_letters(topic, &cluster, || brokers_create_topics(config, &cluster)))?;
        }
        // `connect` checks a file.
        Some(DeadLetterStore::File { .. }) | None => {}
    }
    let read = limited(topics::read(&config.kafka.topics, &cluster), report)?;
    let positions = check_group(&config.kafka, &consumer, &read, report)?;
    check_samples(&config.kafka, &consumer, &read, &positions, sampled, report)
}

/// The error of a topic that the brokers do not list.
fn error_of(consumer: &BaseConsumer<ClientLog>, name: &str) -> Option<RDKafkaErrorCode> {
    let metadata = consumer.fetch_metadata(Some(name), REQUEST_MAX);
    // Without a response the topic is reported as missing or not visible.
    let topic = metadata.as_ref().ok()?.topics().first().map(Topic::of)?;
    topic.error
}

/// Whether the brokers create topics automatically; none if they do not report it.
fn brokers_create_topics(config: &Config, cluster: &Cluster) -> Option<bool> {
    let broker = cluster.brokers.first()?;
    let admin = AdminClient::of(&config.kafka).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let (broker, options) =
        (ResourceSpecifier::Broker(broker.id), AdminOptions::new().request_timeout(Some(REQUEST_MAX)));
    let answer = runtime.block_on(admin.describe_configs([&broker], &options)).ok()?;
    let broker = answer.into_iter().next()?.ok()?;
    let value = broker.get("auto.create.topics.enable")?.value.clone()?;
    Some(value == "true")
}

/// The topics whose offsets and records are checked.
fn limited<'c>(read: Vec<&'c Topic>, report: &mut Report<'_, impl Write>) -> io::Result<Vec<&'c Topic>> {
    let all = read.len();
    let mut partitions = 0;
    let fits = |topic: &&Topic| {
        partitions += topic.partitions.len();
        partitions <= PARTITIONS_MAX
    };
    let chosen: Vec<&Topic> = read.into_iter().take(TOPICS_MAX).take_while(fits).collect();
    if chosen.len() < all {
        let what = format!("only the first {} of {all} topics are checked further", chosen.len());
        report.add(&Line::passed(what))?;
    }
    Ok(chosen)
}

/// Checks the group, and where reading of each topic would start.
fn check_group(
    kafka: &Settings,
    consumer: &BaseConsumer<ClientLog>,
    read: &[&Topic],
    report: &mut Report<'_, impl Write>,
) -> io::Result<Vec<PartitionOffsets>> {
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
        positions = offsets::bounds(consumer, &places, REQUEST_MAX);
        committed = offsets::request_committed(consumer, &mut positions, REQUEST_MAX);
    }
    let answer = committed.as_ref().copied().map_err(KafkaError::rdkafka_error_code);
    report.add(&group::line(kafka, answer, describe_group(consumer, &kafka.group_id, REQUEST_MAX)))?;
    if committed.is_ok() && !places.is_empty() {
        for topic in read {
            report.add_all(offsets::judge(&topic.name, kafka.offset_reset, &positions))?;
        }
    }
    Ok(positions)
}

fn check_samples(
    kafka: &Settings,
    consumer: &BaseConsumer<ClientLog>,
    read: &[&Topic],
    positions: &[PartitionOffsets],
    sampled: &mut Sampled<'_>,
    report: &mut Report<'_, impl Write>,
) -> io::Result<()> {
    if positions.is_empty() {
        return Ok(());
    }
    for topic in read {
        sampled.add_topic(&topic.name);
    }
    let refused = sample_ends(kafka, positions, sampled);
    sample_starts(kafka, positions, sampled);
    if refused.is_some() {
        let without: Vec<String> = sampled.without_records().into_iter().map(str::to_owned).collect();
        for (topic, line) in name_refused(kafka, positions, &without) {
            report.add(&line)?;
            sampled.forget(topic);
        }
    }
    let has_records = |topic: &str| positions.iter().any(|at| at.topic == topic && has_records(at));
    report.add_all(sampled.judge(has_records, SystemTime::now()))?;
    report.add_all(going_unread(consumer, positions, sampled))
}

/// The lines for topics that may not be read. An error does not name its topic, so topics without records are read again one by one.
fn name_refused<'t>(
    kafka: &Settings,
    positions: &[PartitionOffsets],
    topics: &'t [String],
) -> Vec<(&'t str, Line)> {
    let read_again = |topic: &'t String| {
        let mut list = TopicPartitionList::new();
        for at in positions.iter().filter(|at| at.topic == *topic) {
            let end = at.bounds.map_or(Offset::End, |(_, end)| Offset::Offset(end));
            let _infallible = list.add_partition_offset(&at.topic, at.partition, end);
        }
        let error = read(kafka, &list, 1, |_, _| {})?;
        Some((topic.as_str(), topics::refused(topic, error.rdkafka_error_code(), &error.to_string())))
    };
    topics.iter().filter_map(read_again).collect()
}

/// Warnings about unread records that are soon deleted, for topics with committed offsets. Without one, reading starts at the oldest
/// records, which are always about to be deleted.
fn going_unread(
    consumer: &BaseConsumer<ClientLog>,
    positions: &[PartitionOffsets],
    sampled: &Sampled<'_>,
) -> Vec<Line> {
    let is_read = |topic: &str| positions.iter().any(|at| at.topic == topic && at.committed.is_some());
    let names: BTreeSet<&str> = positions.iter().map(|at| at.topic.as_str()).collect();
    let behind: Vec<&str> =
        names.into_iter().filter(|topic| is_read(topic) && sampled.oldest(topic).is_some()).collect();
    if behind.is_empty() {
        return Vec::new();
    }
    let (retentions, now_ms) = (request_retentions(consumer, &behind, RETENTION_MAX), now_ms());
    let lines = retentions.iter().filter_map(|(topic, retention)| {
        offsets::judge_retention(topic, sampled.oldest(topic)?, retention.time?, now_ms)
    });
    lines.collect()
}

fn now_ms() -> i64 {
    // A clock before 1970 counts as 1970, so no record seems about to be deleted.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

fn has_records(at: &PartitionOffsets) -> bool {
    at.bounds.is_some_and(|(first, end)| end > first)
}

/// Samples the newest records of each topic. Returns an authorization error, if there was one.
fn sample_ends(
    kafka: &Settings,
    positions: &[PartitionOffsets],
    sampled: &mut Sampled<'_>,
) -> Option<KafkaError> {
    let mut list = TopicPartitionList::new();
    // Empty partitions are included to check authorization.
    for at in positions {
        let partitions = positions.iter().filter(|other| other.topic == at.topic).count();
        let before = (RECORDS_MAX / partitions.max(1)).max(1);
        let Some((first, end)) = at.bounds else { continue };
        // `before` is between 1 and RECORDS_MAX.
        let from = end.saturating_sub(i64::try_from(before).unwrap_or(1)).max(first);
        let _infallible = list.add_partition_offset(&at.topic, at.partition, Offset::Offset(from));
    }
    let wanted = RECORDS_MAX * positions.len();
    read(kafka, &list, wanted, |_, message| sampled.take(message))
}

/// Samples the first record of each partition that would be read.
fn sample_starts(kafka: &Settings, positions: &[PartitionOffsets], sampled: &mut Sampled<'_>) {
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
    // `sample_ends` has reported authorization errors already.
    read(kafka, &list, list.count(), |sample, message| {
        if seen.insert((message.topic().to_owned(), message.partition())) {
            sampled.take_first(message);
            sample.stop_partition(message.topic(), message.partition());
        }
    });
}

/// Reads all partitions to their ends, at most `records_max` records and for `SAMPLE_MAX`. Returns an authorization error, if there was
/// one.
fn read(
    kafka: &Settings,
    list: &TopicPartitionList,
    records_max: usize,
    mut take: impl FnMut(&TopicSampler, &BorrowedMessage<'_>),
) -> Option<KafkaError> {
    if list.count() == 0 {
        return None;
    }
    let sample = match TopicSampler::at(kafka, list) {
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
            // The error is repeated for each partition.
            Some(Err(error)) if is_final(&error) => {
                refused = Some(error);
                ends += 1;
            }
            // Other errors pass, or were reported by the check of the brokers.
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
