//! The settled prefix of each partition, in the order of delivery.
//!
//! Offsets have gaps (compaction, transactions), so nothing is derived from counting: a record's turn comes by the
//! order in which it was delivered. Records that are settled at once ride on the batch before them.

use super::NextOffset;
use std::collections::{BTreeMap, VecDeque};

/// One uninterrupted possession of a partition. Another assignment of the same partition is another tenure, so what
/// was taken in an earlier one can't commit anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenure(u64);

/// What settles together: one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ticket {
    pub fn first() -> Self {
        Self(0)
    }

    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The partitions held, each with its prefix.
#[derive(Debug, Default)]
pub struct Tracker {
    next_tenure: u64,
    partitions: BTreeMap<Tenure, Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    /// Delivered and not part of the prefix. Bounded by the batches that are open or in flight.
    spans: VecDeque<Span>,
    settled: Option<NextOffset>,
    /// Whether `settled` was not handed out yet.
    changed: bool,
    /// What was handed out last.
    handed: Option<NextOffset>,
    /// From the first to behind the last of those that were taken and let go.
    let_go: Option<Unsettled>,
}

/// Records that were taken and are not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// The first of them.
    pub from: NextOffset,
    /// Behind the last one.
    pub to: NextOffset,
}

/// Records delivered one after another that settle together.
#[derive(Debug)]
struct Span {
    ticket: Ticket,
    settled: bool,
    /// The first record's own.
    first: NextOffset,
    next_offset: NextOffset,
}

impl Tracker {
    /// Begins a tenure.
    pub fn assign(&mut self) -> Tenure {
        let tenure = Tenure(self.next_tenure);
        self.next_tenure += 1;
        self.partitions.insert(tenure, Partition::default());
        tenure
    }

    /// Ends a tenure: what is still open in it is never settled here. Returns the end of its prefix.
    pub fn revoke(&mut self, tenure: Tenure) -> Option<NextOffset> {
        self.partitions.remove(&tenure)?.settled
    }

    /// A record was delivered and waits for `ticket`.
    pub fn delivered(&mut self, tenure: Tenure, offset: i64, ticket: Ticket) {
        let Some(partition) = self.partitions.get_mut(&tenure) else { return };
        let next_offset = NextOffset::after(offset);
        match partition.spans.back_mut() {
            Some(span) if span.ticket == ticket && !span.settled => span.next_offset = next_offset,
            _ => {
                let first = NextOffset::at(offset);
                partition.spans.push_back(Span { ticket, settled: false, first, next_offset });
            }
        }
    }

    /// A record was delivered and is settled already: filtered, or rejected and accounted for.
    pub fn delivered_settled(&mut self, tenure: Tenure, offset: i64) {
        let Some(partition) = self.partitions.get_mut(&tenure) else { return };
        let next_offset = NextOffset::after(offset);
        // It can't pass those before it in any case, so it becomes part of the last of them.
        match partition.spans.back_mut() {
            Some(span) => span.next_offset = next_offset,
            None => partition.set_settled(next_offset),
        }
    }

    /// A record was taken and is settled by nobody here: it has to be read again.
    pub fn let_go(&mut self, tenure: Tenure, offset: i64) {
        let Some(partition) = self.partitions.get_mut(&tenure) else { return };
        let (from, to) = (NextOffset::at(offset), NextOffset::after(offset));
        partition.let_go.get_or_insert(Unsettled { from, to }).to = to;
    }

    /// What was taken in this tenure and is not settled.
    pub fn unsettled(&self, tenure: Tenure) -> Option<Unsettled> {
        let partition = self.partitions.get(&tenure)?;
        let span = |span: &Span| Unsettled { from: span.first, to: span.next_offset };
        // What was let go came after all others.
        let first = partition.spans.front().map(span).or(partition.let_go)?;
        let last = partition.let_go.or(partition.spans.back().map(span)).unwrap_or(first);
        Some(Unsettled { from: first.from, to: last.to })
    }

    /// Begins another tenure in the place of this one, with its prefix. What is open in it is never settled here.
    pub fn renew(&mut self, tenure: Tenure) -> Tenure {
        let before = self.partitions.remove(&tenure).unwrap_or_default();
        let renewed = self.assign();
        let partition = Partition { spans: VecDeque::new(), let_go: None, ..before };
        self.partitions.insert(renewed, partition);
        renewed
    }

    /// All records of `ticket` in this tenure are settled.
    pub fn settle(&mut self, tenure: Tenure, ticket: Ticket) {
        let Some(partition) = self.partitions.get_mut(&tenure) else { return };
        for span in partition.spans.iter_mut().filter(|span| span.ticket == ticket) {
            span.settled = true;
        }
        while let Some(span) = partition.spans.pop_front_if(|span| span.settled) {
            partition.set_settled(span.next_offset);
        }
    }

    /// Whether everything delivered in this tenure is settled.
    pub fn is_settled(&self, tenure: Tenure) -> bool {
        self.partitions.get(&tenure).is_none_or(|partition| partition.spans.is_empty())
    }

    /// Hands out the prefixes that grew since the last time, and whether they went back nevertheless: where a topic is
    /// created again, or loses its last records, later ones have smaller offsets.
    pub fn take_changed(&mut self, mut each: impl FnMut(Tenure, NextOffset, bool)) {
        for (&tenure, partition) in &mut self.partitions {
            if let Some(next_offset) = partition.settled
                && std::mem::take(&mut partition.changed)
            {
                let before = partition.handed.replace(next_offset);
                each(tenure, next_offset, before.is_some_and(|before| next_offset < before));
            }
        }
    }
}

