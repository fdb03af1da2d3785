//! Collects the lines of a batch that were refused alone, or together with such a line: which lines, why, and what proves it.

use super::columns;
use super::proof::{Proof, proof};
use super::refusal::{Controls, RefusedAt, RefusedRequest};
use super::suspects::Suspect;
use crate::dialects::ServerLimit;
use crate::lines::Lines;
use crate::reading::{ParsedAnswer, RefusalCause};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Distinct reasons kept for one batch, so that a batch of refused lines takes less memory than its lines did.
const REASONS_MAX: usize = 256;
const REASON_BEYOND: &str = "refused by InfluxDB; too many reasons in one batch to keep each";

/// Causes kept as proven. Each further one costs one more request, but no line.
const PROVEN_MAX: usize = 256;

/// Largest line that every server has to take: proxies take 64 kB and more. A 413 for a smaller line is not about the line.
const LINE_BYTES_TAKEN: usize = 64_000;

/// A line that InfluxDB refused alone, or for the same cause as a line that it refused alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLine {
    /// Index of the line in the batch.
    pub line: usize,
    /// InfluxDB's message, printable and bounded.
    pub why: Arc<str>,
}

/// A line that a limit of the server keeps out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOut {
    pub line: usize,
    pub why: Arc<str>,
    pub limit: &'static ServerLimit,
}

/// A line that was refused alone without proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven {
    pub line: usize,
    pub why: Arc<str>,
    /// The latest refusal of the line.
    pub at: RefusedAt,
    pub kind: UnprovenKind,
}

impl Unproven {
    /// Whether the address that refused the line has stored another request since, so that one more refusal is a proof.
    pub fn has_control(&self, controls: Controls<'_>) -> bool {
        self.at.moment < controls(self.at.address)
    }
}

/// Why a refusal is not proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnprovenKind {
    /// 400 or 422 with an unknown message.
    Words,
    /// 413 for a line that is larger than some servers take.
    TooLarge,
    /// 413 for a line that every server takes.
    SmallTooLarge,
    /// 500 with a message that does not fit the line.
    Failure,
}

impl UnprovenKind {
    /// Whether another refusal of the line is a proof after the server stored other lines.
    pub fn can_be_confirmed(self) -> bool {
        matches!(self, Self::Words | Self::TooLarge)
    }
}

#[derive(Debug)]
pub struct Evidence {
    refused: Vec<RefusedLine>,
    kept_out: Vec<KeptOut>,
    unproven: Vec<Unproven>,
    /// Whether a line is in one of these lists, by line. Empty while all lists are empty, which is nearly always.
    is_out: Vec<bool>,
    reasons: BTreeSet<Arc<str>>,
    /// Causes for which a line was refused alone, with the message for other lines of the kind.
    proven: Vec<(RefusalCause, Arc<str>)>,
    /// Whether `dropped=` is believed: until it is not 1 for a line alone.
    counts_lines: bool,
    /// Whether refused lines are searched as runs in time: until a run is not where it should be.
    pub has_runs: bool,
    /// `reject.rate_max = 1.0`: lines that are refused alone count as refused without proof.
    accepts_unproven: bool,
}

impl Evidence {
    pub fn new(accepts_unproven: bool) -> Self {
        Self {
            refused: Vec::new(),
            kept_out: Vec::new(),
            unproven: Vec::new(),
            is_out: Vec::new(),
            reasons: BTreeSet::new(),
            proven: Vec::new(),
            counts_lines: true,
            has_runs: true,
            accepts_unproven,
        }
    }

    pub fn refused_count(&self) -> usize {
        self.refused.len()
    }

    /// Number of lines that are out: refused, kept out by a limit, or set aside. They are no longer sent with other lines.
    pub fn out_count(&self) -> usize {
        self.refused.len() + self.kept_out.len() + self.unproven.len()
    }

    pub fn is_out(&self, line: usize) -> bool {
        self.is_out.get(line).is_some_and(|out| *out)
    }

    /// Refused lines and lines that a limit keeps out, each in the batch's order.
    pub fn into_lists(mut self) -> (Vec<RefusedLine>, Vec<KeptOut>) {
        self.refused.sort_unstable_by_key(|refused| refused.line);
        self.kept_out.sort_unstable_by_key(|kept_out| kept_out.line);
        (self.refused, self.kept_out)
    }

    /// Marks the line as out. Returns whether it was not out before.
    fn take_out(&mut self, line: usize) -> bool {
        if self.is_out.len() <= line {
            self.is_out.resize(line + 1, false);
        }
        match self.is_out.get_mut(line) {
            Some(out) if !*out => {
                *out = true;
                true
            }
            _ => false,
        }
    }

    fn put_back(&mut self, line: usize) {
        if let Some(out) = self.is_out.get_mut(line) {
            *out = false;
        }
    }

    /// Refuses a line with proof.
    pub fn refuse(&mut self, line: usize, why: Arc<str>) {
        if self.take_out(line) {
            self.refused.push(RefusedLine { line, why });
        }
    }

    /// Keeps a line out that meets a limit of the server.
    pub fn keep_out(&mut self, line: usize, limit: &'static ServerLimit, why: Arc<str>) {
        if self.take_out(line) {
            self.kept_out.push(KeptOut { line, why, limit });
        }
    }

