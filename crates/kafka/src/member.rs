//! The control thread's side of a member: group membership, subscription, explicit commits, statistics and alarms.

use super::context::{GroupConsumer, GroupContext, GroupEvent};
use super::deleted_topics::DeletedTopics;
use super::missing_topics::MissingTopics;
use super::moved_coordinator::CoordinatorWatch;
use super::offset_resets::ResetPartition;
use super::partition_lists::{check_partitions, list_of, offsets_of, summary};
use super::recreated::RecreatedTopics;
use super::start_offsets::FoundStarts;
use super::{
    MemberError, PendingWork, RetentionWatch, Retentions, UntilEnd, denied_topics, group_refusal, idle,
    offset_requests,
};
use crate::client::MemberClient;
use crate::ffi;
use crate::properties::{ClientKind, properties};
use crate::retry::retry;
use crate::{Settings, Topics};
use base::NextOffset;
use base::TopicPartition;
use base::alarm::AlarmRegistry;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::statistics::{Statistics, Topic};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use tracing::{debug, error, info, warn};

/// Time limit of one poll of the group, and so the delay of a stop.
const POLL: Duration = Duration::from_millis(100);
/// Interval between topic listings for regular expressions. With the time of a rebalance, a new topic is read within 10 s.
const LIST_TOPICS_EVERY: Duration = Duration::from_secs(4);
/// Time limit of such a listing: the group is not polled meanwhile.
const LIST_TOPICS_MAX: Duration = Duration::from_secs(3);
/// Interval of explicit commits, the same as that of the automatic commit.
const EXPLICIT_COMMIT_EVERY: Duration = Duration::from_secs(1);
/// Interval between requests for start and end offsets that the brokers did not return.
const OFFSETS_EVERY: Duration = Duration::from_secs(1);
/// Time limit of the request for committed offsets behind a gap. Without an answer the same gap may be reported again.
const COMMITTED_MAX: Duration = Duration::from_secs(3);
/// Time limit of a request for the starts of partitions.
const STARTS_MAX: Duration = Duration::from_secs(3);
/// Timeout of a seek, which librdkafka's own thread answers.
const SEEK_MAX: Duration = Duration::from_secs(2);
/// Pause between attempts of the last commit.
const COMMIT_PAUSE: Duration = Duration::from_millis(100);

/// Interval of adding the brokers of the configuration again while no broker is connected.
const ADD_BROKERS_EVERY: Duration = Duration::from_secs(30);

/// A member of the group.
pub struct Member {
    /// Declared, and so dropped, before the client that its queue belongs to; so is `retention`.
    recreated: RecreatedTopics,
    retention: RetentionWatch,
    consumer: MemberClient,
    /// The brokers of the configuration.
    brokers: String,
    next_add_brokers: Instant,
    group_id: String,
    instance_id: Option<String>,
    /// [`Settings::strategies`].
    strategies: Option<String>,
    topics: Topics,
    subscribed: BTreeSet<String>,
    gone: DeletedTopics,
    moved: CoordinatorWatch,
    missing: MissingTopics,
    next_listing: Instant,
    /// Whether topics were listed; with `--until-end` they are listed once.
    is_listed: bool,
    next_explicit_commit: Instant,
    next_ends: Instant,
    next_starts: Instant,
    statistics: Option<Statistics>,
    until_end: Option<(usize, Arc<UntilEnd>)>,
}

