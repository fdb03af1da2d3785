//! Collects the lines of a batch that were stored, and those that were refused alone, or together with such a line: which lines, why,
//! and what proves it.

use super::column_conflicts;
use super::line_set::LineSet;
use super::proof::{Proof, proof};
use super::refusal::{RefusedAt, RefusedRequest};
use super::request_lines::RequestLines;
use super::same_point;
use super::suspects::Suspect;
use super::unproven::{Unproven, UnprovenKind};
use crate::dialects::ServerLimit;
use crate::lines::Lines;
use crate::parsed_answer::{BodyForm, ParsedAnswer, RefusalCause};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Distinct reasons kept for one batch, so that a batch of refused lines takes less memory than its lines did.
const REASONS_MAX: usize = 256;
const REASON_BEYOND: &str = "refused by InfluxDB; too many reasons in one batch to keep each";

/// Causes kept as proven. Each further one costs one more request, but no line.
const PROVEN_MAX: usize = 256;

/// Largest line that every server has to take: proxies take 64 kB and more. A 413 for a smaller line is not about the line.
const LINE_BYTES_TAKEN: usize = 64_000;

/// Requests of one line that may be refused in a row, without proof, before a batch is blocked.
const ATTEMPTS_MAX: u32 = 8;

/// Refused requests that are remembered until their lines are stored. Halving leaves few that are not part of another one.
const DISPUTES_MAX: usize = 64;

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
pub struct LimitedLine {
    pub line: usize,
    pub why: Arc<str>,
    pub limit: &'static ServerLimit,
}

/// A request that was refused with unknown words.
#[derive(Debug)]
struct UnexplainedRefusal {
    /// Index of the address that refused.
    address: usize,
    /// Lines of the request that were not stored so far. Once there are none, the refusal is contradicted.
    lines: LineSet,
}

#[derive(Debug)]
pub struct Evidence {
    refused: Vec<RefusedLine>,
    kept_out: Vec<LimitedLine>,
    unproven: Vec<Unproven>,
    /// Lines of requests that were answered 204. They are never refused.
    stored: LineSet,
    /// Lines that are no longer sent with others: refused, kept out, set aside, or stored after they were set aside.
    out: LineSet,
    /// Lines that may still be set aside, or refused again, before the batch is blocked.
    pub attempts_left: u32,
    disputes: Vec<UnexplainedRefusal>,
    /// Addresses that contradicted themselves, until they are reported.
    contradicted: Vec<usize>,
    reasons: BTreeSet<Arc<str>>,
    /// Causes for which a line was refused alone, with the message for other lines of the kind.
    proven: Vec<(RefusalCause, Arc<str>)>,
    /// Whether `dropped=` is believed: until it is not 1 for a line alone.
    counts_lines: bool,
    /// Whether refused lines are searched as runs in time: until a run is not where it should be.
    pub has_runs: bool,
    /// `reject.rate_max = 1.0`: lines that an answer in InfluxDB's form refuses alone count as refused without proof.
    accepts_unproven: bool,
}

