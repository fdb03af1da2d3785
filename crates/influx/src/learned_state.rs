//! Knowledge from earlier answers: sizes, stored requests, databases.

use base::Destination;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Age at which a size that was learned from a 413 is forgotten: proxies are reconfigured, and one odd answer must not keep requests small
/// for ever. Forgetting costs one refused request.
const LEARNED_SIZE_AGE_MAX: Duration = Duration::from_mins(10);

/// Time before the same event about a database is repeated: every lane tries to create it, again and again.
const EVENT_REPEAT: Duration = Duration::from_mins(1);

/// Age at which a contradiction is forgotten: the broken server behind a load balancer was mended or removed, or shows itself again.
const CONTRADICTION_AGE_MAX: Duration = Duration::from_hours(1);

/// Knowledge from earlier answers. Bounded by the number of destinations.
#[derive(Debug, Default)]
pub struct LearnedState {
    /// The size that a 413 taught, and when.
    bytes_max: BTreeMap<Destination, (usize, Instant)>,
    /// For each destination and address, the moment at which the latest stored request was sent.
    latest_stored: BTreeMap<Destination, BTreeMap<usize, u64>>,
    /// Addresses that contradicted themselves, and when they did so last.
    contradictions: BTreeMap<usize, Instant>,
    /// For each database, whether it was ready at the last event about it, and the time of the event.
    databases: BTreeMap<Destination, (bool, Instant)>,
}

impl LearnedState {
    /// The largest body that the destination takes, as far as it is known.
    pub fn bytes_max(&mut self, destination: &Destination, now: Instant) -> usize {
        match self.bytes_max.get(destination) {
            Some((_, since)) if now.saturating_duration_since(*since) >= LEARNED_SIZE_AGE_MAX => {
                self.bytes_max.remove(destination);
                usize::MAX
            }
            Some((bytes_max, _)) => *bytes_max,
            None => usize::MAX,
        }
    }

    /// Halves the size after a 413 for this many bytes, and returns the new size.
    pub fn lower(&mut self, destination: &Destination, refused_bytes: usize, now: Instant) -> usize {
        let bytes_max = (refused_bytes / 2).max(1).min(self.bytes_max(destination, now));
        self.bytes_max.insert(destination.clone(), (bytes_max, now));
        bytes_max
    }

    /// Records that an address stored a request that was sent at this moment. Returns whether it is the first one of the destination.
    pub fn record_store(&mut self, destination: &Destination, address: usize, sent: u64) -> bool {
        if let Some(by_address) = self.latest_stored.get_mut(destination) {
            let latest = by_address.entry(address).or_default();
            *latest = sent.max(*latest);
            return false;
        }
        self.latest_stored.insert(destination.clone(), BTreeMap::from([(address, sent)]));
        true
    }

    /// Whether any address stored lines for the destination.
    pub fn has_stored(&self, destination: &Destination) -> bool {
        self.latest_stored.contains_key(destination)
    }

    /// Records that an address refused lines with unknown words which were stored before or afterwards. Returns whether that was unknown.
    pub fn record_contradiction(&mut self, address: usize, now: Instant) -> bool {
        let is_new = !self.contradicts_itself(address, now);
        self.contradictions.insert(address, now);
        is_new
    }

    /// Whether the unknown words of an address prove nothing.
    pub fn contradicts_itself(&self, address: usize, now: Instant) -> bool {
        let since = self.contradictions.get(&address);
        since.is_some_and(|since| now.saturating_duration_since(*since) < CONTRADICTION_AGE_MAX)
    }

    /// Whether an event about a database is due: it differs from the last one, or that was long ago.
    pub fn database_event_is_due(&mut self, destination: &Destination, ready: bool, now: Instant) -> bool {
        let is_same = |(before, since): &(bool, Instant)| {
            *before == ready && now.saturating_duration_since(*since) < EVENT_REPEAT
        };
        if self.databases.get(destination).is_some_and(is_same) {
            return false;
        }
        self.databases.insert(destination.clone(), (ready, now));
        true
    }

    /// Forgets the size that was learned for a destination.
    pub fn forget_size(&mut self, destination: &Destination) {
        self.bytes_max.remove(destination);
    }

    /// Moment at which the latest request that this address stored for the destination was sent; 0 if it stored none.
    pub fn latest_stored_moment(&self, destination: &Destination, address: usize) -> u64 {
        let latest = self.latest_stored.get(destination).and_then(|by_address| by_address.get(&address));
        latest.copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(database: &str) -> Destination {
        Destination::Database { database: database.into(), retention_policy: None }
    }

    #[test]
    fn remembers_the_smallest_size_for_ten_minutes() {
        let (a, b) = (destination("a"), destination("b"));
        let start = Instant::now();
        let mut learned = LearnedState::default();
        assert_eq!(learned.bytes_max(&a, start), usize::MAX);
        assert_eq!(learned.lower(&a, 1000, start), 500);
        assert_eq!(learned.lower(&a, 4000, start), 500, "a request that was in flight");
        assert_eq!(learned.lower(&a, 500, start), 250);
        assert_eq!(learned.bytes_max(&b, start), usize::MAX);
        let before = start + LEARNED_SIZE_AGE_MAX.saturating_sub(Duration::from_secs(1));
        assert_eq!(learned.bytes_max(&a, before), 250);
        assert_eq!(learned.bytes_max(&a, start + LEARNED_SIZE_AGE_MAX), usize::MAX);
        assert_eq!(learned.lower(&a, 1, start), 1);
    }

    #[test]
    fn remembers_a_contradiction_for_an_hour() {
        let start = Instant::now();
        let mut learned = LearnedState::default();
        let minutes = |minutes: u64| start + Duration::from_mins(minutes);
        assert!(!learned.contradicts_itself(0, start));
        assert!(learned.record_contradiction(0, start));
        assert!(learned.contradicts_itself(0, minutes(59)) && !learned.contradicts_itself(1, minutes(59)));
        assert!(!learned.record_contradiction(0, minutes(59)), "it is known");
        assert!(learned.contradicts_itself(0, minutes(118)));
        assert!(!learned.contradicts_itself(0, minutes(119)));
        assert!(learned.record_contradiction(0, minutes(119)));
    }

    #[test]
    fn repeats_an_event_about_a_database_once_a_minute() {
        let start = Instant::now();
        let mut learned = LearnedState::default();
        let mut f = |database: &str, ready: bool, seconds: u64| {
            learned.database_event_is_due(&destination(database), ready, start + Duration::from_secs(seconds))
        };
        assert!(f("a", false, 0));
        assert!(!f("a", false, 59));
        assert!(f("b", false, 59));
        assert!(f("a", false, 60));
        assert!(f("a", true, 61));
        assert!(!f("a", true, 62));
    }
}
