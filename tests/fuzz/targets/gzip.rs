//! Any body reads back equal, also one that was packed in two texts, and doesn't grow by more than a thousandth.

#![no_main]

use libdeflater::Decompressor;
use libfuzzer_sys::fuzz_target;
use line_protocol::{Gzip, GzipFrame, PackedText, Packer};
use std::cell::RefCell;

const BYTES_MAX: usize = 300_000;

thread_local! {
    /// Reused for all inputs, as a lane reuses its own.
    static GZIP: RefCell<Gzip> = RefCell::new(Gzip::new());
    static PACKER: RefCell<Packer> = RefCell::new(Packer::new());
}

fuzz_target!(|program: &[u8]| {
    let plain = body(program);
    let packed = GZIP.with_borrow_mut(|gzip| gzip.compress(&plain)).expect("there was room");
    assert!(packed.len() <= plain.len() + plain.len() / 1_000 + 64, "{} of {}", packed.len(), plain.len());
    assert_is_gzip_of(&packed, &plain);
    let texts = PACKER.with_borrow_mut(|packer| {
        let (first, second) = plain.split_at(plain.len() / 3);
        [first, second].map(|text| packer.pack(text.chunks(1_000)))
    });
    assert!(texts.iter().flat_map(PackedText::unpack).eq(plain.iter().copied()), "another text was unpacked");
    let frame = GzipFrame::of(texts.iter().flat_map(|text| (0..text.chunks()).map(move |chunk| (text, chunk))));
    let chunks = texts.iter().flat_map(|text| (0..text.chunks()).flat_map(|chunk| text.gzip_chunk(chunk)));
    let body: Vec<u8> = GzipFrame::HEADER.iter().chain(chunks).chain(&frame.trailer).copied().collect();
    assert_eq!(body.len(), frame.bytes);
    assert!(body.len() <= plain.len() + plain.len() / 1_000 + 128, "{} of {}", body.len(), plain.len());
    assert_is_gzip_of(&body, &plain);
});

fn assert_is_gzip_of(packed: &[u8], plain: &[u8]) {
    let mut back = vec![0; plain.len()];
    let read = Decompressor::new().gzip_decompress(packed, &mut back).expect("it is gzip");
    assert_eq!(read, plain.len());
    assert!(back == plain, "another text came back");
}

/// Expands a short program to a long body of literal bytes, runs, far repeats and noise.
fn body(mut program: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(instruction) = take(&mut program) {
        let count = usize::from(instruction / 4);
        match instruction % 4 {
            0 => {
                let (bytes, rest) = program.split_at(count.min(program.len()));
                body.extend_from_slice(bytes);
                program = rest;
            }
            1 => {
                let byte = take(&mut program).unwrap_or(b',');
                body.extend(std::iter::repeat_n(byte, count * count));
            }
            2 => {
                let [high, low] = [take(&mut program), take(&mut program)].map(Option::unwrap_or_default);
                let back = usize::from(u16::from_be_bytes([high, low])) + 1;
                for _ in 0..count * 16 {
                    let again = body.len().checked_sub(back).map_or(b',', |at| body[at]);
                    body.push(again);
                }
            }
            _ => {
                let mut state = body.len() as u32;
                body.extend((0..count * 64).map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                }));
            }
        }
        if body.len() > BYTES_MAX {
            break;
        }
    }
    body
}

fn take(program: &mut &[u8]) -> Option<u8> {
    let (first, rest) = program.split_first()?;
    *program = rest;
    Some(*first)
}
