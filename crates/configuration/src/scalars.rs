//! Numbers, sizes, durations and flags of a table, with the range that each may have.

use super::declaration::{Bounds, Kind};
use super::section::Section;
use super::sizes::{self, AmountError};
use super::source::Span;
use std::str::FromStr;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeInteger, DeValue};

/// Each kind of value is read in two ways: `KIND` gives None where the key is left out or its value refused,
/// `KIND_or_default` gives the declared default then. With a refused value the file has an error and is not used.
impl Section<'_> {
    pub fn flag(self, key: &str) -> Option<bool> {
        self.value(key).and_then(|value| self.read_flag(key, value))
    }

    pub fn flag_or_default(self, key: &str) -> bool {
        self.or_default(key, Self::read_flag)
    }

    pub fn number(self, key: &str) -> Option<u64> {
        self.value(key).and_then(|value| self.read_number(key, value))
    }

    pub fn number_or_default(self, key: &str) -> u64 {
        self.or_default(key, Self::read_number)
    }

    pub fn share_or_default(self, key: &str) -> f64 {
        self.or_default(key, Self::read_share)
    }

    pub fn size(self, key: &str) -> Option<u64> {
        self.value(key).and_then(|value| self.read_size(key, value))
    }

    pub fn size_or_default(self, key: &str) -> u64 {
        self.or_default(key, Self::read_size)
    }

    pub fn duration_or_default(self, key: &str) -> Duration {
        self.or_default(key, Self::read_duration)
    }

    fn read_flag(self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<bool> {
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => self.replaced(key, value, "true or false, without quotes"),
        }
    }

    fn read_number(self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<u64> {
        let Kind::Number(bounds) = &self.declaration(key).kind else {
            unreachable!("`{key}` is read as a number, but declared otherwise");
        };
        let number = match value.get_ref() {
            DeValue::Integer(number) => self.whole_number(key, &value.span(), number)?,
            _ => self.replaced(key, value, "a whole number")?,
        };
        self.in_bounds(key, value, number, bounds, |number| number.to_string())
    }

    fn read_share(self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<f64> {
        const WANTED: &str = "a number such as 0.1, without quotes";
        let Kind::Share(bounds) = &self.declaration(key).kind else {
            unreachable!("`{key}` is read as a share, but declared otherwise");
        };
        let share = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => {
                let share = self.replaced(key, value, WANTED)?;
                return self.in_bounds(key, value, share, bounds, show_share);
            }
        };
        if share.is_none() {
            self.wrong_kind(value, key, WANTED);
        }
        self.in_bounds(key, value, share?, bounds, show_share)
    }

    fn read_size(self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<u64> {
        let Kind::Size(bounds) = &self.declaration(key).kind else {
            unreachable!("`{key}` is read as a size, but declared otherwise");
        };
        let bytes = match value.get_ref() {
            DeValue::Integer(number) => self.whole_number(key, &value.span(), number)?,
            DeValue::String(_) => self.amount(key, value, sizes::size)?,
            _ => {
                self.wrong_kind(value, key, "a size such as \"4MB\" or a number of bytes");
                return None;
            }
        };
        self.in_bounds(key, value, bytes, bounds, sizes::show_size)
    }

    fn read_duration(self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Duration> {
        let Kind::Duration(bounds) = &self.declaration(key).kind else {
            unreachable!("`{key}` is read as a duration, but declared otherwise");
        };
        if !value.get_ref().is_str() {
            self.wrong_kind(value, key, "a duration with its unit in quotes, such as \"250ms\" or \"10s\"");
            return None;
        }
        let duration = self.amount(key, value, sizes::duration)?;
        self.in_bounds(key, value, duration, bounds, sizes::show_duration)
    }

    fn amount<T>(
        self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        read: fn(&str) -> Result<T, AmountError>,
    ) -> Option<T> {
        let text = self.filled_text_of(key, value)?;
        read(&text.value).map_err(|error| self.refuse(&text, format!("`{key}` {error}"))).ok()
    }

    /// Reads a string with variables as another kind of value: `consumers = "${CONSUMERS:-1}"`.
    fn replaced<T: FromStr>(self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) -> Option<T> {
        if !value.get_ref().as_str().is_some_and(|text| text.contains("${")) {
            self.wrong_kind(value, key, wanted);
            return None;
        }
        let read = self.text_of(key, value)?.value.trim().parse().ok();
        if read.is_none() {
            let message = format!("`{key}` must be {wanted} once its variables are replaced");
            self.context.error(&value.span(), message);
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
        value: &Spanned<DeValue<'_>>,
        read: T,
        bounds: &Bounds<T>,
        show: impl Fn(T) -> String,
    ) -> Option<T> {
        if bounds.range.contains(&read) {
            return Some(read);
        }
        let range = bounds.shown(&show);
        let message = format!("`{key}` must be from {range}, not {}: {}", show(read), bounds.why);
        self.context.error(&value.span(), message);
        None
    }
}

pub fn show_share(share: f64) -> String {
    format!("{share:?}")
}
