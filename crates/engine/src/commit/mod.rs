//! Offsets that may be committed: the longest settled prefix of each partition.

mod tracker;

pub use tracker::{AssignmentId, BatchId, Times, Tracker, Unsettled};
