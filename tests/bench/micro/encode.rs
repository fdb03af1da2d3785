//! Escapes names (such as tag values) and strings, with and without special characters.

use super::one_of;
use divan::{Bencher, black_box};
use fastrand::Rng;
use line_protocol::encode;

/// The kind of text.
const TEXTS: [&str; 3] = ["letters", "letters and spaces", "letters and specials"];

#[divan::bench(args = TEXTS)]
fn name(bencher: Bencher<'_, '_>, of: &str) {
    escape(bencher, of, |text, out| {
        black_box(encode::push_key(text, out));
    });
}

#[divan::bench(args = TEXTS)]
fn string(bencher: Bencher<'_, '_>, of: &str) {
    escape(bencher, of, encode::push_string);
}

fn escape(bencher: Bencher<'_, '_>, of: &str, push: impl Fn(&[u8], &mut Vec<u8>)) {
    let texts = texts(of);
    let (items, bytes) = one_of(&texts);
    let (mut next, mut out) = (texts.iter().cycle(), Vec::with_capacity(1_000));
    bencher.counter(items).counter(bytes).bench_local(|| {
        out.clear();
        push(next.next().unwrap(), &mut out);
        black_box(&out);
    });
}

/// Texts of 16 bytes, an eighth of which are not letters.
fn texts(of: &str) -> Vec<Vec<u8>> {
    let mut rng = Rng::with_seed(3);
    let others = match of {
        "letters" => "a",
        "letters and spaces" => " ",
        _ => " ,=\"\\\n",
    };
    let mut byte = || match rng.u8(0..8) {
        0 => *rng.choice(others.as_bytes()).unwrap(),
        _ => rng.lowercase() as u8,
    };
    (0..1_000).map(|_| (0..16).map(|_| byte()).collect()).collect()
}
