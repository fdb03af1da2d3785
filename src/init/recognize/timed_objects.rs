//! Lists of values with times of their own, beside other lists, such as the samples of a series in Prometheus' remote write: `explode`.

use super::super::key::{INDEX, Key};
use super::super::names;
use super::super::observe::ArrayKey;
use super::super::shape::ShapeLine;
use super::super::text::shown;
use super::{Shape, View, plain_key};
use toml::Value;

/// Recognizes the only list of objects that have a time and numbers, if the texts of another list tell the series apart. A `query` of the
/// objects would lose these texts.
pub fn recognize(view: &View<'_>) -> Option<Shape> {
    if !view.is_not_rearranged() || has_time_beside_lists(view) {
        return None;
    }
    let mut timed = view.seen.arrays.iter().filter(|array| is_timed(view, array));
    let (Some(array), None) = (timed.next(), timed.next()) else { return None };
    let within = array.within();
    let is_inside = |key: &&Key| key.pattern.starts_with(&within);
    let is_measured = |key: &&Key| !key.is_time && !names::is_bookkeeping(key.name());
    let (inside, outside): (Vec<&Key>, Vec<&Key>) = view.seen.keys.iter().partition(is_inside);
    let measured: u64 =
        inside.iter().copied().filter(is_measured).map(|key| key.numbers() + key.quoted).sum();
    let beside: u64 = outside.iter().copied().filter(is_measured).map(Key::numbers).sum();
    let has_texts = outside.iter().any(|key| key.is_indexed() && key.strings() > 0);
    if measured == 0 || beside > measured || !has_texts || !view.seen.is_nearly_always(array.count) {
        return None;
    }
    let list = plain_key(&array.pattern)?;
    let why = format!(
        "{} is a list of values with their own times, beside other lists: each of its objects becomes a point, with all other keys.",
        shown(&list)
    );
    let mut shape = view.shape.clone();
    shape.lines.push(ShapeLine { key: "explode", value: Value::from(vec![list.clone()]), why });
    shape.rules.reshape.explode = vec![list];
    Some(shape)
}

/// Whether the objects have a time outside of their lists, so that the times of a list are others.
pub(super) fn has_time_beside_lists(view: &View<'_>) -> bool {
    view.seen.keys.iter().any(|key| key.is_time && !key.is_indexed())
}

/// Whether the items of a list are objects with a time.
pub(super) fn have_times(view: &View<'_>, array: &ArrayKey) -> bool {
    of_items(view, array).any(|key| key.is_time && key.values_count() >= array.objects)
}

/// Whether the items of a list are objects with a time, and without a text that names them.
fn is_timed(view: &View<'_>, array: &ArrayKey) -> bool {
    let is_text = |key: &Key| key.texts > 0 && !key.is_time;
    array.objects > 0
        && array.others + array.rows == 0
        && have_times(view, array)
        && !of_items(view, array).any(is_text)
}

/// The keys that stand directly in the items of a list.
fn of_items<'v>(view: &'v View<'_>, array: &ArrayKey) -> impl Iterator<Item = &'v Key> {
    let within = array.within();
    let is_direct =
        move |key: &&Key| key.pattern.strip_prefix(&within).is_some_and(|rest| !rest.contains(INDEX));
    view.seen.keys.iter().filter(is_direct)
}
