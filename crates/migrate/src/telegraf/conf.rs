//! Reads the files into plugins in their order, and options with their lines.

use super::super::{Input, MigrateError, Note, Notes, Weight, base_name};
use super::variables;
use base::suggest::nearest;
use std::cell::RefCell;
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The content of all files.
#[derive(Debug, Default)]
pub struct Conf {
    pub agent: Options,
    pub global_tags: Vec<(String, String)>,
    pub plugins: Vec<Plugin>,
}

/// A plugin: `[[inputs.kafka_consumer]]`, `[[outputs.influxdb]]` and so on.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// The kind, such as `inputs.kafka_consumer`.
    pub kind: String,
    pub options: Options,
}

/// A table. It records the options that were requested, so that the others can be reported.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub file: String,
    pub line: usize,
    entries: Vec<(String, Value)>,
    /// Options that the file has and that were requested.
    read: RefCell<BTreeSet<String>>,
    /// Names that were requested, whether the file has them or not. They are the suggestions for unknown names.
    requested: RefCell<BTreeSet<String>>,
    /// Options whose tables were requested.
    opened: RefCell<BTreeSet<String>>,
}

/// An option that nothing read.
#[derive(Clone, Debug)]
pub struct Unread<'o> {
    pub table: &'o Options,
    /// Names of the tables around the option, such as `.json_v2.object`. Empty for an option of the plugin itself.
    pub path: String,
    pub name: &'o str,
}

impl Unread<'_> {
    /// The nearest name that was requested from the same table, as the end of a sentence.
    pub fn suggestion(&self) -> String {
        let requested = self.table.requested.borrow();
        let near = nearest(self.name, requested.iter().map(String::as_str));
        near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default()
    }
}

#[derive(Clone, Debug)]
pub struct Value {
    pub line: usize,
    pub data: Data,
}

#[derive(Clone, Debug)]
pub enum Data {
    /// A string with variables in the notation of bridge.toml.
    Text(String),
    /// A number or date as written in the file.
    Number(String),
    Flag(bool),
    List(Vec<Value>),
    Table(Options),
}

/// Reads the files as one configuration.
pub fn read(files: &[Input], notes: &mut Notes) -> Result<Conf, MigrateError> {
    let mut conf = Conf::default();
    for file in files {
        let (text, lost) = variables::quote_bare(file.text.strip_prefix('\u{feff}').unwrap_or(&file.text));
        for line in lost {
            notes.add(Note {
                weight: Weight::default(),
                file: file.name.clone(),
                line,
                what: "a variable that contains a part of the file".to_owned(),
                why: "the bridge has variables in strings only: replace it with its text and migrate the file again"
                    .to_owned(),
            });
        }
        let (table, errors) = DeTable::parse_recoverable(&text);
        if let Some(error) = errors.first() {
            let line = error.span().map_or(1, |span| line_of(&text, span.start));
            let why = error.message().lines().next().unwrap_or_default();
            let excerpt = error.span().map(|span| configuration::excerpt(&text, span)).unwrap_or_default();
            let why = format!("{why}{excerpt}");
            return Err(MigrateError::Syntax { file: file.name.clone(), line, why });
        }
        let reader = Reader { file: &file.name, text: &text };
        conf.add(reader.table(1, table.get_ref()), notes);
    }
    conf.plugins.sort_by_key(|plugin| {
        (files.iter().position(|file| file.name == plugin.options.file), plugin.options.line)
    });
    Ok(conf)
}

impl Conf {
    fn add(&mut self, top: Options, notes: &mut Notes) {
        let file = top.file.clone();
        for (name, value) in top.entries {
            let line = value.line;
            match (name.as_str(), value.data) {
                ("agent", Data::Table(options)) => self.agent.merge(options),
                ("global_tags" | "tags", Data::Table(options)) => {
                    self.global_tags.extend(options.pairs());
                    for name in options.unread() {
                        notes.add(options.note(name, "a tag has one text: it was left out"));
                    }
                }
                (
                    "inputs" | "outputs" | "processors" | "aggregators" | "secretstores",
                    Data::Table(plugins),
                ) => {
                    self.add_plugins(&name, plugins);
                }
                ("plugins", Data::Table(plugins)) => self.add_plugins("inputs", plugins),
                _ => notes.add(Note {
                    weight: Weight::default(),
                    file: file.clone(),
                    line,
                    what: name,
                    why: "this is no part of a telegraf.conf that is known: it was left out".to_owned(),
                }),
            }
        }
    }

