//! Arrays of rows: `query` and `columns`.

use super::super::key::Key;
use super::super::names;
use super::super::observe::ArrayKey;
use super::super::shape::{ShapeLine, Step, steps_of};
use super::super::text::shown;
use super::{Shape, View};
use toml::Value;

/// Recognizes an array of arrays of scalars which has all or most numbers of a record.
pub fn recognize(view: &View<'_>) -> Option<Shape> {
    if !view.is_not_rearranged() {
        return None;
    }
    let table = table(view)?;
    // `columns` names the values of all records by their place.
    if changing_header(view, table).is_some() {
        return None;
    }
    let cells = view.seen.columns(table)?;
    let (columns, source) = match header(view, table, cells.len()) {
        Some((header, columns)) => (columns, format!("their names are in {}", shown(&header.pattern))),
        None => (
            guessed(cells)?,
            "their names are guesses, of which only \"time\" is known by its values".to_owned(),
        ),
    };
    let why = format!("The array {} has rows of {} values; {source}.", shown(&table.pattern), cells.len());
    let steps = steps_of(&table.segments).chain([Step::Items]);
    Some(with_columns(view.shape.with_steps(steps, why)?, columns))
}

/// Warns of rows whose names differ between records.
pub fn caution(view: &View<'_>) -> Option<String> {
    let table = table(view).filter(|_| view.is_not_rearranged())?;
    let header = changing_header(view, table)?;
    Some(format!(
        "The names of the values in the rows of {} stand in {}, and these names or their order differ between records. `columns` has one order for all records, so it is not proposed, and fields such as {} hold values of different kinds. Let the producer write objects, or rows of one order.",
        shown(&table.pattern),
        shown(&header.pattern),
        shown(&format!("{}_0_0", table.pattern))
    ))
}

/// An array of arrays of scalars which has all or most numbers of a record.
fn table<'v>(view: &'v View<'_>) -> Option<&'v ArrayKey> {
    let is_table = |array: &&ArrayKey| {
        let is_inside = |key: &Key| {
            key.pattern.strip_prefix(&array.pattern).is_some_and(|rest| rest.starts_with('_'))
                && key.is_item()
        };
        array.rows > 0
            && array.others + array.objects == 0
            && view.seen.is_nearly_always(array.count)
            && (view.seen.has_all_numbers(is_inside) || view.seen.has_most_numbers(is_inside))
    };
    view.seen.arrays.iter().find(is_table)
}

/// The shape with names for the values of rows.
pub(super) fn with_columns(mut shape: Shape, columns: Vec<String>) -> Shape {
    shape.rules.reshape.columns.clone_from(&columns);
    shape.lines.push(ShapeLine { key: "columns", value: Value::from(columns), why: String::new() });
    shape
}

/// A list of as many names as there are columns, the same in all records.
fn header<'v>(view: &'v View<'_>, table: &ArrayKey, width: usize) -> Option<(&'v ArrayKey, Vec<String>)> {
    let is_header = |array: &&ArrayKey| {
        is_beside(array, table)
            && array.lengths.iter().all(|length| *length == width)
            && view.seen.items(array).is_some_and(|items| {
                items.texts > 0
                    && items.distinct() == Some(width)
                    && items.strings() == array.count * width as u64
                    && items.different_in_lists == 0
            })
    };
    let header = view.seen.arrays.iter().find(is_header)?;
    let names = view.seen.items(header)?.values().into_iter().map(str::to_owned).collect();
    Some((header, names))
}

/// A list of names beside the rows whose names, number or order differ between records.
fn changing_header<'v>(view: &'v View<'_>, table: &ArrayKey) -> Option<&'v ArrayKey> {
    let width = view.seen.columns(table)?.len();
    let is_header = |array: &&ArrayKey| {
        let of_names = |items: &&Key| {
            // Other texts beside each row are labels.
            let is_complete = |items: &Key| {
                items.distinct() == Some(width) && array.lengths.iter().all(|length| *length == width)
            };
            items.texts > 0
                && items.numbers() + items.booleans == 0
                && items.repeats_in_lists == 0
                && ((names::is_list_of_names(items.name()) && !names::is_tags(items.name()))
                    || is_complete(items))
        };
        let differs = || array.lengths.windows(2).any(|two| two.first() != two.last());
        is_beside(array, table)
            && array.count >= table.count
            && view
                .seen
                .items(array)
                .filter(of_names)
                .is_some_and(|items| items.different_in_lists > 0 || differs())
    };
    view.seen.arrays.iter().find(is_header)
}

/// Whether an array stands in the same object as a table.
fn is_beside(array: &ArrayKey, table: &ArrayKey) -> bool {
    let parents = |array: &ArrayKey| array.segments.split_last().map(|(_, parents)| parents.to_vec());
    array.pattern != table.pattern && parents(array) == parents(table)
}

/// The first column of times is "time", and the others are values.
pub(super) fn guessed(cells: &[Key]) -> Option<Vec<String>> {
    let time = cells.iter().position(|cell| cell.is_time)?;
    let others = cells.len() - 1;
    let mut number = 0;
    let names = (0..cells.len()).map(|column| {
        if column == time {
            return "time".to_owned();
        }
        number += 1;
        if others == 1 { "value".to_owned() } else { format!("value_{number}") }
    });
    Some(names.collect())
}