impl Member {
    /// Creates the client.
    pub fn new(
        kafka: &Settings,
        number: usize,
        lanes: usize,
        until_end: Option<Arc<UntilEnd>>,
        alarms: Arc<AlarmRegistry>,
    ) -> Result<(Self, Receiver<GroupEvent>), MemberError> {
        let until_end = until_end.map(|until_end| (number, until_end));
        let (context, events) = GroupContext::new(kafka, until_end.clone(), alarms);
        let mut config = properties(kafka, ClientKind::Member { number, lanes });
        if until_end.is_some() {
            // The statistics show when a partition's end is reached.
            config.set("statistics.interval.ms", "500");
        }
        let consumer = MemberClient::create(kafka, &config, context).map_err(MemberError::Client)?;
        let member = Self {
            recreated: RecreatedTopics::new(&consumer),
            retention: RetentionWatch::new(&consumer),
            consumer,
            brokers: kafka.brokers.join(","),
            next_add_brokers: Instant::now(),
            group_id: kafka.group_id.clone(),
            instance_id: config.get("group.instance.id").map(str::to_owned),
            strategies: kafka.strategies().map(str::to_owned),
            topics: kafka.topics.clone(),
            subscribed: BTreeSet::new(),
            gone: DeletedTopics::default(),
            moved: CoordinatorWatch::default(),
            // A run until the end does not start without its topics.
            missing: MissingTopics::new(
                until_end.is_none() && !kafka.topics.names.is_empty(),
                Instant::now(),
            ),
            next_listing: Instant::now(),
            is_listed: false,
            next_explicit_commit: Instant::now(),
            next_ends: Instant::now(),
            next_starts: Instant::now(),
            statistics: None,
            until_end,
        };
        Ok((member, events))
    }

    pub fn consumer(&self) -> &Arc<GroupConsumer> {
        &self.consumer
    }

    /// Subscribes to the named topics. Topics that match regular expressions follow with the first listing.
    pub fn subscribe(&mut self) -> Result<(), MemberError> {
        if self.until_end.is_some() {
            // The first listing decides.
            return Ok(());
        }
        let named = self.topics.names.iter().cloned().collect();
        self.subscribe_to(named)
    }

    /// One turn of the control loop: group events, errors, new topics. Takes at most `POLL`, or the time of a listing.
    pub fn poll(&mut self) -> Result<(), MemberError> {
        self.list_at_start();
        let polled = self.consumer.poll(POLL);
        if let Some(failure) = self.consumer.context().take_failure() {
            return Err(failure);
        }
        match polled {
            None => {}
            Some(Ok(_)) => {
                // The partition's queue was not forwarded, so the tracker would miss this record and the next commit skip it.
                return Err(MemberError::Fatal("a record came through the main queue".to_owned()));
            }
            Some(Err(error)) => {
                self.consumer.context().report(error.rdkafka_error_code(), &error.to_string());
            }
        }
        self.seek_to_beginning();
        self.update_alarms();
        self.add_brokers_again();
        if self.consumer.context().take_incompatible() {
            error!(
                "{}",
                group_refusal::why_incompatible(&self.consumer, &self.group_id, self.strategies.as_deref())
            );
        }
        if let Some((code, reason)) = self.consumer.client().fatal_error() {
            return Err(MemberError::fatal(code, &reason, self.instance_id.as_deref()));
        }
        if let Some(statistics) = self.consumer.context().take_statistics() {
            if let Some((number, until_end)) = &self.until_end {
                until_end.update(*number, &statistics);
            }
            self.update_retention(&statistics);
            if let Some(old) = self.moved.update(&statistics) {
                return Err(MemberError::CoordinatorMoved(old));
            }
            self.statistics = Some(statistics);
        }
        self.request_ends();
        self.request_starts();
        if Instant::now() >= self.next_explicit_commit {
            self.next_explicit_commit = Instant::now() + EXPLICIT_COMMIT_EVERY;
            if let Err(error) = self.commit_explicitly() {
                debug!(%error, "explicit offsets are not committed yet; trying again in a second");
            }
        }
        self.warn_of_missing_topics();
        if Instant::now() >= self.next_listing {
            if self.until_end.is_some() {
                self.list_once()?;
            } else if !self.topics.patterns.is_empty() {
                self.list_topics()?;
            }
        }
        Ok(())
    }

    /// Raises, repeats and ends alarms. Queries the brokers for denied topics when that is due.
    fn update_alarms(&self) {
        let context = self.consumer.context();
        let due = {
            let mut alarms = context.alarms();
            alarms.tick(Instant::now());
            alarms.topics_to_check(Instant::now())
        };
        if let Some(known) = due {
            let hidden = denied_topics::among(&self.consumer, &self.subscribed, &known);
            context.alarms().topics_checked(hidden.as_deref(), Instant::now());
        }
    }

