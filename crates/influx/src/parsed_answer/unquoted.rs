//! Removes from a message what the server quotes of records and names.

use crate::dialects::{FAMILIES, QuotedText};

/// The message without its quotes, in lower case. `is_cut`: the message continued beyond what was read, so a quote may have no end.
pub fn unquoted(message: &str, is_cut: bool) -> String {
    let lower = message.to_ascii_lowercase();
    let (mut own, mut rest) = (String::new(), lower.as_str());
    while let Some((at, quoted)) = first_quoted_text(rest) {
        let (before, after) = rest.split_at(at + quoted.begin.len());
        own.push_str(before);
        rest = match after.rfind(quoted.end) {
            // `rfind` found the end within the text.
            Some(end) => after.get(end..).unwrap_or_default(),
            None if quoted.is_open || is_cut => return own,
            None => after,
        };
        // The end may be the beginning of another quote.
        let (end, beyond) = rest.split_at(if rest.starts_with(quoted.end) { quoted.end.len() } else { 0 });
        own.push_str(end);
        rest = beyond;
    }
    own.push_str(rest);
    own
}

/// The quote that begins first. No two begins start at the same place.
fn first_quoted_text(text: &str) -> Option<(usize, &'static QuotedText)> {
    let quoted_texts = FAMILIES.iter().flat_map(|family| family.quoted_texts);
    quoted_texts.filter_map(|quoted| Some((text.find(quoted.begin)?, quoted))).min_by_key(|(at, _)| *at)
}
