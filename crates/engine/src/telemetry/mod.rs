//! Counters and observations of the data path, for logs, metrics and the status page.

mod by_topic;
mod clients;
pub mod counters;
mod expiry;
mod heartbeat;
mod lag;
pub mod newest_rejections;
pub mod partitions;
pub mod summary;
mod unsettled_timestamps;

pub use by_topic::{CountersByTopic, TopicCounters, TopicCounts, TurnCounts};
pub use clients::{BrokerState, ClientState};
pub use counters::{CloseReason, Counters};
pub use expiry::ExpiryWatch;
pub use heartbeat::{Heartbeat, Heartbeats};
pub use lag::{LagReporter, Lags, PartitionLag, now_ns};
pub use newest_rejections::{NewestRejections, RejectedRecord, ShownRejection};
pub use partitions::{PartitionState, partitions};
pub use unsettled_timestamps::{UnsettledTimestamps, UnsettledTimestampsWriter};
