//! Clocks that do not agree: points of the future, or older than a bucket keeps.

use super::report::Line;
use std::time::{Duration, SystemTime};

/// What clocks may differ by before that is worth a word.
const SKEW_MAX: Duration = Duration::from_secs(5);

const REMEDY: &str = "set the clocks right (NTP); times of points and what retention keeps depend on them";

/// A server's clock against this machine's: `server` was read between `asked` and `answered`, in whole seconds.
pub fn of_server(shown: &str, server: SystemTime, asked: SystemTime, answered: SystemTime) -> Line {
    // A clock is ahead or behind, or neither: the other difference is negative and counts as zero.
    let ahead = server.duration_since(answered).unwrap_or_default();
    // Its second had begun up to a second before.
    let behind = asked.duration_since(server + Duration::from_secs(1)).unwrap_or_default();
    let (by, which) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
    if by <= SKEW_MAX {
        return Line::passed(format!("{shown}: its clock agrees with this machine's"));
    }
    Line::warned(format!("{shown}: its clock is {} {which} this machine's", seconds(by)), REMEDY)
}

/// The newest of a topic's timestamps, in milliseconds since 1970.
pub fn of_topic(topic: &str, newest_ms: i64, now: SystemTime) -> Option<Line> {
    let newest = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(newest_ms).ok()?);
    let ahead = newest.duration_since(now).ok().filter(|ahead| *ahead > SKEW_MAX)?;
    Some(Line::warned(
        format!("{topic}: the newest sampled record is of {} in the future", seconds(ahead)),
        format!("look at its producer's clock, and at this machine's: {REMEDY}"),
    ))
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=299 => format!("{seconds} s"),
        seconds @ 300..=17_999 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
    }

    #[test]
    fn tells_a_skew_of_more_than_seconds() {
        // The server's date has whole seconds; the answer took half of one.
        let f = |server_s: u64, want: &str| {
            let line = of_server("h", at(server_s * 1_000), at(100_900), at(101_400)).to_string();
            assert!(line.starts_with(want), "{server_s}: {line}");
        };
        f(101, "ok      h: its clock agrees");
        f(100, "ok ");
        f(106, "ok ");
        f(107, "warn    h: its clock is 5 s ahead of this machine's: set the clocks right");
        f(95, "ok ");
        f(94, "warn    h: its clock is 5 s behind this machine's: ");
        f(4_000, "warn    h: its clock is 64 min ahead of");
    }

    #[test]
    fn tells_records_of_the_future() {
        let f = |newest_ms: i64, want: Option<&str>| {
            let line = of_topic("t", newest_ms, at(100_000)).map(|line| line.to_string());
            assert_eq!(line.is_some(), want.is_some(), "{newest_ms}: {line:?}");
            assert!(line.unwrap_or_default().starts_with(want.unwrap_or_default()));
        };
        f(-1, None);
        f(99_000, None);
        f(105_000, None);
        f(170_000, Some("warn    t: the newest sampled record is of 70 s in the future: look at"));
    }
}
