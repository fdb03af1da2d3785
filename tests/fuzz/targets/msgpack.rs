//! Any bytes read as MessagePack are rejected, or become JSON text of bounded length that the scanner accepts line by line. Mapping
//! them gives lines that read back.

#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use mapping::Format;

/// Most bytes of JSON text per byte of MessagePack: a control character becomes an escape of six bytes, and a `false` has a comma.
const GROWTH_MAX: usize = 8;

fuzz_target!(|bytes: &[u8]| support::check_binary(Format::Msgpack, bytes, GROWTH_MAX));
