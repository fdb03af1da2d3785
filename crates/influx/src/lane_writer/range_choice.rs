//! Chooses whether a large batch is sent as one request or as one request for each range of series.

use crate::packed_lines::RANGES;
use std::time::Duration;

/// Least bytes of a request with a range of series. Each request costs the server about a millisecond.
const RANGE_BYTES_MIN: usize = 1_000_000;
/// Ranges are kept if they take at most this much longer: a point costs InfluxDB less CPU time, and single answers vary.
const KEPT_UP_TO: f64 = 1.5;
/// The same before the last range of a batch: the time that the ranges so far may take in addition, as a share of the time of one request
/// for the whole batch. A server whose answers take a fixed time has used it up with the first range.
const EARLY_ALLOWANCE: f64 = 0.5;
/// Large batches until the other way is compared again: the server may change. Doubled by each comparison that confirms the way, because
/// noise may decide a single one.
const COMPARED_AFTER: std::ops::RangeInclusive<u32> = 2..=32;

/// The times of earlier large batches of a lane, in seconds for each byte. A server whose answer takes the same time whatever the size is,
/// such as one that is far away, gets one request; InfluxDB 1 and 2, which need time for each point, get ranges.
#[derive(Debug)]
pub(super) struct RangeChoice {
    whole: Option<f64>,
    in_ranges: Option<f64>,
    /// The better way as of the last comparison.
    prefers_ranges: bool,
    compared_after: u32,
    until_compared: u32,
}

impl Default for RangeChoice {
    fn default() -> Self {
        let first = *COMPARED_AFTER.start();
        Self {
            whole: None,
            in_ranges: None,
            prefers_ranges: true,
            compared_after: first,
            until_compared: first,
        }
    }
}

impl RangeChoice {
    /// The number of requests for a large batch whose parts are grouped.
    pub fn number(&mut self, bytes: usize) -> usize {
        let requests = (bytes / RANGE_BYTES_MIN).clamp(1, RANGES);
        let Some(whole) = self.whole else { return 1 };
        let Some(in_ranges) = self.in_ranges else { return requests };
        let prefers_ranges = in_ranges <= whole * KEPT_UP_TO;
        if std::mem::replace(&mut self.prefers_ranges, prefers_ranges) != prefers_ranges {
            self.compare_after(*COMPARED_AFTER.start());
        }
        self.until_compared -= 1;
        let is_compared = self.until_compared == 0;
        if is_compared {
            self.compare_after((self.compared_after * 2).min(*COMPARED_AFTER.end()));
        }
        // A comparison takes the other way.
        if prefers_ranges == is_compared { 1 } else { requests }
    }

    fn compare_after(&mut self, batches: u32) {
        (self.compared_after, self.until_compared) = (batches, batches);
    }

    /// Records the time of one request with these bytes, which was stored.
    pub fn whole_stored(&mut self, time: Duration, bytes: usize) {
        self.whole = Some(seconds_per_byte(time, bytes));
    }

    /// Records the time of the ranges of a batch so far, each request of which was stored at once. Returns whether one request for the
    /// other ranges is likely to be faster.
    pub fn ranges_stored(&mut self, time: Duration, bytes: usize, bytes_of_batch: usize) -> bool {
        let in_ranges = seconds_per_byte(time, bytes);
        let share = bytes as f64 / bytes_of_batch.max(1) as f64;
        let is_slow =
            self.whole.is_some_and(|whole| in_ranges > whole * (KEPT_UP_TO + EARLY_ALLOWANCE / share));
        if is_slow || bytes == bytes_of_batch {
            self.in_ranges = Some(in_ranges);
        }
        is_slow
    }
}

