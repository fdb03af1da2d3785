//! What the data thread tells: the first line of each topic, rejected records, refused lines, dropped keys, and the
//! counts.

use crate::batch::{COLLISION_REMEDY, Collisions};
use crate::dead_letter::REFUSED;
use crate::lane::Done;
use crate::routes::Topic;
use crate::telemetry::{Counters, Rejections, Seen};
use base::Destination;
use base::TopicPartition;
use base::record::Record;
use base::text::{printable, printable_bytes};
use influx::RefusedLine;
use mapping::{Drops, Reason, Rejection};
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
    fn pass(&mut self, every: Duration, now: Instant) -> Option<u64> {
        if self.is_recent(every, now) {
            self.kept_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.kept_back))
    }

    /// How many were kept back, once it is time to say so although nothing followed.
    fn summary(&mut self, every: Duration, now: Instant) -> Option<u64> {
        if self.kept_back == 0 || self.is_recent(every, now) {
            return None;
        }
        self.last = Some(now);
        self.take()
    }

    /// How many were kept back.
    fn take(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.kept_back)).filter(|kept_back| *kept_back > 0)
    }

    fn is_recent(&self, every: Duration, now: Instant) -> bool {
        self.last.is_some_and(|last| now.saturating_duration_since(last) < every)
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
    for notice in mapper.take_first_drops() {
        let key = printable(&notice.key, SHOWN_MAX);
        warn!(topic = &*topic.name, key, "{}", notice.drop);
    }
}

/// The mapping's query selects nothing in this record: said once a topic, because a mistyped query would pass over all of it.
pub fn selected_nothing(topic: &Topic, record: &Record<'_>) {
    let (partition, offset) = (record.partition, record.offset);
    warn!(
        topic = &*topic.name,
        partition,
        offset,
        "the mapping's `query` selects nothing in this record: it is counted as filtered and committed without a point, as are all \
         others in which it selects nothing. If this record should become points, correct `query` (`map --live 10` shows what \
         records become)"
    );
}

/// None of the topic's first records became a point, and none was rejected.
pub fn all_filtered(topic: &Topic) {
    warn!(
        topic = &*topic.name,
        "all of the topic's first records were filtered: they are committed without a point, and so are others like them. If they \
         should become points, look at `query`, `include` and `exclude` of the topic's [[mapping]] (`map --live 10` shows what \
         records become)"
    );
}

impl Reporter {
    /// Logs how many warnings were kept back, where none of the same kind followed that says so.
    pub fn summarize(&mut self, now: Instant) {
        self.tell_kept_back(|throttle, every| throttle.summary(every, now));
    }

    /// As [`Reporter::summarize`], at the end: nothing may follow.
    pub fn summarize_all(&mut self) {
        self.tell_kept_back(|throttle, _| throttle.take());
    }

    fn tell_kept_back(&mut self, mut take: impl FnMut(&mut Throttle, Duration) -> Option<u64>) {
        for (reason, throttle) in Reason::ALL.into_iter().zip(&mut self.rejected) {
            if let Some(more) = take(throttle, LOG_EVERY) {
                warn!(reason = reason.name(), more, "further records rejected for the same reason");
            }
        }
        if let Some(more) = take(&mut self.refused, LOG_EVERY) {
            warn!(more, "further lines refused by influxdb");
        }
        if let Some(more) = take(&mut self.kafka, LOG_EVERY) {
            warn!(more, "further records can't be read");
        }
    }

    /// A record, or one element of it, can't become a point.
    pub fn rejected(
        &mut self,
        topic: &str,
        record: &Record<'_>,
        element: Option<usize>,
        rejection: &Rejection,
        last: &Rejections,
        now: Instant,
    ) {
        let (partition, offset, reason) = (record.partition, record.offset, rejection.reason().name());
        // A tombstone has none to show.
        let text = record.value.unwrap_or_default();
        last.note(Seen { topic, partition, offset, element, reason, why: rejection, text }, now);
        let Some(throttle) = self.rejected.get_mut(rejection.reason() as usize) else { return };
        let Some(more) = throttle.pass(LOG_EVERY, now) else { return };
        let why = printable(&rejection.to_string(), SHOWN_MAX);
        warn!(topic, partition, offset, element, reason, more, why, "record rejected");
    }

    /// InfluxDB refused a line: names its record.
    pub fn refused(
        &mut self,
        done: &Done,
        destination: &Destination,
        refused: &RefusedLine,
        place: Option<(&TopicPartition, i64)>,
        last: &Rejections,
        now: Instant,
    ) {
        let (topic, partition, offset) =
            place.map_or(("", -1, -1), |(at, offset)| (at.topic.as_str(), at.partition, offset));
        let text = done.lines.line(refused.line).trim_ascii_end();
        let (element, reason, why) = (None, REFUSED, &refused.why);
        last.note(Seen { topic, partition, offset, element, reason, why, text }, now);
        let Some(more) = self.refused.pass(LOG_EVERY, now) else { return };
        let line = printable_bytes(text, SHOWN_MAX);
        warn!(topic, partition, offset, %destination, more, line, why = %refused.why, "line refused by influxdb");
    }

    /// Points of a batch overwrite earlier points of that batch.
    pub fn collided(&mut self, done: &Done, now: Instant) {
        let Some(_) = self.collided.pass(COLLISIONS_EVERY, now) else { return };
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
    pub fn kafka_error(
        &mut self,
        topic: &str,
        partition: i32,
        code: RDKafkaErrorCode,
        text: &str,
        now: Instant,
    ) {
        if let Some(more) = self.kafka.pass(LOG_EVERY, now) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_back_is_told_although_nothing_follows() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(throttle.pass(LOG_EVERY, at(0)), Some(0));
        for _ in 1..20 {
            assert_eq!(throttle.pass(LOG_EVERY, at(1)), None);
        }
        assert_eq!(throttle.summary(LOG_EVERY, at(999)), None);
        assert_eq!(throttle.summary(LOG_EVERY, at(1_000)), Some(19));
        assert_eq!(throttle.summary(LOG_EVERY, at(5_000)), None, "it was told");
        // What follows the summary at once is kept back too.
        assert_eq!(throttle.pass(LOG_EVERY, at(1_500)), None);
        assert_eq!(throttle.pass(LOG_EVERY, at(2_000)), Some(1));
        assert_eq!(throttle.pass(LOG_EVERY, at(2_001)), None);
        assert_eq!((throttle.take(), throttle.take()), (Some(1), None));
    }
}
