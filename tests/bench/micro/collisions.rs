//! Counts points of a batch that overwrite others: an iteration is a batch.

use super::records::Kind;
use super::{BATCH, batch};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

#[divan::bench(args = Kind::ALL)]
fn count(bencher: Bencher<'_, '_>, kind: Kind) {
    let batch = batch(kind);
    bencher
        .counter(ItemsCount::new(BATCH))
        .counter(BytesCount::new(batch.lines.bytes()))
        .bench_local(|| batch.collisions().count);
}
