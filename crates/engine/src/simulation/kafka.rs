//! In-memory Kafka: partitions with gaps in their offsets, and queues of fetched records.

use crate::ports::LaneQueue;
use base::TopicPartition;
use base::record::{Record, RecordTime};
use kafka::{Delivery, PartitionRef};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// The expected result of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Good,
    /// A JSON object without a field.
    Filtered,
    /// Not JSON.
    Rejected,
    /// InfluxDB refuses its line.
    Refused,
    /// An array with a good element, an element that is no object, and one whose line is refused.
    Mixed,
    /// A limit of the server may keep its line out for a while.
    Limited,
    /// A record without a value.
    Tombstone,
}

/// A record in the log of a partition.
#[derive(Clone, Debug)]
pub struct Logged {
    pub at: TopicPartition,
    pub offset: i64,
    /// How often the topic was recreated before this record. Records of later topics have later timestamps.
    pub incarnation: i64,
    pub kind: Kind,
    /// Id of the record's first element, unique among all elements. A record has up to three elements, with consecutive ids.
    pub id: u64,
}

impl Logged {
    pub fn value(&self) -> Option<String> {
        let (id, next) = (self.id, self.id + 2);
        Some(match self.kind {
            Kind::Tombstone => return None,
            Kind::Limited => format!(r#"{{"name":"limited","id":{id}}}"#),
            Kind::Good => format!(r#"{{"name":"good","id":{id}}}"#),
            Kind::Filtered => r#"{"name":"good"}"#.to_owned(),
            Kind::Rejected => format!("{{id {id}"),
            Kind::Refused => format!(r#"{{"name":"refused","id":{id}}}"#),
            Kind::Mixed => format!(r#"[{{"name":"good","id":{id}}},7,{{"name":"refused","id":{next}}}]"#),
        })
    }

    /// The id of the point that has to be stored.
    pub fn points(&self) -> Option<u64> {
        matches!(self.kind, Kind::Good | Kind::Mixed | Kind::Limited).then_some(self.id)
    }

    pub fn wants_letter(&self) -> bool {
        matches!(self.kind, Kind::Rejected | Kind::Refused | Kind::Mixed)
    }
}

/// A lane's queue. The world fetches records into it; the dispatcher takes them.
#[derive(Clone, Debug, Default)]
pub struct Queue(Rc<RefCell<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    fetched: VecDeque<Logged>,
    taken: VecDeque<Logged>,
}

impl Queue {
    pub fn fetch(&self, record: Logged) {
        self.0.borrow_mut().fetched.push_back(record);
    }

    /// Number of fetched records of a partition that were not taken.
    pub fn count(&self, at: &TopicPartition) -> usize {
        self.0.borrow().fetched.iter().filter(|record| record.at == *at).count()
    }

    /// Drops fetched records of a partition that were not taken, like librdkafka when a partition is revoked.
    pub fn forget(&self, at: &TopicPartition) {
        self.0.borrow_mut().fetched.retain(|record| record.at != *at);
    }
}

impl LaneQueue for Queue {
    fn fill(&mut self, records_max: usize) -> bool {
        let Inner { fetched, taken } = &mut *self.0.borrow_mut();
        if taken.is_empty() {
            // Small fetches leave some records over when partitions are revoked.
            taken.extend(fetched.drain(..fetched.len().min(records_max).min(5)));
        }
        !taken.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.0.borrow().taken.is_empty()
    }

    fn next(&mut self, _headers_wanted: bool, read: impl FnOnce(Delivery<'_>)) -> bool {
        let Some(logged) = self.0.borrow_mut().taken.pop_front() else { return false };
        let value = logged.value();
        // All records of a topic have the same timestamp, so only distinct times keep their points apart.
        let time = RecordTime::from_kafka_ms(1_700_000_000_000 + 60_000 * logged.incarnation);
        let (partition, offset) = (logged.at.partition, logged.offset);
        let record = Record {
            partition,
            offset,
            time,
            key: None,
            value: value.as_deref().map(str::as_bytes),
            headers: &[],
        };
        let topic = logged.at.topic.as_str();
        let place =
            PartitionRef { topic: &|| topic, partition, topic_handle: usize::from(topic.as_bytes()[0]) };
        read(Delivery::Record { place, record, headers: &Vec::new });
        true
    }

    // These records own no memory of a client.
    fn release_read(&mut self) {}

    fn release(&mut self, is_released: impl Fn(&str, i32) -> bool) {
        self.0.borrow_mut().taken.retain(|record| !is_released(&record.at.topic, record.at.partition));
    }
}
