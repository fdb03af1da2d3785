//! The sequence of requests for one batch.

use super::column_conflicts::ColumnConflicts;
use super::evidence::{Evidence, LimitedLine, RefusedLine};
use super::limited_series::LimitedSeries;
use super::pieces::{HalfState, Piece, UnsettledPieces};
use super::refusal::{AddressHistory, RefusedAt, RefusedRequest};
use super::request_lines::RequestLines;
use super::same_point;
use super::suspects;
use super::trial::SuspectTrial;
use super::trial_from_answer;
use super::unproven::{Unproven, UnprovenKind};
use crate::cause::Cause;
use crate::lines::{Lines, RequestSize};
use crate::parsed_answer::RefusalCause;
use std::sync::Arc;

/// Lines that may be set aside while the server stores nothing: the batch is blocked after 7 lines and a control were refused alone, which
/// is enough to get past a few bad lines at its beginning.
const UNPROVEN_MAX: usize = 7;

/// Attempts after a wait, if the address contradicts itself: one server of three may store the line. If only other lanes store controls,
/// so many for each line that is set aside.
const ATTEMPTS_AFTER_WAIT: u32 = 3;

/// Waits of a batch before the controls of other lanes prove anything. They spread the attempts over 17 to 35 s with the delays of
/// `Delays::default`, so that what refuses a line for a moment does not refuse it for good.
const WAITS_BESIDE_OTHERS: u32 = 3;

/// How often a request is sent again as a whole to an address that contradicts itself, before it is halved.
const RESENT_MAX: u8 = 3;

/// Answers that name lines of a piece by number before it is halved. A server that names only the first bad line gets the piece again for
/// each of them, so the bytes that are sent again have a bound: this many times the batch for each time that it can be halved.
const ROUNDS_MAX: u8 = 32;

/// The next request of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextRequest {
    pub request: RequestLines,
    /// The batch is blocked: wait before the request.
    pub blocked: Option<BlockedReason>,
    /// The request opens a connection, which a load balancer may lead to another server.
    pub opens_connection: bool,
}

impl NextRequest {
    fn new(request: RequestLines) -> Self {
        Self { request, blocked: None, opens_connection: false }
    }

    fn alone(line: usize) -> Self {
        Self::new(RequestLines::Run(line..line + 1))
    }
}

/// Why a batch is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedReason {
    pub cause: Cause,
    /// The message with which a line was refused.
    pub why: Arc<str>,
    /// The address that refused the line contradicts itself.
    pub is_contradicted: bool,
}

/// A request of one line, out of order, while lines are set aside.
#[derive(Clone, Copy, Debug)]
enum SingleLineProbe {
    /// A line that was set aside. `is_drawn`: the batch sends its own controls, and others do not count.
    Again { line: usize, is_drawn: bool },
    /// Another line, to find out whether the server takes writes at all. `unproven`: the line that was set aside.
    Control { unproven: usize },
}

/// The state of one batch.
#[derive(Debug)]
pub struct SalvagePlan {
    pieces: UnsettledPieces,
    /// The piece that was sent in order and is not answered yet, or was refused and waits for its trial.
    sent: Option<Piece>,
    trial: Option<SuspectTrial>,
    evidence: Evidence,
    /// The request that is not answered yet.
    request: Option<RequestLines>,
    /// Lines that were out when the trial began.
    out_before: usize,
    conflicts: ColumnConflicts,
    limited: LimitedSeries,
    /// Whether answers guide the search: until one leads to no refused line.
    is_guided: bool,
    /// The request for a line that is set aside, while it is not answered.
    probe: Option<SingleLineProbe>,
    /// Whether a control was refused since the last wait and the last stored request.
    is_control_refused: bool,
    is_blocked: bool,
    /// Waits of this batch.
    waits: u32,
    rng: fastrand::Rng,
}

