//! Proposes tags that keep points apart: identifiers, if points of the sample have the series and the time of another point.

use super::super::key::Key;
use super::super::observe::Observation;
use super::super::proposal::NewTag;
use super::super::{Shape, names, source_names};
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

/// The lists that hold the objects of a sample.
pub struct Lists<'p> {
    pub shape: &'p Shape,
    /// The records, or the objects where these are the records.
    pub whole: &'p Observation,
    /// The selectors of lists of names and values beside the objects, which say what an item of the list around is.
    pub named: Vec<String>,
}

/// How likely a value identifies what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Likely {
    /// By the name of its key.
    ByName,
    /// It is a text, or the number of a part.
    ByKind,
    /// It is another number that numbers the items of each list.
    ByValues,
    /// The index of the object.
    Index,
}

/// A tag that may keep points apart.
struct Tried<'p> {
    tag: NewTag,
    selector: String,
    key: Option<&'p Key>,
    likely: Likely,
}

/// The values of a key in the lists that hold the objects.
struct InLists {
    values: u64,
    distinct: u64,
    longest: usize,
    /// Whether no list has a value twice.
    is_unique: bool,
    /// Whether the value at an index is not always the same.
    differs: bool,
}

impl InLists {
    /// Whether the values identify the items: each is there once in a list, and again in other lists.
    fn identifies(&self) -> bool {
        self.is_unique && self.distinct.saturating_mul(2) <= self.values
    }

    /// Whether these are the numbers of as many items as the longest list has, where the index is not.
    fn numbers_items(&self) -> bool {
        self.identifies() && self.differs && self.longest > 1 && self.distinct <= self.longest as u64
    }
}

impl Lists<'_> {
    /// None: the key was rearranged.
    fn of(&self, key: &Key) -> Option<InLists> {
        let steps = &self.shape.steps;
        let is_key = |other: &&Key| {
            other.segments.len() == steps.len() + key.segments.len()
                && other.segments.ends_with(&key.segments)
                && steps.iter().zip(&other.segments).all(|(step, segment)| step.leads_to(segment))
        };
        let keys: Vec<&Key> = self.whole.keys.iter().filter(is_key).collect();
        keys.first()?;
        let distinct = |key: &&Key| {
            key.different().max(key.distinct_numbers().map_or(u64::MAX, |distinct| distinct as u64))
        };
        Some(InLists {
            values: keys.iter().map(|key| key.values_count()).sum(),
            distinct: keys.iter().map(distinct).max().unwrap_or_default(),
            longest: keys.iter().map(|key| key.longest_list).max().unwrap_or_default(),
            is_unique: keys.iter().all(|key| key.repeats_in_lists + key.numbers_repeated_in_lists == 0),
            differs: keys.iter().any(|key| key.different_in_lists > 0),
        })
    }

    /// The indices that may identify the objects and their parents. The closest is the first.
    fn indices(&self, candidates: &[Candidate<'_>]) -> Vec<(usize, String)> {
        // The producer of an envelope collects its items in any order.
        if !self.shape.own.is_empty() {
            return Vec::new();
        }
        // An index that disagrees with an identity of the items is that of something else in each record.
        let disagrees = |candidate: &Candidate<'_>| {
            let of_items = likely(candidate, self).filter(|_| !candidate.is_outside());
            of_items
                .and_then(|_| self.of(candidate.key))
                .is_some_and(|values| values.identifies() && values.differs && values.longest > 1)
        };
        let is_of_named_items = |selector: &str| {
            let around = selector.trim_end_matches("@key");
            let is_in = |list: &String| {
                list.strip_prefix(around).is_some_and(|rest| !around.is_empty() && !rest.starts_with('^'))
            };
            self.named.iter().any(is_in)
        };
        let indices = self.shape.indices().into_iter().enumerate();
        indices
            .filter(|(level, selector)| {
                let is_refuted = *level == 0 && candidates.iter().any(disagrees);
                !is_of_named_items(selector) && !is_refuted
            })
            .collect()
    }
}

