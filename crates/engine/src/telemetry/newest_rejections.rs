//! The newest rejected and refused records, for the status page: a bounded sample.

use base::locks::lock;
use base::text::{printable, printable_bytes};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

/// Records that are kept, enough for a person to look at.
const KEPT_MAX: usize = 20;
/// Average interval of kept records: ten per second are copied at most.
const STEP_MS: u64 = 100;
/// Burst of the rate limiter: as many records may come at once after a pause.
const BURST_MS: u64 = KEPT_MAX as u64 * STEP_MS;
/// Characters that are kept of a record, a line or a reason.
const SHOWN_MAX: usize = 300;
const TOPIC_SHOWN_MAX: usize = 250;

/// Shared by the data threads, which add, and the status page.
#[derive(Debug)]
pub struct NewestRejections {
    /// Whether the beginnings of records are kept. Text that may not be shown is not copied.
    keeps_text: bool,
    start: Instant,
    /// Theoretical arrival time of the GCRA rate limiter, in milliseconds after `start` less `BURST_MS`.
    arrival_ms: AtomicU64,
    last: Mutex<VecDeque<ShownRejection>>,
}

/// A record that was rejected, or a line of it that was refused.
#[derive(Clone, Copy)]
pub struct RejectedRecord<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub element: Option<usize>,
    /// The `reason` label of metrics.
    pub reason: &'static str,
    /// The reason in words, which may quote the record.
    pub why: &'a dyn fmt::Display,
    /// The record, or the refused line.
    pub text: &'a [u8],
}

/// The kept part of a rejected record; all text is printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownRejection {
    pub time_ms: u64,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub element: Option<usize>,
    pub reason: &'static str,
    pub why: String,
    /// The beginning of the record or line. None: it may not be shown.
    pub text: Option<String>,
}

impl NewestRejections {
    pub fn new(keeps_text: bool) -> Self {
        Self { keeps_text, start: Instant::now(), arrival_ms: AtomicU64::new(0), last: Mutex::default() }
    }

    /// Keeps the record, unless too many came at once.
    pub fn record(&self, rejected: RejectedRecord<'_>, now: Instant) {
        if self.admits(now) {
            self.keep(rejected);
        }
    }

    /// Keeps a record that [`NewestRejections::admits`] has admitted.
    pub fn keep(&self, rejected: RejectedRecord<'_>) {
        let entry = ShownRejection {
            time_ms: since_1970_ms(SystemTime::now()),
            topic: printable(rejected.topic, TOPIC_SHOWN_MAX),
            partition: rejected.partition,
            offset: rejected.offset,
            element: rejected.element,
            reason: rejected.reason,
            why: printable(&rejected.why.to_string(), SHOWN_MAX),
            text: self.keeps_text.then(|| printable_bytes(rejected.text, SHOWN_MAX)),
        };
        let mut last = lock(&self.last);
        if last.len() == KEPT_MAX {
            last.pop_front();
        }
        last.push_back(entry);
    }

    /// The kept records, newest first.
    pub fn last(&self) -> Vec<ShownRejection> {
        let last = lock(&self.last);
        last.iter().rev().cloned().collect()
    }

    /// Whether the rate limiter admits a record, which is to be kept then. A refusal costs one atomic load.
    pub fn admits(&self, now: Instant) -> bool {
        let now_ms = millis(now.saturating_duration_since(self.start)) + BURST_MS;
        let arrival = self.arrival_ms.load(Relaxed);
        let next = arrival.max(now_ms - BURST_MS) + STEP_MS;
        next <= now_ms && self.arrival_ms.compare_exchange(arrival, next, Relaxed, Relaxed).is_ok()
    }
}

impl Default for NewestRejections {
    fn default() -> Self {
        Self::new(false)
    }
}

pub fn since_1970_ms(time: SystemTime) -> u64 {
    // A clock before 1970 is shown as 1970.
    millis(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(offset: i64, text: &str) -> RejectedRecord<'_> {
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

    fn offsets(rejections: &NewestRejections) -> Vec<i64> {
        rejections.last().iter().map(|rejected| rejected.offset).collect()
    }

    #[test]
    fn keeps_the_newest_at_most_ten_per_second() {
        let rejections = NewestRejections::new(true);
        let at = |ms: u64| rejections.start + Duration::from_millis(ms);
        for offset in 0..1_000 {
            rejections.record(rejected(offset, ""), at(0));
        }
        assert_eq!(offsets(&rejections), (0..20).rev().collect::<Vec<_>>());
        rejections.record(rejected(1_000, ""), at(99));
        assert_eq!(offsets(&rejections)[0], 19);
        // A thousand within a second add ten.
        for offset in 2_000..3_000 {
            rejections.record(rejected(offset, ""), at(offset as u64 - 2_000 + 100));
        }
        let new = offsets(&rejections).into_iter().filter(|offset| *offset >= 2_000).collect::<Vec<_>>();
        assert_eq!(new, (0..10).rev().map(|n| 2_000 + n * 100).collect::<Vec<_>>());
    }

    #[test]
    fn keeps_the_beginning_of_a_record_only_if_it_may_be_shown() {
        let f = |keeps_text: bool, text: &str, want: Option<&str>| {
            let rejections = NewestRejections::new(keeps_text);
            rejections.record(rejected(7, text), Instant::now());
            let last = rejections.last();
            assert_eq!((last[0].text.as_deref(), last[0].why.as_str()), (want, "why\\n"));
        };
        f(true, "a\u{202e}\n", Some("a\\u{202e}\\n"));
        f(true, &"x".repeat(301), Some(&("x".repeat(300) + "…")));
        f(false, "secret", None);
    }
}
