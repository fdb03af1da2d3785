//! Maps records of a topic to lines by the rules of one `[[mapping]]`.
//!
//! Guarantees:
//! - The same record gives the same lines, whatever came before: series, fields and timestamp depend on the record alone.
//! - A record that cannot become points is rejected with a reason, and leaves no line.
//! - Nothing panics on the bytes of a record, and the hot path allocates nothing per record.
//!
//! There is no input or output here, no clock, and no type of Kafka or of the configuration file.
//!
//! ```text
//! record -> Mapper::map -> compression -> formats (bytes to JSON) -> decode (JSON to tokens)
//!   -> reshape (options that rearrange an element) -> record_shape (an object of known shape: compares the bytes between its values), known_keys (an object of known keys:
//!   looks each up), or element_parser (any object)
//!   -> plan (what a value becomes by the Rules) -> line (tags in order, fields, offset)
//! record of line protocol -> mapper/influx.rs: copies a line that stays as it is, and writes any other through line
//! ```
//!
//! ```
//! use base::record::{Record, RecordTime};
//! use line_protocol::LineBuffer;
//! use mapping::{KeySelector, Mapper, RecordLimits, Rules};
//! use std::sync::Arc;
//!
//! let rules = Rules { name_key: Some(KeySelector::Flattened("name".to_owned())), ..Rules::default() };
//! let limits = RecordLimits { record_bytes_max: 1_000_000, lines_bytes_max: 1_000_000 };
//! let mut mapper = Mapper::new(Arc::new(rules), "metrics", limits);
//!
//! let value = br#"{"name": "cpu", "load": {"avg": 0.5}}"#;
//! let time = RecordTime::from_kafka_ms(1_700_000_000_123);
//! let record = Record { partition: 0, offset: 0, time, key: None, value: Some(value), headers: &[] };
//! let mut lines = LineBuffer::default();
//! let mapped = mapper.map(&record, &mut lines);
//! assert_eq!(mapped.lines, 1);
//! assert_eq!(lines.line(0), Some(&b"cpu load_avg=0.5 1700000000123249686"[..]));
//! ```

mod compression;
mod decimal;
pub mod decode;
mod distinct_times;
mod drop_reason;
mod each_element;
mod element;
mod element_parser;
mod field_type;
mod first_drops;
mod formats;
mod globs;
pub mod go_layout;
mod interned_keys;
mod key_table;
mod known_keys;
mod line;
mod lz4_frame;
mod mapped;
mod mapper;
mod not_json;
mod outside_values;
mod padded_bytes;
mod plan;
mod record_shape;
mod rejection;
mod rename;
mod replacements;
mod reshape;
mod rules;
mod scalar;
mod schemas;
mod seen_keys;
mod selector;
mod template;
mod time;
mod topic_parts;

pub use compression::{Compression, unpacked};
pub use drop_reason::{DropReason, Drops};
pub use field_type::FieldType;
pub use first_drops::{FIRST_DROPS_MAX, FirstDrop};
pub use formats::{
    AvroSchema, AvroSchemaError, Beginning, Format, Frame, ProtobufSchema, ProtobufSchemaError, ReadFile,
    RecordText, Reference, Schema, SchemaError, SchemaId, SchemaLanguage, SchemaText, TimeMark,
    is_single_value, messages_of_file, without_bom,
};
pub use globs::{GlobError, Globs, overlap as globs_overlap};
pub use go_layout::to_time_format;
pub use key_table::KeyTable;
pub use mapped::{Mapped, REJECTED_ELEMENTS_MAX};
pub use mapper::{Mapper, RecordLimits, is_line_protocol};
pub use rejection::{MissingSchema, Reason, Rejection, SchemaFailure};
pub use rename::{Rename, RenameError};
pub use replacements::{Replacement, Replacements};
pub use reshape::{Pivot, PivotList, Reshape, Zip};
pub use rules::{
    AddedTime, Csv, DistinctTimes, Header, Integers, Precision, Rules, TimeRule, TimeSource, TopicPatterns,
};
pub use schemas::{Lookup, Schemas};
pub use selector::{KeySelector, flattened_of_dots};
pub use template::{Part, Template, TemplateError};
pub use time::{TimeError, TimeFormat, TimeFormatError, TimeRange, zone_by_name, zone_names};

#[cfg(test)]
#[path = "../../../tests/support/seed.rs"]
mod seed;
#[cfg(test)]
mod test_support;
