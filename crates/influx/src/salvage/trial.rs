//! Finds out which of some suspected lines are refused, by requests of their own.
//!
//! Suspects are in order of time, and what is refused of them are whole shards: runs of neighbours. An answer counts those of one
//! shard, so that a half that drops fewer than the whole did tells where the run lies.

use super::evidence::Evidence;
use super::proof::Proof;
use super::suspects::{Suspect, fits_line, middle};
use super::{Refusal, RefusedAt};
use crate::lines::{Lines, Size};
use crate::reading::Complaint;

#[derive(Debug)]
pub(super) struct Trial {
    /// What is left to do; the last one is next.
    steps: Vec<Step>,
    sent: Option<Step>,
}

#[derive(Debug)]
enum Step {
    /// All of them in one request.
    Together(Vec<Suspect>),
    /// The first part of lines of which some are refused, `dropped` of them by the words of the answer.
    Part { first: Vec<Suspect>, rest: Vec<Suspect>, dropped: Option<usize> },
    /// A run, between lines that are not refused if it is there.
    Run { run: Vec<Suspect>, around: [Vec<Suspect>; 2] },
    /// The first alone of lines that are all refused by the words of an answer.
    Alone(Vec<Suspect>, Complaint),
}

impl Trial {
    /// Of suspects by time.
    pub fn new() -> Self {
        Self { steps: Vec::new(), sent: None }
    }

    /// Lines of which nobody said yet whether they are refused.
    pub fn add(&mut self, suspects: Vec<Suspect>) {
        if !suspects.is_empty() {
            self.steps.push(Step::Together(suspects));
        }
    }

    /// Lines of which some are refused, by an answer about them and others.
    pub fn add_refused(&mut self, mut suspects: Vec<Suspect>, dropped: Option<usize>) {
        if suspects.len() > 1 && dropped.is_some_and(|dropped| dropped >= suspects.len()) {
            // Probably all of them, of which one has to be refused alone.
            let rest = suspects.split_off(1);
            self.add(rest);
            self.add(suspects);
        } else {
            self.part(suspects, dropped);
        }
    }

    /// Lines that are all refused by the words of an answer about them.
    pub fn add_all_refused(&mut self, suspects: Vec<Suspect>, complaint: Complaint, evidence: &mut Evidence) {
        match evidence.proof(&complaint) {
            Some(why) => evidence.refuse_all(suspects, &complaint, &why),
            None if suspects.is_empty() => {}
            None => self.steps.push(Step::Alone(suspects, complaint)),
        }
    }

    pub fn is_over(&self) -> bool {
        self.steps.is_empty()
    }

    /// The lines of the next request; none when the trial is over.
    pub fn next(&mut self, lines: &Lines, size: Size, evidence: &mut Evidence) -> Option<Vec<usize>> {
        let mut step = self.steps.pop()?;
        let fits = |suspects: &[Suspect]| fitting(suspects, lines, size);
        let count = match &mut step {
            Step::Alone(..) => 1,
            Step::Together(suspects) => {
                let rest = suspects.split_off(fits(suspects));
                self.add(rest);
                suspects.len()
            }
            Step::Part { first, rest, .. } => {
                let mut beyond = first.split_off(fits(first));
                beyond.append(rest);
                *rest = beyond;
                first.len()
            }
            Step::Run { run, .. } if fits(run) < run.len() => {
                self.steps.push(step);
                self.give_up_run(evidence);
                return self.next(lines, size, evidence);
            }
            Step::Run { run, .. } => run.len(),
        };
        let (Step::Together(tried)
        | Step::Part { first: tried, .. }
        | Step::Run { run: tried, .. }
        | Step::Alone(tried, _)) = &step;
        let mut picked: Vec<usize> = tried.iter().take(count).map(|suspect| suspect.line as usize).collect();
        picked.sort_unstable();
        self.sent = Some(step);
        Some(picked)
    }

    /// The request was stored: in their place its lines will be again.
    pub fn stored(&mut self, evidence: &mut Evidence) {
        match self.sent.take() {
            Some(Step::Part { rest, dropped, .. }) => self.part(rest, dropped),
            Some(step @ Step::Run { .. }) => {
                self.steps.push(step);
                self.give_up_run(evidence);
            }
            // Were the words about those that are refused wrong, the order of the batch settles the others.
            Some(Step::Together(_) | Step::Alone(..)) | None => {}
        }
    }

    /// The request was too large.
    pub fn too_large(&mut self, lines: &Lines, why: &str, at: RefusedAt, evidence: &mut Evidence) {
        let mut alone = |suspects: &[Suspect]| {
            if let [alone, ..] = suspects {
                evidence.too_large_alone(lines, alone.line as usize, why, at);
            }
        };
        match self.sent.take() {
            Some(Step::Alone(mut suspects, complaint)) => {
                let rest = suspects.split_off(suspects.len().min(1));
                alone(&suspects);
                self.add_all_refused(rest, complaint, evidence);
            }
            Some(Step::Together(suspects)) if suspects.len() == 1 => alone(&suspects),
            Some(Step::Part { first, rest, dropped }) if first.len() == 1 => {
                alone(&first);
                self.part(rest, dropped);
            }
            // A smaller size holds from now on.
            Some(step) => self.steps.push(step),
            None => {}
        }
    }

