//! A tree of the keys seen so far. A known key is found without building its flattened name, mostly by one comparison with
//! the key that followed last time.

use super::drop_reason::DropReason;
use super::plan::Plan;
use crate::decode::{Path, Step};
use line_protocol::runs;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

/// Most nodes of one mapper; beyond, the mapper clears everything learned. Real topics have fewer keys, and the bound limits
/// topics whose keys never repeat.
const NODES_MAX: usize = 4_096;
/// Most bytes of keys of one mapper, for the same reason.
const KEY_BYTES_MAX: usize = 1 << 20;

/// Index of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(u32);

impl NodeId {
    pub const ROOT: Self = Self(0);
    const NONE: Self = Self(u32::MAX);

    /// Number of the node, for tables beside the tree.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The object at the node.
    #[inline]
    pub fn object(self) -> Container {
        Container(self.0)
    }

    /// The array at the node.
    #[inline]
    pub fn array(self) -> Container {
        Container(self.0 | Container::ARRAY)
    }
}

/// The object or the array at a node, which has children. An item of the array and a member whose name is the item's index are different
/// nodes with one flattened key: the index of a path selects items only, and a name selects members only (RFC 9535, section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container(u32);

impl Container {
    /// The bit of arrays. Nodes have smaller numbers: each takes several bytes of a text of less than 4 GB.
    const ARRAY: u32 = 1 << 31;

    #[inline]
    fn node(self) -> NodeId {
        NodeId(self.0 & !Self::ARRAY)
    }

    fn is_array(self) -> bool {
        self.0 & Self::ARRAY != 0
    }
}

#[derive(Debug)]
pub struct SeenKeys {
    nodes: Vec<Node>,
    /// Open addressing: node numbers, `NONE` where free; a power of two, at most half full.
    slots: Vec<u32>,
    key_bytes: usize,
    seeds: [u64; 2],
}

#[derive(Debug)]
struct Node {
    parent: Container,
    key: Box<[u8]>,
    /// The first bytes of the key, as [`Key::start`].
    start: u128,
    /// Length of the flattened key.
    flattened_len: u32,
    /// The sibling that followed this node last time, and the child that came first.
    next: NodeId,
    first_child: NodeId,
    plan: Option<Plan>,
    seen: Seen,
    /// A bit for each reason for which a value of this key was dropped before.
    dropped: u32,
}

/// A key that is looked for.
#[derive(Clone, Copy)]
struct Key<'k> {
    bytes: &'k [u8],
    /// The first bytes, padded with zeros: mostly the whole key, which is then compared and hashed at once.
    start: u128,
}

impl<'k> Key<'k> {
    fn new(bytes: &'k [u8]) -> Self {
        Self { bytes, start: runs::start(bytes) }
    }
}

/// The entries that the current element has under a node, so that a duplicate key can take them back.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub generation: u64,
    pub entries: Range<usize>,
    pub bytes: Range<usize>,
}

impl SeenKeys {
    pub fn new() -> Self {
        // Keys come from outside. Without a random state, they could be chosen to collide.
        let seed = |of: u64| RandomState::new().hash_one(of) | 1;
        let seeds = [seed(0), seed(1)];
        let mut tree = Self { nodes: Vec::new(), slots: Vec::new(), key_bytes: 0, seeds };
        tree.clear();
        tree
    }

    /// Whether the tree has reached its bound and has to be cleared before the next record.
    pub fn is_full(&self) -> bool {
        self.nodes.len() > NODES_MAX || self.key_bytes > KEY_BYTES_MAX
    }

    pub fn clear(&mut self) {
        self.nodes.clear();
        self.nodes.shrink_to(NODES_MAX);
        self.nodes.push(Node::new(NodeId::NONE.object(), b"", 0));
        self.slots = vec![NodeId::NONE.0; 64];
        self.key_bytes = 0;
    }

    /// The child of `parent` named `key`. `before` is the child read just before (none for the first); it only speeds up the search.
    pub fn child(&mut self, parent: Container, before: Option<NodeId>, key: &[u8]) -> NodeId {
        if let Some(known) = self.known_child(parent, before, key) {
            return known;
        }
        let new = self.insert(parent, key);
        self.expect(parent, before, new);
        new
    }

