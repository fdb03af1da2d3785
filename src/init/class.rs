//! Classifies keys by their strings and booleans.

use super::key::{INDEX, Key};
use super::{names, source_names};

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
    /// Numbers in quotes, and texts, under the name of a measured value.
    NumberOrText,
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
        return of_quoted_numbers(key, is_tag);
    }
    if key.texts == key.no_values && key.numbers() + key.quoted > 0 {
        return Class::NumberOrNothing;
    }
    if key.quoted > 0 && is_measured(key) {
        return Class::NumberOrText;
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
    if is_state(key) || (is_measured(key) && !key.has_prose && key.repeats()) {
        Class::Field
    } else if names::is_identifier(key.name()) || is_time(key) {
        Class::Identifier
    } else if key.has_prose && key.distinct().is_some_and(|distinct| (distinct as u64) < key.strings()) {
        Class::Field
    } else {
        Class::Many
    }
}

/// The class of a key whose strings are all numbers.
fn of_quoted_numbers(key: &Key, is_tag: bool) -> Class {
    let name = key.name();
    let are_digits = key.digits == key.quoted && key.numbers() == 0;
    let is_repeated = key.different() * 2 <= key.strings();
    let is_source =
        source_names::is_source(name) || source_names::ends_as_number(name) || source_names::is_phase(name);
    let is_identity = names::is_identifier(name)
        || names::is_serial(name)
        || (are_digits && (source_names::is_source_number(name) || (is_source && is_repeated)));
    if is_state(key) && key.numbers() == 0 {
        Class::Field
    } else if is_tag && (is_in_tags(key) || is_identity) {
        Class::Tag
    } else if names::is_identifier(name) || names::is_serial(name) || is_time(key) {
        Class::Identifier
    } else if are_digits && are_digits_of_identifiers(key) {
        // A float would round them, and their sum says nothing.
        if is_tag { Class::Tag } else { Class::Field }
    } else {
        Class::Number
    }
}

/// Whether digits in quotes are an identifier: they repeat and have always the same length, or a float rounds them.
fn are_digits_of_identifiers(key: &Key) -> bool {
    const LENGTH_MIN: usize = 10;
    let name = key.name();
    let is_long = key.digits_length.is_some_and(|(least, most)| least == most && least >= LENGTH_MIN);
    !source_names::is_amount(name)
        && !names::is_item_value(name)
        && (key.long_digits > 0 || (is_long && key.repeats()))
}

/// Whether the name is that of a measured value, as in a list of names and values.
fn is_measured(key: &Key) -> bool {
    names::is_item_value(key.name()) && !key.is_indexed() && !is_in_tags(key)
}

/// Whether the values change for the same source. The phase of a current does not, and that of a process does.
fn is_state(key: &Key) -> bool {
    let is_phase_of_process = || {
        source_names::is_phase(key.name())
            && key.texts > 0
            && !key.values().into_iter().all(source_names::is_phase_of_current)
    };
    names::is_state(key.name()) || is_phase_of_process()
}

fn is_time(key: &Key) -> bool {
    key.is_time || names::is_time(key.name())
}

/// Whether the strings are suitable for filtering, and few enough.
fn is_tag(key: &Key, objects: u64) -> bool {
    let name = key.name();
    if key.has_prose
        || key.is_item()
        || is_time(key)
        || is_measured(key)
        || (is_state(key) && !is_in_tags(key))
    {
        return false;
    }
    // Without the source, the points of all sources would be one series.
    if source_names::is_source(name) && !key.is_indexed() {
        return objects <= FEW || key.repeats() || !source_names::is_serial_number(name);
    }
    let Some(distinct) = key.distinct() else { return false };
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