/// The tags with which the fewest points of the sample overwrite each other, or are alike.
pub fn tags<'p>(
    proposal: &Proposal,
    candidates: &[Candidate<'p>],
    lists: &Lists<'_>,
    sample: &Sample,
) -> Vec<Tag<'p>> {
    let (mut proposal, mut added) = (proposal.clone(), Vec::new());
    let trial = |proposal: &Proposal| Trial::of_proposal(proposal, sample);
    let Some((mut before, mut series)) = trial(&proposal).map(|trial| (trial.mistaken(), trial.series()))
    else {
        return added;
    };
    let mut tried = tried(&proposal, candidates, lists);
    while before > 0 && added.len() < ADDED_MAX {
        let with_tag = |(place, tried): (usize, &Tried<'p>)| {
            let mut with = proposal.clone();
            let why = format!(
                "- {:?}: without it, {} of the sample cannot be distinguished from another point",
                tried.selector,
                if before == 1 { "1 point".to_owned() } else { format!("{} points", grouped(before)) }
            );
            with.add_tag(&tried.tag, why.clone());
            let trial = trial(&with)?;
            let is_good = tried.key.is_some() || trial.series() <= series.saturating_mul(INDICES_MAX);
            (is_good && trial.mistaken() < before).then_some((trial, place, with, why))
        };
        let best_of = |is_wanted: &dyn Fn(Likely) -> bool| {
            let wanted = tried.iter().enumerate().filter(|(_, tried)| is_wanted(tried.likely));
            wanted.filter_map(with_tag).min_by_key(|(trial, ..)| trial.mistaken())
        };
        // A number without a name that says so is only better than an index.
        let named = best_of(&|likely| likely <= Likely::ByKind);
        let others = best_of(&|likely| match likely {
            Likely::ByValues => named.is_none(),
            Likely::Index => true,
            Likely::ByName | Likely::ByKind => false,
        });
        let best = named.into_iter().chain(others).min_by_key(|(trial, ..)| trial.mistaken());
        let Some((trial, place, with, why)) = best else { break };
        let Tried { tag, key, .. } = tried.remove(place);
        added.push(Tag { source: tag, key, why });
        (proposal, before, series) = (with, trial.mistaken(), trial.series());
    }
    added
}

/// The tags that may keep points apart, the likeliest first.
fn tried<'p>(proposal: &Proposal, candidates: &[Candidate<'p>], lists: &Lists<'_>) -> Vec<Tried<'p>> {
    let of_candidate = |candidate: &Candidate<'p>| {
        let likely = likely(candidate, lists)?;
        let selector = candidate.selector().unwrap_or_else(|| candidate.key.pattern.clone());
        let is_new = !proposal.names(&selector);
        is_new.then(|| Tried { tag: candidate.tag(), selector, key: Some(candidate.key), likely })
    };
    let mut tried: Vec<Tried<'p>> = candidates.iter().filter_map(of_candidate).collect();
    tried.sort_by_key(|tried| tried.likely);
    tried.truncate(TRIED_MAX);
    // An index keeps points apart where no value does, as long as its list keeps its order.
    for (level, selector) in lists.indices(candidates) {
        let tag = match level {
            0 if lists.shape.names().is_empty() => NewTag::Key(selector.clone()),
            0 => NewTag::Named("index".to_owned(), selector.clone()),
            _ => NewTag::Named(format!("index_{level}"), selector.clone()),
        };
        tried.push(Tried { tag, selector, key: None, likely: Likely::Index });
    }
    tried
}

/// Whether a value may identify what is measured: a name, or a whole number with the name of an identifier, a place or a part, or that
/// numbers the items of each list.
fn likely(candidate: &Candidate<'_>, lists: &Lists<'_>) -> Option<Likely> {
    let key = candidate.key;
    let name = key.name();
    let is_reachable = candidate.is_outside() || !key.is_indexed();
    let is_whole = key.fractions + key.booleans == 0 && !key.is_time && !names::is_time(name);
    if !is_reachable || !is_whole || key.values_count() == 0 || names::is_record_identifier(name) {
        return None;
    }
    if names::may_identify(name) {
        return Some(Likely::ByName);
    }
    let is_name = key.texts > 0 && key.numbers() == 0 && !key.has_prose && !names::is_state(name);
    if is_name && !names::is_item_value(name) {
        return Some(Likely::ByKind);
    }
    let is_number = !candidate.is_outside()
        && key.whole > 0
        && key.strings() == 0
        && !names::is_bookkeeping(name)
        && !names::is_item_value(name);
    if !is_number {
        return None;
    }
    let values = lists.of(key);
    let identifies = values.as_ref().is_some_and(InLists::identifies);
    if source_names::is_part(name) && (identifies || key.takes_turns()) {
        Some(Likely::ByKind)
    } else {
        values.is_some_and(|values| values.numbers_items()).then_some(Likely::ByValues)
    }
}
