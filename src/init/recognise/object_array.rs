//! Arrays of objects that become points: `query`.

use super::super::key::Segment;
use super::super::observe::ArrayKey;
use super::super::shape::{Step, steps_of};
use super::super::text::shown;
use super::name_value_list;
use super::{Shape, View, is_identifier};
use base::text::grouped;

/// Recognises an array whose objects have all numbers of a record, apart from numbers about the message.
pub fn recognise(view: &View<'_>) -> Option<Shape> {
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
    let has_all = view.seen.has_all_numbers(|key| key.pattern.starts_with(&within));
    if !has_all || !view.seen.is_nearly_always(array.count) {
        return None;
    }
    let why = format!(
        "All numbers are in the array {}: each of its objects becomes a point, {} in {} of them.",
        shown(&array.pattern),
        grouped(array.objects),
        grouped(array.count)
    );
    view.shape.with_steps(steps_of(&array.segments).chain([Step::Items]), why)
}

/// Arrays of one name under different keys, of which each object has one.
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
        // The name of a member is without interest, unless it identifies the member.
        let is_name = |array: &&&ArrayKey| matches!(array.segments.get(parents.len()), Some(Segment::Key(name)) if is_identifier(name));
        let step = if group.iter().all(is_name) { Step::Members(None) } else { Step::Either };
        let named: Vec<String> = group.iter().map(|array| shown(&array.pattern)).collect();
        let why = format!("All numbers are in one of the arrays {}: each of their objects becomes a point.", named.join(", "));
        let steps = steps_of(parents).chain([step]).chain(steps_of(std::slice::from_ref(last)));
        view.shape.with_steps(steps.chain([Step::Items]), why)
    })
}
