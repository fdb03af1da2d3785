//! Requests for the committed offsets and for the ends of partitions, with the failures of single leaders and partitions.

use super::partition_lists::{list_of, partition_of, partitions, summary};
use base::{NextOffset, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};
use tracing::warn;

/// Time limit of the request for committed offsets. The coordinator may be moving, and the group waits meanwhile.
const COMMITTED_MAX: Duration = Duration::from_secs(30);
/// Time for requesting the committed offsets of single partitions again, for which the coordinator returned an error.
const COMMITTED_AGAIN_MAX: Duration = Duration::from_secs(3);
/// Pause between these requests.
const COMMITTED_PAUSE: Duration = Duration::from_millis(200);
/// Time limit of the requests for the ends of partitions. Partitions whose leaders answer begin after it at the latest, at the end that
/// their leaders returned at once.
pub const OFFSETS_MAX: Duration = Duration::from_secs(5);
/// Time limit of a request for the offset of a single partition, after the request for all partitions of its leader failed.
const ONE_OFFSET_MAX: Duration = Duration::from_secs(1);
/// Number of attempts to list the leaders.
const LEADER_ATTEMPTS: u32 = 3;

/// Partitions by what the coordinator returned about their committed offset.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CommittedPartitions {
    /// No offset is committed.
    pub fresh: Vec<TopicPartition>,
    pub committed: Vec<TopicPartition>,
    /// The coordinator returned an error for the partition.
    pub unknown: Vec<TopicPartition>,
}

impl CommittedPartitions {
    fn add(&mut self, at: TopicPartition, error: &KafkaResult<()>, offset: Offset) {
        let list = match (error, offset) {
            (Ok(()), Offset::Invalid) => &mut self.fresh,
            (Ok(()), Offset::Offset(_)) => &mut self.committed,
            _ => &mut self.unknown,
        };
        list.push(at);
    }
}

/// Requests the committed offsets. A partition with an error is requested again for a while.
pub fn committed_partitions<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    assigned: &TopicPartitionList,
) -> KafkaResult<CommittedPartitions> {
    let mut all = CommittedPartitions::default();
    let request = |all: &mut CommittedPartitions, wanted: &[TopicPartition], time_limit: Duration| {
        let answer = consumer.committed_offsets(list_of(wanted.iter()), time_limit)?;
        all.unknown.clear();
        for element in answer.elements() {
            all.add(partition_of(&element), &element.error(), element.offset());
        }
        KafkaResult::Ok(())
    };
    request(&mut all, &partitions(assigned), COMMITTED_MAX)?;
    let until = Instant::now() + COMMITTED_AGAIN_MAX;
    while !all.unknown.is_empty() && Instant::now() < until {
        thread::sleep(COMMITTED_PAUSE);
        let wanted = all.unknown.clone();
        // The partitions stay unknown if this fails.
        let _failed = request(&mut all, &wanted, until.saturating_duration_since(Instant::now()));
    }
    Ok(all)
}

/// The end offset of each partition; None where the brokers do not answer.
pub fn ends<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &[TopicPartition],
) -> Vec<(TopicPartition, Option<NextOffset>)> {
    offsets(consumer, partitions.iter().map(|at| (at, Offset::End)), OFFSETS_MAX)
}

/// The offsets of these ends of partitions; None where the brokers do not answer.
///
/// librdkafka returns either all offsets of a request or none. Each leader is therefore asked by itself: otherwise one leader that does
/// not answer would delay the partitions of the others, and their records of that time would be skipped.
pub fn offsets<'a, C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    requests: impl Iterator<Item = (&'a TopicPartition, Offset)>,
    time_limit: Duration,
) -> Vec<(TopicPartition, Option<NextOffset>)> {
    let requests: Vec<EndRequest> = requests.map(|(at, end)| (at.clone(), end)).collect();
    if requests.is_empty() {
        return Vec::new();
    }
    let until = Instant::now() + time_limit;
    let groups = by_leader(requests, &leaders(consumer, time_limit));
    let answers =
        request_groups(&groups, until, |requests, limit| request_offsets(consumer, requests, limit));
    let with_answer = |(at, _): EndRequest| {
        let start = answers.get(&at).copied();
        (at, start)
    };
    groups.into_iter().flatten().map(with_answer).collect()
}

/// A partition, and the end of it whose offset is requested.
type EndRequest = (TopicPartition, Offset);
type EndAnswers = BTreeMap<TopicPartition, NextOffset>;

/// The leader of each partition, as a broker lists them. Empty if no broker answers in a quarter of the time.
fn leaders<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    time_limit: Duration,
) -> BTreeMap<TopicPartition, i32> {
    // librdkafka asks any connected broker, and may pick the one that does not answer.
    let metadata = (0..LEADER_ATTEMPTS)
        .find_map(|_| consumer.fetch_metadata(None, time_limit / (4 * LEADER_ATTEMPTS)).ok());
    let mut leaders = BTreeMap::new();
    for topic in metadata.iter().flat_map(Metadata::topics) {
        for partition in topic.partitions() {
            let at = TopicPartition { topic: topic.name().to_owned(), partition: partition.id() };
            leaders.insert(at, partition.leader());
        }
    }
    leaders
}

/// Groups requests by the leader that answers them. Partitions that are not listed form a group of their own.
fn by_leader(requests: Vec<EndRequest>, leaders: &BTreeMap<TopicPartition, i32>) -> Vec<Vec<EndRequest>> {
    let mut groups = BTreeMap::<Option<i32>, Vec<EndRequest>>::new();
    for request in requests {
        groups.entry(leaders.get(&request.0).copied()).or_default().push(request);
    }
    groups.into_values().collect()
}

