//! Migrates filters as far as a mapping has counterparts.

use super::conditions::KnownFields;
use super::names::{self, OfKafka};
use super::syntax::{Plugin, Value};
use super::{REFUSED, joda};
use crate::Notes;
use crate::plugin::{Options, Setting, SourceLine};

/// The effects of the filters on events.
#[derive(Debug, Default)]
pub struct FilterEffects {
    /// The filter `json` parses the text of the record.
    pub reads_json: bool,
    /// The key for the result of that filter.
    pub target: Option<String>,
    /// Flattened keys of the record and their final names.
    pub renamed: Vec<(String, String)>,
    /// Keys of the record whose strings become numbers.
    pub numbers: Vec<String>,
    /// Keys of the record that become floats.
    pub as_floats: Vec<String>,
    /// Fields with the same value in every event.
    pub constants: Vec<(String, String, SourceLine)>,
    /// Fields with metadata of Kafka.
    pub of_kafka: Vec<(String, OfKafka)>,
    /// Keys of the record that are removed.
    pub removed: Vec<String>,
    pub time: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// A key of the record.
    pub key: String,
    pub format: Option<String>,
    pub zone: Option<String>,
}

impl FilterEffects {
    /// The record's key of a field, after the renames of the filters so far.
    pub fn original(&self, reference: &str) -> String {
        let name = names::key(reference);
        if let Some((from, _)) = self.renamed.iter().find(|(_, to)| *to == name) {
            return from.clone();
        }
        let of_target =
            self.target.as_ref().and_then(|target| name.strip_prefix(target.as_str())?.strip_prefix('_'));
        of_target.map_or_else(|| name.clone(), str::to_owned)
    }

    fn rename(&mut self, from: &str, to: &str) {
        let (from, to) = (self.original(from), names::key(to));
        self.renamed.retain(|(known, _)| *known != from);
        self.renamed.push((from, to));
    }
}

/// Reads the filters. `known` decides which apply to every record; other conditions are noted.
pub fn read(plugins: &[&Plugin], known: &KnownFields, notes: &mut Notes) -> FilterEffects {
    let (mut effects, before) = (FilterEffects::default(), notes.len());
    for filter in plugins.iter().filter(|plugin| plugin.section == "filter") {
        let mut options = Options::new(&filter.name, &filter.settings);
        match filter.name.as_str() {
            "json" => json(filter, &mut options, &mut effects, notes),
            "mutate" => mutate(&mut options, &mut effects, notes),
            "date" => date(filter, &mut options, &mut effects, notes),
            other => {
                notes.add(filter.place.note(other, without_counterpart(other)));
                continue;
            }
        }
        super::note_conditions(filter, known, notes);
        common(&mut options, &mut effects, notes);
        options.finish(KNOWN, REFUSED, notes);
    }
    notes.concern_points_after(before);
    effects
}

fn without_counterpart(filter: &str) -> String {
    let instead = match filter {
        "grok" | "dissect" | "kv" | "csv" | "xml" => {
            "the bridge does not parse text: let the producer write JSON"
        }
        "drop" | "throttle" => "the bridge maps every record of a topic and does not filter by value",
        "split" => {
            "`query` of [[mapping]] makes a point of each object of an array, as in query = \"$.items[*]\""
        }
        "prune" => "`include` and `exclude` of [[mapping]] select fields",
        "ruby" => "the bridge runs no code",
        "geoip" | "translate" | "dns" | "useragent" | "elasticsearch" | "jdbc_streaming" | "memcached" => {
            "the bridge does not look up values"
        }
        "aggregate" | "metrics" => "the bridge does not aggregate: use tasks of InfluxDB",
        "fingerprint" | "uuid" => "points need no identifiers: the same record always becomes the same point",
        _ => "the bridge maps records and does not transform them",
    };
    format!("it has no counterpart: {instead}")
}

fn json(filter: &Plugin, options: &mut Options<'_, Value>, effects: &mut FilterEffects, notes: &mut Notes) {
    let source = options.take("source").and_then(|setting| setting.value.text()).unwrap_or("message");
    let target = options.take("target").and_then(|setting| setting.value.text());
    if names::key(source) == "message" {
        effects.reads_json = true;
        effects.target = target.map(names::key);
    } else {
        let why = "the bridge does not parse JSON in a string of the record: let the producer write it without quotes";
        notes.add(filter.place.note("json", why));
    }
}

