//! The sequence of requests for one batch.

use super::columns::ColumnConflicts;
use super::evidence::{Evidence, KeptOut, RefusedLine, UnprovenKind};
use super::guide;
use super::pieces::{HalfState, Piece, RequestLines, UnsettledPieces};
use super::refusal::{Controls, RefusedAt, RefusedRequest};
use super::suspects;
use super::trial::LineTrial;
use crate::cause::Cause;
use crate::lines::{Lines, RequestSize};
use crate::reading::RefusalCause;
use std::sync::Arc;

/// Lines that may be set aside while the server stores nothing. With the request for a control, 8 lines are refused alone before a
/// batch is blocked: enough to get past a few bad lines at its begin.
const UNPROVEN_MAX: usize = 7;

/// The next request of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextRequest {
    pub request: RequestLines,
    /// The batch is blocked: wait before the request.
    pub blocked: Option<BlockedReason>,
}

/// Why a batch is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedReason {
    pub cause: Cause,
    /// The message with which a line was refused.
    pub why: Arc<str>,
}

/// A request of one line, out of order, while lines are set aside.
#[derive(Clone, Copy, Debug)]
enum SingleLineProbe {
    /// A line that was set aside.
    Again(usize),
    /// Another line, to find out whether the server takes writes at all.
    Control,
}

/// The state of one batch.
#[derive(Debug)]
pub struct SalvagePlan {
    pieces: UnsettledPieces,
    /// The piece that was sent in order and is not answered yet, or was refused and waits for its trial.
    sent: Option<Piece>,
    trial: Option<LineTrial>,
    lines_stored: usize,
    evidence: Evidence,
    /// Lines that were out when the trial began.
    out_before: usize,
    conflicts: ColumnConflicts,
    /// Whether answers guide the search: until one leads to no refused line.
    is_guided: bool,
    /// The request for a line that is set aside, while it is not answered.
    probe: Option<SingleLineProbe>,
    /// The last line that was stored in order. It may be sent again: no later line has its key.
    last_stored: Option<usize>,
    /// Whether a control was sent since the last wait.
    is_control_sent: bool,
    is_blocked: bool,
}

impl SalvagePlan {
    /// `accepts_unproven`: lines that are refused alone with 400, 422 or 500 count as refused without proof.
    pub fn new(lines: &Lines, accepts_unproven: bool) -> Self {
        Self {
            pieces: UnsettledPieces::whole(lines),
            sent: None,
            trial: None,
            lines_stored: 0,
            evidence: Evidence::new(accepts_unproven),
            out_before: 0,
            conflicts: ColumnConflicts::default(),
            is_guided: true,
            probe: None,
            last_stored: None,
            is_control_sent: false,
            is_blocked: false,
        }
    }

    /// Lines stored so far. The number falls if the batch starts again.
    pub fn lines_stored(&self) -> usize {
        self.lines_stored
    }

    pub fn lines_refused(&self) -> usize {
        self.evidence.refused_count()
    }

    /// Whether nothing was stored since the last wait.
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Refused lines, and lines that a limit keeps out, each in the batch's order.
    pub fn into_lists(self) -> (Vec<RefusedLine>, Vec<KeptOut>) {
        self.evidence.into_lists()
    }

    /// The next request; `None` if every line is settled. A call of `stored`, `too_large` or `refused` must follow.
    pub fn next(&mut self, lines: &Lines, size: RequestSize, controls: Controls<'_>) -> Option<NextRequest> {
        let unproven =
            self.evidence.unproven().iter().filter(|unproven| !unproven.has_control(controls)).count();
        if unproven < UNPROVEN_MAX {
            let request = match &mut self.trial {
                Some(trial) => trial.next(lines, size, &mut self.evidence).map(RequestLines::Picked),
                None => self.next_in_order(lines, size),
            };
            if let Some(request) = request {
                return Some(NextRequest { request, blocked: None });
            }
        } else {
            self.give_up_trial();
        }
        self.next_unproven(controls)
    }

    fn next_in_order(&mut self, lines: &Lines, size: RequestSize) -> Option<RequestLines> {
        let (piece, request) = self.pieces.next(lines, size, &self.evidence)?;
        self.sent = Some(piece);
        Some(request)
    }

    /// The request that shows whether the lines that are set aside are to blame.
    fn next_unproven(&mut self, controls: Controls<'_>) -> Option<NextRequest> {
        let unproven = self.evidence.unproven();
        let first = unproven.first()?;
        let alone =
            |line: usize, blocked| Some(NextRequest { request: RequestLines::Run(line..line + 1), blocked });
        let can_be_confirmed = || unproven.iter().filter(|unproven| unproven.kind.can_be_confirmed());
        if let Some(next) = can_be_confirmed().find(|unproven| unproven.has_control(controls)) {
            self.probe = Some(SingleLineProbe::Again(next.line));
            return alone(next.line, None);
        }
        if !self.is_control_sent
            && can_be_confirmed().next().is_some()
            && let Some(line) = self.control()
        {
            self.is_control_sent = true;
            self.probe = Some(SingleLineProbe::Control);
            return alone(line, None);
        }
        let cause = match first.kind {
            UnprovenKind::Words | UnprovenKind::Failure => Cause::RefusalUnproven,
            UnprovenKind::TooLarge | UnprovenKind::SmallTooLarge => Cause::RequestTooLarge,
        };
        let blocked = Some(BlockedReason { cause, why: Arc::clone(&first.why) });
        let line = first.line;
        self.is_control_sent = false;
        self.is_blocked = true;
        self.probe = Some(SingleLineProbe::Again(line));
        alone(line, blocked)
    }

