//! Reads all `[[mapping]]`, and checks that each has records and each topic has a mapping.

use super::influx::InfluxRead;
use super::kafka::KafkaRead;
use super::section::Section;
use super::topics::{self, TopicList};
use super::{destination, keys, mapping_rules, summary, topic_groups};
use base::{Api, TimePrecision};
use engine::Mapping;
use mapping::{FieldType, Rules};
use std::sync::Arc;

/// One `[[mapping]]` with its topics and rules.
struct MappingRead<'a> {
    section: Section<'a>,
    /// None for all topics.
    topics: Option<TopicList>,
    rules: Rules,
}

/// All mappings, and a summary of each. None if there are errors.
pub fn read_all(
    top: Section<'_>,
    influx: Option<&InfluxRead>,
    kafka: Option<&KafkaRead>,
) -> Option<(Vec<Mapping>, Vec<String>)> {
    let sections = top.tables("mapping", &keys::MAPPING);
    let own_destinations: Vec<_> = sections.iter().copied().map(destination::read).collect();
    let destinations = influx.map(|influx| destination::resolve(top, &own_destinations, &influx.defaults));
    // Replays must give the same times, so the configuration names the precision, and not the server, which may not answer.
    let time_precision = influx.map(|influx| influx.defaults.time_precision).unwrap_or_default();
    let read: Vec<_> = sections.into_iter().map(|section| read_one(section, time_precision, kafka)).collect();
    check_schemas(top, &read);
    if read.iter().all(|mapping| mapping.topics.is_some() || !mapping.section.has("topics")) {
        check_reach(&read, kafka);
    }
    if influx.is_some_and(|influx| influx.defaults.api == Some(Api::V1)) {
        read.iter().for_each(warn_of_unsigned_integers);
    }
    let mut destinations = destinations?.into_iter();
    if read.is_empty() {
        let mut destination = destinations.next()??;
        if let (Some(kafka), Some(influx)) = (kafka, influx) {
            let error = |message| top.context.error(&influx.defaults.header, message);
            topic_groups::resolve_destination(&mut destination, &kafka.topics, error);
        }
        let rules = Arc::new(Rules { time_precision, ..Rules::default() });
        let mapping = Mapping { topics: None, rules, destination };
        let summary = summary::of_default(only_topic(kafka), &mapping);
        return Some((vec![mapping], vec![summary]));
    }
    let mut mappings = Vec::new();
    let mut summaries = Vec::new();
    for (read, destination) in read.into_iter().zip(destinations) {
        let mut destination = destination?;
        if let Some(topics) = read.topics.as_ref().or(kafka.map(|kafka| &kafka.topics)) {
            let own =
                ["bucket", "database", "retention_policy"].into_iter().find(|key| read.section.has(key));
            let error = |message| read.section.error(own.unwrap_or("bucket"), message);
            topic_groups::resolve_destination(&mut destination, topics, error);
        }
        let shown = read.topics.as_ref().map(|list| list.shown.join(", "));
        let topics = read.topics.map(|list| list.topics);
        let mapping = Mapping { topics, rules: Arc::new(read.rules), destination };
        summaries.push(summary::of_mapping(read.section, shown.as_deref().or(only_topic(kafka)), &mapping));
        mappings.push(mapping);
    }
    Some((mappings, summaries))
}

/// The topic that `kafka.topics` names, if it names only one.
fn only_topic(kafka: Option<&KafkaRead>) -> Option<&str> {
    match kafka?.topics.shown.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}

fn read_one<'a>(
    section: Section<'a>,
    time_precision: TimePrecision,
    kafka: Option<&KafkaRead>,
) -> MappingRead<'a> {
    let topics = topics::read(section);
    let mut rules = Rules { time_precision, ..mapping_rules::read(section) };
    let all_topics = kafka.filter(|_| !section.has("topics")).map(|kafka| &kafka.topics);
    if let Some(list) = topics.as_ref().or(all_topics) {
        topic_groups::resolve(section, &mut rules, &list.topics.patterns);
    }
    MappingRead { section, topics, rules }
}

