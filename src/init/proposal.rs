//! A `[[mapping]]` in the making: what it says, and why.

use super::words::wrapped;
use configuration::draft::Table;
use toml::Value;

/// A `[[mapping]]` in the making.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    lines: Vec<Line>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// What a point's object is called in comments.
    pub unit: &'static str,
    /// Tags of which new values came to the end.
    pub growing: Vec<String>,
    /// If every tag were combined with every other.
    pub combinations: f64,
}

#[derive(Clone, Debug)]
struct Line {
    key: &'static str,
    value: Value,
    why: Vec<String>,
    is_off: bool,
}

impl Proposal {
    pub fn new(unit: &'static str) -> Self {
        Self { unit, combinations: 1.0, ..Self::default() }
    }

    /// Whether both say the same, for whatever reasons.
    pub fn is_same(&self, other: &Self) -> bool {
        let said = |of: &Self| -> Vec<(&'static str, Value)> {
            of.lines.iter().filter(|line| !line.is_off).map(|line| (line.key, line.value.clone())).collect()
        };
        said(self) == said(other)
    }

    /// The table, for these topics (none: all), with these comments above it.
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
            if line.is_off {
                table.suggest(line.key, line.value.clone(), &why);
            } else {
                table.set_because(line.key, line.value.clone(), &why);
            }
        }
        table
    }

    pub fn set(&mut self, key: &'static str, value: impl Into<Value>, why: Vec<String>) {
        self.lines.push(Line { key, value: without_variables(value.into()), why, is_off: false });
    }

    pub fn suggest(&mut self, key: &'static str, value: impl Into<Value>, why: Vec<String>) {
        self.lines.push(Line { key, value: without_variables(value.into()), why, is_off: true });
    }
}

/// A "$" of a record's key is no variable.
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
        other => other,
    }
}
