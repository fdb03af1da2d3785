//! Values by flattened key: that of an exact name, otherwise that of the longest glob.

use super::globs::{self, GlobError, Globs};

/// A table such as `types`, whose names are flattened keys or globs.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyTable<T> {
    globs: Globs,
    /// In the order of the globs.
    values: Vec<T>,
}

impl<T> Default for KeyTable<T> {
    fn default() -> Self {
        Self { globs: Globs::default(), values: Vec::new() }
    }
}

impl<T> KeyTable<T> {
    /// # Errors
    /// Reports the first name that is not a glob.
    pub fn compile(entries: Vec<(String, T)>) -> Result<Self, GlobError> {
        let (patterns, values): (Vec<String>, Vec<T>) = entries.into_iter().unzip();
        Ok(Self { globs: Globs::compile(&patterns)?, values })
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The names as written, with their values.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &T)> {
        self.globs.patterns().iter().map(String::as_str).zip(&self.values)
    }

    /// The index of the value for a key.
    #[must_use]
    pub fn index_of(&self, key: &str) -> Option<usize> {
        let patterns = self.globs.patterns();
        let exact = || patterns.iter().position(|pattern| pattern == key);
        let length = |index: &usize| patterns.get(*index).map_or(0, |pattern| pattern.chars().count());
        // The first of equally long globs; `tie` finds those before.
        let longest = || self.globs.matching(key).into_iter().rev().max_by_key(length);
        if self.is_empty() { None } else { exact().or_else(longest) }
    }

    #[must_use]
    pub fn get(&self, key: &str) -> Option<&T> {
        self.value_at(self.index_of(key)?)
    }

    /// The value at an index that [`KeyTable::index_of`] returned.
    #[must_use]
    pub fn value_at(&self, index: usize) -> Option<&T> {
        self.values.get(index)
    }
}

impl<T: PartialEq> KeyTable<T> {
    /// Indices of two globs of one length with different values that can match the same key.
    #[must_use]
    pub fn tie(&self) -> Option<(usize, usize)> {
        let entries: Vec<_> = self.entries().enumerate().collect();
        // A name is matched exactly, and so comes first.
        let is_glob = |pattern: &str| pattern.contains(['*', '?', '[', '{', '\\']);
        let is_tie = |(pattern, value): (&str, &T), (other, another): (&str, &T)| {
            is_glob(pattern)
                && is_glob(other)
                && pattern.chars().count() == other.chars().count()
                && value != another
                && globs::overlap(pattern, other)
        };
        entries.iter().find_map(|&(first, entry)| {
            let later = entries.iter().filter(|(second, _)| *second > first);
            later.clone().find(|&&(_, other)| is_tie(entry, other)).map(|(second, _)| (first, *second))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(names: &[&str]) -> KeyTable<usize> {
        let entries = names.iter().enumerate().map(|(value, name)| ((*name).to_owned(), value));
        KeyTable::compile(entries.collect()).unwrap()
    }

    #[test]
    fn an_exact_name_comes_before_the_longest_glob() {
        let table = table(&["*", "temp_*", "temp_in", "temp_i*", "a[0]"]);
        let f = |key: &str, want: usize| assert_eq!(table.get(key), Some(&want), "{key}");
        f("x", 0);
        f("temp_out", 1);
        f("temp_in", 2);
        f("temp_is", 3);
        f("a[0]", 4);
        f("a0", 4);
        assert_eq!(super::KeyTable::<u8>::default().get("x"), None);
    }

    #[test]
    fn finds_globs_that_tie() {
        let f = |names: &[&str], want: Option<(usize, usize)>| {
            assert_eq!(table(names).tie(), want, "{names:?}");
        };
        f(&["a*", "*a"], Some((0, 1)));
        f(&["a*", "b*"], None);
        f(&["a", "b"], None);
        f(&["a*", "ab"], None);
        f(&["x", "ab*", "a*c", "*"], Some((1, 2)));
        f(&["a*", "a?b"], None);
        let same = [("a*".to_owned(), 1), ("*a".to_owned(), 1)];
        assert_eq!(KeyTable::compile(same.to_vec()).unwrap().tie(), None);
    }
}
