//! The objects of records that become points, and the options that select them.

use super::key::{Key, Segment};
use super::{Sample, framed_format};
use mapping::decode::{Query, Scanner, SyntaxError, Token};
use mapping::{Compression, Csv, Format, Frame, Rules, Schemas};
use std::borrow::Cow;
use std::sync::Arc;
use toml::Value;

/// A step of `query`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    /// Each item of an array.
    Items,
    /// Each member of an object, whose name identifies it. Only objects are selected, or arrays where their items follow.
    Members(Beside),
    /// Each member of an object, whose name is without interest in a known envelope.
    Either,
}

/// What stands beside the members that are objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    Nothing,
    Scalars,
    Arrays,
    /// Objects beside members that are arrays, whose items are selected.
    Objects,
}

/// The options that select and rearrange the objects that become points.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The schemas that the records are read with, if a registry has them.
    pub schemas: Option<Arc<dyn Schemas>>,
    /// Rules with only these options.
    pub rules: Rules,
    /// Whether most records are arrays, whose items are the objects if `query` selects no others.
    pub is_list: bool,
    /// The steps of `query`, from the items of records that are arrays; empty for whole records.
    pub steps: Vec<Step>,
    /// The options as lines of the mapping.
    pub lines: Vec<ShapeLine>,
    /// The objects' own keys with times that these lines read.
    pub time_keys: &'static [&'static str],
    /// Globs of strings, by their path from the root, that say nothing about what is measured.
    pub ignored: Vec<String>,
    /// Globs of numbers and booleans, by their path from the root, that say nothing about what is measured.
    pub excluded: Vec<String>,
    /// The key of the measurement, by its path from the root, in a known envelope.
    pub name: Option<&'static str>,
    /// Globs of the objects' own keys in an envelope whose objects have named attributes: all others are tags. Empty for others.
    pub own: &'static [&'static str],
    /// Globs of keys, by their path from the root, that are tags in a known envelope.
    pub known_tags: &'static [&'static str],
    /// Keys that come from a list of labels or tags, which are tags whatever their values are.
    pub labels: Vec<String>,
}

/// A line of the mapping with its reason.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapeLine {
    pub key: &'static str,
    pub value: Value,
    pub why: String,
}

/// A selector of a value outside of the objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    pub selector: String,
    /// The name of its tag or field.
    pub name: String,
    /// Whether the name is not that of the selector, because something else has this one.
    pub is_renamed: bool,
    /// The name of what the object is that has the value.
    pub owner: String,
    /// Number of keys of the path.
    pub depth: usize,
}

/// The compression of most values of a sample, and all of its values, unpacked where they are compressed so.
struct Packed<'s> {
    compression: Compression,
    values: Vec<Cow<'s, [u8]>>,
}

impl<'s> Packed<'s> {
    /// None: most values are not compressed alike.
    fn of(sample: &'s Sample) -> Option<Self> {
        let values = || sample.records.iter().filter_map(|record| record.value.as_deref());
        let (compression, _) = values().find_map(Compression::of_value)?;
        let mut packed = 0;
        let unpacked = values().map(|value| match Compression::of_value(value) {
            Some((of_value, unpacked)) if of_value == compression => {
                packed += 1;
                Cow::Owned(unpacked)
            }
            _ => Cow::Borrowed(value),
        });
        let values: Vec<_> = unpacked.collect();
        (packed * 2 > values.len()).then_some(Self { compression, values })
    }
}

impl Shape {
    /// Whole records, in the format that fits more of them.
    pub fn whole(sample: &Sample) -> Self {
        let values = || sample.records.iter().filter_map(|record| record.value.as_deref());
        let mut shape = if let Some(Packed { compression, values: unpacked }) = Packed::of(sample) {
            let mut shape = Self::of_values(sample, &unpacked);
            // `value_compression` recognizes most compressions of text by itself.
            if !values().any(|value| Compression::is_automatic(shape.rules.format, value)) {
                shape.rules.compression = compression;
            }
            shape
        } else {
            Self::of_values(sample, &values().map(mapping::unpacked).collect::<Vec<_>>())
        };
        shape.schemas = shape.rules.format.has_schema().then(|| sample.schemas.clone()).flatten();
        shape
    }

