//! What the brokers say of themselves, kept apart from the client's memory.

use kafka::AdvertisedBroker;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::types::RDKafkaRespErr;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    pub brokers: Vec<AdvertisedBroker>,
    pub topics: Vec<Topic>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub name: String,
    pub error: Option<RDKafkaErrorCode>,
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
            error: topic.error().map(RDKafkaErrorCode::from),
            partitions: partitions.collect(),
        }
    }
}
