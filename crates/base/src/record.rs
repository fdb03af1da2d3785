//! A Kafka record, borrowed from the client's memory while it is mapped.

/// A record as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub partition: i32,
    pub offset: i64,
    pub time: RecordTime,
    pub key: Option<&'a [u8]>,
    /// `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// Empty unless the mapping uses headers.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// The timestamp of a record in Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordTime {
    /// Nanoseconds since 1970.
    At(i64),
    /// Kafka's -1: the record has no timestamp.
    Missing,
    /// Milliseconds since 1970, beyond the year 2262: 64 bits cannot express them in nanoseconds.
    OutOfRange(i64),
    /// A dry run without timestamps: lines have none.
    Omitted,
}

impl RecordTime {
    /// Converts Kafka's milliseconds. A negative number means that the record has no timestamp.
    pub fn from_kafka_ms(ms: i64) -> Self {
        if ms < 0 {
            return Self::Missing;
        }
        ms.checked_mul(1_000_000).map_or(Self::OutOfRange(ms), Self::At)
    }

    /// Converts Kafka's milliseconds, where the client leaves out a missing timestamp. It rejects the record if its time is needed.
    pub fn from_known_ms(ms: Option<i64>) -> Self {
        ms.map_or(Self::Missing, Self::from_kafka_ms)
    }

    /// The timestamp in milliseconds, as Kafka stores it.
    pub fn kafka_ms(self) -> Option<i64> {
        match self {
            Self::At(ns) => Some(ns.div_euclid(1_000_000)),
            Self::OutOfRange(ms) => Some(ms),
            Self::Missing | Self::Omitted => None,
        }
    }

    /// The timestamp in nanoseconds, if 64 bits can express it.
    pub fn kafka_ns(self) -> Option<i64> {
        match self {
            Self::At(ns) => Some(ns),
            Self::Missing | Self::OutOfRange(_) | Self::Omitted => None,
        }
    }
}

/// Headers that outlive the record. A name may occur twice, and a value may be null.
pub type OwnedHeaders = Vec<(String, Option<Vec<u8>>)>;

/// Headers as a mapping reads them: a null header is an empty one.
pub fn borrowed(headers: &OwnedHeaders) -> Vec<(&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_beyond_nanoseconds_is_not_a_missing_one() {
        assert_eq!(RecordTime::from_kafka_ms(1), RecordTime::At(1_000_000));
        assert_eq!(RecordTime::from_kafka_ms(-1), RecordTime::Missing);
        let year_3000 = RecordTime::from_kafka_ms(32_503_680_000_000);
        assert_eq!(year_3000, RecordTime::OutOfRange(32_503_680_000_000));
        assert_eq!((year_3000.kafka_ms(), year_3000.kafka_ns()), (Some(32_503_680_000_000), None));
    }
}
