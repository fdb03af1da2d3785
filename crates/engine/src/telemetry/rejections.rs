//! The last records that could not be stored, for the status page: few of them, however many there are.

use base::text::{printable, printable_bytes};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// As many as people look at.
const KEPT_MAX: usize = 20;
/// Between two that are kept, in the long run: whatever is rejected, ten records a second are copied.
const STEP_MS: u64 = 100;
/// After a while without, so many may come at once.
const BURST_MS: u64 = KEPT_MAX as u64 * STEP_MS;
/// Characters of a record, of a line and of a reason.
const SHOWN_MAX: usize = 300;
const TOPIC_SHOWN_MAX: usize = 250;

/// Shared by the data threads, which add, and the status page.
#[derive(Debug)]
pub struct Rejections {
    /// Whether the beginnings of records are kept: what nobody may see is not copied.
    keeps_text: bool,
    start: Instant,
    /// Until when places are given away, in milliseconds after `start` less `BURST_MS`.
    given: AtomicU64,
    last: Mutex<VecDeque<Rejected>>,
}

/// A record that can't become a point, or of which a line was refused.
#[derive(Clone, Copy)]
pub struct RejectedRecord<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub element: Option<usize>,
    /// As metrics name it.
    pub reason: &'static str,
    /// It may quote the record.
    pub why: &'a dyn fmt::Display,
    /// The record, or the line that was refused.
    pub text: &'a [u8],
}

/// What is kept of one; all text is printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub time_ms: u64,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub element: Option<usize>,
    pub reason: &'static str,
    pub why: String,
    /// The beginning of the record or line, where it may be shown to anybody.
    pub text: Option<String>,
}

impl Rejections {
    pub fn new(keeps_text: bool) -> Self {
        Self { keeps_text, start: Instant::now(), given: AtomicU64::new(0), last: Mutex::default() }
    }

    /// Keeps it, unless there are too many now.
    pub fn record(&self, rejected: RejectedRecord<'_>, now: Instant) {
        if !self.has_place(now) {
            return;
        }
        let entry = Rejected {
            time_ms: since_1970_ms(SystemTime::now()),
            topic: printable(rejected.topic, TOPIC_SHOWN_MAX),
            partition: rejected.partition,
            offset: rejected.offset,
            element: rejected.element,
            reason: rejected.reason,
            why: printable(&rejected.why.to_string(), SHOWN_MAX),
            text: self.keeps_text.then(|| printable_bytes(rejected.text, SHOWN_MAX)),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == KEPT_MAX {
            last.pop_front();
        }
        last.push_back(entry);
    }

    /// The newest first.
    pub fn last(&self) -> Vec<Rejected> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().rev().cloned().collect()
    }

    /// One load where there is none, whatever number of threads asks.
    fn has_place(&self, now: Instant) -> bool {
        let now_ms = millis(now.saturating_duration_since(self.start)) + BURST_MS;
        let given = self.given.load(Relaxed);
        let next = given.max(now_ms - BURST_MS) + STEP_MS;
        next <= now_ms && self.given.compare_exchange(given, next, Relaxed, Relaxed).is_ok()
    }
}

impl Default for Rejections {
    fn default() -> Self {
        Self::new(false)
    }
}

pub fn since_1970_ms(time: SystemTime) -> u64 {
    // A clock before 1970 is shown as 1970. It is only shown.
    millis(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(offset: i64, text: &str) -> RejectedRecord<'_> {
        let text = text.as_bytes();
        RejectedRecord {
            topic: "t",
            partition: 3,
            offset,
            element: None,
            reason: "empty",
            why: &"why\n",
            text,
        }
    }

    fn offsets(rejections: &Rejections) -> Vec<i64> {
        rejections.last().iter().map(|rejected| rejected.offset).collect()
    }

    #[test]
    fn keeps_the_newest_and_ten_a_second() {
        let rejections = Rejections::new(true);
        let at = |ms: u64| rejections.start + Duration::from_millis(ms);
        for offset in 0..1_000 {
            rejections.record(seen(offset, ""), at(0));
        }
        assert_eq!(offsets(&rejections), (0..20).rev().collect::<Vec<_>>());
        rejections.record(seen(1_000, ""), at(99));
        assert_eq!(offsets(&rejections)[0], 19);
        // A second of a thousand is ten more.
        for offset in 2_000..3_000 {
            rejections.record(seen(offset, ""), at(offset as u64 - 2_000 + 100));
        }
        let new = offsets(&rejections).into_iter().filter(|offset| *offset >= 2_000).collect::<Vec<_>>();
        assert_eq!(new, (0..10).rev().map(|n| 2_000 + n * 100).collect::<Vec<_>>());
    }

    #[test]
    fn keeps_the_beginning_of_a_record_only_where_it_may_be_shown() {
        let f = |keeps_text: bool, text: &str, want: Option<&str>| {
            let rejections = Rejections::new(keeps_text);
            rejections.record(seen(7, text), Instant::now());
            let last = rejections.last();
            assert_eq!((last[0].text.as_deref(), last[0].why.as_str()), (want, "why\\n"));
        };
        f(true, "a\u{202e}\n", Some("a\\u{202e}\\n"));
        f(true, &"x".repeat(301), Some(&("x".repeat(300) + "…")));
        f(false, "secret", None);
    }
}
