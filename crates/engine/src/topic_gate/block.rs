//! The alarm of a blocked topic: cause, reason and remedy.

use crate::schema_wait::{REGISTRY_FAILED, SCHEMA_UNKNOWN};
use crate::topic_destination::NoDestination;
use base::alarm::{Alarm, AlarmGuard, AlarmRegistry, BEFORE_RECORD_TEXT, FailureReport, Scope};
use influx::Cause;
use std::sync::Arc;
use std::time::Instant;

/// The cause of a block by too many rejected or refused records, as metrics and the readiness page name it.
const REJECT_RATE: &str = "reject_rate";

/// The cause of a block because the topic's name gives no destination.
const NO_DESTINATION: &str = "no_destination";

const STAY_IN_KAFKA: &str = "From the committed offset on the topic's records stay in Kafka, where its retention still deletes them; other topics flow";
const CORRECT: &str = "correct its [[mapping]] (`map --live 10` shows what records become) or the producer";
const SKIP: &str = "skip or dead-letter such records with rate_max = 1.0 under [reject]";
const TRIED_AGAIN: &str =
    "A few records are tried again, at least once a minute, and the topic resumes once they are stored";

/// The topic that this alarm reports as blocked.
pub fn blocked_topic(alarm: &Alarm) -> Option<&str> {
    match &alarm.scope {
        Scope::Topic(topic)
            if [REJECT_RATE, NO_DESTINATION, Cause::ServerLimit.name(), REGISTRY_FAILED, SCHEMA_UNKNOWN]
                .contains(&alarm.cause) =>
        {
            Some(topic)
        }
        _ => None,
    }
}

/// A limit of the server that keeps lines of a topic out.
pub struct ServerBlock<'a> {
    pub cause: &'static str,
    pub at: &'a str,
    pub why: &'a str,
    pub remedy: &'a str,
}

/// The reason for which a topic is blocked.
#[derive(Debug)]
pub struct Block {
    cause: &'static str,
    at: String,
    why: String,
    pub remedy: String,
    /// None until the alarm was raised.
    pub alarm: Option<AlarmGuard>,
}

impl Block {
    /// The mapping rejects the topic's records: `what` says how many, `last` is the newest rejection.
    pub fn by_mapping(what: &str, last: &str) -> Self {
        Self {
            cause: REJECT_RATE,
            at: "kafka".to_owned(),
            why: format!("{what}{BEFORE_RECORD_TEXT}{last}"),
            remedy: format!(
                "{STAY_IN_KAFKA}: {CORRECT}, or {SKIP}, then reload (SIGHUP) or restart the bridge"
            ),
            alarm: None,
        }
    }

    /// InfluxDB refuses lines of the topic: `what` says how many, `last` is the newest refusal.
    pub fn by_refusals(what: &str, last: &str) -> Self {
        Self {
            cause: REJECT_RATE,
            at: "influxdb".to_owned(),
            why: format!("{what}{BEFORE_RECORD_TEXT}{last}"),
            remedy: format!(
                "{STAY_IN_KAFKA}. {TRIED_AGAIN}: correct the cause that InfluxDB names, or {CORRECT}, or {SKIP}, and reload (SIGHUP)"
            ),
            alarm: None,
        }
    }

    /// The topic's name gives no destination.
    pub fn without_destination(missing: &NoDestination) -> Self {
        Self {
            cause: NO_DESTINATION,
            at: "influxdb".to_owned(),
            why: missing.to_string(),
            remedy: format!("{STAY_IN_KAFKA}: {}", missing.remedy()),
            alarm: None,
        }
    }

    /// A limit of the server keeps lines out. An alarm that is raised already carries over.
    pub fn by_server(limit: &ServerBlock<'_>, alarm: Option<AlarmGuard>) -> Self {
        Self {
            cause: limit.cause,
            at: limit.at.to_owned(),
            why: limit.why.to_owned(),
            remedy: format!("{}. {STAY_IN_KAFKA}. {TRIED_AGAIN}", limit.remedy.trim_end_matches('.')),
            alarm,
        }
    }

    /// Cause and reason of a block, without text that may quote a record.
    pub fn reason(&self) -> (&'static str, &str) {
        let why = self.why.split_once(BEFORE_RECORD_TEXT).map_or(self.why.as_str(), |(why, _)| why);
        (self.cause, why)
    }

    /// Raises the alarm, or repeats it.
    pub fn raise(&mut self, topic: &str, alarms: &Arc<AlarmRegistry>, now: Instant) {
        let Self { cause, at, why, remedy, alarm } = self;
        let (scope, remedy) = (Scope::Topic(topic.to_owned()), || remedy.clone());
        let trouble = FailureReport { cause, blocks: true, scope: &scope, at, why, remedy: &remedy };
        alarm.get_or_insert_with(|| alarms.guard()).failed(trouble, now);
    }
}
