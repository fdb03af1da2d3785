//! The bridge's configuration and mapping, for the tools that imitate it.

use crate::records::{Generator, Shape};
use base::record::{Record, RecordTime};
use configuration::Config;
use line_protocol::LineBuffer;
use mapping::Mapper;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// Lines of the bridge's batches while answers are fast.
pub const BODY_LINES: usize = 5_000;
const PARTITIONS: i32 = 6;
/// Approximate rate of filling topics.
const PER_MS: i64 = 700;

pub fn read(path: &Path) -> Config {
    let text = std::fs::read_to_string(path).unwrap();
    let env = |name: &str| std::env::var(name).ok();
    match configuration::parse(path, &text, &env) {
        Ok(loaded) => loaded.config,
        Err(errors) => panic!("{errors}"),
    }
}

/// Lines of records like those in the topic, in bodies of [`BODY_LINES`]. Times start now and have the bridge's digits below the millisecond, so
/// that bodies compress like the bridge's.
pub fn bodies(config: &Config, shape: Shape, records: usize) -> Vec<Vec<u8>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
    let topic = &config.kafka.topics.names[0];
    let routing = config.routing();
    let rules = routing.rules_of(topic).unwrap();
    let mut mapper = Mapper::new(Arc::clone(rules), topic, config.record_limits());
    let (mut generator, mut bodies) = (Generator::new(shape), Vec::new());
    for first in (0..records).step_by(BODY_LINES) {
        let mut lines = LineBuffer::default();
        for n in first..records.min(first + BODY_LINES) {
            let record = Record {
                partition: n as i32 % PARTITIONS,
                offset: n as i64 / i64::from(PARTITIONS),
                time: RecordTime::from_kafka_ms(now + n as i64 / PER_MS),
                key: None,
                value: Some(generator.next()),
                headers: &[],
            };
            mapper.map(&record, &mut lines);
        }
        bodies.push(lines.text().to_vec());
    }
    bodies
}
