//! Lists of names and values: `pivot`.

use super::super::key::{INDEX, Key, Segment};
use super::super::names;
use super::super::observe::ArrayKey;
use super::super::shape::ShapeLine;
use super::super::text::{joined, shown};
use super::{Shape, View, plain_key};
use mapping::{Pivot, PivotList};
use std::collections::BTreeSet;
use toml::Value;

/// Names of one list that become fields.
const NAMES_MAX: usize = 100;

/// The keys of the items of a list.
struct Items {
    name: String,
    values: Vec<String>,
    /// The keys that are left out.
    others: Vec<String>,
}

/// Recognizes a list whose items have a name, a value, and nothing else that would be lost.
pub fn recognize(view: &View<'_>) -> Option<Shape> {
    if view.shape.takes_lists() {
        return None;
    }
    if let Some(items) = items_of_records(view) {
        return Some(with_pivot(view, None, &items));
    }
    let is_new = |array: &&ArrayKey| {
        let key = PivotList::Key(array.pattern.clone());
        view.shape.rules.reshape.pivot.iter().all(|pivot| pivot.list != key)
    };
    let mut arrays = view.seen.arrays.iter().filter(is_new);
    arrays.find_map(|array| {
        let list = plain_key(&array.pattern)?;
        Some(with_pivot(view, Some(&list), &items(view, array)?))
    })
}

/// Whether an array is such a list.
pub fn is_list(view: &View<'_>, array: &ArrayKey) -> bool {
    items(view, array).is_some()
}

fn items(view: &View<'_>, array: &ArrayKey) -> Option<Items> {
    if array.objects == 0 || array.rows + array.others > 0 {
        return None;
    }
    Items::of(view, &array.within(), array.count, array.objects)
}

/// The items of records that are lists themselves, as the packs of `SenML`.
fn items_of_records(view: &View<'_>) -> Option<Items> {
    let (seen, shape) = (view.seen, view.shape);
    let is_list = shape.steps.is_empty()
        && shape.rules.reshape.is_empty()
        && !shape.rules.format.has_lines()
        && seen.objects > seen.records;
    if is_list { Items::of(view, "", seen.records, seen.objects) } else { None }
}

impl Items {
    /// `within`: the beginning of the keys of the items.
    fn of(view: &View<'_>, within: &str, lists: u64, count: u64) -> Option<Self> {
        let of_items =
            || view.seen.keys.iter().filter_map(|key| Some((key.pattern.strip_prefix(within)?, key)));
        let is_name = |(suffix, key): &(&str, &Key)| {
            let distinct = key.distinct().unwrap_or(usize::MAX);
            names::is_item_name(suffix)
                && key.texts > 0
                && key.numbers() + key.booleans == 0
                && distinct <= NAMES_MAX
                // The last value of a name would hide the others.
                && key.repeats_in_lists == 0
                && (within.is_empty() || view.are_new(key))
                && key.strings() == count
        };
        let (name, _) = of_items().find(is_name)?;
        let is_value = |(suffix, key): &(&str, &Key)| {
            *suffix != name && names::is_item_value(key.name()) && !suffix.contains(INDEX)
        };
        let values: Vec<String> = of_items().filter(is_value).map(|(suffix, _)| suffix.to_owned()).collect();
        // Only the first of an item's values would become a field.
        let value_count = of_items().filter(is_value).map(|(_, key)| key.values_count()).sum::<u64>();
        if value_count > count {
            return None;
        }
        // A value of the whole list can only stand in an item where the list is the record.
        let is_of_list = |key: &Key| within.is_empty() && key.values_count() <= lists && lists < count;
        let is_lost = |(suffix, key): &(&str, &Key)| {
            let is_same_time =
                key.is_time && view.seen.keys.iter().any(|other| is_time_of_list(key, other, within));
            *suffix != name
                && !values.iter().any(|value| value == suffix)
                && !(names::is_item_description(suffix) || is_of_list(key) || is_same_time)
        };
        let is_everything = !of_items().any(|of| is_lost(&of));
        let is_other = |(suffix, key): &(&str, &Key)| {
            *suffix != name && !values.iter().any(|value| value == suffix) && !is_of_list(key)
        };
        let others = of_items().filter(is_other).map(|(suffix, _)| shown(suffix)).collect();
        (!values.is_empty() && is_everything).then(|| Self { name: name.to_owned(), values, others })
    }
}

/// Whether a key beside a list has the times of the list's items.
fn is_time_of_list(items: &Key, other: &Key, within: &str) -> bool {
    let times = |key: &Key| -> BTreeSet<(u64, String)> {
        key.time_objects.iter().copied().zip(key.times.iter().map(|(text, _)| text.clone())).collect()
    };
    let is_beside = !within.is_empty() && !other.pattern.starts_with(within) && !other.is_indexed();
    is_beside && other.is_time && times(items).is_subset(&times(other))
}

/// The names of a list of labels or tags.
fn labels(view: &View<'_>, list: &str, name: &str) -> Vec<String> {
    let Some(key) = view.seen.key(&format!("{list}_{INDEX}_{name}")) else { return Vec::new() };
    let [.., Segment::Key(list), Segment::Index, Segment::Key(_)] = &key.segments[..] else {
        return Vec::new();
    };
    if names::is_tags(list) { key.values().into_iter().map(str::to_owned).collect() } else { Vec::new() }
}

/// `list`: the flattened key of the list; none if the record is the list.
fn with_pivot(view: &View<'_>, list: Option<&str>, items: &Items) -> Shape {
    let why = format!(
        "{} a list whose items have a name in {} and a value: each item becomes a field of that name.{}",
        list.map_or("Each record is".to_owned(), |list| format!("{} is", shown(list))),
        shown(&items.name),
        match items.others.as_slice() {
            [] => String::new(),
            others => format!(" Not stored, because it describes the items or the list: {}.", joined(others)),
        }
    );
    let mut shape = view.shape.clone();
    let table: toml::Table = [
        ("list", Value::from(list.unwrap_or("@"))),
        ("name", Value::from(items.name.as_str())),
        ("value", Value::from(items.values.clone())),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into_iter()
    .collect();
    let known = shape.lines.iter_mut().find(|line| line.key == "pivot");
    match known {
        Some(ShapeLine { value: Value::Array(pivots), why: known, .. }) => {
            pivots.push(Value::Table(table));
            *known = format!("{known} {why}");
        }
        _ => shape.lines.push(ShapeLine { key: "pivot", value: Value::from(vec![table]), why }),
    }
    shape.labels.extend(list.map(|list| labels(view, list, &items.name)).unwrap_or_default());
    let list = list.map_or(PivotList::Element, |list| PivotList::Key(list.to_owned()));
    shape.rules.reshape.pivot.push(Pivot { list, name: items.name.clone(), value: items.values.clone() });
    shape
}
