//! Alarms for everything that stops a consumer from reading Kafka: brokers, login, TLS, permissions on the group and on topics.
//!
//! librdkafka reports an error once and never reports its end. Its statistics show every few seconds which brokers are connected. An
//! alarm begins with an error or with missing connections, and ends with evidence: a connected broker, a commit, an assignment, or a
//! topic that is readable again.

use super::diagnosis::{Advice, AlarmCause, Fault, diagnose};
use super::error_log::LoggedErrors;
use super::http_probe::HttpProbe;
use super::silent_brokers::SilentBrokers;
use crate::Settings;
use base::alarm::{self, AlarmGuard, AlarmRegistry, Scope};
use base::text::printable;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::statistics::{Broker, Statistics};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Without a connected broker for this long, Kafka is unreachable. A restart of one broker, or a reconnect, takes less.
pub const UNREACHABLE_AFTER: Duration = Duration::from_secs(10);
/// Without a connected broker for this long, it is checked whether an HTTP server answers there, so that the alarm can say so.
const HTTP_PROBE_AFTER: Duration = Duration::from_secs(4);
/// Age at which an error is out of date. librdkafka suppresses an identical error for 30 s.
const RECENT: Duration = Duration::from_secs(90);
/// Age at which a denied fetch is out of date. librdkafka repeats the fetch, and the report, every 5 s.
const DENIED_FETCH_RECENT: Duration = Duration::from_secs(30);
/// A group that denied a request other than a commit counts as usable after this long as a steady member.
const GROUP_STEADY: Duration = Duration::from_secs(15);
/// Interval of requests that check whether denied topics are readable again.
const CHECK_TOPICS_EVERY: Duration = Duration::from_secs(10);
/// Topics with an alarm of their own. A user without any permission is denied all topics, and the first alarms are enough.
const TOPICS_MAX: usize = 20;
/// Throttling shown by the statistics explains timeouts for this long.
const THROTTLED_RECENT: Duration = Duration::from_mins(1);
/// Characters of librdkafka's text in an alarm.
const WHY_MAX: usize = 300;

/// A problem between the consumer and its brokers.
#[derive(Clone, Debug)]
struct Problem {
    fault: Fault,
    why: String,
    at: Instant,
    /// Whether the broker itself reported it. Otherwise the cause is deduced from the end of a connection, and a restarting broker ends
    /// connections in the same way.
    is_certain: bool,
    /// Whether `why` begins with the cause that a second handshake found.
    is_detailed: bool,
}

impl Problem {
    fn cause(&self) -> Option<AlarmCause> {
        self.fault.cause()
    }
}

/// The connection to the cluster as a whole.
#[derive(Debug)]
struct Link {
    is_connected: bool,
    silence: SilentBrokers,
    /// A broker that is connected and leaves requests unanswered, while no other broker answers.
    silent: Option<String>,
    /// Last response of a broker; before the first one, the start of the client.
    answered: Instant,
    received_bytes: u64,
    /// The newest problem that names its cause: login, TLS, wrong port.
    specific: Option<Problem>,
    /// The newest problem of the transport.
    transport: Option<Problem>,
}

impl Link {
    fn new(fetch_wait_max: Duration, now: Instant) -> Self {
        Self {
            is_connected: false,
            silence: SilentBrokers::new(fetch_wait_max),
            silent: None,
            answered: now,
            received_bytes: 0,
            specific: None,
            transport: None,
        }
    }

    fn record(&mut self, problem: Problem) {
        let is_specific = problem.cause() != Some(AlarmCause::Unreachable) || problem.is_detailed;
        let slot = if is_specific { &mut self.specific } else { &mut self.transport };
        match slot {
            // A later report of the same problem has fewer details.
            Some(before)
                if before.cause() == problem.cause() && before.is_detailed && !problem.is_detailed =>
            {
                before.at = problem.at;
            }
            _ => *slot = Some(problem),
        }
    }

