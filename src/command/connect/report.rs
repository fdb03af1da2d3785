//! The report: a line for each check.

use crate::terminal::{Colour, Style};
use base::text::printable;
use std::fmt;
use std::io::{self, Write};

/// Longer lines are cut, because names come from outside.
const CHARS_MAX: usize = 1_000;

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Passed(String),
    /// The check passed, but the result may not be intended.
    Warned {
        what: String,
        remedy: String,
    },
    Failed {
        what: String,
        remedy: String,
    },
}

impl Line {
    pub fn passed(what: impl Into<String>) -> Self {
        Self::Passed(what.into())
    }

    pub fn warned(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Warned { what: what.into(), remedy: remedy.into() }
    }

    pub fn failed(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), remedy: remedy.into() }
    }

    /// Result, its colour, and the text.
    fn parts(&self) -> (&'static str, Colour, String) {
        match self {
            Self::Passed(what) => ("ok", Colour::Green, what.clone()),
            Self::Warned { what, remedy } => ("warn", Colour::Yellow, format!("{what}: {remedy}")),
            Self::Failed { what, remedy } => ("FAILED", Colour::Red, format!("{what}: {remedy}")),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, _, rest) = self.parts();
        write!(f, "{word:<8}{rest}")
    }
}

/// Number of results of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub warned: usize,
    pub failed: usize,
}

pub struct Report<'o, W> {
    out: &'o mut W,
    style: Style,
    tally: Tally,
}

impl<'o, W: Write> Report<'o, W> {
    pub fn new(out: &'o mut W, style: Style) -> Self {
        Self { out, style, tally: Tally::default() }
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Prints a line at once, because the next check may take seconds.
    pub fn add(&mut self, line: &Line) -> io::Result<()> {
        let count = match line {
            Line::Passed(_) => &mut self.tally.passed,
            Line::Warned { .. } => &mut self.tally.warned,
            Line::Failed { .. } => &mut self.tally.failed,
        };
        *count += 1;
        let (word, colour, rest) = line.parts();
        let padding = " ".repeat(8_usize.saturating_sub(word.len()));
        writeln!(self.out, "{}{padding}{}", self.style.paint(colour, word), printable(&rest, CHARS_MAX))?;
        self.out.flush()
    }

    pub fn add_all(&mut self, lines: impl IntoIterator<Item = Line>) -> io::Result<()> {
        lines.into_iter().try_for_each(|line| self.add(&line))
    }
}

/// The first names of a list, and the number of the others.
pub fn some_of<S: AsRef<str>>(names: &[S]) -> String {
    const NAMED_MAX: usize = 5;
    let few: Vec<&str> = names.iter().take(NAMED_MAX).map(AsRef::as_ref).collect();
    let few = few.join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => few,
        more => format!("{few} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_warnings_apart_from_failures() {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out, Style::default());
        report.add_all([Line::passed("a"), Line::warned("b\u{1b}[2J", "do c")]).unwrap();
        assert_eq!(report.tally(), Tally { passed: 1, warned: 1, failed: 0 });
        report.add(&Line::failed("d", "do e")).unwrap();
        assert_eq!(report.tally(), Tally { passed: 1, warned: 1, failed: 1 });
        let shown = String::from_utf8(out).unwrap();
        assert_eq!(shown, "ok      a\nwarn    b\\u{1b}[2J: do c\nFAILED  d: do e\n");
        assert_eq!(Line::failed("d", "do e").to_string(), "FAILED  d: do e");
    }

    #[test]
    fn cuts_long_lists() {
        assert_eq!(some_of(&["a"; 7]), "a, a, a, a, a and 2 more");
    }
}
