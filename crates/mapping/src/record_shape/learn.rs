//! Makes a record shape from an object that the parser has just read.

use super::shape::{RecordShape, Slot};
use crate::Rules;
use crate::decode::{DEPTH_MAX, Scanner};
use crate::element::{Element, SCALARS_MAX};
use crate::element_parser::TopicKeys;
use crate::interned_keys::KeyId;
use crate::line::LineLayout;
use crate::padded_bytes::{ExactGap, Gap, Prefix};
use crate::plan::Role;
use crate::topic_parts::TopicParts;
use std::collections::HashSet;

/// An object that the parser has just read.
#[derive(Clone, Copy, Debug)]
pub struct ParsedObject<'o> {
    /// The text from the first member on, and where the object ends in it.
    pub object: &'o Scanner<'o>,
    pub end: usize,
    pub element: &'o Element,
    /// The bytes between the scalars of a record in a binary format, if the record is this object alone. Otherwise empty.
    pub binary_gaps: &'o [ExactGap],
}

/// The shape of an object. None where several values have one final key, because the value that is written then depends on more than the
/// shape, and where a key is changed, which the parser counts.
pub fn record_shape(
    ParsedObject { object, end, element, binary_gaps }: ParsedObject<'_>,
    known: &mut TopicKeys,
    rules: &Rules,
    topic_parts: &TopicParts,
) -> Option<RecordShape> {
    // A shape fits wherever an element stands, which may be one level deeper than here.
    let may_be_too_deep = element.depth + 1 >= DEPTH_MAX;
    let is_left_to_parser = element.has_repeated_keys || element.has_lossy_keys;
    if is_left_to_parser || may_be_too_deep || element.scalars.len() >= SCALARS_MAX {
        return None;
    }
    let (mut slots, mut tags, mut fields, mut gap_start) =
        (Vec::new(), Vec::new(), Vec::new(), object.position());
    for (node, bytes) in &element.scalars {
        let mut scalar = object.at(bytes.start as usize);
        scalar.skip_whitespace();
        let gap = Gap::new(scalar.since(gap_start));
        gap_start = bytes.end as usize;
        let plan = known.plan(*node, rules);
        if plan.is_trimmed {
            return None;
        }
        let (mut prefix, tag) = (Prefix::default(), tags.len());
        match plan.role {
            Role::Tag(key) => tags.push(key),
            Role::Field { key, .. } => {
                fields.push(key);
                prefix = known.fields.get(key).prefix.clone();
            }
            Role::Time | Role::Excluded | Role::Reserved => {}
        }
        slots.push(Slot { gap, node: *node, plan, prefix, tag });
    }
    let end = Gap::new(object.at(end).since(gap_start));
    let written_tags = tags.iter().copied().chain(topic_parts.outside_tags.iter().map(|(key, _)| *key));
    let written_fields = fields.iter().copied().chain(topic_parts.fields.iter().map(|field| field.key));
    let written_fields = || written_fields.clone().chain(topic_parts.offset_field);
    if !are_distinct(written_tags) || !are_distinct(written_fields()) {
        return None;
    }
    if known.fields.shares_keys() {
        let is_field = |tag: &KeyId| {
            let tag = known.tags.get(*tag).prefix.bytes();
            written_fields().any(|field| known.fields.get(field).prefix.bytes() == tag)
        };
        if tags.iter().any(is_field) {
            return None;
        }
    }
    let (mut layout, number_of_tags) = (LineLayout::default(), tags.len());
    let outside_tags = topic_parts.outside_tags.iter().copied();
    layout.arrange(tags.into_iter(), outside_tags, fields.into_iter(), known, topic_parts);
    layout.join_fixed_tags(known, topic_parts);
    let binary_gaps = if binary_gaps.len() == slots.len() + 1 { binary_gaps.into() } else { Box::default() };
    let (slots, copies) = (slots.into(), known.copies());
    Some(RecordShape { slots, end, binary_gaps, tags: number_of_tags, copies, layout })
}

fn are_distinct(mut keys: impl Iterator<Item = KeyId>) -> bool {
    let mut seen = HashSet::new();
    keys.all(|key| seen.insert(key))
}
