//! Repeats a call while its result is transient, until a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// Calls `attempt` until `is_transient` is false for its result or `until` is over, with a `pause` between attempts. Returns the
/// last result.
pub fn retry<T>(
    until: Instant,
    pause: Duration,
    is_transient: impl Fn(&T) -> bool,
    mut attempt: impl FnMut() -> T,
) -> T {
    loop {
        let result = attempt();
        if !is_transient(&result) || Instant::now() >= until {
            return result;
        }
        thread::sleep(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_transient_results_until_the_deadline() {
        let count = |until: Instant, transient_below: u32| {
            let mut attempts = 0;
            let attempt = || {
                attempts += 1;
                attempts
            };
            retry(until, Duration::from_millis(1), |attempts| *attempts < transient_below, attempt)
        };
        let far = Instant::now() + Duration::from_mins(1);
        assert_eq!(count(far, 1), 1, "a lasting result ends the loop");
        assert_eq!(count(far, 4), 4);
        assert_eq!(count(Instant::now(), 4), 1, "the deadline ends the loop");
    }
}
