//! Selectors: how options of a mapping name one value of a record.
//!
//! ```text
//! selector = "$" path | "@" path | carets path | [carets] ( "@key" | "@member" ) | "key:$" path | flattened key
//! path     = 1*( .name | [index] | ['text'] )       carets = 1*"^"
//! ```

use crate::decode::{Path, PathError};
use std::fmt;

/// Location of one value, as `name_key`, `time_key`, `tag_keys`, `fields` and placeholders name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySelector {
    /// A flattened key of the element.
    Flattened(String),
    /// A path within the element: `@.a.b`.
    Element(Path),
    /// A path from the record's root: `$.a.b`.
    Root(Path),
    /// A path from an object that encloses the element: `^.a`, `^^.a`.
    Ancestor {
        /// Number of carets: 1 is the closest enclosing object.
        levels: usize,
        path: Path,
    },
    /// The member name or the array index under which the element stands (`@key`), or an object that encloses it (`^@key`).
    Key {
        /// Number of carets.
        levels: usize,
    },
    /// The last member name on the path of the element (`@member`), or of an object that encloses it (`^@member`). For an item of an array
    /// it is the name of the array.
    Member {
        /// Number of carets.
        levels: usize,
    },
    /// A path in the Kafka record's key, which is JSON: `key:$.code`.
    RecordKey(Path),
}

impl KeySelector {
    /// Parses a selector. Text that has the form of no other selector is a flattened key, such as `@timestamp`.
    ///
    /// # Errors
    /// Reports a path that is broken, or may select several values.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let after_carets = text.trim_start_matches('^');
        let levels = text.len() - after_carets.len();
        match after_carets {
            "@key" => return Ok(Self::Key { levels }),
            "@member" => return Ok(Self::Member { levels }),
            _ => {}
        }
        let path = |prefix: &str| {
            let rest = text.strip_prefix(prefix).filter(|rest| rest.starts_with(['.', '[']))?;
            Some(Path::parse(&format!("${rest}")).map_err(|error| error.with_text(text)))
        };
        let carets = text.get(..levels).unwrap_or_default();
        let found = match levels {
            0 => (path("$").map(|path| path.map(Self::Root)))
                .or_else(|| path("@").map(|path| path.map(Self::Element)))
                .or_else(|| path("key:$").map(|path| path.map(Self::RecordKey))),
            levels => path(carets).map(|path| path.map(|path| Self::Ancestor { levels, path })),
        };
        found.unwrap_or_else(|| Ok(Self::Flattened(text.to_owned())))
    }

    /// Whether the value stands in the element itself.
    #[must_use]
    pub fn is_in_element(&self) -> bool {
        matches!(self, Self::Flattened(_) | Self::Element(_))
    }

    /// The path as a flattened key: the name of a tag before `rename`.
    #[must_use]
    pub fn flattened(&self) -> String {
        match self {
            Self::Flattened(key) => key.clone(),
            Self::Element(path) | Self::Root(path) | Self::RecordKey(path) | Self::Ancestor { path, .. } => {
                path.flattened()
            }
            Self::Key { .. } => "key".to_owned(),
            Self::Member { .. } => "member".to_owned(),
        }
    }
}

/// The flattened key for a name with dots, such as Telegraf's GJSON paths have; none for another name. Globs stay globs.
#[must_use]
pub fn flattened_of_dots(name: &str) -> Option<String> {
    let nested =
        || Path::parse(&format!("$.{name}")).map_or_else(|_| name.replace('.', "_"), |path| path.flattened());
    name.contains('.').then(nested)
}

/// Writes the selector as in a configuration.
impl fmt::Display for KeySelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flattened(key) => f.write_str(key),
            Self::Element(path) => write!(f, "@{path}"),
            Self::Root(path) => write!(f, "${path}"),
            Self::Ancestor { levels, path } => write!(f, "{}{path}", "^".repeat(*levels)),
            Self::Key { levels } => write!(f, "{}@key", "^".repeat(*levels)),
            Self::Member { levels } => write!(f, "{}@member", "^".repeat(*levels)),
            Self::RecordKey(path) => write!(f, "key:${path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_selectors() {
        let path = |text: &str| Path::parse(text).unwrap();
        let f = |text: &str, want: KeySelector, flattened: &str| {
            let selector = KeySelector::parse(text).unwrap();
            assert_eq!(selector, want, "{text}");
            assert_eq!((selector.to_string().as_str(), selector.flattened().as_str()), (text, flattened));
        };
        f("$.a.b", KeySelector::Root(path("$.a.b")), "a_b");
        f("$[0].host", KeySelector::Root(path("$[0].host")), "0_host");
        f("@.topic", KeySelector::Element(path("$.topic")), "topic");
        f("@['a}b']", KeySelector::Element(path("$['a}b']")), "a}b");
        f("^.owner", KeySelector::Ancestor { levels: 1, path: path("$.owner") }, "owner");
        f("^^.site.name", KeySelector::Ancestor { levels: 2, path: path("$.site.name") }, "site_name");
        f("@key", KeySelector::Key { levels: 0 }, "key");
        f("^^@key", KeySelector::Key { levels: 2 }, "key");
        f("@member", KeySelector::Member { levels: 0 }, "member");
        f("^@member", KeySelector::Member { levels: 1 }, "member");
        f("key:$.code", KeySelector::RecordKey(path("$.code")), "code");
    }

    #[test]
    fn names_with_dots_have_a_flattened_form() {
        let f =
            |name: &str, want: Option<&str>| assert_eq!(flattened_of_dots(name).as_deref(), want, "{name}");
        f("host", None);
        f("meta.host", Some("meta_host"));
        f("meta.disks[0].name", Some("meta_disks_0_name"));
        f("meta.*", Some("meta_*"));
        f("a.b-c", Some("a_b-c"));
        f("meta.", Some("meta_"));
    }

    #[test]
    fn other_text_is_a_flattened_key() {
        for text in [
            "a_b_0",
            "@timestamp",
            "@version",
            "^x",
            "^",
            "^@keys",
            "@members",
            "@",
            "$",
            "$type",
            "key:$",
            "key:a",
            "",
        ] {
            assert_eq!(KeySelector::parse(text).unwrap(), KeySelector::Flattened(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn paths_are_singular_and_whole() {
        for text in ["$..a", "@.a[*]", "^.a['b','c']", "key:$.*", "$.a[-1]"] {
            let error = KeySelector::parse(text).unwrap_err();
            assert!(matches!(&error, PathError::NotSingular(shown) if shown == text), "{error}");
        }
        for text in ["$.", "^[", "^^.a-b", "key:$.a."] {
            let error = KeySelector::parse(text).unwrap_err();
            assert!(matches!(&error, PathError::Syntax { text: shown, .. } if shown == text), "{error}");
        }
    }
}