fn seconds_per_byte(time: Duration, bytes: usize) -> f64 {
    time.as_secs_f64() / bytes.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 32_000_000;

    /// Sends large batches to a server that answers a request of these bytes after `seconds`. Returns the requests of each batch. `slower`:
    /// factor of the time of a range.
    fn sent(batches: &[usize], slower: f64, seconds: impl Fn(f64) -> f64) -> Vec<usize> {
        let mut choice = RangeChoice::default();
        let time = |bytes: usize| Duration::from_secs_f64(seconds(bytes as f64));
        let number_sent = |&bytes: &usize| {
            let requests = choice.number(bytes);
            if requests == 1 {
                choice.whole_stored(time(bytes), bytes);
                return 1;
            }
            let (mut in_ranges, mut stored) = (Duration::ZERO, 0);
            for sent in 1..=requests {
                let range = bytes * sent / requests - stored;
                in_ranges += time(range).mul_f64(slower);
                stored += range;
                if choice.ranges_stored(in_ranges, stored, bytes) && stored < bytes {
                    choice.whole_stored(time(bytes - stored), bytes - stored);
                    return sent + 1;
                }
            }
            requests
        };
        batches.iter().map(number_sent).collect()
    }

    /// Numbers of the batches that took another number of requests than this.
    fn others(sent: &[usize], requests: usize) -> Vec<usize> {
        (0..sent.len()).filter(|&batch| sent[batch] != requests).collect()
    }

    #[test]
    fn a_server_that_needs_time_for_each_point_gets_ranges() {
        for slower in [0.8, 1.4] {
            let sent = sent(&[BYTES; 100], slower, |bytes| bytes * 1e-7);
            assert_eq!(others(&sent, RANGES), [0, 3, 7, 15, 31, 63, 95]);
        }
    }

    #[test]
    fn a_server_that_answers_after_a_fixed_time_gets_one_request() {
        let sent = sent(&[BYTES; 100], 1.0, |_| 1.0);
        let tried = others(&sent, 1);
        assert_eq!(tried, [1, 3, 7, 15, 31, 63, 95]);
        assert!(tried.iter().all(|&batch| sent[batch] == 2));
    }

    /// While batches grow, the time for a byte falls.
    #[test]
    fn growing_batches_of_a_fixed_time_are_few_requests() {
        let sent = sent(&[6_000_000, 15_000_000, 15_000_000, 32_000_000, 32_000_000], 1.0, |_| 1.0);
        assert_eq!(sent, [1, 3, 1, 3, 1]);
    }

    #[test]
    fn ranges_that_turn_out_to_be_slow_are_tried_rarely() {
        let sent = sent(&[BYTES; 100], 1.7, |bytes| bytes * 1e-7);
        assert_eq!(others(&sent, 1), [1, 3, 7, 15, 31, 63, 95]);
    }

    /// Requests of other lanes and the server's own work take time from answers.
    #[test]
    fn single_slow_answers_decide_little() {
        let answers = std::cell::Cell::new(0);
        let factor = || if matches!(answers.replace(answers.get() + 1), 1..=3) { 3.0 } else { 1.0 };
        let slow_ranges = sent(&[BYTES; 20], 1.0, |bytes| bytes * 1e-7 * factor());
        assert_eq!(slow_ranges[..3], [1, RANGES, RANGES]);
        // A first batch that is stored faster than the later ones, because the server is not busy yet.
        answers.set(0);
        let factor = || if answers.replace(answers.get() + 1) == 0 { 0.5 } else { 1.0 };
        let fast_first = sent(&[BYTES; 20], 1.0, |bytes| bytes * 1e-7 * factor());
        assert_eq!(others(&fast_first, RANGES), [0, 2, 4, 8, 16]);
    }

    #[test]
    fn no_request_is_small() {
        let mut choice = RangeChoice::default();
        assert_eq!(choice.number(BYTES), 1);
        choice.whole_stored(Duration::from_secs(1), 9_000_000);
        assert_eq!([1_999_999, 4_000_000, 9_000_000].map(|bytes| choice.number(bytes)), [1, 4, 9]);
        assert_eq!(choice.number(usize::MAX), RANGES);
    }
}
