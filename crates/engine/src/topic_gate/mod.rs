//! The gate of one topic: blocks the topic instead of skipping its records one after another, and decides when a blocked topic
//! is tried again.
//!
//! ```text
//!            too many rejected or refused, or a limit of the server
//!   Open ────────────────────────────────────────────────────────────> Blocked ──> (SIGHUP) ──> Open
//!     ^                                                                  │  ^
//!     │ a few records are stored       the probe is due (server only)    v  │ those few are refused or blocked too
//!     └──────────────────────────────────────────────────────────── Probing
//! ```
//!
//! Records of a blocked topic are fetched from librdkafka and left unsettled. So each way out of `Blocked` and `Probing` reads again
//! from the first unsettled record: see [`crate::data_thread::resume`].

mod block;
mod rate;
#[cfg(test)]
mod tests;

pub use block::{ServerBlock, blocked_topic};

use crate::topic_destination::NoDestination;
use base::alarm::AlarmRegistry;
use block::Block;
use rate::{REJECTED_AGAIN_MIN, REJECTED_MIN, RejectRate};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A topic whose first records yield no point has a wrong mapping.
const FIRST_RECORDS: u64 = 100;
/// Time after which undecided records are logged. In a busy topic, a point follows sooner.
const UNDECIDED_MAX: Duration = Duration::from_secs(5);
/// Records that a probe lets through. Each may be refused, and is dead-lettered then.
const PROBE_RECORDS: u64 = 10;
/// A probe without a record ends after this: Kafka's retention deleted the unsettled records.
const PROBE_QUIET_MAX: Duration = Duration::from_mins(1);

/// Delays before a topic that the server blocks is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeDelays {
    pub first: Duration,
    /// The delay doubles up to this.
    pub max: Duration,
}

impl Default for ProbeDelays {
    /// A raised limit is noticed within a minute; a limit that stays costs a few records a minute.
    fn default() -> Self {
        Self { first: Duration::from_secs(5), max: Duration::from_mins(1) }
    }
}

/// Admits the records of one topic of one consumer, or blocks the topic and probes it.
#[derive(Debug)]
pub struct TopicGate {
    rate_max: f64,
    /// Whether rejected records are dead-lettered. Their dead letters keep them, so no record is undecided.
    writes_dead_letters: bool,
    delays: ProbeDelays,
    state: State,
    rate: RejectRate,
    /// The records before the first point since the start, the last reload or the last resumption. None once a record became a point.
    first: Option<FirstRecords>,
    /// Failed probes in a row.
    failures: u32,
    /// When the topic was last opened again.
    opened: Option<Instant>,
}

/// The records before the first point.
#[derive(Clone, Copy, Debug, Default)]
struct FirstRecords {
    rejected: u64,
    filtered: u64,
    /// Time of the first rejection.
    since: Option<Instant>,
    /// Whether the rejections were logged.
    is_logged: bool,
}

#[derive(Debug)]
enum State {
    Open,
    Blocked { block: Block, until: Until },
    Probing { block: Block, probe: Probe },
}

/// The event that ends a block.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// Only a reload: the mapping rejects the records, and would reject them again.
    Reload,
    Probe(Instant),
    /// The block was lifted: the topic opens without a probe.
    Lifted,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    since: Instant,
    /// Records that were let through.
    sent: u64,
    /// The part of `sent` that was rejected or refused.
    failed: u64,
}

/// Whether a topic's next record is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Admitted,
    /// The record is left unsettled, and is read again when the topic resumes.
    Unsettled,
}

/// Consequence of a rejection for its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectedFate {
    /// It settles: a dead letter, or a count and a line in the log, is all that remains of it.
    Settles,
    /// No record of the topic has become a point yet, so the mapping may be wrong, and no dead letter keeps the record. It stays unsettled
    /// until the topic's first point.
    Undecided,
    /// The topic is blocked from this record on, which stays unsettled.
    Blocks,
}

/// The state in which a blocked topic resumes, once its records are read again from the first unsettled one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    Probe,
    Open,
}

impl TopicGate {
    /// With `rate_max` of 1.0 or more, rejected and refused records never block the topic.
    pub fn new(rate_max: f64, writes_dead_letters: bool, delays: ProbeDelays) -> Self {
        Self {
            rate_max,
            writes_dead_letters,
            delays,
            state: State::Open,
            rate: RejectRate::new(rate_max, REJECTED_MIN),
            first: Some(FirstRecords::default()),
            failures: 0,
            opened: None,
        }
    }

    /// The gate of a topic that was blocked under the previous configuration: it blocks sooner.
    #[must_use]
    pub fn after_block(self) -> Self {
        Self { rate: RejectRate::new(self.rate_max, REJECTED_AGAIN_MIN), ..self }
    }

