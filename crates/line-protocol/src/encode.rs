//! Writes text as line protocol, so that no text can become more than one measurement, tag or field.
//!
//! All versions of InfluxDB read these escapes alike:
//! <https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/>. Some backslashes are left out:
//!
//! - before an escaped character: 1.x and 2.x read the backslash literally, other servers as an escape, which would let text
//!   inject a tag or a field;
//! - before an equals sign or a quote, where servers differ;
//! - at the end of a name, where no server can read them.
//!
//! NULs are left out too, because InfluxDB strips or reserves them.

use crate::runs;

/// Longest series key plus separator plus field key, all escaped, that InfluxDB stores.
pub const KEY_BYTES_MAX: usize = 65_535;
/// Bytes that InfluxDB puts between series key and field key.
pub const KEY_SEPARATOR_BYTES: usize = 4;
/// Longest string field, in bytes, that InfluxDB stores.
pub const STRING_BYTES_MAX: usize = 1_048_576;
/// The times that InfluxDB can store, in nanoseconds since 1970.
pub const TIME_MIN: i64 = i64::MIN + 2;
pub const TIME_MAX: i64 = i64::MAX - 1;

/// Appends a measurement. Returns whether something was left out.
#[must_use]
pub fn push_measurement(text: &[u8], out: &mut Vec<u8>) -> bool {
    push_name(text, |byte| matches!(byte, b',' | b' '), out)
}

/// Appends a tag key, a tag value or a field key. Returns whether something was left out.
#[must_use]
pub fn push_key(text: &[u8], out: &mut Vec<u8>) -> bool {
    push_name(text, |byte| matches!(byte, b',' | b'=' | b' '), out)
}

/// Appends a string field with its quotes.
pub fn push_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        out.push(b'\\');
        let (escaped, after) = special.split_at(1);
        out.extend_from_slice(escaped);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[inline]
fn push_name(text: &[u8], special: impl Fn(u8) -> bool, out: &mut Vec<u8>) -> bool {
    let mut trimmed = false;
    let (start, mut rest) = text.split_at(runs::name(text));
    out.extend_from_slice(start);
    if rest.is_empty() {
        return false;
    }
    let plain = |byte: u8| !(special(byte) || matches!(byte, b'\\' | b'\n' | b'\r' | b'\t' | 0x0C | 0));
    loop {
        let length = rest.iter().position(|&byte| !plain(byte)).unwrap_or(rest.len());
        let (before, after) = rest.split_at(length);
        out.extend_from_slice(before);
        let Some((&byte, after_byte)) = after.split_first() else { return trimmed };
        rest = after_byte;
        match byte {
            b'\\' => {
                let run = after.iter().take_while(|&&b| b == b'\\').count();
                let (backslashes, follows) = after.split_at(run);
                if follows.first().is_none_or(|&next| special(next) || matches!(next, b'=' | b'"' | 0)) {
                    trimmed = true;
                } else {
                    out.extend_from_slice(backslashes);
                }
                rest = follows;
            }
            0 => trimmed = true,
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x0C => out.extend_from_slice(b"\\f"),
            escaped => out.extend_from_slice(&[b'\\', escaped]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_names() {
        let f = |text: &str, measurement: &str, key: &str, trimmed: bool| {
            let (mut m, mut k) = (Vec::new(), Vec::new());
            let got = (push_measurement(text.as_bytes(), &mut m), push_key(text.as_bytes(), &mut k));
            assert_eq!(String::from_utf8(m).unwrap(), measurement, "{text:?}");
            assert_eq!(String::from_utf8(k).unwrap(), key, "{text:?}");
            assert_eq!(got.1, trimmed, "{text:?}");
        };
        f("cpu", "cpu", "cpu", false);
        f("a b,c=d", r"a\ b\,c=d", r"a\ b\,c\=d", false);
        f("a\nb\rc\td\u{c}e", r"a\nb\rc\td\fe", r"a\nb\rc\td\fe", false);
        f(r"C:\dir\file", r"C:\dir\file", r"C:\dir\file", false);
        f(r"dir\", "dir", "dir", true);
        f(r"\\\", "", "", true);
        f(r"a\,b", r"a\,b", r"a\,b", true);
        f(r"a\\ b", r"a\ b", r"a\ b", true);
        f(r#"a\=b\"c"#, r#"a=b"c"#, r#"a\=b"c"#, true);
        f("\0a\0", "a", "a", true);
        f("온도 🌡", r"온도\ 🌡", r"온도\ 🌡", false);
    }

    #[test]
    fn escapes_strings() {
        let f = |text: &str, want: &str| {
            let mut out = Vec::new();
            push_string(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want, "{text:?}");
        };
        f("", r#""""#);
        f(r#"a "b" \c"#, r#""a \"b\" \\c""#);
        f("a\nb, c=d", "\"a\nb, c=d\"");
        f("온도", "\"온도\"");
    }
}
