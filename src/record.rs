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
    /// A dry run without timestamps: lines carry none.
    Omitted,
}

impl RecordTime {
    /// From Kafka's milliseconds; negative ones mean that there is none.
    pub fn from_kafka_ms(ms: i64) -> Self {
        u64::try_from(ms).ok().and_then(|_| ms.checked_mul(1_000_000)).map_or(Self::Missing, Self::At)
    }
}

/// Headers as they are kept beyond the record, untouched: a name may come twice, and a value may be null.
pub type OwnedHeaders = Vec<(String, Option<Vec<u8>>)>;

impl RecordTime {
    /// Kafka's milliseconds; none where it holds none.
    pub fn kafka_ms(self) -> Option<i64> {
        self.kafka_ns().map(|ns| ns.div_euclid(1_000_000))
    }

    /// The same in nanoseconds.
    pub fn kafka_ns(self) -> Option<i64> {
        match self {
            Self::At(ns) => Some(ns),
            Self::Missing | Self::Omitted => None,
        }
    }
}
