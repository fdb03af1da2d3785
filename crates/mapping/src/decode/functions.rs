//! Functions of filters (RFC 9535, section 2.4).

use jsonpath_rust::parser::model::{
    Comparable, Filter, FilterAtom, FnArg, Literal, Segment, Selector, Test, TestFunction,
};
use regex::Regex;

/// An I-Regexp (RFC 9485), whose dot matches no line break.
pub(super) fn regular_expression(pattern: &str, is_whole: bool) -> Result<Regex, regex::Error> {
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

/// The first fault of a parsed query that would make a filter hold for nothing: a function that RFC 9535 does not have, or a pattern
/// that is no regular expression.
pub(super) fn fault(segments: &[Segment]) -> Option<String> {
    segments.iter().find_map(|segment| match segment {
        Segment::Descendant(segment) => fault(std::slice::from_ref(segment)),
        Segment::Selector(selector) => fault_of_selector(selector),
        Segment::Selectors(selectors) => selectors.iter().find_map(fault_of_selector),
    })
}

fn fault_of_selector(selector: &Selector) -> Option<String> {
    if let Selector::Filter(filter) = selector { fault_of_filter(filter) } else { None }
}

fn fault_of_filter(filter: &Filter) -> Option<String> {
    match filter {
        Filter::Or(filters) | Filter::And(filters) => filters.iter().find_map(fault_of_filter),
        Filter::Atom(FilterAtom::Filter { expr, .. }) => fault_of_filter(expr),
        Filter::Atom(FilterAtom::Test { expr, .. }) => fault_of_test(expr),
        Filter::Atom(FilterAtom::Comparison(comparison)) => {
            let (left, right) = comparison.vals();
            [left, right].into_iter().find_map(|operand| match operand {
                Comparable::Function(function) => fault_of_function(function),
                Comparable::Literal(_) | Comparable::SingularQuery(_) => None,
            })
        }
    }
}

fn fault_of_test(test: &Test) -> Option<String> {
    match test {
        Test::RelQuery(segments) => fault(segments),
        Test::AbsQuery(query) => fault(&query.segments),
        Test::Function(function) => fault_of_function(function),
    }
}

fn fault_of_function(function: &TestFunction) -> Option<String> {
    let fault_of = |argument: &FnArg| match argument {
        FnArg::Literal(_) => None,
        FnArg::Test(test) => fault_of_test(test),
        FnArg::Filter(filter) => fault_of_filter(filter),
    };
    match function {
        TestFunction::Custom(name, _) => Some(format!(
            "there is no function {name:?}: the functions are length, count, value, match and search"
        )),
        TestFunction::Length(argument) => fault_of(argument),
        TestFunction::Value(argument) | TestFunction::Count(argument) => fault_of(argument),
        TestFunction::Match(text, pattern) | TestFunction::Search(text, pattern) => {
            if let FnArg::Literal(Literal::String(pattern)) = pattern
                && let Err(error) = regular_expression(pattern, false)
            {
                // The last line has the reason.
                let why = error.to_string().lines().last().unwrap_or_default().to_owned();
                return Some(format!("{pattern:?} is no regular expression: {why}"));
            }
            fault_of(text).or_else(|| fault_of(pattern))
        }
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
}
