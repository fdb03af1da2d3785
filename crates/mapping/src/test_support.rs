//! A mapper, a record and its lines, for the unit tests.

use crate::{Mapped, Mapper, RecordLimits, Rules};
use base::record::{Record, RecordTime};
use line_protocol::LineBuffer;
use std::sync::Arc;

/// Limits that only tests of large records reach.
pub const LIMITS: RecordLimits = RecordLimits { record_bytes_max: 3_000_000, lines_bytes_max: 14_000_000 };

/// A mapper of the topic `t`.
pub fn mapper(rules: Rules) -> Mapper {
    Mapper::new(Arc::new(rules), "t", LIMITS)
}

/// A record whose lines have no time.
pub fn record(value: &[u8]) -> Record<'_> {
    let time = RecordTime::Omitted;
    Record { partition: 0, offset: 0, time, key: None, value: Some(value), headers: &[] }
}

/// The text of a record's lines, and what else became of the record.
pub fn map(mapper: &mut Mapper, record: &Record<'_>) -> (String, Mapped) {
    let mut lines = LineBuffer::default();
    let outcome = mapper.map(record, &mut lines);
    (String::from_utf8(lines.text().to_vec()).unwrap(), outcome)
}

/// The text of a record's lines, or why the record or its first rejected element is rejected.
pub fn lines_of(mapper: &mut Mapper, record: &Record<'_>) -> Result<String, String> {
    let (text, outcome) = map(mapper, record);
    outcome.rejected.first().map_or(Ok(text), |(_, why)| Err(why.to_string()))
}
