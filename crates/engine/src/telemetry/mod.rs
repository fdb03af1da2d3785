//! What the data path counts and observes.

mod by_topic;
mod clients;
pub mod counters;
mod expiry;
mod lag;
mod open_times;
pub mod partitions;
mod pulse;
pub mod rejections;
pub mod summary;

pub use by_topic::{ByTopic, OfTopic};
pub use clients::{BrokerState, ClientState};
pub use counters::{Closed, Counters};
pub use expiry::ExpiryWatch;
pub use lag::{LagReporter, Lags, PartitionLag};
pub use open_times::{OpenTimes, OpenTimesPen};
pub use partitions::{PartitionState, partitions};
pub use pulse::{Pulse, Pulses};
pub use rejections::{Rejected, Rejections, Seen};
