//! Parses metrics in the Prometheus text format. Fails at everything that `promtool check metrics` reports, and at some more.

use std::collections::{BTreeMap, BTreeSet};

/// Every name begins with one of these prefixes.
const PREFIXES: [&str; 2] = ["kafka_influx_bridge_", "process_"];
/// Units that are not base units, and words that repeat the type.
const WORDS_NOT_WANTED: [&str; 16] = [
    "ms",
    "us",
    "ns",
    "milliseconds",
    "microseconds",
    "minutes",
    "hours",
    "days",
    "kb",
    "mb",
    "kilobytes",
    "megabytes",
    "percent",
    "counter",
    "gauge",
    "histogram",
];

type Labels = Vec<(String, String)>;

/// Parsed metrics, by name and labels.
pub struct Page {
    /// Values as text.
    samples: BTreeMap<(String, Labels), String>,
    families: BTreeSet<String>,
}

#[allow(dead_code, reason = "who shares this wants one or the other")]
impl Page {
    pub fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line does not end");
        let mut page = Self { samples: BTreeMap::new(), families: BTreeSet::new() };
        let mut lines = text.lines().peekable();
        while let Some(help) = lines.next() {
            let help = help.strip_prefix("# HELP ").unwrap_or_else(|| panic!("no family begins with {help}"));
            let (name, help) = help.split_once(' ').unwrap();
            check_help(name, help);
            let kind = lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {name} ")));
            let kind = kind.unwrap_or_else(|| panic!("no type follows {name}"));
            check_name(name, kind);
            assert!(page.families.insert(name.to_owned()), "{name} comes twice");
            let mut of_family = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                of_family.push(page.add(name, kind, line));
            }
            if kind == "histogram" {
                check_histogram(name, &of_family);
            }
        }
        page
    }

    /// A value as text; it must exist.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> &str {
        let at = key(name, labels);
        self.samples.get(&at).unwrap_or_else(|| panic!("no {at:?} among {:?}", self.samples.keys()))
    }

    pub fn number(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.samples.get(&key(name, labels)).map(|value| value.parse().unwrap())
    }

    /// All samples of a name.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        let of_name = self.samples.iter().filter(|((sample, _), _)| sample == name);
        of_name.map(|(_, value)| value.parse().unwrap()).collect()
    }

    fn add(&mut self, family: &str, kind: &str, line: &str) -> (String, Labels, f64) {
        let (name, mut labels, value) = sample(line);
        labels.sort();
        assert!(labels.is_sorted_by(|a, b| a.0 < b.0), "a label comes twice: {line}");
        let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} is not of {family}"));
        let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.contains(&suffix), "{line}");
        let is_bucket = suffix == "_bucket";
        assert_eq!(labels.iter().any(|(label, _)| label == "le"), is_bucket, "{line}");
        assert!(!labels.iter().any(|(label, _)| label == "quantile"), "{line}");
        let number: f64 = value.parse().unwrap();
        assert!(number.is_finite() && number >= 0.0, "{line}");
        let at = (name.to_owned(), labels.clone());
        assert!(self.samples.insert(at, value.to_owned()).is_none(), "{line} comes twice");
        (suffix.to_owned(), labels, number)
    }
}

fn key(name: &str, labels: &[(&str, &str)]) -> (String, Labels) {
    let mut labels: Labels =
        labels.iter().map(|&(label, value)| (label.to_owned(), value.to_owned())).collect();
    labels.sort();
    (name.to_owned(), labels)
}

fn check_help(name: &str, help: &str) {
    assert!(help.ends_with('.') && help.len() > 5, "the help of {name} is no sentence: {help}");
    assert!(!help.contains('\\') && help.trim() == help, "the help of {name} wants escaping: {help}");
}

fn check_name(name: &str, kind: &str) {
    let is_snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    assert!(name.chars().all(is_snake) && !name.contains("__"), "{name} is not in snake_case");
    assert!(PREFIXES.iter().any(|prefix| name.starts_with(prefix)), "{name} has no prefix");
    assert!(["counter", "gauge", "histogram"].contains(&kind), "{name} is a {kind}");
    assert_eq!(kind == "counter", name.ends_with("_total"), "only counters end in _total: {name}");
    for suffix in ["_count", "_sum", "_bucket", "_info"] {
        let is_info = suffix == "_info" && name.ends_with("build_info");
        assert!(is_info || !name.ends_with(suffix), "{suffix} is not a suffix of {name}'s type");
    }
    let words: Vec<&str> = name.trim_end_matches("_total").split('_').collect();
    for word in &words {
        assert!(!WORDS_NOT_WANTED.contains(word), "{word} is not wanted in {name}");
    }
    for unit in ["seconds", "bytes"] {
        let place = words.iter().position(|word| *word == unit);
        assert!(place.is_none_or(|place| place + 1 == words.len()), "the unit is not the suffix of {name}");
    }
}

/// Asserts that buckets are cumulative and the last one counts all, for each set of labels.
fn check_histogram(name: &str, samples: &[(String, Labels, f64)]) {
    let others = |labels: &Labels| -> Labels { labels.iter().filter(|(l, _)| l != "le").cloned().collect() };
    let all: BTreeSet<Labels> = samples.iter().map(|(_, labels, _)| others(labels)).collect();
    for set in all {
        let of_set = |suffix: &'static str| {
            let set = set.clone();
            samples.iter().filter(move |(name, labels, _)| name == suffix && others(labels) == set)
        };
        let end = |labels: &Labels| -> f64 {
            labels.iter().find(|(label, _)| label == "le").unwrap().1.parse().unwrap()
        };
        let buckets: Vec<(f64, f64)> =
            of_set("_bucket").map(|(_, labels, count)| (end(labels), *count)).collect();
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name}: {buckets:?}");
        let (last, count) = buckets.last().copied().unwrap();
        assert!(last.is_infinite(), "{name} has no bucket +Inf");
        assert_eq!(of_set("_count").map(|(.., value)| *value).collect::<Vec<_>>(), [count], "{name}");
        assert_eq!(of_set("_sum").count(), 1, "{name}");
    }
}

fn sample(line: &str) -> (&str, Labels, &str) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let is_label = |text: &str| {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !text.starts_with("__")
    };
    let mut labels = Vec::new();
    while let Some(after) = rest.strip_prefix(['{', ',']) {
        let (label, quoted) = after.split_once("=\"").unwrap();
        assert!(is_label(label), "{line}");
        let (value, behind) = unquote(quoted);
        labels.push((label.to_owned(), value));
        rest = behind;
    }
    let rest = if labels.is_empty() { rest } else { rest.strip_prefix('}').unwrap() };
    let value = rest.strip_prefix(' ').unwrap();
    assert!(!value.contains(' '), "a value and no timestamp: {line}");
    (name, labels, value)
}

fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.push(match chars.next().unwrap().1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                other => panic!("\\{other} in {quoted}"),
            }),
            _ => value.push(c),
        }
    }
    panic!("no closing quote in {quoted}")
}
