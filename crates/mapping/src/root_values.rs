//! Values that a mapping takes by JSONPaths from the record's root.

use super::rules::{KeySelector, Rules};
use super::scalar::Scalar;
use crate::decode::{Path, Scanner, Search, SyntaxError, find_all};

/// The values of one record. The buffers are reused from record to record.
#[derive(Debug)]
pub struct RootValues {
    /// The paths of the tags, then those of name and time.
    paths: Vec<Path>,
    searches: Vec<Search>,
    found: Vec<Option<Scalar>>,
    /// Indices in `paths`.
    name: Option<usize>,
    time: Option<usize>,
}

impl RootValues {
    pub fn new(rules: &Rules) -> Self {
        let mut paths: Vec<_> = rules.tag_paths.iter().map(|tag| tag.path.clone()).collect();
        let mut add = |selector: Option<&KeySelector>| match selector {
            Some(KeySelector::Root(path)) => {
                paths.push(path.clone());
                Some(paths.len() - 1)
            }
            _ => None,
        };
        let name = add(rules.name_key.as_ref());
        let time = add(rules.time.as_ref().map(|time| &time.key));
        let searches = vec![Search::default(); paths.len()];
        Self { paths, searches, found: Vec::new(), name, time }
    }

    /// Finds the values of a record, all in one pass.
    pub fn find(&mut self, scanner: &Scanner<'_>) -> Result<(), SyntaxError> {
        if self.paths.is_empty() {
            return Ok(());
        }
        find_all(&self.paths, &mut self.searches, scanner)?;
        self.found.clear();
        for search in &self.searches {
            let scalar = search.found.as_ref().map(|span| {
                let token = scanner.within(span.start, span.end).value()?;
                Ok(Scalar::of(token, scanner.source(), span.end))
            });
            self.found.push(scalar.transpose()?.flatten());
        }
        Ok(())
    }

    pub fn name(&self) -> Option<Scalar> {
        self.get(self.name?).filter(Scalar::is_text)
    }

    pub fn time(&self) -> Option<Scalar> {
        self.get(self.time?)
    }

    /// The tag with this index in [`Rules::tag_paths`].
    pub fn tag(&self, place: usize) -> Option<Scalar> {
        self.get(place).filter(|scalar| !scalar.is_empty_text())
    }

    #[expect(clippy::indexing_slicing, reason = "`find` comes first, and has a value or none for each path")]
    fn get(&self, place: usize) -> Option<Scalar> {
        self.found[place]
    }
}
