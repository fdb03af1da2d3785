//! One record on its way through the mapper.

use crate::Format;
use crate::decode::Source;
use crate::distinct_times::{Origin, TopicDigits};
use crate::formats::{JsonText, TimeMark};
use crate::mapped::{Mapped, REJECTED_ELEMENTS_MAX};
use crate::rejection::Rejection;
use crate::reshape::{ParsedJson, Piece};
use crate::scalar::{Scalar, Texts};
use base::record::Record;
use line_protocol::LineBuffer;

/// The record of one call of [`super::Mapper::map`], and where its lines and its rejections go.
pub(super) struct MapCall<'p, 'r> {
    pub record: &'p Record<'r>,
    pub lines: &'p mut LineBuffer,
    pub mapped: &'p mut Mapped,
}

/// One record on its way through the mapper.
pub(super) struct Pass<'p, 'r> {
    pub record: &'p Record<'r>,
    pub topic: TopicDigits,
    /// The record's JSON text, or its line protocol, is that of records in `texts`.
    pub texts: Texts<'p>,
    /// Times of the record's format, in the record's text and in that of a rearranged element.
    pub timestamps: &'p [TimeMark],
    pub element_timestamps: &'p [TimeMark],
    /// The pieces of an element that `explode` made.
    pub pieces: &'p [Piece],
    /// The record's text before `parse_json`, where the record's format made it.
    pub json: Option<&'p JsonText>,
    pub parsed: Option<&'p ParsedJson>,
    pub lines: &'p mut LineBuffer,
    pub mapped: &'p mut Mapped,
    /// Index of the next element.
    pub index: usize,
    pub bytes_before: usize,
    /// Bytes of the Kafka record that are read for each element.
    pub kafka_bytes: usize,
    /// Bytes from outside of the elements that were read for all elements so far.
    pub repeated_bytes: usize,
}

impl Pass<'_, '_> {
    /// Rejects the next element.
    pub fn reject(&mut self, rejection: Rejection) {
        self.mapped.reject(Some(self.index), rejection);
        self.index += 1;
    }

    /// Rejects the values of the line in which the next element would stand.
    pub fn reject_line(&mut self, rejection: Rejection, format: Format) {
        // An excerpt is made only for a message: it takes longer than a short line.
        let is_listed = self.mapped.rejected.len() < REJECTED_ELEMENTS_MAX;
        self.reject(if is_listed { rejection.with_excerpt(self.texts.record, format) } else { rejection });
    }

    /// Counts bytes from outside of an element that are read for it, such as a tag of its parent. Without a bound, a long text beside
    /// many elements would take time with the square of the record's size, even if none of them becomes a line.
    pub fn repeat(&mut self, bytes: usize, bytes_max: usize) -> Result<(), Rejection> {
        self.repeated_bytes = self.repeated_bytes.saturating_add(bytes);
        if self.repeated_bytes > bytes_max {
            return Err(Rejection::LinesTooLarge { bytes: self.repeated_bytes });
        }
        Ok(())
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
