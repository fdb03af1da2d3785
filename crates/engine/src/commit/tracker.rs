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
pub struct Tracker {
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
    /// Whether `settled` changed since [`Tracker::take_changed`] last returned it.
    changed: bool,
    /// The end that [`Tracker::take_changed`] returned last.
    taken: Option<NextOffset>,
    /// Range of the records that were left unsettled.
    left_unsettled: Option<Unsettled>,
    /// Number of undecided records: see [`Tracker::delivered_undecided`].
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
pub struct Times {
    /// The oldest unsettled record that was delivered. An undecided record counts only once its topic is blocked: until then it keeps
    /// nothing waiting.
    pub open_ns: Option<i64>,
    /// The last record of the settled prefix.
    pub settled_ns: Option<i64>,
    /// Number of undecided records.
    pub undecided: u64,
}

impl Tracker {
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
    /// only with the topic's first point: see [`Tracker::settle_undecided`]. The first point comes before the first batch, so a partition
    /// has one span of them.
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
    pub fn times(&self) -> impl Iterator<Item = (AssignmentId, Times)> + '_ {
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

    fn times(&self) -> Times {
        // Records left unsettled came after all others.
        let is_open = |span: &&Span| self.left_unsettled.is_some() || span.by != SettledBy::FirstPoint;
        let open_ns = self.spans.iter().find(is_open).map_or(self.left_unsettled_ns, |span| span.first_ns);
        Times { open_ns, settled_ns: self.settled_ns, undecided: self.undecided }
    }

    fn set_settled(&mut self, next_offset: NextOffset, last_ns: Option<i64>) {
        self.settled = Some(next_offset);
        self.settled_ns = last_ns.or(self.settled_ns);
        self.changed = true;
    }
}

#[cfg(test)]
impl Tracker {
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changed(tracker: &mut Tracker) -> Vec<i64> {
        let mut changed = Vec::new();
        tracker.take_changed(|_, next, _| changed.push(next.get()));
        changed
    }

    #[test]
    fn follows_the_order_of_delivery_to_smaller_offsets() {
        let (mut tracker, one) = (Tracker::default(), BatchId::first());
        let (two, assignment) = (one.next(), tracker.assign());
        let changed = |tracker: &mut Tracker| {
            let mut changed = Vec::new();
            tracker.take_changed(|_, next, back| changed.push((next.get(), back)));
            changed
        };
        tracker.delivered(assignment, 100, None, one);
        // The topic is recreated: its offsets start again.
        tracker.delivered(assignment, 0, None, two);
        tracker.delivered_settled(assignment, 1, None);
        tracker.settle(assignment, one);
        assert_eq!(changed(&mut tracker), [(101, false)]);
        tracker.settle(assignment, two);
        assert_eq!(changed(&mut tracker), [(2, true)]);
        tracker.delivered_settled(assignment, 2, None);
        assert_eq!(changed(&mut tracker), [(3, false)]);
        // Records before and after the recreation are in one batch.
        tracker.delivered(assignment, 50, None, two.next());
        tracker.delivered(assignment, 0, None, two.next());
        tracker.settle(assignment, two.next());
        assert_eq!(changed(&mut tracker), [(1, true)]);
    }

    #[test]
    fn waits_for_records_delivered_before() {
        let (mut tracker, one) = (Tracker::default(), BatchId::first());
        let (two, assignment) = (one.next(), tracker.assign());
        tracker.delivered(assignment, 10, None, one);
        tracker.delivered(assignment, 11, None, one);
        tracker.delivered(assignment, 15, None, two);
        tracker.settle(assignment, two);
        assert_eq!(changed(&mut tracker), [0_i64; 0]);
        tracker.settle(assignment, one);
        assert_eq!(changed(&mut tracker), [16]);
        assert_eq!(changed(&mut tracker), [0_i64; 0]);
        assert!(!tracker.waits_for_batch(assignment));
    }

