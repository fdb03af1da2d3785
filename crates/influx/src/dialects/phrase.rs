//! Types for the phrases by which answers are recognized. The phrases themselves are in the files of the server families, such as `v2.rs`.
//! `(source)` marks phrases there that were read in a server's source or documentation; all others were seen in answers of the named version.
//!
//! Phrases are in lower case. They are compared with a message from which everything that the server quotes was removed.

use crate::cause::Cause;

/// One phrase and its meaning.
#[derive(Debug)]
pub struct Phrase<T> {
    pub text: &'static str,
    pub means: T,
}

pub const fn phrase<T>(text: &'static str, means: T) -> Phrase<T> {
    Phrase { text, means }
}

/// The phrases of one server family.
#[derive(Debug)]
pub struct Phrases {
    /// Failures of the server or its operating system. They never concern lines.
    pub failures: &'static [Phrase<Cause>],
    pub limits: &'static [ServerLimit],
    /// Causes that lie in single lines. `refusal_cause` parses the messages of 1.x and 2.x, which name more.
    pub line_causes: &'static [LineCause],
    /// Words of answers about lines that name no cause by themselves. Without a known cause, such an answer proves nothing about a line.
    pub line_marks: &'static [&'static str],
    /// Answers to a write without lines.
    pub empty_write: &'static [&'static str],
    /// Bodies whose compression the server did not understand, or a proxy that unpacks or relabels bodies.
    pub encoding: &'static [&'static str],
    /// Beginnings of messages about the request itself.
    pub mistakes: &'static [Phrase<Cause>],
    pub quoted_texts: &'static [QuotedText],
    /// Texts before and behind the name of a column. The last one behind counts.
    pub column_marks: &'static [(&'static str, &'static str)],
}

impl Phrases {
    pub const NONE: Self = Self {
        failures: &[],
        limits: &[],
        line_causes: &[],
        line_marks: &[],
        empty_write: &[],
        encoding: &[],
        mistakes: &[],
        quoted_texts: &[],
        column_marks: &[],
    };
}

/// A cause that lies in single lines.
#[derive(Debug, PartialEq, Eq)]
pub struct LineCause {
    pub text: &'static str,
    pub name: &'static str,
    pub evidence: LineEvidence,
}

pub const fn line_cause(text: &'static str, name: &'static str, evidence: LineEvidence) -> LineCause {
    LineCause { text, name, evidence }
}

/// The text that a line contains if it has a cause. An answer proves nothing about a line without it, whether it names the line by number or
/// the line was sent alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEvidence {
    /// A measurement, tag or field of the name between these texts.
    Name { before: &'static str, behind: &'static str },
    /// The strict reader of line protocol cannot read the line.
    Unreadable,
    /// Two fields with the name of the column that the answer names.
    Duplicate,
    /// The column that the answer names, with the type behind the last `before`. `types`: the server's names of types, and those of the
    /// strict reader, or `tag`. `is_of_table`: the server refuses every line of the table with this column and type, whatever its value.
    ColumnType { before: &'static str, types: &'static [(&'static str, &'static str)], is_of_table: bool },
    /// The whole timestamp behind this text, without quotes, up to a semicolon.
    Timestamp { before: &'static str },
    /// A field that is a string of more than this many bytes.
    LongString(usize),
}

/// How a server begins and ends a quote. The last end in the message counts: a quoted text may contain any number of them, and
/// removing too much can only make a message unknown.
#[derive(Debug)]
pub struct QuotedText {
    pub begin: &'static str,
    pub end: &'static str,
    /// Whether the quote reaches to the end of the message if no end follows. Otherwise its first mark is an ordinary character.
    pub is_open: bool,
}

/// Which lines a limit keeps out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitScope {
    /// Some lines, such as those of new series or columns. The server takes others.
    Lines,
    /// Every line of the destination.
    Destination,
}

/// A limit of the server.
#[derive(Debug, PartialEq, Eq)]
pub struct ServerLimit {
    pub text: &'static str,
    pub scope: LimitScope,
    /// The limit and its setting: a sentence without a full stop.
    pub remedy: &'static str,
}

/// The meaning of the first phrase that the message contains.
pub fn find<T>(phrases: impl Iterator<Item = &'static Phrase<T>>, own: &str) -> Option<&'static T> {
    let mut phrases = phrases;
    phrases.find(|phrase| own.contains(phrase.text)).map(|phrase| &phrase.means)
}
