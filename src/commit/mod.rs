//! What may be committed: the longest settled prefix of each partition.

mod offset;
mod tracker;

pub use offset::NextOffset;
pub use tracker::{Tenure, Ticket, Times, Tracker, Unsettled};
