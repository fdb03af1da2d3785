//! Decides which lines of a batch go into the next request, until each is stored or refused. Pure: answers in, requests out.
//!
//! Lines are stored by requests that take the batch in its order, so that of two lines with one key the later one stays. Where
//! such a request is refused, its answer mostly says what it is about. The lines that this fits are *tried* in requests of
//! their own, apart from that order: a trial only finds out who is refused, and what it stored is sent again in its place.
//!
//! ```text
//! in order:  [ a b X c Y d ]  refused, "integer field f of m"        X and Y are such lines
//! trials:    [ X ]  refused        [ Y ]  refused
//! in order:  [ a b c d ]  204
//! ```
//!
//! A refusal of a line is *proven* in one of two ways:
//! - The answer names a cause that lies in the line, and the line was refused alone, or with others of which one was so alone
//!   for the same cause: where the server quotes it, or drops as many lines as the request has.
//! - The line was refused alone, the same address stored another request to the destination afterwards, and it refused the line
//!   again.
//!
//! A line that is refused alone without proof is *set aside*. When too many are, with nothing stored in between, the batch is
//! blocked: one line after the other is tried again, with a backoff, until the server takes it or something else.
//!
//! A line that meets a limit of the server is *kept out*: others are stored, and this one is neither stored nor refused.
//!
//! Nothing else that an answer says settles a line. Where answers help no further, pieces are halved in order. For k causes in
//! n lines that makes at most 2 k log2(n/k) + 4 k requests, and one more where a compressed line is sent again uncompressed.

mod evidence;
mod proof;
mod request;
mod suspects;
mod trial;

pub(super) use evidence::KeptOut;
pub use evidence::Refused;
pub(super) use request::Request;

use super::cause::Cause;
use super::lines::{Lines, Size};
use super::reading::{Complaint, Reading, may_forge_quotes, quotes};
use super::response::Answer;
use evidence::{Evidence, UnprovenKind};
use std::ops::Range;
use std::sync::Arc;
use suspects::Suspect;
use trial::Trial;

/// Lines that may be set aside while the server stores nothing. With the request for a control, 8 lines are refused alone
/// before a batch is blocked: enough to pass over a few bad lines at its begin.
const UNPROVEN_MAX: usize = 7;

/// A refusal of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal<'a> {
    pub answer: &'a Answer,
    pub reading: &'a Reading,
    /// The server's words for people, printable.
    pub why: &'a str,
    pub at: RefusedAt,
}

/// Where and when a request was refused. Moments are numbers that the writer gives to requests as they are sent and to answers
/// as they come, so that a greater one is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RefusedAt {
    /// Index of the address that refused.
    pub address: usize,
    pub moment: u64,
    /// When the latest request that this address stored for the destination was sent, by any lane; 0 where it stored none.
    pub control: u64,
}

impl RefusedAt {
    /// Whether the address that refused here stored another request that was sent afterwards, and has now refused again. An
    /// address that stores says nothing of another one, which may stand behind a broken proxy.
    fn is_confirmed_by(self, again: Self) -> bool {
        self.address == again.address && self.moment < again.control
    }
}

/// For each address, when the latest request that it stored for the destination was sent.
pub(super) type Controls<'a> = &'a dyn Fn(usize) -> u64;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub request: Request,
    /// The batch is blocked: wait before the request.
    pub wait: Option<Wait>,
}

/// Why a batch is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub cause: Cause,
    /// The words with which a line was refused.
    pub why: Arc<str>,
}

/// A request of one line, apart from the order of the batch, while lines are set aside.
#[derive(Clone, Copy, Debug)]
enum Probe {
    /// A line that was set aside.
    Again(usize),
    /// Another line: whether the server takes writes at all.
    Control,
}

/// Neighbouring lines that are not settled yet, apart from refused ones.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    lines: Range<usize>,
    /// How often answers led to lines of it. From the second time on it goes on in halves: then each round sends fewer again.
    guided: u8,
    half: Half,
}

/// What is known of a piece that was halved because its answer led nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    None,
    /// The second is refused if this one is stored.
    First,
    Refused,
}

/// The way of one batch.
#[derive(Debug)]
pub(super) struct Plan {
    /// What is not settled, in order; the last one is next.
    queue: Vec<Piece>,
    /// What was sent in order and is not answered yet, or was refused and waits for its trial.
    sent: Option<Piece>,
    trial: Option<Trial>,
    lines_stored: usize,
    evidence: Evidence,
    /// Lines that were out when the trial began.
    out_before: usize,
    /// Whether answers are taken for a guide: until one leads to no refused line.
    is_guided: bool,
    /// What was sent for the lines that are set aside, and is not answered yet.
    probe: Option<Probe>,
    /// The last line that was stored in order. It may be sent again: no later line has its key.
    last_stored: Option<usize>,
    /// Whether a control was sent since the last wait.
    is_control_sent: bool,
    is_blocked: bool,
}

