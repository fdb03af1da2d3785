//! Shortcut for objects of unknown shape whose keys are all known: each key is looked up, and its value goes straight into the line.
//!
//! It gives exactly the line that the parser would give, or none. Then the parser reads the object.

use super::element_parser::{KEY_BYTES_MAX, TopicKeys};
use super::interned_keys::KeyId;
use super::line::{LineLayout, LineValues};
use super::plan::Role;
use super::record_shape::{Attempts, Facts, PlannedScalar};
use super::rules::Rules;
use super::scalar::Texts;
use super::seen_keys::NodeId;
use super::topic_parts::TopicParts;
use crate::decode::{Scanner, Token};

/// Buffers that are reused from object to object.
#[derive(Debug, Default)]
pub struct KnownKeys {
    attempts: Attempts,
    /// The keys of [`LineValues::tags`].
    tags: Vec<KeyId>,
    layout: LineLayout,
}

/// Reader of one object.
pub struct KnownKeysReader<'m, 'a> {
    pub scanner: &'m mut Scanner<'a>,
    pub rules: &'m Rules,
    pub topic_parts: &'m TopicParts,
    pub texts: Texts<'m>,
    pub known: &'m mut TopicKeys,
    pub values: &'m mut LineValues,
    /// Number of the element, for marks at its keys.
    pub generation: u64,
}

/// The reader's findings beside [`LineValues`].
struct Found<'k> {
    tags: &'k mut Vec<KeyId>,
    /// The field with the longest key, and the key's length.
    longest_field: Option<(usize, KeyId)>,
    /// Length of the flattened keys of all values.
    key_bytes: usize,
}

impl KnownKeys {
    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        self.tags.capacity() * size_of::<KeyId>() + self.layout.bytes()
    }

    /// The layout of the line of the object that was found last.
    pub fn layout(&self) -> &LineLayout {
        &self.layout
    }

    /// Reads an object after its opening bracket, and arranges the layout of its line. Returns none, and the scanner stays, where the object
    /// needs a decision of the parser: because of a new key, two values with one final key, or a drop that was not reported yet.
    pub fn find(&mut self, mut reader: KnownKeysReader<'_, '_>, depth: usize) -> Option<()> {
        // Where a tag and a field of an element may have one key, or a key is changed, the parser decides and counts.
        let needs_parser = reader.known.fields.shares_keys() || reader.known.has_trimmed_keys;
        if needs_parser || !reader.scanner.is_utf8() || !self.attempts.tries_next() {
            return None;
        }
        let object = reader.scanner.clone();
        self.tags.clear();
        let mut found = Found { tags: &mut self.tags, longest_field: None, key_bytes: 0 };
        if reader.read(depth, &mut found).is_none() {
            self.attempts.failed(1);
            *reader.scanner = object;
            return None;
        }
        self.attempts.succeeded(1);
        let longest_field = found.longest_field.map(|(_, key)| key);
        let KnownKeysReader { known, topic_parts, .. } = reader;
        let (tags, outside_tags) = (self.tags.iter().copied(), topic_parts.outside_tags.iter().copied());
        self.layout.arrange(tags, outside_tags, longest_field.into_iter(), known, topic_parts);
        Some(())
    }
}

impl KnownKeysReader<'_, '_> {
    fn read(&mut self, depth: usize, found: &mut Found<'_>) -> Option<()> {
        self.values.clear(0, self.known.copies());
        let TopicParts { outside_tags, fields, offset_field, .. } = self.topic_parts;
        outside_tags.iter().try_for_each(|(key, _)| self.known.tags.claim_new(*key, self.generation))?;
        let mut configured = fields.iter().map(|field| field.key).chain(*offset_field);
        configured.try_for_each(|key| self.known.fields.claim_new(key, self.generation))?;
        self.object(NodeId::ROOT, depth, found)?;
        // An object without fields is not a point.
        self.values.has_fields().then_some(())
    }

    fn object(&mut self, node: NodeId, depth: usize, found: &mut Found<'_>) -> Option<()> {
        let mut before = None;
        while let Some(key) = self.scanner.key(before.is_none()).ok()? {
            if key.has_lone_surrogate() {
                // The parser counts the key.
                return None;
            }
            let key = key.decode(&mut self.values.scratch);
            let child = self.known.keys.known_child(node.object(), before, key)?;
            before = Some(child);
            self.member(child, depth + 1, found)?;
        }
        Some(())
    }

    fn array(&mut self, node: NodeId, depth: usize, found: &mut Found<'_>) -> Option<()> {
        let (mut before, mut index, mut digits) = (None, 0_usize, itoa::Buffer::new());
        while self.scanner.element(before.is_none()).ok()? {
            let child = self.known.keys.known_child(node.array(), before, digits.format(index).as_bytes())?;
            before = Some(child);
            index += 1;
            self.member(child, depth + 1, found)?;
        }
        Some(())
    }

    fn member(&mut self, node: NodeId, depth: usize, found: &mut Found<'_>) -> Option<()> {
        if self.known.keys.is_repeated(node, self.generation) {
            return None;
        }
        self.scanner.skip_whitespace();
        if !matches!(self.scanner.rest().first(), Some(b'{' | b'[')) {
            return self.scalar(node, found);
        }
        let token = self.scanner.value().ok()?;
        self.scanner.check_depth(token, depth).ok()?;
        if token == Token::Object { self.object(node, depth, found) } else { self.array(node, depth, found) }
    }

    fn scalar(&mut self, node: NodeId, found: &mut Found<'_>) -> Option<()> {
        let TopicKeys { keys, tags, fields, .. } = &mut *self.known;
        found.key_bytes += keys.flattened_len(node);
        let plan = keys.plan(node).filter(|_| found.key_bytes <= KEY_BYTES_MAX)?;
        let (mut prefix, tag) = (&b""[..], self.values.tags.len());
        match plan.role {
            Role::Tag(key) => {
                tags.claim_new(key, self.generation)?;
                found.tags.push(key);
                self.values.tags.push(None);
            }
            Role::Field { key, .. } => {
                fields.claim_new(key, self.generation)?;
                let field = &fields.get(key).prefix;
                prefix = field.bytes();
                found.longest_field = found.longest_field.max(Some((prefix.len(), key)));
                if plan.copies_numbers
                    && let (bytes, at) = (self.scanner.bytes(), self.scanner.position())
                    && let Some(end) = field.push_with_number(bytes, at, &mut self.values.fields)
                {
                    *self.scanner = self.scanner.at(end);
                    return Some(());
                }
            }
            Role::Time | Role::Excluded | Role::Reserved => {}
        }
        let facts = Facts { keys, rules: self.rules, texts: self.texts };
        let scalar = PlannedScalar { node, plan: &plan, prefix, tag };
        let end = scalar.find(self.scanner.clone(), &facts, self.values)?;
        *self.scanner = self.scanner.at(end);
        Some(())
    }
}
