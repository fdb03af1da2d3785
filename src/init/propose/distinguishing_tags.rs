//! Proposes tags that keep points apart: identifiers, if points of the sample have the series and the time of another point.

use super::super::key::Key;
use super::super::proposal::NewTag;
use super::super::{Shape, names};
use super::{Candidate, Proposal, Sample, Trial};
use base::text::grouped;

/// Values that are tried as a tag, each time. Each maps the sample once.
const TRIED_MAX: usize = 12;
/// An index that makes more series than this of one is that of a list of values, and no identity.
const INDICES_MAX: u64 = 100;
/// Tags that are added. Real records need one for each level of nested lists.
const ADDED_MAX: usize = 4;

/// A tag that keeps points apart.
pub struct Tag<'p> {
    pub source: NewTag,
    /// None for an index.
    pub key: Option<&'p Key>,
    pub why: String,
}

/// The tags with which the fewest points of the sample overwrite each other, or are alike.
pub fn tags<'p>(
    proposal: &Proposal,
    candidates: &[Candidate<'p>],
    shape: &Shape,
    sample: &Sample,
) -> Vec<Tag<'p>> {
    let (mut proposal, mut added) = (proposal.clone(), Vec::new());
    let trial = |proposal: &Proposal| Trial::of_proposal(proposal, sample);
    let Some((mut before, mut series)) = trial(&proposal).map(|trial| (trial.mistaken(), trial.series()))
    else {
        return added;
    };
    let mut tried: Vec<(NewTag, String, Option<&Key>)> = candidates
        .iter()
        .filter(|candidate| may_identify(candidate))
        .map(|candidate| {
            let selector = candidate.selector().unwrap_or_else(|| candidate.key.pattern.clone());
            (candidate.tag(), selector, Some(candidate.key))
        })
        .filter(|(_, selector, _)| !proposal.names(selector))
        .collect();
    tried.sort_by_key(|(_, _, key)| key.is_some_and(|key| !names::may_identify(key.name())));
    tried.truncate(TRIED_MAX);
    // An index keeps points apart where no value does, as long as its list keeps its order.
    for (level, selector) in shape.indices().into_iter().enumerate() {
        let tag = match level {
            0 if shape.names().is_empty() => NewTag::Key(selector.clone()),
            0 => NewTag::Named("index".to_owned(), selector.clone()),
            _ => NewTag::Named(format!("index_{level}"), selector.clone()),
        };
        tried.push((tag, selector, None));
    }
    while before > 0 && added.len() < ADDED_MAX {
        let with_tag = |(place, (tag, selector, key)): (usize, &(NewTag, String, Option<&'p Key>))| {
            let mut with = proposal.clone();
            let why = format!(
                "- {selector:?}: without it, {} of the sample cannot be distinguished from another point",
                if before == 1 { "1 point".to_owned() } else { format!("{} points", grouped(before)) }
            );
            with.add_tag(tag, why.clone());
            let trial = trial(&with)?;
            let is_good = key.is_some() || trial.series() <= series.saturating_mul(INDICES_MAX);
            (is_good && trial.mistaken() < before).then_some((trial, place, with, why))
        };
        let best = tried.iter().enumerate().filter_map(with_tag).min_by_key(|(trial, ..)| trial.mistaken());
        let Some((trial, place, with, why)) = best else { break };
        let (tag, _, key) = tried.remove(place);
        added.push(Tag { source: tag, key, why });
        (proposal, before, series) = (with, trial.mistaken(), trial.series());
    }
    added
}

/// Whether a value may identify what is measured: a name, or a whole number with the name of an identifier or of a place.
fn may_identify(candidate: &Candidate<'_>) -> bool {
    let key = candidate.key;
    let name = key.name();
    let is_reachable = candidate.is_outside() || !key.is_indexed();
    let is_whole = key.fractions + key.booleans == 0 && !key.is_time && !names::is_time(name);
    let is_name = key.texts > 0 && key.numbers() == 0 && !key.has_prose && !names::is_state(name);
    is_reachable
        && is_whole
        && key.values_count() > 0
        && !names::is_record_identifier(name)
        && (is_name || names::may_identify(name))
}
