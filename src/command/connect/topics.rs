//! Checks that the topics of `kafka.topics` exist and may be read.

use super::report::{Line, some_of};
use base::suggest::with_nearest;
use base::text::counted;
use kafka::{AdvertisedBroker, Fault, Topics};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::types::RDKafkaRespErr;

/// The command for the remedy of a denied topic.
const GRANT: &str = "kafka-acls --add --allow-principal User:NAME --operation Read --topic";

/// Metadata of the cluster, copied out of the memory of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    pub brokers: Vec<AdvertisedBroker>,
    pub topics: Vec<Topic>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub name: String,
    pub error: Option<Code>,
    pub partitions: Vec<Partition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    pub id: i32,
    pub has_leader: bool,
}

impl Cluster {
    pub fn of(metadata: &Metadata) -> Self {
        let brokers = metadata.brokers().iter().map(|broker| AdvertisedBroker {
            id: broker.id(),
            host: broker.host().to_owned(),
            port: broker.port(),
        });
        Self { brokers: brokers.collect(), topics: metadata.topics().iter().map(Topic::of).collect() }
    }

    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.name == name)
    }
}

impl Topic {
    pub fn of(topic: &MetadataTopic) -> Self {
        let partitions = topic.partitions().iter().map(|partition| Partition {
            id: partition.id(),
            has_leader: partition.leader() >= 0
                && partition.error() != Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE),
        });
        Self {
            name: topic.name().to_owned(),
            error: topic.error().map(Code::from),
            partitions: partitions.collect(),
        }
    }
}

/// Existing topics that the configuration names or matches.
pub fn read<'c>(topics: &Topics, cluster: &'c Cluster) -> Vec<&'c Topic> {
    let is_read = |topic: &&Topic| topics.is_match(&topic.name) && !topic.partitions.is_empty();
    cluster.topics.iter().filter(is_read).collect()
}

/// The lines about the topics of `kafka.topics`. `query` requests the error of one topic, because brokers list only topics that the user
/// may see.
pub fn judge(topics: &Topics, cluster: &Cluster, query: impl Fn(&str) -> Option<Code>) -> Vec<Line> {
    let mut lines: Vec<Line> = topics.names.iter().map(|name| named(name, cluster, &query)).collect();
    for pattern in &topics.patterns {
        let is_read = |name: &str| topics.excluded.as_deref() != Some(name) && pattern.is_match(name);
        let matching = cluster.topics.iter().map(|topic| topic.name.as_str()).filter(|name| is_read(name));
        let matching: Vec<&str> = matching.collect();
        let what = format!("topics {}: {} match", pattern.as_str(), matching.len());
        lines.push(if matching.is_empty() {
            Line::failed(
                what,
                "correct `kafka.topics`, or grant this user DESCRIBE on the topics; topics created later are found",
            )
        } else {
            Line::passed(format!("{what}: {}", some_of(&matching)))
        });
    }
    lines.extend(read(topics, cluster).into_iter().filter_map(without_leader));
    lines
}

fn named(name: &str, cluster: &Cluster, query: impl Fn(&str) -> Option<Code>) -> Line {
    let listed = cluster.topic(name);
    match listed.map_or(0, |topic| topic.partitions.len()) {
        0 => {
            let others = cluster.topics.iter().filter(|topic| !topic.partitions.is_empty());
            let shown = with_nearest(name, others.map(|topic| topic.name.as_str()));
            missing(&shown, listed.and_then(|topic| topic.error).or_else(|| query(name)))
        }
        partitions => Line::passed(format!("topic {name}: {}", counted(partitions, "partition"))),
    }
}

fn denied(topic: &str, verb: &str) -> Line {
    let remedy = Fault::TopicDenied.remedy();
    Line::failed(
        format!("topic {topic}: this user may not {verb} it"),
        format!("{remedy} ({GRANT} '{topic}')"),
    )
}

