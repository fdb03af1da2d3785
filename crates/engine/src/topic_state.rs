//! The state that the records of a topic build up: its mapper, gate, checks and counters.

use crate::sampled_unit_check::SampledUnitCheck;
use crate::schema_wait::SchemaWait;
use crate::telemetry::{TopicCounters, TurnCounts};
use crate::topic_destination::NoDestination;
use crate::topic_gate::TopicGate;
use mapping::{Drops, Mapper};
use std::sync::Arc;

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
}
