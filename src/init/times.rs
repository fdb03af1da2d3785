//! Guesses the format of times.

use jiff::tz::TimeZone;
use mapping::{TimeFormat, zone_by_name};
use std::sync::LazyLock;

/// 2000-01-01, in nanoseconds since 1970. An earlier time indicates another unit, or a clock that was never set.
const EARLIEST: i64 = 946_684_800_000_000_000;
/// A time further in the future indicates another unit, or a wrong clock.
const AHEAD_MAX: i64 = 86_400_000_000_000;

/// Units and common patterns, with their descriptions. A time of this century is plausible in only one of the units.
const CANDIDATES: [(&str, &str); 33] = [
    ("unix", "seconds since 1970"),
    ("unix_ms", "milliseconds since 1970"),
    ("unix_us", "microseconds since 1970"),
    ("unix_ns", "nanoseconds since 1970"),
    ("rfc3339", "text in the format of RFC 3339"),
    ("%Y-%m-%d %H:%M:%S%.f %z", "text"),
    ("%Y/%m/%d %H:%M:%S%.f", "text"),
    ("%Y.%m.%d %H:%M:%S%.f", "text"),
    ("%Y-%m-%d %H:%M", "text"),
    ("%Y%m%d%H%M%S", "text"),
    ("%d.%m.%Y %H:%M:%S", "text"),
    ("%m/%d/%Y %H:%M:%S", "text, the month first"),
    ("%d/%m/%Y %H:%M:%S", "text, the day first"),
    ("%d/%b/%Y:%H:%M:%S %z", "text"),
    ("%a, %d %b %Y %H:%M:%S %z", "text"),
    ("%a %b %d %H:%M:%S %z %Y", "text"),
    ("%d.%m.%Y %H:%M", "text"),
    ("%m/%d/%Y %H:%M", "text, the month first"),
    ("%d/%m/%Y %H:%M", "text, the day first"),
    ("%m/%d/%Y %I:%M:%S %p", "text, the month first"),
    ("%d/%m/%Y %I:%M:%S %p", "text, the day first"),
    ("%m/%d/%Y %I:%M %p", "text, the month first"),
    ("%d/%m/%Y %I:%M %p", "text, the day first"),
    ("%d-%m-%Y %H:%M:%S", "text, the day first"),
    ("%m-%d-%Y %H:%M:%S", "text, the month first"),
    ("%Y-%m-%d %H:%M:%S%.f UTC", "text"),
    ("%Y-%m-%d-%H.%M.%S%.f", "text"),
    ("%Y-%m-%d_%H-%M-%S", "text"),
    ("%Y%m%dT%H%M%S%.f%z", "text"),
    ("%Y%m%dT%H%M%S%.f", "text"),
    ("%a, %d %b %Y %H:%M:%S GMT", "text"),
    ("%a %b %d %H:%M:%S %Y", "text"),
    ("/Date({unix_ms})/", "milliseconds since 1970, in a text"),
];

/// The candidates as formats.
static FORMATS: LazyLock<Vec<(&str, &str, TimeFormat)>> = LazyLock::new(|| {
    let parsed = |&(format, words): &(&'static str, &'static str)| {
        Some((format, words, TimeFormat::parse(format).ok()?))
    };
    CANDIDATES.iter().filter_map(parsed).collect()
});

/// A format for the values of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// Value of `time_format`.
    pub format: &'static str,
    pub description: &'static str,
    /// Number of values that are plausible times in this format.
    pub fits: usize,
    /// Maximum and median distance to Kafka timestamps, if records have them.
    pub distance_ms: Option<(u64, u64)>,
    /// Whether texts have no zone, so that `timezone` applies.
    pub needs_zone: bool,
    /// Another format that fits the same number of values with different times.
    pub rival: Option<&'static str>,
}

