//! `rename`: turns a flattened key into the final tag or field key, as the last step of the mapping.

use thiserror::Error;

/// Renaming rules. Exact names are tried before patterns, and patterns with the longest prefix first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rename {
    exact: Vec<(String, String)>,
    patterns: Vec<Pattern>,
}

/// `before*after` becomes `to_before`, the text matched by the star, and `to_after`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    before: String,
    after: String,
    to_before: String,
    to_after: String,
}

#[derive(Debug, Error)]
pub enum RenameError {
    #[error("more than one \"*\" in {0:?}: one part of a key can be kept, write one rule for each")]
    ManyStars(String),
    #[error(
        "{from:?} has a \"*\" and {to:?} has none: all matching keys would get one name; write \"*\" where the matched part belongs"
    )]
    StarLost { from: String, to: String },
    #[error("{to:?} has a \"*\", {from:?} has none, so there is nothing to put there")]
    StarFromNowhere { from: String, to: String },
    #[error(
        "{from:?} is renamed to nothing: to drop a field, put its key into `exclude`; to drop a tag, take its key out of `tag_keys`"
    )]
    Empty { from: String },
}

impl Rename {
    /// # Errors
    /// When the two sides do not fit together.
    pub fn add(&mut self, from: &str, to: &str) -> Result<(), RenameError> {
        let owned = || (from.to_owned(), to.to_owned());
        for side in [from, to] {
            if side.matches('*').count() > 1 {
                return Err(RenameError::ManyStars(side.to_owned()));
            }
        }
        if to.is_empty() {
            return Err(RenameError::Empty { from: from.to_owned() });
        }
        match (from.split_once('*'), to.split_once('*')) {
            (None, None) => self.exact.push(owned()),
            (Some(_), None) => {
                let (from, to) = owned();
                return Err(RenameError::StarLost { from, to });
            }
            (None, Some(_)) => {
                let (from, to) = owned();
                return Err(RenameError::StarFromNowhere { from, to });
            }
            (Some((before, after)), Some((to_before, to_after))) => {
                self.patterns.push(Pattern {
                    before: before.to_owned(),
                    after: after.to_owned(),
                    to_before: to_before.to_owned(),
                    to_after: to_after.to_owned(),
                });
                self.patterns.sort_by_key(|p| std::cmp::Reverse(p.before.len() + p.after.len()));
            }
        }
        Ok(())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }

    /// The final key.
    #[must_use]
    pub fn apply(&self, key: &str) -> String {
        if let Some((_, to)) = self.exact.iter().find(|(from, _)| from == key) {
            return to.clone();
        }
        self.patterns.iter().find_map(|p| p.apply(key)).unwrap_or_else(|| key.to_owned())
    }
}

impl Pattern {
    fn apply(&self, key: &str) -> Option<String> {
        let kept = key.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        Some(format!("{}{kept}{}", self.to_before, self.to_after)).filter(|to| !to.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rename(rules: &[(&str, &str)]) -> Rename {
        let mut rename = Rename::default();
        for (from, to) in rules {
            rename.add(from, to).unwrap();
        }
        rename
    }

    #[test]
    fn renames() {
        let f = |rules: &[(&str, &str)], key: &str, want: &str| {
            assert_eq!(rename(rules).apply(key), want, "{rules:?} {key}");
        };
        f(&[], "a", "a");
        f(&[("free_ram", "memory")], "free_ram", "memory");
        f(&[("fields_*", "*")], "fields_usage_system", "usage_system");
        f(&[("fields_*", "*"), ("fields_a", "b")], "fields_a", "b");
        f(&[("a_*", "*"), ("a_b_*", "x_*")], "a_b_c", "x_c");
        f(&[("*_ms", "*_milliseconds")], "took_ms", "took_milliseconds");
        f(&[("fields_*", "*")], "fields_", "fields_");
    }

    #[test]
    fn refuses_sides_with_different_stars() {
        let f = |from: &str, to: &str, want: &str| {
            let error = Rename::default().add(from, to).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        };
        f("a_*_*", "*", "more than one");
        f("a_*", "b", "all matching keys would get one name");
        f("a", "b_*", "nothing to put there");
        f("a", "", "exclude");
    }
}
