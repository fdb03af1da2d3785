//! The content of a `[[mapping]]` for the records of an input.

use super::super::Note;
use super::conf::Options;
use super::report::Report;
use configuration::draft::{Table, literal};
use mapping::{Format, Globs, KeySelector};
use toml::Value;

/// The keys of a mapping. Empty keys are not written.
#[derive(Clone, Debug, Default)]
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
    pub name_key: Option<String>,
    pub tag_keys: Vec<String>,
    pub tags: Vec<(String, String)>,
    pub topic_tag: Option<String>,
    pub header_tags: Vec<String>,
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
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub rename: Vec<(String, String)>,
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

    /// Whether the records are line protocol.
    pub fn is_influx(&self) -> bool {
        self.format == Some(Format::Influx.name())
    }

    /// The measurement, unless it depends on the record.
    pub fn fixed_name(&self) -> Option<&str> {
        (self.name_key.is_none() && !self.measurement.is_empty()).then_some(self.measurement.as_str())
    }

    /// Keys and patterns of tags whose values are in the records.
    pub fn open_tags(&self) -> Vec<String> {
        // A line can have any tag.
        let of_lines = self.is_influx().then(|| "*".to_owned());
        let from_records = self.tag_keys.iter().map(|key| self.final_name(key)).chain(of_lines);
        from_records.chain(self.header_tags.clone()).chain(self.topic_tag.clone()).collect()
    }

    /// Whether a record can have a tag of this name.
    pub fn can_have(&self, tag: &str) -> bool {
        is_match(&self.open_tags(), tag)
    }

    /// The fixed tags, and the topic tag if there is only one topic.
    pub fn known_tags(&self, topics: &[String]) -> Vec<(String, String)> {
        let mut tags = self.tags.clone();
        if let (Some(key), [topic]) = (&self.topic_tag, topics)
            && !topic.starts_with('^')
        {
            tags.retain(|(known, _)| known != key);
            tags.push((key.clone(), topic.clone()));
        }
        tags
    }

    /// The name of a key or selector before `rename`.
    pub fn flattened(key: &str) -> String {
        KeySelector::parse(key).map_or_else(|_| key.to_owned(), |selector| selector.flattened())
    }

    /// The tag or field that a key becomes.
    pub fn final_name(&self, key: &str) -> String {
        let flattened = Self::flattened(key);
        let mut renames = self.rename.iter();
        renames.find(|(from, _)| *from == flattened).map_or(flattened.clone(), |(_, to)| to.clone())
    }

    /// Takes the key of the tag with this name out of `tag_keys`.
    pub fn take_tag(&mut self, name: &str) -> Option<String> {
        let place =
            self.tag_keys.iter().position(|key| !key.contains('*') && self.final_name(key) == name)?;
        Some(self.tag_keys.remove(place))
    }

    /// Sets the type of the fields with this name or glob.
    pub fn set_type(&mut self, name: &str, to: &str) {
        let is_selected = self.fields.iter().any(|(known, _)| known == name);
        let key = if is_selected { name.to_owned() } else { self.original(name) };
        self.types.retain(|(known, _)| *known != key);
        self.types.push((key, to.to_owned()));
    }

    /// Notes once that whole numbers are written as integers, and others are not cut off.
    pub fn note_fractions(&mut self, options: &Options, option: &str) {
        const WHY: &str = "a number with a fraction is dropped and counted under an integer type; Telegraf cuts the fraction off";
        if !self.notes.iter().any(|note| note.why == WHY) {
            self.note(options, option, WHY);
        }
    }

    /// Renames a field of `fields`, and returns whether it is one.
    pub fn rename_selected(&mut self, name: &str, to: &str) -> bool {
        let Some((known, _)) = self.fields.iter_mut().find(|(known, _)| known == name) else { return false };
        to.clone_into(known);
        for (key, _) in &mut self.types {
            if key == name {
                to.clone_into(key);
            }
        }
        true
    }

    /// Renames a tag that does not come from the record, and returns whether it is one.
    pub fn rename_fixed(&mut self, option: &str, name: &str, to: &str) -> bool {
        if option != "tag" {
            return false;
        }
        let fixed = self.tags.iter_mut().find(|(key, _)| key == name).map(|(key, _)| key);
        let topic = self.topic_tag.as_mut().filter(|key| *key == name);
        let Some(key) = fixed.or(topic) else { return false };
        to.clone_into(key);
        true
    }

    /// The key that becomes a field of this name.
    pub fn original(&self, name: &str) -> String {
        self.rename.iter().find(|(_, to)| to == name).map_or(name.to_owned(), |(from, _)| from.clone())
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
        if !self.strict {
            self.set(&mut table, "strict", false);
        }
        self.set_text(&mut table, "measurement", Some(&self.measurement).filter(|name| !name.is_empty()));
        self.set_text(&mut table, "name_key", self.name_key.as_ref());
        self.set_list(&mut table, "tag_keys", &self.tag_keys);
        let tags: Vec<_> = self.tags.iter().map(|(key, value)| (key.clone(), literal(value))).collect();
        self.set_pairs(&mut table, "tags", &tags);
        self.set_text(&mut table, "topic_tag", self.topic_tag.as_ref());
        self.set_list(&mut table, "header_tags", &self.header_tags);
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
