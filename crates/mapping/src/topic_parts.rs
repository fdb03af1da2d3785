//! Parts that all lines of a topic share.

use super::interned_keys::{InternedKeys, KeyId};
use super::plan::Conversion;
use super::template::{Part, Template};
use super::{KeySelector, Rules, TimeRule, TimeSource};
use crate::decode::{is_utf8, push_lossy};
use base::record::Record;
use line_protocol::encode;
use std::fmt;

/// Parts of a line that come from the configuration and the topic, escaped once.
#[derive(Debug)]
pub struct TopicParts {
    /// Measurement of points without a name.
    pub measurement: Measurement,
    /// Escaped name of the topic.
    pub topic: Vec<u8>,
    /// Tags for headers, partition, key and topic. The first one of those with the same key that has a value is written, and replaces
    /// a tag of the record.
    pub from_kafka: Vec<(KeyId, KafkaTag)>,
    /// Tags of `tags`.
    pub fallback: Vec<(KeyId, FallbackTag)>,
    pub offset_field: Option<KeyId>,
    /// Whether the mapping adds a tag with the key of `offset_field`.
    pub offset_is_tag: bool,
    /// Keys of `Rules::tag_selectors` outside of the element, with their indices in the outside values; a key that InfluxDB reserves is
    /// left out.
    pub outside_tags: Vec<(KeyId, usize)>,
    /// The fields of `Rules::fields`.
    pub fields: Vec<CopiedField>,
    /// Index of the name in the outside values.
    pub name: Option<usize>,
    pub time: Option<TimeInput>,
    /// The Kafka metadata that each line reads.
    kafka_texts: Vec<KafkaText>,
}

/// The values from which the time of a point is read.
#[derive(Debug)]
pub struct TimeInput {
    pub text: TimeText,
    pub added: Vec<AddedInput>,
}

/// The number of an [`AddedTime`](crate::AddedTime).
#[derive(Debug)]
pub struct AddedInput {
    pub from: ValueSource,
    pub unit_ns: i64,
    /// The key as in the configuration.
    pub shown: String,
}

#[derive(Debug)]
pub enum TimeText {
    /// The first value that is there.
    Values(Vec<ValueSource>),
    Template(RecordTemplate),
    /// A placeholder that finds nothing in any record of the topic.
    Missing,
}

/// The configured measurement.
#[derive(Debug)]
pub enum Measurement {
    /// Escaped; empty where nothing can be written.
    Fixed(Vec<u8>),
    Template(RecordTemplate),
    /// A placeholder that finds nothing in any record of the topic.
    Missing,
}

/// A tag of `tags`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FallbackTag {
    /// The tag in the form in which it is written: `,key=value`.
    Fixed(Vec<u8>),
    Template(RecordTemplate),
}

/// A template of which the topic's parts are filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordTemplate(pub Box<[RecordPart]>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordPart {
    Text(Vec<u8>),
    Kafka(KafkaText),
    Value(ValueSource),
    /// A value in the text of a time, in which numbers keep all their digits.
    OfTime(ValueSource),
}

/// A field of `fields`.
#[derive(Debug)]
pub struct CopiedField {
    pub key: KeyId,
    pub from: ValueSource,
    /// The table of `values` for its name.
    pub values: Option<usize>,
    pub conversion: Conversion,
}

/// Where a value of the record is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// Index in the copied values of the element.
    Copied(usize),
    /// Index in the outside values.
    Outside(usize),
}

/// Kafka metadata that becomes a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KafkaTag {
    /// The escaped name of the topic.
    Topic(Vec<u8>),
    Text(KafkaText),
}

/// Kafka metadata of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KafkaText {
    Key,
    Partition,
    Header(String),
}

/// The selectors of a mapping by the place of their values.
#[derive(Debug)]
pub struct Sources<'s> {
    /// The selectors whose values are copied from the element.
    pub copied: &'s [KeySelector],
    /// The selectors whose values stand outside of the element.
    pub outside: &'s [KeySelector],
}

