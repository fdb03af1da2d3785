//! Clock differences, which lead to points in the future or outside of the retention.

use super::report::Line;
use std::time::{Duration, SystemTime};

/// Smaller differences are not reported.
const SKEW_MAX: Duration = Duration::from_secs(5);

const REMEDY: &str = "synchronize the clocks (NTP), because times of points and retention depend on them";

/// Compares the clock of a server with this machine's. `server`, in whole seconds, was read between `sent` and `received`.
pub fn of_server(shown: &str, server: SystemTime, sent: SystemTime, received: SystemTime) -> Line {
    // Negative differences count as zero, so at most one of both is positive.
    let ahead = server.duration_since(received).unwrap_or_default();
    // The second had begun up to a second before.
    let behind = sent.duration_since(server + Duration::from_secs(1)).unwrap_or_default();
    let (by, which) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
    if by <= SKEW_MAX {
        return Line::passed(format!("{shown}: the clock agrees with this machine's"));
    }
    Line::warned(format!("{shown}: the clock is {} {which} this machine's", seconds(by)), REMEDY)
}

/// Compares the newest timestamp of a topic, in milliseconds since 1970, with this machine's clock.
pub fn of_topic(topic: &str, newest_ms: i64, now: SystemTime) -> Option<Line> {
    let newest = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(newest_ms).ok()?);
    let ahead = newest.duration_since(now).ok().filter(|ahead| *ahead > SKEW_MAX)?;
    Some(Line::warned(
        format!("{topic}: the timestamp of the newest sampled record is {} in the future", seconds(ahead)),
        format!("check the clocks of the producer and of this machine: {REMEDY}"),
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
    fn reports_a_clock_skew_above_the_limit() {
        // The date of the server has whole seconds; the request took 0.5 s.
        let f = |server_s: u64, want: &str| {
            let line = of_server("h", at(server_s * 1_000), at(100_900), at(101_400)).to_string();
            assert!(line.starts_with(want), "{server_s}: {line}");
        };
        f(101, "ok      h: the clock agrees");
        f(100, "ok ");
        f(106, "ok ");
        f(107, "warn    h: the clock is 5 s ahead of this machine's: synchronize the clocks");
        f(95, "ok ");
        f(94, "warn    h: the clock is 5 s behind this machine's: ");
        f(4_000, "warn    h: the clock is 64 min ahead of");
    }

    #[test]
    fn reports_records_in_the_future() {
        let f = |newest_ms: i64, want: Option<&str>| {
            let line = of_topic("t", newest_ms, at(100_000)).map(|line| line.to_string());
            assert_eq!(line.is_some(), want.is_some(), "{newest_ms}: {line:?}");
            assert!(line.unwrap_or_default().starts_with(want.unwrap_or_default()));
        };
        f(-1, None);
        f(99_000, None);
        f(105_000, None);
        f(
            170_000,
            Some(
                "warn    t: the timestamp of the newest sampled record is 70 s in the future: check the clocks",
            ),
        );
    }
}
