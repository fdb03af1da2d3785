//! What becomes of an input's records: the content of a `[[mapping]]`.

use super::super::Note;
use super::conf::{Conf, Options};
use super::filters::{Filter, Subject, Takes, is_match};
use super::work::Work;
use super::{json, json_v2, processors};
use crate::Machine;
use configuration::draft::Table;
use toml::Value;

/// The keys of a mapping. Empty ones are not written.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub query: Option<String>,
    pub strict: bool,
    pub measurement: String,
    pub name_key: Option<String>,
    pub tag_keys: Vec<String>,
    pub tags: Vec<(String, String)>,
    pub topic_tag: Option<String>,
    pub header_tags: Vec<String>,
    pub string_fields: Vec<String>,
    pub number_fields: Vec<String>,
    pub integers: bool,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub rename: Vec<(String, String)>,
    pub time_key: Option<String>,
    pub time_format: Option<String>,
    pub timezone: Option<String>,
    /// Why a key is as it is.
    pub because: Vec<(&'static str, String)>,
    /// What has no counterpart, for the comments.
    pub notes: Vec<Note>,
    /// What people have to fill in.
    pub fill_in: Vec<String>,
}

/// The measurement of Telegraf where nothing names one.
const DEFAULT_NAME: &str = "kafka_consumer";

/// Options of every plugin: what its points are called, and which of them pass.
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

const FILTERS_STAY: &str =
    "the bridge lets whole records pass by topic only: split the topics, or filter where the points are read";

impl Rules {
    /// Of an input; none if nothing of it can be done here, which a note says.
    pub fn of(input: &Options, conf: &Conf, machine: &Machine, work: &mut Work) -> Option<Self> {
        let mut rules = Self { strict: true, measurement: DEFAULT_NAME.to_owned(), ..Self::default() };
        match input.text("data_format").as_deref() {
            Some("json") => json::read(input, &mut rules),
            Some("json_v2") => json_v2::read(input, &mut rules),
            other => {
                let format = other.unwrap_or("influx (the default)");
                let why =
                    format!("the bridge reads JSON only, and this input has {format}: keep Telegraf for it");
                work.notes.add(input.note("data_format", why));
                return None;
            }
        }
        rules.read_kafka(input);
        let filter = Filter::read(input);
        rules.judge_input(input, &filter, work)?;
        rules.rename_measurement(input);
        rules.add_tags(input, conf, machine);
        rules.follow(input, &filter);
        processors::apply(conf, &mut rules);
        Some(rules)
    }

    pub fn note(&mut self, options: &Options, key: &str, why: impl Into<String>) {
        self.notes.push(options.note(key, why));
    }

    /// Options of `kafka_consumer` that say what becomes of a record.
    fn read_kafka(&mut self, input: &Options) {
        self.topic_tag = input.text("topic_tag");
        self.header_tags = input.texts("msg_headers_as_tags");
        if input.text("msg_header_as_metric_name").is_some() {
            self.note(
                input,
                "msg_header_as_metric_name",
                "a header can't name the measurement: have the name in the record (`name_key`), or one topic for each (`measurement = \"{topic}\"`)",
            );
        }
        let source = input.text("timestamp_source");
        if matches!(source.as_deref(), Some("inner" | "outer")) {
            // The time key is read and taken from the fields all the same.
            if let Some(key) = self.time_key.take() {
                let (format, zone) = (self.time_format.take(), self.timezone.take());
                let was = format.or(zone).unwrap_or_default();
                self.note(
                    input,
                    "timestamp_source",
                    format!("Kafka's time is used, as here, and the record's own {key:?} ({was}) is dropped; a record without it is not rejected"),
                );
                self.exclude.push(key);
            }
            if source.as_deref() == Some("outer") {
                self.note(
                    input,
                    "timestamp_source",
                    "each record's own time is used, not that of the compressed block around it",
                );
            }
        } else if self.time_key.is_none() {
            self.because.push((
                "",
                "The time is Kafka's; Telegraf takes the moment of reading, so that records read again become other points.".to_owned(),
            ));
        }
        if let Some(precision) =
            input.text("precision").filter(|text| !text.starts_with('0') && text != "1ns")
        {
            self.note(
                input,
                "precision",
                format!("times are not rounded to {precision}: they stay as they are"),
            );
        }
        if input.text("time_source").is_some_and(|source| source != "metric") {
            self.note(
                input,
                "time_source",
                "there is no time of collection: the record's own is used, or Kafka's",
            );
        }
    }