    #[test]
    fn records_settled_at_once_wait_for_the_records_before_them() {
        let (mut tracker, batch_id) = (Tracker::default(), BatchId::first());
        let assignment = tracker.assign();
        tracker.delivered_settled(assignment, 4, None);
        assert_eq!(changed(&mut tracker), [5]);
        tracker.delivered(assignment, 5, None, batch_id);
        tracker.delivered_settled(assignment, 6, None);
        tracker.delivered(assignment, 7, None, batch_id);
        assert_eq!(changed(&mut tracker), [0_i64; 0]);
        tracker.settle(assignment, batch_id);
        assert_eq!(changed(&mut tracker), [8]);
    }

    #[test]
    fn reports_the_time_of_the_oldest_unsettled_record() {
        let (mut tracker, one) = (Tracker::default(), BatchId::first());
        let (two, assignment) = (one.next(), tracker.assign());
        let f = |tracker: &Tracker, open_ns: Option<i64>, settled_ns: Option<i64>| {
            assert_eq!(
                tracker.times().map(|(_, times)| times).last(),
                Some(Times { open_ns, settled_ns, undecided: 0 })
            );
        };
        f(&tracker, None, None);
        tracker.delivered_settled(assignment, 0, Some(500));
        f(&tracker, None, Some(500));
        tracker.delivered(assignment, 1, Some(1_000), one);
        tracker.delivered(assignment, 2, None, one);
        tracker.delivered(assignment, 3, Some(3_000), two);
        tracker.delivered_settled(assignment, 4, Some(4_000));
        f(&tracker, Some(1_000), Some(500));
        tracker.settle(assignment, one);
        f(&tracker, Some(3_000), Some(1_000));
        // The topic is blocked: open records settle, the following ones are left unsettled.
        tracker.leave_unsettled(assignment, 5, Some(5_000));
        tracker.leave_unsettled(assignment, 6, Some(6_000));
        f(&tracker, Some(3_000), Some(1_000));
        tracker.settle(assignment, two);
        f(&tracker, Some(5_000), Some(4_000));
        tracker.revoke(assignment);
        assert_eq!(tracker.times().count(), 0);
    }

    #[test]
    fn undecided_records_settle_with_the_first_point_of_their_topic() {
        let (mut tracker, batch_id) = (Tracker::default(), BatchId::first());
        let assignment = tracker.assign();
        let times = |tracker: &Tracker| tracker.times().map(|(_, times)| times).last().unwrap();
        tracker.delivered_undecided(assignment, 3, Some(1_000));
        tracker.delivered_undecided(assignment, 5, Some(2_000));
        tracker.delivered_settled(assignment, 6, Some(3_000));
        assert_eq!(changed(&mut tracker), [0_i64; 0]);
        assert!(!tracker.waits_for_batch(assignment), "a revocation need not wait for them");
        assert_eq!(tracker.undecided(assignment), 2);
        assert_eq!(times(&tracker), Times { open_ns: None, settled_ns: None, undecided: 2 });
        let unsettled = tracker.unsettled(assignment).unwrap();
        assert_eq!((unsettled.from.get(), unsettled.to.get()), (3, 7));
        tracker.settle_undecided(assignment);
        tracker.delivered(assignment, 7, None, batch_id);
        assert_eq!(changed(&mut tracker), [7]);
        assert_eq!(
            (tracker.undecided(assignment), tracker.unsettled(assignment).unwrap().from.get()),
            (0, 7)
        );
        tracker.settle(assignment, batch_id);
        assert_eq!(changed(&mut tracker), [8]);
    }

    #[test]
    fn undecided_records_of_a_blocked_topic_are_read_again() {
        let mut tracker = Tracker::default();
        let before = tracker.assign();
        tracker.delivered_undecided(before, 0, Some(1_000));
        tracker.leave_unsettled(before, 1, Some(2_000));
        let times = tracker.times().map(|(_, times)| times).last().unwrap();
        assert_eq!(times, Times { open_ns: Some(1_000), settled_ns: None, undecided: 1 });
        let unsettled = tracker.unsettled(before).unwrap();
        assert_eq!((unsettled.from.get(), unsettled.to.get()), (0, 2));
        let after = tracker.renew(before);
        tracker.settle_undecided(after);
        assert_eq!(changed(&mut tracker), [0_i64; 0]);
        assert_eq!((tracker.undecided(after), tracker.unsettled(after)), (0, None));
    }

