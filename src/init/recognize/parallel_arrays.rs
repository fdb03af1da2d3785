//! Parallel arrays: `zip` for names and values, `explode` for times and values.

use super::super::key::Key;
use super::super::names;
use super::super::observe::ArrayKey;
use super::super::shape::ShapeLine;
use super::{Shape, View, listed, plain_key};
use mapping::Zip;
use toml::Value;

/// Recognizes arrays that always have the same length.
pub fn recognize(view: &View<'_>) -> Option<Shape> {
    let reshape = &view.shape.rules.reshape;
    if !reshape.zip.is_empty() || !reshape.explode.is_empty() {
        return None;
    }
    let is_of_scalars = |array: &&ArrayKey| array.objects + array.rows == 0 && array.others > 0;
    let arrays: Vec<&ArrayKey> = view.seen.arrays.iter().filter(is_of_scalars).collect();
    zip(view, &arrays).or_else(|| explode(view, &arrays))
}

fn zip(view: &View<'_>, arrays: &[&ArrayKey]) -> Option<Shape> {
    let are_names = |array: &&&ArrayKey| {
        view.seen.items(array).is_some_and(|items| {
            items.texts > 0
                && items.numbers() + items.booleans == 0
                // The last value of a name would hide the others.
                && items.repeats_in_lists == 0
                && view.are_new(items)
        })
    };
    let has_numbers = |array: &&&ArrayKey| {
        view.seen.items(array).is_some_and(|items| items.numbers() + items.quoted > 0 && !items.is_time)
    };
    let is_known = |array: &&&ArrayKey| {
        view.seen.items(array).is_some_and(|items| names::is_list_of_names(items.name()))
    };
    let known = arrays.iter().find(|array| are_names(array) && is_known(array));
    let named = known.or_else(|| {
        let mut by_values =
            arrays.iter().filter(|array| are_names(array) && repeats_names(view, array, arrays));
        // Nothing says which one of several such lists has the names.
        by_values.next().filter(|_| by_values.next().is_none())
    })?;
    let is_values = |array: &&&ArrayKey| {
        array.pattern != named.pattern && has_numbers(array) && are_parallel(array, named)
    };
    let candidates: Vec<_> = arrays.iter().filter(is_values).collect();
    let is_named_value = |array: &&&&ArrayKey| array.pattern.to_lowercase().contains("value");
    let values = match candidates.as_slice() {
        [one] => *one,
        several => several.iter().find(is_named_value)?,
    };
    let (of_names, of_values) = (plain_key(&named.pattern)?, plain_key(&values.pattern)?);
    let why = format!(
        "{} and {} have the same length in all objects: each value becomes a field under its name.",
        listed([of_names.as_str()]),
        listed([of_values.as_str()])
    );
    let mut shape = view.shape.clone();
    let table: toml::Table = [("names", &of_names), ("values", &of_values)]
        .map(|(key, text)| (key.to_owned(), Value::from(text.as_str())))
        .into_iter()
        .collect();
    shape.lines.push(ShapeLine { key: "zip", value: Value::from(vec![table]), why });
    shape.rules.reshape.zip.push(Zip { names: of_names, values: of_values });
    Some(shape)
}

/// Whether the texts of a list are names by their values: several lists have the same ones, beside numbers and without times.
fn repeats_names(view: &View<'_>, array: &ArrayKey, arrays: &[&ArrayKey]) -> bool {
    let items_of = |array: &ArrayKey| view.seen.items(array);
    let has_time = arrays
        .iter()
        .any(|other| are_parallel(other, array) && items_of(other).is_some_and(|items| items.is_time));
    let are_names = |items: &Key| {
        let name = items.name();
        items.different() * 2 <= items.strings()
            && !items.has_prose
            && !items.is_time
            && !names::is_state(name)
            && !names::is_item_description(name)
            && !names::is_item_value(name)
    };
    array.longest > 1 && !has_time && items_of(array).is_some_and(are_names)
}

fn explode(view: &View<'_>, arrays: &[&ArrayKey]) -> Option<Shape> {
    let is_time = |array: &&&ArrayKey| view.seen.items(array).is_some_and(|items| items.is_time);
    let time = arrays.iter().find(|array| is_time(array) && array.longest > 1)?;
    let parallel = arrays.iter().filter(|array| are_parallel(array, time));
    let keys: Vec<String> = parallel.map(|array| plain_key(&array.pattern)).collect::<Option<_>>()?;
    if keys.len() < 2 {
        return None;
    }
    let why = format!(
        "{} have the same length in all objects, and {} has times: each index becomes a point, with all other keys.",
        listed(keys.iter().map(String::as_str)),
        listed([time.pattern.as_str()])
    );
    let mut shape = view.shape.clone();
    shape.lines.push(ShapeLine { key: "explode", value: Value::from(keys.clone()), why });
    shape.rules.reshape.explode = keys;
    Some(shape)
}

fn are_parallel(one: &ArrayKey, other: &ArrayKey) -> bool {
    one.count == other.count && one.lengths == other.lengths
}
