//! JSON strings, raw and decoded.

use std::borrow::Cow;

/// The text between the quotes of a JSON string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a [u8],
    form: Form,
}

/// As wide as a pointer, like the other values that are passed on for each token: padding would be copied in pieces, for which
/// the processor waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
enum Form {
    Plain,
    Escaped,
}

const REPLACEMENT: char = '\u{FFFD}';

/// Whether bytes are UTF-8.
pub fn is_utf8(bytes: &[u8]) -> bool {
    is_ascii(bytes) || std::str::from_utf8(bytes).is_ok()
}

/// Like `<[u8]>::is_ascii`, which tests up to 31 last bytes one by one: here the last 32 bytes are one block, which overlaps another.
fn is_ascii(bytes: &[u8]) -> bool {
    const BLOCK: usize = 32;
    let Some(last) = bytes.last_chunk::<BLOCK>() else { return bytes.is_ascii() };
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    blocks.as_flattened().is_ascii() && last.is_ascii()
}

impl<'a> Text<'a> {
    /// `plain` text is UTF-8 without escapes, so that raw and decoded text are equal.
    pub fn new(raw: &'a [u8], plain: bool) -> Self {
        Self { raw, form: if plain { Form::Plain } else { Form::Escaped } }
    }

    /// Whether raw and decoded text are equal.
    pub fn is_plain(&self) -> bool {
        self.form == Form::Plain
    }

    /// Whether a part of the text becomes U+FFFD: bytes that are not UTF-8, or half of a surrogate pair.
    pub fn is_lossy(&self) -> bool {
        !self.is_plain() && (std::str::from_utf8(self.raw).is_err() || has_lone_surrogate(self.raw))
    }

    /// Whether a part of text in UTF-8 becomes U+FFFD, like [`Text::is_lossy`].
    #[inline]
    pub fn has_lone_surrogate(&self) -> bool {
        !self.is_plain() && has_lone_surrogate(self.raw)
    }

    /// The raw text.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The decoded text, as UTF-8. `scratch` is used where raw and decoded text differ.
    pub fn decode<'s>(&self, scratch: &'s mut Vec<u8>) -> &'s [u8]
    where
        'a: 's,
    {
        if self.is_plain() {
            return self.raw;
        }
        scratch.clear();
        unescape(self.raw, scratch);
        scratch
    }

    /// The decoded text, for places where an allocation does not matter.
    pub fn to_string_lossy(&self) -> Cow<'a, str> {
        let mut scratch = Vec::new();
        if self.is_plain() {
            return String::from_utf8_lossy(self.raw);
        }
        unescape(self.raw, &mut scratch);
        Cow::Owned(String::from_utf8_lossy(&scratch).into_owned())
    }
}

/// Appends the decoded text. The scanner has checked the escapes.
fn unescape(mut raw: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', raw) {
        let (before, escape) = raw.split_at(at);
        push_lossy(before, out);
        let (meaning, length) = escaped_char(escape);
        push_char(meaning, out);
        raw = escape.get(length..).unwrap_or_default();
    }
    push_lossy(raw, out);
}

/// Whether the text has half of a surrogate pair. The scanner has checked the escapes.
fn has_lone_surrogate(mut raw: &[u8]) -> bool {
    while let Some(at) = memchr::memchr(b'\\', raw) {
        let (_, escape) = raw.split_at(at);
        let (meaning, length) = escaped_char(escape);
        let is_surrogate = || hex4(escape, 2).is_some_and(|unit| (0xD800..0xE000).contains(&unit));
        if meaning == REPLACEMENT && escape.starts_with(b"\\u") && is_surrogate() {
            return true;
        }
        raw = escape.get(length..).unwrap_or_default();
    }
    false
}

/// The character of an escape, and the escape's length.
fn escaped_char(escape: &[u8]) -> (char, usize) {
    let simple = match escape.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{C}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(escape),
        Some(&other) => char::from(other),
        None => REPLACEMENT,
    };
    (simple, 2)
}

fn unicode_escape(escape: &[u8]) -> (char, usize) {
    let Some(unit) = hex4(escape, 2) else { return (REPLACEMENT, escape.len()) };
    if !(0xD800..0xDC00).contains(&unit) {
        // A low surrogate without a high one becomes U+FFFD.
        return (char::from_u32(unit).unwrap_or(REPLACEMENT), 6);
    }
    let low = escape.get(6..8).filter(|next| next == b"\\u").and_then(|_| hex4(escape, 8));
    match low {
        Some(low) if (0xDC00..0xE000).contains(&low) => {
            let code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
            (char::from_u32(code).unwrap_or(REPLACEMENT), 12)
        }
        _ => (REPLACEMENT, 6),
    }
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, &digit| Some(value * 16 + char::from(digit).to_digit(16)?))
}

fn push_char(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Appends bytes as UTF-8, with U+FFFD for each invalid byte, like Go.
pub fn push_lossy(mut bytes: &[u8], out: &mut Vec<u8>) {
    while let Err(error) = std::str::from_utf8(bytes) {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        out.extend_from_slice(valid);
        push_char(REPLACEMENT, out);
        bytes = rest.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        let f = |raw: &[u8], want: &str| {
            let mut scratch = Vec::new();
            let got = Text::new(raw, false).decode(&mut scratch).to_vec();
            assert_eq!(String::from_utf8(got).unwrap(), want, "{}", raw.escape_ascii());
        };
        f(b"", "");
        f(b"plain", "plain");
        f(br#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t");
        f(br"\u00e9\uAC00", "é가");
        f(br"\ud83c\udf21", "🌡");
        f(br"\ud800", "\u{FFFD}");
        f(br"\ud800\u0041", "\u{FFFD}A");
        f(br"\ud800\ud800x", "\u{FFFD}\u{FFFD}x");
        f(br"\udc00", "\u{FFFD}");
        f("온도".as_bytes(), "온도");
        // "가" in EUC-KR.
        f(b"\xB0\xA1", "\u{FFFD}\u{FFFD}");
        f(b"a\xE2\x82b", "a\u{FFFD}\u{FFFD}b");
    }

    #[test]
    fn text_of_which_a_part_is_replaced_is_lossy() {
        let f = |raw: &[u8], is_lossy: bool, has_lone_surrogate: bool| {
            let text = Text::new(raw, false);
            let got = (text.is_lossy(), text.has_lone_surrogate());
            assert_eq!(got, (is_lossy, has_lone_surrogate), "{}", raw.escape_ascii());
        };
        for surrogate in [
            &br"\ud800"[..],
            br"x\uDFFF",
            br"\ud800\u0041",
            br"\udc00\ud800",
            br"\ud83c\udf21\ud83c",
            br"\\\ud800",
        ] {
            f(surrogate, true, true);
        }
        for whole in
            [&br"\ud83c\udf21"[..], br"\ufffd", br"\\ud800", br"\nd800", "온\u{FFFD}".as_bytes(), b""]
        {
            f(whole, false, false);
        }
        f(b"a\xFF", true, false);
        let plain = Text::new(b"x", true);
        assert!(!plain.is_lossy() && !plain.has_lone_surrogate());
    }
}
