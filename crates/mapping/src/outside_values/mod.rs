//! Values that selectors take from outside of the element: from the record's root, from objects that enclose the element, from the
//! names under which they stand, and from the Kafka record's key.

use super::scalar::{Kind, Scalar};
use super::selector::KeySelector;
use crate::decode::{
    Path, Query, Scanner, Search, Step, SyntaxError, Token, Tree, TreeKey, find_all, select_in,
};
use std::ops::Range;

/// The values of one record. The buffers are reused from record to record.
#[derive(Debug, Default)]
pub struct OutsideValues {
    /// One for each selector.
    sources: Vec<Source>,
    /// The values for the element that is mapped.
    values: Vec<Option<Scalar>>,
    /// Paths from the record's root.
    paths: Vec<Path>,
    searches: Vec<Search>,
    /// Index of the query in `paths`, where it is a path.
    query: Option<usize>,
    /// Paths in the Kafka record's key.
    key_paths: Vec<Path>,
    key_searches: Vec<Search>,
    /// Values that differ between the selected values of one record: one row for each of these, one column for each source.
    rows: Vec<Option<Scalar>>,
    /// The start of the last name in the path of each selected value, if a query for several values selects other ones than objects.
    names: Vec<Option<usize>>,
    /// Text that does not stand in the record's JSON: the Kafka record's key, names in the query and array indices.
    beside: Vec<u8>,
    /// Length of `beside` without the text of the record, and without the index of an item.
    lengths: (usize, usize),
    /// Whether an index in an array is a value.
    takes_index: bool,
    /// The value of `@key` that is known from the query.
    own_key: Option<Scalar>,
}

/// Where the value of a selector is found.
#[derive(Debug)]
enum Source {
    /// Index in [`OutsideValues::paths`].
    Root(usize),
    /// Index in [`OutsideValues::key_paths`].
    RecordKey(usize),
    /// A path from an object that encloses a value, which a query for several values selects.
    Ancestor { levels: usize, path: Path },
    /// The key of a value that a query for several values selects, or of an object that encloses it.
    Key { levels: usize },
    /// The name or index is known from the query. `is_item`: an item of an array has its index instead.
    Fixed { key: Option<Step>, is_item: bool },
    /// An enclosing object that no element has.
    Nothing,
}

impl OutsideValues {
    /// `selectors`: those of a mapping whose values stand outside of the element.
    pub fn new(selectors: &[KeySelector], query: &Query) -> Self {
        let mut new = Self::default();
        for selector in selectors {
            let source = new.source(selector, query);
            new.sources.push(source);
        }
        if !new.sources.is_empty() {
            // The query is found in the same pass.
            new.query = if let Query::Path(path) = query {
                Some(index_of(path.clone(), &mut new.paths))
            } else {
                None
            };
        }
        new.takes_index = (new.sources.iter())
            .any(|source| matches!(source, Source::Fixed { is_item: true, .. } | Source::Key { levels: 0 }));
        new.values = vec![None; new.sources.len()];
        new.searches = vec![Search::default(); new.paths.len()];
        new.key_searches = vec![Search::default(); new.key_paths.len()];
        new
    }

    fn source(&mut self, selector: &KeySelector, query: &Query) -> Source {
        match (selector, query) {
            (KeySelector::Root(path), _) => Source::Root(index_of(path.clone(), &mut self.paths)),
            (KeySelector::RecordKey(path), _) => {
                Source::RecordKey(index_of(path.clone(), &mut self.key_paths))
            }
            (KeySelector::Ancestor { levels, path }, Query::Path(query)) => match enclosing(query, *levels) {
                Some(object) => {
                    let steps = object.iter().chain(&path.0).cloned().collect();
                    Source::Root(index_of(Path(steps), &mut self.paths))
                }
                None => Source::Nothing,
            },
            (KeySelector::Ancestor { levels, path }, Query::Tree(_)) => {
                Source::Ancestor { levels: *levels, path: path.clone() }
            }
            (KeySelector::Key { levels: 0 }, Query::Whole) => Source::Fixed { key: None, is_item: true },
            (KeySelector::Key { levels: 0 }, Query::Path(query)) => {
                Source::Fixed { key: query.0.last().cloned(), is_item: true }
            }
            (KeySelector::Key { levels }, Query::Path(query)) => {
                let key = enclosing(query, *levels).and_then(<[Step]>::last).cloned();
                Source::Fixed { key, is_item: false }
            }
            (KeySelector::Key { levels }, Query::Tree(_)) => Source::Key { levels: *levels },
            // The values of these stand in the element.
            (KeySelector::Flattened(_) | KeySelector::Element(_), _)
            | (KeySelector::Ancestor { .. } | KeySelector::Key { .. }, Query::Whole) => Source::Nothing,
        }
    }

