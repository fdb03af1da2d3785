//! Numbers, sizes, durations and flags of a table, with the range that each may have.

use super::section::Section;
use super::sizes::{self, AmountError};
use super::source::Span;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeInteger, DeValue};

/// What a number may be, and why no other.
pub struct Bounds<T> {
    pub range: RangeInclusive<T>,
    pub why: &'static str,
}

impl<T> Bounds<T> {
    pub const fn new(range: RangeInclusive<T>, why: &'static str) -> Self {
        Self { range, why }
    }
}

impl Section<'_> {
    pub fn flag(self, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => self.replaced(key, value, "true or false, without quotes"),
        }
    }

    pub fn number(self, key: &str, bounds: &Bounds<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => self.whole_number(key, &value.span(), number)?,
            _ => self.replaced(key, value, "a whole number")?,
        };
        self.in_bounds(key, number, bounds, |number| number.to_string())
    }

    /// A number that may have a fraction.
    pub fn share(self, key: &str, bounds: &Bounds<f64>) -> Option<f64> {
        const WANTED: &str = "a number such as 0.1, without quotes";
        let value = self.value(key)?;
        let share = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => {
                return self
                    .replaced(key, value, WANTED)
                    .and_then(|share| self.in_bounds(key, share, bounds, show_share));
            }
        };
        if share.is_none() {
            self.wants(value, key, WANTED);
        }
        self.in_bounds(key, share?, bounds, show_share)
    }

    /// Bytes: a number, or a string with a unit.
    pub fn size(self, key: &str, bounds: &Bounds<u64>) -> Option<usize> {
        let value = self.value(key)?;
        let bytes = match value.get_ref() {
            DeValue::Integer(number) => self.whole_number(key, &value.span(), number)?,
            DeValue::String(_) => self.amount(key, sizes::size)?,
            _ => {
                self.wants(value, key, "a size such as \"4MB\" or a number of bytes");
                return None;
            }
        };
        let bytes = self.in_bounds(key, bytes, bounds, sizes::show_size)?;
        usize::try_from(bytes).ok()
    }

    /// A string with units.
    pub fn duration(self, key: &str, bounds: &Bounds<Duration>) -> Option<Duration> {
        let value = self.value(key)?;
        if !value.get_ref().is_str() {
            self.wants(value, key, "a duration with its unit in quotes, such as \"250ms\" or \"10s\"");
            return None;
        }
        let duration = self.amount(key, sizes::duration)?;
        self.in_bounds(key, duration, bounds, sizes::show_duration)
    }

    fn amount<T>(self, key: &str, read: fn(&str) -> Result<T, AmountError>) -> Option<T> {
        let text = self.text(key)?;
        read(&text.value).map_err(|error| self.refuse(&text, format!("`{key}` {error}"))).ok()
    }

    /// A string with variables in it, where another kind of value is wanted: `consumers = "${CONSUMERS:-1}"`.
    fn replaced<T: FromStr>(self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) -> Option<T> {
        if !value.get_ref().as_str().is_some_and(|text| text.contains("${")) {
            self.wants(value, key, wanted);
            return None;
        }
        let read = self.text_of(key, value)?.value.trim().parse().ok();
        if read.is_none() {
            self.error(key, format!("`{key}` wants {wanted} once its variables are replaced"));
        }
        read
    }

    fn whole_number(self, key: &str, span: &Span, number: &DeInteger<'_>) -> Option<u64> {
        let read = i128::from_str_radix(number.as_str(), number.radix()).ok();
        let positive = read.and_then(|number| u64::try_from(number).ok());
        if positive.is_none() {
            let why = if number.as_str().starts_with('-') { "can't be negative" } else { "is too large" };
            self.context.error(span, format!("`{key}` {why}"));
        }
        positive
    }

    fn in_bounds<T: PartialOrd + Copy>(
        self,
        key: &str,
        value: T,
        bounds: &Bounds<T>,
        show: impl Fn(T) -> String,
    ) -> Option<T> {
        if bounds.range.contains(&value) {
            return Some(value);
        }
        let (least, most) = (show(*bounds.range.start()), show(*bounds.range.end()));
        self.error(
            key,
            format!("`{key}` is from {least} to {most}, this is {}: {}", show(value), bounds.why),
        );
        None
    }
}

fn show_share(share: f64) -> String {
    format!("{share:?}")
}
