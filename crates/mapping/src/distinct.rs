//! Makes equal times of one series distinct. The added digits depend on the record alone, so that a replay gives the same times.

use super::DistinctTimes;
use base::record::Record;
use line_protocol::encode::{TIME_MAX, TIME_MIN};

const NS_PER_MS: i64 = 1_000_000;

/// The part of the digits that depends on the topic, computed once for each mapper. Two topics differ in it, except one pair in a
/// million.
#[derive(Clone, Copy, Debug)]
pub struct TopicDigits(i64);

impl TopicDigits {
    pub fn of(topic: &str) -> Self {
        // FNV-1a, which must never change: a replay by a later version has to give the same times.
        let hash = topic.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // Below 10^6.
        Self((hash % NS_PER_MS as u64) as i64)
    }
}

/// The element of a record that a point is made from.
#[derive(Clone, Copy)]
pub struct Origin<'r> {
    pub topic: TopicDigits,
    pub record: &'r Record<'r>,
    pub element: usize,
}

/// Distinct time for a Kafka timestamp, which has milliseconds.
pub fn kafka_time(ns: i64, distinct: DistinctTimes, origin: Origin<'_>) -> i64 {
    match distinct {
        DistinctTimes::Never => ns,
        _ => fill(ns, NS_PER_MS, origin),
    }
}

/// Distinct time for a value of `time_key`, which leaves `room` nanoseconds. The value's own digits are kept.
pub fn record_time(ns: i64, room: impl FnOnce() -> i64, distinct: DistinctTimes, origin: Origin<'_>) -> i64 {
    if distinct == DistinctTimes::Always { fill(ns, room(), origin) } else { ns }
}

fn fill(ns: i64, room: i64, origin: Origin<'_>) -> i64 {
    let base = ns.saturating_sub(ns.rem_euclid(room));
    let filled = base.saturating_add(digits(origin) % room);
    filled.clamp(TIME_MIN, TIME_MAX)
}

/// `(offset*1009 + element + partition*499979 + topic) mod 10^6`: distinct for a million consecutive records of one point
/// in a partition, or for 990 records of up to 1,009. Records with equal offsets in several partitions or topics are spread.
fn digits(Origin { topic, record, element }: Origin<'_>) -> i64 {
    let offset = record.offset.rem_euclid(NS_PER_MS) * 1_009;
    let partition = i64::from(record.partition) * 499_979;
    (offset + (element as i64 % NS_PER_MS) + partition + topic.0).rem_euclid(NS_PER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::record::RecordTime;

    /// A topic that adds nothing, so that the expected digits show the other parts.
    const ZERO: TopicDigits = TopicDigits(0);

    fn record(partition: i32, offset: i64) -> Record<'static> {
        Record { partition, offset, time: RecordTime::Missing, key: None, value: None, headers: &[] }
    }

    fn digits_of(topic: TopicDigits, record: &Record<'_>, element: usize) -> usize {
        usize::try_from(digits(Origin { topic, record, element })).unwrap()
    }

    #[test]
    fn fills_below_the_unit() {
        let f = |ns, room, distinct, want| {
            let origin = Origin { topic: ZERO, record: &record(0, 2), element: 3 };
            assert_eq!(record_time(ns, || room, distinct, origin), want, "{ns} {room:?}");
        };
        let kafka = |ns, distinct, record: &Record<'_>| {
            kafka_time(ns, distinct, Origin { topic: ZERO, record, element: 0 })
        };
        let always = DistinctTimes::Always;
        f(5_000_000_000, 1_000_000_000, always, 5_000_002_021);
        f(5_000_000_000, 1_000_000_000, DistinctTimes::Kafka, 5_000_000_000);
        f(5_500_000_000, 1_000_000, always, 5_500_002_021);
        f(5_000_000_123, 1, always, 5_000_000_123);
        f(7_000, 1_000, always, 7_021);
        f(-1_000_000, 1_000_000, always, -997_979);
        // Times at the ends of InfluxDB's range do not wrap around.
        f(TIME_MAX, 1_000_000_000, always, 9_223_372_036_000_002_021);
        f(i64::MIN + 807, 1, always, i64::MIN + 807);
        f(TIME_MIN, 1_000_000, always, i64::MIN + 2_021);
        let latest = 9_223_372_036_854 * NS_PER_MS;
        assert_eq!(kafka(latest, DistinctTimes::Kafka, &record(0, 900)), TIME_MAX);
        assert_eq!(
            kafka(1_700_000_000_123_000_000, DistinctTimes::Kafka, &record(1, 0)),
            1_700_000_000_123_499_979
        );
        assert_eq!(
            kafka(1_700_000_000_123_000_000, DistinctTimes::Never, &record(1, 0)),
            1_700_000_000_123_000_000
        );
    }

    #[test]
    fn is_distinct_for_a_million_records_of_a_partition() {
        let mut seen = vec![false; 1_000_000];
        for offset in 0..1_000_000 {
            let digits = digits_of(TopicDigits::of("metrics"), &record(3, 9_999_999_999 + offset), 0);
            assert!(!std::mem::replace(&mut seen[digits], true), "offset {offset}");
        }
    }

    #[test]
    fn is_distinct_for_990_records_of_1009_elements() {
        let mut seen = vec![false; 1_000_000];
        for offset in 0..990 {
            for element in 0..1_009 {
                let digits = digits_of(TopicDigits::of("t"), &record(0, 5 + offset), element);
                assert!(!std::mem::replace(&mut seen[digits], true), "offset {offset} element {element}");
            }
        }
    }

    /// The values are part of the identity of stored points, so they must never change.
    #[test]
    fn topics_have_digits_of_their_own_that_never_change() {
        let f = |topic: &str, want: usize| {
            assert_eq!(digits_of(TopicDigits::of(topic), &record(0, 0), 0), want, "{topic}");
        };
        f("", 656_037);
        f("metrics", 249_686);
        f("testtopic", 80_996);
        f("a", 641_996);
        f("b", 526_629);
    }

    #[test]
    fn equal_offsets_of_many_topics_and_partitions_are_distinct() {
        let mut seen = std::collections::HashSet::new();
        for topic in 0..20 {
            let digits = TopicDigits::of(&format!("site-{topic}-metrics"));
            for partition in 0..12 {
                let digits = digits_of(digits, &record(partition, 77), 0);
                assert!(seen.insert(digits), "topic {topic} partition {partition}");
            }
        }
    }
}
