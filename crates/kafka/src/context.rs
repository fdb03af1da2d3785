//! librdkafka's callbacks for a member of the group. They run on the control thread and turn rebalances into events that the data
//! thread acknowledges.

use super::explicit_commits::ExplicitCommits;
use super::ffi::known_watermarks;
use super::out_of_range_offsets::{OutOfRangeOffsets, OutOfRangePartition};
use super::partition_lists::{list_of, offsets_of, partition_of, partitions, summary};
use super::recreated::{LastTopicIds, TopicIdentity, identities};
use super::start_offsets::{NewStarts, StartOffsets, UnknownStarts};
use super::{KafkaAlarms, MemberError, RecordQueue, UntilEnd, why_untrusted};
use crate::Settings;
use base::alarm::AlarmRegistry;
use base::locks::lock;
use base::text::printable;
use base::{NextOffset, TopicPartition};
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};
use tracing::{debug, error, info, warn};

/// A decision of the group. The control thread waits for the reply for at most `REPLY_MAX`.
#[derive(Debug)]
pub enum GroupEvent {
    /// The reply has the queue that each partition is to be forwarded to, in the same order.
    Assigned { partitions: Vec<TopicPartition>, reply: Sender<Queues> },
    /// The reply has the ends of the settled prefixes. It comes when everything is settled or left unsettled. `is_lost`: the group gave the
    /// partitions away before.
    Revoked {
        partitions: Vec<TopicPartition>,
        is_lost: bool,
        reply: Sender<Vec<(TopicPartition, NextOffset)>>,
    },
    /// The offsets of these partitions begin again, because their topic was recreated or lost its last records. Each partition has to be
    /// read from its first offset, which is given here. Nobody waits for a reply.
    Recreated { beginnings: Vec<(TopicPartition, NextOffset)> },
}

/// Queues for the partitions of an assignment.
#[derive(Debug)]
pub struct Queues {
    pub queues: Vec<Arc<Queue>>,
    /// Receives a message once all partitions are forwarded.
    pub acknowledge: Sender<Forwarded>,
}

/// All partitions of an assignment are forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarded;

/// A queue of this consumer.
pub type Queue = RecordQueue<GroupContext>;
/// The client itself.
pub type GroupConsumer = BaseConsumer<GroupContext>;

/// Time limit for draining revoked partitions. Other members wait meanwhile, and the session of 10 s must not end.
pub const REVOKE_DRAIN_MAX: Duration = Duration::from_secs(5);
/// Time limit for a turn of the data thread's loop, which may have to end before the drain begins.
const TURN_MAX: Duration = Duration::from_secs(2);
/// Time limit for replies of the data thread.
const REPLY_MAX: Duration = REVOKE_DRAIN_MAX.saturating_add(TURN_MAX);

/// The context of a member's client.
#[derive(Debug)]
pub struct GroupContext {
    events: Sender<GroupEvent>,
    data_thread: OnceLock<Thread>,
    alarms: Mutex<KafkaAlarms>,
    statistics: Mutex<Option<Statistics>>,
    start_offsets: Mutex<StartOffsets>,
    unknown_starts: Arc<UnknownStarts>,
    resets: Mutex<OutOfRangeOffsets>,
    pub explicit_commits: ExplicitCommits,
    /// The ids of the assigned topics.
    pub topic_ids: Mutex<LastTopicIds>,
    failure: Mutex<Option<MemberError>>,
    /// Whether the group refused this member because the others use another assignment strategy.
    is_incompatible: AtomicBool,
    /// The consumer's number, and where reading ends.
    until_end: Option<(usize, Arc<UntilEnd>)>,
    /// Authorities for the brokers' certificates, instead of the system's.
    ca_file: Option<PathBuf>,
}

impl GroupContext {
    pub fn new(
        kafka: &Settings,
        until_end: Option<(usize, Arc<UntilEnd>)>,
        alarms: Arc<AlarmRegistry>,
    ) -> (Self, Receiver<GroupEvent>) {
        let (events, receiver) = channel();
        let alarms = KafkaAlarms::new(alarms, kafka, Instant::now());
        let start_offsets = StartOffsets::new(kafka.offset_reset, kafka.topics.clone());
        let context = Self {
            events,
            data_thread: OnceLock::new(),
            alarms: Mutex::new(alarms),
            statistics: Mutex::default(),
            unknown_starts: Arc::clone(start_offsets.unknown_starts()),
            start_offsets: Mutex::new(start_offsets),
            resets: Mutex::default(),
            explicit_commits: ExplicitCommits::default(),
            topic_ids: Mutex::default(),
            failure: Mutex::default(),
            is_incompatible: AtomicBool::new(false),
            until_end,
            ca_file: kafka.ca_file(),
        };
        (context, receiver)
    }

    /// Names the thread that replies to events.
    pub fn set_data_thread(&self, thread: Thread) {
        let _already_set = self.data_thread.set(thread);
    }

    /// librdkafka's newest statistics. They come every 5 s.
    pub fn take_statistics(&self) -> Option<Statistics> {
        lock(&self.statistics).take()
    }

