//! Reads the file format of Fluentd: nested sections with one option per line.

use super::text::{self, Text};
use crate::plugin::{Setting, SourceLine, SyntaxError};
use std::rc::Rc;

/// Deeper than any real configuration; bounds the stack of recursive functions.
pub const DEPTH_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `source`, `match` and so on.
    pub name: String,
    /// The text after the name: a pattern of tags, or a label.
    pub argument: String,
    pub place: SourceLine,
    pub options: Vec<Setting<Text>>,
    pub sections: Vec<Section>,
}

impl Section {
    fn new(name: &str, argument: &str, place: SourceLine) -> Self {
        let (name, argument) = (name.to_owned(), argument.to_owned());
        Self { name, argument, place, options: Vec::new(), sections: Vec::new() }
    }

    /// The last option with this name.
    pub fn option(&self, name: &str) -> Option<&Setting<Text>> {
        self.options.iter().rev().find(|option| option.name == name)
    }

    /// The plugin's name: `@type`, in old files `type`.
    pub fn plugin(&self) -> &str {
        let kind = self.option("@type").or_else(|| self.option("type"));
        kind.map_or("", |option| option.value.text.as_str())
    }

    pub fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.sections.iter().filter(move |section| section.name == name)
    }
}

/// Parses a file into a section without a name.
///
/// # Errors
/// A section is not closed or closed by the end of another one, or a quote or bracket is left open.
pub fn parse(file: &Rc<str>, text: &str) -> Result<Section, SyntaxError> {
    let place = |line| SourceLine { file: Rc::clone(file), line };
    let mut open = vec![Section::new("", "", place(1))];
    let mut reader = Reader { text, line: 0 };
    while let Some(line) = reader.next_line() {
        let number = reader.line;
        let error = |why: String| Err(SyntaxError { line: number, why });
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            reader.skip(line);
        } else if let Some(name) = trimmed.strip_prefix("</") {
            reader.skip(line);
            let name = name.split('>').next().unwrap_or_default().trim();
            match (open.pop(), open.last_mut()) {
                (Some(section), Some(outer)) if section.name == name => outer.sections.push(section),
                (Some(section), Some(_)) => {
                    let (of, begun) = (section.name, section.place.line);
                    return error(format!("</{name}> does not match: <{of}> of line {begun} is open"));
                }
                _ => return error(format!("</{name}> closes nothing")),
            }
        } else if let Some(header) = trimmed.strip_prefix('<') {
            reader.skip(line);
            let Some((name, argument)) = header_of(header) else {
                return error("a section begins like <match pattern>".to_owned());
            };
            if open.len() > DEPTH_MAX {
                return error(format!("more than {DEPTH_MAX} nested sections"));
            }
            open.push(Section::new(name, &argument, place(number)));
        } else {
            let (name, value) = reader.option(line)?;
            if let Some(section) = open.last_mut() {
                section.options.push(Setting { name, value, place: place(number) });
            }
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(section), false) => {
            let why = format!("<{}> is not closed by </{}>", section.name, section.name);
            Err(SyntaxError { line: section.place.line, why })
        }
        (root, _) => Ok(root.unwrap_or_else(|| Section::new("", "", place(1)))),
    }
}

/// Name and argument of a header such as `match a.** >`, without the first bracket.
fn header_of(header: &str) -> Option<(&str, String)> {
    // The text after the bracket is a comment.
    let inside = header.rfind('>').and_then(|end| header.get(..end))?;
    let (name, argument) = inside.split_once([' ', '\t']).unwrap_or((inside, ""));
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let argument = argument.trim();
    let argument = match argument.strip_prefix('"').and_then(text::double_quoted) {
        Some((quoted, _)) => quoted.text,
        None => argument.trim_matches('\'').to_owned(),
    };
    is_name.then_some((name, argument))
}

/// The unread text, and the number of the line that was returned last.
struct Reader<'a> {
    text: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    /// The next line, which stays in the text because a value may continue after it.
    fn next_line(&mut self) -> Option<&'a str> {
        let line = self.text.split_inclusive('\n').next()?;
        self.line += 1;
        Some(line)
    }

    /// Skips `read`, the beginning of the text.
    fn skip(&mut self, read: &str) {
        self.text = self.text.get(read.len()..).unwrap_or_default();
    }

    /// Name and value of the option that begins on this line and may have more lines.
    fn option(&mut self, line: &str) -> Result<(String, Text), SyntaxError> {
        let begun = self.line;
        let indent = line.len() - line.trim_start().len();
        let name = line.split_whitespace().next().unwrap_or_default();
        let blanks = |text: &str| text.len() - text.trim_start_matches([' ', '\t']).len();
        let after_name = indent + name.len();
        let value_at = after_name + blanks(self.text.get(after_name..).unwrap_or_default());
        let value = self.text.get(value_at..).unwrap_or_default();
        let read = match value.chars().next() {
            Some('"') => text::double_quoted(value.get(1..).unwrap_or_default()),
            Some('\'') => text::single_quoted(value.get(1..).unwrap_or_default()),
            Some('[' | '{') => text::json(value),
            _ => Some((text::unquoted(line.get(value_at..).unwrap_or_default()), "")),
        };
        let Some((value_read, rest)) = read else {
            return Err(SyntaxError { line: begun, why: "this is not closed".to_owned() });
        };
        if value.starts_with(['"', '\'', '[', '{']) {
            // The rest of the line is a comment.
            let rest_of_line = rest.split_inclusive('\n').next().unwrap_or_default();
            let end = self.text.len() - rest.len() + rest_of_line.len();
            let read = self.text.get(..end).unwrap_or(self.text);
            self.line += read.trim_end_matches('\n').matches('\n').count();
            self.skip(read);
        } else {
            self.skip(line);
        }
        Ok((name.to_owned(), value_read))
    }
}
