//! Collects the errors and warnings of one configuration file, each with its place.

use super::interpolate::Surroundings;
use super::report::Problem;
use super::source::{Source, Span};
use super::syntax::Syntax;
use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;

/// Shared by the readers of all parts of one file.
pub struct Context<'a> {
    pub around: Surroundings<'a>,
    pub secrets: Secrets,
    /// Whether clients of Kafka can use TLS, SCRAM and OAUTHBEARER.
    pub has_kafka_tls: bool,
    found: RefCell<Vec<Found>>,
    /// Tables and keys that were found under a misspelt name.
    meant: RefCell<HashSet<(String, String)>>,
}

/// Whether missing secrets are errors. A dry run writes to no server and needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    Needed,
    /// A missing variable or file leaves its secret empty.
    Optional,
}

#[derive(Clone, Debug)]
struct Found {
    kind: Kind,
    /// None for an error of the file as a whole.
    span: Option<Span>,
    message: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Error,
    /// An error unless the table and key were found under a misspelt name.
    Missing(String, String),
    Warning,
}

/// Errors and warnings in the order of the file.
pub struct Findings {
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
}

impl<'a> Context<'a> {
    pub fn new(around: Surroundings<'a>, secrets: Secrets, has_kafka_tls: bool) -> Self {
        Self { around, secrets, has_kafka_tls, found: RefCell::default(), meant: RefCell::default() }
    }

    pub fn error(&self, span: &Span, message: impl Into<String>) {
        self.push(Kind::Error, Some(span), message.into());
    }

    pub fn warning(&self, span: &Span, message: impl Into<String>) {
        self.push(Kind::Warning, Some(span), message.into());
    }

    /// Reports a required key or table that is missing; without a place, of the file as a whole.
    pub fn missing(&self, span: Option<&Span>, table: &str, key: &str, message: impl Into<String>) {
        self.push(Kind::Missing(table.to_owned(), key.to_owned()), span, message.into());
    }

    /// Records that an unknown name was a misspelling of this key, which is therefore not reported as missing.
    pub fn meant(&self, table: &str, key: &str) {
        self.meant.borrow_mut().insert((table.to_owned(), key.to_owned()));
        // The author of the misplaced key believes that its table exists.
        self.meant.borrow_mut().insert((String::new(), table.to_owned()));
    }

    /// Adds the findings of `other` within `span`, without its missing keys: they may be elsewhere in the file.
    pub fn add_within(&self, other: &Self, span: &Span) {
        let is_inside = |found: &&Found| {
            let start = found.span.as_ref().map(|found| found.start);
            start.is_some_and(|start| span.contains(&start)) && !matches!(found.kind, Kind::Missing(..))
        };
        let found = other.found.borrow();
        self.found.borrow_mut().extend(found.iter().filter(is_inside).cloned());
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

    /// Leaves out missing keys if some lines are broken or some tables repeated: the keys may be there.
    pub fn findings(&self, file: &Path, source: &Source<'_>, syntax: &Syntax) -> Findings {
        let broken_lines = &syntax.broken_lines;
        let is_partial = !broken_lines.is_empty() || !syntax.repeated.is_empty();
        let line = |span: &Span| source.place(span.start).line;
        let is_broken = |found: &Found| {
            let missing = matches!(found.kind, Kind::Missing(..)) && is_partial;
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
