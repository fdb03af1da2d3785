//! From the answer to a refused piece to a trial of the lines that it is about.

use super::evidence::Evidence;
use super::numbered_lines;
use super::pieces::Piece;
use super::proof::shows;
use super::refusal::RefusedRequest;
use super::suspects::{self, Suspect};
use super::trial::SuspectTrial;
use crate::dialects::LineEvidence;
use crate::lines::Lines;
use crate::parsed_answer::{RefusalCause, line_subject, may_forge_quotes, quotes};

/// Lines that are tried alone after one answer, because they show the cause that it names without a line.
const SHOWN_MAX: usize = 100;

/// The trial of the lines that an answer leads to; `None` if it leads to none.
pub fn trial(
    lines: &Lines,
    piece: &Piece,
    refusal: RefusedRequest<'_>,
    evidence: &mut Evidence,
) -> Option<SuspectTrial> {
    if !refusal.parsed.numbered.is_empty() {
        return numbered_lines::trial(lines, piece, refusal, evidence);
    }
    let mut trial = SuspectTrial::new();
    let cause = refusal.parsed.refusal_cause();
    match cause {
        RefusalCause::Unparsable => {
            let quoted = quoted(lines, piece, refusal, evidence);
            let leads = !quoted.is_empty();
            trial.add_all_refused(quoted, cause, evidence);
            return leads.then_some(trial);
        }
        RefusalCause::Named(_) => {
            let (_, named) = line_subject(&refusal.parsed.message);
            // A line of a conflict that is stored alone, before lines that stand before it, would fix the type of a new column.
            let named = named.filter(|named| !matches!(named.evidence, LineEvidence::ColumnType { .. }));
            let shown = piece.open(evidence).filter(|&index| {
                named.is_some_and(|named| shows(lines.line(index), named, &refusal.parsed.message))
            });
            let shown: Vec<usize> = shown.take(SHOWN_MAX).collect();
            let leads = !shown.is_empty();
            let alone = |line: usize| vec![Suspect { line: line as u32, time: None, why: None }];
            shown.into_iter().rev().for_each(|line| trial.add(alone(line)));
            return leads.then_some(trial);
        }
        _ => {}
    }
    let count = piece.open(evidence).count();
    let dropped = evidence.dropped(refusal.parsed);
    let suspects = suspects_in(lines, piece, &cause, (dropped, count), evidence);
    // Without a count only a request for each line proves its refusal, so halves are as good.
    if suspects.is_empty() || (dropped.is_none() && suspects.len() > count / 2) {
        return None;
    }
    let behind = suspects_behind(lines, piece, &cause, suspects.last(), evidence);
    if dropped == Some(count) {
        trial.add(behind);
        trial.add_all_counted(lines, suspects, cause, evidence);
    } else if behind.is_empty() {
        trial.add_refused(suspects, dropped);
    } else {
        // A shard continues behind the piece, which was halved without regard to time.
        trial.add_refused(suspects::by_time(suspects.into_iter().chain(behind)), None);
    }
    Some(trial)
}

/// The lines of a piece that a cause fits. `dropped` of the piece's `count` lines were dropped.
fn suspects_in(
    lines: &Lines,
    piece: &Piece,
    cause: &RefusalCause,
    (dropped, count): (Option<usize>, usize),
    evidence: &Evidence,
) -> Vec<Suspect> {
    let mut suspects = suspects::that_fit(lines, piece.open(evidence), cause);
    if *cause == RefusalCause::Retention {
        // A bound in time would not do: beside a newer line of its shard, InfluxDB takes an older one.
        // An answer without a count leads to no suspects here.
        suspects.truncate(dropped.unwrap_or(0));
    }
    if matches!(cause, RefusalCause::Limit(_)) && dropped == Some(count) {
        return suspects::all(lines, piece.open(evidence));
    }
    suspects
}

/// Lines behind the piece that the cause fits too: trying them now is cheaper than piece by piece.
fn suspects_behind(
    lines: &Lines,
    piece: &Piece,
    cause: &RefusalCause,
    last: Option<&Suspect>,
    evidence: &Evidence,
) -> Vec<Suspect> {
    let behind = Piece { lines: piece.lines.end..lines.len(), ..piece.clone() };
    let mut suspects = suspects::that_fit(lines, behind.open(evidence), cause);
    if *cause == RefusalCause::Retention {
        let youngest = last.and_then(|suspect| suspect.time);
        suspects.retain(|suspect| suspect.time <= youngest);
    }
    suspects
}

/// The lines of a piece that an answer quotes.
fn quoted(
    lines: &Lines,
    piece: &Piece,
    refusal: RefusedRequest<'_>,
    evidence: &mut Evidence,
) -> Vec<Suspect> {
    if piece.lines.clone().any(|index| may_forge_quotes(lines.line(index))) {
        return Vec::new();
    }
    let quotes = quotes(&refusal.parsed.message, refusal.answer.is_cut);
    let open: Vec<usize> = piece.open(evidence).collect();
    suspects::that_are_quoted(lines, &open, &quotes, |why| {
        let why = format!("{}: unable to parse: {why}", refusal.answer.status);
        evidence.reason(&refusal.answer.shown(&why))
    })
}