    /// The failure of a callback that ends this member.
    pub fn take_failure(&self) -> Option<MemberError> {
        lock(&self.failure).take()
    }

    /// Partitions that librdkafka has just reset to their beginning.
    pub fn take_reset(&self) -> Vec<TopicPartition> {
        lock(&self.resets).take_new()
    }

    /// Partitions that resumed at their beginning, because Kafka no longer has the offset to read from.
    pub fn take_resumed(&self, consumer: &GroupConsumer) -> Vec<OutOfRangePartition> {
        lock(&self.resets).take(Instant::now(), earliest_of(consumer))
    }

    /// Lets the data thread read these partitions from their first offsets: what it knows of their earlier offsets is not valid any more.
    pub fn restart_from_beginning(&self, beginnings: Vec<(TopicPartition, NextOffset)>) {
        if beginnings.is_empty() {
            return;
        }
        self.start_offsets().restart_from_beginning(beginnings.iter().map(|(at, _)| at));
        // After a stop, the revocation compares the topics' ids again.
        let _ended = self.send(GroupEvent::Recreated { beginnings });
    }

    /// Raises an alarm for an error, or logs it; each kind at most once a minute.
    pub fn report(&self, code: Option<RDKafkaErrorCode>, text: &str) {
        let mut alarms = self.alarms();
        if code != Some(RDKafkaErrorCode::InconsistentGroupProtocol) {
            alarms.error(code, text, false, Instant::now());
        } else if alarms.trouble.take_due(code) {
            self.is_incompatible.store(true, Ordering::Relaxed);
        }
    }

    /// The alarms of this consumer. Callbacks lock them too, so that nothing may wait for a callback while they are locked.
    pub fn alarms(&self) -> MutexGuard<'_, KafkaAlarms> {
        lock(&self.alarms)
    }

    /// Whether a refusal by the group is to be logged now.
    pub fn take_incompatible(&self) -> bool {
        self.is_incompatible.swap(false, Ordering::Relaxed)
    }

    fn send(&self, event: GroupEvent) -> Option<()> {
        self.events.send(event).ok()?;
        self.data_thread.get()?.unpark();
        Some(())
    }

    fn request<T>(&self, event: GroupEvent, reply: &Receiver<T>) -> Option<T> {
        self.send(event)?;
        reply.recv_timeout(REPLY_MAX).ok()
    }

    /// Starts reading the assigned partitions.
    fn assign(&self, consumer: &GroupConsumer, list: &mut TopicPartitionList) {
        let begun = self.start_offsets().choose(consumer, list);
        if begun.is_ok() {
            self.assigned(list);
        }
        let fetched = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
            _ => consumer.assign(list),
        };
        if let Err(error) = fetched {
            error!(%error, "librdkafka refused the assigned partitions, so none of their records are read: please report this with the log");
        }
        if let Some((consumer, until_end)) = &self.until_end {
            until_end.assigned(*consumer, &partitions(list));
        }
        match begun {
            // The data thread was not informed of these partitions, so none of their offsets are stored until the service ends.
            Err(failure) => *lock(&self.failure) = Some(failure),
            Ok(NewStarts { known, unknown }) => {
                if !unknown.is_empty()
                    && let Err(error) = consumer.pause(&list_of(unknown.iter()))
                {
                    warn!(%error, "partitions whose first offset is not known yet could not be paused: reading may begin at another record than `kafka.offset_reset` says. Restart the bridge, and please report this with the log");
                }
                self.commit_starts(consumer, &known);
            }
        }
    }

    /// Commits the starts of partitions without waiting. The automatic commit and the revocation repeat it.
    pub fn commit_starts(&self, consumer: &GroupConsumer, starts: &[(TopicPartition, NextOffset)]) {
        if starts.is_empty() {
            return;
        }
        let offsets = offsets_of(starts);
        let stored =
            consumer.store_offsets(&offsets).and_then(|()| consumer.commit(&offsets, CommitMode::Async));
        if let Err(error) = stored {
            warn!(%error, "the first offsets could not be stored: after a restart before the first commit, reading begins at newer records. Restart the bridge only once `kafka-consumer-groups.sh --describe` shows committed offsets of its group, or with `kafka.offset_reset` = \"earliest\"");
        }
    }

    /// The starts of partitions. Only the control thread locks them, because it does so for as long as its requests take.
    pub fn start_offsets(&self) -> MutexGuard<'_, StartOffsets> {
        lock(&self.start_offsets)
    }

    /// Assigned partitions that stay paused because their start is unknown.
    pub fn unknown_starts(&self) -> &UnknownStarts {
        &self.unknown_starts
    }

    fn assigned(&self, list: &TopicPartitionList) {
        let partitions = partitions(list);
        info!(partitions = %summary(&partitions), "assigned");
        self.alarms().group_works(Instant::now());
        let (reply, answer) = channel();
        let queues = self.request(GroupEvent::Assigned { partitions: partitions.clone(), reply }, &answer);
        let Some(Queues { queues, acknowledge }) = queues else {
            // The first record of a partition without a queue ends this consumer, before any later offset is committed.
            error!(partitions = %summary(&partitions), "the data thread did not reply in time, so that assigned partitions have no queues: the bridge stops at their first record, and a restart reads it again");
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
                    "a partition has no queue: the bridge stops at its first record, and a restart reads it again"
                );
            }
        }
        // A data thread that has ended forwards nothing any more.
        let _ended = acknowledge.send(Forwarded);
    }

    /// Whether the consumer's partitions are read to their ends. Only a run until the end has ends; without one they are read.
    pub fn is_at_end(&self) -> bool {
        self.until_end.as_ref().is_none_or(|(consumer, until_end)| until_end.is_at_end(*consumer))
    }

    /// Records that these partitions are read again from an earlier offset.
    pub fn reopen_ends<'a>(&self, partitions: impl Iterator<Item = &'a TopicPartition>) {
        if let Some((consumer, until_end)) = &self.until_end {
            until_end.reopen(*consumer, partitions);
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
        let event = GroupEvent::Revoked { partitions: partitions.clone(), is_lost, reply };
        // Without a reply in time nothing is committed, and the next owner reads from the last committed offset.
        let settled = self.request(event, &answer).unwrap_or_default();
        let mut ends: BTreeMap<_, _> = self.start_offsets().revoke(&partitions).into_iter().collect();
        ends.extend(self.explicit_commits.take(&partitions));
        ends.extend(settled);
        let mut resets = lock(&self.resets);
        let went_back = resets.went_back(earliest_of(consumer));
        resets.forget(&partitions);
        drop(resets);
        ends.extend(went_back.into_iter().filter(|(at, _)| partitions.contains(at)));
        if let Some((consumer, until_end)) = &self.until_end {
            until_end.revoked(*consumer, &partitions);
        }
        if is_lost {
            return;
        }
        correct_recreated(consumer, &partitions, &mut ends);
        if ends.is_empty() {
            return;
        }
        let offsets = offsets_of(&ends.into_iter().collect::<Vec<_>>());
        let stored =
            consumer.store_offsets(&offsets).and_then(|()| consumer.commit(&offsets, CommitMode::Sync));
        if let Err(error) = stored {
            warn!(%error, "the last offsets could not be committed: their records are written again by the next owner");
        } else {
            self.start_offsets().committed(committed_of(&offsets, &stored).iter());
        }
    }
}

