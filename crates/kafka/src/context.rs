//! librdkafka's callbacks, which run on the control thread: rebalances become events that the data thread acknowledges.

use super::explicit_commits::ExplicitCommits;
use super::ffi::known_watermarks;
use super::resets::{Resets, Resumed};
use super::{KafkaAlarms, MemberError, RecordQueue, UntilEnd, begin, why_untrusted};
use crate::{OffsetReset, Settings};
use base::alarm::AlarmRegistry;
use base::text::printable;
use base::{NextOffset, TopicPartition};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};
use tracing::{debug, error, info, warn};

/// The partition that an element of a list names.
pub fn partition_of(element: &TopicPartitionListElem<'_>) -> TopicPartition {
    TopicPartition { topic: element.topic().to_owned(), partition: element.partition() }
}

/// What the group decided. The control thread waits for the reply, within a bound.
#[derive(Debug)]
pub enum GroupEvent {
    /// The reply says which queue each partition, in the same order, is to be forwarded to.
    Assigned { partitions: Vec<TopicPartition>, reply: Sender<Queues> },
    /// The reply holds the ends of the settled prefixes; it comes when all is settled or given up.
    Revoked { partitions: Vec<TopicPartition>, reply: Sender<Vec<(TopicPartition, NextOffset)>> },
}

/// Where the control thread is to forward partitions that were assigned.
#[derive(Debug)]
pub struct Queues {
    pub queues: Vec<Arc<Queue>>,
    /// Hears when that is done.
    pub acknowledge: Sender<Forwarded>,
}

/// All partitions of an assignment are forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarded;

/// A queue of this consumer.
pub type Queue = RecordQueue<GroupContext>;
/// The client itself.
pub type GroupConsumer = BaseConsumer<GroupContext>;

/// How long a revoke may drain. Other members wait for it; the session of 10 s must not end meanwhile.
pub const REVOKE_DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long the control thread waits for the data thread's replies: the drain, and a turn of its loop.
const REPLY_MAX: Duration = Duration::from_secs(7);

/// What librdkafka calls back.
#[derive(Debug)]
pub struct GroupContext {
    events: Sender<GroupEvent>,
    data_thread: OnceLock<Thread>,
    alarms: Mutex<KafkaAlarms>,
    statistics: Mutex<Option<Statistics>>,
    offset_reset: OffsetReset,
    resets: Mutex<Resets>,
    pub explicit_commits: ExplicitCommits,
    failure: Mutex<Option<MemberError>>,
    held_by_others: AtomicBool,
    /// With the consumer's number, where reading ends.
    until_end: Option<(usize, Arc<UntilEnd>)>,
    /// What the brokers' certificates are trusted by.
    ca_file: Option<PathBuf>,
}

impl GroupContext {
    pub fn new(
        kafka: &Settings,
        until_end: Option<(usize, Arc<UntilEnd>)>,
        alarms: Arc<AlarmRegistry>,
    ) -> (Self, Receiver<GroupEvent>) {
        let (events, receiver) = channel();
        let alarms = KafkaAlarms::new(alarms, &kafka.brokers, &kafka.group_id, Instant::now());
        let context = Self {
            events,
            data_thread: OnceLock::new(),
            alarms: Mutex::new(alarms),
            statistics: Mutex::default(),
            offset_reset: kafka.offset_reset,
            resets: Mutex::default(),
            explicit_commits: ExplicitCommits::default(),
            failure: Mutex::default(),
            held_by_others: AtomicBool::new(false),
            until_end,
            ca_file: kafka.ca_file(),
        };
        (context, receiver)
    }

    /// Names the thread that replies to events.
    pub fn set_data_thread(&self, thread: Thread) {
        // Set once, before the first poll.
        let _already_set = self.data_thread.set(thread);
    }

    /// librdkafka's newest statistics, every 5 s.
    pub fn take_statistics(&self) -> Option<Statistics> {
        lock(&self.statistics).take()
    }

    /// Why this member can't go on, found out in a callback.
    pub fn take_failure(&self) -> Option<MemberError> {
        lock(&self.failure).take()
    }

    /// Partitions that librdkafka just sent back to their beginning.
    pub fn take_reset(&self) -> Vec<TopicPartition> {
        lock(&self.resets).take_new()
    }

