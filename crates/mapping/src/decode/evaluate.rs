//! Evaluates JSONPath (RFC 9535) over a tree.
//!
//! `jsonpath-rust` parses the text. Its own evaluation compares all numbers as floats within an epsilon, and copies the path of each
//! node, which a long key around many values makes huge.

use super::functions::regular_expression;
use super::path::TreeQuery;
use super::tree::Tree;
use jsonpath_rust::parser::model::{
    Comparable, Comparison, Filter, FilterAtom, FnArg, Literal, Segment, Selector, SingularQuery,
    SingularQuerySegment, Test, TestFunction,
};
use regex::Regex;
use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;

/// A value that a filter compares; none where a query finds nothing.
type Operand<'t> = Option<Cow<'t, Tree>>;

/// Appends the ranges of the values that a query selects.
pub fn select_in(tree: &Tree, query: &TreeQuery, spans: &mut Vec<Range<usize>>) {
    let selected = Evaluator { root: tree }.select(&query.query.segments, tree);
    spans.extend(selected.into_iter().map(Tree::span));
}

/// Whether a filter holds for `at`, the value of "@".
pub(super) fn holds(filter: &Filter, root: &Tree, at: &Tree) -> bool {
    Evaluator { root }.holds(filter, at)
}

struct Evaluator<'t> {
    root: &'t Tree,
}

