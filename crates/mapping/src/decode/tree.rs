//! A tree of a record, for JSONPaths that need one. Each node has the range of its bytes.

use super::path::TreeQuery;
use super::{Number, Path, Scanner, Step, SyntaxError, Token};
use jsonpath_rust::query::queryable::Queryable;
use std::ops::Range;

/// A value with its range. The tree takes up to 20 times the bytes of the record, while the record is mapped.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    start: u32,
    end: u32,
    value: Value,
}

#[derive(Clone, Debug, Default, PartialEq)]
enum Value {
    #[default]
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Box<str>),
    Array(Vec<Tree>),
    Object(Vec<(Box<str>, Tree)>),
}

impl Tree {
    /// Reads the rest of the scanner's bytes as one value.
    pub fn read(scanner: &Scanner<'_>) -> Result<Self, SyntaxError> {
        let mut scanner = scanner.clone();
        let tree = read_value(&mut scanner, 0)?;
        scanner.end()?;
        Ok(tree)
    }

    /// Reads the value with which the scanner's bytes begin.
    pub fn read_first(scanner: &Scanner<'_>) -> Result<Self, SyntaxError> {
        read_value(&mut scanner.clone(), 0)
    }

    /// An array with one item.
    pub fn array_of(item: Self) -> Self {
        Value::Array(vec![item]).into()
    }

    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub fn is_object(&self) -> bool {
        matches!(self.value, Value::Object(_))
    }

    /// Appends the ranges of the values that the query selects.
    pub fn select(&self, query: &TreeQuery, spans: &mut Vec<Range<usize>>) {
        // Treating an error as an empty selection would filter the record, and its offset would be committed.
        let selected = jsonpath_rust::query::js_path_process(&query.query, self);
        assert!(selected.is_ok(), "a parsed JSONPath selects values, whatever the record holds");
        spans.extend(selected.into_iter().flatten().map(|node| node.val().span()));
    }

    /// The value of a singular path from this value.
    pub fn at(&self, path: &Path) -> Option<&Self> {
        path.0.iter().try_fold(self, |at, step| match (step, &at.value) {
            (Step::Key(name), _) => at.get(name),
            (Step::Index(index), Value::Array(elements)) => elements.get(*index),
            _ => None,
        })
    }

    /// Fills `enclosing` with the objects and arrays around the value in the range `span`, from the root on: together the value's
    /// normalized path (RFC 9535, section 2.7). Each comes with the name or index that leads to the value.
    pub fn enclosing<'t>(&'t self, span: &Range<usize>, enclosing: &mut Vec<(&'t Self, TreeKey<'t>)>) {
        enclosing.clear();
        let mut at = self;
        while at.span() != *span {
            // Values stand one after another, so only one child can have the range.
            let next = match &at.value {
                Value::Array(elements) => {
                    let place = elements.partition_point(|element| element.span().end <= span.start);
                    elements.get(place).map(|element| (element, TreeKey::Index(place)))
                }
                Value::Object(members) => {
                    let place = members.partition_point(|(_, value)| value.span().end <= span.start);
                    members.get(place).map(|(name, value)| (value, TreeKey::Name(name)))
                }
                _ => None,
            };
            let Some((child, key)) = next else {
                unreachable!("the selected value {span:?} does not stand in its record")
            };
            enclosing.push((at, key));
            at = child;
        }
    }
}

/// A member name, or the index of an array's element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeKey<'t> {
    Name(&'t str),
    Index(usize),
}

fn read_value(scanner: &mut Scanner<'_>, depth: usize) -> Result<Tree, SyntaxError> {
    scanner.skip_whitespace();
    // Records and their JSON text are smaller than 4 GB.
    let start = scanner.position() as u32;
    let token = scanner.value()?;
    scanner.check_depth(token, depth)?;
    let value = match token {
        Token::Null | Token::NotFinite => Value::Null,
        Token::True => Value::Bool(true),
        Token::False => Value::Bool(false),
        Token::Number(number) => read_number(number),
        Token::Text(text) => Value::Text(text.to_string_lossy().into()),
        Token::Array => {
            let mut elements = Vec::new();
            while scanner.element(elements.is_empty())? {
                elements.push(read_value(scanner, depth + 1)?);
            }
            Value::Array(elements)
        }
        Token::Object => {
            let mut members = Vec::new();
            while let Some(key) = scanner.key(members.is_empty())? {
                members.push((key.to_string_lossy().into(), read_value(scanner, depth + 1)?));
            }
            Value::Object(last_of_duplicates(members))
        }
    };
    Ok(Tree { start, end: scanner.position() as u32, value })
}

fn read_number(number: Number<'_>) -> Value {
    // Numbers beyond 64-bit integers are compared as floats.
    let integer = std::str::from_utf8(number.text()).ok().and_then(|text| text.parse().ok());
    integer.map_or_else(|| Value::Float(number.as_f64()), Value::Integer)
}

fn last_of_duplicates(members: Vec<(Box<str>, Tree)>) -> Vec<(Box<str>, Tree)> {
    let mut seen = std::collections::HashSet::new();
    let last: Vec<bool> = members.iter().rev().map(|(key, _)| seen.insert(key.clone())).collect();
    members
        .into_iter()
        .zip(last.into_iter().rev())
        .filter_map(|(member, last)| last.then_some(member))
        .collect()
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Integer(a), Value::Float(b)) | (Value::Float(b), Value::Integer(a)) => *a as f64 == *b,
            (a, b) => a == b,
        }
    }
}

impl From<Value> for Tree {
    fn from(value: Value) -> Self {
        Self { start: 0, end: 0, value }
    }
}

impl From<&str> for Tree {
    fn from(value: &str) -> Self {
        Value::Text(value.into()).into()
    }
}

impl From<String> for Tree {
    fn from(value: String) -> Self {
        Value::Text(value.into()).into()
    }
}

impl From<bool> for Tree {
    fn from(value: bool) -> Self {
        Value::Bool(value).into()
    }
}

impl From<i64> for Tree {
    fn from(value: i64) -> Self {
        Value::Integer(value).into()
    }
}

impl From<f64> for Tree {
    fn from(value: f64) -> Self {
        Value::Float(value).into()
    }
}

impl From<Vec<Self>> for Tree {
    fn from(value: Vec<Self>) -> Self {
        Value::Array(value).into()
    }
}

impl Queryable for Tree {
    fn get(&self, key: &str) -> Option<&Self> {
        let Value::Object(members) = &self.value else { return None };
        members.iter().find(|(name, _)| &**name == key).map(|(_, value)| value)
    }

    fn as_array(&self) -> Option<&Vec<Self>> {
        if let Value::Array(elements) = &self.value { Some(elements) } else { None }
    }

    fn as_object(&self) -> Option<Vec<(&str, &Self)>> {
        let Value::Object(members) = &self.value else { return None };
        Some(members.iter().map(|(name, value)| (&**name, value)).collect())
    }

    fn as_str(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    fn as_i64(&self) -> Option<i64> {
        if let Value::Integer(value) = self.value { Some(value) } else { None }
    }

    fn as_f64(&self) -> Option<f64> {
        match self.value {
            Value::Integer(value) => Some(value as f64),
            Value::Float(value) => Some(value),
            _ => None,
        }
    }

    fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self.value { Some(value) } else { None }
    }

    fn null() -> Self {
        Self::default()
    }
}