    /// The child like [`SeenKeys::child`]; none where the key is new.
    #[inline]
    pub fn known_child(&mut self, parent: Container, before: Option<NodeId>, key: &[u8]) -> Option<NodeId> {
        let expected = match before {
            None => self.node(parent.node()).first_child,
            Some(before) => self.node(before).next,
        };
        let key = Key::new(key);
        if expected != NodeId::NONE && self.is(expected, parent, key) {
            return Some(expected);
        }
        let found = self.find(parent, key)?;
        self.expect(parent, before, found);
        Some(found)
    }

    fn expect(&mut self, parent: Container, before: Option<NodeId>, child: NodeId) {
        match before {
            None => self.node_mut(parent.node()).first_child = child,
            Some(before) => self.node_mut(before).next = child,
        }
    }

    pub fn plan(&self, id: NodeId) -> Option<Plan> {
        self.node(id).plan
    }

    pub fn set_plan(&mut self, id: NodeId, plan: Plan) {
        self.node_mut(id).plan = Some(plan);
    }

    /// Whether a value of this key was dropped for this reason before.
    pub fn has_dropped(&self, id: NodeId, drop: DropReason) -> bool {
        self.node(id).dropped & (1 << drop as u8) != 0
    }

    pub fn set_dropped(&mut self, id: NodeId, drop: DropReason) {
        self.node_mut(id).dropped |= 1 << drop as u8;
    }

    pub fn seen(&self, id: NodeId) -> &Seen {
        &self.node(id).seen
    }

    pub fn set_seen(&mut self, id: NodeId, seen: Seen) {
        self.node_mut(id).seen = seen;
    }

    /// Notes that the element `generation` has the key, without its entries. Returns whether the element had the key before.
    #[inline]
    pub fn is_repeated(&mut self, id: NodeId, generation: u64) -> bool {
        std::mem::replace(&mut self.node_mut(id).seen.generation, generation) == generation
    }

    /// Length of the flattened key.
    pub fn flattened_len(&self, id: NodeId) -> usize {
        self.node(id).flattened_len as usize
    }

    /// The keys from the root to the node, joined with "_".
    pub fn flattened(&self, id: NodeId) -> String {
        let mut keys = Vec::new();
        let mut at = id;
        while at != NodeId::ROOT {
            let node = self.node(at);
            keys.push(String::from_utf8_lossy(&node.key));
            at = node.parent.node();
        }
        keys.reverse();
        keys.join("_")
    }

    /// Whether the steps of a path lead from the root to the node.
    pub fn is_at(&self, id: NodeId, path: &Path) -> bool {
        let mut at = id;
        for step in path.0.iter().rev() {
            if at == NodeId::ROOT {
                return false;
            }
            let node = self.node(at);
            let is_step = match step {
                Step::Key(name) => !node.parent.is_array() && *node.key == *name.as_bytes(),
                Step::Index(index) => {
                    node.parent.is_array() && *node.key == *itoa::Buffer::new().format(*index).as_bytes()
                }
            };
            if !is_step {
                return false;
            }
            at = node.parent.node();
        }
        at == NodeId::ROOT
    }

    fn find(&self, parent: Container, key: Key<'_>) -> Option<NodeId> {
        let mut slot = self.hash(parent, key);
        loop {
            let found = self.in_slot(slot)?;
            if self.is(found, parent, key) {
                return Some(found);
            }
            slot += 1;
        }
    }

