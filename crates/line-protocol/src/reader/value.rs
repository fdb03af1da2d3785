//! Reads field values.

use super::{Reason, Value};
use crate::encode::STRING_BYTES_MAX;

/// Reads the value at the start of `text`, and returns its length in the text. `unsigned`: whether to read unsigned integers.
pub(super) fn read(text: &str, unsigned: bool) -> Result<(Value, usize), Reason> {
    match text.as_bytes().first() {
        None | Some(b',' | b' ') => Err(Reason::MissingFieldValue),
        Some(b'"') => string(text),
        Some(_) => {
            let raw = text.split([',', ' ']).next().unwrap_or_default();
            match plain(raw)? {
                (_, Spelling::NotPortable) => Err(Reason::NotPortableNumber),
                (Value::Unsigned(_), _) if !unsigned => Err(Reason::NotPortableNumber),
                (value, Spelling::Portable) => Ok((value, raw.len())),
            }
        }
    }
}

/// Whether all servers read a number as it is written. Unsigned integers count as portable here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    Portable,
    /// A float without digits before or behind its point.
    NotPortable,
}

/// Reads a number or a boolean.
pub(crate) fn plain(raw: &str) -> Result<(Value, Spelling), Reason> {
    match raw.as_bytes().first() {
        Some(first) if first.is_ascii_digit() || matches!(first, b'.' | b'-' | b'N' | b'n') => number(raw),
        _ => boolean(raw).map(|value| (value, Spelling::Portable)),
    }
}

/// Reads a string. Only `\"` and `\\` are escapes; other backslashes stay.
fn string(text: &str) -> Result<(Value, usize), Reason> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' if value.len() > STRING_BYTES_MAX => return Err(Reason::StringTooLong(value.len())),
            '"' => return Ok((Value::String(value), i + 1)),
            '\\' => match chars.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => value.push(escaped),
                None => value.push('\\'),
            },
            _ => value.push(c),
        }
    }
    Err(Reason::UnbalancedQuotes)
}

fn number(raw: &str) -> Result<(Value, Spelling), Reason> {
    if let Some(digits) = raw.strip_suffix('i') {
        return integer(digits).map(|value| (value, Spelling::Portable));
    }
    if let Some(digits) = raw.strip_suffix('u') {
        return unsigned(digits).map(|value| (value, Spelling::Portable));
    }
    float(raw)
}

fn unsigned(raw: &str) -> Result<Value, Reason> {
    if raw.is_empty() || !raw.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reason::InvalidNumber);
    }
    raw.parse().map(Value::Unsigned).map_err(|_| Reason::IntegerRange)
}

fn integer(raw: &str) -> Result<Value, Reason> {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reason::InvalidNumber);
    }
    raw.parse().map(Value::Integer).map_err(|_| Reason::IntegerRange)
}

fn float(raw: &str) -> Result<(Value, Spelling), Reason> {
    let unsigned = raw.strip_prefix('-').unwrap_or(raw);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    let parts = [Some(whole), fraction, exponent];
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !parts.into_iter().flatten().all(digits) || mantissa.len() <= usize::from(fraction.is_some()) {
        return Err(Reason::InvalidNumber);
    }
    if exponent.is_some_and(str::is_empty) {
        return Err(Reason::InvalidNumber);
    }
    let is_portable = !whole.is_empty() && fraction.is_none_or(|fraction| !fraction.is_empty());
    let spelling = if is_portable { Spelling::Portable } else { Spelling::NotPortable };
    match raw.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((Value::Float(value), spelling)),
        Ok(_) => Err(Reason::FloatRange),
        Err(_) => Err(Reason::InvalidNumber),
    }
}

fn boolean(raw: &str) -> Result<Value, Reason> {
    match raw {
        "t" | "T" | "true" | "True" | "TRUE" => Ok(Value::Boolean(true)),
        "f" | "F" | "false" | "False" | "FALSE" => Ok(Value::Boolean(false)),
        _ => Err(Reason::InvalidBoolean),
    }
}
