//! Decides what values become. What depends on the flattened key alone is decided once, when the key is first seen.

use super::drop_reason::DropReason;
use super::interned_keys::{InternedKeys, KeyId};
use super::replacements::Replaced;
use super::scalar::{Kind, Scalar};
use super::{FieldType, Integers, KeySelector, Rules};
use crate::decode::{Number, Path, Token};
use line_protocol::encode;

/// The rules of a mapping, applied to one flattened key.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub copies: Copies,
    /// The paths of `$` selectors that lead to the value, where the element is the record's root.
    pub roots: Copies,
    /// The table of `values` for the key.
    pub values: Option<u32>,
    pub role: Role,
    /// Whether numbers become a field unchanged, and nothing else.
    pub copies_numbers: bool,
    /// Whether a `$` selector leads to the value. An element that is not the record's root needs a plan of its own then.
    pub is_of_root: bool,
    /// Whether a part of the key, such as a backslash at its end, can't be written.
    pub is_trimmed: bool,
    /// What plain text becomes if no further rule changes or copies it.
    pub plain_text: PlainText,
}

/// What text without escapes becomes, as far as its key alone decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainText {
    /// The value of the tag.
    Tag,
    /// The value of the field, with its quotes.
    Field,
    /// The value, or another rule, decides.
    Undecided,
}

/// Uses of a value beside its role: one bit for each selector that copies the value, and one for the measurement's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies(u32);

impl Copies {
    const NAME: u32 = 1 << Rules::COPIED_MAX;

    #[inline]
    pub fn is_any(self) -> bool {
        self.0 != 0
    }

    /// Whether the scalar names the measurement.
    pub fn is_name(self, scalar: Scalar) -> bool {
        self.0 & Self::NAME != 0 && scalar.is_text()
    }

    /// Sets the value in the places of the selectors that copy it.
    pub fn copy<T: Copy>(self, value: Option<T>, copies: &mut [Option<T>]) {
        for (place, copy) in copies.iter_mut().enumerate() {
            if self.0 & (1 << place) != 0 {
                *copy = value;
            }
        }
    }
}

/// The key that a plan is made for.
pub struct PlannedKey<'k, F> {
    pub flattened: &'k str,
    /// Whether a path within the element leads to the key's value.
    pub is_at: F,
    /// Whether the element is the record's root, so that `$` selectors are paths within the element.
    pub is_root: bool,
}

impl<F: Fn(&Path) -> bool> PlannedKey<'_, F> {
    fn is(&self, selector: &KeySelector) -> bool {
        match selector {
            KeySelector::Flattened(key) => key == self.flattened,
            KeySelector::Element(path) => (self.is_at)(path),
            KeySelector::Root(_) => self.is_of_root(selector),
            _ => false,
        }
    }

    /// Whether a `$` selector leads to the key's value.
    fn is_of_root(&self, selector: &KeySelector) -> bool {
        matches!(selector, KeySelector::Root(path) if self.is_root && (self.is_at)(path))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The value is a part of the point's time, and nothing else.
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
    ByValue { strings: StringTreatment, integers: Integers },
    /// By `types`: the type is always this one.
    To(FieldType),
    /// The key is that of a tag which the mapping adds, so no value becomes a field. InfluxDB 3 refuses points that have both.
    BesideTag,
}

/// Treatment of strings (and, for `Keep`, booleans) under a field's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringTreatment {
    Keep,
    ToNumber,
    Drop,
}

/// The use of a scalar in its point.
#[derive(Clone, Copy, Debug)]
pub enum ScalarUse {
    Tag(KeyId),
    /// A field, with the scalar in the form in which it is written.
    Field(KeyId, Scalar),
    /// Neither tag nor field, and no loss.
    Nothing,
    Dropped(DropReason),
}

