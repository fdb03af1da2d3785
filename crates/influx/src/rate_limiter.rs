//! Limits the rate of lines to `batch.points_per_second_max`.

use std::time::{Duration, Instant};

/// Delays each batch until the batches before it are paid for at the configured rate. Unused time is not saved up, so a burst is never more
/// than one batch.
#[derive(Debug)]
pub struct RateLimiter {
    lines_per_second_max: u64,
    /// Earliest time of the next batch.
    next: Option<Instant>,
}

impl RateLimiter {
    pub fn new(lines_per_second_max: u64) -> Self {
        Self { lines_per_second_max: lines_per_second_max.max(1), next: None }
    }

    /// Reserves the time of a batch and returns the delay until then. Batches are sent in the order of these calls.
    pub fn take(&mut self, lines: usize, now: Instant) -> Duration {
        let start = self.next.map_or(now, |next| next.max(now));
        let duration = Duration::from_secs_f64(lines as f64 / self.lines_per_second_max as f64);
        self.next = start.checked_add(duration);
        start.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_batches_to_the_rate() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(1_000);
        let mut f = |at_ms: u64, lines: usize, want_ms: u64| {
            let wait = limiter.take(lines, start + Duration::from_millis(at_ms));
            assert_eq!(wait, Duration::from_millis(want_ms), "{at_ms} {lines}");
        };
        f(0, 500, 0);
        f(0, 100, 500);
        f(100, 400, 500);
        f(1_000, 5_000, 0);
        f(5_999, 1, 1);
        // An idle hour allows no larger burst.
        f(3_600_000, 1_000, 0);
        f(3_600_000, 1_000, 1_000);
        f(3_600_000, 0, 2_000);
    }

    #[test]
    fn keeps_the_rate_over_a_long_time() {
        let (start, mut rng) = (Instant::now(), fastrand::Rng::with_seed(7));
        let mut limiter = RateLimiter::new(10_000);
        let (mut now, mut lines) = (start, 0);
        for _ in 0..1_000 {
            let batch = rng.usize(1..5_000);
            now += Duration::from_millis(rng.u64(0..300));
            now += limiter.take(batch, now);
            let allowed = (now - start).as_secs_f64() * 10_000.0;
            assert!(lines as f64 <= allowed + 1.0, "{lines} in {:?}", now - start);
            lines += batch;
        }
    }

    #[test]
    fn takes_any_rate() {
        let now = Instant::now();
        assert_eq!(RateLimiter::new(0).take(5, now), Duration::ZERO);
        let mut limiter = RateLimiter::new(u64::MAX);
        assert_eq!(limiter.take(1_000_000, now), Duration::ZERO);
        assert!(limiter.take(1, now) < Duration::from_millis(1));
    }
}
