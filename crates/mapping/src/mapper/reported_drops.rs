//! Reports each kind of dropped value once for the topic.

use super::Mapper;
use crate::drop_reason::DropReason;
use crate::element_parser::Knowledge;
use crate::first_drops::FirstDrops;
use crate::formats::JsonText;
use crate::interned_keys::{InternedKeys, KeyId};

/// Drops that were reported: each is reported once for the topic, because a report allocates.
#[derive(Debug, Default)]
pub(super) struct ReportedDrops {
    /// Tags from outside of the element that were duplicates.
    pub tags: Vec<KeyId>,
    /// Fields of `fields` that were duplicates or dropped.
    pub fields: Vec<(KeyId, DropReason)>,
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
    /// Counts the values that the record's format could not write as JSON.
    pub(super) fn report_dropped(&mut self, json: &JsonText) {
        if json.dropped.is_empty() {
            return;
        }
        self.known.drops.add_all(&json.drops);
        for (drop, key) in &json.dropped {
            let key = json.dropped_keys.get(key.clone()).unwrap_or_default();
            self.known.first_drops.add(&String::from_utf8_lossy(key), *drop);
        }
    }

    /// Reports once that a field is dropped.
    pub(super) fn report_field(&mut self, key: KeyId, drop: DropReason) {
        let Knowledge { fields, first_drops, .. } = &mut self.known;
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