    fn statistics(&mut self, statistics: &Statistics, is_throttled: bool, now: Instant) {
        self.silence.update(statistics, is_throttled, now);
        let real = || statistics.brokers.iter().filter(|(_, broker)| is_real(broker));
        let received = real().map(|(_, broker)| broker.rxbytes).sum();
        let has_received = received > self.received_bytes;
        self.received_bytes = received;
        let last_signs = real().filter_map(|(name, _)| Some((self.silence.last_sign(name)?, name)));
        let newest = last_signs.max_by_key(|(at, _)| *at);
        self.is_connected = newest.is_some_and(|(_, name)| !self.silence.is_silent(name, now));
        self.silent = newest.filter(|_| !self.is_connected).map(|(_, name)| name.clone());
        // Brokers that refuse the login also respond, and so do controllers.
        let is_refused = self.specific.as_ref().is_some_and(|problem| problem.at > self.answered);
        if let Some((at, _)) = newest.filter(|_| self.is_connected) {
            (self.answered, self.specific, self.transport) = (self.answered.max(at), None, None);
        } else if has_received && !is_refused {
            // A connection opened and closed between two statistics.
            self.answered = now;
        }
    }

    /// The problem to raise an alarm for.
    fn failing(&self, now: Instant) -> Option<Problem> {
        if self.is_connected {
            return None;
        }
        let recent = |problem: &&Problem| now.saturating_duration_since(problem.at) < RECENT;
        let specific = self.specific.as_ref().filter(recent);
        if let Some(certain) = specific.filter(|problem| problem.is_certain) {
            return Some(certain.clone());
        }
        if now.saturating_duration_since(self.answered) < UNREACHABLE_AFTER {
            return None;
        }
        if let Some(broker) = &self.silent {
            return Some(Problem {
                fault: Fault::Hangs,
                why: format!("{broker}: no request is answered"),
                at: now,
                is_certain: false,
                is_detailed: false,
            });
        }
        Some(specific.or(self.transport.as_ref().filter(recent)).cloned().unwrap_or_else(|| Problem {
            fault: Fault::NotConnected,
            why: format!("no broker has answered for {} s", UNREACHABLE_AFTER.as_secs()),
            at: now,
            is_certain: false,
            is_detailed: false,
        }))
    }
}

impl Link {
    /// Whether to check that an HTTP server answers instead of Kafka.
    fn wants_http_probe(&self, now: Instant) -> bool {
        let is_due = now.saturating_duration_since(self.answered) >= HTTP_PROBE_AFTER;
        !self.is_connected && self.silent.is_none() && self.specific.is_none() && is_due
    }

    fn found_http(&mut self, address: &str, now: Instant) {
        self.record(Problem {
            fault: Fault::Http,
            why: format!("{address} answers an HTTP request"),
            at: now,
            is_certain: false,
            is_detailed: true,
        });
    }
}

/// Whether the cluster itself named this broker, or it is the group's coordinator. An address of `kafka.brokers` that no broker
/// advertises has the id -1: it may be a controller's, or the advertised names may not resolve here.
fn is_real(broker: &Broker) -> bool {
    broker.nodeid >= 0 && broker.source != "internal"
}

/// A missing permission.
#[derive(Debug)]
struct Denied {
    why: String,
    at: Instant,
    /// Whether a commit was denied. Only a commit shows that this permission is granted.
    by_commit: bool,
    /// Whether the topic is invisible to this user. Otherwise only fetches are denied.
    is_hidden: bool,
    watch: AlarmGuard,
}

/// All alarms of one consumer, and the log of its other errors.
#[derive(Debug)]
pub struct KafkaAlarms {
    pub trouble: LoggedErrors,
    alarms: Arc<AlarmRegistry>,
    /// `kafka.brokers`.
    brokers: String,
    group_id: String,
    link: Link,
    http: HttpProbe,
    link_alarm: Option<AlarmGuard>,
    group: Option<Denied>,
    topics: BTreeMap<String, Denied>,
    check_topics_at: Option<Instant>,
    throttled_at: Option<Instant>,
}

impl KafkaAlarms {
    pub fn new(alarms: Arc<AlarmRegistry>, kafka: &Settings, now: Instant) -> Self {
        Self {
            trouble: LoggedErrors::default(),
            alarms,
            brokers: kafka.brokers.join(","),
            group_id: kafka.group_id.clone(),
            link: Link::new(kafka.fetch_wait_max(), now),
            http: HttpProbe::new(&kafka.brokers, now),
            link_alarm: None,
            group: None,
            topics: BTreeMap::new(),
            check_topics_at: None,
            throttled_at: None,
        }
    }

    /// Whether an active alarm explains why no records are read.
    pub fn are_raised(&self) -> bool {
        self.link_alarm.is_some() || self.group.is_some() || !self.topics.is_empty()
    }

