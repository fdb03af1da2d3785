//! Parts that all lines of a topic share.

use super::Rules;
use super::interned_keys::{InternedKeys, KeyId};
use crate::decode::push_lossy;
use base::record::Record;
use line_protocol::encode;

/// Parts of a line that come from the configuration and the topic, escaped once.
#[derive(Debug)]
pub struct Constants {
    /// Escaped measurement of points without a name; empty where there is none.
    pub measurement: Vec<u8>,
    /// Tags for headers, partition, key and topic. The first one of those with the same key that has a value is written, and replaces
    /// a tag of the record.
    pub from_kafka: Vec<(KeyId, KafkaTag)>,
    /// Static tags, as they are written: `,key=value`.
    pub fallback: Vec<(KeyId, Vec<u8>)>,
    pub offset_field: Option<KeyId>,
    /// Keys of `Rules::tag_paths` with their indices; a key that InfluxDB reserves is left out.
    pub root_tags: Vec<(KeyId, usize)>,
}

/// Kafka metadata that becomes a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KafkaTag {
    /// The escaped name of the topic.
    Topic(Vec<u8>),
    Key,
    Partition,
    Header(String),
}

impl Constants {
    pub fn new(rules: &Rules, topic: &str, tags: &mut InternedKeys, fields: &mut InternedKeys) -> Self {
        let mut measurement = Vec::new();
        let _trimmed = encode::push_measurement(
            rules.measurement.replace("{topic}", topic).as_bytes(),
            &mut measurement,
        );
        let named = [
            (rules.topic_tag.as_deref(), KafkaTag::Topic(written(topic))),
            (rules.key_tag.as_deref(), KafkaTag::Key),
            (rules.partition_tag.as_deref(), KafkaTag::Partition),
        ];
        let headers = rules.header_tags.iter().map(|name| (name.as_str(), KafkaTag::Header(name.clone())));
        let from_kafka = named.into_iter().filter_map(|(key, tag)| Some((key?, tag))).chain(headers);
        let from_kafka = from_kafka.filter_map(|(key, tag)| Some((tags.intern(key)?, tag)));
        let mut from_kafka: Vec<_> = from_kafka.collect();
        from_kafka.reverse();
        let fallback = rules.tags.iter().map(|(key, value)| (key, written(value)));
        let fallback = fallback.filter(|(_, value)| !value.is_empty());
        let fallback = fallback.filter_map(|(key, value)| {
            let key = tags.intern(key)?;
            Some((key, [&*tags.get(key).prefix, &value].concat()))
        });
        let fallback = last_of_each(fallback);
        let root_tags = rules.tag_paths.iter().enumerate();
        let root_tags =
            root_tags.filter_map(|(place, tag)| Some((tags.intern(&rules.rename.apply(&tag.key))?, place)));
        Self {
            measurement,
            from_kafka,
            fallback,
            offset_field: rules.offset_field.as_deref().and_then(|key| fields.intern(key)),
            root_tags: root_tags.collect(),
        }
    }
}

impl KafkaTag {
    /// Appends the tag's value, which is empty where the record lacks it. Returns whether something was left out.
    pub fn push(&self, record: &Record<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
        let text = match self {
            Self::Topic(written) => {
                out.extend_from_slice(written);
                return false;
            }
            Self::Partition => {
                out.extend_from_slice(itoa::Buffer::new().format(record.partition).as_bytes());
                return false;
            }
            Self::Key => record.key,
            // The last of several headers with one name counts, as in Telegraf.
            Self::Header(name) => {
                record.headers.iter().rev().find(|(header, _)| header == name).map(|&(_, value)| value)
            }
        };
        scratch.clear();
        push_lossy(text.unwrap_or_default(), scratch);
        encode::push_key(scratch, out)
    }
}

/// Keeps the last tag of those whose escaped keys are equal.
fn last_of_each(tags: impl Iterator<Item = (KeyId, Vec<u8>)>) -> Vec<(KeyId, Vec<u8>)> {
    let mut kept: Vec<(KeyId, Vec<u8>)> = Vec::new();
    for (key, value) in tags {
        kept.retain(|(earlier, _)| *earlier != key);
        kept.push((key, value));
    }
    kept
}

fn written(value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let _trimmed = encode::push_key(value.as_bytes(), &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interned_keys::InternedKeys;

    #[test]
    fn static_tags_that_are_written_alike_are_one() {
        let tags = [("a\n", "1"), ("b", "2"), (r"a\n", "3"), ("c", "\0")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let rules = Rules { tags, ..Rules::default() };
        let (mut tags, mut fields) = (InternedKeys::default(), InternedKeys::default());
        let constants = Constants::new(&rules, "t", &mut tags, &mut fields);
        let [b, a] = ["b", "a\n"].map(|key| tags.intern(key).unwrap());
        assert_eq!(constants.fallback, [(b, b",b=2".to_vec()), (a, br",a\n=3".to_vec())]);
    }
}
