//! Decides what the values under one flattened key become. The decision is made once, when the key is first seen.

use super::interned_keys::{InternedKeys, KeyId};
use super::{Integers, KeySelector, Rules};

/// The rules of a mapping, applied to one flattened key.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Whether strings under the key name the measurement.
    pub name: bool,
    /// Whether the value is the point's time, and nothing else.
    pub time: bool,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Tag(KeyId),
    Field {
        key: KeyId,
        strings: Strings,
        integers: Integers,
    },
    /// `include` or `exclude` leaves the key out.
    Excluded,
    /// The final key can't be written.
    Reserved,
}

/// Treatment of strings (and, for `Keep`, booleans) under a field's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strings {
    Keep,
    ToNumber,
    Drop,
}

impl Plan {
    pub fn of(key: &str, rules: &Rules, tags: &mut InternedKeys, fields: &mut InternedKeys) -> Self {
        let is = |selector: Option<&KeySelector>| matches!(selector, Some(KeySelector::Flattened(wanted)) if wanted == key);
        Self {
            name: is(rules.name_key.as_ref()),
            time: is(rules.time.as_ref().map(|time| &time.key)),
            role: Role::of(key, rules, tags, fields),
        }
    }
}

impl Role {
    fn of(key: &str, rules: &Rules, tags: &mut InternedKeys, fields: &mut InternedKeys) -> Self {
        if rules.tag_keys.is_match(key) {
            return tags.intern(&rules.rename.apply(key)).map_or(Self::Reserved, Self::Tag);
        }
        if !rules.include.is_match(key) || rules.exclude.is_match(key) {
            return Self::Excluded;
        }
        let strings = if rules.string_fields.is_match(key) {
            Strings::Keep
        } else if rules.number_fields.is_match(key) {
            Strings::ToNumber
        } else {
            Strings::Drop
        };
        let integers = rules.integers;
        fields.intern(&rules.rename.apply(key)).map_or(Self::Reserved, |key| Self::Field {
            key,
            strings,
            integers,
        })
    }
}
