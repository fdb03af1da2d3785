//! The time of a point.

use super::pass::Pass;
use crate::formats::TimeMark;
use crate::line::{LineContext, LineValues};
use crate::rejection::Rejection;
use crate::scalar::Scalar;
use crate::topic_parts::{AddedInput, TimeText};
use crate::{Rules, TimeError, TimeFormat, TimeRule, distinct_times, time};
use base::record::RecordTime;

/// Description of the expected time where the mapping has no `time_format`.
const NO_TIMESTAMP: &str = "a timestamp of the record's format; other times need a `time_format`";

impl Rules {
    /// Returns Kafka's timestamp as the time of a point.
    pub(super) fn kafka_time(&self, index: usize, pass: &Pass<'_, '_>) -> Result<Option<i64>, Rejection> {
        match pass.record.time {
            RecordTime::Omitted => Ok(None),
            RecordTime::Missing => Err(Rejection::KafkaTimeMissing),
            RecordTime::OutOfRange(ms) => Err(Rejection::KafkaTimeOutOfRange(ms)),
            RecordTime::At(ns) => {
                self.times.check(ns).map_err(Rejection::KafkaTime)?;
                let origin = pass.origin(index);
                Ok(Some(distinct_times::kafka_time(ns, self.distinct_times, self.time_precision, origin)))
            }
        }
    }

    /// Returns the point's time: that of the record's values where the mapping has a rule for it, otherwise Kafka's timestamp.
    pub(super) fn point_time(
        &self,
        values: &mut LineValues,
        context: &LineContext<'_>,
        index: usize,
        pass: &Pass<'_, '_>,
        scratch: &mut Vec<u8>,
    ) -> Result<Option<i64>, Rejection> {
        let Some((rule, input)) = self.time.as_ref().zip(context.topic_parts.time.as_ref()) else {
            return self.kafka_time(index, pass);
        };
        let (text, mark) = time_text(rule, &input.text, values, context, pass, scratch)?;
        let read = read_time(rule, text, mark);
        let check = |ns| self.times.check(ns).map(|()| ns);
        let is_there = |added: &AddedInput| values.value(added.from, context.outside).is_some();
        let is_sum = input.added.iter().any(is_there);
        let ns = if is_sum {
            let first = read.map_err(|why| rejected(rule.shown(), text, why))?;
            let ns = add_all(first, &input.added, rule, values, context, scratch)?;
            check(ns).map_err(|why| rejected(rule.shown(), itoa::Buffer::new().format(ns).as_bytes(), why))?
        } else {
            read.and_then(check).map_err(|why| rejected(rule.shown(), text, why))?
        };
        let room = || match mark {
            // With a number added, the time leaves only the room that its digits leave.
            _ if is_sum => TimeFormat::Timestamp.room_ns(ns),
            Some(mark) => time::room_of_unit(ns, mark.unit_ns),
            None => rule.format.room_ns(ns),
        };
        let origin = pass.origin(index);
        Ok(Some(distinct_times::record_time(ns, room, self.distinct_times, self.time_precision, origin)))
    }
}

/// The text of a point's time, and the mark of a timestamp of the record's format.
fn time_text<'a>(
    rule: &TimeRule,
    from: &TimeText,
    values: &mut LineValues,
    context: &LineContext<'a>,
    pass: &Pass<'_, '_>,
    scratch: &'a mut Vec<u8>,
) -> Result<(&'a [u8], Option<TimeMark>), Rejection> {
    match from {
        TimeText::Values(sources) => {
            // An empty text of several keys gives way to the next key. That of a single key is no missing time: the rejection shows it.
            let is_there = |scalar: &Scalar| sources.len() == 1 || !scalar.is_empty_text();
            let found = sources.iter().find_map(|from| values.value(*from, context.outside).filter(is_there));
            let scalar = found.ok_or_else(|| Rejection::TimeMissing(rule.shown()))?;
            Ok((scalar.decode(&context.texts, scratch), pass.time_mark(scalar)))
        }
        TimeText::Template(template) if values.render(template, context, scratch) => {
            Ok((scratch.as_slice(), None))
        }
        TimeText::Template(_) | TimeText::Missing => Err(Rejection::TimePartMissing(rule.shown())),
    }
}

fn read_time(rule: &TimeRule, text: &[u8], mark: Option<TimeMark>) -> Result<i64, TimeError> {
    match (mark, &rule.format) {
        (Some(TimeMark { unit_ns, is_local, .. }), _) => {
            time::count_to_ns(text, unit_ns, Some(&rule.zone).filter(|_| is_local))
        }
        (None, TimeFormat::Timestamp) => Err(TimeError::Unreadable(NO_TIMESTAMP.to_owned())),
        (None, format) => format.to_ns(text, &rule.zone),
    }
}

/// Adds the numbers of other keys to a time.
fn add_all(
    first: i64,
    all: &[AddedInput],
    rule: &TimeRule,
    values: &LineValues,
    context: &LineContext<'_>,
    scratch: &mut Vec<u8>,
) -> Result<i64, Rejection> {
    let mut ns = first;
    for added in all {
        let Some(scalar) = values.value(added.from, context.outside) else { continue };
        let text = scalar.decode(&context.texts, scratch);
        let sum = |more| ns.checked_add(more).ok_or(TimeError::OutOfRange);
        let read = TimeFormat::Unix { unit_ns: added.unit_ns }.to_ns(text, &rule.zone).and_then(sum);
        ns = read.map_err(|why| rejected(added.shown.clone(), text, why))?;
    }
    Ok(ns)
}

fn rejected(key: String, text: &[u8], why: TimeError) -> Rejection {
    let text = String::from_utf8_lossy(text).chars().take(100).collect();
    Rejection::Time { key, text, why }
}
