//! Reads the file format of Logstash: sections of plugins with options, some under conditions.

use crate::plugin::{Setting, SourceLine, SyntaxError};
use crate::values::{is_variable, literal};
use std::rc::Rc;

/// Deeper than any real configuration; bounds the stack of the parser.
pub const DEPTH_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string, word or number in the notation of bridge.toml: `${NAME}` is a variable, every other "$" is escaped.
    Text(String),
    List(Vec<Value>),
    Hash(Vec<(String, Value)>),
    /// A codec with options.
    Plugin(Plugin),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// `input`, `filter` or `output`; empty for a codec.
    pub section: String,
    pub name: String,
    pub place: SourceLine,
    /// The conditions around the plugin, the outermost first.
    pub conditions: Vec<Condition>,
    pub settings: Vec<Setting<Value>>,
}

/// A branch: `if`, `else if` or `else`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// The earlier conditions of the same chain, which were not met.
    pub unmet: Vec<String>,
    /// None for `else`.
    pub met: Option<String>,
}

impl Condition {
    pub fn shown(&self) -> String {
        match &self.met {
            None => "else".to_owned(),
            Some(met) if self.unmet.is_empty() => format!("if {met}"),
            Some(met) => format!("else if {met}"),
        }
    }
}

type Read<T> = Result<T, SyntaxError>;