impl Partition {
    fn set_settled(&mut self, next_offset: NextOffset) {
        self.settled = Some(next_offset);
        self.changed = true;
    }
}

#[cfg(test)]
impl Tracker {
    /// The end of the settled prefix.
    pub fn settled(&self, tenure: Tenure) -> Option<NextOffset> {
        self.partitions.get(&tenure)?.settled
    }
}

#[cfg(test)]
impl Tenure {
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
        let (mut tracker, one) = (Tracker::default(), Ticket::first());
        let (two, tenure) = (one.next(), tracker.assign());
        let changed = |tracker: &mut Tracker| {
            let mut changed = Vec::new();
            tracker.take_changed(|_, next, back| changed.push((next.get(), back)));
            changed
        };
        tracker.delivered(tenure, 100, one);
        // The topic is created again: what comes now is of a new one.
        tracker.delivered(tenure, 0, two);
        tracker.delivered_settled(tenure, 1);
        tracker.settle(tenure, one);
        assert_eq!(changed(&mut tracker), [(101, false)]);
        tracker.settle(tenure, two);
        assert_eq!(changed(&mut tracker), [(2, true)]);
        tracker.delivered_settled(tenure, 2);
        assert_eq!(changed(&mut tracker), [(3, false)]);
        // Both in one batch.
        tracker.delivered(tenure, 50, two.next());
        tracker.delivered(tenure, 0, two.next());
        tracker.settle(tenure, two.next());
        assert_eq!(changed(&mut tracker), [(1, true)]);
    }

    #[test]
    fn waits_for_what_was_delivered_before() {
        let (mut tracker, one) = (Tracker::default(), Ticket::first());
        let (two, tenure) = (one.next(), tracker.assign());
        tracker.delivered(tenure, 10, one);
        tracker.delivered(tenure, 11, one);
        tracker.delivered(tenure, 15, two);
        tracker.settle(tenure, two);
        assert_eq!(changed(&mut tracker), [0_i64; 0]);
        tracker.settle(tenure, one);
        assert_eq!(changed(&mut tracker), [16]);
        assert_eq!(changed(&mut tracker), [0_i64; 0]);
        assert!(tracker.is_settled(tenure));
    }

    #[test]
    fn records_settled_at_once_ride_on_those_before() {
        let (mut tracker, ticket) = (Tracker::default(), Ticket::first());
        let tenure = tracker.assign();
        tracker.delivered_settled(tenure, 4);
        assert_eq!(changed(&mut tracker), [5]);
        tracker.delivered(tenure, 5, ticket);
        tracker.delivered_settled(tenure, 6);
        tracker.delivered(tenure, 7, ticket);
        assert_eq!(changed(&mut tracker), [0_i64; 0]);
        tracker.settle(tenure, ticket);
        assert_eq!(changed(&mut tracker), [8]);
    }

    #[test]
    fn an_earlier_tenure_commits_nothing() {
        let (mut tracker, ticket) = (Tracker::default(), Ticket::first());
        let before = tracker.assign();
        tracker.delivered(before, 1, ticket);
        assert_eq!(tracker.revoke(before), None);
        let after = tracker.assign();
        tracker.settle(before, ticket);
        tracker.delivered_settled(before, 2);
        assert_eq!(changed(&mut tracker), [0_i64; 0]);
        assert!(tracker.is_settled(after));
    }

    #[test]
    fn a_renewed_tenure_keeps_the_prefix_and_says_what_has_to_be_read_again() {
        let (mut tracker, one) = (Tracker::default(), Ticket::first());
        let (two, before) = (one.next(), tracker.assign());
        let unsettled = |tracker: &Tracker, tenure| {
            tracker.unsettled(tenure).map(|unsettled| (unsettled.from.get(), unsettled.to.get()))
        };
        assert_eq!(unsettled(&tracker, before), None);
        tracker.let_go(before, 3);
        assert_eq!(unsettled(&tracker, before), Some((3, 4)));
        let before = tracker.renew(before);
        tracker.delivered(before, 4, one);
        tracker.delivered(before, 7, two);
        tracker.delivered_settled(before, 9);
        assert_eq!(unsettled(&tracker, before), Some((4, 10)));
        tracker.settle(before, one);
        assert_eq!((unsettled(&tracker, before), changed(&mut tracker)), (Some((7, 10)), vec![5]));
        tracker.let_go(before, 12);
        tracker.let_go(before, 15);
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
            let tenure = tracker.assign();
            let (mut offset, mut model) = (0, Vec::<(i64, Option<u64>)>::new());
            for (step, gap, ticket) in steps {
                match step {
                    0 | 1 => {
                        tracker.delivered(tenure, offset, Ticket(ticket));
                        model.push((offset, Some(ticket)));
                        offset += gap;
                    }
                    2 => {
                        tracker.delivered_settled(tenure, offset);
                        model.push((offset, None));
                        offset += gap;
                    }
                    _ => {
                        tracker.settle(tenure, Ticket(ticket));
                        for record in model.iter_mut().filter(|record| record.1 == Some(ticket)) {
                            record.1 = None;
                        }
                    }
                }
                let prefix = model.iter().take_while(|record| record.1.is_none()).last();
                prop_assert_eq!(tracker.settled(tenure).map(NextOffset::get), prefix.map(|record| record.0 + 1));
            }
        }
    }
}
