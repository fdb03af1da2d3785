//! How fast lines are written, where the configuration limits it.

use std::time::{Duration, Instant};

/// One batch at a time, and after it as long a pause as its lines are worth: what was not used is not saved up, so that a burst
/// is never more than one batch.
#[derive(Debug)]
pub(super) struct Pace {
    lines_per_second_max: u64,
    /// When the next batch may go out.
    next: Option<Instant>,
}

impl Pace {
    pub fn new(lines_per_second_max: u64) -> Self {
        Self { lines_per_second_max: lines_per_second_max.max(1), next: None }
    }

    /// Takes a batch's turn; says how long it is until then. Batches go in the order of these calls.
    pub fn take(&mut self, lines: usize, now: Instant) -> Duration {
        let start = self.next.map_or(now, |next| next.max(now));
        let worth = Duration::from_secs_f64(lines as f64 / self.lines_per_second_max as f64);
        self.next = start.checked_add(worth);
        start.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_to_the_rate_whoever_writes() {
        let start = Instant::now();
        let mut pace = Pace::new(1_000);
        let mut f = |at_ms: u64, lines: usize, want_ms: u64| {
            let wait = pace.take(lines, start + Duration::from_millis(at_ms));
            assert_eq!(wait, Duration::from_millis(want_ms), "{at_ms} {lines}");
        };
        f(0, 500, 0);
        f(0, 100, 500);
        f(100, 400, 500);
        f(1_000, 5_000, 0);
        f(5_999, 1, 1);
        // Nothing was saved up in an hour.
        f(3_600_000, 1_000, 0);
        f(3_600_000, 1_000, 1_000);
        f(3_600_000, 0, 2_000);
    }

    #[test]
    fn writes_no_faster_over_a_long_time() {
        let (start, mut rng) = (Instant::now(), fastrand::Rng::with_seed(7));
        let mut pace = Pace::new(10_000);
        let (mut now, mut lines) = (start, 0);
        for _ in 0..1_000 {
            let batch = rng.usize(1..5_000);
            now += Duration::from_millis(rng.u64(0..300));
            now += pace.take(batch, now);
            let allowed = (now - start).as_secs_f64() * 10_000.0;
            assert!(lines as f64 <= allowed + 1.0, "{lines} in {:?}", now - start);
            lines += batch;
        }
    }

    #[test]
    fn bears_any_number() {
        let now = Instant::now();
        assert_eq!(Pace::new(0).take(5, now), Duration::ZERO);
        let mut pace = Pace::new(u64::MAX);
        assert_eq!(pace.take(1_000_000, now), Duration::ZERO);
        assert!(pace.take(1, now) < Duration::from_millis(1));
    }
}