impl Evidence {
    pub fn new(accepts_unproven: bool) -> Self {
        Self {
            refused: Vec::new(),
            kept_out: Vec::new(),
            unproven: Vec::new(),
            stored: LineSet::default(),
            out: LineSet::default(),
            attempts_left: ATTEMPTS_MAX,
            disputes: Vec::new(),
            contradicted: Vec::new(),
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

    pub fn stored_count(&self) -> usize {
        self.stored.len()
    }

    pub fn is_stored(&self, line: usize) -> bool {
        self.stored.contains(line)
    }

    pub fn stored_lines(&self) -> impl Iterator<Item = usize> + '_ {
        self.stored.iter()
    }

    pub fn kept_out(&self) -> &[LimitedLine] {
        &self.kept_out
    }

    /// The stored line with the greatest index. No line that must overwrite it is stored.
    pub fn last_stored(&self) -> Option<usize> {
        self.stored.last()
    }

    /// Number of lines that are no longer sent with others.
    pub fn out_count(&self) -> usize {
        self.out.len()
    }

    pub fn is_out(&self, line: usize) -> bool {
        self.out.contains(line)
    }

    /// Refused lines and lines that a limit keeps out, each in the batch's order.
    pub fn into_lists(mut self) -> (Vec<RefusedLine>, Vec<LimitedLine>) {
        self.refused.sort_unstable_by_key(|refused| refused.line);
        self.kept_out.sort_unstable_by_key(|kept_out| kept_out.line);
        (self.refused, self.kept_out)
    }

    /// Records that a request was stored.
    pub fn record_stored(&mut self, request: &RequestLines) {
        let lines = LineSet::of(request);
        self.attempts_left = ATTEMPTS_MAX;
        self.stored.add_all(&lines);
        let contradicted = self.disputes.extract_if(.., |dispute| {
            dispute.lines.remove_all(&lines);
            dispute.lines.is_empty()
        });
        self.contradicted.extend(contradicted.map(|dispute| dispute.address));
    }

    /// Records that a request was refused with unknown words, to find out whether its lines are stored before or afterwards.
    pub fn dispute(&mut self, request: &RequestLines, address: usize) {
        let mut lines = LineSet::of(request);
        lines.remove_all(&self.stored);
        if lines.is_empty() {
            self.contradicted.push(address);
            return;
        }
        if self.disputes.len() >= DISPUTES_MAX {
            // The more lines, the later all of them are stored.
            let longest =
                (0..self.disputes.len()).max_by_key(|&at| self.disputes.get(at).map(|d| d.lines.len()));
            longest.map(|at| self.disputes.swap_remove(at));
        }
        self.disputes.push(UnexplainedRefusal { address, lines });
    }

    /// Forgets the refused requests: compression was to blame for them.
    pub fn forget_disputes(&mut self) {
        self.disputes.clear();
    }

    /// An address that contradicted itself, once for each contradiction.
    pub fn take_contradicted(&mut self) -> Option<usize> {
        self.contradicted.pop()
    }

    /// Refuses a line with proof.
    pub fn refuse(&mut self, line: usize, why: Arc<str>) {
        if self.out.insert(line) && !self.stored.contains(line) {
            self.refused.push(RefusedLine { line, why });
        }
    }

    /// Keeps a line out that meets a limit of the server.
    pub fn keep_out(&mut self, line: usize, limit: &'static ServerLimit, why: Arc<str>) {
        if self.out.insert(line) && !self.stored.contains(line) {
            self.kept_out.push(LimitedLine { line, why, limit });
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
        // A proxy that answers everything with its page would refuse every line.
        let is_accepted = self.accepts_unproven && parsed.form == BodyForm::Influx;
        if proof != Proof::None || is_accepted {
            self.release(line);
        }
        match proof {
            Proof::Limit(limit) => {
                self.prove(RefusalCause::Limit(limit), &why);
                self.keep_out(line, limit, why);
            }
            Proof::Refused => {
                let cause = column_conflicts::conflict(text, &parsed.message)
                    .unwrap_or_else(|| parsed.refusal_cause());
                self.prove(cause, &why);
                self.refuse(line, why);
            }
            Proof::None if is_accepted => self.refuse(line, why),
            Proof::None => {
                let kind = if answer.status == 500 { UnprovenKind::Failure } else { UnprovenKind::Words };
                self.set_aside(lines, line, why, kind, at);
            }
        }
        proof
    }

    /// Records that a request of this line alone was too large.
    pub fn too_large_alone(&mut self, lines: &Lines, line: usize, why: &str, at: RefusedAt) {
        let is_large = lines.line(line).len() > LINE_BYTES_TAKEN;
        let kind = if is_large { UnprovenKind::TooLarge } else { UnprovenKind::SmallTooLarge };
        let why = self.reason(why);
        self.set_aside(lines, line, why, kind, at);
    }

    /// Sets a line aside, or refuses it if this refusal completes the proof.
    fn set_aside(&mut self, lines: &Lines, line: usize, why: Arc<str>, kind: UnprovenKind, at: RefusedAt) {
        if kind.can_be_confirmed() {
            self.dispute(&RequestLines::Run(line..line + 1), at.address);
        }
        self.attempts_left = self.attempts_left.saturating_sub(1);
        let is_stored = self.stored.contains(line);
        if let Some(known) = self.unproven.iter_mut().find(|unproven| unproven.line == line) {
            known.refused_again(Arc::clone(&why), kind, at);
            if known.is_proven() && !is_stored {
                self.unproven.retain(|unproven| unproven.line != line);
                self.refused.push(RefusedLine { line, why });
            }
        } else if self.out.insert(line) && (!is_stored || same_point::has_earlier(lines, line)) {
            // A stored line is sent again only if an earlier line may have overwritten it since.
            self.unproven.push(Unproven::new(line, why, at, kind));
        }
    }

    /// Records that the address stored a control for the line.
    pub fn add_control(&mut self, line: usize, address: usize) {
        let known = self.unproven.iter_mut().find(|unproven| unproven.line == line);
        if let Some(known) = known {
            known.add_control(address);
        }
    }

    /// Records that the line is refused again, after other lanes may have stored a request.
    pub fn add_control_of_others(&mut self, line: usize, again: RefusedAt) {
        let known = self.unproven.iter_mut().find(|unproven| unproven.line == line);
        if let Some(known) = known.filter(|known| known.at.has_control_before(again)) {
            known.add_control_of_others();
        }
    }

    /// Moves the first line that is set aside behind the others, so that another line is tried next time.
    pub fn rotate_unproven(&mut self) {
        if !self.unproven.is_empty() {
            self.unproven.rotate_left(1);
        }
    }

    /// Records that a line that was set aside is stored. It stays out.
    pub fn settle_unproven(&mut self, line: usize) {
        self.unproven.retain(|unproven| unproven.line != line);
    }

    /// Returns a line that was set aside to the open lines.
    fn release(&mut self, line: usize) {
        if self.unproven.iter().any(|unproven| unproven.line == line) {
            self.settle_unproven(line);
            self.out.remove(line);
        }
    }

    /// Returns stored lines to the open lines, because an earlier line with the same series and time was stored after them. Lines that
    /// are still set aside are tried later anyway. Returns the lines that have to be sent again.
    pub fn reopen(&mut self, mut same: Vec<usize>) -> Vec<usize> {
        same.retain(|&line| {
            let is_set_aside = self.unproven.iter().any(|unproven| unproven.line == line);
            self.stored.contains(line) && !is_set_aside
        });
        for &line in &same {
            self.out.remove(line);
        }
        same
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
