//! The errors of a configuration file, as they are printed.

use super::mask;
use super::source::{Excerpt, Place, Source, Span};
use std::fmt;
use std::path::Path;
use toml::de::DeTable;

/// An error or warning with its place and remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    /// None for an error of the file as a whole.
    pub place: Option<Place>,
    pub message: String,
    excerpt: Option<Excerpt>,
}

/// Every error of a configuration file, in the order of the file.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", joined(.errors))]
pub struct ConfigErrors {
    pub file: String,
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
}

impl Problem {
    pub(super) fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.display().to_string(), place: None, message: message.into(), excerpt: None }
    }

    pub(super) fn at(file: &Path, source: &Source<'_>, span: &Span, message: impl Into<String>) -> Self {
        let place = Some(source.place(span.start));
        let excerpt = Some(source.excerpt(span));
        Self { place, excerpt, ..Self::of_file(file, message) }
    }
}

impl ConfigErrors {
    pub(super) fn of_file(file: &Path, message: impl Into<String>) -> Self {
        let errors = vec![Problem::of_file(file, message)];
        Self { file: file.display().to_string(), errors, warnings: Vec::new() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = self.place else {
            return write!(f, "{}: {}", self.file, self.message);
        };
        write!(f, "{}:{}:{}: {}", self.file, place.line, place.column, self.message)?;
        let Some(excerpt) = &self.excerpt else {
            return Ok(());
        };
        let number = place.line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(excerpt.underlined.start);
        let underline = "^".repeat(excerpt.underlined.len());
        write!(f, "\n{margin} |\n{number} | {}\n{margin} | {indent}{underline}", excerpt.text)
    }
}

/// The line of a place in a file of TOML with errors, and a caret below the place, each behind a line break. Shows no secret.
#[must_use]
pub fn excerpt(text: &str, at: Span) -> String {
    let mut source = Source::new(text);
    let (table, _) = DeTable::parse_recoverable(source.text());
    source.mask(mask::secret_values(source.text(), table.get_ref()));
    source.mask(mask::secret_lines(source.text()));
    let shown = Problem::at(Path::new(""), &source, &at, "").to_string();
    shown.split_once('\n').map(|(_, excerpt)| format!("\n{excerpt}")).unwrap_or_default()
}

fn joined(problems: &[Problem]) -> String {
    let printed: Vec<String> = problems.iter().map(ToString::to_string).collect();
    printed.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_shows_the_place_and_no_secret() {
        let text = "[[outputs.influxdb_v2]]\ntoken = 'hush\nurl = \"http://h\n";
        let at = |word: &str| {
            let start = text.find(word).unwrap();
            start..start + 1
        };
        assert_eq!(excerpt(text, at("\"http")), "\n  |\n3 | url = \"http://h\n  |       ^");
        assert!(!excerpt(text, at("'hush")).contains("hush"));
    }

    #[test]
    fn prints_a_place_and_its_line() {
        let source = Source::new("[kafka]\nbrokes = ['a']\n");
        let file = Path::new("bridge.toml");
        let problem = Problem::at(file, &source, &(8..14), "unknown key \"brokes\"");
        let want = "bridge.toml:2:1: unknown key \"brokes\"\n  |\n2 | brokes = ['a']\n  | ^^^^^^";
        assert_eq!(problem.to_string(), want);
        assert_eq!(ConfigErrors::of_file(file, "is empty").to_string(), "bridge.toml: is empty");
    }
}
