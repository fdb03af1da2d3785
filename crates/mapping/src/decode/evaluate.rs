//! Evaluates JSONPath (RFC 9535) over a tree.
//!
//! `jsonpath-rust` parses the text. Its own evaluation compares all numbers as floats within an epsilon, and copies the path of each
//! node, which a long key around many values makes huge.

use super::SyntaxError;
use super::condition::{Condition, Nodes, Operand, Operator, Segment, Selector};
use super::query::TreeQuery;
use super::tree::Tree;
use super::work::Work;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

/// Values that a list may have beside those of the record: a query may select a value several times.
const REPEATED_MAX: usize = 1_000;

/// A value that a filter compares; none where a query finds nothing.
type Value<'t> = Option<Cow<'t, Tree>>;

/// Appends the ranges of the values that a query selects.
pub fn select_in(
    tree: &Tree,
    query: &TreeQuery,
    work: &mut Work,
    spans: &mut Vec<Range<usize>>,
) -> Result<(), SyntaxError> {
    let mut found = Found::new(query.once);
    let mut evaluator = Evaluator { root: tree, found: &mut found, work };
    for selected in evaluator.select(&query.segments, tree)? {
        // Selected values may overlap, and each is read.
        evaluator.work.spend(selected.span().len())?;
        spans.push(selected.span());
    }
    Ok(())
}

/// Whether a filter holds for `at`, the value of "@".
pub(super) fn holds(
    condition: &Condition,
    root: &Tree,
    at: &Tree,
    found: &mut Found,
    work: &mut Work,
) -> Result<bool, SyntaxError> {
    Evaluator { root, found, work }.holds(condition, at)
}

/// The parts of a filter that do not look at "@", as far as they were evaluated for a record.
#[derive(Debug, Default)]
pub struct Found(Vec<Option<FoundPart>>);

#[derive(Clone, Debug)]
enum FoundPart {
    Holds(bool),
    Nothing,
    /// The value in this range of the record.
    Node(Range<usize>),
    /// The value of a function, a number.
    Number(Tree),
}

impl Found {
    /// `once`: how many parts do not look at "@".
    pub fn new(once: usize) -> Self {
        Self(vec![None; once])
    }

    fn get(&self, number: usize) -> Option<&FoundPart> {
        self.0.get(number)?.as_ref()
    }

    fn set(&mut self, number: usize, part: FoundPart) {
        if let Some(slot) = self.0.get_mut(number) {
            *slot = Some(part);
        }
    }
}

struct Evaluator<'t, 'w> {
    root: &'t Tree,
    found: &'w mut Found,
    work: &'w mut Work,
}

