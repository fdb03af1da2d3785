//! Options that rearrange an element before its values are read: `columns`, `explode`, `where`, `pivot` and `zip`.
//!
//! Each writes the element as other JSON text, which the parser and the record shapes read like that of any element. A value keeps its
//! bytes. A mapping without these options never comes here.

mod columns;
mod explode;
mod find;
mod parse_json;
mod pieces;
mod pivot;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use parse_json::ParsedJson;
pub(crate) use pieces::{CountedValues, Piece};
pub use pivot::{Pivot, PivotList, Zip};
pub(crate) use text::{ElementText, TextRef};

use crate::decode::{Filter, Found, Scanner, Source, SyntaxError, Token, Tree, Work};
use crate::drop_reason::{DropReason, Drops};
use crate::first_drops::FirstDrops;
use crate::rejection::Rejection;
use explode::Exploded;
use find::Finder;
use std::sync::Arc;

/// The options of a mapping.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reshape {
    /// Keys of the values of a row.
    pub columns: Vec<String>,
    /// Keys of parallel arrays, of which each index becomes an element.
    pub explode: Vec<String>,
    /// `where`: elements for which it does not hold are filtered.
    pub filter: Option<Filter>,
    pub pivot: Vec<Pivot>,
    pub zip: Vec<Zip>,
}

impl Reshape {
    /// Whether no option is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { columns, explode, filter, pivot, zip } = self;
        columns.is_empty() && explode.is_empty() && filter.is_none() && pivot.is_empty() && zip.is_empty()
    }

    /// Whether elements have other keys than the record. `where` alone changes none.
    #[must_use]
    pub fn renames_keys(&self) -> bool {
        let Self { columns, explode, filter: _, pivot, zip } = self;
        !(columns.is_empty() && explode.is_empty() && pivot.is_empty() && zip.is_empty())
    }

    /// Whether a selected array is itself one element.
    pub(crate) fn takes_arrays(&self) -> bool {
        self.pivot.iter().any(|pivot| pivot.list == PivotList::Element)
    }

    /// Whether the value that begins with a token is an element: an object, a row of `columns`, or, where the query selects it (at depth
    /// 0), the list of a `pivot`.
    pub(crate) fn is_element(
        &self,
        token: Token<'_>,
        behind: &Scanner<'_>,
        depth: usize,
    ) -> Result<bool, SyntaxError> {
        match token {
            Token::Object => Ok(true),
            Token::Array if depth == 0 && self.takes_arrays() => Ok(true),
            Token::Array => Ok(!self.columns.is_empty() && columns::is_row(behind.clone())?),
            _ => Ok(false),
        }
    }

    fn names_members(&self) -> bool {
        !self.pivot.is_empty() || !self.zip.is_empty()
    }
}

/// Buffers of the options, reused from element to element.
#[derive(Debug, Default)]
pub(crate) struct Reshaper {
    row: ElementText,
    exploded: Exploded,
    /// Bytes of all elements of the record that `explode` made.
    exploded_bytes: usize,
    /// One of the exploded elements.
    one: ElementText,
    named: ElementText,
    finders: [Finder; 2],
    condition: Condition,
}

/// The parts of a document that `where` needs.
#[derive(Debug, Default)]
struct Condition {
    /// The document, if `where` looks at it.
    record: Option<Arc<Tree>>,
    found: Found,
    work: Work,
}

/// Counters of what options drop.
#[derive(Debug, Default)]
pub(crate) struct ReshapeDrops {
    pub drops: Drops,
    pub first_drops: FirstDrops,
    /// The values of an element that `explode` takes apart.
    counted: CountedValues,
}

impl ReshapeDrops {
    /// Counts a value under this key.
    pub fn add(&mut self, key: &str, drop: DropReason) {
        self.drops.add(drop);
        if self.first_drops.is_open() {
            self.first_drops.add(key, drop);
        }
    }

    /// Counts a value under this key that ends at `end` of an element's text, once for all elements that `explode` made of one.
    fn add_in(&mut self, element: &TextRef<'_>, end: usize, key: &str, drop: DropReason) {
        if self.counted.add_in(element.pieces, end, drop) {
            self.add(key, drop);
        }
    }
}

