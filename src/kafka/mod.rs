//! The consumer: one control thread that speaks to the group, one data thread that takes records.

mod apart;
mod begin;
mod context;
mod embedded;
mod error;
mod ffi;
mod group;
mod idle;
mod member;
mod properties;
mod recreated;
mod resets;
mod retention;
mod sample;
mod survey;
mod trouble;
mod until_end;

pub use context::{
    GroupConsumer, GroupContext, GroupEvent, Queue, REVOKE_DRAIN_MAX, TopicPartition, offsets_of,
    summary as partitions_in_words,
};
pub use embedded::{EmbeddedKafka, NewRecord};
pub use error::MemberError;
pub use ffi::{
    Delivery, GroupDescription, GroupMember, Place, RecordQueue, Taken, describe_group, headers_of,
    mock_cluster_addresses,
};
pub use member::Member;
pub use properties::{probe_config, producer_config, reader_config};
pub use resets::Resumed;
pub use retention::{Retention, RetentionWatch, Retentions, ask as ask_retentions};
pub use sample::Sample;
pub use survey::{Kept, Looked, Survey, SurveyedTopic};
use trouble::Trouble;
pub use trouble::remedy_words;
pub use until_end::UntilEnd;
