use super::*;
use proptest::prelude::*;

fn changed(tracker: &mut OffsetTracker) -> Vec<i64> {
    let mut changed = Vec::new();
    tracker.take_changed(|_, next, _| changed.push(next.get()));
    changed
}

#[test]
fn follows_the_order_of_delivery_to_smaller_offsets() {
    let (mut tracker, one) = (OffsetTracker::default(), BatchId::first());
    let (two, assignment) = (one.next(), tracker.assign());
    let changed = |tracker: &mut OffsetTracker| {
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
    let (mut tracker, one) = (OffsetTracker::default(), BatchId::first());
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
    let (mut tracker, batch_id) = (OffsetTracker::default(), BatchId::first());
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
    let (mut tracker, one) = (OffsetTracker::default(), BatchId::first());
    let (two, assignment) = (one.next(), tracker.assign());
    let f = |tracker: &OffsetTracker, open_ns: Option<i64>, settled_ns: Option<i64>| {
        assert_eq!(
            tracker.times().map(|(_, times)| times).last(),
            Some(PartitionTimes { open_ns, settled_ns, undecided: 0 })
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
    let (mut tracker, batch_id) = (OffsetTracker::default(), BatchId::first());
    let assignment = tracker.assign();
    let times = |tracker: &OffsetTracker| tracker.times().map(|(_, times)| times).last().unwrap();
    tracker.delivered_undecided(assignment, 3, Some(1_000));
    tracker.delivered_undecided(assignment, 5, Some(2_000));
    tracker.delivered_settled(assignment, 6, Some(3_000));
    assert_eq!(changed(&mut tracker), [0_i64; 0]);
    assert!(!tracker.waits_for_batch(assignment), "a revocation need not wait for them");
    assert_eq!(tracker.undecided(assignment), 2);
    assert_eq!(times(&tracker), PartitionTimes { open_ns: None, settled_ns: None, undecided: 2 });
    let unsettled = tracker.unsettled(assignment).unwrap();
    assert_eq!((unsettled.from.get(), unsettled.to.get()), (3, 7));
    tracker.settle_undecided(assignment);
    tracker.delivered(assignment, 7, None, batch_id);
    assert_eq!(changed(&mut tracker), [7]);
    assert_eq!((tracker.undecided(assignment), tracker.unsettled(assignment).unwrap().from.get()), (0, 7));
    tracker.settle(assignment, batch_id);
    assert_eq!(changed(&mut tracker), [8]);
}

#[test]
fn undecided_records_of_a_blocked_topic_are_read_again() {
    let mut tracker = OffsetTracker::default();
    let before = tracker.assign();
    tracker.delivered_undecided(before, 0, Some(1_000));
    tracker.leave_unsettled(before, 1, Some(2_000));
    let times = tracker.times().map(|(_, times)| times).last().unwrap();
    assert_eq!(times, PartitionTimes { open_ns: Some(1_000), settled_ns: None, undecided: 1 });
    let unsettled = tracker.unsettled(before).unwrap();
    assert_eq!((unsettled.from.get(), unsettled.to.get()), (0, 2));
    let after = tracker.renew(before);
    tracker.settle_undecided(after);
    assert_eq!(changed(&mut tracker), [0_i64; 0]);
    assert_eq!((tracker.undecided(after), tracker.unsettled(after)), (0, None));
}

#[test]
fn an_earlier_assignment_commits_nothing() {
    let (mut tracker, batch_id) = (OffsetTracker::default(), BatchId::first());
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
    let mut tracker = OffsetTracker::default();
    let before = tracker.assign();
    tracker.revoke(before);
    tracker.delivered(before, 1, None, BatchId::first());
}

#[test]
fn a_renewed_assignment_keeps_the_prefix_and_the_range_to_read_again() {
    let (mut tracker, one) = (OffsetTracker::default(), BatchId::first());
    let (two, before) = (one.next(), tracker.assign());
    let unsettled = |tracker: &OffsetTracker, assignment| {
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
        let mut tracker = OffsetTracker::default();
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
