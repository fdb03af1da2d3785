//! Flattens the objects of a sample as the mapper does, and collects statistics of their keys: the summary that recognizers read.

use super::key::{INDEX, Key, Origin, Segment};
use super::times::guess;
use super::{SampledRecord, Shape, names, time_names};
use mapping::TimeMark;
use mapping::decode::{Scanner, SyntaxError, Token};
use std::collections::{BTreeMap, HashMap};

/// Bound for samples that use values as keys.
pub const KEYS_MAX: usize = 2_000;
/// Arrays whose lengths are kept, to compare them.
const LENGTHS_MAX: usize = 1_000;
/// Columns of rows that are examined.
const COLUMNS_MAX: usize = 64;
/// Items of a short list that are examined one by one.
const ITEMS_MAX: usize = 4;

/// Statistics of the objects of a sample.
#[derive(Debug, Default)]
pub struct Observation {
    /// Objects that would become points.
    pub objects: u64,
    /// Records with at least one object.
    pub records: u64,
    /// Values that should be objects and are not.
    pub others: u64,
    /// Keys in order of appearance.
    pub keys: Vec<Key>,
    pub has_more_keys: bool,
    /// Arrays outside of other arrays.
    pub arrays: Vec<ArrayKey>,
    places: HashMap<String, usize>,
    /// Number of lists that were read, which includes records.
    lists: u64,
    /// The cells of arrays of rows, by column.
    cells: BTreeMap<String, Vec<Key>>,
    /// The first items of lists that may be a value with its time, by index.
    items: BTreeMap<String, Vec<Key>>,
}

/// An array under a key, outside of other arrays.
#[derive(Clone, Debug)]
pub struct ArrayKey {
    pub pattern: String,
    pub segments: Vec<Segment>,
    /// Number of occurrences.
    pub count: u64,
    /// Number of elements that are objects, in all occurrences.
    pub objects: u64,
    /// Number of elements that are arrays of scalars.
    pub rows: u64,
    /// Number of other elements.
    pub others: u64,
    pub longest: usize,
    /// The lengths in order of appearance.
    pub lengths: Vec<usize>,
}

impl ArrayKey {
    /// The beginning of the keys within the array's elements.
    pub fn within(&self) -> String {
        format!("{}_{INDEX}_", self.pattern)
    }
}

/// Kinds of the elements of one array.
#[derive(Clone, Copy, Debug, Default)]
struct Items {
    objects: u64,
    rows: u64,
    others: u64,
    nulls: u64,
}

