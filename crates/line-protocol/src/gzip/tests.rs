use super::*;
use fastrand::Rng;
use libdeflater::Decompressor;
use proptest::prelude::*;

fn gunzip(gzip: &[u8], length: usize) -> Vec<u8> {
    let mut plain = vec![0; length];
    let read = Decompressor::new().gzip_decompress(gzip, &mut plain).unwrap();
    assert_eq!(read, length);
    plain
}

/// The output of the own encoder, also for short bodies; none where it leaves the body to the library.
fn own(plain: &[u8]) -> Option<Bytes> {
    let packed = Gzip::new().own(plain)?;
    assert!(packed.len() <= plain.len() + plain.len() / 1_000 + 40, "{} of {}", packed.len(), plain.len());
    assert!(gunzip(&packed, plain.len()) == plain);
    Some(packed)
}

fn library(plain: &[u8]) -> usize {
    Gzip::new().by_library(plain).unwrap().len()
}

fn noise(length: usize) -> Vec<u8> {
    let mut rng = Rng::with_seed(7);
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}

fn lines(count: usize, line: impl Fn(&mut Rng, usize) -> String) -> Vec<u8> {
    let mut rng = Rng::with_seed(3);
    (0..count).map(|number| line(&mut rng, number)).collect::<String>().into_bytes()
}

/// Lines like an agent's: tags, short and long keys, numbers and a string.
fn metrics(count: usize) -> Vec<u8> {
    lines(count, |rng, number| {
        let (host, up, load) = (rng.u8(0..40), number * 10, rng.f64() * 9.0);
        let (received, free, used) = (rng.u32(..), rng.u64(0..1 << 40), rng.f64() * 100.0);
        format!(
            "net,host=server{host},region=대전\\ 1동 rx={received},bytes_free={free}i,bytes_free_percent={used:.2},\
             load1={load:.2},note=\"up {up} s\" {}\n",
            1_767_225_600_000_000_000 + number as u64 * 1_000_003
        )
    })
}

#[test]
fn reads_back_equal_whatever_came_before() {
    let mut gzip = Gzip::new();
    for length in [0, 1, 100, 70_000, 10, 300_000, 5] {
        for plain in [noise(length), b"cpu,host=a v=1 1\n".repeat(length / 17), metrics(length / 100)] {
            let packed = gzip.compress(&plain).unwrap();
            assert_eq!(gunzip(&packed, plain.len()), plain);
        }
    }
}

#[test]
fn parts_read_back_as_one_body() {
    let mut gzip = Gzip::new();
    let small = metrics(3);
    assert_eq!(gunzip(&gzip.compress_parts(small.chunks(1)).unwrap(), small.len()), small);
    for part in [5_000, 40_000, 300_000] {
        for plain in [
            Vec::new(),
            noise(100_000),
            metrics(8_000),
            b"now is the time for all good men to come ".repeat(3_000),
        ] {
            let packed = gzip.compress_parts(plain.chunks(part)).unwrap();
            assert_eq!(gunzip(&packed, plain.len()), plain, "{part}");
        }
    }
    let (plain, part) = (metrics(20_000), 256 << 10);
    let [whole, parts] =
        [gzip.compress(&plain), gzip.compress_parts(plain.chunks(part))].map(|body| body.unwrap().len());
    assert!(parts < whole * 102 / 100, "{parts} and {whole} bytes");
}

#[test]
fn reuses_its_buffer_unless_a_request_still_uses_it() {
    let mut gzip = Gzip::new();
    let first = gzip.compress(&[7; 10_000]).unwrap();
    let place = first.as_ptr();
    drop(first);
    let second = gzip.compress(&[8; 9_000]).unwrap();
    assert_eq!(second.as_ptr(), place);
    let third = gzip.compress(&[9; 8_000]).unwrap();
    assert_ne!(third.as_ptr(), place);
    assert_eq!(gunzip(&second, 9_000), [8; 9_000]);
}

#[test]
fn numbers_take_no_more_bytes_than_with_the_library() {
    let mut gzip = Gzip::new();
    for count in [100, 1_000, 10_000] {
        let plain = metrics(count);
        let packed = gzip.compress(&plain).unwrap();
        assert!(
            packed.len() * 100 < library(&plain) * 105,
            "{count}: {} > {}",
            packed.len(),
            library(&plain)
        );
        assert!(gzip.library.is_none());
    }
}

