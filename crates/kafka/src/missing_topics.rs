//! When to warn of topics that `kafka.topics` names and that do not exist, so that a mistyped name does not go unnoticed. The check itself
//! and the text of the warning are in `Member::warn_of_missing_topics` (`member/subscription.rs`).

use std::time::{Duration, Instant};

/// Time after the start before the first check: topics may be created together with the bridge.
const FIRST_AFTER: Duration = Duration::from_secs(10);
/// Interval of checks while topics are missing.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// Interval of warnings about the same topics.
const REPEAT: Duration = Duration::from_mins(10);

/// Decides when to check and when to warn.
#[derive(Debug)]
pub struct MissingTopics {
    /// None: no named topic is missing.
    next_check: Option<Instant>,
    /// The topics of the last warning, and its time.
    warned: Option<(Vec<String>, Instant)>,
}

impl MissingTopics {
    /// `has_names`: whether `kafka.topics` names topics, besides regular expressions.
    pub fn new(has_names: bool, now: Instant) -> Self {
        Self { next_check: has_names.then(|| now + FIRST_AFTER), warned: None }
    }

    /// Whether a check is due. The caller hands its result to [`MissingTopics::checked`].
    pub fn is_due(&self, now: Instant) -> bool {
        self.next_check.is_some_and(|due| due <= now)
    }

    /// Handles the result of a check. None: the brokers did not respond. Returns whether to warn of these topics.
    pub fn checked(&mut self, missing: Option<&[String]>, now: Instant) -> bool {
        self.next_check = (missing != Some(&[])).then(|| now + CHECK_EVERY);
        let Some(missing) = missing.filter(|missing| !missing.is_empty()) else { return false };
        let is_known = self
            .warned
            .as_ref()
            .is_some_and(|(topics, at)| topics == missing && now.saturating_duration_since(*at) < REPEAT);
        if !is_known {
            self.warned = Some((missing.to_vec(), now));
        }
        !is_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warns_of_missing_topics_until_they_exist() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut topics = MissingTopics::new(true, start);
        assert!(!topics.is_due(at(9)) && topics.is_due(at(10)));
        assert!(!topics.checked(None, at(10)), "no response says nothing");
        assert!(!topics.is_due(at(39)) && topics.is_due(at(40)));
        let (both, one) = (["a".to_owned(), "b".to_owned()], ["b".to_owned()]);
        assert!(topics.checked(Some(&both), at(40)));
        assert!(!topics.checked(Some(&both), at(70)));
        assert!(topics.checked(Some(&both), at(640)), "it is repeated");
        assert!(topics.checked(Some(&one), at(670)));
        assert!(!topics.checked(Some(&[]), at(700)));
        assert!(!topics.is_due(at(10_000)), "all topics exist");
        assert!(!MissingTopics::new(false, start).is_due(at(10_000)));
    }
}
