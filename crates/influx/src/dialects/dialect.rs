//! The interface of a dialect.

use crate::answer::Answer;
use crate::cause::Cause;
use base::Credential;
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;

/// The API of one destination.
pub trait Dialect: Send + Sync {
    /// Where lines are posted. The precision is nanoseconds in every dialect.
    fn write_target(&self) -> Target<'_>;

    /// How to find out whether the destination takes writes, without writing a point.
    fn probe(&self) -> Probe<'_> {
        Probe::EmptyWrite
    }

    /// Query for the retention of the destination; `None` where the server refuses no old points.
    fn retention_target(&self) -> Option<Target<'_>> {
        None
    }

    /// The retention in the answer to [`Dialect::retention_target`]; zero means unlimited.
    fn retention(&self, _: &Value) -> Option<Duration> {
        None
    }

    /// Request that creates the destination; `None` where the server has nothing to create, or the bridge creates none.
    fn creation_target(&self) -> Option<Target<'_>> {
        None
    }

    /// Whether this answer to a write without lines means that the destination takes writes.
    fn accepts_empty_write(&self, _: &Answer) -> bool {
        false
    }

    /// Remedy for a missing permission.
    fn permission_remedy(&self, credential: &Credential) -> String;

    /// Remedy for a missing organization, bucket, database or mapping.
    fn missing_remedy(&self, cause: Cause, credential: &Credential) -> String;

    /// Remedy for a destination that is missing although `create_database` is set.
    fn not_created_remedy(&self, credential: &Credential) -> String;
}

/// How to find out whether a destination takes writes.
#[derive(Clone, Debug)]
pub enum Probe<'a> {
    /// A write without lines.
    EmptyWrite,
    /// A list of the server's databases, where a write without lines would create the database.
    Databases(DatabaseList<'a>),
}

/// A query for the names of all databases.
#[derive(Clone, Debug)]
pub struct DatabaseList<'a> {
    pub target: Target<'a>,
    /// The destination's name in the list.
    pub name: Cow<'a, str>,
    /// The names in an answer; `None` if it is no list.
    pub read: fn(&Value) -> Option<Vec<String>>,
}

/// Path and query parameters of a request, relative to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    pub path: &'static [&'static str],
    pub parameters: Vec<(&'static str, Cow<'a, str>)>,
}

/// One word of a shell command, for remedies.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_words_for_a_shell() {
        let f = |text: &str, want: &str| assert_eq!(shell_word(text), want);
        f("plain-1.x", "plain-1.x");
        f("", "''");
        f("a b", "'a b'");
        f("a'; rm -rf /; '", r"'a'\''; rm -rf /; '\'''");
    }
}
