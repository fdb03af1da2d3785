//! Reads Telegraf's durations and sizes.

use std::time::Duration;

/// Units in nanoseconds. Telegraf adds days to Go's units.
const UNITS: [(&str, f64); 9] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("\u{b5}s", 1e3),
    ("\u{3bc}s", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
    ("d", 86_400e9),
];

/// Reads a duration: "1m30s", "10s", or a number of seconds.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut ns = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(number_len)?;
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_len)?;
        let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
        ns += number.parse::<f64>().ok()? * unit_ns;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(ns / 1e9).ok()).flatten()
}

/// A duration in the notation of bridge.toml.
pub fn shown(duration: Duration) -> String {
    let ns = duration.as_nanos();
    match ns {
        _ if ns.is_multiple_of(1_000_000_000) => format!("{}s", duration.as_secs()),
        _ if ns.is_multiple_of(1_000_000) => format!("{}ms", duration.as_millis()),
        _ => format!("{}us", duration.as_micros().max(1)),
    }
}

/// Reads a size in bytes: a number, "1MB" (10^6) or "1MiB" (2^20).
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let number_len = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(number_len)?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" | "k" => 1_000,
        "mb" | "m" => 1_000_000,
        "gb" | "g" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A size in the notation of bridge.toml.
pub fn shown_size(bytes: u64) -> String {
    match bytes {
        _ if bytes > 0 && bytes.is_multiple_of(1_000_000) => format!("{}MB", bytes / 1_000_000),
        _ if bytes > 0 && bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
        _ if bytes > 0 && bytes.is_multiple_of(1_000) => format!("{}kB", bytes / 1_000),
        _ => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        let f = |text: &str, want: Option<&str>| {
            assert_eq!(duration(text).map(shown).as_deref(), want, "{text}");
        };
        f("10s", Some("10s"));
        f("1m30s", Some("90s"));
        f("1.5s", Some("1500ms"));
        f("250ms", Some("250ms"));
        f("100us", Some("100us"));
        f("100\u{b5}s", Some("100us"));
        f("1d", Some("86400s"));
        f("30", Some("30s"));
        f("0.5", Some("500ms"));
        f("0s", Some("0s"));
        f("", None);
        f("soon", None);
        f("1 fortnight", None);
        f("${X}", None);
        f("-1", None);
        f("1e400", None);
        f("99999999999999999999999999h", None);
    }

    #[test]
    fn reads_sizes() {
        let f = |text: &str, want: Option<&str>| {
            assert_eq!(size(text).map(shown_size).as_deref(), want, "{text}");
        };
        f("1000000", Some("1MB"));
        f("1MB", Some("1MB"));
        f("1MiB", Some("1MiB"));
        f("1500", Some("1500B"));
        f("2kb", Some("2kB"));
        f("0", Some("0B"));
        f("x", None);
        f("99999999999999999999", None);
        f("9999999999999999999GB", None);
    }
}