    /// Partitions that resumed at their beginning, because the offset to read from was not there any more.
    pub fn take_resumed(&self, consumer: &GroupConsumer) -> Vec<Resumed> {
        let earliest = |at: &TopicPartition| Some(known_watermarks(consumer, &at.topic, at.partition)?.0);
        lock(&self.resets).take(Instant::now(), earliest)
    }

    /// Raises an alarm for an error, or logs it; each kind at most once a minute.
    pub fn report(&self, code: Option<RDKafkaErrorCode>, text: &str) {
        let mut alarms = self.alarms();
        if code != Some(RDKafkaErrorCode::InconsistentGroupProtocol) {
            alarms.error(code, text, false, Instant::now());
        } else if alarms.trouble.is_due(code) {
            self.held_by_others.store(true, Ordering::Relaxed);
        }
    }

    /// The alarms for what keeps this consumer from reading. No callback may be waited for while they are locked.
    pub fn alarms(&self) -> MutexGuard<'_, KafkaAlarms> {
        lock(&self.alarms)
    }

    /// Whether to tell now that others hold the group.
    pub fn take_held_by_others(&self) -> bool {
        self.held_by_others.swap(false, Ordering::Relaxed)
    }

    fn ask<T>(&self, event: GroupEvent, reply: &Receiver<T>) -> Option<T> {
        self.events.send(event).ok()?;
        self.data_thread.get()?.unpark();
        reply.recv_timeout(REPLY_MAX).ok()
    }

    /// Partitions to read, each from where it begins.
    fn assign(&self, consumer: &GroupConsumer, list: &mut TopicPartitionList) {
        let begun = begin::choose(consumer, list, self.offset_reset);
        if begun.is_ok() {
            self.assigned(list);
        }
        let fetched = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
            _ => consumer.assign(list),
        };
        if let Err(error) = fetched {
            error!(%error, "the partitions could not be fetched");
        }
        if let Some((consumer, until_end)) = &self.until_end {
            until_end.assigned(*consumer, &partitions(list));
        }
        match begun {
            // The data thread knows nothing of these partitions, so nothing of them is stored until the service ends.
            Err(failure) => *lock(&self.failure) = Some(failure),
            Ok(known) if known.is_empty() => {}
            Ok(known) => {
                if let Err(error) = consumer.store_offsets(&offsets_of(&known)) {
                    warn!(%error, "where reading begins could not be stored");
                }
            }
        }
    }

    fn assigned(&self, list: &TopicPartitionList) {
        let partitions = partitions(list);
        info!(partitions = %summary(&partitions), "assigned");
        self.alarms().group_works(Instant::now());
        let (reply, answer) = channel();
        let asked = self.ask(GroupEvent::Assigned { partitions: partitions.clone(), reply }, &answer);
        let Some(Queues { queues, acknowledge }) = asked else {
            // The first record of a partition without a queue ends this consumer, before anything after it is committed.
            error!(partitions = %summary(&partitions), "the data thread gave no queues for assigned partitions in time");
            return;
        };
        assert_eq!(
            queues.len(),
            partitions.len(),
            "the data thread gives a queue for each assigned partition"
        );
        for (partition, queue) in partitions.iter().zip(queues) {
            if !queue.forward(&partition.topic, partition.partition) {
                error!(
                    topic = partition.topic,
                    partition = partition.partition,
                    "no queue for the partition"
                );
            }
        }
        // A data thread that has ended forwards nothing any more.
        let _ended = acknowledge.send(Forwarded);
    }

    /// These partitions are read again from before where they are now.
    pub fn goes_back<'a>(&self, partitions: impl Iterator<Item = &'a TopicPartition>) {
        if let Some((consumer, until_end)) = &self.until_end {
            until_end.goes_back(*consumer, partitions);
        }
    }

    fn revoked(&self, consumer: &GroupConsumer, list: &TopicPartitionList) {
        let partitions = partitions(list);
        if partitions.is_empty() {
            return;
        }
        let is_lost = consumer.assignment_lost();
        info!(partitions = %summary(&partitions), lost = is_lost, "revoked");
        let (reply, answer) = channel();
        let event = GroupEvent::Revoked { partitions: partitions.clone(), reply };
        // Without an answer in time nothing is stored or committed: the next owner reads from the offset committed before.
        let settled = self.ask(event, &answer).unwrap_or_default();
        lock(&self.resets).forget(&partitions);
        self.explicit_commits.forget(&partitions);
        if let Some((consumer, until_end)) = &self.until_end {
            until_end.revoked(*consumer, &partitions);
        }
        if is_lost || settled.is_empty() {
            return;
        }
        let offsets = offsets_of(&settled);
        let stored =
            consumer.store_offsets(&offsets).and_then(|()| consumer.commit(&offsets, CommitMode::Sync));
        if let Err(error) = stored {
            warn!(%error, "the last offsets could not be committed: their records are written again by the next owner");
        }
    }
}

