//! One record shape: finds the values of an object, and writes its line.

use super::bytes::{Gap, Pieces, Prefix};
use crate::constants::Constants;
use crate::decode::{Scanner, Token};
use crate::element::{Drops, Scalar};
use crate::element_parser;
use crate::key_tree::{KeyTree, NodeId};
use crate::plan::{Plan, Role};
use crate::rejection::Drop;
use crate::value;
use base::record::Record;
use line_protocol::encode;
use line_protocol::runs;

/// The bytes between the scalars of an object, and the use of each scalar.
#[derive(Debug)]
pub struct RecordShape {
    pub slots: Box<[Slot]>,
    /// The bytes from the last scalar to the object's end.
    pub end: Gap,
    /// Tags in the order of the line.
    pub tags: Box<[Tag]>,
    /// Length of the longest escaped field key.
    pub prefix_max: usize,
    /// `,key=` of the record's offset; empty without one.
    pub offset: Box<[u8]>,
}

/// A scalar and the bytes before it.
#[derive(Debug)]
pub struct Slot {
    pub gap: Gap,
    pub node: NodeId,
    pub plan: Plan,
    /// Whether the scalar is a field whose numbers are copied unchanged.
    pub copies_numbers: bool,
    /// `,key=` of a field.
    pub prefix: Prefix,
    /// Index of a tag in [`Found::tags`].
    pub tag: usize,
}

/// A tag of the line.
#[derive(Debug)]
pub enum Tag {
    /// The complete text of a tag that is the same in all lines.
    Constant(Box<[u8]>),
    /// A scalar of the object; `otherwise` is written where the scalar is missing.
    Slot { tag: usize, prefix: Box<[u8]>, otherwise: Box<[u8]> },
    /// A tag from Kafka; `place` is its index in [`Constants::from_kafka`].
    Kafka { place: usize, prefix: Box<[u8]> },
}

/// The values of one object. The buffers are reused from object to object.
#[derive(Debug, Default)]
pub struct Found {
    pub name: Option<Scalar>,
    pub time: Option<Scalar>,
    pub drops: Drops,
    tags: Vec<Option<Scalar>>,
    /// Text of the fields, each with a comma before it.
    fields: Pieces,
    /// Buffer for one field's value.
    text: Vec<u8>,
    scratch: Vec<u8>,
}

/// Input of a line beside the object's values.
pub struct Setting<'s> {
    pub constants: &'s Constants,
    pub record: &'s Record<'s>,
    /// The JSON text that scalars point into.
    pub value: &'s [u8],
}

impl RecordShape {
    /// Approximate memory of the shape.
    pub fn bytes(&self) -> usize {
        let slots = self.slots.iter().map(|slot| size_of::<Slot>() + slot.gap.len() + slot.prefix.len());
        size_of::<Self>() + slots.sum::<usize>() + self.end.len() + self.tags.len() * 128
    }

    /// Reads an object after its opening bracket. Returns whether the object has this shape and needs no decision of the parser;
    /// otherwise the scanner stays.
    pub fn find(&self, scanner: &mut Scanner<'_>, keys: &KeyTree, found: &mut Found) -> bool {
        found.clear(self.tags.len());
        let (bytes, start) = (scanner.bytes(), scanner.position());
        let end = self.slots.iter().try_fold(start, |at, slot| {
            let at = slot.gap.end_in(bytes, at)?;
            slot.find_plain(bytes, at, found).or_else(|| slot.find(scanner.at(at), keys, found))
        });
        let end = end.and_then(|at| self.end.end_in(bytes, at));
        // An object without fields is not a point.
        let Some(end) = end.filter(|_| found.fields.len() > 0) else { return false };
        *scanner = scanner.at(end);
        true
    }

    /// Appends the line without its time; none where the parser has to decide.
    pub fn write(
        &self,
        found: &mut Found,
        setting: &Setting<'_>,
        scratch: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let start = out.len();
        let Setting { constants, value, .. } = setting;
        let trimmed = value::push_measurement(found.name, value, constants, scratch, out).ok()?;
        found.count_trimmed(trimmed);
        for tag in &self.tags {
            tag.write(found, setting, scratch, out);
        }
        if out.len() - start + self.prefix_max > encode::KEY_BYTES_MAX {
            return None;
        }
        out.push(b' ');
        out.extend_from_slice(found.fields.written().get(1..)?);
        if !self.offset.is_empty() {
            out.extend_from_slice(&self.offset);
            value::push_offset(setting.record, out);
        }
        Some(())
    }
}

