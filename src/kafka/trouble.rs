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
    /// Whether trouble of this kind is to be told now. Then it counts as told.
    pub fn is_due(&mut self, code: Option<RDKafkaErrorCode>) -> bool {
        let now = Instant::now();
        self.told.retain(|(_, told)| now.duration_since(*told) < AGAIN);
        let is_due = !self.told.iter().any(|(kind, _)| *kind == code);
        if is_due {
            self.told.push((code, now));
        }
        is_due
    }

    pub fn report(&mut self, code: Option<RDKafkaErrorCode>, text: &str) {
        if !self.is_due(code) {
            return;
        }
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
        Code::PollExceeded => Act(
            "the data thread was stuck for longer than max.poll.interval.ms, and the group took the partitions away",
        ),
        _ => return None,
    })
}
