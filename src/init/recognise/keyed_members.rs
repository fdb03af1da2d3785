//! Objects whose members are equal objects under identifiers: `query` with the tag `@key`.

use super::super::key::{Key, Segment};
use super::super::names;
use super::super::observe::pattern;
use super::super::shape::{Beside, Step, steps_of};
use super::super::text::shown;
use super::{Shape, View, is_identifier};
use std::collections::{BTreeMap, BTreeSet};

/// From this number on, members with the same keys are entities, whatever their names are.
const MEMBERS_MANY: usize = 6;

/// The members of one object.
#[derive(Default)]
struct Members<'v> {
    path: &'v [Segment],
    /// The keys within each member that is an object, by the member's name.
    objects: BTreeMap<&'v str, Vec<&'v Key>>,
    /// Whether other members are no objects.
    has_others: bool,
}

/// Recognises an object with most numbers whose members have the same keys, if the members are entities: each has its own time, their names
/// are identifiers, or all have exactly the same keys, and are many or stand under a plural such as "sensors".
pub fn recognise(view: &View<'_>) -> Option<Shape> {
    if !view.is_not_rearranged() {
        return None;
    }
    let mut parents: BTreeMap<String, Members<'_>> = BTreeMap::new();
    for key in &view.seen.keys {
        // Deeper objects are members of an object that an earlier query selects.
        for depth in 0..key.segments.len() {
            let (path, rest) = key.segments.split_at(depth);
            let [Segment::Key(name), within @ ..] = rest else { break };
            let members = parents.entry(pattern(path)).or_default();
            members.path = path;
            match within.first() {
                Some(Segment::Key(_)) => members.objects.entry(name.as_str()).or_default().push(key),
                Some(Segment::Index) | None => members.has_others = true,
            }
        }
    }
    parents.values().find_map(|members| members.query(view))
}

impl Members<'_> {
    fn query(&self, view: &View<'_>) -> Option<Shape> {
        let depth = self.path.len() + 1;
        let within = |key: &Key| key.segments.get(depth..).map(pattern).unwrap_or_default();
        let keys =
            |object: &Vec<&Key>| -> BTreeSet<String> { object.iter().map(|key| within(key)).collect() };
        let mut sets = self.objects.values().map(keys);
        let first = sets.next()?;
        let (mut common, mut all) = (first.clone(), first);
        for set in sets {
            common.retain(|key| set.contains(key));
            all.extend(set);
        }
        if self.objects.len() < 2 || common.is_empty() {
            return None;
        }
        let is_common = |key: &&&Key| common.contains(&within(key));
        let have_times =
            self.objects.values().all(|object| object.iter().filter(is_common).any(|key| key.is_time));
        let have_plural = matches!(self.path.last(), Some(Segment::Key(name)) if names::is_plural(name));
        let have_same_keys = self.objects.values().all(|object| keys(object).len() == common.len());
        let are_identifiers = self.objects.keys().all(|name| is_identifier(name))
            || (have_same_keys && (have_plural || self.objects.len() >= MEMBERS_MANY));
        let are_equal = common.len() * 2 >= all.len();
        let is_inside = |key: &Key| key.segments.len() > depth && key.segments.starts_with(self.path);
        if !(are_equal && have_times || are_identifiers) || !view.seen.has_most_numbers(is_inside) {
            return None;
        }
        let is_member =
            |segments: &[Segment]| segments.split_last().is_some_and(|(_, parents)| parents == self.path);
        let has_arrays = view.seen.arrays.iter().any(|array| is_member(&array.segments));
        let beside = match (has_arrays, self.has_others) {
            (true, _) => Beside::Arrays,
            (false, true) => Beside::Scalars,
            (false, false) => Beside::Nothing,
        };
        let named: Vec<String> = self.objects.keys().take(3).map(|name| shown(name)).collect();
        let why = format!(
            "The members of {} are objects with the same keys under names such as {}: each becomes a point, and its name a tag.",
            if self.path.is_empty() { "the record".to_owned() } else { shown(&pattern(self.path)) },
            named.join(", ")
        );
        view.shape.with_steps(steps_of(self.path).chain([Step::Members(beside)]), why)
    }
}
