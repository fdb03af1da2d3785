//! Reads topic names and patterns of `[kafka]` and `[[mapping]]`.

use super::section::{Section, Text};
use kafka::Topics;
use regex::Regex;

/// Kafka's limit.
const NAME_LEN_MAX: usize = 249;

/// The topics of one table.
pub struct TopicList {
    pub topics: Topics,
    /// The names with their places in the file.
    pub names: Vec<Text>,
    /// Names and patterns as written in the file.
    pub shown: Vec<String>,
}

impl TopicList {
    /// Whether this list has all topics of `other`. Patterns are compared by their text.
    pub fn covers(&self, other: &Self) -> bool {
        let same = |pattern: &Regex| self.topics.patterns.iter().any(|own| own.as_str() == pattern.as_str());
        self.matches_all()
            || other.topics.names.iter().all(|name| self.topics.is_match(name))
                && other.topics.patterns.iter().all(same)
    }

    pub fn matches_all(&self) -> bool {
        self.topics
            .patterns
            .iter()
            .any(|pattern| matches!(pattern.as_str(), "^" | "^.*" | "^.*$" | "^.+" | "^.+$"))
    }
}

/// Reads `topics`: a list, or a single string.
pub fn read(section: Section<'_>) -> Option<TopicList> {
    let texts = section.text_or_texts("topics")?;
    if texts.is_empty() {
        section.error("topics", "`topics` is an empty list: name at least one topic");
        return None;
    }
    let mut list = TopicList { topics: Topics::default(), names: Vec::new(), shown: Vec::new() };
    let mut all_read = true;
    for text in texts {
        let added = if text.value.starts_with('^') {
            pattern(&text)
        } else {
            check_name(&text).map(|()| Entry::Name)
        };
        match added {
            Ok(entry) => list.push(text, entry),
            Err(why) => {
                section.refuse(&text, why);
                all_read = false;
            }
        }
    }
    all_read.then_some(list)
}

/// Why a text is neither a topic's name nor a regular expression; none if it is one of them.
#[must_use]
pub fn why_no_topic(text: &str) -> Option<String> {
    let text = Text::without_place(text);
    if text.value.starts_with('^') { pattern(&text).err() } else { check_name(&text).err() }
}

enum Entry {
    Name,
    Pattern(Regex),
}

impl TopicList {
    fn push(&mut self, text: Text, entry: Entry) {
        self.shown.push(text.shown().to_owned());
        match entry {
            Entry::Pattern(regex) => self.topics.patterns.push(regex),
            Entry::Name if self.topics.names.contains(&text.value) => {}
            Entry::Name => {
                self.topics.names.push(text.value.clone());
                self.names.push(text);
            }
        }
    }
}

fn pattern(text: &Text) -> Result<Entry, String> {
    Regex::new(&text.value).map(Entry::Pattern).map_err(|error| {
        let words = error.to_string();
        // The last line has the reason; the lines before it repeat the pattern.
        let why = words.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("{:?} is not a regular expression: {why}", text.shown())
    })
}

/// Whether Kafka allows a topic of this name.
pub fn check_name(text: &Text) -> Result<(), String> {
    let (name, shown) = (text.value.as_str(), text.shown());
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.contains(',') {
        return Err(format!("{shown:?} is one string: write a list, such as [\"a\", \"b\"]"));
    }
    if !name.chars().all(is_legal) {
        let remedy = match glob_as_regex(shown) {
            Some(regex) => format!("; as a regular expression it is '{regex}'"),
            None => "; a regular expression starts with \"^\"".to_owned(),
        };
        return Err(format!(
            "topic names have only letters, digits, \".\", \"_\" and \"-\", unlike {shown:?}{remedy}"
        ));
    }
    if name.len() > NAME_LEN_MAX || matches!(name, "." | "..") {
        return Err(format!(
            "{shown:?} is not a topic name: Kafka allows up to {NAME_LEN_MAX} characters, and not \".\" or \"..\""
        ));
    }
    Ok(())
}

/// Turns a glob of other tools, such as `hn_*`, into a regular expression.
fn glob_as_regex(glob: &str) -> Option<String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '*' | '?');
    if !glob.contains(['*', '?']) || !glob.chars().all(is_legal) {
        return None;
    }
    let mut regex = "^".to_owned();
    for c in glob.chars() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '.' => regex.push_str("\\."),
            c => regex.push(c),
        }
    }
    // A pattern without "$" matches every name that begins with it.
    if !glob.ends_with('*') {
        regex.push('$');
    }
    Some(regex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explains_what_is_no_topic() {
        assert_eq!((why_no_topic("a.b"), why_no_topic("^a.*")), (None, None));
        assert!(
            why_no_topic("^a(").unwrap().starts_with("\"^a(\" is not a regular expression: unclosed group")
        );
        assert!(why_no_topic("a*").unwrap().ends_with("unlike \"a*\"; as a regular expression it is '^a.*'"));
    }

    #[test]
    fn writes_globs_as_regular_expressions() {
        let f = |glob: &str, want: Option<&str>| assert_eq!(glob_as_regex(glob).as_deref(), want, "{glob}");
        f("hn_*", Some("^hn_.*"));
        f("*", Some("^.*"));
        f("*.metrics", Some(r"^.*\.metrics$"));
        f("node-?", Some("^node-.$"));
        f("a b*", None);
        f("(a|b)*", None);
        f("plain", None);
    }
}
