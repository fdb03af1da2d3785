//! `pivot` and `zip`: lists of names and values become members of the element.

use super::find::{Finder, Found, token_at};
use super::text::{ElementText, TextRef};
use super::{Reshape, ReshapeDrops};
use crate::decode::{Scanner, SyntaxError, Token};
use crate::drop_reason::DropReason;
use std::ops::Range;

/// A list of objects, each with a name and a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pivot {
    pub list: PivotList,
    /// Flattened key of the name in an item.
    pub name: String,
    /// Flattened keys of the value in an item; the first one that is there counts.
    pub value: Vec<String>,
}

/// Where a list stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PivotList {
    /// The selected value itself is the list.
    Element,
    /// Under a flattened key of the element.
    Key(String),
}

/// Parallel arrays of names and values, or one name and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zip {
    pub names: String,
    pub values: String,
}

impl Pivot {
    /// The key that reports of dropped items name.
    fn reported(&self) -> &str {
        match &self.list {
            PivotList::Element => "@",
            PivotList::Key(key) => key,
        }
    }
}

impl Reshape {
    /// The lists of `pivot` within an element, with their keys.
    fn lists(&self) -> impl Iterator<Item = (&str, &Pivot)> + Clone {
        self.pivot.iter().filter_map(|pivot| match &pivot.list {
            PivotList::Key(key) => Some((key.as_str(), pivot)),
            PivotList::Element => None,
        })
    }

    /// The keys of all lists within an element: those of `pivot`, then for each of `zip` names and values.
    fn list_keys(&self) -> impl Iterator<Item = &str> + Clone {
        let zips = self.zip.iter().flat_map(|zip| [zip.names.as_str(), zip.values.as_str()]);
        self.lists().map(|(key, _)| key).chain(zips)
    }
}

/// Writes the element with the lists as members. Returns whether it has a list; otherwise nothing is written.
pub(super) fn write(
    reshape: &Reshape,
    element: TextRef<'_>,
    [lists, in_items]: &mut [Finder; 2],
    out: &mut ElementText,
    losses: &mut ReshapeDrops,
) -> Result<bool, SyntaxError> {
    out.clear();
    if element.token()? == Token::Array {
        let Some(pivot) = reshape.pivot.iter().find(|pivot| pivot.list == PivotList::Element) else {
            return Ok(false);
        };
        out.push(b"{");
        items(pivot, element, &mut element.scanner(), in_items, out, losses)?;
        out.push(b"}");
        return Ok(true);
    }
    lists.find(reshape.list_keys(), &element)?;
    // Place of the first key of `zip`.
    let zips = reshape.lists().count();
    let mut is_any = false;
    let mut at = element.start;
    for (place, found) in lists.found.iter().enumerate() {
        let (token, _) = token_at(&element, &found.range)?;
        let zip = found.key.checked_sub(zips).map(|place| place / 2);
        let is_single =
            || zip.map_or(Ok(false), |zip| Ok(single(zips + 2 * zip, lists, &element)?.is_some()));
        if token != Token::Array && !is_single()? {
            continue;
        }
        if !lists.is_last(place, found) {
            let key = reshape.list_keys().nth(found.key).unwrap_or_default();
            losses.add_in(&element, found.range.end, key, DropReason::Duplicate);
        }
        is_any = true;
        out.copy(&element, at..found.range.start);
        out.push(b"null");
        at = found.range.end;
    }
    if is_any {
        // Up to the closing bracket; the members follow.
        out.copy(&element, at..element.bytes.len() - 1);
        for (place, (_, pivot)) in reshape.lists().enumerate() {
            if let Some(found) = array_at(place, lists, &element)? {
                let mut list = element.scanner().within(found.range.start, found.range.end);
                items(pivot, element, &mut list, in_items, out, losses)?;
            }
        }
        for (place, zip) in reshape.zip.iter().enumerate() {
            if let Some([name, value]) = single(zips + 2 * place, lists, &element)? {
                member(Some(name), Some(value), &element, out, || {})?;
                continue;
            }
            let names = array_at(zips + 2 * place, lists, &element)?;
            let values = array_at(zips + 2 * place + 1, lists, &element)?;
            pairs(zip, element, names, values, out, losses)?;
        }
        out.push(b"}");
    }
    Ok(is_any)
}

/// The value under the key with this index, if it is an array.
fn array_at<'f>(
    key: usize,
    lists: &'f Finder,
    element: &TextRef<'_>,
) -> Result<Option<&'f Found>, SyntaxError> {
    let Some(found) = lists.last(key) else { return Ok(None) };
    let (token, _) = token_at(element, &found.range)?;
    Ok((token == Token::Array).then_some(found))
}

