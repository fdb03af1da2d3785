//! Migrates the input `kafka` to `[kafka]`.

use super::syntax::{Plugin, Value};
use crate::Notes;
use crate::draft_tables::DraftTables;
use crate::plugin::{Options, Setting, SourceLine};
use crate::values::{MatchedPart, topic_pattern};

/// The options of an input that concern its records.
pub struct Records {
    /// None for plain text, which only a filter can turn into JSON.
    pub format: Option<&'static str>,
    pub codec_place: SourceLine,
    /// Fields with the same value in every event.
    pub constants: Vec<(String, String, SourceLine)>,
}

pub fn read(input: &Plugin, draft: &mut DraftTables, notes: &mut Notes) -> Records {
    let mut options = Options::new("the kafka input", &input.settings);
    let text = |setting: Option<&Setting<Value>>| {
        setting.and_then(|setting| setting.value.text()).map(str::to_owned)
    };
    let brokers = options.take("bootstrap_servers").map(|setting| setting.value.list().join(","));
    let brokers = brokers.unwrap_or_else(|| "localhost:9092".to_owned());
    let brokers: Vec<&str> = brokers.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    draft.kafka.set("brokers", brokers);
    topics(&mut options, draft, notes);
    draft.kafka.set_because(
        "group_id",
        text(options.take("group_id")).unwrap_or_else(|| "logstash".to_owned()),
        &["Logstash's group: the bridge continues after Logstash's last commit."],
    );
    if let Some(client) = text(options.take("client_id")) {
        draft.kafka.set("client_id", client);
    }
    match text(options.take("auto_offset_reset")).as_deref() {
        Some("none") => draft.kafka.set("offset_reset", "error"),
        Some(reset) => draft.kafka.set("offset_reset", reset),
        None => draft.kafka.suggest(
            "offset_reset",
            "latest",
            &["Logstash's default without a committed offset. The bridge's default, \"earliest\", misses no records."],
        ),
    };
    if let Some(instance) = text(options.take("group_instance_id")) {
        draft.kafka.set("instance_id", instance);
    }
    if let Some(setting) = options.take("consumer_threads") {
        match setting.value.text().and_then(|text| text.parse::<i64>().ok()) {
            Some(threads) if threads > 1 => {
                let line = format!(
                    "Logstash had {threads} threads. One consumer is faster than an InfluxDB; raise it only if one core is not enough."
                );
                draft.kafka.suggest("consumers", threads.min(64), &[&line]);
            }
            Some(_) => {}
            None => {
                let why = "it is not a number: one consumer is faster than an InfluxDB; `kafka.consumers` sets more";
                notes.add(setting.place.note("consumer_threads", why));
            }
        }
    }
    for (name, property) in [("client_rack", "client.rack"), ("isolation_level", "isolation.level")] {
        if let Some(value) = text(options.take(name)) {
            draft.librdkafka().set(property, value);
        }
    }
    super::security::add(&mut options, input, draft, notes);
    let records = records(&mut options, input, notes);
    options.finish(WITHOUT_COUNTERPART, super::REFUSED, notes);
    records
}

fn topics(options: &mut Options<'_, Value>, draft: &mut DraftTables, notes: &mut Notes) {
    let named = options.take("topics");
    if let Some(setting) = options.take("topics_pattern") {
        // A list gives the empty text, which is refused as a pattern.
        match topic_pattern(&setting.value.text().unwrap_or_default().replace("$$", "$"), MatchedPart::Whole)
        {
            Ok(pattern) => {
                draft.kafka.set("topics", vec![pattern]);
                return;
            }
            Err(why) => notes.add(setting.place.note("topics_pattern", why)),
        }
    }
    let topics = named.map(|setting| setting.value.list()).filter(|topics| !topics.is_empty());
    draft.kafka.set("topics", topics.unwrap_or_else(|| vec!["logstash"]));
}

