//! Tracks the settled prefix of each partition, in the order of delivery.
//!
//! Offsets have gaps (compaction, transactions), so nothing is derived from counting offsets. A record that is settled at once joins
//! the span of the batch before it.

use base::NextOffset;
use std::collections::{BTreeMap, VecDeque};

/// Identifies one assignment of a partition to this consumer. A later assignment of the same partition has another id, so records
/// fetched under an earlier one cannot commit anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AssignmentId(u64);

/// Identifies a batch, whose records settle together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(u64);

impl BatchId {
    pub fn first() -> Self {
        Self(0)
    }

    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The current assignments, each with its settled prefix.
#[derive(Debug, Default)]
pub struct OffsetTracker {
    next_assignment: u64,
    partitions: BTreeMap<AssignmentId, Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    /// Delivered records behind the prefix. Bounded by the batches that are open or in flight.
    spans: VecDeque<Span>,
    /// End of the settled prefix.
    settled: Option<NextOffset>,
    /// Timestamp of the prefix's last record that has one.
    settled_ns: Option<i64>,
    /// Timestamp of the first record that was left unsettled, to be read again later.
    left_unsettled_ns: Option<i64>,
    /// Whether `settled` changed since [`OffsetTracker::take_changed`] last returned it.
    changed: bool,
    /// The end that [`OffsetTracker::take_changed`] returned last.
    taken: Option<NextOffset>,
    /// Range of the records that were left unsettled.
    left_unsettled: Option<Unsettled>,
    /// Number of undecided records: see [`OffsetTracker::delivered_undecided`].
    undecided: u64,
}

/// Range of fetched records that are not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// Offset of the first one.
    pub from: NextOffset,
    /// Offset after the last one.
    pub to: NextOffset,
}

impl Unsettled {
    /// Number of offsets in the range; zero if offsets went back, which happens when a topic is recreated.
    pub fn count(self) -> u64 {
        u64::try_from(self.to.get() - self.from.get()).unwrap_or(0)
    }
}

/// The event that settles the records of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SettledBy {
    Batch(BatchId),
    /// The first point of the topic.
    FirstPoint,
}

/// Consecutively delivered records that settle together.
#[derive(Debug)]
struct Span {
    by: SettledBy,
    settled: bool,
    /// Offset of the first record.
    first: NextOffset,
    next_offset: NextOffset,
    /// Timestamps of the first and the last record, in nanoseconds since 1970.
    first_ns: Option<i64>,
    last_ns: Option<i64>,
}

/// Timestamps of a partition's records, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionTimes {
    /// The oldest unsettled record that was delivered. An undecided record counts only once its topic is blocked: until then it keeps
    /// nothing waiting.
    pub open_ns: Option<i64>,
    /// The last record of the settled prefix.
    pub settled_ns: Option<i64>,
    /// Number of undecided records.
    pub undecided: u64,
}

impl OffsetTracker {
    /// Begins an assignment.
    pub fn assign(&mut self) -> AssignmentId {
        let assignment = AssignmentId(self.next_assignment);
        self.next_assignment += 1;
        self.partitions.insert(assignment, Partition::default());
        assignment
    }

    /// Settles the undecided records of an assignment: its topic has given a point, so the mapping is not to blame for them.
    pub fn settle_undecided(&mut self, assignment: AssignmentId) {
        self.assigned(assignment).undecided = 0;
        self.settle_by(assignment, SettledBy::FirstPoint);
    }

    /// Number of undecided records of an assignment.
    pub fn undecided(&self, assignment: AssignmentId) -> u64 {
        self.partitions.get(&assignment).map_or(0, |partition| partition.undecided)
    }

    /// Ends an assignment: its unsettled records are never settled here. Returns the end of its settled prefix.
    pub fn revoke(&mut self, assignment: AssignmentId) -> Option<NextOffset> {
        self.partitions.remove(&assignment)?.settled
    }

    /// Adds a delivered record that settles with the batch.
    pub fn delivered(
        &mut self,
        assignment: AssignmentId,
        offset: i64,
        time_ns: Option<i64>,
        batch_id: BatchId,
    ) {
        self.assigned(assignment).deliver(offset, time_ns, SettledBy::Batch(batch_id));
    }

    /// Adds a rejected record of a topic that has given no point yet. A wrong mapping would reject all records, so these records settle
    /// only with the topic's first point: see [`OffsetTracker::settle_undecided`]. The first point comes before the first batch, so a
    /// partition has one span of them.
    pub fn delivered_undecided(&mut self, assignment: AssignmentId, offset: i64, time_ns: Option<i64>) {
        let partition = self.assigned(assignment);
        partition.deliver(offset, time_ns, SettledBy::FirstPoint);
        partition.undecided += 1;
    }

    /// Adds a delivered record that is settled already: filtered, or rejected without a dead letter.
    pub fn delivered_settled(&mut self, assignment: AssignmentId, offset: i64, time_ns: Option<i64>) {
        let partition = self.assigned(assignment);
        let next_offset = NextOffset::after(offset);
        // The prefix cannot pass the records before this one, so it joins their last span.
        match partition.spans.back_mut() {
            Some(span) => span.extend(next_offset, time_ns),
            None => partition.set_settled(next_offset, time_ns),
        }
    }

    /// Adds a fetched record that is not settled in this assignment: it has to be read again, like all records after it.
    pub fn leave_unsettled(&mut self, assignment: AssignmentId, offset: i64, time_ns: Option<i64>) {
        let partition = self.assigned(assignment);
        partition.left_unsettled_ns = partition.left_unsettled_ns.or(time_ns);
        let (from, to) = (NextOffset::at(offset), NextOffset::after(offset));
        partition.left_unsettled.get_or_insert(Unsettled { from, to }).to = to;
    }