    /// Decides about a record before it is mapped.
    pub fn admit(&mut self) -> Admission {
        match &mut self.state {
            State::Open => Admission::Admitted,
            State::Probing { probe, .. } if probe.sent < PROBE_RECORDS => {
                probe.sent += 1;
                Admission::Admitted
            }
            State::Blocked { .. } | State::Probing { .. } => Admission::Unsettled,
        }
    }

    /// Whether the topic's records are left unsettled now, so that fetching them is of no use.
    pub fn is_blocked(&self) -> bool {
        match &self.state {
            State::Open => false,
            State::Blocked { .. } => true,
            State::Probing { probe, .. } => probe.sent >= PROBE_RECORDS,
        }
    }

    /// Whether the topic is neither blocked nor probed.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Why the topic is blocked or probed: the cause, and a text. None for an open topic.
    pub fn block_reason(&self) -> Option<(&'static str, &str)> {
        match &self.state {
            State::Open => None,
            State::Blocked { block, .. } | State::Probing { block, .. } => Some(block.reason()),
        }
    }

    /// Records that a record gave a point. Returns whether earlier records of the topic are undecided and settle now.
    pub fn note_point(&mut self, now: Instant) -> bool {
        let Some(first) = self.first.take() else { return false };
        if first.rejected > 0 {
            // These records are fewer than any limit of the rate.
            self.rate.reject(first.rejected, first.rejected, now);
        }
        first.rejected > 0 && !self.writes_dead_letters
    }

    /// Counts a record that became points.
    pub fn pass(&mut self) {
        self.rate.pass();
    }

    /// Counts a filtered record, such as a tombstone. Returns whether to warn that all of the first records were filtered.
    pub fn filter(&mut self) -> bool {
        self.rate.pass();
        let Some(first) = &mut self.first else { return false };
        first.filtered += 1;
        first.filtered == FIRST_RECORDS && first.rejected == 0
    }

    /// Counts a rejected record. Call [`TopicGate::note_point`] before if other elements of the record became points.
    pub fn reject(&mut self, why: impl FnOnce() -> String, now: Instant) -> RejectedFate {
        if let State::Probing { probe, .. } = &mut self.state {
            probe.failed += 1;
            return RejectedFate::Settles;
        }
        let what = match &mut self.first {
            // The rate counts these records when they are decided: until then, each rebalance and resumption reads them again.
            Some(first) if self.rate_max < 1.0 => {
                first.rejected += 1;
                first.since.get_or_insert(now);
                if first.rejected < FIRST_RECORDS {
                    let is_kept = self.writes_dead_letters;
                    return if is_kept { RejectedFate::Settles } else { RejectedFate::Undecided };
                }
                first_were_rejected()
            }
            _ if self.rate.reject(1, 1, now) => self.rate.describe(),
            _ => return RejectedFate::Settles,
        };
        self.state = State::Blocked { block: Block::by_mapping(&what, &why()), until: Until::Reload };
        RejectedFate::Blocks
    }

    /// Forgets undecided records, which are read again: by the next owner of their partition, or in a later assignment.
    pub fn forget_undecided(&mut self, records: u64) {
        if let Some(first) = &mut self.first {
            first.rejected = first.rejected.saturating_sub(records);
        }
    }

    /// The number of undecided records, if they are to be logged now: once, when no point has followed for a while.
    pub fn undecided_to_log(&mut self, now: Instant) -> Option<u64> {
        if self.undecided() == 0 {
            return None;
        }
        let first = self.first.as_mut().filter(|first| !first.is_logged)?;
        let since = first.since?;
        first.is_logged = now.saturating_duration_since(since) >= UNDECIDED_MAX;
        first.is_logged.then_some(first.rejected)
    }

    /// The number of undecided records, unless the topic is blocked.
    pub fn undecided(&self) -> u64 {
        self.first.filter(|_| self.is_open() && !self.writes_dead_letters).map_or(0, |first| first.rejected)
    }

    /// Counts records that had passed, and whose lines were refused. Returns whether the topic is blocked from now on.
    pub fn refuse(&mut self, records: u64, why: impl FnOnce() -> String, now: Instant) -> bool {
        if let State::Probing { probe, .. } = &mut self.state {
            probe.failed += records;
            return false;
        }
        if !self.is_open() || !self.rate.reject(0, records, now) {
            return false;
        }
        self.block_until_probe(Block::by_refusals(&self.rate.describe(), &why()), now);
        true
    }

    /// Blocks the topic because a limit of the server keeps its lines out. Returns whether the topic was not blocked before.
    pub fn block(&mut self, by: &ServerBlock<'_>, now: Instant) -> bool {
        let alarm = match &mut self.state {
            // A block by the mapping lasts longer.
            State::Blocked { .. } => return false,
            State::Probing { block, .. } => block.alarm.take(),
            State::Open => None,
        };
        self.block_until_probe(Block::by_server(by, alarm), now);
        true
    }

