//! Migrates `<match>` of `influxdb` and `influxdb2` to a `[[mapping]]` and `[influx]`.

use super::filter::FilterEffects;
use super::source::{IGNORED, RETRIES, Source, SourceTime, Topic};
use super::syntax::Section;
use super::text::Text;
use super::{buffer, server, time};
use crate::Notes;
use crate::draft_tables::DraftTables;
use crate::plugin::{Options, Setting};
use crate::values::exact_glob;
use configuration::draft::{Table, literal};

/// The records that reach an output.
pub struct Incoming<'a> {
    pub source: &'a Source<'a>,
    pub topics: Vec<&'a Topic>,
    pub effects: FilterEffects,
    pub time: Option<SourceTime>,
    /// Whether other mappings exist for other topics.
    pub is_one_of_several: bool,
}

/// Adds the mapping of an output to a bridge that writes to its server. The first output also fills `[influx]`.
pub fn add(section: &Section, incoming: &Incoming<'_>, draft: &mut DraftTables, notes: &mut Notes) {
    let is_v2 = section.plugin() == "influxdb2";
    let mut options = Options::new(section.plugin(), &section.options);
    for name in ["@type", "type"] {
        options.take(name);
    }
    let mut mapping = Table::new("[[mapping]]");
    if incoming.is_one_of_several {
        let topics: Vec<&str> = incoming.topics.iter().map(|topic| topic.entry.as_str()).collect();
        mapping.set("topics", topics);
    }
    incoming.source.set_format(&mut mapping);
    measurement(&mut options, incoming, &mut mapping, notes);
    let tags = tag_keys(&mut options, is_v2, &mut mapping);
    fixed_tags(&mut options, incoming, &tags, &mut mapping, notes);
    fields(&mut options, incoming, is_v2, &mut mapping, notes);
    times(&mut options, incoming, is_v2, &mut mapping, notes);
    server::add(&mut options, section, is_v2, &mut mapping, draft, notes);
    buffer::add(&mut options, section, draft, notes);
    options.finish(WITHOUT_COUNTERPART, IGNORED, notes);
    injected(section, notes);
    draft.mappings.push(mapping);
}

/// Sets the measurement: the option `measurement`, else Fluentd's tag.
fn measurement(
    options: &mut Options<'_, Text>,
    incoming: &Incoming<'_>,
    mapping: &mut Table,
    notes: &mut Notes,
) {
    let mut tag = incoming.source.tag();
    let affix = |setting: Option<&Setting<Text>>| setting.map(|setting| setting.value.text.clone());
    if let Some(prefix) = affix(options.take("remove_tag_prefix")) {
        tag = tag.strip_prefix(&prefix).unwrap_or(&tag).trim_start_matches('.').to_owned();
    }
    if let Some(suffix) = affix(options.take("remove_tag_suffix")) {
        tag = tag.strip_suffix(&suffix).unwrap_or(&tag).trim_end_matches('.').to_owned();
    }
    tag = affix(options.take("add_tag_prefix")).unwrap_or_default() + &tag;
    tag += &affix(options.take("add_tag_suffix")).unwrap_or_default();
    let named = options.take("measurement");
    let text = named.map(|setting| setting.value.text.replace("$${tag}", &tag));
    match (named, text) {
        (Some(setting), Some(text)) if text.contains("$${") => {
            let key = text.strip_prefix("$${").and_then(|rest| rest.strip_suffix('}'));
            if let Some(key) = key.filter(|key| !key.contains(['$', '{', '[', '}'])) {
                mapping.set("name_key", key.trim_start_matches("$."));
            } else {
                let why = "it can't be composed of parts of the tag or the record: `measurement` supports {topic}, and `name_key` one key";
                notes.add_to(mapping, setting.place.note("measurement", why));
            }
            set_measurement(mapping, &tag);
        }
        (_, Some(text)) => {
            mapping.set("measurement", text);
        }
        (_, None) => set_measurement(mapping, &tag),
    }
}

/// Sets `measurement` unless it is the topic, which is the default.
fn set_measurement(mapping: &mut Table, tag: &str) {
    if tag != "{topic}" {
        mapping.set_because("measurement", tag, &["Fluentd's tag"]);
    }
}

