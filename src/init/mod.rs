//! Records that were sampled become a proposal of a bridge.toml, with the reason of each choice.
//!
//! ```text
//! Sample -> Shape (which values are points) -> Observation (what their keys hold) -> Proposal (what becomes of them)
//!                                                                                      |
//!                        written file <- Draft with estimates <- Trial (the sample, mapped) <-'
//! ```

mod class;
mod estimate;
mod key;
mod names;
mod observe;
mod proposal;
mod propose;
mod shape;
#[cfg(test)]
mod tests;
mod times;
mod trial;
mod words;

pub use estimate::estimate;
pub use names::why_no_metrics;
pub use observe::Observation;
pub use proposal::Proposal;
pub use propose::propose;
pub use shape::Shape;
pub use trial::Trial;

/// Records of one topic, in the order of their times.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub topic: String,
    /// They were not read from Kafka, which has a time for each.
    pub is_file: bool,
    pub records: Vec<SampledRecord>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampledRecord {
    pub partition: i32,
    pub offset: i64,
    /// Kafka's timestamp.
    pub time_ms: Option<i64>,
    /// None: a tombstone.
    pub value: Option<Vec<u8>>,
}