    /// The format of unpacked values.
    fn of_values(sample: &Sample, text: &[Cow<'_, [u8]>]) -> Self {
        if let Some(format) = framed_format(sample) {
            return Self::of(format, Csv::default());
        }
        let binary: Vec<Format> = text.iter().filter_map(|value| Format::of_binary(value)).collect();
        if let Some(format) = binary.first().filter(|_| binary.len() * 2 > text.len()) {
            return Self::of(*format, Csv::default());
        }
        // Serializers of JSON Schema write a registry's frame, which the mapping skips.
        let values = || text.iter().map(|value| Frame::of(value).map_or(&**value, |frame| frame.content));
        // The cells of a table would have the quotes and commas of such a text.
        if values().filter(|value| is_encoded_twice(value)).count() * 2 > values().count() {
            return Self::of(Format::Json, Csv::default());
        }
        if values().filter(|value| mapping::is_line_protocol(value)).count() * 2 > values().count() {
            return Self::of(Format::Influx, Csv::default());
        }
        if values().filter(|value| mapping::is_single_value(value)).count() * 2 > values().count() {
            return Self::of(Format::Value, Csv::default());
        }
        let tables: Vec<Csv> = values().filter_map(Csv::with_first_line).collect();
        if let Some(csv) = tables.first().filter(|_| tables.len() * 2 > values().count()) {
            return Self::of(Format::Csv, csv.clone());
        }
        let (mut as_json, mut as_lines) = (0_u64, 0_u64);
        for value in values() {
            let is_json = is_whole(Scanner::new(value));
            let is_lines = lines(value).filter(|line| !line.trim_ascii().is_empty()).count() > 1
                && lines(value).all(|line| line.trim_ascii().is_empty() || is_whole(Scanner::new(line)));
            as_json += u64::from(is_json && !is_lines);
            as_lines += u64::from(is_lines && !is_json);
            // Lines of a pretty-printed record are not values, and several values are not one record.
        }
        let is_single = |value: &[u8]| is_whole(Scanner::new(value)) && value.trim_ascii().contains(&b'\n');
        let pretty = values().filter(|value| is_single(value));
        let is_lines = as_lines > 0 && (as_lines > pretty.count() as u64) && as_lines * 10 >= as_json;
        let lists = values().filter(|value| value.trim_ascii_start().first() == Some(&b'[')).count();
        let is_list = !is_lines && lists * 2 > values().count();
        let format = if is_lines { Format::JsonLines } else { Format::Json };
        Self { is_list, ..Self::of(format, Csv::default()) }
    }

    fn of(format: Format, csv: Csv) -> Self {
        let rules = Rules { format, csv, ..Rules::default() };
        Self {
            schemas: None,
            rules,
            is_list: false,
            steps: Vec::new(),
            lines: Vec::new(),
            time_keys: &[],
            ignored: Vec::new(),
            excluded: Vec::new(),
            name: None,
            own: &[],
            known_tags: &[],
            labels: Vec::new(),
        }
    }

    /// The records that contain the objects, if these are not the records themselves.
    pub fn root(&self) -> Option<Self> {
        if self.steps.is_empty() && !self.takes_lists() {
            return None;
        }
        let mut root = Self::of(self.rules.format, self.rules.csv.clone());
        root.schemas.clone_from(&self.schemas);
        root.rules.compression = self.rules.compression;
        root.is_list = self.is_list;
        root.rules.parse_json = self.rules.parse_json.clone();
        Some(root)
    }

    /// Whether a record is a list that becomes one point.
    pub fn takes_lists(&self) -> bool {
        let pivots = &self.rules.reshape.pivot;
        self.steps.is_empty() && pivots.iter().any(|pivot| pivot.list == mapping::PivotList::Element)
    }

    /// Whether a key of a list's items is the name or the value of a field.
    pub fn is_pivoted(&self, key: &Key) -> bool {
        let is_part =
            |pivot: &mapping::Pivot| pivot.name == key.pattern || pivot.value.contains(&key.pattern);
        self.rules.reshape.pivot.iter().any(is_part)
    }

    /// Adds steps to `query`. None if the path cannot be written.
    pub fn with_steps(&self, steps: impl IntoIterator<Item = Step>, why: String) -> Option<Self> {
        let mut shape = self.clone();
        shape.steps.extend(steps);
        let text = shape.query()?;
        shape.rules.query = Query::parse(&text).ok()?;
        let mut reasons = vec![why];
        // A longer query replaces the line of a shorter one, and keeps its reason.
        if let Some(place) = shape.lines.iter().position(|line| line.key == "query") {
            reasons.insert(0, shape.lines.remove(place).why);
        }
        shape.lines.push(ShapeLine { key: "query", value: Value::from(text), why: reasons.join(" ") });
        Some(shape)
    }

    /// The JSONPath of the query. None if a key cannot be written.
    pub fn query(&self) -> Option<String> {
        let mut path = if self.is_list { "$[*]" } else { "$" }.to_owned();
        for step in &self.steps {
            match step {
                Step::Key(key) => path.push_str(&name_of(key)?),
                Step::Items => path.push_str("[*]"),
                Step::Members(Beside::Nothing) | Step::Either => path.push_str(".*"),
                // Scalars have no members, and objects no indices.
                Step::Members(Beside::Scalars) => path.push_str("[?@.*]"),
                Step::Members(Beside::Arrays) => path.push_str("[?@.* && !@[0]]"),
                Step::Members(Beside::Objects) => path.push_str("[?@[0]]"),
            }
        }
        Some(path)
    }

    /// The selector of a value of the record; none if it stands within the objects, or among the items of another array.
    pub fn outside(&self, segments: &[Segment]) -> Option<Outside> {
        let (_, container) = segments.split_last()?;
        let mut shared =
            self.steps.iter().zip(container).take_while(|(step, segment)| step.leads_to(segment)).count();
        // An object where others have an array encloses none of the selected objects.
        while shared > 0 && self.steps.get(shared) == Some(&Step::Items) {
            shared -= 1;
        }
        let rest = segments.get(shared..)?;
        let owner = self.steps.iter().take(shared).rev().find_map(Step::key).unwrap_or("root").to_owned();
        if self.takes_lists() {
            // Only the first item has base values.
            return Some(Outside {
                selector: format!("$[0]{}", path_of(rest)?),
                name: flattened(rest)?,
                is_renamed: false,
                owner,
                depth: rest.len(),
            });
        }
        if shared == self.steps.len() {
            return None;
        }
        let name = flattened(rest)?;
        if !self.is_list && self.steps.iter().take(shared).all(|step| matches!(step, Step::Key(_))) {
            return Some(Outside {
                selector: format!("${}", path_of(segments)?),
                name: flattened(segments)?,
                is_renamed: false,
                owner: "root".to_owned(),
                depth: segments.len(),
            });
        }
        let levels = self.objects_from(shared);
        Some(Outside {
            selector: format!("{}{}", "^".repeat(levels), path_of(rest)?),
            name,
            is_renamed: false,
            owner,
            depth: rest.len(),
        })
    }

    /// Whether a value stands within the selected objects.
    pub fn is_within(&self, segments: &[Segment]) -> bool {
        let is_member = matches!(segments.get(self.steps.len()), Some(Segment::Key(_)));
        let is_cell = !self.rules.reshape.columns.is_empty() && segments.len() > self.steps.len();
        (is_member || is_cell)
            && self.steps.iter().zip(segments).all(|(step, segment)| step.leads_to(segment))
    }

    /// The selectors of the indices under which the objects and their parents stand in arrays. The closest is the first.
    pub fn indices(&self) -> Vec<String> {
        // Labels identify a series, whatever its place in the record is.
        if !self.labels.is_empty() {
            return Vec::new();
        }
        let is_item = |place: &usize| {
            self.steps.get(*place) == Some(&Step::Items) && self.steps.get(place + 1) != Some(&Step::Items)
        };
        let places = (0..self.steps.len()).rev().filter(is_item);
        let selector = |place: usize| format!("{}@key", "^".repeat(self.objects_from(place + 1)));
        let of_query = places.map(selector);
        // Without a query, objects have an index in the array of a record.
        let of_record = self.steps.is_empty() && !self.takes_lists() && !self.rules.format.has_lines();
        of_query.chain(of_record.then(|| "@key".to_owned())).collect()
    }

    /// The selectors of the names under which the objects and their parents stand, each with the place of the name in a path.
    pub fn names(&self) -> Vec<(usize, String)> {
        let places = self.steps.iter().enumerate().filter(|(_, step)| matches!(step, Step::Members(_)));
        let selector = |(place, _): (usize, &Step)| match self.steps.get(place + 1) {
            // The items of an array have its name.
            Some(Step::Items) => (place, format!("{}@member", "^".repeat(self.objects_from(place + 1)))),
            _ => (place, format!("{}@key", "^".repeat(self.objects_from(place + 1)))),
        };
        places.map(selector).collect()
    }

    /// Number of objects that enclose the selected objects, from this step on.
    fn objects_from(&self, step: usize) -> usize {
        self.steps.iter().skip(step).filter(|step| **step != Step::Items).count()
    }
}

impl Step {
    /// The key of a step to one member.
    pub fn key(&self) -> Option<&str> {
        if let Self::Key(key) = self { Some(key) } else { None }
    }