impl Plan {
    /// `copied`: the selectors whose values are copied from the element. `roots`: paths whose values are copied behind those.
    pub fn of<F: Fn(&Path) -> bool>(
        key: &PlannedKey<'_, F>,
        rules: &Rules,
        copied: &[KeySelector],
        roots: &[Path],
        tags: &mut InternedKeys,
        fields: &mut InternedKeys,
    ) -> Self {
        let places = copied.iter().enumerate().filter(|(_, selector)| key.is(selector));
        let bits = places.fold(0, |bits, (place, _)| bits | 1 << place);
        let places = (copied.len()..).zip(roots).filter(|(_, path)| (key.is_at)(path));
        let roots = Copies(places.fold(0, |bits, (place, _)| bits | 1 << place));
        // A configuration has far fewer tables.
        let values = rules.values.tables().index_of(key.flattened).map(|index| index as u32);
        let is_of_root = key.is_root && rules.selectors().any(|(_, selector)| key.is_of_root(selector));
        if rules.time.as_ref().is_some_and(|time| time.selectors().any(|(_, selector)| key.is(selector))) {
            let (role, copies_numbers, is_trimmed) = (Role::Time, false, false);
            let plain_text = PlainText::Undecided;
            return Self {
                copies: Copies(bits),
                roots,
                values,
                role,
                copies_numbers,
                is_of_root,
                is_trimmed,
                plain_text,
            };
        }
        let is_name = rules.name_key.as_ref().is_some_and(|selector| key.is(selector));
        let bits = if is_name { bits | Copies::NAME } else { bits };
        let role = Role::of(key, rules, tags, fields);
        let copies_numbers = matches!(role, Role::Field { conversion, .. } if conversion.copies_numbers());
        let is_used_elsewhere = bits != 0 || roots.is_any();
        let copies_numbers = copies_numbers && !is_used_elsewhere;
        let is_written = matches!(role, Role::Tag(_) | Role::Field { .. });
        let is_trimmed = is_written && is_trimmed(&rules.rename.apply(key.flattened));
        let plain_text = match role {
            _ if is_used_elsewhere || values.is_some() => PlainText::Undecided,
            Role::Tag(_) => PlainText::Tag,
            Role::Field { conversion, .. } if conversion.copies_text() => PlainText::Field,
            _ => PlainText::Undecided,
        };
        Self { copies: Copies(bits), roots, values, role, copies_numbers, is_of_root, is_trimmed, plain_text }
    }

    /// Decides what a scalar under the key becomes, in an object of known and of unknown shape.
    #[expect(clippy::inline_always, reason = "passing outcomes through memory costs more than deciding them")]
    #[inline(always)]
    pub fn use_of(&self, token: Token<'_>, scalar: Scalar) -> ScalarUse {
        match self.role {
            // InfluxDB has no empty tags: the tag is treated as missing.
            Role::Tag(_) if scalar.is_empty_text() => ScalarUse::Nothing,
            Role::Tag(key) => ScalarUse::Tag(key),
            Role::Field { key, conversion } => match conversion.apply(token, scalar) {
                Ok(scalar) => ScalarUse::Field(key, scalar),
                // The value is used elsewhere, so nothing is dropped.
                Err(DropReason::String | DropReason::TagAndField)
                    if self.copies.is_any() || self.is_of_root =>
                {
                    ScalarUse::Nothing
                }
                Err(drop) => ScalarUse::Dropped(drop),
            },
            // The value of a time was copied.
            Role::Time | Role::Excluded => ScalarUse::Nothing,
            Role::Reserved => ScalarUse::Dropped(DropReason::ReservedKey),
        }
    }

    /// The value that `values` puts in place of this one.
    pub fn replaced<'r>(&self, token: Token<'_>, rules: &'r Rules, scratch: &mut Vec<u8>) -> Replaced<'r> {
        match self.values {
            None => Replaced::Unchanged,
            Some(table) => rules.values.replace(table as usize, token, scratch),
        }
    }

    /// Decides what a value becomes that no point can have, for the reason `lost`, such as NaN.
    pub fn use_of_lost(&self, lost: DropReason) -> ScalarUse {
        let is_used_elsewhere = self.copies.is_any() || self.is_of_root;
        match self.role {
            // A point without its time is rejected.
            Role::Time => ScalarUse::Nothing,
            Role::Excluded if !is_used_elsewhere => ScalarUse::Nothing,
            Role::Excluded | Role::Tag(_) | Role::Field { .. } => ScalarUse::Dropped(lost),
            Role::Reserved => ScalarUse::Dropped(DropReason::ReservedKey),
        }
    }
}

