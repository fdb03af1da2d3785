//! Frames that serializers of schema registries write before a value, and other beginnings of Avro and registry formats.

use std::fmt;

/// Identifies a schema in a schema registry.
pub type SchemaId = u32;

/// First byte of a frame.
const MAGIC: u8 = 0;
const HEAD_BYTES: usize = 5;

/// The frame of Confluent's wire format: 0x00, and the schema id in four bytes, the highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub schema: SchemaId,
    /// The bytes behind the frame. For Protobuf, they begin with the list of message indexes.
    pub content: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Bytes of the frame before its content.
    pub const BYTES: usize = HEAD_BYTES;

    /// The frame of a value; none if the value has none.
    #[must_use]
    pub fn of(value: &'a [u8]) -> Option<Self> {
        let (head, content) = value.split_first_chunk::<HEAD_BYTES>()?;
        let [magic, id @ ..] = *head;
        (magic == MAGIC).then_some(Self { schema: SchemaId::from_be_bytes(id), content })
    }

    /// Whether the content begins like an object or array of JSON.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        matches!(self.content.trim_ascii_start(), [b'{' | b'[', ..])
    }
}

/// The kind of data that the first bytes of a value without frame show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// A file of Avro's own, with many records.
    Container,
    /// Avro's single-object encoding, with the fingerprint of a schema.
    SingleObject,
    /// The frame of AWS Glue.
    Glue,
    /// The frame of a registry's serializer that writes the schema's GUID.
    Guid,
    /// The frame that [`Frame`] reads.
    Frame,
    Json,
    Other,
}

impl Beginning {
    pub(crate) fn of(value: &[u8]) -> Self {
        match value {
            [b'O', b'b', b'j', 1, ..] => Self::Container,
            [0xC3, 1, ..] if value.len() >= 10 => Self::SingleObject,
            [3, 0 | 5, ..] if value.len() >= 18 => Self::Glue,
            [1, ..] if value.len() >= 17 => Self::Guid,
            [MAGIC, ..] if value.len() >= HEAD_BYTES => Self::Frame,
            [b'{' | b'[', ..] => Self::Json,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Container => {
                "it begins like an Avro container file, which the bridge does not read: let the producer write one value a record"
            }
            Self::SingleObject => {
                "it begins like Avro's single-object encoding, which the bridge does not read: let the producer use a registry's serializer"
            }
            Self::Glue => {
                "it begins like a frame of AWS Glue, which the bridge does not read: let the producer write Confluent's frame"
            }
            Self::Guid => {
                "it begins with a GUID instead of an id, which the bridge does not read: let the producer write the id before the value"
            }
            Self::Frame => {
                "it begins like the frame of a schema registry: leave `schema` out of [[mapping]], and add [schema_registry]"
            }
            Self::Json => "it begins like JSON, which `format = \"json\"` reads",
            Self::Other => {
                "the producer may write none (name the schema's file with `schema` then), or write the id into the record's headers, which \
                 the bridge does not read"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_id_with_its_highest_byte_first() {
        assert_eq!(Frame::of(b"\0\x01\x02\x03\x04{}"), Some(Frame { schema: 0x0102_0304, content: b"{}" }));
        assert_eq!(Frame::of(b"\0\0\0\0\x07"), Some(Frame { schema: 7, content: b"" }));
        for value in [&b""[..], b"\0", b"\0\0\0\0", b"\x01\0\0\0\0\0", b"{\"a\":1}"] {
            assert_eq!(Frame::of(value), None, "{value:x?}");
        }
    }

    #[test]
    fn names_beginnings_that_are_no_frame() {
        let f = |value: &[u8], want: Beginning| assert_eq!(Beginning::of(value), want, "{value:x?}");
        f(b"Obj\x01\x04", Beginning::Container);
        f(b"\xC3\x01fingerprint", Beginning::SingleObject);
        f(b"\x03\x00sixteen bytes...", Beginning::Glue);
        f(b"\x03\x05sixteen bytes...", Beginning::Glue);
        f(b"\x01sixteen bytes...", Beginning::Guid);
        f(b"\0\0\0\0\x07", Beginning::Frame);
        f(b"{\"a\":1}", Beginning::Json);
        f(b"\x02", Beginning::Other);
        f(b"", Beginning::Other);
    }
}
