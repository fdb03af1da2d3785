//! A tree of a record, for JSONPaths that need one. Each node has the range of its bytes.

use super::{Number, Path, Scanner, Step, SyntaxError, Token};
use std::cmp::Ordering;
use std::ops::Range;

/// A value with its range. The tree takes up to 20 times the bytes of the record, while the record is mapped.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    start: u32,
    end: u32,
    value: Value,
}

#[derive(Clone, Debug, Default)]
enum Value {
    #[default]
    Null,
    Bool(bool),
    Integer(i64),
    /// An integer beyond `i64`.
    Unsigned(u64),
    Float(f64),
    Text(Box<str>),
    Array(Vec<Tree>),
    Object(Vec<Member>),
}

#[derive(Clone, Debug)]
struct Member {
    name: Box<str>,
    /// Start of the name in the record, at its quote.
    start: u32,
    /// Index of the member whose name has the rank of this member's place, in the order of names.
    ranked: u32,
    value: Tree,
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

    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub fn is_object(&self) -> bool {
        matches!(self.value, Value::Object(_))
    }

    /// The items of an array; none of another value.
    pub(super) fn items(&self) -> &[Self] {
        if let Value::Array(items) = &self.value { items } else { &[] }
    }

    fn members(&self) -> &[Member] {
        if let Value::Object(members) = &self.value { members } else { &[] }
    }

    /// The items of an array, or the values of an object's members.
    pub(super) fn children(&self) -> impl Iterator<Item = &Self> {
        self.items().iter().chain(self.members().iter().map(|member| &member.value))
    }

    pub(super) fn is_container(&self) -> bool {
        matches!(self.value, Value::Array(_) | Value::Object(_))
    }

    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        // Many members of one object may be looked for, so not one after another.
        let members = self.members();
        let (mut first, mut last) = (0, members.len());
        while first < last {
            let middle = first.midpoint(last);
            let member = members.get(members.get(middle)?.ranked as usize)?;
            match (*member.name).cmp(name) {
                Ordering::Less => first = middle + 1,
                Ordering::Greater => last = middle,
                Ordering::Equal => return Some(&member.value),
            }
        }
        None
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// Number of characters, items or members.
    pub(super) fn length(&self) -> Option<usize> {
        match &self.value {
            Value::Text(text) => Some(text.chars().count()),
            Value::Array(items) => Some(items.len()),
            Value::Object(members) => Some(members.len()),
            _ => None,
        }
    }

    /// The order of two numbers or of two texts.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (&self.value, &other.value) {
            (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
            (a, b) => a.compare_numbers(b),
        }
    }

    /// The value of a singular path from this value.
    pub fn at(&self, path: &Path) -> Option<&Self> {
        path.0.iter().try_fold(self, |at, step| match (step, &at.value) {
            (Step::Key(name), _) => at.member(name),
            (Step::Index(index), Value::Array(elements)) => elements.get(*index),
            _ => None,
        })
    }

    /// The value in a range, which is that of a value within.
    pub(super) fn value_in(&self, span: &Range<usize>) -> &Self {
        let mut at = self;
        while at.span() != *span {
            (at, _) = at.child_around(span);
        }
        at
    }

    /// The objects and arrays around the value in the range `span`, from the root on: together the value's normalized path (RFC 9535,
    /// section 2.7). Each comes with the name or index that leads to the value.
    pub fn enclosing(&self, span: &Range<usize>) -> Vec<(&Self, TreeKey)> {
        let (mut at, mut enclosing) = (self, Vec::new());
        while at.span() != *span {
            let (child, key) = at.child_around(span);
            enclosing.push((at, key));
            at = child;
        }
        enclosing
    }

    /// The child that the value in the range `span` is, or stands in.
    fn child_around(&self, span: &Range<usize>) -> (&Self, TreeKey) {
        // Values stand one after another, so only one child can have the range.
        let next = match &self.value {
            Value::Array(elements) => {
                let place = elements.partition_point(|element| element.span().end <= span.start);
                elements.get(place).map(|element| (element, TreeKey::Index(place)))
            }
            Value::Object(members) => {
                let place = members.partition_point(|member| member.value.span().end <= span.start);
                let key = |member: &Member| TreeKey::Name(member.start as usize);
                members.get(place).map(|member| (&member.value, key(member)))
            }
            _ => None,
        };
        let Some(next) = next else {
            unreachable!("the selected value {span:?} does not stand in its record")
        };
        next
    }
}

