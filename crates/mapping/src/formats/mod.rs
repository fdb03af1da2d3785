//! Record formats: each turns the bytes of a record into JSON text, which the rest of the crate reads.
//!
//! A new format is a file beside this one, an entry in [`Format`], and its call in [`FormatReader`]. Rules, record shapes, `init` and
//! `map` need no change.

mod avro;
mod avro_schema;
mod binary_object;
mod cbor;
mod cell;
mod csv;
mod frame;
mod input;
mod json_text;
mod key_texts;
mod msgpack;
mod number_text;
mod protobuf;
mod reader;
mod scalar_gaps;
mod schema;
mod schema_reference;

pub use avro_schema::{AvroSchema, AvroSchemaError};
pub(crate) use binary_object::BinaryObject;
pub use cell::is_single_value;
pub use frame::{Beginning, Frame, SchemaId};
pub(crate) use json_text::JsonText;
pub use json_text::{RecordText, TimeMark};
pub use protobuf::{ProtobufSchema, ProtobufSchemaError, ReadFile, messages_of_file};
pub(crate) use reader::{FormatReader, KEPT_BYTES_MAX, length_with_schema};
pub(crate) use schema::SchemaUse;
pub use schema::{Schema, SchemaError, SchemaLanguage, SchemaText};

pub use schema_reference::Reference;

/// A text without the byte order mark that some producers write before it.
#[must_use]
pub fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)
}

/// How a record's value is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object, or an array of objects.
    #[default]
    Json,
    /// Several JSON values, in lines or one after another.
    JsonLines,
    /// InfluxDB's line protocol: lines that are points already.
    Influx,
    /// MessagePack: an object, an array of objects, or several of them one after another.
    Msgpack,
    /// CBOR: an object, an array of objects, or several of them one after another.
    Cbor,
    /// Avro: one value, by the schema of the configuration or of a schema registry.
    Avro,
    /// One Protobuf message, by the schema of the configuration or of a schema registry.
    Protobuf,
    /// Rows of text; each becomes an object with the columns' names as keys.
    Csv,
    /// One number or text, which becomes an object with the key "value".
    Value,
}

/// Properties of a format.
struct Description {
    /// The word in the configuration.
    name: &'static str,
    /// The name in messages.
    title: &'static str,
    /// Whether each line of the JSON text is a value of its own.
    has_lines: bool,
    /// Whether the format has a type for times, so that `time_key` needs no `time_format`.
    has_timestamps: bool,
    /// Whether one bad element rejects its whole record unless the configuration says otherwise.
    strict: bool,
    content: Content,
}

/// The kind of bytes in a record's value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Json,
    Text,
    Binary,
}

const JSON: Description = Description {
    name: "json",
    title: "JSON",
    has_lines: false,
    has_timestamps: false,
    strict: true,
    content: Content::Json,
};

const INFLUX: Description = Description {
    name: "influx",
    title: "line protocol",
    // A line is a point of its own, and a producer that escapes one text wrongly writes others right.
    strict: false,
    content: Content::Text,
    ..JSON
};

const MSGPACK: Description = Description {
    name: "msgpack",
    title: "MessagePack",
    has_lines: true,
    has_timestamps: true,
    content: Content::Binary,
    ..JSON
};

const CBOR: Description = Description { name: "cbor", title: "CBOR", ..MSGPACK };

const AVRO: Description = Description { name: "avro", title: "Avro", has_lines: false, ..MSGPACK };
const PROTOBUF: Description =
    Description { name: "protobuf", title: "Protobuf", has_lines: false, ..MSGPACK };

const CSV: Description = Description {
    name: "csv",
    title: "CSV",
    has_lines: true,
    // A row is a point of its own, and a producer that dies in the middle of a row cuts one off.
    strict: false,
    content: Content::Text,
    ..JSON
};

const VALUE: Description =
    Description { name: "value", title: "a single value", content: Content::Text, ..JSON };

impl Format {
    pub const ALL: [Self; 9] = [
        Self::Json,
        Self::JsonLines,
        Self::Influx,
        Self::Msgpack,
        Self::Cbor,
        Self::Avro,
        Self::Protobuf,
        Self::Csv,
        Self::Value,
    ];

    const fn description(self) -> Description {
        match self {
            Self::Json => JSON,
            Self::JsonLines => Description { name: "json_lines", has_lines: true, ..JSON },
            Self::Influx => INFLUX,
            Self::Msgpack => MSGPACK,
            Self::Cbor => CBOR,
            Self::Avro => AVRO,
            Self::Protobuf => PROTOBUF,
            Self::Csv => CSV,
            Self::Value => VALUE,
        }
    }

    /// The word in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.description().name
    }

    /// The name in messages.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.description().title
    }

    /// Whether each line of [`Rules::to_json`] is a value of its own.
    #[must_use]
    pub const fn has_lines(self) -> bool {
        self.description().has_lines
    }

    /// Whether the format has a type for times, so that `time_key` needs no `time_format`.
    #[must_use]
    pub const fn has_timestamps(self) -> bool {
        self.description().has_timestamps
    }

    /// Whether records are bytes rather than text.
    #[must_use]
    pub const fn is_binary(self) -> bool {
        matches!(self.description().content, Content::Binary)
    }

    /// Whether values are read with a schema, of the configuration or of a schema registry.
    #[must_use]
    pub const fn has_schema(self) -> bool {
        matches!(self, Self::Avro | Self::Protobuf)
    }

    /// Whether a record's value is JSON text.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(self.description().content, Content::Json)
    }

    /// Whether one bad element rejects its whole record unless the configuration says otherwise.
    #[must_use]
    pub const fn is_strict(self) -> bool {
        self.description().strict
    }
}

#[cfg(test)]
mod tests {
    use super::Format;
    use crate::Compression;

    #[test]
    fn text_formats_unpack_by_themselves_and_zlib_in_json_alone() {
        const TEXT: [&str; 5] = ["json", "json_lines", "influx", "csv", "value"];
        const JSON: [&str; 2] = ["json", "json_lines"];
        const BEGINNINGS: [&[u8]; 5] = [
            b"\x1F\x8B\x08\0",
            b"\x28\xB5\x2F\xFD",
            b"\x04\x22\x4D\x18",
            b"\xFF\x06\0\0sNaPpY",
            b"\x82SNAPPY\0",
        ];
        for format in Format::ALL {
            let may = |value: &[u8]| Compression::Auto.may_unpack(format, value);
            let name = format.name();
            for beginning in BEGINNINGS {
                assert_eq!(may(beginning), TEXT.contains(&name), "{name}: {}", beginning.escape_ascii());
            }
            assert_eq!(may(b"\x78\x9C\x03\0"), JSON.contains(&name), "{name}: zlib");
            assert!(Compression::Zlib.may_unpack(format, b"\x78\x9C\x03\0"), "{name}: a named compression");
        }
    }
}
