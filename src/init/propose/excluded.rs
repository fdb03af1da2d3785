//! Proposes `exclude`: numbers that say nothing about what is measured.

use super::super::class::glob;
use super::super::key::Key;
use super::super::text::{joined, shown};
use super::super::times::median_ns;
use super::{Candidate, Proposer};

/// Times that differ less belong to the same event, such as those of its arrival and of its storage.
const SAME_EVENT_NS: u64 = 3_600_000_000_000;

impl Proposer<'_> {
    /// `time`: the keys of the points' time.
    pub(super) fn excluded(&mut self, time: &[&Key]) {
        // The globs of an envelope are paths from the root; what is beside the objects is named elsewhere.
        let mut globs = if self.shape.steps.is_empty() { self.shape.excluded.clone() } else { Vec::new() };
        let mut why = Vec::new();
        if !globs.is_empty() {
            why.push(format!("The numbers under {} describe the message.", joined(&globs)));
        }
        let median = |key: &Key| median_ns(&key.times, self.now_ns);
        let of_points = time.iter().find_map(|key| median(key));
        let is_same = |key: &Key| {
            median(key).zip(of_points).is_some_and(|(one, other)| one.abs_diff(other) < SAME_EVENT_NS)
        };
        let is_second = |candidate: &Candidate<'_>| {
            let key = candidate.key;
            let is_excluded = self.shape.steps.is_empty() && self.excluded.is_match(&key.pattern);
            !candidate.is_outside()
                && key.is_time
                && key.numbers() > 0
                && !time.iter().any(|time| std::ptr::eq(*time, key))
                && !is_excluded
                && is_same(key)
        };
        let second: Vec<String> = self
            .candidates()
            .iter()
            .filter(|key| is_second(key))
            .map(|candidate| candidate.key.pattern.clone())
            .collect();
        if !second.is_empty() {
            let named: Vec<String> = second.iter().map(|pattern| shown(pattern)).collect();
            why.push(format!(
                "Times of the same event as the point's time, which would be numbers: {}.",
                joined(&named)
            ));
            globs.extend(second.iter().map(|pattern| glob(pattern)));
        }
        if !globs.is_empty() {
            self.out.set("exclude", globs, why);
        }
    }
}