/// The key under which a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeKey {
    /// The start of the member's name in the record, at its quote.
    Name(usize),
    /// The index in an array.
    Index(usize),
}

impl Value {
    /// The order of two numbers, by their exact values.
    fn compare_numbers(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Float(a), b) => compare(b.integer()?, *a).map(Ordering::reverse),
            (a, Self::Float(b)) => compare(a.integer()?, *b),
            (a, b) => Some(a.integer()?.cmp(&b.integer()?)),
        }
    }

    fn integer(&self) -> Option<i128> {
        match self {
            Self::Integer(value) => Some((*value).into()),
            Self::Unsigned(value) => Some((*value).into()),
            _ => None,
        }
    }
}

/// The order of an integer of 64 bits and a float. Converting the integer to a float would lose its last digits.
fn compare(integer: i128, float: f64) -> Option<Ordering> {
    // A float beyond 128 bits becomes the largest or smallest integer, and no integer of 64 bits equals these.
    let whole = float.trunc() as i128;
    Some(integer.cmp(&whole).then(0.0.partial_cmp(&float.fract())?))
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            // The order of members has no meaning.
            (Self::Object(a), Self::Object(b)) => a.len() == b.len() && is_equal(a, b),
            (a, b) => a.compare_numbers(b) == Some(Ordering::Equal),
        }
    }
}

/// Whether two objects with the same number of members are equal.
fn is_equal(a: &[Member], b: &[Member]) -> bool {
    by_name(a).zip(by_name(b)).all(|(a, b)| a.name == b.name && a.value == b.value)
}

fn by_name(members: &[Member]) -> impl Iterator<Item = &Member> {
    members.iter().filter_map(|member| members.get(member.ranked as usize))
}

fn read_value(scanner: &mut Scanner<'_>, depth: usize) -> Result<Tree, SyntaxError> {
    scanner.skip_whitespace();
    // Records and their JSON text are smaller than 4 GB.
    let start = scanner.position() as u32;
    let token = scanner.value()?;
    scanner.check_depth(token, depth)?;
    let value = match token {
        Token::Null | Token::NotFinite | Token::Binary => Value::Null,
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
                // The name, its closing quote and the colon were read; white space may stand before the colon.
                let before_colon = scanner.bytes().get(..scanner.position() - 1).unwrap_or_default();
                let start = before_colon.trim_ascii_end().len() - key.raw().len() - 2;
                let name = key.to_string_lossy().into();
                let value = read_value(scanner, depth + 1)?;
                members.push(Member { name, start: start as u32, ranked: 0, value });
            }
            rank(&mut members);
            Value::Object(members)
        }
    };
    Ok(Tree { start, end: scanner.position() as u32, value })
}

fn read_number(number: Number<'_>) -> Value {
    // Numbers beyond 64-bit integers are compared as floats.
    let text = std::str::from_utf8(number.text()).unwrap_or_default();
    text.parse()
        .map(Value::Integer)
        .or_else(|_| text.parse().map(Value::Unsigned))
        .unwrap_or_else(|_| Value::Float(number.as_f64()))
}

/// Ranks members by their names. Of members with one name, only the last one stays.
fn rank(members: &mut Vec<Member>) {
    loop {
        let name = |place: &u32| members.get(*place as usize).map(|member| &*member.name);
        let mut order: Vec<u32> = (0..members.len() as u32).collect();
        order.sort_by(|a, b| name(a).cmp(&name(b)));
        let pairs = order.iter().zip(order.iter().skip(1));
        let mut repeated: Vec<u32> = pairs.filter(|(a, b)| name(a) == name(b)).map(|(a, _)| *a).collect();
        if repeated.is_empty() {
            members.iter_mut().zip(order).for_each(|(member, ranked)| member.ranked = ranked);
            return;
        }
        repeated.sort_unstable();
        let mut places = 0..;
        members.retain(|_| places.next().is_none_or(|place| repeated.binary_search(&place).is_err()));
    }
}

/// Positions do not count.
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
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
