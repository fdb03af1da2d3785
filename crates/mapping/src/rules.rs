//! The rules of one `[[mapping]]`, checked and compiled.

use super::{Compression, Format, Globs, KeyTable, Rename, Replacements, TimeFormat, TimeRange};
use crate::decode::{Path, Query};
use jiff::tz::TimeZone;

/// Rules of one mapping. Fields are named like the keys of `[[mapping]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    pub format: Format,
    pub csv: Csv,
    pub compression: Compression,
    pub query: Query,
    /// `{topic}` is replaced by the topic's name.
    pub measurement: String,
    pub name_key: Option<KeySelector>,
    pub tag_keys: Globs,
    /// The `tag_keys` that are JSONPaths from the record's root.
    pub tag_paths: Vec<TagPath>,
    pub string_fields: Globs,
    pub number_fields: Globs,
    pub integers: Integers,
    pub values: Replacements,
    /// Types of fields, which replace what `string_fields`, `number_fields` and `integers` say.
    pub types: KeyTable<FieldType>,
    pub include: Globs,
    pub exclude: Globs,
    pub rename: Rename,
    pub time: Option<TimeRule>,
    /// Records with other times are rejected.
    pub times: TimeRange,
    pub distinct_times: DistinctTimes,
    pub topic_tag: Option<String>,
    pub key_tag: Option<String>,
    pub partition_tag: Option<String>,
    pub offset_field: Option<String>,
    pub header_tags: Vec<String>,
    /// Static tags, used where the record gave none of that name.
    pub tags: Vec<(String, String)>,
    /// Whether one bad element rejects its whole record.
    pub strict: bool,
}

/// Settings of `[mapping.csv]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csv {
    pub delimiter: u8,
    /// First byte of lines that are no rows.
    pub comment: Option<u8>,
    pub header: Header,
}

/// Where the names of columns stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// In the first row of each record.
    #[default]
    FirstLine,
    /// In the configuration; a column with an empty name is left out.
    Columns(Vec<String>),
}

impl Default for Csv {
    fn default() -> Self {
        Self { delimiter: b',', comment: None, header: Header::FirstLine }
    }
}

/// Location of a name or time in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySelector {
    /// A flattened key within the selected object.
    Flattened(String),
    /// A JSONPath from the record's root, which also reaches parents of the selected object.
    Root(Path),
}

/// A tag found by a JSONPath from the record's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPath {
    /// The flattened path: the tag's key before `rename`.
    pub key: String,
    pub path: Path,
}

/// Form in which JSON numbers without fraction and exponent are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Integers {
    #[default]
    Float,
    Int,
}

/// Type of all values of a field: values of other types are converted, or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Whole numbers in any spelling, also quoted, and booleans as 1 and 0.
    Int,
    /// Like `Int`, from 0 to 2^64 - 1.
    Uint,
    /// Numbers, quoted numbers, and booleans as 1 and 0.
    Float,
    /// `true` and `false`, 1 and 0, also quoted.
    Bool,
    /// Strings, and the text of numbers and booleans as written.
    String,
}

impl FieldType {
    pub const ALL: [Self; 5] = [Self::Int, Self::Uint, Self::Float, Self::Bool, Self::String];

    /// The word in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::String => "string",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct TimeRule {
    pub key: KeySelector,
    pub format: TimeFormat,
    /// Zone of times whose text has none.
    pub zone: TimeZone,
}

/// Times that get digits which make equal times of one series distinct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DistinctTimes {
    Never,
    /// Kafka's timestamps.
    #[default]
    Kafka,
    /// Also times of `time_key`, below their unit.
    Always,
}

impl Default for Rules {
    /// The rules of an empty mapping: every number becomes a field, and the topic is the measurement.
    fn default() -> Self {
        Self {
            format: Format::Json,
            csv: Csv::default(),
            compression: Compression::Auto,
            query: Query::Whole,
            measurement: "{topic}".to_owned(),
            name_key: None,
            tag_keys: Globs::default(),
            tag_paths: Vec::new(),
            string_fields: Globs::default(),
            number_fields: Globs::default(),
            integers: Integers::Float,
            values: Replacements::default(),
            types: KeyTable::default(),
            include: Globs::compile(&["*"]).unwrap_or_default(),
            exclude: Globs::default(),
            rename: Rename::default(),
            time: None,
            times: TimeRange::default(),
            distinct_times: DistinctTimes::Kafka,
            topic_tag: None,
            key_tag: None,
            partition_tag: None,
            offset_field: None,
            header_tags: Vec::new(),
            tags: Vec::new(),
            strict: true,
        }
    }
}
