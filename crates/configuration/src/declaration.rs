//! The form of a declaration: a table of bridge.toml, its keys, and what the reader, the suggestions, the reload and
//! the documents need to know about each key. The declarations themselves are in `keys.rs`.

use super::Config;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A table and what it may contain.
#[cfg_attr(not(test), allow(dead_code, reason = "the tests that write the documents read the rest"))]
pub struct Table {
    /// Dotted; empty at the top of the file.
    pub name: &'static str,
    /// One or two sentences for the documents; empty where the table needs no explanation.
    pub text: &'static str,
    pub keys: &'static [Key],
    /// The tables inside it, by the last part of their names.
    pub tables: &'static [&'static str],
    /// Differences that concern several keys of the table.
    pub reload: &'static [Reload],
}

/// A key of a table.
#[cfg_attr(not(test), allow(dead_code, reason = "the tests that write the documents read the rest"))]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub value: Value,
    /// Sentences for the reference, the document and the JSON Schema.
    pub text: &'static str,
    /// Set for a key that a running process cannot apply.
    pub restart: Option<Differs>,
}

/// Whether two configurations differ in a key or a table.
pub type Differs = fn(&Config, &Config) -> bool;

/// A difference between two configurations.
pub struct Reload {
    /// Its name in log messages.
    pub name: &'static str,
    pub needs_restart: bool,
    pub differs: Differs,
}

/// The values that a key takes.
#[cfg_attr(not(test), allow(dead_code, reason = "the tests that write the documents read the rest"))]
pub enum Kind {
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// A string, or a list of strings.
    TextOrTexts,
    /// A string that no message shows.
    Secret,
    /// The name of a file that exists.
    File,
    /// A table of strings.
    Pairs,
    /// A table of tables of values.
    Replacements,
    /// A list of tables. Each has these keys with a string, and these with a string or a list of strings.
    Tables {
        texts: &'static [&'static str],
        lists: &'static [&'static str],
    },
    Flag,
    /// True, false or one of these words.
    FlagOrWord(&'static [&'static str]),
    /// One of these words.
    Word(&'static [&'static str]),
    Number(Bounds<u64>),
    /// A number that may have a fraction.
    Share(Bounds<f64>),
    /// Bytes: a number, or a string with a unit.
    Size(Bounds<u64>),
    /// A string with units.
    Duration(Bounds<Duration>),
}

/// The value of a key that the file leaves out, as TOML.
#[cfg_attr(not(test), allow(dead_code, reason = "the tests that write the documents read the rest"))]
pub enum Value {
    Default(&'static str),
    /// The key must be written; the text is an example.
    Required(&'static str),
    /// The key has no default; the text is an example.
    Example(&'static str),
}

/// The range of a value, and the reason for it.
pub struct Bounds<T> {
    pub range: RangeInclusive<T>,
    pub why: &'static str,
}

impl<T> Bounds<T> {
    pub const fn new(range: RangeInclusive<T>, why: &'static str) -> Self {
        Self { range, why }
    }
}

impl<T: Copy> Bounds<T> {
    pub fn shown(&self, show: impl Fn(T) -> String) -> String {
        format!("{} to {}", show(*self.range.start()), show(*self.range.end()))
    }
}

impl Key {
    pub const fn new(name: &'static str, kind: Kind, value: Value, text: &'static str) -> Self {
        Self { name, kind, value, text, restart: None }
    }

    /// A running process cannot apply a change of this key.
    pub const fn restart(mut self, differs: Differs) -> Self {
        self.restart = Some(differs);
        self
    }
}

impl Table {
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The names of its keys and of the tables inside it.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.keys.iter().map(|key| key.name).chain(self.tables.iter().copied())
    }

    pub fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }
}

/// Fills a list with a value for each element of a list of the same length, as the compiler can do it.
macro_rules! fill {
    ($list:expr, $from:expr, |$element:pat_param| $value:expr) => {{
        let (mut list, mut index) = ($list, 0);
        while index < list.len() {
            let $element = $from[index];
            list[index] = $value;
            index += 1;
        }
        list
    }};
}
pub(super) use fill;

/// The words of a list of words and their meanings.
#[allow(clippy::indexing_slicing, reason = "the compiler runs it")]
pub const fn words<T: Copy, const N: usize>(known: &[(&'static str, T); N]) -> [&'static str; N] {
    fill!([""; N], known, |(word, _)| word)
}

/// How a table is written in the file.
pub fn title(name: &str) -> String {
    match name {
        "" => "the top of the file".to_owned(),
        "mapping" => "[[mapping]]".to_owned(),
        name => format!("[{name}]"),
    }
}
