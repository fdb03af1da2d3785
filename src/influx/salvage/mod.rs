//! Which lines of a batch go into the next request, until each is stored or refused. Pure: answers in, requests out.
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
//! A line is refused when it was so alone, or with others of which one was so alone for the same complaint: when the server
//! quotes it, or drops as many lines as the request has. Nothing else that an answer says settles a line. Where answers help
//! no further, pieces are halved in order. For k causes in n lines that makes at most 2 k log2(n/k) + 4 k requests.

mod complaint;
mod evidence;
mod request;
mod suspects;
mod trial;

pub use evidence::Refused;
pub(super) use request::Request;

use super::answer::WORDS_CHARS_MAX;
use super::lines::{Lines, Size};
use crate::text::printable;
use complaint::{Complaint, Report, may_forge_quotes, quotes};
use evidence::Evidence;
use std::ops::Range;
use suspects::Suspect;
use trial::Trial;

/// A refusal of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal<'a> {
    pub status: u16,
    /// What the server said.
    pub message: &'a str,
    /// The same for people, harmless.
    pub why: &'a str,
    /// Whether the answer went on beyond what was read.
    pub is_cut: bool,
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
    /// Lines that were refused when the trial began.
    refused_before: usize,
    /// Whether answers are taken for a guide: until one leads to no refused line.
    is_guided: bool,
}

impl Plan {
    pub fn new(lines: &Lines) -> Self {
        let whole = Piece { lines: 0..lines.len(), guided: 0, half: Half::None };
        Self {
            queue: if lines.is_empty() { Vec::new() } else { vec![whole] },
            sent: None,
            trial: None,
            lines_stored: 0,
            evidence: Evidence::new(),
            refused_before: 0,
            is_guided: true,
        }
    }

    pub fn lines_stored(&self) -> usize {
        self.lines_stored
    }

    pub fn lines_refused(&self) -> usize {
        self.evidence.len()
    }

    /// By line.
    pub fn into_refused(self) -> Vec<Refused> {
        self.evidence.into_refused()
    }

    /// The next request; none when every line is settled. One of `stored`, `too_large` and `refused` follows.
    pub fn next(&mut self, lines: &Lines, size: Size) -> Option<Request> {
        if let Some(trial) = &mut self.trial {
            return trial.next(lines, size, &mut self.evidence).map(Request::Picked);
        }
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
        let fitting = if self.evidence.len() == 0 {
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
        if self.evidence.len() == 0 {
            return Some(Request::Run(piece.lines.clone()));
        }
        let open: Vec<usize> = self.open(piece).collect();
        match open.len() {
            0 => None,
            all if all == piece.lines.len() => Some(Request::Run(piece.lines.clone())),
            _ => Some(Request::Picked(open)),
        }
    }

    /// The lines of a piece that are not refused yet.
    fn open(&self, piece: &Piece) -> impl Iterator<Item = usize> + use<'_> {
        piece.lines.clone().filter(|&index| !self.evidence.is_refused(index))
    }

    /// The only open line of a piece.
    fn alone(&self, piece: &Piece) -> Option<usize> {
        let mut open = self.open(piece);
        let line = open.next()?;
        open.next().is_none().then_some(line)
    }

    /// Every line of the request was stored.
    pub fn stored(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.stored(&mut self.evidence);
            return self.end_trial();
        }
        let Some(piece) = self.sent.take() else { return };
        self.lines_stored += self.open(&piece).count();
        if let (Half::First, Some(second)) = (piece.half, self.queue.last_mut()) {
            second.half = Half::Refused;
        }
    }

    /// The request was too large, and `next` is told a smaller size from now on; a line alone is refused so.
    pub fn too_large(&mut self, why: &str) {
        let why = self.evidence.reason(why);
        if let Some(trial) = &mut self.trial {
            trial.too_large(&why, &mut self.evidence);
            return self.end_trial();
        }
        let Some(piece) = self.sent.take() else { return };
        match self.alone(&piece) {
            Some(line) => self.evidence.refuse(line, why),
            None => self.put_back(Piece { half: Half::None, ..piece }),
        }
    }

    /// At least one line of the request is refused, and none of the others is known to be stored.
    pub fn refused(&mut self, lines: &Lines, refusal: Refusal<'_>) {
        let report = Report::read(refusal.message);
        if let Some(trial) = &mut self.trial {
            let why = self.evidence.reason(refusal.why);
            trial.refused(report, &why, &mut self.evidence);
            return self.end_trial();
        }
        let Some(piece) = self.sent.take() else { return };
        if let Some(line) = self.alone(&piece) {
            let why = self.evidence.reason(refusal.why);
            self.evidence.note_alone(&report);
            self.evidence.prove(report.complaint, &why);
            self.evidence.refuse(line, why);
        } else if self.is_guided
            && let Some(trial) = self.trial(lines, &piece, report, refusal)
        {
            // A list that was cut is gone on with as soon as these lines are out of the way.
            let guided = if refusal.is_cut { piece.guided } else { piece.guided.saturating_add(1) };
            self.sent = Some(Piece { guided, half: Half::None, ..piece });
            self.trial = Some(trial);
            self.end_trial();
        } else {
            self.halve(piece, Half::First);
        }
    }

    /// Tries the lines that the answer leads to, if it does.
    fn trial(&mut self, lines: &Lines, piece: &Piece, report: Report, refusal: Refusal<'_>) -> Option<Trial> {
        self.refused_before = self.evidence.len();
        let mut trial = Trial::new();
        if report.complaint == Complaint::Unparsable {
            let quoted = self.quoted(lines, piece, refusal);
            let leads = !quoted.is_empty();
            trial.add_all_refused(quoted, report.complaint, &mut self.evidence);
            return leads.then_some(trial);
        }
        let count = self.open(piece).count();
        let dropped = self.evidence.dropped(&report);
        let suspects = self.suspects(lines, piece, &report.complaint, dropped, count);
        // Without a count nothing but a request for each proves that lines are refused: then halves are as good.
        if suspects.is_empty() || (dropped.is_none() && suspects.len() > count / 2) {
            return None;
        }
        let behind = self.suspects_behind(lines, piece, &report.complaint, suspects.last());
        if dropped == Some(count) {
            trial.add(behind);
            trial.add_all_refused(suspects, report.complaint, &mut self.evidence);
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
            suspects.truncate(dropped.unwrap_or(0));
        }
        if suspects.is_empty() && dropped == Some(count) {
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
        let quotes = quotes(refusal.message, refusal.is_cut);
        let open: Vec<usize> = self.open(piece).collect();
        suspects::that_are_quoted(lines, &open, &quotes, |why| {
            let why = format!("{}: unable to parse: {why}", refusal.status);
            self.evidence.reason(&printable(&why, WORDS_CHARS_MAX))
        })
    }

    /// After its trial, a piece goes on without what was refused.
    fn end_trial(&mut self) {
        if self.trial.take_if(|trial| trial.is_over()).is_none() {
            return;
        }
        let Some(piece) = self.sent.take() else { return };
        if self.evidence.len() == self.refused_before {
            self.is_guided = false;
            self.halve(piece, Half::First);
        } else if piece.guided > 1 {
            self.halve(Piece { guided: 1, ..piece }, Half::None);
        } else {
            self.put_back(piece);
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

#[cfg(test)]
mod tests;
