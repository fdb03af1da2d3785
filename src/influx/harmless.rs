//! Text of others, made fit for a log line: an answer may hold anything, also what a record brought in.

use std::borrow::Cow;

/// At most `chars_max` characters of the text, without anything that a terminal or a log reader would
/// act on: control characters (line breaks, escape codes), direction marks, invisible characters.
pub fn harmless(text: &str, chars_max: usize) -> Cow<'_, str> {
    let fits = text.len() <= chars_max || text.chars().nth(chars_max).is_none();
    if fits && !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown: String = text.chars().take(chars_max).map(|c| if acts(c) { ' ' } else { c }).collect();
    if !fits {
        shown.push('…');
    }
    Cow::Owned(shown)
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_nothing_act_on_a_terminal_or_log() {
        let f = |text: &str, want: &str| assert_eq!(harmless(text, 12), want, "{text:?}");
        f("", "");
        f("plain 한글 😀", "plain 한글 😀");
        f("a\nb\r\tc", "a b  c");
        f("\u{1b}[31mred", " [31mred");
        f("\u{9b}31m", " 31m");
        f("a\u{202e}b\u{2066}c\u{200b}", "a b c ");
        f("\u{2028}\u{2029}", "  ");
        f("twelve chars", "twelve chars");
        f("thirteen char", "thirteen cha…");
    }
}
