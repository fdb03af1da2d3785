//! Takes out lines that an answer names by number, in the server's own words.
//!
//! A line that an answer names is refused if its text shows the cause: then number and cause agree, and no request was cut or changed on
//! its way. Other named lines are tried alone. The lines that are not named are sent again, and count as stored at their 204.
//!
//! In InfluxDB 3 the type of a column is that of its table. So if an answer names only the first bad line, and this line shows a conflict
//! of types that no line before it has, the lines behind it with the same conflict are refused with it.
//!
//! InfluxDB 3 refuses a request within milliseconds and takes up to a second to store one. So the named lines cost no request that stores
//! anything, and the others are sent again together.

use super::column_conflicts;
use super::evidence::Evidence;
use super::pieces::Piece;
use super::proof::shows;
use super::refusal::RefusedRequest;
use super::suspects::{Suspect, that_fit};
use super::trial::SuspectTrial;
use crate::dialects::{LimitScope, LineEvidence};
use crate::lines::Lines;
use crate::parsed_answer::{AnswerSubject, RefusalCause, line_subject};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Named lines that are tried alone after one answer. If a server names many lines that do not show the cause, its numbers may be wrong.
const TRIED_MAX: usize = 8;

/// The trial of the named lines whose text does not show the cause; the others are taken out. `None` if the answer leads to no line.
pub fn trial(
    lines: &Lines,
    piece: &Piece,
    refusal: RefusedRequest<'_>,
    evidence: &mut Evidence,
) -> Option<SuspectTrial> {
    let open: Vec<usize> = piece.open(evidence).collect();
    if open.iter().any(|&index| is_skipped(lines.line(index))) {
        return None;
    }
    let RefusedRequest { answer, parsed, .. } = refusal;
    let mut subjects = BTreeMap::new();
    let (mut tried, mut is_leading) = (Vec::new(), false);
    for named in &parsed.numbered {
        let index = named.number.checked_sub(1).and_then(|number| open.get(number));
        let Some(&index) = index.filter(|&&index| !evidence.is_out(index)) else { continue };
        is_leading = true;
        let message = named.why.as_deref().unwrap_or(&parsed.message);
        let (subject, cause) = subjects.entry(message).or_insert_with(|| line_subject(message));
        let reason = |evidence: &mut Evidence| {
            evidence.reason(&answer.shown(&format!("{}: {message}", answer.status)))
        };
        match (&*subject, cause) {
            (AnswerSubject::Limit(limit), _) if limit.scope == LimitScope::Lines => {
                let why = reason(evidence);
                evidence.keep_out(index, limit, why);
            }
            (AnswerSubject::Line(RefusalCause::Named(_)), Some(cause))
                if shows(lines.line(index), cause, message) =>
            {
                let why = reason(evidence);
                if parsed.numbered.len() == 1
                    && !parsed.is_list
                    && matches!(cause.evidence, LineEvidence::ColumnType { is_of_table: true, .. })
                {
                    refuse_like(lines, &open, index, message, &why, evidence);
                }
                evidence.refuse(index, why);
            }
            _ => tried.push(Suspect { line: index as u32, time: None, why: None }),
        }
    }
    // An answer may name a line twice, and the second time with a cause that settles it.
    let mut seen = BTreeSet::new();
    tried.retain(|suspect: &Suspect| !evidence.is_out(suspect.line as usize) && seen.insert(suspect.line));
    let mut trial = SuspectTrial::new();
    tried.truncate(TRIED_MAX);
    // The last one that is added is tried first.
    tried.into_iter().rev().for_each(|suspect| trial.add(vec![suspect]));
    is_leading.then_some(trial)
}

/// Refuses the open lines behind a line that have its conflict. An answer that names only the first bad line would else come once for each
/// of them, and the whole request before it.
fn refuse_like(
    lines: &Lines,
    open: &[usize],
    line: usize,
    message: &str,
    why: &Arc<str>,
    evidence: &mut Evidence,
) {
    let Some(cause) = column_conflicts::conflict(lines.line(line), message) else { return };
    let fitting = that_fit(lines, open.iter().copied().filter(|&index| !evidence.is_out(index)), &cause);
    let (before, behind): (Vec<Suspect>, Vec<Suspect>) = fitting
        .into_iter()
        .filter(|suspect| suspect.line as usize != line)
        .partition(|suspect| (suspect.line as usize) < line);
    // A line before it would have been named instead.
    if before.is_empty() {
        evidence.refuse_all(behind, &cause, why);
    }
}

/// Whether a server gives the line no number: a comment or a blank line. The bridge writes neither.
fn is_skipped(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    line.is_empty() || line.starts_with(b"#")
}
