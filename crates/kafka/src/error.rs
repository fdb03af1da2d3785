//! Why the service ends because of Kafka.

use super::diagnosis::client_words;
use rdkafka::error::KafkaError;
use thiserror::Error;

/// Why the service can't go on with Kafka.
#[derive(Debug, Error)]
pub enum MemberError {
    #[error("the Kafka client can't be made: {}", client_words(.0))]
    Client(#[source] KafkaError),
    #[error("the topics can't be subscribed to: {0}")]
    Subscribe(#[source] KafkaError),
    #[error(
        "another process has joined the group as `kafka.instance_id` = {0:?} and holds this one's partitions: each process wants an `instance_id` of its own, or none"
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
        "there is no committed offset for {0}, and `kafka.offset_reset` is \"error\": commit one, or say earliest or latest"
    )]
    NoOffset(String),
    #[error(
        "the last offsets could not be committed: {0}: their records are written again, to the same points"
    )]
    LastCommit(#[source] KafkaError),
    #[error(
        "there is no topic {0}, or this user may not see it, and with --until-end nothing is waited for: look at `kafka.topics`"
    )]
    MissingTopics(String),
    #[error("the coordinator of the group does not say what is committed: {0}")]
    Committed(#[source] KafkaError),
}
