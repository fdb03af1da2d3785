//! Finds out which suspected lines are refused, by requests of their own.
//!
//! Suspects are in order of time. The refused ones among them are whole shards: runs of neighbours. An answer counts the lines of one
//! shard, so a half that drops fewer lines than the whole shows where the run is.

use super::evidence::Evidence;
use super::proof::Proof;
use super::refusal::{RefusedAt, RefusedRequest};
use super::suspects::{Suspect, fits_line, middle};
use crate::lines::{Lines, RequestSize};
use crate::parsed_answer::RefusalCause;

#[derive(Debug)]
pub struct SuspectTrial {
    /// Outstanding requests; the last one is next.
    steps: Vec<TrialStep>,
    sent: Option<TrialStep>,
}

#[derive(Debug)]
enum TrialStep {
    /// All suspects in one request.
    Together(Vec<Suspect>),
    /// The first part of lines among which some are refused; the answer counted `dropped`.
    Part { first: Vec<Suspect>, rest: Vec<Suspect>, dropped: Option<usize> },
    /// A run of refused lines. If the run is right, the lines around it are not refused.
    Run { run: Vec<Suspect>, around: [Vec<Suspect>; 2] },
    /// The first line alone, of lines that are all refused according to an answer.
    Alone(Vec<Suspect>, RefusalCause),
}

impl SuspectTrial {
    pub fn new() -> Self {
        Self { steps: Vec::new(), sent: None }
    }

    /// Adds lines that may be refused.
    pub fn add(&mut self, suspects: Vec<Suspect>) {
        if !suspects.is_empty() {
            self.steps.push(TrialStep::Together(suspects));
        }
    }

    /// Adds lines among which some are refused, according to an answer about them and other lines.
    pub fn add_refused(&mut self, mut suspects: Vec<Suspect>, dropped: Option<usize>) {
        if suspects.len() > 1 && dropped.is_some_and(|dropped| dropped >= suspects.len()) {
            // Probably all are refused; one of them has to be refused alone.
            let rest = suspects.split_off(1);
            self.add(rest);
            self.add(suspects);
        } else {
            self.part(suspects, dropped);
        }
    }

    /// Adds lines that are all refused according to an answer that counts them. The count is about all lines, the cause only about the
    /// lines that it fits: the others are tried.
    pub fn add_all_counted(
        &mut self,
        lines: &Lines,
        suspects: Vec<Suspect>,
        cause: RefusalCause,
        evidence: &mut Evidence,
    ) {
        let (fitting, others): (Vec<Suspect>, Vec<Suspect>) =
            suspects.into_iter().partition(|suspect| may_be_about(lines, suspect, &cause));
        if fitting.is_empty() {
            self.part(others, None);
        } else {
            self.add(others);
            self.add_all_refused(fitting, cause, evidence);
        }
    }

    /// Adds lines that are all refused according to an answer about them.
    pub fn add_all_refused(&mut self, suspects: Vec<Suspect>, cause: RefusalCause, evidence: &mut Evidence) {
        match evidence.proof(&cause) {
            Some(why) => evidence.refuse_all(suspects, &cause, &why),
            None if suspects.is_empty() => {}
            None => self.steps.push(TrialStep::Alone(suspects, cause)),
        }
    }

    pub fn is_over(&self) -> bool {
        self.steps.is_empty()
    }

    /// The lines of the next request; `None` when the trial is over.
    pub fn next(&mut self, lines: &Lines, size: RequestSize, evidence: &mut Evidence) -> Option<Vec<usize>> {
        let mut step = self.steps.pop()?;
        let fits = |suspects: &[Suspect]| fitting(suspects, lines, size);
        let count = match &mut step {
            TrialStep::Alone(..) => 1,
            TrialStep::Together(suspects) => {
                let rest = suspects.split_off(fits(suspects));
                self.add(rest);
                suspects.len()
            }
            TrialStep::Part { first, rest, .. } => {
                let mut beyond = first.split_off(fits(first));
                beyond.append(rest);
                *rest = beyond;
                first.len()
            }
            TrialStep::Run { run, .. } if fits(run) < run.len() => {
                self.steps.push(step);
                self.give_up_run(evidence);
                return self.next(lines, size, evidence);
            }
            TrialStep::Run { run, .. } => run.len(),
        };
        let (TrialStep::Together(tried)
        | TrialStep::Part { first: tried, .. }
        | TrialStep::Run { run: tried, .. }
        | TrialStep::Alone(tried, _)) = &step;
        let mut picked: Vec<usize> = tried.iter().take(count).map(|suspect| suspect.line as usize).collect();
        picked.sort_unstable();
        self.sent = Some(step);
        Some(picked)
    }

    /// The request was stored. Its lines are sent again at their position.
    pub fn stored(&mut self, evidence: &mut Evidence) {
        match self.sent.take() {
            Some(TrialStep::Part { rest, dropped, .. }) => self.part(rest, dropped),
            Some(step @ TrialStep::Run { .. }) => {
                self.steps.push(step);
                self.give_up_run(evidence);
            }
            // The answer was wrong about these lines; they are settled in the batch's order.
            Some(TrialStep::Together(_) | TrialStep::Alone(..)) | None => {}
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
            Some(TrialStep::Alone(mut suspects, cause)) => {
                let rest = suspects.split_off(suspects.len().min(1));
                alone(&suspects);
                self.add_all_refused(rest, cause, evidence);
            }
            Some(TrialStep::Together(suspects)) if suspects.len() == 1 => alone(&suspects),
            Some(TrialStep::Part { first, rest, dropped }) if first.len() == 1 => {
                alone(&first);
                self.part(rest, dropped);
            }
            // The next request is smaller.
            Some(step) => self.steps.push(step),
            None => {}
        }
    }

