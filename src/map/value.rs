//! A value of a record, or of Kafka, as it is written into a line.

use super::constants::{Constants, KafkaTag};
use super::element::{Kind, Scalar};
use super::rejection::Rejection;
use crate::decode::{Number, push_lossy};
use crate::influx::encode;
use crate::record::Record;
use std::io::Write as _;

/// Appends the measurement: `name`, which is somewhere in `record`, or what the configuration says. Returns whether
/// something was left out.
pub fn push_measurement(
    name: Option<Scalar>,
    record: &[u8],
    constants: &Constants,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<bool, Rejection> {
    let start = out.len();
    let trimmed = name.is_some_and(|name| encode::push_measurement(name.decode(record, scratch), out));
    if out.len() == start {
        out.extend_from_slice(&constants.measurement);
    }
    match out.get(start) {
        Some(b'#') => {
            let name = String::from_utf8_lossy(out.get(start..).unwrap_or_default());
            Err(Rejection::Comment(name.chars().take(100).collect()))
        }
        Some(_) => Ok(trimmed),
        None => Err(Rejection::MeasurementMissing),
    }
}

/// Appends a tag's value. Returns whether something was left out.
pub fn push_tag(scalar: Scalar, record: &[u8], scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
    match scalar.kind {
        Kind::Number | Kind::Integer => {
            push_shortest(scalar.raw(record), out);
            false
        }
        _ => encode::push_key(scalar.decode(record, scratch), out),
    }
}

/// What Kafka holds for a tag; none where the tag is left away, or is the partition.
pub fn kafka_text<'v>(tag: &'v KafkaTag, record: &'v Record<'_>) -> Option<&'v [u8]> {
    match tag {
        KafkaTag::Topic(written) => Some(written),
        KafkaTag::Key => record.key,
        KafkaTag::Partition => None,
        // The last of several headers of one name counts, as in Telegraf.
        KafkaTag::Header(name) => {
            record.headers.iter().rev().find(|(header, _)| header == name).map(|&(_, value)| value)
        }
    }
}

/// Appends the value of a tag that comes from Kafka. Returns whether something was left out.
pub fn push_kafka_tag(tag: &KafkaTag, record: &Record<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
    match tag {
        KafkaTag::Topic(written) => {
            out.extend_from_slice(written);
            false
        }
        KafkaTag::Partition => {
            out.extend_from_slice(itoa::Buffer::new().format(record.partition).as_bytes());
            false
        }
        KafkaTag::Key | KafkaTag::Header(_) => {
            scratch.clear();
            // A record without this key or header gets no such tag: empty tags are left out.
            push_lossy(kafka_text(tag, record).unwrap_or_default(), scratch);
            encode::push_key(scratch, out)
        }
    }
}

/// Appends a field's value.
#[inline]
pub fn push_field(scalar: Scalar, record: &[u8], scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    match scalar.kind {
        Kind::True => out.extend_from_slice(b"true"),
        Kind::False => out.extend_from_slice(b"false"),
        Kind::Number => out.extend_from_slice(scalar.raw(record)),
        Kind::Integer => {
            out.extend_from_slice(scalar.raw(record));
            out.push(b'i');
        }
        Kind::Plain | Kind::Escaped => encode::push_string(scalar.decode(record, scratch), out),
    }
}

/// Appends the record's offset as a field's value.
pub fn push_offset(record: &Record<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(record.offset).as_bytes());
    out.push(b'i');
}

/// Appends a number in its shortest decimal form, which makes equal numbers equal tags.
fn push_shortest(raw: &[u8], out: &mut Vec<u8>) {
    match Number::whole(raw) {
        Some(number) if !number.is_integer() => {
            // Of no consequence for memory: writing to a Vec can't fail.
            let _infallible = write!(out, "{}", number.as_f64());
        }
        _ => out.extend_from_slice(raw),
    }
}
