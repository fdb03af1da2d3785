//! Finds brokers that leave requests unanswered although their connections are open: a broker that hangs or is stopped, or a network
//! that drops packets. librdkafka notices this only after `socket.timeout.ms`, one minute by default.
//!
//! An idle cluster is not silent: brokers answer a fetch within `fetch.wait.max.ms`, and the metadata requests in between. A slow response
//! is not silent either, because each of its bytes counts. A throttled client must not be judged: the broker leaves its requests unread.

use rdkafka::statistics::{Broker, Statistics};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Time without an answer after which a broker is silent, in addition to `fetch.wait.max.ms`. A little less than three intervals of the
/// statistics, so that the third one decides.
const ANSWER_MAX: Duration = Duration::from_secs(14);
/// After a longer gap between two statistics, this process or machine was stopped itself, and the time in between says nothing.
const GAP_MAX: Duration = Duration::from_secs(15);

/// When each connected broker last gave a sign of life.
#[derive(Debug)]
pub struct SilentBrokers {
    limit: Duration,
    brokers: BTreeMap<String, LastSign>,
    updated: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct LastSign {
    received_bytes: u64,
    at: Instant,
}

impl SilentBrokers {
    /// `fetch_wait_max`: time for which a broker may wait for records before it answers.
    pub fn new(fetch_wait_max: Duration) -> Self {
        Self { limit: ANSWER_MAX + fetch_wait_max, brokers: BTreeMap::new(), updated: None }
    }

    /// Evaluates new statistics. `is_excused`: missing answers have another reason.
    pub fn update(&mut self, statistics: &Statistics, is_excused: bool, now: Instant) {
        let is_gap =
            self.updated.replace(now).is_none_or(|before| now.saturating_duration_since(before) >= GAP_MAX);
        let connected = statistics.brokers.iter().filter(|(_, broker)| broker.state == "UP");
        let last_sign = |(name, broker): (&String, &Broker)| {
            let received_bytes = broker.rxbytes;
            let before = self.brokers.get(name).filter(|before| before.received_bytes == received_bytes);
            let waits = broker.waitresp_cnt > 0 || is_logical(broker);
            let at = before.filter(|_| waits && !is_gap && !is_excused).map_or(now, |before| before.at);
            (name.clone(), LastSign { received_bytes, at })
        };
        self.brokers = connected.map(last_sign).collect();
    }

    /// The last sign of life of a connected broker. None: it is not connected.
    pub fn last_sign(&self, broker: &str) -> Option<Instant> {
        self.brokers.get(broker).map(|sign| sign.at)
    }

    /// Whether a broker has left requests unanswered for too long.
    pub fn is_silent(&self, broker: &str, now: Instant) -> bool {
        self.last_sign(broker).is_some_and(|at| now.saturating_duration_since(at) >= self.limit)
    }
}

/// Whether this is the connection for the group's requests. One of them waits for other members, so without received bytes this
/// connection gives no sign of life, whether or not it waits.
fn is_logical(broker: &Broker) -> bool {
    broker.source == "logical"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Statistics of one connected broker: received bytes, requests without an answer.
    fn statistics(rxbytes: u64, waitresp_cnt: i64) -> Statistics {
        let broker = Broker { state: "UP".to_owned(), rxbytes, waitresp_cnt, ..Broker::default() };
        Statistics { brokers: [("h:1/1".to_owned(), broker)].into(), ..Statistics::default() }
    }

    /// Whether the broker is silent after statistics every 5 s: received bytes, requests without an answer.
    fn is_silent(seen: &[(u64, i64)], is_excused: bool) -> bool {
        let (mut silence, start) = (SilentBrokers::new(Duration::ZERO), Instant::now());
        let mut now = start;
        for (number, (received, waiting)) in seen.iter().enumerate() {
            now = start + Duration::from_secs(5) * number as u32;
            silence.update(&statistics(*received, *waiting), is_excused, now);
        }
        silence.is_silent("h:1/1", now)
    }

    #[test]
    fn a_broker_that_answers_nothing_for_15_s_is_silent() {
        assert!(!is_silent(&[(9, 1), (9, 1), (9, 1)], false));
        assert!(is_silent(&[(9, 1), (9, 1), (9, 1), (9, 1)], false));
        assert!(!is_silent(&[(9, 1), (9, 1), (9, 1), (9, 1)], true), "a quota delays the answers");
    }

    #[test]
    fn idle_and_slow_brokers_are_not_silent() {
        // No request is in flight; then a response comes byte by byte.
        assert!(!is_silent(&[(9, 0); 20], false));
        assert!(!is_silent(&(0..20).map(|number| (number, 1)).collect::<Vec<_>>(), false));
        assert!(!is_silent(&[(9, 1), (9, 1), (9, 1), (10, 1), (10, 1), (10, 1)], false));
    }

    #[test]
    fn a_gap_in_the_statistics_proves_nothing() {
        let (mut silence, start) = (SilentBrokers::new(Duration::ZERO), Instant::now());
        silence.update(&statistics(9, 1), false, start);
        let later = start + Duration::from_mins(5);
        silence.update(&statistics(9, 1), false, later);
        assert!(!silence.is_silent("h:1/1", later));
    }

    #[test]
    fn a_longer_wait_for_records_is_allowed_for() {
        let (mut silence, start) = (SilentBrokers::new(Duration::from_secs(30)), Instant::now());
        for seconds in (0..=40).step_by(5) {
            let now = start + Duration::from_secs(seconds);
            silence.update(&statistics(9, 1), false, now);
            assert!(!silence.is_silent("h:1/1", now));
        }
        let now = start + Duration::from_secs(45);
        silence.update(&statistics(9, 1), false, now);
        assert!(silence.is_silent("h:1/1", now));
    }
}
