//! The data path between Kafka and InfluxDB: routes records to lanes, closes batches, tracks which records are settled, writes dead
//! letters, and reloads its rules while it runs.
//!
//! Guarantees:
//! - The committed offset never passes a record that is not settled: stored, filtered, or dead-lettered and acknowledged.
//! - Memory is bounded by `batch.memory_max`, whatever the server does.
//! - A bad record, line, topic, destination or lane never stops another one.
//!
//! ```text
//!              one data thread for each consumer                      one task for each lane
//! records --> Dispatcher: route, map, append to batch --closed--> influx: stored or refused --> dead letters
//!                     ^                                                                            |
//!                     +---- OffsetTracker <---------------------- settled --------------------------+
//! ```
//!
//! `Dispatcher` has no I/O and no clock, so that the simulation (`simulation/`) can drive it through random schedules. The path of
//! a record reads top to bottom in `record_handler.rs`.
//!
//! ```
//! use base::NextOffset;
//! use engine::offset_tracker::{BatchId, OffsetTracker};
//!
//! let mut tracker = OffsetTracker::default();
//! let (assignment, first) = (tracker.assign(), BatchId::first());
//! let second = first.next();
//! tracker.delivered(assignment, 10, None, first);
//! tracker.delivered(assignment, 11, None, second);
//! tracker.settle(assignment, second);
//! tracker.take_changed(|_, _, _| panic!("record 10 is still in flight"));
//! tracker.settle(assignment, first);
//! let mut settled = None;
//! tracker.take_changed(|_, next_offset, _| settled = Some(next_offset));
//! assert_eq!(settled, Some(NextOffset::after(11)));
//! ```

pub mod batch;
pub mod consumer;
mod data_thread;
pub mod dead_letter;
mod dispatcher;
mod lane;
mod lane_dead_letters;
mod lane_tasks;
pub mod offset_tracker;
mod partition_routes;
mod pending_seeks;
mod ports;
mod record_handler;
mod record_log;
mod sampled_unit_check;
mod schema_wait;
#[cfg(test)]
mod simulation;
pub mod telemetry;
mod time_unit_check;
mod topic_destination;
mod topic_gate;
mod topic_routing;
mod topic_state;
pub mod watchdog;

pub use data_thread::{DataThread, DataThreadRequest, EngineContext, Reload, ReloadApplied};
pub use lane_dead_letters::DeadLetterContext;
pub use record_log::remedy_without_fields;
pub use schema_wait::SchemaSource;
pub use time_unit_check::{DoubtKind, TimeDoubt, TimeUnitCheck, time_of};
pub use topic_destination::{MappingDestination, NoDestination, TopicDestination};
pub use topic_gate::{ProbeDelays, blocked_topic};
pub use topic_routing::{DESTINATIONS_WITH_LANES, Mapping, Routing};

#[cfg(test)]
#[path = "../../../tests/support/seed.rs"]
mod seed;
