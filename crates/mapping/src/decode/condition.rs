//! Queries and filters (RFC 9535) in the form in which they are evaluated.
//!
//! Patterns are compiled here, once. The parts of a filter that do not look at "@" get a number, under which their value is kept while a
//! record is evaluated: found again for each element, they would take time with the square of the record's size.

use super::tree::Tree;
use jsonpath_rust::parser::model::{
    Comparable, Comparison, Filter, FilterAtom, FnArg, Literal, Segment as ParsedSegment,
    Selector as ParsedSelector, SingularQuery, SingularQuerySegment, Test, TestFunction,
};
use regex::Regex;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    /// Whether the selectors apply to all values within, too.
    pub is_descendant: bool,
    pub selectors: Vec<Selector>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Selector {
    Name(String),
    Index(i64),
    Wildcard,
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    Filter(Condition),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    /// Whether a query selects something.
    Exists(Nodes),
    /// Whether a function has a value.
    HasValue(Operand),
    Matches(Operand, Pattern),
    Compare(Operator, Operand, Operand),
    /// A condition that does not look at "@", with its number.
    Once(usize, Box<Condition>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value that a filter compares.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Literal(Tree),
    /// The value that a query selects, if it selects exactly one.
    Value(Nodes),
    Length(Box<Operand>),
    Count(Nodes),
    Nothing,
    /// An operand that does not look at "@", with its number.
    Once(usize, Box<Operand>),
}

/// The values that a query within a filter selects.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Nodes {
    /// Whether the query begins at "$"; otherwise at "@".
    pub is_from_root: bool,
    pub segments: Vec<Segment>,
    /// Whether each segment selects at most one value.
    pub is_singular: bool,
}

/// A compiled I-Regexp (RFC 9485).
#[derive(Clone, Debug)]
pub(super) struct Pattern(pub Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Condition {
    fn looks_at_current(&self) -> bool {
        match self {
            Self::Any(conditions) | Self::All(conditions) => conditions.iter().any(Self::looks_at_current),
            Self::Not(condition) => condition.looks_at_current(),
            Self::Exists(nodes) => !nodes.is_from_root,
            Self::HasValue(operand) | Self::Matches(operand, _) => operand.looks_at_current(),
            Self::Compare(_, left, right) => left.looks_at_current() || right.looks_at_current(),
            Self::Once(..) => false,
        }
    }
}

impl Operand {
    fn looks_at_current(&self) -> bool {
        match self {
            Self::Value(nodes) | Self::Count(nodes) => !nodes.is_from_root,
            Self::Length(operand) => operand.looks_at_current(),
            Self::Literal(_) | Self::Nothing | Self::Once(..) => false,
        }
    }
}

/// Brings a parsed query into its form for evaluation. Fails with the reason for a filter that would hold for nothing: it has a function
/// that RFC 9535 does not have, or a pattern that is no regular expression.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    /// How many parts do not look at "@".
    pub once: usize,
    /// Whether a filter looks at the record's root.
    pub uses_root: bool,
}

impl Compiler {
    pub fn segments(&mut self, parsed: &[ParsedSegment]) -> Result<Vec<Segment>, String> {
        parsed.iter().map(|segment| self.segment(segment)).collect()
    }

    fn segment(&mut self, parsed: &ParsedSegment) -> Result<Segment, String> {
        let selectors = match parsed {
            ParsedSegment::Descendant(segment) => {
                return Ok(Segment { is_descendant: true, ..self.segment(segment)? });
            }
            ParsedSegment::Selector(selector) => vec![self.selector(selector)?],
            ParsedSegment::Selectors(selectors) => {
                selectors.iter().map(|selector| self.selector(selector)).collect::<Result<_, _>>()?
            }
        };
        Ok(Segment { is_descendant: false, selectors })
    }

    fn selector(&mut self, parsed: &ParsedSelector) -> Result<Selector, String> {
        Ok(match parsed {
            ParsedSelector::Name(name) => Selector::Name(name.clone()),
            ParsedSelector::Index(index) => Selector::Index(*index),
            ParsedSelector::Wildcard => Selector::Wildcard,
            ParsedSelector::Slice(start, end, step) => {
                Selector::Slice { start: *start, end: *end, step: step.unwrap_or(1) }
            }
            ParsedSelector::Filter(filter) => Selector::Filter(self.condition(filter)?),
        })
    }

