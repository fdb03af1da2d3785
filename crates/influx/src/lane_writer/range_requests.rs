//! Chooses whether a large batch is sent as one request or as one request for each range of series.

use crate::packed_lines::RANGES;
use std::time::Duration;

/// Least bytes of a request with a range of series. Each request costs the server about a millisecond.
const RANGE_BYTES_MIN: usize = 1_000_000;
/// The other ranges follow in requests of their own if these are likely to take at most this much longer than one request.
const TRIED_UP_TO: f64 = 1.5;
/// Ranges are kept if they take at most this much longer: a point costs InfluxDB less CPU time, and single answers vary.
const KEPT_UP_TO: f64 = 1.2;
/// Large batches until the other way is compared again: the server may change.
const COMPARED_EVERY: u32 = 32;

/// The times of earlier large batches of a lane, in seconds for each byte. A server whose answer takes the same time whatever the size is,
/// such as one that is far away, gets one request; InfluxDB 1 and 2, which need time for each point, get ranges.
#[derive(Debug)]
pub(super) struct RangeRequests {
    whole: Option<f64>,
    in_ranges: Option<f64>,
    until_compared: u32,
}

impl Default for RangeRequests {
    fn default() -> Self {
        Self { whole: None, in_ranges: None, until_compared: COMPARED_EVERY }
    }
}

impl RangeRequests {
    /// The number of requests for a large batch whose parts are grouped.
    pub fn number(&mut self, bytes: usize) -> usize {
        let requests = (bytes / RANGE_BYTES_MIN).clamp(1, RANGES);
        let Some(whole) = self.whole else { return 1 };
        let are_ranges_best = self.in_ranges.is_none_or(|in_ranges| in_ranges <= whole * KEPT_UP_TO);
        self.until_compared -= 1;
        let is_compared = self.until_compared == 0;
        if is_compared {
            self.until_compared = COMPARED_EVERY;
        }
        // A comparison takes the other way.
        if are_ranges_best == is_compared { 1 } else { requests }
    }

    /// Whether the answer to the first range shows that one request for the rest is faster.
    pub fn is_fixed_time(&mut self, answer_time: Duration, bytes: usize) -> bool {
        let in_ranges = of_byte(answer_time, bytes);
        let is_fixed_time = self.whole.is_some_and(|whole| in_ranges > whole * TRIED_UP_TO);
        if is_fixed_time {
            self.in_ranges = Some(in_ranges);
        }
        is_fixed_time
    }

    /// Records the time of a batch of which each request was stored at once.
    pub fn answered(&mut self, is_in_ranges: bool, time: Duration, bytes: usize) {
        let known = if is_in_ranges { &mut self.in_ranges } else { &mut self.whole };
        *known = Some(of_byte(time, bytes));
    }
}

fn of_byte(time: Duration, bytes: usize) -> f64 {
    time.as_secs_f64() / bytes.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 32_000_000;

    /// Sends large batches to a server that answers a request of these bytes after `seconds`. Returns the requests of each batch. `slower`:
    /// factor of the time of a range.
    fn sent(batches: usize, slower: f64, seconds: impl Fn(f64) -> f64) -> Vec<usize> {
        let mut choice = RangeRequests::default();
        let time = |bytes: usize, slower: f64| Duration::from_secs_f64(seconds(bytes as f64) * slower);
        let large = |_| {
            let requests = choice.number(BYTES);
            if requests == 1 {
                choice.answered(false, time(BYTES, 1.0), BYTES);
                return 1;
            }
            let of_range = time(BYTES / requests, slower);
            if choice.is_fixed_time(of_range, BYTES / requests) {
                return 2;
            }
            choice.answered(true, of_range * requests as u32, BYTES);
            requests
        };
        (0..batches).map(large).collect()
    }

    #[test]
    fn a_server_that_needs_time_for_each_point_gets_ranges() {
        let sent = sent(100, 0.8, |bytes| bytes * 1e-7);
        assert_eq!(sent[..3], [1, RANGES, RANGES]);
        assert_eq!(sent.iter().filter(|requests| **requests == 1).count(), 4, "{sent:?}");
    }

    #[test]
    fn a_server_that_answers_after_a_fixed_time_gets_one_request() {
        let sent = sent(100, 1.0, |_| 1.0);
        assert_eq!(sent[..3], [1, 2, 1]);
        assert_eq!(sent.iter().filter(|requests| **requests == 2).count(), 4, "{sent:?}");
    }

    #[test]
    fn ranges_that_turn_out_to_be_slow_are_tried_rarely() {
        let sent = sent(100, 1.4, |bytes| bytes * 1e-7);
        assert_eq!(sent.iter().filter(|requests| **requests > 1).count(), 4, "{sent:?}");
    }

    #[test]
    fn no_request_is_small() {
        let mut choice = RangeRequests::default();
        assert_eq!(choice.number(BYTES), 1);
        choice.answered(false, Duration::from_secs(1), 9_000_000);
        assert_eq!([1_999_999, 4_000_000, 9_000_000].map(|bytes| choice.number(bytes)), [1, 4, 9]);
        assert_eq!(choice.number(usize::MAX), RANGES);
    }
}