    /// Blocks the topic until a reload because it has no destination.
    pub fn block_without_destination(&mut self, missing: &NoDestination) {
        self.state = State::Blocked { block: Block::without_destination(missing), until: Until::Reload };
    }

    fn block_until_probe(&mut self, block: Block, now: Instant) {
        // A topic that was open for as long as the longest delay starts with the first delay.
        let was_open_long = |opened: Instant| now.saturating_duration_since(opened) >= self.delays.max;
        if self.is_open() && self.opened.is_none_or(was_open_long) {
            self.failures = 0;
        }
        let until = Until::Probe(now + self.next_delay());
        self.state = State::Blocked { block, until };
    }

    /// The delay before the next probe, which doubles with each failure.
    fn next_delay(&mut self) -> Duration {
        let doublings = self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        self.delays.first.saturating_mul(1 << doublings).min(self.delays.max)
    }

    /// Lets the topic open without a probe, as soon as its records can be read again.
    pub fn lift(&mut self) {
        self.replace_state(|block| State::Blocked { block, until: Until::Lifted });
    }

    /// The state in which the topic may resume now. Call this when none of the topic's records is open or in flight.
    pub fn resumption(&self, now: Instant) -> Option<Resumption> {
        match &self.state {
            State::Open => None,
            State::Blocked { until, .. } => match until {
                Until::Reload => None,
                Until::Lifted => Some(Resumption::Open),
                Until::Probe(due) => (now >= *due).then_some(Resumption::Probe),
            },
            State::Probing { probe, .. } => self.has_passed(*probe, now).then_some(Resumption::Open),
        }
    }

    fn has_passed(&self, probe: Probe, now: Instant) -> bool {
        if probe.sent == 0 {
            return now.saturating_duration_since(probe.since) >= PROBE_QUIET_MAX;
        }
        self.is_within_rate(probe)
    }

    fn is_within_rate(&self, probe: Probe) -> bool {
        self.rate_max >= 1.0 || probe.failed as f64 <= self.rate_max * probe.sent as f64
    }

    /// Blocks the topic for longer if its probe has failed. Call this when none of the probe's records is open or in flight.
    pub fn end_failed_probe(&mut self, now: Instant) {
        let State::Probing { probe, .. } = &self.state else { return };
        if probe.sent > 0 && !self.is_within_rate(*probe) {
            self.postpone(now);
        }
    }

    /// Keeps the topic blocked until a later probe, because it could not resume.
    pub fn postpone(&mut self, now: Instant) {
        let until = Until::Probe(now + self.next_delay());
        self.replace_state(|block| State::Blocked { block, until });
    }

    /// Resumes the topic, whose records are read again from the first unsettled one.
    pub fn resume(&mut self, how: Resumption, now: Instant) {
        if self.is_open() {
            return;
        }
        match how {
            Resumption::Probe => {
                let probe = Probe { since: now, sent: 0, failed: 0 };
                self.replace_state(|block| State::Probing { block, probe });
            }
            Resumption::Open => {
                self.replace_state(|block| {
                    if let Some(mut alarm) = block.alarm {
                        alarm.recovered(now);
                    }
                    State::Open
                });
                self.rate = RejectRate::new(self.rate_max, REJECTED_AGAIN_MIN);
                self.first = Some(FirstRecords::default());
                self.opened = Some(now);
            }
        }
    }

    /// Records that the topic is read again from its first unsettled record, as it is after a wait for a schema. The undecided records and
    /// those of a probe are counted again then.
    pub fn reread(&mut self, now: Instant) {
        if let Some(first) = &mut self.first {
            first.rejected = 0;
        }
        if let State::Probing { probe, .. } = &mut self.state {
            *probe = Probe { since: now, sent: 0, failed: 0 };
        }
    }

    /// Replaces the state of a blocked or probed topic; an open topic stays open.
    fn replace_state(&mut self, next: impl FnOnce(Block) -> State) {
        match std::mem::replace(&mut self.state, State::Open) {
            State::Open => {}
            State::Blocked { block, .. } | State::Probing { block, .. } => self.state = next(block),
        }
    }

    /// Raises the alarm of a blocked topic, or repeats it.
    pub fn alarm(&mut self, topic: &str, alarms: &Arc<AlarmRegistry>, now: Instant) {
        if let State::Blocked { block, .. } | State::Probing { block, .. } = &mut self.state {
            block.raise(topic, alarms, now);
        }
    }

    /// Ends the alarm without a message, because this consumer has no partition of the topic any more.
    pub fn forget_alarm(&mut self) {
        if let State::Blocked { block, .. } | State::Probing { block, .. } = &mut self.state {
            block.alarm = None;
        }
    }
}

fn first_were_rejected() -> String {
    format!(
        "all of the first {FIRST_RECORDS} records since the start or the last reload were rejected, so the mapping is likely to be wrong"
    )
}
