//! Arrays of objects that become points: `query`.

use super::super::key::{INDEX, Key, Segment};
use super::super::names;
use super::super::observe::ArrayKey;
use super::super::shape::{Beside, Step, steps_of};
use super::super::text::shown;
use super::name_value_list;
use super::{Shape, View, timed_objects};
use base::text::grouped;

/// Recognizes an array whose objects have all numbers of a record, apart from numbers about the message; or most numbers, if a record has
/// several objects and they have names or times, or only they have times.
pub fn recognize(view: &View<'_>) -> Option<Shape> {
    if !view.is_not_rearranged() {
        return None;
    }
    let has_points = |array: &&ArrayKey| {
        array.objects > 0 && array.others + array.rows == 0 && !name_value_list::is_list(view, array)
    };
    let arrays: Vec<&ArrayKey> = view.seen.arrays.iter().filter(has_points).collect();
    arrays.iter().find_map(|array| alone(view, array)).or_else(|| alternatives(view, &arrays))
}

fn alone(view: &View<'_>, array: &ArrayKey) -> Option<Shape> {
    let within = array.within();
    let is_inside = |key: &Key| key.pattern.starts_with(&within);
    let has_all = view.seen.has_all_numbers(is_inside);
    let is_timed = || timed_objects::have_times(view, array) && !timed_objects::has_time_beside_lists(view);
    let are_points = || (array.longest > 1 && has_names(view, &within)) || is_timed();
    let has_most = || are_points() && view.seen.has_most_numbers(is_inside);
    if !(has_all || has_most()) || !view.seen.is_nearly_always(array.count) {
        return None;
    }
    let why = format!(
        "{} numbers are in the array {}: each of its objects becomes a point, {} in {} of them.",
        if has_all { "All" } else { "Most" },
        shown(&array.pattern),
        grouped(array.objects),
        grouped(array.count)
    );
    view.shape.with_steps(steps_of(&array.segments).chain([Step::Items]), why)
}

/// Whether each object of an array has a text that is no state, a time, or an identifier.
fn has_names(view: &View<'_>, within: &str) -> bool {
    let names_objects = |key: &Key| {
        let is_name = key.texts > 0 && !names::is_state(key.name()) && !key.has_prose;
        is_name || key.is_time || names::may_identify(key.name())
    };
    let is_direct = |key: &Key| key.pattern.strip_prefix(within).is_some_and(|rest| !rest.contains(INDEX));
    view.seen.keys.iter().any(|key| is_direct(key) && names_objects(key))
}

/// Arrays of one name under different keys, which say what the arrays hold.
fn alternatives(view: &View<'_>, arrays: &[&ArrayKey]) -> Option<Shape> {
    arrays.iter().find_map(|first| {
        let [parents @ .., Segment::Key(_), last] = &first.segments[..] else { return None };
        let is_alternative = |array: &&&ArrayKey| matches!(&array.segments[..], [before @ .., Segment::Key(_), name] if before == parents && name == last);
        let group: Vec<&&ArrayKey> = arrays.iter().filter(is_alternative).collect();
        let count = group.iter().map(|array| array.count).sum();
        let is_inside = |pattern: &str| group.iter().any(|array| pattern.starts_with(&array.within()));
        let has_all = view.seen.has_all_numbers(|key| is_inside(&key.pattern));
        if group.len() < 2 || !has_all || !view.seen.is_nearly_always(count) {
            return None;
        }
        let step = Step::Members(Beside::Nothing);
        let named: Vec<String> = group.iter().map(|array| shown(&array.pattern)).collect();
        let why = format!("All numbers are in the arrays {}: each of their objects becomes a point.", named.join(", "));
        let steps = steps_of(parents).chain([step]).chain(steps_of(std::slice::from_ref(last)));
        view.shape.with_steps(steps.chain([Step::Items]), why)
    })
}
