//! Final keys, escaped once when a key is first seen.

use super::padded_bytes::Prefix;
use line_protocol::encode;
use std::collections::HashMap;

/// Index of a final key in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(u32);

/// The final tag keys, or the final field keys, of one mapper.
#[derive(Debug, Default)]
pub struct InternedKeys {
    list: Vec<InternedKey>,
    /// Ids by written key. Different keys may be written alike, and a line must not repeat one.
    ids: HashMap<Box<[u8]>, KeyId>,
    /// Number of keys when the ranks were last updated.
    ranked: usize,
    /// Calls of [`InternedKeys::rank`] since then that found new keys.
    unranked_calls: usize,
    shares_keys: bool,
}

/// A final key, and the entry of the current element that uses it.
#[derive(Debug)]
pub struct InternedKey {
    pub key: Box<str>,
    /// The escaped key between the comma and the equals sign of a line: `,key=`.
    pub prefix: Prefix,
    /// Position in the order of escaped keys; valid if [`InternedKeys::rank`] returned true.
    pub rank: u32,
    /// Whether this is a tag that the mapping adds to the element's own.
    is_added: bool,
    generation: u64,
    entry: usize,
}

impl InternedKeys {
    /// The id of `key`; none for a key that can't be written: an empty one, or one that InfluxDB reserves.
    pub fn intern(&mut self, key: &str) -> Option<KeyId> {
        let mut prefix = Vec::with_capacity(key.len() + 2);
        prefix.push(b',');
        let _trimmed = encode::push_key(key.as_bytes(), &mut prefix);
        // InfluxDB 3 reads two backslashes as one. It can't read a table any more of which a line had a tag twice.
        prefix.dedup_by(|a, b| (*a, *b) == (b'\\', b'\\'));
        if matches!(prefix.as_slice(), b"," | b",time" | b",_field" | b",_measurement") {
            return None;
        }
        prefix.push(b'=');
        if let Some(&id) = self.ids.get(prefix.as_slice()) {
            return Some(id);
        }
        let id = KeyId(u32::try_from(self.list.len()).ok()?);
        let written = Prefix::new(&prefix);
        self.ids.insert(prefix.into(), id);
        let (rank, is_added, generation, entry) = (0, false, 0, 0);
        self.list.push(InternedKey { key: key.into(), prefix: written, rank, is_added, generation, entry });
        Some(id)
    }

    /// Records that the mapping adds a tag with this key.
    #[expect(
        clippy::indexing_slicing,
        reason = "ids come from this table, which only grows until it is cleared whole"
    )]
    pub fn set_added(&mut self, id: KeyId) {
        self.list[id.0 as usize].is_added = true;
    }

    pub fn is_added(&self, id: KeyId) -> bool {
        self.get(id).is_added
    }

    /// Records, for fields, that a key is also that of a tag which an element itself may have.
    pub fn share_keys(&mut self) {
        self.shares_keys = true;
    }

    /// Whether an element may have a tag and a field with one key.
    pub fn shares_keys(&self) -> bool {
        self.shares_keys
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "ids come from this table, which only grows until it is cleared whole"
    )]
    pub fn get(&self, id: KeyId) -> &InternedKey {
        &self.list[id.0 as usize]
    }

    /// Records that the element `generation` uses the key in `entry`. Returns the entry that used the key before.
    #[expect(
        clippy::indexing_slicing,
        reason = "ids come from this table, which only grows until it is cleared whole"
    )]
    pub fn claim(&mut self, id: KeyId, generation: u64, entry: usize) -> Option<usize> {
        let slot = &mut self.list[id.0 as usize];
        let before = (slot.generation == generation).then_some(slot.entry);
        (slot.generation, slot.entry) = (generation, entry);
        before
    }

    /// Records that the element `generation` uses the key; none if it did already.
    #[inline]
    pub fn claim_new(&mut self, id: KeyId, generation: u64) -> Option<()> {
        self.claim(id, generation, usize::MAX).is_none().then_some(())
    }

    /// The id of a key written as [`InternedKey::prefix`].
    pub fn find(&self, prefix: &[u8]) -> Option<KeyId> {
        self.ids.get(prefix).copied()
    }

    /// Whether the element `generation` uses the key.
    #[expect(
        clippy::indexing_slicing,
        reason = "ids come from this table, which only grows until it is cleared whole"
    )]
    pub fn is_used_by(&self, id: KeyId, generation: u64) -> bool {
        self.list[id.0 as usize].generation == generation
    }

    /// Records that the current element no longer uses the key.
    #[expect(
        clippy::indexing_slicing,
        reason = "ids come from this table, which only grows until it is cleared whole"
    )]
    pub fn release(&mut self, id: KeyId) {
        // Generations begin at 1.
        self.list[id.0 as usize].generation = 0;
    }

    /// Returns whether the ranks of all keys are valid, and updates them now and then. Sorting the table for each line with a new key would
    /// take the square of the number of lines. A line is arranged by the bytes of its keys meanwhile.
    pub fn rank(&mut self) -> bool {
        if self.ranked == self.list.len() {
            return true;
        }
        self.unranked_calls += 1;
        if self.unranked_calls < self.list.len() / 2 {
            return false;
        }
        (self.ranked, self.unranked_calls) = (self.list.len(), 0);
        let mut order: Vec<&mut InternedKey> = self.list.iter_mut().collect();
        order.sort_unstable_by(|a, b| a.written().cmp(b.written()));
        order.into_iter().enumerate().for_each(|(rank, slot)| slot.rank = rank as u32);
        true
    }
}

