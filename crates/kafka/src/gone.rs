//! Topics that a regular expression matched and that do not exist any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A topic that is deleted and created again, or that the brokers leave out of a listing while they fail over, stays subscribed
/// for this long: ending a subscription and beginning it again costs two rebalances.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// Since when each subscribed topic has been missing. Bounded by the subscription.
#[derive(Debug, Default)]
pub struct Gone(BTreeMap<String, Instant>);

impl Gone {
    /// Looks at a listing; returns the subscribed topics that have been missing for too long to stay subscribed. Topics that are
    /// named in the configuration are not asked for.
    pub fn look(
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
    fn a_topic_that_is_missing_for_ten_minutes_is_gone() {
        let (mut gone, start) = (Gone::default(), Instant::now());
        let mut f = |minutes: u64, existing: &[&str], want: &[&str]| {
            let subscribed = ["a", "b"].map(str::to_owned).into_iter();
            let existing = existing.iter().copied().collect();
            let found = gone.look(subscribed, &existing, start + Duration::from_mins(minutes));
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), want, "after {minutes} min");
        };
        f(0, &["a", "b", "c"], &[]);
        f(1, &["b"], &[]);
        f(10, &["b"], &[]);
        f(11, &["b"], &["a"]);
        // It was there in between: the time begins anew.
        f(20, &["a"], &[]);
        f(29, &["a", "b"], &[]);
        f(30, &["a"], &[]);
        f(39, &["a"], &[]);
        f(40, &[], &["b"]);
    }
}