impl TopicParts {
    pub fn new(
        rules: &Rules,
        topic: &str,
        sources: &Sources<'_>,
        tags: &mut InternedKeys,
        fields: &mut InternedKeys,
    ) -> Self {
        let from_kafka = tags_from_kafka(rules, topic, tags);
        let fallback = fallback_tags(rules, topic, sources, tags);
        let outside = |selector: &KeySelector| sources.outside.iter().position(|known| known == selector);
        let outside_tags = rules.tag_selectors.iter().filter_map(|selector| {
            let place = outside(selector)?;
            Some((tags.intern(&rules.rename.apply(&selector.flattened()))?, place))
        });
        let outside_tags: Vec<_> = outside_tags.collect();
        let from_kafka_keys = from_kafka.iter().map(|(key, _)| *key);
        let outside_keys = outside_tags.iter().map(|(key, _)| *key);
        for key in from_kafka_keys.chain(outside_keys).chain(fallback.iter().map(|(key, _)| *key)) {
            tags.set_added(key);
        }
        let mut copied = copied_fields(rules, sources, fields);
        let offset_field = rules.offset_field.as_deref().and_then(|key| fields.intern(key));
        let is_tag = |field: KeyId| {
            let tag = tags.find(fields.get(field).prefix.bytes());
            tag.is_some_and(|tag| tags.is_added(tag))
        };
        for field in copied.iter_mut().filter(|field| is_tag(field.key)) {
            field.conversion = Conversion::BesideTag;
        }
        let mut parts = Self {
            measurement: Measurement::new(rules, topic, sources),
            topic: written_measurement(topic.as_bytes()),
            from_kafka,
            fallback,
            offset_is_tag: offset_field.is_some_and(is_tag),
            offset_field: offset_field.filter(|key| copied.iter().all(|field| field.key != *key)),
            outside_tags,
            fields: copied,
            name: rules.name_key.as_ref().and_then(outside),
            time: rules.time.as_ref().map(|time| TimeInput::new(time, rules, topic, sources)),
            kafka_texts: Vec::new(),
        };
        parts.kafka_texts = parts.list_kafka_texts();
        parts
    }
}

/// The tags that Kafka gives: the last one of those with one key comes first.
fn tags_from_kafka(rules: &Rules, topic: &str, tags: &mut InternedKeys) -> Vec<(KeyId, KafkaTag)> {
    let named = [
        (rules.topic_tag.as_deref(), KafkaTag::Topic(written(topic))),
        (rules.key_tag.as_deref(), KafkaTag::Text(KafkaText::Key)),
        (rules.partition_tag.as_deref(), KafkaTag::Text(KafkaText::Partition)),
    ];
    let header = |name: &String| KafkaTag::Text(KafkaText::Header(name.clone()));
    let headers = rules.header_tags.iter().map(|name| (name.as_str(), header(name)));
    let from_kafka = named.into_iter().filter_map(|(key, tag)| Some((key?, tag))).chain(headers);
    let from_kafka = from_kafka.filter_map(|(key, tag)| Some((tags.intern(key)?, tag)));
    let mut from_kafka: Vec<_> = from_kafka.collect();
    from_kafka.reverse();
    from_kafka
}

/// The tags of `tags`, which an element without such a tag gets.
fn fallback_tags(
    rules: &Rules,
    topic: &str,
    sources: &Sources<'_>,
    tags: &mut InternedKeys,
) -> Vec<(KeyId, FallbackTag)> {
    last_of_each(rules.tags.iter().filter_map(|(key, value)| {
        let value = RecordTemplate::new(value, rules, topic, sources)?;
        let key = tags.intern(key)?;
        let Some(text) = value.fixed() else { return Some((key, FallbackTag::Template(value))) };
        let value = written_bytes(&text);
        let tag = FallbackTag::Fixed([tags.get(key).prefix.bytes(), &value].concat());
        (!value.is_empty()).then_some((key, tag))
    }))
}

/// The fields of `fields`.
fn copied_fields(rules: &Rules, sources: &Sources<'_>, fields: &mut InternedKeys) -> Vec<CopiedField> {
    let copied = last_of_each(rules.fields.iter().filter_map(|(name, from)| {
        let (key, from, values) =
            (fields.intern(name)?, sources.find(from)?, rules.values.tables().index_of(name));
        Some((key, CopiedField { key, from, values, conversion: Conversion::of_copied(name, rules) }))
    }));
    copied.into_iter().map(|(_, field)| field).collect()
}

impl TimeInput {
    fn new(time: &TimeRule, rules: &Rules, topic: &str, sources: &Sources<'_>) -> Self {
        let text = match &time.source {
            TimeSource::Keys(keys) => {
                TimeText::Values(keys.iter().filter_map(|key| sources.find(key)).collect())
            }
            TimeSource::Text(text) => {
                let template = RecordTemplate::new(text, rules, topic, sources).map(RecordTemplate::of_time);
                template.map_or(TimeText::Missing, TimeText::Template)
            }
        };
        let added = time.added.iter().filter_map(|added| {
            let (from, unit_ns) = (sources.find(&added.key)?, added.unit.unit_ns());
            Some(AddedInput { from, unit_ns, shown: added.key.to_string() })
        });
        Self { text, added: added.collect() }
    }
}

