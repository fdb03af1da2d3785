//! A request's body, compressed: an iteration is a batch.

use super::records::Kind;
use super::{BATCH, batch};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use kafka_influx_bridge::influx::Gzip;

#[divan::bench(args = Kind::ALL)]
fn body(bencher: Bencher<'_, '_>, kind: Kind) {
    let (batch, mut gzip) = (batch(kind), Gzip::new());
    let plain = batch.lines.text();
    bencher
        .counter(ItemsCount::new(BATCH))
        .counter(BytesCount::new(plain.len()))
        .bench_local(|| gzip.compress(plain).unwrap().len());
}