/// Requests the groups at the same time. A group that fails is requested again, one partition at a time, while time remains.
fn request_groups(
    groups: &[Vec<EndRequest>],
    until: Instant,
    request: impl Fn(&[EndRequest], Duration) -> KafkaResult<EndAnswers> + Sync,
) -> EndAnswers {
    let remaining = || until.saturating_duration_since(Instant::now());
    let request_group = |group: &[EndRequest]| {
        let limit = if group.len() > 1 { remaining() / 2 } else { remaining() };
        let error = match request(group, limit) {
            Ok(answers) => return answers,
            Err(error) => error,
        };
        let mut answers = EndAnswers::new();
        if group.len() > 1 {
            for one in group {
                let limit = remaining().min(ONE_OFFSET_MAX);
                if limit.is_zero() {
                    break;
                }
                answers.extend(request(std::slice::from_ref(one), limit).unwrap_or_default());
            }
        }
        let missing = group.iter().map(|(at, _)| at).filter(|at| !answers.contains_key(at));
        let missing: Vec<TopicPartition> = missing.cloned().collect();
        if !missing.is_empty() {
            warn!(partitions = %summary(&missing), %error, "the ends of partitions are not known yet, so reading them has not begun; they are requested again");
        }
        answers
    };
    thread::scope(|scope| {
        let request_group = &request_group;
        let running: Vec<_> = groups.iter().map(|group| scope.spawn(move || request_group(group))).collect();
        running.into_iter().flat_map(|one| one.join().unwrap_or_default()).collect()
    })
}

/// Sends one request for all of these partitions.
fn request_offsets<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    requests: &[EndRequest],
    time_limit: Duration,
) -> KafkaResult<EndAnswers> {
    let mut wanted = TopicPartitionList::with_capacity(requests.len());
    for (at, end) in requests {
        // Instead of a timestamp, this requests the beginning or the end.
        let _infallible = wanted.add_partition_offset(&at.topic, at.partition, *end);
    }
    let answer = consumer.offsets_for_times(wanted, time_limit)?;
    let elements = answer.elements();
    let found = elements.iter().filter_map(|element| match (element.error(), element.offset()) {
        (Ok(()), Offset::Offset(offset)) => Some((partition_of(element), NextOffset::at(offset))),
        _ => None,
    });
    // Callers repeat the request for an unknown offset.
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::ClientConfig;
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};
    use rdkafka::mocking::MockCluster;

    fn at(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.to_owned(), partition }
    }

    #[test]
    fn a_leader_that_does_not_answer_delays_only_its_own_partitions() {
        let cluster = MockCluster::new(2).unwrap();
        cluster.create_topic("t", 2, 1).unwrap();
        cluster.partition_leader("t", 0, Some(1)).unwrap();
        cluster.partition_leader("t", 1, Some(2)).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", "g");
        let consumer: BaseConsumer = config.create().unwrap();
        let both = [at("t", 0), at("t", 1)];
        let known = |known: &[(TopicPartition, Option<NextOffset>)]| {
            known.iter().filter_map(|(at, start)| start.map(|_| at.partition)).collect::<Vec<_>>()
        };
        assert_eq!(known(&ends(&consumer, &both)), [0, 1]);
        cluster.broker_round_trip_time(2, Duration::from_mins(1)).unwrap();
        let requests = both.iter().map(|at| (at, Offset::End));
        assert_eq!(known(&offsets(&consumer, requests, Duration::from_secs(3))), [0]);
    }

    #[test]
    fn a_partition_whose_committed_offset_is_unreadable_does_not_count_as_committed() {
        let mut all = CommittedPartitions::default();
        all.add(at("t", 0), &Ok(()), Offset::Invalid);
        all.add(at("t", 1), &Ok(()), Offset::Offset(7));
        let error = Err(KafkaError::OffsetFetch(RDKafkaErrorCode::UnstableOffsetCommit));
        all.add(at("t", 2), &error, Offset::Invalid);
        let (fresh, committed, unknown) = (vec![at("t", 0)], vec![at("t", 1)], vec![at("t", 2)]);
        assert_eq!(all, CommittedPartitions { fresh, committed, unknown });
    }

    #[test]
    fn a_failed_request_is_repeated_for_each_partition() {
        let requests = |partitions: &[i32]| -> Vec<EndRequest> {
            partitions.iter().map(|one| (at("t", *one), Offset::End)).collect()
        };
        let leaders = [(at("t", 0), 1), (at("t", 1), 1), (at("t", 2), 2)].into();
        let groups = by_leader(requests(&[0, 1, 2, 3]), &leaders);
        assert_eq!(groups, [requests(&[3]), requests(&[0, 1]), requests(&[2])]);
        let answers = request_groups(&groups, Instant::now() + Duration::from_mins(1), |requests, _| {
            if requests.iter().any(|(at, _)| at.partition == 1) {
                return Err(KafkaError::OffsetFetch(RDKafkaErrorCode::OperationTimedOut));
            }
            Ok(requests.iter().map(|(at, _)| (at.clone(), NextOffset::at(7))).collect())
        });
        let known: Vec<i32> = answers.keys().map(|at| at.partition).collect();
        assert_eq!(known, [0, 2, 3]);
    }
}