impl Sources<'_> {
    fn find(&self, selector: &KeySelector) -> Option<ValueSource> {
        let place = |known: &[KeySelector]| known.iter().position(|known| known == selector);
        place(self.copied).map(ValueSource::Copied).or_else(|| place(self.outside).map(ValueSource::Outside))
    }
}

impl Measurement {
    fn new(rules: &Rules, topic: &str, sources: &Sources<'_>) -> Self {
        match RecordTemplate::new(&rules.measurement, rules, topic, sources) {
            None => Self::Missing,
            Some(template) => match template.fixed() {
                Some(text) => Self::Fixed(written_measurement(&text)),
                None => Self::Template(template),
            },
        }
    }
}

impl RecordTemplate {
    /// None: a placeholder finds nothing in any record of the topic.
    fn new(template: &Template, rules: &Rules, topic: &str, sources: &Sources<'_>) -> Option<Self> {
        let mut parts: Vec<RecordPart> = Vec::new();
        for part in template.parts() {
            let text = match part {
                Part::Text(text) => text,
                Part::Topic => topic,
                Part::TopicGroup(name) => rules.topic_patterns.group(name, topic)?,
                Part::Partition => {
                    parts.push(RecordPart::Kafka(KafkaText::Partition));
                    continue;
                }
                Part::Key => {
                    parts.push(RecordPart::Kafka(KafkaText::Key));
                    continue;
                }
                Part::Header(name) => {
                    parts.push(RecordPart::Kafka(KafkaText::Header(name.clone())));
                    continue;
                }
                Part::Selector(selector) => {
                    parts.push(RecordPart::Value(sources.find(selector)?));
                    continue;
                }
            };
            match parts.last_mut() {
                Some(RecordPart::Text(before)) => before.extend_from_slice(text.as_bytes()),
                _ => parts.push(RecordPart::Text(text.as_bytes().to_vec())),
            }
        }
        Some(Self(parts.into()))
    }

    /// The same template for a time.
    fn of_time(self) -> Self {
        let part = |part| if let RecordPart::Value(from) = part { RecordPart::OfTime(from) } else { part };
        Self(self.0.into_iter().map(part).collect())
    }

    /// The text, if all records of the topic have the same.
    fn fixed(&self) -> Option<Vec<u8>> {
        match &*self.0 {
            [] => Some(Vec::new()),
            [RecordPart::Text(text)] => Some(text.clone()),
            _ => None,
        }
    }
}

impl TopicParts {
    /// Whether the bridge adds a tag with this key.
    pub fn has_tag(&self, key: KeyId) -> bool {
        let kafka = self.from_kafka.iter().any(|(tag, _)| *tag == key);
        let outside = || self.outside_tags.iter().any(|(tag, _)| *tag == key);
        kafka || self.fallback.iter().any(|(tag, _)| *tag == key) || outside()
    }

    /// How many bytes and headers of a Kafka record are read for each line.
    pub fn kafka_bytes(&self, record: &Record<'_>) -> usize {
        self.kafka_texts.iter().map(|text| text.bytes(record)).sum()
    }

    /// The different Kafka metadata of a record's lines of which some bytes are not UTF-8.
    pub fn lossy_kafka_texts(&self, record: &Record<'_>) -> impl Iterator<Item = &KafkaText> {
        let is_first = |place: usize, text: &KafkaText| {
            self.kafka_texts.iter().position(|other| other == text) == Some(place)
        };
        let texts = self.kafka_texts.iter().enumerate();
        texts
            .filter(move |&(place, text)| text.is_lossy(record) && is_first(place, text))
            .map(|(_, text)| text)
    }

