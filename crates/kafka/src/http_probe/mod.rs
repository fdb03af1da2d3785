//! Checks in the background whether an HTTP server answers at the addresses of `kafka.brokers`. Such a server accepts connections and
//! stays silent, so librdkafka reports only that nothing answers.

mod request;

pub use request::{answers_http, with_port};

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Interval of checks while Kafka is unreachable.
const EVERY: Duration = Duration::from_mins(1);
/// Addresses in one check. All of them are wrong, or the others answer.
const ADDRESSES_MAX: usize = 3;

/// The check that is under way.
#[derive(Debug)]
pub struct HttpProbe {
    addresses: Vec<String>,
    found: Option<Receiver<String>>,
    next: Instant,
}

impl HttpProbe {
    pub fn new(brokers: &[String], now: Instant) -> Self {
        let addresses = brokers.iter().take(ADDRESSES_MAX).map(|address| with_port(address)).collect();
        Self { addresses, found: None, next: now }
    }

    /// Starts a check if one is due. Returns the address of an HTTP server that the last check found. Never blocks.
    pub fn poll(&mut self, now: Instant) -> Option<String> {
        if let Some(found) = &self.found {
            match found.try_recv() {
                Ok(address) => {
                    self.found = None;
                    return Some(address);
                }
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => self.found = None,
            }
        }
        if now >= self.next {
            self.next = now + EVERY;
            let (found, receiver) = channel();
            let addresses = self.addresses.clone();
            let check = move || {
                if let Some(address) = addresses.into_iter().find(|address| answers_http(address)) {
                    // The consumer may have ended.
                    let _ended = found.send(address);
                }
            };
            // Without a thread, the alarm only says less.
            if thread::Builder::new().name("http-probe".to_owned()).spawn(check).is_ok() {
                self.found = Some(receiver);
            }
        }
        None
    }
}