/// What an element became.
pub(crate) enum ReshapedElement<'s> {
    /// An object with its text.
    Object(TextRef<'s>),
    /// `where` does not hold.
    Filtered,
    /// The arrays under `explode` have no items.
    WithoutItems,
    Rejected(Rejection),
}

impl Reshaper {
    /// Begins a record, whose documents follow.
    pub fn begin_record(&mut self) {
        self.exploded_bytes = 0;
    }

    /// Begins a document, whose elements follow. `tree`: the document, if it was read already.
    pub fn begin(
        &mut self,
        reshape: &Reshape,
        document: &Scanner<'_>,
        tree: Option<&Arc<Tree>>,
    ) -> Result<(), SyntaxError> {
        let Some(filter) = &reshape.filter else { return Ok(()) };
        self.condition = Condition { record: None, found: filter.found(), work: Work::of(0) };
        if filter.uses_record() {
            let record = match tree {
                Some(tree) => Arc::clone(tree),
                // Text behind the value is the next value of a line, or an error where the document is mapped.
                None => Arc::new(Tree::read_first(document)?),
            };
            self.condition.work.allow(record.span().len());
            self.condition.record = Some(record);
        }
        Ok(())
    }

    /// Ends a document, and frees what was read of it as a whole.
    pub fn end(&mut self) {
        self.condition.record = None;
    }

    /// Hands each element that the options make of `element` to `put`, which stops with an error. `element` is an object or an array.
    /// `bytes_max` bounds the text of all exploded elements of a record, in which the other values are repeated.
    pub fn shape<E: From<SyntaxError>>(
        &mut self,
        reshape: &Reshape,
        element: TextRef<'_>,
        bytes_max: usize,
        losses: &mut ReshapeDrops,
        mut put: impl FnMut(ReshapedElement<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { row, exploded, exploded_bytes, one, named, finders, condition } = self;
        let mut element = element;
        if !reshape.columns.is_empty() && element.token()? == Token::Array {
            match columns::write(&reshape.columns, element, row)? {
                Ok(()) => element = row.text(element.utf8),
                Err(rejection) => return put(ReshapedElement::Rejected(rejection)),
            }
        }
        let mut finish = |element: TextRef<'_>, losses: &mut ReshapeDrops| -> Result<(), E> {
            if !condition.holds(reshape, &element)? {
                return put(ReshapedElement::Filtered);
            }
            if reshape.names_members() && pivot::write(reshape, element, finders, named, losses)? {
                return put(ReshapedElement::Object(named.text(element.utf8)));
            }
            put(ReshapedElement::Object(element))
        };
        if reshape.explode.is_empty() || element.token()? != Token::Object {
            return finish(element, losses);
        }
        let (count, bytes) = match exploded.find(&reshape.explode, element, losses)? {
            Ok(None) => return finish(element, losses),
            Ok(Some((0, _))) => return put(ReshapedElement::WithoutItems),
            Ok(Some(found)) => found,
            Err(rejection) => return put(ReshapedElement::Rejected(rejection)),
        };
        let all_bytes = exploded_bytes.saturating_add(bytes);
        if all_bytes > bytes_max {
            return put(ReshapedElement::Rejected(Rejection::ExplodedTooLarge { bytes_max }));
        }
        *exploded_bytes = all_bytes;
        let result = (0..count).try_for_each(|index| {
            exploded.write(element, index, one);
            finish(one.text(element.utf8), losses)
        });
        losses.counted.clear();
        result
    }

    /// Whether `where` holds for a scalar.
    pub fn keeps(&mut self, reshape: &Reshape, scalar: &TextRef<'_>) -> Result<bool, SyntaxError> {
        self.condition.holds(reshape, scalar)
    }

    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        let texts = [&self.row, &self.one, &self.named];
        let finders = self.finders.iter().map(Finder::bytes).sum::<usize>();
        texts.iter().map(|text| text.allocated()).sum::<usize>() + self.exploded.bytes() + finders
    }
}

impl Condition {
    fn holds(&mut self, reshape: &Reshape, element: &TextRef<'_>) -> Result<bool, SyntaxError> {
        let Some(filter) = &reshape.filter else { return Ok(true) };
        let element = Tree::read(&element.scanner())?;
        self.work.allow(element.span().len());
        filter.holds(&element, self.record.as_deref(), &mut self.found, &mut self.work)
    }
}

/// The source of the text that options write.
const SOURCE: Source = Source::Element;
