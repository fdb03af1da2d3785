//! The control thread: membership of the group, the topics subscribed to, and what librdkafka has to say.

use super::context::{GroupConsumer, GroupContext, GroupEvent, offsets_of, summary};
use super::gone::Gone;
use super::moved::Moved;
use super::recreated::Recreated;
use super::resets::Resumed;
use super::{MemberError, RetentionWatch, Retentions, UntilEnd, begin, denied, group, idle};
use crate::client::MemberClient;
use crate::properties::{ClientKind, properties};
use crate::retry::retry;
use crate::{Settings, Topics};
use base::NextOffset;
use base::TopicPartition;
use base::alarm::AlarmRegistry;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::{Statistics, Topic};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use tracing::{debug, error, info, warn};

/// How long a poll of the group waits; stopping is seen within this time.
const POLL: Duration = Duration::from_millis(100);
/// How often topics are listed where regular expressions are to match; with the time to join, a new topic is read within 10 s.
const LIST_TOPICS_EVERY: Duration = Duration::from_secs(4);
const LIST_TOPICS_MAX: Duration = Duration::from_secs(3);
/// As often as the automatic commit.
const APART_EVERY: Duration = Duration::from_secs(1);
/// Between questions for the ends of partitions whose brokers do not say.
const ENDS_EVERY: Duration = Duration::from_secs(1);
const COMMITTED_MAX: Duration = Duration::from_secs(3);
/// Between attempts of the last commit.
const COMMIT_PAUSE: Duration = Duration::from_millis(100);

/// A member of the group.
pub struct Member {
    /// Dropped before the client, to which both belong.
    recreated: Recreated,
    retention: RetentionWatch,
    consumer: MemberClient,
    group_id: String,
    instance_id: Option<String>,
    /// How partitions are shared in the group.
    strategy: String,
    topics: Topics,
    subscribed: BTreeSet<String>,
    gone: Gone,
    moved: Moved,
    next_listing: Instant,
    /// Whether that was done; with `--until-end` it is done once.
    is_listed: bool,
    next_explicit_commit: Instant,
    next_ends: Instant,
    statistics: Option<Statistics>,
    until_end: Option<(usize, Arc<UntilEnd>)>,
}

