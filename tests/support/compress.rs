//! Compressed values of producers.

#![allow(dead_code, reason = "no test uses all of this")]

use libdeflater::{CompressionLvl, Compressor};

pub fn gzip(value: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut packed = vec![0; compressor.gzip_compress_bound(value.len())];
    let length = compressor.gzip_compress(value, &mut packed).unwrap();
    packed.truncate(length);
    packed
}

pub fn zlib(value: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut packed = vec![0; compressor.zlib_compress_bound(value.len())];
    let length = compressor.zlib_compress(value, &mut packed).unwrap();
    packed.truncate(length);
    packed
}

/// A frame of zstd (RFC 8878) with one raw block.
pub fn zstd(value: &[u8]) -> Vec<u8> {
    const SINGLE_SEGMENT: u8 = 0x20;
    let length = u8::try_from(value.len()).expect("a longer value has another header");
    let [low, middle, high, _] = (1 | u32::from(length) << 3).to_le_bytes();
    [&[0x28, 0xB5, 0x2F, 0xFD, SINGLE_SEGMENT, length, low, middle, high], value].concat()
}
