//! Makes text from outside safe for logs and terminals, and formats numbers.

use std::fmt::Write as _;

/// The first `chars_max` characters, with control characters and characters that change the direction of text escaped.
pub fn printable(text: &str, chars_max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(chars_max * 4));
    for (count, c) in text.chars().enumerate() {
        if count == chars_max {
            out.push('…');
            break;
        }
        if c.is_control() || misleads(c) {
            // Writing to a String cannot fail.
            let _infallible = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character that is no control character breaks a line or changes the direction of text.
fn misleads(c: char) -> bool {
    matches!(
        c,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}'
    )
}

/// Like [`printable`], for bytes that may not be UTF-8.
pub fn printable_bytes(bytes: &[u8], chars_max: usize) -> String {
    // A character has at most four bytes.
    let bytes = bytes.get(..chars_max.saturating_mul(4).saturating_add(4)).unwrap_or(bytes);
    printable(&String::from_utf8_lossy(bytes), chars_max)
}

/// A count with its noun: `1 record`, `12,345 records`.
pub fn counted(count: impl TryInto<u64>, what: &str) -> String {
    let count = count.try_into().unwrap_or(0);
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A number with separators: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_shortens_text() {
        assert_eq!(printable("온도 cpu,a=b v=1", 100), "온도 cpu,a=b v=1");
        assert_eq!(printable("a\nb\u{1b}[31m\u{202e}", 100), "a\\nb\\u{1b}[31m\\u{202e}");
        assert_eq!(printable("a\u{2028}b\u{85}\u{feff}", 100), "a\\u{2028}b\\u{85}\\u{feff}");
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable_bytes(b"a\xFF\x00", 10), "a\u{FFFD}\\u{0}");
    }

    #[test]
    fn counts_in_singular_and_plural() {
        assert_eq!((counted(1, "record"), counted(0, "record")), ("1 record".into(), "0 records".into()));
        assert_eq!(counted(12_345_u64, "record"), "12,345 records");
        assert_eq!(counted(-1_i64, "record"), "0 records");
    }

    #[test]
    fn groups_digits() {
        let f = |number: u64, want: &str| assert_eq!(grouped(number), want);
        f(0, "0");
        f(999, "999");
        f(1_000, "1,000");
        f(123_456, "123,456");
        f(1_234_567, "1,234,567");
    }
}
