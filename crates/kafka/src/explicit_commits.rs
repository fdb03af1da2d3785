//! Offsets that are committed explicit_commits from librdkafka's automatic commit, which passes over what does not lie beyond the
//! offset committed before. They do not where offsets go back: in a topic that was created again, say.

use base::NextOffset;
use base::TopicPartition;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Written by the data thread and the control thread, which commits them.
#[derive(Debug, Default)]
pub struct ExplicitCommits(Mutex<BTreeMap<TopicPartition, NextOffset>>);

impl ExplicitCommits {
    /// Has these committed.
    pub fn ask(&self, offsets: impl IntoIterator<Item = (TopicPartition, NextOffset)>) {
        self.lock().extend(offsets);
    }

    /// What was asked for and is not done.
    pub fn open(&self) -> Vec<(TopicPartition, NextOffset)> {
        self.lock().iter().map(|(at, next)| (at.clone(), *next)).collect()
    }

    /// These are committed, unless something else was asked for meanwhile.
    pub fn done(&self, committed: &[(TopicPartition, NextOffset)]) {
        self.lock().retain(|at, next| !committed.iter().any(|done| (&done.0, &done.1) == (at, next)));
    }

    /// Partitions that this member does not hold any more.
    pub fn forget(&self, revoked: &[TopicPartition]) {
        self.lock().retain(|at, _| !revoked.contains(at));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TopicPartition, NextOffset>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_asked_for_until_that_is_done() {
        let at = |partition| TopicPartition { topic: "t".to_owned(), partition };
        let (explicit_commits, next) = (ExplicitCommits::default(), NextOffset::at);
        explicit_commits.ask([(at(0), next(5)), (at(1), next(7)), (at(2), next(9))]);
        let open = explicit_commits.open();
        explicit_commits.ask([(at(0), next(6))]);
        explicit_commits.forget(&[at(2)]);
        explicit_commits.done(&open);
        assert_eq!(explicit_commits.open(), [(at(0), next(6))]);
    }
}
