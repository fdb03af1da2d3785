//! Makes equal times of one series distinct. The added digits depend on the record alone, so that a replay gives the same times.

use super::DistinctTimes;
use base::record::Record;
use line_protocol::encode::{TIME_MAX, TIME_MIN};

const NS_PER_MS: i64 = 1_000_000;

/// Distinct time for a Kafka timestamp, which has milliseconds.
pub fn kafka_time(ns: i64, distinct: DistinctTimes, record: &Record<'_>, element: usize) -> i64 {
    match distinct {
        DistinctTimes::Never => ns,
        _ => fill(ns, NS_PER_MS, record, element),
    }
}

/// Distinct time for a value of `time_key`, which leaves `room` nanoseconds. The value's own digits are kept.
pub fn record_time(
    ns: i64,
    room: impl FnOnce() -> i64,
    distinct: DistinctTimes,
    record: &Record<'_>,
    element: usize,
) -> i64 {
    if distinct == DistinctTimes::Always { fill(ns, room(), record, element) } else { ns }
}

fn fill(ns: i64, room: i64, record: &Record<'_>, element: usize) -> i64 {
    let base = ns.saturating_sub(ns.rem_euclid(room));
    let filled = base.saturating_add(digits(record, element) % room);
    filled.clamp(TIME_MIN, TIME_MAX)
}

/// `(offset*1009 + element + partition*499979) mod 10^6`: distinct for a million consecutive records of one point
/// in a partition, or for 990 records of up to 1,009.
fn digits(record: &Record<'_>, element: usize) -> i64 {
    let offset = record.offset.rem_euclid(NS_PER_MS) * 1_009;
    let partition = i64::from(record.partition) * 499_979;
    (offset + (element as i64 % NS_PER_MS) + partition).rem_euclid(NS_PER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::record::RecordTime;

    fn record(partition: i32, offset: i64) -> Record<'static> {
        Record { partition, offset, time: RecordTime::Missing, key: None, value: None, headers: &[] }
    }

    #[test]
    fn fills_below_the_unit() {
        let f = |ns, room, distinct, want| {
            assert_eq!(record_time(ns, || room, distinct, &record(0, 2), 3), want, "{ns} {room:?}");
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
        assert_eq!(kafka_time(latest, DistinctTimes::Kafka, &record(0, 900), 0), TIME_MAX);
        assert_eq!(
            kafka_time(1_700_000_000_123_000_000, DistinctTimes::Kafka, &record(1, 0), 0),
            1_700_000_000_123_499_979
        );
        assert_eq!(
            kafka_time(1_700_000_000_123_000_000, DistinctTimes::Never, &record(1, 0), 0),
            1_700_000_000_123_000_000
        );
    }

    #[test]
    fn is_distinct_for_a_million_records_of_a_partition() {
        let mut seen = vec![false; 1_000_000];
        for offset in 0..1_000_000 {
            let digits = digits(&record(3, 9_999_999_999 + offset), 0) as usize;
            assert!(!std::mem::replace(&mut seen[digits], true), "offset {offset}");
        }
    }

    #[test]
    fn is_distinct_for_990_records_of_1009_elements() {
        let mut seen = vec![false; 1_000_000];
        for offset in 0..990 {
            for element in 0..1_009 {
                let digits = digits(&record(0, 5 + offset), element) as usize;
                assert!(!std::mem::replace(&mut seen[digits], true), "offset {offset} element {element}");
            }
        }
    }
}