impl Plan {
    /// `accepts_unproven`: lines that are refused alone with 400, 422 or 500 are refused without proof.
    pub fn new(lines: &Lines, accepts_unproven: bool) -> Self {
        Self {
            queue: whole(lines),
            sent: None,
            trial: None,
            lines_stored: 0,
            evidence: Evidence::new(accepts_unproven),
            out_before: 0,
            is_guided: true,
            probe: None,
            last_stored: None,
            is_control_sent: false,
            is_blocked: false,
        }
    }

    /// Lines stored so far. They become fewer where the batch begins anew.
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

    /// Refused lines and those that a limit keeps out, by line.
    pub fn into_lists(self) -> (Vec<Refused>, Vec<KeptOut>) {
        self.evidence.into_lists()
    }

    /// The next request; none when every line is settled. One of `stored`, `too_large` and `refused` follows.
    pub fn next(&mut self, lines: &Lines, size: Size, controls: Controls<'_>) -> Option<Step> {
        let unproven =
            self.evidence.unproven().iter().filter(|unproven| !unproven.has_control(controls)).count();
        if unproven < UNPROVEN_MAX {
            let request = match &mut self.trial {
                Some(trial) => trial.next(lines, size, &mut self.evidence).map(Request::Picked),
                None => self.next_in_order(lines, size),
            };
            if let Some(request) = request {
                return Some(Step { request, wait: None });
            }
        } else {
            self.give_up_trial();
        }
        self.next_unproven(controls)
    }

    /// What tells whether the lines that are set aside are to blame.
    fn next_unproven(&mut self, controls: Controls<'_>) -> Option<Step> {
        let unproven = self.evidence.unproven();
        let first = unproven.first()?;
        let step = |line: usize, wait| Some(Step { request: Request::Run(line..line + 1), wait });
        let can_be_confirmed = || unproven.iter().filter(|unproven| unproven.kind.can_be_confirmed());
        if let Some(next) = can_be_confirmed().find(|unproven| unproven.has_control(controls)) {
            self.probe = Some(Probe::Again(next.line));
            return step(next.line, None);
        }
        if !self.is_control_sent
            && can_be_confirmed().next().is_some()
            && let Some(line) = self.control()
        {
            self.is_control_sent = true;
            self.probe = Some(Probe::Control);
            return step(line, None);
        }
        let cause = match first.kind {
            UnprovenKind::Words | UnprovenKind::Failure => Cause::RefusalUnproven,
            UnprovenKind::TooLarge | UnprovenKind::SmallTooLarge => Cause::RequestTooLarge,
        };
        let wait = Some(Wait { cause, why: Arc::clone(&first.why) });
        let line = first.line;
        self.is_control_sent = false;
        self.is_blocked = true;
        self.probe = Some(Probe::Again(line));
        step(line, wait)
    }

    /// A line that is not set aside: one that was stored, or else the last one that waits for its turn.
    fn control(&self) -> Option<usize> {
        self.last_stored.or_else(|| self.queue.iter().find_map(|piece| self.open(piece).last()))
    }

    fn next_in_order(&mut self, lines: &Lines, size: Size) -> Option<Request> {
        loop {
            let piece = self.queue.pop()?;
            if piece.half == Half::Refused && self.alone(&piece).is_none() {
                self.halve(piece, Half::First);
                continue;
            }
            let piece = self.cut(piece, lines, size);
            if let Some(request) = self.request(&piece) {
                self.sent = Some(piece);
                return Some(request);
            }
        }
    }

    /// Cuts a piece to what a request may hold.
    fn cut(&mut self, piece: Piece, lines: &Lines, size: Size) -> Piece {
        let Range { start, end } = piece.lines;
        let fitting = if self.evidence.out_count() == 0 {
            end.min(start + lines.fitting(start, size))
        } else {
            self.fitting_end(&piece, lines, size)
        };
        if fitting == end {
            return piece;
        }
        // Neither part is known to be refused.
        let piece = Piece { half: Half::None, ..piece };
        self.queue.push(Piece { lines: fitting..end, ..piece });
        Piece { lines: start..fitting, ..piece }
    }

    fn fitting_end(&self, piece: &Piece, lines: &Lines, size: Size) -> usize {
        let (mut count, mut bytes) = (0, 0);
        let mut open = self.open(piece);
        let beyond = open.find(|&index| {
            count += 1;
            bytes += lines.line(index).len();
            count > 1 && (count > size.lines_max || bytes > size.bytes_max)
        });
        beyond.unwrap_or(piece.lines.end)
    }

