//! Globs over flattened keys, as in `tag_keys` and `string_fields`.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use thiserror::Error;

/// A compiled list of globs. `*` also matches "_", as in Telegraf.
#[derive(Clone, Debug, Default)]
pub struct Globs {
    set: GlobSet,
    patterns: Vec<String>,
}

impl PartialEq for Globs {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

/// A glob that can't be compiled.
#[derive(Debug, Error)]
#[error("{pattern:?} is not a glob: {why}")]
pub struct GlobError {
    /// Index of the glob in the list.
    pub index: usize,
    pub pattern: String,
    pub why: String,
}

impl Globs {
    /// # Errors
    /// Reports the first pattern that is not a glob.
    pub fn compile<S: AsRef<str>>(patterns: &[S]) -> Result<Self, GlobError> {
        let mut builder = GlobSetBuilder::new();
        let error = |index: usize, pattern: &str, e: &globset::Error| GlobError {
            index,
            pattern: pattern.to_owned(),
            why: e.kind().to_string(),
        };
        for (index, pattern) in patterns.iter().map(AsRef::as_ref).enumerate() {
            let glob = GlobBuilder::new(pattern).literal_separator(false).backslash_escape(true).build();
            builder.add(glob.map_err(|e| error(index, pattern, &e))?);
        }
        let set = builder.build().map_err(|e| error(0, "(all together)", &e))?;
        Ok(Self { set, patterns: patterns.iter().map(|pattern| pattern.as_ref().to_owned()).collect() })
    }

    #[must_use]
    pub fn is_match(&self, key: &str) -> bool {
        self.set.is_match(key)
    }

    /// The patterns as written.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Indices of the patterns that match.
    pub fn matching(&self, key: &str) -> Vec<usize> {
        self.set.matches(key)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_like_telegraf() {
        let f = |patterns: &[&str], key: &str, want: bool| {
            assert_eq!(Globs::compile(patterns).unwrap().is_match(key), want, "{patterns:?} {key}");
        };
        f(&[], "a", false);
        f(&["a"], "a", true);
        f(&["a"], "ab", false);
        f(&["host_*"], "host_name_0", true);
        f(&["*"], "a/b", true);
        f(&["x", "disks_*_dev"], "disks_0_dev", true);
        f(&["{cpu,mem}_?"], "mem_1", true);
        f(&["온도*"], "온도_실내", true);
    }

    #[test]
    fn lists_the_patterns_that_match() {
        let globs = Globs::compile(&["a*", "b", "*b"]).unwrap();
        assert_eq!((globs.matching("ab"), globs.matching("b")), (vec![0, 2], vec![1, 2]));
        assert_eq!(globs.patterns(), ["a*", "b", "*b"]);
    }

    #[test]
    fn names_the_invalid_pattern() {
        let error = Globs::compile(&["a", "b[", "c"]).unwrap_err();
        assert_eq!((error.index, error.pattern.as_str()), (1, "b["));
    }
}
