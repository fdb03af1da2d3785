//! Any options of a mapping with any record: see `random_mapping.rs`, whose check the hermetic tests run too.

#![no_main]

#[path = "../../support/random_mapping.rs"]
mod random_mapping;
#[path = "../../support/second_reader.rs"]
mod second_reader;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    random_mapping::check(input);
});
