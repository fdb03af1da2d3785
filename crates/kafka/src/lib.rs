//! Records from Kafka: membership in a consumer group, partition queues in the memory of librdkafka, and commits by the caller only.
//!
//! Guarantees:
//! - Only offsets that the caller hands over are committed. librdkafka's own storing of offsets is off.
//! - A partition is revoked only after the data thread has acknowledged it, within [`REVOKE_DRAIN_MAX`].
//! - Every failure of the brokers, the login, the group or a topic becomes an alarm with a remedy; one table turns errors into advice.
//! - `client.rs` creates every client, with its properties, token renewal and log.
//!
//! ```text
//! brokers -> librdkafka -> RecordQueue (one for each lane) -> FetchedRecords -> data thread
//!              |  callbacks: GroupContext                                            |
//!              +-> Member (control thread): subscribe, poll, commit <- settled offsets
//! ```
//!
//! All `unsafe` code that calls librdkafka is in `ffi/`.
//!
//! ```
//! use kafka::{Settings, Topics};
//! use regex::Regex;
//!
//! let topics = Topics { names: vec!["metrics".to_owned()], patterns: vec![Regex::new("^host_").unwrap()], excluded: None };
//! assert!(topics.is_match("metrics") && topics.is_match("host_7") && !topics.is_match("other"));
//! let settings = Settings { brokers: vec!["localhost:9092".to_owned()], topics, ..Settings::default() };
//! assert_eq!(settings.group_id, "kafka-influx-bridge");
//! ```

mod alarms;
mod certificate;
mod client;
mod cluster_reader;
mod context;
mod deleted_topics;
mod denied_topics;
mod diagnosis;
mod error;
mod error_log;
mod explicit_commits;
mod ffi;
mod group_refusal;
mod http_probe;
mod idle;
mod member;
mod missing_topics;
mod moved_coordinator;
pub mod oauth_token;
mod offset_requests;
mod out_of_range_offsets;
mod partition_lists;
mod properties;
mod recreated;
mod retention;
mod retry;
mod settings;
mod silent_brokers;
mod start_offsets;
mod topic_sampler;
mod until_end;

/// Whether this build has OpenSSL, which librdkafka needs for TLS, SCRAM and OAUTHBEARER.
pub const HAS_TLS: bool = cfg!(feature = "tls");
/// The remedy where a configuration needs what [`HAS_TLS`] says is missing.
pub const TLS_REMEDY: &str =
    "use a released package or image, or build with `cargo build --release --features kafka-tls`";

pub use alarms::KafkaAlarms;
pub use certificate::why_untrusted;
pub use client::{Acknowledgement, AdminClient, ClientLog, Producer, StandaloneConsumer};
pub use cluster_reader::{ClusterReader, ListedTopic, Polled, RetainedOffsets};
pub use context::{Forwarded, GroupConsumer, GroupContext, GroupEvent, Queue, Queues, REVOKE_DRAIN_MAX};
pub use diagnosis::{
    AdvertisedBroker, Diagnosis, Fault, ReportedError, ReportedErrors, Security, advertised_brokers, advice,
    left_bootstrap, why_no_client,
};
pub use error::MemberError;
pub use ffi::{
    Client, Delivery, FetchedRecords, GroupDescription, GroupMember, PartitionRef, RecordQueue,
    describe_group, headers_of,
};
pub use http_probe::{answers_http, with_port};
pub use idle::PendingWork;
pub use member::Member;
pub use out_of_range_offsets::OutOfRangePartition;
pub use partition_lists::{check_partitions, list_of, offsets_of, summary as partition_summary};
pub use properties::{ClientKind, properties};
pub use retention::{Retention, RetentionWatch, Retentions, request as request_retentions};
pub use retry::retry;
pub use settings::{GroupProtocol, OffsetReset, Settings, Topics};
pub use topic_sampler::TopicSampler;
pub use until_end::UntilEnd;
