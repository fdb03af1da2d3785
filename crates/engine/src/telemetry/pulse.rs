//! Whether the threads turn: each beats once in every turn of its loop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One thread's sign of life.
#[derive(Debug)]
pub struct Pulse {
    name: String,
    /// A thread that has not beaten for this long does not work any more.
    silence_max: Duration,
    start: Instant,
    /// Since `start`.
    last_ms: AtomicU64,
}

impl Pulse {
    pub fn beat(&self, now: Instant) {
        self.last_ms.store(millis(now.saturating_duration_since(self.start)), Ordering::Relaxed);
    }

    /// How long it has been silent, if that is too long.
    fn too_silent(&self, now: Instant) -> Option<Duration> {
        let last = self.start + Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        Some(now.saturating_duration_since(last)).filter(|silence| *silence > self.silence_max)
    }
}

/// The pulses of all threads.
#[derive(Debug, Default)]
pub struct Pulses(Mutex<Vec<Arc<Pulse>>>);

impl Pulses {
    /// For a thread that is about to start.
    pub fn of(&self, name: String, silence_max: Duration) -> Arc<Pulse> {
        let pulse = Pulse { name, silence_max, start: Instant::now(), last_ms: AtomicU64::new(0) };
        let pulse = Arc::new(pulse);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&pulse));
        pulse
    }

    /// The threads that have been silent for too long, and since when.
    pub fn silent(&self, now: Instant) -> Vec<(String, Duration)> {
        let pulses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.iter().filter_map(|pulse| Some((pulse.name.clone(), pulse.too_silent(now)?))).collect()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_who_is_silent() {
        let pulses = Pulses::default();
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let data = pulses.of("data-0".to_owned(), Duration::from_secs(30));
        let _control = pulses.of("control-0".to_owned(), Duration::from_mins(2));
        assert_eq!(pulses.silent(at(29)), []);
        let silent = pulses.silent(at(40));
        assert_eq!(silent.len(), 1);
        assert_eq!(silent[0].0, "data-0");
        assert!(silent[0].1 > Duration::from_secs(38));
        data.beat(at(40));
        assert_eq!(pulses.silent(at(69)), []);
        assert_eq!(pulses.silent(at(200)).len(), 2);
    }
}
