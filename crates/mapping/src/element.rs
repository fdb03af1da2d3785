//! The values that one pass over an element found, as positions in the record's bytes.

use super::interned_keys::{InternedKeys, KeyId};
use super::scalar::Scalar;
use super::seen_keys::NodeId;
use std::ops::Range;

/// Most scalars of an element that are listed. The shape of an element with as many would take too much memory.
pub const SCALARS_MAX: usize = 1_024;

/// The values of one element. The buffer is reused from element to element.
#[derive(Debug, Default)]
pub struct Element {
    /// Number of this element; marks with another number belong to earlier elements.
    pub generation: u64,
    pub entries: Vec<Entry>,
    pub name: Option<Positioned>,
    /// Values that placeholders and `fields` copy, one for each of their selectors.
    pub copies: Vec<Option<Positioned>>,
    /// Whether to list the scalars, from which a shape is learned.
    pub lists_scalars: bool,
    /// Key and bytes of each scalar, also of null, with the white space before it; up to [`SCALARS_MAX`].
    pub scalars: Vec<(NodeId, Range<u32>)>,
    /// Whether a key came twice in one object.
    pub has_repeated_keys: bool,
    /// Whether a part of a key became U+FFFD.
    pub has_lossy_keys: bool,
    /// Length of the flattened keys of all values.
    pub key_bytes: usize,
    /// Depth of the innermost object or array.
    pub depth: usize,
}

/// A value, and where the parser stood behind it.
#[derive(Clone, Copy, Debug)]
pub struct Positioned {
    pub scalar: Scalar,
    pub position: usize,
}

/// A value that becomes a tag or a field.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub place: Place,
    pub scalar: Scalar,
    /// Where the parser stood behind the value. Records and their JSON text are smaller than 4 GB.
    position: u32,
    pub state: State,
    /// The earlier entry with the same final key.
    pub before: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// The value will be written.
    Active,
    /// A later value has the same final key, and may itself be taken back.
    Replaced,
    /// The same key came again in the same object.
    TakenBack,
}

#[derive(Clone, Copy, Debug)]
pub enum Place {
    Tag(KeyId),
    Field(KeyId),
}

impl Element {
    /// `copies`: the number of selectors that copy values.
    pub fn begin(&mut self, lists_scalars: bool, copies: usize) {
        self.next_generation();
        self.entries.clear();
        self.name = None;
        self.copies.clear();
        self.copies.resize(copies, None);
        self.lists_scalars = lists_scalars;
        self.scalars.clear();
        self.has_repeated_keys = false;
        self.has_lossy_keys = false;
        self.key_bytes = 0;
        self.depth = 0;
    }

    /// Begins an element of which nothing is listed, and returns its number.
    pub fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.scalars.capacity() * size_of::<(NodeId, Range<u32>)>()
    }

    /// Frees the memory.
    pub fn release(&mut self) {
        (self.entries, self.scalars) = (Vec::new(), Vec::new());
    }

    #[inline]
    pub fn push_scalar(&mut self, node: NodeId, bytes: Range<usize>) {
        if self.lists_scalars && self.scalars.len() < SCALARS_MAX {
            // Records and their JSON text are smaller than 4 GB.
            self.scalars.push((node, bytes.start as u32..bytes.end as u32));
        }
    }

    /// Adds a value under its final key. Returns the position behind the earlier value that it replaces.
    pub fn put(
        &mut self,
        place: Place,
        value: Positioned,
        tags: &mut InternedKeys,
        fields: &mut InternedKeys,
    ) -> Option<usize> {
        let (table, key) = place.in_tables(tags, fields);
        let before = table.claim(key, self.generation, self.entries.len());
        let earlier = before.and_then(|at| self.entries.get_mut(at));
        let replaced = earlier.map(|earlier| {
            earlier.state = State::Replaced;
            earlier.position as usize
        });
        let Positioned { scalar, position } = value;
        self.entries.push(Entry { place, scalar, position: position as u32, state: State::Active, before });
        replaced
    }

    /// Takes a value back and restores the value that it replaced. Returns the position behind the value if that makes one more value
    /// that is not written: a value that is restored was one of those.
    pub fn take_back(
        &mut self,
        at: usize,
        tags: &mut InternedKeys,
        fields: &mut InternedKeys,
    ) -> Option<usize> {
        let entry = self.entries.get_mut(at)?;
        if std::mem::replace(&mut entry.state, State::TakenBack) != State::Active {
            return None;
        }
        let entry = *entry;
        let (table, key) = entry.place.in_tables(tags, fields);
        table.release(key);
        let mut before = entry.before;
        while let Some((at, earlier)) = before.and_then(|at| Some((at, self.entries.get_mut(at)?))) {
            if earlier.state == State::Replaced {
                earlier.state = State::Active;
                table.claim(key, self.generation, at);
                return None;
            }
            before = earlier.before;
        }
        Some(entry.position as usize)
    }

    /// Drops the fields whose key is that of a tag, and hands the key of each to `dropped`.
    pub fn drop_fields(&mut self, is_tag: impl Fn(KeyId) -> bool, mut dropped: impl FnMut(KeyId)) {
        for entry in &mut self.entries {
            if let Place::Field(key) = entry.place
                && entry.state == State::Active
                && is_tag(key)
            {
                entry.state = State::TakenBack;
                dropped(key);
            }
        }
    }

    /// The values that are written as tags.
    pub fn tags(&self) -> impl Iterator<Item = (KeyId, Scalar)> {
        self.active().filter_map(|entry| match entry.place {
            Place::Tag(key) => Some((key, entry.scalar)),
            Place::Field(_) => None,
        })
    }

    /// The values that are written as fields.
    pub fn fields(&self) -> impl Iterator<Item = (KeyId, Scalar)> {
        self.active().filter_map(|entry| match entry.place {
            Place::Field(key) => Some((key, entry.scalar)),
            Place::Tag(_) => None,
        })
    }

    fn active(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.state == State::Active)
    }
}

impl Place {
    fn in_tables<'f>(
        self,
        tags: &'f mut InternedKeys,
        fields: &'f mut InternedKeys,
    ) -> (&'f mut InternedKeys, KeyId) {
        match self {
            Self::Tag(key) => (tags, key),
            Self::Field(key) => (fields, key),
        }
    }
}
