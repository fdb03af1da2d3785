//! Fills the keys of a `[[mapping]]` that come from the filters and the input.

use super::filters::{FilterEffects, Time};
use super::kafka::Records;
use super::names::OfKafka;
use crate::Notes;
use crate::values::exact_glob;
use configuration::draft::Table;
use toml::Value;

/// Sets tags: fields `names` of events, which are `keys` of records or fixed.
pub fn tags(names: &[String], keys: &[String], table: &mut Table, effects: &mut FilterEffects) {
    let (fixed, others): (Vec<_>, Vec<_>) =
        effects.constants.drain(..).partition(|(name, _, _)| names.contains(name));
    effects.constants = others;
    let of_kafka: Vec<&String> = effects.of_kafka.iter().map(|(name, _)| name).collect();
    let of_record =
        keys.iter().filter(|key| !of_kafka.contains(key) && !fixed.iter().any(|(name, ..)| name == *key));
    let globs: Vec<String> = of_record.map(|key| exact_glob(key)).collect();
    if !globs.is_empty() {
        table.set("tag_keys", globs);
    }
    if !fixed.is_empty() {
        let fixed: toml::Table = fixed.into_iter().map(|(name, value, _)| (name, value.into())).collect();
        table.set_because("tags", fixed, &["These are added where the record has no tag of that name."]);
    }
}

/// Sets the keys that the output did not set.
pub fn finish(table: &mut Table, effects: FilterEffects, records: &Records, notes: &mut Notes) {
    if let Some(format) = records.format.filter(|format| *format != "json") {
        table.set("format", format);
    }
    if records.format.is_none() && !effects.reads_json {
        let why = "the records are text for Logstash, without a json filter: set `format` of [[mapping]], or let the producer write JSON";
        notes.add_to(table, records.codec_place.note("codec", why));
    }
    for (name, of_kafka) in &effects.of_kafka {
        match of_kafka {
            OfKafka::Topic => table.set("topic_tag", name.as_str()),
            OfKafka::Partition => table.set("partition_tag", name.as_str()),
            OfKafka::Offset => table.set("offset_field", name.as_str()),
            OfKafka::Key => table.set("key_tag", name.as_str()),
            OfKafka::Timestamp | OfKafka::Other => table,
        };
    }
    for (name, _, place) in &effects.constants {
        let why = format!(
            "the bridge adds no field with a fixed value; as a tag it is tags = {{ {name} = \"...\" }} in [[mapping]]"
        );
        notes.add_to(table, place.note(name, why));
    }
    let mut numbers = effects.numbers;
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
                "Logstash turned these into numbers. If your records have them in quotes, list your strings in string_fields",
                "one by one, because \"*\" keeps these as text too, and switch this on.",
            ];
            table.suggest("number_fields", globs, &lines);
        } else {
            table.set("number_fields", globs);
        }
    }
    if !effects.removed.is_empty() {
        table.set("exclude", effects.removed.iter().map(|key| exact_glob(key)).collect::<Vec<_>>());
    }
    let renamed = effects.renamed.into_iter().map(|(from, to)| (from, to.into()));
    let target = effects.target.map(|target| ("*".to_owned(), format!("{target}_*").into()));
    let renamed: toml::Table =
        renamed.filter(|(from, _): &(String, Value)| !from.contains('*')).chain(target).collect();
    if !renamed.is_empty() {
        table.set("rename", renamed);
    }
    times(table, effects.time);
}

fn times(table: &mut Table, time: Option<Time>) {
    let Some(time) = time else {
        table.comment("The time of a point is that of its Kafka record, not the time of reading.");
        let lines =
            ["Logstash used the \"@timestamp\" of records that have it. If all your records have it:"];
        table.suggest("time_key", "@timestamp", &lines).suggest("time_format", "rfc3339", &[]);
        return;
    };
    let Some(format) = time.format else {
        let lines = ["Its format could not be migrated."];
        table.suggest("time_key", time.key, &lines).suggest("time_format", "%Y-%m-%d %H:%M:%S", &[]);
        return;
    };
    let has_zone = format.starts_with("unix") || format.contains("%z") || format.contains("%:z");
    let because = ["Records without it are rejected; Logstash used its own clock for them."];
    table.set_because("time_key", time.key, &because).set("time_format", format);
    if let Some(zone) = time.zone {
        table.set("timezone", zone);
    } else if !has_zone {
        table.suggest("timezone", "UTC", &["Logstash read times without a zone in the zone of its machine."]);
    }
}