    pub fn leads_to(&self, segment: &Segment) -> bool {
        match (self, segment) {
            (Self::Key(wanted), Segment::Key(key)) => wanted == key,
            (Self::Items, Segment::Index) | (Self::Members(_) | Self::Either, Segment::Key(_)) => true,
            _ => false,
        }
    }
}

/// The steps to the value of a key.
pub fn steps_of(segments: &[Segment]) -> impl Iterator<Item = Step> {
    segments.iter().map(|segment| match segment {
        Segment::Key(key) => Step::Key(key.clone()),
        Segment::Index => Step::Items,
    })
}

fn lines(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b'\n')
}

/// Whether a value is a JSON string that holds an object or an array as JSON.
pub fn is_encoded_twice(value: &[u8]) -> bool {
    let mut scanner = Scanner::new(value);
    let Ok(Token::Text(text)) = scanner.value() else { return false };
    scanner.end().is_ok() && is_whole(Scanner::new(text.to_string_lossy().as_bytes()))
}

fn is_whole(mut scanner: Scanner<'_>) -> bool {
    let mut read = || {
        let token = scanner.value()?;
        scanner.skip_rest(token, 0)?;
        scanner.end()?;
        Ok::<_, SyntaxError>(matches!(token, Token::Object | Token::Array))
    };
    read().unwrap_or(false)
}

/// The path without its root; none through an array, or for a key that cannot be quoted simply.
pub fn path_of(segments: &[Segment]) -> Option<String> {
    segments.iter().map(|segment| if let Segment::Key(key) = segment { name_of(key) } else { None }).collect()
}

fn name_of(key: &str) -> Option<String> {
    let is_plain = key.chars().all(|c| c.is_alphanumeric() || c == '_')
        && key.chars().next().is_some_and(|c| !c.is_numeric());
    if is_plain {
        Some(format!(".{key}"))
    } else if key.contains(['\'', '\\', '"', '}']) || key.contains(char::is_control) {
        None
    } else {
        Some(format!("['{key}']"))
    }
}

fn flattened(segments: &[Segment]) -> Option<String> {
    let key = |segment: &Segment| if let Segment::Key(key) = segment { Some(key.clone()) } else { None };
    Some(segments.iter().map(key).collect::<Option<Vec<_>>>()?.join("_"))
}
