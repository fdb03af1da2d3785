//! Sizes such as "4MB" and durations such as "1h30m".

use base::suggest;
use std::time::Duration;
use thiserror::Error;

const SIZE_UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Units in nanoseconds.
const TIME_UNITS: [(&str, u64); 6] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Why a text is not a size or duration. The message continues after "`bytes_max` ".
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AmountError {
    #[error("must be a size such as \"4MB\" (10^6 bytes), \"4MiB\" (2^20 bytes) or a number of bytes")]
    NoSize,
    #[error("must be a duration such as \"250ms\", \"10s\", \"5m\" or \"1h30m\"")]
    NoDuration,
    #[error("has no unit: write {0}")]
    NoUnit(String),
    #[error("has the unknown unit {unit:?}{}: the units are {known}", suggested(.meant.as_deref()))]
    UnknownUnit { unit: String, meant: Option<String>, known: String },
    #[error("is too large")]
    TooLarge,
}

fn suggested(meant: Option<&str>) -> String {
    meant.map(|meant| format!(" (did you mean {meant:?}?)")).unwrap_or_default()
}

/// Reads a size in bytes.
pub fn size(text: &str) -> Result<u64, AmountError> {
    let (number, rest) = split_number(text.trim()).ok_or(AmountError::NoSize)?;
    if rest.is_empty() {
        return number.scaled(1);
    }
    let (_, bytes) = find_unit(&SIZE_UNITS, rest)?;
    number.scaled(bytes)
}

/// Reads one or more numbers with units, such as "1h30m".
pub fn duration(text: &str) -> Result<Duration, AmountError> {
    let mut rest = text.trim();
    let mut total_ns = 0_u64;
    if rest.is_empty() {
        return Err(AmountError::NoDuration);
    }
    while !rest.is_empty() {
        let (number, after) = split_number(rest).ok_or(AmountError::NoDuration)?;
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == ' ').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        if unit.is_empty() {
            return Err(AmountError::NoUnit(format!(
                "\"{rest}s\" for seconds, \"{rest}ms\" for milliseconds"
            )));
        }
        let (_, ns) = find_unit(&TIME_UNITS, unit)?;
        total_ns = total_ns.checked_add(number.scaled(ns)?).ok_or(AmountError::TooLarge)?;
        rest = after.trim_start();
    }
    Ok(Duration::from_nanos(total_ns))
}

fn find_unit(units: &[(&'static str, u64)], unit: &str) -> Result<(&'static str, u64), AmountError> {
    let names = || units.iter().map(|(name, _)| *name);
    let near = || {
        let same_letters = names().find(|name| name.eq_ignore_ascii_case(unit));
        let longer = names().find(|name| name.eq_ignore_ascii_case(&format!("{unit}B")));
        same_letters.or(longer).or_else(|| {
            // "seconds", "min" and "hours" begin with the unit.
            names().filter(|name| unit.starts_with(name)).max_by_key(|name| name.len())
        })
    };
    units.iter().find(|(name, _)| *name == unit).copied().ok_or_else(|| AmountError::UnknownUnit {
        unit: unit.to_owned(),
        meant: near().or_else(|| suggest::nearest(unit, names())).map(str::to_owned),
        known: names().collect::<Vec<_>>().join(", "),
    })
}

/// A number with at most nine digits after the point.
struct Number {
    whole: u64,
    billionths: u64,
}

impl Number {
    /// The exact product; floating point would round.
    fn scaled(&self, unit: u64) -> Result<u64, AmountError> {
        let whole = u128::from(self.whole) * u128::from(unit);
        let rest = u128::from(self.billionths) * u128::from(unit) / 1_000_000_000;
        u64::try_from(whole + rest).map_err(|_| AmountError::TooLarge)
    }
}

/// Splits off the number at the start and the spaces after it.
fn split_number(text: &str) -> Option<(Number, &str)> {
    let digits_len = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (whole, rest) = text.split_at(digits_len(text));
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits_len(rest)),
        None => ("0", rest),
    };
    let number =
        Number { whole: whole.parse().ok()?, billionths: format!("{fraction:0<9}").get(..9)?.parse().ok()? };
    (!fraction.is_empty()).then(|| (number, rest.trim_start()))
}

