//! Values that selectors take from outside of the element: from the record's root, from objects that enclose the element, from the
//! names under which they stand, and from the Kafka record's key.

use super::drop_reason::DropReason;
use super::replacements::{Replaced, Replacements};
use super::reshape::CountedValues;
use super::rules::Rules;
use super::scalar::{Kind, Scalar, Texts};
use super::selector::KeySelector;
use crate::decode::{
    Path, PathSearch, Query, Scanner, Step, SyntaxError, Token, Tree, TreeKey, Work, find_all, select_in,
};
use std::ops::Range;
use std::sync::Arc;

/// The values of one record. The buffers are reused from record to record.
#[derive(Debug, Default)]
pub struct OutsideValues {
    /// One for each selector.
    sources: Vec<Source>,
    /// The values for the element that is mapped.
    values: Vec<Option<Scalar>>,
    /// The table of `values` for each selector; empty without `values`.
    tables: Vec<Option<usize>>,
    /// Paths from the record's root.
    paths: Vec<Path>,
    searches: Vec<PathSearch>,
    /// Index of the query in `paths`, where it is a path.
    query: Option<usize>,
    /// Paths in the Kafka record's key.
    key_paths: Vec<Path>,
    key_searches: Vec<PathSearch>,
    /// The document, where a query selects several of its values. What differs between these is looked up as each is entered: kept for
    /// all of them, it would take far more memory than the record.
    tree: Option<Arc<Tree>>,
    work: Work,
    /// For each source the start of the enclosing object or name in the record that gave its value.
    objects: Vec<Option<usize>>,
    /// Whether selected values differ in a value of a source.
    differs: bool,
    /// The start of the last name in the path of the selected value, if that is a scalar or an array.
    name: Option<usize>,
    /// Text that does not stand in the record's JSON: the Kafka record's key, names in the query and array indices.
    beside: Vec<u8>,
    /// Length of `beside` without the text of the record, and without the index of an item.
    lengths: (usize, usize),
    /// Whether an index in an array is a value.
    takes_index: bool,
    /// The value of `@key` that is known from the query.
    own_key: Option<Scalar>,
    /// Indexes of the values that were found since [`OutsideValues::take_lossy`], and of which a part becomes U+FFFD.
    lossy: Vec<usize>,
    /// The values of the record's JSON that were such ones.
    counted: CountedValues,
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
    /// The last name on the path of such a value, or of an object that encloses it.
    Member { levels: usize },
    /// The name or index is known from the query. `is_item`: an item of an array has its index instead.
    Fixed { key: Option<Step>, is_item: bool },
    /// An enclosing object that no element has.
    Nothing,
}