    /// Refuses lines that all have a cause for which one of them was refused alone.
    pub fn refuse_all(&mut self, suspects: Vec<Suspect>, cause: &RefusalCause, why: &Arc<str>) {
        for suspect in suspects {
            let why = suspect.why.unwrap_or_else(|| Arc::clone(why));
            match cause {
                RefusalCause::Limit(limit) => self.keep_out(suspect.line as usize, limit, why),
                _ => self.refuse(suspect.line as usize, why),
            }
        }
    }

    /// Records that a request of this line alone was refused. Returns what that proves.
    pub fn refused_alone(&mut self, lines: &Lines, line: usize, refusal: RefusedRequest<'_>) -> Proof {
        let RefusedRequest { answer, parsed, why, at } = refusal;
        self.counts_lines &= parsed.dropped.is_none_or(|dropped| dropped == 1);
        let text = lines.line(line);
        let proof = proof(text.strip_suffix(b"\n").unwrap_or(text), parsed, answer.is_cut);
        let why = self.reason(why);
        if proof != Proof::None || self.accepts_unproven {
            self.release(line);
        }
        match proof {
            Proof::Limit(limit) => {
                self.prove(RefusalCause::Limit(limit), &why);
                self.keep_out(line, limit, why);
            }
            Proof::Refused => {
                let cause = columns::conflict(text, parsed).unwrap_or_else(|| parsed.refusal_cause());
                self.prove(cause, &why);
                self.refuse(line, why);
            }
            Proof::None if self.accepts_unproven => self.refuse(line, why),
            Proof::None => {
                let kind = if answer.status == 500 { UnprovenKind::Failure } else { UnprovenKind::Words };
                self.set_aside(line, why, kind, at);
            }
        }
        proof
    }

    /// Records that a request of this line alone was too large.
    pub fn too_large_alone(&mut self, lines: &Lines, line: usize, why: &str, at: RefusedAt) {
        let is_large = lines.line(line).len() > LINE_BYTES_TAKEN;
        let kind = if is_large { UnprovenKind::TooLarge } else { UnprovenKind::SmallTooLarge };
        let why = self.reason(why);
        self.set_aside(line, why, kind, at);
    }

    /// Sets a line aside, or refuses it if it was set aside before and its address stored other lines in between.
    fn set_aside(&mut self, line: usize, why: Arc<str>, kind: UnprovenKind, at: RefusedAt) {
        if let Some(known) = self.unproven.iter().position(|unproven| unproven.line == line) {
            let before = self.unproven.remove(known);
            if before.at.is_confirmed_by(at) && kind.can_be_confirmed() && before.kind.can_be_confirmed() {
                self.refused.push(RefusedLine { line, why });
            } else {
                // At the end of the list, so that another line is tried next time.
                self.unproven.push(Unproven { line, why, at, kind });
            }
        } else if self.take_out(line) {
            self.unproven.push(Unproven { line, why, at, kind });
        }
    }

    /// Returns a line that was set aside to the open lines.
    fn release(&mut self, line: usize) {
        if let Some(known) = self.unproven.iter().position(|unproven| unproven.line == line) {
            self.unproven.remove(known);
            self.put_back(line);
        }
    }

    /// Returns all lines that were set aside to the open lines.
    pub fn release_all(&mut self) {
        for unproven in std::mem::take(&mut self.unproven) {
            self.put_back(unproven.line);
        }
    }

    pub fn unproven(&self) -> &[Unproven] {
        &self.unproven
    }

    /// The shared text of a reason; each reason is kept once.
    pub fn reason(&mut self, why: &str) -> Arc<str> {
        if let Some(known) = self.reasons.get(why) {
            return Arc::clone(known);
        }
        let kept: Arc<str> = if self.reasons.len() < REASONS_MAX { why.into() } else { REASON_BEYOND.into() };
        self.reasons.insert(Arc::clone(&kept));
        kept
    }

    /// Lower bound of the request's lines that were dropped.
    pub fn dropped(&self, parsed: &ParsedAnswer) -> Option<usize> {
        parsed.dropped.filter(|_| self.counts_lines)
    }

    /// Whether a message that named several lines as refused for this cause is still believed.
    pub fn stands(&self, cause: &RefusalCause) -> bool {
        self.counts_lines || *cause == RefusalCause::Unparsable
    }

    /// Records that a line was refused alone for this cause.
    pub fn prove(&mut self, cause: RefusalCause, why: &Arc<str>) {
        // If the message names neither field nor lines, other lines may have other reasons.
        let is_general = matches!(cause, RefusalCause::Other | RefusalCause::Named(_));
        if !is_general && self.proof(&cause).is_none() && self.proven.len() < PROVEN_MAX {
            self.proven.push((cause, Arc::clone(why)));
        }
    }

    /// The message with which a line was refused alone for this cause.
    pub fn proof(&self, cause: &RefusalCause) -> Option<Arc<str>> {
        self.proven.iter().find(|(proven, _)| proven == cause).map(|(_, why)| Arc::clone(why))
    }
}