/// Sets `tag_keys` and returns the keys.
fn tag_keys(options: &mut Options<'_, Text>, is_v2: bool, mapping: &mut Table) -> Vec<String> {
    let keys = options.take("tag_keys").map(|setting| setting.value.list()).unwrap_or_default();
    let globs = flattened(&keys, is_v2);
    if !globs.is_empty() {
        mapping.set("tag_keys", globs);
    }
    let renamed: toml::Table = keys
        .iter()
        .filter(|key| is_v2 && key.contains('.'))
        .map(|key| (key.replace('.', "_"), toml::Value::from(key.as_str())))
        .collect();
    if !renamed.is_empty() {
        mapping.set_because(
            "rename",
            renamed,
            &["Fluentd joined nested keys by \".\", the bridge joins them by \"_\"."],
        );
    }
    if options.take("auto_tags").and_then(|setting| setting.value.flag()) == Some(true) {
        let lines = [
            "Every string was a tag (auto_tags). The bridge needs a list: add the keys of strings that you filter and group by.",
            "The others are fields, because of string_fields.",
        ];
        if keys.is_empty() {
            mapping.suggest("tag_keys", vec!["KEY"], &lines);
        } else {
            for line in lines {
                mapping.comment(line);
            }
        }
    }
    keys
}

/// Keys as globs over flattened keys: influxdb2 joins nested keys by ".", the bridge by "_".
fn flattened(keys: &[String], is_v2: bool) -> Vec<String> {
    let mut globs = Vec::new();
    for key in keys {
        globs.push(exact_glob(key));
        if is_v2 && key.contains('.') {
            globs.push(exact_glob(&key.replace('.', "_")));
        }
    }
    globs
}

/// Sets the tags that filters and `tag_fluentd` add.
fn fixed_tags(
    options: &mut Options<'_, Text>,
    incoming: &Incoming<'_>,
    tag_keys: &[String],
    mapping: &mut Table,
    notes: &mut Notes,
) {
    let mut fixed = toml::Table::new();
    for (key, value, place) in &incoming.effects.constants {
        if tag_keys.contains(key) {
            fixed.insert(key.clone(), literal(value).into());
        } else {
            let why = format!(
                "the bridge adds no field with a fixed value; as a tag it is tags = {{ {key} = \"...\" }} in [[mapping]]"
            );
            notes.add_to(mapping, place.note(key, why));
        }
    }
    if !fixed.is_empty() {
        mapping.set_because("tags", fixed, &["These are added where the record has no tag of that name."]);
    }
    let key = incoming.source.section.option("kafka_message_key").map(|setting| &setting.value.text);
    if let Some(key) = key.filter(|key| tag_keys.contains(key)) {
        mapping.set("key_tag", key.as_str());
    }
    let by_option = options.take("tag_fluentd").filter(|setting| setting.value.flag() == Some(true));
    let by_filter = incoming.effects.tag_keys_of_tag.iter().filter(|(key, _)| tag_keys.contains(key));
    let of_tag = by_filter.map(|(key, place)| (key.as_str(), place)).next();
    let of_tag = by_option.map(|setting| ("fluentd", &setting.place)).or(of_tag);
    if let Some((key, place)) = of_tag {
        mapping.set("topic_tag", key);
        if incoming.source.has_affixes() {
            notes.add_to(
                mapping,
                place.note(key, "in the bridge it is the topic, without prefix and suffix of the tag"),
            );
        }
    }
}

fn fields(
    options: &mut Options<'_, Text>,
    incoming: &Incoming<'_>,
    is_v2: bool,
    mapping: &mut Table,
    notes: &mut Notes,
) {
    mapping.set_because(
        "string_fields",
        vec!["*"],
        &["Every string and boolean is a field, unless it is a tag."],
    );
    let cast = if is_v2 { "field_cast_to_float" } else { "cast_number_to_float" };
    if options.take(cast).and_then(|setting| setting.value.flag()) != Some(true) {
        mapping.set_because(
            "integers",
            "int",
            &["Fluentd stored integers. A field that is sometimes 5 and sometimes 5.5 needs \"float\", in a new measurement."],
        );
    }
    let mut kept = options.take("field_keys").map(|setting| setting.value.list()).unwrap_or_default();
    kept.extend(incoming.effects.kept.iter().cloned());
    if !kept.is_empty() {
        mapping.set("include", flattened(&kept, is_v2));
    }
    if !incoming.effects.removed.is_empty() {
        mapping.set("exclude", flattened(&incoming.effects.removed, is_v2));
    }
    if is_v2 {
        mapping.comment("Nested objects: the field cpu.system becomes cpu_system; rename = { \"cpu_*\" = \"cpu.*\" } keeps the old names.");
    } else {
        mapping.comment("Nested objects and lists become separate fields, such as cpu_system and rate_0. Fluentd's plugin could not store them.");
    }
    if let Some(setting) = options.take("retention_policy_key") {
        let why = "a record can't choose its retention policy: use a separate [[mapping]] for other topics";
        notes.add_to(mapping, setting.place.note("retention_policy_key", why));
    }
}

