//! Reasons why a value of a point is dropped or changed.

use crate::decode::Token;
use std::fmt;

/// Reason why a value of a point was left out, or its text changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DropReason {
    /// A string or boolean that no option keeps.
    String,
    /// A string under `number_fields` that is not a number.
    NotANumber,
    /// A value that can't become the type that `types` gives its key.
    Type,
    /// An integer of more than 64 bits, with `integers = "int"`.
    IntegerRange,
    /// A final key that InfluxDB reserves: `time`, `_field`, `_measurement`; or an empty one.
    ReservedKey,
    /// A value whose final key occurs again in the same point; the last value is kept.
    Duplicate,
    /// Backslashes that can't be written at the end of a name or before an escaped character.
    Backslash,
    /// Bytes that are not UTF-8, or half of a surrogate pair, written as U+FFFD.
    NotUtf8,
    /// Binary data, or a type of a binary format that no field can have, such as an integer of more than 64 bits.
    Binary,
    /// NaN or infinity.
    NotFinite,
    /// A placeholder of `measurement` that finds nothing: the point has the topic's name.
    Measurement,
    /// An item of `pivot` or `zip` without a text as its name, or without a value.
    Item,
    /// A string under `parse_json` that is no JSON.
    NotJson,
    /// A field whose key is also a tag of the point.
    TagAndField,
}

impl DropReason {
    pub const ALL: [Self; 14] = [
        Self::String,
        Self::NotANumber,
        Self::Type,
        Self::IntegerRange,
        Self::ReservedKey,
        Self::Duplicate,
        Self::Backslash,
        Self::NotUtf8,
        Self::Binary,
        Self::NotFinite,
        Self::Measurement,
        Self::Item,
        Self::NotJson,
        Self::TagAndField,
    ];

    /// The reason for which a value is lost wherever it should become a part of a point; none for other values, and for null.
    pub(crate) fn of_token(token: Token<'_>) -> Option<Self> {
        match token {
            Token::NotFinite => Some(Self::NotFinite),
            Token::Binary => Some(Self::Binary),
            _ => None,
        }
    }

    /// The name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::NotANumber => "not_a_number",
            Self::Type => "type",
            Self::IntegerRange => "integer_range",
            Self::ReservedKey => "reserved_key",
            Self::Duplicate => "duplicate",
            Self::Backslash => "backslash",
            Self::NotUtf8 => "not_utf8",
            Self::Binary => "binary",
            Self::NotFinite => "not_finite",
            Self::Measurement => "measurement",
            Self::Item => "item",
            Self::NotJson => "not_json",
            Self::TagAndField => "tag_and_field",
        }
    }

    /// What happened, and which option keeps the value.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::String => {
                "strings and booleans are dropped: add the key to `string_fields` (or `tag_keys`, or `number_fields` for quoted numbers), or to `exclude` to say that it is not wanted"
            }
            Self::NotANumber => {
                "the string under `number_fields` is no number, so this point lacks the field; words such as \"unavailable\" need no \
                 remedy, and a key that always holds text belongs out of `number_fields`"
            }
            Self::Type => {
                "the value can't become the type that `types` gives its key, so this point lacks the field: give the key another type, or take the words that stand for no value out with `values`"
            }
            Self::IntegerRange => {
                "an integer of more than 64 bits is dropped: `integers = \"float\"` keeps it, rounded"
            }
            Self::ReservedKey => {
                "InfluxDB reserves this key or can't store it: give it another with `rename`"
            }
            Self::Duplicate => {
                "two values of a point have this final key, the last stays: keep both with `rename`"
            }
            Self::Backslash => {
                "backslashes at the end of a name or before a comma, equals sign or space can't be written and are left out"
            }
            Self::NotUtf8 => {
                "bytes that are not UTF-8, and halves of surrogate pairs such as \"\\ud800\", are written as U+FFFD: let the producer send UTF-8"
            }
            Self::Binary => {
                "binary data and types other than text, numbers and timestamps are dropped: let the producer send text or numbers"
            }
            Self::Item => {
                "an item of this list has no text as its name or no value, so it becomes no field: check the keys in `pivot` or `zip`"
            }
            Self::NotJson => {
                "a string under `parse_json` is no JSON and stays a string: if the key never holds JSON, take it out of `parse_json`"
            }
            Self::NotFinite => "InfluxDB stores neither NaN nor infinity, so this point lacks the field",
            Self::Measurement => {
                "a placeholder of `measurement` finds nothing, so the point has the topic's name as its measurement: correct the \
                 placeholder, or let the producer send the value"
            }
            Self::TagAndField => {
                "the key is a tag of the same point, InfluxDB 3 refuses such points, and the tag stays: let the producer or \
                 `rename` give one of them another key, or add the key to `exclude` to say that the field is not wanted"
            }
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.remedy())
    }
}

/// Numbers of dropped or changed values, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops([u64; DropReason::ALL.len()]);

impl Drops {
    pub fn add(&mut self, drop: DropReason) {
        if let Some(count) = self.0.get_mut(drop as usize) {
            *count += 1;
        }
    }

    pub fn has(&self, drop: DropReason) -> bool {
        self.0.get(drop as usize).is_some_and(|count| *count > 0)
    }

    pub fn add_all(&mut self, others: &Self) {
        for (count, other) in self.0.iter_mut().zip(others.0) {
            *count += other;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.into_iter().zip(self.0).filter(|&(_, count)| count > 0)
    }

    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_advice_changes_the_type_of_a_field() {
        assert!(!DropReason::NotANumber.remedy().contains("string_fields"));
    }
}
