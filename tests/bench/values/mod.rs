//! The records of the benchmarks as values, and each format in which they are written. All records of a kind have the same keys in the
//! same order.

#![allow(dead_code, reason = "no benchmark uses all of this")]

pub mod avro;
mod protobuf;

use mapping::decode::{Scanner, Token};

/// A record before it is formatted.
pub enum Json {
    /// The text of a number, or a string with its quotes.
    Scalar(String),
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
}

/// First bytes of values in a binary format.
pub struct Markers {
    /// Before eight bytes.
    integer: u8,
    double: u8,
    /// Before a length of one byte.
    text: &'static [u8],
    object: &'static [u8],
    array: &'static [u8],
}

pub const MSGPACK: Markers =
    Markers { integer: 0xCF, double: 0xCB, text: &[0xD9], object: &[0xDE, 0], array: &[0xDC, 0] };

pub const CBOR: Markers =
    Markers { integer: 0x1B, double: 0xFB, text: &[0x78], object: &[0xB8], array: &[0x98] };

impl Json {
    /// Reads JSON text whose scalars are numbers, and strings without escapes.
    pub fn read(text: &[u8]) -> Self {
        Self::value(&mut Scanner::new(text))
    }

    fn value(scanner: &mut Scanner<'_>) -> Self {
        match scanner.value().unwrap() {
            Token::Number(number) => Self::Scalar(String::from_utf8(number.text().to_vec()).unwrap()),
            Token::Text(text) => Self::Scalar(format!("\"{}\"", text.to_string_lossy())),
            Token::Object => {
                let mut members = Vec::new();
                while let Some(key) = scanner.key(members.is_empty()).unwrap() {
                    let key = key.to_string_lossy().into_owned();
                    members.push((key, Self::value(scanner)));
                }
                Self::Object(members)
            }
            Token::Array => {
                let mut elements = Vec::new();
                while scanner.element(elements.is_empty()).unwrap() {
                    elements.push(Self::value(scanner));
                }
                Self::Array(elements)
            }
            Token::Null | Token::NotFinite | Token::Binary | Token::True | Token::False => {
                unreachable!("no record has such a value")
            }
        }
    }

    /// The flattened keys of the scalars, and their texts without quotes.
    pub fn columns(&self) -> Vec<(String, &str)> {
        let (mut columns, mut open) = (Vec::new(), vec![(String::new(), self)]);
        while let Some((key, value)) = open.pop() {
            let within = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}_{name}") };
            match value {
                Self::Scalar(text) => columns.push((key, text.trim_matches('"'))),
                Self::Object(members) => {
                    open.extend(members.iter().rev().map(|(name, value)| (within(name), value)));
                }
                Self::Array(elements) => {
                    open.extend(
                        elements.iter().enumerate().rev().map(|(n, value)| (within(&n.to_string()), value)),
                    );
                }
            }
        }
        columns
    }

    /// Appends the value in a binary format with these markers.
    pub fn push_binary(&self, markers: &Markers, out: &mut Vec<u8>) {
        match self {
            Self::Scalar(text) => match (text.strip_prefix('"'), text.parse::<u64>()) {
                (Some(quoted), _) => push_text(quoted.trim_end_matches('"'), markers, out),
                (_, Ok(integer)) => {
                    out.push(markers.integer);
                    out.extend_from_slice(&integer.to_be_bytes());
                }
                _ => {
                    out.push(markers.double);
                    out.extend_from_slice(&text.parse::<f64>().unwrap().to_be_bytes());
                }
            },
            Self::Object(members) => {
                push_head(markers.object, members.len(), out);
                for (key, value) in members {
                    push_text(key, markers, out);
                    value.push_binary(markers, out);
                }
            }
            Self::Array(elements) => {
                push_head(markers.array, elements.len(), out);
                for element in elements {
                    element.push_binary(markers, out);
                }
            }
        }
    }
}

fn push_head(marker: &[u8], length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(marker);
    out.push(length as u8);
}

fn push_text(text: &str, markers: &Markers, out: &mut Vec<u8>) {
    push_head(markers.text, text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// Appends a number in seven bits a byte, the lowest first.
fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
