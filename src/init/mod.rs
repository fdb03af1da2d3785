//! Proposes a mapping for sampled records, with the reason for each choice.
//!
//! ```text
//! Sample -> Shape (which options make points) <-> Observation (values of their keys) -> Proposal (the mapping)
//!             recognize/: one file for each structure                                     |
//!                        written file <- Draft with estimates <- Trial (the mapped sample) <--'
//! ```

mod class;
mod estimate;
mod key;
mod names;
mod observe;
mod proposal;
mod propose;
mod recognize;
mod shape;
mod source_names;
#[cfg(test)]
mod tests;
mod text;
mod time_names;
mod times;
mod trial;

pub use estimate::estimate;
pub use names::why_no_metrics;
pub use observe::Observation;
pub use proposal::Proposal;
pub use propose::propose;
pub use shape::{Shape, is_encoded_twice};
pub use trial::Trial;

use mapping::{Compression, Format, Frame, Lookup, SchemaId, Schemas};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Schemas that are asked for to find the format of a topic's records. A topic has few of them.
const SCHEMAS_MAX: usize = 20;

/// The schemas of records that have the frame of a schema registry and are no JSON behind it; none if most records have none.
pub fn framed(sample: &Sample) -> Option<BTreeSet<SchemaId>> {
    let values = || sample.records.iter().filter_map(|record| record.value.as_deref());
    let schema_of =
        |value: &[u8]| Frame::of(value).filter(|frame| !frame.is_json()).map(|frame| frame.schema);
    let schemas: Vec<SchemaId> = values()
        .filter_map(|value| match Compression::of_value(value) {
            Some((_, unpacked)) => schema_of(&unpacked),
            None => schema_of(value),
        })
        .collect();
    (schemas.len() * 2 > values().count()).then(|| schemas.into_iter().collect())
}

/// The format of records with a frame, by the first of their schemas that the registry has and that values are read with.
fn framed_format(sample: &Sample) -> Option<Format> {
    let schemas = sample.schemas.as_ref()?;
    framed(sample)?.into_iter().take(SCHEMAS_MAX).find_map(|id| match schemas.find(id) {
        Lookup::Ready(schema) => Some(schema.format()),
        Lookup::Unusable(_) | Lookup::Missing(_) => None,
    })
}

/// Sampled records of one topic, ordered by time.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub topic: String,
    /// The schemas of a registry, if one is named.
    pub schemas: Option<Arc<dyn Schemas>>,
    /// Whether the records come from a file, so that they have no Kafka timestamp.
    pub is_file: bool,
    pub records: Vec<SampledRecord>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampledRecord {
    pub partition: i32,
    pub offset: i64,
    /// Kafka timestamp.
    pub time_ms: Option<i64>,
    /// None for a tombstone.
    pub value: Option<Vec<u8>>,
}
