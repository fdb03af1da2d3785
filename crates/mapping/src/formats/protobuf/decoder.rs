//! Decodes messages straight into JSON text, by the decoding plan of their schema.
//!
//! A message is read in two passes. The first one notes where the last value of each field is, or all its values if the field is
//! repeated: fields can come in any order, and a later value replaces an earlier one. The second pass writes the fields by number.
//! Submessages that occur several times are merged, as if their bytes were one message.

use super::super::json_text::{JsonText, check_depth};
use super::plan::{Field, FieldKind, Form, Label, Message, Plan};
use super::wire::{Wire, WireType, unreadable};
use crate::rejection::Rejection;
use std::cmp::Ordering;
use std::ops::Range;

/// Buffers that are reused from record to record. A record of n bytes needs at most 14 n bytes in `pieces` and `entries`.
#[derive(Debug, Default)]
pub struct Work {
    /// A slot for each field and oneof of the messages that are open, the innermost last.
    slots: Vec<Slot>,
    /// Values of repeated fields and messages.
    pieces: Vec<Piece>,
    /// Entries of maps.
    entries: Vec<Entry>,
}

impl Work {
    /// Allocated memory in bytes.
    pub fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.pieces.capacity() * size_of::<Piece>()
            + self.entries.capacity() * size_of::<Entry>()
    }
}

/// Values of a field in the message, as far as they were read.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// A number as written, or the range of a string.
    bits: u64,
    /// First and last piece, from 1; 0 while the message has no value of the field. Of a oneof: the field that is set, from 1.
    first: u32,
    last: u32,
}

/// A range of the record: a value of a repeated field, several packed ones, or a message.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u32,
    end: u32,
    /// The next piece of the same field, from 1.
    next: u32,
}

/// An entry of a map.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u64,
    start: u32,
    end: u32,
}

/// Where the bytes of a message are.
#[derive(Clone, Copy)]
enum Parts {
    One(u32, u32),
    /// This piece and the next ones.
    All(u32),
}

pub struct Decoder<'a, 't> {
    /// Smaller than 4 GB, so that positions have 32 bits.
    pub record: &'a [u8],
    pub plan: &'a Plan,
    pub text: &'t mut JsonText,
    pub work: &'t mut Work,
    /// Bound of the text. Defaults and names of enums can make it much longer than the record.
    pub bytes_max: usize,
}

