//! The control thread's side of a member of the group: creates it, polls it, keeps alarms and statistics, and leaves.
//!
//! Beside it: its topics in `subscription.rs`, the offsets where reading begins and ends in `positions.rs`, commits in `commits.rs`.

mod commits;
mod positions;
mod subscription;

use super::context::{GroupConsumer, GroupContext, GroupEvent};
use super::deleted_topics::DeletedTopics;
use super::missing_topics::MissingTopics;
use super::moved_coordinator::CoordinatorWatch;
use super::recreated::RecreatedTopics;
use super::{
    MemberError, PendingWork, RetentionWatch, Retentions, UntilEnd, denied_topics, group_refusal, idle,
};
use crate::client::MemberClient;
use crate::ffi;
use crate::properties::{ClientKind, properties};
use crate::{Settings, Topics};
use base::alarm::AlarmRegistry;
use rdkafka::consumer::Consumer;
use rdkafka::statistics::{Statistics, Topic};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use tracing::{debug, error, warn};

/// Time limit of one poll of the group, and so the delay of a stop.
const POLL: Duration = Duration::from_millis(100);
/// Interval between topic listings for regular expressions. With the time of a rebalance, a new topic is read within 10 s.
const LIST_TOPICS_EVERY: Duration = Duration::from_secs(4);
/// Time limit of such a listing: the group is not polled meanwhile.
const LIST_TOPICS_MAX: Duration = Duration::from_secs(3);
/// Interval of explicit commits, the same as that of the automatic commit.
const EXPLICIT_COMMIT_EVERY: Duration = Duration::from_secs(1);
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
            let hidden = denied_topics::denied_among(&self.consumer, &self.subscribed, &known);
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

    /// A text that explains why no records come. It queries the brokers, which may take a few seconds.
    pub fn why_idle(&self, waiting: PendingWork) -> Option<String> {
        let Self { consumer, subscribed, topics, group_id, strategies, .. } = self;
        idle::why(consumer, subscribed, topics, group_id, strategies.as_deref(), waiting)
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
}