    fn add_plugins(&mut self, group: &str, plugins: Options) {
        for (name, value) in plugins.entries {
            let kind = format!("{group}.{name}");
            let tables: Vec<Options> = match value.data {
                Data::Table(options) => vec![options],
                Data::List(values) => values.into_iter().filter_map(Value::into_table).collect(),
                _ => Vec::new(),
            };
            self.plugins.extend(tables.into_iter().map(|options| Plugin { kind: kind.clone(), options }));
        }
    }

    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Plugin> {
        self.plugins.iter().filter(move |plugin| plugin.kind == kind)
    }
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
}

impl Reader<'_> {
    fn table(&self, line: usize, table: &DeTable<'_>) -> Options {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let line = line_of(self.text, key.span().start);
            let name: &str = AsRef::<str>::as_ref(key.get_ref());
            (name.to_owned(), self.value(line, value))
        };
        let mut entries: Vec<(String, Value)> = table.iter().map(entry).collect();
        entries.sort_by_key(|(_, value)| value.line);
        Options { file: self.file.to_owned(), line, entries, ..Options::default() }
    }

    /// A single value has the line of its key; a value in a list has its own line.
    fn value(&self, line: usize, value: &Spanned<DeValue<'_>>) -> Value {
        let data = match value.get_ref() {
            DeValue::String(text) => Data::Text(variables::to_bridge(text)),
            DeValue::Integer(number) => Data::Number(number.as_str().replace('_', "")),
            DeValue::Float(number) => Data::Number(number.as_str().replace('_', "")),
            DeValue::Boolean(flag) => Data::Flag(*flag),
            DeValue::Datetime(date) => Data::Number(date.to_string()),
            DeValue::Array(values) => Data::List(
                values
                    .iter()
                    .map(|value| self.value(line_of(self.text, value.span().start), value))
                    .collect(),
            ),
            DeValue::Table(table) => Data::Table(self.table(line, table)),
        };
        Value { line, data }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
}

/// Compares keys as Telegraf does: without case and "_".
pub fn same(a: &str, b: &str) -> bool {
    let plain = |text: &str| text.replace('_', "").to_ascii_lowercase();
    plain(a) == plain(b)
}

