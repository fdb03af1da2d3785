//! Queries of JSONPath (RFC 9535).

use super::condition::{Compiler, Segment};
use super::path::{Path, PathError, parse, singular, unusable};
use std::fmt;

/// Query for the values of a record that become points.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    Whole,
    /// A singular path, found by skipping through the bytes.
    Path(Path),
    /// Wildcards, filters, slices and descendants need a tree of the record.
    Tree(TreeQuery),
}

#[derive(Clone, Debug, PartialEq)]
pub struct TreeQuery {
    pub(super) segments: Vec<Segment>,
    /// How many parts of its filters do not look at "@".
    pub(super) once: usize,
    /// The text in the configuration.
    text: String,
}

impl Query {
    /// # Errors
    /// When the text is not a JSONPath.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let query = parse(text)?;
        Ok(match singular(&query) {
            Some(path) if path.0.is_empty() => Self::Whole,
            Some(path) => Self::Path(path),
            None => {
                let mut compiler = Compiler::default();
                let segments = compiler.segments(&query.segments).map_err(|why| unusable(text, why))?;
                Self::Tree(TreeQuery { segments, once: compiler.once, text: text.to_owned() })
            }
        })
    }
}

/// Writes the query as in a configuration, with plain names after dots.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every JSONPath begins with "$".
        f.write_str("$")?;
        match self {
            Self::Whole => Ok(()),
            Self::Path(path) => path.fmt(f),
            Self::Tree(query) => f.write_str(query.text.strip_prefix('$').unwrap_or(&query.text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_shown_as_written() {
        let singular = ["$", "$.a.b", "$['a b'][2]", "$.온도", r"$['it\'s']"];
        for text in
            singular.iter().chain(&["$.items[*]", "$..a", "$.a[0:2]", "$.a[?@.b > 1]", "$.a['b','c']"])
        {
            assert_eq!(Query::parse(text).unwrap().to_string(), *text);
        }
    }

    #[test]
    fn queries_for_several_values_keep_their_text() {
        for text in ["$.items[*]", "$..a", "$.a[0:2]", "$.a[?@.b > 1]", "$.a[-1]", "$.a['b','c']"] {
            assert!(matches!(Query::parse(text).unwrap(), Query::Tree(_)), "{text}");
            assert!(matches!(Path::parse(text), Err(PathError::NotSingular(_))), "{text}");
        }
        assert_eq!(Query::parse("$").unwrap(), Query::Whole);
        for text in ["", "a.b", "$.", "$[", "items"] {
            assert!(matches!(Query::parse(text), Err(PathError::Syntax { .. })), "{text}");
        }
    }
}
