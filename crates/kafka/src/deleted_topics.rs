//! Ends the subscription of deleted topics that a regular expression matched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A missing topic stays subscribed for this long. It may be recreated, or missing from a listing during a failover, and ending and
/// restarting a subscription costs two rebalances.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// The time since which each subscribed topic has been missing. Bounded by the subscription.
#[derive(Debug, Default)]
pub struct DeletedTopics(BTreeMap<String, Instant>);

impl DeletedTopics {
    /// Compares the topics subscribed by pattern with a listing. Returns the ones that have been missing for too long.
    pub fn update(
        &mut self,
        subscribed: impl Iterator<Item = String>,
        existing: &BTreeSet<&str>,
        now: Instant,
    ) -> BTreeSet<String> {
        let missing: BTreeSet<String> = subscribed.filter(|name| !existing.contains(name.as_str())).collect();
        self.0.retain(|name, _| missing.contains(name));
        for name in missing {
            self.0.entry(name).or_insert(now);
        }
        let is_over = |since: &Instant| now.saturating_duration_since(*since) >= KEPT_FOR;
        self.0.extract_if(.., |_, since| is_over(since)).map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subscription_ends_after_ten_minutes_without_the_topic() {
        let (mut gone, start) = (DeletedTopics::default(), Instant::now());
        let mut f = |minutes: u64, existing: &[&str], want: &[&str]| {
            let subscribed = ["a", "b"].map(str::to_owned).into_iter();
            let existing = existing.iter().copied().collect();
            let found = gone.update(subscribed, &existing, start + Duration::from_mins(minutes));
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), want, "after {minutes} min");
        };
        f(0, &["a", "b", "c"], &[]);
        f(1, &["b"], &[]);
        f(10, &["b"], &[]);
        f(11, &["b"], &["a"]);
        // The topic existed in between, so the time starts again.
        f(20, &["a"], &[]);
        f(29, &["a", "b"], &[]);
        f(30, &["a"], &[]);
        f(39, &["a"], &[]);
        f(40, &[], &["b"]);
    }
}