/// The ranges of a text and a scalar under the two keys of `zip`, the first of which has this index.
fn single(
    names: usize,
    lists: &Finder,
    element: &TextRef<'_>,
) -> Result<Option<[Range<usize>; 2]>, SyntaxError> {
    let Some((name, value)) = lists.last(names).zip(lists.last(names + 1)) else { return Ok(None) };
    let is_name = matches!(token_at(element, &name.range)?.0, Token::Text(_));
    let is_value = !matches!(token_at(element, &value.range)?.0, Token::Object | Token::Array | Token::Null);
    Ok((is_name && is_value).then(|| [name.range.clone(), value.range.clone()]))
}

/// Writes the items of a list of objects as members. `list` stands before the list.
fn items(
    pivot: &Pivot,
    element: TextRef<'_>,
    list: &mut Scanner<'_>,
    finder: &mut Finder,
    out: &mut ElementText,
    losses: &mut ReshapeDrops,
) -> Result<(), SyntaxError> {
    let keys = || std::iter::once(pivot.name.as_str()).chain(pivot.value.iter().map(String::as_str));
    list.value()?;
    let mut is_first = true;
    while list.element(is_first)? {
        is_first = false;
        list.skip_whitespace();
        let start = list.position();
        let token = list.value()?;
        list.skip_rest(token, 1)?;
        let item =
            TextRef { start, bytes: element.bytes.get(..list.position()).unwrap_or_default(), ..element };
        let (mut name, mut value) = (None, None);
        if token == Token::Object {
            finder.find(keys(), &item)?;
            name = finder.last(0).map(|found| found.range.clone());
            for place in 1..=pivot.value.len() {
                let Some(found) = finder.last(place) else { continue };
                if token_at(&item, &found.range)?.0 != Token::Null {
                    value = Some(found.range.clone());
                    break;
                }
            }
        }
        let drop = || losses.add_in(&item, item.bytes.len(), pivot.reported(), DropReason::Item);
        member(name, value, &item, out, drop)?;
    }
    Ok(())
}

/// Writes parallel arrays as members.
fn pairs(
    zip: &Zip,
    element: TextRef<'_>,
    names: Option<&Found>,
    values: Option<&Found>,
    out: &mut ElementText,
    losses: &mut ReshapeDrops,
) -> Result<(), SyntaxError> {
    let items = |found: Option<&Found>| {
        found.map(|found| {
            let mut scanner = element.scanner().within(found.range.start, found.range.end);
            scanner.value().map(|_| scanner)
        })
    };
    let (mut names, mut values) = (items(names).transpose()?, items(values).transpose()?);
    let mut is_first = true;
    loop {
        let name = next(&mut names, is_first)?;
        let value = next(&mut values, is_first)?;
        if name.is_none() && value.is_none() {
            return Ok(());
        }
        is_first = false;
        let end = name.iter().chain(&value).map(|range| range.end).next().unwrap_or_default();
        let value = match value {
            Some(range) if token_at(&element, &range)?.0 == Token::Null => None,
            value => value,
        };
        let drop = || losses.add_in(&element, end, &zip.names, DropReason::Item);
        member(name, value, &element, out, drop)?;
    }
}

/// The range of an array's next item.
fn next(array: &mut Option<Scanner<'_>>, is_first: bool) -> Result<Option<Range<usize>>, SyntaxError> {
    let Some(scanner) = array else { return Ok(None) };
    if !scanner.element(is_first)? {
        *array = None;
        return Ok(None);
    }
    scanner.skip_whitespace();
    let start = scanner.position();
    let token = scanner.value()?;
    scanner.skip_rest(token, 1)?;
    Ok(Some(start..scanner.position()))
}

/// Appends a member. `drop` counts it where the name is no text or there is no value.
fn member(
    name: Option<Range<usize>>,
    value: Option<Range<usize>>,
    text: &TextRef<'_>,
    out: &mut ElementText,
    drop: impl FnOnce(),
) -> Result<(), SyntaxError> {
    let is_text = match &name {
        Some(range) => matches!(token_at(text, range)?.0, Token::Text(_)),
        None => false,
    };
    let (Some(name), Some(value), true) = (name, value, is_text) else {
        drop();
        return Ok(());
    };
    if !out.ends_with(b'{') {
        out.push(b",");
    }
    out.copy(text, name);
    out.push(b":");
    out.copy(text, value);
    Ok(())
}
