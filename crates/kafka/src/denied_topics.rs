//! Finds topics that this user may not see. A listing of all topics leaves them out as if they did not exist; only the response to
//! a request by name reports that they are denied.

use super::context::GroupConsumer;
use rdkafka::consumer::Consumer;
use rdkafka::types::RDKafkaRespErr;
use std::collections::BTreeSet;
use std::time::Duration;

/// Time limit of one request. The calling thread also serves the group.
const REQUEST_MAX: Duration = Duration::from_secs(1);
/// Topics that one call requests by name, each with its own request.
const TOPICS_MAX: usize = 20;

/// The denied topics among `known` and among the subscribed topics that a listing leaves out. None: the brokers do not answer.
pub fn denied_among(
    consumer: &GroupConsumer,
    subscribed: &BTreeSet<String>,
    known: &[String],
) -> Option<Vec<String>> {
    let listing = consumer.fetch_metadata(None, REQUEST_MAX).ok()?;
    let is_listed =
        |name: &String| listing.topics().iter().any(|topic| topic.name() == name && topic.error().is_none());
    let unlisted = subscribed.iter().filter(|name| !known.contains(name));
    let requested = known.iter().chain(unlisted).filter(|name| !is_listed(name)).take(TOPICS_MAX);
    let mut denied = Vec::new();
    for name in requested {
        if is_denied(consumer, name)? {
            denied.push(name.clone());
        }
    }
    Some(denied)
}

/// Whether this user may not see the topic. None: the brokers do not answer.
fn is_denied(consumer: &GroupConsumer, name: &str) -> Option<bool> {
    let metadata = consumer.fetch_metadata(Some(name), REQUEST_MAX).ok()?;
    let error = metadata.topics().iter().find(|topic| topic.name() == name)?.error();
    Some(error == Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED))
}
