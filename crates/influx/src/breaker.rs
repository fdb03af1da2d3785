//! Which of several addresses are left alone, because they failed and were not seen to work since. Pure.

use super::cause::Cause;
use std::collections::BTreeSet;

/// Addresses by their place in the configuration: the first that is not left alone is used.
#[derive(Debug)]
pub(super) struct Breakers {
    states: Vec<State>,
    /// The one that people were told of.
    told: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    is_left_alone: bool,
    cause: Option<Cause>,
    /// In a row, without lines stored in between.
    failures: u32,
    /// Somebody asks for it from time to time.
    is_watched: bool,
}

/// Another address is used from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The one before failed.
    Next { from: usize, to: usize, cause: Cause },
    /// An earlier one works again.
    Restored { from: usize, to: usize },
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failed {
    /// Somebody has to ask for the address from time to time.
    pub wants_watch: bool,
    pub news: Option<News>,
}

impl Breakers {
    pub fn new(count: usize) -> Self {
        Self { states: vec![State::default(); count], told: 0 }
    }

    pub fn is_left_alone(&self, index: usize) -> bool {
        self.states.get(index).is_some_and(|state| state.is_left_alone)
    }

    fn first_working(&self) -> Option<usize> {
        self.states.iter().position(|state| !state.is_left_alone)
    }

    /// The one to use: where none is known to work, the last one that did.
    pub fn current(&self) -> usize {
        self.first_working().unwrap_or(self.told)
    }

    /// The next to try, after these failed. Before giving up, also those that are left alone are tried.
    pub fn pick(&self, tried: &BTreeSet<usize>) -> Option<usize> {
        let all = || (0..self.states.len()).filter(|index| !tried.contains(index));
        let working = all().find(|&index| !self.is_left_alone(index));
        working.or_else(|| all().find(|&index| index == self.told)).or_else(|| all().next())
    }

    /// A request failed for the address's own sake. Requests of several lanes fail together: the first one counts.
    pub fn fail(&mut self, index: usize, cause: Cause) -> Failed {
        // There is no use in leaving the only one.
        let is_only = self.states.len() < 2;
        let Some(state) = self.states.get_mut(index).filter(|state| !is_only && !state.is_left_alone) else {
            return Failed::default();
        };
        let wants_watch = !state.is_watched;
        *state = State {
            is_left_alone: true,
            cause: Some(cause),
            failures: state.failures.saturating_add(1),
            is_watched: true,
        };
        Failed { wants_watch, news: self.news() }
    }

    /// How often it failed in a row, while it is left alone; None ends the watch.
    pub fn failures(&mut self, index: usize) -> Option<u32> {
        let state = self.states.get_mut(index)?;
        state.is_watched = state.is_left_alone;
        state.is_left_alone.then_some(state.failures)
    }

    /// It was asked for, and fails still.
    pub fn fail_again(&mut self, index: usize) {
        if let Some(state) = self.states.get_mut(index) {
            state.failures = state.failures.saturating_add(1);
        }
    }

    /// It answers. Only lines that are stored end its row of failures: one that answers and stores nothing is left alone for
    /// longer each time.
    pub fn work(&mut self, index: usize, stores: bool) -> Option<News> {
        let state = self.states.get_mut(index)?;
        state.is_left_alone = false;
        if stores {
            state.failures = 0;
        }
        self.news()
    }

    fn news(&mut self) -> Option<News> {
        let (from, to) = (self.told, self.first_working()?);
        self.told = to;
        let cause = self.states.get(from).and_then(|state| state.cause);
        match (to.cmp(&from), cause) {
            (std::cmp::Ordering::Less, _) => Some(News::Restored { from, to }),
            (std::cmp::Ordering::Greater, Some(cause)) => Some(News::Next { from, to, cause }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSE: Cause = Cause::Unreachable;

    fn next(from: usize, to: usize) -> News {
        News::Next { from, to, cause: CAUSE }
    }

    fn restored(from: usize, to: usize) -> News {
        News::Restored { from, to }
    }

    #[test]
    fn takes_the_first_that_works_and_tells_it_once() {
        let mut breakers = Breakers::new(3);
        assert_eq!(breakers.current(), 0);
        assert_eq!(breakers.fail(0, CAUSE), Failed { wants_watch: true, news: Some(next(0, 1)) });
        assert_eq!(breakers.fail(0, CAUSE), Failed::default(), "of another lane");
        assert_eq!(breakers.fail(1, CAUSE).news, Some(next(1, 2)));
        assert_eq!(breakers.current(), 2);
        assert_eq!(breakers.work(0, false), Some(restored(2, 0)));
        assert_eq!(breakers.work(0, true), None);
        assert_eq!(breakers.work(1, false), None, "nobody uses it");
        assert_eq!(breakers.current(), 0);
    }

    #[test]
    fn tries_all_before_giving_up() {
        let mut breakers = Breakers::new(3);
        let f = |breakers: &Breakers, tried: &[usize], want: Option<usize>| {
            assert_eq!(breakers.pick(&tried.iter().copied().collect()), want, "{tried:?}");
        };
        f(&breakers, &[], Some(0));
        breakers.fail(0, CAUSE);
        f(&breakers, &[], Some(1));
        f(&breakers, &[1], Some(2));
        f(&breakers, &[1, 2], Some(0));
        f(&breakers, &[0, 1, 2], None);
        breakers.fail(1, CAUSE);
        assert_eq!(breakers.fail(2, CAUSE).news, None, "there is no other");
        assert_eq!(breakers.current(), 2);
        f(&breakers, &[], Some(2));
        f(&breakers, &[2], Some(0));
        f(&breakers, &[2, 0], Some(1));
        assert_eq!(breakers.work(1, true), Some(restored(2, 1)));
        assert_eq!(breakers.current(), 1);
        assert_eq!(breakers.work(0, true), Some(restored(1, 0)));
    }

    #[test]
    fn says_which_one_follows_when_all_had_failed() {
        let mut breakers = Breakers::new(2);
        breakers.fail(0, CAUSE);
        breakers.work(0, true);
        breakers.fail(0, Cause::TimedOut);
        breakers.fail(1, CAUSE);
        assert_eq!(breakers.work(1, true), None, "it was told");
        assert_eq!(breakers.current(), 1);
    }

    #[test]
    fn counts_failures_until_lines_are_stored() {
        let mut breakers = Breakers::new(2);
        breakers.fail(0, CAUSE);
        assert_eq!(breakers.failures(0), Some(1));
        breakers.fail_again(0);
        assert_eq!(breakers.failures(0), Some(2));
        breakers.work(0, false);
        assert!(!breakers.fail(0, CAUSE).wants_watch, "its watch has not ended");
        assert_eq!(breakers.failures(0), Some(3));
        breakers.work(0, true);
        assert_eq!(breakers.failures(0), None);
        assert!(breakers.fail(0, CAUSE).wants_watch);
        assert_eq!(breakers.failures(0), Some(1));
    }

    #[test]
    fn never_leaves_the_only_one() {
        let mut breakers = Breakers::new(1);
        assert_eq!(breakers.fail(0, CAUSE), Failed::default());
        assert!(!breakers.is_left_alone(0));
        assert_eq!(breakers.pick(&BTreeSet::new()), Some(0));
    }
}
