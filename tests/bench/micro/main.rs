//! The cost of each stage of a record's path: `cargo bench --bench micro`.
//!
//! If a stage takes single records, an iteration is a record, so times are per record; a sample is a batch.
//! Allocations are counted, too.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::format_push_string,
    reason = "a benchmark fails by panicking"
)]

mod collisions;
mod decode;
mod encode;
mod gzip;
mod map;
mod records;
mod tracker;

use divan::AllocProfiler;
use divan::counter::{BytesCount, ItemsCount};
use engine::batch::{Batch, Budget};
use engine::offset_tracker::{BatchId, OffsetTracker};
use records::{Kind, Shape, record};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// Lines of a batch while answers are fast.
const BATCH: usize = 5_000;
/// Consecutive records of one partition in a batch.
const RUN: usize = 250;
const PARTITIONS: usize = 6;

fn main() {
    divan::main();
}

/// A batch as closed by the data thread.
fn batch(kind: Kind) -> Batch {
    let (mut mapper, records) = (kind.mapper(), kind.records(Shape::Known));
    let (mut tracker, mut batch) =
        (OffsetTracker::default(), Batch::new(BatchId::first(), &Budget::new(usize::MAX)));
    let assignments: Vec<_> = (0..PARTITIONS).map(|_| tracker.assign()).collect();
    for (offset, value) in records.iter().cycle().take(BATCH).enumerate() {
        let became = mapper.map(&record(offset, value), &mut batch.lines);
        batch.push(assignments[offset / RUN % PARTITIONS], offset as i64, became.lines, Instant::now());
    }
    assert_eq!(batch.lines.lines(), BATCH);
    batch
}

/// One item and its average size.
fn one_of(items: &[Vec<u8>]) -> (ItemsCount, BytesCount) {
    let bytes: usize = items.iter().map(Vec::len).sum();
    (ItemsCount::new(1_u32), BytesCount::new(bytes / items.len()))
}
