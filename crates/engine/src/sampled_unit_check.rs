//! Notices a wrong unit of times while the bridge runs: without a check, milliseconds read as microseconds are stored in 1970 silently.

use crate::time_unit_check::{DoubtKind, TimeDoubt, TimeUnitCheck};
use base::record::Record;
use line_protocol::LineBuffer;
use mapping::{Mapped, TimeRule};
use std::time::{Duration, Instant};

/// Sampled records of a topic, first after the start or a reload. Further records cost nothing.
const SAMPLED_RECORDS: u32 = 100;
/// While times are doubtful, they are sampled again and reported at this interval.
const REPEAT: Duration = Duration::from_mins(1);

/// Samples the times of one topic.
#[derive(Debug)]
pub struct SampledUnitCheck {
    /// None: times are Kafka's timestamps, or the first sample raised no doubt.
    rule: Option<TimeRule>,
    units: TimeUnitCheck,
    /// Number of records that the sample still takes.
    left: u32,
    reported: Option<Instant>,
}

impl SampledUnitCheck {
    pub fn new(rule: Option<TimeRule>) -> Self {
        Self { rule, units: TimeUnitCheck::default(), left: SAMPLED_RECORDS, reported: None }
    }

    /// Adds a record and the first of its lines, `first`, if the sample is not complete. Blocking a topic with old data would be wrong, so
    /// the times are only reported.
    pub fn add(
        &mut self,
        topic: &str,
        record: &Record<'_>,
        lines: &LineBuffer,
        first: usize,
        mapped: &Mapped,
    ) {
        let Some(rule) = self.rule.as_ref().filter(|_| self.left > 0) else { return };
        self.left -= 1;
        let points = first..first + mapped.lines.min(1);
        let place = || format!("{topic}[{}]@{}", record.partition, record.offset);
        self.units.add_record(rule, record, (lines, points), mapped, place);
    }

    /// Returns the doubt about the sampled times that is due for a report.
    pub fn doubt(&mut self, now: Instant) -> Option<TimeDoubt> {
        self.rule.as_ref()?;
        if self.reported.is_some_and(|reported| now.saturating_duration_since(reported) < REPEAT) {
            return None;
        }
        // Old data is legitimate. A unit that fits is not a coincidence.
        let doubt = self.units.doubt().filter(|doubt| doubt.kind != DoubtKind::Old);
        if doubt.is_some() {
            self.reported = Some(now);
            (self.units, self.left) = (TimeUnitCheck::default(), SAMPLED_RECORDS);
        } else if self.left == 0 {
            self.rule = None;
        }
        doubt
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::record::RecordTime;
    use mapping::{KeySelector, Mapper, RecordLimits, Rules, TimeFormat, zone_by_name};
    use std::sync::Arc;

    /// 2026-01-02T03:04:05Z.
    const KAFKA_MS: i64 = 1_767_323_045_000;

    struct Topic {
        mapper: Mapper,
        check: SampledUnitCheck,
        start: Instant,
    }

    impl Topic {
        fn new(format: &str) -> Self {
            let format = TimeFormat::parse(format).unwrap();
            let zone = zone_by_name("UTC").unwrap();
            let rule = TimeRule::new(KeySelector::Flattened("t".into()), format, zone);
            let rules = Rules { time: Some(rule.clone()), ..Rules::default() };
            let limits = RecordLimits { record_bytes_max: 1_000, lines_bytes_max: 1_000 };
            let mapper = Mapper::new(Arc::new(rules), "t", limits);
            Self { mapper, check: SampledUnitCheck::new(Some(rule)), start: Instant::now() }
        }

        fn add(&mut self, records: u32, time: i64) {
            let value = format!("{{\"t\":{time},\"v\":1}}");
            for offset in 0..records {
                let time = RecordTime::from_kafka_ms(KAFKA_MS);
                let value = Some(value.as_bytes());
                let record =
                    Record { partition: 0, offset: offset.into(), time, key: None, value, headers: &[] };
                let mut lines = LineBuffer::default();
                let mapped = self.mapper.map(&record, &mut lines);
                self.check.add("t", &record, &lines, 0, &mapped);
            }
        }

        fn doubt(&mut self, seconds: u64) -> Option<TimeDoubt> {
            self.check.doubt(self.start + Duration::from_secs(seconds))
        }
    }

    #[test]
    fn each_wrong_unit_is_reported_with_the_likely_one() {
        let units = [("unix", 1), ("unix_ms", 1_000), ("unix_us", 1_000_000), ("unix_ns", 1_000_000_000)];
        for (written, factor) in units {
            for (read, _) in units {
                let mut topic = Topic::new(read);
                topic.add(3, (KAFKA_MS / 1_000 - 3_600) * factor);
                let doubt = topic.doubt(0);
                assert_eq!(doubt.is_none(), read == written, "{written} as {read}: {doubt:?}");
                let Some(doubt) = doubt else { continue };
                assert!(doubt.remedy.contains(&format!("`time_format = \"{written}\"`")), "{doubt:?}");
                assert_eq!((doubt.points, doubt.kind), (3, DoubtKind::WrongFormat));
            }
        }
    }

    #[test]
    fn repeats_once_a_minute_while_new_records_have_the_wrong_unit() {
        let mut topic = Topic::new("unix_us");
        topic.add(500, KAFKA_MS);
        assert_eq!(topic.doubt(0).map(|doubt| doubt.points), Some(u64::from(SAMPLED_RECORDS)));
        topic.add(500, KAFKA_MS);
        assert_eq!(topic.doubt(59), None);
        assert!(topic.doubt(60).is_some());
        assert_eq!(topic.doubt(120), None, "no record followed");
        // The producer writes the right unit now.
        topic.add(100, KAFKA_MS * 1_000);
        assert_eq!(topic.doubt(180), None);
        topic.add(100, KAFKA_MS);
        assert_eq!(topic.doubt(240), None, "a complete sample without doubt is the last one");
    }

    #[test]
    fn old_data_and_right_units_raise_no_doubt() {
        for time in [1_262_304_000_000, KAFKA_MS, 0] {
            let mut topic = Topic::new("unix_ms");
            topic.add(500, time);
            assert_eq!(topic.doubt(0), None, "{time}");
        }
    }
}