    /// Whether no broker has been connected for so long that an alarm is raised.
    pub fn has_no_broker(&self) -> bool {
        self.link_alarm.is_some() && !self.link.is_connected && self.link.silent.is_none()
    }

    /// Handles an error of librdkafka. `is_detailed`: the text begins with the cause that a second handshake found.
    pub fn error(&mut self, code: Option<RDKafkaErrorCode>, text: &str, is_detailed: bool, now: Instant) {
        let Some(advice) = code.and_then(|code| diagnose(code, text, self.is_throttled(now))) else {
            return self.trouble.report(code, text, false);
        };
        let why = printable(text, WHY_MAX);
        match advice.cause() {
            Some(AlarmCause::GroupDenied) => self.deny_group(why, false, now),
            // The error does not name the topic, so the brokers are queried.
            Some(AlarmCause::TopicDenied) => self.check_topics_at = Some(now),
            Some(_) => {
                // librdkafka reports each error twice, the second time without its reason. "All brokers down" is no reason either.
                let says_little = text.starts_with("Message consumption error")
                    || code == Some(RDKafkaErrorCode::AllBrokersDown);
                let known = [&self.link.specific, &self.link.transport].into_iter().flatten();
                let is_known =
                    known.into_iter().any(|problem| now.saturating_duration_since(problem.at) < RECENT);
                if !(says_little && is_known) {
                    let Advice { fault, is_certain } = advice;
                    self.link.record(Problem { fault, why, at: now, is_certain, is_detailed });
                }
                self.tick(now);
            }
            None => {}
        }
        let has_alarm = match advice.cause() {
            Some(AlarmCause::GroupDenied | AlarmCause::TopicDenied) => true,
            Some(_) => self.link_alarm.is_some(),
            None => false,
        };
        if !has_alarm {
            self.trouble.report(code, text, self.is_throttled(now));
        }
    }

    /// Handles a line of librdkafka's log. Only the log shows that an address is a controller's.
    pub fn log(&mut self, facility: &str, text: &str, now: Instant) {
        if is_controller(facility, text) {
            self.link.record(Problem {
                fault: Fault::Controller,
                why: printable(text, WHY_MAX),
                at: now,
                is_certain: false,
                is_detailed: true,
            });
        }
    }

    pub fn statistics(&mut self, statistics: &Statistics, now: Instant) {
        let throttle = |broker: &Broker| broker.throttle.as_ref().is_some_and(|window| window.avg > 0);
        if statistics.brokers.values().any(throttle) {
            self.throttled_at = Some(now);
        }
        self.link.statistics(statistics, self.is_throttled(now), now);
        let is_steady = statistics.cgrp.as_ref().is_some_and(|group| group.join_state == "steady");
        let is_over =
            |denied: &Denied| !denied.by_commit && now.saturating_duration_since(denied.at) >= GROUP_STEADY;
        if is_steady && self.group.as_ref().is_some_and(is_over) {
            self.group_works(now);
        }
        self.tick(now);
    }

    /// Handles the result of a commit.
    pub fn committed(&mut self, error: Option<RDKafkaErrorCode>, now: Instant) {
        match error {
            None => self.group_works(now),
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {
                self.deny_group("a commit was refused: Group authorization failed".to_owned(), true, now);
            }
            Some(_) => {}
        }
    }

    /// Ends the alarm of a denied group: partitions were assigned, or a commit succeeded.
    pub fn group_works(&mut self, now: Instant) {
        if let Some(mut denied) = self.group.take() {
            denied.watch.recovered(now);
        }
    }

    fn deny_group(&mut self, why: String, by_commit: bool, now: Instant) {
        let watch = self.group.take().map_or_else(|| self.alarms.guard(), |before| before.watch);
        self.group = Some(Denied { why, at: now, by_commit, is_hidden: false, watch });
        self.tick(now);
    }

    /// Handles a denied fetch from this topic.
    pub fn fetch_denied(&mut self, topic: &str, text: &str, now: Instant) {
        self.deny_topic(topic, printable(text, WHY_MAX), false, now);
        self.tick(now);
    }

