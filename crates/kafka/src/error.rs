//! Failures of Kafka that end the service.

use super::diagnosis::{Fault, why_no_client};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

/// A failure that ends this member.
#[derive(Debug, Error)]
pub enum MemberError {
    #[error("the Kafka client can't be made: {}", why_no_client(.0))]
    Client(#[source] KafkaError),
    #[error("the topics can't be subscribed to, so no records are read: {0}; check `kafka.topics`")]
    Subscribe(#[source] KafkaError),
    #[error(
        "another process has joined the group as `kafka.instance_id` = {0:?} and took over this one's partitions: give each process its own `instance_id`, or none"
    )]
    Fenced(String),
    #[error(
        "the brokers refuse this process because another one is a member as `kafka.instance_id` = {0:?}, or was until a crash: no records are \
         read here. Give each process its own `instance_id`, or none. After a crash the brokers accept the name again when its session ends \
         (their group.consumer.session.timeout.ms, 45 s by default); start the bridge again, which systemd and Docker do by themselves"
    )]
    Unreleased(String),
    #[error(
        "the brokers do not offer `kafka.group_protocol` = \"consumer\", so no records are read: set it to \"classic\", or use brokers of Kafka \
         4.0 or later that offer it"
    )]
    NoConsumerProtocol,
    #[error("group denied: {}, so no records are read", Fault::GroupDenied)]
    GroupDenied,
    #[error(
        "the Kafka client failed for good: {0}. Nothing more is read, and nothing is lost: start the bridge again, which systemd and Docker do by \
         themselves"
    )]
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
    #[error(
        "the topics can't be listed, so the first offset to read is unknown, and no records are read: {0}. Check that the brokers run, and start \
         the bridge again, which systemd and Docker do by themselves"
    )]
    Listing(#[source] KafkaError),
    #[error(
        "the group's coordinator does not return the committed offsets, so the first offset to read is unknown, and no records are read: {0}. \
         Check that the brokers run, and start the bridge again, which systemd and Docker do by themselves"
    )]
    Committed(#[source] KafkaError),
}

impl MemberError {
    /// The failure of a client that librdkafka has given up.
    pub(crate) fn fatal(code: RDKafkaErrorCode, reason: &str, instance_id: Option<&str>) -> Self {
        use RDKafkaErrorCode as Code;
        match (code, instance_id) {
            (Code::FencedInstanceId, Some(id)) => Self::Fenced(id.to_owned()),
            (Code::UnreleasedInstanceId, Some(id)) => Self::Unreleased(id.to_owned()),
            // The classic protocol has no request that is fatal when the brokers do not know it.
            (Code::UnsupportedFeature | Code::UnsupportedVersion, _) => Self::NoConsumerProtocol,
            (Code::GroupAuthorizationFailed, _) => Self::GroupDenied,
            _ => Self::Fatal(format!("{reason} ({code})")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the consumer protocol, librdkafka gives the client up where the classic protocol waits and retries.
    #[test]
    fn failures_of_the_consumer_protocol_end_in_a_remedy() {
        let f = |code: RDKafkaErrorCode, want: &str| {
            let text =
                MemberError::fatal(code, "ConsumerGroupHeartbeat fatal error", Some("one")).to_string();
            assert!(text.contains(want), "{text}");
        };
        f(RDKafkaErrorCode::UnreleasedInstanceId, "as `kafka.instance_id` = \"one\", or was until a crash");
        f(RDKafkaErrorCode::UnsupportedFeature, "set it to \"classic\"");
        f(RDKafkaErrorCode::UnsupportedVersion, "set it to \"classic\"");
        f(RDKafkaErrorCode::GroupAuthorizationFailed, "grant READ on the group `kafka.group_id`");
        f(RDKafkaErrorCode::FencedInstanceId, "took over this one's partitions");
        f(RDKafkaErrorCode::InvalidRequest, "failed for good: ConsumerGroupHeartbeat fatal error (");
    }
}