impl Role {
    fn of<F: Fn(&Path) -> bool>(
        planned: &PlannedKey<'_, F>,
        rules: &Rules,
        tags: &mut InternedKeys,
        fields: &mut InternedKeys,
    ) -> Self {
        let key = planned.flattened;
        let is_own = |selector: &&KeySelector| selector.is_in_element() && planned.is(selector);
        if rules.tag_keys.is_match(key) || rules.tag_selectors.iter().find(is_own).is_some() {
            let Some(tag) = tags.intern(&rules.rename.apply(key)) else { return Self::Reserved };
            if !tags.is_added(tag) && fields.find(tags.get(tag).prefix.bytes()).is_some() {
                fields.share_keys();
            }
            return Self::Tag(tag);
        }
        if rules.tag_selectors.iter().any(|selector| planned.is_of_root(selector)) {
            // The value becomes a tag with those from outside of the element.
            return Self::Excluded;
        }
        if !rules.include.is_match(key) || rules.exclude.is_match(key) {
            return Self::Excluded;
        }
        let conversion = Conversion::of(key, rules);
        let Some(key) = fields.intern(&rules.rename.apply(key)) else { return Self::Reserved };
        match tags.find(fields.get(key).prefix.bytes()) {
            Some(tag) if tags.is_added(tag) => {
                return Self::Field { key, conversion: Conversion::BesideTag };
            }
            Some(_) => fields.share_keys(),
            None => {}
        }
        Self::Field { key, conversion }
    }
}

impl Conversion {
    /// The conversion of a flattened key.
    fn of(key: &str, rules: &Rules) -> Self {
        if let Some(to) = rules.types.get(key) {
            return Self::To(*to);
        }
        let strings = if rules.string_fields.is_match(key) {
            StringTreatment::Keep
        } else if rules.number_fields.is_match(key) {
            StringTreatment::ToNumber
        } else {
            StringTreatment::Drop
        };
        Self::ByValue { strings, integers: rules.integers }
    }

    /// The conversion of a field of `fields`, which keeps its type unless `types` gives it another one.
    pub fn of_copied(name: &str, rules: &Rules) -> Self {
        let own = Self::ByValue { strings: StringTreatment::Keep, integers: rules.integers };
        rules.types.get(name).map_or(own, |to| Self::To(*to))
    }

    /// Whether JSON numbers are written as they stand in the record.
    pub fn copies_numbers(self) -> bool {
        matches!(self, Self::ByValue { integers: Integers::Float, .. } | Self::To(FieldType::Float))
    }

    /// Whether text is written unchanged.
    fn copies_text(self) -> bool {
        matches!(self, Self::ByValue { strings: StringTreatment::Keep, .. } | Self::To(FieldType::String))
    }

    /// The form in which a field's value is written, or the reason why it is dropped.
    #[inline]
    pub fn apply(self, token: Token<'_>, scalar: Scalar) -> Result<Scalar, DropReason> {
        match self {
            Self::ByValue { strings, integers } => field(token, scalar, strings, integers),
            Self::To(to) => scalar.converted(token, to).ok_or(DropReason::Type),
            Self::BesideTag => Err(DropReason::TagAndField),
        }
    }
}

/// Whether a part of a final key can't be written.
fn is_trimmed(key: &str) -> bool {
    encode::push_key(key.as_bytes(), &mut Vec::new())
}

/// The form in which a field's value is written, or the reason why it is dropped.
#[inline]
fn field(
    token: Token<'_>,
    scalar: Scalar,
    strings: StringTreatment,
    integers: Integers,
) -> Result<Scalar, DropReason> {
    match (token, strings) {
        (Token::Number(number), _) => numeric(number, scalar, integers),
        (_, StringTreatment::Keep) => Ok(scalar),
        (Token::Text(text), StringTreatment::ToNumber) => scalar
            .unquoted(text)
            .map_or(Err(DropReason::NotANumber), |(scalar, number)| numeric(number, scalar, integers)),
        _ => Err(DropReason::String),
    }
}

fn numeric(number: Number<'_>, scalar: Scalar, integers: Integers) -> Result<Scalar, DropReason> {
    match integers {
        Integers::Int if number.is_i64() => Ok(scalar.with_kind(Kind::Integer)),
        Integers::Int if number.is_integer() => Err(DropReason::IntegerRange),
        _ => Ok(scalar),
    }
}

#[cfg(test)]
mod tests;
