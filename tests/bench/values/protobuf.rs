//! The records of the benchmarks as messages of `ec2.proto` and `wide.proto`.

use super::{Json, push_varint};

/// Fields that the schemas declare as integers.
const INTEGERS: [&str; 6] = ["write", "ts", "m0", "m2", "m4", "m6"];
const VARINT: u8 = 0;
const FIXED: u8 = 1;
const BYTES: u8 = 2;

impl Json {
    /// A message whose fields are numbered in the order of the members.
    pub fn protobuf(&self) -> Vec<u8> {
        let Self::Object(members) = self else { return Vec::new() };
        let mut out = Vec::new();
        for (number, (key, value)) in (1..).zip(members) {
            value.push_field(number, key, &mut out);
        }
        out
    }

    fn push_field(&self, number: u8, key: &str, out: &mut Vec<u8>) {
        let tag = |written: u8, out: &mut Vec<u8>| out.push(number << 3 | written);
        let delimited = |content: &[u8], out: &mut Vec<u8>| {
            push_varint(content.len() as u64, out);
            out.extend_from_slice(content);
        };
        match self {
            Self::Scalar(text) => match text.strip_prefix('"') {
                Some(quoted) => {
                    tag(BYTES, out);
                    delimited(quoted.trim_end_matches('"').as_bytes(), out);
                }
                None if INTEGERS.contains(&key) => {
                    tag(VARINT, out);
                    push_varint(text.parse().unwrap(), out);
                }
                None => {
                    tag(FIXED, out);
                    out.extend_from_slice(&text.parse::<f64>().unwrap().to_le_bytes());
                }
            },
            Self::Object(_) => {
                tag(BYTES, out);
                delimited(&self.protobuf(), out);
            }
            Self::Array(elements) => {
                for element in elements {
                    element.push_field(number, key, out);
                }
            }
        }
    }
}
