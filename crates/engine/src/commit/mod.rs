//! What may be committed: the longest settled prefix of each partition.

mod tracker;

pub use tracker::{Tenure, Ticket, Times, Tracker, Unsettled};