    /// A line that is not set aside: the last stored one, or else the last one that was not sent yet.
    fn control(&self) -> Option<usize> {
        self.last_stored.or_else(|| self.pieces.any_open(&self.evidence))
    }

    /// Every line of the request was stored.
    pub fn stored(&mut self, lines: &Lines) {
        self.is_blocked = false;
        match self.probe.take() {
            Some(SingleLineProbe::Again(_)) => return self.start_again(lines),
            // The line will be sent again at its position, or it was stored before.
            Some(SingleLineProbe::Control) => return,
            None => {}
        }
        if let Some(trial) = &mut self.trial {
            trial.stored(&mut self.evidence);
            return self.end_trial();
        }
        let Some(piece) = self.sent.take() else { return };
        self.lines_stored += piece.open(&self.evidence).count();
        if let Some(alone) = piece.alone(&self.evidence) {
            self.conflicts.stored_alone(alone);
        }
        self.last_stored = self.last_stored.max(piece.open(&self.evidence).last());
        if piece.half == HalfState::First {
            self.pieces.mark_next_refused();
        }
    }

    /// Starts the batch again after the server took a line that it had refused without proof: the other lines that were set aside may
    /// be good too. Later lines may have been stored before them, and the order of lines with one key counts.
    fn start_again(&mut self, lines: &Lines) {
        self.evidence.release_all();
        self.pieces = UnsettledPieces::whole(lines);
        (self.sent, self.trial, self.last_stored) = (None, None, None);
        self.lines_stored = 0;
    }

    /// The request was too large. `next` gets a smaller size from now on.
    pub fn too_large(&mut self, lines: &Lines, why: &str, at: RefusedAt) {
        match self.probe.take() {
            Some(SingleLineProbe::Again(line)) => return self.evidence.too_large_alone(lines, line, why, at),
            Some(SingleLineProbe::Control) => return,
            None => {}
        }
        if let Some(trial) = &mut self.trial {
            trial.too_large(lines, why, at, &mut self.evidence);
            return self.end_trial();
        }
        let Some(piece) = self.sent.take() else { return };
        match piece.alone(&self.evidence) {
            Some(line) => self.evidence.too_large_alone(lines, line, why, at),
            None => self.pieces.put_back(Piece { half: HalfState::None, ..piece }),
        }
    }

    /// At least one line of the request is refused, and no other line of it is known to be stored.
    pub fn refused(&mut self, lines: &Lines, refusal: RefusedRequest<'_>) {
        match self.probe.take() {
            Some(SingleLineProbe::Again(line)) => {
                self.evidence.refused_alone(lines, line, refusal);
                return;
            }
            Some(SingleLineProbe::Control) => return,
            None => {}
        }
        if let Some(trial) = &mut self.trial {
            trial.refused(lines, refusal, &mut self.evidence);
            return self.end_trial();
        }
        let Some(piece) = self.sent.take() else { return };
        if let Some(line) = piece.alone(&self.evidence) {
            self.evidence.refused_alone(lines, line, refusal);
        } else if refusal.parsed.numbered.is_empty()
            && let Some((line, cause)) = self.conflicts.first(lines, &piece, refusal.parsed, &self.evidence)
        {
            self.settle_conflict(lines, piece, line, cause);
        } else if self.is_guided
            && let Some(trial) = self.begin_trial(lines, &piece, refusal)
        {
            // A list that was cut continues as soon as these lines are out, and so does an answer that names only the first bad line.
            let continues = refusal.answer.is_cut || !refusal.parsed.numbered.is_empty();
            let guided = if continues { piece.guided } else { piece.guided.saturating_add(1) };
            self.sent = Some(Piece { guided, half: HalfState::None, ..piece });
            self.trial = Some(trial);
            self.end_trial();
        } else {
            self.pieces.halve(piece, HalfState::First, &self.evidence);
        }
    }

    /// Refuses the lines of a conflict if one of them was refused alone; otherwise sends the first one alone.
    fn settle_conflict(&mut self, lines: &Lines, piece: Piece, line: usize, cause: RefusalCause) {
        if let Some(why) = self.evidence.proof(&cause) {
            let all = suspects::that_fit(lines, piece.open(&self.evidence), &cause);
            self.evidence.refuse_all(all, &cause, &why);
            self.pieces.put_back(Piece { half: HalfState::None, ..piece });
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
    ) -> Option<LineTrial> {
        self.out_before = self.evidence.out_count();
        guide::trial(lines, piece, refusal, &mut self.evidence)
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
            self.pieces.halve(Piece { guided: 1, ..piece }, HalfState::None, &self.evidence);
        } else {
            self.pieces.put_back(piece);
        }
    }

    /// Ends a trial early: it cannot find out anything while the batch is blocked.
    fn give_up_trial(&mut self) {
        self.trial = None;
        if let Some(piece) = self.sent.take() {
            self.pieces.halve(piece, HalfState::None, &self.evidence);
        }
    }
}
