//! Computes committable offsets: an iteration is a batch, delivered record by record and settled.

use super::{BATCH, PARTITIONS, RUN};
use divan::Bencher;
use divan::counter::ItemsCount;
use engine::offset_tracker::{BatchId, OffsetTracker};

#[divan::bench]
fn settle_batch(bencher: Bencher<'_, '_>) {
    let (mut tracker, mut batch_id, mut offset) = (OffsetTracker::default(), BatchId::first(), 0);
    let assignments: Vec<_> = (0..PARTITIONS).map(|_| tracker.assign()).collect();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for record in 0..BATCH {
            tracker.delivered(assignments[record / RUN % PARTITIONS], offset, Some(offset), batch_id);
            offset += 1;
        }
        for assignment in &assignments {
            tracker.settle(*assignment, batch_id);
        }
        batch_id = batch_id.next();
        let mut changed = 0;
        tracker.take_changed(|_, next, _| changed += next.get());
        changed
    });
}
