//! The text of a configuration file: places in it, and excerpts for messages with secrets masked.

use std::ops::Range;

/// Byte offsets in the text.
pub type Span = Range<usize>;

/// A place in the file. Lines and columns count from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// A line with a part underlined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    pub text: String,
    /// The underlined part, in columns of a terminal.
    pub underlined: Range<usize>,
}

pub struct Source<'a> {
    text: &'a str,
    /// Values that must not be shown.
    masked: Vec<Span>,
}

/// Replaces a masked value.
const MASK: &str = "***";
/// Lines are cut to this many columns around the underlined part.
const COLUMNS_MAX: usize = 120;

impl<'a> Source<'a> {
    /// `text` may begin with the byte order mark that some editors write.
    pub fn new(text: &'a str) -> Self {
        Self { text: text.strip_prefix('\u{feff}').unwrap_or(text), masked: Vec::new() }
    }

    pub fn text(&self) -> &'a str {
        self.text
    }

    pub fn mask(&mut self, spans: impl IntoIterator<Item = Span>) {
        self.masked.extend(spans);
    }

    pub fn place(&self, offset: usize) -> Place {
        let line = self.line_span(offset);
        Place {
            // An offset outside of the text gives the first line.
            line: self.text.get(..line.start).unwrap_or_default().matches('\n').count() + 1,
            column: self.text.get(line.start..offset).unwrap_or_default().chars().count() + 1,
        }
    }

    /// The line around an offset, without the line break.
    pub fn line_span(&self, offset: usize) -> Span {
        let offset = self.text.floor_char_boundary(offset);
        let (before, after) = self.text.split_at(offset);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after.find('\n').map_or(self.text.len(), |newline| offset + newline);
        let line = self.text.get(start..end).unwrap_or_default();
        start..start + line.trim_end_matches('\r').len()
    }

    /// The first line of `span`, with secrets masked.
    pub fn excerpt(&self, span: &Span) -> Excerpt {
        let line = self.line_span(span.start);
        let mut cells: Vec<(char, usize)> = Vec::new();
        let mut underlined = None::<Range<usize>>;
        let mut masked = None::<&Span>;
        for (offset, c) in self.text.get(line.clone()).unwrap_or_default().char_indices() {
            let offset = line.start + offset;
            let mask = self.masked.iter().find(|mask| mask.contains(&offset));
            // All characters of a masked value share the cells of one mask.
            let from = if mask.is_some() && mask == masked { cells.len() - MASK.len() } else { cells.len() };
            match mask {
                Some(_) if mask == masked => {}
                Some(_) => cells.extend(MASK.chars().map(|c| (c, 1))),
                None => push_char(&mut cells, c),
            }
            masked = mask;
            if span.contains(&offset) || (span.is_empty() && offset == span.start) {
                underlined = Some(underlined.map_or(from, |u| u.start)..cells.len());
            }
        }
        // A span after the line's end underlines the column after the last character.
        let underlined = underlined.unwrap_or(cells.len()..cells.len() + 1);
        window(&cells, &underlined)
    }
}

/// Replaces tabs and control characters, which would move the underline.
fn push_char(cells: &mut Vec<(char, usize)>, c: char) {
    match c {
        '\t' => cells.extend([(' ', 1); 4]),
        c if c.is_control() => cells.push(('\u{fffd}', 1)),
        c => cells.push((c, columns(c))),
    }
}

/// Cuts a long line around its underlined part.
fn window(cells: &[(char, usize)], underlined: &Range<usize>) -> Excerpt {
    let too_long = cells.len() > COLUMNS_MAX;
    let from = if too_long { underlined.start.saturating_sub(COLUMNS_MAX / 3) } else { 0 };
    let to = if too_long { (from + COLUMNS_MAX).min(cells.len()) } else { cells.len() };
    let shown = cells.get(from..to).unwrap_or_default();
    let width = |cells: &[(char, usize)]| cells.iter().map(|(_, columns)| columns).sum::<usize>();
    let lead = if from > 0 { "..." } else { "" };
    let tail = if to < cells.len() { "..." } else { "" };
    let column = |cell: usize| {
        let inside = shown.get(..cell.saturating_sub(from)).unwrap_or(shown);
        // Cells after the line's end are one column wide.
        lead.len() + width(inside) + cell.saturating_sub(from + inside.len()).min(1)
    };
    let text = shown.iter().map(|(c, _)| c).collect::<String>();
    let start = column(underlined.start);
    Excerpt { text: format!("{lead}{text}{tail}"), underlined: start..column(underlined.end).max(start + 1) }
}