/// The list that librdkafka wants.
pub fn offsets_of(settled: &[(TopicPartition, NextOffset)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(settled.len());
    for (at, next) in settled {
        // It fails only for offsets that are no positions, which tracked ones are.
        let _infallible = list.add_partition_offset(&at.topic, at.partition, Offset::Offset(next.get()));
    }
    list
}

fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements().iter().map(partition_of).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `topic[0-2,5]`, for people.
pub fn summary(partitions: &[TopicPartition]) -> String {
    const TOPICS_MAX: usize = 10;
    let mut sorted = partitions.to_vec();
    sorted.sort();
    let mut topics: Vec<String> = sorted
        .chunk_by(|a, b| a.topic == b.topic)
        .map(|of_topic| {
            let numbers: Vec<i32> = of_topic.iter().map(|p| p.partition).collect();
            let ranges = numbers.chunk_by(|a, b| a + 1 == *b).map(|range| match range {
                [first, .., last] => format!("{first}-{last}"),
                _ => range.iter().map(i32::to_string).collect(),
            });
            let topic = of_topic.first().map_or("", |p| p.topic.as_str());
            format!("{topic}[{}]", ranges.collect::<Vec<_>>().join(","))
        })
        .collect();
    if topics.is_empty() {
        return "none".to_owned();
    }
    let further = topics.len().saturating_sub(TOPICS_MAX);
    topics.truncate(TOPICS_MAX);
    let more = if further > 0 { format!(" and {further} more topics") } else { String::new() };
    format!("{}{more}", topics.join(" "))
}

impl ClientContext for GroupContext {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        lock(&self.resets).note(facility, text, Instant::now());
        self.alarms().log(facility, text, Instant::now());
        // What matters of these also comes as an error, with a code.
        debug!(facility, text = printable(text, 500), "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let asks_why = self.alarms().trouble.asks_why(code, reason);
        let why = asks_why.then(|| why_untrusted(reason, self.ca_file.as_deref())).flatten();
        match why {
            Some(why) => self.alarms().error(code, &format!("{why}: {reason}"), true, Instant::now()),
            None => self.report(code, reason),
        }
    }

    fn stats(&self, statistics: Statistics) {
        self.alarms().statistics(&statistics, Instant::now());
        *lock(&self.statistics) = Some(statistics);
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            return self.assign(consumer, list);
        }
        self.revoked(consumer, list);
        let given_up = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
            _ => consumer.unassign(),
        };
        if let Err(error) = given_up {
            error!(%error, "the partitions could not be given up");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
            Ok(()) => self.alarms().committed(None, Instant::now()),
            Err(KafkaError::ConsumerCommit(code @ RDKafkaErrorCode::GroupAuthorizationFailed)) => {
                self.alarms().committed(Some(code), Instant::now());
            }
            Err(error) => warn!(%error, "offsets could not be committed; the next commit covers them"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_up_partitions() {
        let f = |list: &[(&str, i32)], want: &str| {
            let partitions: Vec<_> = list
                .iter()
                .map(|&(t, partition)| TopicPartition { topic: t.to_owned(), partition })
                .collect();
            assert_eq!(summary(&partitions), want);
        };
        f(&[], "none");
        f(&[("a", 0)], "a[0]");
        f(&[("b", 5), ("a", 2), ("a", 0), ("a", 1), ("a", 7)], "a[0-2,7] b[5]");
    }
}
