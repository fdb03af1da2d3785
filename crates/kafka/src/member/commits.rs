//! The commits of a member: of the stored offsets, and of those that the automatic commit would ignore.

use super::Member;
use crate::MemberError;
use crate::partition_lists::offsets_of;
use crate::retry::retry;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use std::time::{Duration, Instant};

/// Pause between attempts of the last commit.
const COMMIT_PAUSE: Duration = Duration::from_millis(100);

impl Member {
    /// Commits the offsets that the automatic commit would ignore.
    pub(super) fn commit_explicitly(&self) -> KafkaResult<()> {
        let explicit_commits = &self.consumer.context().explicit_commits;
        let pending = explicit_commits.pending();
        if !pending.is_empty() {
            self.consumer.commit(&offsets_of(&pending), CommitMode::Sync)?;
            self.consumer.context().start_offsets().committed(pending.iter().map(|(at, _)| at));
            explicit_commits.done(&pending);
        }
        Ok(())
    }

    /// Commits the explicit and the stored offsets for the last time. While the group is rebalancing, it tries again until `until`.
    pub fn commit(&self, until: Instant) -> Result<(), MemberError> {
        // The next generation of the group comes without this thread's help, and the partitions stay with this member until it
        // has served the revocation.
        let is_rebalancing = |result: &KafkaResult<()>| {
            use RDKafkaErrorCode as Code;
            let Err(KafkaError::ConsumerCommit(code)) = result else { return false };
            matches!(code, Code::RebalanceInProgress | Code::IllegalGeneration | Code::StaleMemberEpoch)
        };
        let result = retry(until, COMMIT_PAUSE, is_rebalancing, || {
            let stored = || self.consumer.commit_consumer_state(CommitMode::Sync);
            commit_both(|| self.commit_explicitly(), stored, is_rebalancing)
        });
        match result {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
            Err(error) => Err(MemberError::LastCommit(error)),
        }
    }
}

/// Runs both commits: an explicit offset that the brokers refuse keeps no other one uncommitted. An error that is tried again counts first.
fn commit_both(
    explicit: impl FnOnce() -> KafkaResult<()>,
    stored: impl FnOnce() -> KafkaResult<()>,
    is_retried: impl Fn(&KafkaResult<()>) -> bool,
) -> KafkaResult<()> {
    let (explicit, stored) = (explicit(), stored());
    if is_retried(&stored) { stored } else { explicit.and(stored) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_refused_explicit_commit_keeps_no_stored_offset_uncommitted() {
        use RDKafkaErrorCode::{InvalidCommitOffsetSize, NoOffset, RebalanceInProgress};
        let is_retried =
            |result: &KafkaResult<()>| *result == Err(KafkaError::ConsumerCommit(RebalanceInProgress));
        let f = |explicit: Option<RDKafkaErrorCode>,
                 stored: Option<RDKafkaErrorCode>,
                 want: Option<RDKafkaErrorCode>| {
            let failed = |code: Option<RDKafkaErrorCode>| {
                code.map_or(Ok(()), |code| Err(KafkaError::ConsumerCommit(code)))
            };
            let is_committed = Cell::new(false);
            let commit = || {
                is_committed.set(true);
                failed(stored)
            };
            assert_eq!(commit_both(|| failed(explicit), commit, is_retried), failed(want));
            assert!(is_committed.get(), "{explicit:?}");
        };
        f(None, None, None);
        f(Some(InvalidCommitOffsetSize), None, Some(InvalidCommitOffsetSize));
        f(None, Some(NoOffset), Some(NoOffset));
        f(Some(InvalidCommitOffsetSize), Some(NoOffset), Some(InvalidCommitOffsetSize));
        f(Some(InvalidCommitOffsetSize), Some(RebalanceInProgress), Some(RebalanceInProgress));
        f(Some(RebalanceInProgress), None, Some(RebalanceInProgress));
    }
}
