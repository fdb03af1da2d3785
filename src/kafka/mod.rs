//! The consumer: one control thread that speaks to the group, one data thread that takes records.

mod alarms;
mod apart;
mod begin;
mod certificate;
mod context;
mod denied;
mod diagnosis;
mod embedded;
mod error;
mod ffi;
mod gone;
mod group;
mod http_port;
mod idle;
mod member;
mod moved;
mod probe;
mod properties;
mod recreated;
mod resets;
mod retention;
mod sample;
mod survey;
mod token;
mod trouble;
mod until_end;

pub use alarms::KafkaAlarms;
pub use certificate::why_untrusted;
pub use context::{
    Forwarded, GroupConsumer, GroupContext, GroupEvent, Queue, Queues, REVOKE_DRAIN_MAX, TopicPartition,
    offsets_of, summary as partitions_in_words,
};
pub use diagnosis::{
    AdvertisedBroker, Complaint, Complaints, Diagnosis, Fault, Security, advertised_brokers, advice,
    client_words, left_bootstrap,
};
pub use embedded::{EmbeddedKafka, NewRecord};
pub use error::MemberError;
pub use ffi::{
    Delivery, GroupDescription, GroupMember, Place, RecordQueue, Taken, describe_group, headers_of,
    mock_cluster_addresses,
};
pub use http_port::answers_http;
pub use member::Member;
pub use probe::{HasTokens, ProbeContext, probe, serve_tokens};
pub use properties::{probe_config, producer_config, reader_config, unconnected_config};
pub use resets::Resumed;
pub use retention::{Retention, RetentionWatch, Retentions, ask as ask_retentions};
pub use sample::Sample;
pub use survey::{Kept, Looked, Survey, SurveyedTopic};
pub use token::Tokens;
pub use until_end::UntilEnd;
