//! Maps a record's bytes to the bytes of its line.

use super::records::{Kind, Shape, record};
use super::{BATCH, one_of};
use divan::Bencher;
use line_protocol::LineBuffer;
use mapping::Mapper;

#[divan::bench(args = Shape::ALL, sample_size = BATCH as u32)]
fn ec2(bencher: Bencher<'_, '_>, shape: Shape) {
    map(bencher, Kind::Ec2, shape);
}

#[divan::bench(args = Shape::ALL, sample_size = BATCH as u32)]
fn wide(bencher: Bencher<'_, '_>, shape: Shape) {
    map(bencher, Kind::Wide, shape);
}

#[divan::bench(args = Kind::ALL, sample_size = BATCH as u32)]
fn in_lists(bencher: Bencher<'_, '_>, kind: Kind) {
    let (mapper, records) = kind.in_lists(false);
    map_records(bencher, mapper, &records);
}

#[divan::bench(args = Kind::ALL, sample_size = BATCH as u32)]
fn in_lists_with_outer_tags(bencher: Bencher<'_, '_>, kind: Kind) {
    let (mapper, records) = kind.in_lists(true);
    map_records(bencher, mapper, &records);
}

#[divan::bench(args = Kind::ALL, sample_size = BATCH as u32)]
fn msgpack(bencher: Bencher<'_, '_>, kind: Kind) {
    let (mapper, records) = kind.msgpack();
    map_records(bencher, mapper, &records);
}

#[divan::bench(args = Kind::ALL, sample_size = BATCH as u32)]
fn cbor(bencher: Bencher<'_, '_>, kind: Kind) {
    let (mapper, records) = kind.cbor();
    map_records(bencher, mapper, &records);
}

#[divan::bench(args = Kind::ALL, sample_size = BATCH as u32)]
fn avro(bencher: Bencher<'_, '_>, kind: Kind) {
    let (mapper, records) = kind.avro();
    map_records(bencher, mapper, &records);
}

#[divan::bench(args = Kind::ALL, sample_size = BATCH as u32)]
fn influx_copied(bencher: Bencher<'_, '_>, kind: Kind) {
    let (mapper, records) = kind.influx("");
    map_records(bencher, mapper, &records);
}

#[divan::bench(args = Kind::ALL, sample_size = BATCH as u32)]
fn influx_with_a_tag(bencher: Bencher<'_, '_>, kind: Kind) {
    let (mapper, records) = kind.influx("tags = { zone = \"z\" }");
    map_records(bencher, mapper, &records);
}

#[divan::bench(args = Kind::ALL, sample_size = BATCH as u32)]
fn influx_rewritten(bencher: Bencher<'_, '_>, kind: Kind) {
    let (mapper, records) = kind.influx("exclude = [\"none\"]");
    map_records(bencher, mapper, &records);
}

#[divan::bench(args = Kind::ALL, sample_size = BATCH as u32)]
fn protobuf(bencher: Bencher<'_, '_>, kind: Kind) {
    let (mapper, records) = kind.protobuf();
    map_records(bencher, mapper, &records);
}

fn map(bencher: Bencher<'_, '_>, kind: Kind, shape: Shape) {
    map_records(bencher, kind.mapper(), &kind.records(shape));
}

fn map_records(bencher: Bencher<'_, '_>, mut mapper: Mapper, records: &[Vec<u8>]) {
    let mut lines = LineBuffer::default();
    let (empty, mut next) = (lines.mark(), records.iter().enumerate().cycle());
    let mut one = || {
        if lines.lines() == BATCH {
            lines.truncate(empty);
        }
        let (offset, value) = next.next().unwrap();
        let became = mapper.map(&record(offset, value), &mut lines);
        assert_eq!(became.lines, 1);
    };
    // Before measuring, keys and shapes are learned, and the buffer has its final size.
    (0..BATCH * 2).for_each(|_| one());
    let (items, bytes) = one_of(records);
    bencher.counter(items).counter(bytes).bench_local(one);
}
