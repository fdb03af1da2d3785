//! Decides what values become. What depends on the flattened key alone is decided once, when the key is first seen.

use super::interned_keys::{InternedKeys, KeyId};
use super::rejection::Drop;
use super::replacements::Replaced;
use super::scalar::{Kind, Scalar};
use super::{FieldType, Integers, KeySelector, Rules};
use crate::decode::{Number, Token};

/// The rules of a mapping, applied to one flattened key.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Whether strings under the key name the measurement.
    pub name: bool,
    /// The table of `values` for the key.
    pub values: Option<u32>,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The value is the point's time, and nothing else.
    Time,
    Tag(KeyId),
    Field {
        key: KeyId,
        conversion: Conversion,
    },
    /// `include` or `exclude` leaves the key out.
    Excluded,
    /// The final key can't be written.
    Reserved,
}

/// How the values under a field's key become values of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// By `string_fields`, `number_fields` and `integers`: the type follows the value.
    ByValue { strings: Strings, integers: Integers },
    /// By `types`: the type is always this one.
    To(FieldType),
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
        // A configuration has far fewer tables.
        let values = rules.values.tables().index_of(key).map(|index| index as u32);
        if is(rules.time.as_ref().map(|time| &time.key)) {
            return Self { name: false, values, role: Role::Time };
        }
        Self { name: is(rules.name_key.as_ref()), values, role: Role::of(key, rules, tags, fields) }
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
            Role::Field { key, conversion } => match conversion.apply(token, scalar) {
                Ok(scalar) => ScalarUse::Field(key, scalar),
                // The string is used as the name, so nothing is dropped.
                Err(Drop::String) if self.name => ScalarUse::Nothing,
                Err(drop) => ScalarUse::Dropped(drop),
            },
            Role::Excluded => ScalarUse::Nothing,
            Role::Reserved => ScalarUse::Dropped(Drop::ReservedKey),
        }
    }

    /// The value that `values` puts in place of this one.
    pub fn replaced<'r>(&self, token: Token<'_>, rules: &'r Rules, scratch: &mut Vec<u8>) -> Replaced<'r> {
        match self.values {
            None => Replaced::Unchanged,
            Some(table) => rules.values.replace(table as usize, token, scratch),
        }
    }

    /// Decides what NaN or infinity under the key becomes. No field can have such a value.
    pub fn use_of_not_finite(&self) -> ScalarUse {
        match self.role {
            Role::Time | Role::Excluded => ScalarUse::Nothing,
            Role::Tag(_) | Role::Field { .. } => ScalarUse::Dropped(Drop::NotFinite),
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
        let conversion = Conversion::of(key, rules);
        let field = fields.intern(&rules.rename.apply(key));
        field.map_or(Self::Reserved, |key| Self::Field { key, conversion })
    }
}

impl Conversion {
    /// The conversion of a flattened key.
    fn of(key: &str, rules: &Rules) -> Self {
        if let Some(to) = rules.types.get(key) {
            return Self::To(*to);
        }
        let strings = if rules.string_fields.is_match(key) {
            Strings::Keep
        } else if rules.number_fields.is_match(key) {
            Strings::ToNumber
        } else {
            Strings::Drop
        };
        Self::ByValue { strings, integers: rules.integers }
    }

    /// Whether JSON numbers are written as they stand in the record.
    pub fn copies_numbers(self) -> bool {
        matches!(self, Self::ByValue { integers: Integers::Float, .. } | Self::To(FieldType::Float))
    }

    #[inline]
    fn apply(self, token: Token<'_>, scalar: Scalar) -> Result<Scalar, Drop> {
        match self {
            Self::ByValue { strings, integers } => field(token, scalar, strings, integers),
            Self::To(to) => scalar.converted(token, to).ok_or(Drop::Type),
        }
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

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