impl Member {
    /// Makes the client; it connects when it is first polled.
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
            // They tell when the end is reached.
            config.set("statistics.interval.ms", "500");
        }
        let consumer = MemberClient::create(kafka, &config, context).map_err(MemberError::Client)?;
        let member = Self {
            recreated: Recreated::new(&consumer),
            retention: RetentionWatch::new(&consumer),
            consumer,
            group_id: kafka.group_id.clone(),
            instance_id: config.get("group.instance.id").map(str::to_owned),
            strategy: config.get("partition.assignment.strategy").unwrap_or_default().to_owned(),
            topics: kafka.topics.clone(),
            subscribed: BTreeSet::new(),
            gone: Gone::default(),
            moved: Moved::default(),
            next_listing: Instant::now(),
            is_listed: false,
            next_explicit_commit: Instant::now(),
            next_ends: Instant::now(),
            statistics: None,
            until_end,
        };
        Ok((member, events))
    }

    pub fn consumer(&self) -> &Arc<GroupConsumer> {
        &self.consumer
    }

    /// Subscribes to the topics that are named; those that regular expressions match follow when they are listed.
    pub fn subscribe(&mut self) -> Result<(), MemberError> {
        if self.until_end.is_some() {
            // They are listed first.
            return Ok(());
        }
        let named = self.topics.names.iter().cloned().collect();
        self.subscribe_to(named)
    }

    /// One turn: group events, errors, new topics. It returns after at most `POLL` (or a listing's time).
    pub fn poll(&mut self) -> Result<(), MemberError> {
        let polled = self.consumer.poll(POLL);
        if let Some(failure) = self.consumer.context().take_failure() {
            return Err(failure);
        }
        match polled {
            None => {}
            Some(Ok(_)) => {
                // Its queue was not forwarded, so it would pass by the tracker and be skipped by the next commit.
                return Err(MemberError::Fatal("a record came by the main queue".to_owned()));
            }
            Some(Err(error)) => {
                self.consumer.context().report(error.rdkafka_error_code(), &error.to_string());
            }
        }
        self.begin_again();
        self.look_at_alarms();
        if self.consumer.context().take_held_by_others() {
            error!("{}", group::held_by_others(&self.consumer, &self.group_id, &self.strategy));
        }
        if let Some((code, reason)) = self.consumer.client().fatal_error() {
            return Err(match (code, &self.instance_id) {
                (RDKafkaErrorCode::FencedInstanceId, Some(id)) => MemberError::Fenced(id.clone()),
                _ => MemberError::Fatal(format!("{reason} ({code})")),
            });
        }
        if let Some(statistics) = self.consumer.context().take_statistics() {
            if let Some((number, until_end)) = &self.until_end {
                until_end.look(*number, &statistics);
            }
            self.look_at_retention(&statistics);
            if let Some(old) = self.moved.look(&statistics) {
                return Err(MemberError::CoordinatorMoved(old));
            }
            self.statistics = Some(statistics);
        }
        self.ask_for_ends();
        if Instant::now() >= self.next_explicit_commit {
            self.next_explicit_commit = Instant::now() + APART_EVERY;
            if let Err(error) = self.commit_apart() {
                debug!(%error, "offsets were not committed yet");
            }
        }
        if Instant::now() >= self.next_listing {
            if self.until_end.is_some() {
                self.list_once()?;
            } else if !self.topics.patterns.is_empty() {
                self.list_topics()?;
            }
        }
        Ok(())
    }

    /// Raises, repeats and ends alarms, and asks the brokers which topics are denied where that is due.
    fn look_at_alarms(&self) {
        let context = self.consumer.context();
        let due = {
            let mut alarms = context.alarms();
            alarms.tick(Instant::now());
            alarms.topics_to_check(Instant::now())
        };
        if let Some(known) = due {
            let hidden = denied::among(&self.consumer, &self.subscribed, &known);
            context.alarms().topics_checked(hidden.as_deref(), Instant::now());
        }
    }

    /// Whether an alarm says why nothing is read.
    pub fn has_alarm(&self) -> bool {
        self.consumer.context().alarms().are_raised()
    }

    /// Keeps known how long the topics held keep their records.
    fn look_at_retention(&mut self, statistics: &Statistics) {
        let is_held = |topic: &Topic| topic.partitions.values().any(|one| one.partition >= 0 && one.desired);
        let topics = statistics.topics.iter().filter(|(_, topic)| is_held(topic));
        let mut topics: Vec<&str> = topics.map(|(name, _)| name.as_str()).collect();
        topics.sort_unstable();
        self.retention.look(&self.consumer, &topics);
    }

    /// How long the topics held keep their records, as far as that is known.
    pub fn retentions(&self) -> &Retentions {
        self.retention.known()
    }

    /// librdkafka's newest statistics.
    pub fn statistics(&self) -> Option<&Statistics> {
        self.statistics.as_ref()
    }

    /// Partitions that resumed at their beginning, because the offset to read from was not there any more.
    pub fn take_resumed(&self) -> Vec<Resumed> {
        let context = self.consumer.context();
        let resumed = context.take_resumed(&self.consumer);
        let (back, forth): (Vec<_>, Vec<_>) = resumed.iter().partition(|one| one.went_back());
        // Else a restart would pass over what is not settled, once reading has come as far as the offset that is gone.
        context.explicit_commits.ask(back.into_iter().filter_map(Resumed::beginning));
        // Else a partition without new records would tell the same at each start.
        context.explicit_commits.ask(self.committed_as_far_as(&forth));
        resumed
    }

    /// Where those begin now of which everything up to the gap is settled and committed.
    fn committed_as_far_as(&self, gaps: &[&Resumed]) -> Vec<(TopicPartition, NextOffset)> {
        if gaps.is_empty() {
            return Vec::new();
        }
        let mut asked = TopicPartitionList::with_capacity(gaps.len());
        for gap in gaps {
            asked.add_partition(&gap.at.topic, gap.at.partition);
        }
        // Without an answer none counts as committed, and nothing is committed here.
        let committed = self.consumer.committed_offsets(asked, COMMITTED_MAX).unwrap_or_default();
        let is_there = |gap: &&&Resumed| {
            let element = committed.find_partition(&gap.at.topic, gap.at.partition);
            element.is_some_and(|element| element.offset() == Offset::Offset(gap.from))
        };
        gaps.iter().filter(is_there).filter_map(|gap| gap.beginning()).collect()
    }

    /// Why no records come, in words. It asks the brokers, so it takes up to a few seconds.
    pub fn why_idle(&self, influx_is_waited_for: bool) -> Option<String> {
        let Self { consumer, subscribed, topics, group_id, strategy, .. } = self;
        idle::why(consumer, subscribed, topics, group_id, strategy, influx_is_waited_for)
    }

    /// With `--until-end`: asks where the partitions end that were assigned.
    fn ask_for_ends(&mut self) {
        let Some((number, until_end)) = &self.until_end else { return };
        if Instant::now() < self.next_ends {
            return;
        }
        let open = until_end.without_end(*number);
        if !open.is_empty() {
            until_end.set_ends(begin::ends(&self.consumer, &open));
            self.next_ends = Instant::now() + ENDS_EVERY;
        }
    }

    /// librdkafka goes back to the beginning by itself, but keeps in mind how far reading had come before, and would go on
    /// from there after the next rebalance. Only a seek makes it forget.
    fn begin_again(&mut self) {
        let mut reset = self.consumer.context().take_reset();
        let recreated = self.recreated.look(&self.consumer);
        if !recreated.is_empty() {
            error!(
                partitions = %summary(&recreated),
                "a topic was deleted and created again while it was read: reading the new one from its beginning"
            );
        }
        reset.extend(recreated);
        if reset.is_empty() {
            return;
        }
        let mut list = TopicPartitionList::with_capacity(reset.len());
        for at in &reset {
            let _infallible = list.add_partition_offset(&at.topic, at.partition, Offset::Beginning);
        }
        if let Err(error) = self.consumer.seek_partitions(list, Duration::ZERO) {
            warn!(%error, "partitions can't be read from their beginning");
        }
    }

    /// What the automatic commit leaves out.
    fn commit_apart(&self) -> KafkaResult<()> {
        let explicit_commits = &self.consumer.context().explicit_commits;
        let open = explicit_commits.open();
        if !open.is_empty() {
            self.consumer.commit(&offsets_of(&open), CommitMode::Sync)?;
            explicit_commits.done(&open);
        }
        Ok(())
    }

    /// Commits what was stored, for the last time. A group that is being rebalanced is given until then to finish.
    pub fn commit(&self, until: Instant) -> Result<(), MemberError> {
        // The next generation of the group comes without this thread's help, and the partitions stay with this member until it
        // has served the revocation.
        let is_rebalancing = |result: &KafkaResult<()>| {
            use RDKafkaErrorCode as Code;
            let Err(KafkaError::ConsumerCommit(code)) = result else { return false };
            matches!(code, Code::RebalanceInProgress | Code::IllegalGeneration)
        };
        let result = retry(until, COMMIT_PAUSE, is_rebalancing, || {
            self.commit_apart().and_then(|()| self.consumer.commit_consumer_state(CommitMode::Sync))
        });
        match result {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
            Err(error) => Err(MemberError::LastCommit(error)),
        }
    }

    /// Leaves the group.
    pub fn leave(self) {
        // Their queues belong to the client.
        drop(self.recreated);
        drop(self.retention);
        // Dropping the last reference leaves it.
        if Arc::into_inner(self.consumer.into_inner()).is_none() {
            warn!("the kafka client is still in use and leaves the group when its session ends");
        }
    }

    /// Ends without leaving the group, whose coordinator this client does not reach: closing the client would wait for the coordinator's
    /// answers, without a bound. The client is never freed, because the process ends.
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
        let existing: BTreeSet<&str> =
            metadata.topics().iter().map(rdkafka::metadata::MetadataTopic::name).collect();
        let matched =
            existing.iter().filter(|name| self.topics.is_match(name)).map(|name| (*name).to_owned());
        let mut wanted: BTreeSet<String> = self.subscribed.iter().cloned().chain(matched).collect();
        let named = &self.topics.names;
        let by_pattern = self.subscribed.iter().filter(|name| !named.contains(name)).cloned();
        let gone = self.gone.look(by_pattern, &existing, Instant::now());
        // A consumer without any topic would leave the group.
        if gone.len() < wanted.len() {
            wanted.retain(|name| !gone.contains(name));
        }
        if wanted == self.subscribed { Ok(()) } else { self.subscribe_to(wanted) }
    }

    /// With `--until-end`: subscribes to what is there now, and to nothing that comes later.
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
        let existing: BTreeSet<&str> =
            metadata.topics().iter().map(rdkafka::metadata::MetadataTopic::name).collect();
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
            warn!("no topic matches `kafka.topics`");
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
        self.subscribed = topics;
        Ok(())
    }
}