    fn insert(&mut self, parent: Container, key: &[u8]) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        let separator = usize::from(parent.node() != NodeId::ROOT);
        let flattened_len = self.flattened_len(parent.node()) + separator + key.len();
        self.nodes.push(Node::new(parent, key, flattened_len));
        self.key_bytes += key.len();
        self.fill_slot(id);
        if self.nodes.len() * 2 > self.slots.len() {
            self.grow();
        }
        id
    }

    fn grow(&mut self) {
        self.slots = vec![NodeId::NONE.0; self.slots.len() * 2];
        for id in (1..self.nodes.len() as u32).map(NodeId) {
            self.fill_slot(id);
        }
    }

    fn is(&self, id: NodeId, parent: Container, key: Key<'_>) -> bool {
        let (node, length) = (self.node(id), key.bytes.len());
        let is_like = node.start == key.start && node.parent == parent && node.key.len() == length;
        is_like && (length <= size_of_val(&key.start) || *node.key == *key.bytes)
    }

    fn hash(&self, parent: Container, key: Key<'_>) -> usize {
        let [seed, multiplier] = self.seeds;
        let fold = |hash: u64, word: u64| {
            let product = u128::from(hash ^ word) * u128::from(multiplier);
            (product as u64) ^ (product >> 64) as u64
        };
        let fold_window = |hash, window: u128| fold(fold(hash, window as u64), (window >> 64) as u64);
        let first = (u64::from(parent.0) << 32) | key.bytes.len() as u64;
        let rest = key.bytes.get(size_of_val(&key.start)..).unwrap_or_default();
        let windows = rest.chunks(size_of_val(&key.start)).map(runs::start);
        windows.fold(fold_window(fold(seed, first), key.start), fold_window) as usize
    }

    #[expect(clippy::indexing_slicing, reason = "the mask keeps it inside, the length is a power of two")]
    fn in_slot(&self, slot: usize) -> Option<NodeId> {
        let id = NodeId(self.slots[slot & (self.slots.len() - 1)]);
        (id != NodeId::NONE).then_some(id)
    }

    #[expect(clippy::indexing_slicing, reason = "the mask keeps it inside, the length is a power of two")]
    fn fill_slot(&mut self, id: NodeId) {
        let node = self.node(id);
        let mut slot = self.hash(node.parent, Key { bytes: &node.key, start: node.start });
        while self.in_slot(slot).is_some() {
            slot += 1;
        }
        let mask = self.slots.len() - 1;
        self.slots[slot & mask] = id.0;
    }

    #[expect(clippy::indexing_slicing, reason = "ids come from this tree and end with the record")]
    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "ids come from this tree and end with the record")]
    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }
}

impl Node {
    fn new(parent: Container, key: &[u8], flattened_len: usize) -> Self {
        let (next, first_child) = (NodeId::NONE, NodeId::NONE);
        // Records and their JSON text are smaller than 4 GB.
        let flattened_len = flattened_len as u32;
        Self {
            parent,
            key: key.into(),
            start: runs::start(key),
            flattened_len,
            next,
            first_child,
            plan: None,
            seen: Seen::default(),
            dropped: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_known_keys() {
        let mut tree = SeenKeys::new();
        let a = tree.child(NodeId::ROOT.object(), None, b"a");
        let b = tree.child(a.object(), None, b"b");
        let c = tree.child(a.object(), Some(b), b"c");
        assert_eq!(tree.flattened(c), "a_c");
        // Another order, then the first one again.
        assert_eq!(tree.child(a.object(), None, b"c"), c);
        assert_eq!(tree.child(a.object(), Some(c), b"b"), b);
        assert_eq!(tree.child(a.object(), None, b"b"), b);
        // An item of an array is no member of an object, whatever the member's name.
        let (item, member) = (tree.child(a.array(), None, b"0"), tree.child(a.object(), None, b"0"));
        assert_ne!(item, member);
        assert_eq!((tree.flattened(item), tree.flattened(member)), ("a_0".to_owned(), "a_0".to_owned()));
        assert_eq!(tree.child(a.array(), None, b"0"), item);
        for (path, found, other) in [("$.a[0]", item, member), ("$.a['0']", member, item)] {
            let path = Path::parse(path).unwrap();
            assert!(tree.is_at(found, &path) && !tree.is_at(other, &path), "{path}");
        }
        // The same key under another parent is another node.
        assert_ne!(tree.child(NodeId::ROOT.object(), Some(a), b"b"), b);
    }

    #[test]
    fn finds_every_one_of_many() {
        let mut tree = SeenKeys::new();
        let keys: Vec<String> = (0..5_000).map(|n| format!("k{n}")).collect();
        let ids: Vec<NodeId> =
            keys.iter().map(|k| tree.child(NodeId::ROOT.object(), None, k.as_bytes())).collect();
        for (key, id) in keys.iter().zip(ids) {
            assert_eq!(tree.child(NodeId::ROOT.object(), None, key.as_bytes()), id);
            assert_eq!(tree.flattened(id), *key);
        }
        assert!(tree.is_full());
        tree.clear();
        assert!(!tree.is_full());
        assert_eq!(tree.child(NodeId::ROOT.object(), None, b"x"), NodeId(1));
    }
}
