//! Finds the positions of selected values in a record's bytes.

use super::tree::Tree;
use super::{Path, Query, Scanner, Step, SyntaxError, Token};
use std::ops::Range;

/// Appends the ranges of the values that `query` selects. The whole record is checked.
pub fn select(
    query: &Query,
    scanner: &Scanner<'_>,
    spans: &mut Vec<Range<usize>>,
) -> Result<(), SyntaxError> {
    match query {
        Query::Whole => {
            let mut scanner = scanner.clone();
            let span = skip_value(&mut scanner, 0)?;
            scanner.end()?;
            spans.push(span);
        }
        Query::Path(path) => spans.extend(find(path, scanner)?),
        Query::Tree(query) => {
            let tree = Tree::read(scanner)?;
            // Treating an error as an empty selection would filter the record, and its offset would be committed.
            let selected = jsonpath_rust::query::js_path_process(&query.query, &tree);
            assert!(selected.is_ok(), "a parsed JSONPath selects values, whatever the record holds");
            spans.extend(selected.into_iter().flatten().map(|node| node.val().span()));
        }
    }
    Ok(())
}

/// The range of the value of a singular path; the last of duplicate keys wins.
pub fn find(path: &Path, scanner: &Scanner<'_>) -> Result<Option<Range<usize>>, SyntaxError> {
    let mut scanner = scanner.clone();
    let span = find_steps(&path.0, &mut scanner, 0)?;
    scanner.end()?;
    Ok(span)
}

fn find_steps(
    steps: &[Step],
    scanner: &mut Scanner<'_>,
    depth: usize,
) -> Result<Option<Range<usize>>, SyntaxError> {
    let Some((step, rest)) = steps.split_first() else {
        return skip_value(scanner, depth).map(Some);
    };
    let token = scanner.value()?;
    scanner.check_depth(token, depth)?;
    let mut found = None;
    match (token, step) {
        (Token::Object, Step::Key(wanted)) => {
            let (mut first, mut scratch) = (true, Vec::new());
            while let Some(key) = scanner.key(first)? {
                first = false;
                if key.decode(&mut scratch) == wanted.as_bytes() {
                    found = find_steps(rest, scanner, depth + 1)?;
                } else {
                    skip_value(scanner, depth + 1)?;
                }
            }
        }
        (Token::Array, Step::Index(wanted)) => {
            let mut index = 0;
            while scanner.element(index == 0)? {
                if index == *wanted {
                    found = find_steps(rest, scanner, depth + 1)?;
                } else {
                    skip_value(scanner, depth + 1)?;
                }
                index += 1;
            }
        }
        _ => scanner.skip_rest(token, depth)?,
    }
    Ok(found)
}

fn skip_value(scanner: &mut Scanner<'_>, depth: usize) -> Result<Range<usize>, SyntaxError> {
    scanner.skip_whitespace();
    let start = scanner.position();
    let token = scanner.value()?;
    scanner.skip_rest(token, depth)?;
    Ok(start..scanner.position())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects() {
        let f = |record: &str, query: &str, want: &[&str]| {
            let mut spans = Vec::new();
            select(&Query::parse(query).unwrap(), &Scanner::new(record.as_bytes()), &mut spans).unwrap();
            let got: Vec<&str> = spans.into_iter().map(|span| &record[span]).collect();
            assert_eq!(got, want, "{record} {query}");
        };
        let record = r#" {"a": {"b": [1, {"c":"x"}]}, "items":[{"v":1,"ok":true},{"v":2.5}], "a b":null} "#;
        f(record, "$", &[record.trim()]);
        f(record, "$.a.b[1].c", &["\"x\""]);
        f(record, "$['a b']", &["null"]);
        f(record, "$.nothing.here", &[]);
        f(record, "$.a.b.c", &[]);
        f(record, "$.items[*]", &[r#"{"v":1,"ok":true}"#, r#"{"v":2.5}"#]);
        f(record, "$.items[?@.v > 2]", &[r#"{"v":2.5}"#]);
        f(record, "$.items[?@.ok == true].v", &["1"]);
        f(record, "$..c", &["\"x\""]);
        f(record, "$.items[-1]", &[r#"{"v":2.5}"#]);
        f(r#"{"a":1,"a":2}"#, "$.a", &["2"]);
        f(r#"{"a":{"b":1},"a":{"c":2}}"#, "$.a.b", &[]);
        f(r#"{"a":{"b":1},"a":{"c":2}}"#, "$.a[*]", &["2"]);
        f(r#"{"온\u0064":{"v":1}}"#, "$.온d", &[r#"{"v":1}"#]);
    }

    #[test]
    fn checks_the_whole_record() {
        for query in ["$", "$.a", "$.a[*]"] {
            for record in [r#"{"a":1"#, r#"{"a":1} x"#, r#"{"a":1,"b":tru}"#] {
                let query = Query::parse(query).unwrap();
                assert!(
                    select(&query, &Scanner::new(record.as_bytes()), &mut Vec::new()).is_err(),
                    "{record}"
                );
            }
        }
    }
}