#[test]
fn words_and_short_bodies_go_to_the_library() {
    let words = include_str!("matches.rs").replace('\n', " ").replace('"', "");
    let words = format!("log,host=a text=\"{words}\" 1\n").repeat(3).into_bytes();
    let short = metrics(20);
    for plain in [&words, &short, &Vec::new()] {
        let mut gzip = Gzip::new();
        assert_eq!(gzip.compress(plain).unwrap().len(), library(plain));
        assert!(gzip.library.is_some());
    }
    assert!(own(&words).is_none());
}

/// Bodies at the limits of each step of the encoder.
#[test]
fn corner_cases_read_back_equal() {
    let f = |name: &str, plain: &[u8]| assert!(own(plain).is_some(), "{name}");
    f("empty", b"");
    f("a byte", b"1");
    f("a delimiter", b",");
    for length in 2..70 {
        f("short", &b",v=1,v=1,w=23,v=12345,v=12345 1767225600\n,v=12345,v=12346 1767225600\n"[..length]);
        f(
            "equal at its end",
            &[b",a=1,b=22,c=333,d=4444".as_slice(), &b",a=1,b=22,c=333,d=4444"[..length % 22]].concat(),
        );
    }
    for length in [255, 256, 257, 258, 259, 260, 516, 517, 600, 32_768, 32_769, 65_535, 65_536, 200_000] {
        f("commas", &vec![b','; length]);
        f("digits", &vec![b'1'; length]);
        f("zeros", &vec![0; length]);
        f("noise", &noise(length));
        // A repeat of exactly this length, and one byte longer.
        let repeat = [b"," as &[u8], &b"0123456789".repeat(length / 10), b"\n"].concat();
        f("long repeats", &[repeat.as_slice(), b"7", &repeat, b"8", &repeat].concat());
    }
    // Distances around the largest.
    for between in 32_740..32_780 {
        f(
            "far",
            &[b",key=12345678".as_slice(), &vec![b'0'; between - 13], b",key=12345678 0000000000000000"]
                .concat(),
        );
    }
    // Texts that end at the end of segments and blocks.
    let text = metrics(6_000);
    for end in [32 << 10, 512 << 10].iter().flat_map(|end| end - 20..end + 20) {
        f("segments", &text[..end]);
    }
}

#[test]
fn codes_follow_a_text_that_changes() {
    let f = |parts: &[&[u8]]| {
        let plain = parts.concat();
        let apart: usize = parts.iter().map(|part| own(part).unwrap().len()).sum();
        let packed = own(&plain).unwrap().len();
        assert!(packed < apart + apart / 20 + 2_000, "{packed} of {apart}");
    };
    let (numbers, noise) = (metrics(1_000), noise(100_000));
    let marks = lines(5_000, |rng, _| rng.char(':'..='?').to_string().repeat(rng.usize(1..9)) + "\n");
    f(&[&numbers, &noise, &numbers]);
    f(&[&noise, &numbers, &noise]);
    f(&[&numbers, &marks, &numbers, &marks]);
    f(&[&vec![b'0'; 40_000], &noise, &vec![b'0'; 600_000]]);
}

/// Text with patterns that are hard for encoders.
fn structured() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..400).prop_map(Part::Bytes),
        "[,= \n\"0-9a-c]{0,60}".prop_map(|text| Part::Bytes(text.into_bytes())),
        (any::<u8>(), 0..1_000_usize).prop_map(|(byte, length)| Part::Bytes(vec![byte; length])),
        (1..70_000_usize, 1..3_000_usize).prop_map(|(back, length)| Part::Again { back, length }),
        (0..200_usize).prop_map(|count| Part::Bytes(metrics(count))),
        (0..40_000_usize).prop_map(|length| Part::Bytes(noise(length))),
    ];
    proptest::collection::vec(part, 0..40).prop_map(|parts| {
        let mut text = Vec::new();
        for part in parts {
            match part {
                Part::Bytes(bytes) => text.extend(bytes),
                Part::Again { back, length } => {
                    for _ in 0..length {
                        let again = text.len().checked_sub(back).map_or(b',', |at| text[at]);
                        text.push(again);
                    }
                }
            }
        }
        text
    })
}

#[derive(Clone, Debug)]
enum Part {
    Bytes(Vec<u8>),
    Again { back: usize, length: usize },
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_text_reads_back_equal(text in structured()) {
        own(&text);
        let packed = Gzip::new().compress(&text).unwrap();
        assert!(gunzip(&packed, text.len()) == text);
    }
}
