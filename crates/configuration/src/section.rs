//! Reads one table of the file key by key. Errors go into the context, and the reader gets `None`.

use super::declaration::{Key, Table, Value, title};
use super::findings::{Context, Secrets};
use super::interpolate::{InterpolateError, interpolate, relative_to};
use super::source::Span;
use super::{synonyms, unknown};
use base::secret::Secret;
use base::suggest::nearest;
use std::path::PathBuf;
use std::sync::LazyLock;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// A table of the file with its declaration.
#[derive(Clone, Copy)]
pub struct Section<'a> {
    pub context: &'a Context<'a>,
    pub schema: &'static Table,
    pub table: &'a DeTable<'a>,
    /// The start of the table; None at the top of the file.
    header: Option<&'a Spanned<DeValue<'a>>>,
}

/// A string value after variables and files are replaced.
#[derive(Clone, Debug)]
pub struct Text {
    pub value: String,
    pub span: Span,
    /// The text of the file, if it has variables or files. Messages show this text, because the replaced one may
    /// have a secret at the wrong place.
    written: Option<String>,
    file: Option<PathBuf>,
}

impl Text {
    /// A key; variables in it are not replaced.
    pub fn plain(key: &Spanned<DeString<'_>>) -> Self {
        Self { value: key.get_ref().to_string(), span: key.span(), written: None, file: None }
    }

    /// A text that is not from the file.
    pub fn without_place(value: &str) -> Self {
        Self { value: value.to_owned(), span: 0..0, written: None, file: None }
    }

    /// The value that messages may show.
    pub fn shown(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.value)
    }

    pub fn secret(self) -> Secret {
        match self.file {
            Some(file) => Secret::from_file(self.value, file),
            None => Secret::new(self.value),
        }
    }

    /// A message that quotes the value, with the text of the file instead.
    fn without_value(&self, message: String) -> String {
        match &self.written {
            Some(written) if !self.value.is_empty() => {
                let escaped = format!("{:?}", self.value);
                message.replace(escaped.trim_matches('"'), written).replace(&self.value, written)
            }
            _ => message,
        }
    }
}

impl<'a> Section<'a> {
    /// The whole file.
    pub fn top(context: &'a Context<'a>, schema: &'static Table, table: &'a DeTable<'a>) -> Self {
        unknown::report(context, schema, table);
        Self { context, schema, table, header: None }
    }

    fn open(self, schema: &'static Table, value: &'a Spanned<DeValue<'a>>, table: &'a DeTable<'a>) -> Self {
        unknown::report(self.context, schema, table);
        Self { context: self.context, schema, table, header: Some(value) }
    }

    pub fn value(self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        debug_assert!(self.schema.has(key), "{} does not declare {key}", title(self.schema.name));
        self.table.get(key)
    }

