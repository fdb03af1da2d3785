//! Finds the positions of selected values in a record's bytes.

use super::evaluate::select_in;
use super::tree::Tree;
use super::{Path, Query, Scanner, Step, SyntaxError, Token, Work};
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
            select_in(&Tree::read(scanner)?, query, &mut Work::of(scanner.bytes().len()), spans)?;
        }
    }
    Ok(())
}

/// The range of the value of a singular path; the last of duplicate keys wins.
pub fn find(path: &Path, scanner: &Scanner<'_>) -> Result<Option<Range<usize>>, SyntaxError> {
    let mut searches = [PathSearch::default()];
    find_all(std::slice::from_ref(path), &mut searches, scanner)?;
    let [search] = searches;
    Ok(search.found)
}

/// The search for the value of one path.
#[derive(Clone, Debug, Default)]
pub struct PathSearch {
    /// Number of steps that lead to the value being read.
    matched: usize,
    /// The range of the path's value.
    pub found: Option<Range<usize>>,
}

/// Finds the values of singular paths, each in its search, in one pass that checks the whole record.
pub fn find_all(
    paths: &[Path],
    searches: &mut [PathSearch],
    scanner: &Scanner<'_>,
) -> Result<(), SyntaxError> {
    searches.fill(PathSearch::default());
    let mut scanner = scanner.clone();
    PathSearches { paths, searches }.value(&mut scanner, 0)?;
    scanner.end()
}

struct PathSearches<'s> {
    paths: &'s [Path],
    searches: &'s mut [PathSearch],
}

impl PathSearches<'_> {
    fn value(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Result<(), SyntaxError> {
        scanner.skip_whitespace();
        let start = scanner.position();
        let token = scanner.value()?;
        scanner.check_depth(token, depth)?;
        match token {
            Token::Object => {
                let (mut first, mut scratch) = (true, Vec::new());
                while let Some(key) = scanner.key(first)? {
                    first = false;
                    let key = key.decode(&mut scratch);
                    let is_key = |step: &Step| matches!(step, Step::Key(wanted) if wanted.as_bytes() == key);
                    self.member(is_key, scanner, depth)?;
                }
            }
            Token::Array => {
                let mut index = 0;
                while scanner.element(index == 0)? {
                    self.member(|step| *step == Step::Index(index), scanner, depth)?;
                    index += 1;
                }
            }
            _ => {}
        }
        for (path, search) in self.paths.iter().zip(&mut *self.searches) {
            if search.matched == depth && path.0.len() == depth {
                search.found = Some(start..scanner.position());
            }
        }
        Ok(())
    }

    /// Reads the value of a key or index at `depth`, which `is_next` recognizes.
    fn member(
        &mut self,
        is_next: impl Fn(&Step) -> bool,
        scanner: &mut Scanner<'_>,
        depth: usize,
    ) -> Result<(), SyntaxError> {
        let mut is_wanted = false;
        for (path, search) in self.paths.iter().zip(&mut *self.searches) {
            if search.matched == depth && path.0.get(depth).is_some_and(&is_next) {
                *search = PathSearch { matched: depth + 1, found: None };
                is_wanted = true;
            }
        }
        if !is_wanted {
            return skip_value(scanner, depth + 1).map(drop);
        }
        self.value(scanner, depth + 1)?;
        self.searches.iter_mut().for_each(|search| search.matched = search.matched.min(depth));
        Ok(())
    }
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
    fn finds_several_paths_in_one_pass() {
        let paths = ["$.a.b", "$.a", "$.a.c[1]", "$.c", "$", "$.a.b"].map(|text| Path::parse(text).unwrap());
        let f = |record: &str, want: [&str; 6]| {
            let mut searches = vec![PathSearch::default(); paths.len()];
            for _ in 0..2 {
                find_all(&paths, &mut searches, &Scanner::new(record.as_bytes())).unwrap();
                let found = |search: &PathSearch| search.found.clone().map_or("", |span| &record[span]);
                assert_eq!(searches.iter().map(found).collect::<Vec<_>>(), want, "{record}");
            }
            for (path, search) in paths.iter().zip(searches) {
                assert_eq!(find(path, &Scanner::new(record.as_bytes())).unwrap(), search.found);
            }
        };
        f(
            r#"{"a":{"b":1,"c":[2,3]},"c":4}"#,
            ["1", r#"{"b":1,"c":[2,3]}"#, "3", "4", r#"{"a":{"b":1,"c":[2,3]},"c":4}"#, "1"],
        );
        // The last of duplicate keys wins, whatever the first one had.
        f(r#"{"a":{"b":1},"a":{"c":2}}"#, ["", r#"{"c":2}"#, "", "", r#"{"a":{"b":1},"a":{"c":2}}"#, ""]);
        f(
            r#"{"b":{"b":1},"x":{"c":2},"a":[{"b":5}]}"#,
            ["", r#"[{"b":5}]"#, "", "", r#"{"b":{"b":1},"x":{"c":2},"a":[{"b":5}]}"#, ""],
        );
        f("7", ["", "", "", "", "7", ""]);
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