    /// A broker that was stopped for longer than its session answers for some seconds that the cluster has no brokers. librdkafka (2.12.1)
    /// then forgets the only broker, and may stay without one although it is there again.
    fn add_brokers_again(&mut self) {
        if Instant::now() >= self.next_add_brokers && self.consumer.context().alarms().has_no_broker() {
            self.next_add_brokers = Instant::now() + ADD_BROKERS_EVERY;
            ffi::add_brokers(&self.consumer, &self.brokers);
        }
    }

    /// Whether an active alarm explains why no records are read.
    pub fn has_alarm(&self) -> bool {
        self.consumer.context().alarms().are_raised()
    }

    /// Checks whether the topics that `kafka.topics` names exist, when that is due.
    fn warn_of_missing_topics(&mut self) {
        if !self.missing.is_due(Instant::now()) {
            return;
        }
        let metadata = self.consumer.fetch_metadata(None, LIST_TOPICS_MAX);
        let found = metadata.as_ref().ok().map(|metadata| {
            let there = idle::existing(metadata);
            let names = self.topics.names.iter().filter(|name| !there.contains(&name.as_str()));
            let mut missing: Vec<String> = names.cloned().collect();
            if !missing.is_empty() {
                // A denied topic is invisible, too, and has an alarm. Without a response no topic counts as denied.
                let denied = denied_topics::among(&self.consumer, &self.subscribed, &[]).unwrap_or_default();
                missing.retain(|name| !denied.contains(name));
            }
            (missing, there)
        });
        let missing = found.as_ref().map(|(missing, _)| missing.as_slice());
        if self.missing.checked(missing, Instant::now())
            && let Some((missing, there)) = &found
        {
            let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
            warn!(
                "topics of `kafka.topics` do not exist, so nothing is read from them: {}. Correct their names, or create them: they are \
                 read once they exist",
                idle::each_with_nearest(&missing, there)
            );
        }
    }

    /// Updates the retention of the assigned topics.
    fn update_retention(&mut self, statistics: &Statistics) {
        let is_assigned =
            |topic: &Topic| topic.partitions.values().any(|one| one.partition >= 0 && one.desired);
        let topics = statistics.topics.iter().filter(|(_, topic)| is_assigned(topic));
        let mut topics: Vec<&str> = topics.map(|(name, _)| name.as_str()).collect();
        topics.sort_unstable();
        self.retention.update(&self.consumer, &topics);
    }

    /// Retention of the assigned topics, as far as it is known.
    pub fn retentions(&self) -> &Retentions {
        self.retention.known()
    }

    /// librdkafka's newest statistics.
    pub fn statistics(&self) -> Option<&Statistics> {
        self.statistics.as_ref()
    }

    /// Partitions that resumed at their beginning, because Kafka no longer has the offset to read from.
    pub fn take_resumed(&self) -> Vec<ResetPartition> {
        let context = self.consumer.context();
        let resumed = context.take_resumed(&self.consumer);
        let (backward, forward): (Vec<_>, Vec<_>) = resumed.iter().partition(|one| one.went_back());
        // Otherwise a restart could skip unsettled records, once reading has passed the deleted offset again.
        context.restart_from_beginning(backward.into_iter().filter_map(ResetPartition::beginning).collect());
        // Otherwise a partition without new records would report the same gap at each start.
        context.explicit_commits.request(self.committed_up_to(&forward));
        resumed
    }

    /// The new start of the partitions whose offsets are committed up to the gap.
    fn committed_up_to(&self, gaps: &[&ResetPartition]) -> Vec<(TopicPartition, NextOffset)> {
        if gaps.is_empty() {
            return Vec::new();
        }
        let mut wanted = TopicPartitionList::with_capacity(gaps.len());
        for gap in gaps {
            wanted.add_partition(&gap.at.topic, gap.at.partition);
        }
        // Without a response no partition counts as committed, and no offset is committed here.
        let committed = self.consumer.committed_offsets(wanted, COMMITTED_MAX).unwrap_or_default();
        let is_there = |gap: &&&ResetPartition| {
            let element = committed.find_partition(&gap.at.topic, gap.at.partition);
            element.is_some_and(|element| element.offset() == Offset::Offset(gap.from))
        };
        gaps.iter().filter(is_there).filter_map(|gap| gap.beginning()).collect()
    }

