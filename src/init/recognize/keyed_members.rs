//! Objects whose members are equal objects, or arrays of equal objects or rows, under identifiers: `query` with the tag `@key` or `@member`.

use super::super::key::{Key, Segment};
use super::super::names;
use super::super::observe::{ArrayKey, pattern};
use super::super::shape::{Beside, Step, steps_of};
use super::super::text::shown;
use super::{Shape, View, is_identifier, rows};
use std::collections::{BTreeMap, BTreeSet};

/// From this number on, members with the same keys are entities, whatever their names are.
const MEMBERS_MANY: usize = 6;

/// The members of one object.
#[derive(Default)]
struct Members<'v> {
    path: &'v [Segment],
    /// The keys within each member that is an object, by the member's name.
    objects: BTreeMap<&'v str, Vec<&'v Key>>,
    /// The keys within the items of each member that is an array of objects.
    lists: BTreeMap<&'v str, Vec<&'v Key>>,
    /// Whether other members are neither.
    has_others: bool,
}

/// Recognizes an object with most numbers whose members have the same keys, if the members are entities: each has its own time, their names
/// are identifiers, or all have exactly the same keys, and are many or stand under a plural such as "sensors".
pub fn recognize(view: &View<'_>) -> Option<Shape> {
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
            match within {
                [Segment::Key(_), ..] => members.objects.entry(name.as_str()).or_default().push(key),
                [Segment::Index, Segment::Key(_), ..] => {
                    members.lists.entry(name.as_str()).or_default().push(key);
                }
                _ => members.has_others = true,
            }
        }
    }
    let found = |members: &Members<'_>| members.of_objects(view).or_else(|| members.of_lists(view));
    parents.values().find_map(found).or_else(|| of_rows(view))
}

impl Members<'_> {
    /// The query of members that are objects.
    fn of_objects(&self, view: &View<'_>) -> Option<Shape> {
        if !self.are_entities(view, &self.objects, &[]) {
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
        let why = format!(
            "The members of {} are objects with the same keys under names such as {}: each becomes a point.",
            object(self.path),
            named(self.objects.keys())
        );
        view.shape.with_steps(steps_of(self.path).chain([Step::Members(beside)]), why)
    }

    /// The query of the items of members that are arrays of objects.
    fn of_lists(&self, view: &View<'_>) -> Option<Shape> {
        let is_of_objects = |array: &ArrayKey| array.others + array.rows == 0;
        let is_list = |array: &&ArrayKey| {
            matches!(&array.segments[..], [path @ .., Segment::Key(name)]
                if path == self.path && self.lists.contains_key(name.as_str()))
        };
        let are_lists = view.seen.arrays.iter().filter(is_list).all(is_of_objects);
        if !are_lists || !self.are_entities(view, &self.lists, &[Segment::Index]) {
            return None;
        }
        let beside = if self.objects.is_empty() { Beside::Nothing } else { Beside::Objects };
        let why = format!(
            "The members of {} are arrays of objects with the same keys under names such as {}: each object becomes a point.",
            object(self.path),
            named(self.lists.keys())
        );
        view.shape.with_steps(steps_of(self.path).chain([Step::Members(beside), Step::Items]), why)
    }

    /// Whether members with these keys are entities. `items`: the steps from a member to the objects that have the keys.
    fn are_entities(&self, view: &View<'_>, members: &BTreeMap<&str, Vec<&Key>>, items: &[Segment]) -> bool {
        let member = self.path.len() + 1;
        let depth = member + items.len();
        let within = |key: &Key| key.segments.get(depth..).map(pattern).unwrap_or_default();
        let keys =
            |member: &Vec<&Key>| -> BTreeSet<String> { member.iter().map(|key| within(key)).collect() };
        let mut sets = members.values().map(keys);
        let Some(first) = sets.next() else { return false };
        let (mut common, mut all) = (first.clone(), first);
        for set in sets {
            common.retain(|key| set.contains(key));
            all.extend(set);
        }
        if members.len() < 2 || common.is_empty() {
            return false;
        }
        let is_common = |key: &&&Key| common.contains(&within(key));
        let have_times = members.values().all(|keys| keys.iter().filter(is_common).any(|key| key.is_time));
        let have_plural = matches!(self.path.last(), Some(Segment::Key(name)) if names::is_plural(name));
        let have_same_keys = members.values().all(|member| keys(member).len() == common.len());
        let are_identifiers = members.keys().all(|name| is_identifier(name))
            || (have_same_keys && (have_plural || members.len() >= MEMBERS_MANY));
        let are_equal = common.len() * 2 >= all.len();
        let is_inside = |key: &Key| {
            let of_member = key.segments.get(member..).unwrap_or_default();
            of_member.len() > items.len()
                && of_member.starts_with(items)
                && key.segments.starts_with(self.path)
        };
        (are_equal && have_times || are_identifiers) && view.seen.has_most_numbers(is_inside)
    }
}

/// Recognizes an object whose members are arrays of rows with a time in the same column.
fn of_rows(view: &View<'_>) -> Option<Shape> {
    let is_table = |array: &&ArrayKey| array.rows > 0 && array.others + array.objects == 0;
    let tables: Vec<&ArrayKey> = view.seen.arrays.iter().filter(is_table).collect();
    let [first, second, ..] = &tables[..] else { return None };
    let (_, path) = first.segments.split_last()?;
    let is_beside = |array: &&ArrayKey| array.segments.split_last().is_some_and(|(_, before)| before == path);
    let columns = |array: &ArrayKey| rows::guessed(view.seen.columns(array)?);
    let names = columns(first)?;
    let are_equal = tables.iter().all(|array| is_beside(array) && columns(array).as_ref() == Some(&names));
    let is_cell = |key: &Key| {
        tables.iter().any(|array| {
            let cell = key.segments.strip_prefix(&array.segments[..]);
            matches!(cell, Some([Segment::Index, Segment::Index]))
        })
    };
    if !are_equal || !view.seen.has_most_numbers(is_cell) {
        return None;
    }
    let has_objects =
        view.seen.keys.iter().any(|key| {
            matches!(key.segments.strip_prefix(path), Some([Segment::Key(_), Segment::Key(_), ..]))
        });
    let beside = if has_objects { Beside::Objects } else { Beside::Nothing };
    let why = format!(
        "The members of {} are arrays of rows under names such as {}: each row becomes a point. The names of the columns are guesses, of which only \"time\" is known by its values.",
        object(path),
        named([first, second].map(|array| array.segments.last().map(name_of).unwrap_or_default()).iter())
    );
    let steps = steps_of(path).chain([Step::Members(beside), Step::Items]);
    Some(rows::with_columns(view.shape.with_steps(steps, why)?, names))
}

fn name_of(segment: &Segment) -> &str {
    if let Segment::Key(name) = segment { name } else { "" }
}

/// The object at a path, in a sentence.
fn object(path: &[Segment]) -> String {
    if path.is_empty() { "the record".to_owned() } else { shown(&pattern(path)) }
}

/// The first three names in quotes.
fn named<'n>(names: impl Iterator<Item = &'n &'n str>) -> String {
    names.take(3).map(|name| shown(name)).collect::<Vec<_>>().join(", ")
}