/// The earliest retained offset of a partition, by the newest fetch.
fn earliest_of(consumer: &GroupConsumer) -> impl Fn(&TopicPartition) -> Option<i64> {
    |at| Some(known_watermarks(consumer, &at.topic, at.partition)?.0)
}

/// Keeps settled offsets of a deleted topic from being committed for a new topic of the same name. Where the id of a topic is not known to
/// be the same, nothing is committed, and records may be written again.
fn correct_recreated(
    consumer: &GroupConsumer,
    revoked: &[TopicPartition],
    ends: &mut BTreeMap<TopicPartition, NextOffset>,
) {
    let topics = revoked.iter().map(|at| at.topic.as_str()).collect();
    let identities = identities(consumer, &consumer.context().topic_ids, &topics);
    let identity = |at: &&TopicPartition| identities.get(at.topic.as_str()).copied();
    let other =
        revoked.iter().filter(|at| identity(at).is_some_and(|identity| identity != TopicIdentity::Same));
    let beginnings: Vec<_> = other.map(|at| (at.clone(), NextOffset::at(0))).collect();
    // Otherwise the automatic commit at the unassignment would commit what was stored before.
    if !beginnings.is_empty()
        && let Err(error) = consumer.store_offsets(&offsets_of(&beginnings))
    {
        debug!(%error, "the beginnings of revoked partitions were not stored");
    }
    for (at, beginning) in beginnings {
        if identity(&&at) == Some(TopicIdentity::Recreated) {
            ends.insert(at, beginning);
        } else {
            ends.remove(&at);
        }
    }
}

/// The partitions of a commit that succeeded for them.
fn committed_of(offsets: &TopicPartitionList, result: &KafkaResult<()>) -> Vec<TopicPartition> {
    let elements = offsets.elements();
    let is_committed = |element: &&TopicPartitionListElem<'_>| {
        result.is_ok()
            && element.error().is_ok()
            && element.offset().to_raw().is_some_and(|offset| offset >= 0)
    };
    elements.iter().filter(is_committed).map(partition_of).collect()
}

impl ClientContext for GroupContext {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        lock(&self.resets).record(facility, text, Instant::now());
        self.alarms().log(facility, text, Instant::now());
        // Important lines also come as errors with a code.
        debug!(facility, text = printable(text, 500), "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let is_due = self.alarms().trouble.take_handshake_due(code, reason);
        let why = is_due.then(|| why_untrusted(reason, self.ca_file.as_deref())).flatten();
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
            error!(%error, "librdkafka could not give the revoked partitions up: their next owner may write some records again, to the same points. Please report this with the log");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        self.start_offsets().committed(committed_of(offsets, &result).iter());
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