/// Width of a character in terminal columns: 2 for Hangul, Han and emoji, 0 for combining marks.
fn columns(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The start, the end and the text of the excerpt for `wanted`.
    fn shown(text: &str, wanted: &str, masked: &[&str]) -> (usize, usize, String) {
        let mut source = Source::new(text);
        let span = |part: &str| {
            let start = source.text().find(part).unwrap();
            start..start + part.len()
        };
        let wanted = span(wanted);
        let masked: Vec<Span> = masked.iter().map(|m| span(m)).collect();
        source.mask(masked);
        let (place, excerpt) = (source.place(wanted.start), source.excerpt(&wanted));
        let underline = " ".repeat(excerpt.underlined.start) + &"^".repeat(excerpt.underlined.len());
        (place.line, place.column, format!("{}\n{underline}", excerpt.text))
    }

    #[test]
    fn finds_places() {
        let f = |text: &str, wanted: &str, want: (usize, usize, &str)| {
            let (line, column, excerpt) = shown(text, wanted, &[]);
            assert_eq!((line, column, excerpt.as_str()), want, "{text:?}");
        };
        f("a = 1", "a", (1, 1, "a = 1\n^"));
        f("\u{feff}a = 1", "1", (1, 5, "a = 1\n    ^"));
        f("a = 1\r\nbc = 2\r\n", "bc", (2, 1, "bc = 2\n^^"));
        f("\u{feff}a = 1\r\nb = 'x'\r\n", "'x'", (2, 5, "b = 'x'\n    ^^^"));
        f("온도 = 'x'", "'x'", (1, 6, "온도 = 'x'\n       ^^^"));
        f("k = '온도'", "'온도'", (1, 5, "k = '온도'\n    ^^^^^^"));
        f("\tk = 1", "k", (1, 2, "    k = 1\n    ^"));
        f("a = [\n 1,\n]", "[\n 1,\n]", (1, 5, "a = [\n    ^"));
        f("a = \u{1b}[0m", "0", (1, 7, "a = \u{fffd}[0m\n      ^"));
    }

    #[test]
    fn places_what_has_no_length() {
        let source = Source::new("a =\nb = 1");
        assert_eq!(source.place(3), Place { line: 1, column: 4 });
        assert_eq!(source.excerpt(&(3..3)), Excerpt { text: "a =".to_owned(), underlined: 3..4 });
        assert_eq!(source.excerpt(&(9..9)), Excerpt { text: "b = 1".to_owned(), underlined: 5..6 });
        assert_eq!(source.excerpt(&(6..6)), Excerpt { text: "b = 1".to_owned(), underlined: 2..3 });
        assert_eq!(Source::new("").excerpt(&(0..0)), Excerpt { text: String::new(), underlined: 0..1 });
    }

    #[test]
    fn masks() {
        let f = |text: &str, wanted: &str, masked: &[&str], want: &str| {
            assert_eq!(shown(text, wanted, masked).2, want, "{text:?}");
        };
        f("token = 'hush'", "'hush'", &["'hush'"], "token = ***\n        ^^^");
        f("token = 'hush'", "token", &["'hush'"], "token = ***\n^^^^^");
        f(
            "i = { token = 'hush', x = 1 }",
            "x",
            &["'hush'"],
            "i = { token = ***, x = 1 }\n                   ^",
        );
        f("token = 'hush' 5", "5", &["'hush'"], "token = *** 5\n            ^");
        f("'hush' 'hish'", "'hish'", &["'hush'", "'hish'"], "*** ***\n    ^^^");
        f("x = '''hu\nsh''' #", "#", &["'''hu\nsh'''"], "*** #\n    ^");
    }

    #[test]
    fn cuts_long_lines() {
        let text = format!("a = ['{}', 7, '{}']", "x".repeat(500), "y".repeat(500));
        let (_, column, excerpt) = shown(&text, "7", &[]);
        assert_eq!(column, 510);
        let (line, underline) = excerpt.split_once('\n').unwrap();
        assert!(line.starts_with("...") && line.ends_with("...") && line.len() < 130, "{line}");
        assert_eq!(line.find('7'), underline.find('^'));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(.|\n|\r\n){0,200}", start in 0_usize..300, len in 0_usize..300, mask in 0_usize..300) {
            let mut source = Source::new(&text);
            source.mask(std::iter::once(mask..mask + 7));
            let _ = (source.place(start), source.excerpt(&(start..start + len)));
        }
    }
}