    /// Whether the input's own filter lets anything pass.
    fn judge_input(&mut self, input: &Options, filter: &Filter, work: &mut Work) -> Option<()> {
        let open = self.open_tags();
        let subject = Subject { name: self.fixed_name(), tags: &[], open_tags: &open };
        match filter.takes(&subject) {
            Takes::All => {}
            Takes::None => {
                work.notes
                    .add(input.note("kafka_consumer", "its own filters let nothing pass: it was left out"));
                return None;
            }
            Takes::Depends(options) => {
                for option in options {
                    self.note(input, option, FILTERS_STAY);
                }
            }
        }
        Some(())
    }

    /// The measurement, if it does not depend on the record.
    pub fn fixed_name(&self) -> Option<&str> {
        self.name_key.is_none().then_some(self.measurement.as_str())
    }

    /// Keys and patterns of tags whose values records have.
    fn open_tags(&self) -> Vec<String> {
        let from_records = self.tag_keys.iter().map(|key| self.final_name(key));
        from_records.chain(self.header_tags.clone()).chain(self.topic_tag.clone()).collect()
    }

    /// Whether a record can have a tag of this name.
    pub fn can_have(&self, tag: &str) -> bool {
        is_match(&self.open_tags(), tag)
    }

    /// `name_override`, `name_prefix` and `name_suffix`, of inputs and outputs.
    fn rename_measurement(&mut self, options: &Options) {
        if let Some(name) = options.text("name_override") {
            self.measurement = name;
            if let Some(key) = self.name_key.take() {
                self.because.push(("measurement", format!("name_override wins over the record's {key:?}.")));
            }
        }
        let (prefix, suffix) = (options.text("name_prefix"), options.text("name_suffix"));
        if prefix.is_none() && suffix.is_none() {
            return;
        }
        self.measurement = format!(
            "{}{}{}",
            prefix.as_deref().unwrap_or_default(),
            self.measurement,
            suffix.as_deref().unwrap_or_default()
        );
        if self.name_key.is_some() {
            for (key, text) in [("name_prefix", prefix), ("name_suffix", suffix)] {
                if text.is_some() {
                    self.note(
                        options,
                        key,
                        "a name that the record has is taken as it is: only `measurement` got this",
                    );
                }
            }
        }
    }

    /// Of the plugin, then global ones and the machine's name: the first of a name counts.
    fn add_tags(&mut self, input: &Options, conf: &Conf, machine: &Machine) {
        let mut tags: Vec<_> = input.tables("tags").iter().flat_map(|table| table.pairs()).collect();
        tags.extend(conf.global_tags.iter().rev().cloned());
        if !conf.agent.flag("omit_hostname").unwrap_or(false) && !tags.iter().any(|(key, _)| key == "host") {
            let named = conf.agent.text("hostname");
            let because = if let Some(name) = named.or_else(|| machine.hostname.clone()) {
                let from = if conf.agent.text("hostname").is_some() {
                    format!("the agent's hostname, {}", conf.agent.place("hostname"))
                } else {
                    "this machine's name: if Telegraf runs on another, write that one's".to_owned()
                };
                tags.push(("host".to_owned(), name));
                format!(
                    "`host` is what Telegraf adds to every point ({from}); panels that filter by it want it."
                )
            } else {
                let told = "mapping.tags: set HOSTNAME to the name of the machine that Telegraf runs on";
                self.fill_in.push(told.to_owned());
                tags.push(("host".to_owned(), "${HOSTNAME}".to_owned()));
                "FILL IN: Telegraf adds the name of its machine to every point as `host`.".to_owned()
            };
            self.because.push(("tags", because));
        }
        for (key, value) in tags {
            if !value.is_empty() && !self.tags.iter().any(|(known, _)| *known == key) {
                self.tags.push((key, value));
            }
        }
        self.tags.sort();
    }

