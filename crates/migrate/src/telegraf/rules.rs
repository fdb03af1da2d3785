//! The content of a `[[mapping]]` for the records of an input.

use super::super::Note;
use super::conf::{Options, Unread};
use super::report::Report;
use configuration::draft::{Table, literal};
use mapping::{Format, Globs, KeySelector};
use toml::Value;

/// The keys of a mapping. Empty keys are not written.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "two are keys of the mapping, the others facts about it")]
pub struct Rules {
    /// None for JSON.
    pub format: Option<&'static str>,
    /// File with the schema.
    pub schema: Option<String>,
    /// Message of Protobuf.
    pub message: Option<String>,
    pub registry: Option<Registry>,
    /// Settings of CSV.
    pub csv: Option<toml::Table>,
    pub query: Option<String>,
    pub strict: bool,
    /// Empty for the measurement of each line.
    pub measurement: String,
    /// Whether the measurement has placeholders.
    pub is_name_template: bool,
    pub name_key: Option<String>,
    /// Texts before and after the name under `name_key`.
    pub name_affixes: (String, String),
    pub tag_keys: Vec<String>,
    pub tags: Vec<(String, String)>,
    pub topic_tag: Option<String>,
    /// Headers, each with the name of its tag.
    pub header_tags: Vec<(String, String)>,
    pub string_fields: Vec<String>,
    pub number_fields: Vec<String>,
    pub integers: bool,
    /// Types of fields.
    pub types: Vec<(String, String)>,
    /// Fields with the selector of each.
    pub fields: Vec<(String, String)>,
    /// Replacements of texts under a key.
    pub values: Vec<(String, Vec<(String, Value)>)>,
    /// `where`: the filter of elements.
    pub filter: Option<String>,
    /// Keys of a name and of its value, which become a field.
    pub zip: Vec<(String, String)>,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub rename: Vec<(String, String)>,
    /// Whether a processor before the outputs is not applied in full, so that names and tags may be others.
    pub is_uncertain: bool,
    /// Unit of the times in line protocol, unless they are nanoseconds.
    pub precision: Option<&'static str>,
    pub time_key: Option<String>,
    pub time_format: Option<String>,
    pub timezone: Option<String>,
    /// Comments with the reason for the value of a key.
    pub because: Vec<(&'static str, String)>,
    /// Options without a counterpart, for the comments.
    pub notes: Vec<Note>,
    /// Values that the user has to fill in.
    pub fill_in: Vec<String>,
}

/// The schema registry of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    pub url: String,
    pub username: Option<String>,
}

impl Registry {
    pub fn table(&self) -> Table {
        let mut table = Table::new("[schema_registry]");
        table.set("url", self.url.clone());
        if let Some(username) = &self.username {
            table.set("username", username.clone()).set("password", "${REGISTRY_PASSWORD}");
        }
        table
    }
}

/// Options of every plugin that name or filter its points.
pub const NAMES_AND_FILTERS: [&str; 11] = [
    "name_override",
    "name_prefix",
    "name_suffix",
    "namepass",
    "namedrop",
    "fieldinclude",
    "fieldexclude",
    "taginclude",
    "tagexclude",
    "tagpass",
    "tagdrop",
];

impl Rules {
    pub fn note(&mut self, options: &Options, key: &str, why: impl Into<String>) {
        self.notes.push(options.note(key, why));
    }

