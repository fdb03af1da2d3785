//! Failures of Kafka that end the service.

use super::diagnosis::client_words;
use rdkafka::error::KafkaError;
use thiserror::Error;

/// A failure that ends this member.
#[derive(Debug, Error)]
pub enum MemberError {
    #[error("the Kafka client can't be made: {}", client_words(.0))]
    Client(#[source] KafkaError),
    #[error("the topics can't be subscribed to: {0}")]
    Subscribe(#[source] KafkaError),
    #[error(
        "another process has joined the group as `kafka.instance_id` = {0:?} and took over this one's partitions: give each process its own `instance_id`, or none"
    )]
    Fenced(String),
    #[error("the Kafka client failed for good: {0}")]
    Fatal(String),
    #[error(
        "the broker that coordinates the group no longer has the address {0}, which the Kafka client keeps trying: nothing is read any more, and \
         nothing is lost. Start the bridge again, which systemd and Docker do by themselves; advertised listeners that are names instead of IP \
         addresses avoid this"
    )]
    CoordinatorMoved(String),
    #[error(
        "there is no committed offset for {0}, and `kafka.offset_reset` is \"error\": commit one, or set it to \"earliest\" or \"latest\""
    )]
    NoOffset(String),
    #[error(
        "the last offsets could not be committed: {0}: their records are written again, to the same points"
    )]
    LastCommit(#[source] KafkaError),
    #[error(
        "there is no topic {0}, or this user may not see it, and --until-end does not wait for topics: check `kafka.topics`"
    )]
    MissingTopics(String),
    #[error("the topics can't be listed, so the first offset to read is unknown: {0}")]
    Listing(#[source] KafkaError),
    #[error(
        "the group's coordinator does not return the committed offsets, so the first offset to read is unknown: {0}"
    )]
    Committed(#[source] KafkaError),
}
