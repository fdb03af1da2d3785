//! Finds values of an element by flattened key.

use super::text::TextRef;
use crate::decode::{Scanner, SyntaxError, Token};
use std::ops::Range;

/// A value under one of the wanted keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Index of the key.
    pub key: usize,
    pub range: Range<usize>,
    /// Whether the value stands in a member of an object that has the name of a later member.
    is_replaced: bool,
}

/// A member of an object in which values were found.
#[derive(Debug)]
struct Holder {
    /// The flattened key of the member: so many bytes of the key with this index.
    key: (usize, usize),
    /// Indexes of the values in [`Finder::found`].
    found: Range<usize>,
}

/// The values found in one object. The buffers are reused.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    pub(super) found: Vec<Found>,
    /// For each key the index of its last value in `found`.
    last: Vec<Option<usize>>,
    flattened: Vec<u8>,
    scratch: Vec<u8>,
    /// The members of the objects that are being read, from the outermost object on.
    holders: Vec<Holder>,
}

impl Finder {
    /// Finds the values under these keys, in the order of the text. `element` is an object.
    pub(super) fn find<'k>(
        &mut self,
        keys: impl Iterator<Item = &'k str> + Clone,
        element: &TextRef<'_>,
    ) -> Result<(), SyntaxError> {
        self.found.clear();
        self.flattened.clear();
        self.holders.clear();
        let mut scanner = element.scanner();
        let token = scanner.value()?;
        self.descend(&keys, &mut scanner, token, 0)?;
        self.last.clear();
        self.last.resize(keys.count(), None);
        for (place, found) in self.found.iter().enumerate().filter(|(_, found)| !found.is_replaced) {
            if let Some(last) = self.last.get_mut(found.key) {
                *last = Some(place);
            }
        }
        Ok(())
    }

    fn descend<'k>(
        &mut self,
        keys: &(impl Iterator<Item = &'k str> + Clone),
        scanner: &mut Scanner<'_>,
        token: Token<'_>,
        depth: usize,
    ) -> Result<(), SyntaxError> {
        scanner.check_depth(token, depth)?;
        let mut index = 0_usize;
        let (before, siblings) = (self.flattened.len(), self.holders.len());
        loop {
            if depth > 0 {
                self.flattened.push(b'_');
            }
            if token == Token::Array {
                if !scanner.element(index == 0)? {
                    break;
                }
                self.flattened.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
            } else {
                let Some(key) = scanner.key(index == 0)? else { break };
                self.flattened.extend_from_slice(key.decode(&mut self.scratch));
            }
            index += 1;
            self.member(keys, scanner, siblings, depth + 1)?;
            self.flattened.truncate(before);
        }
        self.flattened.truncate(before);
        self.holders.truncate(siblings);
        Ok(())
    }

    /// Reads the value of a member or item. `siblings`: the index of the first of the members in [`Finder::holders`] that stand beside it.
    fn member<'k>(
        &mut self,
        keys: &(impl Iterator<Item = &'k str> + Clone),
        scanner: &mut Scanner<'_>,
        siblings: usize,
        depth: usize,
    ) -> Result<(), SyntaxError> {
        scanner.skip_whitespace();
        let start = scanner.position();
        let token = scanner.value()?;
        let flattened = self.flattened.as_slice();
        let is_below =
            |key: &str| key.as_bytes().strip_prefix(flattened).is_some_and(|rest| rest.starts_with(b"_"));
        let is_container = matches!(token, Token::Object | Token::Array);
        let may_hold = is_container || self.holders.len() > siblings;
        let below = if may_hold { keys.clone().position(is_below) } else { None };
        let below = below.map(|key| (key, flattened.len()));
        if let Some(key) = below {
            self.replace(key, siblings);
        }
        let first = self.found.len();
        if is_container && below.is_some() {
            self.descend(keys, scanner, token, depth)?;
        } else {
            scanner.skip_rest(token, depth)?;
        }
        let flattened = self.flattened.as_slice();
        let own = keys.clone().position(|key| key.as_bytes() == flattened);
        if token == Token::Array && own.is_some() {
            // An array is taken whole, with the values that were found within.
            self.found.truncate(first);
        }
        let found = first..self.found.len();
        self.holders.extend(below.filter(|_| !found.is_empty()).map(|key| Holder { key, found }));
        let range = start..scanner.position();
        self.found.extend(own.map(|key| Found { key, range, is_replaced: false }));
        Ok(())
    }

    /// Notes that the values within a member of an object are replaced by those of a later member with the same key.
    fn replace(&mut self, key: (usize, usize), siblings: usize) {
        let beside = self.holders.get(siblings..).unwrap_or_default();
        let Some(place) = beside.iter().position(|holder| holder.key == key) else { return };
        let Holder { found, .. } = self.holders.swap_remove(siblings + place);
        for replaced in self.found.get_mut(found).unwrap_or_default() {
            replaced.is_replaced = true;
        }
    }

    /// The last value under the key with this index, which is the value of a repeated key.
    pub(super) fn last(&self, key: usize) -> Option<&Found> {
        self.found.get((*self.last.get(key)?)?)
    }

    /// Whether a value is the last one under its key.
    pub(super) fn is_last(&self, place: usize, found: &Found) -> bool {
        self.last.get(found.key) == Some(&Some(place))
    }

    /// Allocated memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.found.capacity() * size_of::<Found>()
            + self.last.capacity() * 16
            + self.holders.capacity() * size_of::<Holder>()
            + self.flattened.capacity()
            + self.scratch.capacity()
    }
}

/// The first token of the value in a range.
pub(super) fn token_at<'t>(
    element: &TextRef<'t>,
    range: &Range<usize>,
) -> Result<(Token<'t>, Scanner<'t>), SyntaxError> {
    let mut scanner = element.scanner().within(range.start, range.end);
    let token = scanner.value()?;
    Ok((token, scanner))
}