    /// A text that explains why no records come. It queries the brokers, which may take a few seconds.
    pub fn why_idle(&self, waiting: PendingWork) -> Option<String> {
        let Self { consumer, subscribed, topics, group_id, strategies, .. } = self;
        idle::why(consumer, subscribed, topics, group_id, strategies.as_deref(), waiting)
    }

    /// With `--until-end`: requests the end offsets of assigned partitions.
    fn request_ends(&mut self) {
        let Some((number, until_end)) = &self.until_end else { return };
        if Instant::now() < self.next_ends {
            return;
        }
        let unknown = until_end.without_end(*number);
        if !unknown.is_empty() {
            until_end.set_ends(offset_requests::ends(&self.consumer, &unknown));
            self.next_ends = Instant::now() + OFFSETS_EVERY;
        }
    }

    /// With `kafka.offset_reset` "latest" or "error": lists the topics until that has succeeded once, to know which partitions exist at the start.
    fn list_at_start(&mut self) {
        let context = self.consumer.context();
        if Instant::now() < self.next_starts || !context.start_offsets().wants_listing() {
            return;
        }
        match self.consumer.fetch_metadata(None, LIST_TOPICS_MAX) {
            Ok(metadata) => context.start_offsets().listed(&metadata),
            Err(error) => {
                debug!(%error, "topics could not be listed");
                self.next_starts = Instant::now() + LIST_TOPICS_EVERY;
            }
        }
    }

    /// Requests the unknown starts of assigned partitions, and lets the partitions begin there.
    fn request_starts(&mut self) {
        if Instant::now() < self.next_starts {
            return;
        }
        self.next_starts = Instant::now() + OFFSETS_EVERY;
        let context = self.consumer.context();
        let learned = context.start_offsets().learn(&self.consumer, STARTS_MAX);
        let known: Vec<_> = learned.begin.iter().chain(&learned.delivered).cloned().collect();
        if known.is_empty() {
            return;
        }
        // A partition whose seek failed stays paused, and is tried again.
        let begun = self.consumer.seek_partitions(offsets_of(&known), SEEK_MAX);
        match begun.and_then(|sought| check_partitions(&sought)) {
            Ok(()) => {
                let FoundStarts { begin, delivered } = context.start_offsets().begin(learned);
                context.commit_starts(&self.consumer, &begin);
                let list = list_of(begin.iter().chain(&delivered).map(|(at, _)| at));
                if let Err(error) = self.consumer.resume(&list).and_then(|()| check_partitions(&list)) {
                    error!(%error, "partitions can't be read from their start: restart the bridge, and please report it with the log");
                }
            }
            Err(error) => debug!(%error, "partitions could not be sought to their start"),
        }
    }

    /// Lets the data thread read recreated partitions from their beginning, and seeks reset partitions there. librdkafka goes back by itself
    /// after a reset, but would continue at the old position after the next rebalance; only a seek replaces that position.
    fn seek_to_beginning(&mut self) {
        let reset = self.consumer.context().take_reset();
        let recreated = self.recreated.poll(&**self.consumer, &self.consumer.context().topic_ids);
        if !recreated.is_empty() {
            error!(
                partitions = %summary(&recreated),
                "a topic was deleted and created again while it was read: reading the new topic from its beginning"
            );
        }
        // An earlier offset than the retained ones is valid: reading continues at the first retained record.
        let beginning = |at| (at, NextOffset::at(0));
        self.consumer.context().restart_from_beginning(recreated.into_iter().map(beginning).collect());
        if reset.is_empty() {
            return;
        }
        let mut list = TopicPartitionList::with_capacity(reset.len());
        for at in &reset {
            let _infallible = list.add_partition_offset(&at.topic, at.partition, Offset::Beginning);
        }
        if let Err(error) = self.consumer.seek_partitions(list, Duration::ZERO) {
            warn!(%error, "the seek to the beginning failed: after the next rebalance, reading may skip records");
        }
    }

