//! Proposals for values that their producer compressed.

use super::{sample, table};
use crate::compress::{zlib, zstd};

const MSGPACK: &[u8] = b"\x82\xA1v\x01\xA1w\x02";
const CBOR: &[u8] = b"\xA2\x61v\x01\x61w\x02";
const LINE: &[u8] = b"m v=1 1767225600000000000";
const CSV: &[u8] = b"v,w\n1,2\n";
const JSON: &[u8] = br#"{"v":1,"w":2}"#;

/// A raw block of Snappy with one literal.
fn snappy(text: &[u8]) -> Vec<u8> {
    let length = text.len() as u8;
    assert!(length <= 60, "a longer literal has another layout");
    [&[length, (length - 1) << 2], text].concat()
}

#[test]
fn names_the_compression_that_is_not_recognized_by_itself() {
    let f = |pack: fn(&[u8]) -> Vec<u8>, values: &[&[u8]], want: &[&str]| {
        let lines = table(&sample(values.iter().map(|value| pack(value))));
        let keys: Vec<&str> = lines.lines().filter(|line| !line.starts_with(['#', '['])).collect();
        assert_eq!(keys, want, "{lines}");
    };
    f(zstd, &[MSGPACK; 3], &[r#"format = "msgpack""#, r#"value_compression = "zstd""#]);
    f(zlib, &[MSGPACK; 3], &[r#"format = "msgpack""#, r#"value_compression = "zlib""#]);
    f(snappy, &[CBOR; 3], &[r#"format = "cbor""#, r#"value_compression = "snappy""#]);
    f(snappy, &[JSON; 3], &[r#"value_compression = "snappy""#]);
    f(zlib, &[LINE; 3], &[r#"format = "influx""#, r#"value_compression = "zlib""#]);
    f(zlib, &[CSV; 3], &[r#"format = "csv""#, r#"value_compression = "zlib""#]);
    for pack in [zstd, zlib] {
        f(pack, &[JSON; 3], &[]);
    }
    f(zstd, &[CSV; 3], &[r#"format = "csv""#]);
}