    /// Notes options that nothing read, so that none is dropped silently. `plugin` is the kind of the plugin.
    pub fn note_unread<'o>(&mut self, plugin: &str, unread: impl IntoIterator<Item = Unread<'o>>) {
        for unread in unread {
            let why = format!(
                "this option of {plugin}{} has no counterpart: change the producer, or keep Telegraf for points that need it{}",
                unread.path,
                unread.suggestion()
            );
            self.note(unread.table, unread.name, why);
        }
    }

    /// Whether the records are line protocol.
    pub fn is_influx(&self) -> bool {
        self.format == Some(Format::Influx.name())
    }

    /// The measurement, unless it depends on the record.
    pub fn fixed_name(&self) -> Option<&str> {
        let is_fixed = self.name_key.is_none() && !self.is_name_template && !self.measurement.is_empty();
        is_fixed.then_some(self.measurement.as_str())
    }

    /// The name of a key or selector before `rename`.
    pub fn flattened(key: &str) -> String {
        KeySelector::parse(key).map_or_else(|_| key.to_owned(), |selector| selector.flattened())
    }

    /// Notes once that whole numbers are written as integers, and others are not cut off.
    pub fn note_fractions(&mut self, options: &Options, option: &str) {
        const WHY: &str = "a number with a fraction is dropped and counted under an integer type; Telegraf cuts the fraction off";
        if !self.notes.iter().any(|note| note.why == WHY) {
            self.note(options, option, WHY);
        }
    }

    /// The table. `topics` is set if there are several mappings; `own` is the mapping's own destination.
    pub fn table(&self, topics: Option<&[String]>, own: &[(&str, String)], report: &mut Report) -> Table {
        let mut table = Table::new("[[mapping]]");
        for note in &self.notes {
            report.notes.add_to(&mut table, note.clone());
        }
        report.fill_in.extend(self.fill_in.iter().cloned());
        for (_, why) in self.because.iter().filter(|(key, _)| key.is_empty()) {
            table.comment(why);
        }
        if let Some(topics) = topics {
            self.set(&mut table, "topics", topics.to_vec());
        }
        if let Some(format) = self.format {
            self.set(&mut table, "format", format);
        }
        self.set_text(&mut table, "schema", self.schema.as_ref());
        self.set_text(&mut table, "message", self.message.as_ref());
        if let Some(csv) = &self.csv {
            self.set(&mut table, "csv", csv.clone());
        }
        self.set_text(&mut table, "query", self.query.as_ref());
        self.set_text(&mut table, "where", self.filter.as_ref());
        self.set_zip(&mut table);
        if !self.strict {
            self.set(&mut table, "strict", false);
        }
        self.set_measurement(&mut table);
        self.set_list(&mut table, "tag_keys", &self.tag_keys);
        self.set_tags(&mut table);
        self.set_text(&mut table, "topic_tag", self.topic_tag.as_ref());
        self.set_list(&mut table, "string_fields", &self.string_fields);
        let takes_named_only = !self.include.is_empty() || self.exclude.iter().any(|key| key == "*");
        if self.string_fields.is_empty() && !takes_named_only && !self.is_influx() {
            let why = "Like Telegraf, the bridge drops strings and booleans that are not listed here.";
            table.suggest("string_fields", vec!["*"], &[why]);
        }
        self.set_list(&mut table, "number_fields", &self.number_fields);
        if self.integers {
            self.set(&mut table, "integers", "int");
        }
        self.set_values(&mut table);
        self.set_pairs(&mut table, "types", &self.types);
        self.set_pairs(&mut table, "fields", &self.fields);
        self.set_list(&mut table, "include", &self.include);
        self.set_list(&mut table, "exclude", &self.exclude);
        self.set_pairs(&mut table, "rename", &self.rename);
        if let Some(precision) = self.precision {
            self.set(&mut table, "precision", precision);
        }
        self.set_text(&mut table, "time_key", self.time_key.as_ref());
        self.set_text(&mut table, "time_format", self.time_format.as_ref());
        self.set_text(&mut table, "timezone", self.timezone.as_ref());
        for (key, value) in own {
            self.set(&mut table, key, value.clone());
        }
        table
    }

    fn set(&self, table: &mut Table, key: &str, value: impl Into<Value>) {
        let comments = self.because.iter().filter(|(of, _)| *of == key);
        table.set_because(key, value, &comments.map(|(_, why)| why.as_str()).collect::<Vec<_>>());
    }

    fn set_text(&self, table: &mut Table, key: &str, text: Option<&String>) {
        if let Some(text) = text {
            self.set(table, key, text.clone());
        }
    }

    fn set_list(&self, table: &mut Table, key: &str, list: &[String]) {
        let mut distinct: Vec<String> = Vec::new();
        for text in list {
            if !distinct.contains(text) {
                distinct.push(text.clone());
            }
        }
        if !distinct.is_empty() {
            self.set(table, key, distinct);
        }
    }

    fn set_measurement(&self, table: &mut Table) {
        let (prefix, suffix) = &self.name_affixes;
        match &self.name_key {
            Some(key) if !prefix.is_empty() || !suffix.is_empty() => {
                let name = format!("{}{{{key}}}{}", literal(prefix), literal(suffix));
                self.set(table, "measurement", name);
            }
            key => {
                let name =
                    if self.is_name_template { self.measurement.clone() } else { literal(&self.measurement) };
                self.set_text(table, "measurement", Some(&name).filter(|name| !name.is_empty()));
                self.set_text(table, "name_key", key.as_ref());
            }
        }
    }

    fn set_tags(&self, table: &mut Table) {
        let (kept, renamed): (Vec<_>, Vec<_>) =
            self.header_tags.iter().partition(|(header, name)| header == name);
        let renamed =
            renamed.into_iter().map(|(header, name)| (name.clone(), format!("{{header:{header}}}")));
        let fixed = self.tags.iter().map(|(key, value)| (key.clone(), literal(value)));
        self.set_pairs(table, "tags", &renamed.chain(fixed).collect::<Vec<_>>());
        let kept: Vec<String> = kept.into_iter().map(|(header, _)| header.clone()).collect();
        self.set_list(table, "header_tags", &kept);
    }

    fn set_zip(&self, table: &mut Table) {
        let pair = |(names, values): &(String, String)| -> toml::Table {
            [("names", names), ("values", values)]
                .map(|(key, text)| (key.to_owned(), Value::from(text.as_str())))
                .into_iter()
                .collect()
        };
        if !self.zip.is_empty() {
            self.set(table, "zip", self.zip.iter().map(pair).collect::<Vec<_>>());
        }
    }

    fn set_values(&self, table: &mut Table) {
        let pairs = |pairs: &Vec<(String, Value)>| pairs.iter().cloned().collect::<toml::Table>();
        let values: toml::Table =
            self.values.iter().map(|(key, of)| (key.clone(), pairs(of).into())).collect();
        if !values.is_empty() {
            self.set(table, "values", values);
        }
    }

    fn set_pairs(&self, table: &mut Table, key: &str, pairs: &[(String, String)]) {
        if !pairs.is_empty() {
            let value: toml::Table = pairs.iter().map(|(k, v)| (k.clone(), Value::from(v.clone()))).collect();
            self.set(table, key, value);
        }
    }
}

/// Whether `text` is one of the patterns or matches one.
pub fn is_match(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern == text)
        || patterns.iter().any(|pattern| Globs::compile(&[pattern]).is_ok_and(|globs| globs.is_match(text)))
}
