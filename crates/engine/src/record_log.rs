//! Log messages of the data thread: first lines, rejected records, refused lines, dropped values.

use crate::batch::{COLLISION_REMEDY, Collisions, RecordSource};
use crate::dead_letter::REFUSED;
use crate::lane::FinishedBatch;
use crate::telemetry::{Counters, NewestRejections, RejectedRecord};
use crate::time_unit_check::{DoubtKind, TimeDoubt};
use base::Destination;
use base::record::Record;
use base::text::{printable, printable_bytes};
use influx::{LineReader, RefusedLine};
use mapping::{DropReason, Drops, Mapper, Reason, Rejection};
use rdkafka::error::RDKafkaErrorCode;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// Rejections of one reason, and refusals, are logged once in this time, with the number of suppressed messages.
const LOG_EVERY: Duration = Duration::from_secs(1);
/// Collisions are logged less often: where one occurs, there are thousands.
const COLLISIONS_EVERY: Duration = Duration::from_mins(1);
/// Characters of a line or text in the log.
const SHOWN_MAX: usize = 300;

/// Logs repeated problems of records at a bounded rate.
#[derive(Debug, Default)]
pub struct RecordLog {
    rejected: [Throttle; Reason::ALL.len()],
    refused: Throttle,
    kafka: Throttle,
    collided: Throttle,
}

/// Suppresses messages of one kind that follow too soon, and counts them.
#[derive(Debug, Default)]
struct Throttle {
    last: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// Returns how many messages were suppressed before, if one may be logged now.
    fn pass(&mut self, every: Duration, now: Instant) -> Option<u64> {
        if self.is_recent(every, now) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }

    /// Returns how many messages were suppressed, once that may be logged although no further message followed.
    fn summary(&mut self, every: Duration, now: Instant) -> Option<u64> {
        if self.suppressed == 0 || self.is_recent(every, now) {
            return None;
        }
        self.last = Some(now);
        self.take()
    }

    /// Returns how many messages were suppressed, if any.
    fn take(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.suppressed)).filter(|suppressed| *suppressed > 0)
    }

    fn is_recent(&self, every: Duration, now: Instant) -> bool {
        self.last.is_some_and(|last| now.saturating_duration_since(last) < every)
    }
}

/// Logs the first line of a topic.
pub fn first_line(topic: &str, record: &Record<'_>, line: &[u8]) {
    let (partition, offset) = (record.partition, record.offset);
    info!(topic, partition, offset, line = printable_bytes(line, SHOWN_MAX), "first record");
}

/// Counts the values that a mapper dropped, and logs each key whose value was dropped for the first time. Returns the counts.
pub fn dropped_values(topic: &str, mapper: &mut Mapper, counters: &Counters) -> Drops {
    let drops = mapper.take_drops();
    if drops == Drops::default() {
        return drops;
    }
    counters.drop_values(&drops);
    for first in mapper.take_first_drops() {
        let key = printable(&first.key, SHOWN_MAX);
        warn!(topic, key, "{}", first.drop);
    }
    drops
}

/// Warns that the mapping's query selects nothing in a record. Logged once per topic, because a mistyped query would pass over all
/// records.
pub fn empty_query(topic: &str, record: &Record<'_>) {
    let (partition, offset) = (record.partition, record.offset);
    warn!(
        topic,
        partition,
        offset,
        "the mapping's `query` selects nothing in this record: it is counted as filtered and committed without a point, as are all \
         others in which it selects nothing. If this record should become points, correct `query` (`map --live 10` shows what \
         records become)"
    );
}

/// Warns that a record, or a part of one, has no field. Logged once per topic, because others may be meant to have none.
pub fn without_field(topic: &str, record: &Record<'_>) {
    let (partition, offset) = (record.partition, record.offset);
    warn!(
        topic,
        partition,
        offset,
        "an object of this record has no field, so it gives no point: it is counted as filtered, and committed without a dead letter. \
         Further objects without a field are counted and not logged. If the object should become a point, add the keys of its strings to `string_fields`, those of numbers in \
         quotes to `number_fields`, and look at `include`, `exclude` and `explode`, whose arrays may be empty (`map --live 10` shows what records become)"
    );
}

/// Logs that all records of a topic were rejected so far, so that the mapping may be wrong.
pub fn undecided(topic: &str, records: u64) {
    warn!(
        topic,
        records,
        "all records of the topic so far were rejected, and none became a point: they stay uncommitted, and the next start or reload \
         reads them again. Correct the topic's [[mapping]] (`map --live 10` shows what records become). If these records are bad, let \
         them pass with rate_max = 1.0 under [reject], or keep them with [dead_letter]"
    );
}

/// Warns that all of the topic's first records were filtered. `drops`: the values that their mapper dropped.
pub fn all_filtered(topic: &str, drops: &Drops) {
    warn!(
        topic,
        "all of the topic's first records were filtered: they are committed without a point, and so are others like them. If they \
         should become points, {} (`map --live 10` shows what records become)",
        remedy_without_fields(drops)
    );
}