    pub fn condition(&mut self, parsed: &Filter) -> Result<Condition, String> {
        let negated = |condition, not| if not { Condition::Not(Box::new(condition)) } else { condition };
        let mut each = |filters: &[Filter]| -> Result<Vec<_>, String> {
            filters.iter().map(|filter| self.condition(filter)).collect()
        };
        Ok(match parsed {
            Filter::Or(filters) => Condition::Any(each(filters)?),
            Filter::And(filters) => Condition::All(each(filters)?),
            Filter::Atom(FilterAtom::Filter { expr, not }) => negated(self.condition(expr)?, *not),
            Filter::Atom(FilterAtom::Test { expr, not }) => negated(self.test(expr)?, *not),
            Filter::Atom(FilterAtom::Comparison(comparison)) => {
                let operator = match &**comparison {
                    Comparison::Eq(..) => Operator::Equal,
                    Comparison::Ne(..) => Operator::NotEqual,
                    Comparison::Lt(..) => Operator::Less,
                    Comparison::Lte(..) => Operator::LessOrEqual,
                    Comparison::Gt(..) => Operator::Greater,
                    Comparison::Gte(..) => Operator::GreaterOrEqual,
                };
                let (left, right) = comparison.vals();
                let condition = Condition::Compare(operator, self.compared(left)?, self.compared(right)?);
                self.once(condition)
            }
        })
    }

    fn once(&mut self, condition: Condition) -> Condition {
        if condition.looks_at_current() {
            return condition;
        }
        self.once += 1;
        Condition::Once(self.once - 1, Box::new(condition))
    }

    fn operand_once(&mut self, operand: Operand) -> Operand {
        let is_known = matches!(operand, Operand::Literal(_) | Operand::Nothing);
        if is_known || operand.looks_at_current() {
            return operand;
        }
        self.once += 1;
        Operand::Once(self.once - 1, Box::new(operand))
    }

    fn test(&mut self, parsed: &Test) -> Result<Condition, String> {
        let condition = match parsed {
            Test::RelQuery(_) | Test::AbsQuery(_) => Condition::Exists(self.nodes(parsed)?),
            Test::Function(function) => match &**function {
                TestFunction::Match(text, pattern) => self.matches(text, pattern, true)?,
                TestFunction::Search(text, pattern) => self.matches(text, pattern, false)?,
                other => Condition::HasValue(self.function(other)?),
            },
        };
        Ok(self.once(condition))
    }

    fn nodes(&mut self, parsed: &Test) -> Result<Nodes, String> {
        let (is_from_root, segments) = match parsed {
            Test::RelQuery(segments) => (false, segments.as_slice()),
            Test::AbsQuery(query) => (true, query.segments.as_slice()),
            Test::Function(_) => return Err("the result of a function is no list of values".to_owned()),
        };
        self.uses_root |= is_from_root;
        let segments = self.segments(segments)?;
        let is_singular = segments.iter().all(|segment| {
            let selector = segment.selectors.as_slice();
            !segment.is_descendant && matches!(selector, [Selector::Name(_) | Selector::Index(_)])
        });
        Ok(Nodes { is_from_root, segments, is_singular })
    }

    fn compared(&mut self, parsed: &Comparable) -> Result<Operand, String> {
        let operand = match parsed {
            Comparable::Literal(literal) => Operand::Literal(tree(literal)),
            Comparable::Function(function) => self.function(function)?,
            Comparable::SingularQuery(query) => {
                let (is_from_root, steps) = match query {
                    SingularQuery::Current(steps) => (false, steps),
                    SingularQuery::Root(steps) => (true, steps),
                };
                self.uses_root |= is_from_root;
                let selector = |step: &SingularQuerySegment| match step {
                    SingularQuerySegment::Name(name) => Selector::Name(name.clone()),
                    SingularQuerySegment::Index(index) => Selector::Index(*index),
                };
                let segment = |step| Segment { is_descendant: false, selectors: vec![selector(step)] };
                let segments = steps.iter().map(segment).collect();
                Operand::Value(Nodes { is_from_root, segments, is_singular: true })
            }
        };
        Ok(self.operand_once(operand))
    }

