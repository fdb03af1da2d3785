//! Reports each kind of dropped value once for the topic.

use super::Mapper;
use crate::drop_reason::DropReason;
use crate::element_parser::TopicKeys;
use crate::first_drops::FirstDrops;
use crate::interned_keys::{InternedKeys, KeyId};
use crate::topic_parts::KafkaText;
use base::record::Record;

/// Drops that were reported: each is reported once for the topic, because a report allocates.
#[derive(Debug, Default)]
pub(super) struct ReportedDrops {
    /// Tags from outside of the element that were duplicates.
    pub tags: Vec<KeyId>,
    /// Fields of `fields` that were duplicates or dropped.
    pub fields: Vec<(KeyId, DropReason)>,
    /// Indexes of selectors from outside of the element whose value was not UTF-8.
    pub outside: Vec<usize>,
    /// Kafka metadata that was not UTF-8.
    pub kafka: Vec<KafkaText>,
    pub measurement: bool,
}

impl ReportedDrops {
    /// Reports a dropped field, unless it was reported before.
    pub fn field(
        &mut self,
        key: KeyId,
        drop: DropReason,
        fields: &InternedKeys,
        first_drops: &mut FirstDrops,
    ) {
        if !self.fields.contains(&(key, drop)) {
            self.fields.push((key, drop));
            first_drops.add(&fields.get(key).key, drop);
        }
    }
}

impl Mapper {
    /// Counts the values from outside of the element that were found since the last call and are not UTF-8.
    pub(super) fn count_lossy_outside_values(&mut self) {
        let Self { outside, outside_selectors, known, reported, .. } = self;
        outside.take_lossy(|place| {
            known.drops.add(DropReason::NotUtf8);
            if !reported.outside.contains(&place) {
                reported.outside.push(place);
                let selector = outside_selectors.get(place).map(ToString::to_string).unwrap_or_default();
                known.first_drops.add(&selector, DropReason::NotUtf8);
            }
        });
    }

    /// Counts the Kafka metadata in the lines of a record that is not UTF-8.
    pub(super) fn count_lossy_kafka_texts(&mut self, record: &Record<'_>) {
        let Self { topic_parts, known, reported, .. } = self;
        for text in topic_parts.lossy_kafka_texts(record) {
            known.drops.add(DropReason::NotUtf8);
            if !reported.kafka.contains(text) {
                reported.kafka.push(text.clone());
                known.first_drops.add(&text.to_string(), DropReason::NotUtf8);
            }
        }
    }

    /// Reports once that a field is dropped.
    pub(super) fn report_field(&mut self, key: KeyId, drop: DropReason) {
        let TopicKeys { fields, first_drops, .. } = &mut self.known;
        self.reported.field(key, drop, fields, first_drops);
    }

    /// Reports once that a placeholder of the measurement finds nothing.
    pub(super) fn report_measurement(&mut self) {
        let is_missing = || self.work.values.drops.has(DropReason::Measurement);
        if !self.reported.measurement && is_missing() {
            self.reported.measurement = true;
            self.known.first_drops.add(self.rules.measurement.text(), DropReason::Measurement);
        }
    }
}
