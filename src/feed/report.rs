//! What the data thread tells: the first line of each topic, rejected records, refused lines, dropped keys, and the
//! counts.

use super::lane::Done;
use super::routes::Topic;
use crate::admin::{Counters, Rejections, Seen};
use crate::batch::{COLLISION_REMEDY, Collisions};
use crate::dead_letter::REFUSED;
use crate::influx::{Destination, Refused};
use crate::kafka::TopicPartition;
use crate::map::{Drops, Reason, Rejection};
use crate::record::Record;
use crate::text::{printable, printable_bytes};
use rdkafka::error::RDKafkaErrorCode;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// Rejections of one reason, and refusals, are logged once in this time; the log says how many more there were.
const LOG_EVERY: Duration = Duration::from_secs(1);
/// Collisions come by the thousand where they come.
const COLLISIONS_EVERY: Duration = Duration::from_mins(1);
/// Characters of lines and texts that are shown.
const SHOWN_MAX: usize = 300;

#[derive(Debug, Default)]
pub struct Reporter {
    rejected: [Throttle; Reason::ALL.len()],
    refused: Throttle,
    kafka: Throttle,
    collided: Throttle,
}

#[derive(Debug, Default)]
struct Throttle {
    last: Option<Instant>,
    kept_back: u64,
}

impl Throttle {
    /// Whether to log now; if so, how many were kept back before.
    fn pass(&mut self) -> Option<u64> {
        self.pass_every(LOG_EVERY)
    }

    fn pass_every(&mut self, every: Duration) -> Option<u64> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < every) {
            self.kept_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.kept_back))
    }
}

/// A record went through the mapper: shows the line, where it is the topic's first, and keys whose value is dropped for the first time.
pub fn mapped(topic: &mut Topic, record: &Record<'_>, line: Option<&[u8]>, counters: &Counters) {
    if let Some(line) = line {
        topic.shown = true;
        let (partition, offset) = (record.partition, record.offset);
        info!(
            topic = &*topic.name,
            partition,
            offset,
            line = printable_bytes(line, SHOWN_MAX),
            "first record"
        );
    }
    let Some(mapper) = &mut topic.mapper else { return };
    let drops = mapper.take_drops();
    if drops == Drops::default() {
        return;
    }
    counters.drop_values(&drops);
    for notice in mapper.take_notices() {
        let key = printable(&notice.key, SHOWN_MAX);
        warn!(topic = &*topic.name, key, "{}", notice.drop);
    }
}

impl Reporter {
    /// A record, or one element of it, can't become a point.
    pub fn rejected(
        &mut self,
        topic: &str,
        record: &Record<'_>,
        element: Option<usize>,
        rejection: &Rejection,
        last: &Rejections,
    ) {
        let (partition, offset, reason) = (record.partition, record.offset, rejection.reason().name());
        let text = record.value.unwrap_or_default();
        last.note(Seen { topic, partition, offset, element, reason, why: rejection, text }, Instant::now());
        let Some(throttle) = self.rejected.get_mut(rejection.reason() as usize) else { return };
        let Some(more) = throttle.pass() else { return };
        let why = printable(&rejection.to_string(), SHOWN_MAX);
        warn!(topic, partition, offset, element, reason, more, why, "record rejected");
    }

    /// InfluxDB refused a line: names its record.
    pub fn refused(
        &mut self,
        done: &Done,
        destination: &Destination,
        refused: &Refused,
        place: Option<(&TopicPartition, i64)>,
        last: &Rejections,
    ) {
        let (topic, partition, offset) =
            place.map_or(("", -1, -1), |(at, offset)| (at.topic.as_str(), at.partition, offset));
        let text = done.lines.line(refused.line).trim_ascii_end();
        let (element, reason, why) = (None, REFUSED, &refused.why);
        last.note(Seen { topic, partition, offset, element, reason, why, text }, Instant::now());
        let Some(more) = self.refused.pass() else { return };
        let line = printable_bytes(text, SHOWN_MAX);
        warn!(topic, partition, offset, %destination, more, line, why = %refused.why, "line refused by influxdb");
    }

    /// Points of a batch overwrite earlier points of that batch.
    pub fn collided(&mut self, done: &Done) {
        let Some(_) = self.collided.pass_every(COLLISIONS_EVERY) else { return };
        let Some(line) = done.collisions.example else { return };
        let line = printable_bytes(done.lines.line(line).trim_ascii_end(), SHOWN_MAX);
        let Collisions { count: points, within_records, .. } = done.collisions;
        warn!(
            points,
            within_records,
            line,
            "points have the series and time of an earlier point and overwrite it: {COLLISION_REMEDY}; collisions_total counts such points"
        );
    }

    /// librdkafka reports something in a record's place.
    pub fn kafka_error(&mut self, topic: &str, partition: i32, code: RDKafkaErrorCode, text: &str) {
        if let Some(more) = self.kafka.pass() {
            warn!(topic, partition, %code, more, text = printable(text, SHOWN_MAX), "records can't be read");
        }
    }
}

/// Counts of one turn.
#[derive(Debug, Default)]
pub struct Tally {
    pub records: u64,
    pub bytes: u64,
    pub lines: u64,
    pub filtered: u64,
}

impl Tally {
    /// Adds them up where `/metrics` looks.
    pub fn flush(&mut self, counters: &Counters) {
        if self.records == 0 {
            return;
        }
        Counters::add(&counters.records, self.records);
        Counters::add(&counters.record_bytes, self.bytes);
        Counters::add(&counters.lines, self.lines);
        Counters::add(&counters.filtered, self.filtered);
        *self = Self::default();
    }
}