fn date(filter: &Plugin, options: &mut Options<'_, Value>, effects: &mut FilterEffects, notes: &mut Notes) {
    let target = options.take("target").and_then(|setting| setting.value.text());
    let zone = options.take("timezone").and_then(|setting| setting.value.text()).map(str::to_owned);
    let Some(setting) = options.take("match") else { return };
    let list = setting.value.list();
    let [field, formats @ ..] = &list[..] else { return };
    if target.is_some_and(|target| names::key(target) != "@timestamp") {
        let why = "only the time of the point is parsed; other times stay text";
        notes.add(filter.place.note("date", why));
        return;
    }
    if formats.len() > 1 {
        notes.add(
            setting
                .place
                .note("match", "a mapping has one time_format: the first with a counterpart is used"),
        );
    }
    let tried: Vec<_> = formats.iter().map(|format| joda::format(format)).collect();
    let format = tried.iter().find_map(|format| format.as_ref().ok()).cloned();
    if let (None, Some(Err(why))) = (&format, tried.first()) {
        notes.add(setting.place.note("match", why.as_str()));
    }
    effects.time = Some(Time { key: effects.original(field), format, zone });
}

fn mutate(options: &mut Options<'_, Value>, effects: &mut FilterEffects, notes: &mut Notes) {
    // Logstash applies the options in this order, not in that of the file.
    for setting in options.take_all("rename") {
        for (from, to) in texts_of(setting, notes) {
            effects.rename(from, to);
        }
    }
    for setting in options.take_all("convert") {
        for (name, kind) in texts_of(setting, notes) {
            convert(name, kind, setting, effects, notes);
        }
    }
    for (name, why) in [
        ("coerce", "the bridge does not fill in missing values"),
        ("update", COMPUTED),
        ("replace", COMPUTED),
        ("gsub", COMPUTED),
        ("uppercase", COMPUTED),
        ("lowercase", COMPUTED),
        ("capitalize", COMPUTED),
        ("strip", COMPUTED),
        ("split", COMPUTED),
        ("join", COMPUTED),
        ("merge", COMPUTED),
        ("copy", "a key becomes only one tag or field"),
    ] {
        for setting in options.take_all(name) {
            notes.add(setting.place.note(name, why));
        }
    }
}

const COMPUTED: &str = "the bridge does not change values: let the producer do so";

fn convert(name: &str, kind: &str, setting: &Setting<Value>, effects: &mut FilterEffects, notes: &mut Notes) {
    let key = effects.original(name);
    match kind {
        "integer" | "integer_eu" => effects.numbers.push(key),
        "float" | "float_eu" => {
            effects.numbers.push(key.clone());
            effects.as_floats.push(key);
        }
        _ => {
            let why = format!("{name} does not become a {kind}: the value of the record is stored");
            notes.add(setting.place.note("convert", why));
        }
    }
}

/// The pairs of an option whose values are strings; the others are noted.
pub fn texts_of<'s>(setting: &'s Setting<Value>, notes: &mut Notes) -> Vec<(&'s str, &'s str)> {
    let (texts, others) = setting.value.text_pairs();
    for name in others {
        let why = format!("{name} has a list or a hash, but only a string can be migrated");
        notes.add(setting.place.note(&setting.name, why));
    }
    texts
}

/// Reads the options that every filter has.
fn common(options: &mut Options<'_, Value>, effects: &mut FilterEffects, notes: &mut Notes) {
    for setting in options.take_all("add_field") {
        for (name, text) in texts_of(setting, notes) {
            match names::reference(text).map(|reference| (reference, names::of_kafka(reference))) {
                Some((_, Some(of_kafka))) => effects.of_kafka.push((names::key(name), of_kafka)),
                Some(_) => notes.add(setting.place.note("add_field", COPIED)),
                None if names::is_fixed(text) => {
                    effects.constants.push((names::key(name), text.to_owned(), setting.place.clone()));
                }
                None => {
                    notes.add(setting.place.note("add_field", "a field can't be composed of others"));
                }
            }
        }
    }
    for setting in options.take_all("remove_field") {
        let names = setting.value.list();
        let removed = names.iter().map(|name| effects.original(name));
        let removed: Vec<String> = removed.filter(|key| !names::is_of_logstash(key)).collect();
        effects.removed.extend(removed);
    }
}

const COPIED: &str = "a key becomes one tag or field; `rename` gives it another name";

const KNOWN: &[(&str, &str)] = &[
    ("id", ""),
    ("enable_metric", ""),
    ("periodic_flush", ""),
    ("locale", "names of months and days must be English"),
    ("skip_on_invalid_json", "a record that is not JSON is rejected, counted, and kept as a dead letter"),
    ("tag_on_failure", "a record that can't be read is rejected, counted, and kept as a dead letter"),
    ("add_tag", "the bridge does not mark records"),
    ("remove_tag", "the bridge does not mark records"),
];