/// The format that fits most values, if any fits.
pub fn guess(values: &[(String, Option<i64>)], now_ns: i64) -> Option<Guess> {
    if values.is_empty() {
        return None;
    }
    let read = FORMATS.iter().map(|(format, words, parsed)| (*format, *words, read(values, parsed, now_ns)));
    let read: Vec<_> = read.collect();
    let fits = |times: &[Option<i64>]| times.iter().flatten().count();
    let most = read.iter().map(|(.., times)| fits(times)).max().filter(|most| *most > 0)?;
    let mut best = read.iter().filter(|(.., times)| fits(times) == most);
    let (format, words, times) = best.next()?;
    let rival = best.find(|(.., other)| other != times).map(|(format, ..)| *format);
    let names_utc = format.ends_with("UTC") || format.ends_with("GMT");
    let local = zone_by_name("Asia/Seoul").filter(|_| !names_utc).and_then(|zone| {
        // All candidates are formats.
        let format = TimeFormat::parse(format).ok()?;
        let (text, _) = values.iter().zip(times).find(|(_, time)| time.is_some())?.0;
        Some(
            format.to_ns(text.as_bytes(), &zone).ok()?
                != format.to_ns(text.as_bytes(), &TimeZone::UTC).ok()?,
        )
    });
    Some(Guess {
        format,
        description: words,
        fits: most,
        distance_ms: distance(values, times),
        needs_zone: local.unwrap_or(false),
        rival,
    })
}

/// Whether all values are plausible times in this format.
pub fn are_times(values: &[(String, Option<i64>)], format: &str, now_ns: i64) -> bool {
    let format = TimeFormat::parse(format).ok();
    format.is_some_and(|format| read(values, &format, now_ns).iter().all(Option::is_some))
}

/// The values as nanoseconds since 1970, in the format that fits most of them; none for a value that is no such time.
pub fn as_ns(values: &[(String, Option<i64>)], now_ns: i64) -> Vec<Option<i64>> {
    let format = guess(values, now_ns).and_then(|guess| TimeFormat::parse(guess.format).ok());
    format.map_or(Vec::new(), |format| read(values, &format, now_ns))
}

/// Whether a time in nanoseconds since 1970 is in this century and not in the future.
pub fn is_plausible(time_ns: i64, now_ns: i64) -> bool {
    (EARLIEST..=now_ns.saturating_add(AHEAD_MAX)).contains(&time_ns)
}

/// The values as times; none for values that are not plausible times.
fn read(values: &[(String, Option<i64>)], format: &TimeFormat, now_ns: i64) -> Vec<Option<i64>> {
    let time = |text: &str| {
        format.to_ns(text.as_bytes(), &TimeZone::UTC).ok().filter(|time| is_plausible(*time, now_ns))
    };
    values.iter().map(|(text, _)| time(text)).collect()
}