    /// Begins a record with this key.
    pub fn begin_record(&mut self, key: Option<&[u8]>) {
        if self.sources.is_empty() {
            return;
        }
        self.values.fill(None);
        self.beside.clear();
        self.own_key = None;
        for (value, source) in self.values.iter_mut().zip(&self.sources) {
            if let Source::Fixed { key: Some(key), is_item } = source {
                *value = Some(push_step(key, &mut self.beside));
                self.own_key = value.filter(|_| *is_item).or(self.own_key);
            }
        }
        if let Some(key) = key.filter(|_| !self.key_paths.is_empty()) {
            self.find_in_key(key);
        }
        self.lengths = (self.beside.len(), self.beside.len());
    }

    /// A key that is no JSON has no values.
    fn find_in_key(&mut self, key: &[u8]) {
        let scanner = Scanner::new(key);
        if find_all(&self.key_paths, &mut self.key_searches, &scanner).is_err() {
            return;
        }
        let start = self.beside.len();
        self.beside.extend_from_slice(key);
        for (value, source) in self.values.iter_mut().zip(&self.sources) {
            if let Source::RecordKey(path) = source {
                let found = self.key_searches.get(*path).and_then(|search| search.found.clone());
                let scalar = found.and_then(|span| scalar_at(&scanner, span.start).ok().flatten());
                *value = scalar.map(|scalar| scalar.moved_outside(start));
            }
        }
    }

    /// Finds the values of a document, and the ranges of the values that the query selects. The whole document is checked, unless it is
    /// itself the selected value and no selector wants one.
    pub fn find(
        &mut self,
        query: &Query,
        scanner: &Scanner<'_>,
        spans: &mut Vec<Range<usize>>,
    ) -> Result<(), SyntaxError> {
        self.beside.truncate(self.lengths.0);
        for (value, source) in self.values.iter_mut().zip(&self.sources) {
            if matches!(source, Source::Fixed { is_item: true, .. }) {
                *value = self.own_key;
            }
        }
        self.names.clear();
        match query {
            Query::Tree(query) => {
                let tree = Tree::read(scanner)?;
                select_in(&tree, query, spans);
                self.find_names(&tree, scanner, spans);
                if !self.sources.is_empty() {
                    self.find_in_tree(&tree, scanner, spans)?;
                }
            }
            Query::Whole if self.paths.is_empty() => {}
            Query::Path(path) if self.paths.is_empty() => spans.extend(crate::decode::find(path, scanner)?),
            Query::Whole | Query::Path(_) => self.find_paths(scanner, spans)?,
        }
        self.lengths.1 = self.beside.len();
        Ok(())
    }

    /// Finds the names of selected scalars, and of scalars in selected arrays.
    fn find_names(&mut self, tree: &Tree, scanner: &Scanner<'_>, spans: &[Range<usize>]) {
        let is_object = |span: &Range<usize>| scanner.bytes().get(span.start) == Some(&b'{');
        if spans.iter().all(is_object) {
            return;
        }
        let mut enclosing = Vec::new();
        for span in spans {
            tree.enclosing(span, &mut enclosing);
            let name = |(_, key): &(&Tree, TreeKey)| match key {
                TreeKey::Name(start) => Some(*start),
                TreeKey::Index(_) => None,
            };
            self.names.push(enclosing.iter().rev().find_map(name));
        }
    }

    /// The start in the record's JSON text of the last name in the path of a selected value, where a query for several values selects
    /// a scalar or an array.
    pub fn name(&self, number: usize) -> Option<usize> {
        self.names.get(number).copied().flatten()
    }

    fn find_paths(
        &mut self,
        scanner: &Scanner<'_>,
        spans: &mut Vec<Range<usize>>,
    ) -> Result<(), SyntaxError> {
        find_all(&self.paths, &mut self.searches, scanner)?;
        for (value, source) in self.values.iter_mut().zip(&self.sources) {
            if let Source::Root(path) = source {
                let found = self.searches.get(*path).and_then(|search| search.found.clone());
                *value = found.map_or(Ok(None), |span| scalar_at(scanner, span.start))?;
            }
        }
        let query = self.query.and_then(|query| self.searches.get(query));
        spans.extend(query.and_then(|search| search.found.clone()));
        Ok(())
    }