    fn deny_topic(&mut self, topic: &str, why: String, is_hidden: bool, now: Instant) {
        if let Some(denied) = self.topics.get_mut(topic) {
            (denied.at, denied.is_hidden) = (now, is_hidden);
        } else if self.topics.len() < TOPICS_MAX {
            let watch = self.alarms.guard();
            self.topics.insert(topic.to_owned(), Denied { why, at: now, by_commit: false, is_hidden, watch });
        }
        let next = now + CHECK_TOPICS_EVERY;
        self.check_topics_at = Some(self.check_topics_at.map_or(next, |due| due.min(next)));
    }

    /// Topics with an active alarm, when a query about them is due. The caller hands the result to [`KafkaAlarms::topics_checked`].
    pub fn topics_to_check(&mut self, now: Instant) -> Option<Vec<String>> {
        self.check_topics_at.take_if(|due| *due <= now)?;
        Some(self.topics.keys().cloned().collect())
    }

    /// Handles the result of a query: these topics are denied, and no others. None: the brokers did not respond.
    pub fn topics_checked(&mut self, hidden: Option<&[String]>, now: Instant) {
        let Some(hidden) = hidden else {
            self.check_topics_at = Some(now + CHECK_TOPICS_EVERY);
            return;
        };
        for topic in hidden {
            self.deny_topic(topic, "Broker: Topic authorization failed".to_owned(), true, now);
        }
        let is_over = |topic: &String, denied: &Denied| {
            let is_quiet = now.saturating_duration_since(denied.at) >= DENIED_FETCH_RECENT;
            !hidden.contains(topic) && (denied.is_hidden || is_quiet)
        };
        for (_, mut denied) in self.topics.extract_if(.., |topic, denied| is_over(topic, denied)) {
            denied.watch.recovered(now);
        }
        if !self.topics.is_empty() {
            self.check_topics_at = Some(now + CHECK_TOPICS_EVERY);
        }
    }

    /// Whether the statistics showed throttling recently.
    pub fn is_throttled(&self, now: Instant) -> bool {
        self.throttled_at.is_some_and(|at| now.saturating_duration_since(at) < THROTTLED_RECENT)
    }

    /// Raises, repeats and ends alarms; called several times a second.
    pub fn tick(&mut self, now: Instant) {
        if self.link.wants_http_probe(now)
            && let Some(address) = self.http.poll(now)
        {
            self.link.found_http(&address, now);
        }
        match self.link.failing(now) {
            Some(problem) => {
                let watch = self.link_alarm.get_or_insert_with(|| self.alarms.guard());
                // The alarm is raised some time after the last answer, from which on nothing was read.
                let since = self.link.answered;
                fail(watch, problem.fault, &Scope::Kafka, (&self.brokers, &problem.why), since, now);
            }
            None => {
                if let Some(mut watch) = self.link_alarm.take() {
                    watch.recovered(now);
                }
            }
        }
        if let Some(denied) = &mut self.group {
            let at = format!("group {}", self.group_id);
            fail(&mut denied.watch, Fault::GroupDenied, &Scope::Kafka, (&at, &denied.why), now, now);
        }
        for (topic, denied) in &mut self.topics {
            let place = (self.brokers.as_str(), denied.why.as_str());
            fail(&mut denied.watch, Fault::TopicDenied, &Scope::Topic(topic.clone()), place, now, now);
        }
    }
}

/// Raises or repeats an alarm of a failure that began at `since`. `place`: brokers or group, and librdkafka's text.
fn fail(
    watch: &mut AlarmGuard,
    fault: Fault,
    scope: &Scope,
    place: (&str, &str),
    since: Instant,
    now: Instant,
) {
    let (at, why) = place;
    // Only faults with a cause get here.
    let cause = fault.cause().unwrap_or(AlarmCause::Unreachable).name();
    let needs_restart = matches!(fault.cause(), Some(AlarmCause::Login | AlarmCause::Tls));
    let remedy = || {
        let restart = if needs_restart { ". Changes of [kafka] need a restart of the bridge" } else { "" };
        format!("{fault}{restart}")
    };
    let failure = alarm::FailureReport { cause, blocks: true, scope, at, why, remedy: &remedy };
    watch.failed_since(failure, since, now);
}

/// Whether a line of the log shows a `KRaft` controller: the API versions that it offers have no metadata request.
fn is_controller(facility: &str, text: &str) -> bool {
    facility == "METADATA"
        && text.contains("Metadata request failed")
        && text.contains("Required feature not supported by broker")
}

#[cfg(test)]
mod tests;