fn missing(name: &str, error: Option<Code>) -> Line {
    match error {
        Some(Code::TopicAuthorizationFailed) => denied(name, "see"),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) | None => Line::failed(
            format!("topic {name}: it does not exist, or this user may not see it"),
            "create it, or correct `kafka.topics`",
        ),
        Some(other) => {
            Line::failed(format!("topic {name}: the brokers report {other}"), "check the logs of the brokers")
        }
    }
}

/// The line for a topic that cannot be read.
pub fn refused(topic: &str, code: Option<Code>, why: &str) -> Line {
    match code {
        Some(Code::TopicAuthorizationFailed) => denied(topic, "read"),
        _ => {
            Line::failed(format!("topic {topic}: it cannot be read: {why}"), "check the logs of the brokers")
        }
    }
}

fn without_leader(topic: &Topic) -> Option<Line> {
    let leaderless = topic.partitions.iter().filter(|partition| !partition.has_leader);
    let leaderless: Vec<String> = leaderless.map(|partition| partition.id.to_string()).collect();
    if leaderless.is_empty() {
        return None;
    }
    let what = format!("topic {}: no broker leads partition {}", topic.name, some_of(&leaderless));
    Some(Line::failed(what, "start the brokers of these partitions; their records are read then"))
}

/// The line about the dead-letter topic. `creates`: whether the brokers create topics automatically, if known.
pub fn dead_letters(topic: &str, cluster: &Cluster, creates: impl FnOnce() -> Option<bool>) -> Line {
    let partitions = cluster.topic(topic).map_or(0, |found| found.partitions.len());
    if partitions > 0 {
        return Line::passed(format!("dead-letter topic {topic}: {}", counted(partitions, "partition")));
    }
    let what = format!("dead-letter topic {topic}: it does not exist");
    match creates() {
        Some(true) => Line::passed(format!("{what}; the brokers create it with the first dead letter")),
        Some(false) => Line::failed(what, "create it, or enable auto.create.topics.enable at the brokers"),
        None => Line::passed(format!("{what}; create it, unless the brokers create topics automatically")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, leaders: &[bool]) -> Topic {
        let partitions = (0..).zip(leaders).map(|(id, &has_leader)| Partition { id, has_leader }).collect();
        Topic { name: name.into(), error: None, partitions }
    }

    #[test]
    fn reports_existing_and_missing_topics() {
        let topics = vec![topic("a", &[true]), topic("b-1", &[true, false, false]), topic("b-2", &[true; 2])];
        let cluster = Cluster { topics, brokers: Vec::new() };
        let f = |names: &[&str], pattern: &str, error: Option<Code>, want: &[&str]| {
            let topics = Topics {
                names: names.iter().map(|&name| name.into()).collect(),
                patterns: vec![regex::Regex::new(pattern).unwrap()],
                excluded: Some("b-3".into()),
            };
            let lines = judge(&topics, &cluster, |_| error);
            assert_eq!(lines.len(), want.len(), "{lines:?}");
            for (line, want) in lines.iter().zip(want) {
                assert!(line.to_string().starts_with(want), "{line}");
            }
        };
        f(&["a"], "^b-2", None, &["ok      topic a: 1 partition", "ok      topics ^b-2: 1 match: b-2"]);
        f(&["b_1"], "^a", None, &["FAILED  topic b_1 (did you mean \"b-1\"?): it does not exist", "ok "]);
        f(
            &[],
            "^b",
            None,
            &[
                "ok      topics ^b: 2 match: b-1, b-2",
                "FAILED  topic b-1: no broker leads partition 1, 2: start the brokers",
            ],
        );
        f(
            &["c"],
            "^none",
            None,
            &["FAILED  topic c: it does not exist", "FAILED  topics ^none: 0 match: correct `kafka.topics`"],
        );
        let refused = Some(Code::TopicAuthorizationFailed);
        f(
            &["c"],
            "^a",
            refused,
            &["FAILED  topic c: this user may not see it: grant READ", "ok      topics ^a: 1 match: a"],
        );
    }
}
