//! Any bytes read as CSV, with settings of the first byte, are rejected, or become JSON text of bounded length with one value a line.
//! Mapping them gives lines that read back, and mapping them again gives the same lines.

#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use mapping::{Csv, Format, Globs, Header, Rules};

fuzz_target!(|bytes: &[u8]| {
    let Some((settings, value)) = bytes.split_first() else { return };
    let header = match settings & 1 {
        0 => Header::FirstLine,
        _ => Header::Columns(vec!["a".to_owned(), String::new(), "b".to_owned()]),
    };
    let delimiter = b",;\t|"[usize::from(settings >> 1 & 3)];
    let csv = Csv { delimiter, comment: (settings & 8 != 0).then_some(b'#'), header };
    let globs = |pattern| Globs::compile(&[pattern]).expect("a glob");
    let format = if settings & 16 == 0 { Format::Csv } else { Format::Value };
    let rules = Rules { format, csv, tag_keys: globs("a*"), string_fields: globs("*"), strict: false, ..Rules::default() };
    if let Ok(json) = rules.to_json(value) {
        support::check_json_lines(&json);
    }
    support::check_lines(rules, value, 1_000_000);
});
