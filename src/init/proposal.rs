//! A proposed `[[mapping]]`: its lines and their reasons.

use super::text::wrapped;
use configuration::draft::Table;
use mapping::Compression;
use toml::Value;

/// Beginning of the note on a mapping without tags.
pub const NO_TAGS: &str = "No tags";

/// A proposed `[[mapping]]`.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    lines: Vec<Line>,
    /// Comments about the whole mapping.
    pub notes: Vec<String>,
    /// Warnings of points that would be wrong or incomplete, which also go to the terminal.
    pub cautions: Vec<String>,
    /// The word for an object that becomes a point: "record" or "object".
    pub unit: &'static str,
    /// Tags with new values up to the end of the sample.
    pub growing: Vec<String>,
    /// Number of series if all values of tags were combined.
    pub combinations: f64,
    /// The key of the points' time, if its name does not say that it is the time of the measurement.
    pub doubtful_time: Option<String>,
    /// The notes on what the points lack, which the terminal shows, too.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug)]
struct Line {
    key: &'static str,
    value: Value,
    why: Vec<String>,
    is_commented_out: bool,
}

/// A tag of a proposal.
#[derive(Clone, Debug)]
pub enum NewTag {
    /// A selector or glob of `tag_keys`.
    Key(String),
    /// A name in `tags`, and the selector of its value.
    Named(String, String),
}

impl Proposal {
    pub fn new(unit: &'static str) -> Self {
        Self { unit, combinations: 1.0, ..Self::default() }
    }

    /// Adds a note on what the points lack.
    pub fn warn(&mut self, note: String) {
        self.warnings.push(note.clone());
        self.notes.push(note);
    }

    /// Names the compression of the values, unless it is recognized.
    pub fn set_compression(&mut self, compression: Compression) {
        if compression != Compression::Auto {
            let why = format!("The values are compressed with {}.", compression.name());
            self.set("value_compression", compression.name(), vec![why]);
        }
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

    /// Whether a line that is not commented out has a key as a name, a tag, or a time.
    pub fn names(&self, selector: &str) -> bool {
        let key = without_variables(Value::from(selector));
        let placeholder = without_variables(Value::from(format!("{{{selector}}}")));
        let has = |line: &Line| match &line.value {
            Value::Array(values) => values.contains(&key),
            Value::Table(tags) if line.key == "tags" => tags.values().any(|value| *value == placeholder),
            value => *value == key,
        };
        self.lines.iter().any(|line| !line.is_commented_out && has(line))
    }

    /// Adds a tag that keeps points apart.
    pub fn add_tag(&mut self, tag: &NewTag, why: String) {
        self.notes.retain(|note| !note.starts_with(NO_TAGS));
        self.warnings.retain(|note| !note.starts_with(NO_TAGS));
        let reasons = |why: String| vec!["Identifiers keep points apart:".to_owned(), why];
        match tag {
            NewTag::Key(selector) => {
                let selector = without_variables(Value::from(selector.as_str()));
                match self.line("tag_keys") {
                    Some(Line { value: Value::Array(keys), why: reasons, .. }) => {
                        keys.push(selector);
                        reasons.push(why);
                    }
                    _ => self.set("tag_keys", vec![selector], reasons(why)),
                }
            }
            NewTag::Named(name, selector) => {
                let tag = (name.clone(), Value::from(format!("{{{selector}}}")));
                let reasons = if self.line("tags").is_some() { vec![why] } else { reasons(why) };
                self.add("tags", [tag].into_iter().collect(), reasons);
            }
        }
    }

    /// Adds entries to a line with a table.
    pub fn add(&mut self, key: &'static str, entries: toml::Table, why: Vec<String>) {
        match self.line(key) {
            Some(Line { value: Value::Table(table), why: reasons, .. }) => {
                if let Value::Table(entries) = without_variables(Value::Table(entries)) {
                    table.extend(entries);
                }
                reasons.extend(why);
            }
            _ => self.set(key, entries, why),
        }
    }

    /// A line that is not commented out.
    fn line(&mut self, key: &str) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.key == key && !line.is_commented_out)
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
