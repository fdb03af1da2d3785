//! Delays before the next attempt, and the clock by which they run.

use std::time::{Duration, Instant};

/// A connection that was refused once often works at once.
const RETRY_DELAY_FIRST: Duration = Duration::from_millis(100);

/// Longest time until the bridge notices that a database is back. A few lanes that try this often are no load.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(5);

/// A block ends when someone acts: often enough to continue soon, seldom enough not to fill the log of a server that refuses a
/// credential.
const BLOCKED_DELAY_FIRST: Duration = Duration::from_secs(5);

/// Time for which a failed address is not tried while another one works.
const ADDRESS_DELAY_FIRST: Duration = Duration::from_secs(5);
const ADDRESS_DELAY_MAX: Duration = Duration::from_mins(1);

/// First and longest delay of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    pub retry_first: Duration,
    pub retry_max: Duration,
    pub blocked_first: Duration,
    pub blocked_max: Duration,
    pub address_first: Duration,
    pub address_max: Duration,
}

impl Delays {
    /// Time for which an address is not tried after this many failures in a row: at least half of the ceiling.
    pub fn down_delay(&self, failures: u32, rng: &mut fastrand::Rng) -> Duration {
        half_at_least(doubled(self.address_first, failures.saturating_sub(1), self.address_max), rng)
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            retry_first: RETRY_DELAY_FIRST,
            retry_max: RETRY_DELAY_MAX,
            blocked_first: BLOCKED_DELAY_FIRST,
            blocked_max: Duration::from_secs(30),
            address_first: ADDRESS_DELAY_FIRST,
            address_max: ADDRESS_DELAY_MAX,
        }
    }
}

/// Exponential delays of one request, drawn at random so that lanes and bridges spread out.
#[derive(Clone, Debug)]
pub struct Backoff {
    delays: Delays,
    /// Failures in a row, of either kind.
    failures: u32,
}

impl Backoff {
    pub fn new(delays: Delays) -> Self {
        Self { delays, failures: 0 }
    }

    /// Delay before a retry, with full jitter: between zero and the ceiling. The server's `Retry-After` is added, because the server gives
    /// the same number to all clients.
    pub fn retry(&mut self, retry_after: Option<Duration>, rng: &mut fastrand::Rng) -> Duration {
        let ceiling = self.ceiling(self.delays.retry_first, self.delays.retry_max);
        retry_after.unwrap_or_default() + ceiling.mul_f64(rng.f64())
    }

    /// Delay while blocked: at least half of the ceiling, so that a server that refuses is not tried again at once.
    pub fn blocked(&mut self, rng: &mut fastrand::Rng) -> Duration {
        half_at_least(self.ceiling(self.delays.blocked_first, self.delays.blocked_max), rng)
    }

    fn ceiling(&mut self, first: Duration, max: Duration) -> Duration {
        let ceiling = doubled(first, self.failures, max);
        self.failures = self.failures.saturating_add(1);
        ceiling
    }
}

/// Waits before the next attempt.
pub(crate) async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tracing::debug!(?delay, "waiting before the next attempt");
        tokio::time::sleep(delay).await;
    }
}

/// The runtime's clock, which tests may pause.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn doubled(first: Duration, times: u32, max: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX)).min(max)
}

fn half_at_least(ceiling: Duration, rng: &mut fastrand::Rng) -> Duration {
    ceiling.mul_f64(0.5 + rng.f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_ceiling_and_stay_there() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut backoff = Backoff::new(Delays::default());
        for failures in 0..100_u32 {
            let ceiling = (RETRY_DELAY_FIRST * (1 << failures.min(20))).min(RETRY_DELAY_MAX);
            let delay = backoff.retry(None, &mut rng);
            assert!(delay <= ceiling, "{failures}: {delay:?}");
        }
        let longest = (0..1000).map(|_| backoff.retry(None, &mut rng)).max().unwrap();
        assert!(longest > RETRY_DELAY_MAX.mul_f64(0.9), "{longest:?}");
    }

    #[test]
    fn waits_longer_while_blocked() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut backoff = Backoff::new(Delays::default());
        for ceiling in [5, 10, 20, 30, 30, 30].map(Duration::from_secs) {
            let delay = backoff.blocked(&mut rng);
            assert!(delay >= ceiling / 2 && delay <= ceiling, "{ceiling:?}: {delay:?}");
        }
    }

    #[test]
    fn an_address_that_fails_again_is_down_for_longer() {
        let mut rng = fastrand::Rng::with_seed(7);
        for (failures, ceiling) in [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (6, 60), (u32::MAX, 60)] {
            let ceiling = Duration::from_secs(ceiling);
            let delay = Delays::default().down_delay(failures, &mut rng);
            assert!(delay >= ceiling / 2 && delay <= ceiling, "{failures}: {delay:?}");
        }
    }

    #[test]
    fn waits_at_least_as_long_as_retry_after_says() {
        let mut rng = fastrand::Rng::with_seed(7);
        let retry_after = Duration::from_mins(1);
        let delay = Backoff::new(Delays::default()).retry(Some(retry_after), &mut rng);
        assert!(delay >= retry_after && delay <= retry_after + RETRY_DELAY_FIRST);
    }
}
