//! Parses an element in one pass, and notes its tags, fields, name and time.

use super::drop_reason::{DropReason, Drops};
use super::element::{Element, Place, Positioned};
use super::first_drops::FirstDrops;
use super::interned_keys::InternedKeys;
use super::plan::{Plan, PlannedKey, ScalarUse};
use super::replacements::Replaced;
use super::reshape::{CountedValues, Piece};
use super::rules::Rules;
use super::scalar::Scalar;
use super::seen_keys::{NodeId, Seen, SeenKeys};
use super::selector::KeySelector;
use crate::decode::{Path, Scanner, Syntax, SyntaxError, Token};

/// Everything a mapper has learned about a topic's keys.
#[derive(Debug)]
pub struct TopicKeys {
    pub keys: SeenKeys,
    pub tags: InternedKeys,
    pub fields: InternedKeys,
    /// The selectors whose values are copied from elements.
    pub copied: Vec<KeySelector>,
    /// Paths of `$` selectors, whose values shapes and known keys find in an element that is the record's root.
    pub roots: Vec<Path>,
    /// Whether an element may be the record's root, where `$` selectors are paths within the element.
    pub has_root_selectors: bool,
    /// Whether the plan of a key depends on that.
    pub has_plans_of_root: bool,
    /// Whether a part of a key can't be written, which the parser counts.
    pub has_trimmed_keys: bool,
    pub first_drops: FirstDrops,
    pub drops: Drops,
    /// The values of an element that `explode` takes apart.
    pub counted: CountedValues,
}

/// Most bytes of the flattened keys of one element. A long key around a long list would otherwise be copied for each item: 1 MB of
/// JSON would take gigabytes.
pub const KEY_BYTES_MAX: usize = 8 << 20;

/// Parser of one element.
pub struct ElementParser<'m, 'a> {
    pub scanner: &'m mut Scanner<'a>,
    pub rules: &'m Rules,
    pub known: &'m mut TopicKeys,
    pub element: &'m mut Element,
    pub scratch: &'m mut Vec<u8>,
    /// The pieces of an element that `explode` made.
    pub pieces: &'m [Piece],
    /// Whether the element is the record's root, as far as plans depend on that.
    pub is_root: bool,
}

