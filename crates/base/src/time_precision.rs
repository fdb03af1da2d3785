//! The precision with which a server stores times.

/// Precision with which a server stores times. Lines always have nanoseconds; finer digits are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimePrecision {
    #[default]
    Nanoseconds,
    /// `QuestDB`.
    Microseconds,
}

impl TimePrecision {
    /// The smallest difference of two times, in nanoseconds: a power of ten.
    #[must_use]
    pub fn ns(self) -> i64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
        }
    }

    /// The value of `influx.time_precision`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
        }
    }
}
