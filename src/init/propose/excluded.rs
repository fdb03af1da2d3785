//! Proposes `exclude`: numbers that say nothing about what is measured.

use super::super::class::glob;
use super::super::key::Key;
use super::super::text::{joined, shown};
use super::super::times::as_ns;
use super::{Candidate, Proposer};
use std::collections::BTreeMap;

/// Times that differ less belong to the same event, such as those of its arrival and of its storage.
const SAME_EVENT_NS: u64 = 3_600_000_000_000;
/// How much the difference of such times may vary: the delays of a network and of a queue.
const JITTER_NS: u64 = 30_000_000_000;
/// The difference of such times in a sample that does not show how much it varies.
const SAME_EVENT_OF_FEW_NS: u64 = 60_000_000_000;
/// Differences that show how much they vary.
const DIFFERENCES_MIN: usize = 3;

impl Proposer<'_> {
    /// `time`: the keys of the points' time.
    pub(super) fn excluded(&mut self, time: &[&Key]) {
        // The globs of an envelope are paths from the root; what is beside the objects is named elsewhere.
        let mut globs = if self.shape.steps.is_empty() { self.shape.excluded.clone() } else { Vec::new() };
        let mut why = Vec::new();
        if !globs.is_empty() {
            why.push(format!("The numbers under {} describe the message.", joined(&globs)));
        }
        let is_second = |candidate: &Candidate<'_>| {
            let key = candidate.key;
            let is_excluded = self.shape.steps.is_empty() && self.excluded.is_match(&key.pattern);
            !candidate.is_outside()
                && key.is_time
                && key.numbers() > 0
                && !time.iter().any(|time| std::ptr::eq(*time, key))
                && !is_excluded
        };
        let candidates = self.candidates();
        let second =
            candidates.iter().filter(|candidate| is_second(candidate)).map(|candidate| candidate.key);
        let of_points = time.iter().copied().find(|key| !as_ns(&key.times, self.now_ns).is_empty());
        let (same, others): (Vec<&Key>, Vec<&Key>) =
            second.partition(|key| of_points.is_some_and(|time| self.is_same_event(key, time)));
        let globs_of = |keys: &[&Key]| keys.iter().map(|key| glob(&key.pattern)).collect::<Vec<_>>();
        let named = |keys: &[&Key]| joined(&keys.iter().map(|key| shown(&key.pattern)).collect::<Vec<_>>());
        if !same.is_empty() {
            why.push(format!(
                "Times of the same event as the point's time, which would be numbers: {}.",
                named(&same)
            ));
            globs.extend(globs_of(&same));
        }
        let (mut with_others, why_others) = (globs.clone(), named(&others));
        with_others.extend(globs_of(&others));
        if !globs.is_empty() {
            self.out.set("exclude", globs, why);
        }
        if !others.is_empty() && of_points.is_some() {
            let why = format!(
                "Times of other events than the point's time are stored as numbers: {why_others}. To leave them out:"
            );
            self.out.suggest("exclude", with_others, vec![why]);
        }
    }

    /// Whether a time of the objects belongs to the event of the points' time: both have nearly the same difference in each object.
    fn is_same_event(&self, key: &Key, time: &Key) -> bool {
        let is_beside = self.root.is_some_and(|root| root.keys.iter().any(|key| std::ptr::eq(key, time)));
        let mut differences = if is_beside { Vec::new() } else { self.differences(key, time) };
        differences.sort_unstable();
        if differences.len() < DIFFERENCES_MIN {
            let median = |key: &Key| {
                let mut times: Vec<i64> = as_ns(&key.times, self.now_ns).into_iter().flatten().collect();
                times.sort_unstable();
                times.get(times.len() / 2).copied()
            };
            let both = median(key).zip(median(time));
            return both.is_some_and(|(one, other)| one.abs_diff(other) < SAME_EVENT_OF_FEW_NS);
        }
        // A twentieth at each end may be late.
        let end = differences.len() / 20;
        let (first, last) = (differences.get(end), differences.get(differences.len() - 1 - end));
        first.zip(last).is_some_and(|(first, last)| {
            first.abs_diff(*last) < JITTER_NS && last.unsigned_abs().max(first.unsigned_abs()) < SAME_EVENT_NS
        })
    }

    /// The differences of two times in the objects that have both.
    fn differences(&self, one: &Key, other: &Key) -> Vec<i64> {
        let of = |key: &Key| -> BTreeMap<u64, i64> {
            let times = as_ns(&key.times, self.now_ns);
            key.time_objects.iter().copied().zip(times).filter_map(|(at, ns)| Some((at, ns?))).collect()
        };
        let (one, other) = (of(one), of(other));
        let difference = |(at, ns): (&u64, &i64)| other.get(at).map(|other| ns.saturating_sub(*other));
        one.iter().filter_map(difference).collect()
    }
}
