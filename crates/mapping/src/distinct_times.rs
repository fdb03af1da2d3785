//! Makes equal times of one series distinct. The added digits depend on the record alone, so that a replay gives the same times. No digit
//! is finer than the precision of the server, which would drop it: the configuration names the precision, because a server that is asked
//! may not answer, and then a replay would give other times.

use super::DistinctTimes;
use base::TimePrecision;
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
pub fn kafka_time(ns: i64, distinct: DistinctTimes, precision: TimePrecision, origin: Origin<'_>) -> i64 {
    match distinct {
        DistinctTimes::Never => fill(ns, 1, precision, origin),
        _ => fill(ns, NS_PER_MS, precision, origin),
    }
}

/// Distinct time for a value of `time_key`, which leaves `room` nanoseconds. The value's own digits are kept down to the precision.
pub fn record_time(
    ns: i64,
    room: impl FnOnce() -> i64,
    distinct: DistinctTimes,
    precision: TimePrecision,
    origin: Origin<'_>,
) -> i64 {
    fill(ns, if distinct == DistinctTimes::Always { room() } else { 1 }, precision, origin)
}

/// Fills the digits between the room and the precision, which are powers of ten, and clears the digits below.
fn fill(ns: i64, room: i64, precision: TimePrecision, origin: Origin<'_>) -> i64 {
    let unit = precision.ns();
    let below = |unit: i64| ns.saturating_sub(ns.rem_euclid(unit));
    let filled = match (room, unit) {
        (..=1, 1) => return ns,
        // Kafka's timestamps and the usual precision: the compiler divides by constants.
        (NS_PER_MS, 1) => below(NS_PER_MS).saturating_add(digits(origin)),
        (room, unit) if room > unit => below(room).saturating_add(digits(origin) % (room / unit) * unit),
        (_, unit) => below(unit),
    };
    filled.clamp(TIME_MIN, TIME_MAX)
}

/// `(offset*1009 + element + partition*499979 + topic) mod 10^6`: distinct for a million consecutive records of one point
/// in a partition, or for 990 records of up to 1,009. Records with equal offsets in several partitions or topics are spread.
///
/// With microseconds, a millisecond has room for the last three digits: distinct for 1,000 consecutive records of one point, or for 111
/// records of up to 9 (the last three digits of `offset*1009` are those of `offset*9`).
fn digits(Origin { topic, record, element }: Origin<'_>) -> i64 {
    let offset = record.offset.rem_euclid(NS_PER_MS) * 1_009;
    let partition = i64::from(record.partition) * 499_979;
    (offset + (element as i64 % NS_PER_MS) + partition + topic.0).rem_euclid(NS_PER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::record::RecordTime;

    const NANO: TimePrecision = TimePrecision::Nanoseconds;
    const MICRO: TimePrecision = TimePrecision::Microseconds;

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
            assert_eq!(record_time(ns, || room, distinct, NANO, origin), want, "{ns} {room:?}");
        };
        let kafka = |ns, distinct, record: &Record<'_>| {
            kafka_time(ns, distinct, NANO, Origin { topic: ZERO, record, element: 0 })
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
    fn fills_no_digit_below_the_precision_of_the_server() {
        let f = |ns, room, distinct, want| {
            let origin = Origin { topic: ZERO, record: &record(0, 2), element: 3 };
            assert_eq!(record_time(ns, || room, distinct, MICRO, origin), want, "{ns} {room:?}");
        };
        let always = DistinctTimes::Always;
        f(5_000_000_000, 1_000_000_000, always, 5_002_021_000);
        f(5_500_000_000, 1_000_000, always, 5_500_021_000);
        // No room is left, and finer digits would be dropped by the server.
        f(5_000_007_000, 1_000, always, 5_000_007_000);
        f(5_000_000_123, 1, always, 5_000_000_000);
        f(5_000_001_999, 1, DistinctTimes::Kafka, 5_000_001_000);
        f(-1, 1, DistinctTimes::Never, -1_000);
        f(TIME_MIN, 1, always, TIME_MIN);
        let origin = Origin { topic: ZERO, record: &record(1, 0), element: 0 };
        let kafka = |distinct| kafka_time(1_700_000_000_123_000_000, distinct, MICRO, origin);
        assert_eq!(kafka(DistinctTimes::Kafka), 1_700_000_000_123_979_000);
        assert_eq!(kafka(DistinctTimes::Never), 1_700_000_000_123_000_000);
    }

    /// The capacity that the documents give.
    #[test]
    fn microseconds_are_distinct_for_1000_records_or_for_111_records_of_9_elements() {
        for (records, elements) in [(1_000, 1), (111, 9)] {
            let mut seen = std::collections::HashSet::new();
            for offset in 77_000..77_000 + records {
                for element in 0..elements {
                    let origin = Origin { topic: TopicDigits::of("t"), record: &record(3, offset), element };
                    let time = kafka_time(5_000_000_000, DistinctTimes::Kafka, MICRO, origin);
                    assert!(time % 1_000 == 0 && (5_000_000_000..5_001_000_000).contains(&time), "{time}");
                    assert!(seen.insert(time), "offset {offset} element {element}");
                }
            }
        }
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
