//! Scans a record's JSON without a mapping.

use super::records::{Kind, Shape};
use super::{BATCH, one_of};
use divan::Bencher;
use mapping::decode::{Scanner, SyntaxError};

#[divan::bench(args = Kind::ALL, sample_size = BATCH as u32)]
fn scan(bencher: Bencher<'_, '_>, kind: Kind) {
    let records = kind.records(Shape::Known);
    let (items, bytes) = one_of(&records);
    let mut next = records.iter().cycle();
    bencher.counter(items).counter(bytes).bench_local(|| pass_over(next.next().unwrap()).unwrap());
}

fn pass_over(record: &[u8]) -> Result<(), SyntaxError> {
    let mut scanner = Scanner::new(record);
    let token = scanner.value()?;
    scanner.skip_rest(token, 0)?;
    scanner.end()
}
