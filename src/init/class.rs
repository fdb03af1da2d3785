//! Classifies keys by their strings and booleans.

use super::key::{INDEX, Key};
use super::names;

/// Maximum number of values of a tag.
const TAG_VALUES_MAX: usize = 100;
/// With fewer objects, shares are not meaningful.
const FEW: u64 = 50;
/// Maximum number of values of a tag in a sample of few objects.
const FEW_VALUES_MAX: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Neither strings nor booleans.
    Nothing,
    Tag,
    /// States, messages and booleans.
    Field,
    /// Numbers in quotes.
    Number,
    /// Numbers, and texts instead of a number that was not measured.
    NumberOrNothing,
    /// Strings and numbers, which cannot be in one field.
    Mixed,
    /// Free text with many values.
    Many,
    /// A value for each entity or record.
    Identifier,
}

pub fn class(key: &Key, objects: u64) -> Class {
    if key.strings() == 0 {
        return match (key.booleans, key.numbers()) {
            (0, _) => Class::Nothing,
            (_, 0) => Class::Field,
            _ => Class::Mixed,
        };
    }
    let is_tag = is_tag(key, objects);
    if key.texts == 0 {
        return if names::is_state(key.name()) && key.numbers() == 0 {
            Class::Field
        } else if is_tag
            && (is_in_tags(key) || names::is_identifier(key.name()) || names::is_serial(key.name()))
        {
            Class::Tag
        } else if names::is_identifier(key.name()) || names::is_serial(key.name()) || is_time(key) {
            Class::Identifier
        } else {
            Class::Number
        };
    }
    if key.texts == key.no_values && key.numbers() + key.quoted > 0 {
        return Class::NumberOrNothing;
    }
    if key.numbers() > 0 {
        return Class::Mixed;
    }
    if is_tag {
        return Class::Tag;
    }
    if key.booleans > 0 {
        return Class::Mixed;
    }
    if names::is_state(key.name()) {
        Class::Field
    } else if names::is_identifier(key.name()) || is_time(key) {
        Class::Identifier
    } else if key.has_prose && key.distinct().is_some_and(|distinct| (distinct as u64) < key.strings()) {
        Class::Field
    } else {
        Class::Many
    }
}

fn is_time(key: &Key) -> bool {
    key.is_time || names::is_time(key.name())
}

/// Whether the strings are suitable for filtering, and few enough.
fn is_tag(key: &Key, objects: u64) -> bool {
    let Some(distinct) = key.distinct() else { return false };
    let name = key.name();
    if key.has_prose || key.is_item() || is_time(key) || (names::is_state(name) && !is_in_tags(key)) {
        return false;
    }
    if is_in_tags(key) {
        return distinct <= TAG_VALUES_MAX;
    }
    // The same identifier again belongs to an entity, unless its name is that of a message.
    let repeats = (distinct as u64) < key.strings() && !names::is_record_identifier(name);
    if objects <= FEW {
        let is_known = names::is_tag(name) && !key.is_indexed();
        return distinct <= FEW_VALUES_MAX && (is_known || repeats);
    }
    let is_few = distinct <= TAG_VALUES_MAX && distinct as u64 * 5 <= key.strings();
    // A frequently repeated identifier belongs to few entities.
    let is_very_few = distinct as u64 * 10 <= key.strings();
    repeats && is_few && (!names::is_identifier(name) || is_very_few)
}

/// Whether the key is in an object with a name such as "tags".
fn is_in_tags(key: &Key) -> bool {
    let is_tags = |segment: &super::key::Segment| matches!(segment, super::key::Segment::Key(name) if names::is_tags(name));
    key.segments.len() > 1 && key.segments.first().is_some_and(is_tags) && !key.is_indexed()
}

/// The glob for a pattern, with special characters of keys escaped.
pub fn glob(pattern: &str) -> String {
    let mut glob = String::new();
    for (place, c) in pattern.chars().enumerate() {
        match c {
            INDEX => glob.push('*'),
            '*' | '?' | '[' | ']' | '{' | '}' | '\\' => glob.extend(['\\', c]),
            // A leading "$" would begin a JSONPath.
            '$' if place == 0 => glob.push_str("\\$"),
            c => glob.push(c),
        }
    }
    glob
}