fn distance(values: &[(String, Option<i64>)], times: &[Option<i64>]) -> Option<(u64, u64)> {
    let distance = |(value, time): (&(String, Option<i64>), &Option<i64>)| {
        Some((*time)?.div_euclid(1_000_000).abs_diff(value.1?))
    };
    let mut distances: Vec<u64> = values.iter().zip(times).filter_map(distance).collect();
    distances.sort_unstable();
    Some((*distances.last()?, *distances.get(distances.len() / 2)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-02T00:00:00Z.
    const NOW: i64 = 1_767_312_000_000_000_000;

    fn of(values: &[&str]) -> Option<Guess> {
        let values: Vec<_> = values.iter().map(|value| ((*value).to_owned(), None)).collect();
        guess(&values, NOW)
    }

    #[test]
    fn recognizes_units_and_patterns() {
        let f = |values: &[&str], want: Option<(&str, usize)>| {
            assert_eq!(of(values).map(|guess| (guess.format, guess.fits)), want, "{values:?}");
        };
        f(&["1767225600"], Some(("unix", 1)));
        f(&["1767225600.5", "1.7672256e9", "5"], Some(("unix", 2)));
        f(&["1767225600123"], Some(("unix_ms", 1)));
        f(&["1767225600123456"], Some(("unix_us", 1)));
        f(&["1767225600123456789"], Some(("unix_ns", 1)));
        f(&["946684800"], Some(("unix", 1)));
        f(&["2026-01-01T00:00:00.000Z", "2026-01-01T09:00:00+09:00"], Some(("rfc3339", 2)));
        f(&["2026-01-01 00:00:00"], Some(("rfc3339", 1)));
        f(&["2026-01-01T00:00:00.123+0900"], Some(("rfc3339", 1)));
        f(&["2026/01/01 00:00:00"], Some(("%Y/%m/%d %H:%M:%S%.f", 1)));
        f(&["20260101000000"], Some(("%Y%m%d%H%M%S", 1)));
        f(&["Thu Jan 01 00:00:00 +0000 2026"], Some(("%a %b %d %H:%M:%S %z %Y", 1)));
        f(&["12/31/2025 00:00:00"], Some(("%m/%d/%Y %H:%M:%S", 1)));
        f(&["/Date(1720474410123)/"], Some(("/Date({unix_ms})/", 1)));
        f(&["20240708T213410Z", "20240708T213410.5+0200"], Some(("%Y%m%dT%H%M%S%.f%z", 2)));
        f(&["20240708T213410"], Some(("%Y%m%dT%H%M%S%.f", 1)));
        f(&["2024-07-08 21:34:10 UTC"], Some(("%Y-%m-%d %H:%M:%S%.f UTC", 1)));
        f(&["Mon, 08 Jul 2024 21:34:10 GMT"], Some(("%a, %d %b %Y %H:%M:%S GMT", 1)));
        f(&["Mon Jul  8 21:34:10 2024"], Some(("%a %b %d %H:%M:%S %Y", 1)));
        f(&["08.07.2024 21:10"], Some(("%d.%m.%Y %H:%M", 1)));
        f(&["28-07-2024 21:34:10"], Some(("%d-%m-%Y %H:%M:%S", 1)));
        f(&["13/07/2024 21:10"], Some(("%d/%m/%Y %H:%M", 1)));
        f(&["07/28/2024 09:34:10 PM", "07/28/2024 09:34:11 AM"], Some(("%m/%d/%Y %I:%M:%S %p", 2)));
        f(&["2024-07-08-21.34.10.123456"], Some(("%Y-%m-%d-%H.%M.%S%.f", 1)));
        f(&["2024-07-08_21-34-10"], Some(("%Y-%m-%d_%H-%M-%S", 1)));
        // A zone that is only a name, no year, and a week.
        f(&["2024-07-08 21:34:10 CEST"], None);
        f(&["Jul  8 21:34:10"], None);
        f(&["2024-W28-1T21:34:10Z"], None);
        // 1973, next week, 1970, not a time, and no values.
        f(&["123123123"], None);
        f(&["1767916800"], None);
        f(&["0"], None);
        f(&["yesterday"], None);
        f(&[], None);
    }

    #[test]
    fn reports_ambiguous_formats_and_missing_zones() {
        let days = of(&["01/02/2025 00:00:00", "03/04/2025 00:00:00"]).unwrap();
        assert_eq!((days.format, days.rival), ("%m/%d/%Y %H:%M:%S", Some("%d/%m/%Y %H:%M:%S")));
        assert_eq!(of(&["01/02/2025 00:00:00", "13/04/2025 00:00:00"]).unwrap().rival, None);
        // Day and month are equal.
        assert_eq!(of(&["01/01/2025 00:00:00"]).unwrap().rival, None);
        assert!(of(&["2026-01-01 00:00:00"]).unwrap().needs_zone);
        assert!(!of(&["2026-01-01T00:00:00Z"]).unwrap().needs_zone);
        assert!(!of(&["Mon, 08 Jul 2024 21:34:10 GMT"]).unwrap().needs_zone);
        let dashes = of(&["08-07-2024 21:34:10"]).unwrap();
        assert_eq!((dashes.format, dashes.rival), ("%d-%m-%Y %H:%M:%S", Some("%m-%d-%Y %H:%M:%S")));
        assert!(!of(&["1767225600"]).unwrap().needs_zone);
    }

    #[test]
    fn measures_the_distance_to_kafka_timestamps() {
        let value = |seconds: i64, kafka: i64| (seconds.to_string(), Some(kafka * 1_000));
        let values = [value(1_767_225_600, 1_767_225_601), value(1_767_225_700, 1_767_225_690)];
        assert_eq!(guess(&values, NOW).unwrap().distance_ms, Some((10_000, 10_000)));
        assert_eq!(of(&["1767225600"]).unwrap().distance_ms, None);
    }
}
