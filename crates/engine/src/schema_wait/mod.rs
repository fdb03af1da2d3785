//! The wait of a topic for a schema that the schema registry has not given yet.
//!
//! The first record without its schema blocks its topic: it and the records behind it are left unsettled, and are read again once the
//! registry has given the schema. An id that the registry does not know blocks too, because a producer's registry may be slow or the
//! wrong one may be configured. Such records are rejected only after `unknown_id_max`, and only if the registry has meanwhile given
//! another schema of the topic, which shows that it is the topic's registry. The ids in the records alone count: the registry of another
//! environment may well have a subject of the topic's name. So the topic is read ahead while it waits for an unknown id, to see the ids of
//! later records. They are left unsettled, too.

use base::alarm::{AlarmGuard, AlarmRegistry, FailureReport, Scope};
use mapping::{Lookup, MissingSchema, SchemaId, Schemas};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The cause of an alarm about a registry that can't be asked.
pub const REGISTRY_FAILED: &str = "schema_registry";
/// The cause of an alarm about an id that the registry does not know.
pub const SCHEMA_UNKNOWN: &str = "schema_unknown";

/// Other ids of a topic that are asked for during a wait. The records behind may have many, and each costs a request.
const OTHERS_MAX: usize = 8;
/// A topic waits for an unknown id once in this time. Otherwise a producer that writes wrong ids would stop it for ever.
const WAITS_EVERY: Duration = Duration::from_hours(1);
/// Most records that are read ahead in [`AHEAD_EVERY`]. They are fetched again after the wait.
const AHEAD_MAX: usize = 10_000;
/// Interval of reading ahead, unless `unknown_id_max` is shorter.
const AHEAD_EVERY: Duration = Duration::from_secs(10);
/// Pause after the topic could not be read again.
const POSTPONED: Duration = Duration::from_secs(1);
/// An answer that takes longer raises the alarm. A request and its repetitions at other addresses end before.
const SILENT_MAX: Duration = Duration::from_mins(1);

/// The schemas of a registry, and how long a topic waits for an unknown one.
#[derive(Clone, Debug)]
pub struct SchemaSource {
    schemas: Arc<dyn Schemas>,
    address: Arc<str>,
    /// `schema_registry.unknown_id_max`.
    unknown_id_max: Duration,
    /// Number of topics that wait now.
    waiting: Arc<AtomicU64>,
}

impl SchemaSource {
    /// `address` is that of the registry, for alarms.
    pub fn new(schemas: Arc<dyn Schemas>, address: &str, unknown_id_max: Duration) -> Self {
        Self { schemas, address: address.into(), unknown_id_max, waiting: Arc::default() }
    }

    /// The schemas themselves.
    #[must_use]
    pub fn schemas(&self) -> Arc<dyn Schemas> {
        Arc::clone(&self.schemas)
    }

