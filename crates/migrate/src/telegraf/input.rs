//! Turns an input into the rules of its mapping: its parser, its filters, its tags, and the processors and outputs that
//! its points pass.

use super::conf::{Conf, Options};
use super::filters::{Filter, Subject, Takes};
use super::processors;
use super::report::Report;
use super::rules::Rules;
use super::{avro, csv, influx, json, json_v2, metricpass, msgpack, value, xpath};
use crate::Machine;

/// Telegraf's default measurement.
const DEFAULT_NAME: &str = "kafka_consumer";

/// Names of tags with their values.
type Pairs = Vec<(String, String)>;

/// Options that pass or drop whole points.
const FILTERS: [&str; 4] = ["namepass", "namedrop", "tagpass", "tagdrop"];

const FILTERS_STAY: &str = "this filter has no counterpart: split the topics, or write it as `where`";

impl Rules {
    /// The rules of an input. None, with a note, if the bridge cannot replace it.
    pub fn from_input(input: &Options, conf: &Conf, machine: &Machine, report: &mut Report) -> Option<Self> {
        let mut rules = Self { strict: true, measurement: DEFAULT_NAME.to_owned(), ..Self::default() };
        match input.text("data_format").as_deref() {
            // Telegraf's default.
            None | Some("influx") => influx::read(input, &mut rules),
            Some("json") => json::read(input, &mut rules),
            Some("json_v2") => json_v2::read(input, &mut rules),
            Some("msgpack") => msgpack::read(input, &mut rules),
            Some("avro") => match input.text("avro_format").as_deref() {
                None | Some("binary") => avro::read(input, &mut rules),
                Some("json") => {
                    let why = "Avro written as JSON is read with format = \"json\", and needs no schema: `kafka-influx-bridge init` proposes a [[mapping]] from the records. Until then keep Telegraf for it";
                    report.notes.add(input.note("avro_format", why));
                    return None;
                }
                Some(other) => {
                    let why =
                        format!("neither \"binary\" nor \"json\", but {other:?}: the input was left out");
                    report.notes.add(input.note("avro_format", why));
                    return None;
                }
            },
            Some("csv") => csv::read(input, &mut rules),
            Some("value") => value::read(input, &mut rules),
            Some(format) if format.starts_with("xpath_") => {
                if let Err((table, option)) = xpath::read(input, format, &mut rules) {
                    let name = format.trim_start_matches("xpath_");
                    let why = format!(
                        "only plain paths of XPath have a counterpart: `kafka-influx-bridge init` proposes a [[mapping]] with format = \"{name}\" from the records"
                    );
                    report.notes.add(table.note(option, why));
                    return None;
                }
            }
            Some(format) => {
                let why = format!("the bridge does not read the format {format}: keep Telegraf for it");
                report.notes.add(input.note("data_format", why));
                return None;
            }
        }
        rules.read_kafka(input);
        let filter = Filter::read(input);
        rules.apply_input_filter(input, &filter, report)?;
        rules.rename_measurement(input);
        let local: Pairs = input.tables("tags").iter().flat_map(|table| table.pairs()).collect();
        let has_host = local.iter().any(|(key, _)| key == "host");
        let global = rules.global_tags(conf, machine, has_host);
        rules.add_tags(&local);
        rules.add_tags(&global);
        filter.modify(input, &mut rules);
        for (option, tags) in [("always_include_local_tags", &local), ("always_include_global_tags", &global)]
        {
            if conf.agent.flag(option) == Some(true) {
                rules.add_tags(tags);
            }
        }
        // The options of the input itself are compared with those of all parsers later.
        let inside = input.unread_deep().into_iter().filter(|unread| !unread.path.is_empty());
        rules.note_unread(super::INPUT, inside);
        processors::apply(conf, &mut rules);
        Some(rules)
    }

    /// Reads the options of `kafka_consumer` that concern records.
    fn read_kafka(&mut self, input: &Options) {
        self.topic_tag = input.text("topic_tag");
        self.header_tags =
            input.texts("msg_headers_as_tags").into_iter().map(|header| (header.clone(), header)).collect();
        if input.text("msg_header_as_metric_name").is_some() {
            self.note(
                input,
                "msg_header_as_metric_name",
                "a header can't name the measurement: write the name into the record (`name_key`), or use one topic per measurement (`measurement = \"{topic}\"`)",
            );
        }
        let source = input.text("timestamp_source");
        if matches!(source.as_deref(), Some("inner" | "outer")) {
            // Telegraf reads the time key and removes it from the fields in any case.
            if let Some(key) = self.time_key.take() {
                let (format, zone) = (self.time_format.take(), self.timezone.take());
                let was = format.or(zone).unwrap_or_default();
                self.note(
                    input,
                    "timestamp_source",
                    format!("Kafka's time is used, as in Telegraf, and the record's own {key:?} ({was}) is dropped; a record without it is not rejected"),
                );
                self.exclude.push(key);
            }
            if source.as_deref() == Some("outer") && !self.is_influx() {
                self.note(
                    input,
                    "timestamp_source",
                    "each record's own time is used, not that of the compressed block around it",
                );
            }
        } else if self.time_key.is_none() {
            let whose =
                if self.is_influx() { "A line without a time gets Kafka's." } else { "The time is Kafka's." };
            self.because.push((
                "",
                format!(
                    "{whose} Telegraf uses the time of reading, so that records read again become new points."
                ),
            ));
        }
        if let Some(precision) =
            input.text("precision").filter(|text| !text.starts_with('0') && text != "1ns")
        {
            self.note(input, "precision", format!("times are not rounded to {precision}"));
        }
        if input.text("time_source").is_some_and(|source| source != "metric") {
            self.note(
                input,
                "time_source",
                "there is no collection time: the record's own time is used, or Kafka's",
            );
        }
    }