impl SalvagePlan {
    /// `accepts_unproven`: lines that are refused alone with 400, 422 or 500, in InfluxDB's form, count as refused without proof. `seed`
    /// is for the order of attempts and controls.
    pub fn new(lines: &Lines, accepts_unproven: bool, seed: u64) -> Self {
        Self {
            pieces: UnsettledPieces::whole(lines),
            sent: None,
            trial: None,
            evidence: Evidence::new(accepts_unproven),
            request: None,
            out_before: 0,
            conflicts: ColumnConflicts::default(),
            limited: LimitedSeries::default(),
            is_guided: true,
            probe: None,
            is_control_refused: false,
            is_blocked: false,
            waits: 0,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Lines stored so far. Some of them may be sent again for the order of lines.
    pub fn lines_stored(&self) -> usize {
        self.evidence.stored_count()
    }

    pub fn lines_refused(&self) -> usize {
        self.evidence.refused_count()
    }

    /// Whether nothing was stored since the last wait.
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Refused lines, and lines that a limit keeps out, each in the batch's order.
    pub fn into_lists(self) -> (Vec<RefusedLine>, Vec<LimitedLine>) {
        self.evidence.into_lists()
    }

    /// An address that contradicted itself, once for each contradiction.
    pub fn take_contradicted(&mut self) -> Option<usize> {
        self.evidence.take_contradicted()
    }

    /// Forgets refusals with unknown words: the server did not understand compressed requests.
    pub fn forget_disputes(&mut self) {
        self.evidence.forget_disputes();
    }

    /// The next request; `None` if every line is settled. A call of `stored`, `too_large` or `refused` must follow.
    pub fn next(
        &mut self,
        lines: &Lines,
        size: RequestSize,
        history: &dyn AddressHistory,
    ) -> Option<NextRequest> {
        let next = self.next_open(lines, size, history).or_else(|| self.next_unproven(history))?;
        self.request = Some(next.request.clone());
        Some(next)
    }

    /// The next request with lines that are not set aside.
    fn next_open(
        &mut self,
        lines: &Lines,
        size: RequestSize,
        history: &dyn AddressHistory,
    ) -> Option<NextRequest> {
        let unproven =
            self.evidence.unproven().iter().filter(|unproven| !unproven.has_control(history)).count();
        if unproven >= UNPROVEN_MAX {
            self.give_up_trial();
            return None;
        }
        if let Some(trial) = &mut self.trial {
            return trial
                .next(lines, size, &mut self.evidence)
                .map(RequestLines::Picked)
                .map(NextRequest::new);
        }
        let (piece, request) = self.pieces.next(lines, size, &self.evidence)?;
        let opens_connection = piece.resent > 0;
        self.sent = Some(piece);
        Some(NextRequest { opens_connection, ..NextRequest::new(request) })
    }

    /// The request that shows whether the lines that are set aside are to blame.
    fn next_unproven(&mut self, history: &dyn AddressHistory) -> Option<NextRequest> {
        let first = self.evidence.unproven().first()?.clone();
        // Stored lines are only sent again; nothing refuses them.
        let is_doubtful = |unproven: &&Unproven| {
            unproven.can_be_confirmed(history) && !self.evidence.is_stored(unproven.line)
        };
        let doubtful = self.evidence.unproven().iter().find(is_doubtful).cloned();
        if let Some(doubtful) = doubtful {
            // The batch's own control shows more than one of another lane: its refusal would be a contradiction.
            if let Some(control) = self.evidence.last_stored().filter(|_| !self.is_control_refused) {
                // Too many attempts in a row need a control, whatever is drawn.
                if self.evidence.attempts_left == 0 || doubtful.wants_control(&mut self.rng) {
                    return Some(self.control(control, doubtful.line));
                }
                return Some(self.attempt(&doubtful, true));
            }
            let is_spread = self.evidence.attempts_left > 0 || self.waits >= WAITS_BESIDE_OTHERS;
            let mut all = self.evidence.unproven().iter().filter(is_doubtful).filter(|_| is_spread);
            if let Some(controlled) = all.find(|unproven| unproven.has_control(history)).cloned() {
                return Some(self.attempt(&controlled, false));
            }
            if !self.is_control_refused
                && let Some(control) = self.pieces.any_open(&self.evidence)
            {
                return Some(self.control(control, doubtful.line));
            }
        }
        self.evidence.rotate_unproven();
        if self.evidence.attempts_left > 0 {
            return Some(self.attempt(&first, false));
        }
        let is_contradicted = history.contradicts_itself(first.at.address);
        let cause = match first.kind {
            UnprovenKind::Words | UnprovenKind::Failure => Cause::RefusalUnproven,
            UnprovenKind::TooLarge | UnprovenKind::SmallTooLarge => Cause::RequestTooLarge,
        };
        let why = Arc::clone(&first.why);
        self.is_control_refused = false;
        self.is_blocked = true;
        self.waits = self.waits.saturating_add(1);
        let is_beside_others = first.has_controls_of_others() || first.has_control(history);
        self.evidence.attempts_left = match (is_contradicted, is_beside_others) {
            (true, _) => ATTEMPTS_AFTER_WAIT,
            (false, true) => ATTEMPTS_AFTER_WAIT * self.evidence.unproven().len() as u32,
            (false, false) => 1,
        };
        Some(NextRequest {
            blocked: Some(BlockedReason { cause, why, is_contradicted }),
            ..self.attempt(&first, false)
        })
    }

    fn attempt(&mut self, unproven: &Unproven, is_drawn: bool) -> NextRequest {
        self.probe = Some(SingleLineProbe::Again { line: unproven.line, is_drawn });
        let opens_connection = unproven.wants_new_connection(is_drawn);
        NextRequest { opens_connection, ..NextRequest::alone(unproven.line) }
    }

    fn control(&mut self, line: usize, unproven: usize) -> NextRequest {
        self.probe = Some(SingleLineProbe::Control { unproven });
        NextRequest::alone(line)
    }

    fn control_refused(&mut self) {
        self.is_control_refused = true;
        self.evidence.attempts_left = self.evidence.attempts_left.saturating_sub(1);
    }

    /// This address stored every line of the request.
    pub fn stored(&mut self, lines: &Lines, address: usize) {
        self.is_blocked = false;
        self.is_control_refused = false;
        if let Some(request) = self.request.take() {
            self.evidence.record_stored(&request);
        }
        match self.probe.take() {
            Some(SingleLineProbe::Again { line, .. }) => {
                self.evidence.settle_unproven(line);
                // Later lines with this series and time may have been stored before, and the order of lines counts.
                let same = self.evidence.reopen(same_point::later(lines, line));
                return self.pieces.resend(&same);
            }
            // A stored line, or one that will be sent again at its position.
            Some(SingleLineProbe::Control { unproven }) => {
                return self.evidence.add_control(unproven, address);
            }
            None => {}
        }
        if let Some(trial) = &mut self.trial {
            trial.stored(&mut self.evidence);
            return self.end_trial();
        }
        let Some(piece) = self.sent.take() else { return };
        if let Some(alone) = piece.alone(&self.evidence) {
            self.conflicts.stored_alone(alone);
        }
        if piece.half == HalfState::First {
            self.pieces.mark_next_refused();
        }
    }

    /// The request was too large. `next` gets a smaller size from now on.
    pub fn too_large(&mut self, lines: &Lines, why: &str, at: RefusedAt) {
        self.request = None;
        match self.probe.take() {
            Some(SingleLineProbe::Again { line, is_drawn }) => {
                if !is_drawn {
                    self.evidence.add_control_of_others(line, at);
                }
                return self.evidence.too_large_alone(lines, line, why, at);
            }
            Some(SingleLineProbe::Control { .. }) => return self.control_refused(),
            None => {}
        }
        if let Some(trial) = &mut self.trial {
            trial.too_large(lines, why, at, &mut self.evidence);
            return self.end_trial();
        }
        let Some(piece) = self.sent.take() else { return };
        match piece.alone(&self.evidence) {
            Some(line) => self.evidence.too_large_alone(lines, line, why, at),
            None => self.pieces.put_back(Piece { half: HalfState::Unknown, ..piece }),
        }
    }

    /// At least one line of the request is refused, and no other line of it is known to be stored.
    pub fn refused(&mut self, lines: &Lines, refusal: RefusedRequest<'_>) {
        let address = refusal.at.address;
        let is_unknown = refusal.answer.status != 500 && refusal.parsed.has_unknown_words();
        if let Some(request) = self.request.take() {
            // The refusal of a line alone is disputed when the line is set aside.
            let is_control = matches!(self.probe, Some(SingleLineProbe::Control { .. }));
            if is_unknown && (is_control || request.len() > 1) {
                self.evidence.dispute(&request, address);
            }
        }
        match self.probe.take() {
            Some(SingleLineProbe::Again { line, is_drawn }) => {
                if !is_drawn {
                    self.evidence.add_control_of_others(line, refusal.at);
                }
                self.evidence.refused_alone(lines, line, refusal);
                return;
            }
            Some(SingleLineProbe::Control { .. }) => return self.control_refused(),
            None => {}
        }
        if let Some(trial) = &mut self.trial {
            trial.refused(lines, refusal, &mut self.evidence);
            return self.end_trial();
        }
        let Some(piece) = self.sent.take() else { return };
        if let Some(line) = piece.alone(&self.evidence) {
            self.evidence.refused_alone(lines, line, refusal);
        } else if is_unknown && refusal.at.is_contradicted && piece.resent < RESENT_MAX {
            let resent = piece.resent + 1;
            self.pieces.put_back(Piece { resent, half: HalfState::Unknown, ..piece });
        } else if self.keep_out_likely(lines, &piece, refusal) {
            self.pieces.put_back(Piece { half: HalfState::Unknown, ..piece });
        } else if refusal.parsed.numbered.is_empty()
            && let Some((line, cause)) =
                self.conflicts.first(lines, piece.open(&self.evidence), refusal.parsed)
        {
            self.settle_conflict(lines, piece, line, cause);
        } else if self.is_guided
            && let Some(trial) = self.begin_trial(lines, &piece, refusal)
        {
            // A list that was cut continues as soon as these lines are out, and so does an answer that names only the first bad line.
            let continues = refusal.answer.is_cut || !refusal.parsed.numbered.is_empty();
            let guided = if continues { piece.guided } else { piece.guided.saturating_add(1) };
            let is_numbered = !refusal.parsed.numbered.is_empty();
            let rounds = piece.rounds.saturating_add(u8::from(is_numbered));
            self.sent = Some(Piece { guided, rounds, half: HalfState::Unknown, ..piece });
            self.trial = Some(trial);
            self.end_trial();
        } else {
            // What an address that contradicts itself refused may be stored at the next attempt.
            let half = if refusal.at.is_contradicted { HalfState::Unknown } else { HalfState::First };
            self.pieces.halve(piece, half, &self.evidence);
        }
    }

    /// Keeps lines out that probably meet the limit of this refusal. Returns whether there are any.
    fn keep_out_likely(&mut self, lines: &Lines, piece: &Piece, refusal: RefusedRequest<'_>) -> bool {
        let RefusalCause::Limit(limit) = refusal.parsed.refusal_cause() else { return false };
        let open: Vec<usize> = piece.open(&self.evidence).collect();
        let likely = self.limited.likely(lines, &open, limit, &self.evidence);
        let why = self.evidence.reason(refusal.why);
        for &line in &likely {
            self.evidence.keep_out(line, limit, Arc::clone(&why));
        }
        !likely.is_empty()
    }

    /// Refuses the lines of a conflict if one of them was refused alone; otherwise sends the first one alone.
    fn settle_conflict(&mut self, lines: &Lines, piece: Piece, line: usize, cause: RefusalCause) {
        if let Some(why) = self.evidence.proof(&cause) {
            let all = suspects::that_fit(lines, piece.open(&self.evidence), &cause);
            self.evidence.refuse_all(all, &cause, &why);
            self.pieces.put_back(Piece { half: HalfState::Unknown, ..piece });
        } else {
            self.pieces.isolate(&piece, line);
            self.conflicts.isolate(line, cause);
        }
    }

    fn begin_trial(
        &mut self,
        lines: &Lines,
        piece: &Piece,
        refusal: RefusedRequest<'_>,
    ) -> Option<SuspectTrial> {
        self.out_before = self.evidence.out_count();
        trial_from_answer::trial(lines, piece, refusal, &mut self.evidence)
    }

    /// If the trial is over: continues its piece without the lines that were refused.
    fn end_trial(&mut self) {
        if self.trial.take_if(|trial| trial.is_over()).is_none() {
            return;
        }
        let Some(piece) = self.sent.take() else { return };
        if self.evidence.out_count() == self.out_before {
            self.is_guided = false;
            self.pieces.halve(piece, HalfState::First, &self.evidence);
        } else if piece.guided > 1 {
            self.pieces.halve(Piece { guided: 1, ..piece }, HalfState::Unknown, &self.evidence);
        } else if piece.rounds >= ROUNDS_MAX {
            self.pieces.halve(piece, HalfState::Unknown, &self.evidence);
        } else {
            self.pieces.put_back(piece);
        }
    }

    /// Ends a trial early: it cannot find out anything while the batch is blocked.
    fn give_up_trial(&mut self) {
        self.trial = None;
        if let Some(piece) = self.sent.take() {
            self.pieces.halve(piece, HalfState::Unknown, &self.evidence);
        }
    }
}