    #[test]
    fn an_earlier_assignment_commits_nothing() {
        let (mut tracker, batch_id) = (Tracker::default(), BatchId::first());
        let before = tracker.assign();
        tracker.delivered(before, 1, None, batch_id);
        assert_eq!(tracker.revoke(before), None);
        let after = tracker.assign();
        tracker.settle(before, batch_id);
        assert_eq!(changed(&mut tracker), [0_i64; 0]);
        assert!(!tracker.waits_for_batch(after));
    }

    #[test]
    #[should_panic(expected = "is routed and not assigned")]
    fn a_record_of_an_unknown_assignment_is_a_bug() {
        let mut tracker = Tracker::default();
        let before = tracker.assign();
        tracker.revoke(before);
        tracker.delivered(before, 1, None, BatchId::first());
    }

    #[test]
    fn a_renewed_assignment_keeps_the_prefix_and_the_range_to_read_again() {
        let (mut tracker, one) = (Tracker::default(), BatchId::first());
        let (two, before) = (one.next(), tracker.assign());
        let unsettled = |tracker: &Tracker, assignment| {
            tracker.unsettled(assignment).map(|unsettled| (unsettled.from.get(), unsettled.to.get()))
        };
        assert_eq!(unsettled(&tracker, before), None);
        tracker.leave_unsettled(before, 3, None);
        assert_eq!(unsettled(&tracker, before), Some((3, 4)));
        let before = tracker.renew(before);
        tracker.delivered(before, 4, None, one);
        tracker.delivered(before, 7, None, two);
        tracker.delivered_settled(before, 9, None);
        assert_eq!(unsettled(&tracker, before), Some((4, 10)));
        tracker.settle(before, one);
        assert_eq!((unsettled(&tracker, before), changed(&mut tracker)), (Some((7, 10)), vec![5]));
        tracker.leave_unsettled(before, 12, None);
        tracker.leave_unsettled(before, 15, None);
        assert_eq!(unsettled(&tracker, before), Some((7, 16)));
        let after = tracker.renew(before);
        tracker.settle(before, two);
        assert!(!tracker.waits_for_batch(after));
        assert_eq!((unsettled(&tracker, after), changed(&mut tracker)), (None, vec![]));
        assert_eq!(tracker.revoke(after), Some(NextOffset::after(4)));
    }

    proptest! {
        /// Compares with a model that keeps every record: the prefix passes no unsettled record, and is as long as possible.
        #[test]
        fn is_the_longest_settled_prefix(
            steps in prop::collection::vec((0_u8..4, 1_i64..4, 0_u64..6), 1..300),
        ) {
            let mut tracker = Tracker::default();
            let assignment = tracker.assign();
            let (mut offset, mut model) = (0, Vec::<(i64, Option<u64>)>::new());
            for (step, gap, batch_id) in steps {
                match step {
                    0 | 1 => {
                        tracker.delivered(assignment, offset, None, BatchId(batch_id));
                        model.push((offset, Some(batch_id)));
                        offset += gap;
                    }
                    2 => {
                        tracker.delivered_settled(assignment, offset, None);
                        model.push((offset, None));
                        offset += gap;
                    }
                    _ => {
                        tracker.settle(assignment, BatchId(batch_id));
                        for record in model.iter_mut().filter(|record| record.1 == Some(batch_id)) {
                            record.1 = None;
                        }
                    }
                }
                let prefix = model.iter().take_while(|record| record.1.is_none()).last();
                prop_assert_eq!(tracker.settled(assignment).map(NextOffset::get), prefix.map(|record| record.0 + 1));
            }
        }
    }
}
