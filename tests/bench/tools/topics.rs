//! Topics without retention.

use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use std::future::Future;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Args)]
pub struct Delete {
    #[arg(long)]
    brokers: String,
    topics: Vec<String>,
}

/// Creates missing topics. Returns once each partition has a leader.
pub fn create(brokers: &str, topics: &[String], partitions: i32) {
    let new = |name| {
        NewTopic::new(name, partitions, TopicReplication::Fixed(1))
            .set("retention.ms", "-1")
            .set("max.message.bytes", "3000000")
            // Deleted topics free their disk space at once, for the next topic.
            .set("file.delete.delay.ms", "100")
    };
    let new: Vec<_> = topics.iter().map(|name| new(name)).collect();
    for result in block_on(admin(brokers).create_topics(&new, &AdminOptions::new())).unwrap() {
        let is_there = result.as_ref().is_err_and(|(_, code)| *code == RDKafkaErrorCode::TopicAlreadyExists);
        assert!(result.is_ok() || is_there, "cannot make a topic: {result:?}");
    }
    let consumer: BaseConsumer = client(brokers).create().unwrap();
    let deadline = Instant::now() + PATIENCE;
    for topic in topics {
        while !has_leaders(&consumer, topic, partitions) {
            assert!(Instant::now() < deadline, "{topic} has no leaders");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn has_leaders(consumer: &BaseConsumer, topic: &str, partitions: i32) -> bool {
    let Ok(metadata) = consumer.fetch_metadata(Some(topic), PATIENCE) else { return false };
    let led = |topic: &rdkafka::metadata::MetadataTopic| {
        topic.partitions().iter().filter(|partition| partition.leader() >= 0).count()
    };
    metadata.topics().iter().map(led).sum::<usize>() == partitions as usize
}

pub fn delete(options: &Delete) {
    let names: Vec<&str> = options.topics.iter().map(String::as_str).collect();
    for result in block_on(admin(&options.brokers).delete_topics(&names, &AdminOptions::new())).unwrap() {
        // An interrupted run has not created all of them.
        let is_gone =
            result.as_ref().is_err_and(|(_, code)| *code == RDKafkaErrorCode::UnknownTopicOrPartition);
        assert!(result.is_ok() || is_gone, "cannot delete a topic: {result:?}");
    }
}

fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    client(brokers).create().unwrap()
}

fn client(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
