//! Which offsets may be committed: an iteration is a batch, delivered record by record and settled.

use super::{BATCH, PARTITIONS, RUN};
use divan::Bencher;
use divan::counter::ItemsCount;
use engine::commit::{Ticket, Tracker};

#[divan::bench]
fn settle_batch(bencher: Bencher<'_, '_>) {
    let (mut tracker, mut ticket, mut offset) = (Tracker::default(), Ticket::first(), 0);
    let tenures: Vec<_> = (0..PARTITIONS).map(|_| tracker.assign()).collect();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for record in 0..BATCH {
            tracker.delivered(tenures[record / RUN % PARTITIONS], offset, Some(offset), ticket);
            offset += 1;
        }
        for tenure in &tenures {
            tracker.settle(*tenure, ticket);
        }
        ticket = ticket.next();
        let mut changed = 0;
        tracker.take_changed(|_, next, _| changed += next.get());
        changed
    });
}
