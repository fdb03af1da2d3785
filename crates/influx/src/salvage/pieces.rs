//! The parts of a batch that are not settled yet, and the requests made from them.

use super::evidence::Evidence;
use super::request_lines::RequestLines;
use crate::lines::{Lines, RequestSize};
use std::ops::Range;

/// Neighbouring unsettled lines. Lines that are out (see `Evidence`) are skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub lines: Range<usize>,
    /// How often answers led to lines of this piece. From the second time on it is halved, so that each round sends fewer lines.
    pub guided: u8,
    /// Answers that named lines of this piece by number.
    pub rounds: u8,
    pub half: HalfState,
    /// How often the piece was sent again as a whole, because its address contradicts itself.
    pub resent: u8,
}

/// Knowledge about a piece that was halved because its answer led to no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfState {
    Unknown,
    /// If this half is stored, the second half is refused.
    First,
    Refused,
}

impl Piece {
    fn new(lines: Range<usize>) -> Self {
        Self { lines, guided: 0, rounds: 0, half: HalfState::Unknown, resent: 0 }
    }

    /// The lines of the piece that are sent with others.
    pub fn open<'a>(&self, evidence: &'a Evidence) -> impl Iterator<Item = usize> + use<'a> {
        self.lines.clone().filter(|&index| !evidence.is_out(index))
    }

    /// The only open line of the piece, if there is only one.
    pub fn alone(&self, evidence: &Evidence) -> Option<usize> {
        let mut open = self.open(evidence);
        let line = open.next()?;
        open.next().is_none().then_some(line)
    }

    /// The request for the open lines; `None` if no line is open.
    fn request(&self, evidence: &Evidence) -> Option<RequestLines> {
        if evidence.out_count() == 0 {
            return Some(RequestLines::Run(self.lines.clone()));
        }
        let open: Vec<usize> = self.open(evidence).collect();
        match open.len() {
            0 => None,
            all if all == self.lines.len() => Some(RequestLines::Run(self.lines.clone())),
            _ => Some(RequestLines::Picked(open)),
        }
    }

    /// Index of the first line that does not fit into a request with the lines before it.
    fn fitting_end(&self, lines: &Lines, size: RequestSize, evidence: &Evidence) -> usize {
        let Range { start, end } = self.lines;
        if evidence.out_count() == 0 {
            return end.min(start + lines.fitting(start, size));
        }
        let (mut count, mut bytes) = (0, 0);
        let beyond = self.open(evidence).find(|&index| {
            count += 1;
            bytes += lines.line(index).len();
            count > 1 && (count > size.lines_max || bytes > size.bytes_max)
        });
        beyond.unwrap_or(end)
    }
}

/// The unsettled pieces of a batch, in order; the last one is next.
#[derive(Debug)]
pub struct UnsettledPieces(Vec<Piece>);

impl UnsettledPieces {
    /// The whole batch as one piece.
    pub fn whole(lines: &Lines) -> Self {
        let whole = Piece::new(0..lines.len());
        Self(if lines.is_empty() { Vec::new() } else { vec![whole] })
    }

    /// Takes the next piece, cut to what a request may contain, and its request.
    pub fn next(
        &mut self,
        lines: &Lines,
        size: RequestSize,
        evidence: &Evidence,
    ) -> Option<(Piece, RequestLines)> {
        loop {
            let piece = self.0.pop()?;
            if piece.half == HalfState::Refused && piece.alone(evidence).is_none() {
                self.halve(piece, HalfState::First, evidence);
                continue;
            }
            let piece = self.cut(piece, lines, size, evidence);
            if let Some(request) = piece.request(evidence) {
                return Some((piece, request));
            }
        }
    }

    fn cut(&mut self, piece: Piece, lines: &Lines, size: RequestSize, evidence: &Evidence) -> Piece {
        let (fitting, Range { start, end }) = (piece.fitting_end(lines, size, evidence), piece.lines.clone());
        if fitting == end {
            return piece;
        }
        // Neither part is known to be refused.
        let piece = Piece { half: HalfState::Unknown, ..piece };
        self.0.push(Piece { lines: fitting..end, ..piece });
        Piece { lines: start..fitting, ..piece }
    }

    /// The last line of the batch that is open and not settled.
    pub fn any_open(&self, evidence: &Evidence) -> Option<usize> {
        self.0.iter().find_map(|piece| piece.open(evidence).last())
    }

    /// After the first half of a piece was stored: the second half contains the refused lines.
    pub fn mark_next_refused(&mut self) {
        if let Some(second) = self.0.last_mut() {
            second.half = HalfState::Refused;
        }
    }

    /// Sends these lines next, each alone and in this order.
    pub fn resend(&mut self, lines: &[usize]) {
        self.0.extend(lines.iter().rev().map(|&line| Piece::new(line..line + 1)));
    }

    /// Puts a piece back, and rejoins it with what was cut off.
    pub fn put_back(&mut self, piece: Piece) {
        match self.0.last_mut() {
            Some(rest)
                if rest.lines.start == piece.lines.end
                    && (rest.guided, rest.rounds, rest.half, rest.resent)
                        == (piece.guided, piece.rounds, HalfState::Unknown, piece.resent) =>
            {
                rest.lines.start = piece.lines.start;
            }
            _ => self.0.push(piece),
        }
    }

    /// Puts a piece back as the lines before a line, this line, and the lines behind it.
    pub fn isolate(&mut self, piece: &Piece, line: usize) {
        let Range { start, end } = piece.lines;
        for part in [line + 1..end, line..line + 1, start..line] {
            if !part.is_empty() {
                self.0.push(Piece { lines: part, half: HalfState::Unknown, ..*piece });
            }
        }
    }

    /// Puts a piece back as two halves.
    pub fn halve(&mut self, piece: Piece, half: HalfState, evidence: &Evidence) {
        let count = piece.open(evidence).count();
        let Some(middle) = piece.open(evidence).nth(count.div_ceil(2)) else {
            return self.put_back(Piece { half: HalfState::Unknown, ..piece });
        };
        let Piece { lines, guided, .. } = piece;
        self.0.push(Piece { guided, ..Piece::new(middle..lines.end) });
        self.0.push(Piece { guided, half, ..Piece::new(lines.start..middle) });
    }
}