impl Observation {
    /// Observes the objects of records in this shape.
    pub fn of<'r>(records: impl IntoIterator<Item = &'r SampledRecord>, shape: &Shape, now_ns: i64) -> Self {
        let mut seen = Self::default();
        for record in records {
            let before = seen.objects;
            let (value, kafka_ms) = (record.value.as_deref().unwrap_or_default(), record.time_ms);
            seen.lists += 1;
            let (mut others, lists) = (0, vec![seen.lists]);
            // An invalid record is rejected; the trial counts it.
            let schemas = shape.schemas.as_ref();
            let _rejected =
                shape.rules.each_element(schemas, value, &mut |scanner, times| match scanner.value()? {
                    Token::Object => {
                        seen.objects += 1;
                        let (segments, indices, lists) = (Vec::new(), Vec::new(), lists.clone());
                        let mut flattener =
                            Flattener { seen: &mut seen, segments, indices, lists, kafka_ms, times };
                        flattener.object(scanner, 0)
                    }
                    // A selected null is an empty selection.
                    Token::Null | Token::Binary if !shape.steps.is_empty() => Ok(()),
                    token => {
                        others += 1;
                        scanner.skip_rest(token, 0)
                    }
                });
            seen.others += others;
            seen.records += u64::from(seen.objects > before);
        }
        let (cells, items) = (seen.cells.values_mut().flatten(), seen.items.values_mut().flatten());
        for key in seen.keys.iter_mut().chain(cells).chain(items) {
            let examined = key.times.len();
            // A boolean is no time, so its record would be rejected.
            key.is_time =
                key.booleans == 0 && guess(&key.times, now_ns).is_some_and(|guess| guess.fits == examined);
        }
        seen
    }

    pub fn key(&self, pattern: &str) -> Option<&Key> {
        self.places.get(pattern).and_then(|&place| self.keys.get(place))
    }

    /// The items of an array that are scalars.
    pub fn items(&self, array: &ArrayKey) -> Option<&Key> {
        self.key(&format!("{}_{INDEX}", array.pattern))
    }

    /// The columns of an array of rows; none if they are too many.
    pub fn columns(&self, array: &ArrayKey) -> Option<&[Key]> {
        self.cells.get(&array.pattern).map(Vec::as_slice).filter(|cells| cells.len() < COLUMNS_MAX)
    }

    /// The items of a short list that may be a value with its time, if the list has always as many.
    pub fn first_items(&self) -> impl Iterator<Item = &Key> {
        let is_short = move |array: &&ArrayKey| {
            let length = array.longest;
            (2..=ITEMS_MAX).contains(&length)
                && array.objects + array.rows == 0
                && array.lengths.iter().all(|other| *other == length)
                && self.is_nearly_always(array.count)
        };
        let of = move |array: &ArrayKey| self.items.get(&array.pattern);
        self.arrays.iter().filter(is_short).filter_map(of).flatten()
    }

    /// Whether the numbers of the objects stand where `is_inside` says so, apart from those that are about the message.
    pub fn has_all_numbers(&self, is_inside: impl Fn(&Key) -> bool) -> bool {
        let mut numbers = self.keys.iter().filter(|key| key.numbers() + key.quoted > 0).peekable();
        let is_about_message = |key: &Key| key.is_time || names::is_bookkeeping(key.name());
        numbers.clone().any(&is_inside) && numbers.all(|key| is_inside(key) || is_about_message(key))
    }

    /// Whether most measured numbers stand where `is_inside` says so, and all others have a path of their own.
    pub fn has_most_numbers(&self, is_inside: impl Fn(&Key) -> bool) -> bool {
        let is_measured =
            |key: &&Key| key.numbers() + key.quoted > 0 && !key.is_time && !names::is_bookkeeping(key.name());
        let count = |keys: &[&Key]| keys.iter().map(|key| key.numbers() + key.quoted).sum::<u64>();
        let (inside, outside): (Vec<&Key>, Vec<&Key>) =
            self.keys.iter().filter(is_measured).partition(|key| is_inside(key));
        count(&inside) > 0 && count(&inside) >= count(&outside) && !outside.iter().any(|key| key.is_indexed())
    }

    /// Whether something that occurs in this number of objects is part of the structure.
    pub fn is_nearly_always(&self, count: u64) -> bool {
        count * 10 >= self.objects * 9
    }

    fn key_mut(&mut self, pattern: String, segments: &[Segment]) -> Option<&mut Key> {
        let place = match self.places.get(&pattern) {
            Some(&place) => place,
            None if self.keys.len() == KEYS_MAX => {
                self.has_more_keys = true;
                return None;
            }
            None => {
                self.keys.push(Key::new(pattern.clone(), segments));
                self.places.insert(pattern, self.keys.len() - 1);
                self.keys.len() - 1
            }
        };
        self.keys.get_mut(place)
    }

    /// The column of an array of rows.
    fn cell_mut(&mut self, array: &str, column: usize) -> Option<&mut Key> {
        if column >= COLUMNS_MAX || (self.cells.len() == KEYS_MAX && !self.cells.contains_key(array)) {
            return None;
        }
        let cells = self.cells.entry(array.to_owned()).or_default();
        cells.resize_with(cells.len().max(column + 1), || Key::new(String::new(), &[]));
        cells.get_mut(column)
    }

    /// The item of a list that may be a value with its time.
    fn item_mut(&mut self, list: &[Segment], place: usize) -> Option<&mut Key> {
        let Some(Segment::Key(name)) = list.last() else { return None };
        let pattern = pattern(list);
        let is_full = self.items.len() == KEYS_MAX && !self.items.contains_key(&pattern);
        if place >= ITEMS_MAX
            || is_full
            || !names::may_begin_with_time(name)
            || list.contains(&Segment::Index)
        {
            return None;
        }
        let items = self.items.entry(pattern.clone()).or_default();
        while items.len() <= place {
            let number = Segment::Key(items.len().to_string());
            let segments = [list, &[number]].concat();
            items.push(Key::new(format!("{pattern}_{}", items.len()), &segments));
        }
        items.get_mut(place)
    }

    fn array(&mut self, segments: &[Segment], items: Items) {
        let pattern = pattern(segments);
        let length = (items.objects + items.rows + items.others + items.nulls) as usize;
        let place = match self.arrays.iter().position(|array| array.pattern == pattern) {
            Some(place) => place,
            None if self.arrays.len() == KEYS_MAX => return,
            None => {
                let (segments, lengths) = (segments.to_vec(), Vec::new());
                let (count, objects, rows, others, longest) = (0, 0, 0, 0, 0);
                self.arrays.push(ArrayKey {
                    pattern,
                    segments,
                    count,
                    objects,
                    rows,
                    others,
                    longest,
                    lengths,
                });
                self.arrays.len() - 1
            }
        };
        let Some(array) = self.arrays.get_mut(place) else { return };
        array.count += 1;
        array.objects += items.objects;
        array.rows += items.rows;
        array.others += items.others;
        array.longest = array.longest.max(length);
        if array.lengths.len() < LENGTHS_MAX {
            array.lengths.push(length);
        }
    }
}