fn records(options: &mut Options<'_, Value>, input: &Plugin, notes: &mut Notes) -> Records {
    let codec = options.take("codec");
    let codec_place = codec.map_or_else(|| input.place.clone(), |setting| setting.place.clone());
    let format = match codec.and_then(|setting| setting.value.text()) {
        Some("json") => Some("json"),
        Some("json_lines") => Some("json_lines"),
        Some("msgpack") => Some("msgpack"),
        Some("plain" | "line") | None => None,
        Some(other) => {
            let why = format!("the bridge does not read {other:?}: let the producer write JSON");
            notes.add(codec_place.note("codec", why));
            Some("json")
        }
    };
    if let Some(Value::Plugin(codec)) = codec.map(|setting| &setting.value)
        && ["json", "json_lines", "msgpack", "plain", "line"].contains(&codec.name.as_str())
    {
        Options::new(&codec.name, &codec.settings).finish(OF_CODEC, super::REFUSED, notes);
    }
    let mut constants = Vec::new();
    if let Some(setting) = options.take("type")
        && let Some(value) = setting.value.text()
    {
        constants.push(("type".to_owned(), value.to_owned(), setting.place.clone()));
    }
    for setting in options.take_all("add_field") {
        for (name, value) in super::filters::texts_of(setting, notes) {
            constants.push((super::names::key(name), value.to_owned(), setting.place.clone()));
        }
    }
    if let Some(setting) = options.take("decorate_events")
        && !matches!(setting.value.text(), Some("false" | "none"))
    {
        let why = "use topic_tag, partition_tag, key_tag, header_tags and offset_field of [[mapping]]";
        notes.add(setting.place.note("decorate_events", why));
    }
    Records { format, codec_place, constants }
}

const COMMITS: &str = "the bridge commits offsets of stored records only, by itself";
const TUNING: &str = "it is not needed: the bridge bounds its own prefetch";
const SESSION: &str = "the bridge has its own values, which fit its polling; [kafka.librdkafka] sets others";
const REGISTRY: &str = "write the registry into [schema_registry], and format = \"avro\" into [[mapping]]";
const BY_FORMAT: &str = "`format` of [[mapping]] sets the format of records";

/// Options of codecs.
const OF_CODEC: &[(&str, &str)] = &[
    ("id", ""),
    ("enable_metric", ""),
    ("ecs_compatibility", ""),
    ("charset", "records are always read as UTF-8: let the producer write it"),
    ("delimiter", "the values of a record stand in lines, or directly behind one another"),
    ("target", "keys of the record stay at the top: `rename` of [[mapping]] gives them other names"),
    ("format", "the bridge writes no messages of its own"),
];

const WITHOUT_COUNTERPART: &[(&str, &str)] = &[
    ("id", ""),
    ("enable_metric", ""),
    ("tags", "the bridge does not mark records; `tags` of [[mapping]] adds fixed tags to points"),
    ("auto_commit_interval_ms", COMMITS),
    ("enable_auto_commit", COMMITS),
    ("auto_create_topics", "the bridge creates no topics"),
    ("check_crcs", TUNING),
    ("client_dns_lookup", TUNING),
    ("connections_max_idle_ms", TUNING),
    ("exclude_internal_topics", "the bridge reads the named topics and those that match a pattern"),
    ("fetch_max_bytes", TUNING),
    ("fetch_max_wait_ms", TUNING),
    ("fetch_min_bytes", TUNING),
    ("heartbeat_interval_ms", SESSION),
    ("key_deserializer_class", BY_FORMAT),
    ("max_partition_fetch_bytes", TUNING),
    ("max_poll_interval_ms", SESSION),
    ("max_poll_records", TUNING),
    ("metadata_max_age_ms", "new topics and partitions are found within 10 s"),
    (
        "partition_assignment_strategy",
        "the bridge uses cooperative-sticky; \"partition.assignment.strategy\" in [kafka.librdkafka] sets another",
    ),
    ("poll_timeout_ms", TUNING),
    ("receive_buffer_bytes", TUNING),
    ("reconnect_backoff_ms", TUNING),
    ("request_timeout_ms", TUNING),
    ("retry_backoff_ms", TUNING),
    ("send_buffer_bytes", TUNING),
    ("session_timeout_ms", SESSION),
    ("value_deserializer_class", BY_FORMAT),
    ("schema_registry_key", REGISTRY),
    ("schema_registry_proxy", REGISTRY),
    ("schema_registry_secret", REGISTRY),
    ("schema_registry_ssl_keystore_location", REGISTRY),
    ("schema_registry_ssl_keystore_password", REGISTRY),
    ("schema_registry_ssl_keystore_type", REGISTRY),
    ("schema_registry_ssl_truststore_location", REGISTRY),
    ("schema_registry_ssl_truststore_password", REGISTRY),
    ("schema_registry_ssl_truststore_type", REGISTRY),
    ("schema_registry_url", REGISTRY),
    ("schema_registry_validation", REGISTRY),
];