    /// Lines of the request were refused.
    pub fn refused(&mut self, lines: &Lines, refusal: Refusal<'_>, evidence: &mut Evidence) {
        match self.sent.take() {
            Some(Step::Together(suspects)) => self.judge(lines, suspects, refusal, evidence),
            Some(Step::Part { first, rest, dropped }) => {
                let here = evidence.dropped(refusal.reading);
                let run = run(&first, &rest, here, dropped).filter(|_| evidence.has_runs);
                if let Some((before, after)) = run {
                    self.seek_run(first, rest, before, after);
                } else {
                    self.add(rest);
                    self.judge(lines, first, refusal, evidence);
                }
            }
            Some(Step::Run { run, around }) => {
                if evidence.dropped(refusal.reading) != Some(run.len()) {
                    evidence.has_runs = false;
                    for lines in around {
                        self.add(lines);
                    }
                }
                self.judge(lines, run, refusal, evidence);
            }
            Some(Step::Alone(mut suspects, complaint)) => {
                let rest = suspects.split_off(suspects.len().min(1));
                let proof = refuse_first(lines, &suspects, refusal, evidence);
                let is_same = proof != Proof::None && refusal.reading.complaint().is_kin(&complaint);
                if is_same && evidence.stands(&complaint) {
                    let why = evidence.reason(refusal.why);
                    evidence.refuse_all(rest, &complaint, &why);
                    evidence.prove(complaint, &why);
                } else {
                    self.add(rest);
                }
            }
            None => {}
        }
    }

    /// Lines of a request that was refused.
    fn judge(
        &mut self,
        lines: &Lines,
        suspects: Vec<Suspect>,
        refusal: Refusal<'_>,
        evidence: &mut Evidence,
    ) {
        if suspects.len() == 1 {
            refuse_first(lines, &suspects, refusal, evidence);
            return;
        }
        let complaint = refusal.reading.complaint();
        match evidence.dropped(refusal.reading) {
            // A count proves nothing where the words that go with it are not known.
            Some(dropped) if dropped == suspects.len() && complaint != Complaint::Other => {
                // The count is about all of them, the cause only about those that it fits.
                let (fitting, others): (Vec<Suspect>, Vec<Suspect>) =
                    suspects.into_iter().partition(|suspect| may_be_about(lines, suspect, &complaint));
                if fitting.is_empty() {
                    self.part(others, None);
                } else {
                    self.add(others);
                    self.add_all_refused(fitting, complaint, evidence);
                }
            }
            dropped => {
                let dropped = dropped.filter(|dropped| *dropped != suspects.len());
                self.part(suspects, dropped);
            }
        }
    }

    /// Goes on with the first part of lines of which some are refused.
    fn part(&mut self, mut suspects: Vec<Suspect>, dropped: Option<usize>) {
        if suspects.len() < 2 || dropped == Some(suspects.len()) {
            return self.add(suspects);
        }
        let rest = suspects.split_off(middle(&suspects));
        self.steps.push(Step::Part { first: suspects, rest, dropped });
    }

    /// A run of the last `before` lines of one part and the first `after` of the next.
    fn seek_run(&mut self, mut first: Vec<Suspect>, mut rest: Vec<Suspect>, before: usize, after: usize) {
        let mut run = first.split_off(first.len().saturating_sub(before));
        let behind = rest.split_off(after);
        run.append(&mut rest);
        self.steps.push(Step::Run { run, around: [first, behind] });
    }

    /// The run is not where it should be.
    fn give_up_run(&mut self, evidence: &mut Evidence) {
        evidence.has_runs = false;
        if let Some(Step::Run { run, around: [before, after] }) = self.steps.pop() {
            for lines in [after, run, before] {
                self.add(lines);
            }
        }
    }
}

/// How much of a run lies in each part, if it lies in both: the first part, though not all of it, dropped fewer lines than both.
fn run(
    first: &[Suspect],
    rest: &[Suspect],
    here: Option<usize>,
    in_all: Option<usize>,
) -> Option<(usize, usize)> {
    let (here, in_all) = (here?, in_all?);
    let beyond = in_all.checked_sub(here).filter(|beyond| *beyond > 0)?;
    (here < first.len() && beyond <= rest.len()).then_some((here, beyond))
}

/// The first was refused alone.
fn refuse_first(lines: &Lines, suspects: &[Suspect], refusal: Refusal<'_>, evidence: &mut Evidence) -> Proof {
    let [first, ..] = suspects else { return Proof::None };
    // The server may have said something of this line before, in fewer words.
    let why = first.why.as_deref().unwrap_or(refusal.why);
    evidence.refused_alone(lines, first.line as usize, Refusal { why, ..refusal })
}

/// Whether a complaint about several lines may be about this one.
fn may_be_about(lines: &Lines, suspect: &Suspect, complaint: &Complaint) -> bool {
    match complaint {
        // A limit is about whole series, which no answer names in full, and refuses nothing.
        Complaint::Limit(_) => true,
        _ => fits_line(lines.line(suspect.line as usize), complaint),
    }
}

/// How many of the first suspects a request may hold; one always may.
fn fitting(suspects: &[Suspect], lines: &Lines, size: Size) -> usize {
    let mut bytes = 0;
    let fits = |suspect: &&Suspect| {
        bytes += lines.line(suspect.line as usize).len();
        bytes <= size.bytes_max
    };
    suspects.iter().take(size.lines_max).take_while(fits).count().max(1)
}
