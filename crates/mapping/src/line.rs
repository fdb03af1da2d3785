//! Writes the values of an element as a line.

use super::constants::{Constants, KafkaTag};
use super::element::{Element, Entry, Place, Scalar, State};
use super::element_parser::Knowledge;
use super::interned_keys::KeyId;
use super::rejection::{Drop, Rejection};
use super::value;
use base::record::Record;
use line_protocol::encode;

/// Writes the line of one element.
#[derive(Debug)]
pub struct LineWriter<'m> {
    pub element: &'m mut Element,
    pub known: &'m mut Knowledge,
    pub constants: &'m Constants,
    pub record: &'m Record<'m>,
    /// The JSON text that the element's scalars point into.
    pub value: &'m [u8],
    pub tags: &'m mut Vec<(u32, KeyId, TagValue)>,
    pub scratch: &'m mut Vec<u8>,
}

/// Source of a tag's value.
#[derive(Clone, Copy, Debug)]
pub enum TagValue {
    Record(Scalar),
    /// Index in [`Constants::from_kafka`].
    Kafka(usize),
    /// Index in [`Constants::fallback`].
    Fallback(usize),
}

/// Mark in the tables for tags that come from Kafka, which have no entry.
const FROM_KAFKA: usize = usize::MAX;

impl LineWriter<'_> {
    /// Appends measurement, tags and fields. On an error, `out` ends in part of a line, which the caller removes.
    pub fn write(&mut self, out: &mut Vec<u8>) -> Result<(), Rejection> {
        let start = out.len();
        self.write_measurement(out)?;
        self.collect_tags();
        self.write_tags(out);
        let series_bytes = out.len() - start;
        out.push(b' ');
        self.write_fields(series_bytes, out)
    }

    fn write_measurement(&mut self, out: &mut Vec<u8>) -> Result<(), Rejection> {
        let name = self.element.name;
        if value::push_measurement(name, self.value, self.constants, self.scratch, out)? {
            self.known.drops.add(Drop::Backslash);
        }
        Ok(())
    }

    /// Collects the tags, sorted by key. Of equal keys, Kafka's tag wins over the record's, and the record's over a static one.
    fn collect_tags(&mut self) {
        let generation = self.element.generation;
        self.tags.clear();
        self.known.tags.rank();
        for (place, (key, tag)) in self.constants.from_kafka.iter().enumerate() {
            if value::kafka_text(tag, self.record).is_none_or(<[u8]>::is_empty) && *tag != KafkaTag::Partition
            {
                continue;
            }
            if let Some(entry) = self.known.tags.claim(*key, generation, FROM_KAFKA) {
                if let Some(replaced) = self.element.entries.get_mut(entry) {
                    replaced.state = State::Replaced;
                }
                self.tags.retain(|&(_, earlier, _)| earlier != *key);
            }
            self.tags.push((0, *key, TagValue::Kafka(place)));
        }
        for (place, (key, _)) in self.constants.fallback.iter().enumerate() {
            if self.known.tags.used(*key, generation).is_none() {
                self.tags.push((0, *key, TagValue::Fallback(place)));
            }
        }
        for entry in &self.element.entries {
            if let Entry { place: Place::Tag(key), scalar, state: State::Active, .. } = *entry {
                self.tags.push((0, key, TagValue::Record(scalar)));
            }
        }
        for (rank, key, _) in self.tags.iter_mut() {
            *rank = self.known.tags.get(*key).rank;
        }
        self.tags.sort_unstable_by_key(|&(rank, ..)| rank);
    }

    fn write_tags(&mut self, out: &mut Vec<u8>) {
        for place in 0..self.tags.len() {
            let Some(&(_, key, value)) = self.tags.get(place) else { return };
            let start = out.len();
            out.push(b',');
            out.extend_from_slice(&self.known.tags.get(key).prefix);
            let value_start = out.len();
            self.write_tag_value(value, out);
            if out.len() == value_start {
                // Nothing of the value can be written, and InfluxDB refuses empty tags.
                out.truncate(start);
            }
        }
    }

    fn write_tag_value(&mut self, value: TagValue, out: &mut Vec<u8>) {
        let trimmed = match value {
            TagValue::Record(scalar) => value::push_tag(scalar, self.value, self.scratch, out),
            TagValue::Fallback(place) => {
                out.extend_from_slice(self.constants.fallback.get(place).map_or(&[], |(_, value)| value));
                false
            }
            TagValue::Kafka(place) => self
                .constants
                .from_kafka
                .get(place)
                .is_some_and(|(_, tag)| value::push_kafka_tag(tag, self.record, self.scratch, out)),
        };
        if trimmed {
            self.known.drops.add(Drop::Backslash);
        }
    }

    fn write_fields(&mut self, series_bytes: usize, out: &mut Vec<u8>) -> Result<(), Rejection> {
        let mut first = true;
        for entry in &self.element.entries {
            let Entry { place: Place::Field(key), scalar, state: State::Active, .. } = *entry else {
                continue;
            };
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            let field = self.known.fields.get(key);
            let bytes = series_bytes + field.prefix.len();
            if bytes > encode::KEY_BYTES_MAX {
                return Err(Rejection::KeyTooLong { key: excerpt(&field.key), bytes });
            }
            out.extend_from_slice(&field.prefix);
            let value_start = out.len();
            value::push_field(scalar, self.value, self.scratch, out);
            let bytes = out.len() - value_start;
            if scalar.is_text() && bytes > encode::STRING_BYTES_MAX {
                return Err(Rejection::StringTooLong { key: excerpt(&field.key), bytes });
            }
        }
        if let Some(key) = self.constants.offset_field
            && self.known.fields.used(key, self.element.generation).is_none()
        {
            out.push(b',');
            out.extend_from_slice(&self.known.fields.get(key).prefix);
            value::push_offset(self.record, out);
        }
        Ok(())
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(100).collect()
}