    /// Applies the input's own filter. None if it passes nothing.
    fn apply_input_filter(&mut self, input: &Options, filter: &Filter, report: &mut Report) -> Option<()> {
        match filter.takes(&Subject::of(self, None)) {
            Takes::All => {}
            Takes::None => {
                report
                    .notes
                    .add(input.note("kafka_consumer", "its own filters pass nothing: it was left out"));
                return None;
            }
            Takes::Depends(options) => {
                self.filter_or_note(input, filter, &options);
            }
        }
        Some(())
    }

    /// Turns filters that depend on the record into `where`, or notes them.
    fn filter_or_note(&mut self, plugin: &Options, filter: &Filter, depending: &[&str]) {
        for option in depending {
            let condition = filter.expression.as_deref().filter(|_| *option == "metricpass");
            match condition.and_then(|condition| metricpass::to_where(condition, self)) {
                Some(own) => {
                    let before = self.filter.take().map(|before| format!("({before}) && "));
                    self.filter = Some(format!("{}({own})", before.unwrap_or_default()));
                }
                None => self.note(plugin, option, FILTERS_STAY),
            }
        }
    }

    /// Applies `name_override`, `name_prefix` and `name_suffix` of an input or output.
    fn rename_measurement(&mut self, options: &Options) {
        if let Some(name) = options.text("name_override") {
            if let Some(key) = self.name_key.as_ref() {
                self.because.push(("measurement", format!("name_override wins over the record's {key:?}.")));
            }
            self.name_all(name);
        }
        let affixes =
            [("name_prefix", options.text("name_prefix")), ("name_suffix", options.text("name_suffix"))];
        for (option, text) in affixes {
            let Some(text) = text else { continue };
            let is_prefix = option == "name_prefix";
            if self.measurement.is_empty() {
                self.note(options, option, "each line keeps its own measurement");
                continue;
            }
            add_affix(&mut self.measurement, &text, is_prefix);
            let Some(key) = &self.name_key else { continue };
            if key.contains(['{', '}']) {
                self.note(options, option, "a name that the record has is not changed");
                continue;
            }
            let (before, after) = &mut self.name_affixes;
            add_affix(if is_prefix { before } else { after }, &text, is_prefix);
            let why = format!(
                "a record without {key:?} gets the topic's name, and a number under it is a name too; Telegraf uses {:?} for both",
                self.measurement
            );
            self.note(options, option, why);
        }
    }

    /// Gives all points this measurement.
    pub fn name_all(&mut self, name: String) {
        (self.measurement, self.is_name_template, self.name_key) = (name, false, None);
        self.name_affixes = Default::default();
    }

    /// The global tags, with the machine's name. `has_host`: the input has a tag `host` of its own.
    fn global_tags(&mut self, conf: &Conf, machine: &Machine, has_host: bool) -> Pairs {
        let mut tags: Pairs = conf.global_tags.iter().rev().cloned().collect();
        if conf.agent.flag("omit_hostname").unwrap_or(false) || has_host {
            return tags;
        }
        let named = conf.agent.text("hostname");
        let (name, because) = if let Some(name) = named.clone().or_else(|| machine.hostname.clone()) {
            let from = if named.is_some() {
                format!("the agent's hostname, {}", conf.agent.place("hostname"))
            } else {
                self.fill_in.push(format!(
                    "mapping.tags: `host` is {name:?}, the name of this machine: if Telegraf runs on another one, write its name"
                ));
                "this machine's name: if Telegraf runs on another machine, write its name".to_owned()
            };
            let why = "panels that filter by it need it";
            (name, format!("`host` is what Telegraf adds to every point ({from}); {why}."))
        } else {
            let remark = "mapping.tags: set HOSTNAME to the name of the machine that runs Telegraf";
            self.fill_in.push(remark.to_owned());
            let why = "FILL IN: Telegraf adds the name of its machine to every point as `host`.";
            ("${HOSTNAME}".to_owned(), why.to_owned())
        };
        self.because.push(("tags", because));
        // It replaces a global tag of this name.
        tags.insert(0, ("host".to_owned(), name));
        tags
    }

    /// Adds tags whose names no fixed tag has yet.
    fn add_tags(&mut self, tags: &Pairs) {
        for (key, value) in tags {
            if !value.is_empty() && !self.tags.iter().any(|(known, _)| known == key) {
                self.tags.push((key.clone(), value.clone()));
            }
        }
        self.tags.sort();
    }

    /// The rules after the filters and names of an output. None if it takes nothing from this input.
    pub fn after_output(&self, output: &Options, topics: &[String]) -> Option<Self> {
        let mut rules = self.clone();
        let filter = Filter::read(output);
        match filter.takes(&Subject::of(self, Some(topics))) {
            Takes::None if self.is_uncertain => {
                let why = "it passes nothing of what the mapping makes, and was left out, because a processor that the mapping does not have may change that";
                for option in FILTERS.iter().filter(|option| output.has(option)) {
                    rules.note(output, option, why);
                }
            }
            Takes::None => return None,
            Takes::All => {}
            Takes::Depends(options) => {
                rules.filter_or_note(output, &filter, &options);
            }
        }
        filter.modify(output, &mut rules);
        rules.rename_measurement(output);
        Some(rules)
    }
}

fn add_affix(text: &mut String, affix: &str, is_prefix: bool) {
    text.insert_str(if is_prefix { 0 } else { text.len() }, affix);
}