    /// The range of fetched records of this assignment that are not settled.
    pub fn unsettled(&self, assignment: AssignmentId) -> Option<Unsettled> {
        let partition = self.partitions.get(&assignment)?;
        let span = |span: &Span| Unsettled { from: span.first, to: span.next_offset };
        // Records left unsettled came after all others.
        let first = partition.spans.front().map(span).or(partition.left_unsettled)?;
        let last = partition.left_unsettled.or(partition.spans.back().map(span)).unwrap_or(first);
        Some(Unsettled { from: first.from, to: last.to })
    }

    /// Replaces an assignment by a new one with the same settled prefix. Its unsettled records are never settled here.
    pub fn renew(&mut self, assignment: AssignmentId) -> AssignmentId {
        let before = std::mem::take(self.assigned(assignment));
        self.partitions.remove(&assignment);
        let renewed = self.assign();
        let partition = Partition {
            spans: VecDeque::new(),
            left_unsettled: None,
            left_unsettled_ns: None,
            undecided: 0,
            ..before
        };
        self.partitions.insert(renewed, partition);
        renewed
    }

    /// Finds the partition of an assignment. Routing to an unknown assignment is a panic, because the next commit could pass the record.
    fn assigned(&mut self, assignment: AssignmentId) -> &mut Partition {
        match self.partitions.get_mut(&assignment) {
            Some(partition) => partition,
            #[expect(
                clippy::panic,
                reason = "an invariant of routing; the next process reads again from the committed offset"
            )]
            None => panic!("{assignment:?} is routed and not assigned"),
        }
    }

    /// Settles all records of the batch in this assignment.
    pub fn settle(&mut self, assignment: AssignmentId, batch_id: BatchId) {
        self.settle_by(assignment, SettledBy::Batch(batch_id));
    }

    fn settle_by(&mut self, assignment: AssignmentId, by: SettledBy) {
        // A batch may come back after its partition was revoked: the next owner settles these records.
        let Some(partition) = self.partitions.get_mut(&assignment) else { return };
        for span in partition.spans.iter_mut().filter(|span| span.by == by) {
            span.settled = true;
        }
        while let Some(span) = partition.spans.pop_front_if(|span| span.settled) {
            partition.set_settled(span.next_offset, span.last_ns);
        }
    }

    /// Whether records that were delivered in this assignment wait for their batch. Undecided records do not.
    pub fn waits_for_batch(&self, assignment: AssignmentId) -> bool {
        let waits = |partition: &Partition| partition.spans.iter().any(Span::waits_for_batch);
        self.partitions.get(&assignment).is_some_and(waits)
    }

    /// Timestamps of all current assignments.
    pub fn times(&self) -> impl Iterator<Item = (AssignmentId, PartitionTimes)> + '_ {
        self.partitions.iter().map(|(assignment, partition)| (*assignment, partition.times()))
    }

    /// Calls `each` with every prefix end that changed since the last call, and whether it went back. That happens when a topic is
    /// recreated or loses its last records: later records have smaller offsets.
    pub fn take_changed(&mut self, mut each: impl FnMut(AssignmentId, NextOffset, bool)) {
        for (&assignment, partition) in &mut self.partitions {
            if let Some(next_offset) = partition.settled
                && std::mem::take(&mut partition.changed)
            {
                let before = partition.taken.replace(next_offset);
                each(assignment, next_offset, before.is_some_and(|before| next_offset < before));
            }
        }
    }
}

impl Span {
    fn waits_for_batch(&self) -> bool {
        !self.settled && self.by != SettledBy::FirstPoint
    }

    fn extend(&mut self, next_offset: NextOffset, time_ns: Option<i64>) {
        self.next_offset = next_offset;
        self.last_ns = time_ns.or(self.last_ns);
    }
}

impl Partition {
    fn deliver(&mut self, offset: i64, time_ns: Option<i64>, by: SettledBy) {
        let next_offset = NextOffset::after(offset);
        match self.spans.back_mut() {
            Some(span) if span.by == by && !span.settled => span.extend(next_offset, time_ns),
            _ => {
                let (first, first_ns, last_ns) = (NextOffset::at(offset), time_ns, time_ns);
                self.spans.push_back(Span { by, settled: false, first, next_offset, first_ns, last_ns });
            }
        }
    }

    fn times(&self) -> PartitionTimes {
        // Records left unsettled came after all others.
        let is_open = |span: &&Span| self.left_unsettled.is_some() || span.by != SettledBy::FirstPoint;
        let open_ns = self.spans.iter().find(is_open).map_or(self.left_unsettled_ns, |span| span.first_ns);
        PartitionTimes { open_ns, settled_ns: self.settled_ns, undecided: self.undecided }
    }

    fn set_settled(&mut self, next_offset: NextOffset, last_ns: Option<i64>) {
        self.settled = Some(next_offset);
        self.settled_ns = last_ns.or(self.settled_ns);
        self.changed = true;
    }
}

#[cfg(test)]
impl OffsetTracker {
    /// The end of the settled prefix.
    pub fn settled(&self, assignment: AssignmentId) -> Option<NextOffset> {
        self.partitions.get(&assignment)?.settled
    }
}

#[cfg(test)]
impl AssignmentId {
    pub fn for_test(number: u64) -> Self {
        Self(number)
    }
}

#[cfg(test)]
mod tests;