    /// Commits the offsets that the automatic commit would ignore.
    fn commit_explicitly(&self) -> KafkaResult<()> {
        let explicit_commits = &self.consumer.context().explicit_commits;
        let pending = explicit_commits.pending();
        if !pending.is_empty() {
            self.consumer.commit(&offsets_of(&pending), CommitMode::Sync)?;
            self.consumer.context().start_offsets().committed(pending.iter().map(|(at, _)| at));
            explicit_commits.done(&pending);
        }
        Ok(())
    }

    /// Commits the explicit and the stored offsets for the last time. While the group is rebalancing, it tries again until `until`.
    pub fn commit(&self, until: Instant) -> Result<(), MemberError> {
        // The next generation of the group comes without this thread's help, and the partitions stay with this member until it
        // has served the revocation.
        let is_rebalancing = |result: &KafkaResult<()>| {
            use RDKafkaErrorCode as Code;
            let Err(KafkaError::ConsumerCommit(code)) = result else { return false };
            matches!(code, Code::RebalanceInProgress | Code::IllegalGeneration | Code::StaleMemberEpoch)
        };
        let result = retry(until, COMMIT_PAUSE, is_rebalancing, || {
            let stored = || self.consumer.commit_consumer_state(CommitMode::Sync);
            commit_both(|| self.commit_explicitly(), stored, is_rebalancing)
        });
        match result {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
            Err(error) => Err(MemberError::LastCommit(error)),
        }
    }

    /// Leaves the group.
    pub fn leave(self) {
        // The client must outlive the queues of both.
        drop(self.recreated);
        drop(self.retention);
        // Dropping the last reference leaves the group.
        if Arc::into_inner(self.consumer.into_inner()).is_none() {
            warn!("the kafka client is still in use and leaves the group when its session ends");
        }
    }

    /// Ends without leaving the group, because the coordinator can't be reached: closing the client would wait for its responses without a
    /// bound. The client is never freed; the process ends.
    pub fn abandon(self) {
        drop(self.recreated);
        drop(self.retention);
        std::mem::forget(self.consumer.into_inner());
    }

    fn list_topics(&mut self) -> Result<(), MemberError> {
        self.next_listing = Instant::now() + LIST_TOPICS_EVERY;
        let metadata = match self.consumer.fetch_metadata(None, LIST_TOPICS_MAX) {
            Ok(metadata) => metadata,
            Err(error) => {
                debug!(%error, "topics could not be listed");
                return Ok(());
            }
        };
        let existing = listed_names(&metadata);
        let matched =
            existing.iter().filter(|name| self.topics.is_match(name)).map(|name| (*name).to_owned());
        let mut wanted: BTreeSet<String> = self.subscribed.iter().cloned().chain(matched).collect();
        let named = &self.topics.names;
        let by_pattern = self.subscribed.iter().filter(|name| !named.contains(name)).cloned();
        let gone = self.gone.update(by_pattern, &existing, Instant::now());
        // A consumer without any topic would leave the group.
        if gone.len() < wanted.len() {
            wanted.retain(|name| !gone.contains(name));
        }
        if wanted == self.subscribed { Ok(()) } else { self.subscribe_to(wanted) }
    }

