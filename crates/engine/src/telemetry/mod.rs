//! Counters and observations of the data path, for logs, metrics and the status page.

mod by_topic;
mod clients;
pub mod counters;
mod expiry;
mod heartbeat;
mod lag;
pub mod partitions;
pub mod rejections;
pub mod summary;
mod unsettled_times;

pub use by_topic::{ByTopic, TopicCounts};
pub use clients::{BrokerState, ClientState};
pub use counters::{CloseReason, Counters};
pub use expiry::ExpiryWatch;
pub use heartbeat::{Heartbeat, Heartbeats};
pub use lag::{LagReporter, Lags, PartitionLag};
pub use partitions::{PartitionState, partitions};
pub use rejections::{Rejected, RejectedRecord, Rejections};
pub use unsettled_times::{UnsettledTimes, UnsettledTimesWriter};
