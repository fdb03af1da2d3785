//! Circuit breakers of several addresses: which are down, and which one is used. Pure.

use crate::cause::Cause;
use std::collections::BTreeSet;

/// The state of each address, by its position in the configuration. The first address that is not down is used.
#[derive(Debug)]
pub(super) struct Breakers {
    states: Vec<AddressState>,
    /// The address in use according to the last reported change.
    reported: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct AddressState {
    /// The address failed and has not worked since.
    is_down: bool,
    cause: Option<Cause>,
    /// Failures in a row, without lines stored in between.
    failures: u32,
    /// A task checks the address from time to time.
    has_watcher: bool,
}

/// A change of the address in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddressChange {
    /// The address before failed.
    Failover { from: usize, to: usize, cause: Cause },
    /// An earlier address works again.
    Failback { from: usize, to: usize },
}

/// The consequences of a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FailureEffect {
    /// A task has to check the address from time to time.
    pub needs_watcher: bool,
    pub change: Option<AddressChange>,
}

impl Breakers {
    pub fn new(count: usize) -> Self {
        Self { states: vec![AddressState::default(); count], reported: 0 }
    }

    pub fn is_down(&self, index: usize) -> bool {
        self.states.get(index).is_some_and(|state| state.is_down)
    }

    fn first_working(&self) -> Option<usize> {
        self.states.iter().position(|state| !state.is_down)
    }

    /// The address in use. If all are down, the last one that worked.
    pub fn current(&self) -> usize {
        self.first_working().unwrap_or(self.reported)
    }

    /// The next address to try after these failed. Addresses that are down are tried last.
    pub fn pick(&self, tried: &BTreeSet<usize>) -> Option<usize> {
        let all = || (0..self.states.len()).filter(|index| !tried.contains(index));
        let working = all().find(|&index| !self.is_down(index));
        working.or_else(|| all().find(|&index| index == self.reported)).or_else(|| all().next())
    }

    /// Records a failure of the address itself. Requests of several lanes fail together; only the first one counts.
    pub fn fail(&mut self, index: usize, cause: Cause) -> FailureEffect {
        // The only address is never down.
        let is_only = self.states.len() < 2;
        let Some(state) = self.states.get_mut(index).filter(|state| !is_only && !state.is_down) else {
            return FailureEffect::default();
        };
        let needs_watcher = !state.has_watcher;
        *state = AddressState {
            is_down: true,
            cause: Some(cause),
            failures: state.failures.saturating_add(1),
            has_watcher: true,
        };
        FailureEffect { needs_watcher, change: self.take_change() }
    }

    /// Failures in a row; `None` if the address is not down, which ends its watcher.
    pub fn failures(&mut self, index: usize) -> Option<u32> {
        let state = self.states.get_mut(index)?;
        state.has_watcher = state.is_down;
        state.is_down.then_some(state.failures)
    }

    /// Records that a check of the address failed again.
    pub fn fail_again(&mut self, index: usize) {
        if let Some(state) = self.states.get_mut(index) {
            state.failures = state.failures.saturating_add(1);
        }
    }

    /// Records an answer. Only stored lines reset the failures: an address that answers and stores nothing stays down for longer each
    /// time.
    pub fn answered(&mut self, index: usize, stores: bool) -> Option<AddressChange> {
        let state = self.states.get_mut(index)?;
        state.is_down = false;
        if stores {
            state.failures = 0;
        }
        self.take_change()
    }

    fn take_change(&mut self) -> Option<AddressChange> {
        let (from, to) = (self.reported, self.first_working()?);
        self.reported = to;
        let cause = self.states.get(from).and_then(|state| state.cause);
        match (to.cmp(&from), cause) {
            (std::cmp::Ordering::Less, _) => Some(AddressChange::Failback { from, to }),
            (std::cmp::Ordering::Greater, Some(cause)) => Some(AddressChange::Failover { from, to, cause }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSE: Cause = Cause::Unreachable;

    fn failover(from: usize, to: usize) -> AddressChange {
        AddressChange::Failover { from, to, cause: CAUSE }
    }

    fn failback(from: usize, to: usize) -> AddressChange {
        AddressChange::Failback { from, to }
    }

    #[test]
    fn uses_the_first_working_address_and_reports_each_change_once() {
        let mut breakers = Breakers::new(3);
        assert_eq!(breakers.current(), 0);
        assert_eq!(
            breakers.fail(0, CAUSE),
            FailureEffect { needs_watcher: true, change: Some(failover(0, 1)) }
        );
        assert_eq!(breakers.fail(0, CAUSE), FailureEffect::default(), "a failure of another lane");
        assert_eq!(breakers.fail(1, CAUSE).change, Some(failover(1, 2)));
        assert_eq!(breakers.current(), 2);
        assert_eq!(breakers.answered(0, false), Some(failback(2, 0)));
        assert_eq!(breakers.answered(0, true), None);
        assert_eq!(breakers.answered(1, false), None, "nobody uses it");
        assert_eq!(breakers.current(), 0);
    }

    #[test]
    fn tries_all_addresses_before_giving_up() {
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
        assert_eq!(breakers.fail(2, CAUSE).change, None, "there is no other");
        assert_eq!(breakers.current(), 2);
        f(&breakers, &[], Some(2));
        f(&breakers, &[2], Some(0));
        f(&breakers, &[2, 0], Some(1));
        assert_eq!(breakers.answered(1, true), Some(failback(2, 1)));
        assert_eq!(breakers.current(), 1);
        assert_eq!(breakers.answered(0, true), Some(failback(1, 0)));
    }

    #[test]
    fn keeps_the_reported_address_after_all_failed() {
        let mut breakers = Breakers::new(2);
        breakers.fail(0, CAUSE);
        breakers.answered(0, true);
        breakers.fail(0, Cause::TimedOut);
        breakers.fail(1, CAUSE);
        assert_eq!(breakers.answered(1, true), None, "it was reported");
        assert_eq!(breakers.current(), 1);
    }

    #[test]
    fn counts_failures_until_lines_are_stored() {
        let mut breakers = Breakers::new(2);
        breakers.fail(0, CAUSE);
        assert_eq!(breakers.failures(0), Some(1));
        breakers.fail_again(0);
        assert_eq!(breakers.failures(0), Some(2));
        breakers.answered(0, false);
        assert!(!breakers.fail(0, CAUSE).needs_watcher, "its watcher has not ended");
        assert_eq!(breakers.failures(0), Some(3));
        breakers.answered(0, true);
        assert_eq!(breakers.failures(0), None);
        assert!(breakers.fail(0, CAUSE).needs_watcher);
        assert_eq!(breakers.failures(0), Some(1));
    }

    #[test]
    fn the_only_address_is_never_down() {
        let mut breakers = Breakers::new(1);
        assert_eq!(breakers.fail(0, CAUSE), FailureEffect::default());
        assert!(!breakers.is_down(0));
        assert_eq!(breakers.pick(&BTreeSet::new()), Some(0));
    }
}
