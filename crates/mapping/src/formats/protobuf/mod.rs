//! Protobuf (<https://protobuf.dev/programming-guides/encoding>) as JSON text, by a schema.
//!
//! - Names are those of the schema. Fields without presence are written with their default, and fields with presence only if the record
//!   has them. Unknown fields are ignored.
//! - 64-bit integers stay exact, and floats always get a fraction or an exponent. Enums are their names; an unknown number is text too.
//! - `google.protobuf.Timestamp` becomes nanoseconds since 1970, marked as a timestamp, and `Duration` nanoseconds. Wrappers, `Struct`,
//!   `Value` and `ListValue` become what they contain.
//! - Bytes, NaN and infinity become marks, which count as dropped where a point would have them.
//! - A value that begins with 0x00 has the frame of a schema registry, because no message begins so: its list of message indexes selects
//!   the message.
//!
//! Lengths that a record claims reserve no memory.

mod decoder;
mod plan;
mod schema;
#[cfg(test)]
mod tests;
mod wire;

use super::frame::{Beginning, Frame, SchemaId};
use super::json_text::JsonText;
use crate::rejection::Rejection;
use decoder::Decoder;
pub use decoder::Work;
pub use schema::{ProtobufSchema, ProtobufSchemaError, ReadFile};
use wire::Wire;

/// First byte of a frame.
const FRAME: u8 = 0;

/// Appends the JSON text of a record, which is one message. `id`: the id by which a registry gave the schema.
pub fn read(
    record: &[u8],
    id: Option<SchemaId>,
    schema: &ProtobufSchema,
    text: &mut JsonText,
    work: &mut Work,
    bytes_max: usize,
) -> Result<(), Rejection> {
    // Positions have 32 bits.
    if u32::try_from(record.len()).is_err() {
        return Err(Rejection::TooLarge { bytes: record.len(), bytes_max: u32::MAX as usize });
    }
    let message = match (record.first(), schema.message) {
        (Some(&FRAME), _) => framed(record, id, schema),
        (_, Some(message)) => Ok((message, 0)),
        (_, None) => return Err(Rejection::unframed(record)),
    };
    let decoded = message.and_then(|(message, start)| {
        Decoder { record, plan: &schema.plan, text, work, bytes_max }.read(message, start)
    });
    decoded.map_err(|rejection| explained(rejection, id, record))
}

/// The message that the frame of a record selects, and where its bytes begin.
fn framed(record: &[u8], id: Option<SchemaId>, schema: &ProtobufSchema) -> Result<(usize, usize), Rejection> {
    let mut wire = Wire::new(record, Frame::BYTES..record.len());
    let count = index(&mut wire)?;
    let unknown = |index| Rejection::MessageIndex { schema: id, index };
    let at_top = |index: u64| {
        let place = usize::try_from(index).ok().and_then(|index| schema.top.get(index));
        place.copied().ok_or_else(|| unknown(index))
    };
    // The list [0] is written as an empty one.
    let mut message = at_top(if count == 0 { 0 } else { index(&mut wire)? })?;
    for _ in 1..count {
        let index = index(&mut wire)?;
        message = schema.plan.message(message).nested(index).ok_or_else(|| unknown(index))?;
    }
    Ok((message, wire.position()))
}

/// A number of the index list, in zigzag form. Negative ones are as large as no list.
fn index(wire: &mut Wire<'_>) -> Result<u64, Rejection> {
    let bits = wire.varint()?;
    Ok(if bits & 1 == 0 { bits >> 1 } else { u64::MAX })
}

/// Explains a rejection by the schema, and by how the record begins.
fn explained(rejection: Rejection, id: Option<SchemaId>, record: &[u8]) -> Rejection {
    let looks = if id.is_some() { Beginning::Other } else { Beginning::of(record) };
    match rejection {
        Rejection::Unreadable { why, at, .. } => Rejection::Unfit { schema: id, why, at, looks },
        Rejection::FieldType { number, written, declared, at, .. } if looks == Beginning::Other => {
            Rejection::FieldType { schema: id, number, written, declared, at }
        }
        Rejection::FieldType { at, .. } => {
            Rejection::Unfit { schema: id, why: "a field of another type", at, looks }
        }
        other => other,
    }
}

/// The records of a file: messages behind their lengths as varints, as Protobuf's own `writeDelimitedTo` writes them, if the lengths
/// add up and the bytes between them can be messages; otherwise the whole file.
#[must_use]
pub fn messages_of_file(bytes: &[u8]) -> Vec<&[u8]> {
    delimited(bytes).unwrap_or_else(|| vec![bytes])
}

fn delimited(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut wire = Wire::new(bytes, 0..bytes.len());
    let mut records = Vec::new();
    while !wire.is_at_end() {
        let record = bytes.get(wire.length_delimited().ok()?)?;
        can_be_record(record).then(|| records.push(record))?;
    }
    (!records.is_empty()).then_some(records)
}

/// Whether bytes can be a message, with or without a frame.
fn can_be_record(bytes: &[u8]) -> bool {
    match bytes.first() {
        Some(&FRAME) => {
            let mut wire = Wire::new(bytes, Frame::BYTES..bytes.len());
            let mut list = || {
                let count = index(&mut wire).ok()?;
                (0..count).try_for_each(|_| index(&mut wire).map(drop).ok())?;
                bytes.get(wire.position()..)
            };
            list().is_some_and(wire::is_message)
        }
        _ => wire::is_message(bytes),
    }
}