impl<'t> Evaluator<'t, '_> {
    fn select(&mut self, segments: &[Segment], at: &'t Tree) -> Result<Vec<&'t Tree>, SyntaxError> {
        let mut nodes = vec![at];
        for segment in segments {
            if segment.is_descendant {
                let mut containers = Vec::new();
                for node in nodes {
                    // A value takes two bytes at least.
                    self.work.spend(node.span().len() / 2 + 1)?;
                    push_containers(node, &mut containers);
                }
                nodes = containers;
            }
            let mut selected = Vec::new();
            for node in nodes {
                for selector in &segment.selectors {
                    self.selector(selector, node, &mut selected)?;
                }
                if selected.len() > self.root.span().len() + REPEATED_MAX {
                    self.work.spend(usize::MAX)?;
                }
            }
            nodes = selected;
        }
        Ok(nodes)
    }

    fn selector(
        &mut self,
        selector: &Selector,
        node: &'t Tree,
        selected: &mut Vec<&'t Tree>,
    ) -> Result<(), SyntaxError> {
        let before = selected.len();
        match selector {
            Selector::Name(_) | Selector::Index(_) => selected.extend(child(selector, node)),
            Selector::Wildcard => selected.extend(node.children()),
            Selector::Slice { start, end, step } => {
                let places = slice(node.items().len(), *start, *end, *step);
                selected.extend(places.filter_map(|place| node.items().get(place)));
            }
            Selector::Filter(condition) => {
                for child in node.children() {
                    self.work.spend(1)?;
                    if self.holds(condition, child)? {
                        selected.push(child);
                    }
                }
            }
        }
        self.work.spend(selected.len() - before + 1)
    }

    fn holds(&mut self, condition: &Condition, at: &'t Tree) -> Result<bool, SyntaxError> {
        Ok(match condition {
            Condition::Any(conditions) => {
                for condition in conditions {
                    if self.holds(condition, at)? {
                        return Ok(true);
                    }
                }
                false
            }
            Condition::All(conditions) => {
                for condition in conditions {
                    if !self.holds(condition, at)? {
                        return Ok(false);
                    }
                }
                true
            }
            Condition::Not(condition) => !self.holds(condition, at)?,
            Condition::Exists(nodes) if nodes.is_singular => self.singular(nodes, at)?.is_some(),
            Condition::Exists(nodes) => !self.nodes(nodes, at)?.is_empty(),
            Condition::HasValue(operand) => self.value(operand, at)?.is_some(),
            Condition::Matches(text, pattern) => {
                let text = self.value(text, at)?;
                let Some(text) = text.as_deref().and_then(Tree::text) else { return Ok(false) };
                self.work.spend(text.len())?;
                pattern.0.is_match(text)
            }
            Condition::Compare(operator, left, right) => {
                let (left, right) = (self.value(left, at)?, self.value(right, at)?);
                let (left, right) = (left.as_deref(), right.as_deref());
                // A value in the configuration has an empty range, and its length is bounded.
                let length = |value: Option<&Tree>| value.map_or(0, |value| value.span().len());
                self.work.spend(length(left).min(length(right)) + 1)?;
                compare(*operator, left, right)
            }
            Condition::Once(number, condition) => {
                if let Some(FoundPart::Holds(holds)) = self.found.get(*number) {
                    return Ok(*holds);
                }
                let holds = self.holds(condition, self.root)?;
                self.found.set(*number, FoundPart::Holds(holds));
                holds
            }
        })
    }

    fn nodes(&mut self, nodes: &Nodes, at: &'t Tree) -> Result<Vec<&'t Tree>, SyntaxError> {
        self.select(&nodes.segments, if nodes.is_from_root { self.root } else { at })
    }

    /// The value of a query that selects one at most.
    fn singular(&mut self, nodes: &Nodes, at: &'t Tree) -> Result<Option<&'t Tree>, SyntaxError> {
        self.work.spend(nodes.segments.len())?;
        let start = if nodes.is_from_root { self.root } else { at };
        let mut selectors = nodes.segments.iter().flat_map(|segment| &segment.selectors);
        Ok(selectors.try_fold(start, |at, selector| child(selector, at)))
    }

    fn value<'o>(&mut self, operand: &'o Operand, at: &'t Tree) -> Result<Value<'o>, SyntaxError>
    where
        't: 'o,
    {
        Ok(match operand {
            Operand::Literal(literal) => Some(Cow::Borrowed(literal)),
            Operand::Value(nodes) if nodes.is_singular => self.singular(nodes, at)?.map(Cow::Borrowed),
            Operand::Value(nodes) => match self.nodes(nodes, at)?.as_slice() {
                [node] => Some(Cow::Borrowed(*node)),
                _ => None,
            },
            Operand::Length(operand) => {
                let Some(value) = self.value(operand, at)? else { return Ok(None) };
                self.work.spend(value.span().len())?;
                value.length().map(number)
            }
            Operand::Count(nodes) => Some(number(self.nodes(nodes, at)?.len())),
            Operand::Nothing => None,
            Operand::Once(place, operand) => {
                if self.found.get(*place).is_none() {
                    let part = match self.value(operand, self.root)? {
                        Some(Cow::Borrowed(node)) => FoundPart::Node(node.span()),
                        Some(Cow::Owned(number)) => FoundPart::Number(number),
                        None => FoundPart::Nothing,
                    };
                    self.found.set(*place, part);
                }
                match self.found.get(*place) {
                    Some(FoundPart::Node(span)) => Some(Cow::Borrowed(self.root.value_in(span))),
                    Some(FoundPart::Number(number)) => Some(Cow::Owned(number.clone())),
                    Some(FoundPart::Nothing | FoundPart::Holds(_)) | None => None,
                }
            }
        })
    }
}

fn compare(operator: Operator, left: Option<&Tree>, right: Option<&Tree>) -> bool {
    let is_less =
        |a: Option<&Tree>, b: Option<&Tree>| a.zip(b).and_then(|(a, b)| a.compare(b)) == Some(Ordering::Less);
    match operator {
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
        Operator::Less => is_less(left, right),
        Operator::LessOrEqual => is_less(left, right) || left == right,
        Operator::Greater => is_less(right, left),
        Operator::GreaterOrEqual => is_less(right, left) || left == right,
    }
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

/// The child that a name or an index selects.
fn child<'t>(selector: &Selector, node: &'t Tree) -> Option<&'t Tree> {
    match selector {
        Selector::Name(name) => node.member(name),
        Selector::Index(index) => item(node, *index),
        Selector::Wildcard | Selector::Slice { .. } | Selector::Filter(_) => None,
    }
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

fn number<'t>(number: usize) -> Cow<'t, Tree> {
    // Records have fewer values than 2^32.
    Cow::Owned((number as i64).into())
}

#[cfg(test)]
mod tests {
    use super::super::{Filter, Query, Scanner, Syntax};
    use super::*;

    fn read(text: &str) -> Tree {
        Tree::read(&Scanner::new(text.as_bytes())).unwrap()
    }

    fn selected(query: &str, record: &str) -> Vec<String> {
        let Query::Tree(query) = Query::parse(query).unwrap() else { panic!("{query} is singular") };
        let mut spans = Vec::new();
        select_in(&read(record), &query, &mut Work::of(record.len()), &mut spans).unwrap();
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
            let holds = |operator: &str| {
                let filter = Filter::parse(&format!("@.a {operator} @.b")).unwrap();
                filter.holds(&record, None, &mut filter.found(), &mut Work::of(0)).unwrap()
            };
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

    /// The steps for a record with so many elements.
    fn steps(filter: &str, elements: usize) -> u64 {
        let record = format!(
            r#"{{"z":1,"text":"{}","e":[{}{{"v":1}}]}}"#,
            "x".repeat(10 * elements),
            r#"{"v":1},"#.repeat(elements - 1)
        );
        let Query::Tree(query) = Query::parse(&format!("$.e[?{filter}]")).unwrap() else {
            panic!("a filter is not singular")
        };
        let mut work = Work::of(record.len());
        let all = work.left();
        select_in(&read(&record), &query, &mut work, &mut Vec::new()).unwrap();
        all - work.left()
    }

    #[test]
    fn what_does_not_look_at_the_element_is_found_once() {
        for filter in [
            "@.v == $.z",
            "@.v == $.text || $.text == $.text",
            "@.v && $.e[*]",
            "@.v == 2 || $..none",
            "count($.e[*]) > @.v",
            "length($.text) > @.v",
            "value($..z) == @.v",
            "@ != $",
            "search($.text, 'y') || @.v",
            "!($.e[?@.v == $.none] || @.none)",
        ] {
            let (few, many) = (steps(filter, 250), steps(filter, 1_000));
            assert!(many <= 5 * few, "{filter}: {few} steps, and {many} for four times as many elements");
        }
    }

    #[test]
    fn a_query_that_visits_values_over_and_over_is_stopped() {
        let chain = format!("{}1{}", "[".repeat(60), "]".repeat(60));
        let record = format!("[{chain}{}]", format!(",{chain}").repeat(1_000));
        let result = |query: &str| {
            let Query::Tree(query) = Query::parse(query).unwrap() else { panic!("{query} is singular") };
            select_in(&read(&record), &query, &mut Work::of(record.len()), &mut Vec::new())
        };
        for query in ["$..*..*", "$..[?@..[?@..[?@ == 2]]]"] {
            assert_eq!(result(query), Err(SyntaxError { at: 0, why: Syntax::Work }), "{query}");
        }
        for query in ["$[*]", "$..[?@ == 1]", "$[?@..[?@ == 1]]"] {
            assert_eq!(result(query), Ok(()), "{query}");
        }
    }

    #[test]
    fn a_long_key_around_many_values_is_not_copied_for_each() {
        let record = format!(r#"{{"{}":[{}1]}}"#, "k".repeat(1_000_000), "1,".repeat(499_999));
        assert_eq!(selected("$.*[*]", &record).len(), 500_000);
    }
}