fn times(
    options: &mut Options<'_, Text>,
    incoming: &Incoming<'_>,
    is_v2: bool,
    mapping: &mut Table,
    notes: &mut Notes,
) {
    let precision = options.take("time_precision");
    let precision_text =
        precision.map_or(if is_v2 { "ns" } else { "s" }, |setting| setting.value.text.as_str());
    let own_key = options.take("time_key");
    let sequence = options.take("sequence_tag");
    let (key, format) = if let Some(setting) = own_key {
        let format = time::of_precision(precision_text);
        if format.is_none() {
            let why = format!("times can't have the unit {precision_text:?}");
            notes.add(setting.place.note("time_key", why));
        }
        (Some(setting.value.text.as_str()), format.map(str::to_owned))
    } else if let Some(key) = &incoming.effects.time_key {
        (Some(key.as_str()), Some("unix".to_owned()))
    } else if let Some(time) = &incoming.time {
        (Some(time.key.as_str()), time.format.clone())
    } else {
        (None, None)
    };
    match (key, format) {
        (Some(key), Some(format)) => {
            mapping
                .set_because(
                    "time_key",
                    key,
                    &["Records without it are rejected; Fluentd used its own clock for them."],
                )
                .set("time_format", format.as_str());
            if !time::has_zone(&format) {
                mapping.suggest(
                    "timezone",
                    "UTC",
                    &["Fluentd read times without a zone in the zone of its machine."],
                );
            }
        }
        (Some(key), None) => {
            mapping.suggest("time_key", key, &["Its format could not be migrated."]).suggest(
                "time_format",
                "unix",
                &[],
            );
        }
        (None, _) => no_time_key(precision_text, is_v2, mapping),
    }
    if let Some(setting) = sequence {
        if key.is_some() {
            mapping.set_because("distinct_times", "always", &["Instead of sequence_tag."]);
        }
        let why = "a counting tag makes every point a separate series: distinct_times separates points of the same time instead";
        notes.add(setting.place.note("sequence_tag", why));
    }
}

fn no_time_key(precision: &str, is_v2: bool, mapping: &mut Table) {
    mapping.comment("The time of a point is that of its Kafka record, not the time of reading.");
    if !is_v2 {
        // This is only a suggestion in a comment. Seconds are Fluentd's default.
        let format = time::of_precision(precision).unwrap_or("unix");
        let lines = ["Fluentd used the \"time\" of records that have it. If all your records have it:"];
        mapping.suggest("time_key", "time", &lines).suggest("time_format", format, &[]);
    }
}

/// Notes `<inject>`, whose effects have options in the bridge.
fn injected(section: &Section, notes: &mut Notes) {
    for inject in section.children("inject") {
        let why = "the bridge adds nothing to records: use `topic_tag` for the topic and `tags` for fixed values; points have their own time";
        notes.add(inject.place.note("<inject>", why));
    }
    let known = ["buffer", "inject", "format", "secondary"];
    for other in section.sections.iter().filter(|section| !known.contains(&section.name.as_str())) {
        notes.add(other.place.note(&format!("<{}>", other.name), "it has no counterpart"));
    }
    for secondary in section.children("secondary") {
        let why = "refused records go to [dead_letter], a topic or a file";
        notes.add(secondary.place.note("<secondary>", why));
    }
}

const WITHOUT_COUNTERPART: &[(&str, &str)] = &[
    ("@id", ""),
    ("@label", ""),
    ("@log_level", "use `level` of [log]"),
    ("include_tag_key", "the topic becomes a tag with topic_tag = \"NAME\""),
    ("include_time_key", "points have their own time"),
    ("retry", RETRIES),
    ("retry_limit", RETRIES),
    ("retry_wait", RETRIES),
    ("max_retry_wait", RETRIES),
    ("disable_retry_limit", RETRIES),
    ("slow_flush_log_threshold", "/metrics and the status page show how long writes take"),
];