impl InternedKey {
    /// The escaped key, by which InfluxDB sorts.
    pub fn written(&self) -> &[u8] {
        let prefix = self.prefix.bytes();
        prefix.strip_suffix(b"=").unwrap_or(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_refuses() {
        let mut interned_keys = InternedKeys::default();
        let [b, a, c] = ["b", "a", "c d"].map(|key| interned_keys.intern(key).unwrap());
        assert!(interned_keys.rank());
        assert_eq!([a, b, c].map(|id| interned_keys.get(id).rank), [0, 1, 2]);
        assert_eq!(interned_keys.get(c).prefix.bytes(), br",c\ d=");
        assert_eq!(interned_keys.intern("b"), Some(b));
        for reserved in ["", r"\", "time", "_field", "_measurement", "time\0", r"_field\"] {
            assert_eq!(interned_keys.intern(reserved), None, "{reserved}");
        }
        for alike in ["b\0", r"b\", r"\\ d"] {
            assert!(interned_keys.intern(alike).is_some());
        }
        assert_eq!(interned_keys.intern("b\0"), Some(b));
        assert_eq!(interned_keys.intern("x\n"), interned_keys.intern(r"x\n"));
        let backslashes = [r"c\d", r"c\\d", r"c\\\d"].map(|key| interned_keys.intern(key).unwrap());
        assert_eq!(backslashes, [backslashes[0]; 3]);
        assert_eq!(interned_keys.get(backslashes[0]).prefix.bytes(), br",c\d=");
    }

    #[test]
    fn ranks_a_growing_table_seldom_and_a_table_that_no_longer_grows() {
        let mut interned_keys = InternedKeys::default();
        let mut add_and_rank = |number: usize| {
            interned_keys.intern(&format!("k{}", number * 7_919 % 1_009)).unwrap();
            interned_keys.rank()
        };
        let ranked: Vec<_> = (0..1_000).filter(|number| add_and_rank(*number)).collect();
        assert!(ranked.len() < 20, "{ranked:?}");
        let calls = (0..1_000).take_while(|_| !interned_keys.rank()).count();
        assert!(calls < 500, "{calls}");
        let mut ids: Vec<_> = (0..1_000).map(KeyId).collect();
        ids.sort_unstable_by_key(|id| interned_keys.get(*id).rank);
        assert!(ids.is_sorted_by_key(|id| interned_keys.get(*id).written()));
    }

    #[test]
    fn finds_the_entry_that_used_a_key() {
        let mut interned_keys = InternedKeys::default();
        let a = interned_keys.intern("a").unwrap();
        assert_eq!(interned_keys.claim(a, 1, 7), None);
        assert_eq!(interned_keys.claim(a, 1, 8), Some(7));
        assert_eq!(interned_keys.claim(a, 2, 0), None);
        interned_keys.release(a);
        assert_eq!(interned_keys.claim(a, 2, 1), None);
    }
}