impl Slot {
    /// Fast path for a number that is copied. Returns its end; none means that the slow path has to decide.
    #[inline]
    fn find_plain(&self, bytes: &[u8], at: usize, found: &mut Found) -> Option<usize> {
        let rest = bytes.get(at..).filter(|_| self.copies_numbers)?;
        let length = runs::plain_number(rest)?;
        self.prefix.push_with(rest, length, &mut found.fields);
        Some(at + length)
    }

    /// Treats a scalar like the parser, and returns its end. Returns none for drops that the parser has not reported yet.
    #[inline(never)]
    fn find(&self, mut scanner: Scanner<'_>, keys: &KeyTree, found: &mut Found) -> Option<usize> {
        let plain = scanner.plain_text();
        let token = plain.map_or_else(|| scanner.value(), |text| Ok(Token::Text(text))).ok()?;
        let end = scanner.position();
        let Some(scalar) = Scalar::of(token, end) else { return (token == Token::Null).then_some(end) };
        let fits = self.put(token, scalar, scanner.bytes(), keys, found);
        fits.then_some(end)
    }

    fn put(&self, token: Token<'_>, scalar: Scalar, bytes: &[u8], keys: &KeyTree, found: &mut Found) -> bool {
        if self.plan.time {
            found.time = Some(scalar);
            return true;
        }
        if self.plan.name && scalar.is_text() {
            found.name = Some(scalar);
        }
        match self.plan.role {
            Role::Field { strings, integers, .. } => {
                match element_parser::field(token, scalar, strings, integers) {
                    Ok(scalar) => found.push_field(&self.prefix, scalar, bytes),
                    Err(Drop::String) if self.plan.name => true,
                    Err(drop) => self.drop(drop, keys, found),
                }
            }
            Role::Tag(_) => {
                if let Some(tag) = found.tags.get_mut(self.tag) {
                    *tag = Some(scalar).filter(|scalar| !scalar.is_empty_text());
                }
                true
            }
            Role::Excluded => true,
            Role::Reserved => self.drop(Drop::ReservedKey, keys, found),
        }
    }

    fn drop(&self, drop: Drop, keys: &KeyTree, found: &mut Found) -> bool {
        found.drops.add(drop);
        keys.has_dropped(self.node, drop)
    }
}

impl Tag {
    fn write(&self, found: &mut Found, setting: &Setting<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        let Setting { constants, record, value } = setting;
        match self {
            Self::Constant(written) => out.extend_from_slice(written),
            Self::Slot { tag, prefix, otherwise } => match found.tags.get(*tag).copied().flatten() {
                Some(scalar) => {
                    found.push_tag(prefix, out, |out| value::push_tag(scalar, value, scratch, out));
                }
                None => out.extend_from_slice(otherwise),
            },
            Self::Kafka { place, prefix } => {
                let Some((_, tag)) = constants.from_kafka.get(*place) else { return };
                found.push_tag(prefix, out, |out| value::push_kafka_tag(tag, record, scratch, out));
            }
        }
    }
}

impl Found {
    fn clear(&mut self, tags: usize) {
        (self.name, self.time) = (None, None);
        self.drops = Drops::default();
        self.tags.clear();
        self.tags.resize(tags, None);
        self.fields.clear();
    }

    fn push_field(&mut self, prefix: &Prefix, scalar: Scalar, bytes: &[u8]) -> bool {
        self.text.clear();
        value::push_field(scalar, bytes, &mut self.scratch, &mut self.text);
        prefix.push_to(&mut self.fields);
        self.fields.push(&self.text);
        !scalar.is_text() || self.text.len() <= encode::STRING_BYTES_MAX
    }

    /// Appends a tag, unless nothing of its value can be written. `push` appends the value, and returns whether something was left
    /// out.
    fn push_tag(&mut self, prefix: &[u8], out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>) -> bool) {
        let start = out.len();
        out.extend_from_slice(prefix);
        let value_start = out.len();
        let trimmed = push(out);
        self.count_trimmed(trimmed);
        if out.len() == value_start {
            out.truncate(start);
        }
    }

    fn count_trimmed(&mut self, trimmed: bool) {
        if trimmed {
            self.drops.add(Drop::Backslash);
        }
    }
}