    /// Finds the values of the root, and a row of values for each selected one.
    fn find_in_tree(
        &mut self,
        tree: &Tree,
        scanner: &Scanner<'_>,
        spans: &[Range<usize>],
    ) -> Result<(), SyntaxError> {
        for (value, source) in self.values.iter_mut().zip(&self.sources) {
            if let Source::Root(path) = source {
                let found = self.paths.get(*path).and_then(|path| tree.at(path));
                *value = found.map_or(Ok(None), |found| scalar_at(scanner, found.span().start))?;
            }
        }
        self.rows.clear();
        let has_rows = |source: &Source| matches!(source, Source::Ancestor { .. } | Source::Key { .. });
        if !self.sources.iter().any(has_rows) {
            return Ok(());
        }
        let mut enclosing = Vec::new();
        // Neighbours mostly have the same parent, whose members are searched once.
        let mut last: Vec<Option<(usize, Option<Scalar>)>> = vec![None; self.sources.len()];
        for span in spans {
            tree.enclosing(span, &mut enclosing);
            // Index in `enclosing` of the object of this level.
            let object = |levels: usize| {
                let objects =
                    enclosing.iter().enumerate().rev().filter(|(_, (container, _))| container.is_object());
                objects.map(|(place, _)| place).nth(levels.checked_sub(1)?)
            };
            for (source, last) in self.sources.iter().zip(&mut last) {
                let value = match source {
                    Source::Ancestor { levels, path } => {
                        match object(*levels).and_then(|place| enclosing.get(place)) {
                            Some((object, _)) => {
                                let start = object.span().start;
                                let known = last.filter(|(known, _)| *known == start).map(|(_, value)| value);
                                let value = match known {
                                    Some(value) => value,
                                    None => match object.at(path) {
                                        Some(found) => scalar_at(scanner, found.span().start)?,
                                        None => None,
                                    },
                                };
                                *last = Some((start, value));
                                value
                            }
                            None => None,
                        }
                    }
                    Source::Key { levels } => {
                        let place = match levels {
                            0 => enclosing.len().checked_sub(1),
                            levels => object(*levels).and_then(|place| place.checked_sub(1)),
                        };
                        match place.and_then(|place| enclosing.get(place)) {
                            // A name stays in the record: a copy for each element could take far more memory than the record.
                            Some((_, TreeKey::Name(start))) => scalar_at(scanner, *start)?,
                            Some((_, TreeKey::Index(index))) => Some(push_index(*index, &mut self.beside)),
                            None => None,
                        }
                    }
                    _ => None,
                };
                self.rows.push(value);
            }
        }
        Ok(())
    }

    /// Continues with the selected value of this number.
    pub fn enter_selected(&mut self, number: usize) {
        if self.rows.is_empty() {
            return;
        }
        let row = self.rows.iter().skip(number * self.sources.len());
        for ((value, source), found) in self.values.iter_mut().zip(&self.sources).zip(row) {
            if matches!(source, Source::Ancestor { .. } | Source::Key { .. }) {
                *value = *found;
            }
        }
    }

    /// Continues with the item of this index in an array whose items are elements.
    pub fn enter_item(&mut self, index: usize) {
        if !self.takes_index {
            return;
        }
        self.beside.truncate(self.lengths.1);
        let located = push_index(index, &mut self.beside);
        for (value, source) in self.values.iter_mut().zip(&self.sources) {
            if matches!(source, Source::Fixed { is_item: true, .. } | Source::Key { levels: 0 }) {
                *value = Some(located);
            }
        }
    }

    /// The value of a selector by its index.
    #[expect(clippy::indexing_slicing, reason = "indexes are those of the selectors that this was made for")]
    pub fn get(&self, place: usize) -> Option<Scalar> {
        self.values[place]
    }

    /// The text of values that do not stand in the record's JSON.
    pub fn text(&self) -> &[u8] {
        &self.beside
    }

    /// Allocated memory in bytes of the buffers that grow with a record.
    pub fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Option<Scalar>>()
            + self.names.capacity() * size_of::<Option<usize>>()
            + self.beside.capacity()
    }

    /// Frees the memory.
    pub fn release(&mut self) {
        (self.rows, self.names, self.beside) = (Vec::new(), Vec::new(), Vec::new());
    }
}

/// The steps to the object of this level that encloses the value of a path.
fn enclosing(path: &Path, levels: usize) -> Option<&[Step]> {
    let steps = &path.0;
    // A name leads out of an object, an index out of an array.
    let objects = (0..steps.len()).rev().filter(|&at| matches!(steps.get(at), Some(Step::Key(_))));
    steps.get(..objects.clone().nth(levels.checked_sub(1)?)?)
}

fn index_of(path: Path, paths: &mut Vec<Path>) -> usize {
    paths.iter().position(|known| *known == path).unwrap_or_else(|| {
        paths.push(path);
        paths.len() - 1
    })
}

/// The scalar that begins at a position.
fn scalar_at(scanner: &Scanner<'_>, start: usize) -> Result<Option<Scalar>, SyntaxError> {
    let mut scanner = scanner.at(start);
    Ok(match scanner.value()? {
        Token::Object | Token::Array => None,
        scalar => Scalar::of(scalar, scanner.source(), scanner.position()),
    })
}

fn push_step(step: &Step, beside: &mut Vec<u8>) -> Scalar {
    match step {
        Step::Key(name) => {
            let start = beside.len();
            beside.extend_from_slice(name.as_bytes());
            Scalar::outside(Kind::Plain, start..beside.len())
        }
        Step::Index(index) => push_index(*index, beside),
    }
}

fn push_index(index: usize, beside: &mut Vec<u8>) -> Scalar {
    let start = beside.len();
    beside.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
    Scalar::outside(Kind::Number, start..beside.len())
}

#[cfg(test)]
mod tests;
