//! Any bytes read as CBOR are rejected, or become JSON text of bounded length that the scanner accepts line by line. Mapping
//! them gives lines that read back.

#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use mapping::Format;

/// Most bytes of JSON text per byte of CBOR; a float of three bytes becomes up to 24 digits and signs.
const GROWTH_MAX: usize = 9;

fuzz_target!(|bytes: &[u8]| support::check_binary(Format::Cbor, bytes, GROWTH_MAX));