    fn list_kafka_texts(&self) -> Vec<KafkaText> {
        let tags = self.from_kafka.iter().filter_map(|(_, tag)| match tag {
            KafkaTag::Topic(_) => None,
            KafkaTag::Text(text) => Some(text),
        });
        let fallback = self.fallback.iter().filter_map(|(_, tag)| match tag {
            FallbackTag::Fixed(_) => None,
            FallbackTag::Template(template) => Some(template),
        });
        let measurement = match &self.measurement {
            Measurement::Template(template) => Some(template),
            Measurement::Fixed(_) | Measurement::Missing => None,
        };
        let time = self.time.as_ref().and_then(|time| match &time.text {
            TimeText::Template(template) => Some(template),
            TimeText::Values(_) | TimeText::Missing => None,
        });
        let parts = fallback.chain(measurement).chain(time).flat_map(|template| &*template.0);
        let texts = parts.filter_map(|part| match part {
            RecordPart::Kafka(text) => Some(text),
            RecordPart::Text(_) | RecordPart::Value(_) | RecordPart::OfTime(_) => None,
        });
        tags.chain(texts).cloned().collect()
    }

    /// Whether nothing is added to a line.
    pub fn are_empty(&self) -> bool {
        matches!(&self.measurement, Measurement::Fixed(name) if name.is_empty())
            && self.from_kafka.is_empty()
            && self.fallback.is_empty()
            && self.offset_field.is_none()
    }
}

impl KafkaTag {
    /// Appends the tag's value, which is empty where the record lacks it. Returns whether something was left out.
    pub fn push(&self, record: &Record<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Topic(written) => {
                out.extend_from_slice(written);
                false
            }
            Self::Text(text) => {
                scratch.clear();
                text.push(record, scratch);
                encode::push_key(scratch, out)
            }
        }
    }
}

impl KafkaText {
    /// Appends the text, without escapes.
    pub fn push(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        if *self == Self::Partition {
            out.extend_from_slice(itoa::Buffer::new().format(record.partition).as_bytes());
        } else {
            push_lossy(self.read(record), out);
        }
    }

    /// The bytes of a key or header; none of a partition.
    fn read<'r>(&self, record: &Record<'r>) -> &'r [u8] {
        let bytes = match self {
            Self::Partition => None,
            Self::Key => record.key,
            Self::Header(name) => header(name, record),
        };
        bytes.unwrap_or_default()
    }

    /// Whether some bytes are not UTF-8, and therefore become U+FFFD.
    fn is_lossy(&self, record: &Record<'_>) -> bool {
        !is_utf8(self.read(record))
    }

    /// How many bytes and headers are read for the text.
    fn bytes(&self, record: &Record<'_>) -> usize {
        let headers = if matches!(self, Self::Header(_)) { record.headers.len() } else { 0 };
        headers + self.read(record).len()
    }
}

/// Writes the placeholder of the metadata.
impl fmt::Display for KafkaText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("{key}"),
            Self::Partition => f.write_str("{partition}"),
            Self::Header(name) => write!(f, "{{header:{name}}}"),
        }
    }
}

/// The value of a header. The last of several headers with one name counts, as in Telegraf.
fn header<'r>(name: &str, record: &Record<'r>) -> Option<&'r [u8]> {
    record.headers.iter().rev().find(|(header, _)| *header == name).map(|&(_, value)| value)
}

/// Keeps the last of those whose escaped keys are equal.
fn last_of_each<T>(of: impl Iterator<Item = (KeyId, T)>) -> Vec<(KeyId, T)> {
    let mut kept: Vec<(KeyId, T)> = Vec::new();
    for (key, value) in of {
        kept.retain(|(earlier, _)| *earlier != key);
        kept.push((key, value));
    }
    kept
}

fn written(value: &str) -> Vec<u8> {
    written_bytes(value.as_bytes())
}

fn written_bytes(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let _trimmed = encode::push_key(value, &mut out);
    out
}

fn written_measurement(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let _trimmed = encode::push_measurement(value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interned_keys::InternedKeys;

    #[test]
    fn static_tags_that_are_written_alike_are_one() {
        let tags = [("a\n", "1"), ("b", "2"), (r"a\n", "3"), ("c", "\0")];
        let tags = tags.map(|(key, value)| (key.to_owned(), Template::literal(value))).to_vec();
        let rules = Rules { tags, ..Rules::default() };
        let (mut tags, mut fields) = (InternedKeys::default(), InternedKeys::default());
        let sources = Sources { copied: &[], outside: &[] };
        let topic_parts = TopicParts::new(&rules, "t", &sources, &mut tags, &mut fields);
        let [b, a] = ["b", "a\n"].map(|key| tags.intern(key).unwrap());
        let fixed = |text: &[u8]| FallbackTag::Fixed(text.to_vec());
        assert_eq!(topic_parts.fallback, [(b, fixed(b",b=2")), (a, fixed(br",a\n=3"))]);
    }
}
