//! Heartbeats of the threads: each thread records one in every turn of its loop.

use base::locks::lock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The last heartbeat of one thread.
#[derive(Debug)]
pub struct Heartbeat {
    name: String,
    /// A thread without a heartbeat for this long counts as stuck.
    silence_max: Duration,
    start: Instant,
    /// Milliseconds since `start`.
    last_ms: AtomicU64,
}

impl Heartbeat {
    pub fn record(&self, now: Instant) {
        self.last_ms.store(millis(now.saturating_duration_since(self.start)), Ordering::Relaxed);
    }

    /// The time since the last heartbeat, if that is too long.
    fn overdue(&self, now: Instant) -> Option<Duration> {
        let last = self.start + Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        Some(now.saturating_duration_since(last)).filter(|silence| *silence > self.silence_max)
    }
}

/// The heartbeats of all threads.
#[derive(Debug, Default)]
pub struct Heartbeats(Mutex<Vec<Arc<Heartbeat>>>);

impl Heartbeats {
    /// Registers a thread that is about to start.
    pub fn register(&self, name: String, silence_max: Duration) -> Arc<Heartbeat> {
        let heartbeat = Heartbeat { name, silence_max, start: Instant::now(), last_ms: AtomicU64::new(0) };
        let heartbeat = Arc::new(heartbeat);
        lock(&self.0).push(Arc::clone(&heartbeat));
        heartbeat
    }

    /// The threads without a heartbeat for too long, each with the time since its last one.
    pub fn overdue(&self, now: Instant) -> Vec<(String, Duration)> {
        let heartbeats = lock(&self.0);
        heartbeats
            .iter()
            .filter_map(|heartbeat| Some((heartbeat.name.clone(), heartbeat.overdue(now)?)))
            .collect()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_overdue_threads() {
        let heartbeats = Heartbeats::default();
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let data = heartbeats.register("data-0".to_owned(), Duration::from_secs(30));
        let _control = heartbeats.register("control-0".to_owned(), Duration::from_mins(2));
        assert_eq!(heartbeats.overdue(at(29)), []);
        let overdue = heartbeats.overdue(at(40));
        assert_eq!(overdue.len(), 1);
        assert_eq!(overdue[0].0, "data-0");
        assert!(overdue[0].1 > Duration::from_secs(38));
        data.record(at(40));
        assert_eq!(heartbeats.overdue(at(69)), []);
        assert_eq!(heartbeats.overdue(at(200)).len(), 2);
    }
}
