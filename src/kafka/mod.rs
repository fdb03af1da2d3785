//! The consumer: one control thread that speaks to the group, one data thread that takes records.

mod ffi;

pub use ffi::{Delivery, Place, RecordQueue, Taken, mock_cluster_addresses};
