//! The topic and the bucket of a test.

use super::{Influx, Kafka, Live};

/// A topic in Kafka and a bucket in InfluxDB 2. Hold `live` to the end of the test: until then no other test uses the servers.
pub struct Scene {
    pub live: Live,
    pub kafka: Kafka,
    pub influx: Influx,
    pub topic: String,
    pub bucket: String,
}

impl Scene {
    /// Waits for this test's turn.
    pub fn new(name: &str, partitions: i32) -> Self {
        let live = Live::take_turn();
        let kafka = live.kafka();
        Self::with(live, kafka, name, partitions, 1)
    }

    /// Like [`Scene::new`], on three brokers with three replicas.
    pub fn replicated(name: &str, partitions: i32) -> Self {
        let live = Live::take_turn();
        let kafka = live.kafka3();
        Self::with(live, kafka, name, partitions, 3)
    }

    fn with(live: Live, kafka: Kafka, name: &str, partitions: i32, replicas: i32) -> Self {
        let influx = live.influx2();
        let topic = kafka.create_topic(live.name(name), partitions, replicas);
        let bucket = influx.create_bucket(live.name(name));
        Self { live, kafka, influx, topic, bucket }
    }
}
