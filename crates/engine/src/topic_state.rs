//! The state that the records of a topic build up: its mapper, gate, checks and counters.

use crate::sampled_unit_check::SampledUnitCheck;
use crate::schema_wait::SchemaWait;
use crate::telemetry::{TopicCounters, TurnCounts};
use crate::topic_destination::NoDestination;
use crate::topic_gate::{Admission, RejectedFate, TopicGate};
use base::alarm::AlarmRegistry;
use base::record::Record;
use base::text::printable;
use mapping::{Drops, Mapped, Mapper};
use std::sync::Arc;
use std::time::Instant;

/// Characters of a rejection's text in a dead letter or an alarm.
const WHY_MAX: usize = 500;

/// The decision of the topic's gate about a mapped record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on, with points or without.
    Passes,
    /// It is the record at which all records of the topic so far were filtered, so this is logged.
    AllFiltered,
    Rejected(RejectedFate),
}

/// A topic with assigned partitions, now or before, and the state that its records build up.
#[derive(Debug)]
pub struct TopicState {
    pub name: Arc<str>,
    /// None: no mapping matches.
    pub mapper: Option<Mapper>,
    /// Index of the destination, or the reason why the topic has none.
    pub destination: Result<usize, NoDestination>,
    /// Number of assignments of the consumer when a partition of the topic was last assigned.
    pub last_assigned: u64,
    /// Whether the topic's first line was logged.
    pub first_line_logged: bool,
    /// Whether it was logged that the mapping's query selects nothing in a record.
    pub empty_query_logged: bool,
    pub fieldless_logged: bool,
    /// Values that the mapper dropped.
    pub drops: Drops,
    /// Counts of this turn's records, which the turn's end adds to `counters`.
    pub turn: TurnCounts,
    /// Shared counters of the topic; none before its first record.
    pub counters: Option<Arc<TopicCounters>>,
    pub unit_check: SampledUnitCheck,
    pub gate: TopicGate,
    pub schema_wait: SchemaWait,
}

impl TopicState {
    /// Whether the topic is neither blocked nor probed.
    pub fn is_open(&self) -> bool {
        self.gate.is_open() && !self.schema_wait.is_waiting()
    }

    /// Whether fetching the topic's records is of no use now: they would be left unsettled.
    pub fn is_blocked(&self) -> bool {
        self.gate.is_blocked() || self.schema_wait.is_paused()
    }

    /// Why the topic is blocked or probed: the cause, and a text. None for an open topic.
    pub fn block_reason(&self) -> Option<(&'static str, String)> {
        let by_gate = || self.gate.block_reason().map(|(cause, why)| (cause, why.to_owned()));
        self.schema_wait.reason().or_else(by_gate)
    }

    /// Decides about a record before it is mapped. A topic without a destination is blocked, with an alarm; a topic that waits for a
    /// schema notes the schema of the record.
    pub fn admit(&mut self, record: &Record<'_>, alarms: &Arc<AlarmRegistry>, now: Instant) -> Admission {
        if self.schema_wait.is_waiting() {
            let mapper = &mut self.mapper;
            self.schema_wait.note_unsettled(|| mapper.as_mut()?.schema_of(record.value?));
            return Admission::Unsettled;
        }
        if self.gate.admit() == Admission::Unsettled {
            return Admission::Unsettled;
        }
        if let Err(missing) = &self.destination {
            self.gate.block_without_destination(missing);
            self.gate.alarm(&self.name, alarms, now);
            return Admission::Unsettled;
        }
        Admission::Admitted
    }

    /// Begins the wait for the schema of a mapped record if the record lacks one. Returns whether the topic waits; otherwise the record
    /// has its schema or is rejected.
    pub fn wait_for_missing_schema(&mut self, mapped: &Mapped, record: &Record<'_>, now: Instant) -> bool {
        let Some(missing) = mapped.missing_schema() else { return false };
        let known = self.mapper.as_ref().and_then(Mapper::last_schema);
        self.schema_wait.begin(missing, (record.partition, record.offset), known, now)
    }

    /// Counts a mapped record in the topic's gate, which decides about it and may block the topic.
    pub fn count_in_gate(&mut self, mapped: &Mapped, now: Instant) -> Fate {
        if mapped.has_rejected() {
            return Fate::Rejected(self.gate.reject(|| first_rejection(mapped), now));
        }
        if mapped.lines > 0 {
            self.gate.pass();
        } else if self.gate.filter() {
            return Fate::AllFiltered;
        }
        Fate::Passes
    }
}

/// The text of the first rejection. A rejected record has at least one.
pub fn first_rejection(mapped: &Mapped) -> String {
    let first = mapped.rejected.first().map(|(_, rejection)| rejection.to_string());
    printable(&first.unwrap_or_default(), WHY_MAX)
}