/// Remedy for records without a field, in which these values were dropped.
pub fn remedy_without_fields(drops: &Drops) -> &'static str {
    let has = |wanted: DropReason| drops.iter().any(|(drop, _)| drop == wanted);
    if has(DropReason::String) {
        "add their keys to `string_fields` of the topic's [[mapping]], or to `number_fields` for numbers in quotes: their values are \
         strings or booleans, which are no fields otherwise"
    } else if has(DropReason::NotANumber) {
        "add their keys to `string_fields` instead of `number_fields` in the topic's [[mapping]]: their values are strings that are no \
         numbers"
    } else {
        "look at `query`, `where`, `include` and `exclude` of the topic's [[mapping]]: no field is left"
    }
}

/// Reports times that look like another unit than `time_format` says. An error if most of a sample do.
pub fn doubtful_times(topic: &str, doubt: &TimeDoubt) {
    let TimeDoubt { kind, what, remedy, .. } = doubt;
    if *kind == DoubtKind::WrongFormat {
        error!(
            topic,
            why = what,
            remedy = format!(
                "{remedy} in the topic's [[mapping]] and reload (SIGHUP); points that are stored already keep their time"
            ),
            "the unit of the topic's times is likely to be wrong, and its points are stored at wrong times"
        );
    } else {
        warn!(
            topic,
            why = what,
            remedy,
            "the topic's times have several units, and some points are stored at wrong times"
        );
    }
}

impl RecordLog {
    /// Logs how many warnings were suppressed, where no later warning of the same kind says so.
    pub fn summarize(&mut self, now: Instant) {
        self.log_suppressed(|throttle, every| throttle.summary(every, now));
    }

    /// Does the work of [`RecordLog::summarize`] for all kinds at once, because the data thread ends.
    pub fn summarize_all(&mut self) {
        self.log_suppressed(|throttle, _| throttle.take());
    }

    fn log_suppressed(&mut self, mut take: impl FnMut(&mut Throttle, Duration) -> Option<u64>) {
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

    /// Logs a record, or one element of it, that can't become a point.
    pub fn rejected(
        &mut self,
        topic: &str,
        record: &Record<'_>,
        element: Option<usize>,
        rejection: &Rejection,
        last: &NewestRejections,
        now: Instant,
    ) {
        let (partition, offset, reason) = (record.partition, record.offset, rejection.reason().name());
        // A tombstone has no text to show.
        let text = record.value.unwrap_or_default();
        last.record(RejectedRecord { topic, partition, offset, element, reason, why: rejection, text }, now);
        let Some(throttle) = self.rejected.get_mut(rejection.reason() as usize) else { return };
        let Some(more) = throttle.pass(LOG_EVERY, now) else { return };
        let why = printable(&rejection.to_string(), SHOWN_MAX);
        warn!(topic, partition, offset, element, reason, more, why, "record rejected");
    }

    /// Logs a line that InfluxDB refused, and its record.
    pub fn refused(
        &mut self,
        lines: &mut LineReader<'_>,
        destination: &Destination,
        refused: &RefusedLine,
        source: &RecordSource<'_>,
        last: &NewestRejections,
        now: Instant,
    ) {
        let (topic, partition, offset) =
            source.partition.map_or(("", -1, -1), |at| (at.topic.as_str(), at.partition, source.offset));
        let (is_kept, logged) = (last.admits(now), self.refused.pass(LOG_EVERY, now));
        if !is_kept && logged.is_none() {
            // There may be 100,000 lines, and this is the data thread: a line of a large batch has to be unpacked.
            return;
        }
        let text = lines.line(refused.line).trim_ascii_end();
        let (element, reason, why) = (None, REFUSED, &refused.why);
        if is_kept {
            last.keep(RejectedRecord { topic, partition, offset, element, reason, why, text });
        }
        let Some(more) = logged else { return };
        let line = printable_bytes(text, SHOWN_MAX);
        warn!(topic, partition, offset, %destination, more, line, why = %refused.why, "line refused by influxdb");
    }

    /// Logs that points of a batch overwrite earlier points of that batch.
    pub fn collided(&mut self, finished: &FinishedBatch, now: Instant) {
        let Some(_) = self.collided.pass(COLLISIONS_EVERY, now) else { return };
        let Some(line) = finished.collisions.example else { return };
        let line = printable_bytes(finished.lines.reader().line(line).trim_ascii_end(), SHOWN_MAX);
        let Collisions { count: points, within_records, .. } = finished.collisions;
        warn!(
            points,
            within_records,
            line,
            "points have the series and time of an earlier point and overwrite it: {COLLISION_REMEDY}; collisions_total counts such points"
        );
    }

    /// Logs an error that librdkafka delivered instead of a record.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_suppressed_messages_although_none_follows() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(throttle.pass(LOG_EVERY, at(0)), Some(0));
        for _ in 1..20 {
            assert_eq!(throttle.pass(LOG_EVERY, at(1)), None);
        }
        assert_eq!(throttle.summary(LOG_EVERY, at(999)), None);
        assert_eq!(throttle.summary(LOG_EVERY, at(1_000)), Some(19));
        assert_eq!(throttle.summary(LOG_EVERY, at(5_000)), None, "it was reported");
        // A message right after the summary is suppressed too.
        assert_eq!(throttle.pass(LOG_EVERY, at(1_500)), None);
        assert_eq!(throttle.pass(LOG_EVERY, at(2_000)), Some(1));
        assert_eq!(throttle.pass(LOG_EVERY, at(2_001)), None);
        assert_eq!((throttle.take(), throttle.take()), (Some(1), None));
    }
}
