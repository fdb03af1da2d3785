//! Offsets that the bridge commits explicitly. librdkafka's auto-commit ignores an offset lower than the last committed one, which
//! happens when a topic is recreated. It commits again whatever is stored beyond the committed offset, so a lower offset is stored before its
//! commit is requested.

use base::NextOffset;
use base::TopicPartition;
use base::locks::lock;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Offsets to commit. The data thread and the control thread add them; the control thread commits them.
#[derive(Debug, Default)]
pub struct ExplicitCommits(Mutex<BTreeMap<TopicPartition, NextOffset>>);

impl ExplicitCommits {
    /// Requests the commit of these offsets.
    pub fn request(&self, offsets: impl IntoIterator<Item = (TopicPartition, NextOffset)>) {
        lock(&self.0).extend(offsets);
    }

    /// Offsets that are requested and not committed yet.
    pub fn pending(&self) -> Vec<(TopicPartition, NextOffset)> {
        lock(&self.0).iter().map(|(at, next)| (at.clone(), *next)).collect()
    }

    /// Removes committed offsets, unless another offset was requested meanwhile.
    pub fn done(&self, committed: &[(TopicPartition, NextOffset)]) {
        lock(&self.0).retain(|at, next| !committed.iter().any(|done| (&done.0, &done.1) == (at, next)));
    }

    /// Removes and returns the offsets of partitions that are being revoked.
    pub fn take(&self, revoked: &[TopicPartition]) -> BTreeMap<TopicPartition, NextOffset> {
        let mut offsets = lock(&self.0);
        let (taken, kept) =
            std::mem::take(&mut *offsets).into_iter().partition(|(at, _)| revoked.contains(at));
        *offsets = kept;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_stays_pending_until_it_is_committed() {
        let at = |partition| TopicPartition { topic: "t".to_owned(), partition };
        let (explicit_commits, next) = (ExplicitCommits::default(), NextOffset::at);
        explicit_commits.request([(at(0), next(5)), (at(1), next(7)), (at(2), next(9))]);
        let pending = explicit_commits.pending();
        explicit_commits.request([(at(0), next(6))]);
        assert_eq!(explicit_commits.take(&[at(2), at(3)]), [(at(2), next(9))].into());
        explicit_commits.done(&pending);
        assert_eq!(explicit_commits.pending(), [(at(0), next(6))]);
    }
}
