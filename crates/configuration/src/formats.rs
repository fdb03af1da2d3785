//! Reads the keys of a `[[mapping]]` that say how records are laid out.

use super::keys::{self, VALUE_COMPRESSIONS};
use super::protobuf;
use super::section::{Section, Text};
use mapping::{Compression, Csv, Format, Header, Rules, Schema, SchemaLanguage, SchemaText};
use std::fs::File;
use std::io::Read as _;
use toml::de::DeValue;

/// Text of `header` that means the first row of each record.
const FIRST_LINE: &str = "first line";

/// Keys of a mapping that have a meaning for line protocol.
const INFLUX_KEYS: [&str; 22] = [
    "topics",
    "format",
    "value_compression",
    "strict",
    "measurement",
    "tags",
    "topic_tag",
    "key_tag",
    "partition_tag",
    "offset_field",
    "header_tags",
    "include",
    "exclude",
    "rename",
    "precision",
    "time_min",
    "time_max",
    "distinct_times",
    "bucket",
    "database",
    "retention_policy",
    // The table has a warning of its own.
    "csv",
];

/// Longest file of a schema. A larger file is a wrong path.
const SCHEMA_BYTES_MAX: u64 = 4 << 20;

/// Refuses keys that have no meaning in a format without objects.
pub fn check_keys(section: Section<'_>, format: Format) {
    if format == Format::Influx {
        return check_influx_keys(section);
    }
    if section.has("precision") {
        let message = "without `format = \"influx\"` it has no effect: `time_format` says how the time under `time_key` is written";
        section.context.warning(&section.span("precision"), message);
    }
    let (unused, why): (&[&str], _) = match format {
        Format::Csv => (&["query", "columns"], "a row has no objects within"),
        Format::Value => (
            &[
                "query",
                "name_key",
                "tag_keys",
                "time_key",
                "time",
                "time_nanos_key",
                "time_add",
                "columns",
                "explode",
                "pivot",
                "zip",
                "parse_json",
            ],
            "the record is one value, which is the field \"value\"",
        ),
        _ => return,
    };
    for key in unused.iter().filter(|key| section.has(key)) {
        let name = format.name();
        section.error(
            key,
            format!("`{key}` has no meaning with format = \"{name}\", because {why}: leave it out"),
        );
    }
}

fn check_influx_keys(section: Section<'_>) {
    let keys = keys::MAPPING.keys.iter().map(|key| key.name);
    for key in keys.filter(|key| section.has(key) && !INFLUX_KEYS.contains(key)) {
        let remedy = match key {
            "name_key" => "each line has its own measurement, and `measurement` replaces it",
            "tag_keys" => "the tags of each line stay tags; `rename` gives them other keys",
            "string_fields" | "number_fields" | "integers" | "types" => {
                "each field of a line keeps its type, and `exclude` leaves fields out"
            }
            "time_key" | "time_format" | "timezone" => {
                "each line has its own time, in the unit of `precision`"
            }
            _ => "a line is a point already",
        };
        section
            .error(key, format!("`{key}` has no meaning with format = \"influx\": {remedy}. Leave it out"));
    }
}

/// Refuses placeholders for values of the record.
pub fn check_influx_placeholders(section: Section<'_>, rules: &Rules) {
    for option in ["measurement", "tags"] {
        if let Some((_, selector)) = rules.selectors().find(|(name, _)| *name == option) {
            section.error(
                option,
                format!(
                    "`{option}` has the placeholder {{{selector}}}, and a line has no keys to take it from: write {{topic}}, {{topic:NAME}}, \
                     {{partition}}, {{key}} or {{header:NAME}}"
                ),
            );
        }
    }
}

/// Reads `value_compression`. "auto" looks at the beginning of values, which in a binary format can be that of a compressed one.
pub fn compression(section: Section<'_>, format: Format) -> Compression {
    let compression = section.word_or_default("value_compression", &VALUE_COMPRESSIONS);
    if compression == Compression::Auto && format.is_binary() && section.has("value_compression") {
        section.error(
            "value_compression",
            format!(
                "`value_compression` = \"auto\" is for text formats: values in format = \"{}\" can begin like compressed ones. Name \
                 the compression, such as \"gzip\", or leave the key out if there is none",
                format.name()
            ),
        );
    }
    compression
}

