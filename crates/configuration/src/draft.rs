//! A draft of bridge.toml with comments, as `init` and `migrate` write it.

use std::fmt;
use toml::Value;

/// A draft: comments at the top of the file, then tables in order.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub comments: Vec<String>,
    pub tables: Vec<Table>,
}

/// A table of a draft. Each `[[mapping]]` is a separate table.
#[derive(Clone, Debug)]
pub struct Table {
    /// The header line: `[kafka]`, `[[mapping]]`.
    pub header: &'static str,
    pub comments: Vec<String>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    comments: Vec<String>,
    key: String,
    value: Value,
    /// The entry is commented out, for the user to fill in or to switch on.
    is_off: bool,
}

impl Table {
    pub fn new(header: &'static str) -> Self {
        Self { header, comments: Vec::new(), entries: Vec::new() }
    }

    /// Adds a line above the table's header.
    pub fn comment(&mut self, comment: impl Into<String>) -> &mut Self {
        self.comments.push(comment.into());
        self
    }

    pub fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.push(key, value.into(), false, &[])
    }

    /// Sets a key, with comment lines above it that give the reason.
    pub fn set_because(&mut self, key: &str, value: impl Into<Value>, comments: &[&str]) -> &mut Self {
        self.push(key, value.into(), false, comments)
    }

    /// Adds a key that is commented out.
    pub fn suggest(&mut self, key: &str, value: impl Into<Value>, comments: &[&str]) -> &mut Self {
        self.push(key, value.into(), true, comments)
    }

    /// The value of a key that is set.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|entry| !entry.is_off && entry.key == key).map(|entry| &entry.value)
    }

    /// Whether the table has keys, also commented out.
    pub fn has_keys(&self) -> bool {
        !self.entries.is_empty()
    }

    fn push(&mut self, key: &str, value: Value, is_off: bool, comments: &[&str]) -> &mut Self {
        let comments = comments.iter().map(|&comment| comment.to_owned()).collect();
        self.entries.push(Entry { comments, key: key.to_owned(), value, is_off });
        self
    }
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_comments(f, &self.comments)?;
        for (place, table) in self.tables.iter().enumerate() {
            if place > 0 || !self.comments.is_empty() {
                writeln!(f)?;
            }
            write_comments(f, &table.comments)?;
            writeln!(f, "{}", table.header)?;
            for entry in &table.entries {
                write_comments(f, &entry.comments)?;
                let off = if entry.is_off { "# " } else { "" };
                writeln!(f, "{off}{} = {}", key(&entry.key), inline(&entry.value))?;
            }
        }
        Ok(())
    }
}

/// A key, without quotes where TOML allows it.
/// A fixed text as a value of `tags`, where braces are placeholders. Variables such as `${HOST}` stay variables.
#[must_use]
pub fn literal(text: &str) -> String {
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        literal.push_str(before);
        let variable = if before.ends_with('$') { brace.find('}') } else { None };
        let length = variable.map_or(1, |end| end + 1);
        let (kept, after) = brace.split_at(length);
        literal.push_str(kept);
        if variable.is_none() {
            literal.push_str(kept);
        }
        rest = after;
    }
    literal + rest
}

fn key(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_bare { key.to_owned() } else { quoted(key) }
}

/// A value on one line, so that it can be commented out.
fn inline(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::String(text) => quoted(text),
        Value::Array(values) => format!("[{}]", joined(values.iter().map(inline).collect())),
        Value::Table(values) => {
            let entries = values.iter().map(|(name, value)| format!("{} = {}", key(name), inline(value)));
            format!("{{ {} }}", joined(entries.collect()))
        }
        other => other.to_string(),
    }
}

/// A TOML string. JSON escapes the same characters, except DEL.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// Writes comments. Line breaks and control characters of quoted text are replaced: TOML forbids them in comments.
fn write_comments(f: &mut fmt::Formatter<'_>, comments: &[String]) -> fmt::Result {
    comments.iter().flat_map(|comment| comment.split('\n')).try_for_each(|line| {
        let plain: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        writeln!(f, "{}", format!("# {plain}").trim_end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_text_keeps_variables() {
        assert_eq!(literal("a{b}${HOST}c}"), "a{{b}}${HOST}c}}");
        assert_eq!(literal("{${HOST:-x}}"), "{{${HOST:-x}}}");
        assert_eq!(literal("${"), "${{");
    }

    #[test]
    fn writes_what_toml_reads() {
        let mut kafka = Table::new("[kafka]");
        kafka.comment("Where from.").set("brokers", vec!["a:1"]).set_because(
            "topics",
            "t",
            &["why\u{7}", ""],
        );
        let mut more = Table::new("[kafka.librdkafka]");
        more.set("fetch.min.bytes", 1).suggest("b", "1\n2", &["on if you like"]);
        let mut mapping = Table::new("[[mapping]]");
        let rename: toml::Table = [("a_*".to_owned(), Value::from("*"))].into_iter().collect();
        mapping.set("name_key", "a\"\\\n\u{7f}").set("rename", rename);
        let draft = Draft {
            comments: vec!["Made by a test\n[kafka]".to_owned()],
            tables: vec![kafka, more, mapping],
        };
        let text = draft.to_string();
        let want = "# Made by a test\n# [kafka]\n\n# Where from.\n[kafka]\nbrokers = [\"a:1\"]\n# why\n#\ntopics = \"t\"\n\n\
            [kafka.librdkafka]\n\"fetch.min.bytes\" = 1\n# on if you like\n# b = \"1\\n2\"\n\n[[mapping]]\n";
        assert_eq!(text.get(..want.len()), Some(want), "{text}");
        let read: toml::Table = text.parse().unwrap();
        assert_eq!(read["mapping"][0]["name_key"].as_str(), Some("a\"\\\n\u{7f}"));
        assert_eq!(read["mapping"][0]["rename"]["a_*"].as_str(), Some("*"));
        assert_eq!(read["kafka"]["topics"].as_str(), Some("t"));
        assert_eq!(read["kafka"]["librdkafka"]["fetch.min.bytes"].as_integer(), Some(1));
    }
}
