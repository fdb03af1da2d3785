//! JSON values as CBOR, in any of the widths that hold them.

use super::json::{Json, Text};
use fastrand::Rng;

pub fn push(json: &Json, rng: &mut Rng, out: &mut Vec<u8>) {
    // The widths of keys and containers do not depend on the scalars, so that records of one shape have them alike.
    let rng = if matches!(json, Json::Array(_) | Json::Object(_)) { rng } else { &mut rng.fork() };
    // Self-described CBOR, a tag without effect.
    if rng.u8(0..16) == 0 {
        out.extend_from_slice(&[0xD9, 0xD9, 0xF7]);
    }
    match json {
        Json::Null => out.push(if rng.bool() { 0xF6 } else { 0xF7 }),
        Json::Bool(value) => out.push(if *value { 0xF5 } else { 0xF4 }),
        Json::Number(text) => push_number(text, rng, out),
        Json::Text(text) => push_text(text, rng, out),
        Json::Array(elements) => {
            let is_indefinite = push_size(0x80, elements.len(), rng, out);
            for element in elements {
                push(element, rng, out);
            }
            out.extend(is_indefinite.then_some(0xFF));
        }
        Json::Object(members) => {
            let is_indefinite = push_size(0xA0, members.len(), rng, out);
            for (key, value) in members {
                push_text(key, rng, out);
                push(value, rng, out);
            }
            out.extend(is_indefinite.then_some(0xFF));
        }
    }
}

fn push_text(text: &Text, rng: &mut Rng, out: &mut Vec<u8>) {
    let meaning = text.meaning();
    if rng.bool() {
        push_head(0x60, meaning.len() as u64, rng, out);
        out.extend_from_slice(meaning.as_bytes());
        return;
    }
    out.push(0x7F);
    for character in meaning.chars() {
        push_head(0x60, character.len_utf8() as u64, rng, out);
        out.extend_from_slice(character.to_string().as_bytes());
    }
    out.push(0xFF);
}

/// A length, or the mark of an indefinite one. Returns whether a break has to follow the elements.
fn push_size(major: u8, size: usize, rng: &mut Rng, out: &mut Vec<u8>) -> bool {
    let is_indefinite = rng.bool();
    if is_indefinite {
        out.push(major | 31);
    } else {
        push_head(major, size as u64, rng, out);
    }
    is_indefinite
}

/// A major type with its argument, in the shortest form or in a longer one.
fn push_head(major: u8, argument: u64, rng: &mut Rng, out: &mut Vec<u8>) {
    let bytes = argument.to_be_bytes();
    let widths: Vec<usize> =
        [1, 2, 4, 8].into_iter().filter(|&w| w == 8 || argument >> (8 * w) == 0).collect();
    if argument < 24 && rng.bool() {
        out.push(major | argument as u8);
        return;
    }
    let width = widths[rng.usize(..widths.len())];
    out.push(major | (24 + width.ilog2() as u8));
    out.extend_from_slice(&bytes[8 - width..]);
}

fn push_number(text: &str, rng: &mut Rng, out: &mut Vec<u8>) {
    match text.parse::<i128>() {
        Ok(number) if number >= 0 => push_head(0x00, number as u64, rng, out),
        Ok(number) => push_head(0x20, (-1 - number) as u64, rng, out),
        Err(_) => push_float(text.parse().unwrap(), rng, out),
    }
}

/// A double, or a shorter float that is the same number.
fn push_float(number: f64, rng: &mut Rng, out: &mut Vec<u8>) {
    let single = number as f32;
    let half = half_bits(number);
    if let Some(bits) = half.filter(|_| rng.bool()) {
        out.push(0xF9);
        out.extend_from_slice(&bits.to_be_bytes());
    } else if f64::from(single) == number && rng.bool() {
        out.push(0xFA);
        out.extend_from_slice(&single.to_be_bytes());
    } else {
        out.push(0xFB);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// The number in half precision, if that is exact and not subnormal.
fn half_bits(number: f64) -> Option<u16> {
    let bits = number.to_bits();
    let (sign, exponent, mantissa) =
        ((bits >> 63) as u16, (bits >> 52 & 0x7FF) as i32 - 1023, bits & ((1 << 52) - 1));
    if number == 0.0 {
        return Some(sign << 15);
    }
    let is_exact = (-14..=15).contains(&exponent) && mantissa & ((1 << 42) - 1) == 0;
    is_exact.then(|| sign << 15 | ((exponent + 15) as u16) << 10 | (mantissa >> 42) as u16)
}
