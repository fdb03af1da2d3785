//! Lists of names and values: `pivot`.

use super::super::key::{INDEX, Key};
use super::super::names;
use super::super::observe::ArrayKey;
use super::super::shape::ShapeLine;
use super::super::text::shown;
use super::{Shape, View, plain_key};
use mapping::{Pivot, PivotList};
use toml::Value;

/// Names of one list that become fields.
const NAMES_MAX: usize = 100;

/// The keys of the items of a list.
struct Items {
    name: String,
    values: Vec<String>,
}

/// Recognises a list whose items have a name, a value, and nothing else that would be lost.
pub fn recognise(view: &View<'_>) -> Option<Shape> {
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
                // No list has a name twice, and some list has several.
                && key.strings() <= distinct as u64 * lists
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
        let is_lost = |(suffix, key): &(&str, &Key)| {
            // A value of the whole list can only stand in an item where the list is the record.
            let is_of_list = within.is_empty() && key.values_count() <= lists && lists < count;
            let is_same_time = key.is_time && distinct_times(key) <= lists;
            *suffix != name
                && !values.iter().any(|value| value == suffix)
                && !(names::is_item_description(suffix) || is_of_list || is_same_time)
        };
        let is_everything = !of_items().any(|of| is_lost(&of));
        (!values.is_empty() && is_everything).then(|| Self { name: name.to_owned(), values })
    }
}

/// Number of different times among those that were kept.
fn distinct_times(key: &Key) -> u64 {
    let mut texts: Vec<&str> = key.times.iter().map(|(text, _)| text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    texts.len() as u64
}

/// `list`: the flattened key of the list; none if the record is the list.
fn with_pivot(view: &View<'_>, list: Option<&str>, items: &Items) -> Shape {
    let why = format!(
        "{} a list whose items have a name in {} and a value: each item becomes a field of that name.",
        list.map_or("Each record is".to_owned(), |list| format!("{} is", shown(list))),
        shown(&items.name)
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
    match known.map(|line| &mut line.value) {
        Some(Value::Array(pivots)) => pivots.push(Value::Table(table)),
        _ => shape.lines.push(ShapeLine { key: "pivot", value: Value::from(vec![table]), why }),
    }
    let list = list.map_or(PivotList::Element, |list| PivotList::Key(list.to_owned()));
    shape.rules.reshape.pivot.push(Pivot { list, name: items.name.clone(), value: items.values.clone() });
    shape
}