    /// Lines of the request were refused.
    pub fn refused(&mut self, lines: &Lines, refusal: RefusedRequest<'_>, evidence: &mut Evidence) {
        match self.sent.take() {
            Some(TrialStep::Together(suspects)) => self.judge(lines, suspects, refusal, evidence),
            Some(TrialStep::Part { first, rest, dropped }) => {
                let here = evidence.dropped(refusal.parsed);
                let run = run(&first, &rest, here, dropped).filter(|_| evidence.has_runs);
                if let Some((before, after)) = run {
                    self.seek_run(first, rest, before, after);
                } else {
                    self.add(rest);
                    self.judge(lines, first, refusal, evidence);
                }
            }
            Some(TrialStep::Run { run, around }) => {
                if evidence.dropped(refusal.parsed) != Some(run.len()) {
                    evidence.has_runs = false;
                    for lines in around {
                        self.add(lines);
                    }
                }
                self.judge(lines, run, refusal, evidence);
            }
            Some(TrialStep::Alone(mut suspects, cause)) => {
                let rest = suspects.split_off(suspects.len().min(1));
                let proof = refuse_first(lines, &suspects, refusal, evidence);
                let is_same = proof != Proof::None && refusal.parsed.refusal_cause().is_kin(&cause);
                if is_same && evidence.stands(&cause) {
                    let why = evidence.reason(refusal.why);
                    evidence.refuse_all(rest, &cause, &why);
                    evidence.prove(cause, &why);
                } else {
                    self.add(rest);
                }
            }
            None => {}
        }
    }

    /// Decides how to continue with the lines of a request that was refused.
    fn judge(
        &mut self,
        lines: &Lines,
        suspects: Vec<Suspect>,
        refusal: RefusedRequest<'_>,
        evidence: &mut Evidence,
    ) {
        if suspects.len() == 1 {
            refuse_first(lines, &suspects, refusal, evidence);
            return;
        }
        let cause = refusal.parsed.refusal_cause();
        match evidence.dropped(refusal.parsed) {
            // A count proves nothing if its message is not known.
            Some(dropped) if dropped == suspects.len() && cause != RefusalCause::Other => {
                self.add_all_counted(lines, suspects, cause, evidence);
            }
            dropped => {
                let dropped = dropped.filter(|dropped| *dropped != suspects.len());
                self.part(suspects, dropped);
            }
        }
    }

    /// Continues with the first part of lines among which some are refused.
    fn part(&mut self, mut suspects: Vec<Suspect>, dropped: Option<usize>) {
        if suspects.len() < 2 || dropped == Some(suspects.len()) {
            return self.add(suspects);
        }
        let rest = suspects.split_off(middle(&suspects));
        self.steps.push(TrialStep::Part { first: suspects, rest, dropped });
    }

    /// Tries a run: the last `before` lines of one part and the first `after` lines of the next.
    fn seek_run(&mut self, mut first: Vec<Suspect>, mut rest: Vec<Suspect>, before: usize, after: usize) {
        let mut run = first.split_off(first.len().saturating_sub(before));
        let behind = rest.split_off(after);
        run.append(&mut rest);
        self.steps.push(TrialStep::Run { run, around: [first, behind] });
    }

    /// Tries the lines of a run and around it without assuming a run, because it was not where it should be.
    fn give_up_run(&mut self, evidence: &mut Evidence) {
        evidence.has_runs = false;
        if let Some(TrialStep::Run { run, around: [before, after] }) = self.steps.pop() {
            for lines in [after, run, before] {
                self.add(lines);
            }
        }
    }
}

/// How many lines of a run are in each part, if the run is in both: the first part dropped fewer lines than both together, and not all of
/// its own.
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

/// Records that the first suspect was refused alone.
fn refuse_first(
    lines: &Lines,
    suspects: &[Suspect],
    refusal: RefusedRequest<'_>,
    evidence: &mut Evidence,
) -> Proof {
    let [first, ..] = suspects else { return Proof::None };
    // An earlier answer may have given a reason for this very line.
    let why = first.why.as_deref().unwrap_or(refusal.why);
    evidence.refused_alone(lines, first.line as usize, RefusedRequest { why, ..refusal })
}

/// Whether a cause about several lines may be about this one.
fn may_be_about(lines: &Lines, suspect: &Suspect, cause: &RefusalCause) -> bool {
    match cause {
        // A limit is about whole series, which no answer names in full; it refuses nothing.
        RefusalCause::Limit(_) => true,
        _ => fits_line(lines.line(suspect.line as usize), cause),
    }
}

/// Number of first suspects that fit into a request; at least one.
fn fitting(suspects: &[Suspect], lines: &Lines, size: RequestSize) -> usize {
    let mut bytes = 0;
    let fits = |suspect: &&Suspect| {
        bytes += lines.line(suspect.line as usize).len();
        bytes <= size.bytes_max
    };
    suspects.iter().take(size.lines_max).take_while(fits).count().max(1)
}
