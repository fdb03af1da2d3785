//! Finds the route of a tag: its filters and its output.

use super::syntax::Section;
use regex::Regex;

/// Bound on jumps to another label, against circles.
const LABELS_MAX: usize = 16;

/// The route of one tag.
#[derive(Debug, Default)]
pub struct Route<'a> {
    pub filters: Vec<&'a Section>,
    /// An output of type `influxdb` or `influxdb2`.
    pub output: Option<&'a Section>,
    /// Other outputs that get the records.
    pub elsewhere: Vec<&'a Section>,
}

pub fn is_influx(section: &Section) -> bool {
    matches!(section.plugin(), "influxdb" | "influxdb2")
}

/// The first matching `<match>` of the source's label, and the filters before it.
pub fn of<'a>(root: &'a Section, source: &Section, tag: &str) -> Route<'a> {
    let mut route = Route::default();
    let label = source.option("@label").map(|label| label.value.text.as_str());
    let mut scope = label.map_or(Some(root), |label| labelled(root, label));
    for _ in 0..LABELS_MAX {
        let Some(sections) = scope.map(|scope| &scope.sections) else { break };
        scope = None;
        for section in sections {
            if section.name == "filter" && matches_tag(&section.argument, tag) {
                route.filters.push(section);
            } else if section.name == "match" && matches_tag(&section.argument, tag) {
                let on = section.option("@label").filter(|_| section.plugin() == "relabel");
                scope = on.and_then(|label| labelled(root, &label.value.text));
                if on.is_none() {
                    take(section, &mut route);
                }
                break;
            }
        }
    }
    route
}

fn labelled<'a>(root: &'a Section, label: &str) -> Option<&'a Section> {
    root.sections.iter().find(|section| section.name == "label" && section.argument == label)
}

fn take<'a>(output: &'a Section, route: &mut Route<'a>) {
    let is_copy = matches!(output.plugin(), "copy" | "roundrobin");
    let stores: Vec<&Section> =
        if is_copy { output.sections.iter().filter(|s| s.name == "store").collect() } else { vec![output] };
    for store in stores {
        if is_influx(store) && route.output.is_none() {
            route.output = Some(store);
        } else {
            route.elsewhere.push(store);
        }
    }
}

/// Whether one of the patterns, which blanks separate, matches the tag.
pub fn matches_tag(patterns: &str, tag: &str) -> bool {
    let is_match = |pattern: &str| regex_of(pattern).is_some_and(|regex| regex.is_match(tag));
    // `<filter>` without a pattern matches every tag.
    patterns.trim().is_empty() || patterns.split_whitespace().any(is_match)
}

/// The first pattern that Rust's regular expressions don't support; Ruby's have more features.
pub fn unreadable(patterns: &str) -> Option<&str> {
    patterns.split_whitespace().find(|pattern| regex_of(pattern).is_none())
}

/// The regular expression of a pattern: `*` is one part of a tag, `**` any number of parts, `{a,b}` either, `/.../` a regular expression.
fn regex_of(pattern: &str) -> Option<Regex> {
    if let Some(regex) = pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        return Regex::new(regex).ok();
    }
    let mut out = String::from("^");
    let mut rest = pattern;
    let mut braces = 0_usize;
    while let Some(c) = rest.chars().next() {
        let (part, read) = match c {
            _ if rest.starts_with(".**") => (r"(?:\..*)?".to_owned(), 3),
            _ if rest.starts_with("**.") => (r"(?:.*\.)?".to_owned(), 3),
            _ if rest.starts_with("**") => (".*".to_owned(), 2),
            '*' => (r"[^.]*".to_owned(), 1),
            '{' => {
                braces += 1;
                ("(?:".to_owned(), 1)
            }
            '}' if braces > 0 => {
                braces -= 1;
                (")".to_owned(), 1)
            }
            ',' if braces > 0 => ("|".to_owned(), 1),
            c => (regex::escape(c.encode_utf8(&mut [0; 4])), c.len_utf8()),
        };
        out.push_str(&part);
        rest = rest.get(read..).unwrap_or_default();
    }
    out.push('$');
    Regex::new(&out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_match_as_in_fluentd() {
        let f = |patterns: &str, tag: &str, want: bool| {
            assert_eq!(matches_tag(patterns, tag), want, "{patterns} {tag}");
        };
        f("a.b", "a.b", true);
        f("a.b", "aXb", false);
        f("a.*", "a.b", true);
        f("a.*", "a.b.c", false);
        f("a.**", "a", true);
        f("a.**", "a.b.c", true);
        f("a.**", "ab", false);
        f("**", "a.b", true);
        f("**.c", "c", true);
        f("**.c", "a.b.c", true);
        f("**.c", "a.bc", false);
        f("{a,b}.c", "b.c", true);
        f("{a,b}.c", "c.c", false);
        f("{a,b", "a", false);
        f("x y.* z", "y.1", true);
        f(r"/^a\d+$/", "a12", true);
        f("a.**.z", "a.z", true);
        f("", "anything", true);
    }
}