    /// None if nothing is left of the piece.
    fn request(&self, piece: &Piece) -> Option<Request> {
        if self.evidence.out_count() == 0 {
            return Some(Request::Run(piece.lines.clone()));
        }
        let open: Vec<usize> = self.open(piece).collect();
        match open.len() {
            0 => None,
            all if all == piece.lines.len() => Some(Request::Run(piece.lines.clone())),
            _ => Some(Request::Picked(open)),
        }
    }

    /// The lines of a piece that are sent with others.
    fn open(&self, piece: &Piece) -> impl Iterator<Item = usize> + use<'_> {
        piece.lines.clone().filter(|&index| !self.evidence.is_out(index))
    }

    /// The only open line of a piece.
    fn alone(&self, piece: &Piece) -> Option<usize> {
        let mut open = self.open(piece);
        let line = open.next()?;
        open.next().is_none().then_some(line)
    }

    /// Every line of the request was stored.
    pub fn stored(&mut self, lines: &Lines) {
        self.is_blocked = false;
        match self.probe.take() {
            Some(Probe::Again(_)) => return self.begin_anew(lines),
            // In its place the line will be sent again, or it was stored before.
            Some(Probe::Control) => return,
            None => {}
        }
        if let Some(trial) = &mut self.trial {
            trial.stored(&mut self.evidence);
            return self.end_trial();
        }
        let Some(piece) = self.sent.take() else { return };
        self.lines_stored += self.open(&piece).count();
        self.last_stored = self.last_stored.max(self.open(&piece).last());
        if let (Half::First, Some(second)) = (piece.half, self.queue.last_mut()) {
            second.half = Half::Refused;
        }
    }

    /// The server takes a line that it refused without proof, so the others that were set aside may be well too. Later lines may
    /// have been stored before, and the order of lines with one key counts.
    fn begin_anew(&mut self, lines: &Lines) {
        self.evidence.release_all();
        self.queue = whole(lines);
        (self.sent, self.trial, self.last_stored) = (None, None, None);
        self.lines_stored = 0;
    }

    /// The request was too large, and `next` is told a smaller size from now on.
    pub fn too_large(&mut self, lines: &Lines, why: &str, at: RefusedAt) {
        match self.probe.take() {
            Some(Probe::Again(line)) => return self.evidence.too_large_alone(lines, line, why, at),
            Some(Probe::Control) => return,
            None => {}
        }
        if let Some(trial) = &mut self.trial {
            trial.too_large(lines, why, at, &mut self.evidence);
            return self.end_trial();
        }
        let Some(piece) = self.sent.take() else { return };
        match self.alone(&piece) {
            Some(line) => self.evidence.too_large_alone(lines, line, why, at),
            None => self.put_back(Piece { half: Half::None, ..piece }),
        }
    }

    /// At least one line of the request is refused, and none of the others is known to be stored.
    pub fn refused(&mut self, lines: &Lines, refusal: Refusal<'_>) {
        match self.probe.take() {
            Some(Probe::Again(line)) => {
                self.evidence.refused_alone(lines, line, refusal);
                return;
            }
            Some(Probe::Control) => return,
            None => {}
        }
        if let Some(trial) = &mut self.trial {
            trial.refused(lines, refusal, &mut self.evidence);
            return self.end_trial();
        }
        let Some(piece) = self.sent.take() else { return };
        if let Some(line) = self.alone(&piece) {
            self.evidence.refused_alone(lines, line, refusal);
        } else if self.is_guided
            && let Some(trial) = self.trial(lines, &piece, refusal)
        {
            // A list that was cut is gone on with as soon as these lines are out of the way.
            let is_cut = refusal.answer.is_cut;
            let guided = if is_cut { piece.guided } else { piece.guided.saturating_add(1) };
            self.sent = Some(Piece { guided, half: Half::None, ..piece });
            self.trial = Some(trial);
            self.end_trial();
        } else {
            self.halve(piece, Half::First);
        }
    }

    /// Tries the lines that the answer leads to, if it does.
    fn trial(&mut self, lines: &Lines, piece: &Piece, refusal: Refusal<'_>) -> Option<Trial> {
        self.out_before = self.evidence.out_count();
        let mut trial = Trial::new();
        let complaint = refusal.reading.complaint();
        match complaint {
            Complaint::Unparsable => {
                let quoted = self.quoted(lines, piece, refusal);
                let leads = !quoted.is_empty();
                trial.add_all_refused(quoted, complaint, &mut self.evidence);
                return leads.then_some(trial);
            }
            Complaint::Named(_) => {
                let open: Vec<usize> = self.open(piece).collect();
                let numbered = suspects::that_are_numbered(lines, &open, &refusal.reading.numbered);
                let leads = !numbered.is_empty();
                numbered.into_iter().rev().for_each(|suspect| trial.add(vec![suspect]));
                return leads.then_some(trial);
            }
            _ => {}
        }
        let count = self.open(piece).count();
        let dropped = self.evidence.dropped(refusal.reading);
        let suspects = self.suspects(lines, piece, &complaint, dropped, count);
        // Without a count nothing but a request for each proves that lines are refused: then halves are as good.
        if suspects.is_empty() || (dropped.is_none() && suspects.len() > count / 2) {
            return None;
        }
        let behind = self.suspects_behind(lines, piece, &complaint, suspects.last());
        if dropped == Some(count) {
            trial.add(behind);
            trial.add_all_refused(suspects, complaint, &mut self.evidence);
        } else if behind.is_empty() {
            trial.add_refused(suspects, dropped);
        } else {
            // Shards go on behind the piece, which was halved without regard to time.
            trial.add_refused(suspects::by_time(suspects.into_iter().chain(behind)), None);
        }
        Some(trial)
    }

    /// The lines of a piece that a complaint fits.
    fn suspects(
        &self,
        lines: &Lines,
        piece: &Piece,
        complaint: &Complaint,
        dropped: Option<usize>,
        count: usize,
    ) -> Vec<Suspect> {
        let mut suspects = suspects::that_fit(lines, self.open(piece), complaint);
        if *complaint == Complaint::Retention {
            // Not what is older than some bound: beside a newer line of its shard, InfluxDB takes an older one.
            // An answer without a count names no suspects in this way.
            suspects.truncate(dropped.unwrap_or(0));
        }
        if matches!(complaint, Complaint::Limit(_)) && dropped == Some(count) {
            return suspects::all(lines, self.open(piece));
        }
        suspects
    }

    /// Lines behind the piece that the same is true for: better found now than piece by piece.
    fn suspects_behind(
        &self,
        lines: &Lines,
        piece: &Piece,
        complaint: &Complaint,
        last: Option<&Suspect>,
    ) -> Vec<Suspect> {
        let behind = Piece { lines: piece.lines.end..lines.len(), ..piece.clone() };
        let mut suspects = suspects::that_fit(lines, self.open(&behind), complaint);
        if *complaint == Complaint::Retention {
            let youngest = last.and_then(|suspect| suspect.time);
            suspects.retain(|suspect| suspect.time <= youngest);
        }
        suspects
    }

    /// The lines of a piece that an answer quotes.
    fn quoted(&mut self, lines: &Lines, piece: &Piece, refusal: Refusal<'_>) -> Vec<Suspect> {
        if may_forge_quotes(&lines.slice(&piece.lines)) {
            return Vec::new();
        }
        let quotes = quotes(&refusal.reading.message, refusal.answer.is_cut);
        let open: Vec<usize> = self.open(piece).collect();
        suspects::that_are_quoted(lines, &open, &quotes, |why| {
            let why = format!("{}: unable to parse: {why}", refusal.answer.status);
            self.evidence.reason(&refusal.answer.shown(&why))
        })
    }

    /// After its trial, a piece goes on without what was refused.
    fn end_trial(&mut self) {
        if self.trial.take_if(|trial| trial.is_over()).is_none() {
            return;
        }
        let Some(piece) = self.sent.take() else { return };
        if self.evidence.out_count() == self.out_before {
            self.is_guided = false;
            self.halve(piece, Half::First);
        } else if piece.guided > 1 {
            self.halve(Piece { guided: 1, ..piece }, Half::None);
        } else {
            self.put_back(piece);
        }
    }

    /// Ends a trial before its end: nothing of it can be found out while the batch is blocked.
    fn give_up_trial(&mut self) {
        self.trial = None;
        if let Some(piece) = self.sent.take() {
            self.halve(piece, Half::None);
        }
    }

    fn put_back(&mut self, piece: Piece) {
        match self.queue.last_mut() {
            // Rejoin what was cut off.
            Some(rest)
                if rest.lines.start == piece.lines.end
                    && (rest.guided, rest.half) == (piece.guided, Half::None) =>
            {
                rest.lines.start = piece.lines.start;
            }
            _ => self.queue.push(piece),
        }
    }

    fn halve(&mut self, piece: Piece, half: Half) {
        let count = self.open(&piece).count();
        let Some(middle) = self.open(&piece).nth(count.div_ceil(2)) else {
            return self.put_back(Piece { half: Half::None, ..piece });
        };
        let Piece { lines, guided, .. } = piece;
        self.queue.push(Piece { lines: middle..lines.end, guided, half: Half::None });
        self.queue.push(Piece { lines: lines.start..middle, guided, half });
    }
}

/// The whole batch in order.
fn whole(lines: &Lines) -> Vec<Piece> {
    let whole = Piece { lines: 0..lines.len(), guided: 0, half: Half::None };
    if lines.is_empty() { Vec::new() } else { vec![whole] }
}

#[cfg(test)]
mod tests;