    pub fn declaration(self, key: &str) -> &'static Key {
        let declared = self.schema.key(key);
        declared.unwrap_or_else(|| unreachable!("{} does not declare {key}", title(self.schema.name)))
    }

    /// The value of `key` in the file, or its declared default.
    pub fn or_default<T>(
        self,
        key: &str,
        read: impl Fn(Self, &str, &Spanned<DeValue<'_>>) -> Option<T>,
    ) -> T {
        if let Some(value) = self.value(key).and_then(|value| read(self, key, value)) {
            return value;
        }
        let Value::Default(default) = self.declaration(key).value else {
            unreachable!("`{key}` is declared without a default");
        };
        let value = DeValue::parse(default).ok().and_then(|value| read(self, key, &value));
        value.unwrap_or_else(|| unreachable!("the default of `{key}` is refused: {default}"))
    }

    pub fn has(self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The place of a key's value; the place of the table if the key is missing.
    pub fn span(self, key: &str) -> Span {
        self.value(key).or(self.header).map_or(0..0, Spanned::span)
    }

    pub fn header_span(self) -> Span {
        self.header.map_or(0..0, Spanned::span)
    }

    /// Reports an error at the value of `key`.
    pub fn error(self, key: &str, message: impl Into<String>) {
        self.context.error(&self.span(key), message);
    }

    /// Reports an error about a text. The message may quote it.
    pub fn refuse(self, text: &Text, message: impl Into<String>) {
        self.context.error(&text.span, text.without_value(message.into()));
    }

    /// Warns about a text. The message may quote it.
    pub fn warn(self, text: &Text, message: impl Into<String>) {
        self.context.warning(&text.span, text.without_value(message.into()));
    }

    /// Reports a missing key; `why` is its purpose.
    pub fn missing(self, key: &str, why: &str) {
        let header = self.header.map(Spanned::span);
        let message = match self.schema.name {
            "" => format!("{} is missing: {why}", title(key)),
            name => format!("{} has no `{key}`: {why}", title(name)),
        };
        self.context.missing(header.as_ref(), self.schema.name, key, message);
    }

    /// Reports a value of another kind than `wanted`.
    pub fn wrong_kind(self, value: &Spanned<DeValue<'_>>, key: &str, wanted: &str) {
        let message = format!("`{key}` must be {wanted}, not {}", kind(value.get_ref()));
        self.context.error(&value.span(), message);
    }

    /// A table inside this one; an empty one where the file has none.
    pub fn table_or_empty(self, name: &str, schema: &'static Table) -> Self {
        static EMPTY: LazyLock<DeTable<'static>> = LazyLock::new(DeTable::new);
        let empty = Self { context: self.context, schema, table: &EMPTY, header: None };
        self.table(name, schema).unwrap_or(empty)
    }

    /// A table inside this one.
    pub fn table(self, name: &str, schema: &'static Table) -> Option<Self> {
        let value = self.value(name)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(self.open(schema, value, table)),
            DeValue::Array(_) => {
                let message =
                    format!("there is one {0} only: write it with single brackets", title(schema.name));
                self.context.error(&value.span(), message);
                None
            }
            _ => {
                self.wrong_kind(value, name, &format!("a table of its own, {}", title(schema.name)));
                None
            }
        }
    }

    /// All tables with the header `[[name]]`.
    pub fn tables(self, name: &str, schema: &'static Table) -> Vec<Self> {
        let Some(value) = self.value(name) else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Array(values) => {
                values.iter().filter_map(|value| self.one_of(schema, name, value)).collect()
            }
            DeValue::Table(_) => {
                let message =
                    format!("there may be several: write {} with double brackets", title(schema.name));
                self.context.error(&value.span(), message);
                Vec::new()
            }
            _ => {
                self.wrong_kind(value, name, "tables");
                Vec::new()
            }
        }
    }

    fn one_of(self, schema: &'static Table, name: &str, value: &'a Spanned<DeValue<'a>>) -> Option<Self> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_kind(value, name, "tables");
        }
        table.map(|table| self.open(schema, value, table))
    }

    /// A string that is not empty.
    pub fn text(self, key: &str) -> Option<Text> {
        self.value(key).and_then(|value| self.filled_text_of(key, value))
    }

    pub fn text_or_default(self, key: &str) -> String {
        self.or_default(key, |section, key, value| Some(section.filled_text_of(key, value)?.value))
    }

    /// A string that is not empty, as the value of `key` or inside it.
    pub fn filled_text_of(self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Text> {
        self.text_of(key, value).and_then(|text| self.not_empty(key, text))
    }

    pub fn text_or_empty(self, key: &str) -> Option<Text> {
        self.text_of(key, self.value(key)?)
    }

    /// A required string.
    pub fn required_text(self, key: &str, why: &str) -> Option<Text> {
        if !self.has(key) {
            self.missing(key, why);
        }
        self.text(key)
    }

    fn not_empty(self, key: &str, text: Text) -> Option<Text> {
        if !text.value.is_empty() {
            return Some(text);
        }
        let message = match &text.written {
            Some(written) => {
                format!("`{key}` is empty once {written} is replaced: give the variable or the file a value")
            }
            None => format!("`{key}` is empty: give it a value, or leave the key out"),
        };
        self.context.error(&text.span, message);
        None
    }

    /// A string as the value of `key`, or inside it.
    pub fn text_of(self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Text> {
        let DeValue::String(written) = value.get_ref() else {
            self.wrong_kind(value, key, "a string");
            return None;
        };
        match interpolate(written, self.context.around) {
            Ok(read) => {
                let written = read.replaced.then(|| written.to_string());
                Some(Text { value: read.value, span: value.span(), written, file: read.file })
            }
            Err(errors) => {
                for error in errors {
                    self.context.error(&value.span(), error.to_string());
                }
                None
            }
        }
    }

    /// A list of strings.
    pub fn texts(self, key: &str) -> Option<Vec<Text>> {
        let value = self.value(key)?;
        let DeValue::Array(values) = value.get_ref() else {
            self.wrong_kind(value, key, "a list of strings, such as [\"a\", \"b\"]");
            return None;
        };
        let texts: Vec<Option<Text>> = values.iter().map(|value| self.filled_text_of(key, value)).collect();
        texts.into_iter().collect()
    }

    /// A list of strings, or a string alone.
    pub fn text_or_texts(self, key: &str) -> Option<Vec<Text>> {
        match self.value(key)?.get_ref() {
            DeValue::String(_) => self.text(key).map(|text| vec![text]),
            _ => self.texts(key),
        }
    }

    /// Like `text`, but no message shows the value.
    pub fn secret(self, key: &str) -> Option<Text> {
        self.secret_of(key, self.value(key)?)
    }

    pub fn secret_of(self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Text> {
        let DeValue::String(written) = value.get_ref() else {
            self.wrong_kind(value, key, "a string");
            return None;
        };
        let span = value.span();
        let optional = self.context.secrets == Secrets::Optional;
        let text = |value, file| Some(Text { value, span: span.clone(), written: None, file });
        match interpolate(written, self.context.around) {
            Ok(read) if read.value.is_empty() && !optional => {
                let what = if read.replaced {
                    " once it is replaced: give the variable or the file a value"
                } else {
                    ": give it a value, or leave the key out"
                };
                self.context.error(&span, format!("`{key}` is empty{what}"));
                None
            }
            Ok(read) => text(read.value, read.file),
            Err(errors) if optional && errors.iter().all(InterpolateError::is_absence) => {
                text(String::new(), None)
            }
            Err(errors) => {
                for error in errors {
                    self.context.error(&span, error.without_value());
                }
                None
            }
        }
    }

    /// The meaning of one of the known words.
    pub fn word<T: Copy>(self, key: &str, known: &[(&'static str, T)]) -> Option<T> {
        self.value(key).and_then(|value| self.read_word(key, value, known))
    }

    pub fn word_or_default<T: Copy>(self, key: &str, known: &[(&'static str, T)]) -> T {
        self.or_default(key, |section, key, value| section.read_word(key, value, known))
    }

    fn read_word<T: Copy>(
        self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        known: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.filled_text_of(key, value)?;
        if let Some((_, meant)) = known.iter().find(|(word, _)| *word == text.value) {
            return Some(*meant);
        }
        let known: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        self.refuse(&text, unknown_word(key, text.shown(), &known));
        None
    }

    /// The name of a readable file; relative names start in the folder of the configuration file.
    pub fn file(self, key: &str) -> Option<PathBuf> {
        let text = self.text(key)?;
        let path = self.context.around.folder.join(&text.value);
        match std::fs::File::open(&path) {
            Ok(_) => Some(path),
            Err(error) => {
                let folder = relative_to(&text.value, self.context.around.folder, &error);
                self.refuse(&text, format!("`{key}`: {} can't be read: {error}{folder}", path.display()));
                None
            }
        }
    }
}

/// The error for an unknown word, with the nearest known one.
pub fn unknown_word(key: &str, word: &str, known: &[&'static str]) -> String {
    let other = synonyms::value_meaning(key, word).filter(|meant| known.contains(meant));
    let meant = other.or_else(|| nearest(word, known.iter().copied()));
    let meant = meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
    let known: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
    format!("`{key}` must be one of {}, not {word:?}{meant}", known.join(", "))
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
