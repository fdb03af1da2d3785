//! What of a `[[mapping]]` the filters and the input say, whatever the output is.

use super::filters::{Changes, Time};
use super::kafka::Records;
use super::names::OfKafka;
use crate::Notes;
use crate::parts::exact_glob;
use configuration::draft::Table;
use toml::Value;

/// Fields named `names` of events, `keys` of records, become tags; fixed ones too.
pub fn tags(names: &[String], keys: &[String], table: &mut Table, changes: &mut Changes) {
    let (fixed, others): (Vec<_>, Vec<_>) =
        changes.constants.drain(..).partition(|(name, _, _)| names.contains(name));
    changes.constants = others;
    let of_kafka: Vec<&String> = changes.of_kafka.iter().map(|(name, _)| name).collect();
    let of_record =
        keys.iter().filter(|key| !of_kafka.contains(key) && !fixed.iter().any(|(name, ..)| name == *key));
    let globs: Vec<String> = of_record.map(|key| exact_glob(key)).collect();
    if !globs.is_empty() {
        table.set("tag_keys", globs);
    }
    if !fixed.is_empty() {
        let fixed: toml::Table = fixed.into_iter().map(|(name, value, _)| (name, value.into())).collect();
        table.set_because("tags", fixed, &["Where the record gave none of that name."]);
    }
}

/// The rest, after the output has taken what it says of it.
pub fn finish(table: &mut Table, changes: Changes, records: &Records, notes: &mut Notes) {
    if let Some(format) = records.format.filter(|format| *format != "json") {
        table.set("format", format);
    }
    if records.format.is_none() && !changes.reads_json {
        let why =
            "the records are text for Logstash, and no json filter reads it: the bridge reads JSON only";
        notes.add_to(table, records.codec_place.note("codec", why));
    }
    for (name, of_kafka) in &changes.of_kafka {
        match of_kafka {
            OfKafka::Topic => table.set("topic_tag", name.as_str()),
            OfKafka::Partition => table.set("partition_tag", name.as_str()),
            OfKafka::Offset => table.set("offset_field", name.as_str()),
            OfKafka::Key => table.set("key_tag", name.as_str()),
            OfKafka::Timestamp | OfKafka::Other => table,
        };
    }
    for (name, _, place) in &changes.constants {
        let why = format!(
            "a field of one value in every point is not added; as a tag it is tags = {{ {name} = \"...\" }} in [[mapping]]"
        );
        notes.add_to(table, place.note(name, why));
    }
    let mut numbers = changes.numbers;
    numbers.sort();
    numbers.dedup();
    if !numbers.is_empty() {
        let globs: Vec<String> = numbers.iter().map(|key| exact_glob(key)).collect();
        let keeps_all = table
            .get("string_fields")
            .and_then(Value::as_array)
            .is_some_and(|list| list.contains(&"*".into()));
        if keeps_all {
            let lines = [
                "Logstash made numbers of these. Where your records have them in quotes: name your strings in string_fields",
                "one by one, since \"*\" keeps those as text too, and switch this on.",
            ];
            table.suggest("number_fields", globs, &lines);
        } else {
            table.set("number_fields", globs);
        }
    }
    if !changes.removed.is_empty() {
        table.set("exclude", changes.removed.iter().map(|key| exact_glob(key)).collect::<Vec<_>>());
    }
    let renamed = changes.renamed.into_iter().map(|(from, to)| (from, to.into()));
    let target = changes.target.map(|target| ("*".to_owned(), format!("{target}_*").into()));
    let renamed: toml::Table =
        renamed.filter(|(from, _): &(String, Value)| !from.contains('*')).chain(target).collect();
    if !renamed.is_empty() {
        table.set("rename", renamed);
    }
    times(table, changes.time);
}

fn times(table: &mut Table, time: Option<Time>) {
    let Some(time) = time else {
        table.comment(
            "Points carry the time that Kafka gave their records, not the one at which they were read.",
        );
        let lines = ["Logstash took a record's \"@timestamp\", where it had one. If all of yours have it:"];
        table.suggest("time_key", "@timestamp", &lines).suggest("time_format", "rfc3339", &[]);
        return;
    };
    let Some(format) = time.format else {
        let lines = ["Its format could not be migrated."];
        table.suggest("time_key", time.key, &lines).suggest("time_format", "%Y-%m-%d %H:%M:%S", &[]);
        return;
    };
    let has_zone = format.starts_with("unix") || format.contains("%z") || format.contains("%:z");
    let because = ["Records without it are rejected; Logstash dated them by its own clock."];
    table.set_because("time_key", time.key, &because).set("time_format", format);
    if let Some(zone) = time.zone {
        table.set("timezone", zone);
    } else if !has_zone {
        table.suggest("timezone", "UTC", &["Logstash took times without a zone in that of its machine."]);
    }
}