impl Value {
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Plugin(plugin) => Some(&plugin.name),
            Self::List(values) => values.first().and_then(Self::text).filter(|_| values.len() == 1),
            Self::Hash(_) => None,
        }
    }

    pub fn flag(&self) -> Option<bool> {
        match self.text()? {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The strings of a list; a single string is a list of one.
    pub fn list(&self) -> Vec<&str> {
        match self {
            Self::List(values) => values.iter().filter_map(Self::text).collect(),
            other => other.text().into_iter().collect(),
        }
    }

    /// The pairs of a hash whose values are strings, and the names of the others, which have no counterpart.
    pub fn text_pairs(&self) -> (Vec<(&str, &str)>, Vec<&str>) {
        let (mut texts, mut others) = (Vec::new(), Vec::new());
        for (name, value) in self.pairs() {
            match value.text() {
                Some(text) => texts.push((name, text)),
                None => others.push(name),
            }
        }
        (texts, others)
    }

    /// The pairs of a hash. Old files alternate names and values in a list.
    pub fn pairs(&self) -> Vec<(&str, &Value)> {
        match self {
            Self::Hash(pairs) => pairs.iter().map(|(key, value)| (key.as_str(), value)).collect(),
            Self::List(values) => values
                .chunks_exact(2)
                .filter_map(|pair| match pair {
                    [key, value] => Some((key.text()?, value)),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// All plugins of a file in their order.
///
/// # Errors
/// A syntax error.
pub fn parse(file: &Rc<str>, text: &str) -> Read<Vec<Plugin>> {
    let mut reader = Reader { rest: text, line: 1, file, plugins: Vec::new() };
    loop {
        reader.blanks();
        if reader.rest.is_empty() {
            return Ok(reader.plugins);
        }
        let section = reader.word();
        if !matches!(section, "input" | "filter" | "output") {
            return Err(reader.error("an input, filter or output section is missing here"));
        }
        reader.expect("{")?;
        reader.items(section, &mut Vec::new())?;
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    file: &'a Rc<str>,
    plugins: Vec<Plugin>,
}

impl<'a> Reader<'a> {
    fn error(&self, wanted: &str) -> SyntaxError {
        SyntaxError { line: self.line, why: format!("Logstash expects something else: {wanted}") }
    }

    fn place(&self) -> SourceLine {
        SourceLine { file: Rc::clone(self.file), line: self.line }
    }

    /// Takes the first `length` bytes.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    /// Skips blanks and comments.
    fn blanks(&mut self) {
        loop {
            let blanks = self.rest.len() - self.rest.trim_start().len();
            self.take(blanks);
            if !self.rest.starts_with('#') {
                return;
            }
            self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
    }

    fn is_next(&mut self, mark: &str) -> bool {
        self.blanks();
        let is_next = self.rest.starts_with(mark);
        if is_next {
            self.take(mark.len());
        }
        is_next
    }

    fn expect(&mut self, mark: &str) -> Read<()> {
        if self.is_next(mark) { Ok(()) } else { Err(self.error(&format!("{mark:?} is missing here"))) }
    }

    /// A name or number; empty if there is none.
    fn word(&mut self) -> &'a str {
        self.blanks();
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
        self.take(self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len()))
    }

    /// Plugins and branches up to the closing bracket.
    fn items(&mut self, section: &str, conditions: &mut Vec<Condition>) -> Read<()> {
        if conditions.len() > DEPTH_MAX {
            return Err(self.error(&format!("more than {DEPTH_MAX} nested conditions")));
        }
        let mut unmet = Vec::new();
        loop {
            if self.is_next("}") {
                return Ok(());
            }
            self.blanks();
            let place = self.place();
            let name = self.name()?;
            match name.as_str() {
                "if" | "else" => {
                    let condition = self.condition()?;
                    if name == "if" {
                        unmet.clear();
                    }
                    let met =
                        if name == "if" { Some(condition.as_str()) } else { condition.strip_prefix("if") };
                    let met = met.map(|met| met.trim().to_owned());
                    conditions.push(Condition { unmet: unmet.clone(), met: met.clone() });
                    self.items(section, conditions)?;
                    conditions.pop();
                    unmet.extend(met);
                }
                _ => {
                    self.expect("{")?;
                    let settings = self.settings(0)?;
                    let (section, conditions) = (section.to_owned(), conditions.clone());
                    self.plugins.push(Plugin { section, name, place, conditions, settings });
                }
            }
        }
    }

    /// The name of a plugin or option: a word or a string.
    fn name(&mut self) -> Read<String> {
        self.blanks();
        if self.rest.starts_with(['"', '\'']) {
            return self.string();
        }
        match self.word() {
            "" => Err(self.error("a name or \"}\" is missing here")),
            word => Ok(word.to_owned()),
        }
    }

    /// The text before the "{" of a branch. Strings and regular expressions in it may contain "{".
    fn condition(&mut self) -> Read<String> {
        let mut quote = None;
        let mut is_escaped = false;
        for (at, c) in self.rest.char_indices() {
            match (c, quote) {
                _ if is_escaped => is_escaped = false,
                ('\\', Some(_)) => is_escaped = true,
                (c, Some(open)) if c == open => quote = None,
                ('"' | '\'' | '/', None) => quote = Some(c),
                ('{', None) => {
                    let condition = self.take(at).split_whitespace().collect::<Vec<_>>().join(" ");
                    self.take(1);
                    return Ok(condition);
                }
                _ => {}
            }
        }
        Err(self.error("a condition has no \"{\" after it"))
    }

    /// Options up to the closing bracket.
    fn settings(&mut self, depth: usize) -> Read<Vec<Setting<Value>>> {
        let mut settings = Vec::new();
        while !self.is_next("}") {
            self.blanks();
            let place = self.place();
            let name = self.name()?;
            self.expect("=>")?;
            let value = self.value(depth)?;
            settings.push(Setting { name, value, place });
            self.is_next(",");
        }
        Ok(settings)
    }

    fn value(&mut self, depth: usize) -> Read<Value> {
        if depth > DEPTH_MAX {
            return Err(self.error(&format!("more than {DEPTH_MAX} nested brackets")));
        }
        self.blanks();
        match self.rest.chars().next() {
            Some('"' | '\'') => self.string().map(|text| Value::Text(with_variables(&text))),
            Some('[') => {
                self.take(1);
                let mut values = Vec::new();
                while !self.is_next("]") {
                    values.push(self.value(depth + 1)?);
                    self.is_next(",");
                }
                Ok(Value::List(values))
            }
            Some('{') => {
                self.take(1);
                let pairs = self.settings(depth + 1)?;
                Ok(Value::Hash(pairs.into_iter().map(|pair| (pair.name, pair.value)).collect()))
            }
            _ => self.word_or_codec(depth),
        }
    }

    fn word_or_codec(&mut self, depth: usize) -> Read<Value> {
        let place = self.place();
        let word = self.word();
        if word.is_empty() {
            return Err(self.error("a value is missing here"));
        }
        if !self.is_next("{") {
            return Ok(Value::Text(word.to_owned()));
        }
        let settings = self.settings(depth + 1)?;
        let (section, conditions) = (String::new(), Vec::new());
        Ok(Value::Plugin(Plugin { section, name: word.to_owned(), place, conditions, settings }))
    }

    /// A string, in which only its own quote is escaped.
    fn string(&mut self) -> Read<String> {
        let begun = self.line;
        let quote = self.take(1).chars().next().unwrap_or('"');
        let mut is_escaped = false;
        for (at, c) in self.rest.char_indices() {
            if c == quote && !is_escaped {
                let inside = self.take(at);
                self.take(1);
                return Ok(inside.replace(&format!("\\{quote}"), &quote.to_string()));
            }
            is_escaped = c == '\\' && !is_escaped;
        }
        Err(SyntaxError { line: begun, why: format!("the quote {quote} is not closed") })
    }
}

/// Translates `${NAME}` and `${NAME:default}` into the notation of bridge.toml.
fn with_variables(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let reference = after.split_once('}');
        let read = reference.map(|(inside, behind)| (inside.split_once(':').unwrap_or((inside, "")), behind));
        match read {
            Some(((name, default), behind)) if is_variable(name) && !default.contains('$') => {
                out.push_str(&literal(before));
                let mark = if default.is_empty() { "" } else { ":-" };
                out.extend(["${", name, mark, default, "}"]);
                rest = behind;
            }
            _ => {
                out.push_str(&literal(&format!("{before}${{")));
                rest = after;
            }
        }
    }
    out + &literal(rest)
}
