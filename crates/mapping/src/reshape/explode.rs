//! `explode`: parallel arrays become one element an index, each with all other values.

use super::ReshapeDrops;
use super::find::{Finder, token_at};
use super::text::{ElementText, TextRef};
use crate::decode::{SyntaxError, Token};
use crate::drop_reason::DropReason;
use crate::rejection::Rejection;
use std::ops::Range;

/// The arrays of one element. The buffers are reused from element to element.
#[derive(Debug, Default)]
pub(super) struct Exploded {
    finder: Finder,
    arrays: Vec<Array>,
    /// The items of all arrays, one array after the other.
    items: Vec<Range<u32>>,
}

#[derive(Debug)]
struct Array {
    /// Index of its key.
    key: usize,
    /// The array in the element's text.
    range: Range<usize>,
    /// Index of its first item; none for an array that a later value with the same key replaces.
    first: Option<usize>,
}

impl Exploded {
    /// Finds the arrays under these keys, and returns the number of their items and a bound of the bytes of all elements; none if there is
    /// no array.
    pub fn find(
        &mut self,
        keys: &[String],
        element: TextRef<'_>,
        losses: &mut ReshapeDrops,
    ) -> Result<Result<Option<(usize, usize)>, Rejection>, SyntaxError> {
        let Self { finder, arrays, items } = self;
        arrays.clear();
        items.clear();
        finder.find(keys.iter().map(String::as_str), &element)?;
        let (mut count, mut named, mut item_bytes) = (None, "", 0);
        for (place, found) in finder.found.iter().enumerate() {
            let (token, mut scanner) = token_at(&element, &found.range)?;
            if token != Token::Array {
                continue;
            }
            let key = keys.get(found.key).map(String::as_str).unwrap_or_default();
            if !finder.is_last(place, found) {
                arrays.push(Array { key: found.key, range: found.range.clone(), first: None });
                continue;
            }
            let (first, mut is_first) = (items.len(), true);
            while scanner.element(is_first)? {
                is_first = false;
                scanner.skip_whitespace();
                let start = scanner.position();
                let token = scanner.value()?;
                scanner.skip_rest(token, 1)?;
                item_bytes += scanner.position() - start;
                // Records and their JSON text are smaller than 4 GB.
                items.push(start as u32..scanner.position() as u32);
            }
            arrays.push(Array { key: found.key, range: found.range.clone(), first: Some(first) });
            let length = items.len() - first;
            match count {
                Some(before) if before != length => {
                    let (first, second) = (named.to_owned(), key.to_owned());
                    return Ok(Err(Rejection::Lengths {
                        first,
                        of_first: before,
                        second,
                        of_second: length,
                    }));
                }
                _ => (count, named) = (Some(length), key),
            }
        }
        // Without another array, the element stays as it is, and the parser counts.
        let Some(count) = count else { return Ok(Ok(None)) };
        for replaced in arrays.iter().filter(|array| array.first.is_none()) {
            let key = keys.get(replaced.key).map(String::as_str).unwrap_or_default();
            losses.add(key, DropReason::Duplicate);
        }
        let arrays_bytes: usize = arrays.iter().map(|array| array.range.len()).sum();
        let rest = (element.bytes.len() - element.start).saturating_sub(arrays_bytes);
        let nulls = "null".len() * arrays.len();
        let bytes = rest.saturating_add(nulls).saturating_mul(count).saturating_add(item_bytes);
        Ok(Ok(Some((count, bytes))))
    }

    /// Writes the element of an index.
    pub fn write(&self, element: TextRef<'_>, index: usize, out: &mut ElementText) {
        out.clear();
        let mut at = element.start;
        for array in &self.arrays {
            out.copy_piece(&element, at..array.range.start);
            let item = array.first.and_then(|first| self.items.get(first + index));
            match item {
                Some(item) => out.copy_piece(&element, item.start as usize..item.end as usize),
                None => out.push(b"null"),
            }
            at = array.range.end;
        }
        out.copy_piece(&element, at..element.bytes.len());
    }

    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        self.finder.bytes()
            + self.arrays.capacity() * size_of::<Array>()
            + self.items.capacity() * size_of::<Range<u32>>()
    }
}
