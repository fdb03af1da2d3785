//! Reads field values.

use super::{Reason, Value};

/// Longest unescaped string field that 2.x accepts.
const STRING_BYTES_MAX: usize = 1 << 20;

/// Reads the value at the start of `text`, and returns its length in the text.
pub(super) fn read(text: &str) -> Result<(Value, usize), Reason> {
    match text.as_bytes().first() {
        None | Some(b',' | b' ') => Err(Reason::MissingFieldValue),
        Some(b'"') => string(text),
        Some(first) => {
            let raw = text.split([',', ' ']).next().unwrap_or_default();
            let value = if first.is_ascii_digit() || matches!(first, b'.' | b'-' | b'N' | b'n') {
                number(raw)?
            } else {
                boolean(raw)?
            };
            Ok((value, raw.len()))
        }
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

fn number(raw: &str) -> Result<Value, Reason> {
    if let Some(digits) = raw.strip_suffix('i') {
        return integer(digits);
    }
    if let Some(digits) = raw.strip_suffix('u') {
        let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        return Err(if valid { Reason::NotPortableNumber } else { Reason::InvalidNumber });
    }
    float(raw)
}

fn integer(raw: &str) -> Result<Value, Reason> {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reason::InvalidNumber);
    }
    raw.parse().map(Value::Integer).map_err(|_| Reason::IntegerRange)
}

fn float(raw: &str) -> Result<Value, Reason> {
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
    if whole.is_empty() || fraction.is_some_and(str::is_empty) {
        return Err(Reason::NotPortableNumber);
    }
    match raw.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Value::Float(value)),
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
