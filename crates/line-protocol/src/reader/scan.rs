//! Finds the ends of lines and of their parts by the servers' own rules.

use super::Reason;

/// Rule for escaped bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// Measurement and tags: escaped when the byte before is a backslash, whatever stands before that.
    Key,
    /// Field keys: 2.x scans them twice, once pairing backslashes and once not; both must agree.
    FieldKey,
}

/// Length up to the first unescaped stop byte, or up to the problem.
pub(super) fn scan_until(raw: &[u8], stops: &[u8], section: Section) -> (usize, Option<Reason>) {
    let mut backslashes = 0_usize;
    for (i, &byte) in raw.iter().enumerate() {
        if byte == b'\n' || byte == b'\r' {
            return (i, Some(Reason::LineBreak));
        }
        if stops.contains(&byte) {
            if backslashes == 0 {
                return (i, None);
            }
            if section == Section::FieldKey && backslashes.is_multiple_of(2) {
                return (i, Some(Reason::Backslashes));
            }
        }
        backslashes = if byte == b'\\' { backslashes + 1 } else { 0 };
    }
    (raw.len(), None)
}

/// Removes the backslash before each special byte; other backslashes stay.
pub(super) fn unescape(raw: &str, specials: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\'
            && let Some(special) =
                chars.next_if(|&next| u8::try_from(next).is_ok_and(|b| specials.contains(&b)))
        {
            text.push(special);
        } else {
            text.push(c);
        }
    }
    text
}

/// Splits a body into lines like the servers: a newline inside a string field is part of its line.
pub fn split_lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (end, _) = line_end(rest, rest.len());
        let line = rest.get(..end).unwrap_or_default();
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(line)
    })
}

/// Whether a server that splits a body finds the end of this line.
pub(super) fn keeps_together(line: &[u8]) -> bool {
    line_end(line, line.len() + 1) == (line.len(), false)
}

/// End of the first line of `raw`, and whether a quote is still open there. `total` is the length of the body from here on: the
/// servers treat the last two bytes of a body differently.
fn line_end(raw: &[u8], total: usize) -> (usize, bool) {
    let (mut quoted, mut in_fields) = (false, false);
    let (mut equals, mut commas) = (0_usize, 0_usize);
    let mut i = 0;
    while let Some(&byte) = raw.get(i) {
        if byte == b'\\' && i + 2 < total {
            i += 2;
            continue;
        }
        in_fields |= byte == b' ';
        match byte {
            b'=' if in_fields && !quoted => equals += 1,
            b',' if in_fields && !quoted => commas += 1,
            b'"' if in_fields && equals > commas => quoted = !quoted,
            b'\n' if !quoted => return (i, false),
            _ => {}
        }
        i += 1;
    }
    (i.min(raw.len()), quoted)
}