/// A size for messages, in the largest unit that leaves no fraction.
pub fn show_size(bytes: u64) -> String {
    let whole = |unit: u64| bytes > 0 && bytes.is_multiple_of(unit);
    let unit =
        SIZE_UNITS.iter().filter(|(name, unit)| *name != "KB" && whole(*unit)).max_by_key(|(_, unit)| *unit);
    let (name, unit) = unit.copied().unwrap_or(("B", 1));
    format!("{}{name}", bytes / unit)
}

/// A duration for messages, in the largest unit that leaves no fraction.
pub fn show_duration(duration: Duration) -> String {
    let ns = duration.as_nanos();
    let whole = |unit: u64| ns > 0 && ns.is_multiple_of(u128::from(unit));
    let unit = TIME_UNITS.iter().filter(|(_, unit)| whole(*unit)).max_by_key(|(_, unit)| *unit);
    let (name, unit) = unit.copied().unwrap_or(("s", 1_000_000_000));
    format!("{}{name}", ns / u128::from(unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_sizes() {
        let f = |text: &str, want: u64| assert_eq!(size(text), Ok(want), "{text}");
        f("0", 0);
        f("1000000", 1_000_000);
        f("17B", 17);
        f("4kB", 4_000);
        f("4KB", 4_000);
        f("1MB", 1_000_000);
        f(" 1 MiB ", 1 << 20);
        f("1.5MB", 1_500_000);
        f("0.5KiB", 512);
        f("2GB", 2_000_000_000);
        f("2GiB", 2 << 30);
    }

    #[test]
    fn refuses_sizes_with_a_remedy() {
        let f = |text: &str, want: &str| {
            let error = size(text).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        };
        f("", "must be a size such as \"4MB\"");
        f("MB", "must be a size");
        f("-1MB", "must be a size");
        f("1.MB", "must be a size");
        f("1mb", "did you mean \"MB\"?");
        f("1M", "did you mean \"MB\"?");
        f("1MIB", "did you mean \"MiB\"?");
        f("1parsec", "the units are B, kB, KB, MB, GB, KiB, MiB, GiB");
        f("99999999999GB", "too large");
        f("99999999999999999999", "must be a size");
    }

    #[test]
    fn reads_durations() {
        let f = |text: &str, want_ms: u64| {
            assert_eq!(duration(text), Ok(Duration::from_millis(want_ms)), "{text}");
        };
        f("0s", 0);
        f("250ms", 250);
        f("1s", 1_000);
        f("5m", 300_000);
        f("1h30m", 5_400_000);
        f(" 1h 30m ", 5_400_000);
        f("1.5s", 1_500);
        f("2d", 172_800_000);
        f("1000us", 1);
    }

    #[test]
    fn refuses_durations_with_a_remedy() {
        let f = |text: &str, want: &str| {
            let error = duration(text).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        };
        f("", "must be a duration such as");
        f("soon", "must be a duration");
        f("-1s", "must be a duration");
        f("10", "has no unit: write \"10s\" for seconds");
        f("10seconds", "did you mean \"s\"?");
        f("10min", "did you mean \"m\"?");
        f("10MS", "did you mean \"ms\"?");
        f("10 parsecs", "the units are us, ms, s, m, h, d");
        f("99999999999d", "too large");
    }

    #[test]
    fn shows_amounts() {
        let f = |bytes: u64, want: &str| assert_eq!(show_size(bytes), want);
        f(0, "0B");
        f(1, "1B");
        f(1_000, "1kB");
        f(16_000_000, "16MB");
        f(1 << 20, "1MiB");
        f(1_000_000_000, "1GB");
        let f = |text: &str| assert_eq!(show_duration(duration(text).unwrap()), text);
        for text in ["0s", "250ms", "90s", "5m", "1h", "2d"] {
            f(text);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes in any::<u64>(), ms in 0_u64..1 << 40) {
            prop_assert_eq!(size(&show_size(bytes)), Ok(bytes));
            let shown = show_duration(Duration::from_millis(ms));
            prop_assert_eq!(duration(&shown), Ok(Duration::from_millis(ms)));
        }

        #[test]
        fn nothing_panics(text in "[0-9.]{0,30} ?[a-zA-Zµ]{0,4}[0-9ms]{0,4}") {
            let _ = (size(&text), duration(&text));
        }
    }
}