/// Warns that InfluxDB 1 refuses fields of the type "uint". Other servers with its API take them.
fn warn_of_unsigned_integers(mapping: &MappingRead<'_>) {
    let section = mapping.section;
    if mapping.rules.types.entries().any(|(_, to)| *to == FieldType::Uint) {
        section.context.warning(
            &section.span("types"),
            "InfluxDB 1 has no unsigned integers and refuses points that have one: write \"int\" or \"float\" instead of \"uint\", \
             unless another server takes these points",
        );
    }
}

/// Checks that each mapping with schemas has one source of them, and that a registry is used.
fn check_schemas(top: Section<'_>, read: &[MappingRead<'_>]) {
    let has_registry = top.has("schema_registry");
    let with_schemas = || read.iter().filter(|mapping| mapping.rules.format.has_schema());
    for mapping in with_schemas() {
        let (section, format) = (mapping.section, mapping.rules.format.name());
        if !section.has("schema") && !has_registry {
            let message = format!(
                "values of format = {format:?} need a schema: name its file with `schema`, or add [schema_registry] if they have the frame of a registry"
            );
            section.context.missing(Some(&section.span("format")), keys::MAPPING.name, "schema", message);
        }
    }
    if !has_registry || with_schemas().any(|mapping| !mapping.section.has("schema")) {
        return;
    }
    let span = top.span("schema_registry");
    match with_schemas().next() {
        Some(mapping) => mapping.section.error(
            "schema",
            "`schema` is for values without the frame of a schema registry, and [schema_registry] for those with it: remove one of them",
        ),
        None => top.context.warning(&span, "no [[mapping]] has `format = \"avro\"` or `format = \"protobuf\"`, so nothing of this is used"),
    }
}

/// Reports mappings that no record reaches and topics without a mapping.
fn check_reach(read: &[MappingRead<'_>], kafka: Option<&KafkaRead>) {
    for (index, mapping) in read.iter().enumerate() {
        let earlier = read.get(..index).unwrap_or_default();
        let number = |index: usize| {
            if earlier.len() == 1 { String::new() } else { format!(" (number {})", index + 1) }
        };
        if let Some(before) = earlier.iter().position(|earlier| takes_all_of(earlier, mapping)) {
            let message = format!(
                "this [[mapping]] is never used: one before it{} takes the same topics, and the first that matches is used; put the special ones first",
                number(before)
            );
            // Not reported if one of the mappings has its topics under a wrong name or in a broken line.
            let span = mapping.section.header_span();
            mapping.section.context.missing(Some(&span), keys::MAPPING.name, "topics", message);
        }
    }
    if let Some(kafka) = kafka {
        check_topics(read, &kafka.topics);
    }
}

fn takes_all_of(earlier: &MappingRead<'_>, later: &MappingRead<'_>) -> bool {
    match (&earlier.topics, &later.topics) {
        (None, _) => true,
        (Some(earlier), Some(later)) => earlier.covers(later),
        (Some(earlier), None) => earlier.matches_all(),
    }
}

fn check_topics(read: &[MappingRead<'_>], subscribed: &TopicList) {
    let matches = |mapping: &MappingRead<'_>, topic: &str| {
        mapping.topics.as_ref().is_none_or(|list| list.topics.is_match(topic))
    };
    for mapping in read {
        let context = mapping.section.context;
        for topic in mapping.topics.iter().flat_map(|list| &list.names) {
            if !subscribed.topics.is_match(&topic.value) {
                let near =
                    base::suggest::nearest(&topic.value, subscribed.topics.names.iter().map(String::as_str));
                let meant = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
                let message = format!(
                    "`topics` of [kafka] does not have {:?}, so nothing comes from it{meant}",
                    topic.shown()
                );
                context.warning(&topic.span, message);
            }
        }
    }
    let Some(first) = read.first() else {
        return;
    };
    for topic in &subscribed.names {
        if !read.iter().any(|mapping| matches(mapping, &topic.value)) {
            let message = format!(
                "no [[mapping]] takes the topic {:?}: add it to the topics of one, or put a [[mapping]] without `topics` last",
                topic.shown()
            );
            first.section.context.missing(Some(&topic.span), keys::MAPPING.name, "topics", message);
        }
    }
}
