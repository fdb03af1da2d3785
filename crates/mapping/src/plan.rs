//! Decides what values become. What depends on the flattened key alone is decided once, when the key is first seen.

use super::interned_keys::{InternedKeys, KeyId};
use super::rejection::Drop;
use super::scalar::{Kind, Scalar};
use super::{Integers, KeySelector, Rules};
use crate::decode::{Number, Token};

/// The rules of a mapping, applied to one flattened key.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Whether strings under the key name the measurement.
    pub name: bool,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The value is the point's time, and nothing else.
    Time,
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

/// The use of a scalar in its point.
#[derive(Clone, Copy, Debug)]
pub enum ScalarUse {
    Time,
    Tag(KeyId),
    /// A field, with the scalar in the form in which it is written.
    Field(KeyId, Scalar),
    /// Neither tag nor field, and no loss.
    Nothing,
    Dropped(Drop),
}

impl Plan {
    pub fn of(key: &str, rules: &Rules, tags: &mut InternedKeys, fields: &mut InternedKeys) -> Self {
        let is = |selector: Option<&KeySelector>| matches!(selector, Some(KeySelector::Flattened(wanted)) if wanted == key);
        if is(rules.time.as_ref().map(|time| &time.key)) {
            return Self { name: false, role: Role::Time };
        }
        Self { name: is(rules.name_key.as_ref()), role: Role::of(key, rules, tags, fields) }
    }

    /// Decides what a scalar under the key becomes, in an object of known and of unknown shape.
    #[expect(clippy::inline_always, reason = "passing outcomes through memory costs more than deciding them")]
    #[inline(always)]
    pub fn use_of(&self, token: Token<'_>, scalar: Scalar) -> ScalarUse {
        match self.role {
            Role::Time => ScalarUse::Time,
            // InfluxDB has no empty tags: the tag is treated as missing.
            Role::Tag(_) if scalar.is_empty_text() => ScalarUse::Nothing,
            Role::Tag(key) => ScalarUse::Tag(key),
            Role::Field { key, strings, integers } => match field(token, scalar, strings, integers) {
                Ok(scalar) => ScalarUse::Field(key, scalar),
                // The string is used as the name, so nothing is dropped.
                Err(Drop::String) if self.name => ScalarUse::Nothing,
                Err(drop) => ScalarUse::Dropped(drop),
            },
            Role::Excluded => ScalarUse::Nothing,
            Role::Reserved => ScalarUse::Dropped(Drop::ReservedKey),
        }
    }

    /// Whether the scalar names the measurement.
    #[inline]
    pub fn is_name(&self, scalar: Scalar) -> bool {
        self.name && scalar.is_text()
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

/// The form in which a field's value is written, or the reason why it is dropped.
#[inline]
fn field(token: Token<'_>, scalar: Scalar, strings: Strings, integers: Integers) -> Result<Scalar, Drop> {
    match (token, strings) {
        (Token::Number(number), _) => numeric(number, scalar, integers),
        (_, Strings::Keep) => Ok(scalar),
        (Token::Text(text), Strings::ToNumber) => scalar
            .unquoted(text)
            .map_or(Err(Drop::NotANumber), |(scalar, number)| numeric(number, scalar, integers)),
        _ => Err(Drop::String),
    }
}

fn numeric(number: Number<'_>, scalar: Scalar, integers: Integers) -> Result<Scalar, Drop> {
    match integers {
        Integers::Int if number.is_i64() => Ok(scalar.with_kind(Kind::Integer)),
        Integers::Int if number.is_integer() => Err(Drop::IntegerRange),
        _ => Ok(scalar),
    }
}
