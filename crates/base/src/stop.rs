//! The wish to stop, shared by all threads, with the time until which the rest may be written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Asked for once; asking again changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Wishes>);

#[derive(Debug, Default)]
struct Wishes {
    until: OnceLock<Instant>,
    finishes: AtomicBool,
}

impl Stop {
    /// Stop reading now; what is open may be written for this long.
    pub fn ask(&self, drain_max: Duration) {
        let _asked_before = self.0.until.set(Instant::now() + drain_max);
    }

    pub fn is_asked(&self) -> bool {
        self.0.until.get().is_some()
    }

    /// Whether what is open has to be given up: it is replayed at the next start.
    pub fn is_over(&self, now: Instant) -> bool {
        self.0.until.get().is_some_and(|until| now >= *until)
    }

    /// Everything was read: write it, however long that takes, and end.
    pub fn finish(&self) {
        self.0.finishes.store(true, Ordering::Relaxed);
    }

    pub fn is_finishing(&self) -> bool {
        self.0.finishes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_over_after_the_first_wish() {
        let (stop, now) = (Stop::default(), Instant::now());
        assert!(!stop.is_asked() && !stop.is_over(now));
        stop.ask(Duration::from_mins(1));
        stop.ask(Duration::ZERO);
        assert!(stop.is_asked() && !stop.is_over(now));
        assert!(stop.is_over(now + Duration::from_mins(2)));
    }
}
