//! How long to wait before the next attempt.

use std::time::Duration;

/// A connection that was refused once often works at once.
const RETRY_DELAY_FIRST: Duration = Duration::from_millis(100);

/// How long a database that is back may go unnoticed. A few lanes that ask this often are no load to it.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(5);

/// A hold ends when someone mends something: often enough to go on soon, seldom enough not to fill the
/// log of a server that refuses a credential.
const HOLD_DELAY_FIRST: Duration = Duration::from_secs(5);

/// For how long an address that failed is left alone, while another one works.
const ADDRESS_DELAY_FIRST: Duration = Duration::from_secs(5);
const ADDRESS_DELAY_MAX: Duration = Duration::from_mins(1);

/// The ceilings of all kinds of delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    pub retry_first: Duration,
    pub retry_max: Duration,
    pub hold_first: Duration,
    pub hold_max: Duration,
    pub address_first: Duration,
    pub address_max: Duration,
}

impl Delays {
    /// For how long an address is left alone after so many failures in a row: at least half of the ceiling.
    pub fn leave_alone(&self, failures: u32, rng: &mut fastrand::Rng) -> Duration {
        half_at_least(doubled(self.address_first, failures.saturating_sub(1), self.address_max), rng)
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            retry_first: RETRY_DELAY_FIRST,
            retry_max: RETRY_DELAY_MAX,
            hold_first: HOLD_DELAY_FIRST,
            hold_max: Duration::from_secs(30),
            address_first: ADDRESS_DELAY_FIRST,
            address_max: ADDRESS_DELAY_MAX,
        }
    }
}

/// Exponential delays of one request, drawn at random so that lanes and bridges spread out.
#[derive(Clone, Debug)]
pub struct Backoff {
    delays: Delays,
    /// In a row, of either kind.
    failures: u32,
}

impl Backoff {
    pub fn new(delays: Delays) -> Self {
        Self { delays, failures: 0 }
    }

    /// Full jitter: anything from nothing to the ceiling. What the server asked for comes on top, because
    /// it gives the same number to everyone.
    pub fn retry(&mut self, asked: Option<Duration>, rng: &mut fastrand::Rng) -> Duration {
        let ceiling = self.ceiling(self.delays.retry_first, self.delays.retry_max);
        asked.unwrap_or_default() + ceiling.mul_f64(rng.f64())
    }

    /// At least half of the ceiling: whoever says no is not asked again at once.
    pub fn hold(&mut self, rng: &mut fastrand::Rng) -> Duration {
        half_at_least(self.ceiling(self.delays.hold_first, self.delays.hold_max), rng)
    }

    fn ceiling(&mut self, first: Duration, max: Duration) -> Duration {
        let ceiling = doubled(first, self.failures, max);
        self.failures = self.failures.saturating_add(1);
        ceiling
    }
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
    fn grows_to_its_ceiling_and_stays_there() {
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
    fn holds_slowly() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut backoff = Backoff::new(Delays::default());
        for ceiling in [5, 10, 20, 30, 30, 30].map(Duration::from_secs) {
            let delay = backoff.hold(&mut rng);
            assert!(delay >= ceiling / 2 && delay <= ceiling, "{ceiling:?}: {delay:?}");
        }
    }

    #[test]
    fn leaves_an_address_alone_for_longer_each_time() {
        let mut rng = fastrand::Rng::with_seed(7);
        for (failures, ceiling) in [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (6, 60), (u32::MAX, 60)] {
            let ceiling = Duration::from_secs(ceiling);
            let delay = Delays::default().leave_alone(failures, &mut rng);
            assert!(delay >= ceiling / 2 && delay <= ceiling, "{failures}: {delay:?}");
        }
    }

    #[test]
    fn waits_at_least_as_long_as_asked() {
        let mut rng = fastrand::Rng::with_seed(7);
        let asked = Duration::from_mins(1);
        let delay = Backoff::new(Delays::default()).retry(Some(asked), &mut rng);
        assert!(delay >= asked && delay <= asked + RETRY_DELAY_FIRST);
    }
}
