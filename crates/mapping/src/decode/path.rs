//! Singular paths of JSONPath (RFC 9535).

use jsonpath_rust::parser::model::{JpQuery, Segment as ParsedSegment, Selector as ParsedSelector};
use jsonpath_rust::parser::parse_json_path;
use std::fmt;
use thiserror::Error;

/// A singular path, which selects at most one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(usize),
}

#[derive(Debug, Error)]
pub enum PathError {
    #[error("{text:?} is not a JSONPath: {why}")]
    Syntax { text: String, why: String },
    /// A filter would hold for nothing.
    #[error("{text:?} can't be used: {why}")]
    Function { text: String, why: String },
    #[error(
        "{0:?} may select several values, and one is wanted here: name each step, such as \"$.host.name\""
    )]
    NotSingular(String),
}

/// Writes the steps as in a configuration, without the "$" before them.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Key(name) => write_name(name, f),
            Step::Index(index) => write!(f, "[{index}]"),
        })
    }
}

impl PathError {
    /// The same error about a text in which the path has another beginning than "$".
    #[must_use]
    pub(crate) fn with_text(self, whole: &str) -> Self {
        match self {
            // The parser's message has positions in its own text.
            Self::Syntax { text, why } => {
                let why = if text.len() == whole.len() { why } else { String::new() };
                Self::Syntax { text: whole.to_owned(), why }
            }
            Self::Function { why, .. } => Self::Function { text: whole.to_owned(), why },
            Self::NotSingular(_) => Self::NotSingular(whole.to_owned()),
        }
    }
}

fn write_name(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_plain = |c: char| c.is_alphanumeric() || c == '_';
    if name.chars().all(is_plain) && name.starts_with(|c: char| !c.is_ascii_digit()) {
        write!(f, ".{name}")
    } else {
        write!(f, "['{}']", name.replace('\\', r"\\").replace('\'', r"\'"))
    }
}

impl Path {
    /// The last name among the steps.
    #[must_use]
    pub fn last_name(&self) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find_map(|step| if let Step::Key(name) = step { Some(name.as_str()) } else { None })
    }

    /// # Errors
    /// When the text is not a JSONPath, or may select several values.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        singular(&parse(text)?).ok_or_else(|| PathError::NotSingular(text.to_owned()))
    }

    /// The path as a flattened key: `$.host.names[0]` is `host_names_0`.
    #[must_use]
    pub fn flattened(&self) -> String {
        let steps: Vec<String> = self
            .0
            .iter()
            .map(|step| match step {
                Step::Key(key) => key.clone(),
                Step::Index(index) => index.to_string(),
            })
            .collect();
        steps.join("_")
    }
}

pub(super) fn parse(text: &str) -> Result<JpQuery, PathError> {
    let wrong = |why: String| PathError::Syntax { text: text.to_owned(), why };
    parse_json_path(text).map_err(|error| wrong(error.to_string()))
}

pub(super) fn unusable(text: &str, why: String) -> PathError {
    PathError::Function { text: text.to_owned(), why }
}

pub(super) fn singular(query: &JpQuery) -> Option<Path> {
    let step = |segment: &ParsedSegment| match segment {
        ParsedSegment::Selector(ParsedSelector::Name(name)) => Some(Step::Key(name.clone())),
        ParsedSegment::Selector(ParsedSelector::Index(index)) => {
            usize::try_from(*index).ok().map(Step::Index)
        }
        _ => None,
    };
    query.segments.iter().map(step).collect::<Option<Vec<_>>>().map(Path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singular_paths_become_steps() {
        let key = |k: &str| Step::Key(k.to_owned());
        let f = |text: &str, want: Vec<Step>| assert_eq!(Path::parse(text).unwrap().0, want, "{text}");
        f("$", vec![]);
        f("$.a.b", vec![key("a"), key("b")]);
        f("$['a b'][2]", vec![key("a b"), Step::Index(2)]);
        f("$.온도", vec![key("온도")]);
        assert_eq!(Path::parse("$.host.names[0]").unwrap().flattened(), "host_names_0");
    }
}
