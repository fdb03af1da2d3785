//! The Kafka unit, borrowed from the client's memory for as long as it is mapped.

/// One record as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub partition: i32,
    pub offset: i64,
    pub time: RecordTime,
    pub key: Option<&'a [u8]>,
    /// None: a tombstone.
    pub value: Option<&'a [u8]>,
    /// Only filled where a mapping asks for headers.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// The timestamp that Kafka holds for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordTime {
    /// Nanoseconds since 1970.
    At(i64),
    /// Kafka's -1.
    Missing,
    /// Milliseconds since 1970 that lie beyond the year 2262: nanoseconds of 64 bits do not hold them.
    OutOfRange(i64),
    /// A dry run without timestamps: lines carry none.
    Omitted,
}

impl RecordTime {
    /// From Kafka's milliseconds; negative ones mean that there is none.
    pub fn from_kafka_ms(ms: i64) -> Self {
        if ms < 0 {
            return Self::Missing;
        }
        ms.checked_mul(1_000_000).map_or(Self::OutOfRange(ms), Self::At)
    }
}

/// Headers as they are kept beyond the record, untouched: a name may come twice, and a value may be null.
pub type OwnedHeaders = Vec<(String, Option<Vec<u8>>)>;

impl RecordTime {
    /// Kafka's milliseconds; none where it holds none.
    pub fn kafka_ms(self) -> Option<i64> {
        match self {
            Self::At(ns) => Some(ns.div_euclid(1_000_000)),
            Self::OutOfRange(ms) => Some(ms),
            Self::Missing | Self::Omitted => None,
        }
    }

    /// The same in nanoseconds.
    pub fn kafka_ns(self) -> Option<i64> {
        match self {
            Self::At(ns) => Some(ns),
            Self::Missing | Self::OutOfRange(_) | Self::Omitted => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_nanoseconds_do_not_hold_is_not_a_missing_one() {
        assert_eq!(RecordTime::from_kafka_ms(1), RecordTime::At(1_000_000));
        assert_eq!(RecordTime::from_kafka_ms(-1), RecordTime::Missing);
        let year_3000 = RecordTime::from_kafka_ms(32_503_680_000_000);
        assert_eq!(year_3000, RecordTime::OutOfRange(32_503_680_000_000));
        assert_eq!((year_3000.kafka_ms(), year_3000.kafka_ns()), (Some(32_503_680_000_000), None));
    }
}
