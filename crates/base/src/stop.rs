//! The request to stop, shared by all threads, with the deadline for writing what is left.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A request to stop. Only the first call of `request` counts.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<StopState>);

#[derive(Debug, Default)]
struct StopState {
    until: OnceLock<Instant>,
    finishes: AtomicBool,
}

impl Stop {
    /// Stops reading now. Open batches may be written for `drain_max`.
    pub fn request(&self, drain_max: Duration) {
        let _requested_before = self.0.until.set(Instant::now() + drain_max);
    }

    pub fn is_requested(&self) -> bool {
        self.0.until.get().is_some()
    }

    /// Whether the deadline has passed: open batches are abandoned, and the next start reads their records again.
    pub fn has_expired(&self, now: Instant) -> bool {
        self.0.until.get().is_some_and(|until| now >= *until)
    }

    /// Stops after everything that was read is written, however long that takes.
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
    fn expires_after_the_first_request() {
        let (stop, now) = (Stop::default(), Instant::now());
        assert!(!stop.is_requested() && !stop.has_expired(now));
        stop.request(Duration::from_mins(1));
        stop.request(Duration::ZERO);
        assert!(stop.is_requested() && !stop.has_expired(now));
        assert!(stop.has_expired(now + Duration::from_mins(2)));
    }
}