impl Options {
    /// Adds the options of `other`, which replace options with the same name.
    fn merge(&mut self, other: Self) {
        if self.entries.is_empty() {
            (self.file, self.line) = (other.file, other.line);
        }
        for (name, value) in other.entries {
            self.entries.retain(|(known, _)| !same(known, &name));
            self.entries.push((name, value));
        }
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.requested.borrow_mut().insert(key.to_owned());
        let (name, value) = self.entries.iter().find(|(name, _)| same(name, key))?;
        self.read.borrow_mut().insert(name.clone());
        Some(value)
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A string that is not empty. Telegraf treats an empty string like a missing option.
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key)?.as_text().filter(|text| !text.is_empty())
    }

    /// A list of strings, or a single string.
    pub fn texts(&self, key: &str) -> Vec<String> {
        self.get(key).map(Value::texts).unwrap_or_default()
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        match &self.get(key)?.data {
            Data::Flag(flag) => Some(*flag),
            Data::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Tables inside: `[inputs.x.tags]`, `[[inputs.x.json_v2]]`. Their options are reported unless they are read too.
    pub fn tables(&self, key: &str) -> Vec<&Options> {
        let found = self.get(key).map(|value| &value.data);
        self.opened.borrow_mut().insert(key.to_owned());
        Self::tables_of(found)
    }

    fn tables_of(data: Option<&Data>) -> Vec<&Options> {
        match data {
            Some(Data::Table(options)) => vec![options],
            Some(Data::List(values)) => values
                .iter()
                .filter_map(|value| if let Data::Table(options) = &value.data { Some(options) } else { None })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The options with their values.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Reads the options whose names the user chooses, such as those of `[inputs.x.tags]`. Values that `read` does not take stay unread.
    pub fn read_each<T>(&self, read: impl Fn(&Value) -> Option<T>) -> Vec<(String, T)> {
        let pair = |(name, value): &(String, Value)| Some((name.clone(), read(value)?));
        let pairs: Vec<(String, T)> = self.entries.iter().filter_map(pair).collect();
        self.read.borrow_mut().extend(pairs.iter().map(|(name, _)| name.clone()));
        pairs
    }

    /// The options whose values are strings, numbers or booleans.
    pub fn pairs(&self) -> Vec<(String, String)> {
        self.read_each(Value::as_text)
    }

    /// The options with their values as lists of strings.
    pub fn lists(&self) -> Vec<(String, Vec<String>)> {
        self.read_each(|value| Some(value.texts()))
    }

    pub fn line_of(&self, key: &str) -> usize {
        self.entries.iter().find(|(name, _)| same(name, key)).map_or(self.line, |(_, value)| value.line)
    }

    pub fn note(&self, key: &str, why: impl Into<String>) -> Note {
        let weight = Weight::default();
        Note {
            weight,
            file: self.file.clone(),
            line: self.line_of(key),
            what: key.to_owned(),
            why: why.into(),
        }
    }

    /// The options that were not read.
    pub fn unread(&self) -> Vec<&str> {
        let read = self.read.borrow();
        self.entries.iter().map(|(name, _)| name.as_str()).filter(|name| !read.contains(*name)).collect()
    }

    /// The options that were not read, here and in the tables inside that were requested. A table that was not is one unread option.
    pub fn unread_deep(&self) -> Vec<Unread<'_>> {
        let mut unread = Vec::new();
        self.collect_unread("", &mut unread);
        unread
    }

    fn collect_unread<'o>(&'o self, path: &str, unread: &mut Vec<Unread<'o>>) {
        let own = self.unread().into_iter();
        unread.extend(own.map(|name| Unread { table: self, path: path.to_owned(), name }));
        let opened = self.opened.borrow();
        for (name, value) in &self.entries {
            if opened.iter().any(|opened| same(opened, name)) {
                let path = format!("{path}.{name}");
                for table in Self::tables_of(Some(&value.data)) {
                    table.collect_unread(&path, unread);
                }
            }
        }
    }

    /// The values of some keys as one text, for comparison.
    pub fn identity(&self, keys: &[&str]) -> String {
        let texts = |key: &&str| {
            self.texts(key).join("\n") + &self.flag(key).map(|f| f.to_string()).unwrap_or_default()
        };
        keys.iter().map(texts).collect::<Vec<_>>().join("\0")
    }

    /// The place of an option: "telegraf.conf:12".
    pub fn place(&self, key: &str) -> String {
        format!("{}:{}", base_name(&self.file), self.line_of(key))
    }

    /// Marks all options as read, because one note is about the whole table.
    pub fn mark_all(&self) {
        self.read_each(|_| Some(()));
    }

    /// Marks options as read.
    pub fn mark<'k>(&self, keys: impl IntoIterator<Item = &'k str>) {
        for key in keys {
            self.get(key);
        }
    }
}

impl Value {
    pub fn as_text(&self) -> Option<String> {
        match &self.data {
            Data::Text(text) | Data::Number(text) => Some(text.clone()),
            Data::Flag(flag) => Some(flag.to_string()),
            Data::List(_) | Data::Table(_) => None,
        }
    }

    /// The strings of a list, or a single string, without empty ones.
    fn texts(&self) -> Vec<String> {
        let texts: Vec<String> = match &self.data {
            Data::List(values) => values.iter().filter_map(Self::as_text).collect(),
            _ => self.as_text().into_iter().collect(),
        };
        texts.into_iter().filter(|text| !text.is_empty()).collect()
    }

    fn into_table(self) -> Option<Options> {
        if let Data::Table(options) = self.data { Some(options) } else { None }
    }
}
