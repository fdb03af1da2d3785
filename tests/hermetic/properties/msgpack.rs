//! JSON values as MessagePack, in any of the widths that hold them.

use super::json::{Json, Text};
use fastrand::Rng;

/// The value with numbers as MessagePack and CBOR can hold them: integers of 64 bits, and doubles.
pub fn storable(json: &Json) -> Json {
    match json {
        Json::Number(text) => Json::Number(
            integer(text)
                .map_or_else(|| format!("{:?}", text.parse::<f64>().unwrap()), |number| number.to_string()),
        ),
        Json::Array(elements) => Json::Array(elements.iter().map(storable).collect()),
        Json::Object(members) => {
            Json::Object(members.iter().map(|(key, value)| (key.clone(), storable(value))).collect())
        }
        // Binary formats have no escapes, and the mapper reads a quoted number only where nothing in it is escaped.
        Json::Text(text) => Json::Text(Text::plain(&text.meaning())),
        Json::Null | Json::Bool(_) => json.clone(),
    }
}

fn integer(text: &str) -> Option<i128> {
    text.parse().ok().filter(|number| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(number))
}

pub fn push(json: &Json, rng: &mut Rng, out: &mut Vec<u8>) {
    // The widths of keys and containers do not depend on the scalars, so that records of one shape have them alike.
    let rng = if matches!(json, Json::Array(_) | Json::Object(_)) { rng } else { &mut rng.fork() };
    match json {
        Json::Null => out.push(0xC0),
        Json::Bool(value) => out.push(if *value { 0xC3 } else { 0xC2 }),
        Json::Number(text) => push_number(text, rng, out),
        Json::Text(text) => push_text(text, rng, out),
        Json::Array(elements) => {
            push_size(elements.len(), [None, Some(0xDC), Some(0xDD)], (0x90, 16), rng, out);
            for element in elements {
                push(element, rng, out);
            }
        }
        Json::Object(members) => {
            push_size(members.len(), [None, Some(0xDE), Some(0xDF)], (0x80, 16), rng, out);
            for (key, value) in members {
                push_text(key, rng, out);
                push(value, rng, out);
            }
        }
    }
}

fn push_text(text: &Text, rng: &mut Rng, out: &mut Vec<u8>) {
    let meaning = text.meaning();
    push_size(meaning.len(), [Some(0xD9), Some(0xDA), Some(0xDB)], (0xA0, 32), rng, out);
    out.extend_from_slice(meaning.as_bytes());
}

/// A length in its shortest form, or in a longer one of 8, 16 or 32 bits.
fn push_size(
    size: usize,
    markers: [Option<u8>; 3],
    (short, below): (u8, usize),
    rng: &mut Rng,
    out: &mut Vec<u8>,
) {
    let bytes = (size as u32).to_be_bytes();
    match (rng.u8(0..4), markers) {
        (0, _) if size < below => out.push(short | size as u8),
        (1, [Some(marker), ..]) if size < 1 << 8 => out.extend_from_slice(&[marker, bytes[3]]),
        (2, [_, Some(marker), _]) if size < 1 << 16 => out.extend_from_slice(&[marker, bytes[2], bytes[3]]),
        (_, [.., marker]) => {
            out.push(marker.unwrap());
            out.extend_from_slice(&bytes);
        }
    }
}

fn push_number(text: &str, rng: &mut Rng, out: &mut Vec<u8>) {
    let Some(number) = integer(text) else {
        out.push(0xCB);
        out.extend_from_slice(&text.parse::<f64>().unwrap().to_be_bytes());
        return;
    };
    if (-32..128).contains(&number) && rng.bool() {
        out.push(number as i8 as u8);
        return;
    }
    // Unsigned widths, then signed ones.
    let widths: Vec<(u8, u32, bool)> = (0..4)
        .map(|width| (0xCC + width, 8 << width, false))
        .chain((0..4).map(|width| (0xD0 + width, 8 << width, true)))
        .filter(|&(_, bits, is_signed)| {
            let (low, high) =
                if is_signed { (-(1_i128 << (bits - 1)), 1 << (bits - 1)) } else { (0, 1_i128 << bits) };
            (low..high).contains(&number)
        })
        .collect();
    let (marker, bits, _) = widths[rng.usize(..widths.len())];
    out.push(marker);
    let bytes = number.to_be_bytes();
    out.extend_from_slice(&bytes[16 - bits as usize / 8..]);
}
