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

/// Makes the lines that the bridge makes from generated records. Times start now and have the bridge's digits below the millisecond, so that
/// lines compress like the bridge's.
pub struct LineMaker {
    mapper: Mapper,
    now_ms: i64,
    records: usize,
    lines: LineBuffer,
}

impl LineMaker {
    /// `config`: the path of the bridge's configuration, whose first topic has the records.
    pub fn new(config: &Path) -> Self {
        let config = read(config);
        let topic = &config.kafka.topics.names[0];
        let routing = config.routing();
        let rules = routing.rules_of(topic).unwrap();
        let mapper = Mapper::new(Arc::clone(rules), topic, config.record_limits());
        let now_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
        Self { mapper, now_ms, records: 0, lines: LineBuffer::default() }
    }

    /// Appends the line of the next record.
    fn push(&mut self, value: &[u8]) {
        let n = self.records;
        let record = Record {
            partition: n as i32 % PARTITIONS,
            offset: n as i64 / i64::from(PARTITIONS),
            time: RecordTime::from_kafka_ms(self.now_ms + n as i64 / PER_MS),
            key: None,
            value: Some(value),
            headers: &[],
        };
        self.mapper.map(&record, &mut self.lines);
        self.records += 1;
    }

    /// The line of the next record, with its newline.
    pub fn line_of(&mut self, value: &[u8]) -> &[u8] {
        self.lines.clear();
        self.push(value);
        assert_eq!(self.lines.lines(), 1);
        self.lines.text()
    }
}

/// Lines of records like those in the topic, in bodies of [`BODY_LINES`].
pub fn bodies(config: &Path, shape: Shape, records: usize) -> Vec<Vec<u8>> {
    let (mut maker, mut generator) = (LineMaker::new(config), Generator::new(shape));
    let starts = (0..records).step_by(BODY_LINES);
    let body = |first: usize| {
        maker.lines.clear();
        (first..records.min(first + BODY_LINES)).for_each(|_| maker.push(generator.next()));
        maker.lines.text().to_vec()
    };
    starts.map(body).collect()
}
