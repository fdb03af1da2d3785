//! Recognizes the names of times, and what they say about the event that a time belongs to.

use super::key::Segment;
use super::names::{has_word, is_item_value, plain, words};

/// The event of a time, as far as its name says. The last kind is the likeliest time of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimeKind {
    /// After the measurement, such as the next update.
    Later,
    /// Before the measurement, such as the beginning of an interval or the start of a device.
    Earlier,
    /// When a later system sent, received or stored the record.
    Receipt,
    /// The measurement, as far as the name says.
    Measurement,
}

/// The kind of a name of a time.
pub fn time_kind(name: &str) -> TimeKind {
    const LATER: [&str; 11] = [
        "next",
        "expire",
        "expires",
        "expiry",
        "expiration",
        "due",
        "until",
        "deadline",
        "schedule",
        "scheduled",
        "eta",
    ];
    const EARLIER: [&str; 24] = [
        "created",
        "creation",
        "creationtimestamp",
        "start",
        "started",
        "first",
        "since",
        "begin",
        "birth",
        "changed",
        "boot",
        "booted",
        "install",
        "installed",
        "installation",
        "commissioned",
        "manufactured",
        "manufacture",
        "calibrated",
        "calibration",
        "registered",
        "registration",
        "joined",
        "launched",
    ];
    const RECEIPT: [&str; 36] = [
        "ingest",
        "ingested",
        "ingestion",
        "receive",
        "received",
        "receipt",
        "recv",
        "rx",
        "arrival",
        "arrive",
        "arrived",
        "process",
        "processed",
        "processing",
        "publish",
        "published",
        "forward",
        "forwarded",
        "send",
        "sent",
        "transmitted",
        "store",
        "stored",
        "storage",
        "insert",
        "inserted",
        "upload",
        "uploaded",
        "enqueued",
        "queued",
        "indexed",
        "server",
        "broker",
        "kafka",
        "batch",
        "synced",
    ];
    if has_word(name, &LATER) {
        TimeKind::Later
    } else if has_word(name, &EARLIER) {
        TimeKind::Earlier
    } else if has_word(name, &RECEIPT) {
        TimeKind::Receipt
    } else {
        TimeKind::Measurement
    }
}

/// Ranks below this one are names that say nothing but that the value is a time.
pub const TIME_RANK_SURE: usize = BEST.len();

const BEST: [&str; 8] = ["timestamp", "time", "ts", "datetime", "eventtime", "epoch", "date", "at"];

/// Rank of a name of a time among those of its kind; a lower rank is likelier. None for other names.
pub fn time_rank(name: &str) -> Option<usize> {
    const NOT: [&str; 8] =
        ["uptime", "downtime", "runtime", "lifetime", "responsetime", "elapsedtime", "cputime", "timezone"];
    const ENDS: [&str; 13] = [
        "timestamp",
        "time",
        "date",
        "timestampms",
        "timems",
        "timens",
        "timeus",
        "unix",
        "unixtime",
        "unixnano",
        "unixsec",
        "unixsecond",
        "epochsec",
    ];
    const WORDS: [&str; 9] = ["time", "timestamp", "at", "ts", "tst", "when", "epoch", "시각", "시간"];
    let plain = plain(name);
    if let Some(rank) = BEST.iter().position(|best| *best == plain) {
        return Some(rank);
    }
    if NOT.contains(&plain.as_str()) {
        return None;
    }
    let is_time = ENDS.iter().any(|end| plain.trim_end_matches('s').ends_with(end)) || has_word(name, &WORDS);
    is_time.then_some(TIME_RANK_SURE)
}

/// Whether a name may be that of a time, if its values are plausible times. Most values under such names are others.
pub fn may_be_time(name: &str) -> bool {
    const WORDS: [&str; 25] = [
        "stamp",
        "start",
        "end",
        "dt",
        "clock",
        "read",
        "generated",
        "published",
        "recorded",
        "observed",
        "logged",
        "sampled",
        "t",
        "bt",
        "utc",
        "seen",
        "updated",
        "modified",
        "created",
        "changed",
        "collected",
        "reported",
        "received",
        "measured",
        "ns",
    ];
    is_time(name) || has_word(name, &WORDS) || ends_in_unit(name, &["sec", "secs", "second", "seconds"])
}

pub fn is_time(name: &str) -> bool {
    time_rank(name).is_some()
}

/// The name that says whether a value is a time: the last key of its path, or the key around the value's own, as in
/// `{"TimeInstant": {"value": ...}}`.
pub fn of_path(segments: &[Segment]) -> &str {
    let mut keys = segments
        .iter()
        .rev()
        .filter_map(|segment| if let Segment::Key(key) = segment { Some(key.as_str()) } else { None });
    let name = keys.next().unwrap_or_default();
    let is_content = is_item_value(name) || plain(name) == "numberlong";
    keys.next().filter(|around| is_content && is_time(around)).unwrap_or(name)
}

/// Whether a list of this name may be a value behind or before its time, as Prometheus writes them: `"value": [1720474474, "1"]`.
pub fn may_begin_with_time(name: &str) -> bool {
    const NAMES: [&str; 8] =
        ["values", "point", "points", "datapoint", "datapoints", "sample", "samples", "reading"];
    is_item_value(name) || NAMES.contains(&plain(name).as_str())
}

/// The unit of a part of a second that stands beside whole seconds, such as `ns` and `tv_usec`, with the number of the unit in a second.
/// Milliseconds are left out: a number under such a name is mostly a duration.
pub fn part_of_second(name: &str) -> Option<(&'static str, f64)> {
    const NANOSECONDS: [&str; 6] = ["ns", "nsec", "nsecs", "nanos", "nanosecond", "nanoseconds"];
    const MICROSECONDS: [&str; 6] = ["us", "usec", "usecs", "micros", "microsecond", "microseconds"];
    if ends_in_unit(name, &NANOSECONDS) {
        Some(("ns", 1e9))
    } else {
        ends_in_unit(name, &MICROSECONDS).then_some(("us", 1e6))
    }
}

/// Whether a name is a unit, alone or behind a name of a time: `seconds`, `tv_sec`, `ts_ns`.
fn ends_in_unit(name: &str, units: &[&str]) -> bool {
    const OF_TIME: [&str; 8] = ["tv", "ts", "time", "timestamp", "clock", "unix", "epoch", "t"];
    let words = words(name);
    words.split_last().is_some_and(|(unit, others)| {
        units.contains(&unit.as_str()) && others.iter().all(|word| OF_TIME.contains(&word.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_which_event_a_time_belongs_to() {
        let f = |name: &str, want: TimeKind| assert_eq!(time_kind(name), want, "{name}");
        f("timestamp", TimeKind::Measurement);
        f("measuredAt", TimeKind::Measurement);
        f("ingest_time", TimeKind::Receipt);
        f("receivedAt", TimeKind::Receipt);
        f("bootTime", TimeKind::Earlier);
        f("install_date", TimeKind::Earlier);
        f("next_update", TimeKind::Later);
    }

    #[test]
    fn the_key_around_a_value_may_have_the_name_of_the_time() {
        let f = |path: &[&str], want: &str| {
            let segments: Vec<Segment> = path.iter().map(|key| Segment::Key((*key).to_owned())).collect();
            assert_eq!(of_path(&segments), want, "{path:?}");
        };
        f(&["metadata", "TimeInstant", "value"], "TimeInstant");
        f(&["temperature", "value"], "value");
        f(&["value"], "value");
        f(&["time", "offset"], "offset");
        f(&[], "");
    }
}
