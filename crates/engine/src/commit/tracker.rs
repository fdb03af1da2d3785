//! The settled prefix of each partition, in the order of delivery.
//!
//! Offsets have gaps (compaction, transactions), so nothing is derived from counting: a record's turn comes by the
//! order in which it was delivered. Records that are settled at once ride on the batch before them.

use base::NextOffset;
use std::collections::{BTreeMap, VecDeque};

/// One uninterrupted possession of a partition. Another assignment of the same partition is another assignment, so what
/// was taken in an earlier one can't commit anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AssignmentId(u64);

/// What settles together: one batch.
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

/// The partitions assigned, each with its prefix.
#[derive(Debug, Default)]
pub struct Tracker {
    next_assignment: u64,
    partitions: BTreeMap<AssignmentId, Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    /// Delivered and not part of the prefix. Bounded by the batches that are open or in flight.
    spans: VecDeque<Span>,
    settled: Option<NextOffset>,
    /// When the last of the prefix was made, as far as Kafka says.
    settled_ns: Option<i64>,
    /// When the first record was made that was let go, to be read again later.
    left_unsettled_ns: Option<i64>,
    /// Whether `settled` was not handed out yet.
    changed: bool,
    /// What was handed out last.
    handed: Option<NextOffset>,
    /// From the first to behind the last of those that were taken and let go.
    leave_unsettled: Option<Unsettled>,
}

/// Records that were taken and are not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// The first of them.
    pub from: NextOffset,
    /// Behind the last one.
    pub to: NextOffset,
}

impl Unsettled {
    /// How many offsets that are. None where they went back, as those of a topic that was created again.
    pub fn count(self) -> u64 {
        u64::try_from(self.to.get() - self.from.get()).unwrap_or(0)
    }
}

/// Records delivered one after another that settle together.
#[derive(Debug)]
struct Span {
    batch_id: BatchId,
    settled: bool,
    /// The first record's own.
    first: NextOffset,
    next_offset: NextOffset,
    /// When its first and its last record were made, in nanoseconds since 1970.
    first_ns: Option<i64>,
    last_ns: Option<i64>,
}

/// When records of a partition were made, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The oldest that was delivered and is not part of the prefix.
    pub open_ns: Option<i64>,
    /// The last of the prefix.
    pub settled_ns: Option<i64>,
}

impl Tracker {
    /// Begins a assignment.
    pub fn assign(&mut self) -> AssignmentId {
        let assignment = AssignmentId(self.next_assignment);
        self.next_assignment += 1;
        self.partitions.insert(assignment, Partition::default());
        assignment
    }

    /// Ends a assignment: what is still open in it is never settled here. Returns the end of its prefix.
    pub fn revoke(&mut self, assignment: AssignmentId) -> Option<NextOffset> {
        self.partitions.remove(&assignment)?.settled
    }

    /// A record was delivered and waits for `batch_id`.
    pub fn delivered(
        &mut self,
        assignment: AssignmentId,
        offset: i64,
        time_ns: Option<i64>,
        batch_id: BatchId,
    ) {
        let partition = self.assigned(assignment);
        let next_offset = NextOffset::after(offset);
        match partition.spans.back_mut() {
            Some(span) if span.batch_id == batch_id && !span.settled => span.go_on(next_offset, time_ns),
            _ => {
                let (first, first_ns, last_ns) = (NextOffset::at(offset), time_ns, time_ns);
                let span = Span { batch_id, settled: false, first, next_offset, first_ns, last_ns };
                partition.spans.push_back(span);
            }
        }
    }

    /// A record was delivered and is settled already: filtered, or rejected and accounted for.
    pub fn delivered_settled(&mut self, assignment: AssignmentId, offset: i64, time_ns: Option<i64>) {
        let partition = self.assigned(assignment);
        let next_offset = NextOffset::after(offset);
        // It can't pass those before it in any case, so it becomes part of the last of them.
        match partition.spans.back_mut() {
            Some(span) => span.go_on(next_offset, time_ns),
            None => partition.set_settled(next_offset, time_ns),
        }
    }