impl<'t> Evaluator<'t> {
    fn select(&self, segments: &[Segment], at: &'t Tree) -> Vec<&'t Tree> {
        segments.iter().fold(vec![at], |nodes, segment| {
            let mut selected = Vec::new();
            self.segment(segment, nodes, &mut selected);
            selected
        })
    }

    fn segment(&self, segment: &Segment, nodes: Vec<&'t Tree>, selected: &mut Vec<&'t Tree>) {
        match segment {
            Segment::Descendant(segment) => {
                let mut containers = Vec::new();
                for node in nodes {
                    push_containers(node, &mut containers);
                }
                self.segment(segment, containers, selected);
            }
            Segment::Selector(selector) => {
                for node in nodes {
                    self.selector(selector, node, selected);
                }
            }
            Segment::Selectors(selectors) => {
                for node in nodes {
                    for selector in selectors {
                        self.selector(selector, node, selected);
                    }
                }
            }
        }
    }

    fn selector(&self, selector: &Selector, node: &'t Tree, selected: &mut Vec<&'t Tree>) {
        match selector {
            Selector::Name(name) => selected.extend(node.member(name)),
            Selector::Index(index) => selected.extend(item(node, *index)),
            Selector::Wildcard => selected.extend(node.children()),
            Selector::Slice(start, end, step) => {
                let places = slice(node.items().len(), *start, *end, step.unwrap_or(1));
                selected.extend(places.filter_map(|place| node.items().get(place)));
            }
            Selector::Filter(filter) => {
                selected.extend(node.children().filter(|child| self.holds(filter, child)));
            }
        }
    }

    fn holds(&self, filter: &Filter, at: &'t Tree) -> bool {
        match filter {
            Filter::Or(filters) => filters.iter().any(|filter| self.holds(filter, at)),
            Filter::And(filters) => filters.iter().all(|filter| self.holds(filter, at)),
            Filter::Atom(FilterAtom::Filter { expr, not }) => self.holds(expr, at) != *not,
            Filter::Atom(FilterAtom::Test { expr, not }) => self.passes(expr, at) != *not,
            Filter::Atom(FilterAtom::Comparison(comparison)) => self.compare(comparison, at),
        }
    }

    /// A query passes if it selects something.
    fn passes(&self, test: &Test, at: &'t Tree) -> bool {
        match test {
            Test::RelQuery(_) | Test::AbsQuery(_) => !self.nodes(test, at).is_empty(),
            Test::Function(function) => match &**function {
                TestFunction::Match(value, pattern) => self.is_match(value, pattern, true, at),
                TestFunction::Search(value, pattern) => self.is_match(value, pattern, false, at),
                other => self.result(other, at).is_some(),
            },
        }
    }

    fn nodes(&self, test: &Test, at: &'t Tree) -> Vec<&'t Tree> {
        match test {
            Test::RelQuery(segments) => self.select(segments, at),
            Test::AbsQuery(query) => self.select(&query.segments, self.root),
            Test::Function(_) => Vec::new(),
        }
    }

    fn compare(&self, comparison: &Comparison, at: &'t Tree) -> bool {
        let (left, right) = comparison.vals();
        let (left, right) = (self.operand(left, at), self.operand(right, at));
        let (left, right) = (left.as_deref(), right.as_deref());
        let is_less = |a: Option<&Tree>, b: Option<&Tree>| {
            a.zip(b).and_then(|(a, b)| a.compare(b)) == Some(Ordering::Less)
        };
        match comparison {
            Comparison::Eq(..) => left == right,
            Comparison::Ne(..) => left != right,
            Comparison::Lt(..) => is_less(left, right),
            Comparison::Lte(..) => is_less(left, right) || left == right,
            Comparison::Gt(..) => is_less(right, left),
            Comparison::Gte(..) => is_less(right, left) || left == right,
        }
    }

    fn operand(&self, operand: &Comparable, at: &'t Tree) -> Operand<'t> {
        match operand {
            Comparable::Literal(literal) => Some(Cow::Owned(tree(literal))),
            Comparable::Function(function) => self.result(function, at),
            Comparable::SingularQuery(SingularQuery::Current(segments)) => {
                singular(segments, at).map(Cow::Borrowed)
            }
            Comparable::SingularQuery(SingularQuery::Root(segments)) => {
                singular(segments, self.root).map(Cow::Borrowed)
            }
        }
    }

    /// The value of a function.
    fn result(&self, function: &TestFunction, at: &'t Tree) -> Operand<'t> {
        match function {
            TestFunction::Length(argument) => self.argument(argument, at)?.length().map(count),
            TestFunction::Value(argument) => self.argument(argument, at),
            TestFunction::Count(FnArg::Test(test)) => Some(count(self.nodes(test, at).len())),
            TestFunction::Count(_)
            | TestFunction::Match(..)
            | TestFunction::Search(..)
            | TestFunction::Custom(..) => None,
        }
    }

    /// The value of an argument; none where its query does not select exactly one.
    fn argument(&self, argument: &FnArg, at: &'t Tree) -> Operand<'t> {
        match argument {
            FnArg::Literal(literal) => Some(Cow::Owned(tree(literal))),
            FnArg::Test(test) => match &**test {
                Test::Function(function) => self.result(function, at),
                query => match self.nodes(query, at).as_slice() {
                    [node] => Some(Cow::Borrowed(*node)),
                    _ => None,
                },
            },
            FnArg::Filter(_) => None,
        }
    }

    fn is_match(&self, text: &FnArg, pattern: &FnArg, is_whole: bool, at: &'t Tree) -> bool {
        let (text, pattern) = (self.argument(text, at), self.argument(pattern, at));
        let text = text.as_deref().and_then(Tree::text);
        let pattern = pattern.as_deref().and_then(Tree::text);
        text.zip(pattern).is_some_and(|(text, pattern)| matches(text, pattern, is_whole))
    }
}

/// Most patterns that are kept compiled. Those of a configuration are few; a record may have more.
const PATTERNS_MAX: usize = 64;

thread_local! {
    /// Compiled patterns, by their text and whether they match a whole text; none for what is no pattern. Compiling one takes longer than
    /// all else for an element.
    static PATTERNS: RefCell<HashMap<(String, bool), Option<Regex>>> = RefCell::default();
}

fn matches(text: &str, pattern: &str, is_whole: bool) -> bool {
    PATTERNS.with_borrow_mut(|patterns| {
        let key = (pattern.to_owned(), is_whole);
        if patterns.len() >= PATTERNS_MAX && !patterns.contains_key(&key) {
            patterns.clear();
        }
        let compiled = patterns.entry(key).or_insert_with(|| regular_expression(pattern, is_whole).ok());
        compiled.as_ref().is_some_and(|pattern| pattern.is_match(text))
    })
}

/// Appends a value and those within it that have children, each before its children.
fn push_containers<'t>(node: &'t Tree, containers: &mut Vec<&'t Tree>) {
    if node.is_container() {
        containers.push(node);
        for child in node.children() {
            push_containers(child, containers);
        }
    }
}

fn singular<'t>(segments: &[SingularQuerySegment], at: &'t Tree) -> Option<&'t Tree> {
    segments.iter().try_fold(at, |at, segment| match segment {
        SingularQuerySegment::Name(name) => at.member(name),
        SingularQuerySegment::Index(index) => item(at, *index),
    })
}

/// The item of an array at an index, which counts from the end where it is negative.
fn item(node: &Tree, index: i64) -> Option<&Tree> {
    let items = node.items();
    let place = if index < 0 { index.checked_add_unsigned(items.len() as u64)? } else { index };
    items.get(usize::try_from(place).ok()?)
}

/// The places that a slice selects (RFC 9535, section 2.3.4.2.2).
fn slice(
    length: usize,
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
) -> impl Iterator<Item = usize> + use<> {
    // Records have fewer items than 2^32.
    let length = length as i64;
    let from_start = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
    let (first, last) = if step < 0 {
        let bound = |index: i64| from_start(index).clamp(-1, length - 1);
        (bound(start.unwrap_or(length - 1)), end.map_or(-1, bound))
    } else {
        let bound = |index: i64| from_start(index).clamp(0, length);
        (bound(start.unwrap_or(0)), bound(end.unwrap_or(length)))
    };
    let is_within = move |at: &i64| match step.cmp(&0) {
        Ordering::Greater => *at < last,
        Ordering::Less => *at > last,
        Ordering::Equal => false,
    };
    let next = move |at: &i64| at.checked_add(step);
    std::iter::successors(Some(first), next).take_while(is_within).filter_map(|at| usize::try_from(at).ok())
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

fn count<'t>(number: usize) -> Cow<'t, Tree> {
    // Records have fewer values than 2^32.
    Cow::Owned((number as i64).into())
}

#[cfg(test)]
mod tests {
    use super::super::{Filter, Query, Scanner};
    use super::*;

    fn read(text: &str) -> Tree {
        Tree::read(&Scanner::new(text.as_bytes())).unwrap()
    }

    fn selected(query: &str, record: &str) -> Vec<String> {
        let Query::Tree(query) = Query::parse(query).unwrap() else { panic!("{query} is singular") };
        let mut spans = Vec::new();
        select_in(&read(record), &query, &mut spans);
        spans.into_iter().map(|span| record[span].to_owned()).collect()
    }

    #[test]
    fn selects_values() {
        let f = |query: &str, record: &str, want: &[&str]| {
            assert_eq!(selected(query, record), want, "{query} {record}");
        };
        let items = "[0,1,2,3]";
        f("$[1:3]", items, &["1", "2"]);
        f("$[-2:]", items, &["2", "3"]);
        f("$[:-2]", items, &["0", "1"]);
        f("$[::2]", items, &["0", "2"]);
        f("$[::-1]", items, &["3", "2", "1", "0"]);
        f("$[2:0:-1]", items, &["2", "1"]);
        f("$[0:4:0]", items, &[]);
        f("$[-9:9]", items, &["0", "1", "2", "3"]);
        f("$[9:-9:-3]", items, &["3", "0"]);
        f("$[:]", "[]", &[]);
        f("$[::-1]", "[]", &[]);
        f("$[-1]", items, &["3"]);
        f("$[-5]", items, &[]);
        f("$['a','b']", r#"{"b":1,"a":2}"#, &["2", "1"]);
        // Node by node (RFC 9535, section 2.5.1.2).
        f("$[*]['a','b']", r#"[{"b":1,"a":2},{"a":3,"b":4}]"#, &["2", "1", "3", "4"]);
        f("$..a", r#"{"a":{"a":1},"b":[{"a":2}]}"#, &[r#"{"a":1}"#, "1", "2"]);
        f("$..[0]", "[[1],[2]]", &["[1]", "1", "2"]);
        f("$.*.*", r#"{"a":[1],"b":{"c":2},"d":3}"#, &["1", "2"]);
        f("$[?@[?@.x == 1]]", r#"[[{"x":1}],[{"x":2}]]"#, &[r#"[{"x":1}]"#]);
        f("$[?count(@.a) == 0]", r#"[{"a":1},{}]"#, &["{}"]);
        f("$[?value(@..x) == 1]", r#"[{"a":{"x":1}},{"x":1,"y":{"x":1}}]"#, &[r#"{"a":{"x":1}}"#]);
    }

    #[test]
    fn numbers_are_compared_exactly() {
        let f = |record: &str, want: &str| {
            let record = read(record);
            let holds =
                |operator: &str| Filter::parse(&format!("@.a {operator} @.b")).unwrap().holds(&record, None);
            let got: Vec<&str> =
                ["<", "<=", "==", "!=", ">=", ">"].into_iter().filter(|o| holds(o)).collect();
            assert_eq!(got.join(" "), want, "{record:?}");
        };
        f(r#"{"a":9007199254740993,"b":9007199254740992}"#, "!= >= >");
        f(r#"{"a":9007199254740993,"b":9007199254740993}"#, "<= == >=");
        f(r#"{"a":9007199254740993,"b":9007199254740992.0}"#, "!= >= >");
        f(r#"{"a":-9007199254740993,"b":-9007199254740992.0}"#, "< <= !=");
        f(r#"{"a":18446744073709551615,"b":18446744073709551614}"#, "!= >= >");
        f(r#"{"a":18446744073709551615,"b":-1}"#, "!= >= >");
        f(r#"{"a":1,"b":1e300}"#, "< <= !=");
        f(r#"{"a":1e-20,"b":0}"#, "!= >= >");
        f(r#"{"a":-0.5,"b":0}"#, "< <= !=");
        f(r#"{"a":2,"b":2.5}"#, "< <= !=");
        f(r#"{"a":-2,"b":-2.5}"#, "!= >= >");
        f(r#"{"a":1000,"b":1e3}"#, "<= == >=");
        f(r#"{"a":0.1,"b":0.10}"#, "<= == >=");
        f(r#"{"a":[1,{"x":2}],"b":[1.0,{"x":2e0}]}"#, "<= == >=");
        f(r#"{"a":{"x":1,"y":2},"b":{"y":2,"x":1}}"#, "<= == >=");
        f(r#"{"a":{"x":1},"b":{"y":1}}"#, "!=");
        f(r#"{"a":"x","b":"y"}"#, "< <= !=");
        f(r#"{"a":"1","b":1}"#, "!=");
        f(r#"{"a":null}"#, "!=");
        f("{}", "<= == >=");
    }

    #[test]
    fn a_long_key_around_many_values_is_not_copied_for_each() {
        let record = format!(r#"{{"{}":[{}1]}}"#, "k".repeat(1_000_000), "1,".repeat(499_999));
        assert_eq!(selected("$.*[*]", &record).len(), 500_000);
    }
}