impl<'a> ElementParser<'_, 'a> {
    /// Reads the members of an object whose opening bracket was just read.
    pub fn object(&mut self, node: NodeId, depth: usize) -> Result<(), SyntaxError> {
        let mut before = None;
        while let Some(key) = self.scanner.key(before.is_none())? {
            let child = self.known.keys.child(node.object(), before, key.decode(self.scratch));
            before = Some(child);
            if key.is_lossy() {
                self.element.has_lossy_keys = true;
                self.drop_value_at(child, self.scanner.position(), DropReason::NotUtf8);
            }
            self.member(child, depth + 1)?;
        }
        Ok(())
    }

    fn array(&mut self, node: NodeId, depth: usize) -> Result<(), SyntaxError> {
        let (mut before, mut index, mut digits) = (None, 0_usize, itoa::Buffer::new());
        while self.scanner.element(before.is_none())? {
            let child = self.known.keys.child(node.array(), before, digits.format(index).as_bytes());
            before = Some(child);
            index += 1;
            self.member(child, depth + 1)?;
        }
        Ok(())
    }

    /// Reads the value under a key or index. If the element already had this key, its earlier value is taken back completely.
    fn member(&mut self, node: NodeId, depth: usize) -> Result<(), SyntaxError> {
        if self.known.keys.seen(node).generation == self.element.generation {
            self.element.has_repeated_keys = true;
            self.take_back(node);
        }
        let (entries, start) = (self.element.entries.len(), self.scanner.position());
        let token = self.scanner.value()?;
        self.scanner.check_depth(token, depth)?;
        if matches!(token, Token::Object | Token::Array) {
            self.element.depth = self.element.depth.max(depth);
        }
        match token {
            Token::Object => self.object(node, depth)?,
            Token::Array => self.array(node, depth)?,
            scalar => {
                self.element.key_bytes += self.known.keys.flattened_len(node);
                if self.element.key_bytes > KEY_BYTES_MAX {
                    return Err(SyntaxError { at: start, why: Syntax::Keys });
                }
                self.element.push_scalar(node, start..self.scanner.position());
                self.scalar(node, scalar);
            }
        }
        let (entries, bytes) = (entries..self.element.entries.len(), start..self.scanner.position());
        self.known.keys.set_seen(node, Seen { generation: self.element.generation, entries, bytes });
        Ok(())
    }

    fn take_back(&mut self, node: NodeId) {
        let TopicKeys { keys, tags, fields, drops, counted, .. } = &mut *self.known;
        let seen = keys.seen(node);
        let mut is_lost = false;
        for entry in seen.entries.clone() {
            if let Some(position) = self.element.take_back(entry, tags, fields)
                && counted.add_in(self.pieces, position, DropReason::Duplicate)
            {
                drops.add(DropReason::Duplicate);
                is_lost = true;
            }
        }
        let Element { name, copies, .. } = &mut *self.element;
        for slot in copies.iter_mut().chain([name]) {
            // A value ends where the parser stood; the range of its key ends there too.
            slot.take_if(|value| seen.bytes.start < value.position && value.position <= seen.bytes.end);
        }
        if is_lost {
            self.report_first(node, DropReason::Duplicate);
        }
    }

    fn scalar(&mut self, node: NodeId, token: Token<'a>) {
        let position = self.scanner.position();
        let Some(scalar) = Scalar::of(token, self.scanner.source(), position) else {
            return self.no_value(node, token);
        };
        let plan = self.plan(node);
        let (token, scalar) = match plan.replaced(token, self.rules, self.scratch) {
            Replaced::Unchanged => (token, scalar),
            Replaced::By(token, scalar) => (token, scalar),
            Replaced::LeftOut => return,
        };
        if plan.copies.is_any() {
            let value = Some(Positioned { scalar, position });
            plan.copies.copy(value, &mut self.element.copies);
            if plan.copies.is_name(scalar) {
                self.element.name = value;
            }
        }
        let (used, is_put) = match plan.use_of(token, scalar) {
            ScalarUse::Tag(key) => (Some((Place::Tag(key), scalar)), true),
            ScalarUse::Field(key, scalar) => (Some((Place::Field(key), scalar)), true),
            ScalarUse::Nothing => (None, false),
            ScalarUse::Dropped(drop) => {
                self.drop_value(node, drop);
                (None, false)
            }
        };
        // A value that a `$` selector finds, too, is counted with those from outside of the element.
        let is_counted_here = (is_put || plan.copies.is_any()) && !plan.is_of_root;
        if is_counted_here && matches!(token, Token::Text(text) if text.is_lossy()) {
            self.drop_value_at(node, position, DropReason::NotUtf8);
        }
        if let Some((place, scalar)) = used {
            if plan.is_trimmed {
                self.drop_value(node, DropReason::Backslash);
            }
            self.put(node, place, scalar);
        }
    }

    fn plan(&mut self, node: NodeId) -> Plan {
        let plan = self.known.plan(node, self.rules);
        // A list has no such values at its root, so this happens only where a topic has lists beside objects.
        if plan.is_of_root && !self.is_root { self.known.new_plan(node, self.rules, false) } else { plan }
    }

    /// Counts a value that no point can have; null is no loss.
    fn no_value(&mut self, node: NodeId, token: Token<'a>) {
        if let Some(lost) = DropReason::of_token(token)
            && let ScalarUse::Dropped(drop) = self.plan(node).use_of_lost(lost)
        {
            self.drop_value_at(node, self.scanner.position(), drop);
        }
    }

    fn put(&mut self, node: NodeId, place: Place, scalar: Scalar) {
        let TopicKeys { tags, fields, .. } = &mut *self.known;
        let value = Positioned { scalar, position: self.scanner.position() };
        if let Some(replaced) = self.element.put(place, value, tags, fields) {
            self.drop_value_at(node, replaced, DropReason::Duplicate);
        }
    }

    /// Drops a value that ends at a position, once for all elements that `explode` made of one.
    fn drop_value_at(&mut self, node: NodeId, end: usize, drop: DropReason) {
        if self.known.counted.add_in(self.pieces, end, drop) {
            self.drop_value(node, drop);
        }
    }

    fn drop_value(&mut self, node: NodeId, drop: DropReason) {
        self.known.drops.add(drop);
        self.report_first(node, drop);
    }

    /// Reports the first drop of a key's value for each reason.
    fn report_first(&mut self, node: NodeId, drop: DropReason) {
        if self.known.keys.has_dropped(node, drop) {
            return;
        }
        self.known.keys.set_dropped(node, drop);
        if self.known.first_drops.is_open() {
            self.known.first_drops.add(&self.known.keys.flattened(node), drop);
        }
    }
}

impl TopicKeys {
    /// Number of the values that are copied from an element.
    pub fn copies(&self) -> usize {
        self.copied.len() + self.roots.len()
    }

    /// The plan of a node's key, made when the key is first seen. For elements that may be the record's root, the plan is that of the root.
    pub fn plan(&mut self, node: NodeId, rules: &Rules) -> Plan {
        if let Some(plan) = self.keys.plan(node) {
            return plan;
        }
        let plan = self.new_plan(node, rules, self.has_root_selectors);
        self.has_plans_of_root |= plan.is_of_root;
        self.has_trimmed_keys |= plan.is_trimmed;
        self.keys.set_plan(node, plan);
        plan
    }

    fn new_plan(&mut self, node: NodeId, rules: &Rules, is_root: bool) -> Plan {
        let Self { keys, tags, fields, copied, roots, .. } = self;
        let is_at = |path: &_| keys.is_at(node, path);
        let key = PlannedKey { flattened: &keys.flattened(node), is_at, is_root };
        Plan::of(&key, rules, copied, roots, tags, fields)
    }
}