    /// With `--until-end`: subscribes to the existing topics, and to none that is created later.
    fn list_once(&mut self) -> Result<(), MemberError> {
        self.next_listing = Instant::now() + LIST_TOPICS_EVERY;
        let Some((number, until_end)) = self.until_end.as_ref().filter(|_| !self.is_listed) else {
            return Ok(());
        };
        let metadata = match self.consumer.fetch_metadata(None, LIST_TOPICS_MAX) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.consumer.context().report(error.rdkafka_error_code(), &error.to_string());
                return Ok(());
            }
        };
        let existing = listed_names(&metadata);
        let (names, missing): (Vec<_>, Vec<_>) =
            self.topics.names.iter().cloned().partition(|name| existing.contains(name.as_str()));
        if !missing.is_empty() {
            let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
            let there: Vec<&str> = existing.into_iter().collect();
            return Err(MemberError::MissingTopics(idle::each_with_nearest(&missing, &there)));
        }
        let matched = existing.into_iter().filter(|name| self.topics.is_match(name)).map(str::to_owned);
        let wanted: BTreeSet<String> = matched.chain(names).collect();
        if wanted.is_empty() {
            warn!(
                "no topic matches `kafka.topics`, so there is nothing to read: check its names and regular expressions"
            );
            until_end.assigned(*number, &[]);
        }
        self.is_listed = true;
        self.subscribe_to(wanted)
    }

    fn subscribe_to(&mut self, topics: BTreeSet<String>) -> Result<(), MemberError> {
        let new: Vec<&str> = topics.difference(&self.subscribed).map(String::as_str).collect();
        let gone: Vec<&str> = self.subscribed.difference(&topics).map(String::as_str).collect();
        if !gone.is_empty() {
            info!(
                topics = gone.join(" "),
                group = self.group_id,
                "no longer subscribed: the topics have not existed for ten minutes"
            );
        }
        if !new.is_empty() {
            info!(topics = new.join(" "), group = self.group_id, "subscribed");
        }
        if !new.is_empty() || !gone.is_empty() {
            let names: Vec<&str> = topics.iter().map(String::as_str).collect();
            self.consumer.subscribe(&names).map_err(MemberError::Subscribe)?;
        }
        if !gone.is_empty() {
            self.consumer.context().start_offsets().keep(&topics);
        }
        self.subscribed = topics;
        Ok(())
    }
}

/// The names of all topics in a listing, also of those without partitions.
fn listed_names(metadata: &Metadata) -> BTreeSet<&str> {
    metadata.topics().iter().map(MetadataTopic::name).collect()
}

/// Runs both commits: an explicit offset that the brokers refuse keeps no other one uncommitted. An error that is tried again counts first.
fn commit_both(
    explicit: impl FnOnce() -> KafkaResult<()>,
    stored: impl FnOnce() -> KafkaResult<()>,
    is_retried: impl Fn(&KafkaResult<()>) -> bool,
) -> KafkaResult<()> {
    let (explicit, stored) = (explicit(), stored());
    if is_retried(&stored) { stored } else { explicit.and(stored) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_refused_explicit_commit_keeps_no_stored_offset_uncommitted() {
        use RDKafkaErrorCode::{InvalidCommitOffsetSize, NoOffset, RebalanceInProgress};
        let is_retried =
            |result: &KafkaResult<()>| *result == Err(KafkaError::ConsumerCommit(RebalanceInProgress));
        let f = |explicit: Option<RDKafkaErrorCode>,
                 stored: Option<RDKafkaErrorCode>,
                 want: Option<RDKafkaErrorCode>| {
            let failed = |code: Option<RDKafkaErrorCode>| {
                code.map_or(Ok(()), |code| Err(KafkaError::ConsumerCommit(code)))
            };
            let is_committed = Cell::new(false);
            let commit = || {
                is_committed.set(true);
                failed(stored)
            };
            assert_eq!(commit_both(|| failed(explicit), commit, is_retried), failed(want));
            assert!(is_committed.get(), "{explicit:?}");
        };
        f(None, None, None);
        f(Some(InvalidCommitOffsetSize), None, Some(InvalidCommitOffsetSize));
        f(None, Some(NoOffset), Some(NoOffset));
        f(Some(InvalidCommitOffsetSize), Some(NoOffset), Some(InvalidCommitOffsetSize));
        f(Some(InvalidCommitOffsetSize), Some(RebalanceInProgress), Some(RebalanceInProgress));
        f(Some(RebalanceInProgress), None, Some(RebalanceInProgress));
    }
}
