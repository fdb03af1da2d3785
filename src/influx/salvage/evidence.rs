//! What is known of a batch's refused lines: which they are, why, and what their answers taught.

use super::complaint::{Complaint, Report};
use super::suspects::Suspect;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Distinct reasons kept for one batch, so that a batch of refused lines holds less memory than its lines did.
const REASONS_MAX: usize = 256;
const REASON_BEYOND: &str = "refused by InfluxDB; too many reasons in one batch to keep each";

/// Complaints kept as proven. Each beyond them costs a request more, no line.
const PROVEN_MAX: usize = 256;

/// A line that InfluxDB does not take: it was refused alone, or for the same as one that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its index in the batch.
    pub line: usize,
    /// InfluxDB's words, harmless.
    pub why: Arc<str>,
}

#[derive(Debug)]
pub(super) struct Evidence {
    refused: Vec<Refused>,
    /// By line; empty while there are none, which is nearly always.
    is_refused: Vec<bool>,
    reasons: BTreeSet<Arc<str>>,
    /// Complaints for which a line was refused alone, with the words for others of the kind.
    proven: Vec<(Complaint, Arc<str>)>,
    /// Until `dropped=` is another number than one for a line alone.
    counts_lines: bool,
    /// Whether refused lines are looked for as runs in time: until one is not where it should be.
    pub has_runs: bool,
}

impl Evidence {
    pub fn new() -> Self {
        Self {
            refused: Vec::new(),
            is_refused: Vec::new(),
            reasons: BTreeSet::new(),
            proven: Vec::new(),
            counts_lines: true,
            has_runs: true,
        }
    }

    pub fn len(&self) -> usize {
        self.refused.len()
    }

    pub fn is_refused(&self, line: usize) -> bool {
        self.is_refused.get(line).is_some_and(|refused| *refused)
    }

    /// By line.
    pub fn into_refused(mut self) -> Vec<Refused> {
        self.refused.sort_unstable_by_key(|refused| refused.line);
        self.refused
    }

    /// Once for each line.
    pub fn refuse(&mut self, line: usize, why: Arc<str>) {
        if self.is_refused.len() <= line {
            self.is_refused.resize(line + 1, false);
        }
        match self.is_refused.get_mut(line) {
            Some(refused) if !*refused => *refused = true,
            _ => return,
        }
        self.refused.push(Refused { line, why });
    }

    /// Each for what was said of it, or else for this.
    pub fn refuse_all(&mut self, suspects: Vec<Suspect>, why: &Arc<str>) {
        for suspect in suspects {
            self.refuse(suspect.line as usize, suspect.why.unwrap_or_else(|| Arc::clone(why)));
        }
    }

    /// A reason, each kept once.
    pub fn reason(&mut self, why: &str) -> Arc<str> {
        if let Some(known) = self.reasons.get(why) {
            return Arc::clone(known);
        }
        let kept: Arc<str> = if self.reasons.len() < REASONS_MAX { why.into() } else { REASON_BEYOND.into() };
        self.reasons.insert(Arc::clone(&kept));
        kept
    }

    /// A request of one line was refused: notes what the answer is worth.
    pub fn note_alone(&mut self, report: &Report) {
        self.counts_lines &= report.dropped.is_none_or(|dropped| dropped == 1);
    }

    /// How many of a request's lines were dropped, at least.
    pub fn dropped(&self, report: &Report) -> Option<usize> {
        report.dropped.filter(|_| self.counts_lines)
    }

    /// Whether words that named several lines as refused for this may still be believed.
    pub fn stands(&self, complaint: &Complaint) -> bool {
        self.counts_lines || *complaint == Complaint::Unparsable
    }

    /// A line was refused alone for this.
    pub fn prove(&mut self, complaint: Complaint, why: &Arc<str>) {
        // Of what is not understood, other lines may have other reasons.
        let is_new = complaint != Complaint::Other && self.proof(&complaint).is_none();
        if is_new && self.proven.len() < PROVEN_MAX {
            self.proven.push((complaint, Arc::clone(why)));
        }
    }

    /// The words with which a line was refused alone for this.
    pub fn proof(&self, complaint: &Complaint) -> Option<Arc<str>> {
        self.proven.iter().find(|(proven, _)| proven == complaint).map(|(_, why)| Arc::clone(why))
    }
}
