//! Makes a record shape from an object that the parser has just read.

use super::bytes::{Gap, Prefix};
use super::shape::{RecordShape, Slot, Tag};
use crate::constants::{Constants, KafkaTag};
use crate::decode::{Scanner, Token};
use crate::element_parser::Knowledge;
use crate::interned_keys::KeyId;
use crate::key_tree::NodeId;
use crate::plan::{Plan, Role};
use crate::{Integers, Rules};
use std::collections::HashSet;

/// The shape of the object whose opening bracket was just read. None where several values have one final key, because the value
/// that is written then depends on more than the shape.
pub fn record_shape(
    object: &Scanner<'_>,
    known: &mut Knowledge,
    rules: &Rules,
    constants: &Constants,
) -> Option<RecordShape> {
    let (scanner, gap_start) = (object.clone(), object.position());
    let mut learner = Learner {
        scanner,
        gap_start,
        known,
        rules,
        nodes: HashSet::new(),
        slots: Vec::new(),
        tags: Vec::new(),
    };
    learner.object(NodeId::ROOT)?;
    let end = Gap::new(learner.scanner.since(learner.gap_start));
    let Learner { slots, tags, .. } = learner;
    check(&slots, &tags, known, constants)?;
    let prefix_max = slots.iter().map(|slot| slot.prefix.len()).max()?;
    let offset = constants.offset_field.map(|key| field_prefix(key, known));
    Some(RecordShape {
        slots: slots.into(),
        end,
        tags: in_order(&tags, known, constants).into(),
        prefix_max,
        // Empty where the mapping has no `offset_field`.
        offset: offset.unwrap_or_default(),
    })
}

/// A pass over an object that the parser has accepted.
struct Learner<'m, 'a> {
    scanner: Scanner<'a>,
    /// End of the previous scalar.
    gap_start: usize,
    known: &'m mut Knowledge,
    rules: &'m Rules,
    nodes: HashSet<NodeId>,
    slots: Vec<Slot>,
    tags: Vec<KeyId>,
}

impl Learner<'_, '_> {
    fn object(&mut self, node: NodeId) -> Option<()> {
        let (mut before, mut scratch) = (None, Vec::new());
        while let Some(key) = self.scanner.key(before.is_none()).ok()? {
            let child = self.known.keys.child(node, before, key.decode(&mut scratch));
            before = Some(child);
            self.member(child)?;
        }
        Some(())
    }

    fn array(&mut self, node: NodeId) -> Option<()> {
        let (mut before, mut index) = (None, 0_usize);
        while self.scanner.element(before.is_none()).ok()? {
            let child = self.known.keys.child(node, before, index.to_string().as_bytes());
            before = Some(child);
            index += 1;
            self.member(child)?;
        }
        Some(())
    }

    fn member(&mut self, node: NodeId) -> Option<()> {
        if !self.nodes.insert(node) {
            return None;
        }
        self.scanner.skip_whitespace();
        let gap = self.scanner.since(self.gap_start);
        match self.scanner.value().ok()? {
            Token::Object => return self.object(node),
            Token::Array => return self.array(node),
            _ => {}
        }
        self.gap_start = self.scanner.position();
        let plan = self.known.plan(node, self.rules);
        let tag = self.tags.len();
        let (mut prefix, mut copies_numbers) = (Prefix::default(), false);
        match plan.role {
            _ if plan.time => {}
            Role::Tag(key) => self.tags.push(key),
            Role::Field { key, integers, .. } => {
                prefix = Prefix::new(&field_prefix(key, self.known));
                copies_numbers = integers == Integers::Float;
            }
            Role::Excluded | Role::Reserved => {}
        }
        self.slots.push(Slot { gap: Gap::new(gap), node, plan, copies_numbers, prefix, tag });
        Some(())
    }
}

/// Refuses shapes in which two values have one final key.
fn check(slots: &[Slot], tags: &[KeyId], known: &mut Knowledge, constants: &Constants) -> Option<()> {
    let fields = slots.iter().filter_map(|slot| match slot.plan {
        Plan { time: false, role: Role::Field { key, .. }, .. } => Some(key),
        _ => None,
    });
    let from_kafka = constants.from_kafka.iter().map(|(key, _)| *key);
    let kafka_replaces =
        |(key, _): &(KeyId, Vec<u8>)| constants.from_kafka.iter().any(|(kafka, _)| kafka == key);
    known.tags.rank();
    let fine = are_distinct(fields.chain(constants.offset_field))
        && are_distinct(tags.iter().copied().chain(from_kafka))
        && !constants.fallback.iter().any(kafka_replaces);
    fine.then_some(())
}

fn are_distinct(mut keys: impl Iterator<Item = KeyId>) -> bool {
    let mut seen = HashSet::new();
    keys.all(|key| seen.insert(key))
}

/// The tags that a line of this shape may have, sorted by key.
fn in_order(tags: &[KeyId], known: &Knowledge, constants: &Constants) -> Vec<Tag> {
    let prefix = |key: KeyId| [b",", &*known.tags.get(key).prefix].concat();
    let constant = |key: KeyId, value: &[u8]| Tag::Constant([&*prefix(key), value].concat().into());
    let fallback = |key: KeyId| constants.fallback.iter().find(|(other, _)| *other == key);
    let of_slots = tags.iter().enumerate().map(|(tag, &key)| {
        // Without a static tag of this key, nothing is written for objects that lack the value.
        let otherwise = fallback(key).map(|(_, value)| [&*prefix(key), value].concat().into());
        (key, Tag::Slot { tag, prefix: prefix(key).into(), otherwise: otherwise.unwrap_or_default() })
    });
    let of_kafka = constants.from_kafka.iter().enumerate().map(|(place, (key, tag))| match tag {
        KafkaTag::Topic(written) => (*key, constant(*key, written)),
        _ => (*key, Tag::Kafka { place, prefix: prefix(*key).into() }),
    });
    let alone = constants.fallback.iter().filter(|(key, _)| !tags.contains(key));
    let alone = alone.map(|(key, value)| (*key, constant(*key, value)));
    let mut sorted: Vec<_> = of_slots.chain(of_kafka).chain(alone).collect();
    sorted.sort_by_key(|(key, _)| known.tags.get(*key).rank);
    sorted.into_iter().map(|(_, tag)| tag).collect()
}

/// A field's key as `,key=`.
fn field_prefix(key: KeyId, known: &Knowledge) -> Box<[u8]> {
    [b",", &*known.fields.get(key).prefix].concat().into()
}