impl<'a> Decoder<'a, '_> {
    /// Appends the message that is the record from `start` on.
    pub fn read(&mut self, message: usize, start: usize) -> Result<(), Rejection> {
        self.work.slots.clear();
        self.work.pieces.clear();
        self.work.entries.clear();
        self.message(message, Parts::One(start as u32, self.record.len() as u32), 0)
    }

    fn message(&mut self, index: usize, parts: Parts, depth: usize) -> Result<(), Rejection> {
        let message = self.plan.message(index);
        let pieces = self.work.pieces.len();
        let base = self.open(message, parts, depth)?;
        match message.form {
            Form::Object => self.object(message, base, parts, depth)?,
            Form::Timestamp => {
                let (seconds, nanoseconds) = self.seconds(base);
                if !(0..1_000_000_000).contains(&nanoseconds) {
                    let why = "a Timestamp whose nanoseconds are not 0 to 999999999";
                    return Err(unreadable(why, self.position(parts)));
                }
                self.text.push_timestamp(seconds + nanoseconds);
            }
            Form::Duration => {
                let (seconds, nanoseconds) = self.seconds(base);
                let is_one_sign = seconds.signum() * nanoseconds.signum() >= 0;
                if nanoseconds.abs() >= 1_000_000_000 || !is_one_sign {
                    let why = "a Duration whose seconds and nanoseconds do not fit together";
                    return Err(unreadable(why, self.position(parts)));
                }
                self.text.push_integer(seconds + nanoseconds);
            }
            Form::Wrapper | Form::Struct | Form::ListValue => {
                if let Some(field) = message.fields.first() {
                    self.field(field, self.slot(base), depth)?;
                }
            }
            Form::Value => {
                let is_set = |(place, _): &(usize, &Field)| self.slot(base + place).first != 0;
                match message.fields.iter().enumerate().find(is_set) {
                    Some((place, field)) => self.field(field, self.slot(base + place), depth)?,
                    None => self.text.push(b"null"),
                }
            }
        }
        self.work.slots.truncate(base);
        self.work.pieces.truncate(pieces);
        Ok(())
    }

    /// Notes the values of a message in new slots. Returns the first of them.
    fn open(&mut self, message: &'a Message, parts: Parts, depth: usize) -> Result<usize, Rejection> {
        let base = self.work.slots.len();
        self.work.slots.resize(base + message.slots, Slot::default());
        match parts {
            Parts::One(start, end) => self.scan(message, base, start as usize..end as usize, depth)?,
            Parts::All(mut next) => {
                while let Some(piece) = self.piece(next) {
                    self.scan(message, base, piece.start as usize..piece.end as usize, depth)?;
                    next = piece.next;
                }
            }
        }
        Ok(base)
    }

    /// Notes the values in a part of a message.
    fn scan(
        &mut self,
        message: &'a Message,
        base: usize,
        part: Range<usize>,
        depth: usize,
    ) -> Result<(), Rejection> {
        let mut wire = Wire::new(self.record, part);
        let mut guess = 0;
        while !wire.is_at_end() {
            let start = wire.position();
            let (number, written) = wire.tag()?;
            let Some((place, field)) = message.find(number, guess) else {
                wire.skip(number, written, depth)?;
                continue;
            };
            guess = place + 1;
            let is_repeated = field.label == Label::Repeated;
            let declared = field.kind.wire_type();
            if written != declared {
                let is_packed = is_repeated && written == WireType::Bytes && declared != WireType::GroupStart;
                if !is_packed {
                    let (declared, written) = (field.kind.name(), written.name());
                    return Err(Rejection::FieldType { schema: None, number, written, declared, at: start });
                }
                let range = wire.length_delimited()?;
                self.append(base + place, range);
                continue;
            }
            let value = wire.position();
            let (bits, range) = match declared {
                WireType::Varint => (wire.varint()?, value..wire.position()),
                WireType::Fixed64 => (wire.fixed64()?, value..wire.position()),
                WireType::Fixed32 => (wire.fixed32()?.into(), value..wire.position()),
                WireType::Bytes => {
                    let range = wire.length_delimited()?;
                    (bits_of(&range), range)
                }
                WireType::GroupStart | WireType::GroupEnd => (0, wire.group(number, depth)?),
            };
            if let Some(oneof) = field.oneof {
                self.choose(base, oneof, place);
            }
            let is_message = matches!(field.kind, FieldKind::Message(_) | FieldKind::Group(_));
            if is_repeated || is_message {
                self.append(base + place, range);
            } else {
                *self.slot_mut(base + place) = Slot { bits, first: 1, last: 1 };
            }
        }
        Ok(())
    }

    /// Adds a piece to a slot.
    fn append(&mut self, slot: usize, range: Range<usize>) {
        let pieces = &mut self.work.pieces;
        pieces.push(Piece { start: range.start as u32, end: range.end as u32, next: 0 });
        let added = pieces.len() as u32;
        let slot = self.slot_mut(slot);
        let last = slot.last;
        *slot = Slot { first: if slot.first == 0 { added } else { slot.first }, last: added, ..*slot };
        if let Some(before) = (last as usize).checked_sub(1).and_then(|last| self.work.pieces.get_mut(last)) {
            before.next = added;
        }
    }

    /// Sets a field of a oneof, which clears the others.
    fn choose(&mut self, base: usize, oneof: usize, place: usize) {
        let chosen = place as u32 + 1;
        let before = std::mem::replace(&mut self.slot_mut(base + oneof).first, chosen);
        if before != 0 && before != chosen {
            *self.slot_mut(base + before as usize - 1) = Slot::default();
        }
    }

    #[expect(clippy::indexing_slicing, reason = "a broken invariant must not turn a value into another one")]
    fn slot(&self, at: usize) -> Slot {
        self.work.slots[at]
    }

    #[expect(clippy::indexing_slicing, reason = "a broken invariant must not turn a value into another one")]
    fn slot_mut(&mut self, at: usize) -> &mut Slot {
        &mut self.work.slots[at]
    }

    /// The piece with a number, from 1.
    fn piece(&self, number: u32) -> Option<Piece> {
        (number as usize).checked_sub(1).and_then(|at| self.work.pieces.get(at)).copied()
    }

    fn position(&self, parts: Parts) -> usize {
        match parts {
            Parts::One(start, _) => start as usize,
            Parts::All(first) => self.piece(first).map_or(0, |piece| piece.start as usize),
        }
    }

    /// Seconds of a Timestamp or Duration, in nanoseconds, and its nanoseconds.
    fn seconds(&self, base: usize) -> (i128, i128) {
        let (seconds, nanoseconds) = (self.slot(base).bits, self.slot(base + 1).bits);
        (i128::from(seconds.cast_signed()) * 1_000_000_000, i128::from(int32(nanoseconds)))
    }

    fn object(
        &mut self,
        message: &'a Message,
        base: usize,
        parts: Parts,
        depth: usize,
    ) -> Result<(), Rejection> {
        check_depth(depth, self.position(parts))?;
        let start = self.text.bytes.len();
        for (place, field) in message.fields.iter().enumerate() {
            let slot = self.slot(base + place);
            let is_absent = match (field.label, field.kind) {
                (Label::Presence, _) => slot.first == 0,
                // The default of binary data is no value, so nothing is dropped.
                (Label::Implicit, FieldKind::Bytes) => self.bytes(slot.bits).is_empty(),
                _ => false,
            };
            if is_absent {
                continue;
            }
            self.text.push(&field.key);
            self.field(field, slot, depth + 1)?;
        }
        self.close(start, b'{', b'}')
    }

    /// Ends an object or array, and checks the length of the text.
    fn close(&mut self, start: usize, opening: u8, closing: u8) -> Result<(), Rejection> {
        self.text.close(start, opening, closing);
        self.check_size()
    }

    fn check_size(&self) -> Result<(), Rejection> {
        let bytes_max = self.bytes_max;
        if self.text.bytes.len() > bytes_max { Err(Rejection::TextTooLarge { bytes_max }) } else { Ok(()) }
    }

    fn field(&mut self, field: &Field, slot: Slot, depth: usize) -> Result<(), Rejection> {
        match (field.label, field.kind) {
            (Label::Map, FieldKind::Message(entry)) => self.map(entry, slot.first, depth),
            (Label::Map | Label::Repeated, kind) => self.list(kind, slot.first, depth),
            (_, kind) => self.single(kind, slot, depth),
        }
    }

    fn single(&mut self, kind: FieldKind, slot: Slot, depth: usize) -> Result<(), Rejection> {
        match kind {
            FieldKind::Message(message) | FieldKind::Group(message) => {
                self.message(message, Parts::All(slot.first), depth)
            }
            FieldKind::Enum(of) if slot.first == 0 => {
                let default = self.plan.enumeration(of).default_number();
                self.scalar(kind, u64::from(default.cast_unsigned()));
                Ok(())
            }
            _ => {
                self.scalar(kind, slot.bits);
                Ok(())
            }
        }
    }

    fn list(&mut self, kind: FieldKind, first: u32, depth: usize) -> Result<(), Rejection> {
        check_depth(depth, self.position(Parts::All(first)))?;
        let start = self.text.bytes.len();
        let mut next = first;
        while let Some(Piece { start, end, next: behind }) = self.piece(next) {
            next = behind;
            let range = start as usize..end as usize;
            if kind.wire_type() == WireType::Bytes || kind.wire_type() == WireType::GroupStart {
                self.text.push(b",");
                match kind {
                    FieldKind::Message(message) | FieldKind::Group(message) => {
                        self.message(message, Parts::One(start, end), depth + 1)?;
                    }
                    _ => self.scalar(kind, bits_of(&range)),
                }
                self.check_size()?;
                continue;
            }
            let mut wire = Wire::new(self.record, range);
            while !wire.is_at_end() {
                let bits = match kind.wire_type() {
                    WireType::Fixed64 => wire.fixed64()?,
                    WireType::Fixed32 => wire.fixed32()?.into(),
                    _ => wire.varint()?,
                };
                self.text.push(b",");
                self.scalar(kind, bits);
                self.check_size()?;
            }
        }
        self.close(start, b'[', b']')
    }

    /// Writes the entries of a map by key, so that equal records have equal text. The last one of several with the same key is kept.
    fn map(&mut self, entry: usize, first: u32, depth: usize) -> Result<(), Rejection> {
        check_depth(depth, self.position(Parts::All(first)))?;
        let entry = self.plan.message(entry);
        let [key_field, value_field] = entry.fields.as_slice() else {
            unreachable!("an entry of a map has a key and a value");
        };
        let (text, first_entry, pieces) =
            (self.text.bytes.len(), self.work.entries.len(), self.work.pieces.len());
        let mut next = first;
        while let Some(Piece { start, end, next: behind }) = self.piece(next) {
            next = behind;
            let base = self.open(entry, Parts::One(start, end), depth)?;
            let key = key_bits(key_field.kind, self.slot(base).bits);
            self.work.slots.truncate(base);
            self.work.pieces.truncate(pieces);
            self.work.entries.push(Entry { key, start, end });
        }
        let record = self.record;
        let in_order = |a: &Entry, b: &Entry| compare_keys(record, key_field.kind, a.key, b.key);
        if let Some(entries) = self.work.entries.get_mut(first_entry..) {
            entries.sort_unstable_by(|a, b| in_order(a, b).then(a.start.cmp(&b.start)));
        }
        let mut at = first_entry;
        while let Some(&one) = self.work.entries.get(at) {
            at += 1;
            if self.work.entries.get(at).is_some_and(|next| in_order(&one, next) == Ordering::Equal) {
                continue;
            }
            self.text.push(b",\"");
            match key_field.kind {
                FieldKind::String => self.text.push_escaped(self.bytes(one.key)),
                kind => self.scalar(kind, one.key),
            }
            self.text.push(b"\":");
            let base = self.open(entry, Parts::One(one.start, one.end), depth)?;
            self.single(value_field.kind, self.slot(base + 1), depth + 1)?;
            self.work.slots.truncate(base);
            self.work.pieces.truncate(pieces);
            self.check_size()?;
        }
        self.work.entries.truncate(first_entry);
        self.close(text, b'{', b'}')
    }

    /// The bytes of a string.
    fn bytes(&self, bits: u64) -> &'a [u8] {
        bytes_of(self.record, bits)
    }

    fn scalar(&mut self, kind: FieldKind, bits: u64) {
        let bytes = match kind {
            FieldKind::String => self.bytes(bits),
            _ => b"",
        };
        let text = &mut *self.text;
        match kind {
            FieldKind::Double => text.push_float(f64::from_bits(bits)),
            FieldKind::Float => text.push_single(f32::from_bits(bits as u32)),
            FieldKind::Int32 | FieldKind::Sfixed32 => text.push_integer(int32(bits)),
            FieldKind::Int64 | FieldKind::Sfixed64 => text.push_integer(bits.cast_signed()),
            FieldKind::Uint32 | FieldKind::Fixed32 => text.push_integer(bits as u32),
            FieldKind::Uint64 | FieldKind::Fixed64 => text.push_integer(bits),
            FieldKind::Sint32 => {
                let bits = bits as u32;
                text.push_integer((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed());
            }
            FieldKind::Sint64 => text.push_integer((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed()),
            FieldKind::Bool => text.push(if bits == 0 { b"false" } else { b"true" }),
            FieldKind::String => {
                text.push(b"\"");
                text.push_escaped(bytes);
                text.push(b"\"");
            }
            FieldKind::Bytes => text.push_binary(),
            FieldKind::Enum(of) => {
                text.push(b"\"");
                match self.plan.enumeration(of).name(int32(bits)) {
                    Some(name) => text.push_escaped(name),
                    // Text like the names, since a field of InfluxDB has one type.
                    None => text.push_integer(int32(bits)),
                }
                text.push(b"\"");
            }
            FieldKind::Null | FieldKind::Message(_) | FieldKind::Group(_) => text.push(b"null"),
        }
    }
}

/// A number of 32 bits; negative ones are written with 64.
fn int32(bits: u64) -> i32 {
    (bits as u32).cast_signed()
}

/// A range as the bits of a slot.
fn bits_of(range: &Range<usize>) -> u64 {
    (range.start as u64) << 32 | range.end as u64
}

#[expect(clippy::indexing_slicing, reason = "a broken invariant must not turn a value into another one")]
fn bytes_of(record: &[u8], bits: u64) -> &[u8] {
    &record[(bits >> 32) as usize..bits as u32 as usize]
}

/// The bits of a key. Different bits of other numbers can be the same number, as each but 0 is true.
fn key_bits(kind: FieldKind, bits: u64) -> u64 {
    match kind {
        FieldKind::Bool => u64::from(bits != 0),
        FieldKind::Int32 | FieldKind::Uint32 | FieldKind::Sint32 => u64::from(bits as u32),
        _ => bits,
    }
}

fn compare_keys(record: &[u8], kind: FieldKind, a: u64, b: u64) -> Ordering {
    match kind {
        FieldKind::String => bytes_of(record, a).cmp(bytes_of(record, b)),
        _ => a.cmp(&b),
    }
}
