//! One record on its way through the mapper.

use crate::decode::Source;
use crate::distinct::{Origin, TopicDigits};
use crate::formats::{JsonText, TimeMark};
use crate::mapped::Mapped;
use crate::rejection::Rejection;
use crate::reshape::ParsedJson;
use crate::scalar::{Scalar, Texts};
use base::record::Record;
use line_protocol::LineBuffer;

/// One record on its way through the mapper.
pub(super) struct Pass<'p, 'r> {
    pub record: &'p Record<'r>,
    pub topic: TopicDigits,
    /// The record's JSON text, or its line protocol, is that of records in `texts`.
    pub texts: Texts<'p>,
    /// Times of the record's format, in the record's text and in that of a rearranged element.
    pub timestamps: &'p [TimeMark],
    pub element_timestamps: &'p [TimeMark],
    /// The record's text before `parse_json`, where the record's format made it.
    pub json: Option<&'p JsonText>,
    pub parsed: Option<&'p ParsedJson>,
    pub lines: &'p mut LineBuffer,
    pub mapped: &'p mut Mapped,
    /// Index of the next element.
    pub index: usize,
    pub bytes_before: usize,
    /// Length of the names of selected scalars.
    pub name_bytes: usize,
}

impl<'p, 'r> Pass<'p, 'r> {
    /// A pass before its first element.
    pub fn new(
        record: &'p Record<'r>,
        topic: TopicDigits,
        texts: Texts<'p>,
        lines: &'p mut LineBuffer,
        mapped: &'p mut Mapped,
    ) -> Self {
        let bytes_before = lines.bytes();
        Self {
            record,
            topic,
            texts,
            timestamps: &[],
            element_timestamps: &[],
            json: None,
            parsed: None,
            lines,
            mapped,
            index: 0,
            bytes_before,
            name_bytes: 0,
        }
    }

    /// Rejects the next element.
    pub fn reject(&mut self, rejection: Rejection) {
        self.mapped.reject(Some(self.index), rejection);
        self.index += 1;
    }

    pub fn origin(&self, element: usize) -> Origin<'_> {
        Origin { topic: self.topic, record: self.record, element }
    }

    /// The rejection of the row whose line begins at a position, if the row is bad.
    pub fn bad_row(&self, start: usize) -> Option<Rejection> {
        let start = self.parsed.map_or(Some(start), |parsed| parsed.line_before(start))?;
        self.json?.bad_row(start)
    }

    /// The mark of a scalar that is a time of the record's format.
    pub fn time_mark(&self, scalar: Scalar) -> Option<TimeMark> {
        let marks = match scalar.source {
            Source::Record => self.timestamps,
            Source::Element => self.element_timestamps,
            Source::Values | Source::Outside => return None,
        };
        TimeMark::find(marks, scalar.start())
    }
}