struct Flattener<'o> {
    seen: &'o mut Observation,
    segments: Vec<Segment>,
    /// The indices in the arrays of the path.
    indices: Vec<usize>,
    /// The numbers of the lists of the path. The first is that of the record.
    lists: Vec<u64>,
    kafka_ms: Option<i64>,
    /// Times of the record's format.
    times: &'o [TimeMark],
}

/// The kind of a value as an item of an array.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Object,
    /// An array of scalars.
    Row,
    Array,
    Scalar,
    Null,
}

impl Flattener<'_> {
    fn object(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Result<(), SyntaxError> {
        let mut first = true;
        while let Some(key) = scanner.key(first)? {
            first = false;
            self.segments.push(Segment::Key(key.to_string_lossy().replace(INDEX, "\u{FFFD}")));
            self.member(scanner, depth + 1)?;
            self.segments.pop();
        }
        Ok(())
    }

    /// Reads an array; returns whether it is a row.
    fn array(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Result<bool, SyntaxError> {
        let (mut items, mut first, mut has_scalars_only) = (Items::default(), true, true);
        self.segments.push(Segment::Index);
        self.indices.push(0);
        self.seen.lists += 1;
        self.lists.push(self.seen.lists);
        while scanner.element(first)? {
            first = false;
            let item = self.member(scanner, depth + 1)?;
            has_scalars_only &= matches!(item, Item::Scalar | Item::Null);
            let count = match item {
                Item::Object => &mut items.objects,
                Item::Row => &mut items.rows,
                Item::Array | Item::Scalar => &mut items.others,
                Item::Null => &mut items.nulls,
            };
            *count += 1;
            self.indices.iter_mut().next_back().into_iter().for_each(|index| *index += 1);
        }
        self.indices.pop();
        self.lists.pop();
        self.segments.pop();
        if !self.segments.contains(&Segment::Index) {
            let segments = std::mem::take(&mut self.segments);
            self.seen.array(&segments, items);
            self.segments = segments;
        }
        Ok(has_scalars_only && items.others > 0)
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Result<Item, SyntaxError> {
        let mark = TimeMark::find(self.times, scanner.position());
        let token = scanner.value()?;
        scanner.check_depth(token, depth)?;
        match token {
            Token::Object => {
                self.object(scanner, depth)?;
                Ok(Item::Object)
            }
            Token::Array => Ok(if self.array(scanner, depth)? { Item::Row } else { Item::Array }),
            scalar => {
                let list = self.lists.last().copied().unwrap_or_default();
                let of = Origin { object: self.seen.objects, list, kafka_ms: self.kafka_ms };
                if let [array @ .., Segment::Index, Segment::Index] = &self.segments[..] {
                    let column = self.indices.last().copied().unwrap_or_default();
                    if let Some(cell) = self.seen.cell_mut(&pattern(array), column) {
                        cell.add(scalar, of, true);
                    }
                }
                if let [list @ .., Segment::Index] = &self.segments[..]
                    && let Some(item) =
                        self.seen.item_mut(list, self.indices.last().copied().unwrap_or_default())
                {
                    item.add(scalar, of, true);
                }
                if let Some(key) = self.seen.key_mut(pattern(&self.segments), &self.segments) {
                    let is_time = mark.is_none() && names::may_be_time(time_names::of_path(&self.segments));
                    key.add(scalar, of, is_time);
                    key.timestamps += u64::from(mark.is_some());
                    key.local += u64::from(mark.is_some_and(|mark| mark.is_local));
                }
                Ok(if matches!(scalar, Token::Null | Token::Binary) { Item::Null } else { Item::Scalar })
            }
        }
    }
}

/// Joins keys with "_", as the mapper does.
pub fn pattern(segments: &[Segment]) -> String {
    let mut pattern = String::new();
    for (place, segment) in segments.iter().enumerate() {
        if place > 0 {
            pattern.push('_');
        }
        match segment {
            Segment::Key(key) => pattern.push_str(key),
            Segment::Index => pattern.push(INDEX),
        }
    }
    pattern
}