    /// A record was taken and is settled by nobody here: it has to be read again, as all that follow it in this assignment.
    pub fn leave_unsettled(&mut self, assignment: AssignmentId, offset: i64, time_ns: Option<i64>) {
        let partition = self.assigned(assignment);
        partition.left_unsettled_ns = partition.left_unsettled_ns.or(time_ns);
        let (from, to) = (NextOffset::at(offset), NextOffset::after(offset));
        partition.leave_unsettled.get_or_insert(Unsettled { from, to }).to = to;
    }

    /// What was taken in this assignment and is not settled.
    pub fn unsettled(&self, assignment: AssignmentId) -> Option<Unsettled> {
        let partition = self.partitions.get(&assignment)?;
        let span = |span: &Span| Unsettled { from: span.first, to: span.next_offset };
        // What was let go came after all others.
        let first = partition.spans.front().map(span).or(partition.leave_unsettled)?;
        let last = partition.leave_unsettled.or(partition.spans.back().map(span)).unwrap_or(first);
        Some(Unsettled { from: first.from, to: last.to })
    }

    /// Begins another assignment in the place of this one, with its prefix. What is open in it is never settled here.
    pub fn renew(&mut self, assignment: AssignmentId) -> AssignmentId {
        let before = std::mem::take(self.assigned(assignment));
        self.partitions.remove(&assignment);
        let renewed = self.assign();
        let partition =
            Partition { spans: VecDeque::new(), leave_unsettled: None, left_unsettled_ns: None, ..before };
        self.partitions.insert(renewed, partition);
        renewed
    }

    /// A record is routed by a assignment only while its partition is assigned. One that nobody noted could be passed by the next commit.
    fn assigned(&mut self, assignment: AssignmentId) -> &mut Partition {
        match self.partitions.get_mut(&assignment) {
            Some(partition) => partition,
            #[expect(
                clippy::panic,
                reason = "a fact of our own routing; the next process reads again from the committed offset"
            )]
            None => panic!("{assignment:?} is routed and not assigned"),
        }
    }

    /// All records of `batch_id` in this assignment are settled.
    pub fn settle(&mut self, assignment: AssignmentId, batch_id: BatchId) {
        // A batch may come back after its partition was given up: that is settled by the next owner.
        let Some(partition) = self.partitions.get_mut(&assignment) else { return };
        for span in partition.spans.iter_mut().filter(|span| span.batch_id == batch_id) {
            span.settled = true;
        }
        while let Some(span) = partition.spans.pop_front_if(|span| span.settled) {
            partition.set_settled(span.next_offset, span.last_ns);
        }
    }

    /// Whether everything delivered in this assignment is settled.
    pub fn is_settled(&self, assignment: AssignmentId) -> bool {
        self.partitions.get(&assignment).is_none_or(|partition| partition.spans.is_empty())
    }

    /// Of all partitions assigned.
    pub fn times(&self) -> impl Iterator<Item = (AssignmentId, Times)> + '_ {
        self.partitions.iter().map(|(assignment, partition)| (*assignment, partition.times()))
    }

    /// Hands out the prefixes that grew since the last time, and whether they went back nevertheless: where a topic is
    /// created again, or loses its last records, later ones have smaller offsets.
    pub fn take_changed(&mut self, mut each: impl FnMut(AssignmentId, NextOffset, bool)) {
        for (&assignment, partition) in &mut self.partitions {
            if let Some(next_offset) = partition.settled
                && std::mem::take(&mut partition.changed)
            {
                let before = partition.handed.replace(next_offset);
                each(assignment, next_offset, before.is_some_and(|before| next_offset < before));
            }
        }
    }
}

