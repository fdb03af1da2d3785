//! Reads the keys of a `[[mapping]]` that say how records are laid out.

use super::keys;
use super::section::{Section, Text};
use mapping::{Csv, Format, Header};
use toml::de::DeValue;

/// Text of `header` that means the first row of each record.
const FIRST_LINE: &str = "first line";

/// Refuses keys that have no meaning in a format without objects.
pub fn check_keys(section: Section<'_>, format: Format) {
    let (unused, why): (&[&str], _) = match format {
        Format::Csv => (&["query", "columns"], "a row has no objects within"),
        Format::Value => (
            &[
                "query",
                "name_key",
                "tag_keys",
                "time_key",
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
