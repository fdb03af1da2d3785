//! What reading a configuration file collects: every error, with its place.

use super::interpolate::Surroundings;
use super::report::Problem;
use super::source::{Source, Span};
use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;

/// Shared by all that read parts of one file.
pub struct Context<'a> {
    pub around: Surroundings<'a>,
    pub secrets: Secrets,
    found: RefCell<Vec<Found>>,
    /// Tables and keys that a mistyped name stood for.
    meant: RefCell<HashSet<(String, String)>>,
}

/// Whether the secrets will be used: a dry run writes to no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    Needed,
    /// A variable or file that is missing leaves its secret empty.
    Optional,
}

#[derive(Clone, Debug)]
struct Found {
    kind: Kind,
    /// None: it concerns the file as a whole.
    span: Option<Span>,
    message: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Error,
    /// An error unless a mistyped name stands for the table and key.
    Missing(String, String),
    Warning,
}

/// What was found, in the order of the file.
pub struct Findings {
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
}

impl<'a> Context<'a> {
    pub fn new(around: Surroundings<'a>, secrets: Secrets) -> Self {
        Self { around, secrets, found: RefCell::default(), meant: RefCell::default() }
    }

    pub fn error(&self, span: &Span, message: impl Into<String>) {
        self.push(Kind::Error, Some(span), message.into());
    }

    pub fn warning(&self, span: &Span, message: impl Into<String>) {
        self.push(Kind::Warning, Some(span), message.into());
    }

    /// A key, or a table inside another, that has to be there; without a place, it concerns the file.
    pub fn missing(&self, span: Option<&Span>, table: &str, key: &str, message: impl Into<String>) {
        self.push(Kind::Missing(table.to_owned(), key.to_owned()), span, message.into());
    }

    /// An unknown name stood for this one, which is therefore not missing.
    pub fn meant(&self, table: &str, key: &str) {
        self.meant.borrow_mut().insert((table.to_owned(), key.to_owned()));
        // Whoever wrote the key elsewhere believes that its table is there.
        self.meant.borrow_mut().insert((String::new(), table.to_owned()));
    }

    fn push(&self, kind: Kind, span: Option<&Span>, message: String) {
        self.found.borrow_mut().push(Found { kind, span: span.cloned(), message });
    }

    fn counts(&self, found: &Found) -> bool {
        match &found.kind {
            Kind::Missing(table, key) => !self.meant.borrow().contains(&(table.clone(), key.clone())),
            Kind::Error | Kind::Warning => true,
        }
    }

    /// With broken TOML (`broken_lines`), what seems to be missing may stand in what could not be read.
    pub fn findings(&self, file: &Path, source: &Source<'_>, broken_lines: &[usize]) -> Findings {
        let line = |span: &Span| source.place(span.start).line;
        let is_broken = |found: &Found| {
            let missing = matches!(found.kind, Kind::Missing(..)) && !broken_lines.is_empty();
            missing || found.span.as_ref().is_some_and(|span| broken_lines.contains(&line(span)))
        };
        let mut found: Vec<Found> =
            self.found.borrow().iter().filter(|f| self.counts(f) && !is_broken(f)).cloned().collect();
        found.sort_by_key(|f| f.span.as_ref().map(|span| span.start));
        let problem = |found: &Found, prefix: &str| {
            let message = format!("{prefix}{}", found.message);
            match &found.span {
                Some(span) => Problem::at(file, source, span, message),
                None => Problem::of_file(file, message),
            }
        };
        let (warnings, errors): (Vec<Found>, Vec<Found>) =
            found.into_iter().partition(|f| f.kind == Kind::Warning);
        Findings {
            errors: errors.iter().map(|f| problem(f, "")).collect(),
            warnings: warnings.iter().map(|f| problem(f, "warning: ")).collect(),
        }
    }
}