/// The schema in the file of `schema`.
pub fn schema(section: Section<'_>, format: Format) -> Option<Schema> {
    if format == Format::Protobuf {
        return protobuf::schema(section);
    }
    if let Some(message) = section.text("message") {
        let why =
            format!("`message` belongs to format = \"protobuf\", not {:?}: leave it out", format.name());
        section.refuse(&message, why);
    }
    let name = section.text("schema")?;
    if format == Format::Influx {
        // Reported with the other keys that have no meaning there.
        return None;
    }
    if !format.has_schema() {
        let message = format!(
            "`schema` has no meaning with format = {:?}, whose values need none: leave it out",
            format.name()
        );
        section.refuse(&name, message);
        return None;
    }
    let path = section.file("schema")?;
    let refuse = |why: String| {
        section.refuse(&name, format!("`schema`: {} can't be used: {why}", path.display()));
    };
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(SCHEMA_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Ok(bytes) if bytes as u64 > SCHEMA_BYTES_MAX => refuse("it is larger than 4 MiB".to_owned()),
        Err(error) => refuse(error.to_string()),
        Ok(_) => {
            let text = SchemaText { language: SchemaLanguage::Avro, text, references: Vec::new() };
            return text.compile().map_err(|error| refuse(error.to_string())).ok();
        }
    }
    None
}

pub fn csv(section: Section<'_>, format: Format) -> Csv {
    let csv = section.table_or_empty("csv", &keys::MAPPING_CSV);
    if section.has("csv") && format != Format::Csv {
        let message = "without `format = \"csv\"` this table has no effect";
        section.context.warning(&section.span("csv"), message);
    }
    let default = Csv::default();
    let delimiter = character(csv, "delimiter").unwrap_or(default.delimiter);
    let comment = character(csv, "comment");
    if comment == Some(delimiter) {
        csv.error("comment", "`comment` is the same character as `delimiter`, so no row could be read");
    }
    Csv { delimiter, comment, header: header(csv).unwrap_or_default() }
}

/// A character of one byte.
fn character(section: Section<'_>, key: &str) -> Option<u8> {
    let text = section.text(key)?;
    match text.value.as_bytes() {
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Some(*byte),
        _ => {
            let message = format!(
                "`{key}` is one ASCII character other than a quote or a line break, such as \";\": {:?} is none",
                text.shown()
            );
            section.refuse(&text, message);
            None
        }
    }
}

fn header(section: Section<'_>) -> Option<Header> {
    let value = section.value("header")?;
    let names = match value.get_ref() {
        DeValue::String(_) => {
            let text = section.text("header")?;
            if text.value == FIRST_LINE {
                return Some(Header::FirstLine);
            }
            let message = format!(
                "`header` is a list of the columns' names, or {FIRST_LINE:?} where each record begins with them: {:?} is neither",
                text.shown()
            );
            section.refuse(&text, message);
            return None;
        }
        DeValue::Array(names) => names,
        _ => {
            section.wrong_kind(value, "header", "a list of the columns' names, or \"first line\"");
            return None;
        }
    };
    // A column without a name is left out.
    let names: Option<Vec<Text>> = names.iter().map(|name| section.text_of("header", name)).collect();
    let names = names?;
    if names.iter().all(|name| name.value.is_empty()) {
        section.error("header", "`header` names no column, so no record would have a value");
    }
    for (place, name) in names.iter().enumerate() {
        let is_same = |earlier: &&Text| !name.value.is_empty() && earlier.value == name.value;
        if names.iter().take(place).any(|earlier| is_same(&earlier)) {
            section.refuse(
                name,
                format!("`header` names the column {:?} twice: give each its own name", name.shown()),
            );
        }
    }
    Some(Header::Columns(names.into_iter().map(|name| name.value).collect()))
}