    /// The value of a function.
    fn function(&mut self, parsed: &TestFunction) -> Result<Operand, String> {
        Ok(match parsed {
            TestFunction::Custom(name, _) => {
                return Err(format!(
                    "there is no function {name:?}: the functions are length, count, value, match and search"
                ));
            }
            TestFunction::Length(argument) => Operand::Length(Box::new(self.argument(argument)?)),
            TestFunction::Value(argument) => self.argument(argument)?,
            TestFunction::Count(FnArg::Test(test)) => Operand::Count(self.nodes(test)?),
            TestFunction::Count(_) => Operand::Nothing,
            // The result is no value; RFC 9535 has these only as conditions.
            TestFunction::Match(text, pattern) | TestFunction::Search(text, pattern) => {
                self.matches(text, pattern, true)?;
                Operand::Nothing
            }
        })
    }

    fn argument(&mut self, parsed: &FnArg) -> Result<Operand, String> {
        Ok(match parsed {
            FnArg::Literal(literal) => Operand::Literal(tree(literal)),
            FnArg::Test(test) => match &**test {
                Test::Function(function) => self.function(function)?,
                query => Operand::Value(self.nodes(query)?),
            },
            FnArg::Filter(filter) => {
                self.condition(filter)?;
                Operand::Nothing
            }
        })
    }

    fn matches(&mut self, text: &FnArg, pattern: &FnArg, is_whole: bool) -> Result<Condition, String> {
        let FnArg::Literal(Literal::String(pattern)) = pattern else {
            return Err(
                "its pattern is no quoted text: a pattern from the record would let one record take \
                        any time, since each pattern has to be compiled"
                    .to_owned(),
            );
        };
        let compiled = regular_expression(pattern, is_whole).map_err(|error| {
            // The last line has the reason.
            let why = error.to_string().lines().last().unwrap_or_default().to_owned();
            format!("{pattern:?} is no regular expression: {why}")
        })?;
        Ok(Condition::Matches(self.argument(text)?, Pattern(compiled)))
    }
}

/// An I-Regexp (RFC 9485), whose dot matches no line break.
fn regular_expression(pattern: &str, is_whole: bool) -> Result<Regex, regex::Error> {
    let mut translated = String::with_capacity(pattern.len());
    let (mut is_escaped, mut is_in_class) = (false, false);
    for character in pattern.chars() {
        match character {
            '.' if !is_escaped && !is_in_class => translated.push_str(r"[^\n\r]"),
            other => translated.push(other),
        }
        match character {
            _ if is_escaped => {}
            '[' => is_in_class = true,
            ']' => is_in_class = false,
            _ => {}
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    Regex::new(&if is_whole { format!("^(?:{translated})$") } else { translated })
}

fn tree(literal: &Literal) -> Tree {
    match literal {
        Literal::Int(value) => (*value).into(),
        Literal::Float(value) => (*value).into(),
        Literal::String(text) => text.as_str().into(),
        Literal::Bool(value) => (*value).into(),
        Literal::Null => Tree::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Filter, PathError, Query};

    #[test]
    fn a_function_or_pattern_that_would_never_match_is_refused() {
        for text in ["in(@.a, $.b)", "!none_of(@.a, $.b)", "match(@.a, '[')", "@.x[?search(@, '(')]"] {
            assert!(matches!(Filter::parse(text), Err(PathError::Function { .. })), "{text}");
            let query = Query::parse(&format!("$[?{text}]"));
            assert!(matches!(query, Err(PathError::Function { .. })), "{text}");
        }
    }

    /// The time for a record is bounded, and 1 MB may hold 100,000 patterns, each of which takes milliseconds.
    #[test]
    fn a_pattern_from_the_record_is_refused() {
        for text in ["match(@.a, @.p)", "search(@.a, $.p)", "@.x[?match(@, value($..p))]"] {
            let error = Filter::parse(text).unwrap_err().to_string();
            assert!(error.contains("its pattern is no quoted text"), "{error}");
        }
    }
}