    /// Number of topics that wait for a schema now.
    #[must_use]
    pub fn waiting_topics(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// Counts a topic as waiting until it is dropped.
#[derive(Debug)]
struct Waiting(Arc<AtomicU64>);

impl Waiting {
    fn count(source: &SchemaSource) -> Self {
        source.waiting.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&source.waiting))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The wait of one topic.
#[derive(Debug, Default)]
pub struct SchemaWait {
    /// None without a registry: no record waits then.
    source: Option<SchemaSource>,
    wait: Option<Wait>,
    /// Other ids of the topic, whose answers show that the registry is the topic's.
    others: Vec<SchemaId>,
    /// When the topic last stopped waiting for an unknown id.
    gave_up: Option<Instant>,
}

#[derive(Debug)]
struct Wait {
    id: SchemaId,
    partition: i32,
    offset: i64,
    since: Instant,
    why: MissingSchema,
    /// When the registry first answered that it does not know the id.
    unknown_since: Option<Instant>,
    /// The topic is not read again before.
    not_before: Option<Instant>,
    /// Whether the topic is read again, although its schema is not there.
    is_lifted: bool,
    /// Records that may be read ahead.
    ahead: usize,
    /// When records were last read ahead.
    ahead_since: Option<Instant>,
    alarm: Option<AlarmGuard>,
    _counted: Waiting,
}

impl SchemaWait {
    pub fn new(source: Option<SchemaSource>) -> Self {
        Self { source, ..Self::default() }
    }

    /// Whether the topic waited for an unknown id so recently that it waits for no other.
    fn has_given_up(&self, now: Instant) -> bool {
        self.gave_up.is_some_and(|gave_up| now.saturating_duration_since(gave_up) < WAITS_EVERY)
    }

    /// Whether the topic's records are left unsettled.
    pub fn is_waiting(&self) -> bool {
        self.wait.is_some()
    }

    /// Begins to wait for the schema of a record. `known`: the schema of the record before. Returns whether the topic waits; otherwise
    /// the record is rejected.
    pub fn begin(
        &mut self,
        (id, why): (SchemaId, &MissingSchema),
        (partition, offset): (i32, i64),
        known: Option<SchemaId>,
        now: Instant,
    ) -> bool {
        let Some(source) = &self.source else { return false };
        if *why == MissingSchema::Unknown && self.has_given_up(now) {
            return false;
        }
        let counted = Waiting::count(source);
        self.others.clear();
        self.others.extend(known);
        let (unknown_since, not_before, is_lifted, alarm) = (None, None, false, None);
        let (ahead, ahead_since) = (0, None);
        let why = why.clone();
        self.wait = Some(Wait {
            id,
            partition,
            offset,
            since: now,
            why,
            unknown_since,
            not_before,
            is_lifted,
            ahead,
            ahead_since,
            alarm,
            _counted: counted,
        });
        true
    }

    /// Notes the schema of a record that is left unsettled, and has it read before the record is. `schema_of`: the id in the record's
    /// frame. It is called only while further ids count, because the record may have to be unpacked for it.
    pub fn note_unsettled(&mut self, schema_of: impl FnOnce() -> Option<SchemaId>) {
        let (Some(source), Some(wait)) = (&self.source, &mut self.wait) else { return };
        wait.ahead = wait.ahead.saturating_sub(1);
        if self.others.len() >= OTHERS_MAX {
            return;
        }
        let Some(id) = schema_of() else { return };
        if id != wait.id && !self.others.contains(&id) {
            self.others.push(id);
            source.schemas.find(id);
        }
    }

    /// Whether the topic can be read again: the schema is there, or its records are to be rejected.
    pub fn is_over(&mut self, now: Instant) -> bool {
        let has_given_up = self.has_given_up(now);
        let (Some(source), Some(wait)) = (&self.source, &mut self.wait) else { return false };
        let missing = match source.schemas.find(wait.id) {
            Lookup::Ready(_) | Lookup::Unusable(_) => None,
            Lookup::Missing(why) => Some(why),
        };
        let is_postponed = wait.not_before.is_some_and(|not_before| now < not_before);
        let Some(why) = missing.filter(|_| !wait.is_lifted) else { return !is_postponed };
        let is_unknown = why == MissingSchema::Unknown;
        wait.why = why;
        if !is_unknown {
            return false;
        }
        let unknown_since = *wait.unknown_since.get_or_insert(now);
        if !has_given_up {
            let is_late = now.saturating_duration_since(unknown_since) >= source.unknown_id_max;
            // Every other id is asked for, so no `any`.
            let answered = |id: &&SchemaId| source.schemas.has_answered(**id, wait.since);
            if !is_late || self.others.iter().filter(answered).count() == 0 {
                return false;
            }
            self.gave_up = Some(now);
        }
        !is_postponed
    }

    /// Whether fetching the topic's records is of no use.
    pub fn is_paused(&self) -> bool {
        self.wait.as_ref().is_some_and(|wait| wait.ahead == 0)
    }

    /// Whether reading ahead begins now: the id is unknown, and the registry has given none of the other ids that were seen since the wait
    /// began. A schema that it has forgotten stays readable, but shows nothing.
    pub fn begins_to_read_ahead(&mut self, now: Instant) -> bool {
        let (Some(source), Some(wait)) = (&self.source, &mut self.wait) else { return false };
        let Some(unknown_since) = wait.unknown_since.filter(|_| wait.why == MissingSchema::Unknown) else {
            wait.ahead = 0;
            return false;
        };
        if self.others.iter().any(|id| source.schemas.has_answered(*id, wait.since)) {
            wait.ahead = 0;
            return false;
        }
        let last = wait.ahead_since.unwrap_or(unknown_since);
        let is_due = now.saturating_duration_since(last) >= AHEAD_EVERY.min(source.unknown_id_max);
        if is_due {
            // Unknown ids make room for those of later records. Forgotten ones do where no other room is left.
            let is_full = self.others.len() >= OTHERS_MAX;
            self.others.retain(|id| match source.schemas.find(*id) {
                Lookup::Missing(MissingSchema::Unknown) => false,
                Lookup::Missing(_) => true,
                Lookup::Ready(_) | Lookup::Unusable(_) => !is_full,
            });
            (wait.ahead, wait.ahead_since) = (AHEAD_MAX, Some(now));
        }
        is_due
    }

    /// Lets the topic be read again at once. It waits again if its schema is still not there.
    pub fn lift(&mut self) {
        if let Some(wait) = &mut self.wait {
            wait.is_lifted = true;
        }
    }

    /// Keeps the topic blocked for a while, because it can't be read again now.
    pub fn postpone(&mut self, now: Instant) {
        if let Some(wait) = &mut self.wait {
            wait.not_before = Some(now + POSTPONED);
        }
    }

    /// Ends the wait: the topic is read again.
    pub fn end(&mut self, now: Instant) {
        if let Some(mut alarm) = self.wait.take().and_then(|wait| wait.alarm) {
            alarm.recovered(now);
        }
    }

    /// Cause and reason of the wait.
    pub fn reason(&self) -> Option<(&'static str, String)> {
        let wait = self.wait.as_ref()?;
        let cause = if wait.why == MissingSchema::Unknown { SCHEMA_UNKNOWN } else { REGISTRY_FAILED };
        Some((cause, wait.describe()))
    }

    /// Raises the alarm of the wait, or repeats it.
    pub fn alarm(&mut self, topic: &str, alarms: &Arc<AlarmRegistry>, now: Instant) {
        let (Some(source), Some((cause, why))) = (&self.source, self.reason()) else { return };
        let Some(wait) = &mut self.wait else { return };
        let remedy = match &wait.why {
            MissingSchema::NoRegistry => return,
            MissingSchema::Awaited if now.saturating_duration_since(wait.since) < SILENT_MAX => return,
            MissingSchema::Awaited => format!(
                "{STAYS}: check that the schema registry is neither stopped nor overloaded, and that no proxy or firewall delays its answers"
            ),
            MissingSchema::Failed(failure) => format!("{STAYS}: {}", failure.remedy),
            MissingSchema::Unknown => format!(
                "{STAYS}: register the schema under its id, or correct `url` of [schema_registry]. After `unknown_id_max` \
                 the records of this schema are rejected if the registry has given another schema of the topic"
            ),
        };
        let (scope, remedy) = (Scope::Topic(topic.to_owned()), || remedy.clone());
        let report = FailureReport {
            cause,
            blocks: true,
            scope: &scope,
            at: &source.address,
            why: &why,
            remedy: &remedy,
        };
        wait.alarm.get_or_insert_with(|| alarms.guard()).failed_since(report, wait.since, now);
    }

    /// Ends the wait without a message, because this consumer has no partition of the topic any more.
    pub fn forget(&mut self) {
        self.wait = None;
    }
}

const STAYS: &str =
    "The topic is blocked and resumes by itself; its records stay in Kafka, other topics flow";

impl Wait {
    fn describe(&self) -> String {
        let Self { id, partition, offset, .. } = self;
        let what = match &self.why {
            MissingSchema::Unknown => "the schema registry does not know it".to_owned(),
            MissingSchema::Failed(failure) => failure.why.clone(),
            MissingSchema::Awaited | MissingSchema::NoRegistry => {
                "the schema registry has not answered yet".to_owned()
            }
        };
        format!("the record at offset {offset} of partition {partition} needs schema {id}: {what}")
    }
}

#[cfg(test)]
mod tests;