impl Span {
    fn go_on(&mut self, next_offset: NextOffset, time_ns: Option<i64>) {
        self.next_offset = next_offset;
        self.last_ns = time_ns.or(self.last_ns);
    }
}

impl Partition {
    fn times(&self) -> Times {
        let open_ns = self.spans.front().map_or(self.left_unsettled_ns, |span| span.first_ns);
        Times { open_ns, settled_ns: self.settled_ns }
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
    fn follows_the_order_of_delivery_back() {
        let (mut tracker, one) = (Tracker::default(), BatchId::first());
        let (two, assignment) = (one.next(), tracker.assign());
        let changed = |tracker: &mut Tracker| {
            let mut changed = Vec::new();
            tracker.take_changed(|_, next, back| changed.push((next.get(), back)));
            changed
        };
        tracker.delivered(assignment, 100, None, one);
        // The topic is created again: what comes now is of a new one.
        tracker.delivered(assignment, 0, None, two);
        tracker.delivered_settled(assignment, 1, None);
        tracker.settle(assignment, one);
        assert_eq!(changed(&mut tracker), [(101, false)]);
        tracker.settle(assignment, two);
        assert_eq!(changed(&mut tracker), [(2, true)]);
        tracker.delivered_settled(assignment, 2, None);
        assert_eq!(changed(&mut tracker), [(3, false)]);
        // Both in one batch.
        tracker.delivered(assignment, 50, None, two.next());
        tracker.delivered(assignment, 0, None, two.next());
        tracker.settle(assignment, two.next());
        assert_eq!(changed(&mut tracker), [(1, true)]);
    }

    #[test]
    fn waits_for_what_was_delivered_before() {
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
        assert!(tracker.is_settled(assignment));
    }

    #[test]
    fn records_settled_at_once_ride_on_those_before() {
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
    fn knows_how_old_the_oldest_open_record_is() {
        let (mut tracker, one) = (Tracker::default(), BatchId::first());
        let (two, assignment) = (one.next(), tracker.assign());
        let f = |tracker: &Tracker, open_ns: Option<i64>, settled_ns: Option<i64>| {
            assert_eq!(tracker.times().map(|(_, times)| times).last(), Some(Times { open_ns, settled_ns }));
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
        // The topic holds: what is open is settled, what follows waits.
        tracker.leave_unsettled(assignment, 5, Some(5_000));
        tracker.leave_unsettled(assignment, 6, Some(6_000));
        f(&tracker, Some(3_000), Some(1_000));
        tracker.settle(assignment, two);
        f(&tracker, Some(5_000), Some(4_000));
        tracker.revoke(assignment);
        assert_eq!(tracker.times().count(), 0);
    }

    #[test]
    fn an_earlier_tenure_commits_nothing() {
        let (mut tracker, batch_id) = (Tracker::default(), BatchId::first());
        let before = tracker.assign();
        tracker.delivered(before, 1, None, batch_id);
        assert_eq!(tracker.revoke(before), None);
        let after = tracker.assign();
        tracker.settle(before, batch_id);
        assert_eq!(changed(&mut tracker), [0_i64; 0]);
        assert!(tracker.is_settled(after));
    }

    #[test]
    #[should_panic(expected = "is routed and not assigned")]
    fn a_record_that_nobody_could_note_is_a_bug() {
        let mut tracker = Tracker::default();
        let before = tracker.assign();
        tracker.revoke(before);
        tracker.delivered(before, 1, None, BatchId::first());
    }

    #[test]
    fn a_renewed_tenure_keeps_the_prefix_and_says_what_has_to_be_read_again() {
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
        assert!(tracker.is_settled(after));
        assert_eq!((unsettled(&tracker, after), changed(&mut tracker)), (None, vec![]));
        assert_eq!(tracker.revoke(after), Some(NextOffset::after(4)));
    }

    proptest! {
        /// Against a model that remembers every record: the prefix never passes an open one, and reaches the last settled.
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
