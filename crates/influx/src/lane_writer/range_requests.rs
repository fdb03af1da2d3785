//! Chooses whether a large batch is sent as one request or as one request for each range of series.

use crate::packed_lines::RANGES;

/// Least bytes of a request with a range of series. Each request costs the server about a millisecond.
const RANGE_BYTES_MIN: usize = 2_000_000;
/// Ranges are tried if they are likely to take at most this much longer than one request. A smaller batch shows what a request takes.
const TRIED_UP_TO: f64 = 1.5;
/// Ranges are kept if they take at most this much longer: a point costs InfluxDB less CPU time, and single answers vary.
const KEPT_UP_TO: f64 = 1.2;
/// Large batches until the other way is compared again: the server may change.
const COMPARED_EVERY: u32 = 32;

/// The times of earlier batches of a lane. A server whose answer takes the same time whatever the size is, such as one that is far away, gets
/// one request; InfluxDB 1 and 2, which need time for each point, get ranges.
#[derive(Debug)]
pub(super) struct RangeRequests {
    /// Seconds to the answer to the last batch that was not large.
    small: Option<f64>,
    /// Seconds for each byte of the last large batch that was one request.
    whole: Option<f64>,
    /// The same for the last one in ranges.
    in_ranges: Option<f64>,
    until_compared: u32,
}

impl Default for RangeRequests {
    fn default() -> Self {
        Self { small: None, whole: None, in_ranges: None, until_compared: COMPARED_EVERY }
    }
}

impl RangeRequests {
    /// The number of requests for a large batch whose parts are grouped.
    pub fn number(&mut self, bytes: usize) -> usize {
        let requests = (bytes / RANGE_BYTES_MIN).clamp(1, RANGES);
        let (Some(small), Some(whole)) = (self.small, self.whole) else { return 1 };
        let are_ranges_best = match self.in_ranges {
            None => small * requests as f64 <= whole * bytes as f64 * TRIED_UP_TO,
            Some(in_ranges) => in_ranges <= whole * KEPT_UP_TO,
        };
        self.until_compared -= 1;
        let is_compared = self.until_compared == 0;
        if is_compared {
            self.until_compared = COMPARED_EVERY;
        }
        let uses_ranges = are_ranges_best != (is_compared && self.in_ranges.is_some());
        if uses_ranges { requests } else { 1 }
    }

    /// Records the time of a batch of which each request was stored at once.
    pub fn answered(&mut self, requests: usize, bytes: usize, seconds: f64) {
        let of_byte = Some(seconds / bytes.max(1) as f64);
        if requests > 1 {
            self.in_ranges = of_byte;
        } else {
            self.whole = of_byte;
        }
    }

    /// Records the time of a batch that was not large.
    pub fn small_answered(&mut self, seconds: f64) {
        self.small = Some(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 32_000_000;

    /// Sends small batches and then large ones to a server that answers a request of these bytes after `seconds`. Returns the requests of
    /// each large batch. `slower`: factor of the time of ranges.
    fn sent(batches: usize, slower: f64, seconds: impl Fn(f64) -> f64) -> Vec<usize> {
        let mut choice = RangeRequests::default();
        choice.small_answered(seconds(4e6));
        let large = |_| {
            let requests = choice.number(BYTES);
            let slower = if requests > 1 { slower } else { 1.0 };
            choice.answered(
                requests,
                BYTES,
                seconds(BYTES as f64 / requests as f64) * requests as f64 * slower,
            );
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
        assert!(sent(100, 1.0, |_| 1.0).iter().all(|requests| *requests == 1));
    }

    #[test]
    fn ranges_that_turn_out_to_be_slow_are_tried_rarely() {
        let sent = sent(100, 3.0, |bytes| bytes * 1e-7);
        assert_eq!(sent.iter().filter(|requests| **requests > 1).count(), 4, "{sent:?}");
    }

    #[test]
    fn no_request_is_small() {
        let mut choice = RangeRequests::default();
        choice.small_answered(0.1);
        choice.answered(1, 9_000_000, 1.0);
        assert_eq!([3_999_999, 4_000_000, 9_000_000].map(|bytes| choice.number(bytes)), [1, 2, 4]);
        assert_eq!(choice.number(usize::MAX), RANGES);
    }
}
