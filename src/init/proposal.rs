//! A proposed `[[mapping]]`: its lines and their reasons.

use super::text::wrapped;
use configuration::draft::Table;
use toml::Value;

/// Beginning of the note on a mapping without tags.
pub const NO_TAGS: &str = "No tags";

/// A proposed `[[mapping]]`.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    lines: Vec<Line>,
    /// Comments about the whole mapping.
    pub notes: Vec<String>,
    /// The word for an object that becomes a point: "record" or "object".
    pub unit: &'static str,
    /// Tags with new values up to the end of the sample.
    pub growing: Vec<String>,
    /// Number of series if all values of tags were combined.
    pub combinations: f64,
}

#[derive(Clone, Debug)]
struct Line {
    key: &'static str,
    value: Value,
    why: Vec<String>,
    is_commented_out: bool,
}

impl Proposal {
    pub fn new(unit: &'static str) -> Self {
        Self { unit, combinations: 1.0, ..Self::default() }
    }

    /// Whether both have the same lines; reasons may differ.
    pub fn is_same(&self, other: &Self) -> bool {
        let lines = |of: &Self| -> Vec<(&'static str, Value)> {
            of.lines
                .iter()
                .filter(|line| !line.is_commented_out)
                .map(|line| (line.key, line.value.clone()))
                .collect()
        };
        lines(self) == lines(other)
    }

    /// The table with `comments` above it, for these topics or, without any, for all.
    pub fn table(&self, topics: Option<&[String]>, comments: &[String]) -> Table {
        let mut table = Table::new("[[mapping]]");
        for comment in comments.iter().chain(&self.notes) {
            table.comment(wrapped(comment));
        }
        if let Some(topics) = topics {
            table.set("topics", topics.to_vec());
        }
        for line in &self.lines {
            let why: Vec<String> = line.why.iter().map(|why| wrapped(why)).collect();
            let why: Vec<&str> = why.iter().map(String::as_str).collect();
            if line.is_commented_out {
                table.suggest(line.key, line.value.clone(), &why);
            } else {
                table.set_because(line.key, line.value.clone(), &why);
            }
        }
        table
    }

    /// Whether a line that is not commented out names a key.
    pub fn names(&self, key: &str) -> bool {
        let has = |value: &Value| match value {
            Value::String(text) => text == key,
            Value::Array(values) => values.iter().any(|value| value.as_str() == Some(key)),
            _ => false,
        };
        self.lines.iter().any(|line| !line.is_commented_out && has(&line.value))
    }

    /// Adds a key to the tags.
    pub fn add_tag(&mut self, glob: String, why: String) {
        let is_tags = |line: &&mut Line| line.key == "tag_keys" && !line.is_commented_out;
        if let Some(line) = self.lines.iter_mut().find(is_tags)
            && let Value::Array(keys) = &mut line.value
        {
            keys.push(without_variables(Value::from(glob)));
            line.why.push(why);
        } else {
            self.notes.retain(|note| !note.starts_with(NO_TAGS));
            self.set("tag_keys", vec![glob], vec!["Identifiers keep points apart:".to_owned(), why]);
        }
    }

    /// Adds a line.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>, why: Vec<String>) {
        self.lines.push(Line { key, value: without_variables(value.into()), why, is_commented_out: false });
    }

    /// Adds a line that is commented out.
    pub fn suggest(&mut self, key: &'static str, value: impl Into<Value>, why: Vec<String>) {
        self.lines.push(Line { key, value: without_variables(value.into()), why, is_commented_out: true });
    }
}

/// Escapes "$" in keys of records, so that the configuration reads no variable.
fn without_variables(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let mut out = String::with_capacity(text.len());
            let mut chars = text.chars().peekable();
            while let Some(c) = chars.next() {
                let is_variable = |next: &char| next.is_ascii_alphabetic() || matches!(next, '_' | '{');
                out.push_str(if c == '$' && chars.peek().is_some_and(is_variable) { "$" } else { "" });
                out.push(c);
            }
            Value::String(out)
        }
        Value::Array(values) => Value::Array(values.into_iter().map(without_variables).collect()),
        Value::Table(values) => {
            let escaped = |key: String| without_variables(Value::String(key)).as_str().map(str::to_owned);
            let entry = |(key, value): (String, Value)| Some((escaped(key)?, without_variables(value)));
            Value::Table(values.into_iter().filter_map(entry).collect())
        }
        other => other,
    }
}
