//! Decides which numbers tell sources apart and become tags, and warns of names and numbers of sources that stay out.

use super::super::key::Key;
use super::super::{names, source_names};
use super::{Candidate, Proposer};

/// With more objects, the numbers of sources repeat.
const FEW: u64 = 50;

impl Candidate<'_> {
    fn is_whole_number(&self) -> bool {
        let key = self.key;
        key.whole > 0 && key.fractions + key.booleans + key.strings() == 0 && !key.is_time
    }

    fn is_repeated(&self, distinct: u64) -> bool {
        self.all <= FEW || distinct.saturating_mul(5) <= self.key.numbers()
    }

    /// Whether a number beside the objects identifies their source: it has such a name, and does not count up.
    fn is_number_beside(&self) -> bool {
        let (key, name) = (self.key, self.key.name());
        let distinct = distinct_numbers(key);
        // Things that have numbers, such as lines and machines, may also be measured.
        let is_constant = distinct == 1 || distinct.saturating_mul(2) <= key.numbers();
        let is_named = names::identifies(name) || (names::may_identify(name) && is_constant);
        let is_proven = is_named && self.is_repeated(distinct) && !counts_up(key);
        self.is_outside() && self.is_whole_number() && (is_proven || source_names::is_source_number(name))
    }

    /// Whether a number of the objects identifies their source: by its name alone, or by its name and its values.
    fn is_number_within(&self) -> bool {
        let (key, name) = (self.key, self.key.name());
        let distinct = distinct_numbers(key);
        let is_proven = self.is_repeated(distinct) && !counts_up(key);
        // The numbers of records hardly repeat, and have more digits than those of parts.
        let changes = distinct > 1 && distinct.saturating_mul(3) <= key.numbers().saturating_mul(2);
        let is_often = distinct == 1 || distinct.saturating_mul(2) <= key.numbers();
        let is_source = source_names::is_source_number(name)
            || (source_names::ends_as_number(name) && changes && is_proven && key.rounded == 0)
            || (source_names::is_thing_or_place(name) && is_often && is_proven)
            || (source_names::is_part(name) && key.takes_turns());
        !self.is_outside() && !key.is_indexed() && self.is_whole_number() && is_source
    }
}

impl<'p> Proposer<'p> {
    /// Adds the numbers that identify the source, unless a tag names the same thing.
    pub(super) fn with_numbers_of_sources(
        &self,
        mut tags: Vec<Candidate<'p>>,
        taken: &[&Key],
    ) -> Vec<Candidate<'p>> {
        let numbers: Vec<Candidate<'p>> = self
            .candidates()
            .into_iter()
            .filter(|candidate| {
                // The name under which an object stands identifies it already.
                let is_needed = self.names.is_empty() || source_names::is_source_number(candidate.key.name());
                let is_within =
                    || is_needed && candidate.is_number_within() && self.has_measured_beside(candidate.key);
                (candidate.is_number_beside() || is_within())
                    && !is_among(candidate.key, taken)
                    && !self.is_about_message(candidate)
                    && !is_named(candidate, &tags)
            })
            .collect();
        tags.extend(numbers);
        tags
    }

    /// Warns of names and numbers of sources that are no tags, because without a tag nothing says whose the points are.
    pub(super) fn warn_of_sources(&mut self, tags: &[Candidate<'p>], taken: &[&Key]) {
        let is_left_out = |candidate: &Candidate<'p>| {
            let key = candidate.key;
            let is_text = key.texts > 0 || key.digits > 0;
            let is_number = candidate.is_whole_number() && self.has_measured_beside(key);
            (candidate.is_outside() || !key.is_indexed())
                && (is_text || is_number)
                && source_names::is_source(key.name())
                && !names::is_state(key.name())
                && !is_among(key, taken)
                && !tags.iter().any(|tag| std::ptr::eq(tag.key, key))
                && !self.out.names(&candidate.selector().unwrap_or_default())
                && !self.is_about_message(candidate)
                && !is_named(candidate, tags)
        };
        let left: Vec<Candidate<'p>> = self.candidates().into_iter().filter(is_left_out).collect();
        for candidate in left {
            let key = candidate.key;
            let why = if key.texts == 0 {
                "its numbers may be measured"
            } else if key.has_prose {
                "its values are long texts"
            } else if !key.repeats() {
                "none of its values is there twice"
            } else {
                "its values are of several kinds"
            };
            self.out.cautions.push(format!(
                "{} may say which source a point is of, and is no tag, because {why}. Without it the points of all sources are one series: add it to `tag_keys` if it names the source.",
                candidate.shown()
            ));
        }
    }

    /// Whether the objects have a number or a boolean besides this one that may be a field.
    fn has_measured_beside(&self, number: &Key) -> bool {
        self.seen.keys.iter().any(|key| {
            key.numbers() + key.quoted + key.booleans > 0
                && !std::ptr::eq(key, number)
                && !key.is_time
                && !names::is_bookkeeping(key.name())
        })
    }

    /// The globs of an envelope are paths from the root, and match nothing in objects that a query selects.
    fn is_about_message(&self, candidate: &Candidate<'_>) -> bool {
        (candidate.is_outside() || self.shape.steps.is_empty())
            && self.excluded.is_match(&candidate.key.pattern)
    }
}

fn is_among(key: &Key, keys: &[&Key]) -> bool {
    keys.iter().any(|other| std::ptr::eq(*other, key))
}

/// Whether a tag names the same thing, as `plcName` does for `plcId`.
fn is_named(candidate: &Candidate<'_>, tags: &[Candidate<'_>]) -> bool {
    let parents = |key: &Key| key.segments.split_last().map(|(_, parents)| parents.to_vec());
    tags.iter().any(|tag| {
        // A kind, such as `object_type`, has many of a number.
        !names::is_item_description(tag.key.name())
            && parents(tag.key) == parents(candidate.key)
            && names::are_of_one_thing(tag.key.name(), candidate.key.name())
    })
}

fn distinct_numbers(key: &Key) -> u64 {
    key.distinct_numbers().unwrap_or(usize::MAX) as u64
}

/// Whether the numbers only grow, as those of messages do.
fn counts_up(key: &Key) -> bool {
    key.falls == 0 && key.objects > 2 && distinct_numbers(key) > 1
}
