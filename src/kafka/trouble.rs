//! What goes wrong with Kafka, in words that say what to do.

use crate::text::printable;
use rdkafka::error::RDKafkaErrorCode;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// The same kind of trouble is told again after this time at the earliest.
const AGAIN: Duration = Duration::from_mins(1);

/// Which trouble was told when.
#[derive(Debug, Default)]
pub struct Trouble {
    /// One for each kind; kinds are few.
    told: Vec<(Option<RDKafkaErrorCode>, Instant)>,
}

impl Trouble {
    pub fn report(&mut self, code: Option<RDKafkaErrorCode>, text: &str) {
        let now = Instant::now();
        self.told.retain(|(_, told)| now.duration_since(*told) < AGAIN);
        if self.told.iter().any(|(kind, _)| *kind == code) {
            return;
        }
        self.told.push((code, now));
        let reason = printable(text, 300);
        match remedy(code) {
            Some(Remedy::Wait(what)) => info!(reason, "{what}"),
            Some(Remedy::Act(what)) => error!(reason, "{what}"),
            None => warn!(reason, "trouble with kafka"),
        }
    }
}

/// The words for people, where there are some for this code.
pub fn remedy_words(code: RDKafkaErrorCode) -> Option<&'static str> {
    remedy(Some(code)).map(|(Remedy::Wait(words) | Remedy::Act(words))| words)
}

enum Remedy {
    /// It passes by itself.
    Wait(&'static str),
    /// Somebody has to do something.
    Act(&'static str),
}

fn remedy(code: Option<RDKafkaErrorCode>) -> Option<Remedy> {
    use RDKafkaErrorCode as Code;
    use Remedy::{Act, Wait};
    Some(match code? {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => Wait(
            "a topic does not exist: it is read once it is created; is its name in `kafka.topics` right?",
        ),
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut => {
            Act("no connection to a broker, trying on: is `kafka.brokers` right and Kafka up?")
        }
        Code::Resolve => Act(
            "a broker's name does not resolve: look at `kafka.brokers`, and at the names that the brokers advertise",
        ),
        Code::Authentication | Code::SaslAuthenticationFailed => {
            Act("kafka refuses the login: look at `kafka.sasl` (mechanism, username, password)")
        }
        Code::SSL => Act("no TLS connection to a broker: look at `kafka.tls` (ca_file, verify)"),
        Code::TopicAuthorizationFailed => {
            Act("this user may not read a topic: grant READ and DESCRIBE on the topics of `kafka.topics`")
        }
        Code::GroupAuthorizationFailed => {
            Act("this user may not use the group: grant READ on the group `kafka.group_id`")
        }
        Code::InconsistentGroupProtocol => Act(
            "the group is held by a member with another assignment strategy, such as a running Telegraf: stop it first, or take another `kafka.group_id`",
        ),
        Code::FencedInstanceId => Act("another member has the same `kafka.instance_id`: each needs its own"),
        Code::PollExceeded => Act(
            "the data thread was stuck for longer than max.poll.interval.ms, and the group took the partitions away",
        ),
        _ => return None,
    })
}
