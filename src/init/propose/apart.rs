//! Proposes tags that keep points apart: identifiers, if points of the sample have the series and the time of another point.

use super::super::class::glob;
use super::super::key::{INDEX, Key};
use super::super::names;
use super::super::text::shown;
use super::{Proposal, Sample, Trial};
use crate::init::observe::Observation;
use base::text::grouped;

/// Keys that are tried as a tag. Each maps the sample once.
const TRIED_MAX: usize = 8;

/// Adds the key as a tag with which the fewest points of the sample overwrite each other.
pub fn keep_apart(proposal: Proposal, seen: &Observation, sample: &Sample) -> Proposal {
    let shared = |proposal: &Proposal| Trial::of_proposal(proposal, sample).map(|trial| trial.shared);
    let Some(before) = shared(&proposal).filter(|shared| *shared > 0) else { return proposal };
    let tried =
        seen.keys.iter().filter(|key| may_identify(key) && !proposal.names(&key.pattern)).take(TRIED_MAX);
    let with_tag = |key: &Key| {
        let mut with = proposal.clone();
        let why = format!(
            "- {}: without it, {} points of the sample have the series and the time of another point",
            shown(&key.pattern),
            grouped(before)
        );
        with.add_tag(glob(&key.pattern), why);
        let shared = shared(&with)?;
        (shared * 2 <= before).then_some((shared, with))
    };
    let best = tried.filter_map(with_tag).min_by_key(|(shared, _)| *shared);
    best.map_or(proposal, |(_, with)| with)
}

/// Whether a key may identify what is measured: a whole number or a string with the name of an identifier or of a place.
fn may_identify(key: &Key) -> bool {
    let is_whole = key.fractions + key.booleans == 0 && !key.is_time && !key.pattern.contains(INDEX);
    let name = key.name();
    is_whole
        && key.values_count() > 0
        && !names::is_record_identifier(name)
        && (names::is_identifier(name) || names::is_tag(name) || names::is_number_of_entity(name))
}