    fn follow(&mut self, options: &Options, filter: &Filter) {
        for (option, why) in filter.modify(self) {
            self.note(options, option, why);
        }
    }

    /// What an output makes of them; none if it takes nothing of this input.
    pub fn through(&self, output: &Options, topics: &[String]) -> Option<Self> {
        let mut rules = self.clone();
        let filter = Filter::read(output);
        let tags = self.known_tags(topics);
        let open = self.open_tags();
        match filter.takes(&Subject { name: self.fixed_name(), tags: &tags, open_tags: &open }) {
            Takes::None => return None,
            Takes::All => {}
            Takes::Depends(options) => {
                for option in options {
                    rules.note(output, option, FILTERS_STAY);
                }
            }
        }
        rules.rename_measurement(output);
        rules.follow(output, &filter);
        Some(rules)
    }

    /// Fixed tags, and the topic where there is only one.
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

    /// The tag or field that a key becomes.
    pub fn final_name(&self, key: &str) -> String {
        let flattened = match mapping::decode::Path::parse(key) {
            Ok(path) if key.starts_with('$') => path.flattened(),
            _ => key.to_owned(),
        };
        self.rename
            .iter()
            .find(|(from, _)| *from == flattened)
            .map_or(flattened.clone(), |(_, to)| to.clone())
    }

    /// Renames a tag that is not of the record; whether it is one.
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

    /// The table. `topics`: where there are several mappings. `own`: a destination of its own.
    pub fn table(&self, topics: Option<&[String]>, own: &[(&str, String)], work: &mut Work) -> Table {
        let mut table = Table::new("[[mapping]]");
        for note in &self.notes {
            work.notes.add_to(&mut table, note.clone());
        }
        work.fill_in.extend(self.fill_in.iter().cloned());
        for (_, why) in self.because.iter().filter(|(key, _)| key.is_empty()) {
            table.comment(why);
        }
        if let Some(topics) = topics {
            self.set(&mut table, "topics", topics.to_vec());
        }
        self.set_text(&mut table, "query", self.query.as_ref());
        if !self.strict {
            self.set(&mut table, "strict", false);
        }
        self.set(&mut table, "measurement", self.measurement.clone());
        self.set_text(&mut table, "name_key", self.name_key.as_ref());
        self.set_list(&mut table, "tag_keys", &self.tag_keys);
        self.set_pairs(&mut table, "tags", &self.tags);
        self.set_text(&mut table, "topic_tag", self.topic_tag.as_ref());
        self.set_list(&mut table, "header_tags", &self.header_tags);
        self.set_list(&mut table, "string_fields", &self.string_fields);
        if self.string_fields.is_empty() && self.include.is_empty() {
            let why = "As with Telegraf, strings and booleans are dropped unless they are named here.";
            table.suggest("string_fields", vec!["*"], &[why]);
        }
        self.set_list(&mut table, "number_fields", &self.number_fields);
        if self.integers {
            self.set(&mut table, "integers", "int");
        }
        self.set_list(&mut table, "include", &self.include);
        self.set_list(&mut table, "exclude", &self.exclude);
        self.set_pairs(&mut table, "rename", &self.rename);
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

    fn set_pairs(&self, table: &mut Table, key: &str, pairs: &[(String, String)]) {
        if !pairs.is_empty() {
            let value: toml::Table = pairs.iter().map(|(k, v)| (k.clone(), Value::from(v.clone()))).collect();
            self.set(table, key, value);
        }
    }
}