impl OutsideValues {
    /// `selectors`: those of a mapping whose values stand outside of the element.
    pub fn new(selectors: &[KeySelector], rules: &Rules) -> Self {
        let (mut new, query) = (Self::default(), &rules.query);
        if !rules.values.is_empty() {
            let table = |selector: &KeySelector| rules.values.tables().index_of(&selector.flattened());
            new.tables = selectors.iter().map(table).collect();
        }
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
        new.differs = (new.sources.iter()).any(|source| {
            matches!(source, Source::Ancestor { .. } | Source::Key { .. } | Source::Member { .. })
        });
        new.values = vec![None; new.sources.len()];
        new.objects = vec![None; new.sources.len()];
        new.searches = vec![PathSearch::default(); new.paths.len()];
        new.key_searches = vec![PathSearch::default(); new.key_paths.len()];
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
            (KeySelector::Member { levels }, Query::Path(query)) => {
                let path = if *levels == 0 { Some(query.0.as_slice()) } else { enclosing(query, *levels) };
                let is_name = |step: &&Step| matches!(step, Step::Key(_));
                let key = path.and_then(|steps| steps.iter().rev().find(is_name)).cloned();
                Source::Fixed { key, is_item: false }
            }
            (KeySelector::Member { levels }, Query::Tree(_)) => Source::Member { levels: *levels },
            // The values of these stand in the element.
            (KeySelector::Flattened(_) | KeySelector::Element(_), _)
            | (
                KeySelector::Ancestor { .. } | KeySelector::Key { .. } | KeySelector::Member { .. },
                Query::Whole,
            ) => Source::Nothing,
        }
    }

    /// The paths of `$` selectors. In a record whose root is the element, their values are those that an object of known keys has under
    /// the paths.
    pub fn roots(&self) -> &[Path] {
        &self.paths
    }

    /// Takes the values of [`OutsideValues::roots`], in their order.
    pub fn take_roots(&mut self, found: &[Option<Scalar>]) {
        for (value, source) in self.values.iter_mut().zip(&self.sources) {
            if let Source::Root(path) = source {
                *value = found.get(*path).copied().flatten();
            }
        }
    }

    /// Replaces values by the tables of `values`, as if the values stood in the element under the flattened keys of their selectors.
    /// A value that was replaced stays until the next one is found.
    pub fn replace(&mut self, replacements: &Replacements, texts: &Texts<'_>, scratch: &mut Vec<u8>) {
        let texts = Texts { outside: &self.beside, ..*texts };
        for (value, table) in self.values.iter_mut().zip(&self.tables) {
            let Some((scalar, table)) = (*value).zip(*table) else { continue };
            if scalar.source == crate::decode::Source::Values {
                continue;
            }
            let Some(token) = scalar.token(&texts) else { continue };
            match replacements.replace(table, token, scratch) {
                Replaced::Unchanged => {}
                Replaced::LeftOut => *value = None,
                Replaced::By(_, scalar) => *value = Some(scalar),
            }
        }
    }

    /// Hands over the indexes of the values that were found since the last call and of which a part becomes U+FFFD, each value of the
    /// record once. [`OutsideValues::replace`] may have put another value instead of one.
    pub fn take_lossy(&mut self, mut take: impl FnMut(usize)) {
        let Self { lossy, values, .. } = self;
        for place in lossy.drain(..) {
            let value = values.get(place).copied().flatten();
            if value.is_some_and(|value| value.source != crate::decode::Source::Values) {
                take(place);
            }
        }
    }

    /// Whether [`OutsideValues::take_lossy`] has something to hand over.
    pub fn has_lossy(&self) -> bool {
        !self.lossy.is_empty()
    }

    /// Begins a document whose values are not found yet.
    pub fn begin_document(&mut self) {
        self.beside.truncate(self.lengths.0);
        for (value, source) in self.values.iter_mut().zip(&self.sources) {
            match source {
                Source::Fixed { is_item: true, .. } => *value = self.own_key,
                Source::Root(_) => *value = None,
                _ => {}
            }
        }
        self.end_document();
        self.lengths.1 = self.beside.len();
    }

    /// Begins a record with this key.
    pub fn begin_record(&mut self, key: Option<&[u8]>) {
        if self.sources.is_empty() {
            return;
        }
        self.values.fill(None);
        self.beside.clear();
        self.lossy.clear();
        self.counted.clear();
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
        for (place, (value, source)) in self.values.iter_mut().zip(&self.sources).enumerate() {
            if let Source::RecordKey(path) = source {
                let found = self.key_searches.get(*path).and_then(|search| search.found.clone());
                let scalar = found.and_then(|span| scalar_at(&scanner, span.start).ok().flatten());
                if scalar.is_some_and(|scalar| scalar.is_lossy(key)) {
                    self.lossy.push(place);
                }
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
        self.begin_document();
        match query {
            Query::Tree(query) => {
                let tree = Tree::read(scanner)?;
                self.work = Work::of(tree.span().len());
                select_in(&tree, query, &mut self.work, spans)?;
                for (value, source) in self.values.iter_mut().zip(&self.sources) {
                    if let Source::Root(path) = source {
                        let found = self.paths.get(*path).and_then(|path| tree.at(path));
                        *value = found.map_or(Ok(None), |found| scalar_at(scanner, found.span().start))?;
                    }
                }
                self.tree = Some(Arc::new(tree));
                self.list_lossy_roots(scanner);
            }
            Query::Whole if self.paths.is_empty() => {}
            Query::Path(path) if self.paths.is_empty() => spans.extend(crate::decode::find(path, scanner)?),
            Query::Whole | Query::Path(_) => self.find_paths(scanner, spans)?,
        }
        self.lengths.1 = self.beside.len();
        Ok(())
    }

    /// The document, where the query needs a tree of it.
    pub fn tree(&self) -> Option<&Arc<Tree>> {
        self.tree.as_ref()
    }

    /// Ends a document, and frees what was read of it as a whole.
    pub fn end_document(&mut self) {
        (self.tree, self.name) = (None, None);
        self.objects.fill(None);
    }

    /// The start in the record's JSON text of the last name in the path of the selected value, where a query for several values selects
    /// a scalar or an array.
    pub fn name(&self) -> Option<usize> {
        self.name
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
        self.list_lossy_roots(scanner);
        let query = self.query.and_then(|query| self.searches.get(query));
        spans.extend(query.and_then(|search| search.found.clone()));
        Ok(())
    }

    /// Lists the values of `$` selectors of which a part becomes U+FFFD.
    fn list_lossy_roots(&mut self, scanner: &Scanner<'_>) {
        let Self { values, sources, lossy, counted, .. } = self;
        for (place, (value, source)) in values.iter().zip(&*sources).enumerate() {
            if matches!(source, Source::Root(_)) && is_newly_lossy(*value, scanner, counted) {
                lossy.push(place);
            }
        }
    }

    /// Continues with the selected value in a range of the document.
    pub fn enter_selected(&mut self, span: &Range<usize>, scanner: &Scanner<'_>) -> Result<(), SyntaxError> {
        let Some(tree) = &self.tree else { return Ok(()) };
        let is_object = scanner.bytes().get(span.start) == Some(&b'{');
        if is_object && !self.differs {
            return Ok(());
        }
        let enclosing = tree.enclosing(span);
        self.name = last_name(&enclosing);
        self.beside.truncate(self.lengths.0);
        let values = self.values.iter_mut().zip(&mut self.objects);
        for (index, ((value, known), source)) in values.zip(&self.sources).enumerate() {
            match source {
                Source::Ancestor { levels, path } => {
                    let place = object_of_level(&enclosing, *levels);
                    let Some((object, _)) = place.and_then(|place| enclosing.get(place)) else {
                        (*value, *known) = (None, None);
                        continue;
                    };
                    // Neighbours mostly have the same parent, whose value is read once.
                    if known.replace(object.span().start) == Some(object.span().start) {
                        continue;
                    }
                    let found = object.at(path);
                    self.work.spend(found.map_or(0, |found| found.span().len()) + 1)?;
                    *value = found.map_or(Ok(None), |found| scalar_at(scanner, found.span().start))?;
                }
                Source::Key { levels } | Source::Member { levels } => {
                    let is_member = matches!(source, Source::Member { .. });
                    *value = match key_of_level(&enclosing, *levels, is_member) {
                        Some(TreeKey::Name(start)) if known.replace(start) == Some(start) => continue,
                        // A name stays in the record: a long one around many elements is not copied for each.
                        Some(TreeKey::Name(start)) => {
                            let name = scalar_at(scanner, start)?;
                            self.work.spend(name.map_or(0, |name| name.length()))?;
                            name
                        }
                        Some(TreeKey::Index(index)) => {
                            *known = None;
                            Some(push_index(index, &mut self.beside))
                        }
                        None => {
                            *known = None;
                            None
                        }
                    };
                }
                Source::Root(_) | Source::RecordKey(_) | Source::Fixed { .. } | Source::Nothing => continue,
            }
            if is_newly_lossy(*value, scanner, &mut self.counted) {
                self.lossy.push(index);
            }
        }
        self.lengths.1 = self.beside.len();
        Ok(())
    }

    /// Continues with the item of this index in an array whose items are elements. Returns whether a value may have changed.
    pub fn enter_item(&mut self, index: usize) -> bool {
        if !self.takes_index {
            return false;
        }
        self.beside.truncate(self.lengths.1);
        let located = push_index(index, &mut self.beside);
        let values = self.values.iter_mut().zip(&mut self.objects);
        for ((value, known), source) in values.zip(&self.sources) {
            if matches!(source, Source::Fixed { is_item: true, .. } | Source::Key { levels: 0 }) {
                *value = Some(located);
                *known = None;
            }
        }
        true
    }

    /// Number of bytes of all values for the element that is mapped.
    pub fn value_bytes(&self) -> usize {
        self.values.iter().flatten().map(Scalar::length).sum()
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
        self.beside.capacity() + self.lossy.capacity() * size_of::<usize>() + self.counted.bytes()
    }

    /// Frees the memory.
    pub fn release(&mut self) {
        (self.beside, self.lossy) = (Vec::new(), Vec::new());
        self.counted = CountedValues::default();
    }
}

/// The start of the last name on the path that leads through these containers.
fn last_name(enclosing: &[(&Tree, TreeKey)]) -> Option<usize> {
    enclosing.iter().rev().find_map(|(_, key)| match key {
        TreeKey::Name(start) => Some(*start),
        TreeKey::Index(_) => None,
    })
}

/// The place among these containers of the object that has this level, counted from the value.
fn object_of_level(enclosing: &[(&Tree, TreeKey)], levels: usize) -> Option<usize> {
    let containers = enclosing.iter().enumerate().rev();
    let mut objects = containers.filter(|(_, (container, _))| container.is_object());
    objects.nth(levels.checked_sub(1)?).map(|(place, _)| place)
}

/// The name or index that leads to the value, at level 0, or to an object that encloses the value. `is_member`: the last name on the way.
fn key_of_level(enclosing: &[(&Tree, TreeKey)], levels: usize, is_member: bool) -> Option<TreeKey> {
    let steps = if levels == 0 { enclosing.len() } else { object_of_level(enclosing, levels)? };
    if is_member {
        return last_name(enclosing.get(..steps)?).map(TreeKey::Name);
    }
    enclosing.get(steps.checked_sub(1)?).map(|(_, key)| *key)
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

/// Whether a part of a value in the record's JSON becomes U+FFFD, and the value was not counted before.
fn is_newly_lossy(value: Option<Scalar>, scanner: &Scanner<'_>, counted: &mut CountedValues) -> bool {
    value.is_some_and(|value| {
        value.source == scanner.source()
            && value.is_lossy(scanner.bytes())
            && counted.add(value.start(), DropReason::NotUtf8)
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
